"""Recovery: the journal folded into a fresh state. Start-up and crash recovery are one path.

A checkpoint stands for all rows before it. Money of an embedded world that has ended is not
carried into the next: its venue is gone. The operator's rung and latched breakers are carried
always; a restart never raises the rung.
"""

from __future__ import annotations

from collections.abc import Iterable

from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.ids import StrategyId
from dailyarb.core.domain.intents import IntentKind
from dailyarb.core.domain.operator import OperatorVerb
from dailyarb.core.domain.orders import FillState
from dailyarb.core.domain.records import (
    BreakerMoved,
    Checkpointed,
    FillBooked,
    FillProven,
    IntentTaken,
    MarketSeen,
    OperatorDid,
    OrderAdopted,
    OrderMoved,
    OrderSigned,
    PairClosed,
    Record,
    RungSet,
    RunStarted,
)
from dailyarb.core.engine import checkpoint
from dailyarb.core.engine.account import moved_of
from dailyarb.core.engine.state import State
from dailyarb.core.execution.orders import adopted


def recover(state: State, history: Iterable[tuple[Record, int]], now: Instant) -> None:
    """Folds an instance's records into the state; a checkpoint may stand for older ones."""
    ours = False
    for row, (record, wall_ns) in enumerate(history):
        if isinstance(record, Checkpointed):
            ours = _resume(state, record, ours if row else None, now)
        elif isinstance(record, RunStarted):
            birth = state.birth
            ours = record.evidence is birth.evidence and record.world == birth.world
        elif isinstance(record, RungSet):
            state.rungs.operator, state.rungs.operator_reason = record.rung, record.reason
        elif isinstance(record, BreakerMoved):
            _breaker(state, record, wall_ns)
        elif isinstance(record, OperatorDid):
            _paused(state, record)
        if ours:
            _fold(state, record, wall_ns, now)
    _reopen_desks(state)


def _resume(state: State, record: Checkpointed, folded: bool | None, now: Instant) -> bool:
    """Takes a checkpoint over; of one whose older rows were folded, what no row tells.

    Args:
        state: what is being recovered.
        record: the checkpoint.
        folded: whether the rows before were ours, None where there were none.
        now: the moment of birth.

    Returns:
        Whether the money of this checkpoint, and of the rows behind it, is ours.
    """
    kept = checkpoint.read(record)
    birth = state.birth
    if kept is None:
        return bool(folded)
    ours = kept.evidence is birth.evidence and kept.world == birth.world
    if folded:
        checkpoint.remember(state, kept)
    elif folded is None:
        state.rungs.operator, state.rungs.operator_reason = kept.rung, kept.reason
        state.rungs.paused.update(kept.paused)
        for one in kept.latched:
            state.breakers.restore(one.breaker, one.now, one.wall_ns, one.cause)
        state.rungs.breaker, state.rungs.breaker_name = state.breakers.cap()
        if ours:
            checkpoint.restore(state, kept, now)
    return ours


def _paused(state: State, record: OperatorDid) -> None:
    """A strategy a person paused stays paused: a restart never raises what may be done."""
    known = {s.value: s for s in StrategyId}
    if not record.ok or record.target not in known:
        return
    if record.verb == OperatorVerb.STRATEGY_PAUSE.value:
        state.rungs.paused.add(known[record.target])
    elif record.verb == OperatorVerb.STRATEGY_RESUME.value:
        state.rungs.paused.discard(known[record.target])


def _reopen_desks(state: State) -> None:
    """Follows markets in which we still hold shares or may have orders, ended ones too."""
    wanted = dict.fromkeys(state.ledger.open_markets())
    wanted.update(dict.fromkeys(order.market_id for order in state.orders.live()))
    for market_id in wanted:
        spec = state.specs.get(market_id)
        if spec is not None and spec.asset in state.assets:
            state.add_desk(spec)
    checkpoint.forget(state, 0)
    for pair in list(state.pairs.open.values()):
        if pair.market_id not in state.desks:
            state.pairs.restore_closed(pair.pair_id, "carried")


def _breaker(state: State, record: BreakerMoved, wall_ns: int) -> None:
    breaker = state.breakers.by_name.get(record.breaker)
    if breaker is None or not breaker.rule.manual:
        return
    if record.tripped:
        state.breakers.restore(record.breaker, record.now, wall_ns, record.reason)
    else:
        state.breakers.reset(record.breaker, record.reason)
        if record.breaker == "loss.streak":
            state.ledger.pnl.streak = 0
    state.rungs.breaker, state.rungs.breaker_name = state.breakers.cap()


def _fold(state: State, record: Record, wall_ns: int, now: Instant) -> None:
    state.ledger.apply(record, wall_ns)
    state.gate.calibration.apply(record)
    if isinstance(record, IntentTaken):
        state.next_id = max(state.next_id, record.intent_id, record.pair_id)
        if record.pair_id > 0 and record.intent is IntentKind.ENTRY:
            # The wait of its legs is over: what is one-sided acts at once.
            state.pairs.restore(
                record.pair_id, record.market_id, record.strategy, record.edge_e4, now.mono_ns
            )
    elif isinstance(record, MarketSeen):
        state.specs[record.spec.market_id] = record.spec
    elif isinstance(record, PairClosed):
        state.pairs.restore_closed(record.pair_id, record.result)
    elif isinstance(record, OrderSigned):
        state.orders.restore(record, now)
    elif isinstance(record, OrderAdopted):
        state.orders.restore(adopted(record), now)
    elif isinstance(record, OrderMoved):
        state.orders.restore_move(record.order_id, record.state)
    elif isinstance(record, FillBooked):
        _filled(state, record, 1, now)
    elif isinstance(record, FillProven) and record.state is FillState.VOIDED:
        _filled(state, state.ledger.fill(record.trade_id, record.order_id), -1, now)


def _filled(state: State, fill: FillBooked | None, sign: int, now: Instant) -> None:
    order = state.orders.by_id.get(fill.order_id) if fill is not None else None
    if fill is None or order is None:
        return
    order.filled_e6 += sign * fill.size_e6
    order.accepted = True
    order.voided_e6 += fill.size_e6 if sign < 0 else 0
    moved = moved_of(fill, order)
    if order.pair_id > 0:
        state.pairs.fill(order.pair_id, moved if sign > 0 else moved.undone(), now.mono_ns)
    elif order.intent is IntentKind.FLATTEN and sign > 0:
        state.pairs.sold_elsewhere(order.market_id, moved, now.mono_ns)

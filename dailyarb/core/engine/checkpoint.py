"""Checkpoints: what the engine knows, as one record that needs no older rows.

A checkpoint holds two things. Facts follow from the rows before it: positions, orders, pairs, P&L,
rung, latched breakers; folding those rows gives the same, which the tests prove at every
checkpoint. Memories follow from no row: how far the account was compared, the peak of equity, the
parameters in force. A fold of the whole journal takes them from the checkpoints it passes, and
forgets there what they forgot, so both ways of starting end in one state.
"""

from __future__ import annotations

import msgspec

from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.commands import Command, Journal
from dailyarb.core.domain.events import CheckpointDue
from dailyarb.core.domain.ids import Severity, StrategyId
from dailyarb.core.domain.intents import IntentKind
from dailyarb.core.domain.market import MarketSpec, Outcome, Side
from dailyarb.core.domain.orders import TIF, OrderState
from dailyarb.core.domain.records import Checkpointed, OrderSigned
from dailyarb.core.domain.rung import Evidence, Rung
from dailyarb.core.domain.units import SECOND
from dailyarb.core.engine.state import State
from dailyarb.core.execution.orders import Order
from dailyarb.core.execution.pairs import Moved, Pair, PairLeg
from dailyarb.core.ledger.kept import KeptLedger, keep_ledger, restore_ledger
from dailyarb.core.risk.sizing import Calibration

VERSION = 2  # of what `Snapshot` holds; another one is passed over and older rows are read
BYTES_MAX = 2 << 20
FORGET_AFTER_NS = 1_800 * SECOND  # books of a decided market stay open for late news
OVERLAP_S = 600  # the first questions after a restart reach back so much further


# The fields of an OrderSigned in their order: names would double it.
Signed = tuple[
    str, int, StrategyId, IntentKind, str, Outcome, Side, int, int, TIF, bool, int, int, int, bytes
]  # fmt: skip


class KeptOrder(msgspec.Struct, frozen=True, array_like=True):
    """Is one order; its bytes stay in the row that signed it."""

    signed: Signed
    state: OrderState
    filled_e6: int
    voided_e6: int


class KeptPair(msgspec.Struct, frozen=True, array_like=True):
    """Is one pair without its clocks, which are those of one life; result is "" while open."""

    pair_id: int
    market_id: str
    strategy: StrategyId
    intended_edge_e4: int
    up: PairLeg
    down: PairLeg
    exit_e6: int
    result: str


class Latched(msgspec.Struct, frozen=True, array_like=True):
    """Is one tripped breaker that only the operator resets."""

    breaker: str
    now: float
    wall_ns: int
    cause: str


class Memories(msgspec.Struct, frozen=True, array_like=True):
    """Is what no row tells: forget_ns is before which wall clock decided markets were shut."""

    forget_ns: int
    since_s: int
    peak_e6: int | None
    equity: tuple[int, ...]
    equity_minute: int
    parameters: dict[str, dict[str, float]]


class Snapshot(msgspec.Struct, frozen=True, array_like=True):
    """Is the state of one evidence class, and what holds for all: rung, breakers, pauses."""

    evidence: Evidence
    world: str
    rung: Rung
    reason: str
    paused: tuple[StrategyId, ...]
    latched: tuple[Latched, ...]
    next_id: int
    stamp_ms: int  # newest of any order signed; the next is later, whatever the clock says
    specs: tuple[MarketSpec, ...]
    orders: tuple[KeptOrder, ...]
    pairs: tuple[KeptPair, ...]
    ledger: KeptLedger
    calibration: Calibration
    memories: Memories


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Snapshot).decode


def read(record: Checkpointed) -> Snapshot | None:
    """Returns what a checkpoint holds, None where another version wrote it.

    Raises:
        msgspec.DecodeError: it is no checkpoint.
    """
    return _decode(record.state) if record.version == VERSION else None


def on_due(state: State, event: CheckpointDue, now: Instant, out: list[Command]) -> None:
    """Writes a checkpoint; one beyond its bound is not written, and said so."""
    del event
    before_ns = now.wall_ns - FORGET_AFTER_NS
    forget(state, before_ns)
    body = _encode(snapshot(state, before_ns))
    if len(body) <= BYTES_MAX:
        out.append(Journal(Checkpointed(body, VERSION)))
        return
    text = f"a checkpoint of {len(body):,} bytes was not written; a restart will take longer"
    state.alert(Severity.WARNING, "journal.checkpoint", text, now, out)


def snapshot(state: State, forget_ns: int) -> Snapshot:
    """Returns what a restart from here needs to know."""
    account, rungs, pairs = state.account, state.rungs, state.pairs
    return Snapshot(
        state.birth.evidence,
        state.birth.world,
        rungs.operator,
        rungs.operator_reason,
        tuple(s for s in StrategyId if s in rungs.paused),
        tuple(
            Latched(name, b.now or 0.0, b.since_wall_ns or 0, b.cause)
            for name, b in state.breakers.by_name.items()
            if b.tripped and b.rule.manual
        ),
        state.next_id,
        state.orders.stamp_ms,
        tuple(state.specs.values()),
        tuple(_keep_order(order) for order in state.orders.by_id.values()),
        tuple(_keep_pair(pair) for pair in (*pairs.done.values(), *pairs.open.values())),
        keep_ledger(state.ledger),
        state.gate.calibration,
        Memories(
            forget_ns,
            account.since_s if account.opened else 0,
            state.peak_e6,
            tuple(state.equity),
            state.equity_minute,
            state.parameters,
        ),
    )


def restore(state: State, kept: Snapshot, now: Instant) -> None:
    """Takes over the money, orders and pairs of a checkpoint; into a fresh state."""
    state.next_id = kept.next_id
    state.orders.stamp_ms = kept.stamp_ms
    state.ledger = restore_ledger(kept.ledger)
    state.ledger.labels.update({spec.market_id: spec.label for spec in kept.specs})
    for one in kept.orders:
        order = state.orders.restore(OrderSigned(*one.signed), now)
        order.filled_e6, order.voided_e6 = one.filled_e6, one.voided_e6
        state.orders.restore_move(order.order_id, one.state)
        order.accepted = order.accepted or one.filled_e6 + one.voided_e6 > 0
    for pair in kept.pairs:
        _restore_pair(state, pair, now)
    state.gate.calibration = kept.calibration
    remember(state, kept)


def remember(state: State, kept: Snapshot) -> None:
    """Takes over what no row tells; the account is asked for everything since, with overlap."""
    memories = kept.memories
    _shut(state, memories.forget_ns)
    state.specs = {spec.market_id: spec for spec in kept.specs}
    state.account.since_s = max(0, memories.since_s - OVERLAP_S)
    state.account.opened = memories.since_s > 0
    state.peak_e6 = memories.peak_e6
    state.equity.clear()
    state.equity.extend(memories.equity)
    state.equity_minute = memories.equity_minute
    state.parameters = memories.parameters


def _shut(state: State, before_ns: int) -> None:
    state.ledger.forget(before_ns)
    state.orders.forget(state.ledger.closed)
    done = state.pairs.done
    for pair_id in [i for i, pair in done.items() if pair.market_id in state.ledger.closed]:
        del done[pair_id]


def forget(state: State, before_ns: int) -> None:
    """Shuts books decided before this wall clock and drops what was kept for them."""
    _shut(state, before_ns)
    ledger = state.ledger
    wanted = dict.fromkeys(m for m, books in ledger.markets.items() if not books.settled)
    for order in state.orders.by_id.values():
        books = ledger.markets.get(order.market_id)
        if books is None or not books.settled:
            wanted[order.market_id] = None
    kept = {m: spec for m, spec in state.specs.items() if m in wanted}
    state.specs = {**kept, **{m: desk.spec for m, desk in state.desks.items()}}


def _keep_order(order: Order) -> KeptOrder:
    signed = (
        order.order_id, order.intent_id, order.strategy, order.intent, order.market_id,
        order.outcome, order.side, order.price_e4, order.size_e6, order.tif, order.post_only,
        order.stamp_ms, order.salt, order.pair_id, b"",
    )  # fmt: skip
    return KeptOrder(signed, order.state, order.filled_e6, order.voided_e6)


def _keep_pair(pair: Pair) -> KeptPair:
    return KeptPair(
        pair.pair_id, pair.market_id, pair.strategy, pair.intended_edge_e4, pair.up, pair.down,
        pair.exit_e6, pair.result,
    )  # fmt: skip


def _restore_pair(state: State, kept: KeptPair, now: Instant) -> None:
    pairs, pair_id = state.pairs, kept.pair_id
    pairs.restore(pair_id, kept.market_id, kept.strategy, kept.intended_edge_e4, now.mono_ns)
    pair = pairs.open[pair_id]
    pair.up, pair.down, pair.exit_e6 = kept.up, kept.down, kept.exit_e6
    pairs.fill(pair_id, Moved(Outcome.UP, Side.BUY, 0, 0, 0), now.mono_ns)  # starts its clocks
    if kept.result:
        pairs.restore_closed(pair_id, kept.result)

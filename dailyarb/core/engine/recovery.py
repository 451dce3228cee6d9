"""Recovery: the journal folded into a fresh state. Start-up and crash recovery are one path.

Money of an embedded world that has ended is not carried into the next: its venue is gone. The
operator's rung and latched breakers are carried always; a restart never raises the rung.
"""

from __future__ import annotations

from collections.abc import Iterable

from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.records import (
    BreakerMoved,
    FillBooked,
    IntentTaken,
    OrderMoved,
    OrderSigned,
    Record,
    RungSet,
    RunStarted,
)
from dailyarb.core.engine.state import State


def recover(state: State, history: Iterable[tuple[Record, int]], now: Instant) -> None:
    """Folds an instance's records into the state."""
    ours = False
    for record, wall_ns in history:
        if isinstance(record, RunStarted):
            birth = state.birth
            ours = record.evidence is birth.evidence and record.world == birth.world
        elif isinstance(record, RungSet):
            state.rungs.operator, state.rungs.operator_reason = record.rung, record.reason
        elif isinstance(record, BreakerMoved):
            _breaker(state, record, wall_ns)
        if ours:
            _fold(state, record, wall_ns, now)


def _breaker(state: State, record: BreakerMoved, wall_ns: int) -> None:
    breaker = state.breakers.by_name.get(record.breaker)
    if breaker is None or not breaker.rule.manual:
        return
    if record.tripped:
        state.breakers.restore(record.breaker, record.now, wall_ns, record.reason)
    else:
        state.breakers.reset(record.breaker, record.reason)
    state.rungs.breaker, state.rungs.breaker_name = state.breakers.cap()


def _fold(state: State, record: Record, wall_ns: int, now: Instant) -> None:
    state.ledger.apply(record, wall_ns)
    if isinstance(record, IntentTaken):
        state.next_id = max(state.next_id, record.intent_id, record.pair_id)
    elif isinstance(record, OrderSigned):
        state.orders.restore(record, now)
    elif isinstance(record, OrderMoved):
        state.orders.restore_move(record.order_id, record.state)
    elif isinstance(record, FillBooked):
        order = state.orders.by_id.get(record.order_id)
        if order is not None:
            order.filled_e6 += record.size_e6

"""After a power loss: what the venue lists of ours and the journal's last rows no longer tell.

The journal is synced every 50 ms, so an outage of the machine may take the newest orders and fills
(F69). The process's own death takes nothing, so this happens after a start of the machine only.
"""

from __future__ import annotations

from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.commands import Command
from dailyarb.core.domain.events import AccountReport
from dailyarb.core.domain.ids import Severity
from dailyarb.core.domain.records import OrderAdopted
from dailyarb.core.domain.units import MS
from dailyarb.core.engine.state import State
from dailyarb.core.engine.trading import cancel
from dailyarb.core.execution.orders import adopted


def adopt(state: State, event: AccountReport, now: Instant, out: list[Command]) -> None:
    """Takes over what the venue lists and a power loss took from the journal (F69).

    The wallet is locked to this instance, so what it has that no record tells is ours. Its orders
    are cancelled; its shares belong to the operator, who is told.
    """
    known = state.orders.by_id
    rows: dict[str, OrderAdopted] = {}
    for row in event.open_orders:
        rows[row.order_id] = OrderAdopted(
            row.order_id, row.market_id, row.outcome, row.side, row.price_e4, row.size_e6
        )
    for fill in event.fills:
        if state.ledger.fill(fill.trade_id, fill.order_id) is None:
            done = sum(f.size_e6 for f in event.fills if f.order_id == fill.order_id)
            rows.setdefault(
                fill.order_id,
                OrderAdopted(
                    fill.order_id, fill.market_id, fill.outcome, fill.side, fill.price_e4, done
                ),
            )
    lost = [row for order_id, row in rows.items() if order_id not in known]
    for record in lost:
        state.record(record, now, out)
        order = state.orders.restore(adopted(record), now)
        cancel([order], "adopted after a power loss", now, out)
    if lost:
        text = f"adopted {len(lost)} orders that a power loss took from the journal"
        state.alert(Severity.CRITICAL, "orders.adopted", text, now, out)


def all_arrived(state: State, event: AccountReport) -> bool:
    """Says whether the snapshot shows everything ever sent: after a power loss, late ones too."""
    late_ns = state.settings.risk.late_arrival_ms * MS
    return not state.birth.rebooted or event.asked_ns - state.started.mono_ns >= late_ns

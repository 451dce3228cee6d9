"""What proves where an order stands: answers, fills, reports and lists, each dated.

What the venue has not proven stays UNKNOWN and keeps its exposure; it is asked about, never sent
again under another name (faults F26-F30, I8, I20). Evidence may come in any order and twice (I9).
"""

from __future__ import annotations

from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.commands import Command, QueryOrder
from dailyarb.core.domain.events import Fill, LegOutcome, LegResult, OrderReport
from dailyarb.core.domain.orders import TERMINAL, OrderState
from dailyarb.core.domain.settings import Risk
from dailyarb.core.domain.units import MS
from dailyarb.core.execution.orders import Order, Orders

ASK_AGAIN_MAX_NS = 10_000 * MS
_UNPROVEN = (OrderState.SENT, OrderState.UNKNOWN, OrderState.QUARANTINED, OrderState.DELAYED)


class Proofs:
    """Moves orders by evidence and asks for what is missing."""

    def __init__(self, orders: Orders, risk: Risk) -> None:
        self._orders = orders
        self.risk = risk

    def result(self, found: LegResult, now: Instant, out: list[Command]) -> Order | None:
        """Takes the answer to a submit, matched by order id; None when it says nothing new.

        What was seen first is not undone: a fill or a report proves the order, whatever a later
        answer says (F23), and a repeated answer is the same answer.
        """
        order = self._orders.by_id.get(found.order_id)
        if order is None or order.answered or not order.sent_ns:
            return None
        outcome = found.outcome
        if outcome is LegOutcome.UNKNOWN:
            if order.state is not OrderState.SENT:
                return None
            self._orders.move(order, OrderState.UNKNOWN, found.reason, out)
            return order
        refused = outcome in (LegOutcome.REFUSED, LegOutcome.UNSENT)
        if refused and order.accepted:
            return None
        order.answered, order.acked_ns = True, now.mono_ns
        if refused and order.state not in TERMINAL:
            self._orders.move(order, OrderState.REFUSED, found.reason or outcome.value, out)
        elif not refused:
            order.accepted, order.proven_ns = True, max(order.proven_ns, now.mono_ns)
            if order.state not in TERMINAL:
                self._accepted(order, found, now.mono_ns, out)
        return order

    def _accepted(self, order: Order, found: LegResult, now_ns: int, out: list[Command]) -> None:
        if found.outcome is LegOutcome.KILLED:
            self._end(order, OrderState.EXPIRED, found.reason or "no match", now_ns, out)
        elif found.outcome is LegOutcome.DELAYED:
            if order.state not in (OrderState.OPEN, OrderState.QUARANTINED):
                self._orders.move(order, OrderState.DELAYED, found.reason, out)
        else:
            self._orders.move(order, OrderState.OPEN, "", out)
            if found.outcome is LegOutcome.MATCHED and order.takes and found.matched_e6 >= 0:
                order.matched_e6 = max(order.matched_e6, found.matched_e6)
                self._end(order, OrderState.EXPIRED, "rest killed", now_ns, out)

    def fill(self, fill: Fill, now_ns: int, out: list[Command]) -> Order | None:
        """Counts a fill; it proves the order whatever was or was not answered."""
        order = self._orders.by_id.get(fill.order_id)
        if order is None:
            return None
        order.filled_e6 += fill.size_e6
        order.accepted, order.proven_ns = True, max(order.proven_ns, now_ns)
        if order.state in (OrderState.SENT, OrderState.UNKNOWN, OrderState.QUARANTINED):
            self._orders.move(order, OrderState.OPEN, "", out)
        if order.filled_e6 >= order.size_e6:
            self._orders.move(order, OrderState.FILLED, "", out)
        else:
            self._finish(order, out)
        return order

    def unfill(self, order_id: str, size_e6: int, out: list[Command]) -> None:
        """Takes back a voided fill; the venue does not put its shares back into the order."""
        order = self._orders.by_id.get(order_id)
        if order is not None:
            order.filled_e6 -= size_e6
            order.voided_e6 += size_e6
            self._finish(order, out)

    def cancelled(self, order: Order, now_ns: int, out: list[Command]) -> bool:
        """Takes a proven cancel; says whether it is news.

        No more of the order matches, but what matched before may be on its way as a fill. So it
        keeps its exposure, and its pair waits, until the venue, asked from now on, has told how
        much that was (I6).
        """
        if not order.live or order.withdrawn or order.ending or not order.sent_ns:
            return False
        order.accepted = order.withdrawn = True
        order.ending, order.ended_ns = OrderState.CANCELLED, now_ns
        order.asked_ns, order.asks = 0, 0
        if order.state in _UNPROVEN:
            self._orders.move(order, OrderState.OPEN, "", out)
        return True

    def _end(
        self, order: Order, state: OrderState, reason: str, asked_ns: int, out: list[Command]
    ) -> None:
        """Ends an order by evidence, once the shares that matched have arrived as fills.

        Until then it keeps its exposure and is asked about; when they are still missing after
        `late_arrival_ms`, the venue's word on the order stands alone.
        """
        order.missing = order.withdrawn = False
        if order.ending is None:
            order.ended_ns = asked_ns
        order.ending, order.reason = state, reason or order.reason
        if order.owed_e6 and asked_ns - order.ended_ns >= self.risk.late_arrival_ms * MS:
            self._orders.move(order, state, "matched shares never arrived as fills", out)
            return
        if order.owed_e6:
            self._orders.move(order, OrderState.OPEN, "", out)
        self._finish(order, out)

    def _finish(self, order: Order, out: list[Command]) -> None:
        waits = order.owed_e6 or order.withdrawn
        if order.ending is None or waits or order.state in TERMINAL:
            return
        full = order.filled_e6 >= order.size_e6
        self._orders.move(order, OrderState.FILLED if full else order.ending, order.reason, out)

    def report(self, event: OrderReport, out: list[Command], now_ns: int = 0) -> Order | None:
        """Takes the venue's dated word on one order (I20).

        It was read between the question and `now_ns`: an absence is as old as its question may
        be, a presence as young as its answer.
        """
        order = self._orders.by_id.get(event.order_id)
        if order is None or order.state in TERMINAL or not order.sent_ns:
            return order
        if event.known:
            self._known(order, event, max(now_ns, event.asked_ns), out)
        elif order.accepted and event.asked_ns >= _heard_of_ns(order):
            # It was accepted and is no longer in the active list: what did not fill is gone.
            state = OrderState.EXPIRED if order.takes else OrderState.CANCELLED
            self._end(order, state, "gone", event.asked_ns, out)
        elif event.asked_ns - order.sent_ns >= self.risk.late_arrival_ms * MS:
            self._orders.move(order, OrderState.CANCELLED, "absent after late_arrival_ms", out)
        return order

    def _known(self, order: Order, event: OrderReport, heard_ns: int, out: list[Command]) -> None:
        order.accepted = True
        order.matched_e6 = max(order.matched_e6, event.matched_e6)
        if event.state in TERMINAL:
            # It was accepted, so a late refusal is the end of what is left.
            refused = event.state is OrderState.REFUSED
            state = OrderState.CANCELLED if refused else event.state
            self._end(order, state, event.reason, event.asked_ns, out)
            return
        order.proven_ns = max(order.proven_ns, heard_ns)
        order.missing = False
        if order.withdrawn and event.asked_ns >= order.ended_ns:
            # There after a cancel was said to be done: it may match, and is cancelled again.
            order.withdrawn, order.ending = False, None
        self._orders.move(order, OrderState.OPEN, "", out)

    def listed(self, order: Order, heard_ns: int, out: list[Command]) -> None:
        """Takes the account's list of open orders as evidence that an order rests."""
        order.accepted, order.missing = True, False
        order.proven_ns = max(order.proven_ns, heard_ns)
        if order.state in (OrderState.UNKNOWN, OrderState.QUARANTINED):
            self._orders.move(order, OrderState.OPEN, "listed open", out)

    def unlisted(self, order: Order, asked_ns: int) -> None:
        """Notes that the account's list lacked an order: it is asked about by name."""
        if order.missing or not order.sent_ns or asked_ns <= order.proven_ns:
            return
        if order.state in (OrderState.OPEN, OrderState.UNKNOWN, OrderState.QUARANTINED):
            order.missing, order.asked_ns, order.asks = True, 0, 0

    def asks(self, now_ns: int, out: list[Command]) -> None:
        """Asks about orders that are unproven, or matched without their fills, when due."""
        for order in self._orders.live():
            due = self._ask_due_ns(order)
            if due is not None and now_ns >= due:
                order.asked_ns, order.asks = now_ns, order.asks + 1
                out.append(QueryOrder(order.order_id, order.market_id, now_ns))

    def next_ask_ns(self) -> int | None:
        """Returns when the next question is due."""
        dues = [due for o in self._orders.live() if (due := self._ask_due_ns(o)) is not None]
        return min(dues, default=None)

    def _ask_due_ns(self, order: Order) -> int | None:
        waiting = order.owed_e6 > 0 or order.missing or order.withdrawn
        waiting = waiting or (order.takes and order.accepted)
        open_doubt = order.state in _UNPROVEN
        if not order.sent_ns or not (waiting or open_doubt or order.cancel_ns):
            return None
        step = self.risk.ask_after_ms * MS << min(order.asks, 4)
        return order.asked_ns + min(step, ASK_AGAIN_MAX_NS)

    def silent(self, now_ns: int, out: list[Command]) -> list[Order]:
        """Moves orders sent long ago without any answer to UNKNOWN and returns them.

        One that nothing has proven by the time it could have arrived latest is QUARANTINED: asked
        about for ever, its exposure kept, its market closed to entries.
        """
        limit = self.risk.ask_after_ms * MS
        lost_ns = now_ns - self.risk.late_arrival_ms * MS
        for order in self._orders.unknown():
            if order.state is OrderState.UNKNOWN and order.sent_ns <= lost_ns:
                self._orders.move(order, OrderState.QUARANTINED, "unproven for too long", out)
        late = [
            o
            for o in self._orders.live()
            if o.state is OrderState.SENT and now_ns - o.sent_ns >= limit
        ]
        for order in late:
            self._orders.move(order, OrderState.UNKNOWN, "no answer", out)
        return late


def _heard_of_ns(order: Order) -> int:
    """Returns from when on a question's answer "not there" tells more than what is known."""
    return max(order.proven_ns + 1, order.ended_ns if order.withdrawn else 0)

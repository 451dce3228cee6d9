"""PAPER: live books, and a fill model in place of the venue. DRY is the same with `fills` off.

Orders travel, wait out the venue's hold and meet the engine's own books as they stand then
(`sim/fills`). The loop's timers fire a little late, so an order may meet a book some tenths of a
millisecond younger than planned, never one that is older.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from msgspec.structs import replace

from dailyarb.core.book.book import Books
from dailyarb.core.domain import commands as cmd
from dailyarb.core.domain.clock import Clock
from dailyarb.core.domain.events import (
    Event,
    Fill,
    OpenOrder,
    Resolved,
    SubmitResult,
    Traded,
)
from dailyarb.core.domain.market import MarketSpec, Outcome, Side
from dailyarb.runtime.clock import boot_ns
from dailyarb.runtime.dry import DryVenue, PlayAccount
from dailyarb.runtime.replay_orders import ReplayOrders
from dailyarb.sim.fills_types import BookView, FillSettings

RESOLVED = "MARKET_RESOLVED"
OURS_MAX = 10_000


class PaperVenue(DryVenue):
    """Stands in for a venue: orders meet the engine's own books in the fill model.

    Args:
        account: play money.
        clock: the present moment.
        emit: takes every answer and fill.
        books: the engine's books.
        settings: latency, hold and queue of the fill model.
        run: this run's id: part of each trade's id, and the seed of the latencies.
    """

    def __init__(
        self,
        account: PlayAccount,
        clock: Clock,
        emit: Callable[[Event], None],
        books: Books,
        settings: FillSettings,
        run: str,
    ) -> None:
        super().__init__(account, clock, emit)
        self.fills = True
        self._books = books
        self._desk = ReplayOrders(
            self._book, settings, random.Random(run), 0, self._later, f"paper-{run}"
        )
        self._ours: dict[str, None] = {}  # ids of this process, oldest first

    def signed(self, order_id: str, draft: cmd.OrderDraft) -> None:
        """Remembers what an order id stands for."""
        if self.fills:
            self._desk.signed(order_id, draft)

    def submit(self, command: cmd.Submit) -> None:
        """Sends signed orders to the fill model; they are answered together."""
        if not self.fills:
            super().submit(command)
            return
        self._timed(command)
        self._ours.update(dict.fromkeys(order.order_id for order in command.orders))
        while len(self._ours) > OURS_MAX:
            del self._ours[next(iter(self._ours))]
        self._desk.submit(command, boot_ns())
        self._arm()

    def cancel(self, command: cmd.Cancel) -> None:
        """Sends cancels; a fill may come first."""
        self._desk.cancel(command.order_ids, command.asked_ns)
        self._arm()

    def cancel_all(self, command: cmd.CancelAll) -> None:
        """Cancels every order, or one market's."""
        self._desk.cancel_all(command, command.asked_ns)
        self._arm()

    def order(self, command: cmd.QueryOrder) -> None:
        """Answers for one order: active ones only, as the venue does."""
        if command.order_id in self._ours:
            self._desk.ask_order(command, boot_ns())
        else:
            super().order(command)

    def heard(self, event: Event) -> None:
        """Takes listings, prints and resolutions before the engine does."""
        if isinstance(event, Traded):
            self._desk.model.on_trade(
                event.market_id,
                0 if event.outcome is Outcome.UP else 1,
                0 if event.side is Side.BUY else 1,
                event.price_e4,
                event.size_e6,
                boot_ns(),
            )
            self._soon()
        elif isinstance(event, Resolved):
            self._desk.model.close_market(event.market_id, boot_ns(), RESOLVED)
            self._soon()
        super().heard(event)

    def laid(self, market_id: str) -> None:
        """Lets resting orders see a book that changed."""
        self._desk.model.on_book(market_id, boot_ns())
        self._soon()

    def _list(self, spec: MarketSpec) -> None:
        super()._list(spec)
        self._desk.list_market(spec)

    def _book(self, market_id: str) -> BookView | None:
        book = self._books.by_market.get(market_id)
        return None if book is None else book.ladder

    def _working(self) -> tuple[OpenOrder, ...]:
        return self._desk.open_orders()

    def _soon(self) -> None:
        """Collects what the model has to say; each word is told when it has travelled."""
        self._desk.advance(boot_ns())

    def _advance(self, now_ns: int) -> None:
        self._desk.advance(now_ns)

    def _next_ns(self) -> int | None:
        dues = [due for due in (super()._next_ns(), self._desk.model.next_due_ns()) if due]
        return min(dues, default=None)

    def _tell(self, event: Event) -> None:
        now = self._clock.now()
        if isinstance(event, Fill):
            # The model counts on the boot clock; a match has venue time.
            match_ns = event.match_ns + now.wall_ns - now.mono_ns
            event = replace(event, match_ns=match_ns, recv_ns=now.mono_ns)
            self.money.fill(event)
        elif isinstance(event, SubmitResult):
            event = replace(event, answered_ns=now.mono_ns)
            self.answered.record(now.mono_ns - event.sent_ns)
        self._emit(event)

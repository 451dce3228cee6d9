"""One book per market; UP and DOWN are its two mirrored views (FINDINGS section 1).

The feed applies rows to the router's ladders before the engine hears of it; a Book reads its
ladder and says how far it may be believed. Age is the larger of time since receipt and venue time
since the newest stamp: a backlog read late is old.
"""

from __future__ import annotations

from typing import NamedTuple

from dailyarb._fast.router import BookRouter
from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.errors import InvariantBroken
from dailyarb.core.domain.market import MarketSpec, Outcome, Side
from dailyarb.core.domain.orders import BOOK_MOVES, BookState
from dailyarb.core.domain.units import MS, PRICE_ONE_E4

EVERY_SIZE_E6 = 2**63 - 1
_SIDE = {Outcome.UP: 0, Outcome.DOWN: 1}
_TAKEN = {Side.BUY: 0, Side.SELL: 1}


class Top(NamedTuple):
    """Is a touch; an absent bid is 0, an absent ask 10,000, both of size 0."""

    bid_e4: int
    bid_e6: int
    ask_e4: int
    ask_e6: int

    @property
    def two_sided(self) -> bool:
        """Says whether both sides have shares."""
        return self.bid_e6 > 0 and self.ask_e6 > 0

    @property
    def mid_e4(self) -> int:
        """Returns the mid, rounded down; meaningless when one-sided."""
        return (self.bid_e4 + self.ask_e4) // 2

    @property
    def spread_e4(self) -> int:
        """Returns ask less bid."""
        return self.ask_e4 - self.bid_e4


class Book:
    """Reads one market's ladder. `slot` is its place in the router and on the board."""

    def __init__(self, spec: MarketSpec, slot: int, router: BookRouter) -> None:
        self.spec = spec
        self.slot = slot
        self.router = router
        self.ladder = router.ladder(slot)
        self.state = BookState.EMPTY
        self.reason = ""
        self.frames = 0

    def top(self, outcome: Outcome) -> Top:
        """Returns the touch of one outcome."""
        return Top(*self.ladder.top(_SIDE[outcome]))

    def depth_e6(self, outcome: Outcome, side: Side, price_e4: int) -> int:
        """Returns shares resting on a side from its best to this price, inclusive."""
        return int(self.ladder.depth(_SIDE[outcome], _TAKEN[side], price_e4))

    def levels(self, outcome: Outcome, side: Side, count: int) -> list[tuple[int, int]]:
        """Returns the best levels of a side as (price_e4, size_e6)."""
        return list(self.ladder.levels(_SIDE[outcome], _TAKEN[side], count))

    def age_ms(self, now: Instant) -> int | None:
        """Returns the age of the book's content, None before any."""
        recv_ns = self.router.last_recv_ns(self.slot)
        if not recv_ns:
            return None
        by_receipt = (now.mono_ns - recv_ns) // MS
        stamp_ms = self.router.last_stamp_ms(self.slot)
        by_stamp = now.wall_ns // MS - stamp_ms if stamp_ms else by_receipt
        return int(max(by_receipt, by_stamp, 0))

    def mirror_ok(self) -> bool:
        """Says whether the two views add up: bid(UP) + ask(DOWN) = 1 and the other way round."""
        up, down = self.top(Outcome.UP), self.top(Outcome.DOWN)
        return up.bid_e4 + down.ask_e4 == PRICE_ONE_E4 and up.ask_e4 + down.bid_e4 == PRICE_ONE_E4

    def refresh(self, now: Instant, max_age_ms: int) -> BookState:
        """Moves between SYNCED and STALE by age, and to SYNCED by a snapshot of this epoch."""
        age = self.age_ms(now)
        if not self.ladder.synced or age is None:
            if self.state in (BookState.SYNCED, BookState.STALE):
                self._move(BookState.EMPTY)
        elif age > max_age_ms:
            if self.state is BookState.SYNCED:
                self._move(BookState.STALE)
            elif self.state is not BookState.STALE:
                self._move(BookState.SYNCED)
                self._move(BookState.STALE)
        elif self.state is not BookState.SYNCED:
            self._move(BookState.SYNCED)
        return self.state

    def desync(self, reason: str) -> None:
        """Loses continuity; only a snapshot of a new epoch brings it back."""
        self.reason = reason
        self.router.resync(self.slot)
        if self.state is not BookState.DESYNCED:
            self._move(BookState.DESYNCED)

    def _move(self, new: BookState) -> None:
        if new not in BOOK_MOVES[self.state]:
            raise InvariantBroken(f"book {self.spec.slug}: {self.state.value} -> {new.value}")
        self.state = new


class Books:
    """Hands out slots of one router to markets and takes them back.

    mark_e6 is the most that anybody asks of a touch: the router tells of its size below that only
    (`BookRouter.set_mark`). 0 tells of everything.
    """

    def __init__(
        self, markets_max: int, settle_ms: int, frame_bytes_max: int, mark_e6: int = 0
    ) -> None:
        self.mark_e6 = mark_e6
        self.router = BookRouter(markets_max, settle_ms, frame_bytes_max)
        self.by_market: dict[str, Book] = {}
        self._by_slot: dict[int, Book] = {}
        self._free = list(range(markets_max - 1, -1, -1))

    def add(self, spec: MarketSpec) -> Book | None:
        """Returns the market's book, made on first use; None when all slots are taken."""
        book = self.by_market.get(spec.market_id)
        if book is not None:
            book.spec = spec
            return book
        if not self._free:
            return None
        slot = self._free.pop()
        self.router.add_market(slot, spec.up_token, spec.down_token, spec.grid.tick_e4)
        if self.mark_e6:
            self.router.set_mark(slot, self.mark_e6)
        book = Book(spec, slot, self.router)
        self.by_market[spec.market_id] = book
        self._by_slot[slot] = book
        return book

    def mark(self, size_e6: int) -> None:
        """Sets the most that anybody asks of a touch, in every market."""
        self.mark_e6 = size_e6
        for slot in self._by_slot:
            self.router.set_mark(slot, size_e6 or EVERY_SIZE_E6)

    def remove(self, market_id: str) -> None:
        """Gives a finished market's slot back."""
        book = self.by_market.pop(market_id, None)
        if book is not None:
            del self._by_slot[book.slot]
            self.router.remove_market(book.slot)
            self._free.append(book.slot)

    def at(self, slot: int) -> Book | None:
        """Returns the book in a slot."""
        return self._by_slot.get(slot)

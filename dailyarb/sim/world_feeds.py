"""What a world's engine hears without asking: books, reference, settling feed, health, listings.

Frames of one market keep their order, as on one connection; they are decoded by the real router,
so the engine's books are fed as they are in the live process (`runtime/bursts.py`).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Protocol

from msgspec.structs import replace

from dailyarb._fast.router import DESYNC, TICK
from dailyarb.core.domain import events as ev
from dailyarb.core.domain.ids import FeedId
from dailyarb.core.domain.market import MarketSpec
from dailyarb.core.domain.units import MS, SECOND
from dailyarb.core.engine.engine import Engine
from dailyarb.sim.faults import Knobs
from dailyarb.sim.world_setup import GARBAGE, book_frame, tick_frame
from dailyarb.sim.world_venue import LeanVenue
from dailyarb.sim.world_wire import Wire

SILENT_NS = 3 * SECOND
DOWN_NS = 6 * SECOND


class Stage(Protocol):
    """Is the world as the feeds need it."""

    now_ns: int
    faults_on: bool
    book_ns: dict[str, int]
    stamp_ns: dict[str, int]
    reference_ns: int
    settle_ns: int
    ticks: dict[str, int]

    def after(self, delay_ns: int, act: Callable[..., None], *args: Any) -> None:
        """Runs something later in virtual time."""

    def venue_ns(self) -> int:
        """Returns true venue time."""
        ...

    def reach(self, act: Callable[..., None], *args: Any) -> None:
        """Runs something at the process: now, or when a frozen one wakes; never at a dead one."""

    def tell(self, event: ev.Event) -> None:
        """Hands an event to the living process."""

    def engine(self) -> Engine:
        """Returns the engine of the present life."""
        ...


class Feeds:
    """Plays the market and brings its data.

    Args:
        stage: the world.
        venue: whose books are shown.
        wire: told of our orders the market runs into.
        knobs: strength of the faults.
        rng: the feeds' own randomness.
        specs: the markets.
    """

    def __init__(
        self,
        stage: Stage,
        venue: LeanVenue,
        wire: Wire,
        knobs: Knobs,
        rng: random.Random,
        specs: list[MarketSpec],
    ) -> None:
        self.stage = stage
        self.venue = venue
        self.wire = wire
        self.knobs = knobs
        self.rng = rng
        self.specs = {spec.market_id: spec for spec in specs}
        self.muted: dict[str, int] = {}  # market -> until
        self.silent: set[FeedId] = set()
        self.one_sided = ""
        self._old: list[tuple[str, bytes, int]] = []
        self._mid = 100_000.0
        self._drift = 0.0
        self._arrival: dict[str, int] = {}
        self._framed: set[str] = set()  # markets whose tick this life was told by an event
        self._content: dict[FeedId, int] = {}

    def begin(self) -> None:
        """Starts every stream."""
        for index, market in enumerate(self.specs):
            self.stage.after((5 + 7 * index) * MS, self._book, market)
        self.stage.after(2 * MS, self._reference)
        self.stage.after(3 * MS, self._settlement)
        self.stage.after(1 * MS, self._health)

    def offer(self, spec: MarketSpec) -> None:
        """Lists one more market and begins its stream."""
        self.specs[spec.market_id] = spec
        self._relist(spec)
        self.stage.after(5 * MS, self._book, spec.market_id)

    def introduce(self) -> None:
        """Tells a new process what discovery would tell it."""
        self._framed.clear()
        for spec in self.specs.values():
            listing = self.venue.listings[spec.market_id]
            if listing.resolved_e4 is not None:
                self.stage.tell(ev.Resolved(spec.market_id, listing.resolved_e4))
            else:
                self._list(spec)

    # books

    def _book(self, market: str) -> None:
        listing = self.venue.listings[market]
        if listing.resolved_e4 is not None or self.stage.venue_ns() >= listing.end_ns:
            return
        near_end = listing.end_ns - self.stage.venue_ns() < 4 * SECOND
        one = self.one_sided if not near_end or self.rng.random() < 0.5 else "asks"
        one = one if self.stage.faults_on else ""
        for match in self.venue.quote(market, self.stage.venue_ns(), one):
            self.wire.matched(match)
            order = self.venue.orders[match.order_id]
            if not order.live and self.rng.random() < 0.5:
                self.wire.tell_order(order)
        if self.wire.chance(self.knobs.foreign):
            size = self.rng.randrange(500, 1_500) * 10_000
            outcome = self.rng.randrange(2)
            match = self.venue.foreign(market, outcome, size, self.stage.venue_ns())
            self.wire.matched(match)
        self.snapshot(market)
        self.stage.after(self.rng.randrange(200, 550) * MS, self._book, market)

    def snapshot(self, market: str) -> None:
        """Sends the book as it is now; order of frames is kept."""
        listing = self.venue.listings[market]
        stamp_ms = self.stage.venue_ns() // MS
        frame = book_frame(self.specs[market], listing.bids, listing.asks, stamp_ms)
        if self.wire.chance(self.knobs.garbage):
            self._carry(market, self.rng.choice(GARBAGE), 0)
        if self.wire.chance(0.3 if self.knobs.burst else 0.0):
            self._burst(market)
            return
        self._carry(market, frame, stamp_ms)
        if self.knobs.stale_book:
            self._old = [*self._old[-6:], (market, frame, stamp_ms)]
            if self.wire.chance(self.knobs.stale_book):
                self._carry(*self.rng.choice(self._old))

    def _burst(self, market: str) -> None:
        """Sends many frames of one moment, read as one burst and at times long after."""
        listing, spec = self.venue.listings[market], self.specs[market]
        stamp_ms = self.stage.venue_ns() // MS
        count = int(self.knobs.burst)
        frames = [book_frame(spec, listing.bids, listing.asks, stamp_ms - count + i + 1)
                  for i in range(count)]  # fmt: skip
        late = self.rng.randrange(0, 2_500) * MS if self.rng.random() < 0.2 else 0
        self._carry(market, frames, stamp_ms, late)

    def _carry(
        self, market: str, frame: bytes | list[bytes], stamp_ms: int, late_ns: int = 0
    ) -> None:
        arrive = self.stage.now_ns + self.rng.randrange(2, 40) * MS + late_ns
        arrive = max(arrive, self._arrival.get(market, 0))
        self._arrival[market] = arrive
        self.stage.after(arrive - self.stage.now_ns, self._arrives, market, frame, stamp_ms)

    def _arrives(self, market: str, frame: bytes | list[bytes], stamp_ms: int) -> None:
        muted = self.muted.get(market, 0) > self.stage.now_ns
        if not muted and FeedId.POLYMARKET not in self.silent:
            self.stage.reach(self._apply, market, frame, stamp_ms)

    def _apply(self, market: str, frame: bytes | list[bytes], stamp_ms: int) -> None:
        stage, books = self.stage, self.stage.engine().books
        for one in frame if isinstance(frame, list) else (frame,):
            books.router.on_frame(one, stage.now_ns)
        if stamp_ms:
            stage.book_ns[market] = stage.now_ns
            stage.stamp_ns[market] = max(stage.stamp_ns.get(market, 0), stamp_ms * MS)
            self._content[FeedId.POLYMARKET] = stage.now_ns
        seen = 0
        for slot, flags in books.router.drain():
            seen |= flags
            book = books.at(slot)
            if book is None:
                continue
            if flags & DESYNC:
                stage.tell(ev.BookDesynced(book.spec.market_id, "frames disagree with the book"))
            else:
                stage.tell(ev.TopChanged(book.spec.market_id, flags, stage.now_ns))
        if seen & TICK:
            for slot, tick_e4, at_ms in books.router.take_ticks():
                book = books.at(slot)
                if book is not None:
                    self._framed.add(book.spec.market_id)
                    self._knows(book.spec.market_id, tick_e4)
                    stage.tell(ev.TickSizeChanged(book.spec.market_id, tick_e4, at_ms))

    def resync(self, market: str) -> None:
        """Answers a request for a snapshot, or mutes the market for a while instead."""
        if self.wire.chance(self.knobs.no_snapshot):
            self.muted[market] = self.stage.now_ns + self.rng.randrange(1, 5) * SECOND
        elif self.venue.listings[market].resolved_e4 is None:
            self.stage.after(self.rng.randrange(20, 300) * MS, self.snapshot, market)

    def half_open(self) -> None:
        """Drops the connection of all books: the pool tells of it in one go."""
        for market in self.specs:
            self.muted[market] = self.stage.now_ns + self.rng.randrange(200, 2_000) * MS
            self.stage.tell(ev.BookDesynced(market, "connection lost"))

    def witness(self, market: str, asked_ns: int) -> None:
        """Answers with REST's view of one UP book."""
        bid, ask = self.venue.listings[market].best()
        if not self.wire.chance(self.knobs.answer_lost):
            event = ev.BookWitness(market, asked_ns, bid, ask)
            self.stage.after(self.wire.delay_ns(), self.stage.tell, event)

    def retick(self, market: str) -> None:
        """Changes a market's tick; the catalogue may still say the old one afterwards."""
        listing, spec = self.venue.listings[market], self.specs[market]
        if listing.resolved_e4 is not None or self.stage.venue_ns() >= listing.end_ns:
            return
        old = listing.tick_e4
        listing.tick_e4 = 10 if old == 100 else 100
        self.stage.ticks[market] = 1  # nobody can know the new one before it is told
        for order in self.venue.open_orders():
            if order.market == market and order.price_e4 % listing.tick_e4:
                self.venue.cancel(order.order_id)
                self.wire.tell_order(order)
        stamp_ms = self.stage.venue_ns() // MS
        self._carry(market, tick_frame(spec, old, listing.tick_e4, stamp_ms), 0)
        new = replace(spec, grid=replace(spec.grid, tick_e4=listing.tick_e4))
        self.specs[market] = new
        if self.rng.random() < 0.5:
            self.stage.after(self.rng.randrange(0, 900) * MS, self._relist, spec)
        self.stage.after(self.rng.randrange(900, 2_500) * MS, self._relist, new)

    def _relist(self, spec: MarketSpec) -> None:
        self.stage.reach(self._list, spec)

    def _knows(self, market: str, tick_e4: int) -> None:
        if self.venue.listings[market].tick_e4 == tick_e4:
            self.stage.ticks[market] = tick_e4

    def _list(self, spec: MarketSpec) -> None:
        # An event stands against metadata for a minute: which of them is older cannot be told.
        if spec.market_id not in self._framed:
            true = self.venue.listings[spec.market_id].tick_e4
            self.stage.ticks[spec.market_id] = true if spec.grid.tick_e4 == true else 1
        self.stage.tell(ev.MarketListed(spec))

    # the reference and the settling feed

    def _reference(self) -> None:
        rng = self.rng
        if rng.random() < 0.03:
            self._drift = rng.choice((-1, 1)) * rng.uniform(10.0, 60.0)
        self._drift *= 0.6
        self._mid += rng.gauss(0.0, 4.0) + self._drift
        mid = self._mid
        if self.wire.chance(self.knobs.spike):
            mid *= 1.0 + rng.choice((-1, 1)) * rng.uniform(0.002, 0.05)
        if FeedId.BINANCE not in self.silent:
            self.stage.after(rng.randrange(5, 60) * MS, self.stage.reach, self._moved, mid)
        self.stage.after(rng.randrange(200, 480) * MS, self._reference)

    def _moved(self, mid: float) -> None:
        now = self.stage.now_ns
        self.stage.reference_ns = self._content[FeedId.BINANCE] = now
        bid, ask = round((mid - 0.5) * 1e8), round((mid + 0.5) * 1e8)
        self.stage.tell(ev.ReferenceMoved("btc", bid, ask, now))

    def _settlement(self) -> None:
        if FeedId.SETTLEMENT not in self.silent:
            value = round(self._mid * 1e6) * 10**12
            stamp_ms = self.stage.venue_ns() // SECOND * 1000
            self.stage.after(200 * MS, self.stage.reach, self._settled, value, stamp_ms)
        self.stage.after(SECOND, self._settlement)

    def _settled(self, value: int, stamp_ms: int) -> None:
        now = self.stage.now_ns
        self.stage.settle_ns = self._content[FeedId.SETTLEMENT] = now
        self.stage.tell(ev.SettlementPrice("btc", value, stamp_ms, now, 3))

    # health

    def _health(self) -> None:
        self.stage.reach(self._report)
        self.stage.after(SECOND, self._health)

    def _report(self) -> None:
        now = self.stage.now_ns
        for feed in (FeedId.POLYMARKET, FeedId.BINANCE, FeedId.SETTLEMENT):
            age = now - self._content.get(feed, now)
            status = ev.FeedStatus.FRESH
            if age > SILENT_NS:
                status = ev.FeedStatus.DOWN if age > DOWN_NS else ev.FeedStatus.STALE
            self.stage.tell(ev.FeedState(feed, status, 2, 2, age // MS, 4.0))

"""A resting probe played on recorded books: both touch bids, left to the end of the window.

It decides nothing and cancels nothing, so what it meets depends on books and fill model only, and
somebody else's probe can be held against it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import msgspec

from dailyarb.core.book.book import Book, Books
from dailyarb.core.domain.errors import InvariantBroken
from dailyarb.core.domain.market import Outcome, Side
from dailyarb.core.domain.orders import TIF
from dailyarb.core.domain.units import PRICE_ONE_E4, SECOND, SIZE_ONE_E6
from dailyarb.runtime.replay_worlds import Variant, World, fills_of, script_of
from dailyarb.sim.fills import FillModel
from dailyarb.sim.fills_types import FillEvent, NewOrder
from dailyarb.sim.recordings import Channel

AT_S = (120, 60)  # before the close
SHARES = 5
DECIDED_E4 = 9_000
_FRAME_BYTES_MAX = 4 << 20
_SETTLE_MS = 250


class Leg(msgspec.Struct, frozen=True):
    """Is one bid that filled: whose, how long after it was laid, and its net result in dollars."""

    outcome: Outcome
    filled_ns: int
    net_usd: float


class Probe(msgspec.Struct, frozen=True):
    """Is one window's probe: which outcome won, and the legs that filled."""

    at_s: int
    winner: Outcome
    legs: tuple[Leg, ...]

    @property
    def lone(self) -> Leg | None:
        """Returns the leg that filled alone, or None."""
        return self.legs[0] if len(self.legs) == 1 else None

    @property
    def first(self) -> Leg | None:
        """Returns the leg that filled first, or None."""
        return min(self.legs, key=lambda leg: leg.filled_ns, default=None)


class _Desk:
    """Is one pair of bids, laid at one moment of a window under one variant."""

    def __init__(self, book: Book, variant: Variant, at_s: int) -> None:
        spec = book.spec
        self.at_s = at_s
        self.due_ns = spec.end_ns - at_s * SECOND
        self.laid_ns = 0
        self.paid: dict[str, list[FillEvent]] = {}
        self._book = book
        self._model = FillModel(
            lambda _: book.ladder,
            lambda _: spec.fees,
            fills_of(variant, spec.taker_hold_ms),
            random.Random(variant.seed),
        )

    def advance(self, now_ns: int) -> None:
        """Lets pass what is due before a frame is applied; lays the bids when it is time."""
        self._take(now_ns)
        top = self._book.top(Outcome.UP)
        if not self.laid_ns and now_ns >= self.due_ns:
            self.laid_ns = now_ns
            if top.two_sided and top.bid_e4 < top.ask_e4:
                self._lay(Outcome.UP, top.bid_e4)
                self._lay(Outcome.DOWN, PRICE_ONE_E4 - top.ask_e4)

    def seen(self, now_ns: int) -> None:
        """Takes note that the book changed."""
        self._model.on_book(self._book.spec.market_id, now_ns)
        self._take(now_ns)

    @property
    def stood(self) -> bool:
        """Says whether the bids were laid."""
        return bool(self.paid)

    def _lay(self, outcome: Outcome, price_e4: int) -> None:
        self.paid[outcome.value] = []
        order = NewOrder(
            outcome.value, self._book.spec.market_id, outcome, Side.BUY, price_e4,
            SHARES * SIZE_ONE_E6, TIF.GTC, post_only=True,
        )  # fmt: skip
        self._model.submit(order, self.laid_ns)

    def _take(self, now_ns: int) -> None:
        for news in self._model.advance(now_ns):
            if isinstance(news, FillEvent):
                self.paid[news.order_id].append(news)

    def probe(self, winner: Outcome) -> Probe:
        """Ends the window and returns what became of the bids."""
        spec = self._book.spec
        self._take(spec.end_ns)
        self._model.close_market(spec.market_id, spec.end_ns, "the window is over")
        self._take(spec.end_ns)
        legs = [
            Leg(
                fills[0].outcome,
                fills[-1].at_ns - self.laid_ns,
                sum(_net_usd(fill, winner) for fill in fills),
            )
            for fills in self.paid.values()
            if fills
        ]
        return Probe(self.at_s, winner, tuple(legs))


def _net_usd(fill: FillEvent, winner: Outcome) -> float:
    worth_e4 = PRICE_ONE_E4 if fill.outcome is winner else 0
    shares = fill.size_e6 / SIZE_ONE_E6
    return (worth_e4 - fill.price_e4) / PRICE_ONE_E4 * shares - fill.fee_e6 / 1e6


def probed(world: World, variants: Sequence[Variant]) -> list[list[Probe]]:
    """Returns the probes of one world under each variant.

    A probe counts where the last book decided the window and both sides stood when it was laid.

    Raises:
        RecordingError: a recording cannot be read.
    """
    script = script_of(world)
    spec = script.specs[0]
    books = Books(1, _SETTLE_MS, _FRAME_BYTES_MAX)
    book = books.add(spec)
    if book is None:
        raise InvariantBroken("a new router has no room for one market")
    groups = [[_Desk(book, variant, at_s) for at_s in AT_S] for variant in variants]
    desks = [desk for group in groups for desk in group]
    for frame in script.frames():
        if frame.channel is not Channel.POLYMARKET or frame.at_ns > spec.end_ns:
            continue
        for desk in desks:
            desk.advance(frame.at_ns)
        books.router.on_frame(frame.payload, frame.at_ns)
        for desk in desks:
            desk.seen(frame.at_ns)
    winner = script.winners.get(spec.market_id) or _leading(book)
    if winner is None:
        return [[] for _ in variants]
    return [[desk.probe(winner) for desk in group if desk.stood] for group in groups]


def _leading(book: Book) -> Outcome | None:
    mid_e4 = book.top(Outcome.UP).mid_e4
    if PRICE_ONE_E4 - DECIDED_E4 < mid_e4 < DECIDED_E4:
        return None
    return Outcome.UP if mid_e4 >= DECIDED_E4 else Outcome.DOWN

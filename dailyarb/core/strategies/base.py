"""What a strategy sees, and the gates all of them share.

A strategy is a pure function of a Scene: no clock, no I/O, no memory of its own. It returns what
it wants, or the one gate that stopped it, with the number and the limit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from dailyarb.core.book.book import Book, Top
from dailyarb.core.domain.ids import Gate, StrategyId
from dailyarb.core.domain.intents import (
    NEVER_NS,
    NOTHING,
    PRICES,
    REFERENCE,
    TOUCH,
    Blocked,
    CancelIntent,
    Intent,
)
from dailyarb.core.domain.market import MarketSpec, MarketState, Outcome, Side, taker_fee_e6
from dailyarb.core.domain.orders import BookState
from dailyarb.core.domain.settings import Feeds
from dailyarb.core.domain.units import MS, PRICE_ONE_E4, SIZE_ONE_E6
from dailyarb.core.pricing.fair import Fair
from dailyarb.core.pricing.flow import Flow


@dataclass(slots=True)
class Working:
    """Is one live order of the strategy in this market."""

    order_id: str
    outcome: Outcome
    side: Side
    price_e4: int
    left_e6: int
    age_ns: int
    pair_id: int
    post_only: bool


@dataclass(slots=True)
class Peer:
    """Is another running window of the same asset; prices are of UP, its view in bp of spot."""

    window_s: int
    end_ns: int
    strike: float
    same_rule: bool
    bid_e4: int
    ask_e4: int
    view_bp: float  # the spot its mid implies over the reference's own
    correlation: float  # of its mid's changes with those of this window's


@dataclass(slots=True)
class Leader:
    """Is the asset that leads: its move within the window, and how this one follows."""

    move_bp: float | None
    age_ms: int | None
    move_age_ns: int
    beta: float
    correlation: float
    lag_s: int = 0  # by which it follows best


@dataclass(slots=True)
class Scene:
    """Is one market at one instant. None stands for what is not known."""

    spec: MarketSpec
    state: MarketState
    book: Book
    up: Top
    down: Top
    book_state: BookState
    book_age_ms: int | None
    now_ns: int
    tau_s: float
    started: bool
    reference_age_ms: int | None
    reference_gap_bp: float
    settle_age_ms: int | None
    strike: float | None
    sigma: float | None
    fair: Fair | None
    fair_then_e4: int | None  # fair value with the reference as it was one window ago
    mid_then_e4: int | None  # UP mid one window ago
    move_bp: float | None
    move_age_ns: int
    decay: float  # share of an edge left this long after the move
    dist_bp: float | None
    basis_noise_bp: float
    settling: bool = True  # the market settles on a feed that must be fresh
    held: dict[Outcome, int] = field(default_factory=dict)
    working: list[Working] = field(default_factory=list)
    since_trade_ns: int | None = None
    # Only where a strategy of that kind is enabled (core/engine/context.py).
    flow: Flow | None = None
    peers: tuple[Peer, ...] = ()
    leader: Leader | None = None

    @property
    def fair_e4(self) -> int | None:
        """Returns P(up) as a price."""
        return None if self.fair is None else round(self.fair.p_up * 10_000)

    def top(self, outcome: Outcome) -> Top:
        """Returns the touch of an outcome."""
        return self.up if outcome is Outcome.UP else self.down

    def fair_of(self, outcome: Outcome) -> int | None:
        """Returns the fair price of an outcome."""
        fair = self.fair_e4
        return fair if fair is None or outcome is Outcome.UP else 10_000 - fair


Verdict = list[Intent | CancelIntent] | Blocked


class Strategy(Protocol):
    """Is a pure function from a Scene to intents or to one gate."""

    id: StrategyId
    values: bool  # whether it needs the fair value of the instant on news of the touch alone

    def evaluate(self, scene: Scene) -> Verdict:
        """Returns what the strategy wants now, or the gate that stopped it."""
        ...


def fee_per_share_e4(price_e4: int, rate_e6: int) -> float:
    """Returns the taker fee of one share in 1e-4 dollars, before flooring."""
    if not 1 <= price_e4 <= 9_999:
        return 0.0
    return taker_fee_e6(price_e4, 1_000 * SIZE_ONE_E6, rate_e6) / 1_000 / 100


def market_gate(scene: Scene, min_time_left_s: float) -> Blocked | None:
    """Stops where the market is not open for entries."""
    if scene.spec.refusal:
        return Blocked(Gate.NOT_LISTED, waits=NOTHING)
    if scene.state is MarketState.QUARANTINED:
        return Blocked(Gate.QUARANTINED, waits=NOTHING)
    if scene.state is not MarketState.TRADABLE or not scene.spec.accepting:
        return Blocked(Gate.NOT_TRADABLE, waits=NOTHING)
    if not scene.started:
        return Blocked(Gate.BEFORE_START, scene.tau_s - scene.spec.window.seconds, waits=NOTHING)
    if scene.tau_s < min_time_left_s:
        return Blocked(Gate.TIME_TO_CLOSE, scene.tau_s, min_time_left_s, NOTHING)
    return None


def book_gate(scene: Scene, feeds: Feeds, max_spread_e4: int) -> Blocked | None:
    """Stops where the book may not be believed or is too wide (I10)."""
    if scene.book_state is BookState.EMPTY:
        return Blocked(Gate.BOOK_EMPTY, waits=TOUCH)
    if scene.book_state is BookState.DESYNCED:
        return Blocked(Gate.BOOK_DESYNCED, waits=TOUCH)
    age = scene.book_age_ms
    if scene.book_state is BookState.STALE or age is None or age > feeds.max_book_age_ms:
        return Blocked(Gate.BOOK_STALE, age or 0, feeds.max_book_age_ms, TOUCH)
    if not scene.up.two_sided:
        return Blocked(Gate.ONE_SIDED, waits=TOUCH)
    if scene.up.bid_e4 >= scene.up.ask_e4:
        return Blocked(Gate.BOOK_CROSSED, scene.up.bid_e4 / 100, scene.up.ask_e4 / 100, PRICES)
    if not scene.book.mirror_ok():
        both_e4 = scene.up.bid_e4 + scene.book.top(Outcome.DOWN).ask_e4
        return Blocked(Gate.MIRROR_BROKEN, both_e4 / 100, PRICE_ONE_E4 / 100, PRICES)
    spread_e4 = scene.up.spread_e4
    if spread_e4 > max_spread_e4:
        most = max_spread_e4 / 100
        return Blocked(Gate.SPREAD_ABOVE_MAX, spread_e4 / 100, most, PRICES, NEVER_NS)
    return None


def reference_gate(scene: Scene, feeds: Feeds) -> Blocked | None:
    """Stops where the reference is missing, old, or at odds with its own trades."""
    age = scene.reference_age_ms
    if age is None:
        return Blocked(Gate.NO_REFERENCE, waits=REFERENCE, until_ns=NEVER_NS)
    if age > feeds.max_reference_age_ms:
        return Blocked(Gate.REFERENCE_STALE, age, feeds.max_reference_age_ms, REFERENCE)
    if scene.reference_gap_bp > feeds.max_reference_gap_bps:
        gap, limit = scene.reference_gap_bp, feeds.max_reference_gap_bps
        return Blocked(Gate.REFERENCE_GAP, gap, limit, REFERENCE)
    return None


def fair_gate(scene: Scene, feeds: Feeds) -> Blocked | None:
    """Stops where no fair value can be had: settling feed, strike, volatility, basis."""
    if scene.settling:
        age = scene.settle_age_ms
        if age is None:
            return Blocked(Gate.NO_SETTLEMENT, waits=REFERENCE)
        if age > feeds.max_settlement_age_ms:
            return Blocked(Gate.SETTLEMENT_STALE, age, feeds.max_settlement_age_ms, REFERENCE)
    if scene.strike is None:
        return Blocked(Gate.NO_STRIKE, waits=REFERENCE)
    if scene.sigma is None or scene.fair is None:
        return Blocked(Gate.NO_VOLATILITY, waits=REFERENCE)
    if scene.dist_bp is not None and abs(scene.dist_bp) < scene.basis_noise_bp:
        return Blocked(Gate.INSIDE_BASIS, abs(scene.dist_bp), scene.basis_noise_bp, REFERENCE)
    return None


def ms(ns: int) -> int:
    """Returns whole milliseconds."""
    return ns // MS

"""The vocabulary of the fill model: orders in, words and fills out, and how it is set."""

from __future__ import annotations

import random
from enum import Enum
from typing import Protocol

import msgspec

from dailyarb.core.domain.market import Outcome, Side
from dailyarb.core.domain.orders import TIF
from dailyarb.core.domain.units import MS

NO_MATCH_FAK = (
    "no orders found to match with FAK order. "
    "FAK orders are partially filled or killed if no match is found."
)
NO_MATCH_FOK = "order couldn't be fully filled. FOK orders are fully filled or killed."
POST_ONLY_CROSSES = "invalid post-only order: order crosses book"
NOT_READY = "the market is not yet ready to process new orders"
TOO_LATE = "already canceled or matched"


class BookView(Protocol):
    """Is the part of a book that the model reads; `_fast.ladder.Ladder` fits."""

    @property
    def synced(self) -> bool:
        """Says whether the book may be believed."""
        ...

    def levels(self, outcome: int, side: int, n: int) -> list[tuple[int, int]]:
        """Returns up to n (price_e4, size_e6) of a side, best first; 0 is UP, 0 is bids."""
        ...


class QueueMode(Enum):
    """Is what shortens the queue ahead of a resting order.

    PRINTS: prints only, so cancels ahead never help: the careful choice.
    SHOWN: also the level itself, once it showed less than our queue for settle_ms.
    FRONT: nobody is ahead, and whatever leaves our level while it is the best was traded with us:
    more than can be true, so an upper bound, also where no prints were recorded.
    """

    PRINTS = "prints"
    SHOWN = "shown"
    FRONT = "front"


class LatencyLaw(msgspec.Struct, frozen=True):
    """Is the one-way delay between us and the venue: base plus a cut exponential.

    With quantiles_ms, evenly spaced and rising from the least to the most that was measured, it is
    drawn from these instead, in between by straight lines.
    """

    base_ms: float = 20.0
    jitter_ms: float = 5.0
    jitter_ms_max: float = 100.0
    quantiles_ms: tuple[float, ...] = ()

    def draw_ns(self, rng: random.Random) -> int:
        """Returns one delay in nanoseconds."""
        if self.quantiles_ms:
            place = rng.random() * (len(self.quantiles_ms) - 1)
            low = self.quantiles_ms[int(place)]
            high = self.quantiles_ms[min(int(place) + 1, len(self.quantiles_ms) - 1)]
            return int((low + (high - low) * (place % 1.0)) * MS)
        jitter_ms = 0.0
        if self.jitter_ms > 0.0:
            jitter_ms = min(rng.expovariate(1.0 / self.jitter_ms), self.jitter_ms_max)
        return int((self.base_ms + jitter_ms) * MS)


class FillSettings(msgspec.Struct, frozen=True):
    """Is how the model is set: one-way latency, the venue's hold, the queue's rule.

    rivals is the share, 0 to 1, of what could have filled us that somebody quicker has first: of
    each level a taker meets, and of what prints and crossing quotes leave for a resting order.
    through_ms is how long the other side must stay beyond a resting order's price to have filled
    it: a quote that comes and goes was often nobody's to trade with.
    """

    latency: LatencyLaw = LatencyLaw()
    hold_ms: int = 50
    queue: QueueMode = QueueMode.PRINTS
    settle_ms: int = 250
    through_ms: int = 0
    depth_levels: int = 250
    rivals: float = 0.0


class NewOrder(msgspec.Struct, frozen=True):
    """Is one order as it is sent; expires_ns is 0 for an order that does not expire by itself."""

    order_id: str
    market_id: str
    outcome: Outcome
    side: Side
    price_e4: int
    size_e6: int
    tif: TIF
    post_only: bool = False
    expires_ns: int = 0


class Word(Enum):
    """Is what the venue says about an order."""

    RESTING = "RESTING"
    MATCHED = "MATCHED"  # took something at once; the rest of a FAK is gone
    FILLED = "FILLED"  # a resting order is complete
    KILLED = "KILLED"
    REFUSED = "REFUSED"
    CANCELLED = "CANCELLED"
    CANCEL_REFUSED = "CANCEL_REFUSED"
    EXPIRED = "EXPIRED"


class OrderUpdate(msgspec.Struct, frozen=True):
    """Is one word on one order: at the venue at at_ns, known to us at seen_ns."""

    order_id: str
    market_id: str
    word: Word
    matched_e6: int
    at_ns: int
    seen_ns: int
    reason: str = ""


class FillEvent(msgspec.Struct, frozen=True):
    """Is our part of one trade, in the coordinates of the order's own outcome."""

    trade_id: str
    order_id: str
    market_id: str
    outcome: Outcome
    side: Side
    price_e4: int
    size_e6: int
    fee_e6: int
    maker: bool
    at_ns: int
    seen_ns: int

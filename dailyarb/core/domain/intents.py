"""What strategies may say: an intent, or the one gate that stopped them."""

from __future__ import annotations

from enum import Enum

import msgspec

from dailyarb.core.domain.ids import Gate, StrategyId
from dailyarb.core.domain.market import Outcome, Side
from dailyarb.core.domain.orders import TIF

# News that may change a verdict.
NOTHING = 0
PRICES = 1  # the book's best prices changed
SIZES = 2  # what stands there changed
TOUCH = PRICES | SIZES
REFERENCE = 4  # the reference changed
BURST = 8  # the reference moves beyond S1's threshold
ANYTHING = TOUCH | REFERENCE | BURST
TIME = 16  # time has passed
NEVER_NS = 2**62


class IntentKind(Enum):
    """Is why an intent exists; everything but ENTRY lowers risk."""

    # Members are few and unique: by identity a look-up costs no Python call.
    __hash__ = object.__hash__

    ENTRY = "ENTRY"
    COMPLETE = "COMPLETE"  # buy the missing leg of a pair
    UNWIND = "UNWIND"  # sell the excess of a one-sided pair
    EXIT = "EXIT"  # leave a position by rule
    FLATTEN = "FLATTEN"  # asked by the operator


class Leg(msgspec.Struct, frozen=True, gc=False):
    """Is one order wanted: limit price and size, nothing about how it is signed."""

    outcome: Outcome
    side: Side
    price_e4: int
    size_e6: int
    tif: TIF
    post_only: bool = False


class Intent(msgspec.Struct, frozen=True, gc=False):
    """Is what a strategy wants.

    edge_e4 is the expected edge per share in 1e-4 dollars, net of fee and margins, at the time of
    decision; ttl_ms bounds how long its resting orders may work (0: until the strategy says so).
    """

    strategy: StrategyId
    market_id: str
    kind: IntentKind
    legs: tuple[Leg, ...]
    edge_e4: int
    fair_e4: int = 0
    ttl_ms: int = 0
    pair_id: int = 0
    note: str = ""


class CancelIntent(msgspec.Struct, frozen=True, gc=False):
    """Is a strategy's wish to withdraw its resting orders in a market."""

    strategy: StrategyId
    market_id: str
    reason: str


class Blocked(msgspec.Struct, frozen=True, gc=False):
    """Is the one named gate that stopped an evaluation, with its number and limit.

    waits names the news without which the next evaluation would end here again; until_ns is the
    mono_ns before which the passing of time is no such news.
    """

    gate: Gate
    now: float = 0.0
    limit: float = 0.0
    waits: int = ANYTHING
    until_ns: int = 0

"""Markets: assets, windows, outcomes, grid, fees and the rule that settles them."""

from __future__ import annotations

from enum import Enum

import msgspec

from dailyarb.core.domain.units import FEE_STEP_E6, PRICE_ONE_E4, SIZE_MAX_E6, check


class Side(Enum):
    """Is the side of an order or of a level."""

    # Members are few and unique: by identity a look-up costs no Python call.
    __hash__ = object.__hash__

    BUY = "BUY"
    SELL = "SELL"

    @property
    def opposite(self) -> Side:
        """Returns the other side."""
        return Side.SELL if self is Side.BUY else Side.BUY


class Outcome(Enum):
    """Is one of the two tokens of a market."""

    # Members are few and unique: by identity a look-up costs no Python call.
    __hash__ = object.__hash__

    UP = "UP"
    DOWN = "DOWN"

    @property
    def other(self) -> Outcome:
        """Returns the complementary outcome."""
        return Outcome.DOWN if self is Outcome.UP else Outcome.UP


class Window(Enum):
    """Is the length of a market's window; the value is the label on screen."""

    M5 = "5m"
    M15 = "15m"
    H1 = "1h"
    H4 = "4h"

    @property
    def seconds(self) -> int:
        """Returns the length in seconds."""
        return {"5m": 300, "15m": 900, "1h": 3600, "4h": 14400}[self.value]


class SettlementKind(Enum):
    """Is the family of rule by which a market is decided."""

    # Members are few and unique: by identity a look-up costs no Python call.
    __hash__ = object.__hash__

    TWAP = "twap"  # average of the settling feed over lookback_s, start against end
    SPOT = "spot"  # last value of the settling feed, start against end
    BINANCE_CANDLE = "binance_candle"  # close against open of the Binance candle
    UNKNOWN = "unknown"  # shown, never traded


class Settlement(msgspec.Struct, frozen=True, gc=False):
    """Is a market's settlement rule; a tie pays UP in every known family."""

    kind: SettlementKind
    lookback_s: int = 0


class Grid(msgspec.Struct, frozen=True, gc=False):
    """Is what the venue accepts in a market.

    tick_e4 is the price step, size_step_e6 the share step, min_size_e6 the smallest order,
    min_marketable_e6 the smallest notional of an order that crosses.
    """

    tick_e4: int = 100
    size_step_e6: int = 10_000
    min_size_e6: int = 5_000_000
    min_marketable_e6: int = 1_000_000

    def on_tick(self, price_e4: int) -> bool:
        """Says whether the price is in [tick, 1 - tick] and a multiple of the tick."""
        low, high = self.tick_e4, PRICE_ONE_E4 - self.tick_e4
        return low <= price_e4 <= high and price_e4 % self.tick_e4 == 0


class FeeSchedule(msgspec.Struct, frozen=True, gc=False):
    """Is a market's own fee schedule, never a constant of ours."""

    rate_e6: int
    exponent: int = 1
    taker_only: bool = True
    rebate_rate_e6: int = 0


class MarketState(Enum):
    """Is where a market stands in its life (table in `MARKET_MOVES`)."""

    # Members are few and unique: by identity a look-up costs no Python call.
    __hash__ = object.__hash__

    SEEN = "SEEN"  # known, not LISTED: something about it is unknown
    LISTED = "LISTED"
    TRADABLE = "TRADABLE"
    QUARANTINED = "QUARANTINED"
    CLOSING = "CLOSING"
    RESOLVED = "RESOLVED"
    SETTLED = "SETTLED"


MARKET_MOVES: dict[MarketState, frozenset[MarketState]] = {
    MarketState.SEEN: frozenset({MarketState.LISTED, MarketState.CLOSING, MarketState.RESOLVED}),
    MarketState.LISTED: frozenset(
        {MarketState.TRADABLE, MarketState.QUARANTINED, MarketState.CLOSING, MarketState.RESOLVED}
    ),
    MarketState.TRADABLE: frozenset(
        {MarketState.QUARANTINED, MarketState.CLOSING, MarketState.RESOLVED}
    ),
    MarketState.QUARANTINED: frozenset(
        {MarketState.TRADABLE, MarketState.CLOSING, MarketState.RESOLVED}
    ),
    MarketState.CLOSING: frozenset({MarketState.RESOLVED}),
    MarketState.RESOLVED: frozenset({MarketState.SETTLED}),
    MarketState.SETTLED: frozenset(),
}


class MarketSpec(msgspec.Struct, frozen=True):
    """Is everything the venue says about one window of one asset.

    start_ns and end_ns are venue wall time. `refusal` names why it may not be traded, or is "".
    """

    market_id: str
    slug: str
    asset: str
    window: Window
    start_ns: int
    end_ns: int
    up_token: str
    down_token: str
    grid: Grid
    fees: FeeSchedule
    settlement: Settlement
    neg_risk: bool = False
    version: str = "v1"
    accepting: bool = True
    taker_hold_ms: int = 50
    strike_digits: str = ""  # x 1e18, as text: it passes the 64 bits of the journal's encoding
    refusal: str = ""

    @property
    def strike_e18(self) -> int:
        """Returns the strike x 1e18, 0 while it is not known."""
        return int(self.strike_digits or 0)

    @property
    def label(self) -> str:
        """Returns the name on screen, as `BTC 5m`."""
        return f"{self.asset.upper()} {self.window.value}"

    def token(self, outcome: Outcome) -> str:
        """Returns the token id of an outcome."""
        return self.up_token if outcome is Outcome.UP else self.down_token


def taker_fee_e6(price_e4: int, size_e6: int, rate_e6: int) -> int:
    """Returns the taker fee of one fill in micro-dollars.

    fee = size x rate x p x (1 - p), floored to 1e-5 dollars; makers pay none.

    Args:
        price_e4: fill price, 1 to 9,999.
        size_e6: filled shares x 1e6, >= 0.
        rate_e6: the market's own fee rate x 1e6, from its rules, never a constant.

    Raises:
        UnitError: an argument is outside its range.

    Source: 14 of 14 charges found on chain; see also py-clob-client-v2#107.
    """
    check("price_e4", price_e4, 1, PRICE_ONE_E4 - 1)
    check("size_e6", size_e6, 0, SIZE_MAX_E6)
    check("rate_e6", rate_e6, 0, 1_000_000)
    scaled = size_e6 * rate_e6 * price_e4 * (PRICE_ONE_E4 - price_e4)
    return scaled // (10**14 * FEE_STEP_E6) * FEE_STEP_E6

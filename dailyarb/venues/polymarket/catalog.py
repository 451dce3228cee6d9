"""Which windows exist, and what the venue says about each. Sans-IO.

Windows are keyed by condition id and start time. A slug only says where to look: on the autumn
clock change two hours share one. Token roles come from the outcome label, never from position.
Whatever is not understood becomes a refusal in words: shown, never traded.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from dailyarb.core.domain.errors import FrameFault
from dailyarb.core.domain.market import (
    FeeSchedule,
    Grid,
    MarketSpec,
    Outcome,
    Settlement,
    SettlementKind,
    Window,
)
from dailyarb.core.domain.units import PRICE_ONE_E4
from dailyarb.venues.exact import Num, Wire, load, scaled, shape
from dailyarb.venues.polymarket.codec import size_e6, stamp_ns

NEW_YORK = ZoneInfo("America/New_York")
LONG_NAMES = {
    "btc": "bitcoin",
    "eth": "ethereum",
    "sol": "solana",
    "xrp": "xrp",
    "doge": "dogecoin",
    "bnb": "bnb",
}
TICKS_E4 = frozenset({1000, 100, 50, 25, 10, 1})
VERSIONS = ("v1", "v2")
TAKER_HOLD_MS = 50


class WireFees(Wire, frozen=True, gc=False):
    """Is a market's fee schedule."""

    rate: Num
    exponent: Num
    takerOnly: bool = True  # noqa: N815 - the venue's spelling
    rebateRate: Num = 0  # noqa: N815


class WireCrypto(Wire, frozen=True, gc=False):
    """Is the part that names the settling average."""

    asset: str = ""
    duration: str = ""
    twapEnabled: bool = False  # noqa: N815
    twapLookbackSeconds: int | None = None  # noqa: N815


class WireMeta(Wire, frozen=True, gc=False):
    """Is what an event says about its prices, often only after the window."""

    priceToBeat: Num | None = None  # noqa: N815
    finalPrice: Num | None = None  # noqa: N815


class WireEvent(Wire, frozen=True, gc=False):
    """Is the event a market belongs to."""

    eventMetadata: WireMeta | None = None  # noqa: N815


class WireMarket(Wire, frozen=True, gc=False):
    """Is one market of Gamma. Three fields are JSON texts holding arrays."""

    conditionId: str = ""  # noqa: N815
    slug: str = ""
    clobTokenIds: str | None = None  # noqa: N815
    positionIds: list[str] | None = None  # noqa: N815
    outcomes: str | None = None
    outcomePrices: str | None = None  # noqa: N815
    eventStartTime: str | None = None  # noqa: N815
    endDate: str | None = None  # noqa: N815
    active: bool | None = None
    closed: bool = False
    acceptingOrders: bool | None = None  # noqa: N815
    enableOrderBook: bool | None = None  # noqa: N815
    orderPriceMinTickSize: Num | None = None  # noqa: N815
    orderMinSize: Num | None = None  # noqa: N815
    negRisk: bool | None = None  # noqa: N815
    version: str | None = None
    resolutionSource: str | None = None  # noqa: N815
    feesEnabled: bool | None = None  # noqa: N815
    feeSchedule: WireFees | None = None  # noqa: N815
    cryptoMarketConfig: WireCrypto | None = None  # noqa: N815
    eventMetadata: WireMeta | None = None  # noqa: N815
    events: list[WireEvent] | None = None


class Wanted(msgspec.Struct, frozen=True, gc=False):
    """Is one window we expect to exist: its slug and times, venue wall seconds."""

    asset: str
    window: Window
    slug: str
    start_s: int
    end_s: int


def start_s(window: Window, wall_s: int) -> int:
    """Returns the start of the window that contains a moment, in unix seconds.

    5m, 15m and 1h lie on the UTC grid; 4h steps with the clock of New York.
    """
    if window is not Window.H4:
        return wall_s - wall_s % window.seconds
    local = datetime.fromtimestamp(wall_s, NEW_YORK)
    floor = local.replace(hour=local.hour // 4 * 4, minute=0, second=0, microsecond=0, fold=0)
    return int(floor.timestamp())


def end_s(window: Window, start: int) -> int:
    """Returns the end of the window that starts at `start`, in unix seconds."""
    if window is not Window.H4:
        return start + window.seconds
    local = datetime.fromtimestamp(start, NEW_YORK).replace(tzinfo=None) + timedelta(hours=4)
    return int(local.replace(tzinfo=NEW_YORK).timestamp())


def slug_of(name: str, window: Window, start: int, long_name: str = "") -> str:
    """Returns the slug of a window.

    Args:
        name: short asset prefix, as btc.
        window: its length.
        start: unix seconds of its start.

    Raises:
        ValueError: an hourly window of an asset whose long name is not known.
    """
    if window is not Window.H1:
        return f"{name}-updown-{window.value}-{start}"
    long_name = long_name or LONG_NAMES.get(name, "")
    if not long_name:
        raise ValueError(f"hourly windows of {name!r} have no known slug")
    local = datetime.fromtimestamp(start, NEW_YORK)
    month = local.strftime("%B").lower()
    hour = local.hour % 12 or 12
    half = "am" if local.hour < 12 else "pm"
    return f"{long_name}-up-or-down-{month}-{local.day}-{local.year}-{hour}{half}-et"


def wanted(
    asset: str, name: str, window: Window, wall_s: int, ahead: int, long_name: str = ""
) -> tuple[Wanted, ...]:
    """Returns the current window of an asset and the next `ahead` ones."""
    found: list[Wanted] = []
    start = start_s(window, wall_s)
    for _ in range(ahead + 1):
        end = end_s(window, start)
        found.append(Wanted(asset, window, slug_of(name, window, start, long_name), start, end))
        start = end
    return tuple(found)


def gamma_market(body: bytes) -> WireMarket | None:
    """Returns the market of a Gamma answer, one object or a list; None where it holds none.

    Raises:
        FrameFault: the answer is damaged.
    """
    found = load(body)
    if isinstance(found, list):
        found = found[0] if found else None
    if isinstance(found, dict) and isinstance(found.get("markets"), list) and found["markets"]:
        found = found["markets"][0]
    if not found or (isinstance(found, dict) and "conditionId" not in found):
        return None
    return shape(found, WireMarket, len(body))


def _texts(text: str | None, size: int) -> list[str]:
    """Returns the array inside a JSON text; empty where there is none."""
    if not text:
        return []
    found: Any = load(text)
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise FrameFault("type", size)
    return found


def settlement_of(market: WireMarket) -> Settlement:
    """Returns the settling rule that all statements of the market agree on, else UNKNOWN."""
    config = market.cryptoMarketConfig
    source = (market.resolutionSource or "").rstrip("/").lower()
    stream = source.rpartition("/streams/")[2] if "data.chain.link" in source else ""
    if config is not None and config.twapEnabled:
        lookback = config.twapLookbackSeconds or 0
        if lookback > 0 and (not stream or f"-twap-{lookback}s" in stream):
            return Settlement(SettlementKind.TWAP, lookback)
        return Settlement(SettlementKind.UNKNOWN)
    if "-twap-" in stream and config is None:
        seconds = stream.partition("-twap-")[2].partition("s")[0]
        if seconds.isdecimal() and 0 < int(seconds) <= 3600:
            return Settlement(SettlementKind.TWAP, int(seconds))
        return Settlement(SettlementKind.UNKNOWN)
    if stream.endswith("-usd"):
        return Settlement(SettlementKind.SPOT)
    if "binance.com" in source and config is None:
        return Settlement(SettlementKind.BINANCE_CANDLE)
    return Settlement(SettlementKind.UNKNOWN)


def roles(market: WireMarket) -> dict[Outcome, str]:
    """Returns the token of each outcome, by label; less than two entries when not understood."""
    version = market.version or "v1"
    tokens = (
        list(market.positionIds or ()) if version == "v2" else _texts(market.clobTokenIds, 0)
    )
    labels = [label.lower() for label in _texts(market.outcomes, 0)]
    if len(tokens) != 2 or sorted(labels) != ["down", "up"]:
        return {}
    if not all(token.isdecimal() and token.isascii() for token in tokens) or tokens[0] == tokens[1]:
        return {}
    return {Outcome(label.upper()): token for label, token in zip(labels, tokens, strict=True)}


def _refusals(market: WireMarket, want: Wanted, settlement: Settlement, tick: int) -> list[str]:
    """Returns every reason why the market may not be traded, in words."""
    found: list[str] = []
    version = market.version or "v1"
    if version not in VERSIONS:
        found.append(f"unknown market version {version!r}")
    if len(roles(market)) != 2:
        found.append(f"tokens or outcome labels not understood: {market.outcomes}")
    if settlement.kind is SettlementKind.UNKNOWN:
        found.append(f"unknown settlement rule {market.resolutionSource!r}")
    if settlement.kind is SettlementKind.BINANCE_CANDLE and want.window is not Window.H1:
        found.append(f"a Binance candle does not settle a {want.window.value} window")
    if market.negRisk is None:
        found.append("the neg-risk flag is missing")
    if market.feeSchedule is None and market.feesEnabled is not False:
        found.append("the fee schedule is missing")
    if market.feeSchedule is not None and str(market.feeSchedule.exponent) not in ("1", "1.0"):
        found.append(f"fee exponent {market.feeSchedule.exponent} is not 1")
    if tick not in TICKS_E4:
        found.append(f"unknown tick size {market.orderPriceMinTickSize}")
    if not market.orderMinSize:
        found.append("the smallest order is missing")
    if market.enableOrderBook is False:
        found.append("the market has no order book")
    start, end = stamp_ns(market.eventStartTime), stamp_ns(market.endDate)
    if (start, end) != (want.start_s * 10**9, want.end_s * 10**9):
        found.append("its times are not those of the window its slug names")
    if market.slug != want.slug:
        found.append(f"its slug is {market.slug!r}")
    config = market.cryptoMarketConfig
    if config is not None and (
        config.asset not in ("", want.asset) or config.duration not in ("", want.window.value)
    ):
        found.append(f"its configuration is of {config.asset} {config.duration}")
    return found


def spec_of(market: WireMarket, want: Wanted) -> MarketSpec:
    """Returns a Gamma market as a MarketSpec, with every reason against trading it in `refusal`.

    Raises:
        FrameFault: a field is damaged, or the condition id is missing.
    """
    if not market.conditionId:
        raise FrameFault("missing", 0)
    settlement = settlement_of(market)
    tick = scaled(market.orderPriceMinTickSize, 4, PRICE_ONE_E4)
    tokens = roles(market)
    fees = market.feeSchedule
    refusals = _refusals(market, want, settlement, tick)
    return MarketSpec(
        market_id=market.conditionId,
        slug=market.slug,
        asset=want.asset,
        window=want.window,
        start_ns=want.start_s * 10**9,
        end_ns=want.end_s * 10**9,
        up_token=tokens.get(Outcome.UP, ""),
        down_token=tokens.get(Outcome.DOWN, ""),
        grid=Grid(tick_e4=tick or 100, min_size_e6=size_e6(market.orderMinSize)),
        fees=FeeSchedule(
            rate_e6=scaled(fees.rate, 6, 10**6) if fees else 0,
            exponent=1,
            taker_only=fees.takerOnly if fees else True,
            rebate_rate_e6=scaled(fees.rebateRate, 6, 10**6) if fees else 0,
        ),
        settlement=settlement,
        neg_risk=bool(market.negRisk),
        version=market.version or "v1",
        accepting=bool(market.acceptingOrders) and market.active is not False and not market.closed,
        taker_hold_ms=TAKER_HOLD_MS,
        strike_digits=str(strike_e18(market) or ""),
        refusal="; ".join(refusals),
    )


def strike_e18(market: WireMarket) -> int:
    """Returns the price to beat in 1e-18 dollars, 0 while the venue has not published it."""
    metas = [market.eventMetadata, *(event.eventMetadata for event in market.events or ())]
    for meta in metas:
        if meta is not None and meta.priceToBeat is not None:
            return scaled(meta.priceToBeat, 18, 10**30)
    return 0


def resolution_e4(market: WireMarket) -> int | None:
    """Returns what an UP share paid (10,000, 0, or 5,000 on a split); None while undecided.

    A closed market whose prices are not final yet is undecided: "closed" alone proves nothing.
    """
    if not market.closed:
        return None
    labels = [label.lower() for label in _texts(market.outcomes, 0)]
    prices = [scaled(text, 18, 10**18) for text in _texts(market.outcomePrices, 0)]
    if sorted(labels) != ["down", "up"] or len(prices) != 2 or sum(prices) != 10**18:
        return None
    paid = prices[labels.index("up")] * PRICE_ONE_E4 // 10**18
    return paid if paid in (0, PRICE_ONE_E4 // 2, PRICE_ONE_E4) else None

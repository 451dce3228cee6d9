"""Discovery: windows are found, followed, and decided once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from dailyarb.core.domain.clock import ManualClock
from dailyarb.core.domain.errors import ConfigError, OutcomeUnknown
from dailyarb.core.domain.events import Event, MarketListed, Resolved
from dailyarb.core.domain.market import Outcome, SettlementKind
from dailyarb.core.domain.settings import AssetSettings
from dailyarb.runtime.discovery import Discovery
from dailyarb.venues.binance.codec import Candle
from dailyarb.venues.polymarket import catalog
from tests.unit.test_catalog import MARKET, START

S = 1_000_000_000
ASSETS = {
    "btc": AssetSettings(
        binance_symbol="btcusdt", settlement_symbol="btcusd", slug="btc", windows=("5m",)
    )
}


class FakeGamma:
    """Stands for the catalogue: what it lists, by slug."""

    def __init__(self) -> None:
        self.listed: dict[str, dict[str, object]] = {}
        self.asked: list[str] = []
        self.down = False

    def list(self, start: int, **changes: object) -> str:
        slug = f"btc-updown-5m-{start}"
        tokens = json.dumps([f"{start}1", f"{start}2"])
        begin, end = (catalog.datetime.fromtimestamp(t).astimezone() for t in (start, start + 300))
        self.listed[slug] = {
            **MARKET,
            "conditionId": f"0x{start}",
            "slug": slug,
            "clobTokenIds": tokens,
            "eventStartTime": begin.isoformat(),
            "endDate": end.isoformat(),
            **changes,
        }
        return slug

    async def market(self, slug: str) -> catalog.WireMarket | None:
        self.asked.append(slug)
        if self.down:
            raise OutcomeUnknown("polymarket", "GET", "no route")
        found = self.listed.get(slug)
        return None if found is None else catalog.gamma_market(json.dumps(found).encode())


class Rig:
    def __init__(self) -> None:
        self.events: list[Event] = []
        self.gamma = FakeGamma()
        self.clock = ManualClock(10 * S, (START + 10) * S)
        self.found = Discovery(
            self.gamma,  # type: ignore[arg-type]
            self.clock,
            ASSETS,
            self.events.append,
        )

    async def look(self, seconds: int = 0) -> list[Event]:
        self.clock.advance(seconds * S)
        self.events.clear()
        self.gamma.asked.clear()
        await self.found.look()
        return list(self.events)


async def test_the_current_and_the_next_windows_are_listed() -> None:
    rig = Rig()
    for start in (START, START + 300, START + 600):
        rig.gamma.list(start)
    events = await rig.look()
    assert [e.spec.start_ns // S for e in events if isinstance(e, MarketListed)] == [
        START,
        START + 300,
        START + 600,
    ]
    assert rig.found.roles[f"{START}1"] is Outcome.UP
    assert await rig.look(1) == [], "nothing is asked again at once"
    assert rig.gamma.asked == []


async def test_a_window_that_is_not_listed_yet_is_asked_for_again() -> None:
    rig = Rig()
    assert await rig.look() == []
    rig.gamma.list(START + 300, clobTokenIds=None)
    assert await rig.look(3) == [], "listed without tokens is not listed yet"
    rig.gamma.list(START + 300)
    assert len(await rig.look(3)) == 1


async def test_a_change_is_told_and_sameness_is_not() -> None:
    rig = Rig()
    rig.gamma.list(START)
    await rig.look()
    assert await rig.look(31) == []
    rig.gamma.list(START, acceptingOrders=False)
    (event,) = await rig.look(31)
    assert isinstance(event, MarketListed) and not event.spec.accepting


async def test_a_refused_market_is_listed_with_its_reason() -> None:
    rig = Rig()
    rig.gamma.list(START, negRisk=None)
    (event,) = await rig.look()
    assert isinstance(event, MarketListed) and "neg-risk" in event.spec.refusal


async def test_a_decision_is_told_once_from_either_source() -> None:
    rig = Rig()
    rig.gamma.list(START)
    await rig.look()
    assert await rig.look(295) == []
    rig.gamma.list(START, closed=True, acceptingOrders=False, outcomePrices='["0","1"]')
    events = await rig.look(5)
    assert Resolved(f"0x{START}", 0) in events
    frame = {"event_type": "market_resolved", "market": f"0x{START}", "winning_outcome": "Down"}
    assert rig.found.rare([json.dumps(frame).encode()]) == 0
    assert Resolved(f"0x{START}", 0) not in rig.events[len(events) :]
    assert not [e for e in await rig.look(60) if isinstance(e, Resolved)]


async def test_the_channel_may_decide_first() -> None:
    rig = Rig()
    rig.gamma.list(START)
    await rig.look()
    frame = {"event_type": "market_resolved", "market": f"0x{START}", "winning_outcome": "Up"}
    foreign = {**frame, "market": "0xforeign"}
    rig.events.clear()
    assert rig.found.rare([json.dumps(f).encode() for f in (frame, foreign, frame)]) == 0
    assert rig.events == [Resolved(f"0x{START}", 10_000)]
    assert rig.found.rare([b"{"]) == 1


async def test_a_catalogue_that_is_down_is_counted_and_asked_again() -> None:
    rig = Rig()
    rig.gamma.list(START)
    rig.gamma.down = True
    assert await rig.look() == []
    assert rig.found.failures == 3 and "no route" in rig.found.last_failure
    rig.gamma.down = False
    assert len(await rig.look(3)) == 1


async def test_windows_are_forgotten_once_decided_or_never_listed() -> None:
    rig = Rig()
    rig.gamma.list(START)
    await rig.look()
    rig.gamma.list(START, closed=True, outcomePrices='["1","0"]')
    for _ in range(4):
        await rig.look(300)
    assert f"btc-updown-5m-{START}" not in rig.found._tracked
    assert len(rig.found._tracked) == 3
    assert f"{START}1" not in rig.found.roles


async def test_a_window_of_an_earlier_run_is_followed_until_decided() -> None:
    rig = Rig()
    rig.gamma.list(START)
    (event,) = await rig.look()
    assert isinstance(event, MarketListed)
    late = Rig()
    late.clock.advance(3_600 * S)
    late.found.follow(event.spec)
    late.gamma.list(START, closed=True, outcomePrices='["1","0"]')
    assert Resolved(event.spec.market_id, 10_000) in await late.look()


def test_an_hourly_window_without_a_known_slug_is_refused_at_the_start() -> None:
    assets = {
        "hype": AssetSettings(
            binance_symbol="hypeusdt", settlement_symbol="hypeusd", slug="hype", windows=("1h",)
        )
    }
    with pytest.raises(ConfigError, match=r"assets\.hype\.windows"):
        Discovery(FakeGamma(), ManualClock(), assets, lambda _: None)  # type: ignore[arg-type]


HOUR = START // 3_600 * 3_600


class Candles:
    """Stands for Binance: one candle an hour, once it has opened."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.asked: list[tuple[str, str, int]] = []
        self.late = self.down = False

    async def __call__(self, symbol: str, interval: str, start_ms: int) -> Candle | None:
        self.asked.append((symbol, interval, start_ms))
        if self.down:
            raise OutcomeUnknown("binance", "GET", "no route")
        e8 = 100_000 * 10**8
        return None if self.late else Candle(start_ms, start_ms + 3_599_999, e8 + 7, e8, e8, e8)


def hourly(**changes: Any) -> tuple[Rig, Candles]:
    """Returns a rig that follows the hourly windows of BTC, ten seconds into one."""
    rig = Rig()
    rig.clock = ManualClock(10 * S, (HOUR + 10) * S)
    candles = Candles(rig.clock)
    asset = replace(ASSETS["btc"], windows=("1h",), **changes)
    rig.found = Discovery(
        rig.gamma,  # type: ignore[arg-type]
        rig.clock,
        {"btc": asset},
        rig.events.append,
        candles,
    )
    name = changes.get("long_name", "bitcoin")
    for start in (HOUR, HOUR + 3_600):
        slug = catalog.slug_of("btc", catalog.Window.H1, start, name)
        listed = rig.gamma.list(start)
        rig.gamma.listed[slug] = {
            **rig.gamma.listed.pop(listed),
            "slug": slug,
            "endDate": catalog.datetime.fromtimestamp(start + 3_600).astimezone().isoformat(),
            "resolutionSource": "https://www.binance.com/en/trade/BTC_USDT",
            "cryptoMarketConfig": None,
        }
    return rig, candles


async def test_the_strike_of_an_hourly_window_is_the_open_of_its_candle() -> None:
    rig, candles = hourly()
    specs = [e.spec for e in await rig.look() if isinstance(e, MarketListed)]
    assert [spec.strike_digits for spec in specs] == [str((100_000 * 10**8 + 7) * 10**10), ""]
    assert specs[0].settlement.kind is SettlementKind.BINANCE_CANDLE
    assert [spec.refusal for spec in specs] == ["", ""]
    assert candles.asked == [("btcusdt", "1h", HOUR * 1_000)], "the next one has not opened"
    assert await rig.look(31) == []
    assert len(candles.asked) == 1, "once known it is not asked again"


async def test_the_next_hour_is_asked_for_when_it_opens() -> None:
    rig, candles = hourly()
    await rig.look()
    assert await rig.look(3_560) == []
    events = await rig.look(30)
    [spec] = [e.spec for e in events if isinstance(e, MarketListed)]
    assert (spec.start_ns // S, bool(spec.strike_digits)) == (HOUR + 3_600, True)
    assert candles.asked[-1] == ("btcusdt", "1h", (HOUR + 3_600) * 1_000)


async def test_a_candle_that_is_late_is_asked_for_again_soon() -> None:
    rig, candles = hourly()
    candles.late = True
    first = [e.spec.strike_digits for e in await rig.look() if isinstance(e, MarketListed)]
    assert first == ["", ""]
    candles.late, candles.down = False, True
    assert await rig.look(2) == []
    assert rig.found.failures == 1
    candles.down = False
    [event] = await rig.look(31)
    assert isinstance(event, MarketListed)
    assert event.spec.strike_digits


async def test_an_hourly_name_may_be_stated() -> None:
    rig, _ = hourly(long_name="big-coin", slug="big")
    assert len(await rig.look()) == 2
    assert rig.gamma.asked[0].startswith("big-coin-up-or-down-")

"""Windows: their slugs, what a market must say to be traded, and how it was decided."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dailyarb.core.domain.errors import FrameFault
from dailyarb.core.domain.market import Settlement, SettlementKind, Window
from dailyarb.venues.polymarket.catalog import (
    Wanted,
    end_s,
    gamma_market,
    resolution_e4,
    slug_of,
    spec_of,
    start_s,
    wanted,
)


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


START = at("2026-08-22T16:00:00")
WANT = Wanted("btc", Window.M5, f"btc-updown-5m-{START}", START, START + 300)
MARKET: dict[str, object] = {
    "conditionId": "0x2eea",
    "clobTokenIds": '["113", "380"]',
    "outcomes": '["Up", "Down"]',
    "outcomePrices": '["0.555", "0.445"]',
    "startDate": "2026-08-21T16:08:38.248161Z",
    "eventStartTime": "2026-08-22T16:00:00Z",
    "endDate": "2026-08-22T16:05:00Z",
    "active": True,
    "closed": False,
    "resolutionSource": "https://data.chain.link/streams/btc-usd-twap-60s-streams",
    "acceptingOrders": True,
    "enableOrderBook": True,
    "orderPriceMinTickSize": 0.01,
    "orderMinSize": 5,
    "slug": WANT.slug,
    "negRisk": False,
    "feeSchedule": {"exponent": 1, "rate": 0.07, "takerOnly": True, "rebateRate": 0.2},
    "cryptoMarketConfig": {
        "id": "btc-5m-twap-60",
        "asset": "btc",
        "duration": "5m",
        "twapEnabled": True,
        "twapLookbackSeconds": 60,
    },
}


def spec(**changes: object):  # type: ignore[no-untyped-def]
    found = gamma_market(json.dumps({**MARKET, **changes}).encode())
    assert found is not None
    return spec_of(found, WANT)


def test_a_market_of_today_is_understood() -> None:
    found = spec()
    assert found.refusal == ""
    assert (found.market_id, found.up_token, found.down_token) == ("0x2eea", "113", "380")
    assert (found.start_ns, found.end_ns) == (START * 10**9, (START + 300) * 10**9)
    assert found.settlement == Settlement(SettlementKind.TWAP, 60)
    assert (found.grid.tick_e4, found.grid.min_size_e6) == (100, 5_000_000)
    assert (found.fees.rate_e6, found.fees.rebate_rate_e6) == (70_000, 200_000)
    assert found.accepting and not found.neg_risk and found.version == "v1"
    assert found.strike_e18 == 0


def test_roles_follow_the_label_not_the_position() -> None:
    found = spec(outcomes='["Down", "Up"]')
    assert (found.up_token, found.down_token) == ("380", "113")


def test_the_price_to_beat_is_taken_once_published() -> None:
    events = [{"eventMetadata": {"priceToBeat": 64997.123456789012345678}}]
    raw = json.dumps({**MARKET, "events": events}).replace(
        "64997.12345678901", "64997.123456789012345678"
    )
    found = gamma_market(raw.encode())
    assert found is not None
    assert spec_of(found, WANT).strike_e18 == 64_997_123456789012345678


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": "v9"}, "version"),
        ({"outcomes": '["Yes", "No"]'}, "labels"),
        ({"outcomes": '["Up", "Up"]'}, "labels"),
        ({"clobTokenIds": '["113"]'}, "tokens"),
        ({"clobTokenIds": '["113", "113"]'}, "tokens"),
        ({"clobTokenIds": '["113", "0x3"]'}, "tokens"),
        ({"version": "v2"}, "tokens"),
        ({"resolutionSource": "https://example.org", "cryptoMarketConfig": None}, "settlement"),
        ({"resolutionSource": "https://data.chain.link/streams/btc-usd-twap-30s-streams"},
         "settlement"),
        ({"resolutionSource": "https://www.binance.com/en/trade/BTC_USDT",
          "cryptoMarketConfig": None}, "candle"),
        ({"negRisk": None}, "neg-risk"),
        ({"feeSchedule": None}, "fee schedule"),
        ({"feeSchedule": {"exponent": 2, "rate": 0.07}}, "exponent"),
        ({"orderPriceMinTickSize": 0.02}, "tick"),
        ({"orderMinSize": None}, "smallest"),
        ({"enableOrderBook": False}, "order book"),
        ({"eventStartTime": "2026-08-22T16:05:00Z"}, "times"),
        ({"endDate": "2026-08-22T16:15:00Z"}, "times"),
        ({"slug": "btc-updown-5m-1"}, "slug"),
        ({"cryptoMarketConfig": {"asset": "eth", "duration": "5m", "twapEnabled": True,
                                 "twapLookbackSeconds": 60}}, "configuration"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_refused_in_words(changes: dict[str, object], words: str) -> None:
    assert words in spec(**changes).refusal


def test_every_reason_is_named_not_the_first_only() -> None:
    assert spec(negRisk=None, version="v9", orderMinSize=None).refusal.count(";") == 2


def test_a_v2_market_takes_its_position_ids() -> None:
    found = spec(version="v2", positionIds=["7", "8"])
    assert (found.up_token, found.version, found.refusal) == ("7", "v2", "")
    assert spec(positionIds=["7", "8"]).up_token == "113", "decided by version, not by presence"


@pytest.mark.parametrize("field", ["acceptingOrders", "active"])
def test_a_market_that_does_not_accept_is_listed_but_not_accepting(field: str) -> None:
    assert spec(**{field: False}).accepting is False
    assert spec(closed=True).accepting is False


@pytest.mark.parametrize(
    "changes",
    [{"conditionId": ""}, {"feeSchedule": {"exponent": 1, "rate": "much"}}, {"outcomes": "[1]"},
     {"clobTokenIds": "["}, {"eventStartTime": "at noon"}],
)  # fmt: skip
def test_a_damaged_market_is_a_frame_fault(changes: dict[str, object]) -> None:
    with pytest.raises(FrameFault):
        spec(**changes)


@pytest.mark.parametrize(
    ("prices", "closed", "paid"),
    [
        ('["1", "0"]', True, 10_000),
        ('["0", "1"]', True, 0),
        ('["0.5", "0.5"]', True, 5_000),
        ('["1", "0"]', False, None),
        ('["0.9995", "0.0005"]', True, None),
        ('["0", "0"]', True, None),
    ],
)
def test_decided_only_when_closed_with_final_prices(
    prices: str, closed: bool, paid: int | None
) -> None:
    found = gamma_market(json.dumps({**MARKET, "outcomePrices": prices, "closed": closed}).encode())
    assert found is not None
    assert resolution_e4(found) == paid
    turned = {**MARKET, "outcomes": '["Down", "Up"]', "outcomePrices": prices, "closed": closed}
    mirrored = gamma_market(json.dumps(turned).encode())
    assert mirrored is not None
    assert resolution_e4(mirrored) == (None if paid is None else 10_000 - paid)


@pytest.mark.parametrize("raw", [b"null", b"[]", b"{}", b'{"error":"not found"}'])
def test_no_market_yet_is_none(raw: bytes) -> None:
    assert gamma_market(raw) is None


def test_slugs_of_every_window() -> None:
    assert slug_of("btc", Window.M5, 1_776_808_200) == "btc-updown-5m-1776808200"
    assert slug_of("eth", Window.M15, 1_776_808_800) == "eth-updown-15m-1776808800"
    summer, winter = at("2026-04-27T00:00:00"), at("2026-12-01T17:00:00")
    assert slug_of("btc", Window.H1, summer) == "bitcoin-up-or-down-april-26-2026-8pm-et"
    assert slug_of("sol", Window.H1, winter) == "solana-up-or-down-december-1-2026-12pm-et"
    midnight = at("2026-12-01T05:00:00")
    assert slug_of("btc", Window.H1, midnight) == "bitcoin-up-or-down-december-1-2026-12am-et"
    with pytest.raises(ValueError, match="hype"):
        slug_of("hype", Window.H1, winter)


def test_four_hour_windows_step_with_the_clock_of_new_york() -> None:
    summer, winter = at("2026-07-01T13:30:00"), at("2026-12-01T13:30:00")
    assert start_s(Window.H4, summer) == at("2026-07-01T12:00:00")  # 8 AM EDT
    assert start_s(Window.H4, winter) == at("2026-12-01T13:00:00")  # 8 AM EST


def test_the_night_the_clocks_change() -> None:
    """In autumn the window after midnight lasts five hours, in spring three."""
    autumn = at("2026-11-01T04:00:00")  # midnight EDT
    assert start_s(Window.H4, autumn + 5 * 3_600 - 1) == autumn
    assert end_s(Window.H4, autumn) == autumn + 5 * 3_600
    spring = at("2026-03-08T05:00:00")  # midnight EST
    assert end_s(Window.H4, spring) == spring + 3 * 3_600
    one, other = at("2026-11-01T05:00:00"), at("2026-11-01T06:00:00")
    assert slug_of("btc", Window.H1, one) == slug_of("btc", Window.H1, other)


@given(st.sampled_from(list(Window)), st.integers(1_700_000_000, 1_900_000_000))
def test_windows_tile_time(window: Window, moment: int) -> None:
    """Each moment lies in exactly one window, and the next begins where it ends."""
    name = "btc"
    first, second, third = wanted("btc", name, window, moment, ahead=2)
    assert first.start_s <= moment < first.end_s == second.start_s
    assert second.end_s == third.start_s
    assert start_s(window, first.end_s) == second.start_s
    assert start_s(window, first.end_s - 1) == first.start_s


def test_stored_catalogue_answers_are_understood(shared_data: Path) -> None:
    seen = 0
    for path in sorted((shared_data / "gamma").glob("*.json")):
        found = gamma_market(path.read_bytes())
        assert found is not None
        asset, _, word, start = found.slug.split("-")
        window, begun = Window(word), int(start)
        want = Wanted(asset, window, slug_of(asset, window, begun), begun, end_s(window, begun))
        result = spec_of(found, want)
        assert result.refusal == "", path.name
        assert result.fees.rate_e6 in (70_000, 72_000)
        seen += 1
    assert seen >= 15

"""Discovery and the order book's open calls."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dailyarb.sim.types import Reply, Request
from tests.unit.sim_world import START_S, World


def test_the_current_window_and_the_next_two_are_listed() -> None:
    world = World(labels=("5m", "15m"))
    for label, length in (("5m", 300), ("15m", 900)):
        for step in range(3):
            status, market = world.gamma(
                f"/markets/slug/btc-updown-{label}-{START_S + step * length}"
            )
            assert (status, market["closed"]) == (200, False)
        assert world.gamma(f"/markets/slug/btc-updown-{label}-{START_S + 3 * length}")[0] == 404


def test_a_market_has_the_fields_of_a_real_one(shared_data: Path) -> None:
    path = shared_data / "gamma/nautilus_gamma_market_crypto_twap_2026-08-22.json"
    real = json.loads(path.read_text())
    _, ours = World().gamma(f"/markets/slug/btc-updown-5m-{START_S}")
    for key, value in real.items():
        assert key in ours, key
        assert type(ours[key]) is type(value), key
    assert ours["feeSchedule"] == real["feeSchedule"]
    assert ours["cryptoMarketConfig"] == real["cryptoMarketConfig"]


def test_tokens_are_text_inside_text_and_up_comes_first() -> None:
    world = World()
    _, market = world.gamma(f"/markets/slug/btc-updown-5m-{START_S}")
    assert json.loads(market["clobTokenIds"]) == list(world.entry().market.identity.tokens)
    assert json.loads(market["outcomes"]) == ["Up", "Down"]
    assert market["eventStartTime"] == "2026-05-28T16:00:00Z"
    assert market["endDate"] == "2026-05-28T16:05:00Z"


def test_lists_filter_by_slug_condition_token_and_closed() -> None:
    world = World()
    identity = world.entry().market.identity
    for query in (
        ("slug", identity.slug),
        ("condition_ids", identity.market),
        ("clob_token_ids", identity.down_token),
    ):
        _, found = world.gamma("/markets", (query,))
        assert [m["slug"] for m in found] == [identity.slug]
    assert len(world.gamma("/markets")[1]) == 3
    assert world.gamma("/markets", (("closed", "true"),))[1] == []
    _, events = world.gamma("/events", (("slug", identity.slug),))
    assert events[0]["markets"][0]["conditionId"] == identity.market


@pytest.mark.parametrize("path", ["/", "/markets/slug/nothing", "/series", "/markets/1/2/3"])
def test_what_is_unknown_is_not_found(path: str) -> None:
    assert World().gamma(path)[0] == 404


def test_the_compact_record_and_the_way_back_from_a_token() -> None:
    world = World()
    identity = world.entry().market.identity
    record = world.ask("GET", f"/clob-markets/{identity.market}")
    assert record["t"] == [
        {"t": identity.up_token, "o": "Up"},
        {"t": identity.down_token, "o": "Down"},
    ]
    assert (record["mos"], record["mts"], record["itode"]) == (5, 0.01, True)
    assert record["fd"] == {"r": 0.07, "e": 1, "to": True}
    back = world.ask("GET", f"/markets-by-token/{identity.up_token}")
    assert back["condition_id"] == identity.market


def test_open_calls() -> None:
    world = World()
    up, down = world.entry().market.identity.tokens
    book = world.ask("GET", "/book", query=f"token_id={up}")
    assert "event_type" not in book
    books = world.ask("POST", "/books", [{"token_id": up}, {"token_id": down}, {"token_id": "1"}])
    assert [b["asset_id"] for b in books] == [up, down]
    assert world.ask("GET", "/time") == world.now_ns // 10**9
    assert world.ask("GET", "/version") == {"version": 2}
    assert world.ask("GET", "/ok") == "OK"
    assert world.ask("GET", "/neg-risk", query=f"token_id={up}") == {"neg_risk": False}
    assert world.ask("GET", "/fee-rate", query=f"token_id={up}") == {"base_fee": 1000}
    ask = world.ask("GET", "/price", query=f"token_id={up}&side=SELL")["price"]
    bid = world.ask("GET", "/price", query=f"token_id={down}&side=BUY")["price"]
    assert float(ask) + float(bid) == pytest.approx(1.0)
    assert world.request("GET", "/book", query="token_id=5").status == 404
    assert world.request("POST", "/books", {"no": "list"}).status == 400


def test_identities_follow_from_seed_and_slug() -> None:
    first, again, other = World(seed=3), World(seed=3), World(seed=4)
    assert first.entry().market.identity == again.entry().market.identity
    assert first.entry().market.identity.market != other.entry().market.identity.market


def test_an_unknown_path_is_not_found() -> None:
    world = World()
    reply = world.poly.request(Request("GET", "/nothing"), world.now_ns)
    assert isinstance(reply, Reply)
    assert reply.status == 404

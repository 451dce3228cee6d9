"""The settling feed: its socket (polymarket.md, 2.6), its averages, and who wins."""

from __future__ import annotations

import itertools
import json
import random
from decimal import Decimal
from typing import Any

import pytest

from dailyarb.sim.oracle import LAG_S, LOOKBACK_S
from dailyarb.sim.types import NS_PER_S, Frame
from tests.unit.sim_world import START_S, World

FILTER = {"symbol": "btcusd", "window_seconds": 60}


def subscribe(world: World, conn_id: str = "s") -> None:
    model = world.venues.settlement
    assert model.connect(conn_id, "/ws", (), world.now_ns) == 101
    triple = {
        "apiKey": world.known.api_key,
        "secret": world.known.secret,
        "passphrase": world.known.passphrase,
    }
    world.say(conn_id, {"op": "auth", "rid": "a1", "auth": triple})
    wanted = [{"channel": "price.crypto.twap", "filter": FILTER}]
    world.say(conn_id, {"op": "subscribe", "rid": "s1", "subscriptions": wanted})


def test_auth_then_subscribe_then_a_snapshot_of_two_minutes() -> None:
    world = World()
    subscribe(world)
    authed, subscribed, first = (json.loads(text) for text in world.texts("s"))
    assert authed == {"op": "authed", "rid": "a1"}
    assert subscribed == {"op": "subscribed", "rid": "s1"}
    assert (first["v"], first["snapshot"], first["seq"]) == (1, True, 1)
    rows = first["payload"]["data"]
    assert 100 <= len(rows) <= 120
    assert set(rows[0]) == {"timestamp", "value", "full_accuracy_value"}


def test_seconds_follow_with_consecutive_numbers_and_exact_values() -> None:
    world = World()
    subscribe(world)
    world.run(30)
    updates: list[dict[str, Any]] = [json.loads(text) for text in world.texts("s")[3:]]
    assert [u["seq"] for u in updates] == list(range(2, 2 + len(updates)))
    oracle = world.venues.oracles["btc"]
    for update in updates:
        payload = update["payload"]
        exact = Decimal(payload["full_accuracy_value"])
        assert exact * 10**18 == oracle.twap_e18(payload["timestamp"] // 1000)
        assert payload["value"] == pytest.approx(float(exact))
        assert 0.9 <= update["ts"] / 1000 - payload["timestamp"] / 1000 <= 1.6


def test_the_average_is_the_mean_of_sixty_seconds_ending_three_before() -> None:
    oracle = World().venues.oracles["btc"]
    last = START_S - LAG_S
    sum_e8 = round(oracle.sum_usd(last - LOOKBACK_S, last) * 1e8)
    assert oracle.twap_e18(START_S) == sum_e8 * 10**10 // LOOKBACK_S


def test_two_to_nine_percent_of_the_seconds_are_missing_in_blocks() -> None:
    world = World()
    subscribe(world)
    world.venues.settlement.connect("t", "/ws", (), world.now_ns)
    world.now_ns += 3 * 3600 * NS_PER_S
    heard = world.venues.settlement.advance(world.now_ns)
    stamps = [
        json.loads(d.payload)["payload"]["timestamp"] // 1000
        for d in heard
        if d.frame is Frame.TEXT and d.channel == "s"
    ]
    missing = 1 - len(stamps) / (3 * 3600)
    assert 0.02 <= missing <= 0.12
    gaps = [b - a - 1 for a, b in itertools.pairwise(stamps) if b - a > 1]
    assert max(gaps) > 3


@pytest.mark.parametrize(
    ("op", "code"),
    [
        ({"op": "subscribe", "rid": "x", "subscriptions": []}, "auth_required"),
        ({"op": "auth", "rid": "x", "auth": {"apiKey": "no"}}, "auth_invalid"),
        ({"op": "sing", "rid": "x"}, "bad_op"),
        ("not json", "bad_op"),
    ],
)
def test_errors_before_the_door_is_open(op: object, code: str) -> None:
    world = World()
    world.venues.settlement.connect("s", "/ws", (), world.now_ns)
    world.say("s", op)
    assert json.loads(world.texts("s")[0])["code"] == code


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ({"channel": "price.gold", "filter": FILTER}, "bad_channel"),
        ({"channel": "price.crypto.twap", "filter": {"symbol": "btcusd"}}, "bad_filter"),
        ({"channel": "price.crypto.twap"}, "bad_filter"),
    ],
)
def test_errors_behind_the_door(entry: object, code: str) -> None:
    world = World()
    subscribe(world)
    world.say("s", {"op": "subscribe", "rid": "q", "subscriptions": [entry]})
    assert json.loads(world.texts("s")[-1]) == {"op": "error", "rid": "q", "code": code}


def test_wrong_credentials_close_with_4001() -> None:
    world = World()
    world.venues.settlement.connect("s", "/ws", (), world.now_ns)
    world.say("s", {"op": "auth", "rid": "x", "auth": {}})
    assert world.heard["s"][-1].code == 4001
    assert world.venues.settlement.connect("t", "/other", (), world.now_ns) == 404


def test_a_tie_pays_up() -> None:
    world = World(at_s=START_S + 299)
    oracle = world.venues.oracles["btc"]
    oracle.twap_e18 = lambda second: 5 * 10**18  # type: ignore[method-assign]
    market = world.entry().market
    world.run(300, 1.0)
    assert market.winner == 0
    assert market.strike_e18 == market.final_e18


def test_prices_to_beat_appear_only_after_the_close() -> None:
    world = World(at_s=START_S + 290, resolve_scale=0.1)
    slug = f"btc-updown-5m-{START_S}"
    _, event = world.gamma(f"/events/slug/{slug}")
    assert event["eventMetadata"] == {}
    world.run(40, 0.5)
    _, event = world.gamma(f"/events/slug/{slug}")
    beat, final = (event["eventMetadata"][key] for key in ("priceToBeat", "finalPrice"))
    market = event["markets"][0]
    assert market["closed"] is True
    assert json.loads(market["outcomePrices"]) == (["1", "0"] if final >= beat else ["0", "1"])


def test_resolutions_take_the_recorded_time() -> None:
    draws = sorted(random.Random(f"7/{n}/end").lognormvariate(3.045, 0.55) for n in range(2000))
    assert 19 <= draws[1000] <= 23
    assert 45 <= draws[1900] <= 60

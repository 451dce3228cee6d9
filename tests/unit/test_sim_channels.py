"""The market channel against polymarket.md, section 3, and against captured frames."""

from __future__ import annotations

import gzip
import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from dailyarb.sim.types import Frame
from tests.unit.sim_world import START_S, World

KINDS = ("book", "price_change", "last_trade_price", "best_bid_ask")


@pytest.fixture(scope="module")
def busy() -> World:
    """Forty seconds of one market at the recorded rates, both tokens, custom features on."""
    world = World(rate_scale=1.0)
    world.listen_market("c", world.entry().market.identity.tokens)
    world.run(40)
    return world


def mirror(text: str) -> int:
    return 10_000 - round(float(text) * 10_000)


def number(text: str) -> int:
    return round(float(text) * 10_000)


def test_the_first_frame_is_one_array_of_two_books(busy: World) -> None:
    books = json.loads(busy.texts("c")[0])
    assert [book["asset_id"] for book in books] == list(busy.entry().market.identity.tokens)
    for book in books:
        assert book["event_type"] == "book"
        assert (book["min_order_size"], book["tick_size"], book["neg_risk"]) == ("5", "0.01", False)
        for side in ("bids", "asks"):
            prices = [number(level["price"]) for level in book[side]]
            assert prices == sorted(prices, reverse=side == "asks")  # worst first, best last


def test_the_two_first_books_are_mirrors(busy: World) -> None:
    up, down = json.loads(busy.texts("c")[0])
    assert [(mirror(r["price"]), r["size"]) for r in up["bids"]] == [
        (number(r["price"]), r["size"]) for r in down["asks"]
    ]


def test_every_price_change_holds_both_tokens_mirrored(busy: World) -> None:
    frames = [e for e in busy.events("c") if e["event_type"] == "price_change"]
    assert len(frames) > 15_000
    tokens = busy.entry().market.identity.tokens
    for frame in frames:
        up, down = frame["price_changes"]
        assert (up["asset_id"], down["asset_id"]) == tokens
        assert number(up["price"]) == mirror(down["price"])
        assert (up["size"], {up["side"], down["side"]}) == (down["size"], {"BUY", "SELL"})
        # ask_up + ask_down = 1 + spread, always.
        assert number(up["best_bid"]) == mirror(down["best_ask"])
        assert number(up["best_ask"]) == mirror(down["best_bid"])
        assert number(up["best_ask"]) > number(up["best_bid"])


def test_rates_and_mix_are_the_recorded_ones(busy: World) -> None:
    events = busy.events("c")
    count = {kind: sum(e["event_type"] == kind for e in events) / 40 for kind in KINDS}
    assert 440 <= count["price_change"] <= 680
    assert 3 <= count["last_trade_price"] <= 14
    assert count["book"] == pytest.approx(2 * count["last_trade_price"], abs=1)
    assert 2 <= count["best_bid_ask"] <= 45


def test_stamps_arrive_out_of_order_as_often_as_the_real_ones(busy: World) -> None:
    newest = {"price_change": 0, "any": 0}
    late = {"price_change": 0, "book": 0}
    seen = {"price_change": 0, "book": 0}
    worst = 0
    for event in busy.events("c")[2:]:
        kind, stamp = event["event_type"], int(event["timestamp"])
        if kind in late:
            seen[kind] += 1
            reference = newest["price_change"] if kind == "price_change" else newest["any"]
            late[kind] += stamp < reference
            worst = max(worst, reference - stamp)
        if kind == "price_change":
            newest[kind] = max(newest[kind], stamp)
        newest["any"] = max(newest["any"], stamp)
    assert 0.12 <= late["price_change"] / seen["price_change"] <= 0.32  # 711 of 3,476
    assert late["book"] / seen["book"] > 0.75  # 82 of 88
    assert worst <= 90


def test_books_of_one_token_come_in_order(busy: World) -> None:
    stamps = [
        int(e["timestamp"])
        for e in busy.events("c")[2:]
        if e["event_type"] == "book" and e["asset_id"] == busy.entry().market.identity.up_token
    ]
    backwards = sum(b < a for a, b in itertools.pairwise(stamps))
    assert backwards == 0  # of 56,137 recorded


def test_levels_rebuilt_by_stamp_agree_with_the_frames_own_touch(busy: World) -> None:
    """The per-level rule of section 3.5 gives the touch that the frame itself states."""
    up = busy.entry().market.identity.up_token
    levels: dict[tuple[str, str], tuple[int, float]] = {}
    agree = total = 0
    for event in busy.events("c"):
        stamp = int(event["timestamp"])
        if event["event_type"] == "book" and event["asset_id"] == up:
            fresh = {
                (side, row["price"]): float(row["size"])
                for side, name in (("BUY", "bids"), ("SELL", "asks"))
                for row in event[name]
            }
            for key in {**levels, **dict.fromkeys(fresh)}:
                if key not in levels or levels[key][0] <= stamp:
                    levels[key] = (stamp, fresh.get(key, 0.0))
        elif event["event_type"] == "price_change":
            change = event["price_changes"][0]
            key = (change["side"], change["price"])
            if key not in levels or levels[key][0] <= stamp:
                levels[key] = (stamp, float(change["size"]))
            bids = [float(p) for (side, p), (_, size) in levels.items() if side == "BUY" and size]
            asks = [float(p) for (side, p), (_, size) in levels.items() if side == "SELL" and size]
            agree += max(bids, default=0.0) == float(change["best_bid"])
            agree += min(asks, default=1.0) == float(change["best_ask"])
            total += 2
    assert agree / total > 0.999  # 6,933 of 6,937 in the capture


def test_the_rebuilt_book_equals_rest_in_the_end(busy: World) -> None:
    up = busy.entry().market.identity.up_token
    levels: dict[tuple[str, str], tuple[int, str]] = {}
    for event in busy.events("c"):
        stamp = int(event["timestamp"])
        if event["event_type"] == "price_change":
            change = event["price_changes"][0]
            key = (change["side"], change["price"])
            if levels.get(key, (0, ""))[0] <= stamp:
                levels[key] = (stamp, change["size"])
        elif event["event_type"] == "book" and event["asset_id"] == up:
            rows = {("BUY", r["price"]): r["size"] for r in event["bids"]}
            rows |= {("SELL", r["price"]): r["size"] for r in event["asks"]}
            for key in {**levels, **dict.fromkeys(rows)}:
                if levels.get(key, (0, ""))[0] <= stamp:
                    levels[key] = (stamp, rows.get(key, "0"))
    book = busy.ask("GET", "/book", query=f"token_id={up}")
    expected = {("BUY", r["price"]): r["size"] for r in book["bids"]}
    expected |= {("SELL", r["price"]): r["size"] for r in book["asks"]}
    mine = {key: size for key, (_, size) in levels.items() if size != "0"}
    different = {k for k in {**mine, **expected} if mine.get(k) != expected.get(k)}
    assert len(different) <= 3  # what is still on its way


def test_a_trade_is_told_on_one_token_and_both_books_follow_with_its_hash(busy: World) -> None:
    events = busy.events("c")
    hashes = {
        change["hash"]
        for event in events
        if event["event_type"] == "price_change"
        for change in event["price_changes"]
    }
    books = [e for e in events[2:] if e["event_type"] == "book"]
    assert books
    assert all("min_order_size" not in book for book in books)
    assert sum(book["hash"] in hashes for book in books) / len(books) > 0.95
    trade = next(e for e in events if e["event_type"] == "last_trade_price")
    assert trade["fee_rate_bps"] == "1000"
    assert len(trade["transaction_hash"]) == 66


def test_shapes_equal_the_captured_ones(busy: World, shared_data: Path) -> None:
    path = next((shared_data / "ws/polymarket/alihakanvesca").glob("*.jsonl.gz"))
    captured: dict[str, dict[str, Any]] = {}
    with gzip.open(path, "rt") as lines:
        for line in lines:
            payload = json.loads(line)["payload"]
            captured.setdefault(payload["event_type"], payload)
    ours = {e["event_type"]: e for e in busy.events("c")[2:]}
    for kind in KINDS:
        # Four of 88 captured books carry the tick and the last trade, the others do not.
        optional = {"tick_size", "last_trade_price"} if kind == "book" else set()
        assert set(ours[kind]) == set(captured[kind]) - optional
        for key in ours[kind]:
            assert type(ours[kind][key]) is type(captured[kind][key])
    change = captured["price_change"]["price_changes"][0]
    assert set(ours["price_change"]["price_changes"][0]) == set(change)


def test_only_what_was_asked_for_is_sent() -> None:
    world = World(rate_scale=1.0)
    tokens = world.entry().market.identity.tokens
    world.listen_market("plain", tokens[:1], custom=False)
    world.run(10)
    events = world.events("plain")
    assert not any(e["event_type"] == "best_bid_ask" for e in events)
    per_token = [e for e in events if e["event_type"] in ("book", "last_trade_price")]
    assert {e["asset_id"] for e in per_token} == {tokens[0]}


def test_ping_pong_and_what_is_invalid() -> None:
    world = World()
    tokens = list(world.entry().market.identity.tokens)
    world.listen_market("c", tokens)
    world.say("c", "PING")
    assert world.texts("c")[-1] == "PONG"
    again: object = {"type": "market", "assets_ids": tokens}
    for bad in (again, "nonsense", {"operation": "dance"}, []):
        world.say("c", bad)
        assert world.texts("c")[-1] == "INVALID OPERATION"
    world.say("c", {"operation": "unsubscribe", "assets_ids": tokens})
    before = len(world.texts("c"))
    world.run(2)
    assert len(world.texts("c")) == before
    world.say("c", {"operation": "subscribe", "assets_ids": tokens})
    assert len(json.loads(world.texts("c")[-1])) == 2


def test_a_ping_before_the_subscription_ends_the_socket() -> None:
    world = World()
    assert world.poly.connect("c", "/ws/market", (), world.now_ns) == 101
    world.say("c", "PING")
    last = world.heard["c"][-1]
    assert (last.frame, last.code) == (Frame.CLOSE, 1008)
    assert world.poly.connect("d", "/ws/other", (), world.now_ns) == 404


def test_initial_dump_can_be_declined() -> None:
    world = World()
    assert world.poly.connect("c", "/ws/market", (), world.now_ns) == 101
    tokens = list(world.entry().market.identity.tokens)
    world.say("c", {"type": "market", "assets_ids": tokens, "initial_dump": False})
    assert world.texts("c") == []


def test_windows_roll_and_are_announced_and_resolved() -> None:
    world = World(at_s=START_S + 280, resolve_scale=0.2)
    ended = world.entry().market
    world.listen_market("c", ended.identity.tokens)
    world.run(60, 0.2)
    events = world.events("c")
    listed = [e for e in events if e["event_type"] == "new_market"]
    assert [e["slug"] for e in listed] == [f"btc-updown-5m-{START_S + 900}"]
    assert listed[0]["fee_schedule"]["rate"] == "0.07"
    over = [e for e in events if e["event_type"] == "market_resolved"]
    assert len(over) == 1
    winner = over[0]["winning_outcome"]
    assert over[0]["winning_asset_id"] == ended.identity.tokens[["Up", "Down"].index(winner)]
    oracle = world.venues.oracles["btc"]
    up_won = oracle.twap_e18(START_S + 300) >= oracle.twap_e18(START_S)
    assert winner == ("Up" if up_won else "Down")


def edge_world() -> tuple[World, list[dict[str, Any]]]:
    """The first seed whose window leaves 0.04..0.96 while somebody listens."""
    for seed in range(1, 12):
        world = World(seed=seed, at_s=START_S + 200)
        world.listen_market("c", world.entry().market.identity.tokens)
        world.run(95, 0.25)
        events = world.events("c")
        if any(e["event_type"] == "tick_size_change" for e in events):
            return world, events
    raise AssertionError("no window of twelve came near its edge")


def test_the_tick_gets_finer_at_the_edge_and_a_book_follows() -> None:
    world, events = edge_world()
    changes = [i for i, e in enumerate(events) if e["event_type"] == "tick_size_change"]
    first = events[changes[0]]
    assert (first["old_tick_size"], first["new_tick_size"]) == ("0.01", "0.001")
    assert len(changes) == 2
    after = [e for e in events[changes[0] :] if e["event_type"] == "book"][:2]
    assert [book["tick_size"] for book in after] == ["0.001", "0.001"]
    tick = world.ask("GET", "/tick-size", query=f"token_id={first['asset_id']}")
    assert tick == {"minimum_tick_size": 0.001}

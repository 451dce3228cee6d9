"""A recording as venues in virtual time: discovery, sockets, orders on its book, the end."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from dailyarb.core.domain.market import Side
from dailyarb.core.domain.orders import TIF
from dailyarb.sim.recordings import RecordingError
from dailyarb.sim.replay_markets import (
    DOUBT_DAYS,
    DOUBT_NO_REFERENCE,
    DOUBT_SETTLING,
    DOUBT_TOKEN,
)
from dailyarb.sim.replay_stage import STATUS_PATH, ReplayProfile, ReplayVenues
from dailyarb.sim.types import Delivery, Frame, Held, Reply, Request
from tests.replay_client import ReplayClient

DATA = Path(__file__).resolve().parent.parent / "data"
WINDOW = DATA / "btc-updown-5m-1776255900.book_frames.jsonl.zst"
SPOT = DATA / "btcusdt_20240808.60s.txt.zst"
NOW = 1_790_000_000 * 10**9
SECOND = 10**9


class Stage:
    """Is a replay with one listener on every socket, driven in virtual time."""

    def __init__(self, path: str, speed: float = 1.0) -> None:
        self.venues = ReplayVenues(ReplayProfile(path, speed, lead_in_s=1.0), NOW)
        self.client = ReplayClient(self.venues.credentials)
        self.now_ns = NOW
        self.market = self.venues.hall.entries()[0].market
        self.heard: dict[str, list[Delivery]] = {"m": [], "u": [], "b": [], "s": []}

    @property
    def now_s(self) -> int:
        return self.now_ns // SECOND

    def listen(self) -> None:
        venues, known = self.venues, self.venues.credentials
        auth = {"apiKey": known.api_key, "secret": known.secret, "passphrase": known.passphrase}
        assert venues.orders.connect("m", "/ws/market", (), self.now_ns) == 101
        assert venues.orders.connect("u", "/ws/user", (), self.now_ns) == 101
        assert venues.binance.connect("b", "/stream", (("streams", "btcusdt@trade"),), NOW) == 101
        assert venues.settlement.connect("s", "/ws", (), self.now_ns) == 101
        first = {"type": "market", "assets_ids": list(self.market.identity.tokens)}
        self.say("m", {**first, "custom_feature_enabled": True})
        self.say("u", {"type": "user", "auth": auth})
        venues.settlement.receive("s", json.dumps({"op": "auth", "rid": "a", "auth": auth}), NOW)
        wanted = [
            {"channel": "price.crypto.twap", "filter": {"symbol": name, "window_seconds": 60}}
            for name in ("ethusd", "btcusd")
        ]
        op = {"op": "subscribe", "rid": "s", "subscriptions": wanted}
        venues.settlement.receive("s", json.dumps(op), NOW)

    def say(self, conn_id: str, body: dict[str, Any]) -> None:
        self.venues.orders.receive(conn_id, json.dumps(body), self.now_ns)

    def run(self, seconds: float) -> None:
        """Advances in steps of 10 ms, as a driver would."""
        until = self.now_ns + int(seconds * SECOND)
        while self.now_ns < until:
            self.now_ns = min(until, self.now_ns + 10**7)
            for model in (self.venues.orders, self.venues.binance, self.venues.settlement):
                for delivery in model.advance(self.now_ns):
                    self.heard[delivery.channel].append(delivery)

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Sends a request and waits for its end."""
        request = self.client.request(method, path, body, self.now_s)
        answer = self.venues.orders.request(request, self.now_ns)
        if isinstance(answer, Held):
            self.run((answer.due_ns - self.now_ns) / SECOND)
            answer = self.venues.orders.answer(answer.ticket)
        return answer.status, json.loads(answer.body)

    def frames(self, conn_id: str, kind: str) -> list[dict[str, Any]]:
        texts = [json.loads(d.payload) for d in self.heard[conn_id] if d.frame is Frame.TEXT]
        return [
            item
            for text in texts
            for item in (text if isinstance(text, list) else [text])
            if kind in (item.get("event_type"), item.get("channel"), item.get("stream"))
        ]


@pytest.fixture(scope="module")
def whole() -> Stage:
    """Gives a stage that played one window with Binance of another day to its end."""
    stage = Stage(f"{WINDOW}+{SPOT}")
    stage.listen()
    stage.run(3.0)
    top = stage.market.recorded
    up = stage.market.identity.up_token
    cash = -(-top.ask_e4 * 20 * 100 // 10_000) * 10_000
    order_id, body = stage.client.order(up, Side.BUY, (cash, 20_000_000), stage.now_s, TIF.FAK)
    stage.bought = stage.ask("POST", "/order", body)  # type: ignore[attr-defined]
    stage.order_id = order_id  # type: ignore[attr-defined]
    stage.run(320.0)
    return stage


def test_discovery_lists_the_recorded_window_with_its_times_carried_over() -> None:
    stage = Stage(str(WINDOW))
    reply = stage.venues.orders.discover(Request("GET", "/markets"), NOW)
    (market,) = json.loads(reply.body)
    begin_s = stage.venues.play.begin_ns / SECOND
    assert market["slug"] == "btc-updown-5m-1776255900"
    assert json.loads(market["outcomes"]) == ["Up", "Down"]
    (window,) = stage.venues.windows()
    assert window["end_s"] - window["start_s"] == 300
    assert begin_s - 6 < window["start_s"] < begin_s
    by_slug = stage.venues.orders.discover(Request("GET", f"/markets/slug/{market['slug']}"), NOW)
    assert json.loads(by_slug.body)["conditionId"] == market["conditionId"]


def test_every_frame_is_served_and_the_unrecorded_token_is_mirrored(whole: Stage) -> None:
    up, down = whole.market.identity.tokens
    books = whole.frames("m", "book")
    assert [book["asset_id"] for book in books].count(up) == 2_554
    assert [book["asset_id"] for book in books].count(down) == 2_554
    one, other = books[-2], books[-1]
    assert [(round(1 - float(r["price"]), 4), r["size"]) for r in one["bids"]] == [
        (float(r["price"]), r["size"]) for r in other["asks"]
    ]
    counts = whole.venues.hall.counts.to_dict()
    assert counts == {"frames": 2_554, "derived": 2_554, "unknown": 0, "unreadable": 0}
    assert len(whole.frames("b", "btcusdt@trade")) > 100


def test_an_order_meets_the_recorded_book_and_its_fate_is_told(whole: Stage) -> None:
    status, answer = whole.bought  # type: ignore[attr-defined]
    assert (status, answer["status"], answer["orderID"]) == (200, "matched", whole.order_id)  # type: ignore[attr-defined]
    states = [event["status"] for event in whole.frames("u", "trade")]
    assert states == sorted(states, key=["MATCHED", "MINED", "CONFIRMED"].index)
    assert {"MATCHED", "MINED", "CONFIRMED"} == set(states)


def test_the_window_is_resolved_by_its_last_book_and_winners_are_paid(whole: Stage) -> None:
    (resolved,) = whole.frames("m", "market_resolved")
    assert resolved["winning_outcome"] == "Up"  # the last book stands at 0.99
    paid = Fraction(whole.bought[1]["makingAmount"])  # type: ignore[attr-defined]
    size = Fraction(whole.bought[1]["takingAmount"])  # type: ignore[attr-defined]
    fees = whole.venues.ledger.fees
    assert fees > 0
    assert whole.venues.account.cash == 1_000 - paid - fees + size
    assert whole.venues.ledger.total() == 1_000


def test_the_end_is_polite_and_visible(whole: Stage) -> None:
    assert whole.venues.ended
    assert whole.heard["m"][-1].at_ns - whole.venues.ended_ns >= 5 * SECOND  # time to be seen
    for name in ("m", "u", "b"):
        assert whole.heard[name][-1].frame is Frame.CLOSE
        assert whole.heard[name][-1].code == 1000
    assert whole.venues.orders.connect("late", "/ws/market", (), whole.now_ns) == 503
    assert whole.venues.binance.connect("late", "/ws", (), whole.now_ns) == 503
    reply = whole.venues.orders.request(Request("GET", STATUS_PATH), whole.now_ns)
    assert isinstance(reply, Reply)
    status = json.loads(reply.body)
    assert (status["ended"], status["frames"]["binance"], status["damage"]) == (True, 7_340, "")


def test_what_means_nothing_is_said(whole: Stage) -> None:
    assert whole.venues.meaningless == [DOUBT_TOKEN, DOUBT_DAYS, DOUBT_SETTLING]
    assert Stage(str(WINDOW)).venues.meaningless == [DOUBT_TOKEN, DOUBT_NO_REFERENCE]
    assert WINDOW.name in whole.venues.describe()
    assert DOUBT_DAYS in whole.venues.describe()


def test_the_settling_feed_is_a_stand_in_or_silent(whole: Stage) -> None:
    nothing, *values = whole.frames("s", "price.crypto.twap")
    assert nothing["payload"] == {"symbol": "ethusd", "data": []}
    assert values[0]["snapshot"] is True
    assert len(values[0]["payload"]["data"]) > 100
    assert 61_000 < float(values[-1]["payload"]["full_accuracy_value"]) < 62_500
    quiet = Stage(str(WINDOW))
    quiet.listen()
    quiet.run(10.0)
    said = [frame["payload"] for frame in quiet.frames("s", "price.crypto.twap")]
    assert said == [{"symbol": name, "data": []} for name in ("ethusd", "btcusd")]


def test_no_snapshot_before_the_first_recorded_book_and_a_whole_one_after() -> None:
    stage = Stage(str(WINDOW))
    stage.listen()
    stage.run(0.5)
    assert stage.frames("m", "book") == []
    stage.run(5.0)
    stage.heard["m"].clear()
    stage.venues.orders.connect("x", "/ws/market", (), stage.now_ns)
    stage.heard["x"] = []
    stage.say("x", {"type": "market", "assets_ids": list(stage.market.identity.tokens)})
    stage.run(0.01)
    first = json.loads(stage.heard["x"][0].payload)
    assert [book["asset_id"] for book in first] == list(stage.market.identity.tokens)
    assert len(first[0]["bids"]) == len(stage.market.recorded.crowd[0])


def test_a_resting_order_waits_behind_the_shown_queue_and_can_be_cancelled() -> None:
    stage = Stage(str(WINDOW))
    stage.listen()
    stage.run(5.0)
    up = stage.market.identity.up_token
    bid_e4 = stage.market.recorded.bid_e4 - 1_000
    order_id, body = stage.client.order(
        up, Side.BUY, (bid_e4 * 1_000, 10_000_000), stage.now_s, post_only=True
    )
    status, answer = stage.ask("POST", "/order", body)
    assert (status, answer["status"]) == (200, "live")
    assert [row["id"] for row in stage.ask("GET", "/data/orders")[1]["data"]] == [order_id]
    again, refused = stage.ask("POST", "/order", body)
    assert again == 400
    assert "Duplicated" in refused["error"]
    gone = stage.ask("DELETE", "/order", {"orderID": order_id})[1]
    assert gone == {"canceled": [order_id], "not_canceled": {}}
    assert stage.ask("DELETE", "/order", {"orderID": order_id})[1]["canceled"] == []
    kinds = [event["type"] for event in stage.frames("u", "order")]
    stage.run(0.01)
    kinds = [event["type"] for event in stage.frames("u", "order")]
    assert kinds == ["PLACEMENT", "CANCELLATION"]


def test_the_venue_refuses_in_its_own_words() -> None:
    stage = Stage(str(WINDOW))
    stage.run(5.0)
    up = stage.market.identity.up_token
    far = (5_000_000_000, 10_000_000_000)
    cases = [
        (stage.client.order(up, Side.BUY, far, stage.now_s), "not enough balance"),
        (stage.client.order(up, Side.BUY, (455_000, 10_000_000), stage.now_s), "tick size rule"),
        (stage.client.order(up, Side.BUY, (900_000, 2_000_000), stage.now_s), "minimum: 5"),
        (stage.client.order(up, Side.SELL, (10_000_000, 100_000), stage.now_s), "not enough"),
        (
            stage.client.order(up, Side.BUY, (9_900_000, 10_000_000), stage.now_s, post_only=True),
            "crosses book",
        ),
        (
            stage.client.order(up, Side.BUY, (1_000_000, 100_000_000), stage.now_s, TIF.FAK),
            "no orders found to match with FAK",
        ),
        (
            stage.client.order(up, Side.BUY, (990_000_000, 1_000_000_000), stage.now_s, TIF.FOK),
            "FOK orders are fully filled or killed",
        ),
    ]
    book = stage.market.recorded
    thin = sum(size for price, size in book.levels(0, 1, 99) if price <= 9_900) < 1_000_000_000
    for (_, body), words in cases if thin else cases[:-1]:
        status, answer = stage.ask("POST", "/order", body)
        assert status == 400, answer
        assert words in answer["error"]


def test_the_same_recording_and_seed_give_the_same_deliveries() -> None:
    def digest() -> list[tuple[int, bytes]]:
        stage = Stage(str(WINDOW), speed=20.0)
        stage.listen()
        stage.run(4.0)
        return [(d.at_ns, d.payload) for d in stage.heard["m"]]

    assert digest() == digest()


def test_a_capture_needs_its_markets_beside_it(tmp_path: Path) -> None:
    frame = {"event_type": "book", "timestamp": "1776808414710", "market": "0x1"}
    file = tmp_path / "capture.jsonl"
    file.write_text(json.dumps({"capturedAt": 1776808414, "payload": frame}) + "\n")
    with pytest.raises(RecordingError, match=r"needs markets\.json beside it"):
        ReplayVenues(ReplayProfile(str(file)), NOW)
    (tmp_path / "markets.json").write_text('[{"slug": "btc-updown-5m-1776808200"}]')
    with pytest.raises(RecordingError, match="without conditionId, upTokenId, downTokenId"):
        ReplayVenues(ReplayProfile(str(file)), NOW)


def test_the_tick_that_a_recorded_book_changed_to_is_announced() -> None:
    stage = Stage(str(WINDOW))
    stage.listen()
    stage.run(3.0)
    rows = [{"price": "0.001", "size": "5"}]
    event = {
        "event_type": "book",
        "market": stage.market.facts.market_id,
        "asset_id": stage.market.identity.up_token,
        "timestamp": str(stage.now_ns // 10**6),
        "bids": rows,
        "asks": [],
        "tick_size": "0.001",
    }
    stage.venues.hall.play(json.dumps(event).encode(), event, stage.now_ns, lambda *_: None)
    stage.run(0.01)
    ticks = stage.frames("m", "tick_size_change")
    assert [(t["old_tick_size"], t["new_tick_size"]) for t in ticks] == [("0.01", "0.001")] * 2

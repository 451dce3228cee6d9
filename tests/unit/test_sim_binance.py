"""The simulated spot exchange against binance.md, sections 2 to 4."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from dailyarb.sim.binance import BinanceModel
from dailyarb.sim.reference import ASSETS, Reference
from dailyarb.sim.types import NS_PER_MS, NS_PER_S, Delivery, Frame, Reply, Request

T0 = 1_779_984_030 * NS_PER_S
ALL = "btcusdt@bookTicker/btcusdt@trade/btcusdt@depth@100ms/btcusdt@aggTrade"


class Desk:
    def __init__(self, rate: float = 1.0) -> None:
        path = Reference(ASSETS["btc"], random.Random(1), T0 - 3600 * NS_PER_S)
        self.model = BinanceModel({"btc": path}, random.Random(2), T0, rate)
        self.now = T0

    def open(self, conn_id: str, path: str, *query: tuple[str, str]) -> int:
        return self.model.connect(conn_id, path, query, self.now)

    def run(self, seconds: float) -> list[Delivery]:
        self.now += int(seconds * NS_PER_S)
        return self.model.advance(self.now)

    def get(self, path: str, *query: tuple[str, str], **headers: str) -> tuple[int, Any]:
        reply = self.model.request(Request("GET", path, query, headers), self.now)
        assert isinstance(reply, Reply)
        return reply.status, json.loads(reply.body)


def payloads(out: list[Delivery]) -> list[dict[str, Any]]:
    return [json.loads(d.payload) for d in out if d.frame is Frame.TEXT]


def test_combined_streams_are_wrapped_and_complete() -> None:
    desk = Desk()
    assert desk.open("c", "/stream", ("streams", ALL)) == 101
    seen: dict[str, dict[str, Any]] = {}
    for event in payloads(desk.run(3)):
        assert set(event) == {"stream", "data"}
        seen[event["stream"]] = event["data"]
    assert set(seen["btcusdt@bookTicker"]) == {"u", "s", "b", "B", "a", "A"}
    assert list(seen["btcusdt@trade"]) == ["e", "E", "s", "t", "p", "q", "T", "m", "M"]
    assert list(seen["btcusdt@depth@100ms"]) == ["e", "E", "s", "U", "u", "b", "a"]
    assert seen["btcusdt@aggTrade"]["f"] <= seen["btcusdt@aggTrade"]["l"]
    assert seen["btcusdt@trade"]["E"] - seen["btcusdt@trade"]["T"] == 1


def test_raw_streams_by_path_are_bare() -> None:
    desk = Desk()
    assert desk.open("c", "/ws/btcusdt@bookTicker/btcusdt@trade") == 101
    assert all("stream" not in event for event in payloads(desk.run(1)))


def test_microseconds_on_request_for_the_whole_connection() -> None:
    desk = Desk()
    desk.open("c", "/stream", ("streams", "btcusdt@trade"), ("timeUnit", "MICROSECOND"))
    trade = payloads(desk.run(1))[0]["data"]
    assert trade["E"] > 10**15
    assert trade["E"] - trade["T"] == 1000


def test_update_ids_grow_and_lie_inside_their_depth_event() -> None:
    desk = Desk()
    desk.open("c", "/stream", ("streams", ALL))
    last, tickers = 0, list[int]()
    first_depth = True
    for event in payloads(desk.run(5)):
        data = event["data"]
        if event["stream"].endswith("bookTicker"):
            assert data["u"] > (tickers[-1] if tickers else 0)
            tickers.append(data["u"])
        elif data.get("e") == "depthUpdate":
            if not first_depth:
                assert data["U"] == last + 1
                assert all(data["U"] <= u <= data["u"] for u in tickers)
            tickers, last, first_depth = [], data["u"], False
    assert last > 0


def test_trade_ids_have_no_gap_and_prices_stand_at_the_touch() -> None:
    desk = Desk()
    desk.open("c", "/stream", ("streams", "btcusdt@trade"))
    trades = [event["data"] for event in payloads(desk.run(5))]
    ids = [trade["t"] for trade in trades]
    assert ids == list(range(ids[0], ids[0] + len(ids)))


def test_a_local_book_built_by_the_rules_equals_the_exchange() -> None:
    desk = Desk()
    desk.open("c", "/ws/btcusdt@depth@100ms")
    events = payloads(desk.run(1))
    _, snapshot = desk.get("/api/v3/depth", ("symbol", "BTCUSDT"), ("limit", "5000"))
    events += payloads(desk.run(2))
    sides = {"b": dict(snapshot["bids"]), "a": dict(snapshot["asks"])}
    for event in [e for e in events if e["u"] > snapshot["lastUpdateId"]]:
        for name, levels in sides.items():
            for price, size in event[name]:
                levels[price] = size
                if float(size) == 0.0:
                    del levels[price]
    _, after = desk.get("/api/v3/depth", ("symbol", "BTCUSDT"), ("limit", "5000"))
    assert sides == {"b": dict(after["bids"]), "a": dict(after["asks"])}
    assert max(map(float, sides["b"])) < min(map(float, sides["a"]))


def test_commands_and_their_answers() -> None:
    desk = Desk()
    desk.open("c", "/ws")
    commands: list[tuple[object, object]] = [
        ({"method": "SUBSCRIBE", "params": ["btcusdt@trade"], "id": 1}, {"result": None, "id": 1}),
        ({"method": "LIST_SUBSCRIPTIONS", "id": 3}, {"result": ["btcusdt@trade"], "id": 3}),
        (
            {"method": "UNSUBSCRIBE", "params": ["btcusdt@trade"], "id": 2},
            {"result": None, "id": 2},
        ),
        ({"method": "SUBSCRIBE", "params": ["nosuch@trad"], "id": 9}, {"result": None, "id": 9}),
    ]
    for command, expected in commands:
        desk.model.receive("c", json.dumps(command), desk.now)
        assert payloads(desk.model.advance(desk.now)) == [expected]
        desk.run(0.3)


@pytest.mark.parametrize(
    ("text", "code"),
    [("{", 3), ("[]", 2), ('{"method":"X","id":1}', 2),
     ('{"method":"SET_PROPERTY","params":["combined","yes"],"id":1}', 1)],
)  # fmt: skip
def test_bad_commands_are_named(text: str, code: int) -> None:
    desk = Desk()
    desk.open("c", "/ws")
    desk.model.receive("c", text, desk.now)
    assert payloads(desk.model.advance(desk.now))[0]["code"] == code


def test_the_sixth_message_within_a_second_ends_the_line() -> None:
    desk = Desk()
    desk.open("c", "/ws")
    for number in range(6):
        desk.model.receive("c", json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": number}), T0)
    last = desk.model.advance(T0)[-1]
    assert (last.frame, last.code) == (Frame.CLOSE, 1008)


def test_the_server_pings_every_twenty_seconds() -> None:
    desk = Desk(0.01)
    desk.open("c", "/ws")
    pings = [d for d in desk.run(61) if d.frame is Frame.PING]
    assert [(d.at_ns - T0) // NS_PER_S for d in pings] == [20, 40, 60]


def test_rates_are_the_recorded_ones() -> None:
    desk = Desk(1.0)
    desk.open("c", "/stream", ("streams", ALL))
    count: dict[str, int] = {}
    for event in payloads(desk.run(20)):
        count[event["stream"]] = count.get(event["stream"], 0) + 1
    assert 70 <= count["btcusdt@bookTicker"] / 20 <= 105
    assert 22 <= count["btcusdt@trade"] / 20 <= 34
    assert count["btcusdt@depth@100ms"] == 200


def test_unknown_paths_are_refused() -> None:
    assert Desk().open("c", "/nowhere") == 404


def test_time_klines_touch_and_symbols() -> None:
    desk = Desk()
    assert desk.get("/api/v3/time") == (200, {"serverTime": T0 // NS_PER_MS})
    hour_ms = T0 // NS_PER_MS // 3_600_000 * 3_600_000
    status, rows = desk.get(
        "/api/v3/klines", ("symbol", "BTCUSDT"), ("interval", "1h"),
        ("startTime", str(hour_ms)), ("limit", "1"),
    )  # fmt: skip
    assert status == 200
    assert rows[0][0] == hour_ms
    assert rows[0][6] == hour_ms + 3_599_999
    assert float(rows[0][3]) <= float(rows[0][1]) <= float(rows[0][2])
    _, touch = desk.get("/api/v3/ticker/bookTicker", ("symbol", "BTCUSDT"))
    assert float(touch["bidPrice"]) < float(touch["askPrice"])
    _, info = desk.get("/api/v3/exchangeInfo")
    assert info["symbols"][0]["status"] == "TRADING"


@pytest.mark.parametrize(
    ("path", "query", "status", "code"),
    [
        ("/api/v3/depth", (("symbol", "NOPE"),), 400, -1121),
        ("/api/v3/klines", (("symbol", "BTCUSDT"), ("interval", "7y")), 400, -1120),
        ("/api/v3/klines", (("symbol", "BTCUSDT"), ("interval", "1m"), ("limit", "x")), 400, -1100),
        ("/api/v3/nothing", (), 404, -1000),
    ],
)
def test_bad_requests_are_named(
    path: str, query: tuple[tuple[str, str], ...], status: int, code: int
) -> None:
    got, body = Desk().get(path, *query)
    assert (got, body["code"]) == (status, code)


def test_silence_stops_data_only() -> None:
    desk = Desk()
    desk.open("c", "/stream", ("streams", ALL))
    desk.model.silent = True
    assert payloads(desk.run(2)) == []
    desk.model.receive("c", '{"method":"LIST_SUBSCRIPTIONS","id":1}', desk.now)
    assert len(desk.model.advance(desk.now)) == 1


def test_a_violent_second_is_quoted_at_once_however_calm_the_rates() -> None:
    desk = Desk(0.01)
    desk.open("c", "/ws/btcusdt@bookTicker")
    path = desk.model._books["btcusdt"].reference
    worst = 0.0
    for _ in range(600):
        desk.run(0.1)
        book = desk.model._books["btcusdt"]
        seen = path.mid(desk.now - 60 * NS_PER_MS) * 100
        middle = min(max(seen, book.bid_cents), book.ask_cents)
        worst = max(worst, abs(seen - middle) / seen)
    assert worst < 3e-4

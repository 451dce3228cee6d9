"""REST answers, the settling feed, rare frames, Binance's clock and candles."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dailyarb.core.domain.errors import FrameFault
from dailyarb.core.domain.events import (
    CancelResult,
    LegOutcome,
    OpenOrder,
    Resolved,
    SettlementPrice,
)
from dailyarb.core.domain.market import Outcome, Side
from dailyarb.core.domain.orders import TIF
from dailyarb.venues.binance import codec as binance
from dailyarb.venues.polymarket import answers, codec

A, B = "0x" + "a" * 64, "0x" + "b" * 64


def test_a_page_is_read_with_its_cursor() -> None:
    assert answers.page(b'{"data":[1],"next_cursor":"Mg=="}') == ([1], "Mg==")
    assert answers.page(b'{"data":[],"next_cursor":"LTE="}') == ([], answers.CURSOR_END)
    assert answers.page(b"[]") == ([], answers.CURSOR_END)


@pytest.mark.parametrize("raw", [b"", b"{}", b'{"next_cursor":"x"}', b'{"data":7}', b"<html>"])
def test_a_damaged_page_never_looks_like_zero_rows(raw: bytes) -> None:
    with pytest.raises(FrameFault):
        answers.page(raw)


def test_open_orders_are_read_by_label_or_catalogue() -> None:
    row = {"id": A, "status": "LIVE", "market": "0xm", "original_size": "100.0000",
           "outcome": "Yes", "price": "0.5000", "side": "BUY", "size_matched": "25.0000",
           "asset_id": "71", "expiration": None, "created_at": 1703875200}  # fmt: skip
    expected = OpenOrder(A, "0xm", Outcome.UP, Side.BUY, 5_000, 100_000_000, 25_000_000)
    assert answers.open_order(row, {}) == expected
    assert answers.open_order(row, {"71": Outcome.DOWN}).outcome is Outcome.DOWN


def test_an_order_that_is_not_active_is_none_not_a_fault() -> None:
    assert answers.one_order(b"null") is None
    assert answers.one_order(b"{}") is None
    assert answers.one_order(b'{"error":"order not found"}') is None
    with pytest.raises(FrameFault):
        answers.one_order(b'{"id":"0x1"}')


def test_the_top_of_a_book_whatever_the_order_of_its_levels() -> None:
    body = {"asset_id": "71", "bids": [{"price": "0.13", "size": "262.1"},
            {"price": "0.01", "size": "12902.69"}], "asks": [{"price": "0.14", "size": "1"},
            {"price": "0.99", "size": "2"}]}  # fmt: skip
    assert answers.top_of_book(json.dumps(body).encode()) == (1_300, 1_400)
    assert answers.top_of_book(b'{"asset_id":"71","bids":[],"asks":null}') == (0, 10_000)


def test_balances_and_the_venues_clock_are_exact() -> None:
    assert answers.balance_e6(b'{"balance":"1000000000","allowances":{}}') == 1_000_000_000
    assert answers.balance_e6(b'{"balance":17}') == 17
    assert answers.server_seconds(b"1700000000") == 1_700_000_000
    for raw in (b"true", b"{}", b'"soon"'):
        with pytest.raises(FrameFault):
            answers.server_seconds(raw)


def test_cancels_speak_for_each_order() -> None:
    raw = json.dumps({"canceled": [A], "not_canceled": {B: "already canceled or matched"}})
    assert answers.judge_cancel(200, raw.encode(), 5, False) == CancelResult(
        5, (A,), ((B, "already canceled or matched"),)
    )
    for status, body in ((200, b""), (200, b"{}"), (500, raw.encode()), (200, b'{"canceled":7}')):
        assert not answers.judge_cancel(status, body, 5, False).proven


KEYS = ["orderID", "status", "success", "errorMsg", "error"]
_bodies = st.binary(max_size=120) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from([A, B, "live", "matched", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner),
    max_leaves=8,
).map(lambda found: json.dumps(found).encode())


@given(st.sampled_from([200, 201, 302, 400, 401, 403, 404, 408, 425, 429, 500, 503]), _bodies)
def test_every_order_gets_exactly_one_outcome(status: int, body: bytes) -> None:
    """Whatever comes back: each order once, and never better than its own id proves."""
    verdict = answers.judge_submit(status, {}, body, {A: TIF.GTC, B: TIF.FAK})
    assert [leg.order_id for leg in verdict.legs] == [A, B]
    good = (LegOutcome.RESTING, LegOutcome.MATCHED, LegOutcome.DELAYED)
    for leg in verdict.legs:
        assert leg.outcome is not LegOutcome.UNSENT
        if leg.outcome in good:
            assert (leg.order_id.encode() in body and status < 400) or status == 404


PRICE = {"v": 1, "channel": "price.crypto.twap", "seq": 17, "ts": 1,
         "payload": {"symbol": "btcusd", "value": 64997.81, "timestamp": 1786179814000,
                     "full_accuracy_value": "64997.812345678901234567"}}  # fmt: skip
ASSETS = {"btcusd": "btc"}


def bolt(frame: object) -> object:
    return codec.bolt_message(json.dumps(frame).encode(), ASSETS, 60, 9)


def test_settlement_values_keep_all_eighteen_decimals() -> None:
    price = SettlementPrice("btc", 64_997_812345678901234567, 1_786_179_814_000, 9, 60)
    assert bolt(PRICE) == codec.BoltPrices(17, 0, False, (price,))


def test_a_snapshot_brings_its_history() -> None:
    rows = [{"timestamp": t, "value": 1.5, "full_accuracy_value": "1.5"} for t in (1000, 2000)]
    frame = {**PRICE, "snapshot": True, "payload": {"symbol": "btcusd", "data": rows}}
    found = bolt(frame)
    assert isinstance(found, codec.BoltPrices) and found.snapshot
    assert [price.price_e18 for price in found.prices] == [1_500_000_000_000_000_000] * 2


def test_replies_foreign_symbols_and_damage() -> None:
    assert bolt({"op": "authed", "rid": "a1"}) == codec.BoltReply("authed", "a1", "")
    refused = bolt({"op": "error", "code": "auth_invalid", "rid": None})
    assert refused == codec.BoltReply("error", "", "auth_invalid")
    assert bolt({**PRICE, "payload": {"symbol": "dogeusd"}}) is None
    with pytest.raises(FrameFault):
        bolt({**PRICE, "payload": {"symbol": "btcusd", "value": 1.0}})


def test_rare_market_frames() -> None:
    frame = {"event_type": "market_resolved", "market": "0xm", "winning_outcome": "Down"}
    assert codec.rare_event(json.dumps(frame).encode()) == Resolved("0xm", 0)
    frame["winning_outcome"] = "Up"
    assert codec.rare_event(json.dumps(frame).encode()) == Resolved("0xm", 10_000)
    frame["winning_outcome"] = "Perhaps"
    with pytest.raises(FrameFault):
        codec.rare_event(json.dumps(frame).encode())
    new = {"event_type": "new_market", "slug": "btc-updown-5m-0", "market": "0xn"}
    assert codec.rare_event(json.dumps(new).encode()) == codec.NewMarket("btc-updown-5m-0", "0xn")
    assert codec.rare_event(b"{}") is None


def test_binance_clock_and_candles() -> None:
    assert binance.server_seconds(b'{"serverTime":1499827319559}') == 1_499_827_319.559
    row = [1000, "1.1", "2.2", "0.9", "1.5", "7", 1999, "1", 3, "1", "1", "0"]
    (candle,) = binance.candles(json.dumps([row]).encode())
    assert candle == binance.Candle(1000, 1999, 110_000_000, 220_000_000, 90_000_000, 150_000_000)
    for bad in ([[1000]], [[1000, "x", "1", "1", "1", "1", 1999]], {"code": -1121}):
        with pytest.raises(FrameFault):
            binance.candles(json.dumps(bad).encode())


def test_stored_rest_replies_decode(shared_data: Path) -> None:
    folder = shared_data / "rest" / "nautilus"
    order_id = json.loads((folder / "http_order_response_ok.json").read_bytes())["orderID"]
    for name, status, outcome in (
        ("http_order_response_ok", 200, LegOutcome.UNKNOWN),  # it lacks the status
        ("http_order_response_failed", 200, LegOutcome.REFUSED),
    ):
        raw = (folder / f"{name}.json").read_bytes()
        (leg,) = answers.judge_submit(status, {}, raw, {order_id: TIF.GTC}).legs
        assert leg.outcome is outcome
    for name in ("http_cancel_response_ok", "http_cancel_response_failed"):
        assert answers.judge_cancel(200, (folder / f"{name}.json").read_bytes(), 0, False).proven
    answers.open_order(json.loads((folder / "http_open_order.json").read_bytes()), {})
    found = answers.trade(json.loads((folder / "http_trade_report.json").read_bytes()))
    assert codec.trade_fills(found, codec.Ours("00000000-0000-0000-0000-000000000001", {}, ()), 0)


def test_stored_rare_market_frames_decode(shared_data: Path) -> None:
    seen = 0
    for path in sorted((shared_data / "ws/polymarket/jonahgrigoryan").glob("*clob.jsonl.gz")):
        for line in gzip.decompress(path.read_bytes()).splitlines():
            payload = json.loads(line)["payload"]
            if isinstance(payload, str) and "new_market" in payload:
                found = json.loads(payload)
                for frame in found if isinstance(found, list) else [found]:
                    event = codec.rare_event(json.dumps(frame).encode())
                    seen += isinstance(event, codec.NewMarket)
    assert seen > 0

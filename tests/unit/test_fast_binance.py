"""Binance decoder: raw and combined, both time units, exact numbers, every fault."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dailyarb._fast.binance import BinanceDecoder
from dailyarb.core.domain.errors import FrameFault
from tests.oracles import binance as oracle
from tests.oracles.frames import pack

GOLDEN = Path(__file__).parent.parent / "golden" / "binance_spot.jsonl"
QUOTE = {
    "u": 35346513501, "s": "ETHUSDT", "b": "2683.80000000", "B": "3.02920000",
    "a": "2683.81000000", "A": "31.43950000",
}  # fmt: skip
TRADE = {
    "e": "trade", "E": 1777365231712, "s": "BTCUSDT", "t": 6257533749, "p": "76871.05000000",
    "q": "0.00048000", "T": 1777365231711, "m": True, "M": True,
}  # fmt: skip
AGG = {
    "e": "aggTrade", "E": 2, "s": "BTCUSDT", "a": 12345, "p": "1.5", "q": "2", "f": 100, "l": 105,
    "T": 1, "m": False, "M": True,
}  # fmt: skip
DEPTH = {
    "e": "depthUpdate", "E": 1723161255308, "s": "BTCUSDT", "U": 50093239203, "u": 50093239207,
    "b": [["55653.87000000", "0.00000000"]], "a": [["61838.04", "0.32332"], ["61844.3", "1"]],
}  # fmt: skip
QUOTE_SAID = ("QUOTE", 35346513501, "ETHUSDT", 268380000000, 302920000, 268381000000, 3143950000)
TRADE_SAID = (
    "TRADE", "BTCUSDT", 6257533749, 7687105000000, 48000, 1777365231711 * 10**6,
    1777365231712 * 10**6, True,
)  # fmt: skip
DEPTH_SAID = (
    "DEPTH", "BTCUSDT", 50093239203, 50093239207, 1723161255308 * 10**6, [(5565387000000, 0)],
    [(6183804000000, 32332000), (6184430000000, 100000000)],
)  # fmt: skip


@pytest.fixture(params=[True, False], ids=["scan", "simdjson"])
def decoder(request: pytest.FixtureRequest) -> BinanceDecoder:
    """Gives a decoder with and without the hand scanner: both must say the same."""
    return BinanceDecoder(scan=request.param)


def combined(event: dict[str, Any], stream: str = "btcusdt@trade") -> bytes:
    return pack({"stream": stream, "data": event})


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (QUOTE, QUOTE_SAID),
        (TRADE, TRADE_SAID),
        (AGG, ("AGG", "BTCUSDT", 12345, 150000000, 200000000, 100, 105, 10**6, 2 * 10**6, False)),
        (DEPTH, DEPTH_SAID),
        ({"e": "serverShutdown", "E": 1770123456789}, ("SHUTDOWN", 1770123456789 * 10**6)),
        ({"e": "kline", "E": 1, "s": "X", "k": {"b": [1]}}, ("IGNORED", "kline")),
        ({"lastUpdateId": 160, "bids": [["1", "2"]], "asks": []}, ("IGNORED", "")),
    ],
)
def test_raw_and_combined_say_the_same(
    decoder: BinanceDecoder, event: dict[str, Any], said: tuple[Any, ...]
) -> None:
    assert decoder.decode(pack(event)) == said
    assert decoder.decode(combined(event)) == said
    assert decoder.decode(json.dumps(event, indent=1).encode()) == said
    turned = {"data": dict(reversed(event.items())), "stream": "x", "new": {"field": [1]}}
    assert decoder.decode(pack(turned)) == said
    assert decoder.faults == 0


def test_microseconds_become_nanoseconds() -> None:
    for scan in (True, False):
        said = BinanceDecoder(micros=True, scan=scan).decode(pack({**TRADE, "T": 7, "E": 9}))
        assert said[5:7] == (7_000, 9_000)


def test_answers_and_errors_carry_their_id(decoder: BinanceDecoder) -> None:
    assert decoder.decode(b'{"result":null,"id":1}') == ("RESULT", "1")
    assert decoder.decode(b'{"result":["btcusdt@trade"],"id":"abc"}') == ("RESULT", "abc")
    assert decoder.decode(b'{"code":2,"msg":"Invalid","id":null}') == ("ERROR", "")
    assert decoder.decode(b'{"error":{"code":2},"id":4}') == ("ERROR", "4")


def test_ignored_types_are_counted_by_name(decoder: BinanceDecoder) -> None:
    for number in range(40):
        decoder.decode(pack({"e": f"new{number}"}))
    decoder.decode(b'{"stream":"!ticker@arr","data":[]}')
    assert decoder.ignored == 41
    assert len(decoder.unknown_types) == 33 and decoder.unknown_types["other"] == 9


@pytest.mark.parametrize(
    ("event", "key", "value", "kind"),
    [
        (QUOTE, "b", "NaN", "number"), (QUOTE, "b", "1e3", "number"), (QUOTE, "b", None, "type"),
        (QUOTE, "b", "1.000000001", "scale"), (QUOTE, "B", "-1", "range"), (QUOTE, "A", [], "type"),
        (QUOTE, "a", "1000000000.1", "range"), (QUOTE, "u", -1, "range"),
        (QUOTE, "u", 1.5, "scale"),
        (QUOTE, "s", 5, "type"), (QUOTE, "u", 10**30, "range"), (TRADE, "m", "true", "type"),
        (TRADE, "m", 1, "type"), (TRADE, "T", 10**14, "range"), (TRADE, "p", "", "number"),
        (TRADE, "e", 5, "type"), (DEPTH, "b", {}, "type"), (DEPTH, "b", [["1"]], "type"),
        (DEPTH, "a", [["1", "2", "3"]], "type"), (DEPTH, "a", [1], "type"),
        (DEPTH, "a", "1", "type"),
        (DEPTH, "a", [["1", "x"]], "number"), (AGG, "a", "1.5", "scale"),
    ],
)  # fmt: skip
def test_a_bad_field_is_named(
    decoder: BinanceDecoder, event: dict[str, Any], key: str, value: object, kind: str
) -> None:
    for frame in (pack({**event, key: value}), combined({**event, key: value})):
        with pytest.raises(FrameFault) as caught:
            decoder.decode(frame)
        assert (caught.value.kind, caught.value.size) == (kind, len(frame))


@pytest.mark.parametrize("event", [QUOTE, TRADE, AGG, DEPTH])
def test_needed_keys_come_exactly_once(decoder: BinanceDecoder, event: dict[str, Any]) -> None:
    for key in set(event) - {"M", "e"}:
        frame = pack(event)
        twice = b"{" + json.dumps(key).encode() + b":" + pack(event[key]) + b"," + frame[1:]
        with pytest.raises(FrameFault, match="duplicate"):
            decoder.decode(twice)
        with pytest.raises(FrameFault, match="missing"):
            decoder.decode(pack({k: v for k, v in event.items() if k != key}))


@pytest.mark.parametrize(
    "frame",
    [b"", b"{", b"[]", b"3", b"<html>", b'{"u":1', b'{"stream":"x","data":{"u":1}', b"\xff"],
)
def test_garbage_is_a_fault(decoder: BinanceDecoder, frame: bytes) -> None:
    with pytest.raises(FrameFault):
        decoder.decode(frame)


def test_a_bare_number_with_a_leading_zero_is_damage(decoder: BinanceDecoder) -> None:
    with pytest.raises(FrameFault, match="number"):
        decoder.decode(pack(QUOTE).replace(b'"u":3', b'"u":03'))


def test_frames_above_the_bound_are_not_read() -> None:
    frame = pack(QUOTE)
    assert BinanceDecoder(frame_bytes_max=len(frame)).decode(frame) == QUOTE_SAID
    with pytest.raises(FrameFault, match="size"):
        BinanceDecoder(frame_bytes_max=len(frame) - 1).decode(frame)


def test_the_buffer_is_only_borrowed(decoder: BinanceDecoder) -> None:
    buffer = bytearray(pack(DEPTH))
    said = decoder.decode(memoryview(buffer))
    buffer[:] = b"\xaa" * len(buffer)
    assert said == DEPTH_SAID


def test_captured_frames_decode_as_the_oracle_says(decoder: BinanceDecoder) -> None:
    lines = GOLDEN.read_bytes().splitlines()
    assert {decoder.decode(line)[0] for line in lines} == {"QUOTE", "TRADE", "DEPTH"}
    for line in lines:
        assert decoder.decode(line) == oracle.decode(line)


def test_the_scanner_takes_the_hot_frames_as_captured() -> None:
    decoder = BinanceDecoder()
    hot = [line for line in GOLDEN.read_bytes().splitlines() if b"@depth" not in line]
    for line in hot:
        decoder.decode(line)
    assert decoder.scanned == len(hot)

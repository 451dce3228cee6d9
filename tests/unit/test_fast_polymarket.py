"""Market-channel decoder: every event, every fault, nothing half done."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from dailyarb._fast import polymarket as kernel
from dailyarb.core.domain.errors import FrameFault
from tests.oracles import frames as made
from tests.oracles.frames import DOWN, OTHER, STAMP, UP, pack
from tests.oracles.json_frames import hash_text
from tests.oracles.polymarket import Oracle

GOLDEN = Path(__file__).parent.parent / "golden" / "polymarket_books.jsonl"
KIND, SLOT, MARKET, OUTCOME, SIDE, PRICE, SIZE, STAMP_AT, BID, ASK, HASH, FEE, GROUP = range(13)


def fresh(scan: bool = True, **options: Any) -> kernel.Decoder:
    """Returns a decoder that knows UP and DOWN as market 3."""
    tokens = kernel.TokenTable()
    assert tokens.add(UP, 3, 0) == 0
    assert tokens.add(DOWN, 3, 1) == 1
    return kernel.Decoder(tokens, scan=scan, **options)


@pytest.fixture(params=[True, False], ids=["scan", "simdjson"])
def decoder(request: pytest.FixtureRequest) -> kernel.Decoder:
    """Gives a decoder with and without the hand scanner: both must say the same."""
    return fresh(scan=request.param)


def rows_of(decoder: kernel.Decoder, frame: bytes) -> Sequence[tuple[int, ...]]:
    rows = kernel.Rows()
    assert decoder.decode(frame, rows) == len(rows)
    return rows.to_list()


def fault_of(decoder: kernel.Decoder, frame: bytes) -> str:
    rows = kernel.Rows()
    with pytest.raises(FrameFault) as caught:
        decoder.decode(frame, rows)
    assert len(rows) == 0
    assert caught.value.size == len(frame)
    return caught.value.kind


def test_price_change_gives_one_row_per_entry(decoder: kernel.Decoder) -> None:
    event = made.price_change("BUY", 8600, 362_170_000, (8600, 8700), hash_="7f")
    up, down = rows_of(decoder, pack(event))
    assert up == (
        kernel.ROW_LEVEL, 0, 3, 0, 0, 8600, 362_170_000, STAMP, 8600, 8700, hash_text("a7f"), -1, 0
    )  # fmt: skip
    assert down == (
        kernel.ROW_LEVEL, 1, 3, 1, 1, 1400, 362_170_000, STAMP, 1300, 1400, hash_text("b7f"), -1, 0
    )  # fmt: skip


def test_book_is_framed_by_begin_and_end(decoder: kernel.Decoder) -> None:
    event = made.book({100: 5, 8600: 7}, {8700: 9}, DOWN, hash_="h", tick_size="0.001")
    rows = rows_of(decoder, pack(event))
    assert [row[KIND] for row in rows] == [
        kernel.ROW_BOOK_BEGIN,
        *[kernel.ROW_BOOK_LEVEL] * 3,
        kernel.ROW_BOOK_END,
    ]
    assert rows[0][PRICE] == 10 and rows[0][HASH] == hash_text("h")
    assert [(row[SIDE], row[PRICE], row[SIZE]) for row in rows[1:4]] == [
        (0, 100, 5),
        (0, 8600, 7),
        (1, 8700, 9),
    ]
    assert {(row[SLOT], row[OUTCOME], row[STAMP_AT]) for row in rows} == {(1, 1, STAMP)}


def test_trade_tick_and_top(decoder: kernel.Decoder) -> None:
    (trade,) = rows_of(decoder, pack(made.trade(8700, 13_793_100, "SELL")))
    assert (trade[KIND], trade[SIDE], trade[PRICE], trade[SIZE], trade[FEE]) == (
        kernel.ROW_TRADE, 1, 8700, 13_793_100, 1000
    )  # fmt: skip
    assert trade[HASH] == hash_text("0xabc")
    (tick,) = rows_of(decoder, pack(made.tick_change("0.0025")))
    assert (tick[KIND], tick[PRICE]) == (kernel.ROW_TICK_SIZE, 25)
    (top,) = rows_of(decoder, pack(made.best("", "0.87")))
    assert (top[KIND], top[BID], top[ASK]) == (kernel.ROW_TOP, -1, 8700)


def test_rare_events_keep_their_text(decoder: kernel.Decoder) -> None:
    (row,) = rows_of(decoder, pack(made.resolved(DOWN)))
    assert (row[KIND], row[MARKET], row[OUTCOME]) == (kernel.ROW_RESOLVED, 3, 1)
    frame = b"[" + pack(made.new_market()) + b" ,\n" + pack(made.best("0.1", "0.2")) + b" ]"
    new, top = rows_of(decoder, frame)
    assert (new[KIND], new[SLOT], new[GROUP]) == (kernel.ROW_NEW_MARKET, -1, 0)
    assert (top[KIND], top[GROUP]) == (kernel.ROW_TOP, 1)
    rare = decoder.take_rare()
    assert [json.loads(raw) for raw in rare] == [made.resolved(DOWN), made.new_market()]
    assert decoder.take_rare() == []


def test_rare_events_are_bounded() -> None:
    decoder = fresh()
    frame = pack([made.new_market()] * 300)
    rows_of(decoder, frame)
    assert len(decoder.take_rare()) == 256
    assert decoder.rare_dropped == 44


def test_a_fault_takes_back_rows_and_rare_of_the_frame(decoder: kernel.Decoder) -> None:
    bad = made.trade(8700, 1)
    del bad["side"]
    assert fault_of(decoder, pack([made.new_market(), made.best("0.1", "0.2"), bad])) == "missing"
    assert decoder.take_rare() == []
    assert (decoder.frames, decoder.faults) == (1, 1)


def test_unknown_types_and_tokens_are_counted_not_fatal(decoder: kernel.Decoder) -> None:
    for number in range(40):
        assert rows_of(decoder, pack({"event_type": f"type{number}", "bids": number})) == []
    assert rows_of(decoder, pack({"event_type": "type0"})) == []
    known = decoder.unknown_types
    assert len(known) == 33 and known["type0"] == 2 and known["other"] == 8
    assert rows_of(decoder, pack(made.book({100: 1}, {}, OTHER))) == []
    assert rows_of(decoder, pack(made.trade(8700, 1, token=OTHER))) == []
    assert decoder.unknown_tokens == 2


@pytest.mark.parametrize("word", ["PONG", "PING", "INVALID OPERATION", "PONG\n"])
def test_control_texts_are_no_faults(decoder: kernel.Decoder, word: str) -> None:
    assert rows_of(decoder, word.encode()) == []
    assert decoder.control == word.strip()
    assert (decoder.ignored, decoder.faults) == (1, 0)


@pytest.mark.parametrize(
    "frame",
    [
        b"", b" ", b"{", b"}", b"[", b"]", b'{"event_type":"book"', b"<html>502</html>",
        b"PONGS", b"\xff\xfe{}", b'{"event_type":"b\xc3("}', b'{"event_type":"x"}}', b"[{}",
        b'{"event_type":"x"} {"event_type":"x"}', b'{"event_type" "x"}', b"nonsense",
    ],
)  # fmt: skip
def test_what_is_not_json_is_a_syntax_fault(decoder: kernel.Decoder, frame: bytes) -> None:
    assert fault_of(decoder, frame) in ("syntax", "type", "missing")


@pytest.mark.parametrize(
    "frame", [b"3", b'"x"', b"null", b"[3]", b"[[]]", b'[{"event_type":"x"},1]']
)
def test_only_objects_are_events(decoder: kernel.Decoder, frame: bytes) -> None:
    assert fault_of(decoder, frame) == "type"


def change(key: str, value: object) -> bytes:
    """Returns a price_change whose first entry has one other value; None removes the key."""
    event = made.price_change("BUY", 8600, 1, (8600, 8700), hash_="7f")
    if value is None:
        del event["price_changes"][0][key]
    else:
        event["price_changes"][0][key] = value
    return pack(event)


@pytest.mark.parametrize(
    ("key", "value", "kind"),
    [
        ("price", "NaN", "number"), ("price", "1e-2", "number"), ("price", "", "number"),
        ("price", ".", "number"), ("price", "0,5", "number"), ("price", "+0.5", "number"),
        ("price", " 0.5", "number"), ("price", "0.50001", "scale"), ("price", "1.0001", "range"),
        ("price", "-0.5", "range"), ("price", "9" * 30, "range"), ("price", [], "type"),
        ("price", True, "type"), ("price", {"a": 1}, "type"), ("price", None, "missing"),
        ("size", "0.0000001", "scale"), ("size", "-1", "range"), ("size", "1000000001", "range"),
        ("size", "1e400", "number"), ("size", "Infinity", "number"), ("size", None, "missing"),
        ("side", "HOLD", "type"), ("side", "buy", "type"), ("side", None, "missing"),
        ("asset_id", 5, "type"), ("asset_id", None, "missing"), ("hash", 5, "type"),
        ("best_bid", "2", "range"), ("best_ask", "x", "number"),
    ],
)  # fmt: skip
def test_a_bad_field_is_named(decoder: kernel.Decoder, key: str, value: object, kind: str) -> None:
    assert fault_of(decoder, change(key, value)) == kind


@pytest.mark.parametrize(
    ("key", "value", "column", "want"),
    [
        ("price", "0.8600000", PRICE, 8600), ("price", ".86", PRICE, 8600),
        ("price", "1", PRICE, 10000),
        ("price", 0.86, PRICE, 8600), ("price", 0, PRICE, 0), ("price", "0.0001", PRICE, 1),
        ("size", "1000000000", SIZE, 10**15), ("size", 362.17, SIZE, 362_170_000),
        ("size", "0.000001", SIZE, 1), ("size", "0", SIZE, 0),
        ("size", "000000000000000000012", SIZE, 12_000_000),
        ("best_bid", "", BID, -1), ("best_ask", None, ASK, -1), ("hash", "", HASH, 0),
        ("hash", None, HASH, 0),
    ],
)  # fmt: skip
def test_numbers_are_exact(
    decoder: kernel.Decoder, key: str, value: object, column: int, want: int
) -> None:
    assert rows_of(decoder, change(key, value))[0][column] == want


@pytest.mark.parametrize(
    ("event", "key"),
    [
        (made.price_change("BUY", 8600, 1), "timestamp"),
        (made.price_change("BUY", 8600, 1), "price_changes"),
        (made.book({}, {}), "asset_id"),
        (made.book({}, {}), "bids"),
        (made.book({}, {}), "asks"),
        (made.book({}, {}), "event_type"),
        (made.trade(8700, 1), "price"),
        (made.tick_change("0.1"), "new_tick_size"),
        (made.best("0.1", "0.2"), "best_bid"),
        (made.resolved(), "winning_asset_id"),
    ],
)
def test_needed_keys_come_exactly_once(
    decoder: kernel.Decoder, event: dict[str, Any], key: str
) -> None:
    frame = pack(event)
    twice = b"{" + json.dumps(key).encode() + b":" + pack(event[key]) + b"," + frame[1:]
    assert fault_of(decoder, twice) == "duplicate"
    assert fault_of(decoder, pack({k: v for k, v in event.items() if k != key})) == "missing"


def test_a_repeated_key_nobody_reads_is_harmless(decoder: kernel.Decoder) -> None:
    frame = pack(made.best("0.1", "0.2"))
    assert len(rows_of(decoder, b'{"spread":1,"price":2,' + frame[1:])) == 1


def test_escapes_white_space_and_key_order_change_nothing(decoder: kernel.Decoder) -> None:
    event = made.price_change("BUY", 8600, 362_170_000, (8600, 8700), hash_="7f")
    plain = rows_of(decoder, pack(event))
    assert rows_of(decoder, json.dumps(event, indent=3).encode()) == plain
    turned = dict(reversed(event.items()))
    turned["price_changes"] = [dict(reversed(item.items())) for item in event["price_changes"]]
    assert rows_of(decoder, pack(turned)) == plain
    escaped = pack(event).replace(b'"price"', rb'"pr\u0069ce"').replace(b'"0.86"', rb'"0\u002e86"')
    assert rows_of(decoder, escaped) == plain
    assert rows_of(decoder, b"\xef\xbb\xbf" + pack(event)) == plain


def test_frames_above_the_bound_are_not_read() -> None:
    frame = pack(made.best("0.1", "0.2"))
    assert fault_of(fresh(frame_bytes_max=len(frame) - 1), frame) == "size"
    assert len(rows_of(fresh(frame_bytes_max=len(frame)), frame)) == 1


def test_rows_above_the_bound_are_a_fault(decoder: kernel.Decoder) -> None:
    rows = kernel.Rows(rows_max=4)
    assert decoder.decode(pack(made.book({100: 1, 200: 1}, {})), rows) == 4
    with pytest.raises(FrameFault, match="size"):
        decoder.decode(pack(made.book({100: 1, 200: 1}, {300: 1})), rows)
    assert len(rows) == 0


def test_deep_nesting_ends(decoder: kernel.Decoder) -> None:
    deep = b'{"event_type":"x","k":' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    assert rows_of(decoder, deep) == []
    assert fault_of(decoder, b'{"event_type":"x","k":' + b"[" * 100_000) == "syntax"


def test_the_buffer_is_only_borrowed(decoder: kernel.Decoder) -> None:
    rows = kernel.Rows()
    for frame in made.every_event():
        buffer = bytearray(frame)
        decoder.decode(memoryview(buffer), rows)
        before = rows.to_list()
        buffer[:] = b"\xaa" * len(buffer)
        assert rows.to_list() == before
    assert all(json.loads(raw) for raw in decoder.take_rare())
    assert "surprise" in decoder.unknown_types


def test_token_table_reuses_slots_and_refuses_nonsense() -> None:
    tokens = kernel.TokenTable()
    for number in range(300):
        assert tokens.add(str(10**70 + number), number, 0) == number
    tokens.remove(str(10**70 + 7))
    assert len(tokens) == 299
    assert tokens.add("seven", 7, 1) == 7
    for bad in [("", 0, 0), ("x" * 97, 0, 0), ("y", -1, 0), ("y", 0, 2), ("seven", 0, 0)]:
        with pytest.raises(ValueError):
            tokens.add(*bad)
    with pytest.raises(KeyError):
        tokens.remove("absent")


@pytest.mark.parametrize("scan", [True, False])
def test_captured_books_decode_as_the_oracle_says(scan: bool) -> None:
    tokens = kernel.TokenTable()
    lines = GOLDEN.read_bytes().splitlines()
    token = json.loads(lines[0])["asset_id"]
    tokens.add(token, 0, 0)
    decoder = kernel.Decoder(tokens, scan=scan)
    for line in lines:
        rows = rows_of(decoder, line)
        assert rows == Oracle({token: (0, 0, 0)}).decode(line)
        assert rows[0][HASH] == hash_text(json.loads(line)["hash"])
        assert len(rows) > 90


def test_the_scanner_takes_the_frames_the_venue_sends() -> None:
    decoder = fresh()
    hot = [*made.every_event()[:3], pack(made.best("0.1", "0.2"))]
    for frame in hot:
        rows_of(decoder, frame)
    assert decoder.scanned == len(hot)

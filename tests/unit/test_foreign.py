"""Adapters of foreign recordings: what a row says becomes a frame, what it does not is named."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from dailyarb.core.domain.units import MS
from dailyarb.sim import foreign
from dailyarb.sim.foreign import base
from dailyarb.sim.recordings import Channel, RawFrame, Recording, RecordingError, Source, detect

START = 1_776_255_900
SLUG = f"btc-updown-5m-{START}"
HOUR = "2026-02-28 10:04:57"


def depth_row(at_ms: int, bid: float, token: str = "1") -> dict[str, Any]:
    row: dict[str, Any] = {"recv_ms": at_ms, "exch_ms": at_ms - 13, "slug": SLUG, "asset12": token}
    for level in range(1, 6):
        row |= {f"bid{level}": bid - (level - 1) / 100, f"bsz{level}": 10.0 * level}
        row |= {f"ask{level}": bid + level / 100, f"asz{level}": 20.0 * level}
    return row


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Writes rows in the form that the file's name asks for."""
    if path.suffix == ".parquet":
        pyarrow = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    elif path.suffix == ".csv":
        names = list(rows[0])
        lines = [",".join(names), *(",".join(str(row[n]) for n in names) for row in rows)]
        path.write_text("\n".join(lines) + "\n")
    else:
        path.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    return path


ADRIEN = {"ts_ms": START * 1000 + 5, "kind": "quote", "slug": SLUG, "strike": 60_000.5,
          "up_mid": 0.465, "binance_micro": 60_010.25}  # fmt: skip
BORISZ = {"Timestamp": "2026-04-15 12:25:01", "TargetTime": "2026-04-15 12:15:00", "UpBid": 0.4,
          "UpAsk": 0.0, "UpBidLiquidity": 7.0, "UpAskLiquidity": 0.0, "DownBid": 0.0,
          "DownAsk": 0.6, "DownBidLiquidity": 0.0, "DownAskLiquidity": 9.0}  # fmt: skip
LEAFURYK = {"slug": SLUG, "timestamp": START + 9.5, "up_best_bid": 0.5, "up_best_ask": 0.52,
            "down_best_bid": 0.47, "down_best_ask": 0.5, "btc_price": 61_000.0,
            "btc_open": 60_990.0, "winner": "up"}  # fmt: skip
MATT = {"timestamp": 1_764_336_914.4, "market": "0900_bitcoin-up-or-down-8am-et",
        "btc_price": 91_556.7, "strike_price": 91_513.4, "poly_yes_price": 0.565}  # fmt: skip
UPCOW = {"row": 1, "ts_s": START, "strike": 60_000.0, "btc": 60_001.0, "up_ask": 0.56,
         "down_ask": 0.45, "cycle_slug": f"btc-updown-15m-{START}"}  # fmt: skip
YANNICK = {"timestamp": "2026-02-28 10:04:57", "asset": "ETH", "market_name": "ETH 5AM",
           "token_id": "7", "best_bid": 0.8, "best_ask": 1.2, "spot": 3609.0,
           "outcome": "UP"}  # fmt: skip
SIDE = {"ask": 0.13, "bid": 0.12, "vwap5": 0.13, "vwap20": 0.13, "vwap50": 0.14}
LADDER = {"window_ts": START, "slug": SLUG, "open_px": 65_477.0, "winner": "DOWN",
          "samples": [{"t": -118.3, "spot": 65_423.0, "up": SIDE, "down": SIDE}]}  # fmt: skip
L1 = {"local_ts_ms": START * 1000, "recv_iso_utc": "", "msg_ts_ms": START * 1000 - 9,
      "event_type": "book", "bid_price": 0.6, "bid_qty": 5.0, "ask_price": 0.61,
      "ask_qty": 6.0}  # fmt: skip
TICKS = {"local_ts_ms": START * 1000, "iso_utc": "", "event_type": "TICK", "event_source": "b",
         "market_slug": "bitcoin-5am-et", "condition_id": "0xd1", "binance_bid": 1.0,
         "binance_ask": 1.5, "poly_up_bid": 0.28, "poly_up_ask": 0.29, "poly_down_bid": 0.71,
         "poly_down_ask": 0.72, "target_price": 63_658.55}  # fmt: skip
CHAINLINK = {"feed_ts_ms": START * 1000, "value": 65_015.85, "server_ts_ms": 0,
             "recv_ms": START * 1000 + 2_000}  # fmt: skip
FEEDS = {"timestamp_ms": START * 1000, "binance_direct_price": 78_040.0,
         "rtds_chainlink_price": 77_962.1, "rtds_chainlink_ts": START * 1000.0}  # fmt: skip
ENDS = {"timestamp": "2026-04-15T12:29:52.3Z", "market_slug": SLUG, "poly_up_price": 0.13,
        "price_to_beat": 77_644.6, "chainlink_price": 77_640.0, "binance_price": 77_580.0,
        "binance_vs_oracle_usd": 60.0}  # fmt: skip
TOUCHED = {"slug": SLUG, "yesFirstTouchAt": "2026-04-15T12:26:00Z", "noFirstTouchAt": None,
           "yes_actual_ask": 0.29, "no_actual_ask": None}  # fmt: skip
OUTCOME = {"timestamp": START, "date": "", "hour_utc": 5, "minute": 0, "outcome": "up",
           "btc_open": 67_249.1, "btc_close": 67_348.2}  # fmt: skip
HISTORY = {"ts": START, "up_mid": 0.075, "up_lag": 54, "winner": "DOWN", "up_settle": 0.0}
LAST = {"slug": SLUG, "sampled_at": START + 293, "binance_open": 1.5, "binance_last": 2.5,
        "up_token": "11", "down_token": "22", "winner": "UP",
        "up": {"best_bid": 0.99, "best_ask": None}, "down": {"best_bid": None, "best_ask": 0.01},
        }  # fmt: skip
BORISZ_FILL = {"timestamp": "2026-04-15 12:25:01", "trade_side": "Down", "quantity": 10.0,
               "price": 0.55, "TargetTime": "2026-04-15 12:15:00"}  # fmt: skip
UPCOW_FILL = {"ts_s": START, "side": "Up", "market": SLUG, "price": 0.18, "qty": 16.0,
              "outcome_index": 0}  # fmt: skip
REST = {"run_id": "r", "source": "polymarket_clob", "recv_wall_ts": START * 1000,
        "ingest_seq": 1, "payload": '[{"market":"0x1","asset_id":"1","bids":[]}]'}  # fmt: skip

PM, BN, ST = Channel.POLYMARKET, Channel.BINANCE, Channel.SETTLEMENT
# file, row, adapter, frames by channel, a word of the first frame of the first channel
CASES: list[tuple[str, dict[str, Any], str, dict[Channel, int], str]] = [
    ("a.parquet", ADRIEN, "adrien mids", {PM: 1, BN: 1}, '"price":"0.4700"'),
    ("a.parquet", BORISZ, "borisz42 touches", {PM: 2}, '"size":"7.00"'),
    ("a.parquet", LEAFURYK, "leafuryk touches", {PM: 2, BN: 1}, '"price":"0.5200"'),
    ("a.parquet", MATT, "matt1374 mids", {PM: 1, BN: 1}, '"price":"0.5700"'),
    ("a.parquet", UPCOW, "upcow events", {PM: 1, ST: 1}, '"price":"0.5500"'),
    ("a.parquet", YANNICK, "yannick hours", {PM: 1, BN: 1}, '"asks":[]'),
    ("a.jsonl.gz", LADDER, "houssem98 ladder", {PM: 2, BN: 1}, '"size":"20.00"'),
    ("a.csv", L1, "xinghuan18 touch", {PM: 1}, '"size":"6.00"'),
    ("a.csv", TICKS, "xinghuan18 ticks", {PM: 2, BN: 1}, '"market":"0xd1"'),
    ("a.parquet", CHAINLINK, "ligengxin settling feed", {ST: 1}, "65015.85"),
    ("a.parquet", FEEDS, "mxtown feeds", {BN: 1, ST: 1}, '"b":"78039.9950"'),
    ("a.parquet", ENDS, "rogersialves window ends", {PM: 1, BN: 1, ST: 1}, '"price":"0.1400"'),
    ("a.parquet", TOUCHED, "smallyunet touches", {PM: 1}, '"bids":[]'),
    ("a.csv", OUTCOME, "felixdoteth outcomes", {BN: 2}, "67249.09"),
    ("a.jsonl.gz", HISTORY, "houssem98 history", {PM: 1}, '"price":"0.0700"'),
    ("a.jsonl.gz", LAST, "houssem98 last books", {PM: 2, BN: 1}, '"asset_id":"11"'),
    ("a.parquet", BORISZ_FILL, "borisz42 fills", {PM: 1}, '"size":"10.000000"'),
    ("a.parquet", UPCOW_FILL, "upcow fills", {PM: 1}, "last_trade_price"),
    ("a.jsonl.gz", REST, "jonahgrigoryan messages", {PM: 1}, '"event_type":"book"'),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "row", "adapter", "counts", "word"), CASES, ids=lambda c: str(c)[:24]
)
def test_a_row_becomes_the_venues_own_frames(
    name: str,
    row: dict[str, Any],
    adapter: str,
    counts: dict[Channel, int],
    word: str,
    tmp_path: Path,
) -> None:
    path = written(tmp_path / name, [row])
    found = foreign.of(path)
    assert found.name == adapter
    assert detect(path) is Source.FOREIGN
    assert found.doubts, "no source says everything"
    frames = list(Recording(path, Source.FOREIGN).frames())
    assert {c: sum(f.channel is c for f in frames) for c in counts} == counts
    assert len(frames) == sum(counts.values())
    first = next(iter(counts))
    assert word in next(f.payload for f in frames if f.channel is first).decode()
    for window in found.windows(path):
        assert len(list(found.frames(path, window))) == len(frames)


def test_every_adapter_has_its_case() -> None:
    cases = {case[2] for case in CASES} | {"cronos depth", "cryptofeed"}
    assert {adapter.name for adapter in foreign.ADAPTERS} == cases


def test_depth_takes_the_token_that_was_recorded_most(tmp_path: Path) -> None:
    rows = [depth_row(START * 1000 + 300_000 * at // 10, 0.5) for at in range(10)]
    other = depth_row(START * 1000 + 5, 0.3, token="2")
    path = written(tmp_path / "d.parquet", [*rows, other])
    found = foreign.of(path)
    assert found.windows(path) == [SLUG]
    frames = list(found.frames(path, SLUG))
    assert len(frames) == 10
    book = json.loads(frames[0].payload)
    assert book["bids"][-1] == {"price": "0.5000", "size": "10.00"}  # worst first, best last
    assert book["asks"][-1] == {"price": "0.5100", "size": "20.00"}
    assert (frames[0].at_ns, book["timestamp"]) == (START * 1000 * MS, str(START * 1000 - 13))


def test_a_window_that_is_hardly_covered_is_left_out(tmp_path: Path) -> None:
    path = written(tmp_path / "d.parquet", [depth_row(START * 1000 + at, 0.5) for at in range(9)])
    assert foreign.of(path).windows(path) == []


def test_the_tick_turns_fine_with_the_first_price_that_needs_it(tmp_path: Path) -> None:
    rows = [{**LEAFURYK, "timestamp": START + at, "up_best_bid": bid}
            for at, bid in ((1.0, 0.5), (2.0, 0.991), (3.0, 0.5))]  # fmt: skip
    path = written(tmp_path / "a.parquet", rows)
    books = [json.loads(f.payload) for f in foreign.of(path).frames(path, "") if f.channel is PM]
    assert [book["tick_size"] for book in books] == ["0.01", "0.01", *["0.001"] * 4]


def test_facts_are_what_the_source_says_and_outcomes_are_among_them(tmp_path: Path) -> None:
    said = [{**ADRIEN, "kind": "market"}, ADRIEN, {**ADRIEN, "kind": "resolved_down"}]
    path = written(tmp_path / "a.parquet", said)
    (facts,) = foreign.of(path).facts(path, "")
    assert (facts.slug, facts.label, facts.start_s) == (SLUG, "5m", START)
    assert (facts.winner, facts.settlement) == ("DOWN", base.CANDLE)
    assert facts.strike == str(600_005 * 10**17)


def test_where_a_window_ended_is_the_next_ones_strike(tmp_path: Path) -> None:
    following = {**ENDS, "market_slug": f"btc-updown-5m-{START + 300}", "price_to_beat": 77_700.0}
    frozen = {**ENDS, "market_slug": f"btc-updown-5m-{START + 600}", "binance_vs_oracle_usd": 900.0}
    path = written(tmp_path / "a.parquet", [ENDS, following, frozen])
    facts = foreign.of(path).facts(path, "")
    assert [item.winner for item in facts] == ["UP", ""]  # the frozen row is no witness


def test_windows_of_a_file_merge_in_order_of_time(tmp_path: Path) -> None:
    later = {**ADRIEN, "slug": f"btc-updown-5m-{START + 300}"}
    rows = [{**row, "ts_ms": START * 1000 + at} for at, row in
            ((0, ADRIEN), (299_000, ADRIEN), (250_000, later), (350_000, later))]  # fmt: skip
    path = written(tmp_path / "a.parquet", rows)
    stamps = [frame.at_ns // MS - START * 1000 for frame in foreign.of(path).frames(path, "")]
    assert stamps == [0, 0, 250_000, 250_000, 299_000, 299_000, 350_000, 350_000]


def test_merging_opens_a_window_only_when_it_begins() -> None:
    opened: list[int] = []

    def window(start: int) -> Any:
        def frames() -> Any:
            opened.append(start)
            for second in range(start, start + 3):
                yield RawFrame(second * 10**9, PM, b"")

        return frames

    merged = base.merged([(at, window(at)) for at in (10, 11, 100)])
    assert [frame.at_ns // 10**9 for frame in (next(merged), next(merged))] == [10, 11]
    assert opened == [10, 11]
    assert [frame.at_ns // 10**9 for frame in merged] == [11, 12, 12, 13, 100, 101, 102]


def test_cryptofeed_lines_are_binance_frames(tmp_path: Path) -> None:
    path = tmp_path / "BINANCE.txt"
    path.write_text('wss://stream.binance.com/stream\n1633998512.063: {"stream":"a"}\n\nwss://x\n')
    frames = list(foreign.of(path).frames(path, ""))
    assert frames == [RawFrame(1_633_998_512_063 * MS, BN, b'{"stream":"a"}')]
    path.write_text("wss://stream.binance.com/stream\nnonsense\n")
    base.texts.cache_clear()
    with pytest.raises(RecordingError, match=":2: not a line"):
        list(foreign.of(path).frames(path, ""))


def test_old_feeds_become_the_present_one_and_others_are_dropped(tmp_path: Path) -> None:
    said = {"topic": "crypto_prices_chainlink",
            "payload": {"symbol": "eth/usd", "timestamp": 1_000, "value": 7.5}}  # fmt: skip
    rows = [
        {**REST, "source": "polymarket_rtds_chainlink", "payload": json.dumps(said)},
        {**REST, "source": "coinbase", "payload": "{}"},
        {**REST, "source": "binance", "payload": '{"stream":"x"}'},
        {**REST, "recv_wall_ts": 5},  # a clock that steps back stands still
    ]
    path = written(tmp_path / "a.jsonl.gz", rows)
    frames = list(foreign.of(path).frames(path, ""))
    assert [frame.channel for frame in frames] == [ST, BN, PM]
    assert b'"ethusd"' in frames[0].payload and b"7.5" in frames[0].payload
    assert {frame.at_ns for frame in frames} == {START * 1000 * MS}


def test_what_is_no_recording_is_refused(tmp_path: Path) -> None:
    for name, body in (("a.csv", "x,y\n1,2\n"), ("b.json", "{}"), ("c.bin", "\x00\x01")):
        path = tmp_path / name
        path.write_text(body)
        assert foreign.find(path) is None
        with pytest.raises(RecordingError, match="no known format"):
            foreign.of(path)
    broken = tmp_path / "d.parquet"
    broken.write_bytes(b"PAR1")
    with pytest.raises(RecordingError, match="no Parquet"):
        foreign.find(broken)


# What each shared file holds: (frames, windows told of).
SHARED = {
    "recordings/adrien-5m-1hz/btc_5m_mid_vs_binance_2026-06-25_2130-2235.parquet": (7_392, 13),
    "recordings/borisz42-15m-1hz/market_data_20251226.parquet": (56_988, 32),
    "recordings/borisz42-15m-1hz/pair_trader_fills_20251229.parquet": (32_046, 54),
    "recordings/houssem98-5m-ladder/ladder.jsonl.gz": (2_853, 136),
    "recordings/houssem98-5m-ladder/windows.jsonl.gz": (39, 13),
    "recordings/leafuryk-5m-3s/snapshots.parquet": (4_776, 16),
    "recordings/ligengxin-chainlink-1hz/btcusd_prices_2026-07-24.parquet": (78_515, 292),
    "recordings/mxtown-pricefeeds-100ms/feeds_20260203_032533.parquet": (10_642, 0),
    "recordings/rogersialves-window-end/snapshots_5m.parquet": (2_039, 738),
    "recordings/smallyunet-5m-touch29/rounds.parquet": (3_344, 3_657),
    "recordings/upcow-15m-event/btc-updown-15m-1766328300.parquet": (31_897, 1),
    "recordings/upcow-15m-pairbot-fills/fills.parquet": (3_442, 5),
    "ws/binance/cryptofeed/BINANCE.ws.1.0.txt.gz": (265, 0),
    "ws/polymarket/xinghuan18/polymarket_up_l1_events.csv": (474, 1),
    "ws/polymarket/xinghuan18/tick_test_binance_poly_1h.csv": (69, 1),
}


@pytest.mark.parametrize("name", SHARED)
def test_shared_files_are_read_whole(name: str, shared_data: Path) -> None:
    path = shared_data / name
    found = foreign.of(path)
    stamps = [frame.at_ns for frame in found.frames(path, "")]
    assert (len(stamps), len(found.facts(path, ""))) == SHARED[name]
    assert stamps == sorted(stamps)

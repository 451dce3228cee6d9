"""Recorded time in the present: distances, stamps, tracks side by side and in turn."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest

from dailyarb.sim.recordings import Channel, RawFrame, RecordingError, open_path
from dailyarb.sim.replay_time import QUICKEST_MS, Clock, Play, skew_ns

DATA = Path(__file__).resolve().parent.parent / "data"
WINDOW = DATA / "btc-updown-5m-1776255900.book_frames.jsonl.zst"
SPOT = DATA / "btcusdt_20240808.60s.txt.zst"
NOW = 1_790_000_000 * 10**9


def test_distances_shrink_with_speed_and_stamps_follow() -> None:
    clock = Clock(first_ns=1_000_000_000_000, begin_ns=NOW, speed=4.0)
    assert clock.play_ns(1_000_000_000_000) == NOW
    assert clock.play_ns(1_008_000_000_000) == NOW + 2_000_000_000
    assert clock.stamp_ms(1_008_000) == NOW // 10**6 + 2_000


def test_only_stamps_change_in_a_frame() -> None:
    clock = Clock(first_ns=1_776_808_414_710 * 10**6, begin_ns=NOW, speed=1.0)
    frame = b'{"market":"0x1","asset_id":"1776808414710","timestamp":"1776808414720","price":"0.5"}'
    wanted = frame.replace(b'"timestamp":"1776808414720"', b'"timestamp":"1790000000010"')
    assert clock.restamp(Channel.POLYMARKET, frame) == wanted
    trade = b'{"stream":"s","data":{"E":1776808414711,"t":1776808414710,"T":1776808414710}}'
    moved = json.loads(clock.restamp(Channel.BINANCE, trade))["data"]
    assert moved == {"E": 1790000000001, "t": 1776808414710, "T": 1790000000000}
    assert clock.restamp(Channel.REST, frame) == frame


def test_a_recorder_whose_clock_was_off_is_put_right_by_its_quickest_frame() -> None:
    frames = [
        RawFrame(at * 10**6, Channel.BINANCE, b'{"E":%d}' % stamp)
        for at, stamp in ((1000000000000, 1000000001300), (1000000000100, 1000000001380))
    ]
    assert skew_ns(frames) == (-1300 - QUICKEST_MS) * 10**6
    assert skew_ns([RawFrame(1, Channel.BINANCE, b"{}")]) == 0


@pytest.mark.parametrize("path", [WINDOW, SPOT])
def test_a_play_starts_now_keeps_distances_and_brings_nothing_from_the_future(path: Path) -> None:
    (track,) = open_path(str(path))
    recorded = list(track[0].frames())
    played = list(Play([track], NOW).frames())
    assert [frame.at_ns - NOW for frame in played] == [
        frame.at_ns - recorded[0].at_ns for frame in recorded
    ]
    key = "timestamp" if path is WINDOW else "E"
    lags = []
    for frame in played:
        body = json.loads(frame.payload)
        stamp = body.get("data", body).get(key)
        if stamp is not None:
            lags.append(frame.at_ns / 1e6 - int(stamp))
    assert min(lags) > 0
    assert sorted(lags)[len(lags) // 2] < 50


def test_tracks_play_side_by_side_in_order_of_time() -> None:
    play = Play(open_path(f"{WINDOW}+{SPOT}"), NOW, speed=2.0)
    played = list(play.frames())
    assert len(played) == 2_554 + 7_341
    assert all(one.at_ns <= two.at_ns for one, two in pairwise(played))
    assert {f.channel for f in played[:50]} >= {Channel.POLYMARKET, Channel.BINANCE}
    assert [clock.begin_ns for clock in play.clocks] == [NOW, NOW]


def test_the_files_of_a_folder_follow_each_other(tmp_path: Path) -> None:
    for name in ("b.zst", "a.zst"):
        (tmp_path / name).write_bytes(SPOT.read_bytes())
    play = Play(open_path(str(tmp_path)), NOW)
    played = list(play.frames())
    first, second = played[: len(played) // 2], played[len(played) // 2 :]
    assert (first[-1].file, second[0].file) == (0, 1)
    assert second[0].at_ns == play.clocks[1].begin_ns == first[-1].at_ns + 10**9


def test_nonsense_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="speed"):
        Play(open_path(str(SPOT)), NOW, speed=0.0)
    (track,) = open_path(str(SPOT))
    empty = tmp_path / "empty"
    empty.write_bytes(b"")
    with pytest.raises(RecordingError, match="holds no frame"):
        Play([[track[0]._replace(path=empty)]], NOW)

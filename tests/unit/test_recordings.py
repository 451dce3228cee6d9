"""Readers of recordings: what they yield, what they refuse, and how they name it."""

from __future__ import annotations

import gzip
import json
import struct
from itertools import pairwise
from pathlib import Path

import pytest
import zstandard

from dailyarb.sim.recordings import (
    Channel,
    Recording,
    RecordingError,
    Source,
    detect,
    open_path,
)

DATA = Path(__file__).resolve().parent.parent / "data"
WINDOW = DATA / "btc-updown-5m-1776255900.book_frames.jsonl.zst"
SPOT = DATA / "btcusdt_20240808.60s.txt.zst"


def test_book_frames_come_byte_for_byte_with_their_receive_time() -> None:
    recording = Recording(WINDOW, Source.BOOK_FRAMES)
    frames = list(recording.frames())
    first = frames[0]
    with zstandard.open(WINDOW, "rt") as lines:
        line = json.loads(next(iter(lines)))
    assert (len(frames), recording.slug) == (2_554, "btc-updown-5m-1776255900")
    assert first.channel is Channel.POLYMARKET
    assert first.at_ns == line["recv_ms"] * 1_000_000
    assert json.loads(first.payload) == line["frame"]
    assert all(a.at_ns <= b.at_ns for a, b in pairwise(frames))


def test_combined_stream_lines_carry_nanoseconds() -> None:
    frames = list(Recording(SPOT, Source.COMBINED).frames())
    assert len(frames) == 7_341
    streamed = [json.loads(f.payload)["stream"] for f in frames if f.channel is Channel.BINANCE]
    assert [f.channel for f in frames].count(Channel.REST) == 1  # the recorder's depth snapshot
    assert set(streamed) == {
        "btcusdt@bookTicker",
        "btcusdt@trade",
        "btcusdt@depth@100ms",
    }
    assert 59e9 < frames[-1].at_ns - frames[0].at_ns <= 60e9


def test_a_capture_takes_its_time_from_the_stamps_and_never_steps_back(tmp_path: Path) -> None:
    file = tmp_path / "capture.jsonl.gz"
    stamps = (1776808414710, 1776808411018, 1776808414725)
    with gzip.open(file, "wt") as out:
        for stamp in stamps:
            frame = {"event_type": "price_change", "timestamp": str(stamp)}
            out.write(json.dumps({"capturedAt": 1776808414, "payload": frame}) + "\n")
    (track,) = open_path(str(file))
    frames = list(track[0].frames())
    assert track[0].source is Source.CAPTURE
    assert [frame.at_ns // 1_000_000 for frame in frames] == [stamps[0], stamps[0], stamps[2]]


def test_our_own_segments_are_read_and_unknown_channels_skipped(tmp_path: Path) -> None:
    file = tmp_path / "1-0.darec.zst"
    header = {"format": "darec", "version": 1, "channels": {"1": "PM", "2": "BN", "9": "NEWS"}}
    body = json.dumps(header).encode() + b"\n"
    for stamp, wall, code, payload in ((5, 100, 1, b"one"), (6, 90, 9, b"x"), (7, 120, 2, b"two")):
        body += struct.pack("<qqBI", stamp, wall, code, len(payload)) + payload
    file.write_bytes(zstandard.ZstdCompressor().compress(body))
    (track,) = open_path(str(file))
    assert [(f.at_ns, f.channel, f.payload) for f in track[0].frames()] == [
        (100, Channel.POLYMARKET, b"one"),
        (120, Channel.BINANCE, b"two"),
    ]
    file.write_bytes(zstandard.ZstdCompressor().compress(body[:-2]))
    with pytest.raises(RecordingError, match="record 3 is cut short"):
        list(track[0].frames())


def test_a_path_is_files_side_by_side_and_a_folder_in_turn(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / name).write_bytes(SPOT.read_bytes())
    (tmp_path / "README.md").write_text("not a recording\n")
    tracks = open_path(f"{WINDOW}+{tmp_path}")
    assert [[r.path.name for r in track] for track in tracks] == [[WINDOW.name], ["a", "b"]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"hello\n", "is of no known format"),
        (b"", "is of no known format"),
        (b'{"recv_ms": 1}\n', "is of no known format"),
        (b"\x28\xb5\x2f\xfd broken", "cannot be read"),
        (b"\x1f\x8b broken", "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    with pytest.raises(RecordingError, match=message):
        open_path(str(file))


def test_missing_empty_and_foreign_paths_are_named(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="does not exist"):
        open_path(str(tmp_path / "none"))
    with pytest.raises(RecordingError, match="holds no recording"):
        open_path(str(tmp_path))
    with pytest.raises(RecordingError, match="no path given"):
        open_path("")


def test_a_foreign_line_in_the_middle_is_named_with_its_number(tmp_path: Path) -> None:
    file = tmp_path / "spot"
    file.write_bytes(b'1723161253937085768 {"stream":1}\n\nnot a line\n')
    assert detect(file) is Source.COMBINED
    frames = Recording(file, Source.COMBINED).frames()
    assert next(frames).payload == b'{"stream":1}'
    with pytest.raises(RecordingError, match=r"spot:3: not a line"):
        next(frames)


def test_a_cut_file_is_an_error_not_an_end(tmp_path: Path) -> None:
    file = tmp_path / "cut.gz"
    whole = gzip.compress(b'1723161253937085768 {"stream":1}\n' * 5_000 + b"x" * 10)
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RecordingError, match="damaged"):
        list(Recording(file, Source.COMBINED).frames())
    cut = tmp_path / "cut.zst"
    cut.write_bytes(WINDOW.read_bytes()[:60_000])
    with pytest.raises(RecordingError):
        list(Recording(cut, Source.BOOK_FRAMES).frames())


def test_every_shared_recording_of_a_supported_format_opens(shared_data: Path) -> None:
    counts = {}
    for folder in ("ws/polymarket/cronosvirus00", "ws/polymarket/alihakanvesca"):
        (track,) = open_path(str(shared_data / folder))
        counts[folder] = len(track)
    assert counts == {"ws/polymarket/cronosvirus00": 16, "ws/polymarket/alihakanvesca": 1}

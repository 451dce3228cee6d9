"""The recorder: what went into the ring comes back from the files, within the quota."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
import zstandard

from dailyarb._fast.ring import Ring
from dailyarb.core.domain.settings import Recording
from dailyarb.runtime.record import (
    CHANNEL_CODES,
    Channel,
    Recorder,
    RecordingError,
    RecordingReader,
    SegmentWriter,
    list_segments,
    read_index,
)

PM, BN = CHANNEL_CODES[Channel.POLYMARKET], CHANNEL_CODES[Channel.BINANCE]


def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "condition did not come true"
        time.sleep(0.002)


def test_frames_come_back_with_stamps_and_channels(tmp_path: Path) -> None:
    ring = Ring(1 << 16)
    recorder = Recorder(ring, tmp_path, Recording(), "r1")
    recorder.start()
    assert ring.push(b'{"a":1}', 1000, PM)
    assert ring.push(b"", 2000, BN)
    assert ring.push(b"x" * 5000, 3000, 200)
    recorder.stop()
    assert (recorder.error, recorder.records, recorder.dropped) == ("", 3, 0)
    frames = list(RecordingReader(tmp_path))
    assert [(f.stamp_ns, f.channel, f.payload) for f in frames] == [
        (1000, Channel.POLYMARKET, b'{"a":1}'),
        (2000, Channel.BINANCE, b""),
        (3000, None, b"x" * 5000),
    ]
    assert frames[1].wall_ns - frames[0].wall_ns == pytest.approx(1000, abs=50_000_000)


def test_files_are_private_and_indexed(tmp_path: Path) -> None:
    ring = Ring(1 << 16)
    recorder = Recorder(ring, tmp_path, Recording())
    recorder.start()
    ring.push(b"abc", 5, PM)
    recorder.stop()
    for file in tmp_path.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    (info,) = read_index(tmp_path)
    assert info.file == list_segments(tmp_path)[0].name
    assert (info.records, info.start_ns == info.end_ns) == (1, True)
    assert info.file.startswith(f"{info.start_ns}-")


def test_the_quota_deletes_the_oldest_first_and_keeps_the_index_true(tmp_path: Path) -> None:
    ring = Ring(1 << 22)
    recorder = Recorder(ring, tmp_path, Recording(quota_mib=1, segment_mib=1))
    recorder.start()
    draw = Random(78)
    for number in range(3000):
        payload = number.to_bytes(4, "big") + draw.randbytes(1_500)
        until(lambda data=payload: ring.push(data, 1, PM))  # type: ignore[misc]
    recorder.stop()
    sizes = [path.stat().st_size for path in list_segments(tmp_path)]
    assert sum(sizes) < (1 << 20) + (1 << 18)
    assert recorder.pruned > 0
    assert {info.file for info in read_index(tmp_path)} == {
        path.name for path in list_segments(tmp_path)
    }
    numbers = [int.from_bytes(f.payload[:4], "big") for f in RecordingReader(tmp_path)]
    assert numbers == list(range(numbers[0], 3000))
    assert numbers[0] > 0


def test_a_full_ring_drops_frames_and_counts_them(tmp_path: Path) -> None:
    ring = Ring(1024)
    recorder = Recorder(ring, tmp_path, Recording())
    pushed = sum(ring.push(b"x" * 100, 1, PM) for _ in range(50))
    assert recorder.dropped == 50 - pushed > 0
    recorder.start()
    recorder.stop()
    assert sum(1 for _ in RecordingReader(tmp_path)) == pushed


def test_it_sustains_two_thousand_frames_a_second(tmp_path: Path) -> None:
    ring = Ring(8 << 20)
    recorder = Recorder(ring, tmp_path, Recording())
    recorder.start()
    payload = json.dumps({"price": "0.51", "size": "1234.5", "pad": "y" * 600}).encode()
    begin = time.process_time()
    for _ in range(2000):
        assert ring.push(payload, 1, PM)
    recorder.stop()
    assert recorder.records == 2000
    # A second's worth of frames takes a small part of a second of CPU, whatever else runs.
    assert time.process_time() - begin < 0.5


def test_a_disk_that_refuses_stops_the_recorder_and_nothing_else(tmp_path: Path) -> None:
    ring = Ring(1024)
    recorder = Recorder(ring, tmp_path / "gone", Recording())
    recorder.start()
    ring.push(b"x", 1, PM)
    until(lambda: not recorder.running)
    assert "gone" in recorder.error
    for _ in range(100):
        ring.push(b"x" * 100, 1, PM)
    assert recorder.dropped > 0
    recorder.stop()


def test_a_killed_recorder_leaves_what_it_flushed(tmp_path: Path) -> None:
    code = (
        "import os, sys, time; from pathlib import Path; "
        "from dailyarb.runtime.record import SegmentWriter; "
        "w = SegmentWriter(Path(sys.argv[1]), 'r'); w.write([(1, 1, b'kept')] * 500, 0); "
        "w.flush(); w.write([(2, 1, os.urandom(300_000))], 0); os.kill(os.getpid(), 9)"
    )
    path = tmp_path / f"1-00000{'.darec.zst'}"
    subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    reader = RecordingReader(tmp_path)
    assert [frame.payload for frame in reader][:500] == [b"kept"] * 500
    assert reader.cut <= 1


def test_a_cut_segment_gives_what_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "1-00000.darec.zst"
    writer = SegmentWriter(path, "r")
    writer.write([(1, PM, Random(1).randbytes(100))] * 1, 0)
    writer.flush()
    whole = writer.size
    writer.write([(2, PM, Random(2).randbytes(100_000))], 0)
    writer.close()
    content = path.read_bytes()
    for size in (whole + 10, len(content) // 2, len(content) - 10):
        path.write_bytes(content[:size])
        reader = RecordingReader(path)
        assert len(list(reader)) == 1
    path.write_bytes(content[:6])
    reader = RecordingReader(path)
    assert (list(reader), reader.cut) == ([], 1)


def test_damage_and_foreign_files_are_errors(tmp_path: Path) -> None:
    path = tmp_path / "1-00000.darec.zst"
    for content in (
        b"garbage" * 50,
        zstandard.compress(b"no json\n"),
        zstandard.compress(b'{"format": "darec", "version": 9, "channels": {}}\n'),
        zstandard.compress(b'{"format": "other", "version": 1, "channels": {}}\n'),
        zstandard.compress(
            b'{"format": "darec", "version": 1, "channels": {}}\n' + b"\xff" * 21
        ),
    ):
        path.write_bytes(content)
        with pytest.raises(RecordingError):
            list(RecordingReader(path))
    with pytest.raises(RecordingError, match="no recording"):
        RecordingReader(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(RecordingError, match="no recording"):
        RecordingReader(tmp_path / "empty")


def test_a_torn_line_of_the_index_is_left_out(tmp_path: Path) -> None:
    good = b'{"file": "a", "start_ns": 1, "end_ns": 2, "records": 3, "size": 4}\n'
    (tmp_path / "index.jsonl").write_bytes(good + b'{"file": "b", "sta')
    assert [info.file for info in read_index(tmp_path)] == ["a"]
    assert read_index(tmp_path / "none") == []


def test_it_prepares_its_own_thread(tmp_path: Path) -> None:
    seen: list[int] = []
    import threading

    recorder = Recorder(
        Ring(1024), tmp_path, Recording(), prepare=lambda: seen.append(threading.get_ident())
    )
    recorder.start()
    recorder.stop()
    assert seen
    assert seen[0] != threading.get_ident()
    assert os.listdir(tmp_path) == []

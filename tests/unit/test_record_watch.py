"""A recorder that ends or gives frames up is heard of."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dailyarb._fast.ring import Ring
from dailyarb.core.domain.settings import Recording
from dailyarb.runtime import record
from dailyarb.runtime.logs import FileSink, Log, render_json
from dailyarb.runtime.record import Channel, Recorder, RecordingError, tag
from dailyarb.runtime.record_watch import watch_recorder

PM = tag(Channel.POLYMARKET)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    log = Log("r1", "main", sinks=((FileSink(tmp_path / "log.jsonl", 1, 1), render_json),))
    yield log
    log.close()


def told(log: Log, folder: Path) -> list[dict[str, Any]]:
    assert log.flush()
    return [json.loads(line) for line in (folder / "log.jsonl").read_bytes().splitlines()]


async def test_a_tight_disk_ends_the_watch_with_its_words(
    tmp_path: Path, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "_free_bytes", lambda _: 0)
    recorder = Recorder(Ring(1 << 16), tmp_path / "frames", Recording())
    (tmp_path / "frames").mkdir()
    recorder.start()
    with pytest.raises(RecordingError, match="MiB free"):
        await asyncio.wait_for(watch_recorder(recorder, log, 0.001), 5)


async def test_frames_without_room_are_counted_once(tmp_path: Path, log: Log) -> None:
    ring = Ring(1 << 16)
    while ring.push(b"x" * 1000, 1, PM):
        pass  # nobody empties it yet
    recorder = Recorder(ring, tmp_path / "frames", Recording())
    (tmp_path / "frames").mkdir()
    recorder.start()
    watching = asyncio.create_task(watch_recorder(recorder, log, 0.001))
    recorder.stop()
    with pytest.raises(RecordingError, match="without a word"):
        await asyncio.wait_for(watching, 5)
    [line] = told(log, tmp_path)
    assert (line["evt"], line["frames"], line["total"]) == ("record.dropped", 1, 1)

"""A log-out wipes the run directory, or takes it away for good: the engine goes on."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from dailyarb.core.domain.clock import ManualClock
from dailyarb.runtime.board import BoardReader, BoardWriter
from dailyarb.runtime.control import ControlServer, halt_fast
from dailyarb.runtime.logs import FileSink, Log, render_json
from dailyarb.runtime.run_dir import RunDir


class Place:
    """Is a run directory with a board, a socket and a log of what is said of them."""

    def __init__(self, folder: Path) -> None:
        self.parent = folder / "run"
        self.board_path = self.parent / "main" / "board"
        self.socket = self.parent / "main" / "control.sock"
        self._log_path = folder / "log.jsonl"
        self.log = Log("r1", "main", sinks=((FileSink(self._log_path, 1, 1), render_json),))
        self.board = BoardWriter.create(self.board_path, "r1", 4, 1000)
        self.halts = asyncio.Event()
        self.control = ControlServer(self.socket, lambda _: self.halts.set(), ManualClock(), "r1")
        self.run_dir = RunDir(self.board, self.control, self.log)

    def told(self) -> list[dict[str, Any]]:
        assert self.log.flush()
        return [json.loads(line) for line in self._log_path.read_bytes().splitlines()]


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    with tempfile.TemporaryDirectory() as folder:  # short: a socket's path is bounded
        place = Place(Path(folder))
        await place.control.start()
        yield place
        await place.control.stop()
        place.board.close()
        place.log.close()


async def test_what_is_there_is_left_alone(place: Place) -> None:
    await place.run_dir.ensure()
    assert place.told() == []


async def test_a_wiped_directory_is_laid_anew(place: Place) -> None:
    shutil.rmtree(place.parent)
    await place.run_dir.ensure()
    assert [line["evt"] for line in place.told()] == ["board.laid"]
    assert BoardReader.open(place.board_path).run_id == "r1"
    assert await asyncio.to_thread(halt_fast, place.socket)
    await asyncio.wait_for(place.halts.wait(), 5)


async def test_a_directory_that_cannot_be_made_ends_nothing_and_is_told_once(
    place: Place,
) -> None:
    shutil.rmtree(place.parent)
    place.parent.touch()  # as where only root may make /run/user/UID again
    for _ in range(3):
        await place.run_dir.ensure()
    [line] = place.told()
    assert (line["evt"], line["lvl"]) == ("board.lost", "error")
    place.board.write_view(b"still written")
    place.parent.unlink()
    await place.run_dir.ensure()
    assert [line["evt"] for line in place.told()] == ["board.lost", "board.laid"]
    assert BoardReader.open(place.board_path).read_view() == b"still written"
    assert await asyncio.to_thread(halt_fast, place.socket)
    await asyncio.wait_for(place.halts.wait(), 5)


async def test_a_socket_gone_alone_is_laid_anew(place: Place) -> None:
    place.socket.unlink()
    await place.run_dir.ensure()
    assert await asyncio.to_thread(halt_fast, place.socket)
    await asyncio.wait_for(place.halts.wait(), 5)

"""The keeper's word to the engine: when something turns, and every few seconds."""

from __future__ import annotations

import json
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dailyarb.core.domain.events import AlertState
from dailyarb.runtime.reporter import EVERY_NS, Reporter

S = 1_000_000_000
UP, DOWN = AlertState("phone", True, 0, "", 1.0), AlertState("phone", False, 2, "refused")


class Engine:
    """Is the engine's end of the socket."""

    def __init__(self, path: Path) -> None:
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        self.listener.settimeout(5)
        self.connection: socket.socket | None = None

    def heard(self) -> list[dict[str, Any]]:
        """Returns the lines that have come since."""
        if self.connection is None:
            self.connection, _ = self.listener.accept()
            self.connection.settimeout(5)
        return [json.loads(line) for line in self.connection.recv(65_536).splitlines()]

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
        self.listener.close()


@pytest.fixture
def path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "control.sock"


def test_a_state_is_told_when_it_turns_and_every_few_seconds(path: Path) -> None:
    engine, reporter = Engine(path), Reporter(path)
    reporter.tell([UP], 1 * S)
    hello, told = engine.heard()
    assert hello == {"hello": "keeper", "who": "keeper"}
    assert (told["alert"]["channel"], told["alert"]["told_s"]) == ("phone", 1.0)
    reporter.tell([UP], 2 * S)  # nothing new
    reporter.tell([DOWN], 3 * S)
    (told,) = engine.heard()
    assert (told["alert"]["ok"], told["alert"]["undelivered"]) == (False, 2)
    reporter.tell([DOWN], 3 * S + EVERY_NS)
    assert len(engine.heard()) == 1
    reporter.close()
    engine.close()


def test_without_channels_there_is_nothing_to_tell(path: Path) -> None:
    engine, reporter = Engine(path), Reporter(path)
    engine.listener.settimeout(0)
    reporter.tell([], 1 * S)
    with pytest.raises(BlockingIOError):
        engine.listener.accept()
    engine.close()


def test_an_engine_that_is_not_there_is_tried_again(path: Path) -> None:
    reporter = Reporter(path)
    reporter.tell([UP], 1 * S)
    engine = Engine(path)
    reporter.tell([UP], 2 * S)
    assert len(engine.heard()) == 2
    engine.close()
    path.unlink()
    reporter.tell([DOWN], 3 * S)  # may still fit the closed connection's buffer
    reporter.tell([UP], 4 * S)
    other = Engine(path)
    reporter.tell([DOWN], 5 * S)
    assert other.heard()[0] == {"hello": "keeper", "who": "keeper"}
    other.close()
    reporter.close()


def test_an_engine_that_does_not_read_costs_a_moment_only(path: Path) -> None:
    engine, reporter = Engine(path), Reporter(path)
    loud = [AlertState(f"c{n}", True, 0, "x" * 200) for n in range(32)]
    for second in range(1, 200):
        reporter.tell(loud, second * EVERY_NS)
        if reporter._socket is None:
            break
    assert reporter._socket is None, "a full socket is given up"
    engine.close()

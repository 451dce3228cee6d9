"""Log lines: JSON, one event each, formatted and written off the engine's thread.

`event` costs the caller a level check and an append to a bounded queue. A writer thread renders
through structlog and writes line by line: each write gives the interpreter's lock back, so a
burst never holds the engine up for longer than one line takes. A sink that blocks or has closed
(F87) costs lines, which are counted and reported as `log.dropped`, and nothing else.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import msgspec
import structlog

from dailyarb.core.domain.settings import LogSettings
from dailyarb.runtime.log_events import EVENTS
from dailyarb.runtime.redaction import Redactor

LEVELS = {"debug": 10, "info": 20, "warn": 30, "error": 40, "critical": 50}
LINE_BYTES_MAX = 4096
QUEUE_LINES_MAX = 10_000
POLL_S = 0.05
FIRST_KEYS = ("ts", "seq", "run", "inst", "lvl", "evt")
_MIB = 1 << 20
_ALIASES = {"warning": "warn", "err": "error", "fatal": "critical"}

Entry = tuple[int, int, str, str, dict[str, Any]]


class Sink(Protocol):
    """Is where finished lines go."""

    def write(self, line: bytes) -> None:
        """Writes one line with its end.

        Raises:
            OSError: it could not.
        """
        ...

    def close(self) -> None:
        """Closes what is ours to close."""
        ...


class FileSink:
    """Appends to a file and rotates it by size: NAME, NAME.1, ... NAME.keep.

    Args:
        path: the file; created with mode 0600.
        rotate_mib: size at which it is rotated.
        keep: rotated files that are kept.
    """

    def __init__(self, path: Path, rotate_mib: int, keep: int) -> None:
        self._path = path
        self._bytes_max = rotate_mib * _MIB
        self._keep = keep
        self._open()

    def write(self, line: bytes) -> None:
        """Writes one line; rotates first if it would pass the bound."""
        if self._size + len(line) > self._bytes_max and self._size > 0:
            self._rotate()
        os.write(self._handle, line)
        self._size += len(line)

    def close(self) -> None:
        """Closes the file."""
        os.close(self._handle)

    def _open(self) -> None:
        flags = os.O_CREAT | os.O_WRONLY | os.O_APPEND
        self._handle = os.open(self._path, flags, 0o600)
        self._size = os.fstat(self._handle).st_size

    def _rotate(self) -> None:
        os.close(self._handle)
        names = [self._path, *(Path(f"{self._path}.{n}") for n in range(1, self._keep + 1))]
        for older, newer in zip(reversed(names[1:]), reversed(names[:-1]), strict=True):
            if newer.exists():
                newer.replace(older)
        self._open()


class StreamSink:
    """Writes to a descriptor that is not ours to close: standard output or error."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, line: bytes) -> None:
        """Writes one line."""
        rest = memoryview(line)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def close(self) -> None:
        """Leaves the descriptor open."""


class Log:
    """Takes events on any thread and writes them on its own.

    Args:
        run: id of this run.
        instance: the instance's name.
        level: lowest level that is written.
        sinks: each with how it renders; one that fails is left out from then on.
        redactor: hides secrets; shared, so secrets may be registered later.
        queue_max: lines that may wait.
    """

    def __init__(
        self,
        run: str,
        instance: str,
        level: str = "info",
        sinks: tuple[tuple[Sink, Renderer], ...] = (),
        redactor: Redactor | None = None,
        queue_max: int = QUEUE_LINES_MAX,
    ) -> None:
        self.redactor = redactor or Redactor()
        self.dropped = 0
        self.unlisted: set[str] = set()
        self._threshold = LEVELS[level_name(level)]
        self._common = (run, instance)
        self._sinks = list(sinks)
        self._queue: deque[Entry] = deque()
        self._queue_max = queue_max
        self._seq = 0
        self._reported = 0
        self._wake = threading.Event()
        self._written = threading.Condition()
        self._done_seq = 0
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    def enabled(self, level: str) -> bool:
        """Returns whether lines of this level are written."""
        return LEVELS.get(level, 50) >= self._threshold

    def event(self, level: str, evt: str, /, **fields: Any) -> None:
        """Logs one event; never waits, never raises.

        Args:
            level: debug, info, warn, error or critical.
            evt: noun.verb from the catalogue.
            fields: scalars, units in the key suffix.
        """
        if level not in LEVELS:
            level = _ALIASES.get(level, "error")
        if LEVELS[level] < self._threshold:
            return
        if len(self._queue) >= self._queue_max or self._stopping:
            self.dropped += 1
            return
        self._seq += 1
        # The writer is not woken: it would compete for the interpreter lock at the worst moment.
        self._queue.append((time.time_ns(), self._seq, level, evt, fields))

    def flush(self, timeout_s: float = 2.0) -> bool:
        """Waits until what was logged so far is written; False after the timeout."""
        wanted = self._seq
        self._wake.set()
        with self._written:
            return self._written.wait_for(lambda: self._done_seq >= wanted, timeout_s)

    def close(self, timeout_s: float = 2.0) -> None:
        """Writes what waits and ends the thread; a blocked sink is abandoned after the timeout."""
        self._stopping = True
        self._wake.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while True:
            self._wake.wait(POLL_S)
            self._wake.clear()
            self._drain()
            if self._stopping:
                break
        self._drain()
        for sink, _ in self._sinks:
            sink.close()

    def _drain(self) -> None:
        while self._queue:
            entry = self._queue.popleft()
            self._write(entry)
            if self.dropped != self._reported:
                self._report_drops(entry[1])
            with self._written:
                self._done_seq = max(self._done_seq, entry[1])
                self._written.notify_all()

    def _report_drops(self, seq: int) -> None:
        lines, self._reported = self.dropped - self._reported, self.dropped
        fields = {"lines": lines, "total": self.dropped}
        self._write((time.time_ns(), seq, "warn", "log.dropped", fields))

    def _write(self, entry: Entry) -> None:
        fields = self._line(entry)
        for pair in list(self._sinks):
            sink, render = pair
            try:
                sink.write(render(fields))
            except OSError:
                # The reader has gone (EPIPE), or the disk is full: other sinks go on.
                self.dropped += 1
                self._sinks.remove(pair)

    def _line(self, entry: Entry) -> dict[str, Any]:
        wall_ns, seq, level, evt, fields = entry
        moment = datetime.fromtimestamp(wall_ns // 1_000_000_000, UTC)
        stamp = f"{moment:%Y-%m-%dT%H:%M:%S}.{wall_ns % 1_000_000_000 // 1000:06d}Z"
        run, instance = self._common
        head = dict(zip(FIRST_KEYS, (stamp, seq, run, instance, level, evt), strict=True))
        rest = self.redactor.fields(fields)
        if evt not in EVENTS:
            self.unlisted.add(evt)
            rest["unlisted"] = True
        return head | {key: value for key, value in rest.items() if key not in head}


Renderer = Callable[[dict[str, Any]], bytes]


def level_name(level: str) -> str:
    """Returns the level's own name.

    Raises:
        ValueError: there is no such level.
    """
    name = _ALIASES.get(level.lower(), level.lower())
    if name not in LEVELS:
        raise ValueError(f"level {level!r}, must be one of {', '.join(LEVELS)}")
    return name


def _serialise(fields: MutableMapping[str, Any], **_: Any) -> str:
    return msgspec.json.encode(fields).decode()


_json = structlog.processors.JSONRenderer(serializer=_serialise)


def render_json(fields: dict[str, Any]) -> bytes:
    """Returns one JSON line, cut to 4 KB by leaving out the longest fields."""
    line = str(_json(None, "", dict(fields))).encode()
    kept = dict(fields)
    while len(line) >= LINE_BYTES_MAX:
        rest = [key for key in kept if key not in FIRST_KEYS and key != "cut"]
        if not rest:
            return msgspec.json.encode({"cut": True, "evt": str(fields["evt"])[:64]}) + b"\n"
        longest = max(rest, key=lambda key: len(str(kept[key])))
        del kept[longest]
        kept["cut"] = True
        line = str(_json(None, "", dict(kept))).encode()
    return line + b"\n"


def text_renderer(colors: bool) -> Renderer:
    """Returns a renderer for people: time, level, event, key=value."""
    console = structlog.dev.ConsoleRenderer(
        colors=colors, event_key="evt", timestamp_key="ts", pad_event_to=18, sort_keys=False
    )

    def render(fields: dict[str, Any]) -> bytes:
        shown = {key: value for key, value in fields.items() if key not in ("seq", "run", "inst")}
        shown["ts"] = str(shown["ts"])[11:23]
        shown["level"] = shown.pop("lvl")
        return (str(console(None, "", shown)) + "\n").encode()

    return render


def setup(
    settings: LogSettings,
    run: str,
    instance: str,
    file: Path | None = None,
    stream: bool = False,
) -> Log:
    """Returns the log of one process.

    Args:
        settings: level, file, rotation.
        run: id of this run.
        instance: the instance's name.
        file: where lines go unless the settings name another file; None for no file.
        stream: also to standard output: text on a terminal, JSON lines otherwise.

    Raises:
        ValueError: the level is unknown.
        OSError: the file cannot be opened.
    """
    sinks: list[tuple[Sink, Renderer]] = []
    path = Path(settings.file).expanduser() if settings.file else file
    if path is not None:
        sinks.append((FileSink(path, settings.rotate_mib, settings.keep), render_json))
    if stream and sys.stdout is not None:
        terminal = sys.stdout.isatty()
        colors = terminal and not os.environ.get("NO_COLOR")
        render = text_renderer(colors) if terminal else render_json
        sinks.append((StreamSink(sys.stdout.fileno()), render))
    return Log(run, instance, settings.level, tuple(sinks))

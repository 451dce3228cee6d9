"""`dailyarb tail`: the log's JSON lines, readable, filtered, and as they come."""

from __future__ import annotations

import fnmatch
import json
import os
import time
from argparse import Namespace
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from dailyarb.core.domain.errors import DailyarbError
from dailyarb.runtime.log_events import document
from dailyarb.verbs.engine import instance_of, places
from dailyarb.verbs.output import Output

POLL_S = 0.2
_ALWAYS = ("ts", "seq", "run", "inst", "lvl", "evt")
_COLOURS = {"debug": "2", "warn": "33", "error": "31", "critical": "1;31"}


def tail(arguments: Namespace, out: Output) -> int:
    """Shows the newest lines of the log, and with -f those that follow."""
    if arguments.table:
        out.write(document().rstrip())
        return 0
    path = places(instance_of(arguments)).log
    if not path.exists():
        raise DailyarbError(f"{path}: no log yet; dailyarb locate names the paths")
    follower = Follower(path)
    newest = deque(follower.lines(), maxlen=max(arguments.last, 0))
    for line in (line for line in newest if wanted(line, arguments.evt, arguments.mkt)):
        _show(line, out)
    while arguments.follow:
        for line in follower.lines():
            if wanted(line, arguments.evt, arguments.mkt):
                _show(line, out)
        time.sleep(POLL_S)
    return 0


class Follower:
    """Reads a log that grows and is rotated: whole lines, each once.

    Args:
        path: the newest file of the log.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] = path.open("rb")
        self._part = b""

    def lines(self) -> Iterator[str]:
        """Gives the lines that came since the last call, also across a rotation."""
        yield from self._read()
        if self._rotated():
            # What was written before the rename is in the old file: its rest comes first.
            yield from self._read()
            self._file.close()
            self._file, self._part = self._path.open("rb"), b""
            yield from self._read()

    def _read(self) -> Iterator[str]:
        while piece := self._file.read(1 << 16):
            *whole, self._part = (self._part + piece).split(b"\n")
            for line in whole:
                yield line.decode("utf-8", "replace")

    def _rotated(self) -> bool:
        try:
            now = self._path.stat()
        except FileNotFoundError:
            return False
        return not os.path.samestat(now, os.fstat(self._file.fileno()))


def _fields(line: str) -> dict[str, Any] | None:
    """Returns the fields of a line, or None if it is no line of ours."""
    try:
        fields = json.loads(line)
    except ValueError:
        return None
    return fields if isinstance(fields, dict) else None


def wanted(line: str, evt: str, mkt: str) -> bool:
    """Says whether a line is of the events and markets asked for."""
    if not evt and not mkt:
        return True
    fields = _fields(line)
    if fields is None:
        return False
    return (not evt or fnmatch.fnmatchcase(str(fields.get("evt", "")), evt)) and (
        not mkt or str(fields.get("mkt", "")).startswith(mkt)
    )


def render(line: str, *, colour: bool) -> str:
    """Returns a line for people: time, level, event, then the rest as `name=value`."""
    fields = _fields(line)
    if fields is None:
        return line
    level = str(fields.get("lvl", ""))
    rest = " ".join(
        f"{key}={value if isinstance(value, str) and value else json.dumps(value)}"
        for key, value in fields.items()
        if key not in _ALWAYS
    )
    stamp = str(fields.get("ts", ""))[11:23]
    text = f"{stamp} {level:<8} {fields.get('evt', '')} {rest}".rstrip()
    code = _COLOURS.get(level, "") if colour else ""
    return f"\x1b[{code}m{text}\x1b[0m" if code else text


def _show(line: str, out: Output) -> None:
    colour = out.terminal and "NO_COLOR" not in os.environ
    out.write(line if out.json else render(line, colour=colour))

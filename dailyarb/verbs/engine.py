"""Where an instance's engine is, and what it last showed."""

from __future__ import annotations

import os
from argparse import Namespace

import msgspec

from dailyarb import config
from dailyarb.core.domain.errors import BoardError
from dailyarb.core.domain.view import View
from dailyarb.runtime.board import BoardReader
from dailyarb.runtime.clock import boot_ns
from dailyarb.runtime.paths import Places

DEAD_AFTER_S = 5.0
DEFAULT_INSTANCE = "main"
_decode = msgspec.msgpack.Decoder(View).decode


class Glance(msgspec.Struct, frozen=True):
    """Is an engine's newest view, and whether the engine behind it still lives.

    Attributes:
        view: as laid on the board.
        age_s: seconds since the engine last said it lives.
        pid: its process.
        alive: whether that process is there and spoke within the last seconds.
    """

    view: View
    age_s: float
    pid: int
    alive: bool


def instance_of(arguments: Namespace) -> str:
    """Returns the instance a command is about: said, or as the file has it, or `main`."""
    said = str(getattr(arguments, "instance", ""))
    return said or config.peek(arguments.config, "instance") or DEFAULT_INSTANCE


def places(instance: str) -> Places:
    """Returns where an instance keeps its files."""
    return Places(instance)


def running(pid: int) -> bool:
    """Says whether a process is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class Window:
    """Looks at one instance's board, again and again; follows it into a new run.

    Args:
        instance: whose board.

    Raises:
        BoardError: there is no board: no engine has run since the machine started.
    """

    def __init__(self, instance: str) -> None:
        self._instance = instance
        self._path = places(instance).board
        self._reader = self._open()

    def look(self) -> Glance:
        """Returns what the engine last showed.

        Raises:
            BoardError: it has shown nothing yet, or in a form this program does not read.
        """
        if self._reader.replaced() and self._path.exists():
            self._reader.close()
            self._reader = self._open()
        blob = self._reader.read_view()
        if blob is None:
            raise BoardError(f"the engine of {self._instance!r} starts; it shows nothing yet")
        try:
            view = _decode(blob)
        except msgspec.DecodeError as error:
            raise BoardError(f"{self._path}: a view of another version ({error})") from None
        age_s = max(0.0, (boot_ns() - self._reader.heartbeat_ns) / 1e9)
        pid = self._reader.pid
        return Glance(view, age_s, pid, age_s < DEAD_AFTER_S and running(pid))

    def close(self) -> None:
        """Unmaps the board."""
        self._reader.close()

    def __enter__(self) -> Window:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self) -> BoardReader:
        if not self._path.exists():
            what = f"no engine runs as {self._instance!r}; start one with: dailyarb"
            raise BoardError(f"{what} --instance {self._instance}")
        return BoardReader.open(self._path)


def glance(arguments: Namespace) -> Glance:
    """Returns one look at the engine a command is about.

    Raises:
        BoardError: there is nothing to look at; the message says what to do.
    """
    with Window(instance_of(arguments)) as window:
        return window.look()

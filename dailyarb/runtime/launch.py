"""Starting and finding processes: the engine in a session of its own, and the embedded venues.

A started process that ends before it is ready is an error that carries its own last words and
exit code. An engine is found by the lock it holds, never by a pid file: a lock cannot be stale.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from dailyarb.core.domain.errors import BoardError, DailyarbError
from dailyarb.runtime.board import BoardReader
from dailyarb.runtime.control import ControlClient, ControlError, Role
from dailyarb.runtime.cores import allow, allowed, engine_core, pin_to, stay_off
from dailyarb.runtime.paths import Places, holder_of

__all__ = [
    "LaunchError",
    "Running",
    "Venues",
    "engine_core",
    "find",
    "pin_to",
    "start_detached",
    "start_venues",
    "stay_off",
    "stop_process",
    "wait_ready",
]

READY_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 15.0
_POLL_S = 0.02
_TAIL_BYTES = 4096
_GREETING_BYTES_MAX = 65_536


class LaunchError(DailyarbError):
    """A started process ended, or did not get ready in time.

    Args:
        what: which process and why.
        code: its exit code, or 70 where it has none to tell.
        output: the last it said.
    """

    def __init__(self, what: str, code: int = 70, output: str = "") -> None:
        super().__init__(f"{what}\n{output}" if output else what)
        self.code = code
        self.output = output


class Running(msgspec.Struct, frozen=True):
    """Is an engine that holds its instance's lock.

    heartbeat_ns is 0 where it has no board yet; answering says whether its socket greets.
    """

    pid: int
    run: str
    heartbeat_ns: int
    answering: bool


def find(places: Places) -> Running | None:
    """Returns the running engine of an instance, or None."""
    holder = holder_of(places.lock)
    if holder is None:
        return None
    heartbeat_ns = 0
    with contextlib.suppress(BoardError):
        board = BoardReader.open(places.board)
        heartbeat_ns = board.heartbeat_ns if board.pid == holder.get("pid") else 0
        board.close()
    answering = False
    with contextlib.suppress(ControlError):
        ControlClient(places.socket, Role.OBSERVER).close()
        answering = True
    pid = holder.get("pid")
    return Running(
        pid if isinstance(pid, int) else 0, str(holder.get("run", "")), heartbeat_ns, answering
    )


def start_detached(
    argv: Sequence[str], output: Path, cores: frozenset[int] | None = None
) -> subprocess.Popen[bytes]:
    """Starts a process in a session of its own; closing this terminal does not end it.

    Args:
        argv: the program and its words.
        output: file for its standard output and errors, replaced, mode 0600.
        cores: those it is allowed, where this thread has left some to the engine.

    Raises:
        LaunchError: the program cannot be started.
    """
    before = allowed()
    try:
        output.unlink(missing_ok=True)
        handle = os.open(output, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, 0o600)
    except OSError as error:
        raise LaunchError(f"{output}: {error.strerror}", 3) from None
    try:
        if cores:
            allow(cores)  # what is started inherits this thread's cores
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=handle,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise LaunchError(f"{argv[0]}: {error.strerror}") from None
    finally:
        if cores:
            allow(before)
        os.close(handle)


def wait_ready(
    places: Places,
    process: subprocess.Popen[bytes],
    timeout_s: float = READY_TIMEOUT_S,
) -> Running:
    """Waits until an engine that was just started has laid its board and answers.

    Blocks; call it in a thread. A process that is too slow is left running.

    Raises:
        LaunchError: it ended, with its exit code and last words, or is not ready in time.
    """
    end = time.monotonic() + timeout_s
    while True:
        code = process.poll()
        if code is not None:
            words = tail(places.engine_output)
            raise LaunchError(f"the engine ended with code {code}", _exit_code(code), words)
        found = find(places)
        if found is not None and found.answering and found.heartbeat_ns:
            return found
        if time.monotonic() > end:
            what = f"the engine (pid {process.pid}) is not ready after {timeout_s:g} s"
            raise LaunchError(what, 70, tail(places.engine_output))
        time.sleep(_POLL_S)


class Venues:
    """Is a venues process of ours: embedded or replaying.

    greeting is the JSON object it sent when it was ready.
    """

    def __init__(self, process: subprocess.Popen[bytes], greeting: dict[str, Any]) -> None:
        self.process = process
        self.greeting = greeting

    @property
    def ended(self) -> int | None:
        """Returns its exit code once it has ended."""
        return self.process.poll()

    def stop(self, timeout_s: float = 5.0) -> int:
        """Ends it and returns its exit code."""
        return stop_process(self.process, timeout_s)


def start_venues(argv: Sequence[str], timeout_s: float = READY_TIMEOUT_S) -> Venues:
    """Starts a venues process and waits for its greeting; it ends when this process does.

    Args:
        argv: program and words, without `--ready-fd` and `--parent-pid`, which are added.
        timeout_s: how long it may take. Blocks; call it in a thread.

    Raises:
        LaunchError: it cannot be started, ended, said nothing in time, or nonsense.
    """
    reading, writing = os.pipe()
    words = [*argv, "--ready-fd", str(writing), "--parent-pid", str(os.getpid())]
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=(writing,),
            start_new_session=True,  # a Ctrl-C is for the engine, which still needs its venues
        )
    except OSError as error:
        os.close(reading)
        os.close(writing)
        raise LaunchError(f"{argv[0]}: {error.strerror}") from None
    os.close(writing)
    try:
        line = _read_line(reading, timeout_s)
    finally:
        os.close(reading)
    greeting = _parsed(line)
    if greeting is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.5)  # one that is about to end by itself tells its own code
        stop_process(process, 1.0)
        assert process.stderr is not None
        said = process.stderr.read()[-_TAIL_BYTES:].decode(errors="replace")
        raise LaunchError("the venues did not get ready", _exit_code(process.returncode), said)
    _drain_errors(process)
    return Venues(process, greeting)


def stop_process(process: subprocess.Popen[bytes], timeout_s: float = STOP_TIMEOUT_S) -> int:
    """Asks a process to end, kills it after the timeout, and returns its exit code."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


def tail(path: Path, size: int = _TAIL_BYTES) -> str:
    """Returns the last of a text file, "" where there is none."""
    try:
        with open(path, "rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - size))
            return file.read().decode(errors="replace").strip()
    except FileNotFoundError:
        return ""


def _exit_code(code: int | None) -> int:
    return code if code is not None and code > 0 else 70


def _read_line(handle: int, timeout_s: float) -> bytes:
    """Returns what a pipe gives up to a line's end, its own end, or the timeout."""
    end = time.monotonic() + timeout_s
    line = b""
    while not line.endswith(b"\n") and len(line) < _GREETING_BYTES_MAX:
        left = end - time.monotonic()
        if left <= 0 or not select.select([handle], [], [], left)[0]:
            break
        piece = os.read(handle, 4096)
        if not piece:
            break
        line += piece
    return line


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _drain_errors(process: subprocess.Popen[bytes]) -> None:
    """Hands the child's later errors to nobody: a pipe left unread would fill and stop it."""
    pipe = process.stderr
    if pipe is None:
        return

    def drain() -> None:
        with pipe:
            while pipe.read(4096):
                pass

    threading.Thread(target=drain, name="venues-errors", daemon=True).start()

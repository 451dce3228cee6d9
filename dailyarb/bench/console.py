"""First paint: from exec of `dailyarb attach` to its first whole screen. Budget: 0.8 s.

A board is laid with the canned desk and kept alive ten times a second, as an engine keeps it; the
console runs on a terminal of 120x40 that is read here. The screen is whole once its first row,
its market and its last row, the keys, have come out of the terminal.
"""

from __future__ import annotations

import json
import os
import pty
import re
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fcntl import ioctl
from pathlib import Path
from termios import TIOCSWINSZ
from typing import Any

import msgspec

from dailyarb.core.domain.orders import BookState
from dailyarb.runtime.board import BoardWriter, BookImage
from dailyarb.runtime.clock import boot_ns
from dailyarb.runtime.paths import take_lock
from dailyarb.tui import fixtures

BUDGET_MS = 800.0
SIZE = (120, 40)
PATIENCE_S = 30.0
EVERY_S = 0.1
INSTANCE = "paint"
MARKS = ("[S SIM]", "BTC 15m", "F9 HALT")
_CONTROL = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|[()][0-9A-B]|\][^\x07]*\x07|[=>78])")


def run(rounds: int = 5) -> list[dict[str, Any]]:
    """Returns one row: the median of `rounds` starts in milliseconds; it has no peers."""
    with tempfile.TemporaryDirectory(prefix="dailyarb-bench-") as folder:
        env = isolated(Path(folder))
        words = [sys.executable, "-m", "dailyarb", "attach", "--instance", INSTANCE, "--observe"]
        with standing_in(env):
            times = [first_paint(words, env, MARKS) for _ in range(max(1, rounds))]
    return [
        {
            "name": f"console: first whole screen at 120x40 (budget {BUDGET_MS:.0f} ms)",
            "unit": "ms",
            "ours": round(1e3 * statistics.median(times), 1),
            "peers": {},
            "ratio_to_best_peer": None,
        }
    ]


def isolated(place: Path) -> dict[str, str]:
    """Returns an environment whose run and state directories lie below a folder of ours."""
    run_dir = place / "run"
    run_dir.mkdir(mode=0o700)
    return {**os.environ, "XDG_STATE_HOME": str(place / "state"), "XDG_RUNTIME_DIR": str(run_dir)}


@contextmanager
def standing_in(env: Mapping[str, str]) -> Iterator[None]:
    """Stands in for an engine until the block ends: its lock, and the canned desk kept alive."""
    ours = Path(env["XDG_STATE_HOME"]) / "dailyarb" / INSTANCE
    ours.mkdir(mode=0o700, parents=True)
    lock = take_lock(INSTANCE, ours / "lock", json.dumps({"pid": os.getpid(), "run": INSTANCE}))
    path = Path(env["XDG_RUNTIME_DIR"]) / "dailyarb" / INSTANCE / "board"
    board, over = BoardWriter.create(path, INSTANCE), threading.Event()

    def live() -> None:
        view, frame = fixtures.running(), 0
        while not over.wait(EVERY_S if frame else 0.0):
            frame += 1
            now_ns = boot_ns()
            fresh = msgspec.structs.replace(
                view, frame=frame, mono_ns=now_ns, wall_ns=time.time_ns()
            )
            board.write_view(msgspec.msgpack.encode(fresh))
            board.heartbeat(now_ns)

    for slot, book in fixtures.books().items():
        image = BookImage(slot, 1, BookState.SYNCED, 100, boot_ns(), 0, book.bids, book.asks)
        board.write_book(slot, image)
    thread = threading.Thread(target=live)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        board.close()
        os.close(lock)


def first_paint(words: Sequence[str], env: Mapping[str, str], marks: Sequence[str]) -> float:
    """Returns the seconds from starting a program to the last of its marks on its terminal.

    Raises:
        TimeoutError: it ended, or half a minute passed, before all of them were there.
    """
    wanted = [mark.encode() for mark in marks]
    begun = time.perf_counter()
    with on_terminal(words, env, SIZE) as lead:
        came = b""
        while time.perf_counter() - begun < PATIENCE_S:
            piece = _read(lead)
            if piece is None:
                break
            came += piece
            shown = _CONTROL.sub(b"", came)
            if all(mark in shown for mark in wanted):
                return time.perf_counter() - begun
    raise TimeoutError(f"no whole screen of {' '.join(words)}")


def _read(lead: int) -> bytes | None:
    """Returns what has come by now, None once nothing can come any more."""
    if not select.select([lead], [], [], EVERY_S)[0]:
        return b""
    try:
        return os.read(lead, 65_536) or None
    except OSError:
        return None  # Linux says EIO once the last program has left the terminal.


@contextmanager
def on_terminal(
    words: Sequence[str], env: Mapping[str, str], size: tuple[int, int]
) -> Iterator[int]:
    """Runs a program on a terminal of its own, (columns, rows); yields the end that is read."""
    lead, follow = pty.openpty()
    ioctl(follow, TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
    process = subprocess.Popen(
        words, env={**env, "TERM": "xterm-256color"}, stdin=follow, stdout=follow, stderr=follow,
        start_new_session=True,
    )  # fmt: skip
    os.close(follow)
    try:
        yield lead
    finally:
        process.kill()
        process.wait()
        os.close(lead)

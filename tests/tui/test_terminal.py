"""On a real terminal: HALT does not wait for a busy loop, and the terminal comes back sane."""

from __future__ import annotations

import asyncio
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from dailyarb.core.domain.clock import Instant, ManualClock
from dailyarb.core.domain.events import OperatorCommand
from dailyarb.core.domain.operator import OperatorVerb
from dailyarb.core.domain.orders import BookState
from dailyarb.core.domain.rung import Rung
from dailyarb.runtime.board import BoardWriter, BookImage
from dailyarb.runtime.clock import boot_ns
from dailyarb.runtime.control import ControlServer
from dailyarb.tui import fixtures
from dailyarb.tui.source import Ack, BoardSource, LinkState, LinkWatch, Role

# A console whose loop is stuck for seconds right after its first paint; it tells what happens,
# one letter each: R ready, H halt handed over, L loop alive again.
CHILD = """
import asyncio, os, sys, time
from dailyarb.tui import fixtures
from dailyarb.tui.app import Console, ConsoleOptions
from dailyarb.tui.source import FixtureSource

OUT = int(sys.argv[1])
STUCK_S = float(sys.argv[2])

class Told(FixtureSource):
    def halt(self):
        os.write(OUT, b"H")
        return super().halt()

async def watch():
    await asyncio.sleep(0.3)
    os.write(OUT, b"R")
    time.sleep(STUCK_S)
    os.write(OUT, b"L")

source = Told(fixtures.running(), fixtures.books())
code = Console(source, ConsoleOptions(watch=watch)).run()
os.write(OUT, b"%d" % len(source.sent))
sys.exit(code or 0)
"""


def read_until(handle: int, wanted: bytes, seconds: float) -> bytes:
    """Reads until a text has come, bounded in time."""
    got = b""
    end = time.monotonic() + seconds
    while wanted not in got and time.monotonic() < end:
        if select.select([handle], [], [], 0.05)[0]:
            piece = os.read(handle, 4096)
            if not piece:
                break
            got += piece
    return got


class Terminal:
    """Runs the child on a pseudo terminal and drains what it paints."""

    def __init__(self, stuck_s: float) -> None:
        self.master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (24, 80))
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.told, told_w = os.pipe()
        self.child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(told_w), str(stuck_s)],
            stdin=slave, stdout=slave, stderr=slave, pass_fds=(told_w,), start_new_session=True,
            env={**os.environ, "TERM": "xterm-256color"},
        )  # fmt: skip
        os.close(told_w)

    def drain(self) -> None:
        """Takes what was painted, so that the child never waits for us."""
        while select.select([self.master], [], [], 0)[0]:
            if not os.read(self.master, 65_536):
                return

    def wait_for(self, letter: bytes, seconds: float = 15.0) -> bytes:
        """Waits until the child told something."""
        got = b""
        end = time.monotonic() + seconds
        while letter not in got and time.monotonic() < end:
            self.drain()
            got += read_until(self.told, letter, 0.05)
        assert letter in got, got
        return got

    def close(self) -> None:
        """Ends the child and closes everything."""
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()
        for handle in (self.master, self.slave, self.told):
            os.close(handle)


@pytest.mark.parametrize("keys", [b"\x1b[20~", b"\x18"], ids=["F9", "Ctrl-X"])
def test_halt_does_not_wait_for_a_stuck_event_loop(keys: bytes) -> None:
    terminal = Terminal(stuck_s=1.5)
    try:
        terminal.wait_for(b"R")
        os.write(terminal.master, keys)
        assert b"L" not in terminal.wait_for(b"H")
        terminal.wait_for(b"L")
        os.kill(terminal.child.pid, signal.SIGTERM)
    finally:
        terminal.close()


def test_pasted_text_halts_nothing() -> None:
    terminal = Terminal(stuck_s=0.0)
    try:
        terminal.wait_for(b"L")
        os.write(terminal.master, b"\x1b[200~ab\x18c\x1b[201~q")
        assert b"H" not in read_until(terminal.told, b"H", 0.5)
    finally:
        terminal.close()


def test_the_terminal_is_sane_after_leaving() -> None:
    terminal = Terminal(stuck_s=0.0)
    try:
        terminal.wait_for(b"L")
        os.write(terminal.master, b"q")
        time.sleep(0.1)
        for _ in range(100):
            os.write(terminal.master, b"\r")  # taken once the dialog is armed
            terminal.drain()
            if terminal.child.poll() is not None:
                break
            time.sleep(0.05)
        assert terminal.child.wait(5) == 0
        assert termios.tcgetattr(terminal.slave)[3] == terminal.before[3]
        assert os.read(terminal.told, 10) == b"0"
    finally:
        terminal.close()


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_it_draws_inside_tmux(tmp_path: Path) -> None:
    script = tmp_path / "child.py"
    script.write_text(CHILD, encoding="utf-8")
    tmux = ["tmux", "-S", str(tmp_path / "s"), "-f", "/dev/null"]
    command = f"{sys.executable} {script} 2 0"
    subprocess.run([*tmux, "new-session", "-d", "-x", "80", "-y", "24", command], check=True)
    try:
        screen = ""
        for _ in range(150):
            screen = subprocess.run(
                [*tmux, "capture-pane", "-p"], capture_output=True, text=True, check=True
            ).stdout
            if "BTC 15m" in screen:
                break
            time.sleep(0.1)
        assert "1 Desk: markets" in screen
        assert "F9 HALT" in screen
    finally:
        subprocess.run([*tmux, "kill-server"], check=False)


def laid(path: Path) -> BoardWriter:
    """Returns a board with the running view and one book."""
    import msgspec

    board = BoardWriter.create(path, "7f3c")
    board.heartbeat(boot_ns())
    board.write_view(msgspec.msgpack.encode(fixtures.running()))
    image = BookImage(0, 1, BookState.SYNCED, 100, 1, 1, [(5700, 10**6)], [(5800, 10**6)])
    board.write_book(0, image)
    return board


def test_a_board_is_read_and_a_dead_engine_noticed(tmp_path: Path) -> None:
    path = tmp_path / "board"
    source = BoardSource(path, tmp_path / "socket", who="ann@tty1", observe=True)
    assert source.latest() is None
    assert source.state is LinkState.CONNECTING
    board = laid(path)
    frame = None
    for _ in range(40):
        frame = source.latest()
        if frame is not None:
            break
        time.sleep(0.02)
    assert frame is not None
    assert frame.view == fixtures.running()
    assert source.state is LinkState.RUNNING
    book = source.book(0)
    assert book is not None
    assert book.bids == [(5700, 10**6)]
    assert source.book(63) is None
    assert source.book(9_999) is None
    board.heartbeat(boot_ns() - 6 * 10**9)
    source.latest()
    assert source.state is LinkState.LOST
    board.close()
    assert source.latest() is frame
    source.close()


def test_the_link_says_what_it_knows() -> None:
    import msgspec

    watch = LinkWatch()
    view = fixtures.running()
    assert watch.state(0, 0) is LinkState.CONNECTING
    watch.saw(view, 10)
    assert watch.state(10, 10) is LinkState.RUNNING
    assert watch.state(2 * 10**9, 2 * 10**9) is LinkState.NO_FRAME
    watch.saw(fixtures.booting(), 2 * 10**9)
    again = msgspec.structs.replace(view, frame=1, run="8a01")
    watch.saw(msgspec.structs.replace(again, booting=fixtures.booting().booting), 2 * 10**9)
    assert watch.state(2 * 10**9, 2 * 10**9) is LinkState.SYNCING
    watch.saw(msgspec.structs.replace(again, frame=2), 2 * 10**9)
    assert watch.state(2 * 10**9, 2 * 10**9) is LinkState.RESTARTED


async def test_commands_reach_a_real_socket_and_bring_their_answer(tmp_path: Path) -> None:
    heard: list[OperatorCommand] = []

    def on_command(command: OperatorCommand) -> None:
        heard.append(command)
        server.answer(command.request_id, True, "2/2 cancelled")

    class Clock:
        def now(self) -> Instant:
            return Instant(boot_ns(), time.time_ns())

    path = tmp_path / "socket"
    server = ControlServer(path, on_command, Clock())
    await server.start()
    source = BoardSource(tmp_path / "board", path, who="ann@tty1")
    try:
        await source.greet()
        assert source.role is Role.OPERATOR
        command = OperatorCommand(OperatorVerb.RUNG, "ann", rung=Rung.FULL, frame=7, confirmed=True)
        assert await source.send(command) == Ack(True, "2/2 cancelled")
        assert (heard[0].rung, heard[0].frame, heard[0].confirmed) == (Rung.FULL, 7, True)
        assert await asyncio.to_thread(source.halt)
        for _ in range(100):
            if len(heard) > 1:
                break
            await asyncio.sleep(0.01)
        assert heard[1].verb is OperatorVerb.HALT
    finally:
        await server.stop()
    answer = await source.send(OperatorCommand(OperatorVerb.HALT, "ann"))
    assert not answer.ok
    assert not source.halt()
    source.close()


async def test_an_observer_sends_nothing(tmp_path: Path) -> None:
    source = BoardSource(tmp_path / "b", tmp_path / "s", who="x", observe=True)
    await source.greet()
    assert not (await source.send(OperatorCommand(OperatorVerb.HALT, "x"))).ok
    assert not source.halt()


async def test_a_console_holds_one_connection_whoever_asks_first(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    server = ControlServer(
        path, lambda asked: server.answer(asked.request_id, True, "done"), ManualClock()
    )
    await server.start()
    source = BoardSource(tmp_path / "board", path, who="ann@tty1")
    halt = OperatorCommand(OperatorVerb.HALT, "ann")
    try:
        await asyncio.gather(source.greet(), source.send(halt), source.greet())
        assert len(server.peers) == 1
        assert (source.role, server.holder) == (Role.OPERATOR, "ann@tty1")
    finally:
        await server.stop()
        source.close()

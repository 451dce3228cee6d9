"""Board and ring between two real processes: nothing torn, lost or doubled, whoever dies."""

from __future__ import annotations

import mmap
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dailyarb._fast.board import BOOK_BYTES, Memory, Slot
from dailyarb._fast.ring import Ring
from dailyarb.core.domain.errors import BoardError
from dailyarb.runtime.board import HEAD_BYTES, BoardReader
from tests.integration.board_child import LARGE, RING_BYTES, book_of, opened, sealed

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 30.0

Spawn = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Gives a way to start the other process; it is killed at the end."""
    children: list[subprocess.Popen[bytes]] = []

    def start(*arguments: object) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.integration.board_child"]
        children.append(subprocess.Popen([*command, *map(str, arguments)], cwd=ROOT))
        return children[-1]

    yield start
    for child in children:
        child.kill()
        child.wait()


def open_board(path: Path) -> BoardReader:
    """Waits, within bounds, for the other process to lay the board."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return BoardReader.open(path)
        except BoardError:
            assert time.monotonic() < deadline, "no board"


def test_no_view_is_torn_under_a_writer_flat_out(tmp_path: Path, spawn: Spawn) -> None:
    child = spawn("view", tmp_path / "board")
    reader = open_board(tmp_path / "board")
    last, fresh, reads = 0, 0, 0
    deadline = time.monotonic() + PATIENCE_S
    while (reads < 300_000 or fresh < 1000) and time.monotonic() < deadline:
        blob = reader.read_view()
        if blob is None:
            continue
        number = opened(blob)
        assert len(blob) == 8 * (1 + number % 60) + 4
        assert number >= last
        fresh += number > last
        last = number
        reads += 1
    assert reads >= 300_000
    assert fresh >= 1000
    assert child.poll() is None


def test_no_book_is_torn_under_a_writer_flat_out(tmp_path: Path, spawn: Spawn) -> None:
    child = spawn("books", tmp_path / "board")
    reader = open_board(tmp_path / "board")
    last, fresh, reads = 0, 0, 0
    deadline = time.monotonic() + PATIENCE_S
    while (reads < 150_000 or fresh < 1000) and time.monotonic() < deadline:
        book = reader.read_book(0)
        if book is None:
            continue
        expected = book_of(book.epoch)
        assert (book.bids, book.asks) == (expected.bids[:20], expected.asks[:20])
        assert book == expected or book.epoch % 21 == 20
        assert book.epoch >= last
        fresh += book.epoch > last
        last = book.epoch
        reads += 1
    assert reads >= 150_000
    assert fresh >= 1000
    assert child.poll() is None


def writing(path: Path) -> bool:
    """Says whether a copy of the view is marked as being written."""
    first = HEAD_BYTES + Slot.bytes_for(BOOK_BYTES)
    second = first + Slot.bytes_for(LARGE) // 2
    with path.open("rb") as file:
        words = [os.pread(file.fileno(), 8, at) for at in (first, second)]
    return any(struct.unpack("<Q", word)[0] % 2 for word in words)


def stop_mid_write(child: subprocess.Popen[bytes], path: Path, check: Callable[[], None]) -> None:
    """Stops the writer until it is caught half-way through a copy; runs `check` at each stop."""
    for _ in range(500):
        os.kill(child.pid, signal.SIGSTOP)
        os.waitpid(child.pid, os.WUNTRACED)
        check()
        if writing(path):
            return
        os.kill(child.pid, signal.SIGCONT)
    pytest.fail("never caught the writer half-way")


def test_a_writer_stopped_then_killed_half_way_leaves_the_view_before(
    tmp_path: Path, spawn: Spawn
) -> None:
    path = tmp_path / "board"
    whole = {sealed(number, LARGE // 8 - 1) for number in range(4)}
    caught = 0
    for _ in range(3):
        child = spawn("large", path)
        while not path.exists() or BoardReader.open(path).pid != child.pid:
            assert child.poll() is None
        reader = open_board(path)
        while reader.read_view() is None:
            assert child.poll() is None

        def check(reader: BoardReader = reader) -> None:
            assert reader.read_view() in whole

        stop_mid_write(child, path, check)
        before = reader.read_view()
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        assert writing(path)
        assert reader.read_view() == before
        assert before in whole
        # A reader that comes after the death sees the same.
        assert BoardReader.open(path).read_view() == before
        caught += 1
    assert caught == 3


def ring_file(path: Path) -> Ring:
    """Lays an empty ring in a file."""
    path.write_bytes(bytes(Ring.bytes_for(RING_BYTES)))
    with path.open("r+b") as file:
        return Ring(RING_BYTES, Memory(mmap.mmap(file.fileno(), 0)))


def received(ring: Ring, child: subprocess.Popen[bytes]) -> Iterator[tuple[int, int, bytes]]:
    """Gives records until the producer is gone and the ring is empty."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        gone = child.poll() is not None
        records = ring.drain_tagged(512)
        yield from records
        if gone and not records:
            assert child.returncode == 0
            return
        assert time.monotonic() < deadline


def test_no_record_is_lost_or_doubled_between_processes(tmp_path: Path, spawn: Spawn) -> None:
    ring = ring_file(tmp_path / "ring")
    child = spawn("ring", tmp_path / "ring", 400_000, 7, "keep")
    expected = 0
    for stamp, tag, record in received(ring, child):
        assert opened(record) == stamp == expected
        assert tag == expected % 5
        expected += 1
    assert expected == ring.pushed == ring.popped == 400_000


def test_every_dropped_record_is_counted(tmp_path: Path, spawn: Spawn) -> None:
    ring = ring_file(tmp_path / "ring")
    child = spawn("ring", tmp_path / "ring", 100_000, 8, "drop")
    last, count = -1, 0
    for stamp, _, record in received(ring, child):
        assert opened(record) == stamp > last
        last, count = stamp, count + 1
    assert count == ring.pushed
    assert ring.pushed + ring.dropped == 100_000


def test_two_threads_share_a_ring() -> None:
    ring, records = Ring(1 << 16), 50_000

    def produce() -> None:
        for number in range(records):
            while not ring.push(sealed(number, 1 + number % 9), number):
                time.sleep(0)  # Lets the consumer have the interpreter.

    producer = threading.Thread(target=produce)
    producer.start()
    expected = 0
    deadline = time.monotonic() + PATIENCE_S
    while expected < records and time.monotonic() < deadline:
        for stamp, record in ring.drain(1024):
            assert opened(record) == stamp == expected
            expected += 1
        time.sleep(0)  # Lets the producer have the interpreter.
    producer.join(PATIENCE_S)
    assert expected == records
    assert ring.pop() is None

"""The board: the engine's books and view in a mapped file, read by other processes without locks.

Layout (version `LAYOUT`): one page of head, then `books_max` book slots, then the view slot.
Head: magic, layout, books_max, view_bytes_max, bytes of the file, pid at 0; heartbeat (mono_ns)
at 64, on a cache line of its own; the run id at 128. Every slot holds two copies under a seqlock
(`_fast/seqlock.hpp`), so the last state stays readable after its writer died half-way.

A new run lays a new file and renames it into place; a mapped file is never truncated, for its
readers would die of SIGBUS. All its bytes are written before the rename, so a full tmpfs is an
error at the start and not a SIGBUS later.
"""

from __future__ import annotations

import mmap
import os
import stat
import struct
from pathlib import Path

import msgspec

from dailyarb._fast.board import BOOK_BYTES, BookSlot, Memory, Slot, TornReadError, Word
from dailyarb._fast.ladder import Ladder
from dailyarb.core.domain.errors import BoardError
from dailyarb.core.domain.orders import BookState

LAYOUT = 1
MAGIC = b"dailyarb"
HEAD_BYTES = 4096
HEARTBEAT_AT = 64
RUN_ID_AT = 128
RUN_ID_BYTES_MAX = 64
BOOKS_MAX = 1024
VIEW_BYTES_MAX = 1 << 26

_HEAD = struct.Struct("<8sIIQQq")
_BOOK_STRIDE = Slot.bytes_for(BOOK_BYTES)
_STATES = (BookState.EMPTY, BookState.SYNCED, BookState.STALE, BookState.DESYNCED)
_STATE_CODES = {state: code for code, state in enumerate(_STATES)}


class BookImage(msgspec.Struct, frozen=True):
    """Is one book as laid on the board, in UP coordinates.

    market is the engine's index of the market, recv_ns the mono_ns of the newest frame,
    stamp_ms the venue's newest stamp; bids and asks are (price_e4, size_e6), best first, at most
    20 a side.
    """

    market: int
    epoch: int
    state: BookState
    tick_e4: int
    recv_ns: int
    stamp_ms: int
    bids: list[tuple[int, int]]
    asks: list[tuple[int, int]]
    flags: int = 0


class _Plan(msgspec.Struct, frozen=True):
    """Is where everything lies in a board of given sizes."""

    books_max: int
    view_bytes_max: int

    def book_at(self, index: int) -> int:
        """Returns the place of a book slot."""
        return HEAD_BYTES + index * _BOOK_STRIDE

    @property
    def view_at(self) -> int:
        """Returns the place of the view slot."""
        return self.book_at(self.books_max)

    @property
    def total(self) -> int:
        """Returns the bytes of the file."""
        return self.view_at + Slot.bytes_for(self.view_bytes_max)


def _identity(status: os.stat_result) -> tuple[int, int]:
    """Returns what tells one file from its replacement."""
    return status.st_dev, status.st_ino


def _lay(path: Path, image: bytes) -> tuple[mmap.mmap, tuple[int, int]]:
    """Writes a file of mode 0600 beside `path`, maps it, and renames it into place."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(fresh, flags, 0o600)
    try:
        rest = memoryview(image)
        while rest:
            rest = rest[os.write(handle, rest) :]
        mapped = mmap.mmap(handle, len(image))
        os.rename(fresh, path)
        return mapped, _identity(os.fstat(handle))
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
    finally:
        os.close(handle)


class BoardWriter:
    """Lays and writes the board; one per engine, on its loop thread.

    Use `BoardWriter.create`.
    """

    def __init__(self, path: Path, plan: _Plan, image: bytes) -> None:
        self._path = path
        self._plan = plan
        self._map, self._identity = _lay(path, image)
        self._memory = Memory(self._map)
        self._heartbeat = Word(self._memory, HEARTBEAT_AT)
        self._books = [BookSlot(self._memory, plan.book_at(i)) for i in range(plan.books_max)]
        self._view = Slot(self._memory, plan.view_at, plan.view_bytes_max)

    @classmethod
    def create(
        cls, path: Path, run_id: str, books_max: int = 64, view_bytes_max: int = 1 << 20
    ) -> BoardWriter:
        """Lays an empty board for a new run, in place of any other at `path`.

        Args:
            path: the file; its folder is made with mode 0700 if missing.
            run_id: names the run, at most 64 bytes.
            books_max: book slots, 1 to 1,024.
            view_bytes_max: the largest view, 1 byte to 64 MiB.

        Raises:
            BoardError: a size is out of range, or the file cannot be laid.
        """
        name = run_id.encode()
        if len(name) > RUN_ID_BYTES_MAX:
            raise BoardError(f"run id of {len(name)} bytes, allowed {RUN_ID_BYTES_MAX}")
        if not (1 <= books_max <= BOOKS_MAX and 1 <= view_bytes_max <= VIEW_BYTES_MAX):
            raise BoardError(f"a board of {books_max} books and {view_bytes_max} bytes of view")
        plan = _Plan(books_max, view_bytes_max)
        image = bytearray(plan.total)
        _HEAD.pack_into(image, 0, MAGIC, LAYOUT, books_max, view_bytes_max, plan.total, os.getpid())
        struct.pack_into(f"<I{len(name)}s", image, RUN_ID_AT, len(name), name)
        try:
            return cls(path, plan, bytes(image))
        except OSError as error:
            raise BoardError(f"{path}: {error.strerror}") from error

    def heartbeat(self, mono_ns: int) -> None:
        """Says that the engine lived at `mono_ns`."""
        self._heartbeat.store(mono_ns)

    def book_slot(self, index: int) -> BookSlot:
        """Returns a book slot; it stays the right one through `ensure`.

        Raises:
            BoardError: the board has no such slot.
        """
        if not 0 <= index < self._plan.books_max:
            raise BoardError(f"book {index} of {self._plan.books_max}")
        return self._books[index]

    def write_book(self, index: int, image: BookImage) -> None:
        """Lays one book; levels past the twentieth are left out."""
        head = (
            image.market,
            image.epoch,
            _STATE_CODES[image.state],
            image.tick_e4,
            image.flags,
            image.recv_ns,
            image.stamp_ms,
        )
        self.book_slot(index).write_book(head, image.bids, image.asks)

    def write_ladder(self, index: int, ladder: Ladder, state: BookState, recv_ns: int) -> None:
        """Lays the book of market `index` straight from its ladder: the hot path."""
        self.book_slot(index).write_ladder(ladder, index, _STATE_CODES[state], recv_ns)

    def write_view(self, blob: bytes) -> None:
        """Lays the view.

        Raises:
            BoardError: it is larger than the board was laid for.
        """
        if len(blob) > self._plan.view_bytes_max:
            raise BoardError(f"a view of {len(blob)} bytes, allowed {self._plan.view_bytes_max}")
        self._view.write(blob)

    def ensure(self) -> bool:
        """Lays the board anew, with its present content, if its file is gone or not ours.

        Returns:
            True if it had to.

        Raises:
            BoardError: it could not; the old memory stays in use, so trying again is safe.
        """
        try:
            if _identity(os.stat(self._path, follow_symlinks=False)) == self._identity:
                return False
        except OSError:
            pass  # Gone or out of reach: the next lines say which.
        try:
            fresh, self._identity = _lay(self._path, self._map[:])
        except OSError as error:
            raise BoardError(f"{self._path}: {error.strerror}") from error
        memory = Memory(fresh)
        self._heartbeat.rebind(memory)
        for slot in (self._view, *self._books):
            slot.rebind(memory)
        self._memory.release()
        self._map.close()
        self._map, self._memory = fresh, memory
        return True

    def close(self) -> None:
        """Unmaps the board and leaves the file: the last state stays readable."""
        self._memory.release()
        self._map.close()


class BoardReader:
    """Reads a board, in any process, and never holds up its writer.

    Use `BoardReader.open`. The run's name and sizes are read once; `replaced` tells of a new run.
    """

    def __init__(self, path: Path, mapped: mmap.mmap, identity: tuple[int, int]) -> None:
        self._path = path
        self._map = mapped
        self._identity = identity
        magic, layout, books_max, view_bytes_max, total, self.pid = _HEAD.unpack_from(mapped, 0)
        if magic != MAGIC:
            raise BoardError(f"{path}: not a board")
        if layout != LAYOUT:
            raise BoardError(f"{path}: layout {layout}, this program reads {LAYOUT}")
        plan = _Plan(books_max, view_bytes_max)
        if not (1 <= books_max <= BOOKS_MAX and 1 <= view_bytes_max <= VIEW_BYTES_MAX):
            raise BoardError(f"{path}: sizes out of range")
        if total != plan.total or len(mapped) < total:
            raise BoardError(f"{path}: truncated, {len(mapped)} of {plan.total} bytes")
        self.books_max: int = books_max
        self.run_id = self._name()
        self._memory = Memory(mapped)
        self._heartbeat = Word(self._memory, HEARTBEAT_AT)
        self._books = [BookSlot(self._memory, plan.book_at(i)) for i in range(books_max)]
        self._view = Slot(self._memory, plan.view_at, view_bytes_max)

    @classmethod
    def open(cls, path: Path) -> BoardReader:
        """Maps the board at `path`, read-only.

        Raises:
            BoardError: it is missing, another user's, of another layout, or truncated.
        """
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise BoardError(f"{path}: {error.strerror}") from error
        try:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
                raise BoardError(f"{path}: not a file of this user")
            if status.st_size < HEAD_BYTES:
                raise BoardError(f"{path}: truncated, {status.st_size} bytes")
            mapped = mmap.mmap(handle, status.st_size, access=mmap.ACCESS_READ)
        except OSError as error:
            raise BoardError(f"{path}: {error.strerror}") from error
        finally:
            os.close(handle)
        try:
            return cls(path, mapped, _identity(status))
        except BoardError:
            mapped.close()
            raise

    @property
    def heartbeat_ns(self) -> int:
        """Returns the mono_ns at which the engine last said it lives, 0 before the first."""
        return self._heartbeat.load()

    def read_book(self, index: int) -> BookImage | None:
        """Returns the newest whole image of a book, or None if none was laid.

        Raises:
            BoardError: no such slot, or no whole image in a bounded number of tries.
        """
        if not 0 <= index < self.books_max:
            raise BoardError(f"book {index} of {self.books_max}")
        try:
            found = self._books[index].read_book()
        except TornReadError as error:
            raise BoardError(f"{self._path}: book {index}: {error}") from error
        if found is None:
            return None
        (market, epoch, code, tick_e4, flags, recv_ns, stamp_ms), bids, asks = found
        if not 0 <= code < len(_STATES):
            raise BoardError(f"{self._path}: book {index}: state {code}")
        return BookImage(
            market, epoch, _STATES[code], tick_e4, recv_ns, stamp_ms, bids, asks, flags
        )

    def read_view(self) -> bytes | None:
        """Returns the newest whole view, or None if none was laid.

        Raises:
            BoardError: no whole view in a bounded number of tries.
        """
        try:
            return self._view.read()
        except TornReadError as error:
            raise BoardError(f"{self._path}: view: {error}") from error

    def replaced(self) -> bool:
        """Says whether `path` no longer leads to the mapped board: open it anew."""
        try:
            return _identity(os.stat(self._path, follow_symlinks=False)) != self._identity
        except OSError:
            return True

    def close(self) -> None:
        """Unmaps the board."""
        self._memory.release()
        self._map.close()

    def _name(self) -> str:
        """Returns the run id from the head."""
        (length,) = struct.unpack_from("<I", self._map, RUN_ID_AT)
        if length > RUN_ID_BYTES_MAX:
            raise BoardError(f"{self._path}: run id of {length} bytes")
        begin = RUN_ID_AT + 4
        try:
            return self._map[begin : begin + length].decode()
        except UnicodeDecodeError as error:
            raise BoardError(f"{self._path}: run id is not text") from error

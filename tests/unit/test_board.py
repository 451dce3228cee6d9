"""The board: laid whole, read without locks, replaced and never truncated."""

from __future__ import annotations

import errno
import os
import stat
import struct
from pathlib import Path

import pytest

from dailyarb._fast.ladder import Ladder
from dailyarb.core.domain.errors import BoardError
from dailyarb.core.domain.orders import BookState
from dailyarb.runtime.board import BoardReader, BoardWriter, BookImage

BOOK = BookImage(
    market=2,
    epoch=7,
    state=BookState.SYNCED,
    tick_e4=100,
    recv_ns=5_000_000_000,
    stamp_ms=1_777_400_000_000,
    bids=[(4_900, 12_340_000), (4_800, 5_000_000)],
    asks=[(5_000, 1_000_000)],
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Gives the place of a board in a run directory that does not exist yet."""
    return tmp_path / "run" / "board"


def lay(path: Path, run_id: str = "r1") -> BoardWriter:
    """Lays a small board."""
    return BoardWriter.create(path, run_id, books_max=4, view_bytes_max=1000)


def test_a_reader_sees_what_the_writer_laid(path: Path) -> None:
    writer = lay(path)
    reader = BoardReader.open(path)
    assert (reader.run_id, reader.pid, reader.books_max) == ("r1", os.getpid(), 4)
    assert (reader.heartbeat_ns, reader.read_view(), reader.read_book(2)) == (0, None, None)
    writer.heartbeat(77)
    writer.write_view(b"a view")
    writer.write_book(2, BOOK)
    assert (reader.heartbeat_ns, reader.read_view()) == (77, b"a view")
    assert reader.read_book(2) == BOOK
    assert reader.read_book(0) is None
    reader.close()
    writer.close()


def test_a_ladder_is_laid_without_a_detour(path: Path) -> None:
    writer = lay(path)
    ladder = Ladder(10)
    for step in range(30):
        ladder.apply_level(0, 0, 4_990 - 10 * step, 1_000_000 + step, 5)
        ladder.apply_level(1, 0, 4_900 - 10 * step, 2_000_000 + step, 6 + step)
    writer.write_ladder(3, ladder, BookState.STALE, 99)
    book = BoardReader.open(path).read_book(3)
    assert book is not None
    assert book.bids == ladder.levels(0, 0, 20)
    # A DOWN bid at p is an UP ask at 1 - p.
    assert book.asks == [(5_100 + 10 * step, 2_000_000 + step) for step in range(20)]
    assert (book.market, book.epoch, book.tick_e4) == (3, ladder.epoch, 10)
    assert (book.state, book.recv_ns, book.stamp_ms) == (BookState.STALE, 99, 35)


def test_the_last_state_outlives_the_writer(path: Path) -> None:
    writer = lay(path)
    writer.write_view(b"last words")
    writer.close()
    reader = BoardReader.open(path)
    assert reader.read_view() == b"last words"
    reader.close()


def test_every_state_of_a_book_travels(path: Path) -> None:
    writer = lay(path)
    reader = BoardReader.open(path)
    for state in BookState:
        image = BookImage(0, 0, state, 10, 0, 0, [], [])
        writer.write_book(0, image)
        assert reader.read_book(0) == image


def test_only_the_owner_may_read_and_the_folder_is_made(path: Path) -> None:
    old = os.umask(0)
    try:
        lay(path)
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert os.listdir(path.parent) == ["board"]


def test_a_new_run_replaces_the_file_under_its_readers(path: Path) -> None:
    old = lay(path, "r1")
    old.write_view(b"first run")
    reader = BoardReader.open(path)
    assert reader.replaced() is False
    lay(path, "r2")
    assert reader.replaced() is True
    assert reader.read_view() == b"first run"
    again = BoardReader.open(path)
    assert (again.run_id, again.read_view()) == ("r2", None)
    path.unlink()
    assert again.replaced() is True


def test_a_wiped_run_directory_is_laid_anew_with_its_content(path: Path) -> None:
    writer = lay(path)
    slot = writer.book_slot(1)
    writer.write_view(b"kept")
    writer.write_book(1, BOOK)
    writer.heartbeat(5)
    assert writer.ensure() is False
    path.unlink()
    path.parent.rmdir()
    assert writer.ensure() is True
    reader = BoardReader.open(path)
    assert (reader.run_id, reader.heartbeat_ns, reader.read_view()) == ("r1", 5, b"kept")
    # Slots handed out before write to the new file.
    slot.write_book((9, 1, 0, 100, 0, 0, 0), [], [])
    writer.write_view(b"newer")
    assert reader.read_view() == b"newer"
    after = reader.read_book(1)
    assert after is not None
    assert after.market == 9
    assert writer.ensure() is False


def test_a_board_replaced_by_another_file_is_laid_anew(path: Path) -> None:
    writer = lay(path)
    path.unlink()
    path.write_bytes(b"somebody else's")
    assert writer.ensure() is True
    assert BoardReader.open(path).run_id == "r1"


def test_a_board_that_cannot_be_laid_anew_goes_on_in_the_old_memory(path: Path) -> None:
    writer = lay(path)
    reader = BoardReader.open(path)
    path.unlink()
    path.parent.rmdir()
    path.parent.write_bytes(b"in the way")
    with pytest.raises(BoardError):
        writer.ensure()
    writer.write_view(b"still here")
    assert reader.read_view() == b"still here"
    path.parent.unlink()
    assert writer.ensure() is True


def test_a_view_too_large_says_so(path: Path) -> None:
    writer = lay(path)
    writer.write_view(bytes(1000))
    with pytest.raises(BoardError, match="1001 bytes, allowed 1000"):
        writer.write_view(bytes(1001))


@pytest.mark.parametrize("index", [-1, 4])
def test_a_board_has_no_other_books(path: Path, index: int) -> None:
    writer = lay(path)
    with pytest.raises(BoardError, match="of 4"):
        writer.write_book(index, BOOK)
    with pytest.raises(BoardError, match="of 4"):
        BoardReader.open(path).read_book(index)


def test_sizes_have_bounds(path: Path) -> None:
    with pytest.raises(BoardError, match="run id"):
        BoardWriter.create(path, "x" * 65)
    for books_max, view_bytes_max in ((0, 1), (1025, 1), (1, 0), (1, 1 << 27)):
        with pytest.raises(BoardError, match="board of"):
            BoardWriter.create(path, "r", books_max, view_bytes_max)


def test_a_board_that_cannot_be_laid_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(BoardError, match="file"):
        lay(tmp_path / "file" / "board")
    (tmp_path / "folder").mkdir()
    with pytest.raises(BoardError, match="folder"):
        lay(tmp_path / "folder")
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


def test_a_board_that_cannot_be_mapped_says_why(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

    lay(path)
    monkeypatch.setattr("dailyarb.runtime.board.mmap.mmap", refuse)
    with pytest.raises(BoardError, match="board: Cannot allocate memory"):
        BoardReader.open(path)


def damaged(path: Path, at: int, junk: bytes) -> Path:
    """Returns a copy of the board with some bytes changed."""
    blob = bytearray(path.read_bytes())
    blob[at : at + len(junk)] = junk
    copy = path.with_name("damaged")
    copy.write_bytes(blob)
    return copy


@pytest.mark.parametrize(
    ("at", "junk", "words"),
    [
        (0, b"DAILYARB", "not a board"),
        (8, b"\x63\0\0\0", "layout 99, this program reads 1"),
        (12, b"\0\0\0\0", "sizes out of range"),
        (12, b"\xff\xff\xff\x7f", "sizes out of range"),
        (16, b"\0\0\0\x10", "sizes out of range"),
        (24, b"\1", "truncated"),
        (128, b"\xff", "run id"),
        (132, b"\xff", "not text"),
    ],
)
def test_a_foreign_board_is_refused(path: Path, at: int, junk: bytes, words: str) -> None:
    lay(path)
    with pytest.raises(BoardError, match=words):
        BoardReader.open(damaged(path, at, junk))


def test_a_missing_short_or_strange_file_is_refused(path: Path) -> None:
    lay(path)
    short = path.with_name("short")
    whole = path.read_bytes()
    for size in (0, 100, 4096, len(whole) - 1):
        short.write_bytes(whole[:size])
        with pytest.raises(BoardError, match="truncated"):
            BoardReader.open(short)
    with pytest.raises(BoardError, match="No such file"):
        BoardReader.open(path.with_name("missing"))
    with pytest.raises(BoardError, match="not a file"):
        BoardReader.open(path.parent)
    link = path.with_name("link")
    link.symlink_to(path)
    with pytest.raises(BoardError, match="link"):
        BoardReader.open(link)
    os.mkfifo(path.with_name("pipe"))
    with pytest.raises(BoardError, match="not a file"):
        BoardReader.open(path.with_name("pipe"))


def test_an_unknown_state_or_a_torn_slot_is_an_error_not_a_guess(path: Path) -> None:
    writer = lay(path)
    reader = BoardReader.open(path)
    writer.book_slot(0).write_book((0, 0, 9, 100, 0, 0, 0), [], [])
    with pytest.raises(BoardError, match="state 9"):
        reader.read_book(0)
    writer.write_view(b"x")
    torn = path.read_bytes().rindex(struct.pack("<QQ", 2, 1))
    with path.open("r+b") as file:
        file.seek(torn)
        file.write(struct.pack("<QQ", 2, 1 << 40))
        file.seek(4096)
        file.write(struct.pack("<QQ", 2, 1 << 40))
    with pytest.raises(BoardError, match="view: no whole copy"):
        reader.read_view()
    with pytest.raises(BoardError, match="book 0: no whole image"):
        reader.read_book(0)

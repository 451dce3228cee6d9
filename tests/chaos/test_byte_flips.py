"""One flipped byte anywhere: found and named, or of no account; never a wrong row (F72)."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.errors import JournalCorrupt, JournalError
from dailyarb.core.domain.orders import OrderState
from dailyarb.core.domain.records import OrderMoved
from dailyarb.core.domain.rung import Evidence
from dailyarb.runtime.journal import Journal
from dailyarb.runtime.journal_read import RawRow, list_segments, walk
from dailyarb.runtime.recover import load
from dailyarb.runtime.verify import verify
from tests.bench.recovery import SETTINGS, write

ROWS = 400
HEAD_BYTES = 100  # of the database: a part where every byte means something
QUICK, LONG = 60, 2_000


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sound")
    write(folder / "journal.db", ROWS)
    return folder


def places(size: int, count: int, seed: int) -> Iterator[tuple[int, int]]:
    """Yields places and the bit to flip there: the file's head, then anywhere."""
    draw = random.Random(seed)
    for number in range(count):
        at = number if number < min(HEAD_BYTES, count // 3) else draw.randrange(size)
        yield at, 1 << draw.randrange(8)


def flip(path: Path, at: int, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= bit
    path.write_bytes(content)


def read(path: Path) -> list[RawRow]:
    """Returns the rows that are believed, to the first bad one."""
    rows = []
    try:
        for _, raw in walk(path):
            rows.append(raw)
    except JournalCorrupt:
        pass
    return rows


def judge(path: Path, truth: list[RawRow]) -> bool:
    """Says whether the fault was found; what is believed is true either way."""
    believed = read(path)
    assert believed == truth[: len(believed)]
    report = verify(path)
    if report.ok:
        assert believed == truth
        assert [row.seq for row in load(path, Evidence.SIM).rows] == [raw[0] for raw in truth]
        return False
    assert report.problems[0].seq in (0, len(believed) + 1), "the first bad row, 0 for all"
    with pytest.raises(JournalCorrupt) as caught:
        load(path, Evidence.SIM)
    assert caught.value.seq == report.problems[0].seq
    return True


def flips(sound: Path, folder: Path, count: int) -> int:
    truth, found = read(sound / "journal.db"), 0
    assert len(truth) == ROWS
    size = (sound / "journal.db").stat().st_size
    for number, (at, bit) in enumerate(places(size, count, 72)):
        copy = folder / str(number)
        shutil.copytree(sound, copy)
        flip(copy / "journal.db", at, bit)
        found += judge(copy / "journal.db", truth)
        shutil.rmtree(copy)
    return found


def test_a_flipped_byte_is_found_or_of_no_account(sound: Path, tmp_path: Path) -> None:
    assert flips(sound, tmp_path, QUICK) > QUICK / 2


@pytest.mark.slow
def test_many_flipped_bytes(sound: Path, tmp_path: Path) -> None:
    assert flips(sound, tmp_path, LONG) > LONG / 2


def test_a_flip_in_the_log_of_a_killed_writer_is_found_by_the_head(tmp_path: Path) -> None:
    """SQLite silently ends a log at a frame whose sum is wrong: rows would be missing."""
    living = tmp_path / "living"
    living.mkdir()
    journal = Journal(living / "journal.db", "r1", Evidence.SIM, SETTINGS)
    for number in range(200):
        journal.append([OrderMoved(f"0x{number}", OrderState.OPEN, "x" * 300)], Instant(1, 1))
    journal.sync()
    killed = tmp_path / "killed"
    shutil.copytree(living, killed)  # as SIGKILL leaves it: the log is not yet in the database
    journal.close()
    assert len(read(killed / "journal.db")) == 200
    size = (killed / "journal.db-wal").stat().st_size
    found = 0
    for number, (at, bit) in enumerate(places(size, 40, 73)):
        copy = tmp_path / f"wal{number}"
        shutil.copytree(killed, copy)
        flip(copy / "journal.db-wal", at, bit)
        (copy / "journal.db-shm").unlink()  # SQLite reads the log anew after a crash
        report = verify(copy / "journal.db")
        found += not report.ok
        if report.ok:
            assert len(read(copy / "journal.db")) == 200
        shutil.rmtree(copy)
    assert found > 20


def test_a_vanished_log_or_file_is_found(sound: Path, tmp_path: Path) -> None:
    for number, victim in enumerate(("journal.db", "journal.head")):
        copy = tmp_path / str(number)
        shutil.copytree(sound, copy)
        (copy / victim).unlink()
        if victim == "journal.db":
            assert verify(copy / victim).problems[0].seq == 1
        else:
            assert verify(copy / "journal.db").ok, "the head only bounds the end"
    (tmp_path / "none").mkdir()
    with pytest.raises(JournalError, match="no journal"):
        verify(tmp_path / "none" / "journal.db")
    assert list_segments(tmp_path / "none" / "journal.db") == []

"""The journal: what is acknowledged is there, in order, chained, and readable meanwhile."""

from __future__ import annotations

import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.errors import JournalCorrupt, JournalError
from dailyarb.core.domain.ids import Severity
from dailyarb.core.domain.orders import OrderState
from dailyarb.core.domain.records import AlertRaised, OrderMoved, RunEnded, RunStarted
from dailyarb.core.domain.rung import Evidence, Mode
from dailyarb.core.domain.settings import JournalSettings
from dailyarb.runtime.journal import FaultyDisk, Journal, JournalReader, MemoryJournal
from dailyarb.runtime.journal_read import head_path, list_segments, segment_path, walk

QUIET = JournalSettings(sync_ms=5, ballast_mib=0, checkpoint_s=3600)
NOW = Instant(10, 20)
STARTED = RunStarted("r1", "0.1.0", Mode.SIM, Evidence.SIM, "hash", 1)


def moved(number: int) -> OrderMoved:
    return OrderMoved(f"0x{number:064x}", OrderState.OPEN)


def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "condition did not come true"
        time.sleep(0.002)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    journal = Journal(path, "r1", Evidence.SIM, QUIET)
    yield journal
    journal.close()


def test_rows_come_back_in_order_with_clocks_run_and_evidence(journal: Journal, path: Path) -> None:
    assert journal.append([STARTED], NOW) == 1
    journal.evidence = Evidence.PAPER
    assert journal.append([moved(1), moved(2)], Instant(30, 40)) == 3
    rows = JournalReader(path).since(0)
    assert [row.seq for row in rows] == [1, 2, 3]
    assert rows[0].record == STARTED
    assert (rows[0].run, rows[0].kind, rows[0].evidence) == ("r1", "RunStarted", Evidence.SIM)
    assert (rows[2].mono_ns, rows[2].wall_ns, rows[2].evidence) == (30, 40, Evidence.PAPER)
    assert rows[2].record == moved(2)


def test_nothing_to_append_is_no_row(journal: Journal) -> None:
    assert journal.append([], NOW) == 0
    assert journal.last_seq == 0


def test_files_are_private(journal: Journal, path: Path) -> None:
    journal.append([STARTED], NOW)
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_a_new_run_continues_sequence_and_chain(path: Path) -> None:
    for run in ("r1", "r2"):
        journal = Journal(path, run, Evidence.SIM, QUIET)
        journal.append([STARTED, RunEnded(run, 0, "")], NOW)
        journal.close()
    assert [raw[0] for _, raw in walk(path)] == [1, 2, 3, 4]
    spans = JournalReader(path).runs()
    assert [(span.run, span.first_seq, span.last_seq, span.ended) for span in spans] == [
        ("r1", 1, 2, True),
        ("r2", 3, 4, True),
    ]


def test_a_run_without_its_end_is_a_crash(journal: Journal, path: Path) -> None:
    journal.append([STARTED], NOW)
    assert not JournalReader(path).runs()[0].ended


def test_sync_age_returns_to_zero_and_the_head_names_the_newest_row(
    journal: Journal, path: Path
) -> None:
    journal.append([STARTED], NOW)
    journal.sync()
    until(lambda: journal.sync_age_ms() == 0)
    assert head_path(path).stat().st_size == 48
    assert journal.disk_state().error == ""


def test_a_reader_inside_a_transaction_never_blocks_the_writer(
    journal: Journal, path: Path
) -> None:
    journal.append([STARTED], NOW)
    frozen = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None)
    frozen.execute("BEGIN")
    assert frozen.execute("SELECT count(*) FROM journal").fetchone() == (1,)
    for number in range(200):
        journal.append([moved(number)], NOW)
    assert JournalReader(path).last_seq() == 201
    assert frozen.execute("SELECT count(*) FROM journal").fetchone() == (1,)
    frozen.close()


def test_a_frozen_reader_makes_a_new_segment_and_bounds_the_wal(path: Path) -> None:
    settings = JournalSettings(sync_ms=1, ballast_mib=0, checkpoint_s=0, wal_mib_max=1)
    journal = Journal(path, "r1", Evidence.SIM, settings)
    journal.append([STARTED], NOW)
    follower = JournalReader(path)
    assert follower.last_seq() == 1
    frozen = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None)
    frozen.execute("BEGIN")
    frozen.execute("SELECT count(*) FROM journal").fetchone()
    text = AlertRaised(Severity.INFO, "k", "x" * 2000)

    def fill() -> bool:
        journal.append([text] * 20, NOW)
        return len(list_segments(path)) > 1

    until(fill, 20.0)
    journal.append([moved(7)], NOW)
    last = journal.last_seq
    assert (path.parent / "journal.db-wal").stat().st_size < 8 << 20
    assert follower.last_seq() == last
    assert [row.seq for row in follower.since(0, last)] == list(range(1, last + 1))
    assert follower.since(last - 1)[0].record == moved(7)
    frozen.close()
    journal.close()
    assert sum(1 for _ in walk(path)) == last
    again = Journal(path, "r2", Evidence.SIM, QUIET)
    assert again.append([STARTED], NOW) == last + 1
    again.close()
    assert sum(1 for _ in walk(path)) == last + 1


def test_a_missing_segment_is_corrupt(path: Path) -> None:
    test_a_frozen_reader_makes_a_new_segment_and_bounds_the_wal(path)
    segment_path(path, 0).rename(path.with_suffix(".gone"))
    with pytest.raises(JournalCorrupt):
        Journal(path, "r3", Evidence.SIM, QUIET)


def test_the_wal_is_reused_when_nobody_reads(path: Path) -> None:
    settings = JournalSettings(sync_ms=1, ballast_mib=0, checkpoint_s=0, wal_mib_max=64)
    journal = Journal(path, "r1", Evidence.SIM, settings)
    checkpoints = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None)

    def reached(wanted: int) -> bool:
        found = checkpoints.execute("SELECT checkpoints FROM segment").fetchone()
        return int(found[0]) >= wanted

    for round_ in range(1, 3):
        journal.append([moved(round_)], NOW)
        until(partial(reached, round_))
    journal.close()
    checkpoints.close()
    assert len(list_segments(path)) == 1


def flip(file: Path, needle: bytes) -> None:
    content = bytearray(file.read_bytes())
    at = content.rindex(needle)
    content[at + 40] ^= 0x01
    file.write_bytes(content)


def test_a_flipped_byte_is_found_and_its_row_named(path: Path) -> None:
    journal = Journal(path, "r1", Evidence.SIM, QUIET)
    for number in range(1, 30):
        journal.append([moved(number)], NOW)
    journal.close()
    flip(path, f"0x{17:064x}".encode())
    with pytest.raises(JournalCorrupt) as caught:
        list(walk(path))
    assert caught.value.seq == 17


def test_a_flip_in_the_newest_row_stops_the_start(path: Path) -> None:
    journal = Journal(path, "r1", Evidence.SIM, QUIET)
    journal.append([moved(1), moved(2)], NOW)
    journal.close()
    flip(path, f"0x{2:064x}".encode())
    with pytest.raises(JournalCorrupt) as caught:
        Journal(path, "r2", Evidence.SIM, QUIET)
    assert caught.value.seq == 2


def test_a_deleted_row_is_found(path: Path) -> None:
    journal = Journal(path, "r1", Evidence.SIM, QUIET)
    journal.append([moved(1), moved(2), moved(3)], NOW)
    journal.close()
    connection = sqlite3.connect(path)
    connection.execute("DELETE FROM journal WHERE seq = 2")
    connection.commit()
    connection.close()
    with pytest.raises(JournalCorrupt) as caught:
        list(walk(path))
    assert caught.value.seq == 2


def test_a_lost_wal_is_found_by_the_head(path: Path) -> None:
    journal = Journal(path, "r1", Evidence.SIM, QUIET)
    journal.append([moved(1)], NOW)
    journal.sync()
    copy = path.with_name("copy.db")
    copy.write_bytes(path.read_bytes())  # the database without its WAL
    head_path(copy).write_bytes(head_path(path).read_bytes())
    journal.close()
    with pytest.raises(JournalCorrupt) as caught:
        Journal(copy, "r2", Evidence.SIM, QUIET)
    assert caught.value.seq == 1


@pytest.mark.parametrize("content", [b"", b"not a database at all" * 300])
def test_an_empty_or_foreign_file_is_refused_and_kept(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(JournalError):
        Journal(path, "r1", Evidence.SIM, QUIET)
    assert path.read_bytes() == content


def test_a_journal_cut_to_nothing_does_not_start_anew(path: Path) -> None:
    journal = Journal(path, "r1", Evidence.SIM, QUIET)
    journal.append([moved(1)], NOW)
    journal.close()
    path.unlink()
    with pytest.raises(JournalCorrupt):
        Journal(path, "r2", Evidence.SIM, QUIET)


def test_another_schema_version_is_refused(path: Path) -> None:
    Journal(path, "r1", Evidence.SIM, QUIET).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 9")
    connection.close()
    with pytest.raises(JournalCorrupt, match="schema version 9"):
        JournalReader(path)


def test_an_unknown_record_is_named(path: Path) -> None:
    journal = Journal(path, "r1", Evidence.SIM, QUIET)
    journal.append([moved(1), moved(2)], NOW)
    journal.close()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE journal SET body = x'81a46b696e64a3466f6f' WHERE seq = 2")
    connection.commit()
    connection.close()
    with pytest.raises(JournalCorrupt) as caught:
        JournalReader(path).since(0)
    assert caught.value.seq == 2


def test_a_reader_without_a_journal_says_so(path: Path) -> None:
    with pytest.raises(JournalError, match="no journal"):
        JournalReader(path)


def test_the_ballast_holds_real_blocks_and_goes_when_an_append_fails(path: Path) -> None:
    settings = JournalSettings(sync_ms=5, ballast_mib=1)
    journal = Journal(path, "r1", Evidence.SIM, settings)
    ballast = path.with_suffix(".ballast")
    assert ballast.stat().st_blocks * 512 >= 1 << 20
    journal._connection.execute("PRAGMA query_only = 1")  # as a read-only remount answers
    with pytest.raises(JournalError):
        journal.append([moved(1)], NOW)
    assert not ballast.exists()
    assert journal.last_seq == 0
    journal._connection.execute("PRAGMA query_only = 0")
    assert journal.append([moved(1), moved(2)], NOW) == 2
    journal.close()
    assert sum(1 for _ in walk(path)) == 2


def test_a_failing_batch_stores_nothing_of_it(journal: Journal, path: Path) -> None:
    journal.append([moved(1)], NOW)
    journal._connection.execute(
        "CREATE TEMP TRIGGER full BEFORE INSERT ON main.journal WHEN new.seq = 3 "
        "BEGIN SELECT raise(ABORT, 'database or disk is full'); END"
    )
    with pytest.raises(JournalError, match="full"):
        journal.append([moved(2), moved(3)], NOW)
    journal._connection.execute("DROP TRIGGER full")
    assert journal.append([moved(4)], NOW) == 2
    assert [row.record for row in JournalReader(path).since(0)] == [moved(1), moved(4)]


def test_the_memory_journal_has_the_same_manners() -> None:
    journal = MemoryJournal("r1", Evidence.REPLAY)
    assert journal.append([STARTED, moved(1)], NOW) == 2
    assert journal.since(1)[0].record == moved(1)
    assert journal.since(1)[0].evidence is Evidence.REPLAY
    assert (journal.sync_age_ms(), journal.disk_state().error) == (0, "")


def test_the_faulty_disk_fails_and_hangs_as_told() -> None:
    disk = FaultyDisk(frozenset({2}))
    disk.append([STARTED], NOW)
    with pytest.raises(JournalError):
        disk.append([moved(1)], NOW)
    assert (disk.last_seq, disk.disk_state().free_mb) == (1, 0)
    assert disk.append([moved(1)], NOW) == 2
    disk.hang()
    until(lambda: disk.sync_age_ms() > 0)

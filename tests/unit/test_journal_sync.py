"""The journal's helper: a disk that hangs or fails shows as an age and an error (F71)."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.orders import OrderState
from dailyarb.core.domain.records import OrderMoved
from dailyarb.core.domain.rung import Evidence
from dailyarb.core.domain.settings import JournalSettings
from dailyarb.runtime.journal import Journal
from dailyarb.runtime.journal_read import read_head
from dailyarb.runtime.journal_sync import DiskHelper, WalFile

SETTINGS = JournalSettings(sync_ms=1, ballast_mib=0, checkpoint_s=3600)
CHAIN = bytes(32)


def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "condition did not come true"
        time.sleep(0.002)


class OddWal(WalFile):
    """Is a WAL whose syncs hang or fail when told to."""

    def __init__(self, database: Path) -> None:
        super().__init__(database)
        self.syncs = 0
        self.broken = False
        self.open = threading.Event()
        self.open.set()

    def sync(self) -> None:
        self.open.wait(10)
        self.syncs += 1
        if self.broken:
            raise OSError(5, "Input/output error")


def never() -> sqlite3.Connection:
    raise AssertionError("no segment is wanted")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "journal.db"
    Journal(path, "r1", Evidence.SIM, SETTINGS).close()
    path.with_name("journal.db-wal").touch()
    return path


@pytest.fixture
def wal(path: Path) -> OddWal:
    return OddWal(path)


@pytest.fixture
def helper(path: Path, wal: OddWal) -> Iterator[DiskHelper]:
    helper = DiskHelper(path, SETTINGS, never)
    helper.watch(wal)
    helper.start()
    yield helper
    wal.open.set()
    helper.stop()


def test_a_sync_brings_the_age_to_zero_and_moves_the_head(
    helper: DiskHelper, path: Path
) -> None:
    assert helper.age_ms() == 0
    helper.appended(7, CHAIN)
    assert helper.flush(5.0)
    assert (helper.age_ms(), read_head(path)) == (0, (7, CHAIN))


def test_nothing_new_is_not_synced(helper: DiskHelper, wal: OddWal) -> None:
    helper.appended(1, CHAIN)
    assert helper.flush(5.0)
    done = wal.syncs
    assert helper.flush(5.0)
    assert wal.syncs == done


def test_a_hanging_sync_grows_old_and_holds_up_nobody(
    helper: DiskHelper, wal: OddWal, path: Path
) -> None:
    wal.open.clear()
    helper.appended(1, CHAIN)
    until(lambda: helper.age_ms() >= 20)
    helper.appended(2, CHAIN)  # returns, whatever the disk does
    assert not helper.flush(0.01)
    assert helper.age_ms() >= 20
    assert read_head(path) is None
    wal.open.set()
    assert helper.flush(5.0)
    until(lambda: helper.age_ms() == 0)
    assert read_head(path) == (2, CHAIN)


def test_a_failing_sync_keeps_its_age_and_tells_the_first_error(
    helper: DiskHelper, wal: OddWal, path: Path
) -> None:
    wal.broken = True
    helper.appended(1, CHAIN)
    until(lambda: helper.error)
    assert "Input/output error" in helper.error
    until(lambda: helper.age_ms() >= 10)
    assert read_head(path) is None
    wal.broken = False
    assert helper.flush(5.0)
    assert read_head(path) == (1, CHAIN)
    assert "Input/output error" in helper.error


def test_the_disk_is_measured_off_the_engines_thread(path: Path) -> None:
    journal = Journal(path, "r1", Evidence.SIM, SETTINGS)
    state = journal.disk_state()
    assert state.free_mb > 0
    assert journal.size_mb() > 0
    journal.append([OrderMoved("0x1", OrderState.OPEN)], Instant(1, 1))
    journal.close()
    assert journal.disk_state().error == ""


def test_what_is_no_sync_is_forgotten_once_it_works_again(
    path: Path, wal: OddWal, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper = DiskHelper(path, SETTINGS, never)
    helper.watch(wal)
    full = threading.Event()
    full.set()

    def housekeep(now_ns: int) -> None:
        if full.is_set():
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(helper, "_housekeep", housekeep)
    helper.start()
    until(lambda: "No space left" in helper.error)
    full.clear()
    until(lambda: not helper.error)
    helper.stop()

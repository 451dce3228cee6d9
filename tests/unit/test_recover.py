"""Recovery reads from the last checkpoint on and refuses what it cannot believe."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.errors import JournalCorrupt, JournalError
from dailyarb.core.domain.events import CheckpointDue
from dailyarb.core.domain.records import (
    Checkpointed,
    Record,
    RunEnded,
    RungSet,
    RunStarted,
)
from dailyarb.core.domain.rung import Evidence, Mode, Rung
from dailyarb.core.domain.settings import JournalSettings
from dailyarb.core.engine import checkpoint
from dailyarb.runtime.journal import Journal
from dailyarb.runtime.recover import load, rebuild, set_aside
from dailyarb.runtime.verify import verify
from tests.rig import Rig, birth

SETTINGS = JournalSettings(sync_ms=5, ballast_mib=0)
HALT = RungSet(Rung.HALTED, "ann", "lunch")


def started(run: str) -> RunStarted:
    return RunStarted(run, "0.1.0", Mode.SIM, Evidence.SIM, "hash", 1)


def checkpointed() -> Checkpointed:
    """Returns the checkpoint of an engine that has just been born."""
    rig = Rig()
    rig.feed(CheckpointDue())
    return rig.records(Checkpointed)[0]


def write(path: Path, run: str, *records: Record) -> None:
    journal = Journal(path, run, Evidence.SIM, SETTINGS)
    journal.append([started(run), *records], Instant(1, 7))
    journal.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def test_a_fresh_instance_has_nothing_and_is_clean(path: Path) -> None:
    found = load(path, Evidence.SIM)
    assert (found.rows, found.last_seq, found.last_run, found.clean) == ((), 0, "", True)


def test_all_runs_come_back_with_their_times(path: Path) -> None:
    write(path, "r1", HALT, RunEnded("r1", 0, "asked"))
    write(path, "r2")
    found = load(path, Evidence.SIM)
    assert [row.kind for row in found.rows] == ["RunStarted", "RungSet", "RunEnded", "RunStarted"]
    assert {row.wall_ns for row in found.rows} == {7}
    assert (found.last_run, found.last_seq, found.clean) == ("r2", 4, False)


@pytest.mark.parametrize(("code", "clean"), [(0, True), (5, False)])
def test_clean_means_ended_by_itself_with_code_zero(path: Path, code: int, clean: bool) -> None:
    write(path, "r1", RunEnded("r1", code, ""))
    assert load(path, Evidence.SIM).clean is clean


def test_a_boot_clock_that_fell_back_is_a_machine_that_started_anew(path: Path) -> None:
    """F69: then the rows of the last sync may be missing."""
    write(path, "r1")
    crashed = load(path, Evidence.SIM)
    assert not crashed.rebooted(1), "one nanosecond is the row's own"
    assert crashed.rebooted(0)
    write(path, "r2", RunEnded("r2", 0, "asked"))
    assert not load(path, Evidence.SIM).rebooted(0), "what ended by itself has synced its end"
    fresh = load(path.with_name("other.db"), Evidence.SIM)
    assert not fresh.rebooted(0)


def test_rows_before_the_last_checkpoint_are_not_needed(path: Path) -> None:
    write(path, "r1", checkpointed(), HALT, checkpointed(), RunEnded("r1", 0, ""))
    found = load(path, Evidence.SIM)
    assert ([row.seq for row in found.rows], found.checkpoint) == ([4, 5], 4)


def test_a_checkpoint_of_another_class_does_not_know_our_money(path: Path) -> None:
    write(path, "r1", checkpointed(), HALT)
    found = load(path, Evidence.LIVE)
    assert ([row.seq for row in found.rows], found.checkpoint) == ([1, 2, 3], 0)


def test_a_checkpoint_of_another_version_is_passed_over(path: Path) -> None:
    write(path, "r1", checkpointed(), HALT, Checkpointed(b"of tomorrow", checkpoint.VERSION + 1))
    assert load(path, Evidence.SIM).checkpoint == 2


def test_a_checkpoint_that_is_none_stops_the_start(path: Path) -> None:
    write(path, "r1", Checkpointed(b"\xc1", checkpoint.VERSION))
    with pytest.raises(JournalCorrupt, match="unreadable checkpoint") as caught:
        load(path, Evidence.SIM)
    assert caught.value.seq == 2


def test_a_row_behind_the_checkpoint_that_was_altered_stops_the_start(path: Path) -> None:
    write(path, "r1", checkpointed(), HALT, RunEnded("r1", 0, ""))
    connection = sqlite3.connect(path)
    connection.execute("UPDATE journal SET wall_ns = 8 WHERE seq = 3")
    connection.commit()
    connection.close()
    with pytest.raises(JournalCorrupt) as caught:
        load(path, Evidence.SIM)
    assert caught.value.seq == 3


def test_a_vanished_journal_is_not_a_fresh_instance(path: Path) -> None:
    write(path, "r1")
    path.unlink()
    with pytest.raises(JournalCorrupt):
        load(path, Evidence.SIM)


def test_a_broken_journal_is_kept_aside_whole(path: Path) -> None:
    write(path, "r1")
    content = path.read_bytes()
    moved = set_aside(path, 12)
    assert path.with_name("broken-12-journal.db") in moved
    assert path.with_name("broken-12-journal.db").read_bytes() == content
    assert load(path, Evidence.SIM).last_run == ""
    write(path, "r2")
    assert load(path, Evidence.SIM).last_seq == 1
    path.with_name("broken-13-journal.db").mkdir()  # in the way
    with pytest.raises(JournalError):
        set_aside(path, 13)


def test_a_broken_journal_begins_anew_halted_and_the_old_one_is_kept(path: Path) -> None:
    write(path, "r1", HALT)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE journal SET wall_ns = 8 WHERE seq = 2")
    connection.commit()
    connection.close()
    kept = rebuild(path, Instant(5, 17), "ann")
    assert path.with_name("broken-17-journal.db") in kept
    found = load(path, Evidence.SIM)
    [row] = found.rows
    assert row.record == RungSet(
        Rung.HALTED, "ann", "journal rebuilt; the broken one is broken-17-journal.db"
    )
    assert (row.evidence, row.run, verify(path).ok) == (Evidence.SIM, "rebuild", True)


def test_a_vanished_journal_is_begun_anew_too(path: Path) -> None:
    write(path, "r1")
    path.unlink()
    assert not verify(path).ok
    assert [file.name for file in rebuild(path, Instant(5, 17), "ann")] == [
        "broken-17-journal.head"
    ]
    assert [row.kind for row in load(path, Evidence.LIVE).rows] == ["RungSet"]


def live(path: Path, run: str, world: str) -> None:
    """Leaves a live run in the journal, about this wallet's money."""
    journal = Journal(path, run, Evidence.LIVE, SETTINGS)
    began = RunStarted(run, "0.1.0", Mode.LIVE, Evidence.LIVE, "hash", 1, world)
    journal.append([began, RunEnded(run, 0, "asked")], Instant(1, 7))
    journal.close()


def test_live_money_of_another_wallet_is_refused_with_a_reason(path: Path) -> None:
    live(path, "r1", "wallet 1")
    assert load(path, Evidence.LIVE, "wallet 1").clean
    with pytest.raises(JournalError, match="foreign state: its live money is of wallet 1"):
        load(path, Evidence.LIVE, "wallet 2")
    assert load(path, Evidence.PAPER).last_seq == 2, "play money is nobody's"


def test_a_checkpoint_says_whose_live_money_it_is(path: Path) -> None:
    rig = Rig(who=birth(mode=Mode.LIVE, evidence=Evidence.LIVE, world="wallet 1"))
    rig.feed(CheckpointDue())
    journal = Journal(path, "r1", Evidence.LIVE, SETTINGS)
    journal.append(rig.records(Checkpointed), Instant(1, 7))
    journal.close()
    assert load(path, Evidence.LIVE, "wallet 1").checkpoint == 1
    with pytest.raises(JournalError, match="trade wallet 2"):
        load(path, Evidence.LIVE, "wallet 2")

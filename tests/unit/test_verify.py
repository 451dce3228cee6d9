"""Verification names the first bad row and adds up each evidence class by itself."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.errors import JournalError
from dailyarb.core.domain.ids import StrategyId
from dailyarb.core.domain.intents import IntentKind
from dailyarb.core.domain.market import Outcome, Side
from dailyarb.core.domain.orders import TIF, FillState
from dailyarb.core.domain.records import (
    Adjusted,
    FillBooked,
    FillProven,
    OrderSigned,
    Record,
    RunEnded,
    RunStarted,
)
from dailyarb.core.domain.rung import Evidence, Mode
from dailyarb.core.domain.settings import JournalSettings
from dailyarb.runtime.journal import Journal
from dailyarb.runtime.verify import verify

SETTINGS = JournalSettings(sync_ms=5, ballast_mib=0)
OPENING = Adjusted("opening", 1_000_000_000)


def fill(trade: str = "t1", size_e6: int = 10_000_000) -> FillBooked:
    return FillBooked(
        trade, "0x1", StrategyId.S1, "m1", Outcome.UP, Side.BUY, 5000, size_e6,
        -size_e6 // 2, 17_500, False, FillState.PROVISIONAL, 1,
    )  # fmt: skip


def signed(order_id: str = "0x1", salt: int = 1, stamp_ms: int = 1) -> OrderSigned:
    return OrderSigned(
        order_id, 1, StrategyId.S1, IntentKind.ENTRY, "m1", Outcome.UP, Side.BUY, 5000,
        10_000_000, TIF.FAK, False, stamp_ms, salt, 0, b"{}",
    )  # fmt: skip


def write(path: Path, *records: Record, run: str = "r1", evidence: Evidence = Evidence.SIM) -> None:
    journal = Journal(path, run, evidence, SETTINGS)
    journal.append(records, Instant(1, 1))
    journal.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def test_a_sound_journal_adds_up(path: Path) -> None:
    write(path, OPENING, signed(), fill(), FillProven("t1", "0x1", FillState.CONFIRMED))
    write(path, OPENING, run="r2", evidence=Evidence.PAPER)
    report = verify(path)
    assert report.ok
    assert (report.rows, report.last_seq, report.runs) == (5, 5, ("r1", "r2"))
    sim, paper = report.accounts
    assert (sim.evidence, sim.rows, sim.fills) == (Evidence.SIM, 4, 1)
    assert sim.cash_e6 == 1_000_000_000 - 5_000_000 - 17_500
    assert (paper.evidence, paper.cash_e6, paper.residual_e6) == (Evidence.PAPER, 10**9, 0)


def test_one_run_of_several(path: Path) -> None:
    write(path, OPENING)
    write(path, RunEnded("r2", 0, ""), run="r2")
    assert (verify(path, "r2").rows, verify(path, "r2").runs) == (1, ("r2",))
    assert not verify(path, "r9").ok


@pytest.mark.parametrize(
    ("records", "rule"),
    [
        ((fill(), fill()), "I3"),
        ((FillProven("t9", "0x9", FillState.CONFIRMED),), "never booked"),
        ((signed(), signed(salt=2, stamp_ms=2)), "I8"),
        ((signed(), signed("0x2", 1, 2)), "salt 1 used twice"),
        ((signed(), signed("0x2", 2, 1)), "must increase"),
    ],
)
def test_each_broken_rule_names_its_row(
    path: Path, records: tuple[Record, ...], rule: str
) -> None:
    write(path, OPENING, *records)
    report = verify(path)
    assert not report.ok
    assert report.problems[0].seq == 1 + len(records)
    assert rule in report.problems[0].what


def test_an_altered_row_is_named_and_ends_the_reading(path: Path) -> None:
    write(path, OPENING, signed(), fill())
    connection = sqlite3.connect(path)
    connection.execute("UPDATE journal SET wall_ns = 2 WHERE seq = 2")
    connection.commit()
    connection.close()
    report = verify(path)
    assert (report.problems[0].seq, report.last_seq) == (2, 1)


def test_without_a_journal_there_is_nothing_to_verify(path: Path) -> None:
    with pytest.raises(JournalError):
        verify(path)


def test_money_of_a_world_that_ended_is_not_carried(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    for run, world in (("r1", "embedded:1"), ("r2", "embedded:2")):
        journal = Journal(path, run, Evidence.SIM)
        started = RunStarted(run, "0", Mode.SIM, Evidence.SIM, "c", 1, world)
        journal.append([started, Adjusted("opening", 10**9)], Instant(1, 1))
        journal.close()
    [account] = verify(path).accounts
    assert account.cash_e6 == 10**9

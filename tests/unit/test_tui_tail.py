"""The log is followed by offset, through rotation, in bounded memory."""

from __future__ import annotations

from pathlib import Path

from dailyarb.core.domain.records import BreakerMoved, OperatorDid, RunEnded
from dailyarb.core.domain.rung import Rung
from dailyarb.tui.tail import LINES_MAX, TAIL_BYTES, LogTail, audit_line, parsed

LINE = (
    b'{"ts":"2026-08-12T14:32:05.114203Z","seq":1,"run":"7f","inst":"main","lvl":"info",'
    b'"evt":"order.filled","mkt":"btc-15m-1","px_c":56,"edge_c":1.1}\n'
)


def test_a_line_is_taken_apart() -> None:
    entry = parsed(LINE)
    assert (entry.clock, entry.level, entry.event) == ("14:32:05.114", "info", "order.filled")
    assert entry.text == "px_c=56 edge_c=1.100"
    assert parsed(b"\xff not json").level == "?"


def test_added_lines_are_read_once_and_half_lines_wait(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(LINE + LINE[:20])
    tail = LogTail(path)
    assert len(tail.poll()) == 1
    with path.open("ab") as file:
        file.write(LINE[20:])
    assert len(tail.poll()) == 2
    assert len(tail.poll()) == 2


def test_a_rotated_file_is_read_from_its_start(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(LINE * 3)
    tail = LogTail(path)
    tail.poll()
    path.rename(tmp_path / "log.jsonl.1")
    path.write_bytes(LINE)
    assert len(tail.poll()) == 4


def test_a_large_file_is_never_loaded(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(LINE * 20_000)
    tail = LogTail(path)
    held = tail.poll()
    assert len(held) <= TAIL_BYTES // len(LINE)
    assert all(entry.event == "order.filled" for entry in held)
    assert "skipped" in tail.note
    for _ in range(20):
        with path.open("ab") as file:
            file.write(LINE * 100)
        assert len(tail.poll()) <= LINES_MAX


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    tail = LogTail(tmp_path / "none")
    assert tail.poll() == ()
    assert "unreadable" in tail.note


def test_the_audit_holds_operators_and_breakers_only() -> None:
    from dailyarb.core.domain.rung import Evidence
    from dailyarb.runtime.journal_read import Row

    def row_of(record: object) -> Row:
        return Row(7, "r", 1, 2, "k", Evidence.SIM, record)  # type: ignore[arg-type]

    did = audit_line(row_of(OperatorDid("ann", "halt", "", True, "2/2 cancelled", "ctl halt")))
    assert did is not None
    assert (did.who, did.action, did.twin) == ("ann", "halt", "ctl halt")
    trip = audit_line(row_of(BreakerMoved("loss.day", True, 260.0, 250.0, Rung.HALTED, "")))
    assert trip is not None
    assert (trip.who, trip.action) == ("engine", "loss.day TRIP")
    assert trip.result == "260 against 250: caps at HALTED"
    reset = audit_line(row_of(BreakerMoved("loop.lag", False, 8.05825, 50.0, Rung.HALTED, "")))
    assert reset is not None
    assert (reset.action, reset.result) == ("loop.lag reset", "8.1 against 50: lifted")
    assert audit_line(row_of(RunEnded("r", 0, "done"))) is None

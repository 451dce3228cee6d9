"""Disk, clock and process faults on the real program; after each it starts, agrees and verifies."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dailyarb.core.domain.operator import OperatorVerb
from dailyarb.core.domain.records import (
    Adjusted,
    BreakerMoved,
    FillBooked,
    IntentTaken,
    RungSet,
)
from dailyarb.core.domain.rung import Rung
from dailyarb.runtime.clock import boot_ns
from dailyarb.runtime.control import ControlClient
from dailyarb.runtime.journal_read import Row, list_segments
from dailyarb.runtime.paths import holder_of
from tests.processes import Engine, Machine, at_rest, machine, until

DISK, LATCHED = 3, 5
PATIENT = {"max_loop_lag_ms": "2000", "checkpoint_s": "1.0"}
SHIM = Path(__file__).with_name("clock_shim.c")
HOUR_S = 3_600

# Stands inside a read transaction, as a console stopped in the middle of a fetch does.
READER = """
import sqlite3, sys, time
connection = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True, isolation_level=None)
connection.execute("BEGIN")
print(connection.execute("SELECT count(*) FROM journal").fetchone()[0], flush=True)
time.sleep(600)
"""


@pytest.fixture
def desk() -> Iterator[Machine]:
    with machine() as found:
        found.start_venues()
        yield found


def started(desk: Machine, **changes: str) -> Engine:
    return desk.start(config=desk.config(**PATIENT, **changes))


@contextmanager
def stopped_reader(journal: Path) -> Iterator[None]:
    """Holds a process stopped inside a read of the journal."""
    words = [sys.executable, "-c", READER, str(journal)]
    reader = subprocess.Popen(words, stdout=subprocess.PIPE)
    try:
        assert reader.stdout is not None and int(reader.stdout.readline()) > 0
        os.kill(reader.pid, signal.SIGSTOP)
        yield
    finally:
        reader.kill()
        reader.communicate()


def passed(seconds: float) -> Callable[[], bool]:
    end = boot_ns() + round(seconds * 1e9)
    return lambda: boot_ns() >= end


@contextmanager
def disk(folder: Path, size: str) -> Iterator[Callable[[str], None]]:
    """Puts a file system of its own under a folder; skips where that is not allowed."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(folder)]
    allowed = shutil.which("mount") is not None and os.geteuid() == 0
    if not allowed or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a file system")

    def remount(option: str) -> None:
        words = ["mount", "-o", f"remount,{option}", str(folder)]
        subprocess.run(words, check=True, capture_output=True)

    try:
        yield remount
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.slow
def test_a_disk_that_came_back_read_only_is_refused_with_a_reason(desk: Machine) -> None:
    with disk(desk.places.state_dir, "96m") as remount:
        started(desk).trading().kill()
        keeper_gone(desk)
        remount("ro")
        before = desk.state()["open_orders"]
        refused = started(desk)
        assert refused.wait() not in (0, None)
        assert "Read-only file system" in desk.said() or "readonly" in desk.said()
        assert desk.state()["open_orders"] == before, "nothing was begun"
        remount("rw")
        at_rest(desk, **PATIENT)


def keeper_gone(desk: Machine) -> None:
    """Waits until the killed engine's keeper has left: it writes a log on the same disk."""
    lock = desk.places.state_dir / "keeper.lock"
    pid = (holder_of(lock) or {}).get("pid")
    if isinstance(pid, int):
        os.kill(pid, signal.SIGTERM)
    until(lambda: holder_of(lock) is None, "the keeper has left")


@pytest.mark.slow
def test_a_full_disk_stops_it_and_room_lets_it_start_again(desk: Machine) -> None:
    with disk(desk.places.state_dir, "96m"):
        engine = started(desk).trading()
        filler = desk.places.state_dir / "somebody-elses"
        with filler.open("wb", buffering=0) as file:
            until(lambda: _filled(file.fileno()), "the disk is full")
            assert engine.wait(60) == DISK
        until(lambda: desk.state()["open_orders"] == [], "all is cancelled")
        assert json.loads(desk.run("verify", "--json").stdout)["ok"]
        filler.unlink()
        at_rest(desk, **PATIENT)


def _filled(handle: int) -> bool:
    try:
        while True:
            os.write(handle, bytes(65_536))
    except OSError:
        return True


@pytest.mark.slow
def test_a_journal_with_a_flipped_byte_is_refused_named_and_rebuilt_halted(desk: Machine) -> None:
    first = started(desk).trading()
    until(lambda: any(isinstance(r.record, FillBooked) for r in desk.rows()), "a fill", 90)
    first.terminate()
    journal = desk.places.journal
    victim = desk.rows()[-1].seq  # how the run ended: a start reads it, checkpoint or none
    connection = sqlite3.connect(journal)
    [[body]] = connection.execute("SELECT body FROM journal WHERE seq = ?", (victim,)).fetchall()
    connection.close()
    content = bytearray(journal.read_bytes())
    at = content.index(body[: min(200, len(body))])
    content[at + len(body) // 4] ^= 4
    journal.write_bytes(content)
    refused = started(desk)
    assert refused.wait() == DISK
    assert f"row {victim}" in desk.said()
    told = desk.run("verify", "--json")
    assert told.returncode == DISK
    assert json.loads(told.stdout)["problems"][0]["seq"] == victim
    rebuilt = desk.run("verify", "--rebuild", "--json")
    assert rebuilt.returncode == 0, rebuilt.stderr
    kept = [Path(name) for name in json.loads(rebuilt.stdout)["kept"]]
    assert content in [file.read_bytes() for file in kept], "the broken one is kept as it was"
    engine = started(desk).ready()
    until(lambda: "reconciled" in {row.text[:10] for row in engine.view().events}, "reconciled")
    assert engine.view().operator_rung is Rung.HALTED, "nobody knows what the rung was"
    # A fill told as provisional puts off the opening balance until the chain has spoken.
    until(lambda: any(isinstance(r.record, Adjusted) for r in desk.rows()), "an opening", 60)
    assert desk.run("verify", "--rebuild").returncode == 4, "not under a running engine"
    assert engine.terminate() == 0
    again = at_rest(desk, **PATIENT)
    assert isinstance(again[0].record, RungSet)
    assert any(isinstance(row.record, FillBooked) for row in again), "told by the venue"
    sound = desk.run("verify", "--rebuild")
    assert (sound.returncode, "nothing to rebuild" in sound.stderr) == (2, True)


@pytest.mark.slow
def test_stopped_for_thirty_seconds_it_wakes_without_belief_and_loses_nothing(
    desk: Machine,
) -> None:
    engine = started(desk).trading()
    engine.signal(signal.SIGSTOP)
    until(passed(30), "thirty seconds pass", 40)
    woke = boot_ns()
    engine.signal(signal.SIGCONT)
    until(lambda: any(_noticed(row) for row in desk.rows()), "it noticed")
    until(lambda: engine.view().rung in (Rung.FULL, Rung.REDUCED), "it trades again", 180)
    early = [
        row
        for row in desk.rows()
        if isinstance(row.record, IntentTaken)
        and row.record.intent.value == "ENTRY"
        and woke < row.mono_ns < woke + 500_000_000
    ]
    assert early == []
    engine.kill()
    at_rest(desk, **PATIENT)


def _noticed(row: Row) -> bool:
    return isinstance(row.record, BreakerMoved) and "stood still" in row.record.reason


@pytest.mark.slow
def test_a_console_stopped_inside_a_read_cannot_make_the_log_grow(desk: Machine) -> None:
    config = {"wal_mib_max": "1", "checkpoint_s": "0.05"}
    engine = desk.start(config=desk.config(max_loop_lag_ms="2000", **config)).trading()
    journal = desk.places.journal
    with stopped_reader(journal):
        until(lambda: len(list_segments(journal)) > 1, "the journal leaves the segment", 240)
        log = journal.with_name("journal.db-wal")
        pinned = log.stat().st_size
        assert pinned < 2 << 20
        count = len(desk.rows())
        until(lambda: len(desk.rows()) > count + 20, "it goes on", 60)
        assert log.stat().st_size == pinned
        engine.kill()
    at_rest(desk, **config)


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Builds the library that steps the clock of a process."""
    found = tmp_path_factory.mktemp("shim") / "clock_shim.so"
    words = ["cc", "-shared", "-fPIC", "-O1", "-o", str(found), str(SHIM), "-ldl"]
    subprocess.run(words, check=True, capture_output=True)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("step_s", [HOUR_S, -HOUR_S])
def test_a_wall_clock_that_steps_by_an_hour_loses_nothing(
    desk: Machine, shim: Path, step_s: int
) -> None:
    step = desk.folder / "step"
    step.write_text("0")
    env = {**os.environ, "LD_PRELOAD": str(shim), "DAILYARB_TEST_STEP": str(step)}
    engine = desk.start(config=desk.config(**PATIENT), env=env).trading()
    step.write_text(str(step_s))
    stepped = boot_ns()
    until(lambda: abs(engine.view().clock_offset_ms or 0.0) > 1e6, "the step is measured", 60)
    until(lambda: engine.view().rung in (Rung.HALTED, Rung.HEDGE_ONLY), "entries stop", 20)
    measured = boot_ns()
    until(passed(3), "some time passes")
    late = [row for row in desk.rows() if row.mono_ns > measured + 1_000_000_000]
    entries = [row for row in late if isinstance(row.record, IntentTaken)]
    assert [row for row in entries if row.record.intent.value == "ENTRY"] == []
    view = engine.view()
    assert view.mono_ns > stepped, "ages are not of the wall clock: the engine lives"
    step.write_text("0")
    until(lambda: abs(engine.view().clock_offset_ms or 0.0) < 1e6, "the clock is right again", 60)
    with ControlClient(desk.places.socket) as control:
        assert control.send(OperatorVerb.HALT, reason="count").ok
    engine.kill()
    # Requests dated an hour off are refused: that latches, and only a person releases it.
    at_rest(desk, LATCHED, **PATIENT)

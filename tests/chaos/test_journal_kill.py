"""The journal under SIGKILL and on a full disk, and beside a frozen reader (F68, F70, F85)."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.orders import OrderState
from dailyarb.core.domain.records import OrderMoved
from dailyarb.core.domain.rung import Evidence
from dailyarb.core.domain.settings import JournalSettings
from dailyarb.runtime.journal import Journal
from dailyarb.runtime.journal_read import JournalReader, list_segments, walk

KILLS_QUICK = 12
KILLS_LONG = 200

# Writes batches without end and says after each which row it acknowledges.
WRITER = """
import os, sys
from pathlib import Path
from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.orders import OrderState
from dailyarb.core.domain.records import OrderMoved
from dailyarb.core.domain.rung import Evidence
from dailyarb.core.domain.settings import JournalSettings
from dailyarb.runtime.journal import Journal
settings = JournalSettings(sync_ms=2, ballast_mib=0, checkpoint_s=0, wal_mib_max=1)
journal = Journal(Path(sys.argv[1]), sys.argv[2], Evidence.SIM, settings)
batch = 0
while True:
    batch += 1
    size = batch % 4 + 1
    name = f"{sys.argv[2]}:{batch}:{size}"
    seq = journal.append([OrderMoved(name, OrderState.OPEN, "x" * 200)] * size, Instant(1, 1))
    os.write(1, b"%d\\n" % seq)
"""

# Stands inside a read transaction, as a console stopped in the middle of a fetch does.
READER = """
import sqlite3, sys, time
from pathlib import Path
connection = sqlite3.connect(f"{Path(sys.argv[1]).as_uri()}?mode=ro", uri=True)
connection.isolation_level = None
connection.execute("BEGIN")
print(connection.execute("SELECT count(*) FROM journal").fetchone()[0], flush=True)
time.sleep(60)
"""

FULL = """
import os, resource, sys
from pathlib import Path
from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.errors import JournalError
from dailyarb.core.domain.orders import OrderState
from dailyarb.core.domain.records import OrderMoved
from dailyarb.core.domain.rung import Evidence
from dailyarb.core.domain.settings import JournalSettings
from dailyarb.runtime.journal import Journal
settings = JournalSettings(sync_ms=2, ballast_mib=0, checkpoint_s=3600)
journal = Journal(Path(sys.argv[1]), "r1", Evidence.SIM, settings)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
row = OrderMoved("0x1", OrderState.OPEN, "x" * 500)
try:
    while True:
        seq = journal.append([row, row], Instant(1, 1))
except JournalError:
    print("refused", seq, flush=True)
try:
    journal.append([row] * 50, Instant(1, 1))
except JournalError:
    print("refused", journal.last_seq, flush=True)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print("room", journal.append([row], Instant(1, 1)), flush=True)
journal.close()
"""


def kill_once(path: Path, run: str, acks: int) -> int:
    """Starts a writer, kills it after so many acknowledgements, and returns the last one."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), run], stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        lines = [writer.stdout.readline() for _ in range(acks)]
        os.kill(writer.pid, signal.SIGKILL)
        rest = writer.stdout.read()
    told = b"".join([*lines, rest]).split(b"\n")
    whole = told[:-1]  # what was cut is no acknowledgement
    assert whole, "the writer died by itself"
    return int(whole[-1])


def check(path: Path, acked: int) -> None:
    """No acknowledged row is lost, none doubled, and batches are whole."""
    rows = [raw for _, raw in walk(path)]
    assert rows[-1][0] >= acked
    assert [raw[0] for raw in rows] == list(range(1, len(rows) + 1))
    counts: dict[str, int] = {}
    with JournalReader(path) as reader:
        for row in reader.since(0, len(rows)):
            assert isinstance(row.record, OrderMoved)
            counts[row.record.order_id] = counts.get(row.record.order_id, 0) + 1
    for name, count in counts.items():
        assert count == int(name.split(":")[2]), name


def kill_many(path: Path, kills: int) -> None:
    draw = random.Random(68)
    for kill in range(kills):
        acked = kill_once(path, f"r{kill}", draw.choice([1, 3, 40, 300, 900]))
        check(path, acked)
    assert len(JournalReader(path).runs()) == kills


def test_no_acknowledged_row_is_lost_by_sigkill(tmp_path: Path) -> None:
    kill_many(tmp_path / "journal.db", KILLS_QUICK)


@pytest.mark.slow
def test_no_acknowledged_row_is_lost_by_many_sigkills(tmp_path: Path) -> None:
    kill_many(tmp_path / "journal.db", KILLS_LONG)


def test_a_reader_frozen_inside_a_read_bounds_the_wal(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = Journal(
        path, "r1", Evidence.SIM, JournalSettings(sync_ms=2, ballast_mib=0, wal_mib_max=1)
    )
    journal.append([OrderMoved("0x1", OrderState.OPEN)], Instant(1, 1))
    it = subprocess.Popen([sys.executable, "-c", READER, str(path)], stdout=subprocess.PIPE)
    try:
        assert it.stdout is not None
        assert it.stdout.readline() == b"1\n"
        os.kill(it.pid, signal.SIGSTOP)
        row = OrderMoved("0x2", OrderState.OPEN, "x" * 2000)
        end = time.monotonic() + 20
        while len(list_segments(path)) == 1:
            assert time.monotonic() < end, "the journal did not leave the pinned segment"
            for _ in range(20):
                journal.append([row], Instant(1, 1))
        pinned = (tmp_path / "journal.db-wal").stat().st_size
        for _ in range(200):
            journal.append([row], Instant(1, 1))
        assert (tmp_path / "journal.db-wal").stat().st_size == pinned
    finally:
        it.kill()  # a stopped process would be waited for without end
        it.communicate()
    last = journal.last_seq
    journal.close()
    assert sum(1 for _ in walk(path)) == last


def test_a_full_disk_refuses_and_leaves_a_sound_file(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, check=True
    )
    first, second, third = (line.split() for line in done.stdout.splitlines())
    assert first[0] == second[0] == "refused"
    assert first[1] == second[1]
    assert third == ["room", str(int(first[1]) + 1)]
    assert sum(1 for _ in walk(path)) == int(third[1])

"""What one journal append costs, beside the plain ways to make a row last.

Wall time, not CPU time: waiting for the disk is what the design avoids. The peers keep less: no
chain, no clocks, no run; the bare commit is the floor, the other two survive power loss at once.
"""

from __future__ import annotations

import os
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.orders import OrderState
from dailyarb.core.domain.records import OrderMoved
from dailyarb.core.domain.rung import Evidence
from dailyarb.core.domain.settings import JournalSettings
from dailyarb.runtime.journal import Journal

QUICK_CALLS = 200
SYNCED_CALLS = 5
_ROW = OrderMoved("0x" + "a" * 64, OrderState.OPEN, "x" * 200)
_BODY = b"x" * 300
_NOW = Instant(1, 1)
_FLOOR = "sqlite3, bare WAL commit"


def run(rounds: int) -> list[dict[str, object]]:
    """Returns the rows for one record and for four in one commit."""
    with tempfile.TemporaryDirectory() as folder:
        return _measure(Path(folder), rounds)


def _measure(folder: Path, rounds: int) -> list[dict[str, object]]:
    journal = Journal(folder / "journal.db", "bench", Evidence.SIM, JournalSettings(ballast_mib=0))
    bare, full = _database(folder / "bare.db", "NORMAL"), _database(folder / "full.db", "FULL")
    plain = os.open(folder / "plain", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    insert = "INSERT INTO rows(body) VALUES (?)"

    def append_and_sync() -> None:
        os.write(plain, _BODY)
        os.fsync(plain)

    contenders: dict[str, tuple[Callable[[], object], int]] = {
        "one": (lambda: journal.append([_ROW], _NOW), QUICK_CALLS),
        "four": (lambda: journal.append([_ROW] * 4, _NOW), QUICK_CALLS),
        _FLOOR: (lambda: bare.execute(insert, (_BODY,)), QUICK_CALLS),
        "sqlite3, synchronous=FULL": (lambda: full.execute(insert, (_BODY,)), SYNCED_CALLS),
        "append and fsync": (append_and_sync, SYNCED_CALLS),
    }
    try:
        times = _times(contenders, rounds)
    finally:
        journal.close()
        bare.close()
        full.close()
        os.close(plain)
    peers = {name: round(ns, 1) for name, ns in times.items() if name not in ("one", "four")}
    best = min(peers.values())
    return [
        {
            "name": f"journal.append.{name}",
            "unit": "ns",
            "ours": round(times[name], 1),
            "peers": peers,
            "ratio_to_best_peer": round(times[name] / best, 4),
        }
        for name in ("one", "four")
    ]


def _database(path: Path, synchronous: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("CREATE TABLE rows(seq INTEGER PRIMARY KEY, body BLOB) STRICT")
    return connection


def _times(
    contenders: dict[str, tuple[Callable[[], object], int]], rounds: int
) -> dict[str, float]:
    """Returns the median wall nanoseconds of one call, all interleaved in random order."""
    found: dict[str, list[int]] = {name: [] for name in contenders}
    draw = random.Random(rounds)
    for _ in range(rounds):
        for name in draw.sample(sorted(contenders), len(contenders)):
            contender, calls = contenders[name]
            for _ in range(calls):
                begun = time.perf_counter_ns()
                contender()
                found[name].append(time.perf_counter_ns() - begun)
    return {name: statistics.median(samples) for name, samples in found.items()}

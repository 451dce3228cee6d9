"""The journal: facts on the disk before anything acts on them.

One writer, the engine's thread. An append is one SQLite commit in WAL mode; it survives kill -9
at once and power loss after the next sync. A helper thread syncs the WAL, checkpoints when the
journal is quiet, and prepares the next segment file when a frozen reader keeps the WAL from
being reused. The database file is opened through SQLite only: closing any other handle on it
would drop SQLite's locks. The WAL holds no locks, so the helper may sync it by its own handle.

Measured on ext4: an fsync is 4 ms, a WAL commit 6-13 us; hence nothing here syncs on the
engine's thread. A disk that hangs shows as `sync_age_ms`, never as a stopped loop (F71).
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.errors import JournalCorrupt, JournalError
from dailyarb.core.domain.events import DiskState
from dailyarb.core.domain.records import Record
from dailyarb.core.domain.rung import Evidence
from dailyarb.core.domain.settings import JournalSettings
from dailyarb.runtime.journal_read import (
    APPLICATION_ID,
    BUSY_S,
    GENESIS,
    SCHEMA_VERSION,
    JournalReader,
    RawRow,
    Row,
    RunSpan,
    Segment,
    check_head,
    link,
    link_of,
    list_segments,
    segment_path,
    trouble,
)
from dailyarb.runtime.journal_sync import DiskHelper, WalFile

__all__ = [
    "FaultyDisk",
    "Journal",
    "JournalReader",
    "JournalSink",
    "MemoryJournal",
    "Row",
    "RunSpan",
]

_SCHEMA = f"""
CREATE TABLE journal(
    seq INTEGER PRIMARY KEY, run TEXT NOT NULL, mono_ns INTEGER NOT NULL, wall_ns INTEGER NOT NULL,
    kind TEXT NOT NULL, evidence TEXT NOT NULL, body BLOB NOT NULL, chain BLOB NOT NULL) STRICT;
CREATE TABLE segment(
    number INTEGER PRIMARY KEY, first_seq INTEGER NOT NULL, base_chain BLOB NOT NULL,
    checkpoints INTEGER NOT NULL) STRICT;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
"""
_INSERT = "INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT_SEGMENT = "INSERT INTO segment VALUES (?, ?, ?, 0)"
_SELECT_TAIL = (
    "SELECT seq, run, mono_ns, wall_ns, kind, evidence, body, chain "
    "FROM journal ORDER BY seq DESC LIMIT 2"
)
_MIB = 1 << 20


class JournalSink(Protocol):
    """Is what the shell needs of a journal."""

    evidence: Evidence

    def append(self, records: Sequence[Record], now: Instant) -> int:
        """Appends records in one commit and returns the last sequence number."""
        ...

    def sync_age_ms(self) -> int:
        """Returns for how long the oldest unsynced row has been waiting."""
        ...

    def disk_state(self) -> DiskState:
        """Returns sync age, free space and what is wrong with the disk."""
        ...

    def close(self) -> None:
        """Syncs and closes."""
        ...


def create_segment(path: Path, number: int) -> None:
    """Lays an empty segment file, mode 0600, by renaming it into place once it is whole.

    Raises:
        JournalError: the disk refuses.
    """
    fresh = path.with_name(path.name + ".new")
    try:
        fresh.unlink(missing_ok=True)
        os.close(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        connection = sqlite3.connect(fresh, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(_SCHEMA)
            if number == 0:
                connection.execute(_INSERT_SEGMENT, (0, 1, GENESIS))
        finally:
            connection.close()
        fresh.rename(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except (sqlite3.Error, OSError) as error:
        raise JournalError(f"{path}: {error}") from None


def connect_writer(path: Path) -> sqlite3.Connection:
    """Returns the writing connection of one segment file: WAL, no checkpoint by itself.

    Raises:
        sqlite3.Error: the file cannot be opened.
    """
    connection = sqlite3.connect(
        path, isolation_level=None, timeout=BUSY_S, check_same_thread=False, cached_statements=16
    )
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("SELECT count(*) FROM segment").fetchone()  # makes the -wal file exist
    return connection


class Journal:
    """Appends records durably; one instance per state directory, held by its lock.

    Args:
        path: first file of the journal; created with mode 0600 where it is missing.
        run: id of this run, at most 255 bytes.
        evidence: class of the rows appended from now on; may be set again when the mode changes.
        settings: intervals and bounds.

    Raises:
        JournalError: the file cannot be created or opened.
        JournalCorrupt: what is there cannot be believed; the files are left as they are.
    """

    def __init__(
        self,
        path: Path,
        run: str,
        evidence: Evidence,
        settings: JournalSettings | None = None,
    ) -> None:
        self.path = path
        self.run = run
        self.evidence = evidence
        self._settings = settings or JournalSettings()
        self._encode = msgspec.msgpack.Encoder().encode
        self._ballast = path.with_suffix(".ballast")
        segments = list_segments(path)
        if not segments:
            check_head(path, 0)
            create_segment(path, 0)
            segments = list_segments(path)
        self._segment = segments[-1]
        self._seq: int = 0
        self._chain: bytes = GENESIS
        self._open()
        self._lay_ballast()
        self._helper = DiskHelper(self.path, self._settings, self._prepare_next)
        self._helper.watch(WalFile(self._segment.path))
        self._helper.start()

    @property
    def last_seq(self) -> int:
        """Returns the sequence number of the newest row, 0 before the first."""
        return self._seq

    def append(self, records: Sequence[Record], now: Instant) -> int:
        """Appends records in one commit.

        Args:
            records: facts in order; none is a no-op.
            now: both clocks, stored with each row.

        Returns:
            The sequence number of the last row.

        Raises:
            JournalError: nothing of this call was stored. The ballast has been freed, so a
                later append (the halt, the cancels) may succeed on a full disk.
        """
        rows: list[RawRow] = []
        seq, chain, run, evidence = self._seq, self._chain, self.run, self.evidence.value
        for record in records:
            seq += 1
            body = self._encode(record)
            kind = type(record).__name__
            chain = link(chain, (seq, now.mono_ns, now.wall_ns), (run, kind, evidence), body)
            rows.append((seq, run, now.mono_ns, now.wall_ns, kind, evidence, body, chain))
        if not rows:
            return seq
        try:
            if self._helper.next_ready is not None:
                self._roll(rows)
            else:
                self._store(rows)
        except sqlite3.Error as error:
            self._after_failure()
            raise JournalError(f"{self.path}: {error}") from None
        self._seq, self._chain = seq, chain
        self._helper.appended(seq, chain)
        return seq

    def sync_age_ms(self) -> int:
        """Returns for how long the oldest unsynced row has been waiting, 0 when all are on disk."""
        return self._helper.age_ms()

    def disk_state(self) -> DiskState:
        """Returns sync age, free space in MB as of a second ago, and what is wrong, if anything."""
        return DiskState(self.sync_age_ms(), self._helper.free_mb, self._helper.error)

    def size_mb(self) -> float:
        """Returns the size of all files of the journal in MB, as of a second ago."""
        return self._helper.size_mb

    def sync(self) -> None:
        """Waits until all rows are on the disk; only for starts and stops, never while trading.

        Raises:
            JournalError: the disk refuses, or does not answer within five seconds.
        """
        if not self._helper.flush(5.0):
            raise JournalError(f"{self.path}: not synced: {self._helper.error or 'no answer'}")

    def close(self) -> None:
        """Syncs, checkpoints and closes; the journal is not used afterwards."""
        self._helper.stop()
        self._connection.close()

    def _open(self) -> None:
        try:
            self._connection = connect_writer(self._segment.path)
        except sqlite3.Error as error:
            raise trouble(self.path, 0, error) from None
        try:
            self._seq, self._chain = self._tail()
            check_head(self.path, self._seq)
        except sqlite3.Error as error:
            self._connection.close()
            raise trouble(self.path, 0, error) from None
        except JournalCorrupt:
            self._connection.close()
            raise

    def _store(self, rows: list[RawRow]) -> None:
        connection = self._connection
        if len(rows) == 1:
            connection.execute(_INSERT, rows[0])
            return
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(_INSERT, rows)
        connection.execute("COMMIT")

    def _roll(self, rows: list[RawRow]) -> None:
        """Goes on in the prepared segment; its first commit carries the chain over."""
        prepared = self._helper.next_ready
        assert prepared is not None
        number = self._segment.number + 1
        prepared.execute("BEGIN IMMEDIATE")
        prepared.execute(_INSERT_SEGMENT, (number, rows[0][0], self._chain))
        prepared.executemany(_INSERT, rows)
        prepared.execute("COMMIT")
        self._segment = Segment(
            segment_path(self.path, number), number, rows[0][0], self._chain
        )
        self._connection, old = prepared, self._connection
        self._helper.rolled(WalFile(self._segment.path), old)

    def _prepare_next(self) -> sqlite3.Connection:
        """Lays the next segment file; called on the helper's thread."""
        path = segment_path(self.path, self._segment.number + 1)
        if not path.exists():
            create_segment(path, self._segment.number + 1)
        return connect_writer(path)

    def _tail(self) -> tuple[int, bytes]:
        """Returns seq and chain of the newest row, checked against the one before it."""
        rows: list[RawRow] = self._connection.execute(_SELECT_TAIL).fetchall()
        if not rows:
            return self._segment.first_seq - 1, self._segment.base_chain
        previous = rows[1][7] if len(rows) > 1 else self._segment.base_chain
        if link_of(previous, rows[0]) != rows[0][7]:
            raise JournalCorrupt(str(self.path), rows[0][0], "its chain value does not match")
        return rows[0][0], rows[0][7]

    def _after_failure(self) -> None:
        """Frees the ballast and finds out where the file stands."""
        self._ballast.unlink(missing_ok=True)
        prepared = self._helper.next_ready
        for connection in (self._connection, prepared):
            if connection is not None and connection.in_transaction:
                with contextlib.suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
        with contextlib.suppress(sqlite3.Error):
            self._seq, self._chain = self._tail()

    def _lay_ballast(self) -> None:
        """Reserves real blocks; a disk too full for it is reported by its free space, not here."""
        size = self._settings.ballast_mib * _MIB
        if size == 0 or (self._ballast.exists() and self._ballast.stat().st_size == size):
            return
        handle = os.open(self._ballast, os.O_CREAT | os.O_WRONLY, 0o600)
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(handle, 0, size)
            else:
                os.write(handle, bytes(size))
        except OSError:
            self._ballast.unlink(missing_ok=True)
        finally:
            os.close(handle)


class MemoryJournal:
    """Keeps rows in memory: tests, replay and simulation."""

    def __init__(self, run: str = "test", evidence: Evidence = Evidence.SIM) -> None:
        self.run = run
        self.evidence = evidence
        self.rows: list[Row] = []

    @property
    def last_seq(self) -> int:
        """Returns the sequence number of the newest row, 0 before the first."""
        return len(self.rows)

    def append(self, records: Sequence[Record], now: Instant) -> int:
        """Appends records and returns the last sequence number."""
        for record in records:
            kind = type(record).__name__
            seq = len(self.rows) + 1
            self.rows.append(
                Row(seq, self.run, now.mono_ns, now.wall_ns, kind, self.evidence, record)
            )
        return len(self.rows)

    def since(self, seq: int, limit: int = 1000) -> list[Row]:
        """Returns up to `limit` rows with a larger sequence number."""
        return self.rows[seq : seq + limit]

    def sync_age_ms(self) -> int:
        """Returns 0: memory has nothing to sync."""
        return 0

    def disk_state(self) -> DiskState:
        """Returns a healthy disk."""
        return DiskState(self.sync_age_ms(), 1_000_000)

    def close(self) -> None:
        """Does nothing."""


class FaultyDisk(MemoryJournal):
    """Is a journal on a disk that fails or hangs when told to.

    Args:
        fail_at: appends, counted from 1, that raise JournalError and store nothing.
    """

    def __init__(self, fail_at: frozenset[int] = frozenset(), run: str = "test") -> None:
        super().__init__(run)
        self.fail_at = fail_at
        self.appends = 0
        self.hung_since_ns = 0
        self.error = ""

    def append(self, records: Sequence[Record], now: Instant) -> int:
        """Appends, or raises JournalError where this append was told to fail."""
        self.appends += 1
        if self.appends in self.fail_at:
            self.error = "database or disk is full"
            raise JournalError(f"append {self.appends}: {self.error}")
        return super().append(records, now)

    def hang(self) -> None:
        """Lets syncs stand still from now on."""
        self.hung_since_ns = time.monotonic_ns()

    def sync_age_ms(self) -> int:
        """Returns for how long syncs have stood still."""
        if not self.hung_since_ns:
            return 0
        return (time.monotonic_ns() - self.hung_since_ns) // 1_000_000

    def disk_state(self) -> DiskState:
        """Returns the faulty disk's state."""
        return DiskState(self.sync_age_ms(), 0 if self.error else 1_000_000, self.error)

"""The journal's helper thread: syncs, checkpoints, prepares the next segment.

The engine's thread tells it what was appended and reads three things: the age of the oldest
unsynced row, what is wrong with the disk, and a prepared segment when the WAL has grown past its
bound.

A checkpoint is followed by a small write of our own on this thread: the first write after a full
checkpoint restarts the WAL and syncs its header (4 ms), which must not fall to the engine.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

from dailyarb.core.domain.errors import JournalError
from dailyarb.core.domain.settings import JournalSettings
from dailyarb.runtime.journal_read import BUSY_S, head_path, pack_head

_MIB = 1 << 20
_QUIET_NS = 250_000_000
_RETRY_NS = 200_000_000
_MEASURE_NS = 1_000_000_000


class WalFile:
    """Holds a handle on one segment's WAL; the WAL carries no locks, so that is allowed."""

    def __init__(self, database: Path) -> None:
        self.database = database
        self._handle = os.open(f"{database}-wal", os.O_RDONLY)

    def sync(self) -> None:
        """Waits until the file's content is on the disk.

        Raises:
            OSError: the disk refuses.
        """
        if hasattr(os, "fdatasync"):
            os.fdatasync(self._handle)
        else:
            os.fsync(self._handle)

    def size(self) -> int:
        """Returns the file's size in bytes."""
        return os.fstat(self._handle).st_size

    def close(self) -> None:
        """Closes the handle."""
        os.close(self._handle)


class DiskHelper:
    """Runs the helper thread of one journal.

    Args:
        path: first file of the journal; the head file stands beside it.
        settings: `sync_ms`, `checkpoint_s` and `wal_mib_max` are used.
        prepare_next: lays the next segment file and returns its writing connection.
    """

    def __init__(
        self, path: Path, settings: JournalSettings, prepare_next: Callable[[], sqlite3.Connection]
    ) -> None:
        self.free_mb = 0
        self.size_mb = 0.0
        self.next_ready: sqlite3.Connection | None = None
        self._path = path
        self._settings = settings
        self._prepare_next = prepare_next
        self._head = os.open(head_path(path), os.O_CREAT | os.O_WRONLY, 0o600)
        self._wal: WalFile | None = None
        self._retired: list[tuple[WalFile, sqlite3.Connection]] = []
        self._tail: tuple[int, bytes] | None = None
        self._synced_seq = 0
        self._dirty_ns = 0
        self._syncing_ns = 0
        self._appended_ns = 0
        self._checkpoint_ns = time.monotonic_ns()
        self._checkpointed_seq = 0
        self._retired_ns = 0
        self._measured_ns = 0
        self._prepared: sqlite3.Connection | None = None
        self._wake = threading.Event()
        self._unsynced = ""
        self._trouble = ""
        self._stopping = False
        self._idle = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="journal-sync", daemon=True)

    @property
    def error(self) -> str:
        """Returns the first failed sync for good, else what the last round stumbled over.

        What the kernel could not write it may have dropped, and a later sync succeeds without it.
        """
        return self._unsynced or self._trouble

    def watch(self, wal: WalFile) -> None:
        """Takes over the WAL of the segment that is written first; before `start`."""
        self._wal = wal

    def start(self) -> None:
        """Starts the thread, after one look at the disk."""
        self._measure()
        self._thread.start()

    def appended(self, seq: int, chain: bytes) -> None:
        """Notes the newest row; called by the engine's thread after its commit."""
        self._tail = (seq, chain)
        self._appended_ns = time.monotonic_ns()
        # Marked after the commit and cleared before the sync: no row can slip between.
        if not self._dirty_ns:
            self._dirty_ns = self._appended_ns

    def rolled(self, wal: WalFile, old: sqlite3.Connection) -> None:
        """Takes over the new segment's WAL; the old one is closed once it is checkpointed."""
        if self._wal is not None:
            self._retired.append((self._wal, old))
        self._wal = wal
        self.next_ready = None  # last: from here on the helper may prepare again

    def age_ms(self) -> int:
        """Returns for how long the oldest unsynced row has been waiting."""
        since = self._syncing_ns or self._dirty_ns
        return (time.monotonic_ns() - since) // 1_000_000 if since else 0

    def flush(self, timeout_s: float) -> bool:
        """Waits until every row noted so far is synced; False after the timeout."""
        self._wake.set()
        with self._idle:
            return self._idle.wait_for(self._all_synced, timeout_s)

    def stop(self) -> None:
        """Syncs once more, ends the thread and closes its handles."""
        self._stopping = True
        self._wake.set()
        self._thread.join(timeout=10.0)
        for wal, connection in self._retired:
            connection.close()
            wal.close()
        for unused in (self.next_ready, self._prepared):
            if unused is not None:
                unused.close()
        if self._wal is not None:
            self._wal.close()
        os.close(self._head)

    def _all_synced(self) -> bool:
        return self._tail is None or self._synced_seq >= self._tail[0]

    def _run(self) -> None:
        while not self._stopping:
            self._wake.wait(self._settings.sync_ms / 1000)
            self._wake.clear()
            self._trouble = self._round()
        try:
            self._sync()
            self._checkpoint()
        except (OSError, sqlite3.Error) as error:
            self._trouble = str(error)

    def _round(self) -> str:
        """Syncs, then looks after files; returns what went wrong, "" if nothing did."""
        try:
            self._sync()
        except OSError as error:
            self._unsynced = self._unsynced or str(error)
            return str(error)
        try:
            now_ns = time.monotonic_ns()
            self._housekeep(now_ns)
            if now_ns - self._measured_ns > _MEASURE_NS:
                self._measure()
        except (OSError, sqlite3.Error, JournalError) as error:
            return str(error)
        return ""

    def _measure(self) -> None:
        """Looks at free space and size here: asking a hanging disk would stop the engine's loop."""
        self._measured_ns = time.monotonic_ns()
        found = os.statvfs(self._path.parent)
        self.free_mb = found.f_bavail * found.f_frsize // 1_000_000
        files = self._path.parent.glob(f"{self._path.stem}*{self._path.suffix}*")
        size = 0
        for file in files:
            with contextlib.suppress(FileNotFoundError):  # SQLite may just have removed its WAL
                size += file.stat().st_size
        self.size_mb = size / 1_000_000

    def _sync(self) -> None:
        if not self._dirty_ns and not self._syncing_ns:
            return
        # After a failed sync the age goes on counting from the oldest row it should have saved.
        self._syncing_ns = self._syncing_ns or self._dirty_ns
        self._dirty_ns = 0
        tail = self._tail
        # The current WAL is read first: one that a roll retires meanwhile is then synced twice.
        current = self._wal
        for wal, _ in list(self._retired):
            wal.sync()
        if current is not None:
            current.sync()
        if tail is not None:
            os.pwrite(self._head, pack_head(*tail), 0)
            self._synced_seq = tail[0]
        self._syncing_ns = 0
        with self._idle:
            self._idle.notify_all()

    def _housekeep(self, now_ns: int) -> None:
        if self.next_ready is not None:
            return  # the engine may roll at any moment
        wal = self._wal
        if wal is None:
            return
        self._release_retired(now_ns)
        bound = self._settings.wal_mib_max * _MIB
        size = wal.size()
        waited_s = (now_ns - self._checkpoint_ns) / 1e9
        quiet = now_ns - self._appended_ns > _QUIET_NS
        fresh = self._tail is not None and self._tail[0] > self._checkpointed_seq
        due = fresh and quiet and waited_s >= self._settings.checkpoint_s
        pressed = fresh and size > bound // 2 and waited_s * 1e9 >= _RETRY_NS
        if (due or pressed) and not self._checkpoint() and size > bound // 2:
            # A reader pins the WAL: have the next segment ready before the bound is reached.
            self._prepared = self._prepared or self._prepare_next()
        if self._prepared is not None and size > bound:
            self.next_ready, self._prepared = self._prepared, None

    def _release_retired(self, now_ns: int) -> None:
        if not self._retired or now_ns - self._retired_ns < _RETRY_NS:
            return
        self._retired_ns = now_ns
        wal, connection = self._retired[0]
        if self._passive(wal.database):
            self._retired.pop(0)
            connection.close()
            wal.close()

    def _checkpoint(self) -> bool:
        """Moves the WAL into the database; True if no reader kept it from being reused."""
        if self._wal is None:
            return True
        tail = self._tail
        self._checkpoint_ns = time.monotonic_ns()
        whole = self._passive(self._wal.database)
        if whole and tail is not None:
            self._checkpointed_seq = tail[0]
        return whole

    def _passive(self, database: Path) -> bool:
        connection = sqlite3.connect(database, isolation_level=None, timeout=BUSY_S)
        try:
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA wal_autocheckpoint = 0")
            # A restarted WAL is cut to this, so that its size speaks of what is pinned now.
            limit = self._settings.wal_mib_max * _MIB // 4
            connection.execute(f"PRAGMA journal_size_limit = {limit}")
            busy, frames, moved = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if busy or frames != moved:
                return False
            connection.execute("UPDATE segment SET checkpoints = checkpoints + 1")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                return False
            raise
        finally:
            connection.close()
        return True

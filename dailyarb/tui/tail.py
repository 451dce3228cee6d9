"""The newest lines of the log by file offset, and the operator's audit from the journal."""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from dailyarb.core.domain.errors import DailyarbError
from dailyarb.core.domain.records import BreakerMoved, OperatorDid, RungSet
from dailyarb.tui.format import plain
from dailyarb.tui.scene import AuditLine, LogLine

if TYPE_CHECKING:
    from dailyarb.runtime.journal_read import JournalReader, Row

TAIL_BYTES = 65_536  # read at opening, and at most at once: the file itself is never loaded
LINES_MAX = 500
FLUSH_MAX = 200
AUDIT_MAX = 200
_HEAD = frozenset({"ts", "seq", "run", "inst", "lvl", "evt", "mkt"})


class LogTail:
    """Follows a log file of JSON lines through rotation; never holds more than 500 lines."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._inode = 0
        self._rest = b""
        self._lines: deque[LogLine] = deque(maxlen=LINES_MAX)
        self._shown: tuple[LogLine, ...] = ()
        self.note = ""

    def poll(self) -> tuple[LogLine, ...]:
        """Reads what was added since the last call and returns the lines held, oldest first."""
        try:
            fresh = self._read()
        except OSError as error:
            self.note = f"log unreadable: {error.strerror}"
            return self._shown
        if fresh:
            skipped = len(fresh) - FLUSH_MAX
            self.note = f"… {skipped} skipped" if skipped > 0 else ""
            self._lines.extend(parsed(raw) for raw in fresh[-FLUSH_MAX:])
            self._shown = tuple(self._lines)
        return self._shown

    def _read(self) -> list[bytes]:
        status = os.stat(self._path)
        first = self._inode == 0
        if status.st_ino != self._inode or status.st_size < self._offset:
            self._inode, self._offset, self._rest = status.st_ino, 0, b""
        behind = status.st_size - self._offset
        if behind <= 0:
            return []
        cut = behind > TAIL_BYTES
        if cut:
            self._offset, self._rest = status.st_size - TAIL_BYTES, b""
        with self._path.open("rb") as file:
            file.seek(self._offset)
            block = file.read(TAIL_BYTES)
        self._offset += len(block)
        rows = (self._rest + block).split(b"\n")
        self._rest = rows.pop()
        return rows[1:] if cut or (first and self._offset > len(block)) else rows


def parsed(raw: bytes) -> LogLine:
    """Returns one line of the log for the screen; one that is no JSON is shown as it is."""
    text = raw.decode("utf-8", "replace")
    try:
        fields = msgspec.json.decode(raw)
    except msgspec.DecodeError:
        fields = None
    if not isinstance(fields, dict):
        return LogLine("", "?", "", "", text, text)
    stamp = str(fields.get("ts", ""))
    rest = " ".join(
        f"{key}={_short(field)}"
        for key, field in fields.items()
        if key not in _HEAD and field != ""
    )
    return LogLine(
        stamp[11:23], str(fields.get("lvl", "")), str(fields.get("evt", "")),
        str(fields.get("mkt", "")), rest, text,
    )  # fmt: skip


def _short(field: Any) -> str:
    if isinstance(field, float):
        return plain(field, 3)
    return str(field)


class AuditTrail:
    """Reads operator actions from the journal, newest kept."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reader: JournalReader | None = None
        self._seq = 0
        self._lines: deque[AuditLine] = deque(maxlen=AUDIT_MAX)
        self._shown: tuple[AuditLine, ...] = ()

    def poll(self) -> tuple[AuditLine, ...]:
        """Reads a bounded number of new rows and returns the actions held, oldest first."""
        from dailyarb.runtime.journal_read import JournalReader

        try:
            if self._reader is None:
                self._reader = JournalReader(self._path)
                self._seq = max(0, self._reader.last_seq() - 5_000)
            rows = self._reader.since(self._seq, 1_000)
        except (OSError, DailyarbError):
            self._reader = None  # not there yet, or a segment went: look again next time
            return self._shown
        fresh = [line for row in rows if (line := audit_line(row)) is not None]
        if rows:
            self._seq = rows[-1].seq
        if fresh:
            self._lines.extend(fresh)
            self._shown = tuple(self._lines)
        return self._shown

    def close(self) -> None:
        """Closes the journal."""
        if self._reader is not None:
            self._reader.close()


def audit_line(row: Row) -> AuditLine | None:
    """Returns a journal row as a line of the audit, None if no operator or breaker acted."""
    record = row.record
    match record:
        case OperatorDid():
            action = f"{record.verb} {record.target}".strip()
            result = ("" if record.ok else "REFUSED: ") + record.text
            return AuditLine(row.seq, row.wall_ns, record.who, action, result, record.twin)
        case RungSet():
            return AuditLine(
                row.seq, row.wall_ns, record.who, f"rung {record.rung.name}", record.reason, ""
            )
        case BreakerMoved():
            word = "TRIP" if record.tripped else "reset"
            came = f"caps at {record.effect.name}" if record.tripped else "lifted"
            result = f"{round(record.now, 1):g} against {record.limit:g}: {came}"
            who = record.who or "engine"
            return AuditLine(row.seq, row.wall_ns, who, f"{record.breaker} {word}", result, "")
        case _:
            return None

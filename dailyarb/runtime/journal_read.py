"""The journal's files as anybody may read them: schema, chain, segments, rows.

A journal is one or more segment files: `journal.db`, then `journal-00001.db` and so on, each a
SQLite database in WAL mode. A segment's own row says at which sequence number it begins and with
which chain value, so the chain runs through all files. `journal.head` holds the newest row known
to be on the disk: a journal that ends before its head has lost rows (F72).

Chain value of a row = blake2b(chain of the previous row, seq, both clocks, run, kind, evidence,
body). Readers open `mode=ro` and never hold a transaction beyond one fetch.
"""

from __future__ import annotations

import hashlib
import sqlite3
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from dailyarb.core.domain.errors import JournalCorrupt, JournalError
from dailyarb.core.domain.records import Record
from dailyarb.core.domain.rung import Evidence

SCHEMA_VERSION = 1
APPLICATION_ID = 0x64617262
CHAIN_BYTES = 32
GENESIS = bytes(CHAIN_BYTES)
BUSY_S = 1.0
_HEAD = struct.Struct(">q32s")
_LINK = struct.Struct(">qqqBBB")
_COLUMNS = "seq, run, mono_ns, wall_ns, kind, evidence, body, chain"
SELECT_SINCE = f"SELECT {_COLUMNS} FROM journal WHERE seq > ? ORDER BY seq LIMIT ?"
_SELECT_LAST = (
    "SELECT seq FROM journal WHERE seq < ? AND kind = ? AND evidence = ? ORDER BY seq DESC LIMIT 1"
)

_ROW_TYPES = (int, str, int, int, str, str, bytes, bytes)
_SEGMENT_TYPES = (int, int, bytes)
# What says nothing of the bytes on the disk; everything else does.
_IN_THE_WAY = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PERM,
    }
)

RawRow = tuple[int, str, int, int, str, str, bytes, bytes]
_decoder: msgspec.msgpack.Decoder[Record] = msgspec.msgpack.Decoder(Record)


class Row(msgspec.Struct, frozen=True, gc=False):
    """Is one journal row; clocks as they were when it was appended."""

    seq: int
    run: str
    mono_ns: int
    wall_ns: int
    kind: str
    evidence: Evidence
    record: Record


class RunSpan(msgspec.Struct, frozen=True, gc=False):
    """Is one run of an instance as its rows show it; ended says whether it stopped by itself."""

    run: str
    first_seq: int
    last_seq: int
    first_wall_ns: int
    last_wall_ns: int
    ended: bool


class Segment(msgspec.Struct, frozen=True, gc=False):
    """Is one file of a journal in use: where it begins and the chain value it continues."""

    path: Path
    number: int
    first_seq: int
    base_chain: bytes


def link(
    previous: bytes, place: tuple[int, int, int], words: tuple[str, str, str], body: bytes
) -> bytes:
    """Returns the chain value of one row.

    Args:
        previous: chain value of the row before, `GENESIS` before the first.
        place: seq, mono_ns, wall_ns.
        words: run, kind, evidence; each at most 255 bytes.
        body: the record as msgpack.
    """
    run, kind, evidence = words[0].encode(), words[1].encode(), words[2].encode()
    head = _LINK.pack(*place, len(run), len(kind), len(evidence))
    return hashlib.blake2b(
        b"".join((previous, head, run, kind, evidence, body)), digest_size=CHAIN_BYTES
    ).digest()


def trouble(path: Path, seq: int, error: sqlite3.Error) -> JournalError:
    """Returns what a failure to read means: the disk or a lock is in the way, or bytes are wrong.

    Args:
        path: the file.
        seq: the first row that was wanted.
        error: what SQLite said.
    """
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None and code & 0xFF in _IN_THE_WAY:
        return JournalError(f"{path}: {error}")
    return JournalCorrupt(str(path), seq, str(error))


def _typed(found: Sequence[object], types: tuple[type, ...]) -> bool:
    return all(type(value) is kind for value, kind in zip(found, types, strict=True))


def link_of(previous: bytes, raw: RawRow) -> bytes:
    """Returns the chain value a stored row must have after `previous`."""
    return link(previous, (raw[0], raw[2], raw[3]), (raw[1], raw[4], raw[5]), raw[6])


def decode(path: Path, raw: RawRow) -> Row:
    """Returns a stored row with its record.

    Raises:
        JournalCorrupt: the body is no record of this version, or the evidence is unknown.
    """
    try:
        record = _decoder.decode(raw[6])
        evidence = Evidence(raw[5])
    except (msgspec.DecodeError, ValueError) as error:
        raise JournalCorrupt(str(path), raw[0], f"unreadable record: {error}") from None
    return Row(raw[0], raw[1], raw[2], raw[3], raw[4], evidence, record)


def segment_path(path: Path, number: int) -> Path:
    """Returns the file of segment `number`; 0 is the journal's own path."""
    return path if number == 0 else path.with_name(f"{path.stem}-{number:05d}{path.suffix}")


def head_path(path: Path) -> Path:
    """Returns the file that holds the newest row known to be on the disk."""
    return path.with_suffix(".head")


def pack_head(seq: int, chain: bytes) -> bytes:
    """Returns the bytes of the head file: seq, chain, checksum."""
    body = _HEAD.pack(seq, chain)
    return body + hashlib.blake2b(body, digest_size=8).digest()


def read_head(path: Path) -> tuple[int, bytes] | None:
    """Returns seq and chain of the head file, or None where it is missing or torn."""
    try:
        stored = head_path(path).read_bytes()
    except FileNotFoundError:
        return None
    body, sum_ = stored[: _HEAD.size], stored[_HEAD.size :]
    if len(body) != _HEAD.size or hashlib.blake2b(body, digest_size=8).digest() != sum_:
        return None
    seq, chain = _HEAD.unpack(body)
    return seq, chain


def connect_readonly(path: Path) -> sqlite3.Connection:
    """Returns a reading connection in autocommit.

    Raises:
        JournalError: there is no such file, or it cannot be opened.
    """
    if not path.exists():
        raise JournalError(f"{path}: no journal")
    try:
        return sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro",
            uri=True,
            isolation_level=None,
            timeout=BUSY_S,
            check_same_thread=False,
        )
    except sqlite3.Error as error:
        raise JournalError(f"{path}: {error}") from None


def read_segment(connection: sqlite3.Connection, path: Path) -> Segment | None:
    """Returns what a file says of itself, or None while it is prepared but unused.

    Raises:
        JournalCorrupt: it is no journal, or of another schema version.
    """
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        mark = connection.execute("PRAGMA application_id").fetchone()[0]
        if mark != APPLICATION_ID:
            raise JournalCorrupt(str(path), 0, "empty, or not a journal")
        if version != SCHEMA_VERSION:
            what = f"schema version {version}, this build reads {SCHEMA_VERSION}"
            raise JournalCorrupt(str(path), 0, what)
        found = connection.execute("SELECT number, first_seq, base_chain FROM segment").fetchone()
    except sqlite3.Error as error:
        raise trouble(path, 0, error) from None
    if found is None:
        return None
    if not _typed(found, _SEGMENT_TYPES):
        raise JournalCorrupt(str(path), 0, "the file does not say where it begins")
    return Segment(path, found[0], found[1], found[2])


def list_segments(path: Path) -> list[Segment]:
    """Returns the segments in use, oldest first; empty where there is no journal.

    Raises:
        JournalCorrupt: a file is foreign, of another version, or one of the series is missing.
    """
    files = [path, *sorted(path.parent.glob(f"{path.stem}-[0-9]*{path.suffix}"))]
    segments: list[Segment] = []
    for file in files:
        if not file.exists():
            continue
        connection = connect_readonly(file)
        try:
            segment = read_segment(connection, file)
        finally:
            connection.close()
        if segment is not None:
            segments.append(segment)
    for number, segment in enumerate(segments):
        if segment.number != number:
            what = f"segment {number} is missing"
            raise JournalCorrupt(str(path), segment.first_seq, what)
    return segments


class JournalReader:
    """Reads a journal while an engine writes it, or after; never blocks the writer.

    Args:
        path: the journal's first file.

    Raises:
        JournalError: there is no journal.
        JournalCorrupt: it is foreign or of another schema version.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._segments = list_segments(path)
        if not self._segments:
            raise JournalError(f"{path}: no journal")
        self._connection = connect_readonly(self._segments[-1].path)
        self._open_at = len(self._segments) - 1

    @property
    def base_chain(self) -> bytes:
        """Returns the chain value before the first row."""
        return self._segments[0].base_chain

    def since(self, seq: int, limit: int = 1000) -> list[Row]:
        """Returns up to `limit` rows with a larger sequence number, oldest first.

        Raises:
            JournalCorrupt: a row cannot be read; its number is in the error.
        """
        return [decode(self._path, raw) for raw in self.raw_since(seq, limit)]

    def raw_since(self, seq: int, limit: int) -> list[RawRow]:
        """Returns up to `limit` rows after `seq` as stored, following segments."""
        rows: list[RawRow] = []
        at = self._segment_of(seq + 1)
        while len(rows) < limit:
            rows += self._fetch(at, seq, limit - len(rows))
            if rows:
                seq = rows[-1][0]
            at += 1
            if at >= len(self._segments) and not self._follow():
                break
        return rows

    def last_seq(self) -> int:
        """Returns the newest sequence number, 0 in an empty journal."""
        while self._follow():
            pass
        at = len(self._segments) - 1
        found: int | None = self._execute(at, "SELECT max(seq) FROM journal", ())[0][0]
        return self._segments[at].first_seq - 1 if found is None else found

    def last_of(self, kind: str, evidence: Evidence, before: int) -> int:
        """Returns the number of the newest row of a kind and class before another, 0 without."""
        while self._follow():
            pass
        for at in range(len(self._segments) - 1, -1, -1):
            rows = self._execute(at, _SELECT_LAST, (before, kind, evidence.value))
            if rows:
                seq: int = rows[0][0]
                return seq
        return 0

    def runs(self) -> list[RunSpan]:
        """Returns the instance's runs, oldest first."""
        query = (
            "SELECT run, min(seq), max(seq), min(wall_ns), max(wall_ns), max(kind = 'RunEnded') "
            "FROM journal GROUP BY run"
        )
        while self._follow():
            pass
        spans: dict[str, RunSpan] = {}
        for at in range(len(self._segments)):
            for found in self._execute(at, query, ()):
                run, first, last, first_ns, last_ns, ended = found
                new = RunSpan(run, first, last, first_ns, last_ns, bool(ended))
                old = spans.get(new.run)
                spans[new.run] = new if old is None else _joined(old, new)
        return sorted(spans.values(), key=lambda span: span.first_seq)

    def close(self) -> None:
        """Closes the connection; the reader is not used afterwards."""
        self._connection.close()

    def __enter__(self) -> JournalReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _segment_of(self, seq: int) -> int:
        at = len(self._segments) - 1
        while at > 0 and self._segments[at].first_seq > seq:
            at -= 1
        return at

    def _follow(self) -> bool:
        path = segment_path(self._path, len(self._segments))
        if not path.exists():
            return False
        connection = connect_readonly(path)
        try:
            segment = read_segment(connection, path)
        finally:
            connection.close()
        if segment is None:
            return False
        self._segments.append(segment)
        return True

    def _fetch(self, at: int, seq: int, limit: int) -> list[RawRow]:
        rows: list[RawRow] = self._execute(at, SELECT_SINCE, (seq, limit))
        return rows

    def _execute(self, at: int, query: str, values: tuple[int | str, ...]) -> list[Any]:
        # Each fetchall ends its read transaction: a reader must not pin the WAL.
        if at != self._open_at:
            self._connection.close()
            self._connection = connect_readonly(self._segments[at].path)
            self._open_at = at
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            seq = values[0] + 1 if values and isinstance(values[0], int) else 0
            raise trouble(self._segments[at].path, seq, error) from None


def _joined(old: RunSpan, new: RunSpan) -> RunSpan:
    return RunSpan(
        old.run,
        min(old.first_seq, new.first_seq),
        max(old.last_seq, new.last_seq),
        min(old.first_wall_ns, new.first_wall_ns),
        max(old.last_wall_ns, new.last_wall_ns),
        old.ended or new.ended,
    )


def walk(path: Path, after: int = 0, batch: int = 2000) -> Iterator[tuple[bytes, RawRow]]:
    """Yields each stored row, checked, with the chain value of the row before it, oldest first.

    Args:
        path: the journal's first file.
        after: begins behind this row, whose chain value is taken as it stands.
        batch: rows fetched at a time.

    Raises:
        JournalError: there is no journal.
        JournalCorrupt: the first row that is missing, altered or out of sequence.
    """
    with JournalReader(path) as reader:
        chain, seq = reader.base_chain, 0
        if after > 0:
            found = reader.raw_since(after - 1, 1)
            if not found or found[0][0] != after:
                raise JournalCorrupt(str(path), after, "missing")
            chain, seq = found[0][7], after
        while rows := _fetch_batch(reader, seq, batch):
            for raw in rows:
                if raw[0] != seq + 1:
                    raise JournalCorrupt(str(path), seq + 1, f"missing; the next row is {raw[0]}")
                if not _typed(raw, _ROW_TYPES):
                    raise JournalCorrupt(str(path), raw[0], "its fields are not of their kinds")
                if link_of(chain, raw) != raw[7]:
                    raise JournalCorrupt(str(path), raw[0], "its chain value does not match")
                yield chain, raw
                chain, seq = raw[7], raw[0]
    check_head(path, seq)


def check_head(path: Path, last_seq: int) -> None:
    """Compares the newest row with the head file.

    Raises:
        JournalCorrupt: rows that were once on the disk are missing.
    """
    head = read_head(path)
    if head is not None and head[0] > last_seq:
        what = f"missing, as are all rows to {head[0]}: the journal or its -wal file was cut"
        raise JournalCorrupt(str(path), last_seq + 1, what)


def _fetch_batch(reader: JournalReader, seq: int, batch: int) -> list[RawRow]:
    try:
        return reader.raw_since(seq, batch)
    except JournalCorrupt:
        if batch == 1:
            raise
    # Some page in this stretch is damaged: go row by row, so the first bad row is named.
    rows: list[RawRow] = []
    while len(rows) < batch:
        try:
            found = reader.raw_since(rows[-1][0] if rows else seq, 1)
        except JournalCorrupt:
            if rows:
                return rows
            raise
        if not found:
            break
        rows += found
    return rows

"""Readers of recorded raw frames: foreign formats and our own segments, streamed.

A reader yields frames in the order of the file, with a time that never steps back. What it cannot
read is an error with file and line, never a silent gap. Memory is bounded by one line.

Formats, told apart by their first bytes, never by their name:

  book frames   one JSON object a line, `{"recv_ms": ms, "frame": {...}}` (CronosVirus00)
  captures      one JSON object a line, `{"capturedAt": s, "payload": {...}}` (AliHakanVesca); the
                receive clock has whole seconds only, so the venue's stamps give the time
  combined      `<local ns> <frame>` a line, Binance combined streams (hftbacktest)
  segments      our recorder's: a JSON header line, then binary records
  foreign       tables, logs and samples of others, each by an adapter (`dailyarb.sim.foreign`)

Plain, gzip and zstd are all understood. A PATH is one file, a folder (its recordings play one after
another, in order of name), or several of either joined with `+` (they play side by side).
"""

from __future__ import annotations

import gzip
import io
import json
import re
import struct
import zlib
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import BinaryIO, NamedTuple

import zstandard

from dailyarb.sim import foreign
from dailyarb.sim.replay_frames import Channel, RawFrame, RecordingError

__all__ = [
    "Channel", "RawFrame", "Recording", "RecordingError", "Source", "detect", "open_path",
]  # fmt: skip
NS_PER_MS = 1_000_000
LINE_BYTES_MAX = 8 << 20
SEGMENT_MAGIC = "darec"
CHANNEL_MASK = 15  # the rest of a segment's channel byte names the connection

_BOOK_FRAME = re.compile(rb'\{\s*"recv_ms"\s*:\s*(\d{13})\s*,\s*"frame"\s*:\s*(.+)\}\s*\Z', re.S)
_CAPTURE = re.compile(
    rb'\{\s*"capturedAt"\s*:\s*(\d+)(?:\.\d+)?\s*,\s*"payload"\s*:\s*(.+)\}\s*\Z', re.S
)
_COMBINED = re.compile(rb"(\d{19}) (\{.+\})\s*\Z", re.S)
_STAMP = re.compile(rb'"timestamp"\s*:\s*"(\d{13})"')
_RECORD = struct.Struct("<qqBI")


class Source(Enum):
    """Is the format of a recording."""

    BOOK_FRAMES = "book frames"
    CAPTURE = "capture"
    COMBINED = "combined stream"
    SEGMENT = "segment"
    FOREIGN = "foreign"


class Recording(NamedTuple):
    """Is one readable file, or one window of a foreign one."""

    path: Path
    source: Source
    window: str = ""

    @property
    def slug(self) -> str:
        """Returns the market slug that the file's name starts with, or ""."""
        found = re.match(r"[a-z]+-updown-(?:5m|15m|4h)-\d{10}", self.path.name)
        return found.group(0) if found else ""

    def frames(self) -> Iterator[RawFrame]:
        """Yields every frame.

        Raises:
            RecordingError: the file is damaged, cut, or holds a line of another format.
        """
        if self.source is Source.FOREIGN:
            return foreign.of(self.path).frames(self.path, self.window)
        if self.source is Source.SEGMENT:
            return _segment_frames(self.path)
        return _line_frames(self.path, self.source)


def open_path(path: str) -> list[list[Recording]]:
    """Returns the tracks of a PATH: tracks play side by side, the files of one in turn.

    Raises:
        RecordingError: a part does not exist, cannot be read, or is of no known format.
    """
    tracks = [_open_part(Path(part)) for part in path.split("+") if part]
    if not tracks:
        raise RecordingError(Path(path or "."), "no path given")
    return tracks


def _open_part(part: Path) -> list[Recording]:
    if part.is_dir():
        found = [
            Recording(file, source)
            for file in sorted(part.iterdir())
            if file.is_file() and (source := detect(file)) is not None
        ]
        if not found:
            raise RecordingError(part, "holds no recording of a known format")
        return found
    window = ""
    if not part.exists() and "#" in part.name:
        name, _, window = part.name.partition("#")
        part = part.with_name(name)
    if not part.exists():
        raise RecordingError(part, "does not exist")
    source = detect(part)
    if source is None:
        raise RecordingError(part, "is of no known format; see dailyarb/sim/recordings.py")
    return [Recording(part, source, window)]


def detect(path: Path) -> Source | None:
    """Returns the format of a file by its content, or None when it is of no known one.

    Raises:
        RecordingError: the file cannot be opened or decompressed.
    """
    try:
        with _open(path) as stream:
            line = stream.readline(LINE_BYTES_MAX)
    except _DAMAGE as error:
        raise RecordingError(path, f"cannot be read: {error}") from error
    for source, pattern in _LINES.items():
        if pattern.match(line):
            return source
    if _segment_header(line) is not None:
        return Source.SEGMENT
    return Source.FOREIGN if foreign.find(path) is not None else None


_LINES = {
    Source.BOOK_FRAMES: _BOOK_FRAME,
    Source.CAPTURE: _CAPTURE,
    Source.COMBINED: _COMBINED,
}
_DAMAGE = (OSError, EOFError, zlib.error, zstandard.ZstdError)


def _open(path: Path) -> BinaryIO:
    """Opens a file through the decompressor that its first bytes call for."""
    raw = path.open("rb")
    magic = raw.read(4)
    raw.seek(0)
    if magic[:2] == b"\x1f\x8b":
        return io.BufferedReader(gzip.GzipFile(fileobj=raw))
    if magic == b"\x28\xb5\x2f\xfd":
        reader = zstandard.ZstdDecompressor().stream_reader(raw, closefd=True)
        return io.BufferedReader(reader)
    return raw


def _line_frames(path: Path, source: Source) -> Iterator[RawFrame]:
    pattern = _LINES[source]
    newest_ns = 0
    number = 0
    try:
        with _open(path) as stream:
            while line := stream.readline(LINE_BYTES_MAX):
                number += 1
                if line.isspace():
                    continue
                found = pattern.match(line)
                if found is None:
                    raise RecordingError(path, f"not a line of a {source.value} file", number)
                newest_ns = max(newest_ns, _line_ns(found, source, newest_ns))
                yield RawFrame(newest_ns, _line_channel(found.group(2), source), found.group(2))
    except _DAMAGE as error:
        raise RecordingError(path, f"damaged: {error}", number) from error


def _line_channel(payload: bytes, source: Source) -> Channel:
    """Returns where a line came from; combined files also hold the REST depth snapshot."""
    if source is not Source.COMBINED:
        return Channel.POLYMARKET
    return Channel.BINANCE if payload.startswith(b'{"stream"') else Channel.REST


def _line_ns(found: re.Match[bytes], source: Source, newest_ns: int) -> int:
    """Returns a line's time: the receive clock where it is fine enough, else the venue's stamp."""
    if source is Source.COMBINED:
        return int(found.group(1))
    if source is Source.BOOK_FRAMES:
        return int(found.group(1)) * NS_PER_MS
    stamp = _STAMP.search(found.group(2))
    return int(stamp.group(1)) * NS_PER_MS if stamp else newest_ns


def _segment_header(line: bytes) -> dict[int, Channel] | None:
    """Returns the channel numbers that a segment's header line declares, or None."""
    try:
        header = json.loads(line)
    except ValueError:
        return None
    if not isinstance(header, dict) or header.get("format") != SEGMENT_MAGIC:
        return None
    known = {channel.value: channel for channel in Channel}
    return {
        int(number): known[name]
        for number, name in dict(header.get("channels", {})).items()
        if name in known
    }


def _segment_frames(path: Path) -> Iterator[RawFrame]:
    newest_ns = 0
    number = 0
    try:
        with _open(path) as stream:
            channels = _segment_header(stream.readline(LINE_BYTES_MAX)) or {}
            while head := stream.read(_RECORD.size):
                number += 1
                if len(head) < _RECORD.size:
                    raise RecordingError(path, f"record {number} is cut short")
                _, wall_ns, code, size = _RECORD.unpack(head)
                payload = stream.read(size) if size <= LINE_BYTES_MAX else b""
                if len(payload) != size:
                    raise RecordingError(path, f"record {number} is cut short or too large")
                newest_ns = max(newest_ns, wall_ns)
                channel = channels.get(code & CHANNEL_MASK)
                if channel is not None:
                    yield RawFrame(newest_ns, channel, payload)
    except _DAMAGE as error:
        raise RecordingError(path, f"damaged after record {number}: {error}") from error

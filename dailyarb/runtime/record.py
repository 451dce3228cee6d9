"""The recorder: raw frames with stamps, in compressed segments, lossy by choice and counted.

The engine's thread pushes frames into a ring and never waits; the recorder's thread takes them
out, packs and compresses. A full ring, a full quota or a full disk costs frames, never the engine
(I16, F78). The oldest segments go first; the journal's space is not touched.

A segment `<start>-<n>.darec.zst` is one zstd stream: a header line of JSON, then records of
stamp_ns int64 (boot clock), wall_ns int64, channel uint8, size uint32, bytes; little endian, not
padded. The channel's low four bits name the socket, the high four the connection, counted from 1, 0
where nobody said. It is flushed once a second, so a crash costs a second; `index.jsonl` tells each
finished segment's times.
"""

from __future__ import annotations

import io
import json
import os
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

import msgspec
import zstandard

from dailyarb._fast.ring import Ring
from dailyarb.core.domain.errors import DailyarbError
from dailyarb.core.domain.settings import Recording

FORMAT = "darec"
VERSION = 1
SUFFIX = ".darec.zst"
INDEX = "index.jsonl"
FREE_BYTES_MIN = 256 << 20
FRAME_BYTES_MAX = 64 << 20
# Few at a time: the interpreter lock is given back to the engine's thread between batches.
BATCH_RECORDS = 64
IDLE_S = 0.02
FLUSH_NS = 1_000_000_000
_LEVEL = 3
_MIB = 1 << 20
_RECORD = struct.Struct("<qqBI")
_BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Channel(Enum):
    """Is the socket a frame came from; the value is its name in headers."""

    POLYMARKET = "PM"
    BINANCE = "BN"
    SETTLEMENT = "ST"
    USER = "USER"
    REST = "REST"
    SENT = "SENT"  # what the engine asked of the shell (`runtime.tape`)
    EVENT = "EV"  # what the engine was told


# Tags of the ring and bytes of the file; numbers are never given anew.
CHANNEL_CODES: dict[Channel, int] = {
    Channel.POLYMARKET: 1,
    Channel.BINANCE: 2,
    Channel.SETTLEMENT: 3,
    Channel.USER: 4,
    Channel.REST: 5,
    Channel.SENT: 6,
    Channel.EVENT: 7,
}
_CHANNEL_BITS = 4
CHANNEL_MASK = (1 << _CHANNEL_BITS) - 1
_BY_NAME = {channel.value: channel for channel in Channel}


class RecordingError(DailyarbError):
    """A recording cannot be written or read."""


class RecordedFrame(NamedTuple):
    """Is one recorded frame; channel is None where the file names one we do not know.

    source is the connection it came by, -1 where nobody said.
    """

    stamp_ns: int
    wall_ns: int
    channel: Channel | None
    payload: bytes
    source: int = -1


class SegmentInfo(msgspec.Struct, frozen=True):
    """Is one line of the index."""

    file: str
    start_ns: int
    end_ns: int
    records: int
    size: int


def tag(channel: Channel, source: int = -1) -> int:
    """Returns the ring's tag of a channel's frame that came by a connection, 0 to 14."""
    return CHANNEL_CODES[channel] | (source + 1) << _CHANNEL_BITS


class SegmentWriter:
    """Writes one segment file, mode 0600.

    Raises:
        OSError: the file cannot be made or written.
    """

    def __init__(self, path: Path, run: str) -> None:
        self.path = path
        self.records = 0
        self.start_ns = 0
        self.end_ns = 0
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        self._file = os.fdopen(handle, "wb", buffering=0)
        self._stream = zstandard.ZstdCompressor(level=_LEVEL).stream_writer(self._file)
        channels = {str(code): channel.value for channel, code in CHANNEL_CODES.items()}
        header = {"format": FORMAT, "version": VERSION, "run": run, "channels": channels}
        self._stream.write(json.dumps(header).encode() + b"\n")

    @property
    def size(self) -> int:
        """Returns the compressed bytes written so far."""
        return self._file.tell()

    def write(self, records: list[tuple[int, int, bytes]], wall_minus_boot_ns: int) -> None:
        """Writes records of (stamp_ns, channel code, payload)."""
        parts: list[bytes] = []
        for stamp_ns, code, payload in records:
            wall_ns = stamp_ns + wall_minus_boot_ns
            parts += (_RECORD.pack(stamp_ns, wall_ns, code & 0xFF, len(payload)), payload)
        self._stream.write(b"".join(parts))
        self.records += len(records)
        self.start_ns = self.start_ns or records[0][0] + wall_minus_boot_ns
        self.end_ns = records[-1][0] + wall_minus_boot_ns

    def flush(self) -> None:
        """Hands everything written so far to the kernel, readable after a crash."""
        self._stream.flush(zstandard.FLUSH_BLOCK)

    def close(self) -> SegmentInfo:
        """Ends the stream and tells what the segment holds."""
        try:
            self._stream.flush(zstandard.FLUSH_FRAME)
            size = self.size
        finally:
            self._file.close()
        return SegmentInfo(self.path.name, self.start_ns, self.end_ns, self.records, size)


class Recorder:
    """Takes frames out of a ring and writes segments, on a thread of its own.

    Args:
        ring: filled by one other thread; tags are `CHANNEL_CODES`.
        folder: where segments go; private already.
        settings: quota and segment size.
        run: this run's id, told in headers.
        prepare: called once on the recorder's thread, to take it off the engine's core.
    """

    def __init__(
        self,
        ring: Ring,
        folder: Path,
        settings: Recording,
        run: str = "",
        prepare: Callable[[], None] | None = None,
    ) -> None:
        self.error = ""
        self.records = 0
        self.pruned = 0
        self._ring = ring
        self._folder = folder
        self._run = run
        self._prepare = prepare
        self._quota = settings.quota_mib * _MIB
        self._segment_max = min(settings.segment_mib * _MIB, self._quota // 4)
        self._segments = 0
        self._start_ns = 0
        self._writer: SegmentWriter | None = None
        self._flushed_ns = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._main, name="recorder", daemon=True)

    @property
    def dropped(self) -> int:
        """Returns how many frames found no room in the ring."""
        return self._ring.dropped

    @property
    def running(self) -> bool:
        """Returns whether frames are being written."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Writes what is in the ring, ends the segment and the thread."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def _main(self) -> None:
        try:
            if self._prepare is not None:
                self._prepare()
            self._prune()
            while not self._stop.is_set():
                if not self._take():
                    self._stop.wait(IDLE_S)
                self._flush()
            while self._take():
                self._flush()
        except (OSError, zstandard.ZstdError, RecordingError) as error:
            self.error = str(error)
        finally:
            self._end_segment()

    def _take(self) -> bool:
        """Writes one batch; False when the ring was empty."""
        batch = self._ring.drain_tagged(BATCH_RECORDS)
        if not batch:
            return False
        wall_minus_boot_ns = time.time_ns() - time.clock_gettime_ns(_BOOT)
        if self._writer is None:
            # Names sort by time; a wall clock that steps back must not turn their order round.
            self._start_ns = max(self._start_ns + 1, batch[0][0] + wall_minus_boot_ns)
            name = f"{self._start_ns}-{self._segments:05d}{SUFFIX}"
            self._writer = SegmentWriter(self._folder / name, self._run)
            self._segments += 1
        self._writer.write(batch, wall_minus_boot_ns)
        self.records += len(batch)
        return True

    def _flush(self) -> None:
        writer, now_ns = self._writer, time.monotonic_ns()
        if writer is None:
            return
        if writer.size >= self._segment_max:
            self._end_segment()
        elif now_ns - self._flushed_ns < FLUSH_NS:
            return
        else:
            writer.flush()
        self._flushed_ns = now_ns
        self._prune()

    def _end_segment(self) -> None:
        writer, self._writer = self._writer, None
        if writer is None:
            return
        try:
            info = writer.close()
            with open(self._folder / INDEX, "ab", opener=_private) as index:
                index.write(msgspec.json.encode(info) + b"\n")
        except (OSError, zstandard.ZstdError) as error:
            self.error = self.error or str(error)

    def _prune(self) -> None:
        """Deletes the oldest segments beyond the quota, or when the disk gets tight.

        Raises:
            RecordingError: the disk is tight and there is nothing of ours left to delete.
        """
        current = self._writer.path if self._writer is not None else None
        files = [(path, path.stat().st_size) for path in list_segments(self._folder)]
        total = sum(size for _, size in files)
        free = _free_bytes(self._folder)
        gone = 0
        for path, size in files:
            if total <= self._quota and free + gone >= FREE_BYTES_MIN:
                break
            if path != current:
                path.unlink(missing_ok=True)
                total -= size
                gone += size
                self.pruned += 1
        if gone:
            self._rewrite_index()
        if free + gone < FREE_BYTES_MIN:
            raise RecordingError(f"{self._folder}: less than {FREE_BYTES_MIN // _MIB} MiB free")

    def _rewrite_index(self) -> None:
        kept = [info for info in read_index(self._folder) if (self._folder / info.file).exists()]
        fresh = self._folder / f"{INDEX}.new"
        with open(fresh, "wb", opener=_private) as index:
            index.writelines(msgspec.json.encode(info) + b"\n" for info in kept)
        fresh.replace(self._folder / INDEX)


class RecordingReader:
    """Iterates the frames of one segment, or of all segments of a folder in order of time.

    A segment that ends in mid-stream (its writer was killed, or is still writing) gives what is
    whole; `cut` then counts it.

    Args:
        path: a segment file, a folder of them, or several files in order.

    Raises:
        RecordingError: there is nothing there.
    """

    def __init__(self, path: Path | Sequence[Path]) -> None:
        self.cut = 0
        if isinstance(path, Path):
            self._files = list_segments(path) if path.is_dir() else [path]
        else:
            self._files = list(path)
        if not self._files or not self._files[0].exists():
            raise RecordingError(f"{path}: no recording")

    def __iter__(self) -> Iterator[RecordedFrame]:
        for path in self._files:
            yield from self._read(path)

    def _read(self, path: Path) -> Iterator[RecordedFrame]:
        with open(path, "rb") as file:
            stream = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
            buffered = cast("BinaryIO", io.BufferedReader(stream, 1 << 18))
            try:
                channels = _read_header(path, buffered)
                if channels is None:
                    self.cut += 1
                    return
                while head := buffered.read(_RECORD.size):
                    if len(head) < _RECORD.size:
                        self.cut += 1
                        return
                    stamp_ns, wall_ns, code, size = _RECORD.unpack(head)
                    if size > FRAME_BYTES_MAX:
                        raise RecordingError(f"{path}: a frame of {size} bytes")
                    payload = buffered.read(size)
                    if len(payload) < size:
                        self.cut += 1
                        return
                    channel = channels.get(code & CHANNEL_MASK)
                    source = (code >> _CHANNEL_BITS) - 1
                    yield RecordedFrame(stamp_ns, wall_ns, channel, payload, source)
            except zstandard.ZstdError as error:
                raise RecordingError(f"{path}: {error}") from None


def list_segments(folder: Path) -> list[Path]:
    """Returns the segments of a folder, oldest first."""
    return sorted(folder.glob(f"*{SUFFIX}"), key=_place)


def segments_of(folder: Path, run: str) -> list[Path]:
    """Returns the segments that a run wrote, oldest first; none where it recorded nothing.

    Raises:
        RecordingError: a file is no recording of ours.
    """
    found = []
    for path in list_segments(folder):
        with open(path, "rb") as file:
            stream = zstandard.ZstdDecompressor().stream_reader(file)
            try:
                line = io.BufferedReader(stream).readline(65_536)
            except zstandard.ZstdError as error:
                raise RecordingError(f"{path}: {error}") from None
        if line.endswith(b"\n") and json.loads(line).get("run") == run:
            found.append(path)
    return found


def read_index(folder: Path) -> list[SegmentInfo]:
    """Returns what the index tells of finished segments; lines cut by a crash are left out."""
    try:
        lines = (folder / INDEX).read_bytes().splitlines()
    except FileNotFoundError:
        return []
    found = []
    for line in lines:
        try:
            found.append(msgspec.json.decode(line, type=SegmentInfo))
        except msgspec.DecodeError:
            continue
    return found


def _read_header(path: Path, stream: BinaryIO) -> dict[int, Channel] | None:
    line = stream.readline(65_536)
    if not line.endswith(b"\n"):
        return None
    try:
        header = json.loads(line)
        known = header["format"] == FORMAT and header["version"] == VERSION
        channels = {int(code): _BY_NAME.get(name) for code, name in header["channels"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RecordingError(f"{path}: not a recording of ours ({error!r})") from None
    if not known:
        raise RecordingError(f"{path}: {header['format']} version {header['version']}")
    return {code: channel for code, channel in channels.items() if channel is not None}


def _place(path: Path) -> tuple[int, str]:
    start, _, rest = path.name.partition("-")
    return (int(start) if start.isdigit() else 0, rest)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _free_bytes(folder: Path) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize

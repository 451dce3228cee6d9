"""Foreign recordings turned into ours: segments, the windows they speak of, and what they lack."""

from __future__ import annotations

import heapq
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import msgspec

from dailyarb.core.domain.errors import DailyarbError
from dailyarb.core.domain.units import to_decimal_text
from dailyarb.runtime import record
from dailyarb.runtime.recorded_markets import FILE, Entry
from dailyarb.sim.foreign.base import DOUBT_NO_BOOK, DOUBT_NO_REFERENCE
from dailyarb.sim.recordings import Channel, RawFrame, Recording, RecordingError, Source, open_path
from dailyarb.sim.replay_markets import SOURCE_FILE, ReplayMarket, doubts, read_markets
from dailyarb.sim.replay_time import Clock

SEGMENT_BYTES_MAX = 64 << 20
BATCH = 512
_UNMOVED = Clock(0, 0, 1.0)  # what is written keeps its recorded time


class Imported(msgspec.Struct, frozen=True):
    """Is what became of a source: where it is, how much, and what it could not say."""

    folder: str
    files: tuple[str, ...]
    skipped: tuple[str, ...]
    windows: int
    frames: int
    channels: dict[str, int]
    seconds: float
    doubts: tuple[str, ...]


def bring(source: Path, folder: Path, tell: Callable[[int], None]) -> Imported:
    """Writes a source as a recording of ours; a folder's files are merged by their stamps.

    Args:
        source: a file, or a folder of them.
        folder: where segments, windows and the statement of the source go; made anew.
        tell: told now and then how many frames are written.

    Raises:
        RecordingError: nothing there is of a known format, or a file is damaged.
        DailyarbError: the folder is in use, or cannot be written.
    """
    (files,) = open_path(str(source))
    if any(recording.source is Source.SEGMENT for recording in files):
        raise RecordingError(source, "is a recording of ours already")
    known = {recording.path.name for recording in files}
    beside = source.iterdir() if source.is_dir() else ()
    skipped = sorted(path.name for path in beside if path.is_file() and path.name not in known)
    try:
        folder.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        raise DailyarbError(f"{folder}: is there already") from None
    except OSError as error:
        raise DailyarbError(f"{folder}: {error.strerror}") from None
    entries = {
        market.slug: _entry(market)
        for number, recording in enumerate(files)
        for market in read_markets(recording, number, _UNMOVED)
    }
    merged = heapq.merge(*(recording.frames() for recording in files), key=_instant)
    channels, first_ns, last_ns = _write(merged, folder, source.name, tell)
    frames = sum(channels.values())
    if not frames:
        raise RecordingError(source, "holds no frame that anything here reads")
    told = _doubts(files, channels)
    found = Imported(
        str(folder), tuple(sorted(known)), tuple(skipped), len(entries), frames,
        {channel.value: count for channel, count in channels.items()},
        (last_ns - first_ns) / 1e9, told,
    )  # fmt: skip
    (folder / FILE).write_bytes(msgspec.json.encode(list(entries.values())))
    statement = {"source": source.name, "files": found.files, "doubts": told}
    (folder / SOURCE_FILE).write_text(json.dumps(statement, indent=1))
    return found


def _doubts(files: Sequence[Recording], channels: Counter[Channel]) -> tuple[str, ...]:
    """Returns what the source cannot say, all its files together."""
    clocks = [_UNMOVED for _ in files]
    found = doubts(list(files), clocks, stand_in=False)
    return tuple(doubt for doubt in found if not _answered(doubt, channels))


def _answered(doubt: str, channels: Counter[Channel]) -> bool:
    """Says whether another file of the same source says what one does not."""
    if doubt == DOUBT_NO_REFERENCE:
        return channels[Channel.BINANCE] > 0
    return doubt == DOUBT_NO_BOOK and channels[Channel.POLYMARKET] > 0


def _write(
    frames: Iterator[RawFrame], folder: Path, run: str, tell: Callable[[int], None]
) -> tuple[Counter[Channel], int, int]:
    """Writes frames into segments and returns the counts, the first and the last instant."""
    channels: Counter[Channel] = Counter()
    writer: record.SegmentWriter | None = None
    first_ns = last_ns = number = 0
    index = folder / record.INDEX
    while batch := list(islice(frames, BATCH)):
        first_ns = first_ns or batch[0].at_ns
        last_ns = batch[-1].at_ns
        if writer is None:
            name = f"{batch[0].at_ns}-{number:05d}{record.SUFFIX}"
            writer, number = record.SegmentWriter(folder / name, run), number + 1
        writer.write([(f.at_ns, _code(f.channel), f.payload) for f in batch], 0)
        channels.update(frame.channel for frame in batch)
        tell(sum(channels.values()))
        if writer.size >= SEGMENT_BYTES_MAX:
            _end(writer, index)
            writer = None
    if writer is not None:
        _end(writer, index)
    return channels, first_ns, last_ns


def _end(writer: record.SegmentWriter, index: Path) -> None:
    with index.open("ab") as lines:
        lines.write(msgspec.json.encode(writer.close()) + b"\n")


def _code(channel: Channel) -> int:
    return record.CHANNEL_CODES[record.Channel(channel.value)]


def _instant(frame: RawFrame) -> int:
    return frame.at_ns


def _entry(market: ReplayMarket) -> Entry:
    """Returns a window in the form a replay reads, with only what its source said."""
    said = {
        "slug": market.slug,
        "conditionId": market.market_id,
        "upTokenId": market.up_token,
        "downTokenId": market.down_token,
        "tickSize": to_decimal_text(market.tick_e4, 4),
        "asset": market.asset,
        "window": market.label,
        "startTs": str(market.start_ns // 10**9),
        "strike": market.strike,
        "settlement": market.settlement,
        "winner": market.winner,
    }
    return {key: text for key, text in said.items() if text}

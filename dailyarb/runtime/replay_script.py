"""What a rehearsal plays: a recording's windows and frames, and what it leaves open."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from types import MappingProxyType
from typing import NamedTuple

from dailyarb.core.domain.market import (
    FeeSchedule,
    Grid,
    MarketSpec,
    Outcome,
    Settlement,
    SettlementKind,
    Window,
)
from dailyarb.sim.recordings import Channel, Recording, RecordingError, open_path
from dailyarb.sim.replay_markets import ReplayMarket, doubts, read_markets
from dailyarb.sim.replay_time import Play, Played

FEE_RATE_E6 = 70_000
CHUNK = 8_192  # frames in memory at a time
SURVEYED = 20_000  # frames of a file that are looked at for what it holds
_MICROS = re.compile(rb'"E":\d{16}[,}]')


class Script(NamedTuple):
    """Is what a rehearsal plays: windows, frames in order of time, and what they are worth.

    winners are the outcomes that were recorded; they are told RESOLVE_NS after a window's end and
    not before. A window that is not among them is decided by where its book stood then.
    """

    begin_ns: int
    specs: list[MarketSpec]
    frames: Callable[[], Iterable[Played]]
    source: str
    meaningless: tuple[str, ...] = ()
    winners: Mapping[str, Outcome] = MappingProxyType({})
    stand_in: bool = True  # make a settling feed from Binance: the recording holds none
    micros: bool = False  # Binance's stamps are microseconds


class _Survey(NamedTuple):
    """Is what the first frames of a file show."""

    spot: bool = False
    settling: bool = False
    micros: bool = False


def read_script(path: str) -> Script:
    """Returns the script of a PATH, at its recorded time.

    Raises:
        RecordingError: a recording cannot be read or does not say what its markets are.
    """
    tracks = open_path(path)
    first = next(tracks[0][0].frames(), None)
    if first is None:
        raise RecordingError(tracks[0][0].path, "holds no frame")
    play = Play(tracks, first.at_ns)
    files = list(zip(play.recordings, play.clocks, strict=True))
    specs = [
        spec_of(market)
        for number, (recording, clock) in enumerate(files)
        for market in read_markets(recording, number, clock)
    ]
    seen = [_survey(recording) for recording in play.recordings]
    stand_in = any(found.spot for found in seen) and not any(found.settling for found in seen)
    return Script(
        first.at_ns,
        specs,
        play.frames,
        " + ".join(recording.path.name for recording in play.recordings),
        tuple(doubts(play.recordings, play.clocks, stand_in)),
        stand_in=stand_in,
        micros=any(found.micros for found in seen),
    )


def _survey(recording: Recording) -> _Survey:
    head = [frame for frame in islice(recording.frames(), SURVEYED)
            if frame.channel is not Channel.POLYMARKET]  # fmt: skip
    spot = [frame.payload for frame in head if frame.channel is Channel.BINANCE]
    return _Survey(
        bool(spot),
        any(frame.channel is Channel.SETTLEMENT for frame in head),
        any(_MICROS.search(payload) for payload in spot),
    )


def spec_of(market: ReplayMarket) -> MarketSpec:
    """Returns a recorded window as the engine knows windows; nothing is refused about it."""
    return MarketSpec(
        market_id=market.market_id,
        slug=market.slug,
        asset=market.asset,
        window=Window(market.label),
        start_ns=market.start_ns,
        end_ns=market.end_ns,
        up_token=market.up_token,
        down_token=market.down_token,
        grid=Grid(tick_e4=market.tick_e4),
        fees=FeeSchedule(rate_e6=FEE_RATE_E6),
        settlement=Settlement(SettlementKind.TWAP, 60),
    )


def whole_slices(frames: Iterable[Played], slice_ns: int) -> Iterator[list[Played]]:
    """Gives frames in lists of bounded size, each of which ends where a slice ends."""
    source = iter(frames)
    rest: list[Played] = []
    while chunk := [*rest, *islice(source, CHUNK)]:
        rest = []
        for frame in source:
            if frame.at_ns // slice_ns != chunk[-1].at_ns // slice_ns:
                rest = [frame]
                break
            chunk.append(frame)
        yield chunk

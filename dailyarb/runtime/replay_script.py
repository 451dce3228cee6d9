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
from dailyarb.runtime.replay_rules import LOOKBACK_S, rules_at
from dailyarb.sim.recordings import Channel, Recording, RecordingError, open_path
from dailyarb.sim.replay_markets import ReplayMarket, doubts, read_markets
from dailyarb.sim.replay_time import Play, Played

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
    return script_of_tracks(open_path(path))


def script_of_tracks(tracks: list[list[Recording]]) -> Script:
    """Returns the script of tracks that play side by side, at their recorded time.

    Raises:
        RecordingError: a recording cannot be read or does not say what its markets are.
    """
    first = next(tracks[0][0].frames(), None)
    if first is None:
        raise RecordingError(tracks[0][0].path, "holds no frame")
    play = Play(tracks, first.at_ns)
    files = list(zip(play.recordings, play.clocks, strict=True))
    markets = [
        market
        for number, (recording, clock) in enumerate(files)
        for market in read_markets(recording, number, clock)
    ]
    specs = [spec_of(market) for market in markets]
    seen = [_survey(recording) for recording in play.recordings]
    needed = any(spec.settlement.kind is not SettlementKind.BINANCE_CANDLE for spec in specs)
    spot, settling = (any(getattr(found, name) for found in seen) for name in ("spot", "settling"))
    stand_in = spot and needed and not settling
    return Script(
        first.at_ns,
        specs,
        play.frames,
        " + ".join(recording.path.name for recording in play.recordings),
        tuple(doubts(play.recordings, play.clocks, stand_in)),
        {market.market_id: Outcome(market.winner) for market in markets if market.winner},
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
    """Returns a recorded window as the engine knows windows; nothing is refused about it.

    What the recording does not say of its rules is what the venue's were at its time.
    """
    rules = rules_at(market.start_ns)
    settlement = rules.settlement
    if market.settlement:
        kind = SettlementKind(market.settlement)
        settlement = Settlement(kind, LOOKBACK_S if kind is SettlementKind.TWAP else 0)
    rate_e6, hold_ms = market.fee_rate_e6, market.hold_ms
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
        fees=FeeSchedule(rate_e6=rules.rate_e6 if rate_e6 is None else rate_e6),
        settlement=settlement,
        taker_hold_ms=rules.hold_ms if hold_ms is None else hold_ms,
        strike_digits=market.strike,
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

"""Worlds of a backtest: what of a PATH is played on its own.

A window is a world: recordings of different windows never share a book, a budget or a cool-down, so
they can be played in any order and on any core, and be drawn again one by one. A recording of our
own holds many windows that did share them, and is one world.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from dailyarb.core.domain.records import Record
from dailyarb.core.domain.settings import Settings
from dailyarb.runtime.replay import Outcomes, Outlay, Rehearsal
from dailyarb.runtime.replay_rules import TODAY, charged
from dailyarb.runtime.replay_script import Script, read_script, script_of_tracks
from dailyarb.sim import foreign
from dailyarb.sim.fills_types import FillSettings, LatencyLaw, QueueMode
from dailyarb.sim.foreign.base import (
    DOUBT_NO_PRINTS,
    DOUBT_NO_REFERENCE,
    DOUBT_TOKEN,
    DOUBT_TOUCH,
)
from dailyarb.sim.recordings import Recording, RecordingError, Source, open_path
from dailyarb.sim.replay_markets import DOUBT_DAYS

# Strategies that need no reference: what is unknown about it does not touch them.
BOOK_ONLY = frozenset({"S2"})
_SPOILS_REFERENCE = frozenset({DOUBT_TOKEN, DOUBT_DAYS, DOUBT_NO_REFERENCE})
_SPOILS_RESTING = frozenset({DOUBT_TOUCH})
_JITTER_SHARE = 0.25
# Behind the queue, a price that runs through us must stay. Chosen so that two resting bids cost on
# the depth recordings what somebody's own did elsewhere (FINDINGS.md, 9): fitted, not tested.
THROUGH_MS = 2_000


class World(msgspec.Struct, frozen=True):
    """Is one world: a PATH in the words of `recordings.open_path`."""

    path: str

    @property
    def name(self) -> str:
        """Returns what a person calls it."""
        return " + ".join(Path(part).name for part in self.path.split("+"))


def worlds_of(path: str) -> list[World]:
    """Returns the worlds of a PATH, in order of name.

    A folder of foreign files is one world a file, or a window of it, with whatever is joined to it
    by `+` beside each.

    Raises:
        RecordingError: a part does not exist, or is of no known format.
    """
    parts = [part for part in path.split("+") if part]
    tracks = open_path(path)
    if any(recording.source is Source.SEGMENT for track in tracks for recording in track):
        return [World(path)]
    longest = max(tracks, key=len)
    others = [part for part, track in zip(parts, tracks, strict=True) if track is not longest]
    return [
        World("+".join([name, *others])) for recording in longest for name in _windows(recording)
    ]


def _windows(recording: Recording) -> list[str]:
    file = str(recording.path)
    if recording.source is not Source.FOREIGN:
        return [file]
    named = (
        [recording.window]
        if recording.window
        else foreign.of(recording.path).windows(recording.path)
    )
    return [f"{file}#{window}" if window else file for window in named]


def script_of(world: World, *, today: bool = False) -> Script:
    """Returns a world's script under the venue's rules of its own date, or today's.

    Raises:
        RecordingError: a recording cannot be read.
    """
    script = read_script(world.path)
    if not script.specs:
        raise RecordingError(Path(world.path.split("+")[0]), "names no window to trade in")
    specs = [charged(spec, TODAY) for spec in script.specs] if today else script.specs
    doubts = script.meaningless
    if DOUBT_TOKEN in doubts and DOUBT_NO_PRINTS not in doubts:
        doubts = (*doubts, DOUBT_NO_PRINTS)
    return script._replace(specs=specs, meaningless=doubts)


def script_of_run(segments: Sequence[Path]) -> Script:
    """Returns the script of one run's own segments, in order.

    Raises:
        RecordingError: one of them cannot be read.
    """
    return script_of_tracks([[Recording(path, Source.SEGMENT) for path in segments]])


class Variant(msgspec.Struct, frozen=True):
    """Is what one play assumes about the way to the venue and the queue there.

    latency_ms is one way, plus an exponential quarter of it; with measured_ms, quantiles of a
    journal's own, these are the latency and latency_ms is their median. adverse: we stand behind
    all that is shown, and only prints and a trade-through that stays fill us; else in front of it,
    and all that leaves fills us first. The truth lies between the two. rivals: the share others
    have first.
    """

    latency_ms: float = 20.0
    adverse: bool = True
    seed: int = 1
    today: bool = False
    strategies: tuple[str, ...] = ()
    rivals: float = 0.0
    measured_ms: tuple[float, ...] = ()

    @property
    def queue(self) -> str:
        """Returns the queue's word."""
        return "adverse" if self.adverse else "optimistic"

    @property
    def latency(self) -> str:
        """Returns the latency as a person writes it."""
        return f"{self.latency_ms:g} ms{' measured' if self.measured_ms else ''}"

    @property
    def label(self) -> str:
        """Returns all that was assumed."""
        return f"{self.latency} {self.queue}, rivals {self.rivals:.0%}"


class Performed(msgspec.Struct, frozen=True):
    """Is what one world came to: the engine's records with their wall times, and the counts."""

    name: str
    rows: list[tuple[int, Record]]
    outcomes: Outcomes

    @property
    def gates(self) -> dict[str, int]:
        """Returns how often each gate stopped an evaluation."""
        found = self.outcomes.summary.get("gates")
        return dict(found) if isinstance(found, dict) else {}


def perform(
    world: World,
    settings: Settings,
    variant: Variant,
    tell: Callable[[float], None] | None = None,
) -> Performed:
    """Plays one world from its first frame to the last payout.

    Args:
        world: what is played.
        settings: limits and parameters.
        variant: what is assumed.
        tell: told now and then which share of the time is played.

    Raises:
        RecordingError: a recording cannot be read.
    """
    return rehearse(world.name, script_of(world, today=variant.today), settings, variant, tell)


def fills_of(variant: Variant, hold_ms: int) -> FillSettings:
    """Returns the fill model of a variant's assumptions; hold_ms is the venue's."""
    base_ms = variant.latency_ms
    law = LatencyLaw(base_ms, base_ms * _JITTER_SHARE, base_ms * 5.0, variant.measured_ms)
    if variant.adverse:
        return FillSettings(law, hold_ms, through_ms=THROUGH_MS, rivals=variant.rivals)
    return FillSettings(law, hold_ms, QueueMode.FRONT, rivals=variant.rivals)


def rehearse(
    name: str,
    script: Script,
    settings: Settings,
    variant: Variant,
    tell: Callable[[float], None] | None = None,
) -> Performed:
    """Plays one script under a variant's assumptions.

    Raises:
        RecordingError: a recording cannot be read.
    """
    fills = fills_of(variant, script.specs[0].taker_hold_ms)
    outlay = Outlay(seed=variant.seed, fills=fills, strategies=variant.strategies)
    rows: list[tuple[int, Record]] = []
    rehearsal = Rehearsal(
        settings, script, outlay, lambda record, wall_ns: rows.append((wall_ns, record))
    )
    return Performed(name, rows, rehearsal.run(tell))


def spoilt(strategy: str, doubts: tuple[str, ...]) -> str:
    """Returns why what a strategy did on a recording means nothing, or ""."""
    spoils = _SPOILS_RESTING if strategy in BOOK_ONLY else _SPOILS_REFERENCE
    return "; ".join(doubt for doubt in doubts if doubt in spoils)

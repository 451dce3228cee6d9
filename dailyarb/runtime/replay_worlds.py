"""Worlds of a backtest: what of a PATH is played on its own.

A window is a world: recordings of different windows never share a book, a budget or a cool-down, so
they can be played in any order and on any core, and be drawn again one by one. A recording of our
own holds many windows that did share them, and is one world.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from dailyarb.runtime.replay import Script, read_script
from dailyarb.runtime.replay_rules import TODAY, charged, rules_at
from dailyarb.runtime.replay_tables import DOUBT_NO_PRINTS, table_script, table_windows
from dailyarb.sim.recordings import RecordingError, Source, open_path
from dailyarb.sim.replay_markets import DOUBT_TOKEN


class World(msgspec.Struct, frozen=True):
    """Is one world: a PATH in the words of `recordings.open_path`, or one window of a table."""

    path: str
    slug: str = ""

    @property
    def name(self) -> str:
        """Returns what a person calls it."""
        names = " + ".join(Path(part).name for part in self.path.split("+"))
        return f"{names} {self.slug}".rstrip()


def worlds_of(path: str) -> list[World]:
    """Returns the worlds of a PATH, in order of name.

    A folder of foreign files is one world a file, with whatever is joined to it by `+` beside each.

    Raises:
        RecordingError: a part does not exist, or is of no known format.
    """
    parts = [part for part in path.split("+") if part]
    if len(parts) == 1:
        tables = _tables(Path(parts[0]))
        if tables:
            return tables
    tracks = open_path(path)
    if any(recording.source is Source.SEGMENT for track in tracks for recording in track):
        return [World(path)]
    longest = max(tracks, key=len)
    others = [part for part, track in zip(parts, tracks, strict=True) if track is not longest]
    return [World("+".join([str(recording.path), *others])) for recording in longest]


def _tables(part: Path) -> list[World]:
    files = sorted(part.glob("*.parquet")) if part.is_dir() else [part]
    found: list[World] = []
    for file in files:
        slugs = table_windows(file) if file.is_file() else None
        found += [World(str(file), slug) for slug in slugs or []]
    return found


def script_of(world: World, *, today: bool = False) -> Script:
    """Returns a world's script under the venue's rules of its own date, or today's.

    Raises:
        RecordingError: a recording cannot be read.
    """
    script = table_script(Path(world.path), world.slug) if world.slug else read_script(world.path)
    if not script.specs:
        raise RecordingError(Path(world.path.split("+")[0]), "names no window to trade in")
    rules = TODAY if today else rules_at(script.begin_ns)
    specs = [charged(spec, rules) for spec in script.specs]
    doubts = script.meaningless
    if DOUBT_TOKEN in doubts and DOUBT_NO_PRINTS not in doubts:
        doubts = (*doubts, DOUBT_NO_PRINTS)
    return script._replace(specs=specs, meaningless=doubts)

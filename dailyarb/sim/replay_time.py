"""When a recorded frame is played, and what its stamps then say.

Choice. A recording is months old, but an engine judges age by its own clocks and the venue's stamps
against them. So recorded time is carried to the present: the first frame of each track happens at
the start of the play, every later one `1 / speed` of its recorded distance after it, and the stamps
inside the frames move by the same rule. Slugs, ids, prices and sizes stay as recorded.

Recorders' clocks were off by up to 1.3 s against the venue's, so a file's stamps are moved as a
whole until the quickest of its first frames took `QUICKEST_MS` from the venue: lags keep their
spread, and no frame comes from the future by more than that spread.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from dailyarb.sim.recordings import Channel, RawFrame, Recording, RecordingError, Source
from dailyarb.sim.types import NS_PER_MS, NS_PER_S

QUICKEST_MS = 5
_LOOK_AHEAD = 400
_GAP_NS = NS_PER_S  # between two files of one track that were not recorded together

# Venue stamps: Polymarket's are 13-digit text, Binance's E and T are 13-digit numbers.
_STAMPS = {
    Channel.POLYMARKET: re.compile(rb'(?<="timestamp":")(\d{13})(?=")'),
    Channel.BINANCE: re.compile(rb'(?<="[ET]":)(\d{13})(?=[,}])'),
}


class Clock(NamedTuple):
    """Carries one file's recorded time to the play: begin_ns is the play's, first_ns the file's."""

    first_ns: int
    begin_ns: int
    speed: float
    skew_ns: int = 0

    def play_ns(self, recorded_ns: int) -> int:
        """Returns when something of a recorded instant happens in the play."""
        distance_ns = recorded_ns - self.first_ns
        if self.speed == 1.0:
            return self.begin_ns + distance_ns
        return self.begin_ns + int(distance_ns / self.speed)

    def stamp_ms(self, recorded_ms: int) -> int:
        """Returns a venue's stamp in the play."""
        return self.play_ns(recorded_ms * NS_PER_MS + self.skew_ns) // NS_PER_MS

    def restamp(self, channel: Channel, payload: bytes) -> bytes:
        """Returns a frame with its venue stamps carried over; everything else byte for byte."""
        pattern = _STAMPS.get(channel)
        if pattern is None:
            return payload
        return pattern.sub(lambda found: b"%013d" % self.stamp_ms(int(found.group())), payload)


class Played(NamedTuple):
    """Is one frame of the play, already restamped."""

    at_ns: int
    channel: Channel
    payload: bytes
    file: int  # index of the recording within `Play.recordings`


class Play:
    """Merges tracks into one stream of frames in order of time; no file is ever held whole.

    The files of one track follow each other; where each begins is found at construction, so only
    folders of several foreign files are read twice.

    Args:
        tracks: as from `recordings.open_path`.
        begin_ns: wall instant of the first frame of each track.
        speed: recorded seconds per played second.

    Raises:
        ValueError: speed is not positive.
        RecordingError: a file is empty or cannot be read, also while iterating.
    """

    def __init__(self, tracks: list[list[Recording]], begin_ns: int, speed: float = 1.0) -> None:
        if not speed > 0.0:
            raise ValueError(f"speed is {speed}, must be positive")
        self.recordings = [recording for track in tracks for recording in track]
        self.clocks: list[Clock] = []
        self.begin_ns = begin_ns
        self.speed = speed
        self._tracks = tracks
        for track in tracks:
            self._plan(track)

    def frames(self) -> Iterator[Played]:
        """Yields every frame in order of `at_ns`; equal instants in the order of the tracks."""
        numbers = iter(range(len(self.recordings)))
        streams = [
            self._track([(next(numbers), recording) for recording in track])
            for track in self._tracks
        ]
        return heapq.merge(*streams, key=_instant)

    def _plan(self, track: list[Recording]) -> None:
        """Sets the clock of each file of a track."""
        begin_ns = self.begin_ns
        for number, recording in enumerate(track):
            ahead = list(islice(recording.frames(), _LOOK_AHEAD))
            if not ahead:
                raise RecordingError(recording.path, "holds no frame")
            together = number > 0 and recording.source is Source.SEGMENT
            if together and track[number - 1].source is Source.SEGMENT:
                self.clocks.append(self.clocks[-1])
            else:
                self.clocks.append(Clock(ahead[0].at_ns, begin_ns, self.speed, skew_ns(ahead)))
            if number + 1 < len(track) and recording.source is not Source.SEGMENT:
                last_ns = max(frame.at_ns for frame in recording.frames())
                begin_ns = self.clocks[-1].play_ns(last_ns) + int(_GAP_NS / self.speed)

    def _track(self, files: list[tuple[int, Recording]]) -> Iterator[Played]:
        newest_ns = self.begin_ns
        for number, recording in files:
            clock = self.clocks[number]
            for frame in recording.frames():
                newest_ns = max(newest_ns, clock.play_ns(frame.at_ns))
                payload = clock.restamp(frame.channel, frame.payload)
                yield Played(newest_ns, frame.channel, payload, number)


def skew_ns(frames: list[RawFrame]) -> int:
    """Returns what to add to venue stamps so that the quickest frame took QUICKEST_MS."""
    lags = [
        frame.at_ns - int(found.group()) * NS_PER_MS
        for frame in frames
        if (pattern := _STAMPS.get(frame.channel)) and (found := pattern.search(frame.payload))
    ]
    return min(lags) - QUICKEST_MS * NS_PER_MS if lags else 0


def _instant(played: Played) -> int:
    return played.at_ns

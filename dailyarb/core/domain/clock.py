"""Time is injected: the engine is told, never asks."""

from __future__ import annotations

from typing import Protocol

import msgspec


class Instant(msgspec.Struct, frozen=True, gc=False):
    """Is one moment on both clocks.

    mono_ns: boot clock, for ages and timeouts: never steps back, counts suspend.
    wall_ns: venue time (wall clock plus measured offset), for expiries and stamps: may jump.
    """

    mono_ns: int
    wall_ns: int


class Clock(Protocol):
    """Gives the present moment."""

    def now(self) -> Instant:
        """Returns the present moment on both clocks."""
        ...


class ManualClock:
    """Is a clock that moves only when told: tests, replay, simulation."""

    def __init__(self, mono_ns: int = 0, wall_ns: int = 0) -> None:
        self._now = Instant(mono_ns, wall_ns)

    def now(self) -> Instant:
        """Returns the moment last set."""
        return self._now

    def set(self, now: Instant) -> None:
        """Sets both clocks."""
        self._now = now

    def advance(self, ns: int) -> Instant:
        """Moves both clocks forward by `ns` and returns the new moment."""
        self._now = Instant(self._now.mono_ns + ns, self._now.wall_ns + ns)
        return self._now

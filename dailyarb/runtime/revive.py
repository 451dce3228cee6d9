"""Starts an engine that died anew: when asked, a bounded number of times, ever more slowly.

It only starts the same command again. What the new engine may do follows from its journal: the
operator's rung and latched breakers persist, and live trading comes back disarmed.
"""

from __future__ import annotations

import subprocess
from collections import deque
from enum import Enum

from dailyarb.runtime.charge import Restarts
from dailyarb.runtime.launch import LaunchError, start_detached
from dailyarb.runtime.paths import Places

HOUR_NS = 3_600_000_000_000
PAUSE_MAX_S = 600.0
_SECOND_NS = 1_000_000_000


class Outcome(Enum):
    """Is what one step came to."""

    NOTHING = "nothing"
    STARTED = "started"
    FAILED = "failed"  # the program could not even be started
    GIVEN_UP = "given up"


class Reviver:
    """Counts the deaths of one instance's engine and starts it again.

    Args:
        places: of the instance.
        how: the command, and how often.
        cores: those an engine may choose from.
    """

    def __init__(self, places: Places, how: Restarts, cores: frozenset[int] = frozenset()) -> None:
        self.started = 0
        self._places = places
        self._how = how
        self._cores = cores
        self._starts_ns: deque[int] = deque()
        self._gone_ns: int | None = None
        self._given_up = False
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def attempt(self) -> str:
        """Returns which of the hour's restarts the last one was, as `2 of 3`."""
        return f"{len(self._starts_ns)} of {self._how.most}"

    @property
    def waits(self) -> bool:
        """Says whether a restart is still to come, or under way."""
        if self._process is not None and self._process.poll() is None:
            return True
        return self._gone_ns is not None and not self._given_up

    def alive(self) -> None:
        """Notes that the engine lives."""
        self._gone_ns = None
        self._given_up = False

    def step(self, now_ns: int) -> Outcome:
        """Is called while the engine is gone; starts it when its pause is over."""
        if not self._how.argv:
            return Outcome.NOTHING
        if self._process is not None and self._process.poll() is None:
            return Outcome.NOTHING  # it is starting: it has not taken its lock yet
        if self._process is not None or self._gone_ns is None:
            self._process, self._gone_ns = None, now_ns
        while self._starts_ns and now_ns - self._starts_ns[0] >= HOUR_NS:
            self._starts_ns.popleft()
        if len(self._starts_ns) >= self._how.most:
            was, self._given_up = self._given_up, True
            return Outcome.NOTHING if was else Outcome.GIVEN_UP
        if now_ns - self._gone_ns < self._pause_s() * _SECOND_NS:
            return Outcome.NOTHING
        self._starts_ns.append(now_ns)
        return self._start()

    def _pause_s(self) -> float:
        return min(PAUSE_MAX_S, self._how.after_s * 2.0 ** len(self._starts_ns))

    def _start(self) -> Outcome:
        try:
            self._process = start_detached(
                self._how.argv, self._places.engine_output, self._cores or None
            )
        except LaunchError:
            self._gone_ns = None
            return Outcome.FAILED
        self.started += 1
        return Outcome.STARTED

"""When the engine writes down what it knows: often enough, and in a quiet moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from dailyarb.core.domain.events import CheckpointDue
from dailyarb.runtime.clock import boot_ns


class Pages(Protocol):
    """Is what is asked of the journal."""

    @property
    def last_seq(self) -> int:
        """Returns the sequence number of the newest row."""
        ...


class Checkpoints:
    """Asks the engine for a checkpoint when one is due, something was written, and nobody waits.

    A moment is quiet when no fact came since the last step. Where none ever is, the checkpoint
    is written all the same once it is overdue by its own interval.

    Args:
        every_s: seconds between two checkpoints.
        journal: tells whether anything was written since.
        feed: takes the request.
        clock: gives boot time in ns.
    """

    def __init__(
        self,
        every_s: float,
        journal: Pages,
        feed: Callable[[CheckpointDue], None],
        clock: Callable[[], int] = boot_ns,
    ) -> None:
        self._every_ns = round(every_s * 1e9)
        self._journal = journal
        self._feed = feed
        self._clock = clock
        self._last_ns = clock()
        self._last_seq = journal.last_seq
        self._facts = 0

    def step(self, facts: int) -> None:
        """Looks whether it is time; `facts` is how many the engine has taken so far."""
        now_ns = self._clock()
        quiet, self._facts = facts == self._facts, facts
        waited_ns = now_ns - self._last_ns
        if waited_ns < self._every_ns or self._journal.last_seq == self._last_seq:
            return
        if quiet or waited_ns >= 2 * self._every_ns:
            self._last_ns = now_ns
            self._feed(CheckpointDue())
            self._last_seq = self._journal.last_seq

"""One life of the engine's process: the live shell's rules without its sockets.

Records wait for the next command that leaves the process, so nothing reaches the wire before what
it rests on is in the journal; an answer given inside the run waits its turn (`runtime/live.py`).
A kill falls between any two commands: what was flushed and what was sent stay, the rest is gone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

from dailyarb.core.domain import commands as cmd
from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.events import Event, Signed, Tick
from dailyarb.core.domain.records import Record
from dailyarb.core.engine.engine import Engine
from dailyarb.sim.world_setup import sign

INBOX_MAX = 256


class KilledError(Exception):
    """The process was killed here."""


class Outside(Protocol):
    """Is everything beyond the process that its commands reach."""

    def wire(self, command: cmd.Command) -> None:
        """Takes a command that leaves the process."""

    def told(self, record: Record) -> None:
        """Hears a record the engine wrote, flushed or not."""

    def kept(self, records: list[Record]) -> None:
        """Takes records into the journal, durably."""

    def ended(self, command: cmd.Exit) -> None:
        """Hears that the process left by itself."""


class Process:
    """Feeds an engine and runs its commands.

    Args:
        engine: the engine of this life.
        clock: the present moment on the process's clocks.
        outside: takes what leaves.
        flush_first: False plants the defect of sending before journalling.
        sign: signs a draft.
    """

    def __init__(
        self,
        engine: Engine,
        clock: Callable[[], Instant],
        outside: Outside,
        flush_first: bool = True,
        sign: Callable[[cmd.OrderDraft], Signed] = sign,
    ) -> None:
        self.engine = engine
        self.kill_at = -1  # commands left to run; negative: no kill is planned
        self.dead = False
        self.commands = 0
        self._clock = clock
        self._outside = outside
        self._flush_first = flush_first
        self._sign = sign
        self._due: int | None = None
        self._idle = False  # nothing was handled since the deadline was asked for
        self._inbox: deque[Event] = deque()
        self._pending: list[Record] = []

    def start(self) -> None:
        """Runs the first commands of this life."""
        self._guarded(self.engine.start(self._clock()))

    def feed(self, event: Event) -> None:
        """Takes one fact; a dead process is deaf."""
        if self.dead:
            return
        self._inbox.append(event)
        self._guarded(())

    def tick(self) -> None:
        """Tells the engine that its deadline has come."""
        self.feed(Tick())

    def due(self) -> int | None:
        """Returns when the engine wants its next tick."""
        if not self._idle:
            self._due, self._idle = self.engine.next_deadline(), True
        return self._due

    def _guarded(self, first: tuple[cmd.Command, ...] | list[cmd.Command]) -> None:
        self._idle = False
        try:
            self._run(first)
            while self._inbox and not self.dead:
                if len(self._inbox) > INBOX_MAX:
                    raise AssertionError("I13: the inbox grows")
                self._run(self.engine.on_event(self._inbox[0], self._clock()))
                self._inbox.popleft()
            self._flush()
        except KilledError:
            self.dead = True
            self._pending.clear()

    def _run(self, commands: tuple[cmd.Command, ...] | list[cmd.Command]) -> None:
        for command in commands:
            if self.kill_at == 0:
                raise KilledError
            self.kill_at -= self.kill_at > 0
            self.commands += 1
            self._do(command)

    def _do(self, command: cmd.Command) -> None:
        if isinstance(command, cmd.Journal):
            self._pending.append(command.record)
            self._outside.told(command.record)
        elif isinstance(command, cmd.Sign):
            self._inbox.append(self._sign(command.draft))
        elif isinstance(command, cmd.Exit):
            self._flush()
            self.dead = True
            self._outside.ended(command)
        elif not isinstance(command, cmd.Note | cmd.Alert | cmd.Claim):
            if self._flush_first:
                self._flush()
            self._outside.wire(command)

    def _flush(self) -> None:
        if self._pending:
            records, self._pending = self._pending, []
            self._outside.kept(records)

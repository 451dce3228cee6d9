"""What waits for one alert channel, and what leaves when: no thread, no clock, no socket.

Critical alerts leave at once and take along whatever may be said at that hour. All others are
gathered, so that a bad minute is one message, and keep silent in quiet hours. A channel gets no
more than so many messages a minute, of which only critical ones may use the second half; what is
beyond that waits and is gathered. Everything that waits is bounded: the least severe, oldest alert
gives way first and is counted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import msgspec

from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.ids import Severity

WAITING_MAX = 256
LINES_MAX = 40  # of one message
ORDER = {Severity.INFO: 0, Severity.WARNING: 1, Severity.CRITICAL: 2}
_SECOND_NS = 1_000_000_000
_MINUTE_NS = 60 * _SECOND_NS
_DAY_MINUTES = 24 * 60


class Note(msgspec.Struct, frozen=True):
    """Is one alert on its way; `number` is its own among all of this keeper."""

    number: int
    severity: Severity
    key: str
    text: str
    at_ns: int  # boot clock


class QuietHours(msgspec.Struct, frozen=True):
    """Is the part of each UTC day in which only critical alerts speak, in minutes of the day."""

    start: int
    end: int

    @classmethod
    def of(cls, text: str) -> QuietHours | None:
        """Returns the hours of a setting like `22:00-06:30`, None for ""."""
        if not text:
            return None
        start, end = (int(clock[:2]) * 60 + int(clock[3:]) for clock in text.split("-"))
        return cls(start, end)

    def hold(self, wall_ns: int) -> bool:
        """Says whether this moment lies in them; they may reach over midnight."""
        minute = wall_ns // _MINUTE_NS % _DAY_MINUTES
        if self.start <= self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end


class Pace(msgspec.Struct, frozen=True):
    """Is how much a channel may be bothered."""

    digest_s: float = 0.0
    per_minute: int = 60
    quiet: QuietHours | None = None


class Outbox:
    """Holds the alerts of one channel until `due` lets them go."""

    def __init__(self, pace: Pace) -> None:
        self.dropped = 0
        self._pace = pace
        self._waiting: list[Note] = []
        self._left_ns: deque[int] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, note: Note) -> bool:
        """Takes an alert; False where there is no room and nothing lesser to give up for it."""
        if len(self._waiting) >= WAITING_MAX and not self._make_room(note.severity):
            self.dropped += 1
            return False
        self._waiting.append(note)
        return True

    def due(self, now: Instant, closing: bool = False) -> tuple[Note, ...]:
        """Takes out what leaves now as one message, () while there is nothing to say.

        Args:
            now: the present moment; quiet hours go by its wall clock.
            closing: whether gathering ends here, because the keeper does.
        """
        urgent = any(note.severity is Severity.CRITICAL for note in self._waiting)
        if not self._waiting or not self._allowed(now.mono_ns, urgent):
            return ()
        quiet = self._pace.quiet is not None and self._pace.quiet.hold(now.wall_ns)
        ripe = now.mono_ns - self._waiting[0].at_ns >= self._pace.digest_s * _SECOND_NS
        if not urgent and (quiet or not (ripe or closing)):
            return ()
        chosen = [n for n in self._waiting if n.severity is Severity.CRITICAL]
        if not quiet:
            chosen += [n for n in self._waiting if n.severity is not Severity.CRITICAL]
        chosen = chosen[:LINES_MAX]
        taken = {note.number for note in chosen}
        self._waiting = [n for n in self._waiting if n.number not in taken]
        self._left_ns.append(now.mono_ns)
        return tuple(chosen)

    def _allowed(self, now_ns: int, urgent: bool) -> bool:
        while self._left_ns and now_ns - self._left_ns[0] >= _MINUTE_NS:
            self._left_ns.popleft()
        room = self._pace.per_minute if urgent else max(1, self._pace.per_minute // 2)
        return len(self._left_ns) < room

    def _make_room(self, severity: Severity) -> bool:
        """Gives up the oldest of the least severe, if it is less severe than the newcomer."""
        least = min(self._waiting, key=lambda note: ORDER[note.severity])
        if ORDER[least.severity] >= ORDER[severity]:
            return False
        self._waiting.remove(least)
        self.dropped += 1
        return True


def worst_of(notes: Sequence[Note]) -> Severity:
    """Returns the highest severity among alerts."""
    return max((note.severity for note in notes), key=ORDER.__getitem__)


def compose(instance: str, notes: Sequence[Note]) -> tuple[Severity, str, str]:
    """Returns severity, title and text of one message about some alerts, at least one."""
    worst = worst_of(notes)
    if len(notes) == 1:
        return worst, f"dailyarb {instance}: {worst.value}", notes[0].text
    title = f"dailyarb {instance}: {worst.value}, {len(notes)} alerts"
    return worst, title, "\n".join(f"{note.severity.value}: {note.text}" for note in notes)

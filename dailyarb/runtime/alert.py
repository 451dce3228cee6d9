"""Alerts to people: routed, deduplicated, bounded, delivered by a thread per channel (F83).

The keeper puts alerts in; each channel has an outbox and a thread of its own, so one that hangs or
refuses holds up nobody else. A critical alert is kept until some channel has taken it: while its
own ones are down it is offered to all others. What could not be delivered is counted and shown.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import msgspec

from dailyarb.core.domain.alerts import AlertTag, tags_of
from dailyarb.core.domain.clock import Clock
from dailyarb.core.domain.events import AlertState
from dailyarb.core.domain.ids import Severity
from dailyarb.runtime.outbox import ORDER, Note, Outbox, Pace, compose

KEYS_MAX = 1024
OPEN_MAX = 256
ESCALATE_NS = 30_000_000_000
HANGS_NS = 30_000_000_000
RETRY_S = (1.0, 5.0, 25.0, 60.0)
_POLL_S = 0.2
_SECOND_NS = 1_000_000_000

# Delivers (severity, title, text) and returns "", or why it did not arrive, without secrets.
Send = Callable[[Severity, str, str], str]


class Deduper:
    """Lets the first alert of a key through, and after a window the next with its count."""

    def __init__(self, window_ns: int) -> None:
        self.held = 0
        self._window_ns = window_ns
        self._seen: dict[str, tuple[int, int]] = {}

    def admit(self, key: str, now_ns: int) -> int | None:
        """Returns how many of this key were held back before this one, None to hold this too."""
        told_ns, held = self._seen.get(key, (None, 0))
        if told_ns is not None and now_ns - told_ns < self._window_ns:
            self._seen[key] = (told_ns, held + 1)
            self.held += 1
            return None
        self._seen.pop(key, None)  # the oldest key told is the first to be forgotten
        if len(self._seen) >= KEYS_MAX:
            del self._seen[next(iter(self._seen))]
        self._seen[key] = (now_ns, 0)
        return held


class Route(msgspec.Struct, frozen=True):
    """Is what one channel is to be told, from a severity up, about some subjects or all."""

    name: str
    severity: Severity = Severity.WARNING
    tags: tuple[AlertTag, ...] = ()
    pace: Pace = Pace()

    def take(self, severity: Severity, key: str) -> bool:
        """Says whether an alert is for this channel."""
        if ORDER[severity] < ORDER[self.severity]:
            return False
        return not self.tags or any(tag in self.tags for tag in tags_of(key))


class Channel:
    """Delivers what one route gets, oldest first, on a thread of its own.

    Args:
        route: what it is to be told; its name is told on screen and in metrics.
        send: delivers one message; runs on the channel's thread and may take its time.
        instance: named in titles.
        clock: when it is.
        retry_s: pauses after failures, the last one again and again.
    """

    def __init__(
        self,
        route: Route,
        send: Send,
        instance: str,
        clock: Clock,
        retry_s: Sequence[float] = RETRY_S,
    ) -> None:
        self.name = route.name
        self.route = route
        self.sent = 0
        self.failed = 0
        self.on_sent: Callable[[Sequence[Note]], None] = lambda _: None
        self._send = send
        self._instance = instance
        self._clock = clock
        self._retry_s = tuple(retry_s)
        self._outbox = Outbox(route.pace)
        self._parcel: tuple[Note, ...] = ()
        self._tries = 0
        self._not_before_ns = 0
        self._sending_ns = 0
        self._told_ns = 0
        self._detail = ""
        self._closing = False
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"alerts-{route.name}", daemon=True)
        self._thread.start()

    def put(self, note: Note) -> bool:
        """Takes an alert; False where it had to be dropped."""
        with self._changed:
            taken = self._outbox.put(note)
            self._changed.notify_all()
        return taken

    @property
    def dropped(self) -> int:
        """Returns how many alerts found no room."""
        return self._outbox.dropped

    def state(self) -> AlertState:
        """Returns how the channel is, as the engine and the console are told."""
        with self._changed:
            now_ns = self._clock.now().mono_ns
            hangs = bool(self._sending_ns) and now_ns - self._sending_ns > HANGS_NS
            ok = not self._tries and not hangs
            stuck = len(self._parcel) + (0 if ok else len(self._outbox))
            told_s = (now_ns - self._told_ns) / _SECOND_NS if self._told_ns else None
            why = f"no answer for {(now_ns - self._sending_ns) // _SECOND_NS} s" if hangs else ""
            return AlertState(
                self.name,
                ok,
                stuck + self.failed + self.dropped,
                "" if ok else why or self._detail,
                told_s,
            )

    def drain(self, timeout_s: float) -> bool:
        """Lets what is gathered leave now; False where something is still on its way then."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            empty = self._changed.wait_for(lambda: not self._outbox and not self._parcel, timeout_s)
            self._closing = False
        return empty

    def close(self, timeout_s: float = 2.0) -> None:
        """Gives waiting alerts the time to leave, then ends the thread."""
        self.drain(timeout_s)
        self._stop.set()
        with self._changed:
            self._changed.notify_all()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._stop.is_set():
            with self._changed:
                if not self._pick():
                    self._changed.wait(_POLL_S)
                    continue
                self._sending_ns = self._clock.now().mono_ns
            why = self._send(*compose(self._instance, self._parcel))
            with self._changed:
                self._sent(why)
                self._changed.notify_all()

    def _pick(self) -> bool:
        """Says whether there is a parcel to send now: one that failed before, or a new one."""
        now = self._clock.now()
        if self._parcel:
            return now.mono_ns >= self._not_before_ns
        self._parcel = self._outbox.due(now, self._closing)
        return bool(self._parcel)

    def _sent(self, why: str) -> None:
        now_ns, parcel = self._clock.now().mono_ns, self._parcel
        self._sending_ns = 0
        if not why:
            self.sent += len(parcel)
            self._parcel, self._tries, self._told_ns = (), 0, now_ns
            self.on_sent(parcel)
            return
        self._tries += 1
        self._detail = f"{why} ({self._tries} times)" if self._tries > 1 else why
        pause_s = self._retry_s[min(self._tries, len(self._retry_s)) - 1]
        self._not_before_ns = now_ns + round(pause_s * _SECOND_NS)
        if self._tries > len(self._retry_s):
            # Lesser alerts are given up; a critical one stays until it arrives.
            self._parcel = tuple(n for n in parcel if n.severity is Severity.CRITICAL)
            self.failed += len(parcel) - len(self._parcel)


class Dispatcher:
    """Sends each alert to the channels that want it; watches over the critical ones.

    Args:
        channels: all of the keeper.
        repeat_s: for how long the same alert is not told again.
        clock: when it is.
    """

    def __init__(self, channels: Sequence[Channel], repeat_s: float, clock: Clock) -> None:
        self.channels = tuple(channels)
        self.raised = dict.fromkeys(Severity, 0)
        self._clock = clock
        self._dedupe = Deduper(round(repeat_s * _SECOND_NS))
        self._open: dict[int, Note] = {}  # critical alerts that no channel has taken yet
        self._escalated: set[int] = set()
        self._next = 0
        for channel in self.channels:
            channel.on_sent = self._taken

    @property
    def held(self) -> int:
        """Returns how many alerts were held back because they had just been told."""
        return self._dedupe.held

    def put(self, severity: Severity, key: str, text: str) -> bool:
        """Takes an alert; False where it has just been told, or no channel wants it."""
        now_ns = self._clock.now().mono_ns
        held = self._dedupe.admit(f"{severity.value} {key}", now_ns)
        if held is None:
            return False
        self.raised[severity] += 1
        if held:
            text = f"{text} ({held} more of these before)"
        self._next += 1
        note = Note(self._next, severity, key, text, now_ns)
        wanted = [channel for channel in self.channels if channel.route.take(severity, key)]
        if severity is Severity.CRITICAL and self.channels:
            if len(self._open) < OPEN_MAX:
                self._open[note.number] = note
            if not any(channel.state().ok for channel in wanted):
                self._escalated.add(note.number)
                wanted = list(self.channels)
        taken = [channel.put(note) for channel in wanted]
        return any(taken)

    def step(self) -> None:
        """Offers critical alerts that nobody has taken in time to the channels left."""
        now_ns = self._clock.now().mono_ns
        for number, note in list(self._open.items()):
            if number in self._escalated or now_ns - note.at_ns < ESCALATE_NS:
                continue
            self._escalated.add(number)
            for channel in self.channels:
                if not channel.route.take(note.severity, note.key):
                    channel.put(note)

    def states(self) -> list[AlertState]:
        """Returns how each channel is, and how long a critical alert has reached nobody."""
        now_ns = self._clock.now().mono_ns
        oldest_ns = min((note.at_ns for note in list(self._open.values())), default=now_ns)
        age_s = (now_ns - oldest_ns) / _SECOND_NS
        found = [channel.state() for channel in self.channels]
        return [msgspec.structs.replace(state, critical_s=age_s) for state in found]

    def drain(self, timeout_s: float) -> bool:
        """Lets everything gathered leave now; False where some of it still waits then."""
        empty = [channel.drain(timeout_s) for channel in self.channels]
        return all(empty)

    def close(self, timeout_s: float = 2.0) -> None:
        """Gives waiting alerts the time to leave, then ends all threads."""
        for channel in self.channels:
            channel.close(timeout_s)

    def _taken(self, notes: Sequence[Note]) -> None:
        for note in notes:  # on a channel's thread: each is one step of the interpreter
            self._open.pop(note.number, None)
            self._escalated.discard(note.number)

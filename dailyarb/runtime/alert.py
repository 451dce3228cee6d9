"""Alerts to people: deduplicated, bounded, delivered on a thread of the keeper (F83).

The same key is told once per window, then as a count. A channel that hangs or refuses holds up
its own queue only; what could not be delivered is counted and shown.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

import msgspec

from dailyarb.core.domain.ids import Severity

QUEUE_MAX = 256
KEYS_MAX = 1024
WINDOW_NS = 300_000_000_000
RETRY_S = (1.0, 5.0, 25.0)

Send = Callable[[Severity, str, str], bool]


class PendingAlert(msgspec.Struct, frozen=True):
    """Is one alert on its way."""

    severity: Severity
    key: str
    text: str


class Deduper:
    """Lets the first alert of a key through, and after a window the next with its count."""

    def __init__(self, window_ns: int = WINDOW_NS) -> None:
        self._window_ns = window_ns
        self._seen: dict[str, tuple[int, int]] = {}

    def admit(self, key: str, now_ns: int) -> int | None:
        """Returns how many of this key were held back before this one, None to hold this too."""
        told_ns, held = self._seen.get(key, (None, 0))
        if told_ns is not None and now_ns - told_ns < self._window_ns:
            self._seen[key] = (told_ns, held + 1)
            return None
        self._seen.pop(key, None)  # the oldest key told is the first to be forgotten
        if len(self._seen) >= KEYS_MAX:
            del self._seen[next(iter(self._seen))]
        self._seen[key] = (now_ns, 0)
        return held


class AlertSender:
    """Delivers alerts of WARNING and CRITICAL, oldest first.

    Args:
        send: delivers one (severity, title, text) and says whether it arrived; runs on the
            sender's thread and may take its time.
        instance: named in titles.
        lowest: what is below is not sent.
        retry_s: pauses between attempts; one more attempt than pauses.
    """

    def __init__(
        self,
        send: Send,
        instance: str,
        lowest: Severity = Severity.WARNING,
        retry_s: Sequence[float] = RETRY_S,
    ) -> None:
        self.sent = 0
        self.failed = 0
        self.dropped = 0
        self._send = send
        self._instance = instance
        self._lowest = _ORDER[lowest]
        self._retry_s = tuple(retry_s)
        self._dedupe = Deduper()
        self._queue: deque[PendingAlert] = deque()
        self._changed = threading.Condition()
        self._busy = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alert-sender", daemon=True)
        self._thread.start()

    @property
    def undelivered(self) -> int:
        """Returns how many alerts have not arrived: waiting, failed or dropped."""
        return len(self._queue) + self._busy + self.failed + self.dropped

    def put(self, severity: Severity, key: str, text: str, now_ns: int) -> bool:
        """Takes an alert; False where it is held back, below the lowest, or dropped."""
        if _ORDER[severity] < self._lowest:
            return False
        held = self._dedupe.admit(key, now_ns)
        if held is None:
            return False
        if held:
            text = f"{text} ({held} more of these before)"
        with self._changed:
            if len(self._queue) >= QUEUE_MAX and not self._make_room(severity):
                self.dropped += 1
                return False
            self._queue.append(PendingAlert(severity, key, text))
            self._changed.notify_all()
        return True

    def drain(self, timeout_s: float) -> bool:
        """Waits until nothing is on its way; False after the timeout."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._queue and not self._busy, timeout_s)

    def close(self, timeout_s: float = 2.0) -> None:
        """Gives waiting alerts the time to leave, then ends the thread."""
        self.drain(timeout_s)
        self._stop.set()
        with self._changed:
            self._changed.notify_all()
        self._thread.join(timeout_s)

    def _make_room(self, severity: Severity) -> bool:
        """Gives up the oldest lesser alert for a critical one."""
        if severity is not Severity.CRITICAL:
            return False
        for at, waiting in enumerate(self._queue):
            if waiting.severity is not Severity.CRITICAL:
                del self._queue[at]
                self.dropped += 1
                return True
        return False

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._stop.is_set())
                if self._stop.is_set():
                    return
                alert = self._queue.popleft()
                self._busy = True
            arrived = self._deliver(alert)
            with self._changed:
                self.sent += arrived
                self.failed += not arrived
                self._busy = False
                self._changed.notify_all()

    def _deliver(self, alert: PendingAlert) -> bool:
        title = f"dailyarb {self._instance}: {alert.severity.value}"
        for pause_s in (*self._retry_s, None):
            if self._send(alert.severity, title, alert.text):
                return True
            if pause_s is None or self._stop.wait(pause_s):
                break
        return False


_ORDER = {Severity.INFO: 0, Severity.WARNING: 1, Severity.CRITICAL: 2}


def apprise_send(urls: Sequence[str]) -> Send:
    """Returns a delivery through Apprise to all given channels.

    Args:
        urls: Apprise URLs; they hold credentials and are never printed.

    Raises:
        ValueError: one is not understood; told by its position, not its text.
    """
    import apprise

    channels = apprise.Apprise()
    for number, url in enumerate(urls, 1):
        if not channels.add(url):
            raise ValueError(f"alert channel {number} of {len(urls)} is not understood")
    kinds = {
        Severity.INFO: apprise.NotifyType.INFO,
        Severity.WARNING: apprise.NotifyType.WARNING,
        Severity.CRITICAL: apprise.NotifyType.FAILURE,
    }

    def send(severity: Severity, title: str, text: str) -> bool:
        return bool(channels.notify(body=text, title=title, notify_type=kinds[severity]))

    return send

"""The dead-man's switch outside this machine: a URL is fetched while the engine lives.

Whoever stands behind the URL raises the alarm when the fetches stop, so that the death of the
whole machine is noticed too. It fetches on a thread of its own: a hanging answer costs nothing.
"""

from __future__ import annotations

import threading
import urllib.error
import urllib.request

from dailyarb.core.domain.alerts import WATCHDOG
from dailyarb.core.domain.clock import Clock
from dailyarb.core.domain.events import AlertState

TIMEOUT_S = 10.0
_SECOND_NS = 1_000_000_000


class Watchdog:
    """Fetches a URL every so often, while `alive` is said again and again.

    Args:
        url: http or https; it may hold a key and is never printed.
        every_s: between fetches.
        clock: when it is.

    Raises:
        ValueError: the URL is neither http nor https; told without its text.
    """

    def __init__(self, url: str, every_s: float, clock: Clock) -> None:
        if not url.startswith(("http://", "https://")):
            raise ValueError("its address is neither http nor https")
        self._url = url
        self._every_ns = round(every_s * _SECOND_NS)
        self._clock = clock
        self._asked_ns: int | None = None
        self._told_ns: int | None = None
        self._why = ""
        self._fetching = threading.Event()
        self._thread: threading.Thread | None = None

    def alive(self) -> None:
        """Says that the engine lives; fetches if it is time and no fetch is under way."""
        now_ns = self._clock.now().mono_ns
        if self._asked_ns is not None and now_ns - self._asked_ns < self._every_ns:
            return
        if self._fetching.is_set():
            return
        self._asked_ns = now_ns
        self._fetching.set()
        self._thread = threading.Thread(target=self._fetch, name=WATCHDOG, daemon=True)
        self._thread.start()

    def state(self) -> AlertState:
        """Returns how the last fetch went, as a channel's state."""
        told = self._told_ns
        told_s = None if told is None else (self._clock.now().mono_ns - told) / _SECOND_NS
        return AlertState(WATCHDOG, not self._why, 0, self._why, told_s)

    def join(self, timeout_s: float) -> None:
        """Waits for a fetch that is under way."""
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _fetch(self) -> None:
        try:
            request = urllib.request.Request(self._url, headers={"User-Agent": "dailyarb"})
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
                answer.read(1024)
        except urllib.error.HTTPError as error:
            self._why = f"refused with status {error.code}"
        except (OSError, ValueError):
            self._why = "could not be reached"
        else:
            self._why, self._told_ns = "", self._clock.now().mono_ns
        finally:
            self._fetching.clear()

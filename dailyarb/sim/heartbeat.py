"""The dead man's switch: ten seconds without a heartbeat cancel every order of the key.

Source: polymarket.md, section 5.9: the first accepted call arms it, a checker looks every five
seconds, a wrong id is answered with the expected one, a lapse removes the registration.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from dailyarb.sim.schedule import Schedule
from dailyarb.sim.types import NS_PER_S

_LAPSE_NS = 10 * NS_PER_S
_CHECK_NS = 5 * NS_PER_S


class Heartbeats:
    """Is the registrations of all keys; `lapsed(api_key, now)` is called when one has died."""

    def __init__(self, schedule: Schedule, lapsed: Callable[[str, int], None]) -> None:
        self._schedule = schedule
        self._lapsed = lapsed
        self._armed: dict[str, tuple[str, int]] = {}  # key to (expected id, last beat)
        self._count = 0

    def beat(self, api_key: str, ident: str, now_ns: int) -> tuple[bool, str]:
        """Takes one heartbeat; returns whether it counts, and the id to send next."""
        known = self._armed.get(api_key)
        if known is not None and ident != known[0]:
            return False, known[0]
        if known is None:
            self._schedule.at(now_ns + _CHECK_NS, lambda due: self._check(api_key, due))
        self._count += 1
        raw = hashlib.sha256(f"{api_key}/{self._count}".encode()).hexdigest()
        following = f"{raw[:8]}-{raw[8:12]}-{raw[12:16]}-{raw[16:20]}-{raw[20:32]}"
        self._armed[api_key] = (following, now_ns)
        return True, following

    def _check(self, api_key: str, now_ns: int) -> None:
        _, last_ns = self._armed[api_key]
        if now_ns - last_ns > _LAPSE_NS:
            del self._armed[api_key]
            self._lapsed(api_key, now_ns)
            return
        self._schedule.at(now_ns + _CHECK_NS, lambda due: self._check(api_key, due))

"""A wait for each key that doubles with every refusal until something is accepted again."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Backoff:
    """Holds the waits; a key that was not refused for a whole longest wait is forgotten."""

    first_ns: int
    longest_ns: int
    _waits: dict[str, tuple[int, int]] = field(default_factory=dict)  # until, and how long it was

    def refused(self, key: str, now_ns: int) -> None:
        """Begins a wait twice as long as the last one; refusals within one wait are one."""
        until, wait = self._waits.get(key, (0, 0))
        if now_ns < until:
            return
        wait = min(self.longest_ns, 2 * wait or self.first_ns)
        self._forget(now_ns)
        self._waits[key] = (now_ns + wait, wait)

    def accepted(self, key: str, now_ns: int) -> None:
        """Lets a key begin anew, unless its wait still runs: one leg of two says little."""
        if not self.left_ns(key, now_ns):
            self._waits.pop(key, None)

    def left_ns(self, key: str, now_ns: int) -> int:
        """Returns how long a key still has to wait, 0 when it need not."""
        return max(0, self._waits.get(key, (0, 0))[0] - now_ns)

    def _forget(self, now_ns: int) -> None:
        old = [key for key, (until, _) in self._waits.items() if now_ns - until > self.longest_ns]
        for key in old:
            del self._waits[key]

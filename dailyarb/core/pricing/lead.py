"""How long the book takes to answer the reference, measured while trading.

A move of the reference opens a question: the mid, the fair value it should reach. The question
closes when the mid has covered half of the way (the lag is that time) or when it is too old. The
estimate is an exponential average of closed questions, so one outlier cannot own it.
"""

from __future__ import annotations

WEIGHT = 0.2
QUESTION_MAX_NS = 3_000_000_000


class LagMeter:
    """Estimates the half-answer time of one asset's books, in nanoseconds."""

    def __init__(self, prior_ns: int) -> None:
        self.lag_ns = float(prior_ns)
        self.samples = 0
        self._asked_ns = 0
        self._from_e4 = 0
        self._expected_e4 = 0

    @property
    def waiting(self) -> bool:
        """Says whether a question is open."""
        return self._asked_ns != 0

    def ask(self, now_ns: int, mid_e4: int, expected_e4: int) -> None:
        """Opens a question unless one is open or the expected change is below one cent."""
        if self._asked_ns == 0 and abs(expected_e4) >= 100:
            self._asked_ns, self._from_e4, self._expected_e4 = now_ns, mid_e4, expected_e4

    def observe(self, now_ns: int, mid_e4: int) -> None:
        """Closes the open question when the mid has covered half of the way, or it is too old."""
        if self._asked_ns == 0:
            return
        age = now_ns - self._asked_ns
        moved = (mid_e4 - self._from_e4) * (1 if self._expected_e4 > 0 else -1)
        if 2 * moved >= abs(self._expected_e4):
            self.lag_ns += WEIGHT * (age - self.lag_ns)
            self.samples += 1
            self._asked_ns = 0
        elif age > QUESTION_MAX_NS:
            self._asked_ns = 0

    def decay(self, age_ns: int) -> float:
        """Returns the share of an edge that is still there this long after the move."""
        return float(2.0 ** (-max(0, age_ns) / max(1.0, self.lag_ns)))

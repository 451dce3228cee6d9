"""Health of a venue: one score from 0 to 1, out of how old, broken, wrong and slow it is.

Each reading is judged against its limit: up to half of it nothing is lost, at the limit half the
score is, at one and a half times all of it. A venue's score is the product of its readings, so
several that are not well at once count together, and any one past its limit is enough to fall
below a half.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from dailyarb.core.domain.events import FeedState
from dailyarb.core.domain.units import SECOND

MINUTE_NS = 60 * SECOND
SAMPLES_MIN = 10  # requests before a share of errors means anything
REPORTS_MAX = 600  # of one feed within a minute


class Reading(NamedTuple):
    """Is one number of a venue and the limit it is judged by, in one unit."""

    what: str
    number: float
    limit: float

    @property
    def score(self) -> float:
        """Returns what this reading leaves of the score."""
        return min(1.0, max(0.0, 1.5 - self.number / self.limit))


class Health(NamedTuple):
    """Is a venue's score and the readings behind it."""

    venue: str
    score: float
    readings: tuple[Reading, ...]

    @property
    def worst(self) -> str:
        """Returns the reading that costs most, "" while none costs anything."""
        if self.score >= 1.0:
            return ""
        low = min(self.readings, key=lambda r: r.score)
        return f"{low.what} {low.number:g} of {low.limit:g}"


def health(venue: str, *readings: Reading) -> Health:
    """Returns a venue's health out of its readings."""
    score = 1.0
    for reading in readings:
        score *= reading.score
    return Health(venue, score, readings)


def error_percent(answers: deque[tuple[int, bool]]) -> float:
    """Returns the share of (mono_ns, failed?) that failed, 0 while there are too few."""
    if len(answers) < SAMPLES_MIN:
        return 0.0
    return 100.0 * sum(failed for _, failed in answers) / len(answers)


class FeedTrouble:
    """Counts what went wrong on a feed within the last minute, out of its running totals."""

    def __init__(self) -> None:
        self._last: FeedState | None = None
        self._reports: deque[tuple[int, int]] = deque(maxlen=REPORTS_MAX)

    def take(self, report: FeedState, now_ns: int) -> bool:
        """Takes a report; says whether it is another than the last one.

        Lost connections, gaps and damaged frames count alike. Totals that fall belong to a
        feed that began anew.
        """
        if report is self._last:
            return False
        before = self._last or report
        rise = _trouble(report) - _trouble(before)
        self._last = report
        if rise > 0:
            self._reports.append((now_ns, rise))
        return True

    def per_minute(self, now_ns: int) -> int:
        """Returns what went wrong in the last 60 s."""
        while self._reports and now_ns - self._reports[0][0] >= MINUTE_NS:
            self._reports.popleft()
        return sum(rise for _, rise in self._reports)


def _trouble(report: FeedState) -> int:
    return report.gaps + report.faults + report.reconnects

"""Who follows whom, measured while trading: the book its reference, one series another.

A move of the reference opens a question: the mid, the fair value it should reach. The question
closes when the mid has covered half of the way (the lag is that time) or when it is too old. The
estimate is an exponential average of closed questions, so one outlier cannot own it.

Two series sampled once a second give correlation, beta (correlation x volatility ratio) and the
lag at which they agree best, from exponentially weighted sums of products: O(1) a sample. A prior
counts as so many seconds of evidence and fades as they would.
"""

from __future__ import annotations

import math
from collections import deque

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


class Comovement:
    """Measures how one series follows another, from changes sampled at the same moments.

    Args:
        half_life: samples after which one weighs half.
        correlation: believed at first, -1 to 1.
        ratio: volatility of the follower over the leader's, believed at first, > 0.
        prior: samples that this belief weighs.
        lags_max: the follower is compared with the leader up to so many samples before.
    """

    def __init__(
        self,
        half_life: float,
        correlation: float = 0.0,
        ratio: float = 1.0,
        prior: float = 0.0,
        lags_max: int = 0,
    ) -> None:
        self._kept = 0.5 ** (1.0 / half_life)
        self._prior = (correlation, ratio, prior)
        self._weight = 0.0
        self._faded = 1.0  # what is left of the prior
        self._leader = self._follower = 0.0
        self._products = [0.0] * (lags_max + 1)
        self._before: deque[float] = deque([0.0] * (lags_max + 1), maxlen=lags_max + 1)

    def push(self, leader: float, follower: float) -> None:
        """Takes one change of each series, log or absolute, over the same span of time."""
        kept = self._kept
        self._before.appendleft(leader)
        self._weight = self._weight * kept + 1.0
        self._faded *= kept
        self._leader = self._leader * kept + leader * leader
        self._follower = self._follower * kept + follower * follower
        for lag, before in enumerate(self._before):
            self._products[lag] = self._products[lag] * kept + before * follower

    @property
    def samples(self) -> float:
        """Returns the weight of the evidence, prior included, in samples."""
        return self._weight + self._prior[2] * self._faded

    def _correlation_at(self, lag: int) -> float:
        both = self._leader * self._follower
        return self._products[lag] / math.sqrt(both) if both > 0.0 else 0.0

    @property
    def correlation(self) -> float:
        """Returns the correlation of changes of the same moment, -1 to 1."""
        prior, _, weight = self._prior
        return self._with_prior(self._correlation_at(0), prior, weight)

    @property
    def ratio(self) -> float:
        """Returns the follower's volatility over the leader's."""
        _, prior, weight = self._prior
        seen = math.sqrt(self._follower / self._leader) if self._leader > 0.0 else prior
        return self._with_prior(seen, prior, weight)

    @property
    def beta(self) -> float:
        """Returns the follower's expected change per change of the leader."""
        return self.correlation * self.ratio

    @property
    def lag(self) -> int:
        """Returns by how many samples the follower is behind where they agree best."""
        return max(range(len(self._products)), key=lambda lag: (self._correlation_at(lag), -lag))

    def _with_prior(self, seen: float, prior: float, weight: float) -> float:
        believed = weight * self._faded
        total = self._weight + believed
        return (self._weight * seen + believed * prior) / total if total > 0.0 else prior

"""The settling price: what the oracle saw each second, and its sixty-second average.

The oracle's value of a second is the reference averaged over that second times a basis: a level
that drifts over days plus a disturbance of 0.9 bp (FINDINGS.md, sections 5 and 10). An average
stamped T covers the sixty whole seconds that end three seconds before T. All sums are integers, so
a tie is a tie.
"""

from __future__ import annotations

import math
import random

from dailyarb.sim.reference import Reference
from dailyarb.sim.types import NS_PER_S

LOOKBACK_S = 60
LAG_S = 3
_BASIS_SD_BP = 0.9
_BASIS_HALF_LIFE_S = 90.0
_BASIS_DRIFT_BP = 0.008  # per root second: 2.4 bp a day
_KEEP_S = 8_000


class Oracle:
    """Is one asset's settling feed as a function of time, values in 1e-8 and 1e-18 dollars."""

    def __init__(self, reference: Reference, rng: random.Random) -> None:
        self.reference = reference
        self.begin_s = reference.begin_ns // NS_PER_S + 1
        self._rng = rng
        self._level_bp = rng.uniform(-10.0, 4.0)
        self._noise_bp = rng.gauss(0.0, _BASIS_SD_BP)
        self._keep = math.exp(-math.log(2.0) / _BASIS_HALF_LIFE_S)
        self._kick = _BASIS_SD_BP * math.sqrt(1.0 - self._keep**2)
        self._sums_e8: list[int] = [0]  # sums_e8[i] covers the seconds before begin_s + i
        self._basis: list[float] = []
        self._dropped = 0

    def sum_usd(self, from_s: int, to_s: int) -> float:
        """Returns the sum of the values of the seconds from_s (exclusive) to to_s (inclusive)."""
        last = self._reach(to_s)
        first = max(0, from_s - self.begin_s - self._dropped)
        return (self._sums_e8[last + 1] - self._sums_e8[first + 1]) / 1e8

    def twap_e18(self, second: int) -> int:
        """Returns the sixty-second average stamped with a whole second, floored to 1e-18."""
        last = self._reach(second - LAG_S)
        first = last - LOOKBACK_S
        if first < -1:
            raise ValueError("the average reaches before the first second of the feed")
        return (self._sums_e8[last + 1] - self._sums_e8[first + 1]) * 10**10 // LOOKBACK_S

    def basis(self, at_ns: int) -> float:
        """Returns the factor of the settling price over the reference."""
        return 1.0 + self._basis[self._reach(at_ns // NS_PER_S)] * 1e-4

    def spot(self, at_ns: int) -> float:
        """Returns the reference at an instant in the settling feed's own terms."""
        return self.reference.mid(at_ns) * self.basis(at_ns)

    def _reach(self, second: int) -> int:
        """Generates values up to a second and returns its index."""
        while self.begin_s + self._dropped + len(self._basis) <= second:
            self._next()
        index = second - self.begin_s - self._dropped
        if index < 0:
            raise ValueError("the feed does not reach back that far")
        return index

    def _next(self) -> None:
        rng = self._rng
        second = self.begin_s + self._dropped + len(self._basis)
        self._level_bp += _BASIS_DRIFT_BP * rng.gauss(0.0, 1.0)
        self._noise_bp = self._keep * self._noise_bp + self._kick * rng.gauss(0.0, 1.0)
        basis_bp = self._level_bp + self._noise_bp
        mean = self.reference.mean((second - 1) * NS_PER_S, second * NS_PER_S)
        value = round(mean * (1.0 + basis_bp * 1e-4) * 1e8)
        self._basis.append(basis_bp)
        self._sums_e8.append(self._sums_e8[-1] + value)
        if len(self._basis) > 2 * _KEEP_S:
            del self._basis[:_KEEP_S]
            del self._sums_e8[:_KEEP_S]
            self._dropped += _KEEP_S

"""What a share of Up is worth when two sixty-second averages decide.

With r seconds to the end of the averaging and spot S: for r > L the average's expectation is S and
its variance sigma^2 (r - 2L/3); inside the last L seconds part of it is known and the remaining
variance is sigma^2 r^3 / (3 L^2) (FINDINGS.md, section 7).
"""

from __future__ import annotations

import math

from dailyarb.sim.oracle import LAG_S, LOOKBACK_S, Oracle
from dailyarb.sim.types import NS_PER_S

_ROOT_HALF = math.sqrt(0.5)
_SMALLEST = 1e-9


class FairValue:
    """Is P(Up) of one window as the best informed see it."""

    __slots__ = ("_end_s", "_oracle", "_start_s", "_strike")

    def __init__(self, oracle: Oracle, start_s: int, end_s: int) -> None:
        self._oracle = oracle
        self._start_s = start_s
        self._end_s = end_s
        self._strike = 0.0

    def at(self, seen_ns: int, sigma_bp: float) -> float:
        """Returns P(Up) of who has seen everything up to an instant.

        Args:
            seen_ns: the instant of knowledge.
            sigma_bp: the volatility used, bp per root second.
        """
        spot = self._oracle.spot(seen_ns)
        end_mean, variance = self._average(seen_ns, self._end_s - LAG_S, spot)
        if self._strike > 0.0:
            strike = self._strike
        elif seen_ns >= self._start_s * NS_PER_S:
            strike = self._strike = self._oracle.twap_e18(self._start_s) / 1e18
        else:
            strike, known = self._average(seen_ns, self._start_s - LAG_S, spot)
            variance = max(variance - known, 1.0)
        scale = spot * sigma_bp * 1e-4 * math.sqrt(max(variance, _SMALLEST))
        return 0.5 * (1.0 + math.erf((end_mean - strike) / scale * _ROOT_HALF))

    def _average(self, seen_ns: int, last_s: int, spot: float) -> tuple[float, float]:
        """Returns the expectation of the average ending at `last_s`, and its variance / sigma^2."""
        seen_s = seen_ns // NS_PER_S
        left = last_s - seen_ns / NS_PER_S
        if left >= LOOKBACK_S:
            return spot, left - LOOKBACK_S * 2.0 / 3.0
        whole = min(last_s, seen_s)
        known = self._oracle.sum_usd(last_s - LOOKBACK_S, whole)
        mean = (known + spot * (last_s - whole)) / LOOKBACK_S
        left = max(0.0, left)
        return mean, left**3 / (3.0 * LOOKBACK_S**2)

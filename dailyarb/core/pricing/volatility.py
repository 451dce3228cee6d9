"""Realised volatility of the reference: a rolling window beside an exponential average.

The larger of the two prices options: the window notices a burst, the average remembers the hour.
Units: per root second (bp per root second when multiplied by 1e4). Source: FINDINGS section 5.
"""

from __future__ import annotations

from dailyarb._fast.stats import EwmaVol, RollingVol
from dailyarb.core.domain.settings import Pricing
from dailyarb.core.domain.units import SECOND

SAMPLE_NS = SECOND  # 1 s returns: below that, microstructure noise passes for volatility


class Volatility:
    """Estimates sigma of one asset from its mids, floored and capped by configuration."""

    def __init__(self, settings: Pricing) -> None:
        self._settings = settings
        self._window = RollingVol(settings.vol_window_s * SECOND, SAMPLE_NS)
        self._average = EwmaVol(round(settings.vol_half_life_s * SECOND), SAMPLE_NS)

    def push(self, now_ns: int, mid_e8: int) -> None:
        """Takes one mid."""
        self._window.push(now_ns, mid_e8)
        self._average.push(now_ns, mid_e8)

    @property
    def samples(self) -> int:
        """Returns the number of returns behind the average."""
        return self._average.count

    def rolling(self) -> float | None:
        """Returns the window's sigma, None before it has two returns."""
        return self._window.sigma() if self._window.count >= 2 else None

    def average(self) -> float | None:
        """Returns the exponential average's sigma, None before it has two returns."""
        return self._average.sigma() if self._average.count >= 2 else None

    def sigma(self) -> float | None:
        """Returns the sigma that prices, None before `pricing.min_samples` returns."""
        if self.samples < self._settings.min_samples:
            return None
        raw = max(self._window.sigma(), self._average.sigma())
        return min(max(raw, self._settings.vol_floor_bps * 1e-4), self._settings.vol_cap_bps * 1e-4)

"""Realised volatility of the reference and what it forecasts for a horizon.

Two measures see the present: a rolling window of 1 s returns notices a burst, an exponential
average of longer returns is free of the microstructure that makes 1 s returns too small a measure
of minutes (they are positively correlated). The larger one counts. Over the horizon it reverts to
the hour's usual level: E[mean variance] = b^2 + (now^2 - b^2) (1 - exp(-k tau)) / (k tau), b the
long average with the hour of day taken out, times the factor of the hour ahead.

Units: per root second (bp per root second when multiplied by 1e4). Sources: RiskMetrics 1996 for
the average, Heston 1993 for the expected variance under mean reversion, Andersen and Bollerslev
1997 for intraday seasonality; parameters from the recordings (FINDINGS 5; docs/strategies.md).
"""

from __future__ import annotations

import math

from dailyarb._fast.stats import EwmaVol, RollingVol
from dailyarb.core.domain.settings import Pricing
from dailyarb.core.domain.units import SECOND

WINDOW_SAMPLE_NS = SECOND
_LN2 = math.log(2.0)


class Volatility:
    """Estimates sigma of one asset from its mids, floored and capped by configuration.

    Args:
        settings: half-lives, samples, floor and cap, factors of the hours.
        base: volatility believed before anything was seen, per root second.
    """

    def __init__(self, settings: Pricing, base: float | None = None) -> None:
        self._settings = settings
        sample_ns = round(settings.vol_sample_s * SECOND)
        prior = settings.vol_base_bps * 1e-4 if base is None else base
        self._window = RollingVol(settings.vol_window_s * SECOND, WINDOW_SAMPLE_NS)
        self._average = EwmaVol(
            round(settings.vol_half_life_s * SECOND), sample_ns, prior, settings.vol_prior_s
        )
        self._base = EwmaVol(
            round(settings.vol_base_half_life_s * SECOND), 0, prior, settings.vol_base_half_life_s
        )
        self._sample_ns = sample_ns
        self._next_ns = 0
        self._first_ns = -1
        self._seconds = 0
        self._last_e8 = 0
        self._flat = 1.0  # the price with the hour of day taken out of its returns

    def push(self, now_ns: int, mid_e8: int, wall_s: int = 0) -> None:
        """Takes one mid; `wall_s` tells the hour of day."""
        self._window.push(now_ns, mid_e8)
        self._average.push(now_ns, mid_e8)
        if self._first_ns < 0:
            self._first_ns = now_ns
        self._seconds = (now_ns - self._first_ns) // SECOND
        if now_ns >= self._next_ns:
            if self._last_e8:
                self._flat *= (mid_e8 / self._last_e8) ** (1.0 / self.hour_factor(wall_s))
            self._base.push(now_ns, self._flat)
            self._last_e8, self._next_ns = mid_e8, now_ns + self._sample_ns

    def hour_factor(self, wall_s: int) -> float:
        """Returns the usual volatility of this hour (UTC) over that of all hours."""
        return self._settings.hour_factors[wall_s // 3_600 % 24]

    def rolling(self) -> float | None:
        """Returns the window's sigma, None before it has two returns."""
        return self._window.sigma() if self._window.count >= 2 else None

    def average(self) -> float | None:
        """Returns the exponential average's sigma, None before it has two returns."""
        return self._average.sigma() if self._average.count >= 2 else None

    def sigma(self, tau_s: float = 0.0, wall_s: int = 0) -> float | None:
        """Returns the sigma that prices a horizon, None before `pricing.min_samples` seconds.

        Args:
            tau_s: seconds ahead, over which the present reverts; 0 gives the present itself.
            wall_s: the present, for the factor of the hour in the middle of the horizon.
        """
        settings = self._settings
        if self._seconds < settings.min_samples:
            return None
        now = max(self._window.sigma(), self._average.sigma())
        variance = now * now
        if tau_s > 0.0:
            base = self._base.sigma() * self.hour_factor(round(wall_s + 0.5 * tau_s))
            kappa_tau = _LN2 / settings.vol_revert_half_life_s * tau_s
            kept = -math.expm1(-kappa_tau) / kappa_tau
            variance = base * base * (1.0 - kept) + variance * kept
        floor, cap = settings.vol_floor_bps * 1e-4, settings.vol_cap_bps * 1e-4
        return min(max(math.sqrt(variance), floor), cap)

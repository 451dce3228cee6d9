"""P(up): the probability that a window ends at or above its strike.

On averages: N((m - ln K) / sqrt(v)), with m the mean of the log average less the drift term, and
v = sigma^2 (tau - 2L/3) for tau >= L, sigma^2 tau^3 / (3 L^2) inside, where the average is its
fixed part plus tau/L at spot. On spot rules: N(d2), d2 = (ln(S/K) - sigma^2 tau / 2) / (sigma
sqrt(tau)). A tie pays UP.

Sigma is an estimate, so N is mixed over what it may be: tail_log_sd is the standard deviation of
ln sigma, and the mixture has the estimate's variance and the recordings' fat tails. 0 has none.

tau is in seconds, sigma per root second (not annualised), prices in dollars.

Sources: Black and Scholes 1973 for N(d2); the variance of an arithmetic average of a Brownian
path, Turnbull and Wakeman 1991, to first order in sigma^2 tau (windows of minutes); Clark 1973
for tails out of an uncertain variance, by three-point Gauss-Hermite quadrature.
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist
from typing import NamedTuple

from dailyarb.core.domain.market import SettlementKind

# A value stamped T is the mean of the seconds that ended about three seconds before T
# (polymarket.md 2.4, third parties).
TWAP_LAG_S = 3.0
_ROOT2 = math.sqrt(2.0)
_ROOT3 = math.sqrt(3.0)
_NORMAL = NormalDist()


class Fair(NamedTuple):
    """Is a fair value: P(up), the standard score behind it, and the standard deviation in log."""

    p_up: float
    z: float
    sd: float


def normal_cdf(x: float) -> float:
    """Returns the standard normal distribution function."""
    return 0.5 * math.erfc(-x / _ROOT2)


def normal_pdf(x: float) -> float:
    """Returns the standard normal density."""
    return math.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)


def normal_score(p: float) -> float:
    """Returns the standard score of a probability, kept within 1e-6 of 0 and 1."""
    return _NORMAL.inv_cdf(min(max(p, 1e-6), 1.0 - 1e-6))


def variance_left(tau_s: float, sigma: float, lookback_s: float) -> float:
    """Returns the variance of the log settlement value that is still open.

    Args:
        tau_s: seconds to the end of the averaging window, >= 0.
        sigma: volatility per root second.
        lookback_s: L, length of the averaging window; 0 for a spot rule.
    """
    tau = max(0.0, tau_s)
    if lookback_s <= 0.0:
        return sigma * sigma * tau
    if tau >= lookback_s:
        return sigma * sigma * (tau - 2.0 * lookback_s / 3.0)
    return sigma * sigma * tau**3 / (3.0 * lookback_s * lookback_s)


class Terms(NamedTuple):
    """Is what every rule needs.

    spot is our estimate of the settling feed's spot, strike its value at the start, tau_s the
    seconds left, sigma the volatility per root second, basis_sd the log sd of that estimate of
    spot, tail_log_sd the sd of ln sigma.
    """

    spot: float
    strike: float
    tau_s: float
    sigma: float
    basis_sd: float = 0.0
    tail_log_sd: float = 0.0


def fair_spot(terms: Terms) -> Fair:
    """Returns P(up) under a spot rule."""
    variance = variance_left(terms.tau_s, terms.sigma, 0.0)
    mean = math.log(terms.spot / terms.strike) - 0.5 * variance
    return _from_score(mean, variance, terms)


def fair_average(
    terms: Terms, lookback_s: float, fixed_mean: float | None, lag_s: float = 0.0
) -> Fair:
    """Returns P(up) when the end value is an average of the last `lookback_s` seconds.

    Args:
        terms: tau_s counts to the stamp of the end value.
        lookback_s: L > 0.
        fixed_mean: mean of the part of the average that is already history (None outside it).
        lag_s: how long before its stamp the averaging window ends.
    """
    tau, sigma, spot = max(0.0, terms.tau_s - lag_s), terms.sigma, terms.spot
    variance = variance_left(tau, sigma, lookback_s)
    if tau >= lookback_s or fixed_mean is None:
        mean_price = spot
        # E[log average]: the average of -sigma^2 t / 2 over the averaging window.
        drift = 0.5 * sigma * sigma * max(0.0, tau - 0.5 * lookback_s)
    else:
        open_share = tau / lookback_s
        mean_price = fixed_mean * (1.0 - open_share) + spot * open_share
        drift = 0.25 * sigma * sigma * tau * open_share
    mean = math.log(mean_price / terms.strike) - drift
    return _from_score(mean, variance, terms)


def _from_score(mean: float, open_variance: float, terms: Terms) -> Fair:
    noise = terms.basis_sd * terms.basis_sd
    variance = open_variance + noise
    if variance <= 0.0:
        return Fair(1.0 if mean >= 0.0 else 0.0, math.copysign(math.inf, mean or 1.0), 0.0)
    sd = math.sqrt(variance)
    if terms.tail_log_sd <= 0.0:
        return Fair(normal_cdf(mean / sd), mean / sd, sd)
    low, mid, high = _spread(terms.tail_log_sd)
    p_up = (
        4.0 * normal_cdf(mean / math.sqrt(mid * open_variance + noise))
        + normal_cdf(mean / math.sqrt(low * open_variance + noise))
        + normal_cdf(mean / math.sqrt(high * open_variance + noise))
    ) / 6.0
    return Fair(p_up, mean / sd, sd)


@lru_cache(maxsize=8)
def _spread(log_sd: float) -> tuple[float, float, float]:
    """Returns the factors of the variance at the three nodes; weighed 1, 4, 1 they average 1."""
    low, high = math.exp(-2.0 * _ROOT3 * log_sd), math.exp(2.0 * _ROOT3 * log_sd)
    mean = (low + 4.0 + high) / 6.0
    return low / mean, 1.0 / mean, high / mean


def fair_value(
    kind: SettlementKind,
    terms: Terms,
    lookback_s: float = 0.0,
    fixed_mean: float | None = None,
) -> Fair:
    """Returns P(up) under the market's own rule; `tau_s` counts to the stamp that decides."""
    if kind is SettlementKind.TWAP and lookback_s > 0.0:
        return fair_average(terms, lookback_s, fixed_mean, TWAP_LAG_S)
    return fair_spot(terms)


def sensitivity_per_bp(fair: Fair) -> float:
    """Returns the change of P(up) per basis point of the reference."""
    return 0.0 if fair.sd <= 0.0 else normal_pdf(fair.z) / fair.sd * 1e-4

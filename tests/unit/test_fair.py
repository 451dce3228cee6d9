"""P(up) under each settlement rule, against closed forms and Monte Carlo."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dailyarb.core.domain.market import SettlementKind
from dailyarb.core.pricing.fair import (
    TWAP_LAG_S,
    Terms,
    fair_average,
    fair_spot,
    fair_value,
    normal_cdf,
    sensitivity_per_bp,
    variance_left,
)

SIGMA = 6e-5  # per root second: the median of FINDINGS section 5


def test_at_the_strike_a_spot_rule_is_a_coin_less_its_drift() -> None:
    fair = fair_spot(Terms(100.0, 100.0, 300.0, SIGMA))
    assert fair.p_up == pytest.approx(0.5, abs=1e-3)
    assert fair.p_up < 0.5


@pytest.mark.parametrize("tau", [1.0, 30.0, 300.0, 900.0])
@pytest.mark.parametrize("gap_bp", [-10.0, -1.0, 0.0, 3.0])
def test_a_spot_rule_is_n_of_d2(tau: float, gap_bp: float) -> None:
    spot = 100.0 * math.exp(gap_bp * 1e-4)
    sd = SIGMA * math.sqrt(tau)
    d2 = (math.log(spot / 100.0) - 0.5 * sd * sd) / sd
    found = fair_spot(Terms(spot, 100.0, tau, SIGMA))
    assert found.p_up == pytest.approx(normal_cdf(d2), abs=1e-12)


def test_nothing_left_is_decided_and_a_tie_pays_up() -> None:
    assert fair_spot(Terms(100.0, 100.0, 0.0, SIGMA)).p_up == 1.0
    assert fair_spot(Terms(99.99, 100.0, 0.0, SIGMA)).p_up == 0.0


def test_the_variance_left_meets_itself_at_the_window() -> None:
    outside = variance_left(60.0, SIGMA, 60.0)
    assert outside == pytest.approx(variance_left(60.0 - 1e-9, SIGMA, 60.0), rel=1e-6)
    assert variance_left(20.0, SIGMA, 60.0) == pytest.approx(SIGMA**2 * 20 / 27)


@pytest.mark.parametrize("tau", [200.0, 90.0, 45.0, 15.0])
def test_an_average_agrees_with_monte_carlo(tau: float) -> None:
    rng = np.random.default_rng(7)
    paths, lookback, sigma, spot, strike = 40_000, 60, 2e-4, 100.0, 100.01
    steps = int(tau)
    moves = rng.normal(-0.5 * sigma**2, sigma, size=(paths, steps))
    future = spot * np.exp(np.cumsum(moves, axis=1))
    inside = min(steps, lookback)
    fixed = 100.02
    total = future[:, -inside:].sum(axis=1) + fixed * (lookback - inside)
    up = float((total / lookback >= strike).mean())
    known = fixed if steps < lookback else None
    fair = fair_average(Terms(spot, strike, tau, sigma), lookback, known)
    assert fair.p_up == pytest.approx(up, abs=0.012)


def test_the_averaged_seconds_end_before_the_stamp() -> None:
    late = fair_value(
        SettlementKind.TWAP, Terms(100.0, 100.01, 100.0 + TWAP_LAG_S, SIGMA), 60.0
    )
    plain = fair_average(Terms(100.0, 100.01, 100.0, SIGMA), 60.0, None)
    assert late.p_up == plain.p_up


def test_doubt_about_the_basis_pulls_towards_a_coin() -> None:
    sure = fair_spot(Terms(100.02, 100.0, 30.0, SIGMA)).p_up
    unsure = fair_spot(Terms(100.02, 100.0, 30.0, SIGMA, basis_sd=2e-4)).p_up
    assert 0.5 < unsure < sure


def test_sensitivity_is_the_slope() -> None:
    fair = fair_spot(Terms(100.0, 100.0, 120.0, SIGMA))
    bumped = fair_spot(Terms(100.0 * math.exp(1e-4), 100.0, 120.0, SIGMA))
    assert sensitivity_per_bp(fair) == pytest.approx(bumped.p_up - fair.p_up, rel=0.02)

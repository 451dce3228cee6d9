"""Volatility over a horizon, tails, order flow and co-movement, against what they mean."""

from __future__ import annotations

import math
import random

import pytest

from dailyarb.core.domain.market import Outcome, Side
from dailyarb.core.domain.settings import HOUR_FACTORS, Pricing
from dailyarb.core.domain.units import SECOND
from dailyarb.core.pricing.fair import (
    Terms,
    fair_average,
    fair_spot,
    normal_cdf,
    normal_score,
)
from dailyarb.core.pricing.flow import (
    FAST,
    MIDDLE,
    SLOW,
    FlowMeter,
    buys_up,
    lean,
    microprice_e4,
)
from dailyarb.core.pricing.lead import Comovement
from dailyarb.core.pricing.volatility import Volatility

NOON_S = 12 * 3_600
FLAT = (1.0,) * 24


def walk(measure: Volatility, sigma: float, seconds: int, start: int = 0, seed: int = 1) -> int:
    """Feeds a Brownian path of one mid a second; returns the second after it."""
    chance, price = random.Random(seed), 1e5
    for second in range(start, start + seconds):
        price *= math.exp(chance.gauss(0.0, sigma))
        measure.push(second * SECOND, round(price * 1e8), NOON_S + second)
    return start + seconds


def test_before_anything_is_seen_the_usual_level_is_believed() -> None:
    measure = Volatility(Pricing(min_samples=2, hour_factors=FLAT), 2e-4)
    for second in range(3):
        measure.push(second * SECOND, 10**13, NOON_S)
    assert measure.sigma() == pytest.approx(2e-4, rel=1e-6)
    plain = Volatility(Pricing(min_samples=2, hour_factors=FLAT, vol_base_bps=0.9))
    for second in range(3):
        plain.push(second * SECOND, 10**13, NOON_S)
    assert plain.sigma() == pytest.approx(0.9e-4, rel=1e-6)


def test_a_brownian_path_has_its_own_sigma() -> None:
    measure = Volatility(Pricing(hour_factors=FLAT))
    walk(measure, 1.5e-4, 3_600)
    found = measure.average()
    assert found == pytest.approx(1.5e-4, rel=0.15)


def test_a_burst_counts_at_once_and_fades_over_the_horizon() -> None:
    measure = Volatility(Pricing(hour_factors=FLAT))
    after = walk(measure, 0.6e-4, 7_200)
    walk(measure, 5e-4, 60, after, seed=2)
    now = measure.sigma()
    assert now is not None
    assert now == measure.rolling()
    assert now > 3e-4
    ahead = [measure.sigma(tau_s, NOON_S) for tau_s in (60.0, 900.0, 14_400.0)]
    assert all(one is not None for one in ahead)
    assert now > ahead[0] > ahead[1] > ahead[2] > 0.5e-4  # type: ignore[operator]


def test_the_mean_variance_of_a_horizon_is_that_of_its_decay() -> None:
    settings = Pricing(hour_factors=FLAT, vol_revert_half_life_s=600.0)
    measure = Volatility(settings)
    walk(measure, 0.6e-4, 3_600)
    now, base = measure.sigma(), measure.sigma(1e7, NOON_S)
    assert now is not None
    assert base is not None
    tau_s, steps = 900.0, 20_000
    mean = 0.0
    for step in range(steps):
        at_s = (step + 0.5) * tau_s / steps
        mean += (base**2 + (now**2 - base**2) * 0.5 ** (at_s / 600.0)) / steps
    assert measure.sigma(tau_s, NOON_S) == pytest.approx(math.sqrt(mean), rel=1e-3)


def test_the_hour_ahead_has_its_own_level() -> None:
    busy = tuple(3.0 if hour == 15 else 1.0 for hour in range(24))
    measure = Volatility(Pricing(hour_factors=busy))
    walk(measure, 1e-4, 3_600)
    before = measure.sigma(3_600.0, 13 * 3_600)
    into = measure.sigma(3_600.0, 15 * 3_600 - 60)
    assert before is not None
    assert into is not None
    assert into > 1.5 * before
    assert [measure.hour_factor(h * 3_600 + 5) for h in (14, 15, 39)] == [1.0, 3.0, 3.0]


def test_the_hour_is_taken_out_of_what_is_learned() -> None:
    learned = []
    for factor in (1.0, 2.0):
        hours = tuple(factor if hour == 12 else 1.0 for hour in range(24))
        measure = Volatility(
            Pricing(hour_factors=hours, vol_base_half_life_s=600.0, vol_half_life_s=600.0)
        )
        walk(measure, 1e-4 * factor, 3_000)
        learned.append(measure.sigma(1e7, 0))
    assert learned[0] == pytest.approx(learned[1], rel=0.02)


def test_the_shipped_hours_average_to_one() -> None:
    assert len(HOUR_FACTORS) == 24
    assert sum(HOUR_FACTORS) / 24 == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("log_sd", [0.1, 0.2, 0.4])
def test_tails_keep_the_variance_and_raise_the_fourth_moment(log_sd: float) -> None:
    """The density of the mixture, integrated: variance 1, kurtosis as three points make it."""
    step, low = 1e-2, -60.0
    moments = [0.0, 0.0]
    for i in range(round(120 / step)):
        x = low + (i + 0.5) * step
        density = (_cdf(x + step / 2, log_sd) - _cdf(x - step / 2, log_sd)) / step
        moments[0] += x * x * density * step
        moments[1] += x**4 * density * step
    assert moments[0] == pytest.approx(1.0, rel=2e-3)
    assert moments[1] > 3.0 * (1.0 + 3.0 * log_sd * log_sd)


def _cdf(x: float, log_sd: float) -> float:
    """Returns the mixture's distribution function at x deviations."""
    terms = Terms(math.exp(x * 1e-6 + 0.5e-12), 1.0, 1.0, 1e-6, 0.0, log_sd)
    return fair_spot(terms).p_up


def test_tails_make_favourites_of_little_doubt_safer_and_long_shots_likelier() -> None:
    plain = fair_spot(Terms(100.03, 100.0, 25.0, 1e-4))
    tailed = fair_spot(Terms(100.03, 100.0, 25.0, 1e-4, 0.0, 0.3))
    assert (tailed.z, tailed.sd) == (plain.z, plain.sd)
    near = fair_spot(Terms(100.03, 100.0, 25.0, 1e-4)).p_up
    assert tailed.p_up != near
    far = [fair_spot(Terms(99.8, 100.0, 25.0, 1e-4, 0.0, sd)).p_up for sd in (0.0, 0.3)]
    assert far[1] > 5.0 * far[0]


def test_doubt_about_the_basis_has_no_tails() -> None:
    certain = Terms(100.02, 100.0, 1e-9, 1e-9, 2e-4, 0.4)
    assert fair_spot(certain).p_up == pytest.approx(normal_cdf(math.log(1.0002) / 2e-4), abs=1e-6)


def test_tails_apply_to_averages_too() -> None:
    terms = Terms(100.05, 100.0, 200.0, 1e-4, 0.0, 0.3)
    assert fair_average(terms, 60.0, None).p_up != pytest.approx(
        fair_average(terms._replace(tail_log_sd=0.0), 60.0, None).p_up, abs=1e-4
    )


def test_a_score_undoes_the_distribution() -> None:
    for p in (0.01, 0.3, 0.5, 0.99):
        assert normal_cdf(normal_score(p)) == pytest.approx(p)
    assert normal_score(0.0) == pytest.approx(-4.753, abs=1e-3)
    assert normal_score(1.0) == pytest.approx(4.753, abs=1e-3)


def test_flow_is_told_over_three_windows() -> None:
    meter = FlowMeter()
    meter.push(0, 0, 300, 0, 3)
    meter.push(26 * SECOND, 50, 0, 1, 0)
    meter.push(29 * SECOND + SECOND // 2, 100, 0, 2, 0)
    fast, middle, slow = meter.read(29 * SECOND + SECOND // 2)
    assert (fast.share, fast.buys, fast.sells) == (1.0, 2, 0)
    assert (middle.share, middle.trades) == (1.0, 3)
    assert slow.share == pytest.approx((150 - 300) / 450)
    assert (FAST, MIDDLE, SLOW) == (0, 1, 2)
    assert [band.trades for band in meter.read(100 * SECOND)] == [0, 0, 0]


@pytest.mark.parametrize(
    ("outcome", "side", "up"),
    [
        (Outcome.UP, Side.BUY, True),
        (Outcome.UP, Side.SELL, False),
        (Outcome.DOWN, Side.BUY, False),
        (Outcome.DOWN, Side.SELL, True),
    ],
)
def test_who_gives_down_takes_up(outcome: Outcome, side: Side, up: bool) -> None:
    assert buys_up(outcome, side) is up


def test_sizes_of_tiny_coins_do_not_overflow() -> None:
    meter = FlowMeter(2)
    for step in range(4):
        meter.push(step, 10**30, 0, 1, 0)
    assert meter.read(4)[FAST].share == 1.0


def test_a_touch_leans_to_its_thinner_side() -> None:
    assert (lean(30, 10), lean(0, 5), lean(0, 0)) == (0.5, -1.0, 0.0)
    assert microprice_e4(4_900, 300, 5_000, 100) == pytest.approx(4_975.0)
    assert microprice_e4(4_900, 0, 5_000, 0) == 4_950.0


def series(samples: int, beta: float, noise: float, lag: int) -> Comovement:
    """Returns what is measured of a follower `lag` samples late."""
    chance = random.Random(3)
    pair = Comovement(1e9, lags_max=3)
    past = [0.0] * 4
    for _ in range(samples):
        leader = chance.gauss(0.0, 1e-4)
        past = [leader, *past[:3]]
        pair.push(leader, beta * past[lag] + chance.gauss(0.0, noise))
    return pair


def test_beta_is_correlation_times_the_ratio_of_volatilities() -> None:
    pair = series(20_000, 1.3, 0.5e-4, 0)
    assert pair.beta == pytest.approx(1.3, rel=0.02)
    assert pair.ratio == pytest.approx(math.hypot(1.3, 0.5), rel=0.02)
    assert pair.correlation == pytest.approx(1.3 / math.hypot(1.3, 0.5), rel=0.02)
    assert pair.beta == pytest.approx(pair.correlation * pair.ratio)
    assert pair.samples == pytest.approx(20_000, rel=1e-3)


@pytest.mark.parametrize("lag", [0, 1, 2, 3])
def test_the_lag_is_where_both_agree_best(lag: int) -> None:
    assert series(4_000, 1.0, 1e-4, lag).lag == lag


def test_a_prior_is_believed_first_and_fades() -> None:
    pair = Comovement(60.0, 0.8, 1.5, 120.0)
    assert (pair.correlation, pair.ratio, pair.lag) == (0.8, 1.5, 0)
    assert pair.beta == pytest.approx(1.2)
    chance = random.Random(4)
    for _ in range(60):
        pair.push(chance.gauss(0.0, 1.0), chance.gauss(0.0, 3.0))
    assert 0.2 < pair.correlation < 0.7
    for _ in range(3_000):
        pair.push(chance.gauss(0.0, 1.0), chance.gauss(0.0, 3.0))
    assert abs(pair.correlation) < 0.3
    assert pair.ratio == pytest.approx(3.0, rel=0.3)


def test_series_that_stand_still_say_nothing() -> None:
    pair = Comovement(60.0)
    assert (pair.correlation, pair.ratio, pair.beta) == (0.0, 1.0, 0.0)
    pair.push(0.0, 0.0)
    assert (pair.correlation, pair.ratio) == (0.0, 1.0)

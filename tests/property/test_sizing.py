"""Kelly on a lower bound: no more edge ever buys less, and no doubt ever buys more."""

from __future__ import annotations

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dailyarb.core.risk.sizing import Bin, Calibration, Stake, kelly, kelly_size_e6, wilson_low

CHANCE = st.floats(0.0, 1.0)
COST = st.floats(0.001, 0.999)
TRIALS = st.floats(1.0, 1e6)
SIGMAS = st.floats(0.0, 5.0)
CAPITAL = st.integers(-(10**9), 10**12)
QUICK = settings(max_examples=300, deadline=None)


@QUICK
@given(CHANCE, TRIALS, SIGMAS)
def test_the_bound_is_a_chance_at_or_below_the_share(p: float, n: float, z: float) -> None:
    low = wilson_low(p, n, z)
    assert 0.0 <= low <= p + 1e-12


@QUICK
@given(CHANCE, TRIALS, TRIALS, SIGMAS, SIGMAS)
def test_more_trials_raise_it_and_more_doubt_lowers_it(
    p: float, few: float, more: float, calm: float, wary: float
) -> None:
    few, more = sorted((few, more))
    calm, wary = sorted((calm, wary))
    assert wilson_low(p, few, calm) <= wilson_low(p, more, calm) + 1e-9
    assert wilson_low(p, few, wary) <= wilson_low(p, few, calm) + 1e-9


@QUICK
@given(CHANCE, CHANCE, COST, CAPITAL, st.floats(0.01, 1.0))
def test_the_size_grows_with_the_edge_and_never_stakes_more_than_its_share(
    low: float, high: float, cost: float, capital: int, fraction: float
) -> None:
    low, high = sorted((low, high))
    small = kelly_size_e6(Stake(low, cost), capital, fraction)
    large = kelly_size_e6(Stake(high, cost), capital, fraction)
    assert 0 <= small <= large
    assert large * cost <= max(0, capital) * fraction + 1.0
    assert (large == 0) or high > cost


@QUICK
@given(CHANCE, COST, COST)
def test_a_dearer_share_is_never_staked_more(q: float, cheap: float, dear: float) -> None:
    cheap, dear = sorted((cheap, dear))
    assert kelly(q, dear) <= kelly(q, cheap) + 1e-12


@QUICK
@given(CHANCE, st.integers(0, 500), st.integers(0, 500), st.integers(10, 5_000), SIGMAS)
def test_one_more_win_never_lowers_the_bound(
    chance: float, decided: int, wins: int, samples: int, z: float
) -> None:
    assume(wins < decided)
    expected = decided * chance
    tenth = min(9, int(chance * 10))
    worse, better = Calibration(), Calibration()
    worse.bins[tenth] = Bin(decided, wins, expected)
    better.bins[tenth] = Bin(decided, wins + 1, expected)
    low, high = (found.low(chance, samples, z) for found in (worse, better))
    assert 0.0 <= low <= high + 1e-9 <= 1.0 + 1e-9

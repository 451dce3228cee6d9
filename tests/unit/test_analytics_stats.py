"""Intervals, ratios and the rule that says when there is not enough evidence."""

from __future__ import annotations

import math
import random

import pytest

from dailyarb.analytics import stats


def test_the_rule_wants_blocks_and_fills() -> None:
    assert stats.enough(20, 30)
    assert not stats.enough(19, 1_000)
    assert not stats.enough(1_000, 29)
    assert "20 blocks" in stats.RULE
    assert "30 fills" in stats.RULE


def test_the_same_blocks_and_seed_give_the_same_interval() -> None:
    rng = random.Random(4)
    blocks = [rng.gauss(0.2, 1.0) for _ in range(60)]
    assert stats.redraw(blocks, seed=7) == stats.redraw(blocks, seed=7)
    assert stats.redraw(blocks, seed=7) != stats.redraw(blocks, seed=8)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = random.Random(11)
    hits = 0
    for trial in range(200):
        blocks = [rng.gauss(1.0, 3.0) for _ in range(40)]
        found = stats.redraw([b / 40 for b in blocks], seed=trial)
        hits += found.low <= 1.0 <= found.high
    assert 0.88 <= hits / 200 <= 0.99


def test_a_ratio_is_redrawn_with_its_weights() -> None:
    found = stats.redraw([2.0, 4.0, 6.0], [1.0, 2.0, 3.0])
    assert (found.low, found.high) == (2.0, 2.0)  # two a share in every block
    assert stats.redraw([1.0, 1.0], [0.0, 0.0]).n == 2  # no share at all: no ratio, no error
    assert stats.redraw([]) == stats.Interval(0.0, 0.0, 0)


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [(0.1, 0.2, "above zero"), (-0.2, -0.1, "below zero"), (-0.1, 0.1, "includes zero")],
)
def test_an_interval_says_on_which_side_of_zero_it_lies(low: float, high: float, word: str) -> None:
    assert stats.Interval(low, high, 30).verdict == word


def test_a_sharpe_ratio_needs_thirty_periods_and_a_spread() -> None:
    assert stats.sharpe([1.0] * 29, "hour") is None
    assert stats.sharpe([1.0] * 40, "hour") is None
    rng = random.Random(2)
    found = stats.sharpe([rng.gauss(0.5, 1.0) for _ in range(400)], "day")
    assert found is not None
    assert (found.n, found.period) == (400, "day")
    assert found.low < 0.5 < found.high
    assert found.high - found.low == pytest.approx(2 * 1.96 / math.sqrt(400), rel=0.15)


def test_many_trials_make_the_best_of_them_less_surprising() -> None:
    rng = random.Random(5)
    nets = [rng.gauss(0.3, 1.0) for _ in range(100)]
    few = stats.deflated(nets, [0.30, 0.28])
    many = stats.deflated(nets, [rng.gauss(0.0, 0.2) for _ in range(99)] + [0.3])
    assert few is not None
    assert many is not None
    assert 0.0 < many < few < 1.0
    assert stats.deflated(nets, [0.3]) is None
    assert stats.deflated(nets[:19], [0.3, 0.1]) is None


def test_drawdown_is_the_deepest_fall_from_a_peak() -> None:
    assert stats.drawdown([1.0, -0.5, 2.0, -3.0, 1.0]) == 3.0
    assert stats.drawdown([1.0, 1.0]) == 0.0
    assert stats.drawdown([-1.0, -1.0]) == 2.0  # the start is a peak


def test_brier_is_the_mean_squared_distance() -> None:
    assert stats.brier([(0.8, 1.0), (0.2, 0.0)]) == pytest.approx(0.04)
    assert stats.brier([]) is None

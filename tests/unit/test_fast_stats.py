"""Rolling statistics: the move, the volatility and the flow of a window."""

from __future__ import annotations

import math

import pytest

from dailyarb._fast.stats import EwmaVol, FlowSum, RollingMove, RollingVol

S = 1_000_000_000


def test_a_move_is_measured_from_the_value_in_force_when_the_window_began() -> None:
    move = RollingMove(10)
    for t_ns, value in ((0, 100), (4, 103), (12, 110), (15, 108)):
        move.push(t_ns, value)
    # The window is [5, 15]; at 5 the value of 4 was in force.
    assert move.move() == (5, 4)
    assert move.extremes() == (103, 110)
    assert move.count == 3


def test_a_move_of_nothing_is_zero() -> None:
    move = RollingMove(10)
    assert (move.move(), move.extremes(), move.count) == ((0, 0), (0, 0), 0)
    move.push(7, -5)
    assert (move.move(), move.extremes()) == ((0, 7), (-5, -5))


def test_advancing_forgets_the_move_without_a_new_value() -> None:
    move = RollingMove(10)
    move.push(0, 100)
    move.push(1, 130)
    assert move.move() == (30, 0)
    move.advance(11)
    assert move.move() == (0, 1)


def test_a_late_value_is_taken_as_the_newest_and_counted() -> None:
    move = RollingMove(10)
    move.push(20, 1)
    move.push(5, 2)
    assert (move.move(), move.late) == ((1, 20), 1)


def test_more_values_than_the_capacity_push_out_the_oldest_and_count() -> None:
    move = RollingMove(1000, capacity=4)
    for t_ns in range(6):
        move.push(t_ns, t_ns * t_ns)
    assert (move.count, move.overrun, move.move(), move.extremes()) == (4, 2, (21, 2), (4, 25))


def test_the_largest_values_do_not_overflow() -> None:
    move = RollingMove(1 << 61)
    move.push(0, -(1 << 61))
    move.push(1, 1 << 61)
    assert move.move() == (1 << 62, 0)


@pytest.mark.parametrize(("t_ns", "value"), [(-1, 0), ((1 << 62) + 1, 0), (0, (1 << 62) + 1)])
def test_a_move_refuses_what_could_overflow(t_ns: int, value: int) -> None:
    with pytest.raises(ValueError, match="out of range"):
        RollingMove(10).push(t_ns, value)


@pytest.mark.parametrize(("window_ns", "capacity"), [(0, 16), (10, 1), (10, (1 << 24) + 1)])
def test_a_window_has_bounds(window_ns: int, capacity: int) -> None:
    with pytest.raises(ValueError, match="allowed"):
        RollingMove(window_ns, capacity)
    with pytest.raises(ValueError, match="allowed"):
        FlowSum(window_ns, capacity)


def test_volatility_of_one_percent_a_second() -> None:
    vol = RollingVol(10 * S, S)
    for second in range(12):
        vol.push(second * S, 100.0 * math.exp(0.01 * (second % 2)))
    assert vol.count == 10
    assert vol.sigma() == pytest.approx(0.01)


def test_volatility_counts_the_grid_not_the_ticks_between() -> None:
    vol = RollingVol(10 * S, S)
    for tick in range(100):
        vol.push(tick * S // 20, 100.0 + (tick * 7 % 13 if tick % 20 else 0))
    assert vol.sigma() == 0.0
    assert vol.count == 4


def test_a_silence_longer_than_the_window_is_no_evidence_of_calm() -> None:
    vol = RollingVol(4 * S, S)
    for second, price in enumerate((100.0, 101.0, 100.0)):
        vol.push(second * S, price)
    assert vol.sigma() > 0.0
    vol.advance(1000 * S)
    assert (vol.count, vol.sigma(), vol.resets) == (0, 0.0, 1)
    vol.push(1000 * S, 102.0)
    vol.push(1001 * S, 102.0)
    assert vol.count == 1
    assert vol.sigma() == pytest.approx(math.log(1.02))


def test_advancing_samples_the_silence() -> None:
    vol = RollingVol(10 * S, S)
    vol.push(0, 100.0)
    vol.push(S, 101.0)
    vol.advance(4 * S + 1)
    assert vol.count == 4
    vol.advance(3 * S)
    assert vol.count == 4


def test_a_large_return_that_left_the_window_leaves_nothing_behind() -> None:
    vol = RollingVol(8 * S, S)
    vol.push(0, 1.0)
    for second in range(1, 11):
        vol.push(second * S, 1e8 * (1.0 + 1e-9 * (second % 2)))
    assert vol.count == 8
    assert vol.sigma() == pytest.approx(1e-9, rel=1e-6)


@pytest.mark.parametrize("price", [0.0, -1.0, math.nan, math.inf])
def test_volatility_refuses_prices_without_a_logarithm(price: float) -> None:
    with pytest.raises(ValueError, match="out of range"):
        RollingVol(10 * S, S).push(0, price)
    with pytest.raises(ValueError, match="out of range"):
        EwmaVol(S).push(0, price)


def test_a_volatility_window_must_fit_its_capacity() -> None:
    with pytest.raises(ValueError, match="samples"):
        RollingVol(100 * S, S, capacity=50)
    with pytest.raises(ValueError, match="samples"):
        RollingVol(S, S)


def test_weights_halve_every_half_life() -> None:
    vol = EwmaVol(S)
    vol.push(0, 100.0)
    vol.push(S, 101.0)
    vol.push(2 * S, 101.0)
    # squares 1/2 * r^2 + 0 over seconds 1/2 + 1.
    assert vol.sigma() == pytest.approx(math.log(1.01) / math.sqrt(3))
    assert vol.count == 2


def test_weighted_volatility_passes_over_crowded_ticks() -> None:
    vol = EwmaVol(S, sample_ns=S)
    vol.push(0, 100.0)
    vol.push(S // 2, 150.0)
    vol.push(S, 100.0)
    assert (vol.sigma(), vol.count) == (0.0, 1)


def test_simultaneous_ticks_are_no_volatility_before_time_passes() -> None:
    vol = EwmaVol(S)
    vol.push(5, 100.0)
    vol.push(3, 101.0)
    assert (vol.sigma(), vol.late) == (0.0, 1)
    vol.clear()
    assert (vol.count, vol.late) == (0, 0)


def test_flow_sums_both_sides_of_the_window() -> None:
    flow = FlowSum(10)
    for t_ns, size in ((0, 5), (3, -2), (9, 4), (11, -6)):
        flow.push(t_ns, size)
    assert (flow.buy, flow.sell, flow.count) == (4, 8, 3)
    assert flow.imbalance == pytest.approx(-1 / 3)
    flow.advance(21)
    assert (flow.buy, flow.sell, flow.count, flow.imbalance) == (0, 0, 0, 0.0)


def test_flow_beyond_its_capacity_counts_what_it_lost() -> None:
    flow = FlowSum(1000, capacity=2)
    for t_ns in range(5):
        flow.push(t_ns, 1)
    assert (flow.buy, flow.count, flow.overrun) == (2, 2, 3)
    flow.clear()
    assert (flow.buy, flow.count, flow.overrun) == (0, 0, 0)


def test_flow_refuses_a_size_that_could_overflow_the_sum() -> None:
    flow = FlowSum(10, capacity=4)
    largest = (1 << 62) // 4
    for t_ns in range(4):
        flow.push(t_ns, largest)
    assert flow.buy == 4 * largest
    with pytest.raises(ValueError, match="out of range"):
        flow.push(5, largest + 1)
    with pytest.raises(ValueError, match="out of range"):
        flow.advance(-1)

"""Flow over several windows: what is refused, and what a full ring forgets."""

from __future__ import annotations

import pytest

from dailyarb._fast.flow import BANDS_MAX, FlowWindows


@pytest.mark.parametrize(
    ("windows", "capacity"),
    [((), 64), ((1,) * (BANDS_MAX + 1), 64), ((0,), 64), ((1 << 62,), 64), ((1,), 1)],
)
def test_bad_windows_are_refused(windows: tuple[int, ...], capacity: int) -> None:
    with pytest.raises(ValueError, match=r"allowed"):
        FlowWindows(windows, capacity)


@pytest.mark.parametrize(
    "row", [(-1, 0, 0, 0, 0), (1 << 63) - 1, (5, -1, 0, 0, 0), (5, 0, 1 << 61, 0, 0)]
)
def test_numbers_out_of_range_change_nothing(row: object) -> None:
    flow = FlowWindows((100,), 4)
    flow.push(1, 3, 4, 1, 2)
    with pytest.raises((ValueError, TypeError)):
        flow.push(*(row if isinstance(row, tuple) else (row, 0, 0, 0, 0)))
    assert flow.sums(0) == (3, 4, 1, 2)
    with pytest.raises(ValueError, match="out of range"):
        flow.advance(-1)


def test_a_full_ring_forgets_the_oldest_and_says_so() -> None:
    flow = FlowWindows((1_000, 10), 4)
    for t_ns in range(6):
        flow.push(t_ns, 1, 0, 1, 0)
    assert flow.sums(0) == (4, 0, 4, 0)
    assert flow.overrun == 4, "two events in each of two windows"


def test_an_event_leaves_a_window_exactly_one_length_later() -> None:
    flow = FlowWindows((10, 30), 8)
    flow.push(100, 7, 0, 2, 0)
    flow.advance(109)
    assert flow.sums(0) == (7, 0, 2, 0)
    flow.advance(110)
    assert flow.sums(0) == (0, 0, 0, 0)
    assert flow.sums(1) == (7, 0, 2, 0)
    assert (flow.imbalance(0), flow.imbalance(1)) == (0.0, 1.0)


def test_there_is_no_window_beyond_the_last() -> None:
    flow = FlowWindows((10,))
    for band in (-1, 1):
        with pytest.raises(IndexError):
            flow.sums(band)
        with pytest.raises(IndexError):
            flow.imbalance(band)

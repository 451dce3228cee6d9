"""Rolling statistics against their pure-Python twins."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dailyarb._fast.flow import FlowWindows
from dailyarb._fast.stats import EwmaVol, FlowSum, RollingMove, RollingVol
from tests.oracles import stats as oracle

EVENTS = st.lists(st.tuples(st.integers(0, 60), st.integers(-1000, 1000)), max_size=60)
TICKS = st.lists(st.tuples(st.integers(0, 3_000), st.integers(900, 1100)), min_size=1, max_size=60)


def running(gaps: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Turns gaps into times, some of them late."""
    t_ns, out = 100, []
    for gap, value in gaps:
        t_ns += gap - 5
        out.append((max(0, t_ns), value))
    return out


@settings(max_examples=200, deadline=None)
@given(EVENTS, st.integers(1, 120), st.integers(0, 200))
def test_move_and_extremes(gaps: list[tuple[int, int]], window_ns: int, silence: int) -> None:
    ours, twin = RollingMove(window_ns, 64), oracle.Move(window_ns)
    for t_ns, value in running(gaps):
        ours.push(t_ns, value)
        twin.push(t_ns, value)
        assert ours.move() == twin.move()
        assert ours.extremes() == twin.extremes()
    ours.advance(twin.now + silence)
    twin.advance(twin.now + silence)
    assert (ours.move(), ours.extremes()) == (twin.move(), twin.extremes())


@settings(max_examples=200, deadline=None)
@given(EVENTS, st.integers(1, 120), st.integers(0, 200))
def test_flow(gaps: list[tuple[int, int]], window_ns: int, silence: int) -> None:
    ours = FlowSum(window_ns, 64)
    events = oracle.clamp_times(running(gaps))
    for i, (t_ns, size) in enumerate(events):
        ours.push(t_ns, size)
        assert (ours.buy, ours.sell, ours.count) == oracle.flow(events[: i + 1], t_ns, window_ns)
        assert -1.0 <= ours.imbalance <= 1.0
    if events:
        now_ns = events[-1][0] + silence
        ours.advance(now_ns)
        assert (ours.buy, ours.sell, ours.count) == oracle.flow(events, now_ns, window_ns)


@settings(max_examples=200, deadline=None)
@given(TICKS, st.integers(2, 12))
def test_realised_volatility(gaps: list[tuple[int, int]], samples: int) -> None:
    sample_ns = 3_000 // 2  # so that no gap is longer than the window
    ours = RollingVol(samples * sample_ns, sample_ns)
    t_ns, events = 0, []
    for gap, price in gaps:
        t_ns += gap
        events.append((t_ns, price / 10))
        ours.push(*events[-1])
    ours.advance(t_ns + 1)
    count, sigma = oracle.realised(events, t_ns + 1, samples * sample_ns, sample_ns)
    assert ours.count == count
    assert ours.sigma() == pytest.approx(sigma, rel=1e-9, abs=1e-15)


@settings(max_examples=200, deadline=None)
@given(TICKS, st.integers(1, 10_000))
def test_weighted_volatility(gaps: list[tuple[int, int]], half_life_ns: int) -> None:
    ours = EwmaVol(half_life_ns)
    t_ns, events = 0, []
    for gap, price in gaps:
        t_ns += gap
        events.append((t_ns, price / 10))
        ours.push(*events[-1])
    assert ours.sigma() == pytest.approx(oracle.weighted(events, half_life_ns), rel=1e-9, abs=1e-12)


@settings(max_examples=100, deadline=None)
@given(TICKS, st.integers(1, 10_000), st.floats(0.0, 1e-3), st.floats(0.0, 1e-5))
def test_weighted_volatility_with_a_prior(
    gaps: list[tuple[int, int]], half_life_ns: int, prior: float, prior_s: float
) -> None:
    ours = EwmaVol(half_life_ns, 0, prior, prior_s)
    t_ns, events = 0, []
    for gap, price in gaps:
        t_ns += gap
        events.append((t_ns, price / 10))
        ours.push(*events[-1])
    expected = oracle.weighted(events, half_life_ns, prior, prior_s)
    assert ours.sigma() == pytest.approx(expected, rel=1e-9, abs=1e-12)


FLOWS = st.lists(
    st.tuples(st.integers(0, 60), *[st.integers(0, 1_000) for _ in range(4)]), max_size=60
)


@settings(max_examples=200, deadline=None)
@given(FLOWS, st.lists(st.integers(1, 120), min_size=1, max_size=8), st.integers(0, 200))
def test_flow_over_several_windows(
    gaps: list[tuple[int, int, int, int, int]], windows: list[int], silence: int
) -> None:
    ours = FlowWindows(tuple(windows), 64)
    ours.advance(100)
    t_ns, events = 100, []
    for gap, *numbers in gaps:
        ours.push(t_ns + gap - 5, *numbers)
        t_ns = max(t_ns, t_ns + gap - 5)
        events.append((t_ns, *numbers))
    if events:
        ours.advance(t_ns + silence)
    for band, window_ns in enumerate(windows):
        expected = oracle.flow_bands(events, t_ns + silence, window_ns)
        assert ours.sums(band) == expected
        buy, sell = expected[:2]
        assert ours.imbalance(band) == pytest.approx((buy - sell) / max(1, buy + sell))
    assert ours.overrun == 0

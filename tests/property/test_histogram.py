"""The latency histogram against every time kept."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from dailyarb._fast.histogram import LatencyHistogram
from tests.oracles.histogram import percentile

TIMES = st.lists(st.integers(0, 37).flatmap(lambda bits: st.integers(0, 1 << bits)), min_size=1)


@settings(max_examples=200, deadline=None)
@given(TIMES, TIMES, st.floats(0, 100))
def test_percentiles_are_within_three_percent(
    first: list[int], second: list[int], q: float
) -> None:
    first = [min(ns, 100_000_000_000) for ns in first]
    second = [min(ns, 100_000_000_000) for ns in second]
    ours, other = LatencyHistogram(), LatencyHistogram()
    for ns in first:
        ours.record(ns)
    for ns in second:
        other.record(ns)
    ours.merge(LatencyHistogram.from_bytes(other.to_bytes()))
    exact = percentile(first + second, q)
    assert abs(ours.percentile(q) - exact) <= 0.03 * exact
    assert ours.max == max(first + second)
    assert ours.count == len(first + second)


@settings(max_examples=200, deadline=None)
@given(TIMES, st.lists(st.integers(0, 100_000_000_000), max_size=8).map(sorted))
def test_bounds_cover_all_but_what_lies_on_their_edge(times: list[int], bounds: list[int]) -> None:
    histogram = LatencyHistogram()
    for ns in times:
        histogram.record(ns)
    found = histogram.counts_within(tuple(bounds))
    assert found[-1] == len(times)
    assert list(found) == sorted(found)
    for bound, count in zip(bounds, found, strict=False):
        assert sum(ns <= bound * 0.97 - 1 for ns in times) <= count
        assert count <= sum(ns <= bound * 1.03 + 1 for ns in times)

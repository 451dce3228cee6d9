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

"""Latency histogram: bounded error, bounded memory, honest extremes."""

from __future__ import annotations

import pytest

from dailyarb._fast.histogram import LatencyHistogram

LONGEST_NS = 100_000_000_000


def filled(*times_ns: int) -> LatencyHistogram:
    """Returns a histogram of the times."""
    histogram = LatencyHistogram()
    for ns in times_ns:
        histogram.record(ns)
    return histogram


def test_an_empty_histogram_says_zero() -> None:
    assert LatencyHistogram().snapshot() == (0, 0, 0, 0, 0, 0)


def test_small_times_are_exact() -> None:
    histogram = filled(*range(32))
    assert histogram.percentile(50) == 15
    assert histogram.snapshot()[5] == 31


@pytest.mark.parametrize("ns", [1, 31, 32, 33, 63, 64, 1_000, 22_345, 10**6, 10**9, LONGEST_NS])
def test_a_time_is_given_back_within_three_percent(ns: int) -> None:
    histogram = filled(ns, LONGEST_NS)
    assert abs(histogram.percentile(50) - ns) <= 0.03 * ns


def test_what_is_out_of_range_is_counted_not_lost() -> None:
    histogram = filled(-5, LONGEST_NS + 1, 1 << 62)
    assert (histogram.count, histogram.over, histogram.max) == (3, 2, 1 << 62)
    assert histogram.percentile(1) == 0
    assert histogram.percentile(100) == 1 << 62


def test_no_percentile_exceeds_the_maximum() -> None:
    histogram = filled(1000, 1000, 1000)
    assert histogram.snapshot() == (3, 1000, 1000, 1000, 1000, 1000)
    assert histogram.sum_ns == 3000.0


def test_merging_adds() -> None:
    one, two = filled(5, 10_000), filled(7)
    one.merge(two)
    assert one.snapshot() == filled(5, 7, 10_000).snapshot()
    one.clear()
    assert one.snapshot() == (0, 0, 0, 0, 0, 0)


def test_bytes_carry_everything() -> None:
    histogram = filled(3, 50_000, 1 << 50)
    again = LatencyHistogram.from_bytes(histogram.to_bytes())
    assert again.snapshot() == histogram.snapshot()
    assert (again.over, again.sum_ns) == (1, histogram.sum_ns)


def test_foreign_bytes_are_refused() -> None:
    good = filled(3, 50_000).to_bytes()
    twice = good[:4] + (2).to_bytes(4, "little") + good[8:40] + good[40:52] * 2
    bad = [b"", good[:-1], b"XXXX" + good[4:], good[:8] + b"\x09" + good[9:], twice]
    bad.append(good[:24] + b"\xff" * 8 + good[32:])
    bad.append(good[:40] + b"\xff\xff\x00\x00" + good[44:])
    for blob in bad:
        with pytest.raises(ValueError, match="histogram"):
            LatencyHistogram.from_bytes(blob)


@pytest.mark.parametrize("q", [-0.1, 100.1, float("nan")])
def test_a_percentile_is_between_0_and_100(q: float) -> None:
    with pytest.raises(ValueError, match="allowed"):
        LatencyHistogram().percentile(q)


def test_bounds_cover_what_is_below_them() -> None:
    histogram = filled(5, 10, 10, 999, 5_000, LONGEST_NS, 1 << 62)
    assert histogram.counts_within((4, 10, 2_000, 10_000)) == (0, 3, 4, 5, 7)
    assert histogram.counts_within(()) == (7,)
    assert LatencyHistogram().counts_within((1, 10)) == (0, 0, 0)

"""What the shell tells of itself once a second."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import pytest

from dailyarb._fast.histogram import LatencyHistogram
from dailyarb.core.domain.events import (
    LATENCY_BOUNDS_NS,
    DiskState,
    Event,
    LatencyReport,
    LoopLag,
)
from dailyarb.runtime.gauges import Gauges


class Measured:
    """Is a shell with two stages, of which one has measured something."""

    def __init__(self) -> None:
        self.told: list[Event] = []
        self.used, self.unused = LatencyHistogram(), LatencyHistogram()

    def stages(self) -> dict[str, LatencyHistogram]:
        return {"sign": self.used, "decode": self.unused}

    def disk(self) -> DiskState:
        return DiskState(7, 1_000)

    def journal_mb(self) -> float:
        return 1.5

    def tell(self, event: Event) -> None:
        self.told.append(event)


async def test_a_second_is_told_as_latencies_disk_and_process(tmp_path: Path) -> None:
    measured = Measured()
    for ns in (20_000, 30_000, 2_000_000):
        measured.used.record(ns)
    Gauges(measured, tmp_path).second()
    latency, disk, loop = measured.told
    assert isinstance(latency, LatencyReport) and isinstance(loop, LoopLag)
    assert disk == DiskState(7, 1_000)
    assert [row.stage for row in latency.stages] == ["sign"]
    (row,) = latency.buckets
    within = dict(zip(LATENCY_BOUNDS_NS, row.counts, strict=False))
    assert (within[10_000], within[50_000], within[1_000_000], within[5_000_000]) == (0, 2, 2, 3)
    assert row.counts[-1] == 3
    assert row.sum_s == 0.00205
    assert loop.journal_mb == 1.5 and loop.rss_mb > 1 and loop.disk_free_gb > 0


class Ring:
    """Is garbage that only a collection finds, once it is let go."""

    def __init__(self) -> None:
        self.own = self


@pytest.mark.parametrize(("seconds", "already"), [(1, 0), (60, 1), (3_600, 60)])
def test_garbage_is_found_in_time_however_long_it_lived(
    tmp_path: Path, seconds: int, already: int
) -> None:
    gauges = Gauges(Measured(), tmp_path)
    gc.collect()
    gc.disable()
    try:
        ring = Ring()
        gone = weakref.ref(ring)
        for _ in range(already):
            gauges.collect()
        del ring
        for _ in range(seconds - already - 1):
            gauges.collect()
        assert gone() is not None
        gauges.collect()
        assert gone() is None
    finally:
        gc.enable()

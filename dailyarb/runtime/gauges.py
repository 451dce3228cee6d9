"""What the shell measures of itself, told to the engine once a second.

Stages: decode (frame to ladder), tick_to_decision (frame received to the decision), sign,
decision_to_order (decision to bytes handed to the kernel), tick_to_order (the whole), send_to_ack
(bytes out to the answer), event (one fact through the engine), view (one frame of the console).
"""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import shutil
from pathlib import Path
from typing import Protocol

from dailyarb._fast.histogram import LatencyHistogram
from dailyarb.core.domain.events import (
    LATENCY_BOUNDS_NS,
    DiskState,
    Event,
    LatencyReport,
    LoopLag,
    StageBuckets,
    StageLatency,
)
from dailyarb.runtime.clock import boot_ns

LAG_STEP_S = 0.01
_OLDER = ((3_600, 2), (60, 1))  # seconds between collections, and the oldest generation


class Measured(Protocol):
    """Is what the gauges read: histograms by stage, journal, places."""

    def stages(self) -> dict[str, LatencyHistogram]:
        """Returns the histograms by stage."""
        ...

    def disk(self) -> DiskState:
        """Returns the state of the journal's disk."""
        ...

    def journal_mb(self) -> float:
        """Returns the size of the journal."""
        ...

    def tell(self, event: Event) -> None:
        """Takes a report."""


class Gauges:
    """Measures loop lag, process and latencies; collects garbage where it costs nothing."""

    def __init__(self, measured: Measured, folder: Path) -> None:
        self.view = LatencyHistogram()
        self._measured = measured
        self._folder = folder
        self._lag = LatencyHistogram()
        self._expected_ns = 0
        self._cpu = (boot_ns(), _cpu_s())
        self._gc_ms = 0.0
        self._collected = 0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Starts measuring how late the loop is."""
        self._expected_ns = boot_ns() + round(LAG_STEP_S * 1e9)
        self._timer = asyncio.get_running_loop().call_later(LAG_STEP_S, self._late)

    def close(self) -> None:
        """Stops measuring."""
        if self._timer is not None:
            self._timer.cancel()

    def _late(self) -> None:
        self._lag.record(max(0, boot_ns() - self._expected_ns))
        self.start()

    def second(self) -> None:
        """Tells the engine what the last second was like."""
        stages = {**self._measured.stages(), "view": self.view}
        used = {name: found for name, found in stages.items() if found.count}
        rows = tuple(_row(name, found) for name, found in used.items())
        buckets = tuple(_buckets(name, found) for name, found in used.items())
        self._measured.tell(LatencyReport(rows, buckets))
        self._measured.tell(self._measured.disk())
        self._measured.tell(self._loop())
        self._lag.clear()

    def collect(self) -> None:
        """Collects garbage, timed; called once a second, between bursts.

        The youngest each time; rings that outlived it, as those of a lost connection may, by the
        minute and by the hour. What start-up built is frozen, so even that takes milliseconds.
        """
        self._collected += 1
        oldest = next((g for every, g in _OLDER if self._collected % every == 0), 0)
        began = boot_ns()
        gc.collect(oldest)
        self._gc_ms = (boot_ns() - began) / 1e6

    def _loop(self) -> LoopLag:
        now, cpu = boot_ns(), _cpu_s()
        was_ns, was_s = self._cpu
        self._cpu = (now, cpu)
        percent = 100.0 * (cpu - was_s) / max(1e-9, (now - was_ns) / 1e9)
        _, _, _, p99, _, worst = self._lag.snapshot()
        return LoopLag(
            p99_ms=p99 / 1e6,
            max_ms=worst / 1e6,
            cpu_percent=percent,
            rss_mb=rss_mb(),
            tasks=len(asyncio.all_tasks()),
            gc_ms=self._gc_ms,
            open_files=_open_files(),
            disk_free_gb=shutil.disk_usage(self._folder).free / 1e9,
            journal_mb=self._measured.journal_mb(),
        )


def _row(stage: str, found: LatencyHistogram) -> StageLatency:
    count, p50, _, p99, p999, worst = found.snapshot()
    return StageLatency(stage, count, p50 / 1e3, p99 / 1e3, p999 / 1e3, worst / 1e3)


def _buckets(stage: str, found: LatencyHistogram) -> StageBuckets:
    return StageBuckets(stage, found.counts_within(LATENCY_BOUNDS_NS), found.sum_ns / 1e9)


def _cpu_s() -> float:
    used = os.times()
    return used.user + used.system


def rss_mb() -> float:
    """Returns the resident memory of this process in MB; its peak where only that is told."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    except FileNotFoundError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def _open_files() -> int:
    try:
        return len(os.listdir("/proc/self/fd"))
    except FileNotFoundError:
        return 0

"""The one clock of the live process, and how far it is from the venues' clocks."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.errors import VenueError
from dailyarb.core.domain.events import ClockOffset

# Boot time counts suspend; where the system has none, monotonic time is the nearest.
_BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

ServerTime = Callable[[], Awaitable[float]]


def boot_ns() -> int:
    """Returns the boot clock in nanoseconds: never steps back, counts suspend."""
    return time.clock_gettime_ns(_BOOT)


class BootClock:
    """Is the live clock: boot time for ages, wall time plus a measured offset for venue time."""

    def __init__(self, offset_ns: int = 0) -> None:
        self.offset_ns = offset_ns

    def now(self) -> Instant:
        """Returns the present moment on both clocks."""
        return Instant(time.clock_gettime_ns(_BOOT), time.time_ns() + self.offset_ns)

    def wall_ns(self) -> int:
        """Returns venue time alone."""
        return time.time_ns() + self.offset_ns


class Sample(msgspec.Struct, frozen=True, gc=False):
    """Is one reading of a server's clock.

    sent_ns and got_ns are our wall clock without offset; server_s is what the server said;
    step_s is the resolution of its answer.
    """

    sent_ns: int
    got_ns: int
    server_s: float
    step_s: float

    @property
    def error_ns(self) -> float:
        """Returns the largest error this reading allows: half the round trip, half the step."""
        return (self.got_ns - self.sent_ns) / 2 + self.step_s * 1e9 / 2

    @property
    def offset_ns(self) -> float:
        """Returns server time minus our time; a coarse answer is read at the middle of its step."""
        return self.server_s * 1e9 + self.step_s * 1e9 / 2 - (self.sent_ns + self.got_ns) / 2


def best_offset(samples: Sequence[Sample]) -> ClockOffset | None:
    """Returns the offset all readings agree on best, None without readings.

    Each reading bounds the offset by an interval; their intersection is kept where there is one,
    so that many whole-second answers narrow each other. Readings that contradict the surest one
    are left out.
    """
    if not samples:
        return None
    ordered = sorted(samples, key=lambda sample: sample.error_ns)
    low, high = _interval(ordered[0])
    for sample in ordered[1:]:
        other_low, other_high = _interval(sample)
        if max(low, other_low) <= min(high, other_high):
            low, high = max(low, other_low), min(high, other_high)
    return ClockOffset((low + high) / 2e6, (high - low) / 2e6)


def _interval(sample: Sample) -> tuple[float, float]:
    return sample.offset_ns - sample.error_ns, sample.offset_ns + sample.error_ns


async def take_sample(server_time: ServerTime, step_s: float) -> Sample | None:
    """Returns one reading of a server's clock, or None when it did not answer."""
    sent_ns = time.time_ns()
    try:
        server_s = await server_time()
    except VenueError:
        return None
    return Sample(sent_ns, time.time_ns(), server_s, step_s)


async def measure(
    sources: Sequence[tuple[ServerTime, float]], rounds: int = 5
) -> ClockOffset | None:
    """Returns venue time minus wall clock from several readings of each source.

    Args:
        sources: each server's clock and the resolution of its answers in seconds.
        rounds: readings per source.
    """
    samples: list[Sample] = []
    for _ in range(rounds):
        for server_time, step_s in sources:
            sample = await take_sample(server_time, step_s)
            if sample is not None:
                samples.append(sample)
    return best_offset(samples)

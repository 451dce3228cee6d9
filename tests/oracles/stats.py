"""Pure-Python twins of `dailyarb._fast.stats`: every event kept, every figure taken anew."""

from __future__ import annotations

import math
from itertools import pairwise


def clamp_times(events: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Returns the events with each time raised to the newest one before it."""
    out: list[tuple[int, int]] = []
    for t_ns, value in events:
        out.append((max(t_ns, out[-1][0]) if out else t_ns, value))
    return out


class Move:
    """Is the twin of `RollingMove` without a capacity."""

    def __init__(self, window_ns: int) -> None:
        self.window_ns = window_ns
        self.events: list[tuple[int, int]] = []
        self.now = 0

    def push(self, t_ns: int, value: int) -> None:
        """Takes one value."""
        self.now = max(self.now, t_ns)
        self.events.append((self.now, value))

    def advance(self, now_ns: int) -> None:
        """Moves the window on."""
        self.now = max(self.now, now_ns)

    def kept(self) -> list[tuple[int, int]]:
        """Returns the values in the window and the one in force when it began."""
        start = self.now - self.window_ns
        before = [i for i, (t_ns, _) in enumerate(self.events) if t_ns <= start]
        return self.events[before[-1] if before else 0 :]

    def move(self) -> tuple[int, int]:
        """Returns the move and the time of the value it is measured from."""
        kept = self.kept()
        return (kept[-1][1] - kept[0][1], kept[0][0]) if kept else (0, 0)

    def extremes(self) -> tuple[int, int]:
        """Returns the lowest and highest value in force."""
        values = [value for _, value in self.kept()]
        return (min(values), max(values)) if values else (0, 0)


def realised(
    events: list[tuple[int, float]], now_ns: int, window_ns: int, sample_ns: int
) -> tuple[int, float]:
    """Returns (returns, sigma per root second) of `RollingVol`, for gaps within the window."""
    start = -(-events[0][0] // sample_ns) * sample_ns
    samples = []
    position, last = 0, 0.0
    for grid_ns in range(start, now_ns, sample_ns):
        while position < len(events) and events[position][0] <= grid_ns:
            last = events[position][1]
            position += 1
        samples.append(last)
    changes = [math.log(b / a) for a, b in pairwise(samples)]
    changes = changes[-(window_ns // sample_ns) :]
    if not changes:
        return 0, 0.0
    total = math.fsum(change * change for change in changes)
    return len(changes), math.sqrt(total / (len(changes) * sample_ns / 1e9))


def weighted(
    events: list[tuple[int, float]], half_life_ns: int, prior: float = 0.0, prior_s: float = 0.0
) -> float:
    """Returns sigma per root second of `EwmaVol` without a sampling step."""
    end = events[-1][0]
    faded = 0.5 ** ((end - events[0][0]) / half_life_ns)
    squares, seconds = prior**2 * prior_s * faded, prior_s * faded
    for (t_0, v_0), (t_1, v_1) in pairwise(events):
        weight = 0.5 ** ((end - t_1) / half_life_ns)
        squares += weight * math.log(v_1 / v_0) ** 2
        seconds += weight * (t_1 - t_0) / 1e9
    return math.sqrt(squares / seconds) if seconds else 0.0


def flow(events: list[tuple[int, int]], now_ns: int, window_ns: int) -> tuple[int, int, int]:
    """Returns (buy, sell, count) of the events in (now - window, now]."""
    inside = [size for t_ns, size in events if now_ns - window_ns < t_ns]
    return sum(s for s in inside if s > 0), -sum(s for s in inside if s < 0), len(inside)


def flow_bands(
    events: list[tuple[int, int, int, int, int]], now_ns: int, window_ns: int
) -> tuple[int, ...]:
    """Returns (buy, sell, buys, sells) of the events in (now - window, now]."""
    inside = [event[1:] for event in events if now_ns - event[0] < window_ns]
    return tuple(sum(row[i] for row in inside) for i in range(4))

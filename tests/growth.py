"""Whether a size grows: the slope of its samples with an interval.

The median of the slopes of all pairs of points, after Theil; its interval, which assumes nothing
about the noise, after Sen, Estimates of the Regression Coefficient Based on Kendall's Tau, 1968.
Points are means of blocks as long as windows live, since what comes and goes with them is no noise.
"""

from __future__ import annotations

from itertools import combinations
from math import sqrt
from statistics import fmean, median
from typing import NamedTuple

BLOCKS_MIN = 6  # fewer say nothing
SIGMAS = 1.645  # one-sided 95 %
Points = list[tuple[float, float]]


class Slope(NamedTuple):
    """Is a slope per hour and the ends of its interval, each reached with 95 %."""

    low: float
    middle: float
    high: float


def slope(points: Points, block_s: float) -> Slope | None:
    """Returns the slope an hour of (seconds, number), None where there are too few blocks."""
    blocks: dict[int, Points] = {}
    for point in points:
        blocks.setdefault(int(point[0] // block_s), []).append(point)
    means = [(fmean(x for x, _ in b), fmean(y for _, y in b)) for b in blocks.values()]
    n = len(means)
    if n < BLOCKS_MIN:
        return None
    slopes = sorted(3600.0 * (d - b) / (c - a) for (a, b), (c, d) in combinations(means, 2))
    spread = SIGMAS * sqrt(n * (n - 1) * (2 * n + 5) / 18.0)
    low = max(0, round((len(slopes) - spread) / 2.0) - 1)
    high = min(len(slopes) - 1, round((len(slopes) + spread) / 2.0))
    return Slope(slopes[low], median(slopes), slopes[high])


def sizes(points: Points, block_s: float, allowed: float) -> dict[str, object]:
    """Returns what to print of one size; `grows` where even the low end is above the allowed.

    Args:
        points: (seconds, number), warm-up left out.
        block_s: how long a block is.
        allowed: growth an hour that is no leak.
    """
    found = slope(points, block_s)
    numbers = [y for _, y in points]
    told: dict[str, object] = {"first": numbers[0], "last": numbers[-1], "max": max(numbers)}
    if found is None:
        return {**told, "slope_per_hour": "too short to say", "grows": False}
    told["slope_per_hour"] = [round(end, 3) for end in found]
    return {**told, "allowed_per_hour": allowed, "grows": found.low > allowed}

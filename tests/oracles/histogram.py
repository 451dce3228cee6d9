"""Pure-Python twin of `dailyarb._fast.histogram`: it keeps every time."""

from __future__ import annotations

import math


def percentile(times_ns: list[int], q: float) -> int:
    """Returns the exact nearest-rank percentile."""
    ranked = sorted(times_ns)
    rank = max(1, math.ceil(q / 100.0 * len(ranked)))
    return ranked[min(rank, len(ranked)) - 1]

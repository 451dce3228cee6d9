"""Numbers with an interval, or the sentence that there is not enough evidence.

The unit of evidence is the block: windows that end together, of one asset or of several, are one
draw of chance, however many fills they hold. Intervals are those of a block bootstrap: blocks are
drawn again with replacement, as many as there are, and the middle 95 % of the results are kept.

RULE, used wherever an interval could stand: with fewer than 20 blocks that hold fills, or fewer
than 30 fills, there is not enough evidence and no interval is shown. A Sharpe ratio wants 30
periods, days if there are so many, else hours.

Sources: Efron 1979 and Künsch 1989 for the bootstrap; Bailey and López de Prado 2014 for the
deflated Sharpe ratio.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import msgspec
import numpy as np

BLOCKS_MIN = 20
FILLS_MIN = 30
PERIODS_MIN = 30
DRAWS = 2_000
LEVEL = 0.95
NOT_ENOUGH = "not enough evidence"
RULE = (
    f"{NOT_ENOUGH}: fewer than {BLOCKS_MIN} blocks (windows ending together) with fills, "
    f"or fewer than {FILLS_MIN} fills; a Sharpe ratio wants {PERIODS_MIN} periods"
)
_NORMAL = NormalDist()
_EULER = 0.5772156649015329


class Interval(msgspec.Struct, frozen=True):
    """Is the middle 95 % of what redrawn blocks gave; n counts the blocks."""

    low: float
    high: float
    n: int

    @property
    def verdict(self) -> str:
        """Returns whether it lies wholly above or below zero."""
        if self.low > 0:
            return "above zero"
        return "below zero" if self.high < 0 else "includes zero"


def enough(blocks: int, fills: int) -> bool:
    """Says whether the rule allows an interval."""
    return blocks >= BLOCKS_MIN and fills >= FILLS_MIN


def redraw(
    totals: Sequence[float], weights: Sequence[float] | None = None, seed: int = 1
) -> Interval:
    """Returns the interval of the sum over blocks, or of sum over weight.

    Args:
        totals: one number a block, blocks without a fill included as 0.
        weights: what it is divided by, a block (shares, say); None for the plain sum.
        seed: of the draws; the same blocks and seed give the same interval.
    """
    values = np.asarray(totals, dtype=np.float64)
    count = len(values)
    if not count:
        return Interval(0.0, 0.0, 0)
    chosen = np.random.default_rng(seed).integers(0, count, size=(DRAWS, count))
    sums = values[chosen].sum(axis=1)
    if weights is not None:
        below = np.asarray(weights, dtype=np.float64)[chosen].sum(axis=1)
        sums = sums[below > 0] / below[below > 0]
    if not len(sums):
        return Interval(0.0, 0.0, count)
    tail = (1.0 - LEVEL) / 2.0
    low, high = np.quantile(sums, [tail, 1.0 - tail])
    return Interval(float(low), float(high), count)


class Sharpe(msgspec.Struct, frozen=True):
    """Is mean over standard deviation of net P&L a period, not annualised."""

    ratio: float
    low: float
    high: float
    n: int
    period: str


def sharpe(nets: Sequence[float], period: str) -> Sharpe | None:
    """Returns the ratio with its 95 % interval; None where the rule says not enough.

    The interval is that of Mertens 2002, which minds skew and fat tails.
    """
    values = np.asarray(nets, dtype=np.float64)
    spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    if len(values) < PERIODS_MIN or spread == 0.0:
        return None
    ratio = float(values.mean()) / spread
    error = _sharpe_error(values, ratio)
    wide = _NORMAL.inv_cdf(0.5 + LEVEL / 2.0) * error
    return Sharpe(ratio, ratio - wide, ratio + wide, len(values), period)


def _sharpe_error(values: np.ndarray, ratio: float) -> float:
    scores = (values - values.mean()) / values.std()
    skew, kurtosis = float((scores**3).mean()), float((scores**4).mean())
    inner = 1.0 - skew * ratio + (kurtosis - 1.0) / 4.0 * ratio * ratio
    return math.sqrt(max(inner, 0.0) / (len(values) - 1))


def deflated(nets: Sequence[float], trials: Sequence[float]) -> float | None:
    """Returns the probability that the best of several trials is better than the best by luck.

    Args:
        nets: net results of the chosen trial, a block each.
        trials: the ratio (mean over sd a block) of every trial that was looked at, itself included.
    """
    values = np.asarray(nets, dtype=np.float64)
    if len(values) < BLOCKS_MIN or len(trials) < 2 or float(values.std()) == 0.0:
        return None
    spread = float(np.std(np.asarray(trials), ddof=1))
    count = len(trials)
    best = spread * (
        (1.0 - _EULER) * _NORMAL.inv_cdf(1.0 - 1.0 / count)
        + _EULER * _NORMAL.inv_cdf(1.0 - 1.0 / (count * math.e))
    )
    ratio = float(values.mean()) / float(values.std(ddof=1))
    error = _sharpe_error(values, ratio)
    return _NORMAL.cdf((ratio - best) / error) if error > 0.0 else None


def ratio_of(nets: Sequence[float]) -> float:
    """Returns mean over standard deviation, 0 where it has none."""
    values = np.asarray(nets, dtype=np.float64)
    spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    return float(values.mean()) / spread if spread else 0.0


def drawdown(nets: Sequence[float]) -> float:
    """Returns the deepest fall of the running sum below its highest point so far, >= 0."""
    running = peak = worst = 0.0
    for net in nets:
        running += net
        peak = max(peak, running)
        worst = max(worst, peak - running)
    return worst


def brier(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Returns the mean squared distance of probabilities from outcomes (0 or 1)."""
    if not pairs:
        return None
    return sum((said - came) ** 2 for said, came in pairs) / len(pairs)

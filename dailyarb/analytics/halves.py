"""What can be measured of S4, S6 and X1 where no recording carries the whole of them.

Each of the three needs something beside a book that was never recorded there. Half of each
hypothesis needs no such pair: whether prices of windows that end together contradict each other at
all (S4), whether Binance goes on in the direction of its aggressors (S6), whether one asset follows
another late enough to be met (X1).
"""

from __future__ import annotations

import gzip
from functools import lru_cache
from math import log
from pathlib import Path
from typing import Any, NamedTuple

from dailyarb._fast.spot import SpotRouter
from dailyarb.core.domain.settings import S6Settings
from dailyarb.core.domain.units import MS, SECOND
from dailyarb.core.pricing.flow import MIDDLE, FlowMeter
from dailyarb.core.pricing.lead import Comovement

SPOT = "ws/binance/hftbacktest/{}_20240808.gz"
ENDS = "recordings/rogersialves-window-end/snapshots_{}.parquet"
STEP_NS = 250 * MS
AHEAD_S = 5
CENTS_PER_BP = 3.0  # the most a share near even odds moves with the reference (FINDINGS.md, 4)
COST_CENTS = 1.75 + 0.5  # fee at even odds and half a spread of one cent (FINDINGS.md, 2 and 8)
FROZEN_USD = 100.0  # apart: one of the two feeds stood still
NEAR_SURE_CENTS = 5.0
_LAGS_S = 3
_NO_PRIOR_S = 1e6
_ROW_NS = SECOND // STEP_NS
_SECONDS = {"5m": 300, "15m": 900}


class Moment(NamedTuple):
    """Is Binance at one instant: mid x 1e8, 5 s imbalance, aggressor trades of these 5 s."""

    mid_e8: int
    share: float
    trades: int


class Flowed(NamedTuple):
    """Is what came after one-sided flow: mean move with it over AHEAD_S seconds, basis points."""

    samples: int
    seconds: float
    mean_bp: float
    needed_bp: float


class Followed(NamedTuple):
    """Is how one asset follows another over one-second returns."""

    samples: float
    correlation: float
    ratio: float
    lag_s: int


class Bounds(NamedTuple):
    """Is how often two windows that end together broke the order that their strikes demand."""

    pairs: int
    broken: int
    broken_widely: int  # by more than NEAR_SURE_CENTS
    mixed_up: int  # left out: one strike in both, though they began ten minutes apart


@lru_cache(maxsize=2)
def moments(file: Path, symbol: str) -> list[Moment]:
    """Returns a recording of combined streams on a grid of STEP_NS, read by the feed's router."""
    router, meter = SpotRouter(), FlowMeter()
    index = router.add_symbol(symbol.upper())
    found: list[Moment] = []
    next_ns = 0
    with gzip.open(file, "rb") as lines:
        for line in lines:
            stamp, frame = line.split(b" ", 1)
            recv_ns = int(stamp)
            router.on_frame(frame.strip(), recv_ns)
            buy, sell, trades, _, _, buys = router.take_flow(index)
            if trades:
                meter.push(recv_ns, buy, sell, buys, trades - buys)
            bid, _, ask, *_ = router.quote(index)
            if bid and recv_ns >= next_ns:
                flow = meter.read(recv_ns)[MIDDLE]
                found.append(Moment((bid + ask) // 2, flow.share, flow.trades))
                next_ns = (next_ns or recv_ns) + STEP_NS
    return found


def flowed(rows: list[Moment], own: S6Settings) -> Flowed | None:
    """Returns the mean move after moments that pass S6's own gates, None where none does."""
    ahead = AHEAD_S * _ROW_NS
    moves = [
        (1.0 if row.share > 0 else -1.0) * log(rows[at + ahead].mid_e8 / row.mid_e8) * 1e4
        for at, row in enumerate(rows[:-ahead])
        if row.trades >= own.min_trades and abs(row.share) >= own.min_imbalance
    ]
    if not moves:
        return None
    mean_bp = sum(moves) / len(moves)
    return Flowed(len(moves), len(rows) / _ROW_NS, mean_bp, COST_CENTS / CENTS_PER_BP)


def followed(leader: list[Moment], follower: list[Moment]) -> Followed:
    """Returns how the follower's one-second returns go with the leader's."""
    first, second = leader[::_ROW_NS], follower[::_ROW_NS]
    pair = Comovement(_NO_PRIOR_S, lags_max=_LAGS_S)
    for at in range(1, min(len(first), len(second))):
        pair.push(
            log(first[at].mid_e8 / first[at - 1].mid_e8),
            log(second[at].mid_e8 / second[at - 1].mid_e8),
        )
    return Followed(pair.samples, pair.correlation, pair.ratio, pair.lag)


def bounds(short: Path, long: Path) -> Bounds:
    """Returns how often 5m and 15m windows contradicted each other seconds before a common end.

    UP with the lower strike cannot be worth less. Prices are the venue's last ones, not touches.
    """
    first, second = (_ends(file, label) for file, label in ((short, "5m"), (long, "15m")))
    ends = first.keys() & second.keys()
    gaps = []
    for end_s in ends:
        (strike, price), (other, peer) = first[end_s], second[end_s]
        if strike != other:
            gaps.append((peer - price if strike < other else price - peer) * 100)
    return Bounds(
        len(gaps),
        sum(gap > 0.0 for gap in gaps),
        sum(gap > NEAR_SURE_CENTS for gap in gaps),
        len(ends) - len(gaps),
    )


def _ends(file: Path, label: str) -> dict[int, tuple[float, float]]:
    """Returns (strike, price of UP) of the windows of a file by their end."""
    from pyarrow import parquet

    rows: list[dict[str, Any]] = parquet.read_table(file).to_pylist()
    return {
        int(row["market_slug"].rsplit("-", 1)[1]) + _SECONDS[label]: (
            row["price_to_beat"],
            row["poly_up_price"],
        )
        for row in rows
        if row["price_to_beat"] and row["poly_up_price"] is not None
        and abs(row["binance_vs_oracle_usd"] or 0.0) <= FROZEN_USD
    }  # fmt: skip

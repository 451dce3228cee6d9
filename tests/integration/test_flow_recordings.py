"""Order flow and cross-asset moves on recorded Binance frames: what S6 and X1 rest on."""

from __future__ import annotations

import gzip
from functools import lru_cache
from math import log
from pathlib import Path

import pytest

from dailyarb._fast.spot import SpotRouter
from dailyarb.core.domain.settings import S6Settings
from dailyarb.core.domain.units import MS, SECOND
from dailyarb.core.pricing.flow import MIDDLE, FlowMeter
from dailyarb.core.pricing.lead import Comovement

STEP_NS = 250 * MS
AHEAD = 20  # steps: five seconds
CENTS_PER_BP = 3.0  # the most a share near even odds moves with the reference (FINDINGS 4)
COST_CENTS = 1.75 + 0.5  # fee at even odds and half a spread of one cent (FINDINGS 2 and 8)

# (mid, 5 s imbalance, aggressor trades of these 5 s) every quarter of a second.
Row = tuple[int, float, int]


@lru_cache(maxsize=2)
def rows(data: Path, symbol: str) -> list[Row]:
    """Plays a recording through the feed's own router and samples it on a grid of time."""
    file = data / f"ws/binance/hftbacktest/{symbol}_20240808.gz"
    router, meter = SpotRouter(), FlowMeter()
    index = router.add_symbol(symbol.upper())
    found: list[Row] = []
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
                found.append(((bid + ask) // 2, flow.share, flow.trades))
                next_ns = (next_ns or recv_ns) + STEP_NS
    return found


@pytest.mark.parametrize("symbol", ["btcusdt", "ethusdt"])
def test_one_sided_flow_predicts_less_than_it_costs_to_trade_on(
    shared_data: Path, symbol: str
) -> None:
    """S6 falls on these six minutes: the move after strong flow does not pay fee and spread."""
    own, sampled = S6Settings(), rows(shared_data, symbol)
    strong = [
        (share, log(sampled[at + AHEAD][0] / mid) * 1e4)
        for at, (mid, share, trades) in enumerate(sampled[:-AHEAD])
        if trades >= own.min_trades and abs(share) >= own.min_imbalance
    ]
    assert len(strong) > 300
    mean_bp = sum(move if share > 0 else -move for share, move in strong) / len(strong)
    assert abs(mean_bp) < 0.5
    assert mean_bp * CENTS_PER_BP < COST_CENTS
    assert own.impact_bps < 0.5, "the default does not promise more than was seen"


def test_eth_follows_btc_within_the_second(shared_data: Path) -> None:
    """X1's ratio is there, its lag is not: by the next second ETH has done its part."""
    btc, eth = (rows(shared_data, symbol)[::4] for symbol in ("btcusdt", "ethusdt"))
    pair = Comovement(1e6, lags_max=3)
    for at in range(1, min(len(btc), len(eth))):
        pair.push(log(btc[at][0] / btc[at - 1][0]), log(eth[at][0] / eth[at - 1][0]))
    assert pair.samples > 300
    assert 0.4 < pair.correlation < 0.95
    assert 0.7 < pair.ratio < 1.8
    assert pair.lag == 0


def test_the_grid_is_one_of_time(shared_data: Path) -> None:
    assert len(rows(shared_data, "btcusdt")) == pytest.approx(346 * SECOND / STEP_NS, rel=0.03)

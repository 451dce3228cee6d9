"""The halves of S4, S6 and X1 that recordings can show."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import pytest

from dailyarb.analytics import halves
from dailyarb.analytics.halves import Moment, bounds, flowed, followed
from dailyarb.core.domain.settings import S6Settings
from dailyarb.core.domain.units import SECOND


@lru_cache(maxsize=2)
def rows(data: Path, symbol: str) -> list[Moment]:
    return halves.moments(data / halves.SPOT.format(symbol), symbol)


@pytest.mark.parametrize("symbol", ["btcusdt", "ethusdt"])
def test_one_sided_flow_predicts_less_than_it_costs_to_trade_on(
    shared_data: Path, symbol: str
) -> None:
    """S6 falls on these six minutes: the move after strong flow does not pay fee and spread."""
    own = S6Settings()
    found = flowed(rows(shared_data, symbol), own)
    assert found is not None and found.samples > 300
    assert abs(found.mean_bp) < 0.5 < found.needed_bp
    assert own.impact_bps < 0.5, "the default does not promise more than was seen"


def test_flow_that_is_followed_is_seen_to_be() -> None:
    rising = [Moment(10**12 + at * 10**7, 1.0, 50) for at in range(100)]
    found = flowed(rising, S6Settings())
    assert found is not None
    assert found.mean_bp == pytest.approx(20 * 0.1, rel=0.01)  # twenty steps of a tenth of a bp
    falling = [row._replace(share=-1.0) for row in rising]
    against = flowed(falling, S6Settings())
    assert against is not None and against.mean_bp == pytest.approx(-found.mean_bp)
    assert flowed([row._replace(trades=0) for row in rising], S6Settings()) is None


def test_eth_follows_btc_within_the_second(shared_data: Path) -> None:
    """X1's ratio is there, its lag is not: by the next second ETH has done its part."""
    found = followed(*(rows(shared_data, symbol) for symbol in ("btcusdt", "ethusdt")))
    assert found.samples > 300
    assert 0.4 < found.correlation < 0.95
    assert 0.7 < found.ratio < 1.8
    assert found.lag_s == 0


def test_an_asset_that_follows_late_is_seen_to(shared_data: Path) -> None:
    btc = rows(shared_data, "btcusdt")
    late = btc[:4] + btc[:-4]
    assert followed(btc, late).lag_s == 1


def test_windows_that_end_together_hardly_contradict_each_other(shared_data: Path) -> None:
    """S4's bound needs touches to be traded on: what stands against it are stale last prices."""
    found = bounds(*(shared_data / halves.ENDS.format(label) for label in ("5m", "15m")))
    assert (found.pairs, found.mixed_up) == (217, 22)
    assert found.broken_widely < found.pairs * 0.05


def test_the_lower_strike_bounds_the_other_from_above(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    def file(label: str, seconds: int, said: list[tuple[float, float]]) -> Path:
        table = [
            {"market_slug": f"btc-updown-{label}-{900 * (at + 1) - seconds}",
             "price_to_beat": strike, "poly_up_price": price, "binance_vs_oracle_usd": 0.0}
            for at, (strike, price) in enumerate(said)
        ]  # fmt: skip
        path = tmp_path / f"{label}.parquet"
        parquet.write_table(pyarrow.Table.from_pylist(table), path)
        return path

    short = file("5m", 300, [(100.0, 0.4), (100.0, 0.4), (100.0, 0.4), (100.0, 0.4)])
    long = file("15m", 900, [(99.0, 0.5), (99.0, 0.38), (101.0, 0.6), (100.0, 0.5)])
    found = bounds(short, long)
    # In order, broken by 2 c, broken by 20 c, and one strike in both: nothing to go by.
    assert found == (3, 2, 1, 1)


def test_the_grid_is_one_of_time(shared_data: Path) -> None:
    assert len(rows(shared_data, "btcusdt")) == pytest.approx(
        346 * SECOND / halves.STEP_NS, rel=0.03
    )

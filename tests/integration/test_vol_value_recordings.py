"""S5 on recorded mids: does the price come to the model after volatility has departed?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from dailyarb.analytics.pricing import ADRIEN, MATT
from dailyarb.core.domain.settings import Pricing, S5Settings
from dailyarb.core.domain.units import SECOND, SPOT_ONE_E8
from dailyarb.core.pricing.fair import Terms, fair_spot, normal_score
from dailyarb.core.pricing.volatility import Volatility

APART_S = 20.0  # between two moments that are counted
BLOCKS_MIN = 20  # windows, below which there is not enough evidence


class Moment(NamedTuple):
    """Is one row of a recording: seconds, dollars, UP mid, seconds left, which window."""

    at_s: float
    spot: float
    strike: float
    mid: float
    tau_s: float
    window: str


def adrien(data: Path) -> list[Moment]:
    """Returns 5m mids beside Binance."""
    found, spot = [], 0.0
    for row in sorted(_rows(data / ADRIEN), key=lambda r: int(r["ts_ms"])):
        spot = row["binance_micro"] or spot
        if row["up_mid"] is not None and spot and row["strike"]:
            at_s = row["ts_ms"] / 1e3
            end_s = int(row["slug"].rsplit("-", 1)[1]) + 300
            found.append(
                Moment(at_s, spot, row["strike"], row["up_mid"], end_s - at_s, row["slug"])
            )
    return found


def matt(data: Path) -> list[Moment]:
    """Returns hourly mids beside the last print."""
    rows = sorted(_rows(data / MATT), key=lambda r: float(r["timestamp"]))
    ends: dict[str, float] = {}
    for name in {row["market"] for row in rows}:
        own = [row["timestamp"] for row in rows if row["market"] == name]
        ends[name] = (own[len(own) // 2] // 3600 + 1) * 3600
    return [
        Moment(
            row["timestamp"], row["btc_price"], row["strike_price"], row["poly_yes_price"],
            ends[row["market"]] - row["timestamp"], row["market"],
        )
        for row in rows
        if row["btc_price"] and row["strike_price"] and row["poly_yes_price"] is not None
        and 0 < row["poly_yes_price"] < 1 and 0 < ends[row["market"]] - row["timestamp"] <= 3600
    ]  # fmt: skip


def _rows(path: Path) -> list[dict[str, Any]]:
    parquet = pytest.importorskip("pyarrow.parquet")
    rows: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
    return rows


def signals(rows: list[Moment]) -> Iterator[tuple[int, float]]:
    """Gives (row, model less mid) where S5's own gates pass, with what was known by then."""
    own, pricing = S5Settings(), Pricing()
    measure, last_s = Volatility(pricing), -math.inf
    for i, row in enumerate(rows):
        measure.push(int(row.at_s * SECOND), int(row.spot * SPOT_ONE_E8), int(row.at_s))
        sigma = measure.sigma(row.tau_s, int(row.at_s))
        lean, end = 100 * abs(row.mid - 0.5), 100 * min(row.mid, 1 - row.mid)
        if sigma is None or row.tau_s < own.min_time_left_s or row.at_s - last_s < APART_S:
            continue
        if lean < own.min_lean_cents or end < own.min_end_cents:
            continue
        terms = Terms(row.spot, row.strike, row.tau_s, sigma, 0.0, pricing.tail_log_sd)
        model = fair_spot(terms).p_up
        scores = normal_score(model), normal_score(row.mid)
        if scores[0] * scores[1] <= 0:
            continue
        if abs(math.log(scores[1] / scores[0])) >= own.min_vol_gap:
            last_s = row.at_s
            yield i, model - row.mid


def markouts(rows: list[Moment], after_s: float) -> tuple[list[float], int]:
    """Returns how far the mid came towards the model, in cents, and in how many windows."""
    found, windows = [], set()
    for i, gap in signals(rows):
        later = next(
            (r for r in rows[i:] if r.at_s >= rows[i].at_s + after_s or r.window != rows[i].window),
            None,
        )
        if later is not None and later.window == rows[i].window:
            moved = 100 * (later.mid - rows[i].mid)
            found.append(moved if gap > 0 else -moved)
            windows.add(rows[i].window)
    return found, len(windows)


def test_on_five_minute_windows_the_price_goes_away_from_the_model(shared_data: Path) -> None:
    found, windows = markouts(adrien(shared_data), 60.0)
    assert len(found) > 40
    assert windows < BLOCKS_MIN, "one evening: a sign, no proof"
    assert sum(found) / len(found) == pytest.approx(-3.0, abs=1.0)


def test_on_hourly_windows_it_comes_slowly(shared_data: Path) -> None:
    rows = matt(shared_data)
    soon, _ = markouts(rows, 60.0)
    late, windows = markouts(rows, 900.0)
    assert len(late) > 150
    assert windows < BLOCKS_MIN, "one day: a sign, no proof"
    assert sum(soon) / len(soon) == pytest.approx(1.7, abs=0.4)
    assert sum(late) / len(late) == pytest.approx(5.0, abs=1.0)

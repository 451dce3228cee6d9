"""P(up) against recorded prices and outcomes: residuals with one fitted sigma, and Brier scores.

Every set is read into samples of (spot, strike, seconds left, mid, won); what a source cannot say
is None. The fit has one parameter a set, as FINDINGS.md 6 had; the causal residual uses the sigma
that the engine would have had at that moment and no fit at all.
"""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from dailyarb.analytics.stats import brier
from dailyarb.core.domain.settings import Pricing
from dailyarb.core.domain.units import SECOND, SPOT_ONE_E8
from dailyarb.core.pricing.fair import Terms, fair_spot
from dailyarb.core.pricing.volatility import Volatility

ENGINE = Pricing()  # the settings it has where the file says nothing else
EDGES = (0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0)  # of the bands of a calibration table
TAU_MIN_S = 5.0  # nearer to the end the age of a sampled price is larger than what is left
NEAR_MS = 2_000
_SIGMAS = tuple(float(s) for s in np.exp(np.linspace(math.log(0.2e-4), math.log(3e-4), 90)))

ADRIEN = "recordings/adrien-5m-1hz/btc_5m_mid_vs_binance_2026-06-25_2130-2235.parquet"
MATT = "recordings/matt1374-1h-1hz/btc_1h_2025-11-28.parquet"
HOUSSEM = "recordings/houssem98-5m-ladder/ladder.jsonl.gz"
LEAFURYK = "recordings/leafuryk-5m-3s/snapshots.parquet"


class Sample(msgspec.Struct, frozen=True):
    """Is one moment of one window; causal is the sigma the engine had, won is 1, 0 or None."""

    spot: float
    strike: float
    tau_s: float
    mid: float
    won: float | None = None
    causal: float | None = None

    def p_up(self, sigma: float, tail_log_sd: float = 0.0) -> float:
        """Returns our probability under a spot rule."""
        terms = Terms(self.spot, self.strike, self.tau_s, sigma, tail_log_sd=tail_log_sd)
        return fair_spot(terms).p_up


class Band(msgspec.Struct, frozen=True):
    """Is one band of our P(up): what we said, what the market said, and what came, 0 to 1."""

    low: float
    high: float
    n: int
    ours: float
    market: float
    came: float


class Fit(msgspec.Struct, frozen=True):
    """Is one set against one sigma: per root second, residuals in dollars a share."""

    name: str
    n: int
    sigma: float
    residual_sd: float
    causal_sd: float | None
    brier_ours: float | None
    brier_market: float | None
    bands: tuple[Band, ...] = ()  # where outcomes are known


def fit(name: str, samples: Sequence[Sample]) -> Fit:
    """Returns the sigma with the smallest residual, and what it leaves.

    Raises:
        ValueError: there is no sample.
    """
    if not samples:
        raise ValueError(f"{name}: no sample")
    thinned = samples[:: max(1, len(samples) // 4_000)]
    sigma = min(_SIGMAS, key=lambda s: _square(thinned, lambda _: s))
    causal = [sample for sample in samples if sample.causal is not None]
    known = [sample for sample in samples if sample.won is not None]
    ours = [(sample.p_up(sigma), sample.won or 0.0) for sample in known]
    return Fit(
        name,
        len(samples),
        sigma,
        math.sqrt(_square(samples, lambda _: sigma)),
        math.sqrt(_square(causal, lambda s: s.causal or 0.0, ENGINE.tail_log_sd))
        if causal
        else None,
        brier(ours),
        brier([(sample.mid, sample.won or 0.0) for sample in known]),
        calibration(known, sigma),
    )


def calibration(samples: Sequence[Sample], sigma: float) -> tuple[Band, ...]:
    """Returns the bands of P(up) that hold samples; their outcomes must be known.

    Several samples of one window share its outcome: n counts samples, not windows.
    """
    bands = []
    said = [(sample.p_up(sigma), sample) for sample in samples]
    for low, high in pairwise(EDGES):
        inside = [(p, s) for p, s in said if low <= p < high or p == high == 1.0]
        n = len(inside)
        if n:
            bands.append(
                Band(
                    low,
                    high,
                    n,
                    sum(p for p, _ in inside) / n,
                    sum(s.mid for _, s in inside) / n,
                    sum(s.won or 0.0 for _, s in inside) / n,
                )
            )
    return tuple(bands)


def _square(
    samples: Sequence[Sample], sigma: Callable[[Sample], float], tail_log_sd: float = 0.0
) -> float:
    return sum((s.mid - s.p_up(sigma(s), tail_log_sd)) ** 2 for s in samples) / len(samples)


def adrien(path: Path) -> list[Sample]:
    """Returns 5m mids beside the nearest Binance microprice."""
    rows = sorted(_rows(path), key=lambda row: int(row["ts_ms"]))
    prices = [(r["ts_ms"], r["binance_micro"]) for r in rows if r["binance_micro"] is not None]
    stamps = np.array([at for at, _ in prices])
    sigmas = _causal(((at / 1e3, price) for at, price in prices), 300)
    found = []
    for row in rows:
        if row["up_mid"] is None:
            continue
        end_s = int(row["slug"].rsplit("-", 1)[1]) + 300
        tau_s = end_s - row["ts_ms"] / 1000
        after = int(np.searchsorted(stamps, row["ts_ms"], side="right"))
        near = min(
            (at for at in (after - 1, after) if 0 <= at < len(prices)),
            key=lambda at: abs(prices[at][0] - row["ts_ms"]),
        )
        if tau_s >= TAU_MIN_S and abs(prices[near][0] - row["ts_ms"]) < NEAR_MS:
            causal = sigmas[after - 1] if after else None
            found.append(Sample(prices[near][1], row["strike"], tau_s, row["up_mid"], None, causal))
    return found


def matt1374(path: Path) -> list[Sample]:
    """Returns hourly mids beside the last print; these windows settle on Binance itself."""
    markets: dict[str, list[dict[str, Any]]] = {}
    for row in _rows(path):
        markets.setdefault(row["market"], []).append(row)
    found = []
    for rows in markets.values():
        rows.sort(key=lambda row: float(row["timestamp"]))
        end_s = (rows[len(rows) // 2]["timestamp"] // 3600 + 1) * 3600
        sigmas = _causal(((row["timestamp"], row["btc_price"]) for row in rows), 3600)
        for row, causal in zip(rows, sigmas, strict=True):
            tau_s, mid = end_s - row["timestamp"], row["poly_yes_price"]
            known = row["strike_price"] and row["btc_price"] and mid is not None
            if known and 0 < tau_s <= 3600 and 0 < mid < 1:
                found.append(
                    Sample(row["btc_price"], row["strike_price"], tau_s, mid, None, causal)
                )
    return found


def houssem98(path: Path) -> list[Sample]:
    """Returns two-sided samples of both books with their outcome; strike is Binance's open."""
    found = []
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for window in map(json.loads, lines):
            for sample in window["samples"]:
                up = sample["up"]
                if up["ask"] is not None and up["bid"] is not None:
                    mid = (up["ask"] + up["bid"]) / 2
                    won = float(window["winner"] == "UP")
                    found.append(Sample(sample["spot"], window["open_px"], -sample["t"], mid, won))
    return found


def leafuryk(path: Path) -> list[Sample]:
    """Returns two-sided samples with their outcome; the BTC value is up to three seconds old."""
    return [
        Sample(
            row["btc_price"],
            row["btc_open"],
            row["end_time"] - row["timestamp"],
            row["up_mid"],
            float(row["winner"].lower() == "up"),
        )
        for row in _rows(path)
        if row["up_best_bid"] and row["up_best_ask"] and row["btc_open"]
        and 0 < row["end_time"] - row["timestamp"] <= 300
    ]  # fmt: skip


SETS: tuple[tuple[str, str, Callable[[Path], list[Sample]]], ...] = (
    ("adrien, 5m", ADRIEN, adrien),
    ("matt1374, 1h", MATT, matt1374),
    ("houssem98, 5m", HOUSSEM, houssem98),
    ("leafuryk, 5m", LEAFURYK, leafuryk),
)


def fits(data: Path) -> Iterator[Fit | str]:
    """Gives the fit of each set in a folder, or the sentence why there is none."""
    for name, path, read in SETS:
        if not (data / path).exists():
            yield f"{name}: skipped, {path} is not in the folder."
            continue
        yield fit(name, read(data / path))


def _causal(prices: Iterable[tuple[float, float]], window_s: int) -> list[float | None]:
    """Returns the engine's own sigma after each (second, price), for the rest of its window."""
    volatility = Volatility(ENGINE)
    found: list[float | None] = []
    for at_s, price in prices:
        volatility.push(int(at_s * SECOND), int(price * SPOT_ONE_E8), int(at_s))
        found.append(volatility.sigma(window_s - at_s % window_s, int(at_s)))
    return found


def _rows(path: Path) -> list[dict[str, Any]]:
    from pyarrow import parquet

    rows: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
    return rows

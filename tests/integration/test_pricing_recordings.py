"""P(up) on recorded markets: as near to their prices as one fitted sigma gets (FINDINGS 6)."""

from __future__ import annotations

import gzip
import json
from functools import lru_cache
from pathlib import Path

import pytest

from dailyarb.analytics import pricing
from dailyarb.analytics.pricing import Fit, Sample, calibration, fit
from dailyarb.analytics.stats import brier


@lru_cache(maxsize=8)
def fitted(data: Path, name: str) -> tuple[Fit, list[Sample]]:
    pytest.importorskip("pyarrow")
    path, read = {key: (path, read) for key, path, read in pricing.SETS}[name]
    samples = read(data / path)
    return fit(name, samples), samples


def residual_sd(samples: list[Sample], sigma: float, low_s: float, high_s: float) -> float:
    part = [s.mid - s.p_up(sigma) for s in samples if low_s <= s.tau_s < high_s]
    mean = sum(part) / len(part)
    return float((sum((r - mean) ** 2 for r in part) / len(part)) ** 0.5)


def test_five_minute_mids_lie_within_five_cents_of_the_model(shared_data: Path) -> None:
    found, samples = fitted(shared_data, "adrien, 5m")
    assert found.n > 3_000
    assert 0.8e-4 < found.sigma < 1.0e-4  # 0.89 bp in FINDINGS
    assert round(found.residual_sd, 3) <= 0.049
    assert residual_sd(samples, found.sigma, 60.0, 301.0) < 0.045


def test_hourly_mids_lie_within_four_cents_of_the_model(shared_data: Path) -> None:
    found, samples = fitted(shared_data, "matt1374, 1h")
    assert found.n > 40_000
    assert 0.6e-4 < found.sigma < 0.8e-4  # 0.69 bp in FINDINGS
    assert round(residual_sd(samples, found.sigma, 0.0, 3_601.0), 3) <= 0.039
    assert residual_sd(samples, found.sigma, 0.0, 60.0) < 0.085


@pytest.mark.parametrize("name", ["adrien, 5m", "matt1374, 1h"])
def test_the_causal_sigma_is_not_far_behind_the_fitted_one(shared_data: Path, name: str) -> None:
    found, _ = fitted(shared_data, name)
    assert found.causal_sd is not None
    assert found.causal_sd < 1.05 * found.residual_sd


def test_two_minutes_before_the_end_we_know_what_the_market_knows(shared_data: Path) -> None:
    found, samples = fitted(shared_data, "houssem98, 5m")
    early = [s for s in samples if 100 < s.tau_s < 130]
    ours = brier([(s.p_up(found.sigma), s.won or 0.0) for s in early])
    market = brier([(s.mid, s.won or 0.0) for s in early])
    assert ours is not None
    assert market is not None
    assert len(early) > 120
    assert ours < market + 0.01


def test_outcomes_are_foretold_better_than_by_a_coin(shared_data: Path) -> None:
    for name in ("houssem98, 5m", "leafuryk, 5m"):
        found, _ = fitted(shared_data, name)
        assert found.brier_ours is not None
        assert found.brier_market is not None
        assert found.brier_ours < 0.17
    leaf, _ = fitted(shared_data, "leafuryk, 5m")
    assert leaf.brier_ours is not None
    assert leaf.brier_market is not None
    assert leaf.brier_ours < leaf.brier_market  # 16 windows, 14 of them up: no more than a sign


@pytest.mark.parametrize("name", ["houssem98, 5m", "leafuryk, 5m"])
def test_the_calibration_table_holds_every_sample_beside_the_market(
    shared_data: Path, name: str
) -> None:
    found, samples = fitted(shared_data, name)
    assert sum(band.n for band in found.bands) == len(samples)
    for band in found.bands:
        assert band.low <= band.ours <= band.high
        assert 0.0 <= band.came <= 1.0
    spread = [band.ours for band in found.bands]
    assert spread == sorted(spread)
    # The Brier score is made of what the table shows: doubt within bands, and misses of bands.
    misses = sum(band.n * (band.ours - band.came) ** 2 for band in found.bands) / len(samples)
    assert found.brier_ours is not None
    assert misses < found.brier_ours


def test_a_set_without_outcomes_has_no_calibration(shared_data: Path) -> None:
    assert fitted(shared_data, "adrien, 5m")[0].bands == ()


def test_probabilities_come_true_as_often_as_they_say(shared_data: Path) -> None:
    _, samples = fitted(shared_data, "houssem98, 5m")
    sigma = fitted(shared_data, "houssem98, 5m")[0].sigma
    early = [s for s in samples if s.tau_s > 80]
    for low, high in ((0.0, 0.2), (0.2, 0.4), (0.4, 0.6), (0.6, 0.8), (0.8, 1.01)):
        band = [s for s in early if low <= s.p_up(sigma) < high]
        said = sum(s.p_up(sigma) for s in band) / len(band)
        came = sum(s.won or 0.0 for s in band) / len(band)
        allowed = 3.0 * (0.25 / len(band)) ** 0.5
        assert abs(said - came) < allowed, (low, said, came, len(band))


def test_the_market_itself_is_calibrated_a_minute_before_the_end(shared_data: Path) -> None:
    """The instrument works: it finds the Brier score that FINDINGS 6 states."""
    file = shared_data / "recordings/houssem98-5m-ladder/windows_hist.jsonl.gz"
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    pairs = [(row["up_mid"], float(row["winner"] == "UP")) for row in rows]
    assert len(pairs) == 467
    assert brier(pairs) == pytest.approx(0.094, abs=0.001)


def test_bands_count_what_was_said_and_what_came() -> None:
    up, down = Sample(101.0, 100.0, 1.0, 0.9, 1.0), Sample(99.0, 100.0, 1.0, 0.2, 0.0)
    level = [Sample(100.0, 100.0, 1.0, 0.5, won) for won in (1.0, 0.0, 0.0)]
    first, middle, last = calibration([up, down, *level], 1e-4)
    assert (first.n, first.market, first.came) == (1, 0.2, 0.0)
    assert (middle.low, middle.n, middle.came) == (0.4, 3, pytest.approx(1 / 3))
    assert (last.high, last.n, last.ours, last.came) == (1.0, 1, 1.0, 1.0)


def test_a_set_without_a_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="no sample"):
        fit("empty", [])


def test_the_fit_finds_the_sigma_that_made_the_prices() -> None:
    made = [
        Sample(100.0 + step / 50, 100.0, tau, 0.0) for step in range(-20, 21) for tau in (30, 200)
    ]
    priced = [Sample(s.spot, s.strike, s.tau_s, s.p_up(0.9e-4)) for s in made]
    found = fit("made", priced)
    assert found.sigma == pytest.approx(0.9e-4, rel=0.03)
    assert found.residual_sd < 0.01

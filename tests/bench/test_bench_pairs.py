"""Pairs on the embedded venue in virtual time: what is measured, and that it is what it says."""

from __future__ import annotations

import pytest

from dailyarb.bench.line import Line
from dailyarb.bench.pairs import percentile, row, settings, told, wilson
from dailyarb.core.domain.commands import Exit
from dailyarb.core.domain.market import Outcome
from dailyarb.core.domain.records import FillBooked, Record
from dailyarb.sim.embedded import CALM, Profile


def test_nearly_all_pairs_end_complete_and_a_lone_leg_stands_a_quarter_second() -> None:
    pairs = told(CALM, 30.0, seed=1)

    found = row("calm", pairs)

    assert found["pairs"] == len(pairs) > 8
    assert found["ours"] > 90
    assert found["naked_ms_p99"] < 250
    assert found["captured_usd"] < 0, "an honest market sells no dollar for 98 cents"
    assert found["exit_cost_usd"] > 0


def test_one_seed_is_one_run() -> None:
    assert told(CALM, 8.0, seed=3) == told(CALM, 8.0, seed=3) != told(CALM, 8.0, seed=4)


def test_the_engine_and_the_venue_agree_to_the_share_and_the_cent() -> None:
    fills: list[FillBooked] = []

    def kept(record: Record, wall_ns: int) -> None:
        del wall_ns
        if isinstance(record, FillBooked):
            fills.append(record)

    line = Line(settings(), Profile(seed=2, assets=("btc",), rate_scale=CALM), kept)
    line.run(25.0)

    truth = line.truth()
    state = line.engine.state
    assert len(fills) > 5
    assert abs(state.ledger.accounts.cash - round(truth.cash * 1_000_000)) <= 10_000
    for spec in line.listed():
        for outcome in Outcome:
            held = state.ledger.size_e6(spec.market_id, outcome)
            assert held == round(truth.held(spec.token(outcome)) * 1_000_000)


def test_an_engine_that_leaves_is_told_of() -> None:
    line = Line(settings(), Profile(assets=("btc",)), lambda record, wall: None)
    with pytest.raises(RuntimeError, match="over"):
        line.ended(Exit(5, "over"))


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"), [(0, 0, 0.0, 1.0), (95, 100, 0.888, 0.979), (9, 9, 0.70, 1.0)]
)
def test_the_interval_of_a_share(hits: int, of: int, low: float, high: float) -> None:
    assert wilson(hits, of) == pytest.approx((low, high), abs=0.005)


def test_percentiles_by_the_nearest_rank() -> None:
    assert [percentile(list(range(1, 101)), p) for p in (50, 99, 100)] == [50, 99, 100]
    assert percentile([], 99) == 0

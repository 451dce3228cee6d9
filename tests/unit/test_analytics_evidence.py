"""The evidence page: absent data is named, and verdicts follow from the numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from dailyarb.analytics import evidence
from dailyarb.analytics.backtest import Cell, Outcome, variants
from dailyarb.analytics.deals import Deals
from dailyarb.analytics.evidence import NOT_TESTED, STUDIES, Found, page
from dailyarb.analytics.paper import as_markdown
from dailyarb.analytics.scores import Score, score
from dailyarb.analytics.stats import Interval
from dailyarb.core.domain.ids import StrategyId
from dailyarb.core.domain.rung import Evidence
from dailyarb.core.domain.settings import Strategies
from dailyarb.runtime.replay_worlds import Variant

S2, S1 = STUDIES[:2]


def made(**said: Any) -> Score:
    empty = score(Deals(Evidence.REPLAY), StrategyId.S2)
    base = {"fills": 400, "signals": 500, "blocks": 80, "windows": 89, "net_cents_share": -2.0}
    return msgspec.structs.replace(empty, **{**base, **said})


def found(*rows: Score) -> Found:
    """Returns a study whose grid has these cells."""
    grid = variants((20.0, 100.0, 300.0), ("adverse", "optimistic"), Variant())
    cells = tuple(Cell(v, "as configured", (row,)) for v, row in zip(grid, rows, strict=False))
    outcome = Outcome("REPLAY", 89, 1, 3_600.0, {}, (), {}, cells, (), (), ())
    return Found(S2, outcome, outcome, None)


def plain(*rows: Score) -> str:
    return evidence._plain(found(*rows))


def test_a_loss_in_every_cell_beyond_chance_falls() -> None:
    rows = [made(interval_cents_share=Interval(-3.0, -1.0, 89)) for _ in range(6)]
    assert "FALLS" in plain(*rows)
    assert "all 6 cells" in plain(*rows)


def test_a_gain_in_every_cell_beyond_chance_stands() -> None:
    won = made(interval_cents_share=Interval(1.0, 3.0, 89), net_cents_share=2.0)
    assert "STANDS" in plain(*[won] * 6)


def test_one_cell_that_says_otherwise_decides_nothing() -> None:
    lost = made(interval_cents_share=Interval(-3.0, -1.0, 89))
    even = made(interval_cents_share=Interval(-1.0, 1.0, 89), net_cents_share=0.0)
    text = plain(lost, lost, lost, lost, lost, even)
    assert "NOT DECIDED" in text
    assert "5 of 6 cells lose" in text


def test_few_fills_decide_nothing() -> None:
    text = plain(*[made(interval_cents_share=None)] * 6)
    assert "NOT DECIDED, not enough evidence" in text
    assert "20 ms -2.00 c" in text


def test_no_fill_tests_nothing() -> None:
    assert "not tested" in plain(*[made(fills=0, net_cents_share=None)] * 6)


def test_an_empty_folder_gives_a_page_that_says_so(tmp_path: Path) -> None:
    text = as_markdown(page(tmp_path, 1, lambda done, total: None))
    for study in STUDIES:
        assert f"{study.title}: skipped, {study.path} is not in the folder." in text
    tested = {study.strategy for study in STUDIES} | {name for name, _ in NOT_TESTED}
    assert tested == set(Strategies.__struct_fields__), "each is named on the page"
    assert "S3 maker: NOT TESTED: needs a real touch" in text
    assert "Skipped: the recorded probe" in text
    assert "adrien, 5m: skipped" in text


def test_the_probe_counts_the_lone_legs_that_lost(shared_data: Path) -> None:
    text = as_markdown(list(evidence._probe(shared_data)))
    assert "| T-120 s | 73 | 38 | 33 | 33 | 2 | -0.0" in text  # 69 of 69 lost (FINDINGS 9)
    assert "| T-60 s | 58 | 11 | 36 | 36 | 11 | -0.0" in text


@pytest.mark.slow
def test_the_same_folder_gives_the_same_page(shared_data: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    (tmp_path / "recordings").mkdir()
    (tmp_path / S1.path).symlink_to(shared_data / S1.path)
    first, second = (as_markdown(page(tmp_path, n, lambda d, t: None)) for n in (1, 2))
    assert first == second
    assert "S1 stale_odds" in first

"""The evidence page: absent data is named, and verdicts follow from the numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from dailyarb.analytics import checks, evidence
from dailyarb.analytics.backtest import Cell, Outcome, variants
from dailyarb.analytics.checks import inventory, lone_legs, untested
from dailyarb.analytics.deals import Deals
from dailyarb.analytics.evidence import Found, page
from dailyarb.analytics.paper import as_markdown
from dailyarb.analytics.probe import Tally
from dailyarb.analytics.scores import Score, score
from dailyarb.analytics.stats import Interval
from dailyarb.analytics.studies import NOT_TESTED, RECORDINGS, STUDIES
from dailyarb.core.domain.ids import StrategyId
from dailyarb.core.domain.rung import Evidence
from dailyarb.core.domain.settings import Strategies
from dailyarb.runtime.replay_worlds import Variant

S2 = STUDIES[0]
S1 = next(study for study in STUDIES if study.strategy == "S1")


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
    assert "NOT DECIDED: no fill; signals: 500" in plain(*[made(fills=0, net_cents_share=None)] * 6)


def test_fills_whose_windows_never_paid_decide_nothing() -> None:
    text = plain(*[made(fills=2, net_cents_share=None)] * 6)
    assert text.endswith("NOT DECIDED: 2 fills, none of a window that was seen to pay.")


def test_the_taker_form_is_judged_over_all_recordings() -> None:
    never = found(*[made(signals=0)] * 6)
    plays = [msgspec.structs.replace(never, taken=never.grid) for _ in range(2)]
    text = as_markdown(list(evidence._taken(plays)))
    assert "FALLS" in text and "0 times in 2 frames of 2 recordings" in text
    once = msgspec.structs.replace(never, taken=found(made(signals=1)).grid)
    assert "NOT DECIDED" in as_markdown(list(evidence._taken([*plays, once])))
    assert list(evidence._taken([never])) == []


def test_an_empty_folder_gives_a_page_that_says_so(tmp_path: Path) -> None:
    text = as_markdown(page(tmp_path, 1, lambda done, total: None))
    for study in STUDIES:
        assert f"{study.title}: skipped, {study.path} is not in the folder." in text
    tested = {study.strategy for study in STUDIES} | {name for name, _ in NOT_TESTED}
    assert tested == set(Strategies.__struct_fields__), "each is named on the page"
    assert "S4 cross_window: NOT TESTED: needs windows of several lengths" in text
    assert "Skipped: the recorded probe" in text
    assert "S6 and X1: skipped" in text
    assert "adrien, 5m: skipped" in text
    assert "recordings/mxtown-pricefeeds-100ms (not in the folder)" in text


def test_no_shared_recording_is_passed_over_in_silence(shared_data: Path) -> None:
    folders = [path for part in ("recordings", "ws/polymarket", "ws/binance")
               for path in (shared_data / part).iterdir() if path.is_dir()]  # fmt: skip
    told = {source.path for source in RECORDINGS}
    assert {str(path.relative_to(shared_data)) for path in folders} == told
    assert "(not in the folder)" not in as_markdown(list(inventory(shared_data)))


def test_whoever_is_asked_has_a_study_and_the_reverse() -> None:
    asked = {(source.path, name) for source in RECORDINGS for name in source.asked.split()}
    studied = {(next(s.path for s in RECORDINGS if study.path.startswith(s.path)), study.strategy)
               for study in STUDIES}  # fmt: skip
    assert asked == studied
    assert all(source.missing for source in RECORDINGS)


def test_the_probe_of_others_counts_the_lone_legs_that_lost(
    shared_data: Path, tmp_path: Path
) -> None:
    (tmp_path / "recordings").mkdir()
    name = "recordings/houssem98-5m-ladder"
    (tmp_path / name).symlink_to(shared_data / name)
    text = as_markdown(list(lone_legs(tmp_path, made(lone_legs=20, lone_lost=11))))
    # 69 of 69 lost (FINDINGS 9); 48 and 41 of the legs that filled first.
    assert "| T-120 s | 73 | 38 | 33 | 33 (100%) | 2 | 71 | 48 (68%) | -0.41 |" in text
    assert "| T-60 s | 58 | 11 | 36 | 36 (100%) | 11 | 47 | 41 (87%) | -0.50 |" in text
    assert "| while it quotes | 89 | - | 20 | 11 (55%) |" in text


def test_the_page_says_where_our_fill_model_is_no_harder_than_the_probe() -> None:
    theirs = Tally(100, 40, 50, 50, 10, 90, 70, -0.4)
    ours = Tally(100, 45, 50, 48, 5, 95, 80, -0.5)
    said = checks._compared(theirs, ours).text
    assert "Harder on us: USD a window -0.50 against -0.40; the first lost 84% against 78%." in said
    assert "No harder: both filled 45% against 40%; lone legs lost 96% against 100%." in said


def test_a_study_that_needs_other_values_than_the_defaults_is_marked() -> None:
    for study in STUDIES:
        assert ("not the defaults" in study.name) == bool(study.given)
        assert bool(study.given) == bool(study.why)


def test_what_no_recording_holds_whole_is_measured_by_half(shared_data: Path) -> None:
    text = " ".join(as_markdown(list(untested(shared_data))).split())
    assert "S4: of 217 pairs" in text
    assert "BTC -0.13 bp" in text and "ETH +0.29 bp" in text
    assert "best at a lag of 0 s" in text


def test_rates_say_signals_and_opportunities_and_which_are_in_range() -> None:
    row = made(signals=600, opportunities=200, signals_per_day=600.0)
    other = msgspec.structs.replace(row, strategy="S1")
    first = msgspec.structs.replace(found(*[other] * 6), study=S1)
    text = as_markdown(list(evidence._rate([first, found(*[row] * 6)])))
    assert "| S1 stale_odds, adrien-5m-1hz | 1.0 | 600 | 600 | no | 200 | 200 | yes |" in text
    assert "1,200 signals a day, 400 opportunities (S1 200, S2 200)" in text
    assert "signals no, opportunities yes" in text
    assert "watches 6 series" in text


@pytest.mark.slow
def test_the_same_folder_gives_the_same_page(shared_data: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    (tmp_path / "recordings").mkdir()
    (tmp_path / S1.path).symlink_to(shared_data / S1.path)
    first, second = (as_markdown(page(tmp_path, n, lambda d, t: None)) for n in (1, 2))
    assert first == second
    assert "S1 stale_odds" in first

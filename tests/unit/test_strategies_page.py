"""The strategies' page says what code and packaged file say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dailyarb.cli import main
from dailyarb.core.domain.ids import STRATEGY_TITLES, StrategyId
from dailyarb.verbs.strategies import page

ROOT = Path(__file__).resolve().parent.parent.parent
KNOWN = [one for one in STRATEGY_TITLES if one is not StrategyId.OPERATOR]


def test_the_page_in_docs_is_the_one_the_code_makes() -> None:
    assert (ROOT / "docs" / "strategies.md").read_text(encoding="utf-8") == page(), (
        "run `make docs`"
    )


@pytest.mark.parametrize("strategy", KNOWN, ids=lambda s: s.value)
def test_each_states_hypothesis_refutation_and_source(strategy: StrategyId) -> None:
    title = STRATEGY_TITLES[strategy]
    text = (ROOT / f"dailyarb/core/strategies/{title}.py").read_text(encoding="utf-8")
    opening = text.split('"""')[1]
    assert opening.startswith(strategy.value)
    assert "Hypothesis:" in opening
    assert re.search(r"refuted", opening)
    assert "Source:" in opening
    assert len(text.splitlines()) <= 190, "a page or two"
    assert re.search(rf"^\| {strategy.value} {title} \| (on|off) \|", page(), re.MULTILINE)


def test_what_nothing_shows_earning_its_costs_is_off(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("S3", "S4", "S5", "S6", "X1"):
        assert main(["strategies", name.lower()]) == 0
        text = capsys.readouterr().out
        assert "**Off** in the packaged file." in text
        assert "off by default" in " ".join(text.split())


def test_a_name_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["strategies", "S9"]) == 2
    assert "there are S1" in capsys.readouterr().err

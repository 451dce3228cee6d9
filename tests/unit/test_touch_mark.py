"""The most that anybody asks of a touch: sizes beyond it are not told to the engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dailyarb.config import load
from dailyarb.core.engine import state
from dailyarb.core.engine.engine import Engine
from dailyarb.core.engine.state import touch_mark_e6

FILE = Path(__file__).resolve().parent.parent.parent / "config.toml"


def settings(**said: Any) -> Any:
    only = {"strategies.S1.enabled": True, "strategies.S2.enabled": True}
    given = {f"strategies.{key.replace('_', '.', 1)}": value for key, value in said.items()}
    loaded = load(FILE).settings
    others = [n for n in loaded.strategies.__struct_fields__ if n not in ("S1", "S2")]
    only.update({f"strategies.{name}.enabled": False for name in others})
    return load(FILE, {**only, **given}).settings


def test_it_is_the_largest_size_any_strategy_may_want() -> None:
    assert touch_mark_e6(settings(S1_max_position_shares=150.0)) == 150_000_000
    assert touch_mark_e6(settings(S2_min_depth_shares=400.0)) == 400_000_000


def test_a_strategy_that_is_off_asks_for_nothing() -> None:
    off = settings(S1_enabled=False, S1_max_position_shares=900.0, S2_min_depth_shares=30.0)
    assert touch_mark_e6(off) == 30_000_000


def test_a_strategy_that_reads_the_whole_touch_is_told_everything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(state._TOUCH_ONLY, "S2")
    assert touch_mark_e6(settings()) == 0


def test_the_engine_hands_it_to_its_books() -> None:
    from dailyarb.core.domain.clock import Instant
    from dailyarb.core.domain.rung import Evidence, Mode

    birth = state.Birth("r", "v", Mode.REPLAY, Evidence.REPLAY, "", 0)
    assert Engine(settings(), birth, (), Instant(0, 0)).books.mark_e6 == touch_mark_e6(settings())

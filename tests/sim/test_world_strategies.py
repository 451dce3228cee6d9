"""The fault world holds whatever strategies run in it, and they do act there."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from msgspec.structs import replace

from dailyarb.core.domain.records import IntentTaken
from dailyarb.core.domain.settings import (
    S3Settings,
    S4Settings,
    S5Settings,
    S6Settings,
    Strategies,
    X1Settings,
)
from dailyarb.sim import world
from dailyarb.sim.world import SETTINGS, World

SEEDS = 12
EAGER: dict[str, Any] = {
    "enabled": True,
    "min_edge_cents": 0.0,
    "margin_cents": 0.0,
    "max_spread_cents": 20.0,
    "min_depth_shares": 5.0,
    "cooldown_ms": 500,
    "min_time_left_s": 3.0,
}


def every() -> Strategies:
    """Returns all strategies, eager: no idea of profit, they make the engine trade."""
    return Strategies(
        S1=SETTINGS.strategies.S1,
        S2=SETTINGS.strategies.S2,
        S3=S3Settings(
            enabled=True,
            pull_move_bps=50.0,
            max_gap_cents=60.0,
            max_spread_cents=20.0,
            min_fair_cents=2.0,
            min_time_left_s=3.0,
        ),
        S4=S4Settings(min_divergence_bps=0.0, min_correlation=0.0, trust=1.0, **EAGER),
        S5=S5Settings(min_vol_gap=0.001, min_lean_cents=1.0, min_end_cents=1.0, trust=1.0, **EAGER),
        S6=S6Settings(
            min_imbalance=0.0, min_trades=1, impact_bps=20.0, max_lean=1.0, max_hold_s=3.0, **EAGER
        ),
        X1=X1Settings(**EAGER),
    )


def test_every_invariant_holds_with_every_strategy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world, "SETTINGS", replace(SETTINGS, strategies=every()))
    acted: Counter[str] = Counter()
    for seed in range(SEEDS):
        one = World(seed)
        assert one.run().violation == "", seed
        acted.update(r.strategy.value for r, _ in one.journal if isinstance(r, IntentTaken))
    assert {"S1", "S2", "S3", "S4", "S5"} <= set(acted)

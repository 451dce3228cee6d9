"""The tuner credits each fill to the parameters in force, and chooses what earned more."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

import pytest
from msgspec.structs import replace

from dailyarb.core.domain.clock import ManualClock
from dailyarb.core.domain.errors import ConfigError
from dailyarb.core.domain.events import Event, ParametersChosen
from dailyarb.core.domain.ids import StrategyId
from dailyarb.core.domain.market import Outcome, Side
from dailyarb.core.domain.rung import Evidence
from dailyarb.core.domain.settings import Settings, Tuning, TuningRegion
from dailyarb.core.domain.units import SECOND
from dailyarb.core.domain.view import FillRow
from dailyarb.runtime.tuner import Tuner
from tests.rig import settings

LOW, HIGH = (("min_move_bps", 2.0),), (("min_move_bps", 4.0),)


def region(value: float, name: str = "min_move_bps", strategy: str = "S1") -> TuningRegion:
    """Returns a region of one value."""
    return TuningRegion(strategy=strategy, names=(name,), values=(value,))


def config(**regions: TuningRegion) -> Settings:
    """Returns settings with these regions, chosen every ten minutes."""
    tuning = Tuning(enabled=True, every_s=600.0, regions=regions, seed=5)
    return replace(settings(), tuning=tuning)


class Stage:
    """Is a tuner with a clock that moves only when told."""

    def __init__(self, own: Settings) -> None:
        self.clock = ManualClock(10**12, 10**18)
        self.fills: deque[FillRow] = deque(maxlen=120)
        self.events: list[Event] = []
        self.tuner = Tuner(own, self.fills.copy, self.clock, self.events.append)

    @property
    def chosen(self) -> Any:
        """Returns the values chosen last."""
        last = self.events[-1]
        assert isinstance(last, ParametersChosen)
        return last.values

    def fill(
        self, cents: float | None, strategy: StrategyId = StrategyId.S1, **changes: Any
    ) -> None:
        """Adds a fill of ten shares with this markout, and a fee of one cent a share."""
        row = FillRow(
            wall_ns=self.clock.now().wall_ns,
            trade_id=f"t{len(self.fills)}.{self.clock.now().mono_ns}",
            order_id="o",
            market_id="0xm",
            label="BTC 5m",
            strategy=strategy,
            outcome=Outcome.UP,
            side=Side.BUY,
            price_e4=5_000,
            size_e6=10_000_000,
            fee_e6=100_000,
            maker=False,
            chain="MATCHED",
            slip_e4=0,
            markout_1s_e4=None,
            markout_5s_e4=None,
            markout_30s_e4=None if cents is None else round(cents * 100),
            evidence=Evidence.SIM,
        )
        self.fills.append(replace(row, **changes))


def test_it_chooses_at_once_and_then_at_its_pace() -> None:
    stage = Stage(config(low=region(2.0), high=region(4.0)))
    stage.tuner.look()
    assert stage.chosen in (LOW, HIGH)
    for _ in range(5):
        stage.clock.advance(100 * SECOND)
        stage.tuner.look()
    assert len(stage.events) == 1


def test_a_reward_is_the_markout_less_the_fee() -> None:
    stage = Stage(config(only=region(2.0)))
    stage.tuner.look()
    stage.fill(3.0)
    stage.tuner.look()
    stage.tuner.look()
    [belief] = stage.tuner.beliefs("S1")
    assert (belief.weight, belief.mean) == (2.0, pytest.approx(1.0)), "two cents, seen once"


def test_a_fill_waits_for_its_thirty_seconds_and_for_its_strategy() -> None:
    stage = Stage(config(only=region(2.0)))
    stage.fill(5.0)
    stage.clock.advance(SECOND)
    stage.tuner.look()
    stage.fill(None)
    stage.fill(9.0, StrategyId.S2)
    stage.tuner.look()
    assert stage.tuner.beliefs("S1")[0].weight == 1.0, "one came before the first choice"


def test_the_region_that_earns_more_is_chosen_more() -> None:
    stage = Stage(config(low=region(2.0), high=region(4.0)))
    held = []
    for _ in range(120):
        stage.tuner.look()
        held.append(stage.chosen)
        for step in range(4):
            stage.clock.advance(20 * SECOND)
            stage.fill((4.0 if stage.chosen == HIGH else -1.0) + step % 2)
        stage.clock.advance(600 * SECOND)
    assert held[60:].count(HIGH) > 45
    assert LOW in held


def test_old_fills_are_forgotten_in_bounds() -> None:
    stage = Stage(config(only=region(2.0)))
    stage.tuner.look()
    for _ in range(1_200):
        stage.fill(1.0)
        stage.clock.advance(SECOND)
        stage.tuner.look()
    assert len(stage.tuner._seen) <= 1_000


@pytest.mark.parametrize(
    "bad",
    [
        region(30.0, "size_shares"),
        region(-1.0),
        region(1.0, "trust"),
        TuningRegion(strategy="S1", names=("min_move_bps",), values=()),
    ],
)
def test_a_region_that_may_not_be_is_refused_at_start(bad: TuningRegion) -> None:
    with pytest.raises(ConfigError) as caught:
        Stage(config(bad=bad))
    assert caught.value.problems[0].key == "tuning.regions.bad"


async def test_it_looks_as_soon_as_it_runs() -> None:
    stage = Stage(config(only=region(2.0)))
    task = asyncio.ensure_future(stage.tuner.run())
    await asyncio.sleep(0)
    task.cancel()
    assert stage.chosen == LOW

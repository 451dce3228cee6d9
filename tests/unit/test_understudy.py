"""The understudy plays the way of an order on a stage of its own, and touches nothing else."""

from __future__ import annotations

import asyncio

import pytest

from dailyarb.core.domain.errors import InvariantBroken
from dailyarb.core.domain.ids import StrategyId
from dailyarb.runtime.understudy import Understudy


def _opened() -> Understudy:
    stage = Understudy()
    stage.open()
    return stage


async def test_nearly_every_act_makes_an_order_and_hears_its_answer() -> None:
    stage = _opened()
    for _ in range(3_000):
        stage.act()
    state = stage.engine.state
    assert stage.orders >= 2_900
    assert state.tallies.sent == state.tallies.killed == stage.orders
    assert state.tallies.signals[StrategyId.S1.value] == stage.orders
    assert not state.orders.live()
    assert stage.failed == ""


async def test_what_it_keeps_is_bounded() -> None:
    stage = _opened()
    for _ in range(2_500):
        stage.act()
    (rows,) = stage.journal.table.execute("SELECT count(*) FROM journal").fetchone()
    assert rows <= 2_000
    assert not stage.engine.state.ledger.open_markets()


async def test_a_stage_that_breaks_ends_the_rehearsals_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = Understudy()

    def breaks(*_: object) -> list[object]:
        raise InvariantBroken("a fault of the stage")

    stage.open()
    monkeypatch.setattr(stage.engine, "on_event", breaks)
    await asyncio.wait_for(stage.play(every_ms=1), 5.0)
    assert "a fault of the stage" in stage.failed


async def test_it_plays_until_it_is_cancelled() -> None:
    third = asyncio.Event()

    class Watched(Understudy):
        def act(self) -> None:
            super().act()
            if self.orders == 3:
                third.set()

    task = asyncio.create_task(Watched().run(every_ms=1))
    await asyncio.wait_for(third.wait(), 5.0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

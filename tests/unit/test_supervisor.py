"""The supervisor: no task ends unseen."""

from __future__ import annotations

import asyncio

import pytest

from dailyarb.core.domain.errors import InvariantBroken
from dailyarb.core.domain.events import TaskDied
from dailyarb.runtime.supervisor import Supervisor, describe


class Witness:
    """Keeps what was reported."""

    def __init__(self) -> None:
        self.deaths: asyncio.Queue[TaskDied] = asyncio.Queue()
        self.bugs: list[InvariantBroken] = []
        self.supervisor = Supervisor(self.deaths.put_nowait, self.bugs.append)

    async def death(self) -> TaskDied:
        return await asyncio.wait_for(self.deaths.get(), 5)


async def forever() -> None:
    await asyncio.Event().wait()


async def fail() -> None:
    raise ValueError("no such thing")


async def test_an_error_becomes_task_died() -> None:
    witness = Witness()
    witness.supervisor.start("feed", fail())
    death = await witness.death()
    assert (death.task, death.critical) == ("feed", True)
    assert "ValueError: no such thing" in death.error
    assert "fail" in death.error
    assert witness.supervisor.names == []


async def test_returning_is_an_end_too() -> None:
    witness = Witness()
    witness.supervisor.start("feed", asyncio.sleep(0), critical=False)
    assert await witness.death() == TaskDied("feed", False, "ended without an error")


async def test_a_task_that_may_end_is_not_reported() -> None:
    witness = Witness()
    witness.supervisor.start("once", asyncio.sleep(0), may_end=True)
    witness.supervisor.start("last", fail())
    assert (await witness.death()).task == "last"
    assert witness.deaths.empty()


async def test_work_that_cancels_itself_is_reported() -> None:
    async def cancelled() -> None:
        raise asyncio.CancelledError

    witness = Witness()
    witness.supervisor.start("odd", cancelled())
    assert "cancelled" in (await witness.death()).error


async def test_a_broken_invariant_is_told_first() -> None:
    async def bug() -> None:
        raise InvariantBroken("both legs filled twice")

    witness = Witness()
    witness.supervisor.start("engine", bug())
    assert "InvariantBroken" in (await witness.death()).error
    assert len(witness.bugs) == 1


async def test_a_cancelled_or_stopped_task_is_no_death() -> None:
    witness = Witness()
    witness.supervisor.start("a", forever())
    witness.supervisor.start("b", forever())
    await witness.supervisor.cancel("a")
    await witness.supervisor.cancel("a")
    assert witness.supervisor.names == ["b"]
    assert await witness.supervisor.stop() == []
    assert witness.deaths.empty()
    with pytest.raises(InvariantBroken):
        witness.supervisor.start("late", forever())


async def test_a_name_is_unique_while_it_runs() -> None:
    witness = Witness()
    witness.supervisor.start("a", forever())
    with pytest.raises(InvariantBroken):
        witness.supervisor.start("a", forever())
    await witness.supervisor.cancel("a")
    witness.supervisor.start("a", forever())
    await witness.supervisor.stop()


async def test_a_task_that_will_not_stop_is_named() -> None:
    release = asyncio.Event()

    async def stubborn() -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    witness = Witness()
    witness.supervisor.start("stubborn", stubborn())
    await asyncio.sleep(0)
    assert await witness.supervisor.stop(timeout_s=0.01) == ["stubborn"]
    release.set()


def test_a_description_tells_places_and_no_values() -> None:
    hidden = "canary"
    assert hidden
    try:
        raise ValueError("x")
    except ValueError as error:
        text = describe(error)
    assert "canary" not in text
    assert "ValueError: x at test_a_description" in text
    assert describe(KeyError("k")) == "KeyError('k')"

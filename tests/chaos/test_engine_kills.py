"""SIGKILL of the engine at random instants of a real run; the venue lives on (F68)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dailyarb.core.domain.operator import OperatorVerb
from dailyarb.core.domain.rung import Rung
from dailyarb.runtime.control import ControlClient
from tests.chaos.kills import Kills
from tests.processes import Machine, machine, orders_while_halted, until


@pytest.fixture
def desk() -> Iterator[Machine]:
    with machine() as found:
        found.start_venues()
        yield found


def test_ten_kills_lose_and_double_nothing(desk: Machine) -> None:
    kills = Kills(desk, 6810, patience_s=2.0)
    for _ in range(10):
        kills.once()
    found = kills.judge()
    assert found["kills"] == 10
    assert found["checkpoints"] > 0
    assert found["orders"] > 0


@pytest.mark.slow
def test_a_halt_survives_the_kill_and_is_not_lifted(desk: Machine) -> None:
    engine = desk.start().trading()
    with ControlClient(desk.places.socket) as control:
        assert control.send(OperatorVerb.HALT, reason="stay").ok
    engine.kill()
    again = desk.start().ready()
    until(lambda: "reconciled" in {row.text[:10] for row in again.view().events}, "reconciled")
    assert again.view().operator_rung is Rung.HALTED
    until(lambda: desk.state()["open_orders"] == [], "what rested is cancelled")
    assert again.terminate() == 0
    assert orders_while_halted(desk.rows()) == []

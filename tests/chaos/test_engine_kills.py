"""SIGKILL of the engine at random instants of a real run; the venue lives on (F68).

After each kill the next engine recovers, reconciles and trades on; at the end the journal is
sound and agrees with the venue's own truth: no fill lost or doubled, nothing signed while halted.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from fractions import Fraction

import pytest

from dailyarb.core.domain.operator import OperatorVerb
from dailyarb.core.domain.orders import TERMINAL
from dailyarb.core.domain.records import FillBooked, PairClosed
from dailyarb.core.domain.rung import Rung
from dailyarb.runtime.control import ControlClient
from tests.processes import (
    Engine,
    Machine,
    last_states,
    machine,
    orders_while_halted,
    our_shares,
    runs,
    settled_down,
    theirs,
    until,
)

CENT_E6 = 10_000


@pytest.fixture
def desk() -> Iterator[Machine]:
    with machine() as found:
        found.start_venues()
        yield found


def kill_at_random(desk: Machine, draw: random.Random) -> None:
    """Runs an engine until it has orders, then kills it anywhere within its next moments."""
    engine = desk.start().trading()
    wait_s = draw.choice([0.0, 0.02, 0.1, 0.5, 1.5]) * draw.random()
    end = time.monotonic() + wait_s
    until(lambda: time.monotonic() >= end, "the instant of the kill")
    engine.kill()


def settle_down(desk: Machine) -> Engine:
    """Starts once more, halts, and waits until the venue and the journal have come to rest."""
    engine = desk.start().reconciled()
    with ControlClient(desk.places.socket) as control:
        assert control.send(OperatorVerb.HALT, reason="count").ok
    settled_down(desk)
    return engine


def judge(desk: Machine, kills: int) -> None:
    engine = settle_down(desk)
    assert engine.terminate() == 0
    rows, truth = desk.rows(), desk.state()
    ledger, ours = our_shares(rows)
    assert runs(rows) == kills + 1
    assert ours == theirs(truth), "shares agree with the venue's"
    assert abs(ledger.accounts.cash - Fraction(truth["cash"]) * 10**6) < CENT_E6
    booked = [row.record for row in rows if isinstance(row.record, FillBooked)]
    fills = [(fill.trade_id, fill.order_id) for fill in booked]
    assert len(fills) == len(set(fills)) > 0
    assert orders_while_halted(rows) == []
    assert set(last_states(rows).values()) <= TERMINAL, "every order came to a proven end"
    assert any(isinstance(row.record, PairClosed) for row in rows)
    report = json.loads(desk.run("verify", "--json").stdout)
    assert report["ok"], report["problems"]


@pytest.mark.slow
def test_ten_kills_lose_and_double_nothing(desk: Machine) -> None:
    draw = random.Random(6810)
    for _ in range(10):
        kill_at_random(desk, draw)
    judge(desk, 10)


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

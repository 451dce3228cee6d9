"""Refused for balance (F40): no hot retry, a wait per market, hedges only after the third time."""

from __future__ import annotations

from dailyarb.core.domain.events import LegOutcome, LegResult, SubmitResult
from dailyarb.core.domain.ids import Gate
from dailyarb.core.domain.rung import Rung
from dailyarb.core.domain.settings import S1Settings, S2Settings, Strategies
from dailyarb.core.domain.units import SECOND
from dailyarb.core.risk.backoff import Backoff
from tests.rig import Rig, settings

QUICK = Strategies(S1=S1Settings(enabled=False), S2=S2Settings(resting=True, cooldown_ms=1))
WIDE = [(50, 500), (49, 500)], [(51, 500), (52, 500)]


def test_a_wait_doubles_to_its_longest_until_something_is_accepted() -> None:
    waits, now = Backoff(5, 30), 0
    for wait in (5, 10, 20, 30, 30):
        waits.refused("m", now)
        waits.refused("m", now + 1)
        waits.accepted("m", now + 1)
        assert (waits.left_ns("m", now), waits.left_ns("other", now)) == (wait, 0)
        now += wait
        assert waits.left_ns("m", now) == 0
    waits.accepted("m", now)
    waits.accepted("m", now)
    waits.refused("m", now)
    assert waits.left_ns("m", now) == 5


def test_what_was_not_refused_for_long_is_forgotten() -> None:
    waits = Backoff(5, 30)
    waits.refused("old", 0)
    waits.refused("young", 20)
    waits.refused("m", 36)
    assert set(waits._waits) == {"young", "m"}


def refuse(rig: Rig, count: int) -> None:
    """Refuses every order of the newest submits for balance."""
    legs = [
        LegResult(o.order_id, LegOutcome.REFUSED, "not enough balance", no_balance=True)
        for submit in rig.submits[-count:]
        for o in submit.orders
    ]
    rig.feed(SubmitResult(rig.submits[-1].asked_ns, tuple(legs)))


def test_a_market_waits_after_a_refusal_and_says_so() -> None:
    rig = Rig(settings(QUICK)).ready()
    rig.book(*WIDE)
    refuse(rig, 1)
    rig.advance(4.8)
    rig.book(*WIDE)
    rig.advance(0.1)
    assert rig.why("S2") == Gate.BALANCE_WAIT.value
    assert len(rig.submits) == 1
    rig.advance(0.3)
    assert len(rig.submits) == 2
    rig.answer(rig.submits[1], LegOutcome.RESTING)
    assert rig.state.balance_waits.left_ns("0xm", rig.clock.now().mono_ns) == 0


def test_the_third_refusal_leaves_hedges_only_for_a_while() -> None:
    rig = Rig(settings(QUICK)).ready()
    rig.book(*WIDE)
    refuse(rig, 1)
    rig.advance(0.2)
    assert rig.state.rungs.overall()[0] is Rung.FULL, "two legs, two refusals"
    rig.state.tallies.no_balance.append(rig.clock.now().mono_ns)
    rig.advance(1.1)
    assert rig.state.rungs.overall()[::2] == (Rung.HEDGE_ONLY, "order.balance")
    rig.clock.advance(121 * SECOND)
    rig.advance(6)
    assert rig.state.rungs.overall()[0] is Rung.FULL

"""Refused for balance (F40): no hot retry, a wait per market, hedges only after the third time."""

from __future__ import annotations

import pytest

from dailyarb.core.domain import commands as cmd
from dailyarb.core.domain.events import LegOutcome, LegResult, SubmitResult
from dailyarb.core.domain.ids import Gate, StrategyId
from dailyarb.core.domain.intents import Blocked, Intent, IntentKind, Leg
from dailyarb.core.domain.market import Outcome, Side
from dailyarb.core.domain.orders import TIF, FillState
from dailyarb.core.domain.rung import Rung
from dailyarb.core.domain.settings import S1Settings, S2Settings, Strategies
from dailyarb.core.domain.units import SECOND
from dailyarb.core.engine.trading import open_intent
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


def trade(rig: Rig, kind: IntentKind, side: Side, shares: int) -> Blocked | None:
    """Sends one taking order of S1; returns the gate that stopped it."""
    out: list[cmd.Command] = []
    leg = Leg(Outcome.UP, side, 5_100 if side is Side.BUY else 4_900, shares * 10**6, TIF.FAK)
    desk = rig.state.desks["0xm"]
    intent = Intent(StrategyId.S1, "0xm", kind, (leg,), edge_e4=100, fair_e4=5_000)
    blocked = open_intent(rig.state, desk, intent, rig.clock.now(), out)
    rig._take(out)
    return blocked


@pytest.fixture
def holder() -> Rig:
    """Holds 20 UP, bought and confirmed."""
    rig = Rig(settings(Strategies(S1=S1Settings(enabled=False)))).ready()
    rig.book(*WIDE)
    assert trade(rig, IntentKind.ENTRY, Side.BUY, 20) is None
    rig.answer(rig.submits[-1], LegOutcome.MATCHED)
    rig.fill(rig.submits[-1].orders[0].order_id, 20, trade="bought")
    return rig


def test_an_exit_that_was_refused_waits_whatever_the_reason(holder: Rig) -> None:
    assert trade(holder, IntentKind.EXIT, Side.SELL, 20) is None
    holder.answer(holder.submits[-1], LegOutcome.REFUSED, "post-only mode")
    blocked = trade(holder, IntentKind.EXIT, Side.SELL, 20)
    assert blocked is not None and blocked.gate is Gate.BALANCE_WAIT
    assert trade(holder, IntentKind.FLATTEN, Side.SELL, 20) is None, "a person may ask again"
    holder.clock.advance(5 * SECOND)
    holder.answer(holder.submits[-1], LegOutcome.KILLED)
    holder.book(*WIDE)
    assert trade(holder, IntentKind.EXIT, Side.SELL, 20) is None


def test_shares_that_were_sold_are_not_sold_again_before_the_chain_agrees(holder: Rig) -> None:
    assert trade(holder, IntentKind.EXIT, Side.SELL, 15) is None
    sold = holder.submits[-1].orders[0].order_id
    holder.answer(holder.submits[-1], LegOutcome.MATCHED)
    holder.fill(sold, 15, trade="sold", state=FillState.PROVISIONAL)
    blocked = trade(holder, IntentKind.EXIT, Side.SELL, 15)
    assert blocked is not None and (blocked.gate, blocked.limit) == (Gate.POSITION_HELD, 5.0)
    assert trade(holder, IntentKind.EXIT, Side.SELL, 5) is None

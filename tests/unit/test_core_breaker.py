"""Breakers trip past their limit, lift when good for a while, or wait for a person."""

from __future__ import annotations

import math

import pytest

from dailyarb.core.domain.ids import FeedId, StrategyId
from dailyarb.core.domain.rung import Rung, RungCause
from dailyarb.core.risk.breaker import BreakerRule, Breakers
from dailyarb.core.risk.limits import FEED_BREAKERS, build_breakers
from dailyarb.core.risk.rungs import Rungs
from tests.rig import settings

SECOND = 10**9


def breakers(manual: bool = False, below: bool = False, limit: float = 10.0) -> Breakers:
    """Returns one breaker named x that halts."""
    found = Breakers(5 * SECOND)
    found.define(BreakerRule("x", "n", limit, Rung.HALTED, manual, below, "what", "remedy"))
    return found


def test_a_trip_is_told_once_with_its_number_and_cause() -> None:
    found = breakers()
    assert found.observe("x", 10.0, 0, 7) is None
    change = found.observe("x", 10.5, 0, 7, "why")
    assert change is not None
    assert (change.tripped, change.now, change.limit, change.reason) == (True, 10.5, 10.0, "why")
    assert found.observe("x", 11.0, 0, 8) is None
    assert (found.by_name["x"].trips, found.by_name["x"].since_wall_ns) == (1, 7)
    assert found.cap() == (Rung.HALTED, "x")
    assert found.tripped() == 1


def test_it_lifts_only_after_a_while_without_a_relapse() -> None:
    found = breakers()
    found.observe("x", 11.0, 0, 0)
    assert found.observe("x", 1.0, 1 * SECOND, 0) is None
    assert found.observe("x", 11.0, 3 * SECOND, 0) is None
    assert found.observe("x", 1.0, 4 * SECOND, 0) is None
    assert found.observe("x", 1.0, 8 * SECOND, 0) is None
    change = found.observe("x", 1.0, 9 * SECOND, 0)
    assert change is not None
    assert not change.tripped
    assert found.cap() == (Rung.FULL, "")


def test_a_latched_one_waits_for_a_person() -> None:
    found = breakers(manual=True)
    assert found.reset("x", "early") is None
    found.observe("x", 11.0, 0, 0)
    for second in range(60):
        assert found.observe("x", 0.0, second * SECOND, 0) is None
    change = found.reset("x", "looked")
    assert change is not None
    assert change.reason == "looked"
    assert found.reset("unknown", "r") is None


def test_losses_trip_at_their_limit_and_below() -> None:
    found = breakers(below=True, limit=-50.0)
    assert found.observe("x", -49.9, 0, 0) is None
    assert found.observe("x", -50.0, 0, 0) is not None


@pytest.mark.parametrize("below", [False, True])
def test_a_number_that_is_none_is_past_every_limit(below: bool) -> None:
    assert breakers(below=below).observe("x", math.nan, 0, 0) is not None


@pytest.mark.parametrize(
    ("number", "limit", "near"), [(None, 10, False), (8, 10, True), (7.9, 10, False), (1, 0, False)]
)
def test_four_fifths_of_a_limit_is_near(number: float | None, limit: float, near: bool) -> None:
    found = breakers(limit=limit)
    found.by_name["x"].now = number
    assert found.by_name["x"].near() is near


def test_a_latched_one_is_restored_after_a_restart() -> None:
    found = breakers(manual=True)
    found.restore("unknown", 1.0, 0, "")
    found.restore("x", 12.0, 3, "before")
    assert found.cap()[0] is Rung.HALTED
    assert found.still_beyond("x")
    assert not breakers().still_beyond("x")


def test_every_breaker_has_a_limit_an_effect_and_a_remedy() -> None:
    found = build_breakers(settings())
    for breaker in found.by_name.values():
        assert breaker.rule.what and breaker.rule.remedy
        assert breaker.rule.effect < Rung.FULL
    assert set(FEED_BREAKERS.values()) <= set(found.by_name)
    assert set(FEED_BREAKERS) == set(FeedId)


def test_the_lowest_rung_in_force_holds_and_says_why() -> None:
    rungs = Rungs(Rung.FULL)
    assert rungs.overall() == (Rung.HALTED, RungCause.BOOTING, "reconciling")
    rungs.booting = False
    assert rungs.overall() == (Rung.FULL, RungCause.NONE, "")
    rungs.stopping = True
    assert rungs.overall() == (Rung.HEDGE_ONLY, RungCause.STOPPING, "stopping")
    rungs.operator, rungs.operator_reason = Rung.REDUCED, "careful"
    rungs.stopping = False
    assert rungs.overall() == (Rung.REDUCED, RungCause.OPERATOR, "careful")
    rungs.paused.add(StrategyId.S1)
    assert rungs.of(StrategyId.S1) is Rung.HEDGE_ONLY
    assert rungs.of(StrategyId.S2) is Rung.REDUCED
    rungs.breaker, rungs.breaker_name = Rung.HALTED, "auth"
    assert rungs.overall() == (Rung.HALTED, RungCause.BREAKER, "auth")
    assert rungs.of(StrategyId.S1) is Rung.HALTED


def test_rungs_are_ordered_and_end_at_both_ends() -> None:
    assert Rung.HALTED < Rung.HEDGE_ONLY < Rung.REDUCED < Rung.FULL
    assert max(Rung, key=lambda r: r.value) is Rung.FULL
    assert (Rung.HALTED.down, Rung.FULL.up) == (Rung.HALTED, Rung.FULL)
    assert (Rung.FULL.down, Rung.HALTED.up) == (Rung.REDUCED, Rung.HEDGE_ONLY)

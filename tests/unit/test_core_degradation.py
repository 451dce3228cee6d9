"""Health of venues, slow answers and near limits lower the rung; it lifts with hysteresis."""

from __future__ import annotations

from collections import deque

import pytest

from dailyarb.core.domain.events import (
    BookDesynced,
    CancelResult,
    FeedState,
    FeedStatus,
    OperatorCommand,
)
from dailyarb.core.domain.ids import FeedId
from dailyarb.core.domain.operator import OperatorVerb
from dailyarb.core.domain.records import BreakerMoved
from dailyarb.core.domain.rung import Rung, RungCause
from dailyarb.core.domain.settings import S1Settings, S2Settings, Strategies
from dailyarb.core.domain.units import SECOND
from dailyarb.core.engine.numbers import equity_now_e6, healths
from dailyarb.core.risk import degradation
from dailyarb.core.risk.health import FeedTrouble, Reading, error_percent, health
from dailyarb.core.risk.limits import RULES, build_breakers
from tests.rig import Rig, settings

S1_ONLY = Strategies(S2=S2Settings(enabled=False))
IDLE = Strategies(S1=S1Settings(enabled=False), S2=S2Settings(enabled=False))


def report(feed: FeedId = FeedId.BINANCE, **numbers: float) -> FeedState:
    """Returns a report of a fresh feed with these numbers."""
    return FeedState(feed, FeedStatus.FRESH, 2, 2, 0, 10.0, **numbers)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("number", "score"), [(-1, 1.0), (0, 1.0), (5, 1.0), (7.5, 0.75), (10, 0.5), (15, 0), (99, 0)]
)
def test_a_reading_costs_nothing_to_half_its_limit_and_half_at_it(
    number: float, score: float
) -> None:
    assert Reading("age", number, 10).score == score


def test_a_score_is_the_product_and_names_its_worst_reading() -> None:
    found = health("pm", Reading("age ms", 7.5, 10), Reading("gaps", 10, 10))
    assert found.score == 0.375
    assert found.worst == "gaps 10 of 10"
    assert health("pm", Reading("age ms", 1, 10)).worst == ""


def test_a_share_of_errors_needs_ten_answers() -> None:
    assert error_percent(deque([(0, True)] * 9)) == 0.0
    assert error_percent(deque([(0, True)] * 6 + [(0, False)] * 4)) == 60.0


def test_trouble_of_a_feed_is_what_its_totals_rose_by_within_a_minute() -> None:
    trouble = FeedTrouble()
    first = report(gaps=3, faults=4, reconnects=5)
    assert trouble.take(first, 0)
    assert not trouble.take(first, 1), "the same report is no news"
    assert trouble.per_minute(1) == 0, "what was before is not of this minute"
    trouble.take(report(gaps=4, faults=4, reconnects=7), 10 * SECOND)
    trouble.take(report(gaps=0, faults=0, reconnects=0), 20 * SECOND)
    trouble.take(report(gaps=1, faults=0, reconnects=0), 30 * SECOND)
    assert trouble.per_minute(60 * SECOND) == 4
    assert trouble.per_minute(70 * SECOND) == 1
    assert trouble.per_minute(90 * SECOND) == 0


def test_the_thresholds_are_those_of_the_design() -> None:
    found = build_breakers(settings()).by_name
    assert {r.name: r.effect for r in degradation.RULES} == {
        "health.pm": Rung.HALTED, "health.binance": Rung.HALTED,
        "slow": Rung.REDUCED, "near.limit": Rung.HEDGE_ONLY,
    }  # fmt: skip
    assert found["health.pm"].rule.limit == 0.5
    assert found["near.limit"].rule.limit == 90.0
    assert found["slow"].rule.limit < found["order.latency"].rule.limit
    assert len({rule.name for rule in RULES}) == len(RULES)


@pytest.mark.parametrize(
    ("name", "bad", "short", "good"),
    [("health.pm", 0.4, 0.6, 0.61), ("slow", 1_001, 901, 900), ("near.limit", 91, 82, 81)],
)
def test_a_cap_lifts_only_when_its_measure_is_clearly_better(
    name: str, bad: float, short: float, good: float
) -> None:
    found = build_breakers(settings())
    assert found.observe(name, short, 0, 0) is None
    assert found.observe(name, bad, 0, 0) is not None
    for second in range(20):
        assert found.observe(name, short, second * SECOND, 0) is None
    assert found.observe(name, good, 20 * SECOND, 0) is None
    assert found.observe(name, good, 25 * SECOND, 0) is not None


def test_how_much_of_a_limit_is_used() -> None:
    found = build_breakers(settings()).by_name
    assert found["health.pm"].share() == 0.0, "no number yet"
    for name, number, share in [
        ("health.pm", 1.0, 0.5), ("health.pm", 0.0, float("inf")), ("slow", 500, 0.5),
        ("loss.day", -25.0, 0.5), ("loss.day", 25.0, -0.5),
    ]:  # fmt: skip
        found[name].now = number
        assert found[name].share() == share


def test_the_nearest_limit_counts_and_is_named() -> None:
    found = build_breakers(settings())
    found.by_name["loss.drawdown"].now = 46.0
    measured = degradation.measures(found, (), 7.0, 0.5)
    assert measured == {"slow": (7.0, ""), "near.limit": (92.0, "loss.drawdown")}
    assert degradation.measures(found, (), 7.0, 0.95)["near.limit"] == (95.0, "worst case total")


# in the engine


def held(rig: Rig) -> tuple[Rung, RungCause, str]:
    """Lets a moment pass after a fact and returns the rung in force and why."""
    rig.state.stirred = True
    rig.advance(0.2)
    return rig.state.rungs.overall()


@pytest.mark.parametrize(
    ("numbers", "venue"),
    [
        ({"gaps": 21}, FeedId.POLYMARKET), ({"reconnects": 21}, FeedId.BINANCE),
        ({"lag_p99_ms": 5_001.0}, FeedId.BINANCE),
    ],
)  # fmt: skip
def test_an_ill_venue_halts_and_says_what_ails_it(numbers: dict[str, float], venue: FeedId) -> None:
    rig = Rig(settings(IDLE)).ready()
    rig.feed(report(venue, **numbers))
    rung, cause, name = held(rig)
    assert (rung, cause) == (Rung.HALTED, RungCause.DEGRADED)
    breaker = rig.state.breakers.by_name[name]
    assert breaker.now is not None and breaker.now < 0.5
    assert breaker.cause.endswith(("of 20", "of 5000"))
    assert [(r.breaker, r.tripped) for r in rig.records(BreakerMoved)] == [(name, True)]


def test_gaps_are_forgotten_after_a_minute_and_the_venue_is_well_again() -> None:
    rig = Rig(settings(IDLE)).ready()
    rig.feed(report(FeedId.POLYMARKET, gaps=30))
    assert held(rig)[0] is Rung.HALTED
    rig.advance(58)
    assert held(rig)[0] is Rung.HALTED
    rig.advance(8)
    assert held(rig)[0] is Rung.FULL


def test_requests_without_an_answer_make_the_order_venue_ill() -> None:
    rig = Rig(settings(IDLE)).ready()
    for i in range(12):
        rig.feed(CancelResult(0, (), proven=i % 3 == 0))
    assert held(rig) == (Rung.HALTED, RungCause.DEGRADED, "health.pm")
    assert rig.state.breakers.by_name["health.pm"].cause == "unanswered requests % 66.6667 of 50"


def test_no_venue_has_a_health_before_it_has_reported() -> None:
    rig = Rig(settings(IDLE))
    assert healths(rig.state, rig.clock.now()) == ()


def test_answers_that_grow_slow_leave_only_the_strategies_of_the_reduced_rung() -> None:
    rig = Rig(settings(IDLE)).ready()
    rig.state.tallies.answers_ms.append((rig.clock.now().mono_ns, 1_500.0))
    assert held(rig) == (Rung.REDUCED, RungCause.DEGRADED, "slow")


def test_a_limit_nearly_used_leaves_hedges_only_until_a_person_begins_anew() -> None:
    rig = Rig(settings(IDLE)).ready()
    rig.state.peak_e6 = equity_now_e6(rig.state) + 46_000_000
    assert held(rig) == (Rung.HEDGE_ONLY, RungCause.DEGRADED, "near.limit")
    verb = OperatorVerb.BREAKER_RESET
    rig.feed(OperatorCommand(verb, "me", target="loss.drawdown", reason="seen", confirmed=True))
    assert rig.state.breakers.by_name["loss.drawdown"].trips == 0
    rig.advance(6)
    assert held(rig)[0] is Rung.FULL


def test_a_reset_of_what_is_neither_tripped_nor_near_is_refused() -> None:
    found = build_breakers(settings())
    found.observe("loss.drawdown", 30.0, 0, 0)
    assert found.reset("loss.drawdown", "why") is None
    found.observe("slow", 950.0, 0, 0)
    assert found.reset("slow", "why") is None, "what lifts by itself needs nobody"


def test_books_unlike_the_venues_cap_and_lost_connections_do_not() -> None:
    rig = Rig(settings(IDLE)).ready()
    for _ in range(50):
        rig.feed(BookDesynced("0xm", "all connections lost"))
    assert held(rig)[0] is Rung.FULL
    for _ in range(21):
        rig.feed(BookDesynced("0xm", "frames disagree with the book"))
    assert held(rig) == (Rung.HEDGE_ONLY, RungCause.BREAKER, "book.gap")
    rig.advance(66)
    assert held(rig)[0] is Rung.FULL


def test_a_silent_feed_is_one_gap_however_many_its_markets() -> None:
    rig = Rig(settings(IDLE)).ready()
    for _ in range(3):
        for _ in range(40):
            rig.feed(BookDesynced("0xm", "silent feed"))
        rig.advance(5)
    assert len(rig.state.tallies.book_gaps) == 3
    assert held(rig)[0] is Rung.FULL

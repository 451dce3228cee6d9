"""Several strategies, one market: what is kept adds up, whatever they want."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dailyarb.core.domain.ids import Gate, StrategyId
from dailyarb.core.domain.intents import Blocked, Intent, IntentKind, Leg
from dailyarb.core.domain.market import Outcome, Side
from dailyarb.core.domain.orders import TIF
from dailyarb.core.strategies.combine import Budget, combine, cost_e6
from tests.rig import spec

SHARE = 1_000_000
MARKET = spec()
PLENTY = Budget(10**12, 10**12)
NAMES = [s for s in StrategyId if s is not StrategyId.OPERATOR]


def entry(
    strategy: StrategyId, outcome: Outcome, shares: int, edge_e4: int = 100, price_e4: int = 5_000
) -> Intent:
    """Returns an entry that takes one side."""
    leg = Leg(outcome, Side.BUY, price_e4, shares * SHARE, TIF.FAK)
    return Intent(strategy, "0xm", IntentKind.ENTRY, (leg,), edge_e4)


def leaving(strategy: StrategyId, outcome: Outcome, shares: int = 10) -> Intent:
    """Returns an exit."""
    leg = Leg(outcome, Side.SELL, 5_000, shares * SHARE, TIF.FAK)
    return Intent(strategy, "0xm", IntentKind.EXIT, (leg,), 0)


def quotes(strategy: StrategyId, shares: int, edge_e4: int = 200) -> Intent:
    """Returns a bid for each outcome."""
    legs = tuple(Leg(o, Side.BUY, 4_800, shares * SHARE, TIF.GTC, post_only=True) for o in Outcome)
    return Intent(strategy, "0xm", IntentKind.ENTRY, legs, edge_e4)


def net_e6(intents: tuple[Intent, ...]) -> int:
    """Returns UP shares less DOWN shares that entries taking one side would buy."""
    total = 0
    for intent in intents:
        if intent.kind is IntentKind.ENTRY and len(intent.legs) == 1:
            [leg] = intent.legs
            total += leg.size_e6 if leg.outcome is Outcome.UP else -leg.size_e6
    return total


outcomes = st.sampled_from(list(Outcome))
takes = st.builds(
    entry,
    st.just(StrategyId.S1),
    outcomes,
    st.integers(5, 200),
    st.integers(0, 900),
    st.integers(100, 9_900),
)
wants = st.one_of(
    takes,
    takes,
    st.builds(quotes, st.just(StrategyId.S3), st.integers(5, 50), st.integers(0, 900)),
    st.builds(leaving, st.just(StrategyId.S2), outcomes),
)


def named(found: list[Intent]) -> list[Intent]:
    """Gives each intent a strategy of its own."""
    return [
        Intent(name, i.market_id, i.kind, i.legs, i.edge_e4)
        for name, i in zip(NAMES, found, strict=False)
    ]


@settings(max_examples=300, deadline=None)
@given(st.lists(wants, min_size=1, max_size=len(NAMES)), st.integers(0, 3 * 10**8))
def test_what_is_kept_adds_up(found: list[Intent], budget_e6: int) -> None:
    wishes = named(found)
    kept, dropped = combine(wishes, MARKET, Budget(budget_e6, budget_e6))
    before = {wish.strategy: wish for wish in wishes}

    told = [intent.strategy for intent in kept] + [intent.strategy for intent, _ in dropped]
    assert sorted(told, key=NAMES.index) == [wish.strategy for wish in wishes], "each has its end"
    for intent in kept:
        asked = before[intent.strategy]
        assert intent == asked or intent.legs[0].size_e6 < asked.legs[0].size_e6
        assert [leg.price_e4 for leg in intent.legs] == [leg.price_e4 for leg in asked.legs]
        assert len({leg.size_e6 for leg in intent.legs}) == 1
        assert intent.legs[0].size_e6 >= MARKET.grid.min_size_e6
    assert all(wish in kept for wish in wishes if wish.kind is not IntentKind.ENTRY)

    sides = {i.legs[0].outcome for i in kept if i.kind is IntentKind.ENTRY and len(i.legs) == 1}
    assert len(sides) < 2, "never both outcomes at once"
    entries = [i for i in kept if i.kind is IntentKind.ENTRY]
    assert sum(cost_e6(i, MARKET) for i in entries) <= budget_e6
    assert {blocked.gate for _, blocked in dropped} <= {Gate.NETTED, Gate.BUDGET}


@settings(max_examples=200, deadline=None)
@given(st.lists(takes, min_size=1, max_size=len(NAMES)))
def test_netting_keeps_the_difference(found: list[Intent]) -> None:
    wishes = named(found)
    kept, _ = combine(wishes, MARKET, PLENTY)
    wanted, left = net_e6(tuple(wishes)), net_e6(kept)
    assert wanted * left >= 0
    # Only a rest too small for an order is lost.
    assert abs(wanted) - len(wishes) * MARKET.grid.min_size_e6 < abs(left) <= abs(wanted)


@settings(max_examples=100, deadline=None)
@given(st.lists(wants, min_size=1, max_size=5), st.integers(0, 10**8))
def test_combining_again_changes_nothing(found: list[Intent], budget_e6: int) -> None:
    budget = Budget(budget_e6, 10**12)
    kept, _ = combine(named(found), MARKET, budget)
    assert combine(kept, MARKET, budget) == (kept, ())


def test_the_larger_side_keeps_the_difference_best_edge_first() -> None:
    wishes = [
        entry(StrategyId.S1, Outcome.UP, 20, edge_e4=100),
        entry(StrategyId.S4, Outcome.UP, 20, edge_e4=300),
        entry(StrategyId.S5, Outcome.DOWN, 12, edge_e4=900),
    ]
    kept, dropped = combine(wishes, MARKET, PLENTY)
    assert [(i.strategy, i.legs[0].size_e6 // SHARE) for i in kept] == [
        (StrategyId.S1, 8),
        (StrategyId.S4, 20),
    ]
    assert dropped == ((wishes[2], Blocked(Gate.NETTED, 0.0, 12.0)),)


def test_an_exit_beats_an_entry_into_what_it_leaves() -> None:
    out, into = leaving(StrategyId.S1, Outcome.UP), entry(StrategyId.S5, Outcome.UP, 20)
    other = entry(StrategyId.S6, Outcome.DOWN, 20)
    kept, dropped = combine([out, into, other], MARKET, PLENTY)
    assert kept == (out, other)
    assert [intent for intent, _ in dropped] == [into]


def test_quotes_are_not_netted() -> None:
    both = [quotes(StrategyId.S3, 10), entry(StrategyId.S1, Outcome.DOWN, 20)]
    assert combine(both, MARKET, PLENTY) == (tuple(both), ())


def test_the_budget_goes_to_the_best_edge_per_dollar() -> None:
    dear = entry(StrategyId.S1, Outcome.UP, 20, edge_e4=200, price_e4=8_000)
    cheap = entry(StrategyId.S4, Outcome.UP, 20, edge_e4=150, price_e4=2_000)
    kept, dropped = combine([dear, cheap], MARKET, Budget(5_000_000, 10**12))
    assert [intent.strategy for intent in kept] == [StrategyId.S4]
    [(lost, why)] = dropped
    assert (lost, why.gate) == (dear, Gate.BUDGET)
    assert why.now == pytest.approx(20 * (0.80 + 0.07 * 0.16), abs=1e-3)
    assert why.limit == pytest.approx(5.0 - 20 * (0.20 + 0.07 * 0.16), abs=1e-3)
    kept, _ = combine([dear, cheap], MARKET, Budget(10**12, 10_000_000))
    assert [i.legs[0].size_e6 // 10_000 for i in kept] == [712, 2_000], "cut to fit the total"


def test_a_pair_risks_the_leg_that_may_fill_alone() -> None:
    assert cost_e6(quotes(StrategyId.S3, 10), MARKET) == 4_800_000
    assert cost_e6(entry(StrategyId.S1, Outcome.UP, 10), MARKET) == pytest.approx(5_175_000, abs=2)


def test_without_budget_nothing_is_opened() -> None:
    wish = entry(StrategyId.S1, Outcome.UP, 10)
    out = leaving(StrategyId.S2, Outcome.DOWN)
    kept, dropped = combine([wish, out], MARKET, Budget(-5, 10))
    assert kept == (out,)
    assert dropped[0][1].gate is Gate.BUDGET

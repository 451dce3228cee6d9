"""Signal rows: each number judged by its own direction, and only if it was asked for."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest

from dailyarb.core.book.book import Top
from dailyarb.core.domain.ids import GATE_FACTS, Gate, StrategyId
from dailyarb.core.domain.intents import Blocked
from dailyarb.core.domain.market import Outcome, Side
from dailyarb.core.domain.settings import S1Settings, S2Settings, Strategies
from dailyarb.core.engine.state import Desk, Verdicts
from dailyarb.core.engine.viewer_signals import (
    LAST,
    Signal,
    at_most,
    beyond,
    judged,
    order_of,
    signals_of,
)
from dailyarb.core.strategies.base import Scene, Strategy, Working
from tests.rig import Rig, settings
from tests.unit.test_core_maker import S3
from tests.unit.test_core_strategies import S1, S2, SHARE, broken, gate, scene
from tests.unit.test_core_takers import S4, S5, S6, X1

MOVE, EDGE = Gate.MOVE_BELOW_MIN, Gate.EDGE_BELOW_MIN
ORDER = (MOVE, EDGE, Gate.DEPTH_THIN)


def words(
    signals: list[Signal], blocked: Gate | None, order: tuple[Gate, ...] = ORDER
) -> list[str]:
    """Returns the words of a list of numbers."""
    return [word for _, word in judged(signals, order, blocked)]


def number(value: float | None, limit: float | None, gate: Gate | None, **more: Any) -> Signal:
    """Returns one number."""
    return Signal("n", value, "", limit, gate, **more)


@pytest.mark.parametrize(
    ("signal", "word"),
    [
        (number(2.0, 2.0, MOVE), "PASS"),
        (number(1.9, 2.0, MOVE), "fail"),
        (number(2.0, 2.0, MOVE, meets=at_most), "PASS"),
        (number(2.1, 2.0, MOVE, meets=at_most), "fail"),
        (number(-2.0, 2.0, MOVE, meets=beyond), "PASS"),
        (number(-1.9, 2.0, MOVE, meets=beyond), "fail"),
        (number(7.0, None, MOVE), "PASS"),
        (number(7.0, 1.0, None), "-"),
        (number(7.0, 9.0, MOVE, off=True), "off"),
    ],
)
def test_a_number_that_was_asked_for_is_judged_by_its_own_direction(
    signal: Signal, word: str
) -> None:
    assert words([signal], None) == [word]
    assert words([signal], Gate.CASH) == [word], "the account was asked after it"


def test_what_an_earlier_gate_kept_from_being_asked_never_passes() -> None:
    numbers = [number(1.0, 2.0, MOVE), number(5.0, 1.0, EDGE)]
    assert words(numbers, MOVE) == ["fail", "-"]
    assert words([number(3.0, 2.0, MOVE), numbers[1]], EDGE) == ["PASS", "PASS"]
    assert words(numbers, Gate.COOLDOWN) == ["-", "-"], "a gate before the first number"


def test_numbers_of_one_gate_are_asked_in_their_order() -> None:
    shared = [number(3.0, 2.0, MOVE), number(1.0, 2.0, MOVE), number(9.0, 2.0, MOVE)]
    assert words(shared, MOVE) == ["PASS", "fail", "-"]
    unknown = [number(None, 2.0, MOVE), number(9.0, 2.0, MOVE)]
    assert words(unknown, MOVE) == ["fail", "-"]
    assert words([number(7.0, None, MOVE)], MOVE) == ["fail"], "its gate stopped without a limit"


def desk_of(rig: Rig) -> Desk:
    """Returns the desk of the only market."""
    return rig.state.desks[rig.market.market_id]


WORKING = [Working("o", Outcome.UP, Side.BUY, 1, 1, 1, 0, False)]
HOLDS = {Outcome.UP: 100 * SHARE}
# What makes a gate stop S1 or S2 in a scene that passes all of them.
S1_STOPS: dict[Gate, dict[str, Any]] = {
    MOVE: {"move_bp": 1.0},
    Gate.NO_SETTLEMENT: {"settle_age_ms": None},
    Gate.SETTLEMENT_STALE: {"settle_age_ms": 9_000},
    Gate.NO_STRIKE: {"strike": None},
    Gate.NO_VOLATILITY: {"sigma": None},
    Gate.INSIDE_BASIS: {"dist_bp": 0.1},
    Gate.ORDER_WORKING: {"working": WORKING},
    Gate.TIME_TO_CLOSE: {"tau_s": 1.0},
    Gate.SPREAD_ABOVE_MAX: {"up": Top(4_000, 500 * SHARE, 5_000, 500 * SHARE)},
    Gate.COOLDOWN: {"since_trade_ns": 0},
    Gate.POSITION_HELD: {"held": HOLDS},
    Gate.BOOK_ANSWERED: {"mid_then_e4": 4_300},
    EDGE: {"decay": 0.1},
    Gate.DEPTH_THIN: {"up": Top(4_900, 500 * SHARE, 5_000, SHARE)},
}
BELOW = {"up": Top(4_500, 500 * SHARE, 4_600, 30 * SHARE),
         "down": Top(4_500, 500 * SHARE, 4_700, 30 * SHARE)}  # fmt: skip
S2_STOPS: dict[Gate, dict[str, Any]] = {
    Gate.SPREAD_ABOVE_MAX: {"up": Top(4_000, 500 * SHARE, 4_600, 30 * SHARE)},
    Gate.ORDER_WORKING: {"working": WORKING},
    Gate.COOLDOWN: {"since_trade_ns": 0},
    Gate.POSITION_HELD: {"held": HOLDS},
    Gate.SUM_ABOVE_LIMIT: {"down": Top(4_500, 500 * SHARE, 5_400, 30 * SHARE)},
    Gate.DEPTH_THIN: {"down": Top(4_500, 500 * SHARE, 4_700, SHARE)},
}


def first(strategy: Strategy, base: Scene, stops: dict[Gate, dict[str, Any]], *pair: Gate) -> Gate:
    """Returns which of two gates stops a scene that both would stop; they break different parts."""
    changes: dict[str, Any] = {}
    for one in pair:
        changes |= stops[one]
    return gate(strategy, replace(base, **changes))


def test_the_order_of_s1_is_the_one_in_which_it_asks() -> None:
    rig = Rig().ready()
    order = order_of(rig.state, desk_of(rig), S1)
    assert set(order) == set(S1_STOPS)
    free = [g for g in order if g is not Gate.POSITION_HELD]  # holding has an order of its own
    for early, late in combinations(free, 2):
        if not S1_STOPS[early].keys() & S1_STOPS[late].keys():
            assert first(S1, scene(), S1_STOPS, early, late) is early, (early, late)
    holding = replace(scene(), held=HOLDS)
    assert first(S1, holding, S1_STOPS, MOVE, Gate.COOLDOWN) is Gate.COOLDOWN
    for late in (Gate.POSITION_HELD, Gate.BOOK_ANSWERED, EDGE):
        assert first(S1, holding, S1_STOPS, MOVE, late) is MOVE


def test_the_order_of_s1_with_shares_asks_about_leaving_first(monkeypatch: Any) -> None:
    rig = Rig().ready()
    monkeypatch.setattr(type(rig.state), "held", lambda *_: HOLDS)
    order = order_of(rig.state, desk_of(rig), S1)
    assert set(order) == set(S1_STOPS)
    assert order.index(Gate.COOLDOWN) < order.index(MOVE) < order.index(Gate.POSITION_HELD)


def test_the_order_of_s2_is_the_one_in_which_it_asks() -> None:
    rig = Rig().ready()
    order = order_of(rig.state, desk_of(rig), S2)
    assert set(order) == {Gate.MIRROR_BROKEN, *S2_STOPS}
    taking = type(S2)(S2Settings(), S2._feeds)
    base = scene(**BELOW)
    for early, late in combinations(order[1:], 2):
        if not S2_STOPS[early].keys() & S2_STOPS[late].keys():
            assert first(taking, base, S2_STOPS, early, late) is early, (early, late)
    wide = broken(replace(base, **S2_STOPS[Gate.SPREAD_ABOVE_MAX]))
    assert gate(taking, wide) is Gate.MIRROR_BROKEN


TAKER_END = (Gate.POSITION_HELD, EDGE, Gate.DEPTH_THIN)
MAKER_END = (Gate.ORDER_WORKING, Gate.COOLDOWN, Gate.POSITION_HELD)


@pytest.mark.parametrize(
    ("strategy", "end"), [*((s, TAKER_END) for s in (S4, S5, S6, X1)), (S3, MAKER_END)]
)
def test_the_rules_of_a_strategy_come_first(strategy: Strategy, end: tuple[Gate, ...]) -> None:
    rig = Rig().ready()
    order = order_of(rig.state, desk_of(rig), strategy)
    assert order[-3:] == end
    assert len(order) == 3 + len(signals_of(rig.state, strategy, scene()))


def test_gates_of_the_account_and_the_risk_room_come_last() -> None:
    own = {*S1_STOPS, *S2_STOPS, Gate.MIRROR_BROKEN}
    assert not own & LAST
    assert set(GATE_FACTS) >= LAST


def asked(rig: Rig, strategy: StrategyId, blocked: Gate | None) -> dict[str, tuple[float, str]]:
    """Returns a strategy's rows had its evaluation ended so: name to limit and word."""
    stopped = None if blocked is None else Blocked(blocked)
    desk_of(rig).verdicts[strategy] = Verdicts(stopped)
    rows = rig.engine.view(rig.clock.now()).signals
    return {r.name: (r.limit or 0.0, r.verdict) for r in rows if r.strategy is strategy}


def test_two_outcomes_at_a_dollar_and_more_never_pass() -> None:
    rig = Rig(settings(Strategies(S1=S1Settings(), S2=S2Settings()))).ready()
    rig.book([(49, 500)], [(50, 500)])
    fees = 2 * 1.75
    [asks, bids] = [
        asked(rig, StrategyId.S2, Gate.SUM_ABOVE_LIMIT)[n] for n in ("ask+ask", "bid+bid")
    ]
    assert (round(asks[0], 2), asks[1]) == (100 - fees - 0.5, "fail")
    assert bids[1] == "off", "resting is off by default"
    assert asked(rig, StrategyId.S2, Gate.COOLDOWN)["ask+ask"][1] == "-"
    assert asked(rig, StrategyId.S2, Gate.COOLDOWN)["mirror"] == (100.0, "PASS")
    assert asked(rig, StrategyId.S2, Gate.BOOK_STALE)["mirror"][1] == "-"


def test_the_edge_of_s1_is_the_one_its_gate_judges() -> None:
    rig = Rig().ready()
    rig.book([(49, 500)], [(50, 500)])
    desk = desk_of(rig)
    desk.scene = scene(decay=0.05)
    verdict = S1.evaluate(desk.scene)
    rows = {r.name: r for r in rig.engine.view(rig.clock.now()).signals}
    assert isinstance(verdict, Blocked)
    assert (rows["edge net"].value, rows["edge net"].limit) == (verdict.now, verdict.limit)


def test_one_sided_books_and_unknown_fair_values_have_no_numbers_to_judge() -> None:
    rig = Rig().ready()
    one = scene(up=Top(4_900, SHARE, 10_000, 0))
    assert signals_of(rig.state, S2, one) == []
    edge = signals_of(rig.state, S1, scene(fair=None))[-1]
    assert edge.value is None
    assert {s.name: s.value for s in signals_of(rig.state, S1, scene(sigma=None))}["sigma"] is None


def test_a_strategy_that_never_looked_has_no_rows() -> None:
    rig = Rig().ready()
    rig.book([(49, 500)], [(50, 500)])
    assert rig.engine.view(rig.clock.now()).signals
    desk_of(rig).verdicts.clear()
    assert rig.engine.view(rig.clock.now()).signals == ()
    desk_of(rig).scene = None
    assert rig.engine.view(rig.clock.now()).signals == ()


class Stranger:
    """Is a strategy of no known kind."""

    id = StrategyId.S1
    values = False


def test_a_strategy_of_no_known_kind_shows_no_numbers() -> None:
    assert signals_of(Rig().ready().state, Stranger(), scene()) == []  # type: ignore[arg-type]

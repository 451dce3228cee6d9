"""The last gate: every limit, one named reason with its number."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from dailyarb.core.domain.ids import Gate, StrategyId
from dailyarb.core.domain.intents import Intent, IntentKind, Leg
from dailyarb.core.domain.market import Grid, Outcome, Side
from dailyarb.core.domain.orders import TIF
from dailyarb.core.domain.rung import Rung
from dailyarb.core.domain.settings import Sizing
from dailyarb.core.risk.exposure import Standing
from dailyarb.core.risk.gate import Admitted, Denied, RiskGate, Situation
from tests.rig import risk, spec

SHARE = 1_000_000
BUY_UP = Leg(Outcome.UP, Side.BUY, 5_000, 20 * SHARE, TIF.FAK)
BUY_DOWN = Leg(Outcome.DOWN, Side.BUY, 4_800, 20 * SHARE, TIF.FAK)
SELL_UP = Leg(Outcome.UP, Side.SELL, 5_000, 20 * SHARE, TIF.FAK)


def seen(**changes: Any) -> Situation:
    """Returns a situation in which nothing stands against an order."""
    values: dict[str, Any] = {
        "rung": Rung.FULL,
        "standing": Standing(),
        "items": [],
        "worst_others_e6": 0,
        "day_net_e6": 0,
        "open_markets": 0,
        "market_open": False,
        "unknown_orders": 0,
        "free_cash_e6": 1_000 * SHARE,
        "naked_e6": 0,
        "held": {},
        "waiting": [],
        "matched": Standing(),
    }
    return Situation(**{**values, **changes})


def intent(
    *legs: Leg,
    kind: IntentKind = IntentKind.ENTRY,
    strategy: StrategyId = StrategyId.S1,
    pair_id: int = 0,
) -> Intent:
    """Returns an intent of these legs, one purchase of UP by default."""
    return Intent(strategy, "0xm", kind, legs or (BUY_UP,), 100, pair_id=pair_id)


def judge(
    wanted: Intent, situation: Situation | None = None, grid: Grid | None = None, **limits: Any
) -> Gate | Intent:
    """Returns the gate that stops an intent, or the intent with its sizes."""
    market = spec(grid=grid or Grid())
    verdict = RiskGate(risk(**limits)).admit(wanted, market, situation or seen(), 10**12)
    return verdict.blocked.gate if isinstance(verdict, Denied) else verdict.intent


def test_an_entry_without_obstacle_is_admitted_as_it_is() -> None:
    assert judge(intent()) == intent()


@pytest.mark.parametrize(
    ("situation", "limits", "gate"),
    [
        ({"recovering": True}, {}, Gate.RECOVERING),
        ({"stopping": True}, {}, Gate.STOPPING),
        ({"rung": Rung.HALTED}, {}, Gate.RUNG),
        ({"rung": Rung.REDUCED}, {}, Gate.RUNG),
        ({"unknown_orders": 1}, {}, Gate.UNKNOWN_ORDERS),
        ({"day_net_e6": -50 * SHARE}, {}, Gate.DAY_LOSS),
        ({"open_markets": 4}, {}, Gate.OPEN_POSITIONS),
        ({"naked_e6": 51 * SHARE}, {}, Gate.NAKED_EXPOSURE),
        ({"overdue_ms": 2_001}, {}, Gate.NAKED_EXPOSURE),
        ({"free_cash_e6": 10 * SHARE}, {}, Gate.CASH),
        ({}, {"max_worst_case_market_usd": 9.0}, Gate.WORST_CASE_MARKET),
        ({"worst_others_e6": -195 * SHARE}, {}, Gate.WORST_CASE_TOTAL),
        ({}, {"max_notional_per_trade_usd": 2.0}, Gate.SIZE_BELOW_MIN),
        ({"waiting": [replace(SELL_UP, tif=TIF.GTC)]}, {}, Gate.SELF_MATCH),
    ],
)
def test_each_obstacle_has_its_name(
    situation: dict[str, Any], limits: dict[str, Any], gate: Gate
) -> None:
    assert judge(intent(), seen(**situation), **limits) is gate


def test_a_market_already_open_is_not_another_position() -> None:
    assert isinstance(judge(intent(), seen(open_markets=4, market_open=True)), Intent)


def test_reduced_admits_only_its_strategies_and_at_a_smaller_size() -> None:
    wanted = intent(strategy=StrategyId.S2)
    found = judge(wanted, seen(rung=Rung.REDUCED))
    assert isinstance(found, Intent)
    assert found.legs[0].size_e6 == 5 * SHARE
    assert judge(wanted, seen(rung=Rung.HEDGE_ONLY)) is Gate.RUNG


def test_the_notional_of_a_trade_is_cut_to_its_limit() -> None:
    found = judge(intent(), max_notional_per_trade_usd=6.0)
    assert isinstance(found, Intent)
    assert found.legs[0].size_e6 == 12 * SHARE


def test_the_notional_of_a_pair_is_that_of_both_legs() -> None:
    found = judge(intent(BUY_UP, BUY_DOWN, pair_id=-1), max_notional_per_trade_usd=6.0)
    assert isinstance(found, Intent)
    paid = sum(leg.price_e4 * leg.size_e6 for leg in found.legs)
    assert 5_500_000 * 10_000 < paid <= 6_000_000 * 10_000


def test_a_pair_is_never_larger_than_one_leg_may_stay_naked() -> None:
    pair = intent(BUY_UP, BUY_DOWN, pair_id=-1)
    found = judge(pair, max_partial_exposure_usd=5.0)
    assert isinstance(found, Intent)
    assert [leg.size_e6 for leg in found.legs] == [10 * SHARE] * 2
    single = judge(intent(pair_id=3), max_partial_exposure_usd=5.0)
    assert isinstance(single, Intent)
    assert single.legs[0].size_e6 == 10 * SHARE


def test_both_legs_get_a_size_that_both_prices_allow() -> None:
    fine = Grid(tick_e4=10)
    up = Leg(Outcome.UP, Side.BUY, 4_850, 20 * SHARE, TIF.FAK)  # whole cents every 2 shares
    down = Leg(Outcome.DOWN, Side.BUY, 4_840, 19 * SHARE, TIF.FAK)  # every 2.5 shares
    found = judge(intent(up, down, pair_id=-1), grid=fine)
    assert isinstance(found, Intent)
    assert [leg.size_e6 for leg in found.legs] == [10 * SHARE] * 2


def test_a_price_off_the_grid_is_named() -> None:
    off = Leg(Outcome.UP, Side.BUY, 4_950, 20 * SHARE, TIF.GTC)
    assert judge(intent(off)) is Gate.OFF_GRID


def test_our_own_orders_never_meet() -> None:
    dear = Leg(Outcome.DOWN, Side.BUY, 5_000, 20 * SHARE, TIF.GTC)
    assert judge(intent(BUY_UP, dear)) is Gate.SELF_MATCH
    assert isinstance(judge(intent(BUY_UP, BUY_DOWN)), Intent)
    bid = Leg(Outcome.UP, Side.BUY, 5_000, 20 * SHARE, TIF.GTC)
    sale = intent(SELL_UP, kind=IntentKind.EXIT)
    holding = seen(held={Outcome.UP: 20 * SHARE}, waiting=[bid])
    assert judge(sale, holding) is Gate.SELF_MATCH
    twin = seen(waiting=[bid, Leg(Outcome.DOWN, Side.SELL, 4_000, SHARE, TIF.GTC)])
    assert isinstance(judge(intent(), twin), Intent), "same side of the same book"


def test_only_confirmed_shares_are_sold() -> None:
    sale = intent(SELL_UP, kind=IntentKind.EXIT)
    assert judge(sale, seen(held={Outcome.UP: 19 * SHARE})) is Gate.POSITION_HELD
    assert isinstance(judge(sale, seen(held={Outcome.UP: 20 * SHARE})), Intent)


def test_hedge_only_admits_what_lowers_the_worst_case() -> None:
    naked = Standing(-10 * SHARE, 20 * SHARE, 0)
    state = seen(rung=Rung.HEDGE_ONLY, matched=naked, held={Outcome.UP: 20 * SHARE})
    assert isinstance(judge(intent(SELL_UP, kind=IntentKind.EXIT), state), Intent)
    assert isinstance(judge(intent(BUY_DOWN, kind=IntentKind.COMPLETE), state), Intent)
    balanced = Standing(-19 * SHARE, 20 * SHARE, 20 * SHARE)
    held = dict.fromkeys(Outcome, 20 * SHARE)
    even = seen(rung=Rung.HEDGE_ONLY, matched=balanced, held=held)
    assert judge(intent(SELL_UP, kind=IntentKind.EXIT), even) is Gate.RUNG
    assert isinstance(judge(intent(SELL_UP, kind=IntentKind.FLATTEN), even), Intent)


def test_halted_lets_an_operators_flatten_pass_and_nothing_else() -> None:
    state = seen(rung=Rung.HALTED, held={Outcome.UP: 20 * SHARE})
    assert judge(intent(SELL_UP, kind=IntentKind.UNWIND), state) is Gate.RUNG
    assert isinstance(judge(intent(SELL_UP, kind=IntentKind.FLATTEN), state), Intent)


def test_orders_of_a_minute_are_forgotten_after_it() -> None:
    gate = RiskGate(risk(max_orders_per_minute=2))
    gate.count_orders(0, 2)
    assert isinstance(gate.admit(intent(), spec(), seen(), 59 * 10**9), Denied)
    assert isinstance(gate.admit(intent(), spec(), seen(), 60 * 10**9), Admitted)


@pytest.mark.parametrize("kind", [kind for kind in IntentKind if kind is not IntentKind.ENTRY])
def test_orders_of_the_minute_hold_back_entries_and_nothing_else(kind: IntentKind) -> None:
    gate = RiskGate(risk(max_orders_per_minute=2))
    gate.count_orders(0, 1)
    market, held = spec(), seen(held={Outcome.UP: 20 * SHARE})
    leaving = intent(SELL_UP, kind=kind)
    assert isinstance(gate.admit(leaving, market, held, 1), Admitted)
    gate.count_orders(1, 1)
    denied = gate.admit(intent(), market, held, 2)
    assert isinstance(denied, Denied), "an order that leaves a position counts too"
    assert denied.blocked.gate is Gate.ORDERS_PER_MINUTE
    assert isinstance(gate.admit(leaving, market, held, 2), Admitted)


def test_a_pair_gets_only_the_room_that_other_pairs_leave() -> None:
    pair = intent(BUY_UP, BUY_DOWN, pair_id=-1)
    found = judge(pair, seen(naked_possible_e6=46 * SHARE))
    assert isinstance(found, Intent)
    assert [leg.size_e6 for leg in found.legs] == [8 * SHARE] * 2, "4 dollars at 50 cents"
    assert judge(pair, seen(naked_possible_e6=50 * SHARE)) is Gate.NAKED_EXPOSURE
    assert isinstance(judge(intent(), seen(naked_possible_e6=50 * SHARE)), Intent)


KELLY: dict[str, Any] = {"sizing": Sizing.KELLY, "kelly_fraction": 0.5, "kelly_sigmas": 0.0}


def test_kelly_sizes_an_entry_by_its_edge_and_never_above_what_was_wanted() -> None:
    # c = 0.50 + 0.0175 of fee; q = 0.55: (0.55 - 0.5175) / 0.4825 = 0.06736 of 100 dollars,
    # halved, at 0.5175 a share: 6.508 shares, floored to the grid of 0.01.
    wanted = replace(intent(), fair_e4=5_500)
    found = judge(wanted, seen(free_cash_e6=100 * SHARE), **KELLY)
    assert isinstance(found, Intent)
    assert found.legs[0].size_e6 == 6_500_000
    rich = judge(wanted, **KELLY)
    assert isinstance(rich, Intent)
    assert rich.legs[0].size_e6 == 20 * SHARE


def test_kelly_buys_nothing_where_the_lower_bound_has_no_edge() -> None:
    wanted = replace(intent(), fair_e4=5_500)
    assert judge(wanted, **{**KELLY, "kelly_sigmas": 1.645}) is Gate.KELLY_ZERO
    assert judge(intent(), **KELLY) is Gate.KELLY_ZERO, "no chance is known"
    assert judge(replace(wanted, fair_e4=5_100), **KELLY) is Gate.KELLY_ZERO, "below the fee"


def test_kelly_sees_the_other_side_and_the_makers_cost() -> None:
    down = replace(BUY_DOWN, tif=TIF.GTC, post_only=True)
    found = judge(replace(intent(down), fair_e4=5_000), seen(free_cash_e6=150 * SHARE), **KELLY)
    # c = 0.48 without a fee; q = 0.50: 0.03846 of 150 dollars, halved, at 0.48: 6.009 shares.
    assert isinstance(found, Intent)
    assert found.legs[0].size_e6 == pytest.approx(6.009 * SHARE, abs=10_000)


def test_kelly_leaves_pairs_as_they_are() -> None:
    pair = intent(BUY_UP, BUY_DOWN, pair_id=-1)
    assert judge(pair, **KELLY) == judge(pair)


def test_nothing_is_rested_where_an_own_taker_is_about_to_arrive() -> None:
    """BUY UP at 56 and BUY DOWN at 44 are one trade, whichever of them takes (F42)."""
    taker = Leg(Outcome.DOWN, Side.BUY, 4_400, 20 * SHARE, TIF.FAK)
    maker = Leg(Outcome.UP, Side.BUY, 5_600, 20 * SHARE, TIF.GTC, post_only=True)
    assert judge(intent(maker), seen(waiting=[taker])) is Gate.SELF_MATCH
    other = replace(maker, tif=TIF.FAK, post_only=False)
    assert isinstance(judge(intent(other), seen(waiting=[taker])), Intent), "none rests"

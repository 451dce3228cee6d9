"""S4, S5, S6 and X1: what they believe, and the one gate that stops them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dailyarb.core.book.book import Top
from dailyarb.core.domain.ids import Gate
from dailyarb.core.domain.intents import Blocked, Intent, IntentKind
from dailyarb.core.domain.market import MarketState, Outcome, Side, Window
from dailyarb.core.domain.orders import TIF
from dailyarb.core.domain.settings import Feeds, S4Settings, S5Settings, S6Settings, X1Settings
from dailyarb.core.domain.units import MS, SECOND
from dailyarb.core.pricing.fair import Fair, normal_cdf, normal_score
from dailyarb.core.pricing.flow import Flow, Imbalance
from dailyarb.core.strategies.base import Leader, Peer, Scene, Working, fee_per_share_e4
from dailyarb.core.strategies.cross_asset import CrossAsset
from dailyarb.core.strategies.cross_window import CrossWindow, bounds_e4, own_view_bp
from dailyarb.core.strategies.flow import OrderFlow
from dailyarb.core.strategies.taker import Taker, exit_intent, per_bp_e4, shifted_e4
from dailyarb.core.strategies.vol_value import VolValue, vol_gap
from tests.rig import START_S, spec
from tests.unit.test_core_strategies import SHARE, gate, scene, wish

FEEDS = Feeds()
S4 = CrossWindow(S4Settings(), FEEDS)
S5 = VolValue(S5Settings(), FEEDS)
S6 = OrderFlow(S6Settings(impact_bps=3.0), FEEDS)
X1 = CrossAsset(X1Settings(), FEEDS)
END_NS = (START_S + 900) * SECOND
QUARTER = spec(window=Window.M15, end_ns=END_NS)


def fair(p_up: float, sd: float = 1e-3) -> Fair:
    """Returns a fair value and the score that makes it."""
    return Fair(p_up, normal_score(p_up), sd)


def peer(view_bp: float, **changes: Any) -> Peer:
    """Returns a 5m window that sees the spot so far from the reference's own."""
    values: dict[str, Any] = {
        "window_s": 300,
        "end_ns": (START_S + 300) * SECOND,
        "strike": 100_000.0,
        "same_rule": True,
        "bid_e4": 5_500,
        "ask_e4": 5_600,
        "view_bp": view_bp,
        "correlation": 0.8,
    }
    return Peer(**{**values, **changes})


def diverged(view_bp: float = 20.0, **changes: Any) -> Scene:
    """Returns a 15m window whose mid is fair, and a 5m window that sees more."""
    values = {"spec": QUARTER, "fair": fair(0.495), "peers": (peer(view_bp),)}
    return scene(**{**values, **changes})


def calm(**changes: Any) -> Scene:
    """Returns a favourite that realised volatility makes cheap: 70 against a model of 85."""
    return scene(**{"up": top(70), "fair": fair(0.85), **changes})


def flow(share: float = 0.9, **changes: Any) -> Flow:
    """Returns Binance's aggressors on one side, and an idle tape."""
    side = Imbalance(share, 90, 5)
    values: dict[str, Any] = {
        "reference": (side, side, side),
        "tape": (Imbalance(0.0, 0, 0),) * 3,
        "since_ns": 0,
    }
    return Flow(**{**values, **changes})


def pushed(share: float = 0.9, **changes: Any) -> Scene:
    """Returns a market at even odds while Binance's takers buy."""
    parts = {key: changes.pop(key) for key in ("reference", "tape", "since_ns") if key in changes}
    return scene(**{"fair": fair(0.495), "flow": flow(share, **parts), **changes})


def led(move_bp: float | None = 8.0, **changes: Any) -> Scene:
    """Returns a follower that stands still while its leader rose."""
    parts: dict[str, Any] = {"age_ms": 5, "move_age_ns": 0, "beta": 1.2, "correlation": 0.9}
    parts.update({key: changes.pop(key) for key in list(parts) if key in changes})
    values = {"fair": fair(0.495, 5e-4), "move_bp": 0.0, "leader": Leader(move_bp, **parts)}
    return scene(**{**values, **changes})


def top(mid_cents: int, shares: int = 500) -> Top:
    """Returns a touch one cent wide around a mid."""
    low = mid_cents * 100 - 50
    return Top(low, shares * SHARE, low + 100, shares * SHARE)


ALL: list[tuple[Taker, Scene]] = [(S4, diverged()), (S5, calm()), (S6, pushed()), (X1, led())]


@pytest.mark.parametrize(("strategy", "seen"), ALL)
def test_each_takes_up_where_its_hypothesis_holds(strategy: Taker, seen: Scene) -> None:
    found = wish(strategy, seen)
    assert isinstance(found, Intent)
    [leg] = found.legs
    assert (found.strategy, found.kind) == (strategy.id, IntentKind.ENTRY)
    assert (leg.outcome, leg.side, leg.tif) == (Outcome.UP, Side.BUY, TIF.FAK)
    assert (leg.price_e4, leg.size_e6) == (seen.up.ask_e4, 10 * SHARE)
    fee = fee_per_share_e4(leg.price_e4, 70_000)
    value = strategy.believe(seen).up_e4
    assert found.edge_e4 == round(value - leg.price_e4 - fee - 50 - 50)
    assert found.note


@pytest.mark.parametrize(
    ("strategy", "seen"),
    [
        (S4, diverged(-20.0, fair=fair(0.505))),
        (S5, scene(up=top(30), fair=fair(0.15))),
        (S6, pushed(-0.9)),
        (X1, led(-8.0)),
    ],
)
def test_each_takes_down_in_the_mirror(strategy: Taker, seen: Scene) -> None:
    found = wish(strategy, seen)
    assert isinstance(found, Intent)
    assert found.legs[0].outcome is Outcome.DOWN
    assert found.legs[0].price_e4 == seen.down.ask_e4


COMMON = [
    ({"state": MarketState.QUARANTINED}, Gate.QUARANTINED),
    ({"book_age_ms": None}, Gate.BOOK_STALE),
    ({"reference_age_ms": None}, Gate.NO_REFERENCE),
    ({"strike": None}, Gate.NO_STRIKE),
    ({"tau_s": 29.0}, Gate.TIME_TO_CLOSE),
    ({"working": [Working("o", Outcome.UP, Side.BUY, 1, 1, 1, 0, False)]}, Gate.ORDER_WORKING),
    ({"since_trade_ns": 4_999 * MS}, Gate.COOLDOWN),
    ({"held": {Outcome.UP: 40 * SHARE}}, Gate.POSITION_HELD),
]


@pytest.mark.parametrize(("strategy", "seen"), ALL)
@pytest.mark.parametrize(("changes", "expected"), COMMON)
def test_the_common_gates_stop_all(
    strategy: Taker, seen: Scene, changes: dict[str, Any], expected: Gate
) -> None:
    assert gate(strategy, replace(seen, **changes)) is expected


@pytest.mark.parametrize(("strategy", "seen"), ALL)
def test_a_wide_book_is_left_alone(strategy: Taker, seen: Scene) -> None:
    wide = Top(seen.up.bid_e4 - 200, SHARE, seen.up.ask_e4 + 250, 500 * SHARE)
    down = Top(10_000 - wide.ask_e4, wide.ask_e6, 10_000 - wide.bid_e4, wide.bid_e6)
    assert gate(strategy, replace(seen, up=wide, down=down)) is Gate.SPREAD_ABOVE_MAX


@pytest.mark.parametrize(("strategy", "seen"), ALL)
def test_a_thin_touch_is_left_alone(strategy: Taker, seen: Scene) -> None:
    thin = seen.up._replace(bid_e6=9 * SHARE, ask_e6=9 * SHARE)
    down = Top(10_000 - thin.ask_e4, thin.ask_e6, 10_000 - thin.bid_e4, thin.bid_e6)
    assert gate(strategy, replace(seen, up=thin, down=down)) is Gate.DEPTH_THIN


@pytest.mark.parametrize(
    ("strategy", "seen", "expected"),
    [
        (S4, diverged(peers=()), Gate.NO_PEER),
        (S4, diverged(1.4), Gate.WINDOWS_AGREE),
        (S4, diverged(peers=(peer(20.0, correlation=0.2),)), Gate.CORRELATION_LOW),
        (S4, diverged(3.0, fair=fair(0.495, 3e-3)), Gate.EDGE_BELOW_MIN),
        (S5, calm(up=top(58), fair=fair(0.7)), Gate.PRICE_RANGE),
        (S5, calm(up=top(96), fair=fair(0.999)), Gate.PRICE_RANGE),
        (S5, calm(fair=fair(0.72)), Gate.VOL_IN_LINE),
        (S5, calm(fair=fair(0.45)), Gate.VOL_IN_LINE),
        (S5, calm(fair=fair(0.765)), Gate.EDGE_BELOW_MIN),
        (S6, pushed(flow=None), Gate.FLOW_THIN),
        (S6, pushed(reference=(Imbalance(0.9, 20, 9),) * 3), Gate.FLOW_THIN),
        (S6, pushed(0.59), Gate.FLOW_WEAK),
        (
            S6,
            pushed(reference=(Imbalance(-0.1, 9, 9), Imbalance(0.9, 90, 5), Imbalance(0.9, 9, 9))),
            Gate.FLOW_WEAK,
        ),
        (S6, pushed(tape=(Imbalance(-0.6, 1, 4),) * 3), Gate.FLOW_AGAINST),
        (S6, pushed(up=Top(4_900, 100 * SHARE, 5_000, 500 * SHARE)), Gate.FLOW_AGAINST),
        (S6, pushed(since_ns=10 * SECOND), Gate.EDGE_BELOW_MIN),
        (X1, led(leader=None), Gate.NO_PEER),
        (X1, led(age_ms=None), Gate.NO_PEER),
        (X1, led(age_ms=501), Gate.NO_PEER),
        (X1, led(None), Gate.MOVE_BELOW_MIN),
        (X1, led(2.9), Gate.MOVE_BELOW_MIN),
        (X1, led(correlation=0.4), Gate.CORRELATION_LOW),
        (X1, led(mid_then_e4=None), Gate.BOOK_ANSWERED),
        (X1, led(mid_then_e4=1_000), Gate.BOOK_ANSWERED),
        (X1, replace(led(), move_bp=9.6), Gate.EDGE_BELOW_MIN),
        (X1, led(move_age_ns=4 * SECOND), Gate.EDGE_BELOW_MIN),
    ],
)  # fmt: skip
def test_each_names_what_stopped_it(strategy: Taker, seen: Scene, expected: Gate) -> None:
    assert gate(strategy, seen) is expected


def test_a_gate_states_its_number_beside_its_limit() -> None:
    assert S4.evaluate(diverged(1.4)) == Blocked(Gate.WINDOWS_AGREE, pytest.approx(1.4), 1.5)
    assert X1.evaluate(led(2.9)) == Blocked(Gate.MOVE_BELOW_MIN, 2.9, 3.0)


def test_an_order_never_exceeds_the_room_that_is_left() -> None:
    found = wish(S6, pushed(held={Outcome.UP: 33 * SHARE}))
    assert isinstance(found, Intent)
    assert found.legs[0].size_e6 == 7 * SHARE


def test_a_holding_is_sold_when_its_bid_is_worth_more() -> None:
    rich = scene(up=top(95), fair=fair(0.80), held={Outcome.UP: 20 * SHARE, Outcome.DOWN: SHARE})
    found = wish(S5, rich)
    assert isinstance(found, Intent)
    [leg] = found.legs
    assert (found.kind, leg.side, leg.price_e4) == (IntentKind.EXIT, Side.SELL, 9_450)
    poor = scene(up=top(70), fair=fair(0.70), held={Outcome.UP: 20 * SHARE})
    assert gate(S5, poor) is Gate.VOL_IN_LINE, "a fair bid is no reason to pay the fee"


def test_a_holding_of_a_short_hypothesis_is_sold_in_time() -> None:
    late = pushed(held={Outcome.DOWN: 20 * SHARE}, since_trade_ns=30 * SECOND)
    found = wish(S6, late)
    assert isinstance(found, Intent)
    assert (found.kind, found.note, found.edge_e4) == (IntentKind.EXIT, "held long enough", 0)
    assert found.legs[0].outcome is Outcome.DOWN
    early = replace(late, since_trade_ns=29 * SECOND)
    assert wish(S6, early) != found


def test_dust_and_thin_bids_are_not_worth_an_order() -> None:
    held = {Outcome.UP: 4 * SHARE, Outcome.DOWN: 20 * SHARE}
    thin = scene(up=Top(9_000, 500 * SHARE, 9_100, 4 * SHARE), held=held)
    assert exit_intent(S5.id, thin, None, 0.0, "any") is None
    down = scene(held={Outcome.DOWN: 20 * SHARE})
    sold = exit_intent(S5.id, down, 9_000.0, 0.0, "cheap")
    assert sold is not None
    assert sold.edge_e4 == round(5_000 - fee_per_share_e4(5_000, 70_000) - 1_000)
    assert exit_intent(S5.id, down, 9_000.0, 4_500.0, "not enough") is None


def test_a_move_of_the_reference_shifts_the_score() -> None:
    seen = scene(fair=fair(0.5))
    assert shifted_e4(seen, 10.0) == pytest.approx(1e4 * normal_cdf(1.0))
    assert shifted_e4(seen, 0.0) == pytest.approx(5_000.0)
    assert per_bp_e4(seen) == pytest.approx(
        shifted_e4(seen, 0.5) - shifted_e4(seen, -0.5), rel=1e-2
    )
    decided = scene(fair=Fair(1.0, 9.0, 0.0))
    assert (shifted_e4(decided, -50.0), per_bp_e4(decided)) == (10_000.0, 0.0)
    blind = scene(fair=None)
    assert (shifted_e4(blind, 1.0), per_bp_e4(blind)) == (0.0, 0.0)


def test_windows_that_end_together_are_ordered_by_their_strikes() -> None:
    twin = peer(0.0, end_ns=END_NS, bid_e4=5_800, ask_e4=5_900)
    assert bounds_e4(diverged(peers=(twin,), strike=99_990.0)) == (5_800, 10_000.0)
    assert bounds_e4(diverged(peers=(twin,), strike=100_010.0)) == (0.0, 5_900)
    assert bounds_e4(diverged(peers=(twin,), strike=100_000.0)) == (5_800, 5_900)
    other = replace(twin, same_rule=False)
    assert bounds_e4(diverged(peers=(other, peer(0.0)))) == (0.0, 10_000.0)
    assert bounds_e4(diverged(peers=(twin,), strike=None)) == (0.0, 10_000.0)
    crossed = (twin, replace(twin, bid_e4=5_000, ask_e4=5_100))
    assert bounds_e4(diverged(peers=crossed)) == (5_800, 5_800)


def test_a_bound_that_is_breached_needs_no_correlation() -> None:
    twin = peer(0.0, window_s=3_600, end_ns=END_NS, bid_e4=5_800, ask_e4=5_900)
    found = wish(S4, diverged(peers=(twin,), strike=99_990.0))
    assert isinstance(found, Intent)
    assert found.legs[0].outcome is Outcome.UP
    dear = diverged(peers=(twin,), strike=100_010.0, up=top(70), fair=fair(0.70))
    found = wish(S4, dear)
    assert isinstance(found, Intent)
    assert found.legs[0].outcome is Outcome.DOWN
    kept = diverged(peers=(twin,), strike=100_010.0)
    assert gate(S4, kept) is Gate.WINDOWS_AGREE, "within the bound there is nothing to take"


def test_a_view_needs_both_prices() -> None:
    assert own_view_bp(scene(fair=None)) == 0.0
    assert own_view_bp(scene(fair=fair(0.495))) == pytest.approx(0.0)
    assert own_view_bp(scene(up=top(60), fair=fair(0.5))) == pytest.approx(normal_score(0.6) * 10.0)


def test_volatility_is_implied_only_on_one_side_of_the_strike() -> None:
    assert vol_gap(calm()) is not None
    assert vol_gap(calm(fair=None)) is None
    assert vol_gap(calm(fair=fair(0.4))) is None
    same = vol_gap(calm(fair=fair(0.70)))
    assert same == pytest.approx(0.0)
    assert "realised" in S5.believe(calm()).note
    assert S5.believe(calm(fair=fair(0.4))).note == ""


def test_without_its_input_a_number_is_not_known() -> None:
    assert [rule.number(pushed(flow=None)) for rule in S6.rules] == [None] * 3
    assert [rule.number(led(leader=None)) for rule in X1.rules] == [None] * 4


def test_without_its_input_a_belief_is_the_plain_one() -> None:
    assert S6.believe(pushed(flow=None)).up_e4 == 4_950
    leaning = pushed(flow=None, up=Top(4_900, 300 * SHARE, 5_000, 100 * SHARE))
    assert S6.believe(leaning).up_e4 == 4_975, "the heavier bid is nearer to what is paid next"
    assert X1.believe(led(leader=None)).up_e4 == pytest.approx(4_950.0)
    assert S4.believe(diverged(peers=())).up_e4 == pytest.approx(4_950.0)

"""S1 and S2 are pure: a scene gives an intent, or the one gate with its number and limit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dailyarb._fast.router import BookRouter
from dailyarb.core.book.book import Book, Top
from dailyarb.core.domain.ids import Gate, StrategyId
from dailyarb.core.domain.intents import Blocked, CancelIntent, Intent, IntentKind
from dailyarb.core.domain.market import MarketState, Outcome, Side
from dailyarb.core.domain.orders import TIF, BookState
from dailyarb.core.domain.settings import Feeds, S1Settings, S2Settings
from dailyarb.core.domain.units import MS
from dailyarb.core.pricing.fair import Fair
from dailyarb.core.strategies.base import Scene, Strategy, Working, fee_per_share_e4
from dailyarb.core.strategies.pair import PairBelowDollar
from dailyarb.core.strategies.stale_odds import StaleOdds
from tests.rig import spec

SHARE = 1_000_000
UP_TOP = Top(4_900, 500 * SHARE, 5_000, 500 * SHARE)


class Mirror(Book):
    """Is a book whose mirror can be broken by hand."""

    broken = False

    def mirror_ok(self) -> bool:
        """Says what the test wants."""
        return not self.broken


def scene(up: Top = UP_TOP, down: Top | None = None, **changes: Any) -> Scene:
    """Returns a scene in which S1 buys UP: the reference rose, the quote did not."""
    market = spec()
    router = BookRouter(1)
    router.add_market(0, market.up_token, market.down_token, 100)
    values: dict[str, Any] = {
        "spec": market,
        "state": MarketState.TRADABLE,
        "book": Mirror(market, 0, router),
        "up": up,
        "down": down or Top(10_000 - up.ask_e4, up.ask_e6, 10_000 - up.bid_e4, up.bid_e6),
        "book_state": BookState.SYNCED,
        "book_age_ms": 10,
        "now_ns": 10**12,
        "tau_s": 200.0,
        "started": True,
        "reference_age_ms": 5,
        "reference_gap_bp": 0.0,
        "settle_age_ms": 1_000,
        "strike": 100_000.0,
        "sigma": 1e-4,
        "fair": Fair(0.60, 0.25, 0.001),
        "fair_then_e4": 5_000,
        "mid_then_e4": 4_950,
        "move_bp": 5.0,
        "move_age_ns": 0,
        "decay": 1.0,
        "dist_bp": 3.0,
        "basis_noise_bp": 1.0,
    }
    return Scene(**{**values, **changes})


S1 = StaleOdds(S1Settings(), Feeds())
S2 = PairBelowDollar(S2Settings(resting=True), Feeds())


def gate(strategy: Strategy, seen: Scene) -> Gate:
    """Returns the gate that stopped a strategy."""
    verdict = strategy.evaluate(seen)
    assert isinstance(verdict, Blocked), verdict
    return verdict.gate


def wish(strategy: Strategy, seen: Scene) -> Intent | CancelIntent:
    """Returns the one thing a strategy wants."""
    verdict = strategy.evaluate(seen)
    assert isinstance(verdict, list), verdict
    [found] = verdict
    return found


def broken(seen: Scene) -> Scene:
    """Breaks the mirror of a scene's book."""
    seen.book.broken = True  # type: ignore[attr-defined]
    return seen


def test_s1_takes_the_quote_that_did_not_answer() -> None:
    found = wish(S1, scene())
    assert isinstance(found, Intent)
    [leg] = found.legs
    assert (leg.outcome, leg.side, leg.price_e4, leg.tif) == (
        Outcome.UP, Side.BUY, 5_000, TIF.FAK,
    )  # fmt: skip
    fee = fee_per_share_e4(5_000, 70_000)
    assert found.edge_e4 == round(1_000 - fee - 50 - 50)


COMMON = [
    ({"state": MarketState.QUARANTINED}, Gate.QUARANTINED),
    ({"state": MarketState.CLOSING}, Gate.NOT_TRADABLE),
    ({"spec": spec(accepting=False)}, Gate.NOT_TRADABLE),
    ({"spec": spec(refusal="?")}, Gate.NOT_LISTED),
    ({"started": False}, Gate.BEFORE_START),
    ({"tau_s": 1.0}, Gate.TIME_TO_CLOSE),
    ({"book_state": BookState.EMPTY}, Gate.BOOK_EMPTY),
    ({"book_state": BookState.DESYNCED}, Gate.BOOK_DESYNCED),
    ({"book_state": BookState.STALE}, Gate.BOOK_STALE),
    ({"book_age_ms": None}, Gate.BOOK_STALE),
    ({"book_age_ms": 2_001}, Gate.BOOK_STALE),
    ({"up": Top(4_900, SHARE, 10_000, 0)}, Gate.ONE_SIDED),
    ({"up": Top(5_000, SHARE, 5_000, SHARE)}, Gate.BOOK_CROSSED),
    ({"up": Top(4_000, SHARE, 5_000, SHARE)}, Gate.SPREAD_ABOVE_MAX),
]


@pytest.mark.parametrize("strategy", [S1, S2])
@pytest.mark.parametrize(("changes", "expected"), COMMON)
def test_no_strategy_opens_where_market_or_book_forbid_it(
    strategy: Strategy, changes: dict[str, Any], expected: Gate
) -> None:
    assert gate(strategy, scene(**changes)) is expected


@pytest.mark.parametrize("strategy", [S1, S2])
def test_a_broken_mirror_is_a_phantom(strategy: Strategy) -> None:
    found = strategy.evaluate(broken(scene()))
    assert isinstance(found, Blocked) and found.gate is Gate.MIRROR_BROKEN
    assert found.now != found.limit, "the number is the book's own, not its mirror's"


def test_a_strategy_may_be_off() -> None:
    assert gate(StaleOdds(S1Settings(enabled=False), Feeds()), scene()) is Gate.STRATEGY_OFF
    assert gate(PairBelowDollar(S2Settings(enabled=False), Feeds()), scene()) is Gate.STRATEGY_OFF


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"reference_age_ms": None}, Gate.NO_REFERENCE),
        ({"reference_age_ms": 501}, Gate.REFERENCE_STALE),
        ({"reference_gap_bp": 21.0}, Gate.REFERENCE_GAP),
        ({"settle_age_ms": None}, Gate.NO_SETTLEMENT),
        ({"settle_age_ms": 4_001}, Gate.SETTLEMENT_STALE),
        ({"strike": None}, Gate.NO_STRIKE),
        ({"sigma": None}, Gate.NO_VOLATILITY),
        ({"fair": None}, Gate.NO_VOLATILITY),
        ({"dist_bp": 0.5}, Gate.INSIDE_BASIS),
        ({"working": [Working("o", Outcome.UP, Side.BUY, 1, 1, 1, 0, False)]}, Gate.ORDER_WORKING),
        ({"since_trade_ns": 2_999 * MS}, Gate.COOLDOWN),
        ({"move_bp": None}, Gate.MOVE_BELOW_MIN),
        ({"move_bp": 1.9}, Gate.MOVE_BELOW_MIN),
        ({"move_bp": 1.9, "held": {Outcome.UP: 20 * SHARE}}, Gate.MOVE_BELOW_MIN),
        ({"held": {Outcome.UP: 100 * SHARE}}, Gate.POSITION_HELD),
        ({"fair_then_e4": None}, Gate.NO_VOLATILITY),
        ({"mid_then_e4": None}, Gate.NO_VOLATILITY),
        ({"fair_then_e4": 6_000}, Gate.MOVE_BELOW_MIN),
        ({"mid_then_e4": 4_300}, Gate.BOOK_ANSWERED),
        ({"decay": 0.2}, Gate.EDGE_BELOW_MIN),
        ({"up": Top(4_900, 500 * SHARE, 5_000, 19 * SHARE)}, Gate.DEPTH_THIN),
    ],
)
def test_s1_names_what_stopped_it(changes: dict[str, Any], expected: Gate) -> None:
    assert gate(S1, scene(**changes)) is expected


def test_s1_needs_no_settling_feed_where_the_candle_decides() -> None:
    assert isinstance(wish(S1, scene(settling=False, settle_age_ms=None)), Intent)
    assert isinstance(wish(S1, scene(dist_bp=None)), Intent)


def test_s1_buys_no_more_than_there_is_room_for() -> None:
    found = wish(S1, scene(held={Outcome.UP: 93 * SHARE}))
    assert isinstance(found, Intent)
    assert found.legs[0].size_e6 == 7 * SHARE


def test_s1_leaves_when_the_bid_is_worth_more_than_holding() -> None:
    rich = Top(7_000, 12 * SHARE, 7_100, 500 * SHARE)
    found = wish(S1, scene(up=rich, held={Outcome.UP: 20 * SHARE, Outcome.DOWN: 0}))
    assert isinstance(found, Intent)
    [leg] = found.legs
    assert (found.kind, leg.side, leg.price_e4, leg.size_e6) == (
        IntentKind.EXIT, Side.SELL, 7_000, 12 * SHARE,
    )  # fmt: skip
    fair = scene(held={Outcome.UP: 20 * SHARE, Outcome.DOWN: 5 * SHARE})
    assert isinstance(wish(S1, fair), Intent), "at a fair bid it holds, and may add"
    empty = replace(fair, held={Outcome.DOWN: 5 * SHARE}, down=Top(0, 0, 10_000, 0))
    assert isinstance(wish(S1, empty), Intent)


def test_a_fair_value_that_is_not_known_is_none_for_both_outcomes() -> None:
    blind = scene(fair=None)
    assert [blind.fair_of(o) for o in Outcome] == [None, None]
    assert [scene().fair_of(o) for o in Outcome] == [6_000, 4_000]
    assert fee_per_share_e4(0, 70_000) == fee_per_share_e4(10_000, 70_000) == 0.0


def quote(outcome: Outcome, price_e4: int, age_ms: int = 0, post_only: bool = True) -> Working:
    """Returns one working bid."""
    return Working(
        outcome.value, outcome, Side.BUY, price_e4, 20 * SHARE, age_ms * MS, 1, post_only
    )


def test_s2_rests_both_bids_below_a_dollar() -> None:
    found = wish(S2, scene())
    assert isinstance(found, Intent)
    assert [leg.post_only for leg in found.legs] == [True, True]
    assert sum(leg.price_e4 for leg in found.legs) <= 9_800
    assert found.edge_e4 == 10_000 - sum(leg.price_e4 for leg in found.legs)


def test_s2_takes_both_asks_only_below_a_dollar_after_fees() -> None:
    cheap = Top(4_500, 500 * SHARE, 4_600, 30 * SHARE)
    both = scene(up=cheap, down=Top(4_500, 500 * SHARE, 4_700, 15 * SHARE))
    assert gate(PairBelowDollar(S2Settings(resting=False), Feeds()), both) is Gate.DEPTH_THIN
    deep = replace(both, down=Top(4_500, 500 * SHARE, 4_700, 30 * SHARE))
    found = wish(S2, deep)
    assert isinstance(found, Intent)
    assert [(leg.outcome, leg.tif) for leg in found.legs] == [(o, TIF.FAK) for o in Outcome]
    assert found.ttl_ms == 0


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"since_trade_ns": 1_999 * MS}, Gate.COOLDOWN),
        ({"held": {Outcome.UP: 5 * SHARE}}, Gate.POSITION_HELD),
        ({"working": [quote(Outcome.UP, 4_900)]}, Gate.ORDER_WORKING),
        (
            {"working": [quote(o, p) for o, p in ((Outcome.UP, 4_800), (Outcome.DOWN, 5_000))]},
            Gate.ORDER_WORKING,
        ),
    ],
)
def test_s2_names_what_stopped_it(changes: dict[str, Any], expected: Gate) -> None:
    assert gate(S2, scene(**changes)) is expected


def test_s2_says_when_even_bids_cost_too_much() -> None:
    greedy = PairBelowDollar(S2Settings(resting=True, min_profit_cents=5.0), Feeds())
    assert gate(greedy, scene()) is Gate.SUM_ABOVE_LIMIT


def test_s2_withdraws_quotes_that_are_old_or_off() -> None:
    prices = ((Outcome.UP, 4_800), (Outcome.DOWN, 5_000))
    old = scene(working=[quote(o, p, 15_001) for o, p in prices])
    assert wish(S2, old) == CancelIntent(StrategyId.S2, "0xm", "quote is old")
    off = scene(working=[quote(o, p - 700) for o, p in prices])
    assert wish(S2, off) == CancelIntent(StrategyId.S2, "0xm", "market moved away")
    late = scene(working=[quote(o, p) for o, p in prices], tau_s=80.0)
    assert wish(S2, late) == CancelIntent(StrategyId.S2, "0xm", "time_to_close")
    taking = scene(working=[quote(Outcome.UP, 4_900, post_only=False)], tau_s=80.0)
    assert gate(S2, taking) is Gate.TIME_TO_CLOSE

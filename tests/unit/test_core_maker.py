"""S3 quotes around fair value, leans against what it holds, and gets out of the way."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dailyarb.core.book.book import Top
from dailyarb.core.domain.ids import Gate, StrategyId
from dailyarb.core.domain.intents import CancelIntent, Intent, IntentKind
from dailyarb.core.domain.market import FeeSchedule, MarketState, Outcome, Side
from dailyarb.core.domain.orders import TIF, BookState
from dailyarb.core.domain.settings import Feeds, S3Settings
from dailyarb.core.domain.units import MS
from dailyarb.core.pricing.fair import Fair
from dailyarb.core.strategies.base import Scene, Working
from dailyarb.core.strategies.maker import Maker
from tests.rig import spec
from tests.unit.test_core_strategies import SHARE, gate, quote, scene, wish

S3 = Maker(S3Settings(), Feeds())


def calm(**changes: Any) -> Scene:
    """Returns a market at even odds with a fair value of 50 and a still reference."""
    values = {
        "fair": Fair(0.50, 0.0, 0.001),
        "move_bp": 0.2,
        "up": Top(4_900, 500 * SHARE, 5_100, 500 * SHARE),
    }
    return scene(**{**values, **changes})


def prices(intent: Intent | CancelIntent) -> dict[Outcome, int]:
    """Returns where the quotes of an intent stand."""
    assert isinstance(intent, Intent)
    return {leg.outcome: leg.price_e4 for leg in intent.legs}


def test_it_bids_for_both_outcomes_below_fair_value() -> None:
    found = wish(S3, calm())
    assert isinstance(found, Intent)
    assert prices(found) == {Outcome.UP: 4_800, Outcome.DOWN: 4_800}
    assert {(leg.side, leg.tif, leg.post_only) for leg in found.legs} == {(Side.BUY, TIF.GTC, True)}
    assert (found.kind, found.pair_id, found.ttl_ms) == (IntentKind.ENTRY, 0, 20_000)
    assert {leg.size_e6 for leg in found.legs} == {10 * SHARE}


def test_what_is_held_moves_both_quotes_against_it() -> None:
    found = wish(S3, calm(held={Outcome.UP: 15 * SHARE, Outcome.DOWN: 0}))
    assert prices(found) == {Outcome.UP: 4_700, Outcome.DOWN: 4_900}, "half of a full position"
    both = calm(held={Outcome.UP: 25 * SHARE, Outcome.DOWN: 25 * SHARE})
    assert prices(wish(S3, both)) == {Outcome.UP: 4_800, Outcome.DOWN: 4_800}


def test_a_full_position_is_quoted_on_the_other_side_only() -> None:
    found = wish(S3, calm(held={Outcome.UP: 30 * SHARE}))
    assert set(prices(found)) == {Outcome.DOWN}
    last = wish(S3, calm(held={Outcome.UP: 23 * SHARE}))
    assert isinstance(last, Intent)
    assert last.legs[0].size_e6 == 7 * SHARE


def test_a_side_about_to_be_run_over_is_not_quoted() -> None:
    falling = calm(up=Top(4_900, 20 * SHARE, 5_100, 500 * SHARE))
    assert set(prices(wish(S3, falling))) == {Outcome.DOWN}
    rising = calm(up=Top(4_900, 500 * SHARE, 5_100, 20 * SHARE))
    assert set(prices(wish(S3, rising))) == {Outcome.UP}
    stuck = replace(falling, held={Outcome.DOWN: 30 * SHARE})
    assert gate(S3, stuck) is Gate.POSITION_HELD


def test_a_quote_never_crosses() -> None:
    tight = Maker(S3Settings(half_spread_cents=0.5, max_gap_cents=100.0), Feeds())
    below = calm(up=Top(4_500, 500 * SHARE, 4_600, 500 * SHARE))
    assert prices(wish(tight, below)) == {Outcome.UP: 4_500, Outcome.DOWN: 4_900}
    no_room = calm(up=Top(50, 500 * SHARE, 100, 500 * SHARE))
    assert set(prices(wish(tight, no_room))) == {Outcome.DOWN}


def test_a_rebate_brings_the_quotes_nearer() -> None:
    paid = spec(fees=FeeSchedule(70_000, rebate_rate_e6=600_000))
    # Fee 1.75 c at 50, of which 60 %, of which we count on half: half a cent.
    found = wish(S3, calm(spec=paid, fair=Fair(0.505, 0.0, 0.001)))
    assert prices(found) == {Outcome.UP: 4_900, Outcome.DOWN: 4_800}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"state": MarketState.QUARANTINED}, Gate.QUARANTINED),
        ({"book_state": BookState.STALE}, Gate.BOOK_STALE),
        ({"up": Top(4_600, SHARE, 5_300, SHARE)}, Gate.SPREAD_ABOVE_MAX),
        ({"reference_age_ms": 501}, Gate.REFERENCE_STALE),
        ({"settle_age_ms": None}, Gate.NO_SETTLEMENT),
        ({"tau_s": 89.0}, Gate.TIME_TO_CLOSE),
        ({"fair": Fair(0.86, 1.0, 0.001)}, Gate.PRICE_RANGE),
        ({"fair": Fair(0.55, 0.1, 0.001)}, Gate.PRICE_RANGE),
        ({"fair": Fair(0.45, -0.1, 0.001)}, Gate.PRICE_RANGE),
        ({"move_bp": -1.1}, Gate.REFERENCE_MOVING),
    ],
)
def test_whatever_stops_it_withdraws_its_quotes(changes: dict[str, Any], expected: Gate) -> None:
    assert gate(S3, calm(**changes)) is expected
    resting = calm(**changes, working=[quote(Outcome.UP, 4_800)])
    assert wish(S3, resting) == CancelIntent(StrategyId.S3, "0xm", expected.value)


def test_it_waits_between_quotes_but_never_to_withdraw() -> None:
    assert gate(S3, calm(since_trade_ns=1_999 * MS)) is Gate.COOLDOWN
    assert isinstance(wish(S3, calm(since_trade_ns=2_000 * MS)), Intent)


BOTH = [quote(Outcome.UP, 4_800), quote(Outcome.DOWN, 4_800)]


@pytest.mark.parametrize(
    ("working", "reason"),
    [
        ([quote(Outcome.UP, 4_600), quote(Outcome.DOWN, 4_800)], "quotes move"),
        ([quote(Outcome.DOWN, 4_800, 2_001)], "the other side may rest again"),
        ([quote(o, 4_800, 20_001) for o in Outcome], "quotes are old"),
    ],
)
def test_quotes_that_are_old_off_or_half_filled_are_taken_back(
    working: list[Working], reason: str
) -> None:
    assert wish(S3, calm(working=working)) == CancelIntent(StrategyId.S3, "0xm", reason)


def test_quotes_in_their_place_are_left_alone() -> None:
    assert gate(S3, calm(working=BOTH)) is Gate.ORDER_WORKING
    assert gate(S3, calm(working=BOTH[1:])) is Gate.ORDER_WORKING, "not before the cooldown"
    run_over = Top(4_900, 20 * SHARE, 5_100, 500 * SHARE)
    pulled = wish(S3, calm(working=BOTH, up=run_over))
    assert pulled == CancelIntent(StrategyId.S3, "0xm", "quotes move")
    sale = [Working("x", Outcome.UP, Side.SELL, 4_900, SHARE, 0, 0, False)]
    assert gate(S3, calm(working=sale)) is Gate.ORDER_WORKING


def test_a_bid_above_what_a_share_is_worth_is_sold_to() -> None:
    rich = Top(5_300, 500 * SHARE, 5_400, 500 * SHARE)
    held = {Outcome.UP: 12 * SHARE, Outcome.DOWN: 0}
    found = wish(S3, calm(up=rich, held=held))
    assert isinstance(found, Intent)
    [leg] = found.legs
    assert (found.kind, leg.outcome, leg.side, leg.price_e4) == (
        IntentKind.EXIT, Outcome.UP, Side.SELL, 5_300,
    )  # fmt: skip
    resting = wish(S3, calm(up=rich, held=held, working=BOTH))
    assert resting == CancelIntent(StrategyId.S3, "0xm", "making room to sell")

"""The straight line: frame, signal, gate, journal, order, answer, fill, position."""

from __future__ import annotations

import msgspec
import pytest

from dailyarb.core.domain import commands as cmd
from dailyarb.core.domain.events import (
    BookDesynced,
    FeedState,
    FeedStatus,
    LegOutcome,
    OperatorCommand,
    OrderReport,
    Resolved,
    StopRequested,
)
from dailyarb.core.domain.ids import FeedId
from dailyarb.core.domain.market import MarketState, Outcome, Side
from dailyarb.core.domain.operator import OperatorVerb
from dailyarb.core.domain.orders import FillState, OrderState
from dailyarb.core.domain.records import (
    FillBooked,
    IntentTaken,
    MarketSeen,
    OrderSigned,
    PayoutBooked,
    Record,
)
from dailyarb.core.domain.rung import Rung
from dailyarb.core.domain.settings import S1Settings, S2Settings, Strategies
from dailyarb.core.engine import scenes
from dailyarb.core.pricing.fair import Fair
from tests.rig import Rig, settings, sides, spec

S1_ONLY = Strategies(S2=S2Settings(enabled=False))
S2_ONLY = Strategies(S1=S1Settings(enabled=False), S2=S2Settings(resting=True))
WIDE = [(50, 500), (49, 500)], [(51, 500), (52, 500)]


def stale(rig: Rig) -> list[cmd.Command]:
    """Brings a market to a quote that has not answered a move of 10 bp."""
    rig.book(*WIDE)
    rig.advance(0.5)
    rig.book(*WIDE)
    return rig.spot(100_100)


@pytest.fixture
def s1() -> Rig:
    """Gives a running engine with S1 alone."""
    return Rig(settings(S1_ONLY)).ready()


def test_a_stale_quote_is_taken_at_its_price(s1: Rig) -> None:
    commands = stale(s1)
    submit = next(c for c in commands if isinstance(c, cmd.Submit))
    [(outcome, side, price, size)] = sides(submit, s1)
    assert (outcome, side, price) == (Outcome.UP, Side.BUY, 5_100)
    assert size == 20_000_000
    assert s1.state.tallies.signals["S1"] == 1


def test_a_fall_buys_down_at_the_mirror(s1: Rig) -> None:
    s1.book(*WIDE)
    s1.advance(0.5)
    s1.book(*WIDE)
    s1.spot(99_900)
    [(outcome, _, price, _)] = sides(s1.submits[0], s1)
    assert (outcome, price) == (Outcome.DOWN, 5_000)


def test_nothing_is_sent_before_its_record(s1: Rig) -> None:
    commands = stale(s1)
    kinds = [
        type(c.record).__name__ if isinstance(c, cmd.Journal) else type(c).__name__
        for c in commands
    ]
    order = [k for k in kinds if k in ("IntentTaken", "Sign", "OrderSigned", "Submit")]
    assert order == ["IntentTaken", "Sign", "OrderSigned", "Submit"]
    signed = s1.records(OrderSigned)[0]
    assert signed.order_json == s1.submits[0].orders[0].order_json


def test_a_quote_that_answered_is_left_alone(s1: Rig) -> None:
    s1.book(*WIDE)
    s1.advance(0.5)
    s1.spot(100_100)  # no book yet within its age: gate, no order
    before = len(s1.submits)
    s1.book([(90, 500)], [(91, 500)])
    assert len(s1.submits) == before or s1.why("S1") in ("book_answered", "edge_below_min")


def test_a_small_move_is_named_with_its_limit(s1: Rig) -> None:
    s1.book(*WIDE)
    s1.spot(100_002)
    assert s1.why("S1") == "move_below_min"


@pytest.mark.parametrize(
    ("bids", "asks", "gate"),
    [
        ([(50, 500)], [], "one_sided"),
        ([(40, 500)], [(60, 500)], "spread_above_max"),
    ],
)
def test_books_that_give_no_edge_are_named(
    s1: Rig, bids: list[tuple[int, int]], asks: list[tuple[int, int]], gate: str
) -> None:
    s1.book(bids, asks)
    s1.spot(100_100)
    assert s1.why("S1") == gate


def test_thin_depth_is_named(s1: Rig) -> None:
    thin = [(50, 500)], [(51, 6)]
    s1.book(*thin)
    s1.advance(0.5)
    s1.book(*thin)
    s1.spot(100_100)
    assert s1.why("S1") == "depth_thin"


def test_a_stale_book_stops_entries(s1: Rig) -> None:
    s1.book(*WIDE)
    s1.advance(2.5)
    s1.spot(100_100)
    assert s1.why("S1") == "book_stale"
    assert not s1.submits


def test_a_stale_reference_stops_entries(s1: Rig) -> None:
    s1.advance(1.0)
    s1.book(*WIDE)
    assert s1.why("S1") == "reference_stale"


def test_a_desynced_book_waits_for_a_snapshot(s1: Rig) -> None:
    s1.book(*WIDE)
    commands = s1.feed(BookDesynced("0xm", "test"))
    assert any(isinstance(c, cmd.Resync) for c in commands)
    s1.spot(100_100)
    assert not s1.submits
    s1.book(*WIDE)
    assert s1.state.desks["0xm"].book.state.value == "SYNCED"


def test_a_fill_becomes_a_position_and_cash(s1: Rig) -> None:
    stale(s1)
    order_id = s1.submits[0].orders[0].order_id
    s1.answer(s1.submits[0], LegOutcome.MATCHED, matched_e6=20_000_000)
    s1.fill(order_id, 20, state=FillState.PROVISIONAL)
    assert s1.held(Outcome.UP) == 20
    assert s1.state.ledger.pnl.total.fills == 0  # matched is not money
    s1.fill(order_id, 20, state=FillState.CONFIRMED)
    fee = 20 * 0.07 * 0.51 * 0.49
    assert s1.state.ledger.pnl.total.fills == 1
    cash = s1.state.ledger.accounts.cash / 1e6
    assert cash == pytest.approx(1_000 - 20 * 0.51 - fee, abs=1e-5)
    assert s1.state.orders.by_id[order_id].state is OrderState.FILLED


def test_a_repeated_fill_is_booked_once(s1: Rig) -> None:
    stale(s1)
    order_id = s1.submits[0].orders[0].order_id
    for _ in range(3):
        s1.fill(order_id, 20)
    assert len(s1.records(FillBooked)) == 1
    assert s1.held(Outcome.UP) == 20


def test_a_fill_before_the_answer_is_not_undone(s1: Rig) -> None:
    stale(s1)
    order_id = s1.submits[0].orders[0].order_id
    s1.fill(order_id, 20)
    s1.answer(s1.submits[0], LegOutcome.UNKNOWN, "timeout")
    assert s1.state.orders.by_id[order_id].state is OrderState.FILLED


def test_a_partial_match_ends_with_what_was_matched(s1: Rig) -> None:
    stale(s1)
    order_id = s1.submits[0].orders[0].order_id
    s1.answer(s1.submits[0], LegOutcome.MATCHED, matched_e6=8_000_000)
    s1.fill(order_id, 8)
    assert s1.state.orders.by_id[order_id].state is OrderState.EXPIRED
    assert s1.held(Outcome.UP) == 8


def test_a_voided_fill_never_happened(s1: Rig) -> None:
    stale(s1)
    order_id = s1.submits[0].orders[0].order_id
    s1.fill(order_id, 20, state=FillState.PROVISIONAL)
    s1.fill(order_id, 20, state=FillState.VOIDED)
    assert s1.held(Outcome.UP) == 0
    assert s1.state.ledger.accounts.cash == 1_000_000_000
    assert s1.state.ledger.accounts.residual_e6 == 0


def test_an_unanswered_order_is_unknown_asked_about_and_never_resent(s1: Rig) -> None:
    stale(s1)
    order_id = s1.submits[0].orders[0].order_id
    s1.advance(3)
    assert s1.state.orders.by_id[order_id].state is OrderState.UNKNOWN
    assert next(q.order_id for q in s1.all(cmd.QueryOrder)) == order_id
    assert s1.state.desks["0xm"].state is MarketState.QUARANTINED
    s1.book(*WIDE)
    s1.spot(100_200)
    assert len(s1.submits) == 1


def test_absence_proves_nothing_before_late_arrival(s1: Rig) -> None:
    stale(s1)
    order_id = s1.submits[0].orders[0].order_id
    s1.advance(3)
    s1.feed(OrderReport(order_id, s1.clock.now().mono_ns, False))
    assert s1.state.orders.by_id[order_id].state is OrderState.UNKNOWN
    asked_early = s1.clock.now().mono_ns
    s1.advance(61)
    s1.feed(OrderReport(order_id, asked_early, False))  # an old question, answered late
    assert s1.state.orders.by_id[order_id].state is OrderState.QUARANTINED
    s1.feed(OrderReport(order_id, s1.clock.now().mono_ns, False))
    assert s1.state.orders.by_id[order_id].state is OrderState.CANCELLED


def test_a_refusal_is_counted_with_its_words(s1: Rig) -> None:
    stale(s1)
    s1.answer(s1.submits[0], LegOutcome.REFUSED, "not enough balance / allowance: x")
    assert s1.state.tallies.rejected == 1
    assert "not enough balance / allowance" in s1.state.tallies.reasons


def test_resolution_pays_winning_shares_once(s1: Rig) -> None:
    stale(s1)
    s1.fill(s1.submits[0].orders[0].order_id, 20)
    s1.advance(300)
    for _ in range(2):
        s1.feed(Resolved("0xm", 10_000))
    assert [p.cash_e6 for p in s1.records(PayoutBooked)] == [20_000_000]
    fee = s1.records(FillBooked)[0].fee_e6
    assert s1.state.ledger.pnl.total.net_e6 == 20_000_000 - 10_200_000 - fee
    assert s1.state.ledger.pnl.total.wins == 1
    assert s1.engine.view(s1.clock.now()).books.residual_e6 == 0


def test_both_bids_rest_below_a_dollar_in_equal_shares() -> None:
    rig = Rig(settings(S2_ONLY)).ready()
    rig.book(*WIDE)
    found = sides(rig.submits[0], rig)
    assert {o for o, *_ in found} == {Outcome.UP, Outcome.DOWN}
    assert sum(price for _, _, price, _ in found) <= 9_800
    assert len({size for *_, size in found}) == 1
    assert all(o.post_only for o in rig.submits[0].orders)


def test_asks_below_a_dollar_never_happen_on_one_book() -> None:
    rig = Rig(settings(Strategies(S1=S1Settings(enabled=False), S2=S2Settings(resting=False))))
    rig.ready()
    rig.book(*WIDE)
    assert rig.why("S2") == "sum_above_limit"
    assert not rig.submits


def pair(rig: Rig) -> dict[Outcome, str]:
    """Rests a pair and returns its order ids by outcome."""
    rig.book(*WIDE)
    rig.answer(rig.submits[0], LegOutcome.RESTING)
    orders = [rig.state.orders.by_id[o.order_id] for o in rig.submits[0].orders]
    return {o.outcome: o.order_id for o in orders}


def test_a_pair_filled_on_both_sides_is_completed() -> None:
    rig = Rig(settings(S2_ONLY)).ready()
    legs = pair(rig)
    rig.fill(legs[Outcome.UP], 20, trade="a", maker=True)
    rig.fill(legs[Outcome.DOWN], 20, trade="b", maker=True)
    rig.advance(0.2)
    assert rig.state.pairs.completed == 1
    assert rig.state.ledger.accounts.fees == 0


def test_a_lone_leg_is_completed_after_its_partner_is_gone() -> None:
    rig = Rig(settings(S2_ONLY)).ready()
    legs = pair(rig)
    rig.fill(legs[Outcome.UP], 20, maker=True, state=FillState.PROVISIONAL)
    rig.advance(4.2)
    cancels = rig.all(cmd.Cancel)
    assert cancels and legs[Outcome.DOWN] in cancels[-1].order_ids
    assert len(rig.submits) == 1, "nothing crosses before the partner is proven gone"
    rig.book(*WIDE)
    rig.cancelled(legs[Outcome.DOWN])
    rig.advance(0.6)
    [(outcome, side, price, size)] = sides(rig.submits[1], rig)
    assert (outcome, side, size) == (Outcome.DOWN, Side.BUY, 20_000_000)
    assert price == 6_000, "the ask is 50; the limit lets it run ten cents away"


def test_halt_cancels_and_stops_entries(s1: Rig) -> None:
    s1.book(*WIDE)
    commands = s1.feed(OperatorCommand(OperatorVerb.HALT, "you", 7))
    assert any(isinstance(c, cmd.CancelAll) for c in commands)
    assert any(isinstance(c, cmd.Answer) and c.ok for c in commands)
    s1.spot(100_100)
    assert not s1.submits
    view = s1.engine.view(s1.clock.now())
    assert view.rung is Rung.HALTED


def test_raising_needs_a_confirmation_and_lowering_does_not(s1: Rig) -> None:
    s1.feed(OperatorCommand(OperatorVerb.RUNG, "you", 1, rung=Rung.REDUCED))
    assert s1.state.rungs.operator is Rung.REDUCED
    s1.feed(OperatorCommand(OperatorVerb.RUNG, "you", 2, rung=Rung.FULL))
    assert s1.state.rungs.operator is Rung.REDUCED
    s1.feed(OperatorCommand(OperatorVerb.RUNG, "you", 3, rung=Rung.FULL, confirmed=True))
    assert s1.state.rungs.operator is Rung.FULL


def test_flatten_sells_with_a_floor_after_halting(s1: Rig) -> None:
    stale(s1)
    s1.fill(s1.submits[0].orders[0].order_id, 20)
    s1.book(*WIDE)
    s1.feed(OperatorCommand(OperatorVerb.FLATTEN, "you", 1, confirmed=True))
    [(outcome, side, price, size)] = sides(s1.submits[-1], s1)
    assert (outcome, side, size) == (Outcome.UP, Side.SELL, 20_000_000)
    assert price == 4_700
    assert s1.state.rungs.operator is Rung.HALTED


def test_all_feeds_down_halts_and_lifts_by_itself(s1: Rig) -> None:
    s1.feed(FeedState(FeedId.POLYMARKET, FeedStatus.DOWN, 0, 2, 4_000, 0.0))
    s1.advance(0.2)
    assert s1.engine.view(s1.clock.now()).rung is Rung.HALTED
    s1.feed(FeedState(FeedId.POLYMARKET, FeedStatus.FRESH, 2, 2, 10, 100.0))
    s1.advance(6)
    assert s1.engine.view(s1.clock.now()).rung is Rung.FULL


def test_no_entry_before_reconciliation() -> None:
    rig = Rig(settings(S1_ONLY))
    assert rig.engine.view(rig.clock.now()).rung is Rung.HALTED
    assert len(rig.all(cmd.QueryAccount)) == 1


def test_the_worst_case_bounds_what_is_opened() -> None:
    rig = Rig(settings(S1_ONLY, max_worst_case_market_usd=8.0)).ready()
    stale(rig)
    assert rig.why("S1") == "worst_case_market"
    assert not rig.records(IntentTaken)


def test_stop_cancels_verifies_and_exits_clean(s1: Rig) -> None:
    s1.feed(StopRequested("test"))
    s1.advance(0.3)
    assert [e.code for e in s1.all(cmd.Exit)] == [0]
    assert s1.engine.next_deadline() is None


def test_stop_with_an_unproven_order_says_so(s1: Rig) -> None:
    stale(s1)
    s1.feed(StopRequested("test"))
    s1.advance(11)
    assert [e.code for e in s1.all(cmd.Exit)] == [6]


def test_the_same_facts_give_the_same_commands() -> None:
    def run() -> list[str]:
        rig = Rig(settings(S1_ONLY)).ready()
        stale(rig)
        return [repr(c) for c in rig.commands]

    assert run() == run()


def test_a_strike_beyond_64_bits_is_journalled() -> None:
    spec_ = spec(strike_digits=str(112_408_100_000_000_000_000_123))
    rig = Rig(market=spec_).ready()
    [seen] = rig.records(MarketSeen)
    kept = msgspec.msgpack.decode(msgspec.msgpack.encode(seen), type=Record)
    assert kept.spec.strike_e18 == 112_408_100_000_000_000_000_123


def test_stop_under_a_silent_feed_is_clean_and_under_a_day_loss_is_not(s1: Rig) -> None:
    s1.feed(FeedState(FeedId.BINANCE, FeedStatus.DOWN, 0, 2, 4_000, 0.0))
    s1.advance(0.2)
    s1.feed(StopRequested("test"))
    s1.advance(0.3)
    assert [e.code for e in s1.all(cmd.Exit)] == [0]
    other = Rig(settings(S1_ONLY, max_day_loss_usd=1.0)).ready()
    stale(other)
    other.fill(other.submits[0].orders[0].order_id, 20)
    other.advance(0.1)
    other.book([(5, 500)], [(6, 500)])
    other.advance(0.3)
    other.feed(StopRequested("test"))
    other.advance(11)
    assert [e.code for e in other.all(cmd.Exit)] == [5]


def test_a_fill_that_stays_unproven_is_told(s1: Rig) -> None:
    stale(s1)
    s1.fill(s1.submits[0].orders[0].order_id, 20, state=FillState.PROVISIONAL)
    limit_s = s1.config.risk.provisional_alert_s
    s1.advance(limit_s - 1)
    assert not [a for a in s1.all(cmd.Alert) if a.key.startswith("fill.unproven")]
    s1.advance(2)
    assert [a for a in s1.all(cmd.Alert) if a.key == "fill.unproven.t1"]


@pytest.mark.parametrize("p_up", [float("nan"), float("inf"), 1.7, -0.2])
def test_a_probability_that_is_none_is_no_signal(
    s1: Rig, monkeypatch: pytest.MonkeyPatch, p_up: float
) -> None:
    """F88: whatever a model says outside 0 to 1, nothing rests on it."""
    monkeypatch.setattr(scenes, "fair_value", lambda *_: Fair(p_up, 1.0, 0.1))
    s1.book(*WIDE)
    s1.advance(0.5)
    s1.book(*WIDE)
    s1.spot(100_100)
    assert s1.why("S1") == "no_volatility"
    assert not s1.submits

"""Markets, books and references: what is believed, followed, resolved and let go."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from dailyarb.core.domain import commands as cmd
from dailyarb.core.domain.errors import InvariantBroken
from dailyarb.core.domain.events import (
    BookDesynced,
    BookWitness,
    FeedState,
    FeedStatus,
    LegOutcome,
    MarketListed,
    ReferenceMoved,
    Resolved,
    SettlementPrice,
    Signed,
    TickSizeChanged,
    TopChanged,
    Traded,
)
from dailyarb.core.domain.ids import FeedId
from dailyarb.core.domain.market import (
    Grid,
    MarketState,
    Outcome,
    Settlement,
    SettlementKind,
    Side,
)
from dailyarb.core.domain.orders import BookState
from dailyarb.core.domain.records import MarketSeen, PayoutBooked
from dailyarb.core.domain.settings import S1Settings, S2Settings, Strategies
from dailyarb.core.engine.engine import MARKETS_MAX
from dailyarb.core.engine.market_data import move_market
from tests.rig import START_S, Rig, settings, spec

S1_ONLY = Strategies(S2=S2Settings(enabled=False))
S2_ONLY = Strategies(S1=S1Settings(enabled=False), S2=S2Settings(resting=True))
WIDE = [(50, 500), (49, 500)], [(51, 500), (52, 500)]


@pytest.fixture
def quotes() -> Rig:
    """Gives a running engine with two resting quotes of S2."""
    rig = Rig(settings(S2_ONLY)).ready()
    rig.book(*WIDE)
    rig.answer(rig.submits[0], LegOutcome.RESTING)
    return rig


def desk(rig: Rig):  # type: ignore[no-untyped-def]
    """Returns the desk of the rig's market."""
    return rig.state.desks["0xm"]


def test_facts_of_markets_and_assets_nobody_follows_are_passed_over(quotes: Rig) -> None:
    before = len(quotes.commands)
    now = quotes.clock.now().mono_ns
    for event in (
        TopChanged("0xother", 0, now),
        BookDesynced("0xother", "gap"),
        BookWitness("0xother", now, 1, 2),
        Traded("0xother", Outcome.UP, Side.BUY, 1, 1, 1),
        TickSizeChanged("0xother", 10, 1),
        ReferenceMoved("doge", 1, 2, now),
        SettlementPrice("doge", 1, 1, now, 60),
        MarketListed(spec(market_id="0xother", asset="doge")),
        MarketListed(spec(market_id="0xold", start_ns=1, end_ns=2)),
        Resolved("0xother", 0),
    ):
        quotes.feed(event)
    assert len(quotes.commands) == before
    quotes.feed(Traded("0xm", Outcome.UP, Side.BUY, 5_000, 1, 1))
    assert desk(quotes).prints == 1


def test_a_market_beyond_the_last_slot_is_said_and_not_followed() -> None:
    rig = Rig(settings(S1_ONLY))
    for i in range(MARKETS_MAX + 1):
        rig.feed(MarketListed(spec(market_id=f"0x{i}", up_token=f"{i}1", down_token=f"{i}2")))
    assert len(rig.state.desks) == MARKETS_MAX
    assert "markets.full" in rig.state.alerts


def test_a_market_not_understood_is_shown_and_listed_once_it_is() -> None:
    rig = Rig(settings(S1_ONLY), market=spec(refusal="unknown version")).ready()
    rig.book(*WIDE)
    assert desk(rig).state is MarketState.SEEN
    rig.feed(MarketListed(rig.market))
    seen = len(rig.records(MarketSeen))
    rig.feed(MarketListed(spec()))
    assert len(rig.records(MarketSeen)) == seen + 1
    assert desk(rig).state is MarketState.LISTED
    rig.advance(0.2)
    assert desk(rig).state is MarketState.TRADABLE


def test_a_market_never_understood_ends_and_is_forgotten() -> None:
    rig = Rig(settings(S1_ONLY), market=spec(refusal="?")).ready()
    rig.clock.advance(300 * 10**9)
    rig.advance(0.2)
    assert desk(rig).state is MarketState.CLOSING
    rig.clock.advance(121 * 10**9)
    rig.advance(0.2)
    assert not rig.state.desks
    assert rig.all(cmd.Subscribe)[-1].markets == ()
    assert rig.engine.books.at(0) is None


def test_a_market_that_stops_accepting_opens_nothing() -> None:
    rig = Rig(settings(S2_ONLY)).ready()
    rig.feed(MarketListed(replace(rig.market, accepting=False)))
    rig.book(*WIDE)
    assert rig.why("S2") == "not_tradable"
    assert not rig.submits


def test_a_move_outside_the_table_is_our_bug(quotes: Rig) -> None:
    with pytest.raises(InvariantBroken, match="market"):
        move_market(desk(quotes), MarketState.SETTLED)
    move_market(desk(quotes), MarketState.TRADABLE)


def test_a_lost_book_withdraws_quotes_and_asks_for_a_snapshot(quotes: Rig) -> None:
    out = quotes.feed(BookDesynced("0xm", "gap"))
    assert [c.reason for c in out if isinstance(c, cmd.Resync)] == ["gap"]
    assert len(next(c for c in out if isinstance(c, cmd.Cancel)).order_ids) == 2
    again = quotes.feed(BookDesynced("0xm", "gap"))
    assert not [c for c in again if isinstance(c, cmd.Cancel)]


def test_a_silent_book_gets_a_witness_and_another_top_means_blind(quotes: Rig) -> None:
    quotes.feed(BookWitness("0xm", 0, 1, 2))
    assert desk(quotes).book.state is BookState.SYNCED, "fresh: REST is no source"
    quotes.advance(2.3)
    assert desk(quotes).book.state is BookState.STALE
    assert [q.market_id for q in quotes.all(cmd.QueryBook)] == ["0xm"]
    quotes.feed(BookWitness("0xm", 0, 5_000, 5_100))
    assert desk(quotes).book.state is BookState.STALE
    quotes.feed(BookWitness("0xm", 0, 4_000, 4_100))
    assert desk(quotes).book.state is BookState.DESYNCED


def test_a_new_tick_cancels_what_is_off_it_and_outlives_old_metadata(quotes: Rig) -> None:
    quotes.feed(TickSizeChanged("0xm", 10, 100))
    assert desk(quotes).spec.grid.tick_e4 == 10
    assert not quotes.all(cmd.Cancel), "a finer grid holds every old price"
    quotes.feed(TickSizeChanged("0xm", 500, 99))
    assert desk(quotes).spec.grid.tick_e4 == 10, "the newer stamp wins (F13)"
    quotes.feed(MarketListed(replace(quotes.market, accepting=False)))
    assert desk(quotes).spec.grid.tick_e4 == 10
    quotes.feed(TickSizeChanged("0xm", 10, 101))
    quotes.feed(TickSizeChanged("0xm", 500, 102))
    assert len(quotes.all(cmd.Cancel)) == 1


def test_a_tick_change_that_was_missed_makes_the_book_start_again(quotes: Rig) -> None:
    out = quotes.feed(MarketListed(replace(quotes.market, grid=Grid(tick_e4=10))))
    assert [c.reason for c in out if isinstance(c, cmd.Resync)] == ["tick changed"]
    assert desk(quotes).book.state is BookState.DESYNCED
    quotes.clock.advance(50 * 10**6)
    quotes.book(*WIDE)
    assert desk(quotes).book.state is BookState.SYNCED
    assert desk(quotes).spec.grid.tick_e4 == 10


def test_snapshots_that_do_not_help_are_asked_for_at_a_pace(quotes: Rig) -> None:
    for _ in range(5):
        quotes.feed(BookDesynced("0xm", "crossed"))
    assert len(quotes.all(cmd.Resync)) == 1
    quotes.advance(20)
    assert 3 <= len(quotes.all(cmd.Resync)) <= 7, "again and again, at growing distances (I13)"
    quotes.book(*WIDE)
    quotes.advance(61)
    quotes.book(*WIDE)
    quotes.advance(0.2)
    before = len(quotes.all(cmd.Resync))
    quotes.feed(BookDesynced("0xm", "crossed"))
    assert len(quotes.all(cmd.Resync)) == before + 1, "what helped once is asked for at once"


def test_an_order_signed_on_an_old_tick_never_leaves() -> None:
    rig = Rig(settings(S2_ONLY)).ready()
    rig.sign = False
    rig.book(*WIDE)
    drafts = [c.draft for c in rig.all(cmd.Sign)]
    rig.feed(TickSizeChanged("0xm", 500, 1))
    for draft in drafts:
        rig.feed(Signed(draft.draft_id, f"0x{draft.draft_id}", b"{}"))
    assert not rig.submits
    assert {o.reason for o in rig.state.orders.by_id.values()} == {"off the grid in force"}


def test_a_quarantined_market_withdraws_its_quotes(quotes: Rig) -> None:
    order = quotes.state.orders.by_id[quotes.submits[0].orders[0].order_id]
    quotes.state.orders.move(order, quotes.state.orders.by_id[order.order_id].state.UNKNOWN, "", [])
    quotes.advance(0.2)
    assert desk(quotes).state is MarketState.QUARANTINED
    assert len(quotes.all(cmd.Cancel)[0].order_ids) == 2
    assert quotes.why("S2") in ("order_working", "")


def test_quotes_go_when_entries_stop_before_the_end(quotes: Rig) -> None:
    quotes.clock.advance(279 * 10**9)
    quotes.advance(0.3)
    assert desk(quotes).state is MarketState.CLOSING
    assert quotes.all(cmd.Cancel)


def test_a_decision_is_taken_once_and_another_is_for_people(quotes: Rig) -> None:
    quotes.feed(Resolved("0xm", 10_000))
    assert desk(quotes).state is MarketState.SETTLED
    assert [p.cash_e6 for p in quotes.records(PayoutBooked)] == [0], "so a late fill is paid"
    quotes.feed(Resolved("0xm", 10_000))
    assert not quotes.state.alerts
    quotes.feed(Resolved("0xm", 0))
    assert "resolved.twice.0xm" in quotes.state.alerts
    assert len(quotes.records(PayoutBooked)) == 1
    quotes.clock.advance(500 * 10**9)
    quotes.advance(0.2)
    assert not quotes.state.desks
    quotes.feed(Resolved("0xm", 0))
    assert quotes.state.alerts["resolved.twice.0xm"].count == 2


@pytest.mark.parametrize("refusal", ["", "?"])
def test_a_market_may_be_decided_from_any_state(refusal: str) -> None:
    rig = Rig(settings(S1_ONLY), market=spec(refusal=refusal)).ready()
    rig.feed(Resolved("0xm", 0))
    assert desk(rig).state is MarketState.SETTLED
    assert not rig.records(PayoutBooked), "nothing of ours was ever there"


def test_a_reconnected_user_stream_is_asked_for_what_it_missed(quotes: Rig) -> None:
    asked = len(quotes.all(cmd.QueryAccount))
    quotes.feed(FeedState(FeedId.USER, FeedStatus.DOWN, 0, 2, 0, 0.0))
    quotes.feed(FeedState(FeedId.USER, FeedStatus.FRESH, 2, 2, 0, 1.0, reconnects=1))
    quotes.advance(0.2)
    assert len(quotes.all(cmd.QueryAccount)) == asked + 1


def test_the_books_answer_to_a_move_is_measured() -> None:
    rig = Rig(settings(S1_ONLY)).ready()
    rig.book(*WIDE)
    rig.spot(100_100)
    rig.spot(100_101)
    rig.clock.advance(200 * 10**6)
    before = rig.state.assets["btc"].lag_ns
    rig.book([(90, 500)], [(91, 500)])
    assert rig.state.assets["btc"].lag_ns < before
    rig.spot(99_000)
    rig.book([], [(91, 500)])
    rig.spot(101_000)


def test_without_volatility_no_question_is_asked() -> None:
    rig = Rig(settings(S1_ONLY), lead_s=3.0).ready()
    rig.book(*WIDE)
    rig.spot(100_500)
    assert rig.state.assets["btc"].burst_ns
    assert not desk(rig).lag.waiting
    assert rig.why("S1") == "no_volatility"


def test_a_window_on_the_candle_needs_no_settling_feed() -> None:
    candle = spec(
        settlement=Settlement(SettlementKind.BINANCE_CANDLE), strike_digits=str(100_000 * 10**18)
    )
    rig = Rig(settings(S1_ONLY), market=candle).ready()
    rig.book(*WIDE)
    rig.advance(0.5)
    rig.book(*WIDE)
    rig.spot(100_100)
    assert rig.submits
    view = rig.engine.view(rig.clock.now())
    assert view.markets[0].strike == 100_000


def test_a_window_without_strike_or_basis_has_no_fair_value() -> None:
    rig = Rig(settings(S1_ONLY))
    rig.feed(MarketListed(rig.market))
    rig.account(1_000)
    rig.feed(FeedState(FeedId.BINANCE, FeedStatus.CONNECTING, 0, 2, 0, 0.0))
    for second in range(62):
        rig.spot(100_000 + second % 2)
        rig.clock.advance(10**9)
    rig.advance(0.2)
    rig.book(*WIDE)
    rig.spot(100_100)
    assert rig.why("S1") == "no_settlement"
    rig.settle(100_000, START_S + 60)
    rig.spot(100_101)
    assert rig.why("S1") == "no_strike"
    assert rig.engine.view(rig.clock.now()).markets[0].fair_e4 is None


def test_a_grid_keeps_its_other_steps_when_the_tick_changes(quotes: Rig) -> None:
    quotes.feed(TickSizeChanged("0xm", 10, 1))
    assert desk(quotes).spec.grid == Grid(tick_e4=10)

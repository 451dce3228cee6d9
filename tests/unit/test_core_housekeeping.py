"""What the clock brings: breakers, time-outs, heartbeats, markouts, the end; and what is shown."""

from __future__ import annotations

import msgspec
import pytest

from dailyarb.core.domain import commands as cmd
from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.errors import InvariantBroken
from dailyarb.core.domain.events import (
    AlertState,
    CancelResult,
    ClockOffset,
    DiskState,
    Fact,
    FeedState,
    FeedStatus,
    Fill,
    LatencyReport,
    LegOutcome,
    LoopLag,
    OperatorCommand,
    ParametersChosen,
    Signed,
    StageLatency,
    StopRequested,
    SubmitResult,
    TaskDied,
    Tick,
    Woke,
)
from dailyarb.core.domain.ids import FeedId, Gate, Severity, StrategyId
from dailyarb.core.domain.intents import Blocked
from dailyarb.core.domain.market import MarketState, Outcome, Side
from dailyarb.core.domain.operator import OperatorVerb
from dailyarb.core.domain.orders import FillState, OrderState
from dailyarb.core.domain.records import BreakerMoved, IntentTaken, OrderMoved, PairClosed
from dailyarb.core.domain.rung import Rung, RungCause
from dailyarb.core.domain.settings import S1Settings, S2Settings, Strategies
from dailyarb.core.domain.view import View
from dailyarb.core.engine.caps import announce
from dailyarb.core.engine.engine import HANDLERS
from dailyarb.core.engine.state import EVENTS_KEPT, GateCount
from dailyarb.core.engine.trading import mark_e4, naked_possible_e6
from tests.rig import Rig, birth, settings, sides, spec

S1_ONLY = Strategies(S2=S2Settings(enabled=False))
S2_ONLY = Strategies(S1=S1Settings(enabled=False), S2=S2Settings(resting=True))
WIDE = [(50, 500), (49, 500)], [(51, 500), (52, 500)]
S = 10**9


@pytest.fixture
def quotes() -> Rig:
    """Gives a running engine with two resting quotes of S2."""
    rig = Rig(settings(S2_ONLY)).ready()
    rig.book(*WIDE)
    rig.answer(rig.submits[0], LegOutcome.RESTING)
    return rig


def view(rig: Rig) -> View:
    """Returns what a console would read from the board."""
    raw = msgspec.msgpack.encode(rig.engine.view(rig.clock.now()))
    return msgspec.msgpack.decode(raw, type=View)


def later(rig: Rig, bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> None:
    """Gives a snapshot with a stamp of its own."""
    rig.clock.advance(50 * 10**6)
    rig.book(bids, asks)


def tripped(rig: Rig) -> set[str]:
    """Returns the names of tripped breakers."""
    return {n for n, b in rig.state.breakers.by_name.items() if b.tripped}


def test_every_fact_has_a_handler_and_another_is_our_bug(quotes: Rig) -> None:
    from typing import get_args

    from dailyarb.core.domain.events import Event

    assert set(HANDLERS) == set(get_args(Event))
    with pytest.raises(InvariantBroken, match="no handler"):
        quotes.engine.on_event(Fact(), quotes.clock.now())  # type: ignore[arg-type]


def test_the_shells_own_health_caps_the_rung_and_lifts(quotes: Rig) -> None:
    quotes.feed(ClockOffset(-900.0, 2.0))
    quotes.feed(LoopLag(90.0, 120.0))
    quotes.feed(DiskState(3_000, 100, "full"))
    assert quotes.state.rungs.breaker is Rung.HEDGE_ONLY, "a disk's word is acted on at once"
    assert len(quotes.all(cmd.Cancel)[0].order_ids) == 2, "and what it forbids is withdrawn"
    quotes.advance(0.2)
    assert {"clock", "loop.lag", "journal"} <= tripped(quotes)
    quotes.feed(ClockOffset(1.0, 2.0))
    quotes.feed(LoopLag(1.0, 2.0))
    quotes.feed(DiskState(10, 100))
    quotes.advance(5.3)
    quotes.feed(DiskState(10, 100))
    assert tripped(quotes) == set()
    lifted = [r.breaker for r in quotes.records(BreakerMoved) if not r.tripped]
    assert set(lifted) == {"clock", "loop.lag", "journal"}


def test_a_process_that_stood_still_believes_nothing_for_a_while(quotes: Rig) -> None:
    quotes.feed(Woke(5_000))
    assert tripped(quotes) == {"loop.lag"}
    assert quotes.state.rungs.breaker is Rung.HEDGE_ONLY
    assert len(quotes.all(cmd.Cancel)[0].order_ids) == 2, "its quotes are withdrawn at once"
    quotes.advance(5.5)
    assert tripped(quotes) == set(), "and lifts once the loop has kept time again"


def test_slow_answers_cap_until_they_are_forgotten(quotes: Rig) -> None:
    slow = SubmitResult(1, (), sent_ns=1, answered_ns=3_000_000_001)
    quotes.feed(slow)
    quotes.advance(0.2)
    assert tripped(quotes) == {"order.latency", "slow"}
    quotes.advance(60)
    assert tripped(quotes) == {"order.latency", "slow"}
    quotes.advance(70)
    assert tripped(quotes) == set(), "one slow answer does not cap for ever"


def test_a_critical_task_that_died_halts_and_another_is_told(quotes: Rig) -> None:
    quotes.feed(TaskDied("recorder", False, "full"))
    assert tripped(quotes) == set()
    out = quotes.feed(TaskDied("feed", True, "boom"))
    assert [c for c in out if isinstance(c, cmd.CancelAll)]
    assert quotes.state.rungs.overall()[0] is Rung.HALTED


def test_each_feed_has_its_own_patience(quotes: Rig) -> None:
    def report(feed: FeedId, status: FeedStatus, age_ms: int) -> None:
        quotes.feed(FeedState(feed, status, 1, 2, age_ms, 1.0))

    report(FeedId.BINANCE, FeedStatus.STALE, 3_100)
    report(FeedId.SETTLEMENT, FeedStatus.CONNECTING, 99_000)
    report(FeedId.USER, FeedStatus.FRESH, 99_000)
    quotes.advance(0.2)
    assert tripped(quotes) == {"feed.binance", "health.binance"}
    report(FeedId.USER, FeedStatus.DOWN, 0)
    quotes.advance(0.2)
    assert tripped(quotes) == {"feed.binance", "health.binance", "feed.user"}


def test_refusals_cap_the_rung_and_are_forgotten_in_time() -> None:
    rig = Rig(settings(S2_ONLY)).ready()
    now = rig.clock.now().mono_ns
    rig.state.tallies.outcomes.extend([(now, True)] * 10)
    rig.state.tallies.slips_e4.extend([(now, 900)] * 3)
    rig.state.tallies.reasons["balance"] += 10
    rig.state.stirred = True
    rig.advance(0.2)
    assert tripped(rig) == {"order.reject", "slippage"}
    assert rig.state.breakers.by_name["order.reject"].cause == "balance"
    rig.clock.advance(121 * S)
    rig.advance(6)
    assert tripped(rig) == set(), "or no order could ever prove the venue well again"


def test_numbers_are_looked_at_after_a_fact_and_once_a_second() -> None:
    rig = Rig(settings(S1_ONLY)).ready()
    rig.advance(0.2)
    gaps, now = rig.state.tallies.book_gaps, rig.clock.now().mono_ns
    gaps.extend([now] * 100)
    rig.book(*WIDE)
    rig.spot(100_000)
    rig.advance(0.3)
    assert "book.gap" not in tripped(rig), "quotes move none of them while nothing is held"
    rig.advance(1.0)
    assert "book.gap" in tripped(rig)
    gaps.clear()
    rig.advance(0.2)
    assert rig.state.breakers.by_name["book.gap"].good_since_ns, "looked at while a cap holds"
    other = Rig(settings(S1_ONLY)).ready()
    other.advance(0.2)
    other.state.tallies.book_gaps.extend([now] * 100)
    other.feed(ClockOffset(0.0, 1.0))
    other.advance(0.1)
    assert "book.gap" in tripped(other), "a fact is looked at by the next tick"


def test_a_losing_day_halts_and_a_draw_down_is_from_the_peak() -> None:
    rig = Rig(settings(S1_ONLY, max_day_loss_usd=1.0)).ready()
    rig.state.ledger.pnl.days[rig.clock.now().wall_ns // (86_400 * S)] = type(
        rig.state.ledger.pnl.total
    )(realised_e6=-1_000_000)
    rig.state.stirred = True
    rig.advance(0.2)
    assert tripped(rig) == {"loss.day", "near.limit"}
    rig.state.peak_e6 = rig.state.ledger.accounts.cash + 51_000_000
    rig.advance(0.2)
    assert "loss.drawdown" in tripped(rig)
    assert rig.state.alerts["breaker.loss.day"].severity is Severity.CRITICAL


def test_quotes_that_outlive_themselves_are_withdrawn(quotes: Rig) -> None:
    desk = quotes.state.desks["0xm"]
    desk.state = MarketState.CLOSING  # nobody tends them
    for _ in range(32):
        quotes.advance(1.0)
    ids = {i for c in quotes.all(cmd.Cancel) for i in c.order_ids}
    assert len(ids) == 2
    quotes.clock.advance(30 * S)
    assert quotes.state.orders.by_id[next(iter(ids))].reason


def test_the_account_is_asked_again_and_again(quotes: Rig) -> None:
    before = len(quotes.all(cmd.QueryAccount))
    quotes.advance(25)
    assert 1 <= len(quotes.all(cmd.QueryAccount)) - before <= 3


def test_a_paper_run_sends_no_heartbeat() -> None:
    from dailyarb.core.domain.rung import Mode

    rig = Rig(settings(S2_ONLY), who=birth(mode=Mode.PAPER)).ready()
    rig.book(*WIDE)
    rig.advance(0.3)
    assert rig.submits and not rig.all(cmd.Heartbeat)


def test_an_alert_is_told_again_after_a_minute_whatever_the_wall_clock_does() -> None:
    rig = Rig(settings(S1_ONLY))
    now, out = rig.clock.now(), list[cmd.Command]()
    rig.state.alert(Severity.CRITICAL, "k", "one", now, out)
    back = -3_600 * S
    soon = Instant(now.mono_ns + 59 * S, now.wall_ns + back)
    later = Instant(now.mono_ns + 60 * S, now.wall_ns + back)
    rig.state.alert(Severity.CRITICAL, "k", "two", soon, out)
    assert sum(isinstance(c, cmd.Alert) for c in out) == 1
    rig.state.alert(Severity.CRITICAL, "k", "three", later, out)
    assert sum(isinstance(c, cmd.Alert) for c in out) == 2


def test_markouts_come_due_after_one_five_and_thirty_seconds(quotes: Rig) -> None:
    up, down = (o.order_id for o in quotes.submits[0].orders)
    quotes.fill(up, 20, maker=True)
    quotes.fill(down, 20, trade="t2", maker=True)
    quotes.advance(1.1)
    row = quotes.state.fills[0]
    assert row.markout_1s_e4 is not None and row.markout_5s_e4 is None
    quotes.advance(30)
    rows = list(quotes.state.fills)
    assert all(r.markout_30s_e4 is not None for r in rows)
    quotes.advance(1)
    assert list(quotes.state.fills) == rows
    quotes.fill(up, 1, trade="t3", maker=True)
    del quotes.state.desks["0xm"]
    quotes.state.pairs.open.clear()
    quotes.advance(2)
    assert quotes.state.fills[-1].markout_1s_e4 is None
    assert view(quotes).orders[0].label == "0xm"


def test_a_pair_that_cannot_get_out_says_so_and_stops_all_entries() -> None:
    rig = Rig(settings(S2_ONLY, max_unwind_loss_usd=0.01)).ready()
    rig.book(*WIDE)
    up, down = (o.order_id for o in rig.submits[0].orders)
    rig.fill(up, 20, maker=True)
    rig.cancelled(down)
    rig.book([(20, 500)], [(30, 500)])
    rig.advance(4.4)
    rig.book([(20, 500)], [(30, 500)])
    rig.advance(0.6)
    assert "pair.naked.2" in rig.state.alerts
    assert "one-sided" in str(rig.state.alerts) or rig.state.pairs.naked_e6() == 20_000_000
    rig.advance(2.0)
    assert rig.state.pairs.overdue_ms(rig.clock.now().mono_ns) > 2_000


def test_a_halted_engine_does_not_wait_for_a_leg_it_may_not_unwind() -> None:
    rig = Rig(settings(S2_ONLY)).ready()
    rig.book(*WIDE)
    up, down = (o.order_id for o in rig.submits[0].orders)
    rig.fill(up, 20, maker=True)
    rig.cancelled(down)
    rig.feed(OperatorCommand(OperatorVerb.HALT, "test"))
    rig.feed(StopRequested("test"))
    rig.advance(0.2)
    (leaves,) = rig.all(cmd.Exit)
    assert leaves.code == 0 and "1 pairs one-sided" in leaves.why


def test_a_lone_leg_of_a_refused_pair_is_withdrawn() -> None:
    from dailyarb.core.domain.events import LegResult, SubmitResult

    rig = Rig(settings(S2_ONLY)).ready()
    rig.book(*WIDE)
    one, two = (o.order_id for o in rig.submits[0].orders)
    results = (
        LegResult(one, LegOutcome.REFUSED, "crosses book"), LegResult(two, LegOutcome.RESTING),
    )  # fmt: skip
    rig.feed(SubmitResult(0, results))
    rig.advance(0.2)
    assert [c.order_ids for c in rig.all(cmd.Cancel)] == [(two,)]
    rig.cancelled(two)
    rig.advance(0.2)
    assert [p.result for p in rig.records(PairClosed)] == ["unfilled"]


def test_pairs_of_markets_nobody_follows_wait(quotes: Rig) -> None:
    desk = quotes.state.desks.pop("0xm")
    quotes.advance(0.3)
    assert quotes.state.pairs.open
    quotes.state.desks["0xm"] = desk


def test_an_ended_engine_does_nothing_more(quotes: Rig) -> None:
    quotes.feed(StopRequested("test", at_once=True))
    quotes.advance(0.1)
    assert quotes.state.exited
    before = len(quotes.commands)
    quotes.feed(Tick())
    assert len(quotes.commands) == before


def test_a_stop_by_a_tripped_breaker_has_its_own_code() -> None:
    rig = Rig(settings(S1_ONLY)).ready()
    rig.feed(TaskDied("feed", True, "boom"))
    rig.feed(StopRequested("breaker"))
    rig.advance(0.2)
    assert [e.code for e in rig.all(cmd.Exit)] == [5]


def test_what_is_told_is_shown_and_bounded(quotes: Rig) -> None:
    now = quotes.clock.now()
    for i in range(EVENTS_KEPT + 5):
        quotes.state.alert(Severity.INFO, f"k{i}", "t", now, [])
    assert len(quotes.state.alerts) == len(quotes.state.events) == EVENTS_KEPT
    quotes.feed(AlertState("ntfy", True))
    quotes.feed(AlertState("ntfy", False, detail="401"))
    assert quotes.state.events[-1].text == "channel ntfy down: 401"
    quotes.feed(ParametersChosen("S1", (("x", 1.0),)))
    assert "parameters of S1" in quotes.state.events[-1].text


def test_gates_are_counted_by_the_second_and_forgotten_after_a_minute() -> None:
    count = GateCount()
    for second in (1, 1, 30, 100):
        count.hit(second, Blocked(Gate.CASH, second, 9))
    assert (count.run, count.now, count.last_minute(100)) == (4, 100, 1)
    assert count.last_minute(61) == 2


def test_a_signature_nobody_waits_for_changes_nothing(quotes: Rig) -> None:
    before = len(quotes.commands)
    quotes.feed(Signed(99, "0xlate", b""))
    assert len(quotes.commands) == before


@pytest.mark.parametrize("rung", [Rung.HALTED, Rung.HEDGE_ONLY])
def test_the_last_gate_stops_what_was_signed_before_a_fall(rung: Rung) -> None:
    rig = Rig(settings(S2_ONLY)).ready()
    rig.sign = False
    rig.book(*WIDE)
    assert rig.records(IntentTaken)
    rig.state.rungs.operator = rung
    for draft in [c.draft for c in rig.all(cmd.Sign)]:
        rig.feed(Signed(draft.draft_id, f"0x{draft.draft_id}", b"{}"))
    assert not rig.submits
    assert {r.state for r in rig.records(OrderMoved)} == {OrderState.CANCELLED}


def test_open_shares_are_marked_by_what_is_left_of_the_book(quotes: Rig) -> None:
    desk = quotes.state.desks["0xm"]
    assert mark_e4(desk) == 5_050
    later(quotes, [(40, 9)], [])
    assert mark_e4(desk) == 4_000
    later(quotes, [], [(60, 9)])
    assert mark_e4(desk) == 6_000
    later(quotes, [], [])
    assert mark_e4(desk) == 5_000
    desk.resolved_e4 = 0
    assert mark_e4(desk) == 0


def test_the_view_of_a_starting_engine_says_what_it_waits_for() -> None:
    shown = view(Rig(settings(S1_ONLY)))
    assert shown.rung is Rung.HALTED
    assert {s.name: s.done for s in shown.booting}["account"] is False
    assert (shown.markets, shown.signals) == ((), ())


def test_the_desk_names_what_a_market_does() -> None:
    rig = Rig(settings(S2_ONLY), lead_s=30.0)
    rig.feed(_listed(rig))
    assert view(rig).markets[0].word == "ROLL"
    rig.ready()
    assert view(rig).markets[0].word == "STALE!"
    rig.book(*WIDE)
    assert view(rig).markets[0].word == "QUOTE"
    rig.answer(rig.submits[0], LegOutcome.RESTING)
    assert view(rig).markets[0].word == "QUOTE"
    up, down = rig.submits[0].orders
    rig.fill(up.order_id, 20, maker=True, state=FillState.PROVISIONAL)
    rig.cancelled(down.order_id)
    rig.clock.advance(2 * S)
    rig.book(*WIDE)
    shown = view(rig).markets[0]
    assert (shown.word, shown.pos_up_e6, shown.avg_e4) == ("HEDGE", 20_000_000, 4_900)
    rig.state.pairs.open.clear()
    assert view(rig).markets[0].word == "HOLD"
    rig.feed(_resolved())
    assert view(rig).markets[0].word == "CLOSED"


def _listed(rig: Rig):  # type: ignore[no-untyped-def]
    from dailyarb.core.domain.events import MarketListed

    return MarketListed(rig.market)


def _resolved():  # type: ignore[no-untyped-def]
    from dailyarb.core.domain.events import Resolved

    return Resolved("0xm", 10_000)


def test_the_desk_of_an_idle_refused_or_ended_market() -> None:
    rig = Rig(settings(S1_ONLY)).ready()
    rig.book(*WIDE)
    assert view(rig).markets[0].word == "WATCH"
    rig.spot(100_100)
    assert view(rig).markets[0].word == "TAKE"
    later(rig, [], [])
    assert view(rig).markets[0].edge_e4 is None
    later(rig, [], [(51, 500)])
    assert view(rig).markets[0].up.bid_e4 is None
    rig.clock.advance(300 * S)
    assert view(rig).markets[0].word == "SETTLING"
    refused = Rig(settings(S1_ONLY), market=spec(refusal="?")).ready()
    shown = view(refused).markets[0]
    assert (shown.word, shown.why and shown.why.gate) == ("WATCH", Gate.NOT_LISTED)


def test_money_rows_name_strategies_markets_and_hours(quotes: Rig) -> None:
    up, down = quotes.submits[0].orders
    quotes.fill(up.order_id, 20, maker=True)
    quotes.fill(down.order_id, 20, trade="t2", maker=True)
    quotes.advance(6)
    quotes.book(*WIDE)
    shown = view(quotes)
    assert [r.key for r in shown.pnl] == ["S2"]
    assert shown.pnl[0].markout_5s_e4 is not None
    assert [r.key for r in shown.pnl_markets] == ["BTC 5m"]
    assert [r.key for r in shown.hours] == ["all", "S2"]
    assert shown.books.residual_e6 == 0
    assert shown.equity_e6 == shown.books.opening_e6 + shown.books.realised_e6 + shown.unrealised_e6
    quotes.state.desks.pop("0xm")
    assert view(quotes).unrealised_e6 == 0


def test_risk_rows_show_what_is_near_and_what_is_latched(quotes: Rig) -> None:
    quotes.state.breakers.by_name["clock"].now = 450.0
    quotes.state.breakers.observe("fee.gap", 9, 0, 0)
    quotes.state.breakers.observe("loop.lag", 99, 0, 0)
    quotes.state.rungs.paused.add(StrategyId.S2)
    shown = {b.name: b.state for b in view(quotes).breakers}
    assert (shown["clock"], shown["fee.gap"], shown["loop.lag"]) == ("warn", "latched", "TRIPPED")
    rungs = {r.scope: r.detail for r in view(quotes).rungs}
    assert (rungs["S2"], rungs["breakers"]) == ("paused", "none tripped")
    quotes.advance(0.2)
    held = view(quotes).rungs[2]
    assert (held.cause, held.detail) == (RungCause.BREAKER, "fee.gap")


def test_circuits_are_shown_with_what_they_count(quotes: Rig) -> None:
    now = quotes.clock.now().mono_ns
    for _ in range(2):
        quotes.feed(CancelResult(now, (), proven=False))
    shown = {c.name: c for c in view(quotes).circuits}["orders.pm"]
    assert (shown.state, shown.count, shown.limit, shown.since_ns) == ("CLOSED", 2, 5, None)
    assert shown.cause == "cancel unanswered"
    for _ in range(3):
        quotes.feed(CancelResult(now, (), proven=False))
    after = view(quotes)
    shown = {c.name: c for c in after.circuits}["orders.pm"]
    assert (shown.state, shown.effect, shown.opened) == ("OPEN", Rung.HALTED, 1)
    assert shown.since_ns == quotes.clock.now().wall_ns
    assert after.breakers_tripped == 1
    assert (after.rung_cause, after.rung_detail) == (RungCause.CIRCUIT, "orders.pm")


def test_a_fill_that_stays_unproven_quarantines_its_market_until_the_chain_speaks() -> None:
    rig = Rig(settings(S1_ONLY, provisional_alert_s=3.0)).ready()
    rig.book(*WIDE)
    rig.spot(100_100)
    order_id = rig.submits[0].orders[0].order_id
    rig.answer(rig.submits[0], LegOutcome.MATCHED, matched_e6=20_000_000)
    rig.fill(order_id, 20, state=FillState.PROVISIONAL)
    desk = rig.state.desks["0xm"]
    rig.advance(2.5)
    assert desk.state is MarketState.TRADABLE
    rig.advance(1.0)
    assert desk.state is MarketState.QUARANTINED
    assert "fill.unproven.t1" in rig.state.alerts
    rig.fill(order_id, 20, state=FillState.CONFIRMED)
    rig.advance(0.3)
    assert desk.state is MarketState.TRADABLE


def test_a_stranger_in_the_wallet_stops_entries_until_a_person_has_looked(quotes: Rig) -> None:
    fill = Fill("tx", "0xnot-ours", "0xm", Outcome.UP, Side.BUY, 5_000, 9_000_000, False,
                FillState.CONFIRMED, quotes.clock.now().wall_ns)  # fmt: skip
    quotes.feed(fill)
    quotes.advance(0.2)
    assert quotes.state.rungs.overall()[0] is Rung.HEDGE_ONLY
    assert tripped(quotes) == {"wallet"}
    quotes.advance(60)
    assert tripped(quotes) == {"wallet"}, "it is latched"
    verb = OperatorVerb.BREAKER_RESET
    quotes.feed(OperatorCommand(verb, "me", target="wallet", reason="mine", confirmed=True))
    quotes.advance(0.2)
    assert tripped(quotes) == set()


def test_pairs_together_leave_no_more_naked_than_the_limit() -> None:
    rig = Rig(settings(S2_ONLY, max_partial_exposure_usd=12.0)).ready()
    assert naked_possible_e6(rig.state) == 0
    rig.book(*WIDE)
    [(_, _, price, size), _] = sides(rig.submits[0], rig)
    assert (price, size) == (4_900, 20_000_000)
    assert naked_possible_e6(rig.state) == 9_800_000, "20 shares of either leg at 49 cents"
    one = rig.submits[0].orders[0].order_id
    rig.answer(rig.submits[0], LegOutcome.RESTING)
    rig.fill(one, 20, maker=True)
    assert naked_possible_e6(rig.state) == 9_800_000, "filled, the other leg resting"
    rig.fill(rig.submits[0].orders[1].order_id, 20, trade="t2", maker=True)
    rig.advance(0.2)
    assert naked_possible_e6(rig.state) == 0, "complete"


def test_the_summary_is_plain_numbers(quotes: Rig) -> None:
    quotes.feed(LatencyReport((StageLatency("sign", 3, 1.0, 2.0, 3.0, 4.0),)))
    summary = quotes.engine.summary(quotes.clock.now())
    assert summary["orders"] == {
        "sent": 2, "acked": 2, "filled": 0, "killed": 0, "rejected": 0, "cancelled": 0,
        "unknown": 0,
    }  # fmt: skip
    assert summary["latency_us"] == {
        "sign": {"p50": 1.0, "p99": 2.0, "p999": 3.0, "max": 4.0, "n": 3}
    }
    assert msgspec.json.encode(summary)


def test_a_trip_is_told_with_the_unit_of_its_numbers(quotes: Rig) -> None:
    trips = quotes.state.breakers
    for name, number in (("loop.lag", 182.009), ("loss.day", -50.5), ("loss.streak", 99.0)):
        change = trips.observe(name, number, 0, 0)
        assert change is not None
        announce(quotes.state, change, quotes.clock.now(), [])
    said = [row.text for row in view(quotes).events if row.kind == "BRK" and "TRIP" in row.text]
    assert [text.split(" TRIP ")[1].split(")")[0] for text in said] == [
        "182 ms (limit 50 ms", "-$50.50 (limit -$50.00", "99 (limit 7",
    ]  # fmt: skip

"""From a wish to the wire: what is certain, what may happen, and the last looks before sending."""

from __future__ import annotations

import hashlib
import json

from dailyarb.core.domain import commands as cmd
from dailyarb.core.domain.events import (
    AccountReport,
    CancelResult,
    Fill,
    LegOutcome,
    MarketListed,
    Signed,
    TopChanged,
    Woke,
)
from dailyarb.core.domain.ids import Gate, StrategyId
from dailyarb.core.domain.intents import Intent, IntentKind, Leg
from dailyarb.core.domain.market import MarketState, Outcome, Side, Window
from dailyarb.core.domain.orders import TIF, FillState, OrderState
from dailyarb.core.domain.records import FillBooked, Record
from dailyarb.core.domain.rung import Rung
from dailyarb.core.domain.settings import S1Settings, S2Settings, Strategies
from dailyarb.core.domain.units import MS, SECOND
from dailyarb.core.engine.trading import (
    active_markets,
    cancel,
    market_outlook,
    open_intent,
    situation,
    standing_of,
)
from tests.rig import DOWN, START_S, UP, Rig, birth, book_frame, settings, spec

S1_ONLY = Strategies(S2=S2Settings(enabled=False))
S2_ONLY = Strategies(S1=S1Settings(enabled=False), S2=S2Settings(resting=True))
WIDE = [(50, 500), (49, 500)], [(51, 500), (52, 500)]
SHARE = 1_000_000


def quotes() -> Rig:
    """Returns a running engine with two unanswered quotes of S2."""
    rig = Rig(settings(S2_ONLY)).ready()
    rig.book(*WIDE)
    return rig


def pair_of_takers() -> Intent:
    """Returns both asks taken at once."""
    legs = tuple(
        Leg(o, Side.BUY, p, 20 * SHARE, TIF.FAK)
        for o, p in ((Outcome.UP, 4_700), (Outcome.DOWN, 4_800))
    )
    return Intent(StrategyId.S2, "0xm", IntentKind.ENTRY, legs, 100, pair_id=-1)


def test_a_pair_taken_at_once_waits_only_for_its_last_leg() -> None:
    rig = Rig(settings(S1_ONLY)).ready()
    rig.book(*WIDE)
    desk = rig.state.desks["0xm"]
    assert open_intent(rig.state, desk, pair_of_takers(), rig.clock.now(), []) is None
    [pair] = rig.state.pairs.open.values()
    assert pair.wait_ns == 50 * MS


def test_nothing_is_opened_where_the_market_does_not_trade_or_has_ended() -> None:
    rig = Rig(settings(S1_ONLY)).ready()
    desk = rig.state.desks["0xm"]
    desk.state = MarketState.QUARANTINED
    blocked = open_intent(rig.state, desk, pair_of_takers(), rig.clock.now(), [])
    assert blocked is not None
    assert blocked.gate is Gate.NOT_TRADABLE
    desk.state = MarketState.TRADABLE
    rig.clock.advance(300 * 10**9)
    blocked = open_intent(rig.state, desk, pair_of_takers(), rig.clock.now(), [])
    assert blocked is not None
    assert blocked.gate is Gate.TIME_TO_CLOSE


def test_what_may_happen_counts_only_where_it_hurts() -> None:
    rig = quotes()
    standing, items = standing_of(rig.state, "0xm")
    assert (standing.flow_e6, len(items)) == (0, 2)
    price = {o.outcome: o.price_e4 for o in rig.state.orders.live()}
    worst = -20 * max(price.values()) * 100
    assert market_outlook(rig.state, "0xm").worst_e6 == worst
    assert standing_of(rig.state, "0xother") == (type(standing)(), [])


def test_provisional_fills_count_both_ways() -> None:
    rig = quotes()
    up = rig.submits[0].orders[0].order_id
    price = rig.state.orders.by_id[up].price_e4
    rig.fill(up, 20, maker=True, state=FillState.PROVISIONAL)
    standing, items = standing_of(rig.state, "0xm")
    assert (standing.up_e6, standing.flow_e6) == (0, 0)
    assert [i.size_e6 for i in items] == [20 * SHARE] * 2
    rig.fill(up, 20, maker=True, state=FillState.CONFIRMED)
    standing, items = standing_of(rig.state, "0xm")
    assert (standing.up_e6, standing.flow_e6) == (20 * SHARE, -20 * price * 100)
    assert len(items) == 1


def test_an_order_full_in_the_journal_but_unproven_holds_no_exposure() -> None:
    old = quotes()
    old.fill(old.submits[0].orders[0].order_id, 20, maker=True)
    rows: list[tuple[Record, int]] = []
    for command in old.all(cmd.Journal):
        rows.append((command.record, 0))
        if isinstance(command.record, FillBooked):
            break  # the process died between the fill and the order's move
    new = Rig(settings(S2_ONLY), old.market, birth(run="r2"), rows)
    assert len(new.state.orders.live()) == 2
    assert len(standing_of(new.state, "0xm")[1]) == 1


def test_the_gate_sees_own_sales_as_sold_and_resting_orders_as_resting() -> None:
    rig = quotes()
    up, down = (o.order_id for o in rig.submits[0].orders)
    rig.fill(up, 20, maker=True)
    desk = rig.state.desks["0xm"]
    leg = Leg(Outcome.UP, Side.SELL, 4_900, 20 * SHARE, TIF.FAK)
    sale = Intent(StrategyId.OPERATOR, "0xm", IntentKind.FLATTEN, (leg,), 0)
    rig.feed(CancelResult(0, (down,)))
    assert situation(rig.state, desk, sale, rig.clock.now()).held[Outcome.UP] == 20 * SHARE
    out: list[cmd.Command] = []
    assert open_intent(rig.state, desk, sale, rig.clock.now(), out) is None
    rig._take(out)
    assert situation(rig.state, desk, sale, rig.clock.now()).held[Outcome.UP] == 0


def test_a_quote_knows_how_many_shares_stand_before_it() -> None:
    rig = Rig(settings(S2_ONLY)).ready()
    rig.book([(50, 500)], [(51, 500)])
    queues = {
        o.outcome: o.queue_e6
        for o in (rig.state.orders.by_id[s.order_id] for s in rig.submits[0].orders)
    }
    prices = {o.outcome: o.price_e4 for o in rig.state.orders.live()}
    for outcome, queue in queues.items():
        book = dict(rig.state.desks["0xm"].book.levels(outcome, Side.BUY, 50))
        assert queue == book.get(prices[outcome], 0)
    assert sorted(queues.values()) == [0, 500 * SHARE], "a new level has nobody before us"


def test_at_reduced_only_its_strategies_leave() -> None:
    rig = Rig(settings(S1_ONLY)).ready()
    rig.sign = False
    rig.book(*WIDE)
    rig.advance(0.5)
    rig.book(*WIDE)
    rig.spot(100_100)
    [draft] = [c.draft for c in rig.all(cmd.Sign)]
    rig.state.rungs.operator = Rung.REDUCED
    rig.feed(Signed(draft.draft_id, "0xlate", b"{}"))
    assert not rig.submits
    assert rig.state.orders.by_id["0xlate"].reason == "rung REDUCED"


def test_a_cancel_of_nothing_asks_nothing() -> None:
    rig = quotes()
    out: list[cmd.Command] = []
    cancel([], "test", rig.clock.now(), out)
    assert out == []


def test_a_snapshot_brings_the_fills_we_missed() -> None:
    rig = quotes()
    rig.answer(rig.submits[0], LegOutcome.RESTING)
    order = rig.state.orders.by_id[rig.submits[0].orders[0].order_id]
    missed = Fill(
        "t1", order.order_id, "0xm", order.outcome, order.side, order.price_e4, 20 * SHARE, True,
        FillState.CONFIRMED, rig.clock.now().wall_ns,
    )  # fmt: skip
    cash = 1_000 * SHARE - order.price_e4 * 20 * 100
    for _ in range(2):
        rig.feed(AccountReport(rig.clock.now().mono_ns, True, cash, fills=(missed,)))
    assert order.state is OrderState.FILLED
    assert rig.state.account.detail == "0 differences"


def test_a_process_that_stood_still_opens_nothing_at_first() -> None:
    rig = quotes()
    rig.answer(rig.submits[0], LegOutcome.RESTING)
    rig.feed(Woke(3_000))
    assert rig.state.breakers.by_name["loop.lag"].tripped
    assert rig.state.rungs.overall()[0] is Rung.HEDGE_ONLY
    rig.advance(6)
    assert rig.state.rungs.overall()[0] is Rung.FULL


def two_windows(**limits: float) -> Rig:
    """Returns a running engine with two windows of one asset that quote the same."""
    rig = Rig(settings(S1_ONLY, **limits)).ready()
    rig.feed(MarketListed(spec(
        market_id="0xn", slug=f"btc-updown-15m-{START_S}", window=Window.M15,
        end_ns=(START_S + 900) * SECOND, up_token="33" * 30, down_token="44" * 30,
    )))
    rig.advance(0.2)
    rig.book(*WIDE)
    now, (bids, asks) = rig.clock.now(), WIDE
    raw = book_frame(bids[::-1], asks[::-1], now.wall_ns // MS).decode()
    rows = json.loads(raw.replace("0xm", "0xn").replace(UP, "33" * 30).replace(DOWN, "44" * 30))
    for row in rows:
        row["hash"] = hashlib.sha1(row["asset_id"].encode()).hexdigest()
    rig.engine.books.router.on_frame(json.dumps(rows).encode(), now.mono_ns)
    for slot, flags in rig.engine.books.router.drain():
        found = rig.engine.books.at(slot)
        if found is not None:
            rig.feed(TopChanged(found.spec.market_id, flags, now.mono_ns))
    return rig


def test_one_move_does_not_pass_the_limits_over_all_markets() -> None:
    """Orders of the first window are still being signed when the second is judged (I6)."""
    rig = two_windows(
        max_worst_case_total_usd=15.0, max_worst_case_market_usd=15.0, max_open_positions=1
    )
    rig.clock.advance(50 * MS)
    rig.spot(100_400)
    worst = sum(market_outlook(rig.state, m).worst_e6 for m in active_markets(rig.state))
    assert len(active_markets(rig.state)) <= 1
    assert worst >= -15_000_000


def test_time_alone_asks_a_resting_pair_when_its_quotes_grow_old_or_the_book_does() -> None:
    rig = quotes()
    rig.answer(rig.submits[0], LegOutcome.RESTING)
    seen = rig.state.tallies.evaluated
    rig.book(*WIDE)
    for _ in range(8):
        rig.advance(0.1)
    assert rig.state.tallies.evaluated - seen <= 2, "S2 waits for prices"
    for _ in range(30):
        rig.advance(0.1)  # no frame comes: the book is stale after two seconds
        if rig.all(cmd.Cancel):
            break
    [cancelled] = rig.all(cmd.Cancel)
    assert len(cancelled.order_ids) == 2
    age_ms = rig.state.desks["0xm"].book.age_ms(rig.clock.now())
    assert age_ms is not None and age_ms <= rig.state.settings.feeds.max_book_age_ms + 200

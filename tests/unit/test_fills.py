"""The fill model, rule by rule: it never invents liquidity."""

from __future__ import annotations

import random
from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dailyarb.core.domain.errors import UnitError
from dailyarb.core.domain.market import FeeSchedule, Outcome, Side, taker_fee_e6
from dailyarb.core.domain.orders import TIF
from dailyarb.core.domain.units import MS
from dailyarb.sim.fills import FillModel
from dailyarb.sim.fills_types import (
    NO_MATCH_FAK,
    NO_MATCH_FOK,
    NOT_READY,
    POST_ONLY_CROSSES,
    TOO_LATE,
    FillEvent,
    FillSettings,
    LatencyLaw,
    NewOrder,
    OrderUpdate,
    QueueMode,
    Word,
)

SHARE = 1_000_000
INSTANT = FillSettings(latency=LatencyLaw(0.0, 0.0), hold_ms=0)
SLOW = FillSettings(latency=LatencyLaw(10.0, 0.0), hold_ms=50)
FEES = FeeSchedule(rate_e6=70_000)


class DictBook:
    """Is a book on two dicts in UP coordinates: price_e4 to size_e6."""

    def __init__(self, bids: dict[int, int], asks: dict[int, int], synced: bool = True) -> None:
        self.sides = (
            {price: shares * SHARE for price, shares in bids.items()},
            {price: shares * SHARE for price, shares in asks.items()},
        )
        self.synced = synced

    def levels(self, outcome: int, side: int, n: int) -> list[tuple[int, int]]:
        assert outcome == 0
        return sorted(self.sides[side].items(), reverse=side == 0)[:n]

    def set(self, side: int, price_e4: int, shares: int) -> None:
        self.sides[side].pop(price_e4, None)
        if shares:
            self.sides[side][price_e4] = shares * SHARE


def model(book: DictBook | None, setting: FillSettings = INSTANT, seed: int = 1) -> FillModel:
    return FillModel(lambda _: book, lambda _: FEES, setting, random.Random(seed))


def order(
    side: Side = Side.BUY,
    price_e4: int = 5_000,
    shares: int = 10,
    tif: TIF = TIF.FAK,
    outcome: Outcome = Outcome.UP,
    order_id: str = "a",
    post_only: bool = False,
    expires_ns: int = 0,
) -> NewOrder:
    return NewOrder(
        order_id, "m", outcome, side, price_e4, shares * SHARE, tif, post_only, expires_ns
    )


def fills(news: list[FillEvent | OrderUpdate]) -> list[FillEvent]:
    return [item for item in news if isinstance(item, FillEvent)]


def words(news: list[FillEvent | OrderUpdate]) -> list[Word]:
    return [item.word for item in news if isinstance(item, OrderUpdate)]


def book() -> DictBook:
    return DictBook({4_900: 100, 4_800: 200}, {5_000: 30, 5_100: 40, 5_300: 500})


class TestTakers:
    def test_walks_the_levels_at_their_own_prices_never_all_at_the_limit(self) -> None:
        desk = model(book())
        desk.submit(order(price_e4=5_200, shares=50), 0)
        done = fills(desk.advance(0))
        assert [(f.price_e4, f.size_e6) for f in done] == [(5_000, 30 * SHARE), (5_100, 20 * SHARE)]

    def test_pays_the_scheduled_fee_on_each_part(self) -> None:
        desk = model(book())
        desk.submit(order(price_e4=5_200, shares=50), 0)
        for fill in fills(desk.advance(0)):
            assert not fill.maker
            assert fill.fee_e6 == taker_fee_e6(fill.price_e4, fill.size_e6, 70_000)

    def test_fak_keeps_what_it_got_and_loses_the_rest(self) -> None:
        desk = model(book())
        desk.submit(order(price_e4=5_000, shares=50), 0)
        news = desk.advance(0)
        assert [f.size_e6 for f in fills(news)] == [30 * SHARE]
        assert words(news) == [Word.MATCHED]
        assert desk.working() == []

    def test_fak_beyond_the_book_is_killed(self) -> None:
        desk = model(book())
        desk.submit(order(price_e4=4_950), 0)
        (news,) = desk.advance(0)
        assert isinstance(news, OrderUpdate)
        assert (news.word, news.reason) == (Word.KILLED, NO_MATCH_FAK)

    def test_fok_is_whole_or_nothing(self) -> None:
        desk = model(book())
        desk.submit(order(price_e4=5_100, shares=71, tif=TIF.FOK), 0)
        (news,) = desk.advance(0)
        assert isinstance(news, OrderUpdate)
        assert (news.word, news.reason) == (Word.KILLED, NO_MATCH_FOK)
        desk.submit(order(price_e4=5_100, shares=70, tif=TIF.FOK, order_id="b"), 1)
        assert sum(f.size_e6 for f in fills(desk.advance(1))) == 70 * SHARE

    def test_meets_the_book_of_the_end_of_the_hold_not_of_the_decision(self) -> None:
        shown = book()
        desk = model(shown, SLOW)
        assert desk.submit(order(price_e4=5_000), 0) == 10 * MS
        assert desk.advance(10 * MS) == []
        shown.set(1, 5_000, 0)
        desk.on_book("m", 30 * MS)
        assert desk.next_due_ns() == 60 * MS
        assert words(desk.advance(60 * MS)) == [Word.KILLED]

    def test_what_it_took_stays_taken_although_the_recording_still_shows_it(self) -> None:
        desk = model(book())
        desk.submit(order(price_e4=5_000, shares=30), 0)
        assert len(fills(desk.advance(0))) == 1
        desk.on_book("m", 1)
        desk.submit(order(price_e4=5_000, shares=30, order_id="b"), 2)
        assert words(desk.advance(2)) == [Word.KILLED]

    def test_more_is_taken_only_as_far_as_the_level_grows(self) -> None:
        shown = book()
        desk = model(shown)
        desk.submit(order(price_e4=5_000, shares=30), 0)
        desk.advance(0)
        shown.set(1, 5_000, 34)
        desk.on_book("m", 1)
        desk.submit(order(price_e4=5_000, shares=30, order_id="b"), 2)
        assert sum(f.size_e6 for f in fills(desk.advance(2))) == 4 * SHARE

    def test_a_level_that_vanished_and_returned_is_new(self) -> None:
        shown = book()
        desk = model(shown)
        desk.submit(order(price_e4=5_000, shares=30), 0)
        desk.advance(0)
        for stamp, shares in ((1, 0), (2, 25)):
            shown.set(1, 5_000, shares)
            desk.on_book("m", stamp)
        desk.submit(order(price_e4=5_000, shares=30, order_id="b"), 3)
        assert sum(f.size_e6 for f in fills(desk.advance(3))) == 25 * SHARE

    def test_a_shrinking_level_gives_nothing_back(self) -> None:
        shown = book()
        desk = model(shown)
        desk.submit(order(price_e4=5_000, shares=20), 0)
        desk.advance(0)
        shown.set(1, 5_000, 25)
        desk.on_book("m", 1)
        desk.submit(order(price_e4=5_000, shares=30, order_id="b"), 2)
        assert sum(f.size_e6 for f in fills(desk.advance(2))) == 5 * SHARE

    def test_down_is_the_other_side_of_the_same_book(self) -> None:
        desk = model(book())
        desk.submit(order(Side.BUY, 5_150, 120, outcome=Outcome.DOWN), 0)
        done = fills(desk.advance(0))
        assert [(f.price_e4, f.size_e6) for f in done] == [(5_100, 100 * SHARE)]
        desk.submit(order(Side.SELL, 4_900, 10, outcome=Outcome.DOWN, order_id="b"), 1)
        assert [f.price_e4 for f in fills(desk.advance(1))] == [5_000]

    def test_a_crossing_gtc_takes_first_and_rests_the_remainder(self) -> None:
        desk = model(book())
        desk.submit(order(price_e4=5_000, shares=50, tif=TIF.GTC), 0)
        news = desk.advance(0)
        assert sum(f.size_e6 for f in fills(news)) == 30 * SHARE
        assert words(news) == [Word.MATCHED]
        assert [(o.order_id, m, q) for o, m, q in desk.working()] == [("a", 30 * SHARE, 0)]

    @pytest.mark.parametrize("shown", [None, DictBook({}, {}, synced=False)])
    def test_a_book_that_is_not_believed_refuses(self, shown: DictBook | None) -> None:
        desk = model(shown)
        desk.submit(order(), 0)
        (news,) = desk.advance(0)
        assert isinstance(news, OrderUpdate)
        assert (news.word, news.reason) == (Word.REFUSED, NOT_READY)


class TestResting:
    def bid(self, setting: FillSettings = INSTANT) -> tuple[DictBook, FillModel]:
        shown = book()
        desk = model(shown, setting)
        desk.submit(order(price_e4=4_900, shares=20, tif=TIF.GTC, post_only=True), 0)
        assert words(desk.advance(0)) == [Word.RESTING]
        return shown, desk

    def test_stands_behind_all_that_is_shown(self) -> None:
        _, desk = self.bid()
        assert [queue for _, _, queue in desk.working()] == [100 * SHARE]

    def test_a_print_shortens_the_queue_before_it_fills(self) -> None:
        _, desk = self.bid()
        desk.on_trade("m", 0, 1, 4_900, 60 * SHARE, 1)
        assert desk.advance(1) == []
        desk.on_trade("m", 0, 1, 4_900, 45 * SHARE, 2)
        (part,) = fills(desk.advance(2))
        assert (part.size_e6, part.price_e4, part.maker, part.fee_e6) == (5 * SHARE, 4_900, True, 0)

    def test_a_print_of_the_other_token_is_the_mirrored_print(self) -> None:
        _, desk = self.bid()
        desk.on_trade("m", 1, 0, 5_100, 110 * SHARE, 1)  # bought DOWN at .51: sold UP at .49
        assert sum(f.size_e6 for f in fills(desk.advance(1))) == 10 * SHARE

    def test_prints_of_the_same_side_or_at_better_prices_change_nothing(self) -> None:
        _, desk = self.bid()
        desk.on_trade("m", 0, 0, 4_900, 500 * SHARE, 1)
        desk.on_trade("m", 0, 1, 4_950, 500 * SHARE, 1)
        assert desk.advance(1) == []
        assert [queue for _, _, queue in desk.working()] == [100 * SHARE]

    def test_a_print_beyond_the_price_fills_at_most_its_size_at_our_price(self) -> None:
        _, desk = self.bid()
        desk.on_trade("m", 0, 1, 4_800, 12 * SHARE, 1)
        (part,) = fills(desk.advance(1))
        assert (part.size_e6, part.price_e4) == (12 * SHARE, 4_900)

    def test_one_print_is_shared_by_our_orders_best_price_first(self) -> None:
        _, desk = self.bid()
        desk.submit(order(price_e4=4_950, shares=8, tif=TIF.GTC, order_id="b"), 1)
        desk.advance(1)
        desk.on_trade("m", 0, 1, 4_850, 20 * SHARE, 2)
        done = fills(desk.advance(2))
        assert [(f.order_id, f.size_e6) for f in done] == [("b", 8 * SHARE), ("a", 12 * SHARE)]

    def test_a_book_that_trades_through_fills_what_it_shows_there(self) -> None:
        shown, desk = self.bid()
        shown.set(0, 4_900, 0)
        shown.set(1, 4_850, 7)
        desk.on_book("m", 1)
        (part,) = fills(desk.advance(1))
        assert (part.size_e6, part.price_e4, part.maker) == (7 * SHARE, 4_900, True)
        desk.on_book("m", 2)
        assert desk.advance(2) == []  # the same seven shares do not fill twice

    STAY = FillSettings(LatencyLaw(0.0, 0.0), 0, through_ms=2_000)

    def run_over(self) -> tuple[DictBook, FillModel]:
        """Returns a bid beyond which the other side has stood since 1 ms."""
        shown, desk = self.bid(self.STAY)
        shown.set(0, 4_900, 0)
        shown.set(1, 4_850, 50)
        desk.on_book("m", MS)
        assert desk.advance(MS) == []
        return shown, desk

    def test_a_price_that_runs_through_us_and_stays_fills_us(self) -> None:
        _, desk = self.run_over()
        assert desk.next_due_ns() == 2_001 * MS
        assert fills(desk.advance(2_000 * MS)) == []
        (part,) = fills(desk.advance(2_001 * MS))
        assert (part.size_e6, part.price_e4, part.at_ns) == (20 * SHARE, 4_900, 2_001 * MS)

    def test_a_price_that_comes_back_has_not_filled_us_and_counts_anew(self) -> None:
        shown, desk = self.run_over()
        shown.set(1, 4_850, 0)
        desk.on_book("m", 1_000 * MS)
        shown.set(1, 4_850, 50)
        desk.on_book("m", 1_500 * MS)
        assert fills(desk.advance(3_499 * MS)) == []
        assert [f.at_ns for f in fills(desk.advance(9_000 * MS))] == [3_500 * MS]

    def test_no_cancel_saves_an_order_that_was_run_over(self) -> None:
        _, desk = self.run_over()
        desk.cancel("a", 500 * MS)
        news = desk.advance(500 * MS)
        assert [f.size_e6 for f in fills(news)] == [20 * SHARE]
        assert words(news) == [Word.FILLED, Word.CANCEL_REFUSED]

    def test_a_market_that_ends_while_we_are_run_over_has_filled_us(self) -> None:
        _, desk = self.run_over()
        desk.close_market("m", 500 * MS, "over")
        assert words(desk.advance(500 * MS)) == [Word.FILLED]

    def test_what_a_run_over_order_could_not_fill_is_cancelled(self) -> None:
        shown, desk = self.run_over()
        shown.set(1, 4_850, 7)
        desk.cancel("a", 500 * MS)
        news = desk.advance(500 * MS)
        assert [f.size_e6 for f in fills(news)] == [7 * SHARE]
        assert words(news) == [Word.CANCELLED]

    def test_an_order_that_expires_while_run_over_was_filled(self) -> None:
        shown = book()
        desk = model(shown, self.STAY)
        desk.submit(order(price_e4=4_900, tif=TIF.GTD, expires_ns=500 * MS), 0)
        desk.advance(0)
        shown.set(0, 4_900, 0)
        shown.set(1, 4_850, 50)
        desk.on_book("m", MS)
        assert words(desk.advance(500 * MS)) == [Word.FILLED]

    def test_liquidity_at_our_price_is_not_beyond_it(self) -> None:
        shown, desk = self.bid()
        shown.set(0, 4_900, 0)
        shown.set(1, 4_900, 50)
        desk.on_book("m", 1)
        assert desk.advance(1) == []

    def test_a_crossed_instant_is_never_an_opportunity(self) -> None:
        shown, desk = self.bid()
        shown.set(1, 4_800, 50)  # the real bid at .49 is still shown
        desk.on_book("m", 1)
        assert desk.advance(1) == []

    def test_cancels_ahead_do_not_help_when_only_prints_count(self) -> None:
        shown, desk = self.bid()
        shown.set(0, 4_900, 5)
        desk.on_book("m", 1)
        desk.on_book("m", 10_000 * MS)
        assert [queue for _, _, queue in desk.working()] == [100 * SHARE]

    def test_shown_mode_believes_a_level_later_and_counts_no_print_twice(self) -> None:
        shown, desk = self.bid(
            FillSettings(LatencyLaw(0.0, 0.0), 0, QueueMode.SHOWN, settle_ms=250)
        )
        shown.set(0, 4_900, 40)
        desk.on_book("m", 0)
        assert [queue for _, _, queue in desk.working()] == [100 * SHARE]
        desk.on_trade("m", 0, 1, 4_900, 60 * SHARE, 10 * MS)  # explains the thinner level
        desk.on_book("m", 300 * MS)
        assert [queue for _, _, queue in desk.working()] == [40 * SHARE]
        shown.set(0, 4_900, 10)
        desk.on_book("m", 400 * MS)
        desk.on_book("m", 650 * MS)
        assert [queue for _, _, queue in desk.working()] == [10 * SHARE]

    def test_post_only_that_would_cross_is_refused(self) -> None:
        desk = model(book())
        desk.submit(order(price_e4=5_000, tif=TIF.GTC, post_only=True), 0)
        (news,) = desk.advance(0)
        assert isinstance(news, OrderUpdate)
        assert (news.word, news.reason) == (Word.REFUSED, POST_ONLY_CROSSES)

    def test_expires_by_itself(self) -> None:
        desk = model(book())
        desk.submit(order(price_e4=4_900, tif=TIF.GTD, expires_ns=5_000), 0)
        desk.advance(0)
        assert words(desk.advance(4_999)) == []
        assert words(desk.advance(5_000)) == [Word.EXPIRED]

    def test_ends_with_its_market(self) -> None:
        _, desk = self.bid()
        desk.close_market("m", 9, "CANCELED_MARKET_RESOLVED")
        (news,) = desk.advance(9)
        assert isinstance(news, OrderUpdate)
        assert (news.word, news.reason) == (Word.CANCELLED, "CANCELED_MARKET_RESOLVED")
        assert desk.working() == []


class TestCancels:
    def test_a_cancel_travels_and_a_print_may_win(self) -> None:
        desk = model(book(), SLOW)
        desk.submit(order(price_e4=4_900, shares=5, tif=TIF.GTC), 0)
        desk.advance(10 * MS)
        assert desk.cancel("a", 20 * MS) == 30 * MS
        desk.on_trade("m", 0, 1, 4_800, 5 * SHARE, 25 * MS)
        news = desk.advance(30 * MS)
        assert words(news) == [Word.FILLED, Word.CANCEL_REFUSED]
        assert sum(f.size_e6 for f in fills(news)) == 5 * SHARE

    def test_a_cancel_in_time_leaves_nothing_behind(self) -> None:
        desk = model(book(), SLOW)
        desk.submit(order(price_e4=4_900, tif=TIF.GTC), 0)
        desk.advance(10 * MS)
        assert desk.cancel_all(20 * MS, "other") == []
        assert desk.cancel_all(20 * MS, "m") == ["a"]
        assert words(desk.advance(30 * MS)) == [Word.CANCELLED]
        desk.on_trade("m", 0, 1, 4_700, 500 * SHARE, 40 * MS)
        assert desk.advance(50 * MS) == []

    def test_a_held_order_cannot_be_cancelled(self) -> None:
        desk = model(book(), SLOW)
        desk.submit(order(price_e4=5_000, shares=30, tif=TIF.GTC), 0)
        desk.cancel("a", 5 * MS)
        news = desk.advance(60 * MS)
        assert words(news) == [Word.MATCHED, Word.CANCEL_REFUSED]
        assert sum(f.size_e6 for f in fills(news)) == 30 * SHARE

    def test_what_rests_after_the_hold_obeys_the_cancel_that_waited(self) -> None:
        desk = model(book(), SLOW)
        desk.submit(order(price_e4=5_000, shares=50, tif=TIF.GTC), 0)
        desk.cancel("a", 5 * MS)
        news = desk.advance(60 * MS)
        assert words(news) == [Word.MATCHED, Word.CANCELLED]
        assert desk.working() == []

    def test_an_unknown_or_overtaken_order_is_refused(self) -> None:
        desk = model(book(), SLOW)
        desk.cancel("nobody", 0)
        (news,) = desk.advance(10 * MS)
        assert isinstance(news, OrderUpdate)
        assert (news.word, news.reason) == (Word.CANCEL_REFUSED, TOO_LATE)


def test_news_never_overtake_each_other() -> None:
    desk = model(book(), FillSettings(latency=LatencyLaw(5.0, 30.0), hold_ms=0), seed=4)
    for number in range(12):
        desk.submit(order(price_e4=4_500, shares=5, tif=TIF.GTC, order_id=str(number)), number)
    seen = [item.seen_ns for item in desk.advance(10_000 * MS)]
    assert len(seen) == 12
    assert seen == sorted(seen)


def test_nonsense_is_refused_at_the_edge() -> None:
    desk = model(book())
    with pytest.raises(UnitError):
        desk.submit(order(price_e4=10_000), 0)
    with pytest.raises(UnitError):
        desk.submit(order(shares=0), 0)
    desk.submit(order(), 0)
    with pytest.raises(ValueError, match="already working"):
        desk.submit(order(), 0)


prices = st.integers(40, 60).map(lambda cents: cents * 100)
moves = st.one_of(
    st.tuples(st.just("level"), st.integers(0, 1), prices, st.integers(0, 60)),
    st.tuples(st.just("trade"), st.integers(0, 1), prices, st.integers(1, 60)),
    st.tuples(st.just("cancel"), st.integers(0, 30), st.just(0), st.just(0)),
)
orders = st.tuples(
    st.just("order"),
    st.sampled_from([Side.BUY, Side.SELL]),
    prices,
    st.integers(1, 50),
    st.sampled_from(list(TIF)),
    st.sampled_from(list(Outcome)),
)
scripts = st.lists(st.one_of(moves, orders), max_size=60)


class Ledger:
    """Holds what every order may have got at most, in its own coordinates."""

    def __init__(self) -> None:
        self.orders: dict[str, NewOrder] = {}
        self.got: dict[str, int] = defaultdict(int)
        self.cash_e10 = 0

    def book(self, fill: FillEvent) -> None:
        asked = self.orders[fill.order_id]
        self.got[fill.order_id] += fill.size_e6
        assert fill.size_e6 > 0
        assert self.got[fill.order_id] <= asked.size_e6
        if asked.side is Side.BUY:
            assert fill.price_e4 <= asked.price_e4
        else:
            assert fill.price_e4 >= asked.price_e4
        if fill.maker:
            assert (fill.fee_e6, fill.price_e4) == (0, asked.price_e4)
        sign = -1 if asked.side is Side.BUY else 1
        self.cash_e10 += sign * fill.price_e4 * fill.size_e6 - fill.fee_e6 * 10_000


def play(script: list[tuple[object, ...]], mirror: bool = False) -> list[FillEvent]:
    """Plays a script with an order every nanosecond; checks each rule on the way."""
    shown = book()
    desk = model(shown, FillSettings(latency=LatencyLaw(0.0, 0.0), hold_ms=0))
    ledger, done = Ledger(), []
    for now, step in enumerate(script):
        limit_e6: int | None = None
        if step[0] == "level":
            shown.set(step[1], step[2], step[3])  # type: ignore[arg-type]
            desk.on_book("m", now)
        elif step[0] == "trade":
            limit_e6 = step[3] * SHARE  # type: ignore[operator]
            desk.on_trade("m", 0, step[1], step[2], limit_e6, now)  # type: ignore[arg-type]
        elif step[0] == "cancel":
            desk.cancel(str(step[1]), now)
        else:
            _, side, price_e4, shares, tif, outcome = step
            if mirror:
                side = side.opposite  # type: ignore[attr-defined]
                outcome = outcome.other  # type: ignore[attr-defined]
                price_e4 = 10_000 - price_e4  # type: ignore[operator]
            new = order(side, price_e4, shares, tif, outcome, str(now))  # type: ignore[arg-type]
            ledger.orders[new.order_id] = new
            desk.submit(new, now)
        news = fills(desk.advance(now))
        for fill in news:
            ledger.book(fill)
            if not fill.maker:
                up_e4 = fill.price_e4 if fill.outcome is Outcome.UP else 10_000 - fill.price_e4
                bought_up = (fill.side is Side.BUY) == (fill.outcome is Outcome.UP)
                assert fill.size_e6 <= shown.sides[1 if bought_up else 0][up_e4]
        if limit_e6 is not None:
            assert sum(fill.size_e6 for fill in news) <= limit_e6
        done += news
    spent = sum(
        (-1 if f.side is Side.BUY else 1) * f.price_e4 * f.size_e6 - f.fee_e6 * 10_000 for f in done
    )
    assert spent == ledger.cash_e10
    return done


@settings(max_examples=200, deadline=None)
@given(scripts)
def test_any_script_obeys_size_limit_shown_depth_and_print_size(
    script: list[tuple[object, ...]],
) -> None:
    play(script)


@settings(max_examples=100, deadline=None)
@given(scripts)
def test_an_order_and_its_mirror_meet_the_same_liquidity(script: list[tuple[object, ...]]) -> None:
    one, other = play(script), play(script, mirror=True)
    assert [(f.size_e6, f.price_e4, f.maker) for f in one] == [
        (f.size_e6, 10_000 - f.price_e4, f.maker) for f in other
    ]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=12))
def test_all_takers_together_never_get_more_than_the_level_showed(sizes: list[int]) -> None:
    desk = model(book())
    got = 0
    for number, shares in enumerate(sizes):
        desk.submit(order(price_e4=5_000, shares=shares, order_id=str(number)), number)
        got += sum(f.size_e6 for f in fills(desk.advance(number)))
        desk.on_book("m", number)
    assert got == min(sum(sizes), 30) * SHARE


def test_the_same_seed_gives_the_same_news() -> None:
    def run() -> list[FillEvent | OrderUpdate]:
        desk = model(book(), FillSettings(latency=LatencyLaw(5.0, 20.0)), seed=9)
        for number in range(5):
            desk.submit(order(price_e4=5_100, shares=20, order_id=str(number)), number)
        return desk.advance(1_000 * MS)

    assert run() == run()


class TestFront:
    """In front of the queue: the upper bound for resting orders."""

    SETTING = FillSettings(latency=LatencyLaw(0.0, 0.0), hold_ms=0, queue=QueueMode.FRONT)

    def resting(self, market: DictBook, price_e4: int = 4_900) -> FillModel:
        desk = model(market, self.SETTING)
        desk.submit(order(price_e4=price_e4, tif=TIF.GTC, post_only=True), 0)
        desk.advance(0)
        return desk

    def test_what_leaves_the_best_level_fills_us_first(self) -> None:
        market = book()
        desk = self.resting(market)
        market.set(0, 4_900, 94)
        desk.on_book("m", 1)
        assert [(f.size_e6, f.price_e4, f.maker) for f in fills(desk.advance(1))] == [
            (6 * SHARE, 4_900, True)
        ]
        market.set(0, 4_900, 50)
        desk.on_book("m", 2)
        assert [f.size_e6 for f in fills(desk.advance(2))] == [4 * SHARE]

    def test_a_level_that_grows_or_stands_behind_another_fills_nobody(self) -> None:
        market = book()
        desk = self.resting(market, price_e4=4_800)
        market.set(0, 4_800, 150)  # somebody behind the best bid cancelled
        desk.on_book("m", 1)
        market.set(0, 4_800, 300)
        desk.on_book("m", 2)
        assert fills(desk.advance(2)) == []

    def test_a_level_that_vanishes_was_traded(self) -> None:
        market = book()
        desk = self.resting(market)
        market.set(0, 4_900, 0)
        desk.on_book("m", 1)
        assert sum(f.size_e6 for f in fills(desk.advance(1))) == 10 * SHARE

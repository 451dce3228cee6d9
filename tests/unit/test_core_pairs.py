"""Pairs: a lone leg is withdrawn, an excess completed or sold within its loss; none is lost."""

from __future__ import annotations

import pytest

from dailyarb.core.book.book import Top
from dailyarb.core.domain.ids import StrategyId
from dailyarb.core.domain.intents import IntentKind
from dailyarb.core.domain.market import Outcome, Side
from dailyarb.core.domain.units import MS
from dailyarb.core.execution import pairs as module
from dailyarb.core.execution.pairs import Moved, Pair, Pairs, PairStep, PairView
from tests.rig import spec

SHARE = 1_000_000
UP_TOP = Top(4_900, 500 * SHARE, 5_100, 500 * SHARE)
WAIT_MS = 4_000


def buy(outcome: Outcome, shares: float, price_e4: int = 4_900) -> Moved:
    """Returns a purchase without fee."""
    size = round(shares * SHARE)
    return Moved(outcome, Side.BUY, size, -price_e4 * size // 10_000, 0)


def sale(outcome: Outcome, shares: float, price_e4: int) -> Moved:
    """Returns a sale without fee."""
    size = round(shares * SHARE)
    return Moved(outcome, Side.SELL, size, price_e4 * size // 10_000, 0)


class Levels:
    """A book of a few levels: UP as given, DOWN its mirror; one price level deep by default."""

    def __init__(self, up: Top, *deeper_asks: tuple[int, int]) -> None:
        bids = [(up.bid_e4, up.bid_e6)] if up.bid_e6 else []
        asks = [(up.ask_e4, up.ask_e6)] if up.ask_e6 else []
        self._up = {Side.BUY: bids, Side.SELL: [*asks, *deeper_asks]}

    def levels(self, outcome: Outcome, side: Side, count: int) -> list[tuple[int, int]]:
        """Returns the best levels of a side."""
        if outcome is Outcome.UP:
            return self._up[side][:count]
        other = Side.SELL if side is Side.BUY else Side.BUY
        return [(10_000 - price, size) for price, size in self._up[other]][:count]


def seen(
    live: tuple[str, ...] = (),
    *,
    up: Top = UP_TOP,
    book: Levels | None = None,
    confirmed: tuple[float, float] = (100, 100),
    resting: tuple[str, ...] | None = None,
    ended: bool = False,
    working: tuple[Outcome, ...] = (),
    maker_only: bool = False,
    sells_only: bool = False,
) -> PairView:
    """Returns what a pair sees."""
    sizes = tuple(round(n * SHARE) for n in confirmed)
    rests = live if resting is None else resting
    return PairView(
        spec(), book or Levels(up), sizes[0], sizes[1], live, ended, rests, working, maker_only,
        sells_only,
    )  # fmt: skip


class Bench:
    """One pair, and the time in milliseconds."""

    def __init__(self, max_loss_usd: float = 5.0) -> None:
        self.pairs = Pairs(round(max_loss_usd * 1e6))
        self.ms = 1_000
        self.pair: Pair = self.pairs.start(1, "0xm", StrategyId.S2, 100, WAIT_MS * MS, self.ns)

    @property
    def ns(self) -> int:
        """Gives the present moment."""
        return self.ms * MS

    def fill(self, moved: Moved) -> None:
        """Counts a fill."""
        self.pairs.fill(1, moved, self.ns)

    def step(self, view: PairView, after_ms: int = 0) -> PairStep:
        """Lets time pass and the pair take its next step."""
        self.ms += after_ms
        return self.pairs.step(self.pair, view, self.ns)


@pytest.fixture
def bench() -> Bench:
    """Gives one open pair."""
    return Bench()


def test_two_working_legs_are_left_alone(bench: Bench) -> None:
    assert bench.pairs.next_deadline_ns() == bench.ns, "its first step is due at once"
    assert bench.step(seen(("a", "b")), 10_000) == PairStep()
    assert bench.pairs.next_deadline_ns() is None


def test_a_leg_without_its_partner_is_withdrawn_at_once(bench: Bench) -> None:
    assert bench.step(seen(("a",))).cancel == ("a",)
    taker = bench.step(seen(("a",), resting=()))
    assert taker == PairStep(), "an order that takes ends by itself"


def test_a_pair_that_never_filled_is_closed_as_such(bench: Bench) -> None:
    closed = bench.step(seen()).closed
    assert closed is not None
    assert (closed.result, closed.naked_ms) == ("unfilled", 0)
    assert bench.pairs.one_sided == 0


def test_equal_shares_are_a_completed_pair_and_what_it_captured(bench: Bench) -> None:
    bench.fill(buy(Outcome.UP, 20))
    bench.ms += 700
    bench.fill(buy(Outcome.DOWN, 20))
    closed = bench.step(seen()).closed
    assert closed is not None
    assert (closed.result, closed.captured_e6, closed.naked_ms) == ("completed", 400_000, 700)
    assert (bench.pairs.completed, bench.pairs.naked_ms_max) == (1, 700)


def test_nothing_crosses_before_the_partner_is_proven_gone(bench: Bench) -> None:
    bench.fill(buy(Outcome.UP, 20))
    assert bench.step(seen(("b",)), WAIT_MS - 1) == PairStep()
    assert bench.pairs.next_deadline_ns() == bench.ns + MS
    late = bench.step(seen(("b",)), 1)
    assert (late.cancel, late.intent) == (("b",), None)
    assert bench.pairs.next_deadline_ns() is None, "news of the order is waited for, not time"
    bench.pairs.heard(1, bench.ns)
    assert bench.pairs.next_deadline_ns() == bench.ns
    assert bench.step(seen()).intent is not None


def test_less_than_the_venue_trades_waits_for_the_missing_leg_alone(bench: Bench) -> None:
    assert bench.step(seen(("a", "b"))) == PairStep()
    bench.fill(buy(Outcome.UP, 3))
    both = seen(("a", "b"), working=(Outcome.UP, Outcome.DOWN))
    assert bench.step(both, 10 * WAIT_MS) == PairStep()
    assert bench.pair.naked_since_ns == 0, "three shares can be neither completed nor sold"
    alone = seen(("a",), working=(Outcome.UP,))
    assert bench.step(alone).cancel == ("a",), "it could only buy more of what is too much"
    bench.fill(buy(Outcome.UP, 4))
    assert bench.pair.naked_since_ns == bench.ns
    bench.ms += 70
    bench.fill(buy(Outcome.DOWN, 5))
    assert (bench.pair.naked_since_ns, bench.pair.naked_ns) == (0, 70 * MS)


def test_news_of_a_pair_nobody_knows_wants_nothing(bench: Bench) -> None:
    bench.step(seen(("a", "b")))
    bench.pairs.heard(9, bench.ns)
    bench.pairs.sent(9, 100)
    assert bench.pairs.next_deadline_ns() is None


def test_a_leg_whose_partner_ended_by_itself_is_not_waited_for(bench: Bench) -> None:
    bench.fill(buy(Outcome.UP, 20))
    assert bench.step(seen()).intent is not None


def test_an_excess_is_completed_when_that_loses_less(bench: Bench) -> None:
    bench.fill(buy(Outcome.UP, 20))
    intent = bench.step(seen(confirmed=(0, 0))).intent
    assert intent is not None
    [leg] = intent.legs
    assert intent.kind is IntentKind.COMPLETE
    assert (leg.outcome, leg.side, leg.size_e6) == (Outcome.DOWN, Side.BUY, 20 * SHARE)
    assert leg.price_e4 == 6_100, "the ask is 51: it may run ten cents away meanwhile"
    assert intent.edge_e4 == -175, "49 + 51 less a dollar, and 1.75 cents of fee"


def test_the_cheaper_way_is_taken(bench: Bench) -> None:
    bench.fill(buy(Outcome.UP, 20))
    dear = Levels(Top(4_600, 500 * SHARE, 5_100, 500 * SHARE))
    sell = bench.step(seen(book=dear)).intent
    assert sell is not None
    assert sell.kind is IntentKind.COMPLETE, (
        "54 and its fee lose what 46 less its fee loses: one book"
    )
    bench = Bench()
    bench.fill(buy(Outcome.UP, 20, 4_700))

    class Wide(Levels):
        def levels(self, outcome: Outcome, side: Side, count: int) -> list[tuple[int, int]]:
            return (
                [(5_800, 500 * SHARE)]
                if outcome is Outcome.DOWN
                else super().levels(outcome, side, count)
            )

    sold = bench.step(seen(book=Wide(Top(4_600, 500 * SHARE, 5_100, 0)))).intent
    assert sold is not None
    [leg] = sold.legs
    assert (sold.kind, leg.side, leg.outcome) == (IntentKind.UNWIND, Side.SELL, Outcome.UP)


def test_a_way_out_sweeps_as_deep_as_its_loss_allows() -> None:
    bench = Bench(max_loss_usd=1.2)
    bench.fill(buy(Outcome.DOWN, 20))
    deep = Levels(Top(0, 0, 5_100, 8 * SHARE), (5_300, 8 * SHARE), (6_500, 100 * SHARE))
    intent = bench.step(seen(book=deep, confirmed=(0, 0))).intent
    assert intent is not None
    [leg] = intent.legs
    assert 8 * SHARE < leg.size_e6 < 20 * SHARE
    worst = leg.size_e6 * (4_900 + leg.price_e4 + 175 - 10_000) / 1e10
    assert worst <= 1.2


def test_a_touch_too_small_for_the_venue_is_no_way_out(bench: Bench) -> None:
    bench.fill(buy(Outcome.DOWN, 20))
    no_up = Top(4_900, 500 * SHARE, 5_100, 3 * SHARE)  # 3 shares: below the venue's minimum
    step = bench.step(seen(up=no_up))
    assert (step.intent, step.stuck) == (None, True)
    assert bench.pairs.next_deadline_ns() == bench.ns + 50 * MS


def test_where_only_sales_are_taken_the_excess_is_sold(bench: Bench) -> None:
    bench.fill(buy(Outcome.UP, 20))
    intent = bench.step(seen(sells_only=True)).intent
    assert intent is not None
    assert (intent.kind, intent.legs[0].side) == (IntentKind.UNWIND, Side.SELL)
    bench.fill(buy(Outcome.UP, 1))
    assert bench.step(seen(sells_only=True, confirmed=(0, 0)), 100).stuck


def test_a_limit_keeps_inside_the_grid(bench: Bench) -> None:
    bench.fill(buy(Outcome.UP, 20, 400))
    edge = Levels(Top(300, 500 * SHARE, 500, 500 * SHARE))
    intent = bench.step(seen(book=edge)).intent
    assert intent is not None
    [leg] = intent.legs
    assert (leg.outcome, leg.price_e4) == (Outcome.DOWN, 9_900), "the ask is 97"


def test_tries_that_change_nothing_are_made_ever_more_seldom(bench: Bench) -> None:
    bench.fill(buy(Outcome.UP, 20))
    nothing = seen(up=Top(0, 0, 10_000, 0))
    waits = []
    for _ in range(7):
        assert bench.step(nothing).stuck
        assert bench.step(nothing) == PairStep(), "not twice at one moment"
        due = bench.pairs.next_deadline_ns()
        assert due is not None
        waits.append((due - bench.ns) // MS)
        bench.ms = due // MS
    assert waits == [50, 100, 200, 400, 800, 1_600, 1_600]
    bench.fill(buy(Outcome.DOWN, 5))
    assert bench.step(nothing).stuck
    assert bench.pairs.next_deadline_ns() == bench.ns + 50 * MS, "a fill begins anew"


def test_shares_that_are_only_matched_are_never_sold(bench: Bench) -> None:
    bench.fill(buy(Outcome.UP, 20))
    no_down = Levels(Top(0, 0, 5_100, 500 * SHARE))
    assert bench.step(seen(book=no_down, confirmed=(4, 0))).stuck


def test_the_pair_as_a_whole_never_loses_more_than_its_limit() -> None:
    bench = Bench(max_loss_usd=1.0)
    bench.fill(buy(Outcome.UP, 20))
    cheap = Top(4_000, 500 * SHARE, 4_100, 500 * SHARE)
    some = bench.step(seen(up=cheap)).intent
    assert some is not None
    size = some.legs[0].size_e6
    assert 5 * SHARE <= size < 10 * SHARE, "over ten cents a share: less than ten shares"
    bench.fill(sale(Outcome.UP, size / SHARE, 4_000))
    assert bench.step(seen(up=cheap), 500).stuck, "what is left of the dollar sells no five shares"


def test_where_nothing_may_cross_a_way_out_waits_as_a_maker(bench: Bench) -> None:
    bench.fill(buy(Outcome.UP, 20))
    intent = bench.step(seen(maker_only=True, confirmed=(0, 0))).intent
    assert intent is not None
    [leg] = intent.legs
    assert (leg.outcome, leg.price_e4, leg.post_only) == (Outcome.DOWN, 5_000, True)
    there = seen(("x",), maker_only=True, confirmed=(0, 0))
    assert bench.step(there, 999) == PairStep(), "a place in the queue is worth a second"
    assert bench.step(there, 1) == PairStep(), "and more while it is still the best place"
    moved = seen(("x",), up=Top(4_700, SHARE, 4_900, SHARE), maker_only=True, confirmed=(0, 0))
    assert bench.step(moved).cancel == ("x",)
    assert bench.step(seen(("x",))).cancel == ("x",), "crossing is possible again"
    assert bench.step(seen(), 1_000).intent is not None


def test_a_maker_sells_where_buying_loses_more_than_the_limit() -> None:
    bench = Bench(max_loss_usd=2.0)
    bench.fill(buy(Outcome.UP, 20))

    class Torn(Levels):
        def levels(self, outcome: Outcome, side: Side, count: int) -> list[tuple[int, int]]:
            far = {Side.BUY: [(4_000, SHARE)], Side.SELL: [(6_800, SHARE)]}
            return far[side] if outcome is Outcome.DOWN else super().levels(outcome, side, count)

    intent = bench.step(seen(book=Torn(UP_TOP), maker_only=True)).intent
    assert intent is not None
    [leg] = intent.legs
    assert (intent.kind, leg.side, leg.price_e4) == (IntentKind.UNWIND, Side.SELL, 5_000)
    bench.step(seen(("x",), maker_only=True), 5_000)
    one_sided = seen(maker_only=True, up=Top(4_900, SHARE, 10_000, 0))
    assert bench.step(one_sided, 5_000).stuck, "without both sides nobody knows a fair place"
    tiny = seen(maker_only=True, confirmed=(3, 0), up=Top(2_900, SHARE, 3_000, SHARE))
    assert bench.step(tiny, 5_000).stuck, "three shares cannot be sold, and 71 is too dear"


def test_dust_is_carried_to_settlement(bench: Bench) -> None:
    bench.fill(buy(Outcome.UP, 20))
    bench.fill(buy(Outcome.DOWN, 16))
    closed = bench.step(seen()).closed
    assert closed is not None
    assert (closed.result, closed.up_e6, closed.down_e6) == ("carried", 20 * SHARE, 16 * SHARE)
    assert bench.pairs.dust_e6(["0xm"]) == 4 * SHARE, "at most four dollars until it is decided"
    assert bench.pairs.dust_e6(["other"]) == 0


def test_what_whole_cents_leave_of_a_share_completes_a_pair_all_the_same(bench: Bench) -> None:
    bench.fill(buy(Outcome.UP, 7.43))
    bench.fill(buy(Outcome.DOWN, 7))
    closed = bench.step(seen()).closed
    assert closed is not None
    assert (closed.result, bench.pairs.dust_e6(["0xm"])) == ("completed", 430_000)


def test_the_story_of_a_pair_is_one_record(bench: Bench) -> None:
    bench.pairs.sent(1, 80)
    bench.fill(buy(Outcome.UP, 20))
    bench.ms += 160
    bench.fill(Moved(Outcome.DOWN, Side.BUY, 20 * SHARE, -10_400_000, 340_000, way_out=True))
    closed = bench.step(seen()).closed
    assert closed is not None
    assert (closed.intended_edge_e4, closed.sent_edge_e4) == (100, 80)
    assert closed.up_bought == (20 * SHARE, 9_800_000)
    assert closed.down_bought == (20 * SHARE, 10_740_000)
    assert (closed.whole_ms, closed.naked_ms) == (160, 160)
    assert closed.merge_e6 == 20 * SHARE
    assert closed.exit_cost_e6 == -closed.captured_e6 == 540_000


def test_a_sold_leg_is_an_unwound_pair(bench: Bench) -> None:
    bench.fill(buy(Outcome.UP, 20))
    bench.fill(sale(Outcome.UP, 20, 4_700))
    closed = bench.step(seen()).closed
    assert closed is not None
    assert (closed.result, closed.captured_e6) == ("unwound", -400_000)
    assert (closed.unwind_e6, closed.exit_cost_e6) == (9_400_000, 400_000)
    assert (bench.pairs.unwound, bench.pairs.one_sided) == (1, 1)


def test_resolution_ends_a_pair_whatever_it_holds(bench: Bench) -> None:
    bench.fill(buy(Outcome.UP, 20))
    bench.ms += 100
    closed = bench.step(seen(("b",), ended=True)).closed
    assert closed is not None
    assert (closed.result, closed.naked_ms) == ("carried", 100)


def test_a_fill_after_the_end_opens_the_pair_again(bench: Bench) -> None:
    bench.step(seen())
    bench.fill(buy(Outcome.UP, 20))
    assert bench.pairs.open and bench.pairs.naked_e6() == 20 * SHARE
    assert bench.step(seen()).intent is not None


def test_a_void_after_the_end_leaves_the_other_leg_naked_again(bench: Bench) -> None:
    one, two = buy(Outcome.UP, 20), buy(Outcome.DOWN, 20)
    bench.fill(one)
    bench.fill(two)
    bench.step(seen())
    assert bench.pairs.completed == 1
    bench.fill(one.undone())
    assert bench.pairs.completed == 0
    assert bench.pair.excess_e6 == -20 * SHARE
    assert bench.pair.naked_since_ns == bench.ns


def test_only_so_many_ended_pairs_are_remembered(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DONE_KEPT", 1)
    bench.step(seen())
    other = bench.pairs.start(2, "0xm", StrategyId.S2, 0, 0, 0)
    bench.pairs.step(other, seen(), 0)
    bench.fill(buy(Outcome.UP, 20))
    assert not bench.pairs.open


def test_what_the_operator_sold_is_not_bought_again(bench: Bench) -> None:
    bench.fill(buy(Outcome.UP, 20))
    second = bench.pairs.start(2, "0xm", StrategyId.S2, 0, 0, 0)
    bench.pairs.fill(2, buy(Outcome.UP, 10), bench.ns)
    bench.pairs.start(3, "other", StrategyId.S2, 0, 0, 0)
    bench.pairs.sold_elsewhere("0xm", sale(Outcome.UP, 25, 4_000), bench.ns)
    assert bench.pair.excess_e6 == 0
    assert second.excess_e6 == 5 * SHARE
    assert bench.pair.up.cash_e6 + second.up.cash_e6 == -14_700_000 + 10_000_000


def test_naked_time_counts_only_past_the_deadline(bench: Bench) -> None:
    assert bench.pairs.overdue_ms(bench.ns) == 0
    bench.fill(buy(Outcome.UP, 20))
    bench.ms += WAIT_MS
    assert bench.pairs.overdue_ms(bench.ns) == 0
    bench.ms += 70
    assert bench.pairs.overdue_ms(bench.ns) == 70


def test_a_pair_of_an_earlier_run_acts_at_once_and_counts_in_its_own_run() -> None:
    pairs = Pairs(5_000_000)
    pairs.restore(4, "0xm", StrategyId.S2, 100, 0)
    pairs.fill(4, buy(Outcome.UP, 20), 1)
    assert pairs.step(pairs.open[4], seen(), 1).intent is not None
    pairs.restore_closed(4, "carried")
    pairs.restore_closed(5, "carried")
    assert (pairs.opened, pairs.carried, pairs.open) == (0, 0, {})
    pairs.fill(4, buy(Outcome.DOWN, 20), 2)
    assert pairs.carried == 0
    assert pairs.open[4].excess_e6 == 0


def test_a_fill_of_a_pair_nobody_knows_is_passed_over(bench: Bench) -> None:
    bench.pairs.fill(9, buy(Outcome.UP, 1), 0)
    assert bench.pair.up.bought_e6 == 0


def test_a_leg_without_purchases_cost_nothing(bench: Bench) -> None:
    bench.fill(sale(Outcome.UP, 5, 4_000))
    assert bench.pair.up.cost_e6(SHARE) == 0

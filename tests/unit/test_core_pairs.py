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


def seen(
    live: tuple[str, ...] = (),
    *,
    up: Top = UP_TOP,
    confirmed: tuple[float, float] = (100, 100),
    resting: tuple[str, ...] | None = None,
    ended: bool = False,
) -> PairView:
    """Returns what a pair sees; DOWN is the mirror of UP."""
    down = Top(10_000 - up.ask_e4, up.ask_e6, 10_000 - up.bid_e4, up.bid_e6)
    sizes = tuple(round(n * SHARE) for n in confirmed)
    return PairView(
        spec(), up, down, sizes[0], sizes[1], live, ended, live if resting is None else resting
    )


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
    assert bench.step(seen(("b",)), 499) == PairStep(), "not again before half a second"
    assert bench.step(seen(("b",)), 1).cancel == ("b",)


def test_an_excess_is_completed_when_that_loses_less(bench: Bench) -> None:
    bench.fill(buy(Outcome.UP, 20))
    intent = bench.step(seen(confirmed=(0, 0)), WAIT_MS).intent
    assert intent is not None
    [leg] = intent.legs
    assert intent.kind is IntentKind.COMPLETE
    assert (leg.outcome, leg.side, leg.price_e4, leg.size_e6) == (
        Outcome.DOWN, Side.BUY, 5_100, 20 * SHARE,
    )  # fmt: skip


def test_an_excess_is_sold_when_the_missing_leg_is_not_to_be_had(bench: Bench) -> None:
    bench.fill(buy(Outcome.DOWN, 20))
    no_up = Top(4_900, 500 * SHARE, 5_100, 3 * SHARE)  # 3 shares: below the venue's minimum
    down_bid = bench.step(seen(up=no_up), WAIT_MS).intent
    assert down_bid is None, "selling DOWN needs a bid, which is the UP ask: also 3 shares"
    bench = Bench()
    bench.fill(buy(Outcome.UP, 20))
    no_bid = Top(4_900, 500 * SHARE, 5_100, 500 * SHARE)
    view = seen(up=no_bid)._replace(down=Top(4_900, 500 * SHARE, 10_000, 0))
    intent = bench.step(view, WAIT_MS).intent
    assert intent is not None
    [leg] = intent.legs
    assert (intent.kind, leg.side, leg.outcome) == (IntentKind.UNWIND, Side.SELL, Outcome.UP)


def test_shares_that_are_only_matched_are_never_sold(bench: Bench) -> None:
    bench.fill(buy(Outcome.UP, 20))
    view = seen(confirmed=(4, 0))._replace(down=Top(4_900, 500 * SHARE, 10_000, 0))
    step = bench.step(view, WAIT_MS)
    assert (step.intent, step.stuck) == (None, True)


def test_the_pair_as_a_whole_never_loses_more_than_its_limit() -> None:
    bench = Bench(max_loss_usd=1.0)
    bench.fill(buy(Outcome.UP, 20))
    cheap = Top(4_000, 500 * SHARE, 4_100, 500 * SHARE)
    step = bench.step(seen(up=cheap), WAIT_MS)
    assert step.stuck, "9 cents a share on 20 shares is 1.80"
    part = Top(4_500, 10 * SHARE, 4_600, 10 * SHARE)
    some = bench.step(seen(up=part)._replace(down=Top(0, 0, 10_000, 0)), 500).intent
    assert some is not None
    assert some.legs[0].size_e6 == 10 * SHARE
    bench.fill(sale(Outcome.UP, 10, 4_300))  # 60 cents lost
    worse = seen(up=Top(4_300, 10 * SHARE, 4_400, 1), confirmed=(10, 0))
    assert bench.step(worse, 500).stuck, "the second part would lose 60 cents more"


def test_dust_is_carried_to_settlement(bench: Bench) -> None:
    bench.fill(buy(Outcome.UP, 20))
    bench.fill(buy(Outcome.DOWN, 16))
    closed = bench.step(seen(), WAIT_MS).closed
    assert closed is not None
    assert (closed.result, closed.up_e6, closed.down_e6) == ("carried", 20 * SHARE, 16 * SHARE)


def test_a_sold_leg_is_an_unwound_pair(bench: Bench) -> None:
    bench.fill(buy(Outcome.UP, 20))
    bench.fill(sale(Outcome.UP, 20, 4_700))
    closed = bench.step(seen()).closed
    assert closed is not None
    assert (closed.result, closed.captured_e6) == ("unwound", -400_000)
    assert closed.unwind_e6 == 9_400_000
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
    assert bench.step(seen(), WAIT_MS).intent is not None


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

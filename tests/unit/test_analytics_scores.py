"""What the records of a journal come to, fill by fill and cut by cut."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from dailyarb.analytics.deals import Deals, collect
from dailyarb.analytics.scores import Score, hours, score, scores
from dailyarb.core.domain.ids import StrategyId
from dailyarb.core.domain.intents import IntentKind
from dailyarb.core.domain.market import (
    FeeSchedule,
    Grid,
    MarketSpec,
    Outcome,
    Settlement,
    SettlementKind,
    Side,
    Window,
)
from dailyarb.core.domain.orders import TIF, FillState, OrderState
from dailyarb.core.domain.records import (
    FillBooked,
    FillMarked,
    FillProven,
    IntentTaken,
    MarketSeen,
    OrderMoved,
    OrderSigned,
    PairClosed,
    PayoutBooked,
    Record,
)
from dailyarb.core.domain.rung import Evidence
from dailyarb.core.domain.units import SECOND

START_S = 1_776_081_600  # 12:00 UTC
S1, S2 = StrategyId.S1, StrategyId.S2
numbers = itertools.count(1)


def spec(name: str = "m", start_s: int = START_S) -> MarketSpec:
    return MarketSpec(
        market_id=name,
        slug=f"btc-updown-5m-{start_s}",
        asset="btc",
        window=Window.M5,
        start_ns=start_s * SECOND,
        end_ns=(start_s + 300) * SECOND,
        up_token=f"{name}u",
        down_token=f"{name}d",
        grid=Grid(),
        fees=FeeSchedule(rate_e6=70_000),
        settlement=Settlement(SettlementKind.TWAP, 60),
    )


class Story:
    """Writes the records of a run, as an engine would."""

    def __init__(self, run: str = "r") -> None:
        self.run = run
        self.rows: list[tuple[Evidence, str, int, Record]] = []
        self.at_s = START_S

    def tell(self, record: Record, evidence: Evidence = Evidence.PAPER) -> None:
        self.rows.append((evidence, self.run, self.at_s * SECOND, record))

    def order(self, **said: Any) -> str:
        """Signals and signs one order; returns its id."""
        number = next(numbers)
        given: dict[str, Any] = {
            "strategy": S1, "market": "m", "outcome": Outcome.UP, "side": Side.BUY, "price": 5_000,
            "edge": 200, "fair": 5_400, "kind": IntentKind.ENTRY, "pair": 0, **said,
        }  # fmt: skip
        self.tell(
            IntentTaken(
                number, given["strategy"], given["market"], given["kind"], given["edge"],
                given["fair"], 4_900, 5_000, given["pair"], 1,
            )
        )  # fmt: skip
        self.tell(
            OrderSigned(
                f"o{number}", number, given["strategy"], given["kind"], given["market"],
                given["outcome"], given["side"], given["price"], 10_000_000, TIF.FAK, False, 0, 0,
                given["pair"], b"{}",
            )
        )  # fmt: skip
        return f"o{number}"

    def fill(self, order_id: str, **said: Any) -> None:
        given: dict[str, Any] = {
            "strategy": S1, "market": "m", "outcome": Outcome.UP, "side": Side.BUY, "price": 5_000,
            "size": 10_000_000, "fee": 175_000, "maker": False, **said,
        }  # fmt: skip
        sign = -1 if given["side"] is Side.BUY else 1
        self.tell(
            FillBooked(
                f"t{order_id}", order_id, given["strategy"], given["market"], given["outcome"],
                given["side"], given["price"], given["size"],
                sign * given["price"] * given["size"] // 10_000, given["fee"], given["maker"],
                FillState.PROVISIONAL, self.at_s * SECOND,
            )
        )  # fmt: skip

    def deals(self, evidence: Evidence = Evidence.PAPER) -> Deals:
        return collect(self.rows)[evidence]


def bought(up_price_e4: int) -> Story:
    """Returns a story of ten UP shares bought at 50 cents, and what UP paid."""
    story = Story()
    story.tell(MarketSeen(spec()))
    order = story.order()
    story.tell(OrderMoved(order, OrderState.SENT))
    story.fill(order)
    story.tell(OrderMoved(order, OrderState.FILLED))
    story.at_s += 30
    story.tell(FillMarked(f"t{order}", order, 100, 200, 300))
    story.at_s += 270
    story.tell(PayoutBooked("m", up_price_e4, 0))
    return story


@pytest.mark.parametrize(("paid", "net"), [(10_000, 4.825), (0, -5.175), (5_000, -0.175)])
def test_a_fill_is_worth_what_its_shares_finally_paid(paid: int, net: float) -> None:
    found = score(bought(paid).deals(), S1)
    assert found.net_usd == pytest.approx(net)
    assert (found.gross_usd - found.fees_usd) == pytest.approx(net)
    assert found.net_cents_share == pytest.approx(net * 10)
    assert (found.windows_won, found.windows_lost) == (int(net > 0), int(net < 0))


def test_a_sale_gives_up_what_its_shares_would_have_paid() -> None:
    story = bought(10_000)
    order = story.order(side=Side.SELL, kind=IntentKind.EXIT, price=7_000)
    story.fill(order, side=Side.SELL, price=7_000, fee=0)
    found = score(story.deals(), S1)
    assert found.net_usd == pytest.approx(2.0 - 0.175)  # 50 to 70 cents on ten shares
    assert found.signals == 1  # an exit is no signal
    cuts = {(row.by, row.key): row.net_usd for row in found.slices}
    assert cuts["intent", "entry"] == pytest.approx(4.825)
    assert cuts["intent", "exit"] == pytest.approx(-3.0)


def test_every_cut_adds_up_to_the_whole() -> None:
    found = score(bought(10_000).deals(), S1)
    for by in {row.by for row in found.slices}:
        assert sum(row.net_usd for row in found.slices if row.by == by) == pytest.approx(4.825)
        assert sum(row.fills for row in found.slices if row.by == by) == 1
    assert hours(found)[12] == pytest.approx(4.825)
    assert sum(net is not None for net in hours(found)) == 1


def test_expected_edge_stands_beside_captured_and_markouts() -> None:
    found = score(bought(10_000).deals(), S1)
    assert found.expected_cents_share == 2.0
    assert found.captured_cents_share == pytest.approx(48.25)
    assert (found.markout_1s_cents, found.markout_5s_cents, found.markout_30s_cents) == (1, 2, 3)
    assert found.brier == pytest.approx((0.54 - 1.0) ** 2)
    assert [(row.band, row.n) for row in found.calibration] == [("40-60 %", 1)]


def test_a_pair_promises_half_its_edge_to_each_share() -> None:
    story = Story()
    story.tell(MarketSeen(spec()))
    for outcome in Outcome:
        order = story.order(strategy=S2, outcome=outcome, pair=7, edge=300)
        story.fill(order, strategy=S2, outcome=outcome, price=4_850, fee=0, maker=True)
    story.tell(PairClosed(7, "m", S2, 300, 10_000_000, 10_000_000, 0, 0, 300_000, 900, "completed"))
    story.tell(PayoutBooked("m", 10_000, 10_000_000))
    found = score(story.deals(), S2)
    assert found.expected_cents_share == 1.5
    assert found.captured_cents_share == pytest.approx(1.5)
    assert (found.pairs_completed, found.completion, found.pair_captured_usd) == (1, 1.0, 0.3)
    assert found.maker_fills == found.fills == 2


def test_a_window_that_has_not_paid_is_in_no_sum() -> None:
    story = Story()
    story.tell(MarketSeen(spec()))
    story.fill(story.order())
    found = score(story.deals(), S1)
    assert (found.fills, found.unsettled, found.net_usd, found.net_cents_share) == (1, 1, 0.0, None)


def test_a_voided_fill_never_happened() -> None:
    story = bought(10_000)
    order = story.order()
    story.fill(order)
    story.tell(FillProven(f"t{order}", order, FillState.VOIDED, "reverted"))
    found = score(story.deals(), S1)
    assert (found.fills, found.orders, found.orders_filled) == (1, 2, 1)
    assert found.net_usd == pytest.approx(4.825)


def test_slippage_is_against_the_touch_of_the_decision() -> None:
    story = Story()
    story.tell(MarketSeen(spec()))
    story.fill(story.order(price=5_200), price=5_100)  # the decision saw 49 bid, 50 ask
    down = story.order(outcome=Outcome.DOWN, price=5_300)
    story.fill(down, outcome=Outcome.DOWN, price=5_200)
    story.tell(PayoutBooked("m", 10_000, 0))
    assert score(story.deals(), S1).slippage_usd == pytest.approx(0.1 + 0.1)


def test_the_funnel_names_why_orders_did_not_fill() -> None:
    story = bought(10_000)
    for reason in ("no match", "no match", "too late"):
        order = story.order()
        story.tell(OrderMoved(order, OrderState.SENT))
        story.tell(OrderMoved(order, OrderState.EXPIRED, reason))
    stages = {stage.name: stage.count for stage in score(story.deals(), S1).funnel}
    assert stages["signals"] == stages["orders"] == stages["answered"] == 4
    assert stages["filled, at least in part"] == 1
    assert (stages["expired: no match"], stages["expired: too late"]) == (2, 1)


def test_evidence_classes_are_never_added() -> None:
    story = bought(10_000)
    live = [(Evidence.LIVE, *row[1:]) for row in bought(0).rows]
    found = collect([*story.rows, *live])
    assert score(found[Evidence.PAPER], S1).net_usd == pytest.approx(4.825)
    assert score(found[Evidence.LIVE], S1).net_usd == pytest.approx(-5.175)


def test_the_numbers_of_an_intent_belong_to_its_run() -> None:
    first, second = bought(10_000), Story("other")
    second.tell(IntentTaken(1, S2, "m", IntentKind.ENTRY, 100, 0, 0, 0, 0, 1))
    deals = collect([*first.rows, *second.rows])[Evidence.PAPER]
    assert [item.strategy for item in scores(deals)] == ["S1", "S2"]


def many(nets: list[int]) -> Score:
    """Returns the score of one fill a window; each window paid or not."""
    story = Story()
    for at, won in enumerate(nets):
        story.at_s = START_S + 300 * at
        story.tell(MarketSeen(spec(f"m{at}", story.at_s)))
        for _ in range(2):
            story.fill(story.order(market=f"m{at}"), market=f"m{at}")
        story.at_s += 300
        story.tell(PayoutBooked(f"m{at}", 10_000 if won else 0, 0))
    return score(story.deals(), S1)


def test_without_enough_windows_there_is_no_interval() -> None:
    few = many([1, 0] * 9)
    assert (few.blocks, few.interval_usd, few.interval_cents_share, few.sharpe) == (
        18, None, None, None,
    )  # fmt: skip


def test_with_enough_windows_the_interval_holds_the_mean() -> None:
    found = many([1, 0, 1] * 10)
    assert found.blocks == 30
    assert found.interval_cents_share is not None
    assert found.net_cents_share is not None
    assert found.interval_cents_share.low < found.net_cents_share < found.interval_cents_share.high
    assert found.max_drawdown_usd == pytest.approx(2 * 5.175)


def test_windows_that_end_together_are_one_block() -> None:
    story = Story()
    for name in ("a", "b"):
        story.tell(MarketSeen(spec(name)))
        story.fill(story.order(market=name), market=name)
    story.at_s += 301
    story.tell(MarketSeen(spec("not yet over", START_S + 300)))
    for name in ("a", "b"):
        story.tell(PayoutBooked(name, 10_000, 0))
    found = score(story.deals(), S1)
    assert (found.blocks, found.windows, found.fills) == (1, 2, 2)


def test_signals_that_follow_each_other_on_one_side_are_one_opportunity() -> None:
    story = Story()
    story.tell(MarketSeen(spec()))
    for at_s, outcome in ((0, Outcome.UP), (20, Outcome.UP), (70, Outcome.UP), (75, Outcome.DOWN),
                          (130, Outcome.UP), (299, Outcome.UP)):  # fmt: skip
        story.at_s = START_S + at_s
        story.order(outcome=outcome)
    found = score(story.deals(), S1)
    # One until 70 s, one the other way, one a minute after 70 s, one at the end.
    assert (found.signals, found.opportunities) == (6, 4)
    assert found.signals_per_day == pytest.approx(6 * 86_400 / 299)
    assert found.opportunities_per_day == pytest.approx(4 * 86_400 / 299)


def test_what_stands_in_two_markets_is_two_opportunities() -> None:
    story = Story()
    for name in ("m", "n"):
        story.order(market=name)
    assert score(story.deals(), S1).opportunities == 2
    assert score(story.deals(), S1).opportunities_per_day is None  # a moment is no rate

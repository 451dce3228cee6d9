"""The stand-ins for a venue: what DRY answers, how PAPER fills, what the play account carries."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TypeVar

from dailyarb.core.book.book import Books
from dailyarb.core.domain import commands as cmd
from dailyarb.core.domain.events import (
    AccountReport,
    CancelResult,
    Event,
    Fill,
    FillConfirmed,
    HeartbeatResult,
    LegOutcome,
    MarketListed,
    OrderReport,
    Resolved,
    SubmitResult,
    Traded,
)
from dailyarb.core.domain.ids import StrategyId
from dailyarb.core.domain.market import Outcome, Side, taker_fee_e6
from dailyarb.core.domain.orders import TIF, FillState, OrderState
from dailyarb.core.domain.records import Adjusted, FillBooked, PayoutBooked
from dailyarb.core.ledger.ledger import Ledger
from dailyarb.runtime.clock import BootClock, boot_ns
from dailyarb.runtime.dry import ENDED, NOT_SENT, DryVenue, PlayAccount
from dailyarb.runtime.paper import PaperVenue
from dailyarb.sim.fills_types import FillSettings, LatencyLaw
from tests.rig import DOWN, UP, spec

SHARE = 1_000_000
NOW_HERE = FillSettings(latency=LatencyLaw(0.0, 0.0, 0.0), hold_ms=0)
T = TypeVar("T")


@dataclass
class Stage:
    """Is a stand-in with its ears: one market, one book of 100 at 49 and 100 at 51."""

    events: list[Event] = field(default_factory=list)
    books: Books = field(default_factory=lambda: Books(4, 250, 1 << 20))
    salt: int = 0

    def __post_init__(self) -> None:
        self.spec = spec()
        self.account = PlayAccount(Ledger(), 100 * SHARE)
        self.venue: DryVenue = DryVenue(self.account, BootClock(), self.events.append)

    def paper(self, ledger: Ledger | None = None) -> Stage:
        if ledger is not None:
            self.account = PlayAccount(ledger, 100 * SHARE)
        self.venue = PaperVenue(
            self.account, BootClock(), self.events.append, self.books, NOW_HERE, "7f3c"
        )
        self.lay(4_900, 5_100)
        return self

    async def open(self) -> Stage:
        self.venue.heard(MarketListed(self.spec))
        await self.venue.start()
        return self

    def lay(self, bid_e4: int, ask_e4: int, shares: int = 100) -> None:
        book = self.books.add(self.spec)
        assert book is not None
        stamp_ms = self.salt = self.salt + 1
        book.ladder.begin_book(0, stamp_ms)
        book.ladder.book_level(0, bid_e4, shares * SHARE)
        book.ladder.book_level(1, ask_e4, shares * SHARE)
        assert book.ladder.end_book()
        self.venue.laid(self.spec.market_id)

    def buy(self, price_e4: int, shares: int, tif: TIF = TIF.GTC, outcome: str = UP) -> str:
        self.salt += 1
        order_id = f"0x{self.salt}"
        draft = cmd.OrderDraft(
            self.salt, self.spec.market_id, outcome, Side.BUY, price_e4 * shares * 100,
            shares * SHARE, self.salt, 1, tif, False, False, "v1",
        )  # fmt: skip
        self.venue.signed(order_id, draft)
        now = boot_ns()
        order = cmd.SignedOrder(order_id, b"{}", tif, False)
        self.venue.submit(cmd.Submit((order,), now, now - 500, now - 100))
        return order_id

    async def told(self, kind: type[T], count: int = 1) -> list[T]:
        async with asyncio.timeout(5):
            while len(found := [e for e in self.events if isinstance(e, kind)]) < count:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        return found

    async def asked(self) -> AccountReport:
        before = sum(isinstance(e, AccountReport) for e in self.events)
        tokens = ((self.spec.market_id, UP), (self.spec.market_id, DOWN), ("0xother", "7"))
        self.venue.account(cmd.QueryAccount(9, 0, tokens))
        return (await self.told(AccountReport, before + 1))[-1]


async def test_dry_answers_killed_and_keeps_the_money() -> None:
    stage = await Stage().open()
    order_id = stage.buy(5_100, 10)
    assert stage.events == [], "never inside the command's own call"
    (answer,) = await stage.told(SubmitResult)
    (leg,) = answer.results
    assert (leg.order_id, leg.outcome, leg.reason) == (order_id, LegOutcome.KILLED, NOT_SENT)
    assert stage.venue.written.count == stage.venue.tick_to_order.count == 1
    report = await stage.asked()
    assert (report.complete, report.cash_e6, report.open_orders) == (True, 100 * SHARE, ())
    assert report.positions == ((UP, 0), (DOWN, 0))
    await stage.venue.close()


async def test_dry_has_nothing_to_cancel_and_knows_no_order() -> None:
    stage = await Stage().open()
    stage.venue.cancel(cmd.Cancel(("0x1",), 1))
    stage.venue.cancel_all(cmd.CancelAll(2))
    stage.venue.heartbeat(cmd.Heartbeat(3))
    stage.venue.order(cmd.QueryOrder("0x1", "0xm", 4))
    assert await stage.told(CancelResult, 2) == [
        CancelResult(1, ("0x1",)),
        CancelResult(2, (), all_orders=True),
    ]
    assert await stage.told(HeartbeatResult) == [HeartbeatResult(3, True)]
    report = OrderReport("0x1", 4, True, OrderState.CANCELLED, 0, ENDED)
    assert await stage.told(OrderReport) == [report]
    await stage.venue.close()


async def test_a_taker_meets_the_engines_own_book_and_pays_the_fee() -> None:
    stage = await Stage().paper().open()
    order_id = stage.buy(5_200, 10, TIF.FAK)
    (fill,) = await stage.told(Fill)
    fee_e6 = taker_fee_e6(5_100, 10 * SHARE, stage.spec.fees.rate_e6)
    assert (fill.order_id, fill.price_e4, fill.size_e6) == (order_id, 5_100, 10 * SHARE)
    assert (fill.fee_e6, fill.maker, fill.state) == (fee_e6, False, FillState.PROVISIONAL)
    assert fill.trade_id.startswith("paper-7f3c-")
    assert abs(fill.match_ns - BootClock().now().wall_ns) < 60e9, "a match has venue time"
    (answer,) = await stage.told(SubmitResult)
    assert answer.results[0].outcome is LegOutcome.MATCHED
    report = await stage.asked()
    assert report.cash_e6 == 100 * SHARE - 5_100_000 - fee_e6
    assert report.positions == ((UP, 10 * SHARE), (DOWN, 0))
    await stage.venue.close()


async def test_dry_and_paper_are_one_account_and_orders_end_where_the_mode_says() -> None:
    stage = await Stage().paper().open()
    assert isinstance(stage.venue, PaperVenue)
    stage.venue.fills = False
    dry = stage.buy(5_200, 10, TIF.FAK)
    (answer,) = await stage.told(SubmitResult)
    assert (answer.results[0].order_id, answer.results[0].reason) == (dry, NOT_SENT)
    assert (await stage.asked()).cash_e6 == 100 * SHARE
    stage.venue.fills = True
    stage.buy(5_200, 10, TIF.FAK)
    assert await stage.told(Fill)
    assert (await stage.asked()).cash_e6 < 95 * SHARE
    await stage.venue.close()


async def test_a_resting_order_waits_behind_the_queue_and_is_cancelled() -> None:
    stage = await Stage().paper().open()
    order_id = stage.buy(4_900, 10)
    await stage.told(SubmitResult)
    print_ = Traded(stage.spec.market_id, Outcome.UP, Side.SELL, 4_900, 40 * SHARE, 1)
    stage.venue.heard(print_)
    report = await stage.asked()
    assert [o.order_id for o in report.open_orders] == [order_id], "60 shares are still ahead"
    stage.venue.order(cmd.QueryOrder(order_id, stage.spec.market_id, 5))
    (known,) = await stage.told(OrderReport)
    assert (known.known, known.state) == (True, OrderState.OPEN)
    stage.venue.cancel(cmd.Cancel((order_id,), 6))
    assert await stage.told(CancelResult) == [CancelResult(6, (order_id,))]
    assert (await stage.asked()).open_orders == ()
    await stage.venue.close()


async def test_a_resolution_pays_once_and_takes_resting_orders_with_it() -> None:
    stage = await Stage().paper().open()
    stage.buy(5_200, 10, TIF.FAK)
    (fill,) = await stage.told(Fill)
    rests = stage.buy(4_900, 10)
    await stage.told(SubmitResult, 2)
    for _ in range(2):
        stage.venue.heard(Resolved(stage.spec.market_id, 10_000))
    (gone,) = await stage.told(OrderReport)
    assert (gone.order_id, gone.state) == (rests, OrderState.CANCELLED)
    report = await stage.asked()
    assert report.cash_e6 == 100 * SHARE - 5_100_000 - fill.fee_e6 + 10 * SHARE
    assert report.open_orders == ()
    await stage.venue.close()


async def test_the_account_of_an_earlier_run_is_carried_and_its_orders_are_not() -> None:
    ledger = Ledger()
    ledger.apply(Adjusted("opening", 50 * SHARE), 1)
    booked = FillBooked(
        "t1", "0xold", StrategyId.S2, "0xm", Outcome.UP, Side.BUY, 4_000, 10 * SHARE, -4 * SHARE,
        0, True, FillState.PROVISIONAL, 1,
    )  # fmt: skip
    ledger.apply(booked, 2)
    stage = await Stage().paper(ledger).open()
    assert stage.account.cash_e6 == 46 * SHARE
    stage.venue.order(cmd.QueryOrder("0xold", "0xm", 4))
    (gone,) = await stage.told(OrderReport)
    assert (gone.known, gone.state, gone.reason) == (True, OrderState.CANCELLED, ENDED)
    assert await stage.told(FillConfirmed) == [FillConfirmed("t1", "0xold")]
    assert stage.account.shares == {("0xm", Outcome.UP): 10 * SHARE}
    await stage.venue.close()


def test_a_settled_market_of_an_earlier_run_holds_nothing() -> None:
    ledger = Ledger()
    booked = FillBooked(
        "t1", "0xold", StrategyId.S2, "0xm", Outcome.UP, Side.BUY, 4_000, 10 * SHARE, -4 * SHARE,
        0, True, FillState.CONFIRMED, 1,
    )  # fmt: skip
    ledger.apply(booked, 2)
    ledger.apply(PayoutBooked("0xm", 10_000, 10 * SHARE), 3)
    account = PlayAccount(ledger, 7)
    assert (account.cash_e6, account.shares, account.unproven) == (7, {}, [])


def test_a_fill_told_after_the_decision_is_paid_at_once() -> None:
    account = PlayAccount(Ledger(), 100 * SHARE)
    account.settle("0xm", 10_000)
    late = Fill(
        "t1", "0x1", "0xm", Outcome.DOWN, Side.BUY, 4_000, 10 * SHARE, True,
        FillState.PROVISIONAL, 1, 0,
    )  # fmt: skip
    account.fill(late)
    assert (account.cash_e6, account.shares) == (96 * SHARE, {}), "Down lost: it pays nothing"


async def test_a_closed_stand_in_says_nothing_any_more() -> None:
    stage = await Stage().open()
    stage.venue.cancel_all(cmd.CancelAll(2))
    await stage.venue.close()
    stage.venue.step()
    assert stage.events == []

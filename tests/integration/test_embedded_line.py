"""The whole outside line on the embedded venues: discovery, books, orders, fills, settlement."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from dailyarb._fast.spot import SpotRouter
from dailyarb.core.book.book import Books
from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.commands import (
    Cancel,
    OrderDraft,
    QueryAccount,
    QueryOrder,
    SignedOrder,
    Submit,
)
from dailyarb.core.domain.events import (
    AccountReport,
    CancelResult,
    Event,
    FeedStatus,
    Fill,
    FillConfirmed,
    LegOutcome,
    MarketListed,
    OrderReport,
    Resolved,
    SettlementPrice,
    SubmitResult,
)
from dailyarb.core.domain.market import MarketSpec, Outcome, Side
from dailyarb.core.domain.orders import TIF, FillState, OrderState
from dailyarb.core.domain.settings import AssetSettings, Feeds
from dailyarb.runtime.asks import Asks
from dailyarb.runtime.clock import BootClock, boot_ns, measure
from dailyarb.runtime.discovery import Discovery
from dailyarb.runtime.pooled import FeedContext
from dailyarb.runtime.private import SettlementFeed, UserFeed
from dailyarb.runtime.streams import MarketFeed, SpotFeed
from dailyarb.runtime.submit import OrderPath, PathSettings
from dailyarb.sim.embedded import EmbeddedVenues, Profile, greeting
from dailyarb.sim.loopback import Loopback, VenueClock
from dailyarb.venues import endpoints
from dailyarb.venues.binance.http import Binance
from dailyarb.venues.polymarket.auth import Credentials, RequestAuth
from dailyarb.venues.polymarket.codec import Ours
from dailyarb.venues.polymarket.http import Clob, Gamma
from dailyarb.venues.polymarket.signer import Signer

ASSETS = {
    "btc": AssetSettings(
        binance_symbol="btcusdt", settlement_symbol="btcusd", slug="btc", windows=("5m",)
    )
}
FEEDS = Feeds(connections=2)
PACE = 8.0  # venue seconds a second: the chain confirms trades within seconds of its own


async def until(condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - a condition, bounded
            await asyncio.sleep(0.005)


class PacedClock(BootClock):
    """Is our clock against venues that run at another pace: venue time is theirs."""

    def __init__(self, venue: VenueClock) -> None:
        super().__init__()
        self.venue = venue

    def now(self) -> Instant:
        return Instant(boot_ns(), self.venue.now_ns())

    def wall_ns(self) -> int:
        return self.venue.now_ns()


class Line:
    """Is everything of ours that touches a venue, on one embedded world."""

    def __init__(
        self, where: endpoints.Endpoints, venues: EmbeddedVenues, clock: PacedClock
    ) -> None:
        self.venues = venues
        self.events: list[Event] = []
        self.errors: list[BaseException] = []
        known = venues.credentials
        credentials = Credentials(known.api_key, known.secret, known.passphrase)
        auth = RequestAuth(known.address, credentials)
        self.clock = clock
        self.signer = Signer(known.private_key)
        self.gamma = Gamma(where.gamma_http)
        self.clob = Clob(where.clob_http, self.clock, auth)
        self.binance = Binance(where.binance_http)
        self.discovery = Discovery(self.gamma, self.clock, ASSETS, self.events.append)
        self.words: list[str] = []
        ours = Ours(known.api_key, self.discovery.roles, set())
        self.questions = Asks(self.clob, ours, self.events.append, self.words.append, clock)
        self.books = Books(16, 250, 1 << 22)
        context = FeedContext(self.clock, self.events.append, self.errors.append, random.Random(1))
        self.market_feed = MarketFeed(
            context, where.market_ws, self.books, FEEDS, lambda _: None, self.questions.witness
        )
        self.spot = SpotRouter(micros=True)
        self.spot.add_symbol("BTCUSDT")
        urls = where.stream_urls(("btcusdt@bookTicker", "btcusdt@trade"), micros=True)
        self.spot_feed = SpotFeed(context, urls, self.spot, FEEDS, lambda _: None)
        self.user_feed = UserFeed(context, where.user_ws, credentials.channel_auth, FEEDS, ours)
        self.settlement_feed = SettlementFeed(
            context, where.settle_ws, credentials.channel_auth, FEEDS, {"btcusd": "btc"}
        )
        self.feeds = (self.market_feed, self.spot_feed, self.user_feed, self.settlement_feed)
        self.path = OrderPath(
            where.clob_http, auth, known.api_key, self.clock, self.events.append, PathSettings()
        )
        self.salt = 0

    async def open(self) -> None:
        await self.discovery.look()
        self.specs = [event.spec for event in self.events if isinstance(event, MarketListed)]
        for spec in self.specs:
            self.books.add(spec)
        for feed in self.feeds:
            feed.start()
        self.market_feed.want(self.specs)
        await self.path.start()

        def up() -> bool:
            synced = all(book.ladder.synced for book in self.books.by_market.values())
            return synced and all(feed.pool.alive == 2 for feed in self.feeds)

        await until(up)

    async def close(self) -> None:
        for feed in self.feeds:
            await feed.close()
        await self.path.close()
        await self.questions.close()
        for found in (self.gamma, self.binance):
            await found.reader.close()
        assert not self.errors and not self.words

    def of(self, kind: type) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]

    def buy(self, spec: MarketSpec, price_e4: int, shares: int, tif: TIF) -> str:
        """Signs and submits a BUY of UP; returns its id."""
        self.salt += 1
        draft = OrderDraft(
            draft_id=self.salt,
            market_id=spec.market_id,
            token=spec.up_token,
            side=Side.BUY,
            maker_e6=price_e4 * shares * 100,
            taker_e6=shares * 1_000_000,
            salt=self.salt,
            stamp_ms=self.clock.wall_ns() // 1_000_000 + self.salt,
            tif=tif,
            post_only=False,
            neg_risk=spec.neg_risk,
            version=spec.version,
        )
        signed = self.signer.sign(draft)
        order = SignedOrder(signed.order_id, signed.order_json, tif, post_only=False)
        self.path.submit(Submit((order,), asked_ns=boot_ns(), decided_ns=boot_ns()))
        return signed.order_id

    async def leg(self, order_id: str) -> LegOutcome:
        def found() -> list[LegOutcome]:
            results = [event for event in self.events if isinstance(event, SubmitResult)]
            legs = [leg for result in results for leg in result.results]
            return [leg.outcome for leg in legs if leg.order_id == order_id]

        await until(lambda: bool(found()))
        return found()[0]


@asynccontextmanager
async def line(profile: Profile) -> AsyncIterator[Line]:
    clock = VenueClock(profile.speed)
    venues = EmbeddedVenues(profile, clock.now_ns())
    loopback = Loopback(clock, random.Random(1))
    announced = await venues.serve(loopback)
    found = Line(endpoints.parse(greeting(announced, venues)), venues, PacedClock(clock))
    try:
        await found.open()
        yield found
    finally:
        await found.close()
        await loopback.close()


async def test_the_line_on_the_embedded_venues() -> None:
    profile = Profile(seed=1, assets=("btc",), labels=("5m",), wire=False, speed=PACE)
    async with line(profile) as found:
        # Discovery lists the current window and the next two, all understood.
        assert [spec.refusal for spec in found.specs] == ["", "", ""]
        assert found.specs[1].start_ns == found.specs[0].end_ns
        # The book is that of REST, whenever both are read between two changes.
        spec = found.specs[1]
        book = found.books.by_market[spec.market_id]

        async def agrees() -> bool:
            for _ in range(20):
                before = book.top(Outcome.UP)
                rest = await found.clob.top(spec.up_token)
                if book.top(Outcome.UP) == before and rest == (before.bid_e4, before.ask_e4):
                    return True
            return False

        assert await agrees()
        assert found.books.router.faults == {}
        assert found.spot.quote(0)[0] > 0
        await until(lambda: bool(found.of(SettlementPrice)))

        # A resting order rests, is reported, is found by its id, and is cancelled.
        low = found.buy(spec, 100, 100, TIF.GTC)
        assert await found.leg(low) is LegOutcome.RESTING
        reports = [event for event in found.events if isinstance(event, OrderReport)]
        await until(lambda: any(event.order_id == low for event in found.of(OrderReport)))
        found.questions.order(QueryOrder(low, spec.market_id, asked_ns=1))
        await until(lambda: any(
            event.order_id == low and event.asked_ns == 1 for event in found.of(OrderReport)
        ))  # fmt: skip
        found.path.cancel(Cancel((low,), asked_ns=2))
        await until(lambda: bool(found.of(CancelResult)))
        assert found.of(CancelResult) == [CancelResult(2, (low,))]
        await until(lambda: any(
            event.order_id == low and event.state is OrderState.CANCELLED
            for event in found.of(OrderReport)
        ))  # fmt: skip
        assert not reports or reports[0].known

        # A taker is matched; its fill comes by stream, once per status, and is then proven.
        taken = found.buy(spec, 9_900, 10, TIF.FAK)
        assert await found.leg(taken) is LegOutcome.MATCHED
        await until(lambda: bool(found.of(FillConfirmed)), timeout_s=30)
        fills = [event for event in found.events if isinstance(event, Fill)]
        assert {fill.order_id for fill in fills} == {taken}
        assert fills[0].state is FillState.PROVISIONAL
        assert (fills[0].side, fills[0].outcome, fills[0].maker) == (Side.BUY, Outcome.UP, False)
        bought_e6 = sum({fill.trade_id: fill.size_e6 for fill in fills}.values())
        assert bought_e6 == 10_000_000

        # The account says the same, all pages of it.
        found.questions.account(
            QueryAccount(asked_ns=3, since_s=0, tokens=((spec.market_id, spec.up_token),))
        )
        await until(lambda: bool(found.of(AccountReport)))
        (report,) = [event for event in found.events if isinstance(event, AccountReport)]
        assert report.complete and report.open_orders == ()
        assert report.positions == ((spec.up_token, bought_e6),)
        assert {(f.trade_id, f.order_id) for f in report.fills} == {
            (f.trade_id, f.order_id) for f in fills
        }
        assert report.cash_e6 < 1_000_000_000
        for feed in found.feeds:
            feed.second()
            assert feed.state().status is FeedStatus.FRESH, feed.state()


async def test_the_clocks_of_both_venues_are_measured() -> None:
    clock = VenueClock()
    venues = EmbeddedVenues(Profile(seed=1, assets=("btc",), labels=("5m",)), clock.now_ns())
    loopback = Loopback(clock, random.Random(1))
    where = endpoints.parse(greeting(await venues.serve(loopback), venues))
    clob, binance = Clob(where.clob_http, BootClock()), Binance(where.binance_http)
    offset = await measure([(clob.server_time, 1.0), (binance.server_time, 0.001)], rounds=3)
    assert offset is not None
    assert abs(offset.offset_ms) <= offset.error_ms + 5
    assert offset.error_ms < 500, "the coarse clock does not spoil the fine one"
    for reader in (clob.reader, binance.reader):
        await reader.close()
    await loopback.close()


async def test_a_window_is_resolved_after_its_end() -> None:
    """At sixty times the pace a window ends within seconds; the catalogue then decides it."""
    profile = Profile(
        seed=2, assets=("btc",), labels=("5m",), wire=False, speed=60.0, resolve_scale=0.2
    )
    clock = VenueClock(profile.speed)
    venues = EmbeddedVenues(profile, clock.now_ns())
    loopback = Loopback(clock, random.Random(1))
    announced = await venues.serve(loopback)
    where = endpoints.parse(greeting(announced, venues))
    events: list[Event] = []

    gamma = Gamma(where.gamma_http)
    discovery = Discovery(gamma, PacedClock(clock), ASSETS, events.append)
    async with asyncio.timeout(20):
        while not any(isinstance(event, Resolved) for event in events):
            await discovery.look()
            for found in discovery._tracked.values():
                found.due_ns = 0
            await asyncio.sleep(0.05)
    (resolved,) = [event for event in events if isinstance(event, Resolved)]
    first = next(event.spec for event in events if isinstance(event, MarketListed))
    assert resolved.market_id == first.market_id
    assert resolved.up_price_e4 in (0, 10_000)
    await gamma.reader.close()
    await loopback.close()

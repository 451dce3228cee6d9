"""Feeds on real sockets: subscription, books in sync, pings, faults, and failover without a gap."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable, Sequence

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from dailyarb._fast.ring import Ring
from dailyarb._fast.spot import SpotRouter
from dailyarb.core.book.book import Books
from dailyarb.core.domain.events import (
    BookDesynced,
    BookWitness,
    Event,
    FeedState,
    FeedStatus,
)
from dailyarb.core.domain.market import (
    FeeSchedule,
    Grid,
    MarketSpec,
    Settlement,
    SettlementKind,
    Window,
)
from dailyarb.core.domain.settings import Feeds
from dailyarb.runtime.clock import BootClock, boot_ns
from dailyarb.runtime.pooled import FeedContext
from dailyarb.runtime.streams import MarketFeed, SpotFeed

SPEC = MarketSpec(
    market_id="0xm",
    slug="btc-updown-5m-0",
    asset="btc",
    window=Window.M5,
    start_ns=0,
    end_ns=1 << 62,
    up_token="111",
    down_token="222",
    grid=Grid(),
    fees=FeeSchedule(70_000),
    settlement=Settlement(SettlementKind.TWAP, 60),
)


# The hook that replaces this fixture exists in the newest plugin only.
pytestmark = pytest.mark.filterwarnings("ignore:Overriding the .event_loop_policy.")


@pytest.fixture(params=["asyncio", "uvloop"])
def event_loop_policy(request: pytest.FixtureRequest) -> asyncio.AbstractEventLoopPolicy:
    """Runs every test on both loops."""
    if request.param == "asyncio":
        return asyncio.DefaultEventLoopPolicy()
    found = pytest.importorskip("uvloop").EventLoopPolicy()
    assert isinstance(found, asyncio.AbstractEventLoopPolicy)
    return found


FEEDS = Feeds(connections=2, silent_feed_ms=400, max_book_age_ms=2_000)


async def until(condition: Callable[[], bool], timeout_s: float = 3.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - a condition, bounded
            await asyncio.sleep(0.001)


class Venue:
    """Is one market on a socket: a snapshot on subscribing, then the same changes to everybody."""

    def __init__(self) -> None:
        self.sockets: dict[ServerConnection, list[str]] = {}
        self.heard: list[str] = []
        self.bids = {49: 100.0}
        self.asks = {51: 100.0}
        self.serial = 0
        self.greet = True
        self.opened_ns: list[int] = []

    async def __aenter__(self) -> Venue:
        self.server = await serve(self._talk, "127.0.0.1", 0, compression=None)
        self.url = f"ws://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.server.close(close_connections=True)
        await self.server.wait_closed()

    async def _talk(self, socket: ServerConnection) -> None:
        self.sockets[socket] = []
        self.opened_ns.append(boot_ns())
        try:
            async for text in socket:
                assert isinstance(text, str)
                self.heard.append(text)
                self.sockets[socket].append(text)
                if text == "PING":
                    await socket.send("PONG")
                    continue
                frame = json.loads(text)
                joined = frame.get("operation", "subscribe") == "subscribe"
                if joined and self.greet and "111" in frame["assets_ids"]:
                    await socket.send(self.snapshot())
        except ConnectionClosed:
            pass
        finally:
            del self.sockets[socket]

    def stamp(self) -> str:
        return str(time.time_ns() // 1_000_000)

    def snapshot(self) -> str:
        def side(levels: dict[int, float], mirrored: bool, down: bool) -> list[dict[str, str]]:
            rows = sorted(levels, reverse=mirrored != down)
            return [
                {"price": f"{(100 - p if mirrored else p) / 100:.2f}", "size": str(levels[p])}
                for p in rows
            ]

        books = []
        for token, mirrored in (("111", False), ("222", True)):
            bids, asks = (self.asks, self.bids) if mirrored else (self.bids, self.asks)
            books.append(
                {
                    "event_type": "book",
                    "market": "0xm",
                    "asset_id": token,
                    "timestamp": self.stamp(),
                    "hash": f"{self.serial:040d}",
                    "bids": side(bids, mirrored, down=False),
                    "asks": side(asks, mirrored, down=True),
                }
            )
        return json.dumps(books)

    def change(self) -> str:
        """Changes one bid level and returns the frame that says so."""
        self.serial += 1
        price, size = 40 + self.serial % 10, 10.0 + self.serial
        self.bids[price] = size
        best = max(self.bids)
        entries = [
            ("111", price, "BUY", best, min(self.asks)),
            ("222", 100 - price, "SELL", 100 - min(self.asks), 100 - best),
        ]
        return json.dumps(
            {
                "event_type": "price_change",
                "market": "0xm",
                "timestamp": self.stamp(),
                "price_changes": [
                    {
                        "asset_id": token,
                        "price": f"{at / 100:.2f}",
                        "size": str(size),
                        "side": side,
                        "hash": f"{self.serial:040d}",
                        "best_bid": f"{bid / 100:.2f}",
                        "best_ask": f"{ask / 100:.2f}",
                    }
                    for token, at, side, bid, ask in entries
                ],
            }
        )

    async def say(self, text: str) -> None:
        for socket in list(self.sockets):
            try:
                await socket.send(text)
            except ConnectionClosed:
                continue

    def bids_e(self) -> list[tuple[int, int]]:
        rows = sorted(self.bids.items(), reverse=True)
        return [(price * 100, round(size * 1_000_000)) for price, size in rows]


class Rig:
    """Is a market feed with what surrounds it."""

    def __init__(self, venue: Venue, feeds: Feeds = FEEDS, **extra: object) -> None:
        self.events: list[Event] = []
        self.bursts: list[int] = []
        self.errors: list[BaseException] = []
        self.books = Books(8, 250, 1 << 22)
        self.book = self.books.add(SPEC)
        self.ring = Ring(1 << 20)
        context = FeedContext(
            BootClock(), self.events.append, self.errors.append, random.Random(1), self.ring
        )
        self.feed = MarketFeed(
            context, venue.url + "/ws/market", self.books, feeds, self.bursts.append, **extra
        )

    async def __aenter__(self) -> Rig:
        self.feed.start()
        self.feed.want([SPEC])
        await until(lambda: self.feed.pool.alive == 2 and self.feed.state().frames >= 2)
        assert self.book.ladder.synced
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.feed.close()
        assert not self.errors

    def levels(self) -> list[tuple[int, int]]:
        return self.book.ladder.levels(0, 0, 50)

    def of(self, kind: type) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]


async def test_subscription_snapshot_and_changes() -> None:
    async with Venue() as venue, Rig(venue) as rig:
        await until(lambda: len(venue.heard) == 2)
        first = {"type": "market", "assets_ids": ["111", "222"], "custom_feature_enabled": True}
        assert [json.loads(text) for text in venue.heard] == [first, first]
        for _ in range(50):
            await venue.say(venue.change())
        await until(lambda: rig.levels() == venue.bids_e())
        assert rig.book.ladder.top(1)[2] == 5_100, "the DOWN ask is the mirror of the UP bid"
        await until(lambda: rig.feed.state().frames == 2 * 51)
        counters = rig.books.router.counters
        assert counters["duplicates"] >= 50, "the second copy of a change is dropped"
        assert rig.bursts and rig.ring.pushed == rig.feed.state().frames
        state = rig.feed.state()
        assert state.status is FeedStatus.FRESH
        assert (state.connections, state.wanted, state.faults) == (2, 2, 0)
        assert 0 < state.lag_p50_ms < 1_000, "receipt less the venue's stamp"
        assert rig.feed.decode_latency().count == 102


async def test_wanting_other_markets_changes_the_subscription_in_place() -> None:
    other = MarketSpec(**{f: getattr(SPEC, f) for f in SPEC.__struct_fields__} | {
        "market_id": "0xn", "up_token": "333", "down_token": "444",
    })  # fmt: skip
    async with Venue() as venue, Rig(venue) as rig:
        await until(lambda: len(venue.heard) == 2)
        rig.feed.want([other])
        await until(lambda: len(venue.heard) == 6)
        for heard in venue.sockets.values():
            leave, join = (json.loads(text) for text in heard[1:])
            assert leave == {"operation": "unsubscribe", "assets_ids": ["111", "222"]}
            assert join == {
                "operation": "subscribe",
                "assets_ids": ["333", "444"],
                "custom_feature_enabled": True,
            }
        rig.feed.want([])
        await until(lambda: not venue.sockets)
        assert rig.feed.state().wanted == 0


async def test_pings_follow_the_subscription_and_pongs_are_no_content() -> None:
    async with Venue() as venue, Rig(venue) as rig:
        frames = rig.feed.state().frames
        rig.feed.second()
        await until(lambda: venue.heard.count("PING") == 2)
        for heard in venue.sockets.values():
            assert heard[0] != "PING"
        listeners = list(rig.feed._listeners.values())
        await until(lambda: all(listener.pong_ns for listener in listeners))
        assert rig.feed.state().frames == frames


async def test_a_damaged_frame_is_counted_and_gives_no_rows() -> None:
    async with Venue() as venue, Rig(venue) as rig:
        before = rig.levels()
        for text in ("{", '{"event_type":"book"}', "<html>", '{"a":' * 200):
            await venue.say(text)
        await until(lambda: rig.feed.state().faults == 8)
        assert rig.levels() == before
        assert not rig.of(BookDesynced), "the other connection carries the same frames"
        await venue.say(venue.change())
        await until(lambda: rig.levels() == venue.bids_e())


async def test_ten_damaged_frames_end_a_connection() -> None:
    async with Venue() as venue, Rig(venue) as rig:
        for _ in range(10):
            await venue.say("{")
        await until(lambda: len(venue.opened_ns) >= 4)
        await until(lambda: rig.book.ladder.synced)
        await until(lambda: len(venue.sockets) == 2)


async def test_losing_all_connections_desyncs_and_the_next_snapshot_heals() -> None:
    async with Venue() as venue, Rig(venue) as rig:
        for socket in list(venue.sockets):
            socket.transport.abort()
        await until(lambda: bool(rig.of(BookDesynced)))
        assert rig.of(BookDesynced) == [BookDesynced("0xm", "all connections lost")]
        rig.book.desync("all connections lost")
        assert not rig.book.ladder.synced
        statuses = [event.status for event in rig.of(FeedState) if isinstance(event, FeedState)]
        assert FeedStatus.DOWN in statuses
        await until(lambda: rig.book.ladder.synced and rig.feed.pool.alive == 2)
        assert rig.levels() == venue.bids_e()


async def test_a_resync_asks_one_connection_for_a_snapshot() -> None:
    async with Venue() as venue, Rig(venue) as rig:
        await until(lambda: len(venue.heard) == 2)
        rig.book.desync("told to")
        rig.feed.resync("0xm")
        rig.feed.resync("0xm")
        await until(lambda: rig.book.ladder.synced)
        assert rig.levels() == venue.bids_e()
        assert [json.loads(text).get("operation") for text in venue.heard[2:4]] == [
            "unsubscribe",
            "subscribe",
        ]
        assert rig.feed.state().resyncs == 1, "asked again only after a pause"


@pytest.mark.parametrize("same", [True, False])
async def test_silence_on_all_connections_asks_a_witness_first(same: bool) -> None:
    asked: list[str] = []

    async def ask(spec: MarketSpec) -> BookWitness | None:
        asked.append(spec.market_id)
        return BookWitness(spec.market_id, 1, 4_900 if same else 4_800, 5_100)

    async with Venue() as venue, Rig(venue, ask_book=ask) as rig:
        await until(lambda: bool(rig.of(BookWitness)))
        if same:
            assert rig.feed.pool.alive == 2 and len(venue.opened_ns) == 2
        else:
            await until(lambda: len(venue.opened_ns) >= 4)
            assert rig.of(BookDesynced)


async def test_a_witness_of_another_moment_proves_nothing() -> None:
    """The feed speaks while REST is asked: the answer is neither same nor different."""
    asked: list[str] = []

    async with Venue() as venue:

        async def ask(spec: MarketSpec) -> BookWitness | None:
            asked.append(spec.market_id)
            if len(asked) == 1:
                before = rig.feed.state().frames
                await venue.say(venue.change())
                await until(lambda: rig.feed.state().frames > before)
            return BookWitness(spec.market_id, 1, 1_000, 9_000)

        async with Rig(venue, ask_book=ask) as rig:
            await until(lambda: bool(rig.of(BookWitness)))
            assert rig.feed.pool.reconnects == 0 and rig.feed.pool.alive == 2


async def test_a_large_message_in_fragments_is_put_together() -> None:
    async with Venue() as venue, Rig(venue) as rig:
        venue.bids[48] = 12.5
        text = venue.snapshot()
        for socket in list(venue.sockets):
            await socket.send(iter([text[:100], text[100:300], text[300:]]))
        await until(lambda: rig.levels() == venue.bids_e())


class Ticker:
    """Serves bookTicker frames on several sockets."""

    def __init__(self) -> None:
        self.sockets: list[ServerConnection] = []
        self.paths: list[str] = []
        self.serial = 0

    async def __aenter__(self) -> Ticker:
        self.server = await serve(self._talk, "127.0.0.1", 0, compression=None)
        self.url = f"ws://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.server.close(close_connections=True)
        await self.server.wait_closed()

    async def _talk(self, socket: ServerConnection) -> None:
        self.paths.append(socket.request.path if socket.request else "")
        self.sockets.append(socket)
        try:
            await socket.wait_closed()
        finally:
            self.sockets.remove(socket)

    async def tick(self) -> None:
        self.serial += 1
        frame = {
            "stream": "btcusdt@bookTicker",
            "data": {"u": self.serial, "s": "BTCUSDT", "b": f"{60_000 + self.serial}.00",
                     "B": "1.5", "a": f"{60_001 + self.serial}.00", "A": "2.5"},
        }  # fmt: skip
        for socket in list(self.sockets):
            await socket.send(json.dumps(frame))


async def spot(ticker: Ticker, use: Callable[[SpotFeed, SpotRouter], Awaitable[None]]) -> None:
    errors: list[BaseException] = []
    router = SpotRouter(micros=True)
    router.add_symbol("BTCUSDT")
    context = FeedContext(BootClock(), lambda _: None, errors.append, random.Random(1))
    path = "/stream?streams=btcusdt@bookTicker&timeUnit=MICROSECOND"
    urls: Sequence[str] = (ticker.url + path, ticker.url + path)
    feed = SpotFeed(context, urls, router, FEEDS, lambda _: None)
    feed.start()
    await until(lambda: feed.pool.alive == 2)
    await use(feed, router)
    await feed.close()
    assert not errors


async def test_spot_takes_the_first_copy_and_drops_the_second() -> None:
    async with Ticker() as ticker:

        async def use(feed: SpotFeed, router: SpotRouter) -> None:
            for _ in range(20):
                await ticker.tick()
            await until(lambda: feed.state().frames == 40)
            assert router.quote(0)[:2] == (6_002_000_000_000, 150_000_000)
            assert router.counters["stale_quotes"] + router.counters["duplicates"] == 20

        await spot(ticker, use)


async def test_spot_replaces_a_connection_whose_server_shuts_down() -> None:
    async with Ticker() as ticker:

        async def use(feed: SpotFeed, router: SpotRouter) -> None:
            await ticker.tick()
            await until(lambda: feed.state().frames == 2)
            first = ticker.sockets[0]
            notice = {"stream": "!serverShutdown", "data": {"e": "serverShutdown", "E": 1}}
            await first.send(json.dumps(notice))
            await until(lambda: len(ticker.sockets) == 3 and feed.pool.alive == 3)
            assert first in ticker.sockets, "the new one is open before the old one is dropped"
            await ticker.tick()
            await until(lambda: feed.state().frames >= 5)
            await until(lambda: first not in ticker.sockets)
            assert feed.pool.alive == 2

        await spot(ticker, use)

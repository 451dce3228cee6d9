"""The two market-data feeds, on listeners that decode in the socket's callback."""

from __future__ import annotations

import asyncio
import logging
import math
from abc import abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from picows import WSError, WSHandshakeError, ws_connect

from dailyarb._fast.histogram import LatencyHistogram
from dailyarb._fast.spot import SHUTDOWN, SpotRouter
from dailyarb.core.book.book import Book, Books
from dailyarb.core.domain.events import BookDesynced, BookWitness
from dailyarb.core.domain.ids import FeedId
from dailyarb.core.domain.market import MarketSpec, Outcome
from dailyarb.core.domain.settings import Feeds
from dailyarb.runtime.clock import boot_ns
from dailyarb.runtime.feed import FAULT, FeedListener, MarketListener, SpotListener
from dailyarb.runtime.pooled import MS_NS, SECOND_NS, FeedContext, PooledFeed, Totals
from dailyarb.runtime.record import Channel, tag
from dailyarb.venues.polymarket.stream import PING, MarketSubscription
from dailyarb.venues.pool import PoolSettings, Rung, TokenLadder

PING_NS = 10 * SECOND_NS
RENEW_NS = 250 * MS_NS  # least time between two snapshots asked for one market
SOURCES = 7  # connections the router tells apart
FAULTS_MAX = 10  # damaged frames within a minute that end a connection
LAG_WINDOW_NS = 10 * SECOND_NS  # the lag shown covers one to two of these
LIFETIME_NS = 23 * 3_600 * SECOND_NS
FAULT_WINDOW_NS = 60 * SECOND_NS

Burst = Callable[[int], None]
AskBook = Callable[[MarketSpec], Awaitable[BookWitness | None]]

# The socket library speaks through a logger; its words reach us as the connection's detail.
_quiet = logging.getLogger("dailyarb.picows")
_quiet.addHandler(logging.NullHandler())
_quiet.propagate = False


class ListenerFeed(PooledFeed):
    """Is a feed whose connections are Cython listeners.

    Args:
        feed, context, urls, settings, max_age_ms: as of PooledFeed.
        limits: the feeds' settings, for the largest frame.
    """

    def __init__(
        self,
        feed: FeedId,
        context: FeedContext,
        urls: Sequence[str],
        settings: PoolSettings,
        limits: Feeds,
        max_age_ms: int,
    ) -> None:
        super().__init__(feed, context, urls, settings, max_age_ms)
        self.limits = limits
        self.decode = LatencyHistogram()
        self._lag_before = LatencyHistogram()
        self._rolled_ns = 0
        self._listeners: dict[int, FeedListener] = {}
        self._faults: deque[tuple[int, int]] = deque(maxlen=256)  # time, connection

    @abstractmethod
    def _make(self, conn: int, ended: Callable[[], None]) -> FeedListener:
        """Returns the listener of a new connection; it calls `ended` when it is closed."""

    @abstractmethod
    def _greet(self, conn: int, listener: FeedListener) -> None:
        """Writes what a fresh connection needs."""

    def step(self) -> None:
        """Tells the pool when content last came, then lets it decide."""
        for conn, listener in self._listeners.items():
            self.pool.content(conn, listener.content_ns)
        super().step()

    async def _connect(self, conn: int, url: str) -> float:
        over = asyncio.get_running_loop().create_future()

        def ended() -> None:
            if not over.done():
                over.set_result(None)

        listener = self._make(conn, ended)
        listener.offset_ns = self.context.clock.offset_ns
        try:
            await ws_connect(
                lambda: listener,
                url,
                logger_name=_quiet,
                max_frame_size=self.limits.max_frame_bytes,
                websocket_handshake_timeout=self.pool.settings.dial_ns / SECOND_NS,
            )
            await over
        except WSHandshakeError as error:
            self.detail = f"{type(error).__name__}: {error}"[:200]
            return _retry_after(error)
        except (WSError, TimeoutError) as error:
            self.detail = f"{type(error).__name__}: {error}"[:200]
        finally:
            self.pool.content(conn, listener.content_ns)
            self._listeners.pop(conn, None)
            listener.drop()
            self.decode.merge(listener.decode)
            self._keep(listener.frames, listener.octets, listener.faults, listener.content_ns)
        return 0.0

    def _hello(self, conn: int, listener: FeedListener) -> None:
        """Takes an open socket: greets first, so that the pool sees it subscribed."""
        if conn not in self._tasks:
            listener.drop()  # it was given up while the handshake was on its way
            return
        self._listeners[conn] = listener
        self._greet(conn, listener)
        self._opened(conn)

    def _totals(self) -> Totals:
        found = list(self._listeners.values())
        return Totals(
            sum(listener.frames for listener in found),
            sum(listener.octets for listener in found),
            sum(listener.faults for listener in found),
            max((listener.content_ns for listener in found), default=0),
        )

    def _lags(self) -> LatencyHistogram:
        merged = LatencyHistogram()
        merged.merge(self._lag_before)
        for listener in self._listeners.values():
            merged.merge(listener.lag)
        return merged

    def decode_latency(self) -> LatencyHistogram:
        """Returns the time each frame took from the callback's entry to the ladder."""
        merged = LatencyHistogram()
        merged.merge(self.decode)
        for listener in self._listeners.values():
            merged.merge(listener.decode)
        return merged

    def _chores(self, now_ns: int) -> None:
        roll = now_ns - self._rolled_ns >= LAG_WINDOW_NS
        if roll:
            self._rolled_ns = now_ns
            self._lag_before.clear()
        for listener in self._listeners.values():
            listener.offset_ns = self.context.clock.offset_ns
            if roll:
                self._lag_before.merge(listener.lag)
                listener.lag.clear()

    def _noticed(self, conn: int, flags: int) -> None:
        """Takes a refused frame: ten a minute end the connection (F11)."""
        if not flags & FAULT:
            return
        now_ns = boot_ns()
        self._faults.append((now_ns, conn))
        recent = [c for at, c in self._faults if c == conn and now_ns - at < FAULT_WINDOW_NS]
        if len(recent) >= FAULTS_MAX:
            self._replace(conn, "damaged frames")

    def _replace(self, conn: int, why: str) -> None:
        """Has a connection replaced; never decided inside a socket's callback."""
        self.pool.replace(conn, why)
        asyncio.get_running_loop().call_soon(self.step)


def _retry_after(error: WSHandshakeError) -> float:
    """Returns how long the server asks to wait before the next handshake, in seconds."""
    response = error.response
    text = response.headers.get("Retry-After", "") if response is not None else ""
    try:
        wait_s = float(text)
    except ValueError:
        return 0.0
    return min(600.0, max(0.0, wait_s)) if math.isfinite(wait_s) else 0.0


class MarketFeed(ListenerFeed):
    """Is Polymarket's market channel, twice: frames go to the engine's own books.

    Every connection subscribes to everything wanted. A change that comes twice is known by the
    router; when one connection is cut the other just goes on. When all are lost each wanted
    market is reported desynced, and the first new connection brings its snapshots.

    Args:
        context: clock, callbacks, jitter.
        url: address of the market channel.
        books: the engine's books; only their state is read here.
        limits: the feeds' settings.
        on_burst: called once per burst that changed something, with the boot clock of its first
            frame.
        ask_book: asks REST for one book when all connections are silent.
    """

    def __init__(
        self,
        context: FeedContext,
        url: str,
        books: Books,
        limits: Feeds,
        on_burst: Burst,
        ask_book: AskBook | None = None,
    ) -> None:
        settings = PoolSettings(
            wanted=0,
            silence_ns=limits.silent_feed_ms * MS_NS,
            witnessed=ask_book is not None,
        )
        super().__init__(
            FeedId.POLYMARKET, context, (url,), settings, limits, limits.max_book_age_ms
        )
        self.books = books
        self.pool.expecting = False
        self._on_burst = on_burst
        self._ask_book = ask_book
        self._markets: dict[str, MarketSpec] = {}
        self._tokens: tuple[str, ...] = ()
        self._subscriptions: dict[int, MarketSubscription] = {}
        self._pinged_ns = 0
        self._ladder = TokenLadder()
        self._renewed_ns: dict[str, int] = {}
        self._later: set[str] = set()
        self._turn = 0
        self._asking: asyncio.Task[None] | None = None

    def want(self, markets: Sequence[MarketSpec]) -> None:
        """Wants exactly these markets; markets without tokens are left out."""
        self._markets = {spec.market_id: spec for spec in markets if spec.up_token}
        self._tokens = tuple(
            token for spec in self._markets.values() for token in (spec.up_token, spec.down_token)
        )
        self.pool.wanted = self.limits.connections if self._tokens else 0
        self.pool.expecting = bool(self._tokens)
        self._ladder.keep(list(self._markets))
        self._renewed_ns = {m: at for m, at in self._renewed_ns.items() if m in self._markets}
        for conn, listener in self._listeners.items():
            for frame in self._subscriptions[conn].want(self._tokens):
                listener.send(frame)
        self.step()

    def resync(self, market_id: str) -> None:
        """Asks for a market's snapshots again, on the connections in turn, not too often."""
        spec = self._markets.get(market_id)
        if spec is None or market_id in self._later:
            return
        now_ns = boot_ns()
        wait_ns = self._renewed_ns.get(market_id, -RENEW_NS) + RENEW_NS - now_ns
        if wait_ns > 0:
            self._later.add(market_id)
            loop = asyncio.get_running_loop()
            loop.call_later(wait_ns / SECOND_NS, self._resync_later, market_id)
            return
        conns = [c for c in self._listeners if self._subscriptions[c].greeted]
        if not conns:
            return  # the next connection brings a snapshot by itself
        self._renewed_ns[market_id] = now_ns
        self.resyncs += 1
        self._turn += 1
        conn = conns[self._turn % len(conns)]
        for frame in self._subscriptions[conn].renew((spec.up_token, spec.down_token)):
            self._listeners[conn].send(frame)

    async def close(self) -> None:
        """Drops every connection."""
        if self._asking is not None:
            self._asking.cancel()
        await super().close()

    def _resync_later(self, market_id: str) -> None:
        self._later.discard(market_id)
        self.resync(market_id)

    def _make(self, conn: int, ended: Callable[[], None]) -> FeedListener:
        return MarketListener(
            self.books.router,
            self._on_burst,
            lambda listener: self._hello(conn, listener),
            lambda _: ended(),
            self.context.failed,
            lambda _, flags: self._noticed(conn, flags),
            self.context.ring,
            tag(Channel.POLYMARKET, conn % SOURCES),
            self.limits.max_frame_bytes,
            source=conn % SOURCES,
        )

    def _greet(self, conn: int, listener: FeedListener) -> None:
        subscription = self._subscriptions[conn] = MarketSubscription()
        for frame in subscription.want(self._tokens):
            listener.send(frame)
        known = self._listeners
        self._subscriptions = {c: s for c, s in self._subscriptions.items() if c in known}

    def _noticed(self, conn: int, flags: int) -> None:
        super()._noticed(conn, flags)
        if flags & FAULT and self.pool.alive < 2:
            # What the frame held is lost; no other connection carries a copy.
            self._desync("a damaged frame")
            for market_id in self._markets:
                self.resync(market_id)

    def _all_lost(self) -> None:
        self._desync("all connections lost")

    def _desync(self, reason: str) -> None:
        for market_id in self._markets:
            self.context.emit(BookDesynced(market_id, reason))

    def _chores(self, now_ns: int) -> None:
        super()._chores(now_ns)
        if now_ns - self._pinged_ns >= PING_NS:
            self._pinged_ns = now_ns
            for conn, listener in self._listeners.items():
                if self._subscriptions[conn].greeted:
                    listener.send(PING)
        if self.context.ring is not None:
            self.context.ring.push(b"", now_ns, tag(Channel.EVENT))
        if self.books.router.expire(now_ns):
            self._on_burst(now_ns)
        if self.pool.alive:
            self._climb(now_ns)

    def _climb(self, now_ns: int) -> None:
        """Walks the ladder of markets that are silent while their feed flows (F02, F03)."""
        wall_ns = self.context.clock.wall_ns()
        for market_id, spec in self._markets.items():
            book = self.books.by_market.get(market_id)
            if book is None or wall_ns >= spec.end_ns:
                continue
            if not self._mute(book):
                self._ladder.fresh(market_id, now_ns)
                continue
            rung = self._ladder.silent(market_id, now_ns)
            if rung is Rung.RESUBSCRIBE:
                self.resync(market_id)
            elif rung is Rung.MOVE and wall_ns >= spec.start_ns and self._listeners:
                self._replace(min(self._listeners), "a market stays silent")

    def _mute(self, book: Book) -> bool:
        """Says whether a book has no snapshot, or one of its tokens lags far behind the other."""
        if not book.ladder.synced:
            return True
        router = self.books.router
        heard = (router.token_recv_ns(book.slot, 0), router.token_recv_ns(book.slot, 1))
        return max(heard) - min(heard) > self.limits.silent_feed_ms * MS_NS

    def _witness(self) -> None:
        """Asks REST for one book: the same top means a quiet market (F01)."""
        running = self._asking is not None and not self._asking.done()
        if self._ask_book is None or running:
            super()._witness()
            return
        self._asking = asyncio.get_running_loop().create_task(self._ask(), name="PM-witness")
        self._asking.add_done_callback(self._finished)

    async def _ask(self) -> None:
        same: bool | None = None
        before_ns = self._totals().content_ns
        for market_id, spec in list(self._markets.items()):
            book = self.books.by_market.get(market_id)
            if self._ask_book is None or book is None or not book.ladder.synced:
                continue
            report = await self._ask_book(spec)
            if report is not None:
                top = book.top(Outcome.UP)
                same = (report.bid_e4, report.ask_e4) == (top.bid_e4, top.ask_e4)
                self.context.emit(report)
                break
        if self._totals().content_ns > before_ns:
            same = None  # the feed spoke meanwhile: the two views are of different moments
        self._act(self.pool.witness(same, boot_ns()))
        self.step()


class SpotFeed(ListenerFeed):
    """Is Binance's combined stream, on several hosts: frames go to a SpotRouter.

    Everything is subscribed in the address, so nothing is ever written. Server pings are answered
    by the socket library; each connection is replaced before its 24 hours are over.

    Args:
        context: clock, callbacks, jitter.
        urls: complete stream addresses, in order of preference (`Endpoints.stream_urls`).
        router: takes the frames; its time unit must be that of the addresses.
        limits: the feeds' settings.
        on_burst: called once per burst that changed something.
    """

    def __init__(
        self,
        context: FeedContext,
        urls: Sequence[str],
        router: SpotRouter,
        limits: Feeds,
        on_burst: Burst,
    ) -> None:
        silence_ms = max(1_500, 3 * limits.max_reference_age_ms)
        settings = PoolSettings(
            wanted=limits.connections,
            silence_ns=silence_ms * MS_NS,
            lifetime_ns=LIFETIME_NS,
        )
        super().__init__(
            FeedId.BINANCE, context, urls, settings, limits, limits.max_reference_age_ms
        )
        self.router = router
        self._on_burst = on_burst
        self._micros = "timeUnit=MICROSECOND" in self.urls[0]

    def _make(self, conn: int, ended: Callable[[], None]) -> FeedListener:
        return SpotListener(
            self.router,
            self._on_burst,
            lambda listener: self._hello(conn, listener),
            lambda _: ended(),
            self.context.failed,
            lambda _, flags: self._noticed(conn, flags),
            self.context.ring,
            tag(Channel.BINANCE, conn % SOURCES),
            self.limits.max_frame_bytes,
            micros=self._micros,
        )

    def _greet(self, conn: int, listener: FeedListener) -> None:
        """Writes nothing: the address subscribes."""

    def _noticed(self, conn: int, flags: int) -> None:
        super()._noticed(conn, flags)
        if flags & SHUTDOWN:
            self._replace(conn, "the server shuts down")

    def _all_lost(self) -> None:
        self.gaps += 1

"""The two feeds that need our API key: own orders and fills, and the settling price.

Both run redundant connections through the pool; the first copy of a message wins. They are far
from the hot path, so they use plain websockets.
"""

from __future__ import annotations

import asyncio
import hashlib
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence

import websockets
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from dailyarb.core.domain.errors import FrameFault
from dailyarb.core.domain.events import SettlementPrice
from dailyarb.core.domain.ids import FeedId
from dailyarb.core.domain.settings import Feeds
from dailyarb.runtime.clock import boot_ns
from dailyarb.runtime.pooled import MS_NS, SECOND_NS, FeedContext, PooledFeed, Totals
from dailyarb.runtime.record import Channel, tag
from dailyarb.venues.polymarket import codec, stream
from dailyarb.venues.pool import PoolSettings

PING_NS = 10 * SECOND_NS
PONG_AGE_NS = 30 * SECOND_NS
SEEN_MAX = 8_192
OP_GAP_S = 0.11  # least time between two operations on the settling feed
STAMPS_MAX = 600
FRAME_BYTES_MAX = 4_194_304

ChannelAuth = Callable[[], Mapping[str, str]]


class _Link:
    """Is one open connection and what it received."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.frames = 0
        self.octets = 0
        self.faults = 0
        self.content_ns = 0
        self.seq = 0


class Seen:
    """Remembers the last `most` keys, to drop second copies."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._keys: dict[object, None] = {}

    def new(self, key: object) -> bool:
        """Says whether the key was not there, and remembers it."""
        if key in self._keys:
            return False
        self._keys[key] = None
        if len(self._keys) > self._most:
            del self._keys[next(iter(self._keys))]
        return True


class SocketFeed(PooledFeed):
    """Is a feed on websockets connections; frames are given to `_take` as bytes."""

    def __init__(
        self,
        feed: FeedId,
        context: FeedContext,
        url: str,
        settings: PoolSettings,
        max_age_ms: int,
    ) -> None:
        super().__init__(feed, context, (url,), settings, max_age_ms)
        self._links: dict[int, _Link] = {}
        self._sends: set[asyncio.Task[None]] = set()

    @abstractmethod
    async def _greet(self, conn: int, link: _Link) -> None:
        """Writes what a fresh connection needs."""

    @abstractmethod
    def _take(self, link: _Link, raw: bytes, recv_ns: int) -> bool:
        """Takes one frame; says whether it proves that the feed lives.

        Raises:
            FrameFault: it is damaged.
        """

    async def _connect(self, conn: int, url: str) -> float:
        try:
            async with connect(
                url,
                compression=None,
                max_size=FRAME_BYTES_MAX,
                open_timeout=self.pool.settings.dial_ns / SECOND_NS,
                close_timeout=1.0,
            ) as socket:
                await self._listen(conn, _Link(socket))
        except InvalidStatus as error:
            self.detail = f"HTTP {error.response.status_code}"
            return _seconds(error.response.headers.get("Retry-After", ""))
        except ConnectionClosed as error:
            self.detail = f"closed: {error}"[:200]
            if error.rcvd is not None and error.rcvd.code == 4003:
                return self.context.rng.random() * 10.0  # draining: come back spread out
        except (InvalidHandshake, TimeoutError, websockets.ProtocolError) as error:
            self.detail = f"{type(error).__name__}: {error}"[:200]
        return 0.0

    async def _listen(self, conn: int, link: _Link) -> None:
        self._links[conn] = link
        try:
            await self._greet(conn, link)
            self._opened(conn)
            async for message in link.socket:
                recv_ns = boot_ns()
                raw = message.encode() if isinstance(message, str) else message
                link.frames += 1
                link.octets += len(raw)
                try:
                    if self._take(link, raw, recv_ns):
                        link.content_ns = recv_ns
                        self.pool.content(conn, recv_ns)
                except FrameFault as fault:
                    link.faults += 1
                    self.detail = str(fault)
        finally:
            self._links.pop(conn, None)
            self._keep(link.frames, link.octets, link.faults, link.content_ns)

    def _totals(self) -> Totals:
        found = list(self._links.values())
        return Totals(
            sum(link.frames for link in found),
            sum(link.octets for link in found),
            sum(link.faults for link in found),
            max((link.content_ns for link in found), default=0),
        )

    def _write(self, link: _Link, text: str) -> None:
        """Writes one frame; a socket that is gone is noticed by its reader."""
        task = asyncio.get_running_loop().create_task(_send(link.socket, text))
        self._sends.add(task)
        task.add_done_callback(self._sends.discard)

    def _all_lost(self) -> None:
        self.gaps += 1


async def _send(socket: ClientConnection, text: str) -> None:
    try:
        await socket.send(text)
    except ConnectionClosed:
        return


def _seconds(text: str) -> float:
    return min(600.0, float(text)) if text.isascii() and text.isdecimal() else 0.0


class UserFeed(SocketFeed):
    """Is the user channel: own orders and fills, each frame once.

    A quiet account sends nothing, so life is judged by pongs here; what was missed is not
    replayed, so the engine asks for the account after every reconnection (F21).

    Args:
        context: clock, callbacks, jitter.
        url: address of the user channel.
        auth: gives the API triple of the first frame.
        limits: the feeds' settings.
        ours: what finds our part of a trade.
    """

    def __init__(
        self,
        context: FeedContext,
        url: str,
        auth: ChannelAuth,
        limits: Feeds,
        ours: codec.Ours,
    ) -> None:
        settings = PoolSettings(
            wanted=limits.connections, silence_ns=PONG_AGE_NS, first_content_ns=PONG_AGE_NS
        )
        super().__init__(FeedId.USER, context, url, settings, PONG_AGE_NS // MS_NS)
        self._auth = auth
        self._ours = ours
        self._seen = Seen(SEEN_MAX)
        self._pinged_ns = 0

    async def _greet(self, conn: int, link: _Link) -> None:
        await link.socket.send(stream.user_greeting(self._auth()))
        self._write(link, "PING")

    def _take(self, link: _Link, raw: bytes, recv_ns: int) -> bool:
        if raw in codec.CONTROL_WORDS:
            return True
        if not self._seen.new(hashlib.blake2b(raw, digest_size=16).digest()):
            return True
        for event in codec.user_events(raw, self._ours, recv_ns):
            self.context.emit(event)
        return True

    def _chores(self, now_ns: int) -> None:
        if now_ns - self._pinged_ns < PING_NS:
            return
        self._pinged_ns = now_ns
        for link in self._links.values():
            self._write(link, "PING")


class SettlementFeed(SocketFeed):
    """Is the settling feed: each value of each asset once, whichever connection brings it first.

    Args:
        context: clock, callbacks, jitter.
        url: address of the settling feed.
        auth: gives the API triple; even public prices need it.
        limits: the feeds' settings.
        assets: asset by the feed's symbol, as btcusd.
        window_s: averaging window.
    """

    def __init__(
        self,
        context: FeedContext,
        url: str,
        auth: ChannelAuth,
        limits: Feeds,
        assets: Mapping[str, str],
        window_s: int = 60,
    ) -> None:
        settings = PoolSettings(
            wanted=limits.connections,
            silence_ns=2 * limits.max_settlement_age_ms * MS_NS,
            first_content_ns=10 * SECOND_NS,
        )
        age_ms = limits.max_settlement_age_ms
        super().__init__(FeedId.SETTLEMENT, context, url, settings, age_ms)
        self._auth = auth
        self._assets = dict(assets)
        self._window_s = window_s
        self._seen = {asset: Seen(STAMPS_MAX) for asset in self._assets.values()}

    async def _greet(self, conn: int, link: _Link) -> None:
        await link.socket.send(stream.bolt_auth(f"a{conn}", self._auth()))
        await asyncio.sleep(OP_GAP_S)
        symbols: Sequence[str] = tuple(self._assets)
        await link.socket.send(stream.bolt_subscribe(f"s{conn}", symbols, self._window_s))

    def _take(self, link: _Link, raw: bytes, recv_ns: int) -> bool:
        if self.context.ring is not None:
            self.context.ring.push(raw, recv_ns, tag(Channel.SETTLEMENT))
        message = codec.bolt_message(raw, self._assets, self._window_s, recv_ns)
        if isinstance(message, codec.BoltReply):
            if message.op == "error":
                link.faults += 1
                self.detail = f"the settling feed says {message.code}"
            return False
        if message is None or not message.prices:
            return False
        if message.dropped or (link.seq and message.seq > link.seq + 1):
            self.gaps += 1
        link.seq = message.seq
        for price in message.prices:
            self._publish(price)
        return True

    def _publish(self, price: SettlementPrice) -> None:
        if self._seen[price.asset].new(price.stamp_ms):
            self.context.emit(price)

    def _chores(self, now_ns: int) -> None:
        """Nothing is due: the server pings, and the library answers."""

"""The feeds that need our key: greetings, one event per message, and what their server says."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from dailyarb.core.domain.events import Event, FeedState, FeedStatus, Fill, SettlementPrice
from dailyarb.core.domain.market import Outcome
from dailyarb.core.domain.settings import Feeds
from dailyarb.runtime.clock import BootClock
from dailyarb.runtime.pooled import FeedContext
from dailyarb.runtime.private import Seen, SettlementFeed, UserFeed
from dailyarb.venues.polymarket.codec import Ours
from tests.integration.test_feeds import until
from tests.unit.test_codec_user import ME, ROLES, trade

FEEDS = Feeds(connections=2)
T = 1_786_179_814_000
AUTH = {"apiKey": ME, "secret": "s", "passphrase": "p"}
Talk = Callable[[ServerConnection, str], Awaitable[None]]


class Server:
    """Hears everything and says what the test wants."""

    def __init__(self, talk: Talk) -> None:
        self.talk = talk
        self.heard: list[str] = []
        self.sockets: list[ServerConnection] = []

    async def __aenter__(self) -> Server:
        self.server = await serve(self._serve, "127.0.0.1", 0, compression=None)
        self.url = f"ws://127.0.0.1:{self.server.sockets[0].getsockname()[1]}/ws"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.server.close(close_connections=True)
        await self.server.wait_closed()

    async def _serve(self, socket: ServerConnection) -> None:
        self.sockets.append(socket)
        try:
            async for text in socket:
                assert isinstance(text, str)
                self.heard.append(text)
                await self.talk(socket, text)
        except ConnectionClosed:
            pass
        finally:
            self.sockets.remove(socket)

    async def say(self, *frames: object) -> None:
        for socket in list(self.sockets):
            for frame in frames:
                await socket.send(frame if isinstance(frame, str) else json.dumps(frame))


def context(events: list[Event], errors: list[BaseException]) -> FeedContext:
    return FeedContext(BootClock(), events.append, errors.append, random.Random(1))


async def pong(socket: ServerConnection, text: str) -> None:
    if text == "PING":
        await socket.send("PONG")


async def test_each_own_fill_is_told_once_over_two_connections() -> None:
    events: list[Event] = []
    errors: list[BaseException] = []
    async with Server(pong) as server:
        ours = Ours(ME, ROLES, ())
        feed = UserFeed(context(events, errors), server.url, lambda: AUTH, FEEDS, ours)
        feed.start()
        await until(lambda: feed.pool.alive == 2 and len(server.heard) == 4)
        greetings = [json.loads(text) for text in server.heard if text != "PING"]
        assert greetings == [{"type": "user", "auth": AUTH}] * 2, "everything of the key"
        await until(lambda: feed.state().status is FeedStatus.FRESH)
        await server.say(trade(), "{", trade(id="t2"), {"event_type": "weather"})
        await until(lambda: feed.state().frames == 2 * 5)
        fills = [event for event in events if isinstance(event, Fill)]
        assert [fill.trade_id for fill in fills] == ["t1", "t2"]
        assert fills[0].outcome is Outcome.UP
        assert feed.state().faults == 1, "the second copy of a damaged frame is only a copy"
        for socket in list(server.sockets):
            socket.transport.abort()
        await until(lambda: feed.pool.reconnects == 2 and feed.pool.alive == 2)
        states = [event.status for event in events if isinstance(event, FeedState)]
        assert FeedStatus.DOWN in states
        await feed.close()
    assert not errors


def price(seq: int, stamp_ms: int, **changes: object) -> dict[str, object]:
    payload = {"symbol": "btcusd", "timestamp": T + stamp_ms, "value": 1.5,
               "full_accuracy_value": "1.5"}  # fmt: skip
    return {"v": 1, "channel": "price.crypto.twap", "seq": seq, "payload": payload, **changes}


async def test_each_settling_value_is_told_once_and_gaps_are_counted() -> None:
    events: list[Event] = []
    errors: list[BaseException] = []

    async def talk(socket: ServerConnection, text: str) -> None:
        frame = json.loads(text)
        word = {"auth": "authed", "subscribe": "subscribed"}[frame["op"]]
        await socket.send(json.dumps({"op": word, "rid": frame["rid"]}))

    async with Server(talk) as server:
        assets = {"btcusd": "btc"}
        feed = SettlementFeed(context(events, errors), server.url, lambda: AUTH, FEEDS, assets)
        feed.start()
        await until(lambda: len(server.heard) == 4 and feed.pool.alive == 2)
        ops = [json.loads(text)["op"] for text in server.heard]
        assert sorted(ops) == ["auth", "auth", "subscribe", "subscribe"]
        history = {"symbol": "btcusd", "data": [
            {"timestamp": T + t, "value": 1.5, "full_accuracy_value": "1.5"} for t in (1000, 2000)
        ]}  # fmt: skip
        await server.say(price(1, 0, snapshot=True, payload=history))
        await server.say(price(2, 2000), price(3, 3000), price(5, 5000), "{")
        await until(lambda: feed.state().frames == 2 * 7)
        stamps = [event.stamp_ms - T for event in events if isinstance(event, SettlementPrice)]
        assert stamps == [1000, 2000, 3000, 5000]
        assert (feed.gaps, feed.state().faults) == (2, 2)
        await feed.close()
    assert not errors


async def test_a_refused_key_is_named_and_proves_no_life() -> None:
    events: list[Event] = []
    errors: list[BaseException] = []

    async def talk(socket: ServerConnection, text: str) -> None:
        if json.loads(text)["op"] == "auth":
            await socket.send(json.dumps({"op": "error", "code": "auth_invalid"}))
            await socket.close(4001, "auth")

    async with Server(talk) as server:
        feed = SettlementFeed(
            context(events, errors), server.url, lambda: AUTH, FEEDS, {"btcusd": "btc"}
        )
        feed.start()
        await until(lambda: feed.pool.reconnects >= 2)
        state = feed.state()
        assert state.status in (FeedStatus.CONNECTING, FeedStatus.DOWN)
        assert "auth" in state.detail
        assert AUTH["secret"] not in state.detail.split()
        await feed.close()
    assert not errors


async def test_a_server_that_is_full_is_left_alone_as_long_as_it_asks() -> None:
    async def refuse(connection: ServerConnection, _: object) -> object:
        response = connection.respond(503, "later\n")
        response.headers["Retry-After"] = "30"
        return response

    server = await serve(lambda _: asyncio.sleep(0), "127.0.0.1", 0, process_request=refuse)
    url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ws"
    feed = UserFeed(context([], []), url, lambda: AUTH, FEEDS, Ours(ME, {}, ()))
    feed.start()
    await until(lambda: feed.pool.reconnects == 2)
    assert feed.state().detail == "HTTP 503"
    assert feed.pool.next_deadline(0) - feed.pool._endpoints[0].ready_ns == 0
    feed.step()
    assert feed.pool.reconnects == 2 and not feed._tasks
    await feed.close()
    server.close()
    await server.wait_closed()


def test_the_memory_of_seen_messages_is_bounded() -> None:
    seen = Seen(3)
    assert [seen.new(key) for key in "aabcda"] == [True, False, True, True, True, True]

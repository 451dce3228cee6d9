"""The venues behind real sockets: the same protocol, paced by the wall clock."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from coincurve import PrivateKey
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from dailyarb.sim import eip712
from dailyarb.sim.embedded import EmbeddedVenues, Profile
from dailyarb.sim.loopback import Endpoints, Loopback, VenueClock

WAIT_S = 5.0


class Live:
    """A running loopback and a client of it."""

    def __init__(self, loopback: Loopback, at: Endpoints, http: aiohttp.ClientSession) -> None:
        self.loopback = loopback
        self.at = at
        self.http = http
        self.venues: EmbeddedVenues

    @property
    def tokens(self) -> list[str]:
        """The tokens of the window that runs now."""
        now_s = int(time.time())
        entry = self.venues.polymarket.hall.by_slug[f"btc-updown-5m-{now_s // 300 * 300}"]
        return list(entry.market.identity.tokens)

    async def get(self, url: str, **query: str) -> Any:
        async with self.http.get(url, params=query) as reply:
            assert reply.status == 200
            return json.loads(await reply.read())

    async def control(self, **body: Any) -> Any:
        async with self.http.post(self.at.control_http + "/control", json=body) as reply:
            return await reply.json()

    async def private(self, method: str, path: str, body: object = None) -> tuple[int, Any, float]:
        """A signed request: status, JSON, and how long it took."""
        known = self.venues.credentials
        data = b"" if body is None else json.dumps(body, separators=(",", ":")).encode()
        stamp = str(int(time.time()))
        headers = {
            "POLY_ADDRESS": known.address,
            "POLY_API_KEY": known.api_key,
            "POLY_PASSPHRASE": known.passphrase,
            "POLY_TIMESTAMP": stamp,
            "POLY_SIGNATURE": eip712.hmac_signature(known.secret, stamp, method, path, data),
        }
        began = time.monotonic()
        url = self.at.clob_http + path
        async with self.http.request(method, url, data=data or None, headers=headers) as reply:
            return reply.status, json.loads(await reply.read()), time.monotonic() - began

    def order(self, token: str, cash: int, shares: int, kind: str) -> dict[str, Any]:
        """A signed BUY in 1e-6 units."""
        known = self.venues.credentials
        fields: dict[str, Any] = {
            "salt": random.Random(time.time_ns()).getrandbits(50), "maker": known.address,
            "signer": known.address, "tokenId": token, "makerAmount": str(cash),
            "takerAmount": str(shares), "side": "BUY", "expiration": "0", "signatureType": 0,
            "timestamp": str(time.time_ns() // 10**6), "metadata": "0x00", "builder": "0x00",
        }  # fmt: skip
        digest = eip712.order_digest(eip712.read_order(fields))
        key = PrivateKey(bytes.fromhex(known.private_key[2:]))
        raw = key.sign_recoverable(digest, hasher=None)
        fields["signature"] = "0x" + (raw[:64] + bytes([27 + raw[64]])).hex()
        return {"order": fields, "owner": known.api_key, "orderType": kind, "deferExec": False}


@asynccontextmanager
async def living(**choices: Any) -> AsyncIterator[Live]:
    profile = Profile(
        **{"seed": 5, "assets": ("btc",), "labels": ("5m",), "wire": False, **choices}
    )
    clock = VenueClock(profile.speed)
    venues = EmbeddedVenues(profile, clock.now_ns())
    loopback = Loopback(clock, random.Random(1))
    at = await venues.serve(loopback)
    async with aiohttp.ClientSession() as http:
        try:
            live = Live(loopback, at, http)
            live.venues = venues
            yield live
        finally:
            await loopback.close()


async def until(connection: ClientConnection, wanted: Callable[[Any], bool]) -> Any:
    """The first frame that is wanted, JSON opened; fails after a bounded wait."""
    async with asyncio.timeout(WAIT_S):
        async for text in connection:
            assert isinstance(text, str)
            value = json.loads(text) if text[:1] in "[{" else text
            if wanted(value):
                return value
    raise AssertionError("the connection ended first")


def kind(name: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, dict) and value.get("event_type") == name


def run(scene: Callable[[Live], Any], **choices: Any) -> None:
    async def play() -> None:
        async with living(**choices) as live:
            await scene(live)

    asyncio.run(play())


def test_market_channel_from_discovery_to_changes() -> None:
    async def scene(live: Live) -> None:
        start = int(time.time()) // 300 * 300
        market = await live.get(f"{live.at.gamma_http}/markets/slug/btc-updown-5m-{start}")
        tokens = json.loads(market["clobTokenIds"])
        async with connect(live.at.clob_ws + "/ws/market") as line:
            frame = {"type": "market", "assets_ids": tokens, "custom_feature_enabled": True}
            await line.send(json.dumps(frame))
            books = await until(line, lambda value: isinstance(value, list))
            assert [book["asset_id"] for book in books] == tokens
            change = await until(line, kind("price_change"))
            assert abs(int(change["timestamp"]) / 1000 - time.time()) < 2
            await line.send("PING")
            assert await until(line, lambda value: value == "PONG") == "PONG"

    run(scene, rate_scale=0.5)


def test_binance_streams_and_rest() -> None:
    async def scene(live: Live) -> None:
        url = live.at.binance_ws + "/stream?streams=btcusdt@bookTicker/btcusdt@trade"
        async with connect(url + "&timeUnit=MICROSECOND") as line:
            event = await until(line, lambda v: v["stream"] == "btcusdt@trade")
            assert event["data"]["E"] > 10**15
        served = await live.get(live.at.binance_http + "/api/v3/time")
        assert abs(served["serverTime"] / 1000 - time.time()) < 2

    run(scene, rate_scale=1.0)


def test_an_order_over_http_and_its_events() -> None:
    async def scene(live: Live) -> None:
        known = live.venues.credentials
        async with connect(live.at.clob_ws + "/ws/user") as line:
            auth = {"apiKey": known.api_key, "secret": known.secret, "passphrase": known.passphrase}
            await line.send(json.dumps({"type": "user", "auth": auth}))
            resting = live.order(live.tokens[0], 200_000, 20_000_000, "GTC")
            status, answer, _ = await live.private("POST", "/order", resting)
            assert (status, answer["status"]) in ((200, "live"), (200, "matched"))
            placed = await until(line, kind("order"))
            assert placed["id"] == answer["orderID"]
            status, gone, _ = await live.private("DELETE", "/cancel-all")
            assert (status, gone["canceled"]) == (200, [answer["orderID"]])
            ended = await until(line, lambda v: kind("order")(v) and v["type"] == "CANCELLATION")
            assert ended["status"] == "CANCELED"

    run(scene)


def test_a_marketable_order_is_answered_after_its_hold() -> None:
    async def scene(live: Live) -> None:
        taker = live.order(live.tokens[0], 9_900_000, 10_000_000, "FAK")
        _, _, took = await live.private("POST", "/order", taker)
        assert took >= 0.05
        _, orders, _ = await live.private("GET", "/data/orders")
        assert orders["data"] == []

    run(scene)


def test_the_settling_feed_over_a_socket() -> None:
    async def scene(live: Live) -> None:
        known = live.venues.credentials
        async with connect(live.at.settle_ws + "/ws") as line:
            auth = {"apiKey": known.api_key, "secret": known.secret, "passphrase": known.passphrase}
            await line.send(json.dumps({"op": "auth", "rid": "a", "auth": auth}))
            await until(line, lambda v: v.get("op") == "authed")
            wanted = {"symbol": "btcusd", "window_seconds": 60}
            entry = {"channel": "price.crypto.twap", "filter": wanted}
            await line.send(json.dumps({"op": "subscribe", "rid": "s", "subscriptions": [entry]}))
            first = await until(line, lambda v: v.get("channel") == "price.crypto.twap")
            assert first["snapshot"] is True

    run(scene)


def test_wrong_paths_are_refused_at_the_upgrade() -> None:
    async def scene(live: Live) -> None:
        with pytest.raises(InvalidStatus) as refused:
            async with connect(live.at.clob_ws + "/ws/none"):
                pass
        assert refused.value.response.status_code == 404

    run(scene)


def test_control_cuts_silences_and_tells_the_truth() -> None:
    async def scene(live: Live) -> None:
        async with connect(live.at.clob_ws + "/ws/market") as line:
            frame = {"type": "market", "assets_ids": live.tokens}
            await line.send(json.dumps(frame))
            await until(line, lambda value: isinstance(value, list))
            await live.control(op="silence", venue="clob")
            await line.send("PING")
            await until(line, lambda value: value == "PONG")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(line.recv(), 0.3)
            cut = await live.control(op="cut", venue="clob")
            assert len(cut["cut"]) == 1
            with pytest.raises(ConnectionClosed):
                await asyncio.wait_for(line.recv(), WAIT_S)
        assert (await live.control(op="state"))["cash"] == "1000"
        assert "error" in await live.control(op="dance")

    run(scene, rate_scale=1.0)


def test_the_wire_takes_time_and_keeps_order() -> None:
    async def scene(live: Live) -> None:
        async with connect(live.at.binance_ws + "/ws/btcusdt@trade") as line:
            ids = []
            late = []
            for _ in range(20):
                event = json.loads(await asyncio.wait_for(line.recv(), WAIT_S))
                ids.append(event["t"])
                late.append(time.time() * 1000 - event["T"])
        assert ids == list(range(ids[0], ids[0] + 20))
        assert min(late) >= 45

    run(scene, wire=True, rate_scale=1.0)


def test_a_client_that_does_not_read_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dailyarb.sim.loopback._BUFFER_MAX", 1 << 16)

    async def scene(live: Live) -> None:
        deaf = socket.socket()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", int(live.at.binance_ws.rsplit(":", 1)[1])))
        path = "/stream?streams=btcusdt@depth@100ms/btcusdt@bookTicker/btcusdt@trade"
        deaf.send(
            f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        async with asyncio.timeout(10 * WAIT_S):
            while live.loopback.dropped_slow == 0:  # noqa: ASYNC110 - a counter has no event
                await asyncio.sleep(0.01)
        deaf.close()

    run(scene, rate_scale=1.0, speed=100.0)


def child(*words: str) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "dailyarb.sim.embedded", "--assets", "btc", *words],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())


def test_the_process_says_where_it_is_and_ends_on_a_signal() -> None:
    process, greeting = child("--seed", "4")
    try:
        assert greeting["ready"] is True
        assert set(greeting["endpoints"]) == set(Endpoints._fields)
        assert set(greeting["credentials"]) == {
            "private_key", "address", "deposit_wallet", "api_key", "secret", "passphrase",
        }  # fmt: skip
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT_S) == 0
        assert process.stdout is not None
        process.stdout.close()


_PARENT = """
import os, subprocess, sys
read, write = os.pipe()
child = subprocess.Popen(
    [sys.executable, "-m", "dailyarb.sim.embedded", "--assets", "btc", "--ready-fd", str(write),
     "--parent-pid", str(os.getpid())], pass_fds=[write])
os.read(read, 4096)
print(child.pid, flush=True)
os._exit(0)
"""


def test_the_process_dies_with_its_parent() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PARENT], capture_output=True, text=True, check=True, timeout=20
    )
    orphan = int(done.stdout)
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        try:
            os.kill(orphan, 0)
        except ProcessLookupError:
            return
        time.sleep(0.02)
    os.kill(orphan, signal.SIGKILL)
    raise AssertionError("the venues outlived their parent")

"""The wire on loopback: frames in beside the websockets package, orders out beside aiohttp.

The servers run in a process of their own, so that only the client's work is measured. Receiving is
the CPU time of the client's thread per message; a POST is the time from the call to its answer.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from multiprocessing.connection import Connection

import aiohttp
import msgspec
from picows import WSFrame, WSListener, WSTransport, ws_connect
from websockets.asyncio.client import connect

from dailyarb._fast.router import BookRouter
from dailyarb.bench.rounds import answers, row, served
from dailyarb.core.domain.clock import ManualClock
from dailyarb.core.domain.commands import SignedOrder, Submit
from dailyarb.core.domain.events import Event, SubmitResult
from dailyarb.core.domain.orders import TIF
from dailyarb.runtime.clock import boot_ns
from dailyarb.runtime.feed import MarketListener
from dailyarb.runtime.submit import OrderPath, PathSettings

MESSAGES = 5_000
ORDERS = 200
CHUNK = 65_536
_UP, _DOWN = "1" * 77, "2" * 77
_ORDER_ID = "0x" + "ab" * 32
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class _Change(msgspec.Struct):
    asset_id: str
    price: str
    size: str
    side: str
    best_bid: str
    best_ask: str


class _Frame(msgspec.Struct):
    event_type: str
    market: str
    timestamp: str
    price_changes: list[_Change]


def frames(count: int) -> list[bytes]:
    """Returns price_change frames of one market, shaped and sized as the venue's."""
    made: list[bytes] = []
    for serial in range(count):
        price = 30 + serial % 15
        entries = [
            {"asset_id": token, "price": f"{at / 100:.2f}", "size": f"{100 + serial}.5",
             "side": side, "hash": hashlib.sha1(f"{serial}{side}".encode()).hexdigest(),
             "best_bid": bid, "best_ask": ask}
            for token, at, side, bid, ask in (
                (_UP, price, "BUY", "0.44", "0.46"),
                (_DOWN, 100 - price, "SELL", "0.54", "0.56"),
            )
        ]  # fmt: skip
        frame = {
            "event_type": "price_change",
            "market": "0x" + "cd" * 32,
            "timestamp": str(1_776_808_414_000 + serial),
            "price_changes": entries,
        }
        made.append(json.dumps(frame, separators=(",", ":")).encode())
    return made


def _blob(payloads: list[bytes]) -> bytes:
    """Returns payloads as unmasked text frames, one behind the other."""
    parts: list[bytes] = []
    for payload in payloads:
        size = len(payload)
        head = bytes((0x81, size)) if size < 126 else b"\x81\x7e" + size.to_bytes(2, "big")
        parts.append(head + payload)
    return b"".join(parts)


async def _serve(pipe: Connection) -> None:
    """Serves both ports until the pipe is closed: a burst per text frame, an answer per POST."""
    burst = _blob(frames(MESSAGES))
    body = json.dumps({"success": True, "orderID": _ORDER_ID, "status": "matched"}).encode()
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)

    async def stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        key = next(line for line in lines if line.lower().startswith(b"sec-websocket-key"))
        digest = hashlib.sha1(key.split(b":", 1)[1].strip() + _GUID).digest()
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
        )
        with suppress(ConnectionError):
            while await reader.read(64):
                for at in range(0, len(burst), CHUNK):
                    writer.write(burst[at : at + CHUNK])
                    await writer.drain()
        writer.close()

    async def post(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
                await reader.readexactly(int(length or 0))
                writer.write(answer)
        writer.close()

    streams = await asyncio.start_server(stream, "127.0.0.1", 0)
    posts = await asyncio.start_server(post, "127.0.0.1", 0)
    pipe.send([server.sockets[0].getsockname()[1] for server in (streams, posts)])
    await asyncio.to_thread(pipe.poll, None)


def _child(pipe: Connection) -> None:
    asyncio.run(_serve(pipe))


async def _ours(url: str) -> tuple[Callable[[], Awaitable[None]], Callable[[], None]]:
    """Returns how to take one burst with our listener, and how to end."""
    router = BookRouter(1)
    router.add_market(0, _UP, _DOWN, 100)
    done = asyncio.Event()

    def burst(_: int) -> None:
        if listener.frames >= wanted:
            done.set()

    def ignore(*_: object) -> None:
        return

    listener = MarketListener(router, burst, ignore, ignore, ignore, ignore)
    wanted = 0
    await ws_connect(lambda: listener, url)

    async def take() -> None:
        nonlocal wanted
        wanted = listener.frames + MESSAGES
        done.clear()
        listener.send(b"go")
        while listener.frames < wanted:
            # The last burst may change nothing and so not call: look again now and then.
            with suppress(TimeoutError):
                await asyncio.wait_for(done.wait(), 0.02)

    return take, listener.drop


class _PythonListener(WSListener):
    """Decodes each frame with msgspec in a Python callback."""

    def __init__(self) -> None:
        self.decode = msgspec.json.Decoder(_Frame).decode
        self.book: dict[tuple[str, str], dict[str, str]] = {}
        self.seen = 0
        self.done = asyncio.Event()
        self.transport: WSTransport | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Remembers the transport."""
        self.transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Applies one frame to a dict."""
        _apply(self.decode(frame.get_payload_as_memoryview()), self.book)
        self.seen += 1
        if self.seen % MESSAGES == 0:
            self.done.set()


def _apply(frame: _Frame, book: dict[tuple[str, str], dict[str, str]]) -> None:
    for change in frame.price_changes:
        side = book.setdefault((change.asset_id, change.side), {})
        if change.size == "0":
            side.pop(change.price, None)
        else:
            side[change.price] = change.size


async def _picows(url: str) -> tuple[Callable[[], Awaitable[None]], Callable[[], None]]:
    from picows import WSMsgType

    listener = _PythonListener()
    transport, _ = await ws_connect(lambda: listener, url)

    async def take() -> None:
        listener.done.clear()
        transport.send(WSMsgType.TEXT, b"go")
        await listener.done.wait()

    return take, lambda: transport.disconnect(False)


async def _websockets(url: str) -> tuple[Callable[[], Awaitable[None]], Callable[[], None]]:
    socket = await connect(url, compression=None, max_queue=None)
    decode = msgspec.json.Decoder(_Frame).decode
    book: dict[tuple[str, str], dict[str, str]] = {}

    async def take() -> None:
        await socket.send("go")
        for _ in range(MESSAGES):
            _apply(decode(await socket.recv(decode=False)), book)

    return take, socket.transport.abort


async def _receive(port: int, rounds: int) -> dict[str, object]:
    """Measures CPU per message of each contender, interleaved."""
    url = f"ws://127.0.0.1:{port}/"
    made = {
        "ours": await _ours(url),
        "picows (Python) + msgspec": await _picows(url),
        "websockets + msgspec": await _websockets(url),
    }
    draw = random.Random(rounds)
    times: dict[str, list[float]] = {name: [] for name in made}
    for take, _ in made.values():
        await take()
    for _ in range(rounds):
        for name in draw.sample(sorted(made), len(made)):
            begun = time.thread_time_ns()
            await made[name][0]()
            times[name].append((time.thread_time_ns() - begun) / MESSAGES)
    for _, end in made.values():
        end()
    return row("receive, decode and apply a price_change from a socket, CPU", times)


class _Seal:
    """Stands for the credentials, whose cost is measured elsewhere."""

    def block(self, timestamp_s: int, method: str, path: str, body: bytes) -> bytes:
        """Returns header lines of the real size."""
        return b"POLY_SIGNATURE: %b%d\r\n" % (b"x" * 220, timestamp_s + len(method + path + "b"))


async def _orders(port: int, rounds: int) -> list[dict[str, object]]:
    """Measures a POST from the call to its answer."""
    url = f"http://127.0.0.1:{port}"
    order = b'{"salt":1,"pad":"' + b"x" * 900 + b'"}'
    answered: list[Event] = []
    arrived = asyncio.Event()

    def emit(event: Event) -> None:
        answered.append(event)
        arrived.set()

    clock = ManualClock(0, 1_776_808_414_000_000_000)
    path = OrderPath(
        url, _Seal(), "key", clock, emit, PathSettings(connections=3, orders_burst=1_000_000)
    )
    await path.start()
    signed = (SignedOrder(_ORDER_ID, order, TIF.FAK, post_only=False),)

    async def ours() -> None:
        arrived.clear()
        path.submit(Submit(signed, asked_ns=1, decided_ns=boot_ns()))
        await arrived.wait()

    async with aiohttp.ClientSession() as session:
        head = {"POLY_SIGNATURE": "x" * 230, "Content-Type": "application/json"}
        body = b'{"deferExec":false,"owner":"key","orderType":"FAK","order":' + order + b"}"

        async def theirs() -> None:
            async with session.post(url + "/order", data=body, headers=head) as response:
                json.loads(await response.read())

        contenders = {"ours": ours, "aiohttp": theirs}

        async def one(name: str) -> float:
            begun = time.perf_counter_ns()
            await contenders[name]()
            return float(time.perf_counter_ns() - begun)

        middle, tail = await answers(contenders, one, rounds, ORDERS)
    await path.close()
    assert all(isinstance(event, SubmitResult) for event in answered)
    written = path.written.percentile(50)
    return [
        row("POST an order on a warm connection, call to answer, p50", middle),
        row("POST an order on a warm connection, call to answer, p99", tail),
        {
            "name": "decision to order handed to the kernel, p50",
            "unit": "ns",
            "ours": float(written),
            "peers": {},
            "ratio_to_best_peer": None,
        },
    ]


def run(rounds: int = 7) -> list[dict[str, object]]:
    """Returns the rows of the wire benchmark."""
    with served(_child) as (_, (streams, posts)):

        async def measure() -> list[dict[str, object]]:
            return [await _receive(streams, rounds), *await _orders(posts, rounds)]

        return asyncio.run(measure())

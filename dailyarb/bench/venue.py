"""A venue for measuring: it sends ticks at a fixed rate and notes when orders come back.

Not a market. The book never moves; every `jump_ms` Binance steps across the strike, which makes S1
take the quote, and the order is answered "no match". What is measured is the way from the tick's
first byte out to the order's last byte in. Runs in a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import json
import os
import time
from datetime import UTC, datetime
from http import HTTPStatus
from urllib.parse import urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from dailyarb._fast.histogram import LatencyHistogram
from dailyarb.sim.embedded import throw_away

UP, DOWN = "1" * 77, "2" * 77
MARKET = "0x" + "ab" * 32
SYMBOL = "BTCUSDT"
STRIKE = 100_000.0
STEP = 40.0  # dollars to each side of the strike
LEVELS = 10
KILLED = {
    "success": False,
    "errorMsg": "no orders found to match with FAK order. FAK orders are partially filled or "
    "killed if no match is found.",
    "status": "unmatched",
    "makingAmount": "",
    "takingAmount": "",
    "tradeIDs": [],
    "transactionsHashes": [],
}


class Bench:
    """Is the state the servers share."""

    def __init__(self, rate_hz: float, jump_ms: float) -> None:
        self.rate_hz = rate_hz
        self.jump_s = jump_ms / 1e3
        self.trips = LatencyHistogram()
        self.jumps = 0
        self.orders = 0
        self.frames = 0
        self.jumped_ns = 0
        self.up = False
        self.books: set[ServerConnection] = set()
        self.spots: set[ServerConnection] = set()
        self.slug = ""

    # frames

    def snapshot(self) -> str:
        """Returns the books of both tokens."""
        stamp = str(_ms())
        up = [(50 - i, 51 + i) for i in range(LEVELS)]
        books = []
        for token, flip in ((UP, False), (DOWN, True)):
            bids = [100 - a if flip else b for b, a in up]
            asks = [100 - b if flip else a for b, a in up]
            books.append(
                {
                    "event_type": "book",
                    "market": MARKET,
                    "asset_id": token,
                    "timestamp": stamp,
                    "hash": _hash(token, stamp),
                    "bids": [{"price": f"{p / 100:.2f}", "size": "500"} for p in bids[::-1]],
                    "asks": [{"price": f"{p / 100:.2f}", "size": "500"} for p in asks[::-1]],
                }
            )
        return json.dumps(books)

    def change(self, n: int) -> str:
        """Returns a change three cents below the touch: the book lives, the touch stays."""
        stamp, size = str(_ms()), str(400 + n % 200)
        rows = [(UP, "0.47", "BUY", "0.50", "0.51"), (DOWN, "0.53", "SELL", "0.49", "0.50")]
        changes = [
            {
                "asset_id": token,
                "price": price,
                "size": size,
                "side": side,
                "hash": _hash(token, f"{n}"),
                "best_bid": bid,
                "best_ask": ask,
            }
            for token, price, side, bid, ask in rows
        ]
        return json.dumps(
            {
                "market": MARKET,
                "price_changes": changes,
                "timestamp": stamp,
                "event_type": "price_change",
            }
        )

    def ticker(self, n: int) -> str:
        """Returns the quote on the present side of the strike."""
        mid = STRIKE + (STEP if self.up else -STEP)
        data = {
            "u": n,
            "s": SYMBOL,
            "b": f"{mid - 0.01:.8f}",
            "B": "1.00000000",
            "a": f"{mid + 0.01:.8f}",
            "A": "1.00000000",
        }
        return json.dumps({"stream": "btcusdt@bookTicker", "data": data})

    # pacing

    async def run(self) -> None:
        """Sends changes at the rate and a step of the reference every jump."""
        loop = asyncio.get_running_loop()
        began, n, tick = loop.time(), 0, 0
        next_jump = began + 1.0
        while True:
            n += 1
            due = began + n / self.rate_hz
            wait = due - loop.time()
            if wait > 0:
                await asyncio.sleep(wait)
            if loop.time() >= next_jump:
                next_jump += self.jump_s
                tick += 1
                self.up = not self.up
                await self._send(self.spots, self.ticker(tick), jump=True)
            else:
                await self._send(self.books, self.change(n))

    async def _send(self, to: set[ServerConnection], text: str, jump: bool = False) -> None:
        if jump and to:
            self.jumps += 1
            self.jumped_ns = time.perf_counter_ns()
        for socket in list(to)[:1] if jump else list(to):
            self.frames += 1
            with contextlib.suppress(ConnectionClosed):
                await socket.send(text)

    def order_in(self) -> None:
        """Takes the last byte of an order."""
        self.orders += 1
        if self.jumped_ns:
            self.trips.record(time.perf_counter_ns() - self.jumped_ns)
            self.jumped_ns = 0

    def report(self) -> dict[str, float]:
        """Returns what was measured, microseconds; clears nothing."""
        count, p50, _, p99, p999, worst = self.trips.snapshot()
        return {
            "frames": self.frames,
            "jumps": self.jumps,
            "orders": self.orders,
            "count": count,
            "p50_us": p50 / 1e3,
            "p99_us": p99 / 1e3,
            "p999_us": p999 / 1e3,
            "max_us": worst / 1e3,
        }


def _ms() -> int:
    return time.time_ns() // 1_000_000


def _hash(*parts: str) -> str:
    return hashlib.sha1("/".join(parts).encode(), usedforsecurity=False).hexdigest()


def market_object(slug: str) -> dict[str, object]:
    """Returns the catalogue's record of the one window, whose times its slug tells."""
    start = int(slug.rsplit("-", 1)[1])
    word = slug.split("-")[2]
    length = {"5m": 300, "15m": 900, "4h": 14_400}[word]

    def text(seconds: int) -> str:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    return {
        "conditionId": MARKET,
        "slug": slug,
        "clobTokenIds": json.dumps([UP, DOWN]),
        "outcomes": '["Up", "Down"]',
        "outcomePrices": '["0.5", "0.5"]',
        "eventStartTime": text(start),
        "endDate": text(start + length),
        "active": True,
        "closed": False,
        "acceptingOrders": True,
        "enableOrderBook": True,
        "orderPriceMinTickSize": 0.01,
        "orderMinSize": 5,
        "negRisk": False,
        "version": "v1",
        "resolutionSource": "https://data.chain.link/streams/btc-usd-twap-60s-streams",
        "feeSchedule": {"exponent": 1, "rate": 0.07, "takerOnly": True, "rebateRate": 0.2},
        "cryptoMarketConfig": {
            "asset": "btc",
            "duration": word,
            "twapEnabled": True,
            "twapLookbackSeconds": 60,
        },
        "eventMetadata": {"priceToBeat": STRIKE},
    }


class Http(asyncio.Protocol):
    """Answers REST in the same loop run as the last byte comes in."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._held = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Takes bytes; answers each complete request."""
        self._held += data
        while b"\r\n\r\n" in self._held:
            head, _, rest = self._held.partition(b"\r\n\r\n")
            length = 0
            for line in head.split(b"\r\n")[1:]:
                name, _, value = line.partition(b":")
                if name.strip().lower() == b"content-length":
                    length = int(value)
            if len(rest) < length:
                return
            method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ", 2)
            if method == "POST" and target.startswith("/order"):
                self._bench.order_in()
            body, self._held = rest[:length], rest[length:]
            self._answer(method, target, body)

    def _answer(self, method: str, target: str, body: bytes) -> None:
        found = self._found(method, urlsplit(target).path, body)
        status = HTTPStatus.NOT_FOUND if found is None else HTTPStatus.OK
        raw = json.dumps(found).encode()
        head = f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\n"
        assert self._transport is not None
        self._transport.write(f"{head}Content-Length: {len(raw)}\r\n\r\n".encode() + raw)

    def _found(self, method: str, path: str, body: bytes) -> object:
        if method == "POST" and path.startswith("/order"):
            return [KILLED] if path == "/orders" else KILLED
        if path.startswith("/markets/slug/"):
            return self._market(path.rsplit("/", 1)[1])
        if path == "/control":
            return self._bench.report()
        if path == "/v1/heartbeats":
            return {"heartbeat_id": "b"}
        if method == "DELETE":
            return {"canceled": [], "not_canceled": {}}
        return {
            "/time": int(time.time()),
            "/api/v3/time": {"serverTime": _ms()},
            "/balance-allowance": {"balance": "1000000000", "allowances": {}},
            "/data/orders": {"data": [], "next_cursor": "LTE="},
            "/data/trades": {"data": [], "next_cursor": "LTE="},
        }.get(path)

    def _market(self, slug: str) -> object:
        start = int(slug.rsplit("-", 1)[1]) if slug.rsplit("-", 1)[1].isdigit() else 0
        bench = self._bench
        if not bench.slug and start <= time.time():
            bench.slug = slug
        return market_object(slug) if slug == bench.slug else None


async def _book_socket(bench: Bench, socket: ServerConnection) -> None:
    path = socket.request.path if socket.request is not None else ""
    async for message in socket:
        if message == "PING":
            await socket.send("PONG")
        elif path.endswith("/market"):
            await socket.send(bench.snapshot())
            bench.books.add(socket)


async def _spot_socket(bench: Bench, socket: ServerConnection) -> None:
    bench.spots.add(socket)
    await socket.send(bench.ticker(0))
    await socket.wait_closed()
    bench.spots.discard(socket)


async def _settle_socket(socket: ServerConnection) -> None:
    async for message in socket:
        ask = json.loads(message)
        if ask["op"] == "auth":
            await socket.send(json.dumps({"op": "authed", "rid": ask["rid"]}))
            continue
        await socket.send(json.dumps({"op": "subscribed", "rid": ask["rid"]}))
        seq = 0
        while True:
            seq += 1
            stamp = int(time.time()) * 1000
            payload = {
                "symbol": "btcusd",
                "timestamp": stamp,
                "value": STRIKE,
                "full_accuracy_value": f"{STRIKE:.2f}",
            }
            frame = {
                "v": 1,
                "channel": "price.crypto.twap",
                "seq": seq,
                "ts": stamp,
                "payload": payload,
            }
            await socket.send(json.dumps(frame))
            await asyncio.sleep(1.0)


async def _guard(work: object) -> None:
    with contextlib.suppress(ConnectionClosed):
        await work  # type: ignore[misc]


async def live(rate_hz: float, jump_ms: float, ready_fd: int, parent_pid: int) -> None:
    """Serves until the parent is gone."""
    bench = Bench(rate_hz, jump_ms)
    loop = asyncio.get_running_loop()
    books = await serve(lambda s: _guard(_book_socket(bench, s)), "127.0.0.1", 0, compression=None)
    spots = await serve(lambda s: _guard(_spot_socket(bench, s)), "127.0.0.1", 0, compression=None)
    settle = await serve(lambda s: _guard(_settle_socket(s)), "127.0.0.1", 0, compression=None)
    http = await loop.create_server(lambda: Http(bench), "127.0.0.1", 0)
    ports = [next(iter(s.sockets)).getsockname()[1] for s in (books, spots, settle, http)]
    rest = f"http://127.0.0.1:{ports[3]}"
    body = {
        "ready": True,
        "pid": os.getpid(),
        "endpoints": {
            "clob_http": rest,
            "clob_ws": f"ws://127.0.0.1:{ports[0]}",
            "gamma_http": rest,
            "settle_ws": f"ws://127.0.0.1:{ports[2]}",
            "binance_ws": f"ws://127.0.0.1:{ports[1]}",
            "binance_http": rest,
            "control_http": rest,
        },
        "credentials": throw_away(1)._asdict(),
        "replay": {
            "describe": "measuring venue: a book that never moves",
            "meaningless": ["prices are made up to trigger orders"],
        },
    }
    os.write(ready_fd, json.dumps(body).encode() + b"\n")
    pacing = loop.create_task(bench.run())
    while not parent_pid or os.getppid() == parent_pid:
        await asyncio.sleep(0.5)
        if pacing.done():
            pacing.result()
    pacing.cancel()


def main() -> int:
    """Runs the process."""
    words = argparse.ArgumentParser(prog="dailyarb.bench.venue", description=__doc__)
    words.add_argument("--rate-hz", type=float, default=1_000.0)
    words.add_argument("--jump-ms", type=float, default=40.0)
    words.add_argument("--ready-fd", type=int, default=1)
    words.add_argument("--parent-pid", type=int, default=0)
    given = words.parse_args()
    asyncio.run(live(given.rate_hz, given.jump_ms, given.ready_fd, given.parent_pid))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

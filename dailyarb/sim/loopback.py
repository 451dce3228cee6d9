"""The simulated venues behind real sockets on the loopback interface.

The models are the same objects that run in virtual time; here the wall clock paces them. Every
socket and every request passes a `Link`, so that the distance to the venue is part of the market;
`Carriage.none()` takes it away for measurements. A control endpoint cuts, silences and breaks.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import json
import logging
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request as UpgradeRequest
from websockets.http11 import Response as UpgradeResponse
from websockets.protocol import State

from dailyarb.sim.network import Carriage, Link
from dailyarb.sim.types import NS_PER_S, Delivery, Frame, Held, Reply, Request, VenueModel

_POLL_MIN_S = 0.001
_POLL_MAX_S = 0.25
_BUFFER_MAX = 8 << 20
_BODY_MAX = 1 << 20

Ask = Callable[[Request, int], Reply | Held]


class Endpoints(NamedTuple):
    """Is where the venues listen; socket addresses are bases without a path."""

    clob_http: str
    clob_ws: str
    gamma_http: str
    settle_ws: str
    binance_ws: str
    binance_http: str
    control_http: str


class VenueClock:
    """Is the venues' wall clock: the machine's at the start, then `speed` times as fast."""

    def __init__(self, speed: float = 1.0) -> None:
        self.speed = speed
        self._wall_ns = time.time_ns()
        self._mono_ns = time.monotonic_ns()

    def now_ns(self) -> int:
        """Returns venue time; it never steps back."""
        return self._wall_ns + int((time.monotonic_ns() - self._mono_ns) * self.speed)

    def seconds(self, venue_ns: int) -> float:
        """Returns how long a span of venue time takes on the machine."""
        return venue_ns / NS_PER_S / self.speed


class Mount(NamedTuple):
    """Is a model with the carriage of its links."""

    name: str
    model: VenueModel
    carriage: Carriage


class _Socket:
    __slots__ = ("conn_id", "connection", "down", "mount", "up")

    def __init__(self, conn_id: str, connection: ServerConnection, mount: Mount) -> None:
        self.conn_id = conn_id
        self.connection = connection
        self.mount = mount
        self.down: Link
        self.up: Link


class Loopback:
    """Runs models behind servers on 127.0.0.1, ports chosen by the system."""

    def __init__(self, clock: VenueClock, rng: random.Random) -> None:
        self._clock = clock
        self._rng = rng
        self._mounts: dict[str, Mount] = {}
        self._sockets: dict[str, _Socket] = {}
        self._heap: list[tuple[int, int, Delivery]] = []
        self._count = 0
        self._servers: list[Server] = []
        self._runners: list[web.AppRunner] = []
        self._wake = asyncio.Event()
        self._held: dict[tuple[str, int], asyncio.Future[Reply]] = {}
        self._waiting: list[tuple[int, str, int]] = []
        self._driver: asyncio.Task[None] | None = None
        self.dropped_slow = 0

    async def mount_ws(self, mount: Mount, port: int = 0) -> str:
        """Serves a model's sockets; returns the base address."""
        self._mounts.setdefault(mount.name, mount)

        async def handle(connection: ServerConnection) -> None:
            await self._talk(mount, connection)

        async def admit(
            connection: ServerConnection, request: UpgradeRequest
        ) -> UpgradeResponse | None:
            return self._admit(mount, connection, request)

        server = await serve(
            handle, "127.0.0.1", port, process_request=admit, compression=None,
            ping_interval=None, max_size=_BODY_MAX, logger=_quiet(),
        )  # fmt: skip
        self._servers.append(server)
        chosen = next(iter(server.sockets)).getsockname()[1]
        return f"ws://127.0.0.1:{chosen}"

    async def mount_http(self, mount: Mount, ask: Ask, port: int = 0) -> str:
        """Serves a model's requests through `ask`; returns the base address."""
        self._mounts.setdefault(mount.name, mount)
        link_rng = random.Random(self._rng.getrandbits(64))
        link = Link(mount.carriage, link_rng)

        async def handle(request: web.Request) -> web.StreamResponse:
            return await self._serve(mount, ask, link, request)

        return await self._site(handle, port)

    async def mount_control(
        self, act: Callable[[str, Mapping[str, Any]], dict[str, Any]], port: int = 0
    ) -> str:
        """Serves POST /control: a JSON object whose `op` says what to do.

        `cut` (venue, code) is done here; everything else goes to `act(op, body)`.
        """

        async def handle(request: web.Request) -> web.StreamResponse:
            if request.method != "POST" or request.path != "/control":
                return web.json_response({"error": "not found"}, status=404)
            try:
                body = json.loads(await request.read())
                op = str(body["op"])
                result = await self._cut(body) if op == "cut" else act(op, body)
            except (ValueError, KeyError, TypeError) as error:
                return web.json_response({"error": f"bad control: {error}"}, status=400)
            self._wake.set()
            return web.json_response(result)

        return await self._site(handle, port)

    def start(self) -> None:
        """Starts the driver that advances the models."""
        self._driver = asyncio.get_running_loop().create_task(self._drive(), name="venues")

    async def run(self) -> None:
        """Waits until the driver ends; its error is raised here."""
        if self._driver is not None:
            await self._driver

    async def close(self) -> None:
        """Stops the driver and closes every server."""
        if self._driver is not None:
            self._driver.cancel()
            await asyncio.gather(self._driver, return_exceptions=True)
            self._driver = None
        for server in self._servers:
            server.close()
        for server in self._servers:
            await server.wait_closed()
        for runner in self._runners:
            await runner.cleanup()

    async def _site(
        self, handle: Callable[[web.Request], Awaitable[web.StreamResponse]], port: int
    ) -> str:
        app = web.Application(client_max_size=_BODY_MAX)
        app.router.add_route("*", "/{tail:.*}", handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await runner.setup()
        self._runners.append(runner)
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    def _admit(
        self, mount: Mount, connection: ServerConnection, request: UpgradeRequest
    ) -> UpgradeResponse | None:
        """Asks the model whether it takes a socket; None lets the upgrade go on."""
        parts = urlsplit(request.path)
        self._count += 1
        conn_id = f"{mount.name}-{self._count}"
        query = tuple(parse_qsl(parts.query))
        status = mount.model.connect(conn_id, parts.path, query, self._clock.now_ns())
        if status != 101:
            return connection.respond(status, "refused\n")
        socket = _Socket(conn_id, connection, mount)
        socket.down = Link(mount.carriage, random.Random(self._rng.getrandbits(64)))
        socket.up = Link(mount.carriage, random.Random(self._rng.getrandbits(64)))
        self._sockets[conn_id] = socket
        connection.conn_id = conn_id  # type: ignore[attr-defined]
        return None

    async def _talk(self, mount: Mount, connection: ServerConnection) -> None:
        """Hands what a client says to the model, after its way up."""
        conn_id: str = connection.conn_id  # type: ignore[attr-defined]
        socket = self._sockets[conn_id]
        try:
            async for text in connection:
                if isinstance(text, bytes):
                    text = text.decode("utf-8", "replace")
                now_ns = self._clock.now_ns()
                wait = self._clock.seconds(socket.up.carry(now_ns) - now_ns)
                if wait > 0.0:
                    await asyncio.sleep(wait)
                mount.model.receive(conn_id, text, self._clock.now_ns())
                self._wake.set()
        except ConnectionClosed:
            pass
        finally:
            self._sockets.pop(conn_id, None)
            mount.model.disconnect(conn_id)

    async def _serve(
        self, mount: Mount, ask: Ask, link: Link, raw: web.Request
    ) -> web.StreamResponse:
        body = await raw.read()
        request = Request(raw.method, raw.path, tuple(raw.query.items()), dict(raw.headers), body)
        await self._travel(link)
        answer = ask(request, self._clock.now_ns())
        self._wake.set()
        reply = await self._await(mount, answer) if isinstance(answer, Held) else answer
        await self._travel(link)
        headers = dict(reply.headers)
        return web.Response(status=reply.status, body=reply.body, headers=headers)

    async def _travel(self, link: Link) -> None:
        """Waits as long as one way takes."""
        now_ns = self._clock.now_ns()
        wait = self._clock.seconds(link.delay_ns())
        if wait > 0.0 and now_ns:
            await asyncio.sleep(wait)

    async def _await(self, mount: Mount, held: Held) -> Reply:
        """Waits for the end of a hold."""
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._held[(mount.name, held.ticket)] = future
        heapq.heappush(self._waiting, (held.due_ns, mount.name, held.ticket))
        return await future

    async def _drive(self) -> None:
        """Advances the models and sends what is due, for ever."""
        while True:
            self._wake.clear()
            now_ns = self._clock.now_ns()
            for mount in self._mounts.values():
                for delivery in mount.model.advance(now_ns):
                    self._depart(delivery)
            self._answer(now_ns)
            self._arrive(now_ns)
            due_ns = self._next_due_ns()
            wait = _POLL_MAX_S
            if due_ns is not None:
                wait = self._clock.seconds(due_ns - self._clock.now_ns())
            wait = min(max(wait, _POLL_MIN_S), _POLL_MAX_S)
            if wait <= 2 * _POLL_MIN_S:  # too short for a cancellable wait to pay
                await asyncio.sleep(wait)
                continue
            # Not wait_for: in 3.11 it loses a cancellation that comes with the wake-up.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._wake.wait()

    def _next_due_ns(self) -> int | None:
        dues = [mount.model.next_due_ns() for mount in self._mounts.values()]
        known = [due for due in dues if due is not None]
        if self._heap:
            known.append(self._heap[0][0])
        if self._waiting:
            known.append(self._waiting[0][0])
        return min(known, default=None)

    def _depart(self, delivery: Delivery) -> None:
        socket = self._sockets.get(delivery.channel)
        if socket is None:
            return
        self._count += 1
        arrival = socket.down.carry(delivery.at_ns)
        heapq.heappush(self._heap, (arrival, self._count, delivery))

    def _arrive(self, now_ns: int) -> None:
        """Writes what has arrived; one system call per socket and burst."""
        touched: dict[str, _Socket] = {}
        heap = self._heap
        while heap and heap[0][0] <= now_ns:
            delivery = heapq.heappop(heap)[2]
            socket = self._sockets.get(delivery.channel)
            if socket is None or socket.connection.protocol.state is not State.OPEN:
                continue
            protocol = socket.connection.protocol
            if delivery.frame is Frame.TEXT:
                protocol.send_text(delivery.payload)
            elif delivery.frame is Frame.PING:
                protocol.send_ping(delivery.payload)
            else:
                protocol.send_close(delivery.code or 1000, delivery.payload.decode())
            touched[socket.conn_id] = socket
        for socket in touched.values():
            self._write(socket)

    def _write(self, socket: _Socket) -> None:
        transport = socket.connection.transport
        data = b"".join(socket.connection.protocol.data_to_send())
        if transport.is_closing():
            return
        transport.write(data)
        if transport.get_write_buffer_size() > _BUFFER_MAX:
            self.dropped_slow += 1
            transport.abort()

    def _answer(self, now_ns: int) -> None:
        while self._waiting and self._waiting[0][0] <= now_ns:
            _, name, ticket = heapq.heappop(self._waiting)
            future = self._held.pop((name, ticket))
            reply = self._mounts[name].model.answer(ticket)
            if not future.done():
                future.set_result(reply)

    async def _cut(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Ends connections of a venue: abruptly, or with a close code."""
        venue, code = str(body.get("venue", "")), int(body.get("code", 0))
        limit = int(body.get("count", 1 << 30))
        prefix = str(body.get("channel", ""))
        chosen = [
            socket
            for socket in self._sockets.values()
            if socket.mount.name == venue or (prefix and socket.conn_id == prefix)
        ][:limit]
        for socket in chosen:
            if code:
                await socket.connection.close(code)
            else:
                socket.connection.transport.abort()
        return {"cut": [socket.conn_id for socket in chosen]}


def _quiet() -> logging.Logger:
    """Returns a logger that keeps the servers' chatter (cut connections) to itself."""
    logger = logging.getLogger("dailyarb.sim.websockets")
    logger.setLevel(logging.CRITICAL)
    return logger

"""The order path: signed bytes to the wire in the same run, the answer as one event.

A submit is written synchronously on a warm connection or it is UNSENT; it never waits in a queue
and is never sent twice. Whatever the answer does not prove is UNKNOWN. A reserve of connections
belongs to cancels and heartbeats, so they never stand behind orders.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from dailyarb._fast.histogram import LatencyHistogram
from dailyarb.core.domain.clock import Clock
from dailyarb.core.domain.commands import Cancel, CancelAll, Heartbeat, SignedOrder, Submit
from dailyarb.core.domain.events import (
    CancelResult,
    Event,
    HeartbeatResult,
    LegOutcome,
    LegResult,
    SubmitResult,
    VenueMode,
)
from dailyarb.runtime.clock import boot_ns
from dailyarb.runtime.modes import ModeKeeper
from dailyarb.runtime.wire import Connection, Exchange, Target, connect
from dailyarb.venues.polymarket import answers
from dailyarb.venues.pool import TokenBucket

BATCH_MAX = 15
CANCEL_BATCH_MAX = 1_000
SECOND_NS = 1_000_000_000


class Authority(Protocol):
    """Is what proves to the venue that a request is ours."""

    def block(self, timestamp_s: int, method: str, path: str, body: bytes) -> bytes:
        """Returns the header lines of one request, each with its CRLF."""
        ...


class PathSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of the order path."""

    connections: int = 6
    reserved: int = 2  # never used by submits
    submit_timeout_s: float = 8.0
    cancel_timeout_s: float = 5.0
    connect_timeout_s: float = 3.0
    retry_min_s: float = 0.05
    retry_max_s: float = 5.0
    warm_s: float = 20.0
    waiting_max: int = 64  # cancels waiting for a connection
    orders_burst: int = 60  # the venue's lowest tier; cancels have a budget of their own there
    orders_burst_s: float = 1.5  # in which as many come back
    throttled_s: float = 1.0  # pause of submits where the venue does not say how long
    throttled_max_s: float = 60.0
    dials: TokenBucket | None = None  # attempts to connect, shared with the feeds
    tls: ssl.SSLContext | None = None  # for https; None takes the default one


class PathState(msgspec.Struct, frozen=True, gc=False):
    """Is the order path's health for the console."""

    alive: int
    wanted: int
    in_flight: int
    waiting: int
    unsent: int
    unknown: int
    last_failure: str


_Done = Callable[[Exchange], None]


class OrderPath:
    """Sends orders, cancels and heartbeats, and reports each answer once through `emit`.

    Args:
        url: base address of the order venue.
        authority: makes the authentication headers (`RequestAuth`).
        owner: our API key, which is also the owner of orders.
        clock: venue time for the stamp of the headers.
        emit: takes every event; called from the loop, never inside a command's own call.
        settings: bounds.
    """

    def __init__(
        self,
        url: str,
        authority: Authority,
        owner: str,
        clock: Clock,
        emit: Callable[[Event], None],
        settings: PathSettings | None = None,
    ) -> None:
        self.settings = settings or PathSettings()
        self.target = Target.of(url)
        context = self.settings.tls or (ssl.create_default_context() if self.target.tls else None)
        self._tls = context
        self._authority = authority
        self._clock = clock
        self._emit = emit
        self._modes = ModeKeeper()
        self._all: list[Connection] = []
        self._waiting: deque[tuple[bytes, float, _Done]] = deque()
        self._dialling = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._open = False
        self._failures = 0
        self._last_failure = ""
        self._rng = random.Random(os.urandom(8))  # jitter of reconnections
        self._dials = self.settings.dials or TokenBucket(300, 300 * SECOND_NS)
        period_ns = int(self.settings.orders_burst_s * SECOND_NS)
        self._budget = TokenBucket(self.settings.orders_burst, period_ns)
        self._held_until_ns = 0
        self._looked_ns = 0
        self._beat_id = ""
        self._beating = False
        self._unsent = 0
        self._unknown = 0
        self._heads = {
            key: _head(self.target, *key)
            for key in (
                ("POST", "/order"),
                ("POST", "/orders"),
                ("DELETE", "/order"),
                ("DELETE", "/orders"),
                ("DELETE", "/cancel-all"),
                ("DELETE", "/cancel-market-orders"),
                ("POST", "/v1/heartbeats"),
            )
        }
        self._body_head = {
            (tif, post): (
                b'{"deferExec":false,"owner":%b,"orderType":"%b","postOnly":%b,"order":'
                % (_text(owner), tif.encode("ascii"), b"true" if post else b"false")
            )
            for tif in ("GTC", "GTD", "FOK", "FAK")
            for post in (False, True)
        }
        # Stages of the latency table: decision to write, trigger frame to write, write to answer.
        self.written = LatencyHistogram()
        self.tick_to_order = LatencyHistogram()
        self.answered = LatencyHistogram()

    async def start(self) -> None:
        """Opens the connections; failures are retried in the background."""
        self._open = True
        self._refill()
        first = list(self._tasks)
        if first:
            await asyncio.wait(first, timeout=self.settings.connect_timeout_s)

    def adopt(self, transport: asyncio.Transport) -> Connection:
        """Takes an open transport as one more connection and returns it."""
        connection = Connection(self._changed)
        connection.connection_made(transport)
        return connection

    async def close(self) -> None:
        """Drops every connection; requests on the wire end as unknown."""
        self._open = False
        for task in self._tasks:
            task.cancel()
        for connection in list(self._all):
            connection.abort()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._waiting.clear()

    def submit(self, command: Submit) -> None:
        """Writes the orders of one command in one request, now or not at all."""
        orders = command.orders
        free = [connection for connection in self._all if connection.idle]
        if not orders or len(orders) > BATCH_MAX or len(free) <= self.settings.reserved:
            why = "no order connection" if orders else "no orders"
            why = f"more than {BATCH_MAX} orders" if len(orders) > BATCH_MAX else why
            asyncio.get_running_loop().call_soon(self._answer_unsent, command, why)
            return
        now_ns = boot_ns()
        if now_ns < self._held_until_ns or not self._budget.take(now_ns, len(orders)):
            asyncio.get_running_loop().call_soon(self._answer_held, command)
            return
        bodies = [
            self._body_head[order.tif.value, order.post_only] + order.order_json + b"}"
            for order in orders
        ]
        if len(orders) == 1:
            request = self._request("POST", "/order", bodies[0])
        else:
            request = self._request("POST", "/orders", b"[" + b",".join(bodies) + b"]")

        def done(exchange: Exchange) -> None:
            self._answer_submit(command, exchange)

        # The connection used last is the one most surely alive.
        best = max(free, key=lambda connection: connection.used_ns)
        sent_ns = best.send(request, self.settings.submit_timeout_s, done)
        if command.decided_ns:
            self.written.record(sent_ns - command.decided_ns)
        if command.trigger_ns:
            self.tick_to_order.record(sent_ns - command.trigger_ns)

    def cancel(self, command: Cancel) -> None:
        """Cancels these orders; more than 1,000 travel as several requests and results."""
        ids = command.order_ids
        for start in range(0, len(ids), CANCEL_BATCH_MAX):
            part = ids[start : start + CANCEL_BATCH_MAX]
            if len(part) == 1:
                body, path = b'{"orderID":%b}' % _text(part[0]), "/order"
            else:
                body, path = b"[" + b",".join(_text(i) for i in part) + b"]", "/orders"
            self._urgent(self._request("DELETE", path, body), self._cancel_done(command.asked_ns))

    def cancel_all(self, command: CancelAll) -> None:
        """Cancels every order of the key, or of one market."""
        if command.market_id:
            body = b'{"market":%b}' % _text(command.market_id)
            request = self._request("DELETE", "/cancel-market-orders", body)
        else:
            request = self._request("DELETE", "/cancel-all", b"")
        self._urgent(request, self._cancel_done(command.asked_ns, all_orders=True))

    def heartbeat(self, command: Heartbeat) -> None:
        """Refreshes the dead-man switch; a beat still on the wire is not doubled."""
        if self._beating:
            return
        self._beating = True
        self._beat(command.asked_ns, retry=True)

    def step(self) -> None:
        """Lets modes end, and once a second keeps connections warm; called many times a second."""
        now = boot_ns()
        mode = self._modes.step(now)
        if mode is not None:
            self._emit(mode)
        if now - self._looked_ns < SECOND_NS:
            return
        self._looked_ns = now
        if self._open and not self._all:
            # No path to the venue: nothing can be sent, not even the heartbeat (F66).
            self._emit(HeartbeatResult(now, False))
        idle = [connection for connection in self._all if connection.idle]
        idle.sort(key=lambda connection: connection.used_ns)
        for connection in idle[:-1]:  # one stays free for whatever comes meanwhile
            if now - connection.used_ns > self.settings.warm_s * SECOND_NS:
                request = b"GET /time HTTP/1.1\r\nHost: %b\r\n\r\n" % self.target.authority
                connection.send(request, self.settings.cancel_timeout_s, _ignore)
        self._refill()

    def state(self) -> PathState:
        """Returns the path's health."""
        alive = [connection for connection in self._all if connection.alive]
        return PathState(
            alive=len(alive),
            wanted=self.settings.connections,
            in_flight=sum(not connection.idle for connection in alive),
            waiting=len(self._waiting),
            unsent=self._unsent,
            unknown=self._unknown,
            last_failure=self._last_failure,
        )

    def _request(self, method: str, path: str, body: bytes) -> bytes:
        stamp_s = self._clock.now().wall_ns // SECOND_NS
        auth = self._authority.block(stamp_s, method, path, body)
        return b"%b%d\r\n%b\r\n%b" % (self._heads[method, path], len(body), auth, body)

    def _urgent(self, request: bytes, done: _Done) -> None:
        """Writes on any idle connection, or as soon as there is one."""
        for connection in self._all:
            if connection.idle:
                connection.send(request, self.settings.cancel_timeout_s, done)
                return
        if len(self._waiting) >= self.settings.waiting_max:
            lost = Exchange(0, {}, b"", "too many requests wait for a connection", sent=False)
            asyncio.get_running_loop().call_soon(done, lost)
            return
        deadline = asyncio.get_running_loop().time() + self.settings.cancel_timeout_s
        self._waiting.append((request, deadline, done))
        asyncio.get_running_loop().call_at(deadline, self._expire_waiting)
        self._refill()

    def _expire_waiting(self) -> None:
        now = asyncio.get_running_loop().time()
        while self._waiting and self._waiting[0][1] <= now:
            _, _, done = self._waiting.popleft()
            done(Exchange(0, {}, b"", "no connection in time", sent=False))

    def _changed(self, connection: Connection) -> None:
        """Takes a connection that became idle or was lost."""
        if not connection.alive:
            if connection in self._all:
                self._all.remove(connection)
            self._refill()
            return
        if connection not in self._all:
            self._all.append(connection)
        if self._waiting and connection.idle:
            request, deadline, done = self._waiting.popleft()
            left = max(0.05, deadline - asyncio.get_running_loop().time())
            connection.send(request, left, done)

    def _refill(self) -> None:
        missing = self.settings.connections - len(self._all) - self._dialling
        for _ in range(missing if self._open else 0):
            self._dialling += 1
            task = asyncio.get_running_loop().create_task(self._dial(), name="order-dial")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _dial(self) -> None:
        """Opens one connection, waiting first when the last attempts failed."""
        try:
            if self._failures:
                exponent = min(self._failures - 1, 10)
                ceiling = min(self.settings.retry_max_s, self.settings.retry_min_s * 2**exponent)
                await asyncio.sleep(self._rng.uniform(0.5, 1.0) * ceiling)
            while not self._dials.take(boot_ns()):
                wait_ns = self._dials.ready_ns(boot_ns()) - boot_ns()
                await asyncio.sleep(max(0.01, wait_ns / SECOND_NS))
            await connect(self.target, self._changed, self._tls, self.settings.connect_timeout_s)
            self._failures = 0
        except OSError as error:
            self._failures += 1
            self._last_failure = f"{type(error).__name__}: {error}"
        finally:
            self._dialling -= 1
        if self._open and len(self._all) + self._dialling < self.settings.connections:
            asyncio.get_running_loop().call_soon(self._refill)

    def _answer_unsent(self, command: Submit, why: str) -> None:
        self._unsent += len(command.orders)
        legs = tuple(LegResult(o.order_id, LegOutcome.UNSENT, why) for o in command.orders)
        self._emit(SubmitResult(command.asked_ns, legs, 0, boot_ns()))

    def _answer_held(self, command: Submit) -> None:
        """Answers what was kept from the wire: the venue's budget for orders is spent (F62)."""
        why = "held back: the budget for orders is spent"
        legs = tuple(LegResult(o.order_id, LegOutcome.REFUSED, why) for o in command.orders)
        self._emit(SubmitResult(command.asked_ns, legs, 0, boot_ns(), answers.THROTTLED))

    def _throttled(self, exchange: Exchange) -> None:
        """Pauses submits as long as the venue asks; cancels go on."""
        limits = self.settings
        asked_s = answers.retry_after_s(exchange.headers) or limits.throttled_s
        pause_ns = int(min(limits.throttled_max_s, asked_s) * SECOND_NS)
        self._held_until_ns = max(self._held_until_ns, boot_ns() + pause_ns)

    def _answer_submit(self, command: Submit, exchange: Exchange) -> None:
        if exchange.status == 0:
            self._unknown += len(command.orders)
            self._last_failure = exchange.failure
            legs = _all_unknown(command.orders, exchange.failure)
            self._emit(SubmitResult(command.asked_ns, legs, exchange.sent_ns, 0))
            return
        self.answered.record(exchange.answered_ns - exchange.sent_ns)
        tifs = {order.order_id: order.tif for order in command.orders}
        verdict = answers.judge_submit(exchange.status, exchange.headers, exchange.body, tifs)
        taken = (LegOutcome.RESTING, LegOutcome.MATCHED, LegOutcome.DELAYED)
        self._unknown += sum(leg.outcome is LegOutcome.UNKNOWN for leg in verdict.legs)
        if verdict.restricted == answers.THROTTLED:
            self._throttled(exchange)
        accepted = any(leg.outcome in taken for leg in verdict.legs)
        self._emit(
            SubmitResult(
                asked_ns=command.asked_ns,
                results=verdict.legs,
                sent_ns=exchange.sent_ns,
                answered_ns=exchange.answered_ns,
                restricted=verdict.restricted,
            )
        )
        self._proven(verdict.mode, accepted)

    def _proven(self, mode: VenueMode | None, accepted: bool) -> None:
        """Takes what an answer proves about the venue's mode."""
        if mode is not None:
            change = self._modes.restricted(mode, boot_ns())
        else:
            change = self._modes.accepted() if accepted else None
        if change is not None:
            self._emit(change)

    def _cancel_done(self, asked_ns: int, all_orders: bool = False) -> _Done:
        def done(exchange: Exchange) -> None:
            if exchange.status == 0:
                self._last_failure = exchange.failure
                self._emit(CancelResult(asked_ns, (), (), False, all_orders))
                return
            mode = answers.venue_mode(exchange.status, exchange.headers, exchange.body)
            found = answers.judge_cancel(exchange.status, exchange.body, asked_ns, all_orders)
            if mode is not None and not found.proven:
                found = msgspec.structs.replace(found, refused=mode.kind.value)
            self._emit(found)
            self._proven(mode, accepted=False)

        return done

    def _beat(self, asked_ns: int, retry: bool) -> None:
        def done(exchange: Exchange) -> None:
            ok, beat_id = answers.judge_heartbeat(exchange.status, exchange.body)
            if beat_id is not None:
                self._beat_id = beat_id
            if not ok and retry and beat_id is not None:
                # The venue named the id it expects; the deadline runs, so it is sent at once.
                self._beat(asked_ns, retry=False)
                return
            self._beating = False
            mode = answers.venue_mode(exchange.status, exchange.headers, exchange.body)
            refused = mode.kind.value if mode is not None and not ok else ""
            self._emit(HeartbeatResult(asked_ns, ok, refused))
            self._proven(mode, accepted=False)

        body = b'{"heartbeat_id":%b}' % _text(self._beat_id)
        self._urgent(self._request("POST", "/v1/heartbeats", body), done)


def _ignore(_: Exchange) -> None:
    """Takes the answer of a warming request, which says nothing."""


def _text(word: str) -> bytes:
    return json.dumps(word).encode("ascii")


def _head(target: Target, method: str, path: str) -> bytes:
    return (
        b"%b %b HTTP/1.1\r\nHost: %b\r\nContent-Type: application/json\r\n"
        b"Accept: application/json\r\nContent-Length: "
        % (method.encode("ascii"), path.encode("ascii"), target.authority)
    )


def _all_unknown(orders: Sequence[SignedOrder], failure: str) -> tuple[LegResult, ...]:
    return tuple(LegResult(order.order_id, LegOutcome.UNKNOWN, failure) for order in orders)

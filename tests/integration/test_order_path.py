"""What an answer, or its absence, proves about an order: a hostile server tells it all ways."""

from __future__ import annotations

import asyncio
import json
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import msgspec
import pytest

from dailyarb._fast.histogram import LatencyHistogram
from dailyarb.core.domain.clock import ManualClock
from dailyarb.core.domain.commands import Cancel, CancelAll, Heartbeat, SignedOrder, Submit
from dailyarb.core.domain.events import (
    CancelResult,
    Event,
    HeartbeatResult,
    LegOutcome,
    SubmitResult,
    VenueMode,
    VenueModeKind,
)
from dailyarb.core.domain.orders import TIF
from dailyarb.runtime import submit as submit_module
from dailyarb.runtime.clock import boot_ns
from dailyarb.runtime.submit import OrderPath, PathSettings
from dailyarb.venues.pool import TokenBucket

A, B = "0x" + "aa" * 32, "0x" + "bb" * 32


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


SETTINGS = PathSettings(
    connections=3, reserved=1, submit_timeout_s=0.25, cancel_timeout_s=0.25, connect_timeout_s=0.5
)


class Seal:
    """Stands for the credentials: marks what it was asked to sign."""

    def block(self, stamp_s: int, method: str, path: str, body: bytes) -> bytes:
        return b"POLY_TIMESTAMP: %d\r\nPOLY_SIGNATURE: %d\r\n" % (stamp_s, len(body))


Write = Callable[[asyncio.StreamWriter, bytes, bytes], Awaitable[None]]


class Hostile:
    """Serves HTTP requests with whatever bytes the test wants."""

    def __init__(self, answer: Write, tls: ssl.SSLContext | None = None) -> None:
        self.answer = answer
        self.tls = tls
        self.requests: list[tuple[bytes, bytes]] = []
        self.connections = 0
        self.open: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Hostile:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.server.close()

    def cut_one(self) -> None:
        """Ends the connection opened last, without a word."""
        self.open.pop().transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open.append(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = 0
                for line in head.split(b"\r\n"):
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                body = await reader.readexactly(length)
                self.requests.append((head, body))
                await self.answer(writer, head, body)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


def reply(status: int, body: object, extra: str = "") -> Write:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()

    async def write(writer: asyncio.StreamWriter, head: bytes, asked: bytes) -> None:
        writer.write(
            f"HTTP/1.1 {status} X\r\nContent-Length: {len(raw)}\r\n{extra}\r\n".encode() + raw
        )

    return write


def raw(data: bytes, close: bool = True) -> Write:
    async def write(writer: asyncio.StreamWriter, head: bytes, asked: bytes) -> None:
        writer.write(data)
        if close:
            await writer.drain()
            writer.close()

    return write


def order(order_id: str, tif: TIF = TIF.FAK, post_only: bool = False) -> SignedOrder:
    return SignedOrder(order_id, json.dumps({"salt": 1, "id": order_id}).encode(), tif, post_only)


async def until(condition: Callable[[], bool], timeout_s: float = 3.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - a condition, bounded
            await asyncio.sleep(0.002)


async def submit(answer: Write, *orders: SignedOrder) -> tuple[list[Event], Hostile, OrderPath]:
    events: list[Event] = []
    async with Hostile(answer) as server:
        clock = ManualClock(0, 1_700_000_000_123_456_789)
        path = OrderPath(
            f"http://127.0.0.1:{server.port}", Seal(), "the-key", clock, events.append, SETTINGS
        )
        await path.start()
        await until(lambda: path.state().alive == 3)
        path.submit(Submit(orders, asked_ns=7, trigger_ns=1, decided_ns=2))
        assert not events, "an answer never arrives inside the command"
        await until(lambda: any(isinstance(event, SubmitResult) for event in events))
        await path.close()
    return events, server, path


def result(events: list[Event]) -> SubmitResult:
    found = [event for event in events if isinstance(event, SubmitResult)]
    assert len(found) == 1 and found[0].asked_ns == 7
    return found[0]


@asynccontextmanager
async def opened(
    server: Hostile,
    events: list[Event],
    settings: PathSettings | None = None,
    connections: int = 3,
) -> AsyncIterator[OrderPath]:
    """Gives a path whose connections are open."""
    path = OrderPath(
        f"http://127.0.0.1:{server.port}", Seal(), "the-key", ManualClock(), events.append,
        settings or SETTINGS,
    )  # fmt: skip
    await path.start()
    await until(lambda: path.state().alive == connections)
    yield path
    await path.close()


OK = {"success": True, "errorMsg": "", "orderID": A, "status": "live"}
FOK = "order couldn't be fully filled. FOK orders are fully filled or killed."
TABLE: list[tuple[str, Write, TIF, LegOutcome]] = [
    ("rests", reply(200, OK), TIF.GTC, LegOutcome.RESTING),
    ("matched", reply(200, {**OK, "status": "matched"}), TIF.FAK, LegOutcome.MATCHED),
    ("delayed", reply(200, {**OK, "status": "delayed"}), TIF.FAK, LegOutcome.DELAYED),
    ("a FAK said to rest", reply(200, OK), TIF.FAK, LegOutcome.DELAYED),
    ("killed", reply(400, {"error": FOK}), TIF.FOK, LegOutcome.KILLED),
    (
        "killed, by id",
        reply(200, {"success": False, "orderID": A, "errorMsg": FOK}),
        TIF.FOK,
        LegOutcome.KILLED,
    ),
    (
        "refused",
        reply(400, {"error": "not enough balance / allowance"}),
        TIF.GTC,
        LegOutcome.REFUSED,
    ),
    (
        "a refusal dressed as success",
        reply(200, {"success": True, "orderID": "", "errorMsg": "invalid price"}),
        TIF.GTC,
        LegOutcome.REFUSED,
    ),
    (
        "duplicate: an earlier copy arrived",
        reply(400, {"error": "order is duplicated"}),
        TIF.GTC,
        LegOutcome.UNKNOWN,
    ),
    ("success without id", reply(200, {"success": True}), TIF.GTC, LegOutcome.UNKNOWN),
    ("somebody else's id", reply(200, {**OK, "orderID": B}), TIF.GTC, LegOutcome.UNKNOWN),
    ("a status never seen", reply(200, {**OK, "status": "pending"}), TIF.GTC, LegOutcome.UNKNOWN),
    ("empty 200", reply(200, b""), TIF.GTC, LegOutcome.UNKNOWN),
    ("unreadable 200", reply(200, b"<html>"), TIF.GTC, LegOutcome.UNKNOWN),
    ("cut JSON", reply(200, b'{"success":true,"orderID"'), TIF.GTC, LegOutcome.UNKNOWN),
    (
        "key twice",
        reply(200, b'{"orderID":"%s","orderID":"x"}' % A.encode()),
        TIF.GTC,
        LegOutcome.UNKNOWN,
    ),
    ("500", reply(500, {"error": "internal"}), TIF.GTC, LegOutcome.UNKNOWN),
    ("502 page", reply(502, b"<html>bad gateway"), TIF.GTC, LegOutcome.UNKNOWN),
    ("400 without words", reply(400, b""), TIF.GTC, LegOutcome.UNKNOWN),
    ("302", reply(302, b"{}", "Location: /x\r\n"), TIF.GTC, LegOutcome.UNKNOWN),
    ("reset before the answer", raw(b""), TIF.GTC, LegOutcome.UNKNOWN),
    ("cut inside the head", raw(b"HTTP/1.1 200 OK\r\nContent-Le"), TIF.GTC, LegOutcome.UNKNOWN),
    (
        "cut inside the body",
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"),
        TIF.GTC,
        LegOutcome.UNKNOWN,
    ),
    ("not HTTP", raw(b"SSH-2.0-x\r\n\r\n"), TIF.GTC, LegOutcome.UNKNOWN),
    ("hang", raw(b"", close=False), TIF.GTC, LegOutcome.UNKNOWN),
    ("429", reply(429, {"error": "slow down"}, "Retry-After: 3\r\n"), TIF.GTC, LegOutcome.REFUSED),
    ("425", reply(425, b""), TIF.GTC, LegOutcome.REFUSED),
    ("403 page", reply(403, b"<html>blocked"), TIF.GTC, LegOutcome.REFUSED),
    ("401", reply(401, {"error": "Unauthorized/Invalid api key"}), TIF.GTC, LegOutcome.REFUSED),
]


@pytest.mark.parametrize(("name", "answer", "tif", "outcome"), TABLE, ids=[row[0] for row in TABLE])
async def test_outcome_of_one_order(
    name: str, answer: Write, tif: TIF, outcome: LegOutcome
) -> None:
    events, server, _ = await submit(answer, order(A, tif))
    (leg,) = result(events).results
    assert (leg.order_id, leg.outcome) == (A, outcome), name
    assert len(server.requests) == 1, "nothing is ever sent twice"


MODES = [
    (425, b"", "", VenueModeKind.RESTARTING),
    (
        503,
        b'{"error":"post-only mode","code":"post_only_mode","retry_after_seconds":79}',
        "",
        VenueModeKind.POST_ONLY,
    ),
    (503, b'{"error":"Trading is currently cancel-only"}', "", VenueModeKind.CANCEL_ONLY),
    (403, b"<html>", "", VenueModeKind.BLOCKED),
    (403, b'{"error":"address in closed only mode"}', "", VenueModeKind.CLOSED_ONLY),
    (400, b'{"error":"\'0xab\' address in closed only mode"}', "", VenueModeKind.CLOSED_ONLY),
    (401, b'{"error":"Unauthorized"}', "", VenueModeKind.AUTH_FAILED),
    (400, b'{"error":"order_version_mismatch"}', "", VenueModeKind.AUTH_FAILED),
]


@pytest.mark.parametrize(("status", "body", "extra", "kind"), MODES)
async def test_modes_of_the_venue(
    status: int, body: bytes, extra: str, kind: VenueModeKind
) -> None:
    events, _, _ = await submit(reply(status, body, extra), order(A))
    found = result(events)
    assert found.restricted == kind.value
    assert found.results[0].outcome is LegOutcome.REFUSED
    (mode,) = [event for event in events if isinstance(event, VenueMode)]
    assert mode.kind is kind
    if kind is VenueModeKind.POST_ONLY:
        assert mode.retry_after_s == 79


async def test_a_batch_is_matched_by_id_never_by_position() -> None:
    rows = [
        {"success": True, "orderID": "", "errorMsg": "not enough balance"},
        {**OK, "status": "matched"},
    ]
    events, server, _ = await submit(reply(200, rows), order(A), order(B))
    outcomes = {leg.order_id: leg.outcome for leg in result(events).results}
    assert outcomes == {A: LegOutcome.MATCHED, B: LegOutcome.REFUSED}
    assert server.requests[0][0].startswith(b"POST /orders HTTP/1.1\r\n")


async def test_a_batch_that_answers_for_fewer_proves_nothing_about_the_rest() -> None:
    events, _, _ = await submit(reply(200, [{**OK, "status": "matched"}]), order(A), order(B))
    outcomes = {leg.order_id: leg.outcome for leg in result(events).results}
    assert outcomes == {A: LegOutcome.MATCHED, B: LegOutcome.UNKNOWN}


async def test_the_wire_carries_exactly_what_was_signed() -> None:
    events, server, path = await submit(reply(200, OK), order(A, TIF.GTC, post_only=True))
    head, body = server.requests[0]
    assert json.loads(body) == {
        "deferExec": False,
        "owner": "the-key",
        "orderType": "GTC",
        "postOnly": True,
        "order": {"salt": 1, "id": A},
    }
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /order HTTP/1.1"
    assert b"POLY_SIGNATURE: %d" % len(body) in lines, "the signature is over the bytes sent"
    assert b"POLY_TIMESTAMP: 1700000000" in lines, "venue time in seconds"
    found = result(events)
    assert 0 < found.sent_ns <= found.answered_ns
    assert path.written.count == path.tick_to_order.count == path.answered.count == 1


async def test_without_a_connection_an_order_is_proven_unsent() -> None:
    events: list[Event] = []
    path = OrderPath(
        "http://127.0.0.1:9", Seal(), "the-key", ManualClock(), events.append, SETTINGS
    )
    await path.start()
    path.submit(Submit((order(A),), asked_ns=7))
    await until(lambda: bool(events))
    await path.close()
    assert [leg.outcome for leg in result(events).results] == [LegOutcome.UNSENT]


async def test_cancels_never_wait_behind_orders() -> None:
    """Two orders hang on the wire; the third is unsent, the cancel goes out at once."""
    events: list[Event] = []

    async def answer(writer: asyncio.StreamWriter, head: bytes, body: bytes) -> None:
        if head.startswith(b"DELETE"):
            await reply(200, {"canceled": [A], "not_canceled": {B: "already canceled or matched"}})(
                writer, head, body
            )

    async with Hostile(answer) as server:
        url = f"http://127.0.0.1:{server.port}"
        path = OrderPath(url, Seal(), "the-key", ManualClock(), events.append, SETTINGS)
        await path.start()
        await until(lambda: path.state().alive == 3)
        for asked in (1, 2, 3):
            path.submit(Submit((order(A),), asked_ns=asked))
        path.cancel(Cancel((A, B), asked_ns=4))
        await until(lambda: any(isinstance(event, CancelResult) for event in events))
        unsent = [event for event in events if isinstance(event, SubmitResult)]
        assert [event.asked_ns for event in unsent] == [3]
        assert unsent[0].results[0].outcome is LegOutcome.UNSENT
        (cancelled,) = [event for event in events if isinstance(event, CancelResult)]
        assert cancelled == CancelResult(4, (A,), ((B, "already canceled or matched"),))
        assert server.requests[-1][1] == json.dumps([A, B], separators=(",", ":")).encode()
        path.cancel_all(CancelAll(asked_ns=5))
        path.cancel_all(CancelAll(asked_ns=6, market_id="0xm"))
        await until(lambda: len([e for e in events if isinstance(e, CancelResult)]) == 3)
        heads = [head.split(b" HTTP")[0] for head, _ in server.requests[-2:]]
        assert heads == [b"DELETE /cancel-all", b"DELETE /cancel-market-orders"]
        await path.close()


async def test_a_cancel_without_a_readable_answer_proves_nothing() -> None:
    events: list[Event] = []
    async with Hostile(reply(200, b"<html>")) as server:
        url = f"http://127.0.0.1:{server.port}"
        path = OrderPath(url, Seal(), "the-key", ManualClock(), events.append, SETTINGS)
        await path.start()
        path.cancel(Cancel((A,), asked_ns=4))
        await until(lambda: bool(events))
        await path.close()
    assert events == [CancelResult(4, (), (), proven=False)]


async def test_a_cancel_tells_the_venues_mode_too() -> None:
    events: list[Event] = []
    async with Hostile(reply(401, {"error": "Unauthorized/Invalid api key"})) as server:
        url = f"http://127.0.0.1:{server.port}"
        path = OrderPath(url, Seal(), "the-key", ManualClock(), events.append, SETTINGS)
        await path.start()
        path.cancel(Cancel((A,), asked_ns=4))
        await until(lambda: len(events) == 2)
        await path.close()
    assert events[0] == CancelResult(4, (), (), proven=False, refused="AUTH_FAILED")
    assert isinstance(events[1], VenueMode) and events[1].kind is VenueModeKind.AUTH_FAILED


async def test_a_restarting_venue_refuses_a_heartbeat_readably() -> None:
    events: list[Event] = []
    async with Hostile(reply(425, {"error": "service not ready"})) as server:
        url = f"http://127.0.0.1:{server.port}"
        path = OrderPath(url, Seal(), "the-key", ManualClock(), events.append, SETTINGS)
        await path.start()
        path.heartbeat(Heartbeat(asked_ns=4))
        await until(lambda: len(events) == 2)
        await path.close()
    assert events[0] == HeartbeatResult(4, False, "RESTARTING")
    assert isinstance(events[1], VenueMode) and events[1].kind is VenueModeKind.RESTARTING


async def test_a_heartbeat_with_a_wrong_id_is_repeated_once_with_the_right_one() -> None:
    events: list[Event] = []

    async def answer(writer: asyncio.StreamWriter, head: bytes, body: bytes) -> None:
        good = json.loads(body)["heartbeat_id"] == "right"
        frame = (
            {"heartbeat_id": "next"}
            if good
            else {
                "error_msg": "Invalid Heartbeat ID",
                "heartbeat_id": "right",
            }
        )
        await reply(200 if good else 400, frame)(writer, head, body)

    async with Hostile(answer) as server:
        url = f"http://127.0.0.1:{server.port}"
        path = OrderPath(url, Seal(), "the-key", ManualClock(), events.append, SETTINGS)
        await path.start()
        path.heartbeat(Heartbeat(asked_ns=1))
        path.heartbeat(Heartbeat(asked_ns=2))
        await until(lambda: bool(events))
        await path.close()
    assert events == [HeartbeatResult(1, ok=True)]
    assert [json.loads(body)["heartbeat_id"] for _, body in server.requests] == ["", "right"]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Gives a throw-away certificate and key for 127.0.0.1."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    cert, key = str(folder / "cert.pem"), str(folder / "key.pem")
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = [openssl, *words.split(), "-keyout", key, "-out", cert, *names]
    subprocess.run(command, check=True, capture_output=True)
    return cert, key


async def test_orders_travel_encrypted_and_only_to_whom_we_trust(
    certificate: tuple[str, str],
) -> None:
    events: list[Event] = []
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(*certificate)
    client_side = ssl.create_default_context(cafile=certificate[0])
    async with Hostile(reply(200, OK), server_side) as server:
        url = f"https://127.0.0.1:{server.port}"
        trusting = msgspec.structs.replace(SETTINGS, tls=client_side)
        path = OrderPath(url, Seal(), "the-key", ManualClock(), events.append, trusting)
        await path.start()
        await until(lambda: path.state().alive == 3)
        path.submit(Submit((order(A, TIF.GTC),), asked_ns=7))
        await until(lambda: bool(events))
        assert result(events).results[0].outcome is LegOutcome.RESTING
        await path.close()

        events.clear()
        stranger = OrderPath(url, Seal(), "the-key", ManualClock(), events.append, SETTINGS)
        await stranger.start()
        stranger.submit(Submit((order(A, TIF.GTC),), asked_ns=7))
        await until(lambda: bool(events))
        assert result(events).results[0].outcome is LegOutcome.UNSENT
        assert "certificate" in stranger.state().last_failure.lower()
        await stranger.close()


async def test_a_lost_connection_is_replaced() -> None:
    events: list[Event] = []
    async with Hostile(raw(b"")) as server:
        url = f"http://127.0.0.1:{server.port}"
        path = OrderPath(url, Seal(), "the-key", ManualClock(), events.append, SETTINGS)
        await path.start()
        await until(lambda: path.state().alive == 3)
        path.submit(Submit((order(A),), asked_ns=7))
        await until(lambda: bool(events) and path.state().alive == 3)
        assert server.connections >= 4
        await path.close()


async def test_close_delimited_and_chunked_answers_are_read() -> None:
    body = json.dumps({**OK, "status": "matched"}).encode()
    head = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:10], body[10:]))
    for data in (
        head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n" + body,
    ):
        events, _, _ = await submit(raw(data), order(A))
        assert result(events).results[0].outcome is LegOutcome.MATCHED


async def test_after_a_429_orders_pause_and_cancels_do_not() -> None:
    """F62: the venue names its pause; what comes meanwhile is proven unsent, by its words."""
    events: list[Event] = []

    async def answer(writer: asyncio.StreamWriter, head: bytes, body: bytes) -> None:
        done = reply(200, {"canceled": [A], "not_canceled": {}})
        slow = reply(429, {"error": "slow down"}, "Retry-After: 30\r\n")
        await (done if head.startswith(b"DELETE") else slow)(writer, head, body)

    async with Hostile(answer) as server, opened(server, events) as path:
        path.submit(Submit((order(A),), asked_ns=1))
        await until(lambda: len(events) == 1)
        path.submit(Submit((order(A), order(B)), asked_ns=2))
        path.cancel(Cancel((A,), asked_ns=3))
        await until(lambda: len(events) == 3)
        held = next(e for e in events if isinstance(e, SubmitResult) and e.asked_ns == 2)
        assert [leg.outcome for leg in held.results] == [LegOutcome.REFUSED] * 2
        assert (held.restricted, held.sent_ns) == ("THROTTLED", 0)
        assert "held back" in held.results[0].reason
        asked = [head.split(b" HTTP")[0] for head, _ in server.requests]
        assert asked == [b"POST /order", b"DELETE /order"]


async def test_orders_keep_to_their_budget_and_cancels_have_their_own() -> None:
    events: list[Event] = []
    tight = msgspec.structs.replace(SETTINGS, orders_burst=2, orders_burst_s=60.0)
    async with Hostile(reply(200, OK)) as server, opened(server, events, tight) as path:
        path.submit(Submit((order(A), order(B)), asked_ns=1))
        path.submit(Submit((order(A),), asked_ns=2))
        path.cancel(Cancel((A,), asked_ns=3))
        await until(lambda: len(events) == 3)
        held = next(e for e in events if isinstance(e, SubmitResult) and e.asked_ns == 2)
        assert held.restricted == "THROTTLED"
        heads = [head.split(b" ")[0] for head, _ in server.requests]
        assert sorted(heads) == [b"DELETE", b"POST"]


async def test_reconnections_are_bounded_by_the_bucket_of_all_connections() -> None:
    bucket = TokenBucket(5, 3_600 * 10**9)
    few = msgspec.structs.replace(SETTINGS, dials=bucket, retry_min_s=0.001, retry_max_s=0.001)
    path = OrderPath("http://127.0.0.1:9", Seal(), "the-key", ManualClock(), [].append, few)
    await path.start()
    await until(lambda: not bucket.take(boot_ns()))
    assert path.state().alive == 0
    await path.close()


async def test_a_path_that_is_down_is_told_each_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """F66: without a connection not even the heartbeat leaves; that opens the path's circuit.

    However often it is stepped: a circuit counts failures in a row, not looks at one of them.
    """
    events: list[Event] = []
    path = OrderPath(
        "http://127.0.0.1:9", Seal(), "the-key", ManualClock(), events.append, SETTINGS
    )
    path.step()
    assert events == [], "it was not opened yet"
    await path.start()
    begun_ns = boot_ns()
    for looks in range(1, 126):
        then_ns = begun_ns + looks * 20_000_000
        monkeypatch.setattr(submit_module, "boot_ns", partial(int, then_ns))
        path.step()
    monkeypatch.undo()
    await path.close()
    assert [type(event) for event in events] == [HeartbeatResult] * 2
    assert not any(event.ok for event in events if isinstance(event, HeartbeatResult))


async def test_cut_connections_cost_no_order_and_are_replaced_within_100_ms() -> None:
    """Cuts a connection every tenth of 200 submits; each is answered, none is unsent."""
    events: list[Event] = []
    replaced = LatencyHistogram()
    many = msgspec.structs.replace(
        SETTINGS, connections=4, reserved=1, orders_burst=1_000, dials=TokenBucket(1_000, 10**9)
    )
    async with Hostile(reply(200, OK)) as server, opened(server, events, many, 4) as path:
        for serial in range(200):
            if serial % 20 == 10:
                known, cut_ns = server.connections, boot_ns()
                server.cut_one()
                await until(lambda most=known: server.connections > most)
                replaced.record(boot_ns() - cut_ns)
            path.submit(Submit((order(A, TIF.GTC),), asked_ns=serial))
            await until(lambda most=serial: len(events) == most + 1)
        await until(lambda: path.state().alive == 4)
    outcomes = {leg.outcome for e in events if isinstance(e, SubmitResult) for leg in e.results}
    assert outcomes == {LegOutcome.RESTING}
    assert replaced.count == 10
    assert replaced.max < 100_000_000, replaced.snapshot()

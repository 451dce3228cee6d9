"""One order from the decision to its last byte at the server, over TLS on loopback.

Ours signs, proves and writes; the official client does `create_order` and `post_order`, with and
without coincurve (it takes coincurve whenever that is installed). The server runs in a process of
its own and tells when it had read the whole request, on the clock that processes share. Its
certificate is made for the run, and both clients verify it.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import ssl
import time
from collections.abc import Awaitable, Callable
from itertools import count
from multiprocessing.connection import Connection

import aiofastnet
import msgspec

from dailyarb._fast.order import CHAIN_ID
from dailyarb.bench.rounds import answers, installed, row, served
from dailyarb.bench.sign import API_SECRET, DRAFT, KEY
from dailyarb.core.domain.commands import SignedOrder, Submit
from dailyarb.core.domain.events import Event, LegOutcome, SubmitResult
from dailyarb.runtime.clock import BootClock, boot_ns
from dailyarb.runtime.foreground import loop
from dailyarb.runtime.submit import OrderPath, PathSettings
from dailyarb.venues.polymarket.auth import Credentials, RequestAuth
from dailyarb.venues.polymarket.signer import Signer

ORDERS = 100
NAME = "decision to last byte at the server, TLS on loopback"
CURVE = "ECC_BACKEND_CLASS"  # by which eth-keys is told its curve
OFFICIAL = "py-clob-client-v2"
_Order = Callable[[], Awaitable[None]]


class _Server(asyncio.Protocol):
    """Answers each request, and tells of an order when its last byte was read."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._held = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport."""
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Takes bytes; answers a complete request."""
        self._held += data
        head, end, body = self._held.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if not end or len(body) < length:
            return
        read_ns = time.perf_counter_ns()
        self._held = b""
        text = json.dumps(_answer(head, body)).encode()
        assert self._transport is not None
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(text), text)
        )
        if head.startswith(b"POST"):
            self._pipe.send(read_ns)


def _answer(head: bytes, body: bytes) -> dict[str, object]:
    """Returns what the venue would say: an order rests, the market has cents."""
    if head.startswith(b"POST"):
        salt = json.loads(body)["order"]["salt"]
        return {"success": True, "orderID": _order_id(salt), "status": "live"}
    return {"minimum_tick_size": "0.01", "neg_risk": False, "version": 2}


def _order_id(salt: int) -> str:
    return f"0x{salt:064x}"


async def _serve(pipe: Connection) -> None:
    """Serves until the pipe is closed; says its port and the certificate to trust."""
    import trustme

    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server = await aiofastnet.create_server(
        asyncio.get_running_loop(), lambda: _Server(pipe), "127.0.0.1", 0, ssl=context
    )
    pipe.send((server.sockets[0].getsockname()[1], authority.cert_pem.bytes().decode()))
    await asyncio.to_thread(pipe.poll, None)


def _child(pipe: Connection) -> None:
    asyncio.run(_serve(pipe))


async def _ours(url: str, trust: ssl.SSLContext) -> tuple[_Order, OrderPath]:
    """Returns how to sign and send one order and have its answer, and the warm path."""
    signer = Signer(KEY)
    auth = RequestAuth(signer.address, Credentials("key", API_SECRET, "pass"))
    answered: list[Event] = []
    arrived = asyncio.Event()

    def emit(event: Event) -> None:
        answered.append(event)
        arrived.set()

    settings = PathSettings(connections=3, orders_burst=1_000_000, tls=trust)
    path = OrderPath(url, auth, "key", BootClock(), emit, settings)
    await path.start()
    salts = count(1)

    async def order() -> None:
        arrived.clear()
        salt = next(salts)
        signed = signer.sign(msgspec.structs.replace(DRAFT, salt=salt))
        path.submit(
            Submit(
                (SignedOrder(_order_id(salt), signed.order_json, DRAFT.tif, post_only=False),),
                asked_ns=1,
                decided_ns=boot_ns(),
            )
        )
        await arrived.wait()
        result = answered.pop()
        assert isinstance(result, SubmitResult), result
        assert result.results[0].outcome is LegOutcome.RESTING, result

    return order, path


def _official(url: str, trust: ssl.SSLContext) -> dict[str, _Order]:
    """Returns the official client's way by name, once for each curve; none where not installed."""
    clients = installed("py_clob_client_v2.client")
    if clients is None:
        return {}
    types = installed("py_clob_client_v2.clob_types")
    helpers = installed("py_clob_client_v2.http_helpers.helpers")
    # As the client makes it, but trusting our certificate and no proxy of the environment.
    helpers._http_client = type(helpers._http_client)(http2=True, verify=trust, trust_env=False)
    creds = types.ApiCreds("key", API_SECRET, "pass")
    client = clients.ClobClient(url, CHAIN_ID, "0x" + KEY.hex(), creds)
    wanted = types.OrderArgsV2(token_id=DRAFT.token, price=0.5, size=10.0, side="BUY")

    def way(curve: str) -> _Order:
        async def order() -> None:
            os.environ[CURVE] = f"eth_keys.backends.{curve}"  # read at each signature
            said = client.post_order(client.create_order(wanted), types.OrderType.GTC)
            assert said["status"] == "live", said

        return order

    return {
        OFFICIAL: way("NativeECCBackend"),
        f"{OFFICIAL}, coincurve": way("CoinCurveECCBackend"),
    }


async def _measure(pipe: Connection, port: int, pem: str, rounds: int) -> list[dict[str, object]]:
    """Sends the orders of every contender, interleaved in fresh random order each round."""
    url = f"https://127.0.0.1:{port}"
    # httpx changes the context it is given: one each.
    order, path = await _ours(url, ssl.create_default_context(cadata=pem))
    ways = {"ours": order, **_official(url, ssl.create_default_context(cadata=pem))}

    async def one(name: str) -> float:
        decided_ns = time.perf_counter_ns()
        await ways[name]()
        read_ns: int = pipe.recv()
        return float(read_ns - decided_ns)

    for name in ways:
        await one(name)  # The first one connects, and asks about the market.
    middle, tail = await answers(ways, one, rounds, ORDERS)
    await path.close()
    return [row(f"{NAME}, p50", middle), row(f"{NAME}, p99", tail)]


def run(rounds: int = 7) -> list[dict[str, object]]:
    """Returns the rows of p50 and p99; takes about a second a round with the official client.

    Args:
        rounds: interleaved rounds of `ORDERS` orders of each contender, >= 1.

    Raises:
        ModuleNotFoundError: trustme is not installed.
    """
    importlib.import_module("trustme")  # missing, it is told here and not in the server's process
    rows: list[dict[str, object]] = []
    with served(_child) as (pipe, (port, pem)):

        async def main() -> int:
            rows.extend(await _measure(pipe, port, pem, rounds))
            return 0

        before = os.environ.get(CURVE)
        try:
            loop(main)
        finally:
            os.environ.pop(CURVE, None)
            if before is not None:
                os.environ[CURVE] = before
    return rows

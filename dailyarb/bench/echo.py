"""What the engine is measured beside: a client that only receives, decodes and answers.

It decides nothing, signs nothing and journals nothing: a floor for a websockets client, not a
rival. The server sends as many frames a second as the engine gets; the client decodes each and
answers with 40 bytes as often as the engine sends an order.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import msgspec
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from dailyarb._fast.histogram import LatencyHistogram
from dailyarb.runtime.cores import pin_to

ANSWER = "x" * 40


def tick(crossing: bool) -> str:
    """Returns a quote above or below 100,000 dollars: one above is answered."""
    mid = 100_040 if crossing else 99_960
    data = {
        "u": 1,
        "s": "BTCUSDT",
        "b": f"{mid}.00000000",
        "B": "1.00000000",
        "a": f"{mid}.01000000",
        "A": "1.00000000",
    }
    return json.dumps({"stream": "btcusdt@bookTicker", "data": data})


class _Quote(msgspec.Struct):
    b: str
    a: str


class _Wrapped(msgspec.Struct):
    data: _Quote


async def client(url: str) -> None:
    """Answers each tick once it is decoded."""
    decode = msgspec.json.Decoder(_Wrapped).decode
    async with connect(url, compression=None) as socket:
        async for message in socket:
            quote = decode(message)
            if float(quote.data.a) > float(quote.data.b) > 100_000.0:
                await socket.send(ANSWER)


async def measure(
    seconds: float, rate_hz: float, answer_ms: float, core: int | None
) -> LatencyHistogram:
    """Returns round trips as the server sees them.

    Args:
        seconds: how long.
        rate_hz: frames a second.
        answer_ms: time between two frames that are answered.
        core: the client's, in a process of its own; None pins nothing.
    """
    trips = LatencyHistogram()
    over = asyncio.Event()

    async def server(socket: ServerConnection) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        n, due = 0, began + 1.0
        quiet, crossing = tick(False), tick(True)
        while loop.time() - began < seconds:
            n += 1
            wait = began + n / rate_hz - loop.time()
            if wait > 0:
                await asyncio.sleep(wait)
            if loop.time() < due:
                await socket.send(quiet)
                continue
            due += answer_ms / 1e3
            sent = time.perf_counter_ns()
            await socket.send(crossing)
            await socket.recv()
            trips.record(time.perf_counter_ns() - sent)
        over.set()

    async with serve(server, "127.0.0.1", 0, compression=None) as listening:
        port = next(iter(listening.sockets)).getsockname()[1]
        words = [sys.executable, "-m", "dailyarb.bench.echo", f"ws://127.0.0.1:{port}"]
        words.append(str(-1 if core is None else core))
        process = await asyncio.create_subprocess_exec(*words)
        try:
            await asyncio.wait_for(over.wait(), seconds + 20.0)
        finally:
            process.kill()
            await process.wait()
    return trips


def main() -> int:
    """Runs the client's process: address, core."""
    core = int(sys.argv[2])
    pin_to(core if core >= 0 else None)
    asyncio.run(client(sys.argv[1]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""Recordings over real sockets: every frame decodes, books stay in sync to the polite end."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from dailyarb._fast.router import BookRouter
from dailyarb._fast.spot import SpotRouter
from dailyarb.core.domain.market import Side
from dailyarb.core.domain.orders import TIF
from dailyarb.runtime.replay_watch import recording_ended
from dailyarb.sim.loopback import Endpoints, Loopback, VenueClock
from dailyarb.sim.replay import EXIT_UNREADABLE, ReplayProfile, ReplayVenues
from tests.replay_client import ReplayClient

DATA = Path(__file__).resolve().parent.parent / "data"
WINDOW = DATA / "btc-updown-5m-1776255900.book_frames.jsonl.zst"
SPOT = DATA / "btcusdt_20240808.60s.txt.zst"


class Served(NamedTuple):
    """Is a replay on the loopback with what its clients decoded."""

    venues: ReplayVenues
    router: BookRouter
    frames: int
    desyncs: int
    status: dict[str, Any]


async def follow_market(at: Endpoints, router: BookRouter) -> tuple[int, int]:
    """Decodes the market channel to its end; returns frames and desyncs."""
    async with aiohttp.ClientSession() as http:
        found = await (await http.get(f"{at.gamma_http}/markets")).json()
    tokens: list[str] = []
    for slot, market in enumerate(found):
        up, down = json.loads(market["clobTokenIds"])
        router.add_market(slot, up, down, round(market["orderPriceMinTickSize"] * 10_000))
        tokens += [up, down]
    frames = desyncs = 0
    async with connect(f"{at.clob_ws}/ws/market", max_size=None) as socket:
        first = {"type": "market", "assets_ids": tokens, "custom_feature_enabled": True}
        await socket.send(json.dumps(first))
        try:
            while True:
                text = await socket.recv()
                frames += 1
                router.on_frame(text.encode() if isinstance(text, str) else text, time.time_ns())
                desyncs += any(flags & 8 for _, flags in router.drain())
        except ConnectionClosed as closed:
            assert closed.rcvd is not None
            assert closed.rcvd.code == 1000
    return frames, desyncs


async def follow_spot(at: Endpoints, router: SpotRouter) -> int:
    """Decodes Binance to its end; returns the frames."""
    frames = 0
    streams = "btcusdt@bookTicker/btcusdt@trade/btcusdt@depth@100ms"
    async with connect(f"{at.binance_ws}/stream?streams={streams}&timeUnit=MICROSECOND") as socket:
        try:
            async for text in socket:
                frames += 1
                router.on_frame(text.encode() if isinstance(text, str) else text, time.time_ns())
        except ConnectionClosed:
            return frames
    return frames


async def until(holds: Callable[[], bool]) -> None:
    """Waits for a condition, ten seconds at most."""
    for _ in range(1_000):
        if holds():
            return
        await asyncio.sleep(0.01)
    pytest.fail("the condition did not come to hold")


async def serve(path: str, speed: float) -> Served:
    clock = VenueClock()
    venues = ReplayVenues(ReplayProfile(path, speed, lead_in_s=0.3, close_s=0.2), clock.now_ns())
    loopback = Loopback(clock, random.Random(1))
    at = await venues.serve(loopback)
    router = BookRouter()
    try:
        frames, desyncs = await asyncio.wait_for(follow_market(at, router), 30.0)
        async with aiohttp.ClientSession() as http:
            status = await (await http.get(f"{at.clob_http}/control/status")).json()
            assert await recording_ended(http, at.control_http)
    finally:
        await loopback.close()
    return Served(venues, router, frames, desyncs, status)


def check(served: Served) -> None:
    """Checks that nothing was lost, nothing at fault, and the books are those of the recording."""
    counts = served.venues.hall.counts
    assert served.frames == counts.frames + counts.derived + len(
        [1 for entry in served.venues.hall.entries() if entry.market.winner >= 0]
    ) + 1  # the first, empty snapshot
    assert served.router.faults == {}
    assert served.desyncs == 0
    assert served.status["ended"] is True
    assert served.status["frames"]["unreadable"] == 0
    for slot, entry in enumerate(served.venues.hall.entries()):
        ladder = served.router.ladder(slot)
        assert ladder.synced
        for side in (0, 1):
            assert ladder.levels(0, side, 400) == entry.market.recorded.levels(0, side, 400)


async def test_a_shipped_window_is_served_whole() -> None:
    check(await serve(str(WINDOW), 100.0))


async def test_a_shared_cronos_window_is_served_whole(shared_data: Path) -> None:
    folder = shared_data / "ws/polymarket/cronosvirus00"
    check(await serve(str(next(folder.glob("*1776253500*"))), 60.0))


async def test_the_full_rate_capture_is_served_whole_at_thrice_its_pace(shared_data: Path) -> None:
    served = await serve(str(shared_data / "ws/polymarket/alihakanvesca"), 3.0)
    assert served.venues.hall.counts.frames == 3_696
    check(served)


async def test_two_days_side_by_side_feed_both_venues_and_orders_fill() -> None:
    clock = VenueClock()
    profile = ReplayProfile(f"{WINDOW}+{SPOT}", 60.0, lead_in_s=0.3)
    venues = ReplayVenues(profile, clock.now_ns())
    loopback = Loopback(clock, random.Random(1))
    at = await venues.serve(loopback)
    spot = SpotRouter(True)
    index = spot.add_symbol("BTCUSDT")
    following = asyncio.create_task(follow_spot(at, spot))
    try:
        market = venues.hall.entries()[0].market
        await until(lambda: bool(market.recorded.synced and market.recorded.levels(0, 1, 1)))
        client = ReplayClient(venues.credentials)
        ask_e4 = market.recorded.ask_e4 + 300
        up = market.identity.up_token
        order_id, body = client.order(
            up, Side.BUY, (ask_e4 * 1_000, 10_000_000), clock.now_ns() // 10**9, TIF.FAK
        )
        request = client.request("POST", "/order", body, clock.now_ns() // 10**9)
        began = time.monotonic()
        async with aiohttp.ClientSession() as http:
            url = f"{at.clob_http}/order"
            reply = await http.post(url, data=request.body, headers=dict(request.headers))
            answer = await reply.json()
        assert time.monotonic() - began > 0.05  # held as the venue holds it
        assert (answer["status"], answer["orderID"]) == ("matched", order_id)
        await until(lambda: venues.spot.frames == 7_340)
        bid_e8, _, ask_e8, *_ = spot.quote(index)
        assert 0 < bid_e8 < ask_e8
        assert spot.faults == {}
    finally:
        following.cancel()
        await loopback.close()


def test_as_a_process_it_says_where_it_is_and_leaves_when_done() -> None:
    read_fd, write_fd = os.pipe()
    command = [sys.executable, "-m", "dailyarb.sim.replay", "--path", str(WINDOW)]
    pace = ["--speed", "1000", "--lead-in", "0.1", "--close-after", "0.1", "--linger", "1"]
    options = [*pace, "--ready-fd", str(write_fd)]
    process = subprocess.Popen([*command, *options], pass_fds=[write_fd])
    os.close(write_fd)
    with os.fdopen(read_fd) as pipe:
        said = json.loads(pipe.readline())
    assert said["ready"] is True
    assert said["endpoints"]["clob_ws"].startswith("ws://127.0.0.1:")
    assert said["replay"]["windows"][0]["slug"] == "btc-updown-5m-1776255900"
    assert process.wait(20) == 0


@pytest.mark.parametrize("path", ["/nowhere", str(DATA / "README.md")])
def test_as_a_process_it_refuses_what_it_cannot_play(path: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dailyarb.sim.replay", "--path", path],
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    assert done.returncode == EXIT_UNREADABLE
    assert done.stderr.startswith(f"replay: {path}")

"""The replay as a process: recorded frames on the sockets an engine meets live.

`python -m dailyarb.sim.replay --path FILE[+FILE...]` serves the recordings on loopback and says
where, in one JSON line of the same form as the embedded venues', with what is played, why it may
mean nothing, and throw-away credentials. It ends a while after the recording does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import sys

from dailyarb.sim.loopback import Endpoints, Loopback, VenueClock
from dailyarb.sim.recordings import RecordingError
from dailyarb.sim.replay_stage import ReplayProfile, ReplayVenues

__all__ = ["ReplayProfile", "ReplayVenues", "greeting", "live", "main"]

_WATCH_S = 1.0
EXIT_UNREADABLE = 2


def greeting(endpoints: Endpoints, venues: ReplayVenues) -> str:
    """Returns the line that says where the venues are and what they play."""
    body = {
        "ready": True,
        "pid": os.getpid(),
        "seed": venues.profile.seed,
        "endpoints": endpoints._asdict(),
        "credentials": venues.credentials._asdict(),
        "replay": {
            "describe": venues.describe(),
            "meaningless": venues.meaningless,
            "speed": venues.profile.speed,
            "begin_ns": venues.play.begin_ns,
            "windows": venues.windows(),
        },
    }
    return json.dumps(body, separators=(",", ":"))


async def live(
    profile: ReplayProfile, port: int, ready_fd: int, parent_pid: int, linger_s: float
) -> None:
    """Serves until a signal comes, the parent is gone, or `linger_s` after the sockets closed.

    Raises:
        RecordingError: a recording cannot be read.
    """
    clock = VenueClock()
    venues = ReplayVenues(profile, clock.now_ns())
    loopback = Loopback(clock, random.Random(f"{profile.seed}/links"))
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    endpoints = await venues.serve(loopback, port)
    os.write(ready_fd, (greeting(endpoints, venues) + "\n").encode())
    if ready_fd > 2:
        os.close(ready_fd)
    waits = [
        loop.create_task(stop.wait()),
        loop.create_task(loopback.run()),
        loop.create_task(_watch(venues, parent_pid, linger_s)),
    ]
    try:
        done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in waits:
            task.cancel()
        await loopback.close()


async def _watch(venues: ReplayVenues, parent_pid: int, linger_s: float) -> None:
    """Returns once the parent is another, or a while after the sockets closed."""
    seen_s = 0.0
    while not parent_pid or os.getppid() == parent_pid:
        await asyncio.sleep(_WATCH_S)
        seen_s = seen_s + _WATCH_S if venues.closed else 0.0
        if seen_s >= linger_s:
            return


def parser() -> argparse.ArgumentParser:
    """Returns the command line of the process."""
    words = argparse.ArgumentParser(prog="dailyarb.sim.replay", description=__doc__)
    words.add_argument("--path", required=True, help="file or folder, several joined with +")
    words.add_argument("--speed", type=float, default=1.0, help="recorded seconds per second")
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--port", type=int, default=0, help="first of seven ports, 0 = any")
    words.add_argument("--ready-fd", type=int, default=1, help="where the JSON line goes")
    words.add_argument("--parent-pid", type=int, default=0, help="end when this parent is gone")
    words.add_argument("--start-cash-usd", type=int, default=1_000)
    words.add_argument("--lead-in", type=float, default=3.0, help="seconds before the first frame")
    words.add_argument("--close-after", type=float, default=5.0, help="sockets, after the end")
    words.add_argument("--linger", type=float, default=10.0, help="process, after the sockets")
    words.add_argument("--no-wire", action="store_true", help="the order book at no distance")
    return words


def main(arguments: list[str] | None = None) -> int:
    """Runs the process; returns its exit code, 2 when a recording cannot be played."""
    given = parser().parse_args(arguments)
    profile = ReplayProfile(
        path=given.path,
        speed=given.speed,
        seed=given.seed,
        start_cash_usd=given.start_cash_usd,
        lead_in_s=given.lead_in,
        close_s=given.close_after,
        wire=not given.no_wire,
    )
    try:
        asyncio.run(live(profile, given.port, given.ready_fd, given.parent_pid, given.linger))
    except (RecordingError, ValueError) as error:
        sys.stderr.write(f"replay: {error}\n")
        return EXIT_UNREADABLE
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

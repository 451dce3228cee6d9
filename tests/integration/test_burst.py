"""A burst (F09): three markets at 1,000 frames a second each, through real sockets and the engine.

Frames are folded into one event a market and burst; nothing queues, nothing ages.
"""

from __future__ import annotations

import asyncio
import time

import pytest

from dailyarb.core.domain.events import TopChanged
from dailyarb.core.domain.settings import Feeds
from dailyarb.runtime.bursts import MarketBursts
from dailyarb.runtime.clock import boot_ns
from tests.integration.test_feeds import Rig, Venue, event_loop_policy, until

__all__ = ["event_loop_policy"]

pytestmark = pytest.mark.filterwarnings("ignore:Overriding the .event_loop_policy.")
RATE = 3_000
ROUNDS_A_SECOND = 50


async def load(seconds: float) -> None:
    """Sends a burst on two connections and checks what reached the engine's door."""
    events: list[object] = []
    waits: list[int] = []

    async with Venue() as venue:
        rig = Rig(venue, Feeds(connections=2))
        bursts = MarketBursts(rig.books, events.append, lambda raw: None)

        def on_burst(recv_ns: int) -> None:
            waits.append(boot_ns() - recv_ns)
            bursts.on_burst(recv_ns)

        rig.feed._on_burst = on_burst
        async with rig:
            await send(venue, seconds)
            await until(lambda: rig.levels() == venue.bids_e())
            frames = 2 * (1 + venue.serial)
            await until(lambda: rig.feed.state().frames == frames)
            state = rig.feed.state()

    assert venue.serial == round(seconds * RATE)
    assert len(events) <= len(waits) < frames, "one event a market and burst, not one a frame"
    assert {type(event) for event in events} <= {TopChanged}
    assert max(waits) < 100_000_000, "a burst is told in the loop run that read it"
    assert state.lag_p99_ms < rig.feed.limits.max_book_age_ms
    assert state.faults == state.gaps == 0


async def send(venue: Venue, seconds: float) -> None:
    """Sends RATE frames a second to every connection."""
    begun = time.monotonic()
    for step in range(round(seconds * ROUNDS_A_SECOND)):
        for _ in range(RATE // ROUNDS_A_SECOND):
            await venue.say(venue.change())
        late = begun + (step + 1) / ROUNDS_A_SECOND - time.monotonic()
        await asyncio.sleep(max(0.0, late))


async def test_a_burst_is_folded_and_queues_nowhere() -> None:
    await load(0.6)


@pytest.mark.slow
async def test_half_a_minute_of_it_is_no_other() -> None:
    await load(30.0)

"""A cut socket under load: the other goes on, nothing is missed, a new one is dialled at once."""

from __future__ import annotations

import asyncio

import msgspec

from dailyarb._fast.histogram import LatencyHistogram
from dailyarb.core.domain.events import BookDesynced, FeedState, FeedStatus
from dailyarb.runtime.clock import boot_ns
from tests.integration.test_feeds import Rig, Venue, until

LIMIT_NS = 100_000_000
FRAMES = 600


async def test_failover_within_100_ms_and_without_a_gap() -> None:
    """Cuts a socket six times in 600 changes and compares every change with the book.

    A connection counts as stable after a millisecond here, so that each cut is a first one.
    """
    replaced = LatencyHistogram()
    async with Venue() as venue, Rig(venue) as rig:
        rig.feed.pool.settings = msgspec.structs.replace(
            rig.feed.pool.settings, stable_ns=1_000_000
        )
        seen: set[int] = set()
        for serial in range(FRAMES):
            await venue.say(venue.change())
            if serial % 100 == 50:
                opened = len(venue.opened_ns)
                next(iter(venue.sockets)).transport.abort()
                cut_ns = boot_ns()
                await until(lambda most=opened: len(venue.opened_ns) > most)
                replaced.record(venue.opened_ns[-1] - cut_ns)
            await until(lambda: rig.levels() == venue.bids_e())
            seen.add(venue.serial)
        assert len(seen) == FRAMES, "every change reached the book, in order"
        assert replaced.count == 6
        assert replaced.max < LIMIT_NS, replaced.snapshot()
        assert not rig.of(BookDesynced), "one connection carried on, so nothing was in doubt"
        states = [event for event in rig.of(FeedState) if isinstance(event, FeedState)]
        assert {state.connections for state in states[3:]} <= {1, 2}
        assert all(state.status is not FeedStatus.DOWN for state in states)
        await until(lambda: rig.feed.pool.alive == 2)
        assert rig.feed.pool.reconnects == 6
        assert rig.book.ladder.synced and not rig.feed.state().faults


async def test_the_dead_connection_is_noticed_without_waiting_for_data() -> None:
    async with Venue() as venue, Rig(venue) as rig:
        cut_ns = boot_ns()
        next(iter(venue.sockets)).transport.abort()
        await until(lambda: rig.feed.pool.reconnects == 1)
        assert boot_ns() - cut_ns < LIMIT_NS
        await until(lambda: rig.feed.pool.alive == 2)


async def test_a_server_that_refuses_is_asked_ever_more_rarely() -> None:
    """Attempts after the venue is gone: few, and the loop stays free."""
    async with Venue() as venue, Rig(venue) as rig:
        venue.server.close(close_connections=True)
        await venue.server.wait_closed()
        await until(lambda: rig.feed.pool.reconnects >= 6)
        attempts = rig.feed.pool.reconnects
        before = boot_ns()
        await asyncio.sleep(0)
        assert boot_ns() - before < LIMIT_NS
        assert attempts < 20
        assert rig.of(BookDesynced)

"""What a running engine process reads off itself: stages, disk, and the summary of a run."""

from __future__ import annotations

import contextlib
import os
import select
from typing import Any

import msgspec

from dailyarb._fast.histogram import LatencyHistogram
from dailyarb._fast.spot import SpotRouter
from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.events import DiskState, Event
from dailyarb.core.engine.engine import Engine
from dailyarb.runtime.journal import Journal
from dailyarb.runtime.live import Shell
from dailyarb.runtime.ports import OrderLine
from dailyarb.runtime.streams import ListenerFeed

STDOUT = 1
PATIENCE_S = 1.0


class Readings:
    """Reads histograms and sizes for the gauges (`gauges.Measured`).

    Args:
        shell: where decisions and signatures are timed.
        orders: where orders leave, timed.
        market: the market channel, whose decoding is timed.
        journal: on whose disk everything rests.
    """

    def __init__(
        self, shell: Shell, orders: OrderLine, market: ListenerFeed, journal: Journal
    ) -> None:
        self._shell = shell
        self._orders = orders
        self._market = market
        self._journal = journal

    def stages(self) -> dict[str, LatencyHistogram]:
        """Returns the latency histograms by stage."""
        return {
            "decode": self._market.decode_latency(),
            "tick_to_decision": self._shell.decided,
            "sign": self._shell.sign,
            "decision_to_order": self._orders.written,
            "tick_to_order": self._orders.tick_to_order,
            "send_to_ack": self._orders.answered,
            "event": self._shell.on_event,
        }

    def disk(self) -> DiskState:
        """Returns the state of the journal's disk."""
        return self._journal.disk_state()

    def journal_mb(self) -> float:
        """Returns the size of the journal."""
        return self._journal.size_mb()

    def tell(self, event: Event) -> None:
        """Gives the engine a report."""
        self._shell.feed(event)


def run_totals(engine: Engine, spot: SpotRouter, now: Instant) -> dict[str, Any]:
    """Returns the run summary, frames and faults included."""
    found = engine.summary(now)
    router = engine.books.router
    found["frames"] = {"polymarket": router.frames, "binance": spot.frames}
    found["faults"] = {
        "decode": sum(router.faults.values()) + sum(spot.faults.values()),
        "desyncs": router.counters.get("desyncs", 0),
    }
    found["router"] = router.counters
    found["books"] = {
        book.spec.slug: book.state.value for book in engine.books.by_market.values()
    }
    return found


def say_last(found: dict[str, Any]) -> None:
    """Writes a summary as the last line of standard output.

    A reader that left misses it, and one that does not read does not keep the process alive.
    """
    line = msgspec.json.encode(found) + b"\n"
    with contextlib.suppress(OSError):
        while line and select.select([], [STDOUT], [], PATIENCE_S)[1]:
            # A pipe that is ready takes this much without waiting.
            line = line[os.write(STDOUT, line[: select.PIPE_BUF]) :]

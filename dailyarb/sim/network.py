"""The way between a venue and its client: delay per link, in order within a connection.

One link is one TCP connection: it delays but never reorders. Delays come from FINDINGS.md,
sections 3 and 10: a good line sees Binance 50-150 ms and Polymarket 10-150 ms late. A link of
`Carriage.none()` is for latency measurements on loopback, where the wire must cost nothing.
"""

from __future__ import annotations

import random
from typing import NamedTuple

from dailyarb.sim.types import NS_PER_MS


class Carriage(NamedTuple):
    """Is the delay law of a kind of link.

    base_ms is drawn once per link, uniformly; each frame adds an exponential with mean jitter_ms,
    cut at jitter_ms_max.
    """

    base_ms_min: float = 0.0
    base_ms_max: float = 0.0
    jitter_ms: float = 0.0
    jitter_ms_max: float = 0.0

    @classmethod
    def none(cls) -> Carriage:
        """Returns a link that costs nothing."""
        return cls()


BINANCE_WIRE = Carriage(50.0, 90.0, 8.0, 60.0)
POLYMARKET_WIRE = Carriage(8.0, 20.0, 3.0, 130.0)
SETTLEMENT_WIRE = Carriage(200.0, 350.0, 40.0, 300.0)


class Link:
    """Is one direction of one connection: says when what enters now comes out."""

    __slots__ = ("_base_ns", "_jitter_ns", "_jitter_ns_max", "_last_ns", "_rng")

    def __init__(self, carriage: Carriage, rng: random.Random) -> None:
        self._rng = rng
        base_ms = rng.uniform(carriage.base_ms_min, carriage.base_ms_max)
        self._base_ns = int(base_ms * NS_PER_MS)
        self._jitter_ns = carriage.jitter_ms * NS_PER_MS
        self._jitter_ns_max = carriage.jitter_ms_max * NS_PER_MS
        self._last_ns = 0

    def carry(self, at_ns: int) -> int:
        """Returns the arrival of something sent at `at_ns`; never before what was sent earlier."""
        arrival = at_ns + self.delay_ns()
        if arrival < self._last_ns:
            arrival = self._last_ns
        self._last_ns = arrival
        return arrival

    def delay_ns(self) -> int:
        """Returns one delay, for what travels on a connection of its own."""
        delay = self._base_ns
        if self._jitter_ns > 0.0:
            jitter = self._rng.expovariate(1.0) * self._jitter_ns
            delay += int(min(jitter, self._jitter_ns_max))
        return delay

"""The price everybody follows: one seeded path per asset, read by Binance, oracle and crowd.

The path lives on a 50 ms grid and is generated lazily, so who reads it when changes nothing.
Laws (FINDINGS.md, sections 5 and 10): sigma per root second is lognormal around 0.6 bp with log-sd
0.5, drawn per five minutes and scaled by the hour of day; the one-second change is Student t with
3.5 degrees, as a variance mixture; a violent second moves within 200 ms; rare jumps on top.
"""

from __future__ import annotations

import math
import random
from typing import NamedTuple

from dailyarb.sim.types import NS_PER_S

STEP_NS = 50_000_000
STEPS_PER_S = NS_PER_S // STEP_NS
_REGIME_S = 300
_KEEP_STEPS = 84_000  # seventy minutes: an hour's candle and its margin
_DEGREES = 3.5
_BP = 1e-4

# Shape of the day, hours 0..23 UTC: night 0.5-0.8, the American open 1.7.
HOUR_FACTOR = (
    0.75, 0.7, 0.65, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.85, 0.8, 0.95,
    1.2, 1.6, 1.7, 1.65, 1.4, 1.2, 1.05, 0.95, 0.85, 0.75, 0.5, 0.55,
)  # fmt: skip


class AssetLaw(NamedTuple):
    """Is what distinguishes an asset: its price at the start, its wildness, and its activity."""

    name: str
    start_usd: float
    sigma_bp: float
    activity: float  # share of the message rates of BTC


ASSETS: dict[str, AssetLaw] = {
    "btc": AssetLaw("btc", 97_250.0, 0.60, 1.0),
    "eth": AssetLaw("eth", 3_180.0, 0.78, 0.6),
    "sol": AssetLaw("sol", 168.0, 0.95, 0.4),
}


class Reference:
    """Is the mid price of one asset on its home exchange, in dollars, as a function of time."""

    def __init__(self, law: AssetLaw, rng: random.Random, begin_ns: int) -> None:
        self.law = law
        self.begin_ns = begin_ns - begin_ns % NS_PER_S
        self._rng = rng
        self._mids: list[float] = []
        self._dropped = 0
        self._mid = law.start_usd * math.exp(rng.gauss(0.0, 0.02))
        self._sigmas: list[float] = []
        self._jump_left = rng.expovariate(1.0 / 300.0)

    def step_at(self, at_ns: int) -> int:
        """Returns the index of the grid step in force at an instant."""
        return max(0, (at_ns - self.begin_ns) // STEP_NS)

    def mid(self, at_ns: int) -> float:
        """Returns the price in force at an instant, generating the path up to it."""
        step = self.step_at(at_ns)
        while self._dropped + len(self._mids) <= step:
            self._second()
        return self._mids[max(0, step - self._dropped)]

    def mean(self, from_ns: int, to_ns: int) -> float:
        """Returns the average price of the half-open interval."""
        self.mid(to_ns)
        first = max(0, self.step_at(from_ns) - self._dropped)
        last = max(first + 1, self.step_at(to_ns) - self._dropped)
        part = self._mids[first:last]
        return math.fsum(part) / len(part)

    def candle(self, from_ns: int, to_ns: int) -> tuple[float, float, float, float] | None:
        """Returns open, high, low and close of an interval; None where no path is kept."""
        self.mid(to_ns)
        first = self.step_at(from_ns) - self._dropped
        last = self.step_at(to_ns) - self._dropped
        if to_ns <= self.begin_ns or first < 0 or last <= first:
            return None
        part = self._mids[first:last]
        return part[0], max(part), min(part), part[-1]

    def sigma_bp(self, at_ns: int) -> float:
        """Returns the volatility in force, in bp per root second."""
        second = max(0, (at_ns - self.begin_ns) // NS_PER_S)
        self.mid(at_ns)
        return self._sigmas[min(second // _REGIME_S, len(self._sigmas) - 1)]

    def _second(self) -> None:
        """Generates the twenty steps of one second."""
        rng = self._rng
        done = self._dropped + len(self._mids)
        if done % (_REGIME_S * STEPS_PER_S) == 0:
            hour = (self.begin_ns + done * STEP_NS) // (3600 * NS_PER_S) % 24
            draw = math.exp(rng.gauss(0.0, 0.5))
            self._sigmas.append(self.law.sigma_bp * HOUR_FACTOR[hour] * draw)
        sigma = self._sigmas[-1] * _BP
        mixture = (_DEGREES - 2.0) / (2.0 * rng.gammavariate(_DEGREES / 2.0, 1.0))
        scale = sigma * math.sqrt(mixture / STEPS_PER_S)
        burst = -1
        if mixture > 4.0:  # a violent second happens within 200 ms of it
            burst = rng.randrange(STEPS_PER_S - 3)
            scale *= math.sqrt(STEPS_PER_S / 4.0)
        jump = self._jump()
        for index in range(STEPS_PER_S):
            if burst < 0 or burst <= index < burst + 4:
                self._mid *= math.exp(scale * rng.gauss(0.0, 1.0))
            if jump and index == jump[0]:
                self._mid *= math.exp(jump[1] * sigma)
            self._mids.append(self._mid)
        if len(self._mids) > 2 * _KEEP_STEPS:
            del self._mids[:_KEEP_STEPS]
            self._dropped += _KEEP_STEPS

    def _jump(self) -> tuple[int, float] | None:
        """Returns the step and the size (in sigmas) of this second's jump, if it has one."""
        self._jump_left -= 1.0
        if self._jump_left > 0.0:
            return None
        rng = self._rng
        self._jump_left = rng.expovariate(1.0 / 300.0)
        size = 2.5 + rng.expovariate(0.5)
        return rng.randrange(STEPS_PER_S), size if rng.random() < 0.5 else -size

"""Draws which parameters to try next: the chance that the engine itself must not have.

Every region of [tuning] is a set of values of one strategy. Fills are read from the engine as a
console would see them: a share's reward is its markout after 30 s less its fee, credited to the
region that was in force when it filled. A choice reaches the engine as `ParametersChosen`.
"""

from __future__ import annotations

import asyncio
import random
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable

from dailyarb.core.domain.clock import Clock
from dailyarb.core.domain.errors import ConfigError, Problem
from dailyarb.core.domain.events import Event, ParametersChosen
from dailyarb.core.domain.settings import Settings
from dailyarb.core.domain.units import SECOND, SIZE_ONE_E6
from dailyarb.core.domain.view import FillRow
from dailyarb.core.tuning.bounds import tuned
from dailyarb.core.tuning.thompson import Posterior, Values, choose

LOOK_S = 10.0
CHOICES_KEPT = 64
SEEN_KEPT = 1_000


class _Arms:
    """Is one strategy's regions, what is believed of each, and which was in force since when."""

    def __init__(self, regions: list[Values]) -> None:
        self.regions = regions
        self.beliefs = [Posterior() for _ in regions]
        self.since: deque[tuple[int, int]] = deque(maxlen=CHOICES_KEPT)  # (wall_ns, region)

    def in_force(self, wall_ns: int) -> int | None:
        """Returns the region that was in force then, None before the first choice kept."""
        at = bisect_right(self.since, wall_ns, key=lambda row: row[0])
        return self.since[at - 1][1] if at else None


class Tuner:
    """Learns from fills and chooses regions.

    Args:
        settings: regions and pace; the seed makes a run repeatable.
        fills: the engine's newest fills.
        clock: venue time dates choices as it dates fills.
        emit: takes each choice.

    Raises:
        ConfigError: a region changes what may not be tuned, or is out of bounds.
    """

    def __init__(
        self,
        settings: Settings,
        fills: Callable[[], Iterable[FillRow]],
        clock: Clock,
        emit: Callable[[Event], None],
    ) -> None:
        self._tuning = settings.tuning
        self._fills, self._clock, self._emit = fills, clock, emit
        self._chance = random.Random(settings.tuning.seed)
        self._arms = {name: _Arms(found) for name, found in _regions(settings).items()}
        self._seen: dict[tuple[str, str], None] = {}
        self._next_ns = 0

    async def run(self) -> None:
        """Looks for ever."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_S)

    def look(self) -> None:
        """Learns from fills whose 30 s are over, and chooses anew when it is time."""
        for row in self._fills():
            self._learn(row)
        while len(self._seen) > SEEN_KEPT:
            del self._seen[next(iter(self._seen))]
        now = self._clock.now()
        if now.mono_ns >= self._next_ns:
            self._next_ns = now.mono_ns + round(self._tuning.every_s * SECOND)
            for name, arms in self._arms.items():
                self._choose(name, arms, now.wall_ns)

    def beliefs(self, strategy: str) -> tuple[Posterior, ...]:
        """Returns what is believed of a strategy's regions, in the file's order."""
        return tuple(self._arms[strategy].beliefs)

    def _learn(self, row: FillRow) -> None:
        arms, key = self._arms.get(row.strategy.value), (row.trade_id, row.order_id)
        if arms is None or row.markout_30s_e4 is None or key in self._seen:
            return
        self._seen[key] = None
        region = arms.in_force(row.wall_ns)
        if region is not None:
            fee_cents = row.fee_e6 / 1e4 / (row.size_e6 / SIZE_ONE_E6)
            reward = row.markout_30s_e4 / 100 - fee_cents
            arms.beliefs[region] = arms.beliefs[region].seen(reward)

    def _choose(self, name: str, arms: _Arms, wall_ns: int) -> None:
        arms.beliefs = [belief.faded(self._tuning.kept) for belief in arms.beliefs]
        region = choose(arms.beliefs, self._chance)
        if arms.in_force(wall_ns) != region:
            arms.since.append((wall_ns, region))
            self._emit(ParametersChosen(name, arms.regions[region]))


def _regions(settings: Settings) -> dict[str, list[Values]]:
    """Returns each strategy's regions, checked against the bounds of its settings."""
    found: dict[str, list[Values]] = {}
    for name, region in settings.tuning.regions.items():
        values = tuple(zip(region.names, region.values, strict=False))
        try:
            if len(region.names) != len(region.values):
                raise ValueError(f"{len(region.names)} names, {len(region.values)} values")
            tuned(getattr(settings.strategies, region.strategy), values)
        except ValueError as fault:
            key = f"tuning.regions.{name}"
            raise ConfigError([Problem("config", 0, key, str(fault), "see config.md")]) from None
        found.setdefault(region.strategy, []).append(values)
    return found

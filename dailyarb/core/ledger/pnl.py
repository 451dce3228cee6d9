"""P&L by strategy, market and UTC hour: realised results of confirmed fills, and fees.

Open positions are marked by the engine, which knows the mids; nothing here knows a price that was
not paid. Hours are UTC, as the markets are.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dailyarb.core.domain.ids import StrategyId
from dailyarb.core.domain.records import FillBooked
from dailyarb.core.domain.units import SECOND
from dailyarb.core.ledger.lots import Realised

HOUR_NS = 3_600 * SECOND
DAY_NS = 24 * HOUR_NS
HOURS_KEPT = 48
DAYS_KEPT = 31
MARKETS_KEPT = 256


@dataclass(slots=True)
class Tally:
    """Is a sum of results; net of fees is realised_e6 - fees_e6."""

    realised_e6: int = 0
    fees_e6: int = 0
    fills: int = 0
    wins: int = 0
    losses: int = 0
    volume_e6: int = 0
    peak_e6: int = 0  # highest net so far
    drawdown_e6: int = 0  # deepest fall of net below its peak

    @property
    def net_e6(self) -> int:
        """Returns realised results less fees."""
        return self.realised_e6 - self.fees_e6

    def mark(self) -> None:
        """Moves peak and drawdown to where net is now; open positions have no part in them."""
        self.peak_e6 = max(self.peak_e6, self.net_e6)
        self.drawdown_e6 = max(self.drawdown_e6, self.peak_e6 - self.net_e6)


@dataclass(slots=True)
class Pnl:
    """Tallies results three ways; `hours` is keyed by (strategy, hours since the epoch)."""

    total: Tally = field(default_factory=Tally)
    strategies: dict[StrategyId, Tally] = field(default_factory=dict)
    markets: dict[str, Tally] = field(default_factory=dict)
    hours: dict[tuple[StrategyId, int], Tally] = field(default_factory=dict)
    days: dict[int, Tally] = field(default_factory=dict)
    streak: int = 0  # losses in a row, over all strategies

    def fill(self, fill: FillBooked, results: list[Realised], label: str) -> None:
        """Counts one confirmed fill and what it realised."""
        for tally in self._tallies(fill.strategy, label, fill.match_ns):
            tally.fills += 1
            tally.fees_e6 += fill.fee_e6
            tally.volume_e6 += abs(fill.cash_e6)
        for result in results:
            self._result(result, label, fill.match_ns)
        self._mark({fill.strategy, *(r.strategy for r in results)}, label, fill.match_ns)

    def close(self, label: str, results: list[Realised], wall_ns: int) -> None:
        """Counts the results of a payout or merge."""
        for result in results:
            self._result(result, label, wall_ns)
        self._mark({r.strategy for r in results}, label, wall_ns)

    def day(self, wall_ns: int) -> Tally:
        """Returns the tally of the UTC day of this moment."""
        return self.days.get(wall_ns // DAY_NS, Tally())

    def hour(self, strategy: StrategyId, wall_ns: int, hour: int) -> Tally | None:
        """Returns a strategy's tally in one hour of the UTC day of this moment, or None."""
        return self.hours.get((strategy, wall_ns // DAY_NS * 24 + hour))

    def forget(self, wall_ns: int) -> None:
        """Drops hours and days long past, and the oldest of many markets; totals stay."""
        hour, day = wall_ns // HOUR_NS - HOURS_KEPT, wall_ns // DAY_NS - DAYS_KEPT
        for old in [key for key in self.hours if key[1] < hour]:
            del self.hours[old]
        for past in [key for key in self.days if key < day]:
            del self.days[past]
        for label in list(self.markets)[: max(0, len(self.markets) - MARKETS_KEPT)]:
            del self.markets[label]

    def _tallies(self, strategy: StrategyId, label: str, wall_ns: int) -> list[Tally]:
        return [
            self.total,
            self.strategies.setdefault(strategy, Tally()),
            self.markets.setdefault(label, Tally()),
            self.hours.setdefault((strategy, wall_ns // HOUR_NS), Tally()),
            self.days.setdefault(wall_ns // DAY_NS, Tally()),
        ]

    def _mark(self, strategies: set[StrategyId], label: str, wall_ns: int) -> None:
        for strategy in strategies:
            for tally in self._tallies(strategy, label, wall_ns):
                tally.mark()

    def _result(self, result: Realised, label: str, wall_ns: int) -> None:
        won = result.closed and result.life_e6 > 0
        lost = result.closed and result.life_e6 < 0
        for tally in self._tallies(result.strategy, label, wall_ns):
            tally.realised_e6 += result.gain_e6
            tally.wins += won
            tally.losses += lost
        if won or lost:
            self.streak = self.streak + 1 if lost else 0

"""Lots: shares held at average cost, by strategy, and what closing them realised.

Average cost is kept as a total (cost_e6 of size_e6), so no rounding accumulates: selling the
last share takes the whole remaining cost with it.
"""

from __future__ import annotations

from collections.abc import ItemsView
from dataclasses import dataclass

from dailyarb.core.domain.ids import StrategyId
from dailyarb.core.domain.market import Outcome, Side
from dailyarb.core.domain.records import FillBooked
from dailyarb.core.domain.units import notional_down


@dataclass(slots=True)
class Lot:
    """Is what a strategy holds of an outcome; `life_e6` is its result since it was flat."""

    size_e6: int = 0
    cost_e6: int = 0
    life_e6: int = 0


@dataclass(frozen=True, slots=True)
class Realised:
    """Is one strategy's result of one fill or payout; closed says whether its lot went flat."""

    strategy: StrategyId
    gain_e6: int
    closed: bool
    life_e6: int


class Lots:
    """Holds the lots of one market. Shares sold by another strategy close their owner's lot."""

    def __init__(self) -> None:
        self._lots: dict[tuple[StrategyId, Outcome], Lot] = {}
        self._up_e6 = 0
        self._down_e6 = 0

    def size_e6(self, outcome: Outcome) -> int:
        """Returns the shares held of an outcome over all strategies."""
        return self._up_e6 if outcome is Outcome.UP else self._down_e6

    def _resize(self, outcome: Outcome, lot: Lot, change_e6: int) -> None:
        lot.size_e6 += change_e6
        self._held(outcome, change_e6)

    def _held(self, outcome: Outcome, change_e6: int) -> None:
        if outcome is Outcome.UP:
            self._up_e6 += change_e6
        else:
            self._down_e6 += change_e6

    def items(self) -> ItemsView[tuple[StrategyId, Outcome], Lot]:
        """Returns every lot by owner and outcome, in the order they were first used."""
        return self._lots.items()

    def adopt(self, owner: StrategyId, outcome: Outcome, lot: Lot) -> None:
        """Takes over a lot that was kept."""
        self._lots[owner, outcome] = lot
        self._held(outcome, lot.size_e6)

    def cost_e6(self, outcome: Outcome) -> int:
        """Returns what those shares cost, fees not included."""
        return sum(lot.cost_e6 for (_, held), lot in self._lots.items() if held is outcome)

    def held(self, strategy: StrategyId, outcome: Outcome) -> int:
        """Returns the shares one strategy holds of an outcome."""
        lot = self._lots.get((strategy, outcome))
        return lot.size_e6 if lot else 0

    def unrealised_e6(self, strategy: StrategyId, up_price_e4: int) -> int:
        """Returns value at this UP price less cost, for one strategy."""
        total = 0
        for (owner, outcome), lot in self._lots.items():
            if owner is strategy and lot.size_e6:
                price = up_price_e4 if outcome is Outcome.UP else 10_000 - up_price_e4
                total += notional_down(price, lot.size_e6) - lot.cost_e6
        return total

    def owners(self) -> list[StrategyId]:
        """Returns the strategies that hold anything."""
        return list(dict.fromkeys(owner for (owner, _), lot in self._lots.items() if lot.size_e6))

    def apply(self, fill: FillBooked) -> list[Realised]:
        """Applies a fill and returns what it realised, by owner of the shares."""
        own = self._lots.setdefault((fill.strategy, fill.outcome), Lot())
        if fill.side is Side.BUY:
            self._resize(fill.outcome, own, fill.size_e6)
            own.cost_e6 -= fill.cash_e6
            own.life_e6 -= fill.fee_e6
            return []
        own.life_e6 -= fill.fee_e6
        left, proceeds = fill.size_e6, fill.cash_e6
        results: list[Realised] = []
        for owner in self._sellers(fill):
            lot = self._lots[(owner, fill.outcome)]
            part = min(left, lot.size_e6)
            if part <= 0:
                continue
            share = proceeds if part == left else proceeds * part // left
            results.append(self._close((owner, fill.outcome), part, share))
            left, proceeds = left - part, proceeds - share
        if left:
            # More sold than held: the venue is the truth, so the lot goes negative and shows it.
            self._resize(fill.outcome, own, -left)
            own.cost_e6 -= proceeds
        return results

    def _sellers(self, fill: FillBooked) -> list[StrategyId]:
        others = [o for (o, held) in self._lots if held is fill.outcome and o is not fill.strategy]
        return [fill.strategy, *others]

    def _close(self, key: tuple[StrategyId, Outcome], size_e6: int, proceeds_e6: int) -> Realised:
        lot = self._lots[key]
        cost = lot.cost_e6 if size_e6 == lot.size_e6 else lot.cost_e6 * size_e6 // lot.size_e6
        self._resize(key[1], lot, -size_e6)
        lot.cost_e6 -= cost
        gain = proceeds_e6 - cost
        lot.life_e6 += gain
        closed = lot.size_e6 == 0
        life = lot.life_e6
        if closed:
            lot.life_e6 = 0
        return Realised(key[0], gain, closed, life)

    def settle(self, up_price_e4: int) -> list[Realised]:
        """Closes every lot at the payout price and returns the results by owner."""
        results: list[Realised] = []
        for (owner, outcome), lot in self._lots.items():
            if lot.size_e6:
                price = up_price_e4 if outcome is Outcome.UP else 10_000 - up_price_e4
                proceeds = notional_down(price, lot.size_e6)
                results.append(self._close((owner, outcome), lot.size_e6, proceeds))
        return results

    def merge(self, size_e6: int) -> list[Realised]:
        """Turns equal shares of both outcomes into a dollar a pair.

        Each outcome's half of the dollar is its share of what the pair cost, so the gain falls on
        the pair and not on one leg.
        """
        results: list[Realised] = []
        costs = {o: self.cost_e6(o) for o in Outcome}
        total = max(1, sum(costs.values()))
        rest = size_e6
        for outcome in Outcome:
            part = rest if outcome is Outcome.DOWN else size_e6 * costs[outcome] // total
            rest -= part
            fill_left, proceeds = size_e6, part
            for (owner, held), lot in self._lots.items():
                take = min(fill_left, lot.size_e6) if held is outcome else 0
                if take > 0:
                    share = proceeds if take == fill_left else proceeds * take // fill_left
                    results.append(self._close((owner, held), take, share))
                    fill_left, proceeds = fill_left - take, proceeds - share
        return results

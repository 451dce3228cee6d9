"""What several strategies want of one market at one moment, made one wish.

Buying UP and buying DOWN at once pays two fees for nothing, so opposite entries net out: the side
with fewer shares is dropped, the other keeps the difference, best edges first. An exit stands, and
an entry into what is being left is dropped. What remains shares one budget, that of the market and
that of all together: the most edge per dollar comes first, and the last that fits is cut to fit.
Every intent keeps its strategy's name, and each that is dropped or cut is told by whom or what.

Pairs and quotes hold both outcomes by themselves: they are not netted, but they use the budget.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from msgspec.structs import replace

from dailyarb.core.domain.ids import Gate
from dailyarb.core.domain.intents import Blocked, Intent, IntentKind, Leg
from dailyarb.core.domain.market import MarketSpec, Outcome, Side
from dailyarb.core.domain.units import floor_to, notional_up
from dailyarb.core.strategies.base import fee_per_share_e4


class Budget(NamedTuple):
    """Is what may still be lost at settlement, in micro-dollars: in the market, and in total."""

    market_e6: int
    total_e6: int


class Combined(NamedTuple):
    """Is what goes on to the risk gate, in the order given, and what does not, with its gate."""

    kept: tuple[Intent, ...]
    dropped: tuple[tuple[Intent, Blocked], ...]


def combine(wishes: Sequence[Intent], spec: MarketSpec, budget: Budget) -> Combined:
    """Returns one coherent set of intents of one market.

    Args:
        wishes: what strategies want, at most one entry of each.
        spec: the market, for its fees and smallest order.
        budget: what all entries together may put at risk.
    """
    fate: list[Intent | Blocked] = list(wishes)
    _net(fate, spec)
    _share(fate, spec, budget)
    pairs = list(zip(wishes, fate, strict=True))
    return Combined(
        tuple(end for _, end in pairs if isinstance(end, Intent)),
        tuple((wish, end) for wish, end in pairs if isinstance(end, Blocked)),
    )


def _directional(intent: Intent | Blocked) -> Leg | None:
    """Returns the one leg of an entry that takes a side, None for everything else."""
    if not isinstance(intent, Intent) or intent.kind is not IntentKind.ENTRY:
        return None
    [first, *others] = intent.legs
    return None if others or first.post_only or first.side is Side.SELL else first


def _net(fate: list[Intent | Blocked], spec: MarketSpec) -> None:
    """Drops entries into what is being left, then the smaller of two opposite sides."""
    left = {
        leg.outcome
        for wish in fate
        if isinstance(wish, Intent) and wish.kind is not IntentKind.ENTRY
        for leg in wish.legs
        if leg.side is Side.SELL
    }
    for i, wish in enumerate(fate):
        leg = _directional(wish)
        if leg is not None and leg.outcome in left:
            fate[i] = Blocked(Gate.NETTED, 0.0, leg.size_e6 / 1e6)
    legs = [(i, leg) for i, leg in ((i, _directional(w)) for i, w in enumerate(fate)) if leg]
    sums = {o: sum(leg.size_e6 for _, leg in legs if leg.outcome is o) for o in Outcome}
    over = min(sums.values())
    if not over:
        return
    # The smaller side goes whole; from the larger one as many shares, least edge first.
    by_edge = sorted(legs, key=lambda row: (_edge(fate[row[0]]), -row[0]))
    away = dict.fromkeys(Outcome, over)
    for i, leg in by_edge:
        cut = min(leg.size_e6, away[leg.outcome])
        away[leg.outcome] -= cut
        if cut:
            fate[i] = _resized(fate[i], leg.size_e6 - cut, spec, Gate.NETTED)


def _edge(wish: Intent | Blocked) -> int:
    return wish.edge_e4 if isinstance(wish, Intent) else 0


def _resized(
    wish: Intent | Blocked, size_e6: int, spec: MarketSpec, gate: Gate
) -> Intent | Blocked:
    """Returns the intent with another size, or the gate where too little would be left."""
    if not isinstance(wish, Intent):
        return wish
    if size_e6 < spec.grid.min_size_e6:
        return Blocked(gate, size_e6 / 1e6, wish.legs[0].size_e6 / 1e6)
    return replace(wish, legs=tuple(replace(leg, size_e6=size_e6) for leg in wish.legs))


def _share(fate: list[Intent | Blocked], spec: MarketSpec, budget: Budget) -> None:
    """Gives the budget to entries by edge per dollar; the last one in is cut to what is left."""
    entries = [
        (i, wish, cost_e6(wish, spec))
        for i, wish in enumerate(fate)
        if isinstance(wish, Intent) and wish.kind is IntentKind.ENTRY
    ]
    left = max(0, min(budget))
    for i, wish, cost in sorted(entries, key=lambda row: (-_value(row[1], row[2]), row[0])):
        if cost <= left:
            left -= cost
            continue
        # Both parts of a cost are rounded up, by less than one each.
        size = min(leg.size_e6 for leg in wish.legs) * max(0, left - 2) // cost
        size = floor_to(size, spec.grid.size_step_e6)
        fate[i] = found = _resized(wish, size, spec, Gate.BUDGET)
        if isinstance(found, Blocked):
            fate[i] = Blocked(Gate.BUDGET, cost / 1e6, left / 1e6)
        else:
            left -= cost_e6(found, spec)


def _value(wish: Intent, cost: int) -> float:
    """Returns expected dollars per dollar at risk."""
    return wish.edge_e4 * min(leg.size_e6 for leg in wish.legs) / cost


def cost_e6(intent: Intent, spec: MarketSpec) -> int:
    """Returns what an entry can lose at settlement, in micro-dollars, rounded up.

    Of two outcomes one pays, so a pair risks its dearer leg: the one that may fill alone.
    """
    dearest = 1
    for leg in intent.legs:
        fee = 0.0 if leg.post_only else fee_per_share_e4(leg.price_e4, spec.fees.rate_e6)
        dearest = max(dearest, notional_up(leg.price_e4, leg.size_e6) + _up(fee, leg.size_e6))
    return dearest


def _up(fee_e4: float, size_e6: int) -> int:
    return int(fee_e4 * size_e6 / 10_000) + 1 if fee_e4 else 0

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


class _Take(NamedTuple):
    """Is an entry that takes one side, and its place among the wishes."""

    place: int
    intent: Intent
    leg: Leg


def _takes(fate: Sequence[Intent | Blocked]) -> list[_Take]:
    return [
        _Take(place, wish, wish.legs[0])
        for place, wish in enumerate(fate)
        if isinstance(wish, Intent)
        and wish.kind is IntentKind.ENTRY
        and len(wish.legs) == 1
        and wish.legs[0].side is Side.BUY
        and not wish.legs[0].post_only
    ]


def _net(fate: list[Intent | Blocked], spec: MarketSpec) -> None:
    """Drops entries into what is being left, then the smaller of two opposite sides."""
    left = {
        leg.outcome
        for wish in fate
        if isinstance(wish, Intent) and wish.kind is not IntentKind.ENTRY
        for leg in wish.legs
        if leg.side is Side.SELL
    }
    for take in _takes(fate):
        if take.leg.outcome in left:
            fate[take.place] = Blocked(Gate.NETTED, 0.0, take.leg.size_e6 / 1e6)
    takes = _takes(fate)
    sums = {o: sum(t.leg.size_e6 for t in takes if t.leg.outcome is o) for o in Outcome}
    # The smaller side goes whole; from the larger one as many shares, least edge first.
    away = dict.fromkeys(Outcome, min(sums.values()))
    for take in sorted(takes, key=lambda t: (t.intent.edge_e4, -t.place)):
        cut = min(take.leg.size_e6, away[take.leg.outcome])
        away[take.leg.outcome] -= cut
        if cut:
            size = take.leg.size_e6 - cut
            fate[take.place] = _resized(take.intent, size, spec, Gate.NETTED)


def _resized(wish: Intent, size_e6: int, spec: MarketSpec, gate: Gate) -> Intent | Blocked:
    """Returns the intent with another size, or the gate where too little would be left."""
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

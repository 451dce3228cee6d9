"""Ways out of a one-sided pair: buy the missing leg or sell the excess, whichever loses less.

A way out loses what the shares cost and it spends, less the dollar a completed pair pays or the
cash a sale brings, fees included. It is taken only within the bound, down to the last share at the
limit price: that limit is the floor. It may lie up to `SLIP_E4` beyond what the book shows, so that
a touch that moves while the order travels does not leave the leg naked. Completing needs only cash;
selling needs confirmed shares (F33, F43). Where the venue takes no crossing order both wait as
makers, one tick inside the other side (F61).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from dailyarb.core.domain.grid import ceil_tick, fit_size_e6, floor_tick
from dailyarb.core.domain.intents import IntentKind, Leg
from dailyarb.core.domain.market import MarketSpec, Outcome, Side, taker_fee_e6
from dailyarb.core.domain.orders import TIF
from dailyarb.core.domain.units import notional_down, notional_up

LEVELS = 20
SLIP_E4 = 1_000
CRUMB_E6 = 100_000  # a tenth of a share is not worth a nearer limit


class Depth(Protocol):
    """Is a book as far as a way out reads it."""

    def levels(self, outcome: Outcome, side: Side, count: int) -> list[tuple[int, int]]:
        """Returns the best levels of a side as (price_e4, size_e6)."""
        ...


class Need(NamedTuple):
    """Is an excess to get rid of: what it cost, and what getting rid of it may lose at most."""

    spec: MarketSpec
    book: Depth
    long: Outcome
    excess_e6: int
    sellable_e6: int
    cost_e6: int
    bound_e6: int


class Way(NamedTuple):
    """Is one way out; loss_e6 is at the book's prices, the leg's limit may lose up to the bound."""

    kind: IntentKind
    leg: Leg
    loss_e6: int


def best_way(need: Need, maker_only: bool, sells_only: bool) -> Way | None:
    """Returns the way out that loses least a share, None when none is within the bound.

    Of equals, as both are while the book is one, completing: it leaves a dollar, not a result.
    """
    find = _rest if maker_only else _cross
    buy = (IntentKind.COMPLETE, need.long.other, Side.BUY, need.excess_e6)
    sell = (IntentKind.UNWIND, need.long, Side.SELL, min(need.excess_e6, need.sellable_e6))
    kinds = (sell,) if sells_only else (buy, sell)
    found = [way for each in kinds if (way := find(need, *each)) is not None]
    return min(found, key=lambda w: round(w.loss_e6 * 10_000 / w.leg.size_e6), default=None)


def _loss_e6(need: Need, side: Side, price_e4: int, size_e6: int, takes: bool) -> int:
    rate = need.spec.fees.rate_e6 if takes else 0
    cost = -(-need.cost_e6 * size_e6 // need.excess_e6) + taker_fee_e6(price_e4, size_e6, rate)
    if side is Side.BUY:
        return cost + notional_up(price_e4, size_e6) - size_e6  # a matched pair pays a dollar
    return cost - notional_down(price_e4, size_e6)


def _cross(need: Need, kind: IntentKind, outcome: Outcome, side: Side, want_e6: int) -> Way | None:
    """Returns as many shares as price, depth and bound allow; of equals, the farthest limit."""
    levels = _reach(need, outcome, Side.SELL if side is Side.BUY else Side.BUY, want_e6)
    found = [Leg(outcome, side, *each, TIF.FAK) for each in _limits(need, side, levels, want_e6)]
    most = max((leg.size_e6 for leg in found), default=0)
    for leg in reversed(found):
        if leg.size_e6 > most - CRUMB_E6:
            return Way(kind, leg, _swept_e6(need, side, levels, leg.size_e6))
    return None


def _limits(
    need: Need, side: Side, levels: list[tuple[int, int]], want_e6: int
) -> Iterator[tuple[int, int]]:
    """Yields limit prices from the touch on, each with the shares it may have."""
    grid, buys = need.spec.grid, side is Side.BUY
    span = abs(levels[-1][0] - levels[0][0]) + SLIP_E4 if levels else -1
    for slip in range(0, span + 1, grid.tick_e4):
        price = levels[0][0] + slip if buys else levels[0][0] - slip
        if not grid.on_tick(price):
            return
        there = sum(n for at, n in levels if (at <= price if buys else at >= price))
        size = _bounded(need, side, price, min(want_e6, there))
        size = fit_size_e6(grid, side, price, size, True) if size else 0
        if size:
            yield price, size


def _reach(need: Need, outcome: Outcome, against: Side, want_e6: int) -> list[tuple[int, int]]:
    """Returns the levels that hold the shares wanted, or all there are."""
    found: list[tuple[int, int]] = []
    left = want_e6
    for price, size in need.book.levels(outcome, against, LEVELS):
        if left <= 0:
            break
        found.append((price, size))
        left -= size
    return found


def _bounded(need: Need, side: Side, price_e4: int, size_e6: int) -> int:
    """Returns the shares whose loss at this price stays within the bound."""
    loss = _loss_e6(need, side, price_e4, size_e6, True) if size_e6 else 0
    if loss <= need.bound_e6:
        return size_e6
    return size_e6 * need.bound_e6 // loss if need.bound_e6 > 0 else 0


def _swept_e6(need: Need, side: Side, levels: list[tuple[int, int]], size_e6: int) -> int:
    """Returns what so many shares lose at the book's prices."""
    loss, left = 0, size_e6
    for price, size in levels:
        part = min(left, size)
        loss += _loss_e6(need, side, price, part, True)
        left -= part
    return loss


def _rest(need: Need, kind: IntentKind, outcome: Outcome, side: Side, want_e6: int) -> Way | None:
    grid = need.spec.grid
    bids = need.book.levels(outcome, Side.BUY, 1)
    asks = need.book.levels(outcome, Side.SELL, 1)
    if not bids or not asks:
        return None  # without both sides nobody knows what a fair place in the queue is
    if side is Side.BUY:
        price = floor_tick(grid, asks[0][0] - grid.tick_e4)
    else:
        price = ceil_tick(grid, bids[0][0] + grid.tick_e4)
    size = fit_size_e6(grid, side, price, want_e6, False)
    if not size:
        return None
    loss = _loss_e6(need, side, price, size, False)
    leg = Leg(outcome, side, price, size, TIF.GTC, post_only=True)
    return Way(kind, leg, loss) if loss <= need.bound_e6 else None

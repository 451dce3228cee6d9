"""The grid: sizes and amounts the venue accepts, in integers (I11).

Rounding has cost operators dearly: shares rounded up put the implied price below the level aimed
at and killed 63 of 96 thousand orders (py-sdk#291). So cash is fixed first, shares follow, and the
price implied by the signed integers must equal the limit exactly.

Source: polymarket.md 5.6, 5.7.
"""

from __future__ import annotations

from math import gcd
from typing import NamedTuple

from dailyarb.core.domain.errors import InvariantBroken
from dailyarb.core.domain.market import Grid, Side
from dailyarb.core.domain.units import PRICE_ONE_E4, floor_to

CENT_E6 = 10_000
BASIS_E6 = 100  # 4 decimals


class Amounts(NamedTuple):
    """Is what gets signed: what the maker gives and what it takes, in 1e-6."""

    maker_e6: int
    taker_e6: int


def size_step_e6(grid: Grid, side: Side, price_e4: int, marketable: bool) -> int:
    """Returns the share step at this price.

    A resting order needs whole size steps. A marketable BUY needs cash in whole cents besides, a
    marketable SELL cash in 4 decimals.
    """
    if not marketable:
        return grid.size_step_e6
    cash_step = CENT_E6 if side is Side.BUY else BASIS_E6
    # The smallest size whose cash (price x size) is a multiple of the cash step.
    whole = cash_step * PRICE_ONE_E4
    step = whole // gcd(price_e4, whole)
    return step * grid.size_step_e6 // gcd(step, grid.size_step_e6)


def fit_size_e6(grid: Grid, side: Side, price_e4: int, size_e6: int, marketable: bool) -> int:
    """Returns the largest size the venue accepts up to `size_e6`, or 0 when none is."""
    size = floor_to(size_e6, size_step_e6(grid, side, price_e4, marketable))
    if size < grid.min_size_e6:
        return 0
    if marketable and side is Side.BUY and price_e4 * size < grid.min_marketable_e6 * PRICE_ONE_E4:
        return 0
    return size


def amounts(side: Side, price_e4: int, size_e6: int) -> Amounts:
    """Returns the integers to sign.

    Raises:
        InvariantBroken: cash is not a whole number of micro-dollars, so the implied price would
            differ from the limit.
    """
    cash, rest = divmod(price_e4 * size_e6, PRICE_ONE_E4)
    if rest or cash * PRICE_ONE_E4 != price_e4 * size_e6 or size_e6 <= 0:
        raise InvariantBroken(f"I11: {size_e6} x {price_e4} is not a whole amount of cash")
    return Amounts(cash, size_e6) if side is Side.BUY else Amounts(size_e6, cash)


def floor_tick(grid: Grid, price_e4: int) -> int:
    """Returns the highest grid price not above, kept inside [tick, 1 - tick]."""
    low, high = grid.tick_e4, PRICE_ONE_E4 - grid.tick_e4
    return min(max(floor_to(price_e4, grid.tick_e4), low), high)


def ceil_tick(grid: Grid, price_e4: int) -> int:
    """Returns the lowest grid price not below, kept inside [tick, 1 - tick]."""
    return floor_tick(grid, price_e4 + grid.tick_e4 - 1)

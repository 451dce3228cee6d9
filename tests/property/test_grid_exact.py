"""Every order that is signed implies its limit exactly, on every tick (I11)."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dailyarb.core.domain.errors import InvariantBroken
from dailyarb.core.domain.grid import amounts, ceil_tick, fit_size_e6, floor_tick
from dailyarb.core.domain.market import Grid, Side

TICKS = [1_000, 100, 50, 25, 10, 1]
grids = st.sampled_from([Grid(tick_e4=t) for t in TICKS])


@st.composite
def orders(draw: st.DrawFn) -> tuple[Grid, Side, int, int, bool]:
    """Draws an order: grid, side, price on the grid, any size, whether it crosses."""
    grid = draw(grids)
    price = draw(st.integers(1, 10_000 // grid.tick_e4 - 1)) * grid.tick_e4
    return grid, draw(st.sampled_from(list(Side))), price, draw(st.integers(0, 10**10)), draw(
        st.booleans()
    )


@given(order=orders())
def test_the_signed_integers_imply_the_limit(order: tuple[Grid, Side, int, int, bool]) -> None:
    grid, side, price, wanted, crosses = order
    size = fit_size_e6(grid, side, price, wanted, crosses)
    assert 0 <= size <= wanted
    if not size:
        return
    maker, taker = amounts(side, price, size)
    cash, shares = (maker, taker) if side is Side.BUY else (taker, maker)
    assert Fraction(cash, shares) == Fraction(price, 10_000)
    assert shares == size
    assert size >= grid.min_size_e6
    assert size % grid.size_step_e6 == 0
    if crosses:
        assert cash % (10_000 if side is Side.BUY else 100) == 0
    if crosses and side is Side.BUY:
        assert cash >= grid.min_marketable_e6


@given(order=orders())
def test_fitting_a_fitted_size_changes_nothing(order: tuple[Grid, Side, int, int, bool]) -> None:
    grid, side, price, wanted, crosses = order
    size = fit_size_e6(grid, side, price, wanted, crosses)
    assert fit_size_e6(grid, side, price, size, crosses) == size


@given(grid=grids, price=st.integers(-20_000, 20_000))
def test_rounding_to_the_tick_stays_inside_the_market(grid: Grid, price: int) -> None:
    low, high = floor_tick(grid, price), ceil_tick(grid, price)
    assert grid.on_tick(low)
    assert grid.on_tick(high)
    if grid.tick_e4 <= price <= 10_000 - grid.tick_e4:
        assert low <= price <= high
        assert high - low in (0, grid.tick_e4)


@pytest.mark.parametrize("size", [0, 1, -10_000])
def test_cash_that_is_not_whole_is_our_bug(size: int) -> None:
    with pytest.raises(InvariantBroken, match="I11"):
        amounts(Side.BUY, 4_999, size)


def test_a_purchase_that_crosses_costs_at_least_a_dollar() -> None:
    shares = 5_000_000
    assert fit_size_e6(Grid(), Side.BUY, 1_900, shares, True) == 0
    assert fit_size_e6(Grid(), Side.BUY, 2_000, shares, True) == shares
    assert fit_size_e6(Grid(), Side.BUY, 1_900, shares, False) == shares
    assert fit_size_e6(Grid(), Side.SELL, 1_900, shares, True) == shares

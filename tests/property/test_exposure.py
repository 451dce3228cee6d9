"""Worst case at settlement is the worst over outcomes and every subset of what may happen (I6)."""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from dailyarb.core.domain.market import Outcome, Side
from dailyarb.core.risk.exposure import Item, Standing, outlook

items = st.builds(
    Item,
    st.sampled_from(list(Outcome)),
    st.sampled_from(list(Side)),
    st.integers(1, 9_999),
    st.integers(0, 10**9),
    st.integers(0, 10**6),
)
standings = st.builds(
    Standing, st.integers(-(10**9), 10**9), st.integers(0, 10**9), st.integers(0, 10**9)
)


@given(standing=standings, maybe=st.lists(items, max_size=6))
def test_no_subset_is_worse_or_better(standing: Standing, maybe: list[Item]) -> None:
    results = [
        standing.result_e6(winner)
        + sum(item.result_e6(winner) for item, on in zip(maybe, mask, strict=True) if on)
        for winner in Outcome
        for mask in product((False, True), repeat=len(maybe))
    ]
    found = outlook(standing, maybe)
    assert found.worst_e6 == min(results)
    assert found.best_e6 == max(results)


@given(standing=standings, maybe=st.lists(items, max_size=5), more=items)
def test_one_more_item_never_improves_the_worst(
    standing: Standing, maybe: list[Item], more: Item
) -> None:
    assert outlook(standing, [*maybe, more]).worst_e6 <= outlook(standing, maybe).worst_e6


def test_a_pair_below_a_dollar_cannot_lose() -> None:
    flow = -(480_000 + 500_000) * 20
    assert outlook(Standing(flow, 20_000_000, 20_000_000), []).worst_e6 == 400_000

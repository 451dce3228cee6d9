"""Fees follow each market's own schedule, floored to 1e-5 dollars."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dailyarb.core.domain.errors import UnitError
from dailyarb.core.domain.market import taker_fee_e6


@given(
    price_e4=st.integers(1, 9_999),
    size_e6=st.integers(0, 10**12),
    rate_e6=st.integers(0, 200_000),
)
def test_the_fee_is_the_exact_product_floored(price_e4: int, size_e6: int, rate_e6: int) -> None:
    price = Fraction(price_e4, 10_000)
    exact = Fraction(size_e6, 10**6) * Fraction(rate_e6, 10**6) * price * (1 - price)
    fee = Fraction(taker_fee_e6(price_e4, size_e6, rate_e6), 10**6)
    assert fee <= exact < fee + Fraction(1, 10**5)
    assert fee * 10**5 == int(fee * 10**5)


def test_charges_found_on_chain_are_reproduced(shared_data: Path) -> None:
    found = json.loads((shared_data / "fees" / "onchain_taker_fees_2026-09.json").read_text())
    rows = found if isinstance(found, list) else found["records"]
    assert len(rows) == 14
    for row in rows:
        price_e4 = round(Fraction(str(row["price"])) * 10_000)
        rate_e6 = round(Fraction(str(row["fee_rate"])) * 10**6)
        shares = int(row["shares"]) if "shares" in row else _shares(row)
        assert taker_fee_e6(price_e4, shares, rate_e6) == int(row["fee"])


def _shares(row: dict[str, object]) -> int:
    """Returns the share side of the two amounts, the larger one at a price below a dollar."""
    return max(int(str(row["maker_amount_filled"])), int(str(row["taker_amount_filled"])))


@pytest.mark.parametrize(
    ("price", "size", "rate"), [(0, 1, 1), (10_000, 1, 1), (1, -1, 1), (1, 1, -1)]
)
def test_numbers_outside_their_range_are_refused(price: int, size: int, rate: int) -> None:
    with pytest.raises(UnitError):
        taker_fee_e6(price, size, rate)

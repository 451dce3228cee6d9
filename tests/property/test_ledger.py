"""The ledger conserves money whatever happens to fills, and agrees with a plain recount."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dailyarb.core.domain.errors import InvariantBroken
from dailyarb.core.domain.ids import StrategyId
from dailyarb.core.domain.market import Outcome, Side
from dailyarb.core.domain.orders import FillState
from dailyarb.core.domain.records import Adjusted, FillBooked, FillProven, Merged, PayoutBooked
from dailyarb.core.domain.units import notional_down, notional_up
from dailyarb.core.ledger.ledger import Ledger


def fill(n: int, side: Side, outcome: Outcome, price: int, size: int, fee: int = 0) -> FillBooked:
    """Returns one provisional fill of strategy S1."""
    cash = -notional_up(price, size) if side is Side.BUY else notional_down(price, size)
    return FillBooked(
        f"t{n}", "o", StrategyId.S1, "m", outcome, side, price, size, cash, fee, False,
        FillState.PROVISIONAL, n,
    )  # fmt: skip


steps = st.lists(
    st.tuples(
        st.sampled_from(list(Side)),
        st.sampled_from(list(Outcome)),
        st.integers(1, 9_999),
        st.integers(1, 10**9),
        st.integers(0, 10**5),
        st.sampled_from(["confirm", "void", "leave"]),
    ),
    max_size=25,
)


@dataclass
class Recount:
    """Counts cash and shares the plain way."""

    cash: int = 0
    shares: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))


@given(plan=steps, up=st.sampled_from([0, 5_000, 10_000]))
def test_cash_and_shares_agree_with_a_recount(
    plan: list[tuple[Side, Outcome, int, int, int, str]], up: int
) -> None:
    ledger, count = Ledger(), Recount()
    ledger.apply(Adjusted("opening", 10**9), 0)
    count.cash = 10**9
    for n, (side, outcome, price, size, fee, fate) in enumerate(plan):
        if side is Side.SELL:
            size = min(size, count.shares[outcome])
            if size == 0:
                continue
        one = fill(n, side, outcome, price, size, fee)
        ledger.apply(one, n)
        if fate == "confirm":
            ledger.apply(FillProven(one.trade_id, "o", FillState.CONFIRMED), n)
        if fate == "void" and side is Side.SELL:
            ledger.apply(FillProven(one.trade_id, "o", FillState.VOIDED), n)
            continue
        count.cash += one.cash_e6 - fee
        count.shares[outcome] += size if side is Side.BUY else -size
    assert ledger.accounts.cash == count.cash
    assert {o: ledger.size_e6("m", o) for o in Outcome} == count.shares
    pays = sum(
        notional_down(up if o is Outcome.UP else 10_000 - up, n) for o, n in count.shares.items()
    )
    ledger.apply(PayoutBooked("m", up, pays), 99)
    assert ledger.accounts.cash == count.cash + pays
    assert ledger.accounts.residual_e6 == 0


@given(plan=steps)
def test_a_confirmed_run_realises_exactly_its_cash(
    plan: list[tuple[Side, Outcome, int, int, int, str]],
) -> None:
    ledger, held = Ledger(), dict.fromkeys(Outcome, 0)
    for n, (side, outcome, price, size, fee, _) in enumerate(plan):
        size = size if side is Side.BUY else min(size, held[outcome])
        if size == 0:
            continue
        held[outcome] += size if side is Side.BUY else -size
        ledger.apply(fill(n, side, outcome, price, size, fee), n)
        ledger.apply(FillProven(f"t{n}", "o", FillState.CONFIRMED), n)
    ledger.apply(PayoutBooked("m", 10_000, held[Outcome.UP]), 99)
    assert ledger.pnl.total.net_e6 == ledger.accounts.cash
    hours = sum(t.net_e6 for t in ledger.pnl.hours.values())
    strategies = sum(t.net_e6 for t in ledger.pnl.strategies.values())
    assert hours == strategies == ledger.pnl.total.net_e6


def test_a_fill_twice_is_our_bug() -> None:
    ledger = Ledger()
    one = fill(1, Side.BUY, Outcome.UP, 5_000, 10**6)
    ledger.apply(one, 1)
    with pytest.raises(InvariantBroken):
        ledger.apply(one, 2)


def test_a_confirmed_fill_cannot_be_voided() -> None:
    ledger = Ledger()
    ledger.apply(fill(1, Side.BUY, Outcome.UP, 5_000, 10**6), 1)
    ledger.apply(FillProven("t1", "o", FillState.CONFIRMED), 2)
    with pytest.raises(InvariantBroken):
        ledger.apply(FillProven("t1", "o", FillState.VOIDED), 3)


def test_a_merged_pair_is_a_dollar_and_the_gain_is_the_pairs() -> None:
    ledger = Ledger()
    for n, (outcome, price) in enumerate([(Outcome.UP, 4_700), (Outcome.DOWN, 5_000)]):
        ledger.apply(fill(n, Side.BUY, outcome, price, 10_000_000), n)
        ledger.apply(FillProven(f"t{n}", "o", FillState.CONFIRMED), n)
    ledger.apply(Merged("m", 10_000_000, 10_000_000), 5)
    assert ledger.accounts.cash == 300_000
    assert ledger.pnl.total.realised_e6 == 300_000
    assert Fraction(ledger.size_e6("m", Outcome.UP)) == 0


def test_shares_sold_by_the_operator_close_their_owners_lot() -> None:
    ledger = Ledger()
    ledger.apply(fill(1, Side.BUY, Outcome.UP, 5_000, 10_000_000), 1)
    ledger.apply(FillProven("t1", "o", FillState.CONFIRMED), 1)
    sale = FillBooked(
        "t2", "p", StrategyId.OPERATOR, "m", Outcome.UP, Side.SELL, 4_000, 10_000_000,
        4_000_000, 0, False, FillState.CONFIRMED, 2,
    )  # fmt: skip
    ledger.apply(sale, 2)
    assert ledger.pnl.strategies[StrategyId.S1].realised_e6 == -1_000_000
    assert ledger.pnl.strategies[StrategyId.S1].losses == 1

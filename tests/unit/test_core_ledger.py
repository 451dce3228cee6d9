"""The ledger folds facts into cash, shares and results; what is learnt late is paid late."""

from __future__ import annotations

from typing import Any

import pytest

from dailyarb.core.domain.errors import InvariantBroken
from dailyarb.core.domain.ids import Severity, StrategyId
from dailyarb.core.domain.market import Outcome, Side
from dailyarb.core.domain.orders import FillState
from dailyarb.core.domain.records import (
    Adjusted,
    AlertRaised,
    FillBooked,
    FillProven,
    MarketSeen,
    Merged,
    PayoutBooked,
)
from dailyarb.core.ledger.ledger import Ledger
from dailyarb.core.ledger.lots import Lots
from dailyarb.core.ledger.pnl import DAY_NS, HOUR_NS
from tests.rig import spec

SHARE = 1_000_000


def fill(trade: str, shares: int, price_e4: int = 5_000, **more: Any) -> FillBooked:
    """Returns a confirmed fill of S1 in UP; negative shares sell."""
    size = abs(shares) * SHARE
    cash = -price_e4 * size // 10_000 * (1 if shares > 0 else -1)
    values: dict[str, Any] = {
        "strategy": StrategyId.S1,
        "market_id": "0xm",
        "outcome": Outcome.UP,
        "side": Side.BUY if shares > 0 else Side.SELL,
        "fee_e6": 0,
        "maker": False,
        "state": FillState.CONFIRMED,
        "match_ns": 0,
    }
    return FillBooked(
        trade, "o", price_e4=price_e4, size_e6=size, cash_e6=cash, **{**values, **more}
    )


def folded(*records: Any) -> Ledger:
    """Returns a ledger of these records."""
    ledger = Ledger()
    for record in records:
        ledger.apply(record, 0)
    return ledger


def test_records_without_money_are_passed_over() -> None:
    ledger = folded(AlertRaised(Severity.INFO, "k", "t"), MarketSeen(spec()))
    assert ledger.accounts.cash == 0
    assert ledger.provisional("0xm") == []
    assert ledger.size_e6("0xm", Outcome.UP) == ledger.confirmed_e6("0xm", Outcome.UP) == 0
    assert ledger.held_e6("0xm", StrategyId.S1, Outcome.UP) == 0
    assert ledger.proven_e6("0xm", StrategyId.S1, Outcome.UP) == 0
    assert ledger.fill("t", "o") is None


def test_results_carry_the_markets_label() -> None:
    ledger = folded(MarketSeen(spec()), fill("a", 10), fill("b", -10, 6_000))
    assert ledger.pnl.markets["BTC 5m"].net_e6 == SHARE
    assert (ledger.pnl.total.wins, ledger.pnl.streak) == (1, 0)


@pytest.mark.parametrize(
    "broken",
    [
        [fill("a", 1), fill("a", 1)],
        [fill("a", 1), fill("a", 1, market_id="0xother")],
        [fill("a", 1, fee_e6=-1)],
        [FillBooked("t", "o", StrategyId.S1, "0xm", Outcome.UP, Side.BUY, 1, 0, 0, 0, False,
                    FillState.CONFIRMED, 0)],
        [FillProven("t", "o", FillState.CONFIRMED)],
        [fill("a", 1), FillProven("a", "o", FillState.VOIDED)],
        [PayoutBooked("0xm", 0, 1)],
        [PayoutBooked("0xm", 0, 0), PayoutBooked("0xm", 0, 0)],
    ],
)  # fmt: skip
def test_what_cannot_be_is_our_bug(broken: list[Any]) -> None:
    with pytest.raises(InvariantBroken):
        folded(*broken)


def test_postings_that_do_not_balance_are_our_bug() -> None:
    ledger = Ledger()
    ledger.accounts.fees = 1
    with pytest.raises(InvariantBroken, match="I1"):
        ledger.apply(Adjusted("deposit", 5), 0)


def test_deposits_are_not_results() -> None:
    ledger = folded(Adjusted("opening", 10), Adjusted("deposit", 5))
    accounts = ledger.accounts
    assert (accounts.cash, accounts.opening, accounts.external) == (15, -10, -5)
    assert ledger.pnl.total.net_e6 == 0


def test_a_market_that_paid_holds_nothing() -> None:
    ledger = folded(fill("a", 10), PayoutBooked("0xm", 10_000, 10 * SHARE))
    assert ledger.size_e6("0xm", Outcome.UP) == 0
    assert ledger.held_e6("0xm", StrategyId.S1, Outcome.UP) == 0
    assert ledger.open_markets() == []
    assert ledger.pnl.total.net_e6 == 5 * SHARE


@pytest.mark.parametrize("shares", [10, -4])
@pytest.mark.parametrize("up", [0, 5_000, 10_000])
def test_late_is_worth_the_same_as_in_time(shares: int, up: int) -> None:
    late = fill("late", shares, 4_000, state=FillState.PROVISIONAL)
    proof = FillProven("late", "o", FillState.CONFIRMED)
    first = fill("a", 10)
    due = (10 + shares) * up * 100
    in_time = folded(first, late, proof, PayoutBooked("0xm", up, due))
    proven_late = folded(first, late, PayoutBooked("0xm", up, due), proof)
    heard_late = folded(first, PayoutBooked("0xm", up, 10 * up * 100), late, proof)
    for ledger in (proven_late, heard_late):
        assert ledger.accounts == in_time.accounts
        assert ledger.pnl.total.net_e6 == in_time.pnl.total.net_e6
    voided = folded(
        first, late, PayoutBooked("0xm", up, due), FillProven("late", "o", FillState.VOIDED)
    )
    without = folded(first, PayoutBooked("0xm", up, 10 * up * 100))
    assert voided.accounts == without.accounts
    assert voided.pnl.total == without.pnl.total


def test_a_void_after_a_merge_leaves_the_merge_alone() -> None:
    ledger = folded(
        fill("a", 10),
        fill("b", 10, outcome=Outcome.DOWN),
        fill("c", 5, state=FillState.PROVISIONAL),
        Merged("0xm", 10 * SHARE, 10 * SHARE),
        FillProven("c", "o", FillState.VOIDED),
    )
    assert [ledger.size_e6("0xm", o) for o in Outcome] == [0, 0]
    assert ledger.accounts.residual_e6 == 0


def test_shares_sold_that_were_never_held_show_as_negative() -> None:
    lots = Lots()
    lots.apply(fill("a", -5))
    assert lots.size_e6(Outcome.UP) == -5 * SHARE
    assert lots.settle(10_000)[0].gain_e6 == -5 * SHARE + 2_500_000
    assert lots.owners() == []


def test_an_owner_with_nothing_left_sells_nothing() -> None:
    lots = Lots()
    lots.apply(fill("a", 5, strategy=StrategyId.S2))
    lots.apply(fill("b", -5, strategy=StrategyId.S2))
    lots.apply(fill("c", 5, outcome=Outcome.DOWN, strategy=StrategyId.S2))
    lots.apply(fill("d", 5, strategy=StrategyId.S1))
    results = lots.apply(fill("e", -5, strategy=StrategyId.OPERATOR))
    assert [r.strategy for r in results] == [StrategyId.S1]
    assert lots.unrealised_e6(StrategyId.S2, 4_000) == 5 * 600_000 - 2_500_000


def test_days_and_hours_are_utc_and_roll_at_midnight() -> None:
    eve, day = 20_000 * DAY_NS - 1, 20_000 * DAY_NS
    ledger = folded(
        fill("a", 10, match_ns=eve), fill("b", -5, 4_000, match_ns=eve),
        fill("c", -5, 6_000, match_ns=day),
    )  # fmt: skip
    pnl = ledger.pnl
    assert (pnl.day(eve).net_e6, pnl.day(day).net_e6) == (-500_000, 500_000)
    assert pnl.day(day + DAY_NS).net_e6 == 0
    late, early = pnl.hour(StrategyId.S1, eve, 23), pnl.hour(StrategyId.S1, day + HOUR_NS, 0)
    assert late is not None and early is not None
    assert (late.net_e6, early.net_e6) == (-500_000, 500_000)
    assert pnl.hour(StrategyId.S1, day, 5) is None


def test_a_streak_counts_positions_not_fills() -> None:
    ledger = Ledger()
    for i in range(3):
        ledger.apply(fill(f"a{i}", 10), 0)
        ledger.apply(fill(f"b{i}", -5, 4_000), 0)
        ledger.apply(fill(f"c{i}", -5, 4_000), 0)
        assert ledger.pnl.streak == i + 1
    ledger.apply(fill("d", 10), 0)
    ledger.apply(fill("e", -10, 5_000), 0)
    assert ledger.pnl.streak == 3, "neither won nor lost"
    ledger.apply(fill("f", 10), 0)
    ledger.apply(fill("g", -10, 5_100), 0)
    assert ledger.pnl.streak == 0

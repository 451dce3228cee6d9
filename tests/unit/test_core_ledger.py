"""The ledger folds facts into cash, shares and results; what is learnt late is paid late."""

from __future__ import annotations

from typing import Any

import msgspec
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
from dailyarb.core.ledger.kept import KeptLedger, keep_ledger, restore_ledger
from dailyarb.core.ledger.ledger import CLOSED_KEPT, LABELS_KEPT, Ledger
from dailyarb.core.ledger.lots import Lots
from dailyarb.core.ledger.pnl import DAY_NS, HOUR_NS, MARKETS_KEPT, Tally
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


def paid(number: int, wall_ns: int, ledger: Ledger) -> None:
    """Lets a market be traded and decided."""
    market_id = f"0x{number}"
    ledger.apply(fill(f"t{number}", 10, market_id=market_id, match_ns=wall_ns), wall_ns)
    ledger.apply(PayoutBooked(market_id, 10_000, 10 * SHARE), wall_ns)


def test_drawdown_is_the_deepest_fall_below_the_peak() -> None:
    ledger = folded(
        fill("t1", 10),
        fill("t2", -10, 6_000, fee_e6=100_000),  # +1.00 less a fee of 0.10
        fill("t3", 10),
        fill("t4", -10, 3_000),  # -2.00
        fill("t5", 10),
        fill("t6", -10, 5_500),  # +0.50
    )
    for tally in (ledger.pnl.total, ledger.pnl.strategies[StrategyId.S1]):
        assert (tally.net_e6, tally.peak_e6) == (-600_000, 900_000)
        assert tally.drawdown_e6 == 2_000_000, "a later gain takes nothing off it"


def test_books_are_shut_once_decided_long_ago_and_all_is_proven() -> None:
    ledger = Ledger()
    paid(1, 100, ledger)
    paid(2, 200, ledger)
    ledger.apply(PayoutBooked("0x3", 0, 0), 100)
    ledger.apply(fill("t4", 10, market_id="0x4", match_ns=50), 60)
    ledger.apply(fill("t5", 10, market_id="0x5", state=FillState.PROVISIONAL), 60)
    ledger.apply(PayoutBooked("0x5", 0, 0), 60)
    cash = ledger.accounts.cash
    ledger.forget(150)
    assert list(ledger.markets) == ["0x2", "0x4", "0x5"], "late, undecided, unproven"
    assert list(ledger.closed) == ["0x1", "0x3"]
    assert ledger.fill("t1", "o") is None
    assert (ledger.accounts.cash, ledger.accounts.residual_e6) == (cash, 0)
    ledger.apply(FillProven("t5", "o", FillState.VOIDED), 100)
    ledger.forget(150)
    assert list(ledger.closed) == ["0x1", "0x3", "0x5"]


def test_what_is_kept_of_shut_books_names_and_past_hours_is_bounded() -> None:
    ledger = Ledger()
    for number in range(CLOSED_KEPT + 2):
        paid(number, 1, ledger)
    for number in range(LABELS_KEPT + 3):
        ledger.apply(MarketSeen(spec(market_id=f"0xl{number}")), 1)
    for number in range(MARKETS_KEPT + 4):
        ledger.pnl.markets[f"m{number}"] = Tally()
    assert ledger.pnl.hours and ledger.pnl.days
    ledger.forget(40 * DAY_NS)
    assert (len(ledger.closed), next(iter(ledger.closed))) == (CLOSED_KEPT, "0x2")
    assert (len(ledger.labels), next(iter(ledger.labels))) == (LABELS_KEPT, "0xl3")
    assert len(ledger.pnl.markets) == MARKETS_KEPT
    assert not ledger.pnl.hours and not ledger.pnl.days
    assert ledger.pnl.total.fills == CLOSED_KEPT + 2, "totals stay"


def test_a_kept_ledger_comes_back_as_it_was() -> None:
    ledger = folded(
        Adjusted("opening", 1_000 * SHARE),
        MarketSeen(spec()),
        fill("t1", 10, fee_e6=170_000),
        fill("t2", 5, state=FillState.PROVISIONAL, outcome=Outcome.DOWN),
        fill("t3", -4, strategy=StrategyId.S2),
        fill("t4", 2, market_id="0xn"),
        PayoutBooked("0xn", 10_000, 2 * SHARE),
    )
    body = msgspec.msgpack.encode(keep_ledger(ledger))
    again = restore_ledger(msgspec.msgpack.decode(body, type=KeptLedger))
    assert msgspec.msgpack.encode(keep_ledger(again)) == body
    for one in (ledger, again):
        one.apply(FillProven("t2", "o", FillState.CONFIRMED), 5)
        one.apply(PayoutBooked("0xm", 0, 5 * SHARE), 6)
    assert again.accounts == ledger.accounts
    assert again.pnl == ledger.pnl
    assert again.open_markets() == ledger.open_markets() == []
    with pytest.raises(InvariantBroken, match="booked twice"):
        again.apply(fill("t1", 10), 7)

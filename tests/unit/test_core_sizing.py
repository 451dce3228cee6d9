"""Kelly on a lower bound: no edge, no size; results correct the model, windows count once."""

from __future__ import annotations

import math
from typing import Any

import pytest

from dailyarb.core.domain.ids import StrategyId
from dailyarb.core.domain.market import Outcome, Side
from dailyarb.core.domain.orders import FillState
from dailyarb.core.domain.records import FillBooked, PayoutBooked, RungSet
from dailyarb.core.domain.rung import Rung
from dailyarb.core.domain.settings import S1Settings, S2Settings, Strategies
from dailyarb.core.risk.sizing import (
    WAITING_MAX,
    Bin,
    Calibration,
    Stake,
    kelly,
    kelly_size_e6,
    wilson_low,
)
from tests.rig import Rig, settings

SHARE = 1_000_000


def bought(market: str = "0xm", **changes: Any) -> FillBooked:
    """Returns a purchase of UP by S1 at a fair value of 0.62."""
    values: dict[str, Any] = {
        "trade_id": "t", "order_id": "o", "strategy": StrategyId.S1, "market_id": market,
        "outcome": Outcome.UP, "side": Side.BUY, "price_e4": 5_500, "size_e6": SHARE,
        "cash_e6": -550_000, "fee_e6": 0, "maker": False, "state": FillState.PROVISIONAL,
        "match_ns": 0, "fair_e4": 6_200,
    }  # fmt: skip
    return FillBooked(**{**values, **changes})


def decided(*records: FillBooked | PayoutBooked) -> list[Bin]:
    """Returns the bins in which something was decided by these records."""
    found = Calibration()
    for record in records:
        found.apply(record)
    return [own for own in found.bins if own.decided]


@pytest.mark.parametrize(
    ("p", "n", "z", "low"),
    [
        # Newcombe, Statistics in Medicine 17, 1998, table I, method 3: 81/263, 15/148, 0/20, 1/29.
        (81 / 263, 263, 1.959964, 0.2553), (15 / 148, 148, 1.959964, 0.0624),
        (0.0, 20, 1.959964, 0.0), (1 / 29, 29, 1.959964, 0.0061), (0.6, 100, 0.0, 0.6),
    ],
)  # fmt: skip
def test_the_lower_bound_is_wilsons(p: float, n: float, z: float, low: float) -> None:
    assert wilson_low(p, n, z) == pytest.approx(low, abs=5e-5)


@pytest.mark.parametrize(
    ("q", "cost", "share"), [(0.6, 0.5, 0.2), (1.0, 0.9, 1.0), (0.5, 0.5, 0.0), (0.4, 0.5, 0.0),
                             (1.0, 1.0, 0.0)],
)  # fmt: skip
def test_kellys_share(q: float, cost: float, share: float) -> None:
    assert kelly(q, cost) == pytest.approx(share)


def test_kellys_share_grows_capital_fastest() -> None:
    def growth(share: float, q: float = 0.6, cost: float = 0.5) -> float:
        won = 1 + share * (1 - cost) / cost
        return q * math.log(won) + (1 - q) * math.log(1 - share)

    best = max((growth(i / 1_000), i / 1_000) for i in range(1_000))[1]
    assert kelly(0.6, 0.5) == pytest.approx(best)


def test_the_size_is_a_fraction_of_it_and_floored() -> None:
    assert kelly_size_e6(Stake(0.75, 0.5), 100 * SHARE, 0.25) == 25 * SHARE
    assert kelly_size_e6(Stake(0.75, 0.5), 100 * SHARE, 1.0) == 100 * SHARE
    assert kelly_size_e6(Stake(0.75, 0.5), 1, 0.75) == 0, "0.75 of a millionth share"
    assert kelly_size_e6(Stake(0.5, 0.6), 100 * SHARE, 1.0) == 0
    assert kelly_size_e6(Stake(0.6, 0.5), -5 * SHARE, 1.0) == 0, "no cash, no size"


def test_a_new_record_starts_at_the_models_chance_with_the_doubt_of_its_samples() -> None:
    fresh = Calibration()
    assert fresh.low(0.62, 400, 1.645) == wilson_low(0.62, 400, 1.645)
    assert 0.57 < fresh.low(0.62, 400, 1.645) < 0.59
    assert fresh.low(0.62, 100, 1.645) < fresh.low(0.62, 1_000, 1.645) < 0.62
    assert fresh.low(1.0, 400, 1.645) < 1.0


def test_chances_that_do_not_come_true_lower_it_and_good_ones_narrow_it() -> None:
    bad, good = Calibration(), Calibration()
    bad.bins[6] = Bin(400, 200, 248.0)
    good.bins[6] = Bin(400, 248, 248.0)
    assert bad.low(0.62, 400, 0.0) == pytest.approx(0.56)
    assert good.low(0.62, 400, 0.0) == pytest.approx(0.62)
    assert good.low(0.62, 400, 1.645) > Calibration().low(0.62, 400, 1.645)
    assert bad.low(0.72, 400, 0.0) == pytest.approx(0.72), "another tenth has its own record"


def test_a_window_counts_once_by_its_first_purchase() -> None:
    records = (bought(), bought(trade_id="t2", fair_e4=9_000), PayoutBooked("0xm", 10_000, 0))
    assert decided(*records, PayoutBooked("0xm", 10_000, 0)) == [Bin(1, 1, 0.62)]


@pytest.mark.parametrize(
    ("outcome", "up_pays", "wins"),
    [(Outcome.UP, 0, 0), (Outcome.DOWN, 0, 1), (Outcome.DOWN, 10_000, 0)],
)
def test_a_purchase_wins_when_its_outcome_does(outcome: Outcome, up_pays: int, wins: int) -> None:
    [own] = decided(bought(outcome=outcome), PayoutBooked("0xm", up_pays, 0))
    assert own.wins == wins
    assert own.expected == pytest.approx(0.62 if outcome is Outcome.UP else 0.38)


@pytest.mark.parametrize(
    "fill",
    [
        bought(side=Side.SELL), bought(fair_e4=0), bought(strategy=StrategyId.S2),
        bought(strategy=StrategyId.OPERATOR), bought(market="0xother"),
    ],
)  # fmt: skip
def test_what_bets_on_no_outcome_is_no_sample(fill: FillBooked) -> None:
    assert decided(fill, PayoutBooked("0xm", 10_000, 0)) == []


def test_a_split_window_says_nothing_and_other_records_are_left_alone() -> None:
    assert decided(bought(), PayoutBooked("0xm", 5_000, 0)) == []
    found = Calibration()
    found.apply(RungSet(Rung.FULL, "me", ""))
    assert found == Calibration()


def test_windows_that_are_never_decided_are_forgotten() -> None:
    found = Calibration()
    for i in range(WAITING_MAX + 5):
        found.apply(bought(market=f"m{i}"))
    assert len(found.waiting) == WAITING_MAX
    assert next(iter(found.waiting)) == "m5"


def test_the_engine_keeps_the_record_over_a_restart() -> None:
    from dailyarb.core.domain.events import Resolved

    only = Strategies(S1=S1Settings(enabled=True), S2=S2Settings(enabled=False))
    rig = Rig(settings(only)).ready()
    rig.book([(50, 500), (49, 500)], [(51, 500), (52, 500)])
    rig.advance(0.5)
    rig.book([(50, 500), (49, 500)], [(51, 500), (52, 500)])
    rig.spot(100_100)
    rig.fill(rig.submits[0].orders[0].order_id, 20)
    rig.feed(Resolved("0xm", 10_000))
    [own] = [own for own in rig.state.gate.calibration.bins if own.decided]
    assert (own.decided, own.wins) == (1, 1)
    from dailyarb.core.domain.commands import Journal

    rows = [(c.record, rig.clock.now().wall_ns) for c in rig.all(Journal)]
    again = Rig(settings(only), history=rows)
    assert again.state.gate.calibration == rig.state.gate.calibration

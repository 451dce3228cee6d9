"""Position size: as the strategy says, or by fractional Kelly on a lower bound of its chance.

A share that costs c = price + fee and pays a dollar with probability q grows capital fastest when
the share (q - c) / (1 - c) of it is staked; the fraction k of that is used, since overstating q
costs more than understating it.

q is not the model's own number but a lower bound of it. The model's chance p of the outcome
bought is first corrected by how often such chances have come true, then lowered to the end of
Wilson's score interval:

    bin       tenths of p, of the entries this instance took in windows that were since decided
    p'        p + (wins - sum of p) / (n + n0)       n decided windows in the bin
    q         Wilson's lower bound of p' at n + n0 trials and z standard deviations

n0 = `risk.kelly_samples` stands for the decided windows on which the fair values were checked
before (docs/evidence.md); z = `risk.kelly_sigmas`. A new record thus starts at the model's p with
the doubt of n0 windows, and own results outweigh it in time. One window counts once, by its first
entry: its later entries share its fate.

Sources: Kelly, A New Interpretation of Information Rate, 1956; Wilson, Probable Inference, 1927.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

from dailyarb.core.domain.ids import StrategyId
from dailyarb.core.domain.intents import Intent
from dailyarb.core.domain.market import Outcome, Side, taker_fee_e6
from dailyarb.core.domain.records import FillBooked, PayoutBooked, Record
from dailyarb.core.domain.settings import Risk
from dailyarb.core.domain.units import PRICE_ONE_E4, SIZE_ONE_E6

BINS = 10
WAITING_MAX = 1_000  # windows entered and not decided
_NO_BET = (StrategyId.S2, StrategyId.OPERATOR)  # buys both outcomes; buys nothing


def wilson_low(p: float, trials: float, z: float) -> float:
    """Returns the lower end of Wilson's score interval.

    Args:
        p: observed share, 0 to 1.
        trials: on how many it rests, above 0.
        z: standard deviations, 1.645 for one-sided 95 %.
    """
    zz = z * z / trials
    middle = p + zz / 2.0
    spread = z * math.sqrt(p * (1.0 - p) / trials + zz / (4.0 * trials))
    return max(0.0, (middle - spread) / (1.0 + zz))


def kelly(q: float, cost: float) -> float:
    """Returns the share of capital to stake at full Kelly, 0 where there is no edge.

    Args:
        q: chance that the share pays its dollar.
        cost: price and fee of a share in dollars.
    """
    return (q - cost) / (1.0 - cost) if q > cost else 0.0


@dataclass(slots=True)
class Bin:
    """Counts decided windows whose first entry had a chance in one tenth."""

    decided: int = 0
    wins: int = 0
    expected: float = 0.0


@dataclass(slots=True)
class Calibration:
    """Is how often the chances of the entries taken have come true: a fold of records."""

    bins: list[Bin] = field(default_factory=lambda: [Bin() for _ in range(BINS)])
    # Market to the outcome bought first and its chance x 1e4 at that decision.
    waiting: dict[str, tuple[Outcome, int]] = field(default_factory=dict)

    def apply(self, record: Record) -> None:
        """Folds one record in: the first purchase of a window, and what the window paid."""
        if isinstance(record, FillBooked):
            if record.side is Side.BUY and record.fair_e4 > 0 and record.strategy not in _NO_BET:
                self._bought(record)
        elif isinstance(record, PayoutBooked):
            self._decided(record)

    def _bought(self, fill: FillBooked) -> None:
        up = fill.outcome is Outcome.UP
        chance_e4 = fill.fair_e4 if up else PRICE_ONE_E4 - fill.fair_e4
        self.waiting.setdefault(fill.market_id, (fill.outcome, chance_e4))
        if len(self.waiting) > WAITING_MAX:
            del self.waiting[next(iter(self.waiting))]

    def _decided(self, paid: PayoutBooked) -> None:
        found = self.waiting.pop(paid.market_id, None)
        if found is None or paid.up_price_e4 not in (0, PRICE_ONE_E4):
            return  # a window that pays both sides alike says nothing about a chance
        outcome, chance_e4 = found
        own = self._bin(chance_e4 / PRICE_ONE_E4)
        own.decided += 1
        own.wins += (paid.up_price_e4 == PRICE_ONE_E4) == (outcome is Outcome.UP)
        own.expected += chance_e4 / PRICE_ONE_E4

    def _bin(self, chance: float) -> Bin:
        return self.bins[min(BINS - 1, int(chance * BINS))]

    def low(self, chance: float, samples: int, z: float) -> float:
        """Returns q: the lower bound of a chance (see the head of this file)."""
        own = self._bin(chance)
        trials = own.decided + samples
        corrected = chance + (own.wins - own.expected) / trials
        return wilson_low(min(1.0, max(0.0, corrected)), trials, z)


class Stake(NamedTuple):
    """Is what Kelly looks at: the lower bound q and the cost c of a share, both in dollars."""

    q: float
    cost: float


def stake(intent: Intent, rate_e6: int, found: Calibration, risk: Risk) -> Stake:
    """Returns q and c of an entry with one leg.

    Args:
        intent: with the model's chance of UP x 1e4 as `fair_e4`.
        rate_e6: the market's taker fee rate; a maker pays none.
        found: how often such chances came true.
        risk: `kelly_samples` and `kelly_sigmas`.
    """
    leg = intent.legs[0]
    fair = intent.fair_e4 if leg.outcome is Outcome.UP else PRICE_ONE_E4 - intent.fair_e4
    lot_e6 = 1_000 * SIZE_ONE_E6  # the fee of one share, before its flooring
    fee_e6 = 0 if leg.post_only else taker_fee_e6(leg.price_e4, lot_e6, rate_e6)
    cost = leg.price_e4 / PRICE_ONE_E4 + fee_e6 / lot_e6
    return Stake(found.low(fair / PRICE_ONE_E4, risk.kelly_samples, risk.kelly_sigmas), cost)


def kelly_size_e6(wanted: Stake, capital_e6: int, fraction: float) -> int:
    """Returns the shares x 1e6 that fractional Kelly buys, floored; 0 without an edge.

    Args:
        wanted: lower bound and cost; a cost of a dollar or more buys nothing.
        capital_e6: cash that is free, micro-dollars.
        fraction: k.
    """
    share = fraction * kelly(wanted.q, wanted.cost)
    return max(0, math.floor(share * capital_e6 / wanted.cost))

"""Worst case at settlement.

For one market the question is asked for both outcomes: the flow of cash so far, plus what the
shares pay, plus every item that may or may not happen (open, unknown, provisional, about to be
sent) counted only where it hurts. Items are independent, so the worst subset is the sum of the
negative ones (I6).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from dailyarb.core.domain.market import Outcome, Side, taker_fee_e6
from dailyarb.core.domain.records import FillBooked
from dailyarb.core.domain.units import PRICE_ONE_E4, notional_down, notional_up


class Item(NamedTuple):
    """Is something that may happen: buying or selling shares at no worse than this price."""

    outcome: Outcome
    side: Side
    price_e4: int
    size_e6: int
    fee_e6: int

    @property
    def paid_e6(self) -> int:
        """Returns the cash it costs without fee, negative when it brings some, worst rounding."""
        cash = self.price_e4 * self.size_e6
        return -(-cash // PRICE_ONE_E4) if self.side is Side.BUY else -(cash // PRICE_ONE_E4)

    def result_e6(self, winner: Outcome) -> int:
        """Returns what it adds to the result when `winner` pays, worst rounding."""
        pays = PRICE_ONE_E4 if winner is self.outcome else 0
        if self.side is Side.BUY:
            gain = notional_down(pays, self.size_e6) - notional_up(self.price_e4, self.size_e6)
        else:
            gain = notional_down(self.price_e4, self.size_e6) - notional_up(pays, self.size_e6)
        return gain - self.fee_e6


def order_item(
    outcome: Outcome, side: Side, price_e4: int, size_e6: int, rate_e6: int, post_only: bool
) -> Item:
    """Returns an order's remaining size as an item, with the taker fee unless it is post-only."""
    fee = 0 if post_only else taker_fee_e6(price_e4, size_e6, rate_e6)
    return Item(outcome, side, price_e4, size_e6, fee)


def fill_item(fill: FillBooked) -> Item:
    """Returns a provisional fill as an item."""
    return Item(fill.outcome, fill.side, fill.price_e4, fill.size_e6, fill.fee_e6)


@dataclass(frozen=True, slots=True)
class Standing:
    """Is what is certain in one market: cash flow and shares of confirmed fills."""

    flow_e6: int = 0
    up_e6: int = 0
    down_e6: int = 0

    def result_e6(self, winner: Outcome) -> int:
        """Returns the result when `winner` pays."""
        return self.flow_e6 + (self.up_e6 if winner is Outcome.UP else self.down_e6)


class Outlook(NamedTuple):
    """Is the worst and the best result of a market at settlement, in micro-dollars."""

    worst_e6: int
    best_e6: int


def outlook(standing: Standing, items: list[Item]) -> Outlook:
    """Returns the worst and best result over both outcomes and every subset of items."""
    up_low = up_high = standing.result_e6(Outcome.UP)
    down_low = down_high = standing.result_e6(Outcome.DOWN)
    for item in items:
        paid = item.paid_e6
        lost, won = -paid - item.fee_e6, item.size_e6 - paid - item.fee_e6
        if item.side is Side.SELL:
            won -= 2 * item.size_e6
        up, down = (won, lost) if item.outcome is Outcome.UP else (lost, won)
        if up < 0:
            up_low += up
        else:
            up_high += up
        if down < 0:
            down_low += down
        else:
            down_high += down
    return Outlook(min(up_low, down_low), max(up_high, down_high))


def unmatched_e6(excess_e6: int, up_left_e6: int, down_left_e6: int) -> int:
    """Returns the most shares a pair can be left with on one side.

    Args:
        excess_e6: UP shares less DOWN shares it holds.
        up_left_e6: UP shares its orders may still buy.
        down_left_e6: DOWN shares its orders may still buy.
    """
    return max(excess_e6 + up_left_e6, down_left_e6 - excess_e6)

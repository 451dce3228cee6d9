"""One order of the fill model: on its way, held or resting, in UP coordinates."""

from __future__ import annotations

from enum import Enum

from dailyarb.core.domain.market import Outcome, Side
from dailyarb.core.domain.units import PRICE_ONE_E4
from dailyarb.sim.fills_types import NewOrder


class Phase(Enum):
    """Is where an order is."""

    TRAVELLING = 0
    HELD = 1
    RESTING = 2


class Working:
    """Is one order: what is left of it, and who stands ahead.

    Args:
        new: the order as it was sent.
        rank: what sets it behind an earlier one at the same price.
    """

    __slots__ = (
        "cancel_asked",
        "is_bid",
        "left_e6",
        "low_e6",
        "low_since_ns",
        "new",
        "phase",
        "price_e4",
        "queue_e6",
        "rank",
        "through_ns",
    )

    def __init__(self, new: NewOrder, rank: int) -> None:
        is_up = new.outcome is Outcome.UP
        self.new = new
        self.rank = rank
        self.is_bid = (new.side is Side.BUY) == is_up
        self.price_e4 = new.price_e4 if is_up else PRICE_ONE_E4 - new.price_e4
        self.left_e6 = new.size_e6
        self.phase = Phase.TRAVELLING
        self.queue_e6 = 0
        self.low_e6 = 0
        self.low_since_ns = -1  # since when the level shows less than the queue, or -1
        self.cancel_asked = False
        self.through_ns = -1  # since when the other side stands beyond our price, or -1

    @property
    def matched_e6(self) -> int:
        """Returns what of it was filled."""
        return self.new.size_e6 - self.left_e6

    def reaches(self, price_e4: int) -> bool:
        """Says whether the limit allows a trade at this UP price."""
        return price_e4 <= self.price_e4 if self.is_bid else price_e4 >= self.price_e4

    def beyond(self, price_e4: int) -> bool:
        """Says whether an UP price is past the limit, to our advantage."""
        return price_e4 < self.price_e4 if self.is_bid else price_e4 > self.price_e4

    def guarded(self, own_best_e4: int) -> bool:
        """Says whether real orders at our price or a better one are still shown."""
        return own_best_e4 >= self.price_e4 if self.is_bid else own_best_e4 <= self.price_e4

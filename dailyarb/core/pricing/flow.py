"""Who is in a hurry: order flow over 1, 5 and 30 s, and which way a touch leans.

A trade is signed by its aggressor: on Binance a buyer that is the maker was hit, so the seller
took; on the market's tape whoever takes UP or gives DOWN buys UP. All O(1) per event.

Units: sizes in the feed's own integers, imbalances -1 to 1, prices in 1e-4 dollars. Sources:
Cont, Kukanov and Stoikov 2014 for flow imbalance, Stoikov 2018 for the microprice.
"""

from __future__ import annotations

from typing import NamedTuple

from dailyarb._fast.flow import FlowWindows
from dailyarb.core.domain.market import Outcome, Side
from dailyarb.core.domain.units import SECOND

WINDOWS_S = (1, 5, 30)
FAST, MIDDLE, SLOW = range(3)


class Imbalance(NamedTuple):
    """Is one window's flow: (bought - sold) / both, -1 to 1, and the aggressors by side."""

    share: float
    buys: int
    sells: int

    @property
    def trades(self) -> int:
        """Returns the aggressor trades of both sides."""
        return self.buys + self.sells


class FlowMeter:
    """Measures one stream of trades over `WINDOWS_S`."""

    def __init__(self, capacity: int = 4096) -> None:
        self._sums = FlowWindows(tuple(s * SECOND for s in WINDOWS_S), capacity)
        self._most = 2**62 // (2 * capacity)  # of one size, so that no sum overflows

    def push(self, now_ns: int, buy: int, sell: int, buys: int, sells: int) -> None:
        """Takes what aggressors bought and sold in one burst: sizes and trades, all >= 0."""
        self._sums.push(now_ns, min(buy, self._most), min(sell, self._most), buys, sells)

    def read(self, now_ns: int) -> tuple[Imbalance, ...]:
        """Returns the flow of each window at this moment."""
        self._sums.advance(now_ns)
        return tuple(
            Imbalance(self._sums.imbalance(band), *self._sums.sums(band)[2:])
            for band in range(len(WINDOWS_S))
        )


class Flow(NamedTuple):
    """Is the flow a strategy sees: Binance, the market's own tape, and the signal's age.

    since_ns counts from when the 5 s imbalance of Binance last passed the asked threshold.
    """

    reference: tuple[Imbalance, ...]
    tape: tuple[Imbalance, ...]
    since_ns: int


def buys_up(outcome: Outcome, side: Side) -> bool:
    """Says whether an aggressor on the market's tape takes UP or, the same, gives DOWN."""
    return (outcome is Outcome.UP) == (side is Side.BUY)


def lean(bid_size: int, ask_size: int) -> float:
    """Returns (bid - ask) / (bid + ask) of two sizes, -1 to 1, 0 for an empty touch."""
    both = bid_size + ask_size
    return (bid_size - ask_size) / both if both else 0.0


def microprice_e4(bid_e4: int, bid_size: int, ask_e4: int, ask_size: int) -> float:
    """Returns the touch's mean price, each side weighed by the size of the other."""
    both = bid_size + ask_size
    if not both:
        return (bid_e4 + ask_e4) / 2
    return (bid_e4 * ask_size + ask_e4 * bid_size) / both

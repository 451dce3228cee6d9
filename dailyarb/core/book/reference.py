"""The reference of one asset: Binance spot, the settling feed, and the basis between them.

Binance moves first, the settling feed decides. They are never compared raw: USDT is not USD and
the feed is an average, so spot is carried over by a running basis, measured as the settling value
stamped T against the mean Binance mid of the seconds it averaged (binance.md 5, FINDINGS 5).
"""

from __future__ import annotations

import math
from collections import deque

from dailyarb._fast.stats import FlowSum, RollingMove
from dailyarb.core.domain.events import ReferenceMoved, SettlementPrice
from dailyarb.core.domain.units import MS, SECOND, SETTLE_ONE_E18, SPOT_ONE_E8

SECONDS_KEPT = 1_200
SETTLE_KEPT = 4_000
TWAP_LAG_S = 3  # the averaged seconds end about this long before the stamp
COVER_MIN = 1 / 3  # share of the averaged seconds that must be known
FLOW_WINDOW_NS = 5 * SECOND
FLOW_MOST_E8 = 2**49  # one burst counts no more: coins of tiny price trade in huge sizes


class Basis:
    """Averages log(settling / spot) exponentially, with its standard deviation."""

    def __init__(self, half_life_s: float) -> None:
        self._half_life_s = half_life_s
        self._last_s = 0.0
        self.log: float = 0.0
        self._variance = 0.0
        self.samples = 0

    def push(self, at_s: float, log_ratio: float) -> None:
        """Takes one measurement."""
        if self.samples == 0:
            self.log, self._last_s, self.samples = log_ratio, at_s, 1
            return
        gap = max(0.0, at_s - self._last_s)
        weight = max(1.0 - 0.5 ** (gap / self._half_life_s), 1.0 / (self.samples + 1))
        step = log_ratio - self.log
        self.log += weight * step
        self._variance = (1.0 - weight) * (self._variance + weight * step * step)
        self._last_s = at_s
        self.samples += 1

    @property
    def sd(self) -> float:
        """Returns the standard deviation of single measurements, in log."""
        return math.sqrt(self._variance)


class Reference:
    """Holds what is known of one asset's price."""

    def __init__(self, asset: str, move_window_ms: int, basis_half_life_s: float) -> None:
        self.asset = asset
        self.bid_e8 = 0
        self.ask_e8 = 0
        self.last_e8 = 0
        self.recv_ns = 0
        self.event_ns = 0
        self.basis = Basis(basis_half_life_s)
        self.flow = FlowSum(FLOW_WINDOW_NS)
        self.settle_e18 = 0
        self.settle_stamp_ms = 0
        self.settle_recv_ns = 0
        self._move = RollingMove(move_window_ms * MS)
        self._seconds: deque[tuple[int, int]] = deque(maxlen=SECONDS_KEPT)  # (wall s, mid_e8)
        self._settled: dict[int, int] = {}  # stamp_ms -> price_e18

    @property
    def mid_e8(self) -> int:
        """Returns the mid, 0 before the first quote."""
        return (self.bid_e8 + self.ask_e8) // 2

    @property
    def spot(self) -> float | None:
        """Returns the mid in dollars."""
        return self.mid_e8 / SPOT_ONE_E8 if self.bid_e8 else None

    def moved(self, event: ReferenceMoved, wall_ns: int) -> bool:
        """Takes a quote; says whether the mid changed."""
        old = self.mid_e8
        self.bid_e8, self.ask_e8, self.recv_ns = event.bid_e8, event.ask_e8, event.recv_ns
        if event.trades:
            self.last_e8, self.event_ns = event.last_e8, event.event_ns
            self._push_flow(event)
        mid = self.mid_e8
        self._move.push(event.recv_ns, mid)
        second = wall_ns // SECOND
        if not self._seconds or self._seconds[-1][0] < second:
            self._seconds.append((second, mid))
        return mid != old

    def _push_flow(self, event: ReferenceMoved) -> None:
        if event.buy_e8:
            self.flow.push(event.recv_ns, min(event.buy_e8, FLOW_MOST_E8))
        if event.sell_e8:
            self.flow.push(event.recv_ns, -min(event.sell_e8, FLOW_MOST_E8))

    def age_ns(self, now_ns: int) -> int | None:
        """Returns the age of the quote, None before the first."""
        return now_ns - self.recv_ns if self.recv_ns else None

    def settle_age_ns(self, now_ns: int) -> int | None:
        """Returns the age of the newest settling value, None before the first."""
        return now_ns - self.settle_recv_ns if self.settle_recv_ns else None

    def move_bp(self, now_ns: int) -> float | None:
        """Returns the move of the mid within the window in basis points, None without history."""
        self._move.advance(now_ns)
        if self._move.count < 2:
            return None
        delta, _ = self._move.move()
        start = self.mid_e8 - delta
        return delta / start * 1e4 if start else None

    def window_start_e8(self, now_ns: int) -> int:
        """Returns the mid at the start of the move window."""
        self._move.advance(now_ns)
        return self.mid_e8 - (self._move.move()[0] if self._move.count >= 2 else 0)

    def gap_bp(self) -> float:
        """Returns how far the last trade lies from the mid, in basis points."""
        mid = self.mid_e8
        return abs(self.last_e8 - mid) / mid * 1e4 if self.last_e8 and mid else 0.0

    def settled(self, event: SettlementPrice) -> None:
        """Takes one value of the settling feed and measures the basis with it."""
        self._settled[event.stamp_ms] = event.price_e18
        while len(self._settled) > SETTLE_KEPT:
            del self._settled[next(iter(self._settled))]
        if event.stamp_ms < self.settle_stamp_ms:
            return
        self.settle_e18, self.settle_stamp_ms = event.price_e18, event.stamp_ms
        self.settle_recv_ns = event.recv_ns
        mean = self.mean_spot(event.stamp_ms // 1000, event.window_s)
        if mean is not None:
            settle = event.price_e18 / SETTLE_ONE_E18
            self.basis.push(event.stamp_ms / 1000, math.log(settle / mean))

    def mean_spot(self, stamp_s: int, window_s: int) -> float | None:
        """Returns the mean Binance mid over the seconds a value stamped `stamp_s` averages.

        None when fewer than a third of those seconds are known.
        """
        length = max(1, window_s)
        end = stamp_s - TWAP_LAG_S
        values = [mid for second, mid in self._tail(end - length) if second < end]
        if len(values) < max(1, math.ceil(length * COVER_MIN)):
            return None
        return sum(values) / len(values) / SPOT_ONE_E8

    def _tail(self, from_s: int) -> list[tuple[int, int]]:
        rows: list[tuple[int, int]] = []
        for row in reversed(self._seconds):
            if row[0] < from_s:
                break
            rows.append(row)
        return rows

    def value_at(self, stamp_ms: int) -> int:
        """Returns the settling value with exactly this stamp, 0 where it was not seen."""
        return self._settled.get(stamp_ms, 0)

    def settle_spot(self, spot_e8: int | None = None) -> float | None:
        """Returns our estimate of the settling feed's spot: Binance carried over by the basis."""
        mid = self.mid_e8 if spot_e8 is None else spot_e8
        if not mid or not self.basis.samples:
            return None
        return mid / SPOT_ONE_E8 * math.exp(self.basis.log)

    def fixed_mean(self, end_s: int, lookback_s: int, now_s: int) -> float | None:
        """Returns the mean of the part of the final average that is already history.

        Args:
            end_s: the stamp that decides, seconds.
            lookback_s: length of the averaging window.
            now_s: the present second.
        """
        first = end_s - TWAP_LAG_S - lookback_s
        values = [mid for second, mid in self._tail(first) if second < now_s]
        if now_s <= first or not values:
            return None
        return sum(values) / len(values) / SPOT_ONE_E8 * math.exp(self.basis.log)

    def series(self, seconds: int) -> list[tuple[int, float]]:
        """Returns (wall second, mid in dollars) of the last seconds, oldest first."""
        rows = list(self._seconds)[-seconds:]
        return [(second, mid / SPOT_ONE_E8) for second, mid in rows]

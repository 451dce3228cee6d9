"""Everybody else in one market: quoters, their habits, and the takers who are faster than us.

One fair value drives them. Quoters see the reference late (gamma, mean 0.45 s), add their own slow
and fast errors, keep a spread that is one cent in four cases of five, pull when the reference runs
away, and leave one side of the book as the close comes near. Informed takers see the reference at
once and race for what is stale. Noise takers lean towards where the price is going, so a resting
order fills mostly when it should not. Parameters: FINDINGS.md, section 10.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_left
from typing import NamedTuple, Protocol

from dailyarb.sim.fair import FairValue
from dailyarb.sim.orderbook import ASK, BID, ONE_E4, OrderBook
from dailyarb.sim.types import NS_PER_MS, NS_PER_S

THINK_NS = 100 * NS_PER_MS
_SHARE_E6 = 1_000_000
_CENT_E6 = 10_000  # sizes move in hundredths of a share
_LEVELS = ((5.08, 1.59), (5.61, 1.21), (5.83, 1.06), (5.95, 0.98), (6.04, 0.93))
_TAIL = (6.05, 0.95)
_LAG_SHAPE, _LAG_SCALE, _LAG_MAX_S = 1.266, 0.356, 3.0
_IMPLIED_OVER_REAL = 0.95
# The residual of 3.5 c that FINDINGS.md measures is against a one-sigma formula; most of it is the
# quoters' knowledge of the window's volatility. What is left is their own error, half as large.
_SLOW_SD, _SLOW_HALF_LIFE_S = 0.012, 40.0
_FAST_SD, _FAST_HALF_LIFE_S = 0.010, 1.5
_FEE_RATE = 0.07
_SLACK_TICKS = 0.35  # how far the value may leave the quotes before they move
_REDRAW_P = 0.05  # chance per thought that the spread is drawn anew
_TIGHT_P = 0.84  # quoted one tick wide; takers widen the rest to the recorded 80 %
_ONE_SIDED_TAU = (0.0, 5.0, 10.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 150.0)
_ONE_SIDED_P = (0.70, 0.66, 0.57, 0.45, 0.38, 0.26, 0.12, 0.06, 0.01, 0.0)
_FINE_TICK_E4 = 10


class Pace(NamedTuple):
    """Is how busy a market is: level changes and trades per second, and the asset's sigma use."""

    changes_per_s: float
    trades_per_s: float


class Floor(Protocol):
    """Is the market as its crowd may use it: change levels and take them."""

    book: OrderBook
    tick_e4: int

    def set_crowd(self, side: int, price_e4: int, size_e6: int, now_ns: int) -> None:
        """Sets the crowd's size at a level and tells the world."""
        ...

    def crowd_takes(self, side: int, limit_e4: int, size_e6: int, now_ns: int) -> int:
        """Takes up to a size from a side, no worse than a limit; returns what was taken."""
        ...

    def refine_tick(self, now_ns: int) -> None:
        """Makes the tick finer: the price has left 0.04..0.96."""
        ...


class Crowd:
    """Is the crowd of one market; the venue calls `think`, `flicker` and `noise` when due."""

    def __init__(
        self, floor: Floor, fair: FairValue, end_ns: int, pace: Pace, rng: random.Random
    ) -> None:
        """Opens the book around the fair value; `end_ns` is the window's end."""
        self.floor = floor
        self.pace = pace
        self._fair = fair
        self._end_ns = end_ns
        self._rng = rng
        self._seen_ns = 0
        self._lag_ns = 0
        self._lag_until_ns = 0
        self._slow = rng.gauss(0.0, _SLOW_SD)
        self._fast = 0.0
        self._spread_ticks = 0  # not drawn yet
        self._bid_e4 = 0
        self._ask_e4 = ONE_E4
        self._nerve = rng.random()  # the window gives up one side when the table passes it
        self.one_sided = -1  # the side that was left: BID, ASK or -1
        self._raid_ns = 0
        self.fair_now = 0.5  # P(Up) of the best informed, at the last thought

    def next_flicker_ns(self) -> int:
        """Returns how long until the next change of a level's size."""
        rate = self.pace.changes_per_s * (0.2 if self.one_sided >= 0 else 1.0)
        return 1 + int(self._rng.expovariate(rate) * NS_PER_S)

    def next_noise_ns(self) -> int:
        """Returns how long until the next uninformed taker."""
        rate = self.pace.trades_per_s * (0.3 if self.one_sided >= 0 else 1.0)
        return 1 + int(self._rng.expovariate(rate) * NS_PER_S)

    def open(self, now_ns: int, sigma_bp: float) -> None:
        """Lays the first book: quotes, twelve levels a side, and the deep tail."""
        self._target(now_ns, sigma_bp)
        tick = self.floor.tick_e4
        rng = self._rng
        for side, touch, step in ((BID, self._bid_e4, -tick), (ASK, self._ask_e4, tick)):
            price = touch
            for distance in range(99):
                if 0 < price < ONE_E4 and (distance == 0 or rng.random() < 0.96):
                    self._lay(side, price, distance, now_ns)
                price += step

    def think(self, now_ns: int, sigma_bp: float) -> int:
        """Looks at the reference, requotes, pulls; returns the delay of a raid, or 0.

        Args:
            now_ns: now.
            sigma_bp: the volatility in force.
        """
        old_bid, old_ask = self._bid_e4, self._ask_e4
        self._target(now_ns, sigma_bp)
        if (self._bid_e4, self._ask_e4) != (old_bid, old_ask):
            self._requote(now_ns)
        else:
            self._refill(now_ns)
        middle = (self._bid_e4 + self._ask_e4) / 2.0 / ONE_E4
        if self.floor.tick_e4 > _FINE_TICK_E4 and not 0.04 <= middle <= 0.96:
            self.floor.refine_tick(now_ns)
        if self._stale_side() < 0:
            return 0
        self._pull(now_ns)
        if now_ns < self._raid_ns:
            return 0
        # What moved the price moved up to a thought ago (50 ms on average). The quickest sit
        # beside the exchange and wait the venue's 50 ms like everybody: they arrive 55 ms after
        # the move at best, most within 0.1-0.2 s, stragglers after half a second.
        delay = int((0.02 + self._rng.expovariate(1 / 0.045)) * NS_PER_S)
        self._raid_ns = now_ns + delay
        return delay

    def raid(self, now_ns: int, sigma_bp: float) -> None:
        """Lets the fast takers eat what is still stale when they arrive."""
        self.fair_now = self._fair.at(now_ns, sigma_bp)
        side = self._stale_side()
        if side < 0:
            return
        limit = self.fair_now * ONE_E4
        cost = (_FEE_RATE * self.fair_now * (1.0 - self.fair_now) + 0.002) * ONE_E4
        limit_e4 = int(limit - cost) if side == ASK else math.ceil(limit + cost)
        depth = self.floor.book.depth_e6(side, limit_e4)
        want = int(depth * (0.5 + 0.6 * self._rng.random())) // _CENT_E6 * _CENT_E6
        if self.floor.crowd_takes(side, limit_e4, max(_SHARE_E6 * 5, want), now_ns):
            # Quoters who were run over look up: their next quotes are as new as the takers'.
            self._seen_ns = max(self._seen_ns, now_ns)
            self._slow *= 0.5
            self._fast = 0.0

    def noise(self, now_ns: int, sigma_bp: float) -> None:
        """Lets one small taker trade at the touch, leaning to where the price is going."""
        rng = self._rng
        book = self.floor.book
        if book.bid_e4 == 0 or book.ask_e4 == ONE_E4:
            return
        fair = self._fair.at(now_ns, sigma_bp) * ONE_E4
        middle = (book.bid_e4 + book.ask_e4) / 2.0
        lean = 0.5 + 0.35 * math.tanh((fair - middle) / 100.0)
        size = int(math.exp(rng.gauss(2.3, 1.08)) * 100.0) + 1
        size_e6 = max(_SHARE_E6, size * _CENT_E6)
        if rng.random() < lean:
            self.floor.crowd_takes(ASK, book.ask_e4, size_e6, now_ns)
        else:
            self.floor.crowd_takes(BID, book.bid_e4, size_e6, now_ns)

    def flicker(self, now_ns: int) -> None:
        """Changes the size of one level: touch 62 %, the far end 15 %, levels between the rest."""
        rng = self._rng
        draw = rng.random()
        side = BID if rng.random() < 0.5 else ASK
        book = self.floor.book
        touch = book.best(side)
        if touch in (0, ONE_E4) or side == self.one_sided:
            side = 1 - side
            touch = book.best(side)
            if touch in (0, ONE_E4):
                return
        tick = self.floor.tick_e4
        if draw < 0.62:
            distance, price = 0, touch
        elif draw < 0.77:
            distance, price = 50, 100 if side == BID else ONE_E4 - 100
        else:
            distance = 1 + int(rng.expovariate(0.25))
            price = touch - distance * tick if side == BID else touch + distance * tick
        if not 0 < price < ONE_E4 or (touch - price if side == BID else price - touch) < 0:
            return
        before = book.crowd[side].get(price, 0)
        if before == 0:
            self._lay(side, price, distance, now_ns)
            return
        mu, sigma = _law(distance, price)
        level = math.log(max(before, _CENT_E6) / _SHARE_E6)
        level = mu + 0.95 * (level - mu) + 0.312 * sigma * rng.gauss(0.0, 1.0)
        size_e6 = max(1, int(math.exp(min(level, 11.5)) * 100.0)) * _CENT_E6
        if size_e6 == before:
            size_e6 += _CENT_E6
        self.floor.set_crowd(side, price, size_e6, now_ns)

    def finish(self, up_won: bool, now_ns: int) -> None:
        """Leaves the market after its end: nobody sells winners, nobody bids for losers."""
        self._abandon(ASK if up_won else BID, now_ns)

    def _target(self, now_ns: int, sigma_bp: float) -> None:
        """Moves the quotes where the quoters want them; hysteresis keeps them from dancing."""
        rng = self._rng
        if now_ns >= self._lag_until_ns:
            lag_s = min(_LAG_MAX_S, rng.gammavariate(_LAG_SHAPE, _LAG_SCALE))
            self._lag_ns = int(lag_s * NS_PER_S)
            self._lag_until_ns = now_ns + int((0.3 + rng.expovariate(1.4)) * NS_PER_S)
        self._seen_ns = max(self._seen_ns, now_ns - self._lag_ns)
        belief = sigma_bp * _IMPLIED_OVER_REAL
        self.fair_now = self._fair.at(now_ns, sigma_bp)
        seen = self._fair.at(self._seen_ns, belief)
        self._slow = _ou(self._slow, _SLOW_SD, _SLOW_HALF_LIFE_S, rng)
        self._fast = _ou(self._fast, _FAST_SD, _FAST_HALF_LIFE_S, rng)
        error = (self._slow + self._fast) * min(1.0, 4.0 * seen * (1.0 - seen))
        target = min(max(seen + error, 0.0005), 0.9995) * ONE_E4
        redrawn = rng.random() < _REDRAW_P or self._spread_ticks == 0
        if redrawn:
            self._spread_ticks = self._draw_spread(target)
        tick = self.floor.tick_e4
        slack = _SLACK_TICKS * tick
        inside = self._bid_e4 - slack <= target <= self._ask_e4 + slack
        if inside and not redrawn and self._bid_e4 % tick == 0:
            return
        width = self._spread_ticks
        low = math.floor(target / tick - (width - 1) / 2.0) if width > 1 else int(target // tick)
        if width % 2 == 0 and rng.random() < 0.5:
            low = math.floor(target / tick - width / 2.0 + 0.5)
        top = ONE_E4 // tick
        low = min(max(low, 1), top - 1 - width)
        high = low + width
        self._choose_sides(now_ns, seen)
        self._bid_e4 = 0 if self.one_sided == BID else low * tick
        self._ask_e4 = ONE_E4 if self.one_sided == ASK else high * tick

    def _draw_spread(self, target: float) -> int:
        """Draws the spread in ticks: mostly one, then geometric 0.4; wide on the fine tick."""
        rng = self._rng
        width = 1
        if rng.random() > _TIGHT_P:
            width = 2
            while rng.random() < 0.4 and width < 12:
                width += 1
        if self.floor.tick_e4 <= _FINE_TICK_E4 and 400 < target < ONE_E4 - 400:
            width *= 10
        elif self.floor.tick_e4 <= _FINE_TICK_E4:
            width = 1 + int(rng.expovariate(0.25))
        return width

    def _choose_sides(self, now_ns: int, seen: float) -> None:
        """Leaves the loser's side once the table says so for this window's nerve."""
        if self.one_sided >= 0 or 0.1 < seen < 0.9:
            return
        tau = max(0.0, (self._end_ns - now_ns) / NS_PER_S)
        if self._nerve < one_sided_share(tau):
            self._abandon(ASK if seen > 0.5 else BID, now_ns)

    def _abandon(self, side: int, now_ns: int) -> None:
        self.one_sided = side
        for price in list(self.floor.book.crowd[side]):
            self.floor.set_crowd(side, price, 0, now_ns)

    def _requote(self, now_ns: int) -> None:
        """Moves the crowd's levels to the new quotes.

        Nobody pays a taker's fee to quote: where an account order stands in the way the crowd
        quotes behind it, until it is so stale that the informed take it, or noise trades reach it.
        """
        book = self.floor.book
        for side, touch in ((ASK, self._ask_e4), (BID, self._bid_e4)):
            levels = book.crowd[side]
            better = [p for p in levels if (p < touch if side == ASK else p > touch)]
            for price in sorted(better, reverse=side == BID):
                self.floor.set_crowd(side, price, 0, now_ns)
        self._refill(now_ns)

    def _refill(self, now_ns: int) -> None:
        """Fills the touch and the next levels where nobody stands."""
        book = self.floor.book
        tick = self.floor.tick_e4
        rng = self._rng
        stale = self._stale_side()
        for side, touch, step in ((BID, self._bid_e4, -tick), (ASK, self._ask_e4, tick)):
            if touch in (0, ONE_E4) or side in (self.one_sided, stale):
                continue
            levels = book.crowd[side]
            price = touch
            for distance in range(5):
                if not 0 < price < ONE_E4:
                    break
                if price not in levels and rng.random() < 0.8:
                    other = book.best(1 - side)
                    if price < other if side == BID else price > other:
                        self._lay(side, price, distance, now_ns)
                price += step

    def _pull(self, now_ns: int) -> None:
        """Cancels part of the touch that has gone stale."""
        side = self._stale_side()
        price = self.floor.book.best(side)
        size = self.floor.book.crowd[side].get(price, 0)
        if size and self._rng.random() < 0.5:
            kept = int(size * self._rng.random()) // _CENT_E6 * _CENT_E6
            self.floor.set_crowd(side, price, kept, now_ns)

    def _stale_side(self) -> int:
        """Returns the side that an informed taker would take after fees, or -1."""
        book = self.floor.book
        fair = self.fair_now
        cost = _FEE_RATE * fair * (1.0 - fair) + 0.002
        if book.ask_e4 < ONE_E4 and fair - book.ask_e4 / ONE_E4 > cost:
            return ASK
        if book.bid_e4 > 0 and book.bid_e4 / ONE_E4 - fair > cost:
            return BID
        return -1

    def _lay(self, side: int, price_e4: int, distance: int, now_ns: int) -> None:
        mu, sigma = _law(distance, price_e4)
        size = min(math.exp(self._rng.gauss(mu, sigma)), 90_000.0)
        size_e6 = max(100, int(size * 100.0)) * _CENT_E6
        self.floor.set_crowd(side, price_e4, size_e6, now_ns)


def one_sided_share(tau_s: float) -> float:
    """Returns the share of markets with an empty side, `tau_s` seconds before the close."""
    if tau_s >= _ONE_SIDED_TAU[-1]:
        return 0.0
    index = max(1, bisect_left(_ONE_SIDED_TAU, tau_s))
    x0, x1 = _ONE_SIDED_TAU[index - 1], _ONE_SIDED_TAU[index]
    y0, y1 = _ONE_SIDED_P[index - 1], _ONE_SIDED_P[index]
    return y0 + (y1 - y0) * (tau_s - x0) / (x1 - x0)


def _law(distance: int, price_e4: int) -> tuple[float, float]:
    """Returns the lognormal law of a level's size in shares."""
    edge = min(price_e4, ONE_E4 - price_e4)
    if edge <= 100 and distance > 4:
        return 9.4, 0.25
    if edge <= 1000 and distance > 4:
        return 6.9, 0.6
    return _LEVELS[distance] if distance < 5 else _TAIL


def _ou(value: float, sd: float, half_life_s: float, rng: random.Random) -> float:
    """Moves an Ornstein-Uhlenbeck value by one thought."""
    keep = math.exp(-math.log(2.0) * (THINK_NS / NS_PER_S) / half_life_s)
    return value * keep + sd * math.sqrt(1.0 - keep * keep) * rng.gauss(0.0, 1.0)

"""S2 two outcomes below a dollar.

Hypothesis: UP and DOWN together can be had for less than the dollar they pay. Taken at once this
is refuted by the venue itself: both outcomes are one book, ask + ask = 1 + spread in every frame,
so the taker form fires only on an atomic state of one book that passes the mirror check, and
almost never does. Rested for, both bids below a dollar fill at different moments; it is refuted
when one-sided fills, completed or unwound by rule, cost more than completed pairs earn.

Source: FINDINGS 1 (0 of 3,476 frames below 1), 3 and 9 (pairs bought resting at 0.965-0.988; in
69 of 69 one-sided cases the filled side lost).
"""

from __future__ import annotations

from dailyarb.core.domain.grid import floor_tick
from dailyarb.core.domain.ids import Gate, StrategyId
from dailyarb.core.domain.intents import (
    NEVER_NS,
    NOTHING,
    PRICES,
    TOUCH,
    Blocked,
    CancelIntent,
    Intent,
    IntentKind,
    Leg,
)
from dailyarb.core.domain.market import Outcome, Side
from dailyarb.core.domain.orders import TIF
from dailyarb.core.domain.settings import Feeds, S2Settings, cents_e4, shares_e6
from dailyarb.core.domain.units import MS, PRICE_ONE_E4
from dailyarb.core.strategies.base import (
    Scene,
    Verdict,
    book_gate,
    fee_per_share_e4,
    market_gate,
    ms,
)


class PairBelowDollar:
    """Buys both outcomes below a dollar, at once or by resting bids."""

    id = StrategyId.S2
    values = False

    def __init__(self, settings: S2Settings, feeds: Feeds) -> None:
        self._s = settings
        self._feeds = feeds

    def evaluate(self, scene: Scene) -> Verdict:
        """Returns a pair of orders, a withdrawal of resting bids, or the gate."""
        if not self._s.enabled:
            return Blocked(Gate.STRATEGY_OFF)
        blocked = market_gate(scene, self._s.min_time_left_s)
        blocked = blocked or book_gate(scene, self._feeds, cents_e4(self._s.max_spread_cents))
        if blocked:
            return self._withdraw(scene, blocked)
        if scene.working:
            return self._tend(scene)
        if scene.since_trade_ns is not None and scene.since_trade_ns < self._s.cooldown_ms * MS:
            return Blocked(Gate.COOLDOWN, ms(scene.since_trade_ns), self._s.cooldown_ms, NOTHING)
        excess = abs(scene.held.get(Outcome.UP, 0) - scene.held.get(Outcome.DOWN, 0))
        dust = scene.spec.grid.min_size_e6  # less than this cannot be traded away
        if excess >= dust:
            return Blocked(Gate.POSITION_HELD, excess / 1e6, dust / 1e6, NOTHING)
        taken = self._take(scene)
        if isinstance(taken, list) or not self._s.resting:
            return taken
        return self._rest(scene)

    def _take(self, scene: Scene) -> Verdict:
        s, up, down = self._s, scene.up, scene.down
        cost, limit = up.ask_e4 + down.ask_e4, asks_limit_e4(scene, s)
        if not s.taker or cost > limit:
            return Blocked(Gate.SUM_ABOVE_LIMIT, cost / 100, limit / 100, PRICES, NEVER_NS)
        depth = min(up.ask_e6, down.ask_e6)
        if depth < shares_e6(s.min_depth_shares):
            return Blocked(Gate.DEPTH_THIN, depth / 1e6, s.min_depth_shares, TOUCH)
        size = min(shares_e6(s.size_shares), depth)
        legs = tuple(
            Leg(o, Side.BUY, scene.top(o).ask_e4, size, TIF.FAK) for o in (Outcome.UP, Outcome.DOWN)
        )
        profit = limit + cents_e4(s.min_profit_cents) - cost
        return [self._intent(scene, legs, round(profit), "both asks below a dollar")]

    def _rest(self, scene: Scene) -> Verdict:
        s = self._s
        prices = self._bids(scene)
        if prices is None:
            cost = (scene.up.bid_e4 + scene.down.bid_e4) / 100
            return Blocked(Gate.SUM_ABOVE_LIMIT, cost, s.max_pair_cost_cents, PRICES, NEVER_NS)
        legs = tuple(
            Leg(o, Side.BUY, prices[o], shares_e6(s.size_shares), TIF.GTC, post_only=True)
            for o in (Outcome.UP, Outcome.DOWN)
        )
        profit = PRICE_ONE_E4 - sum(prices.values())
        return [self._intent(scene, legs, profit, "resting both bids")]

    def _bids(self, scene: Scene) -> dict[Outcome, int] | None:
        """Returns bids that sum to at most the limit, lowered evenly from the touch."""
        limit = cents_e4(self._s.max_pair_cost_cents)
        excess = max(0, scene.up.bid_e4 + scene.down.bid_e4 - limit)
        grid = scene.spec.grid
        up = floor_tick(grid, scene.up.bid_e4 - excess // 2)
        down = floor_tick(grid, min(scene.down.bid_e4, limit - up))
        profit = PRICE_ONE_E4 - up - down
        if profit < cents_e4(self._s.min_profit_cents) or up + down > limit:
            return None
        return {Outcome.UP: up, Outcome.DOWN: down}

    def _tend(self, scene: Scene) -> Verdict:
        """Withdraws resting bids that are too old or too far from where they should be."""
        s = self._s
        resting = [w for w in scene.working if w.post_only]
        # A pair with one side filled belongs to execution: complete or unwind, not requote.
        if len(resting) < 2 or len(resting) < len(scene.working):
            return Blocked(Gate.ORDER_WORKING, len(scene.working), 0, PRICES)
        prices = self._bids(scene)
        ttl_ns = s.quote_ttl_ms * MS
        for order in resting:
            if order.age_ns > ttl_ns:
                return [CancelIntent(self.id, scene.spec.market_id, "quote is old")]
            off = prices is None or abs(order.price_e4 - prices[order.outcome]) > cents_e4(
                s.reprice_cents
            )
            if off:
                return [CancelIntent(self.id, scene.spec.market_id, "market moved away")]
        old_ns = scene.now_ns + ttl_ns - max(order.age_ns for order in resting)
        return Blocked(Gate.ORDER_WORKING, len(resting), 0, PRICES, old_ns)

    def _withdraw(self, scene: Scene, blocked: Blocked) -> Verdict:
        if any(w.post_only for w in scene.working):
            return [CancelIntent(self.id, scene.spec.market_id, blocked.gate.value)]
        return blocked

    def _intent(self, scene: Scene, legs: tuple[Leg, ...], edge_e4: int, note: str) -> Intent:
        return Intent(
            self.id,
            scene.spec.market_id,
            IntentKind.ENTRY,
            legs,
            edge_e4=edge_e4,
            fair_e4=scene.fair_e4 or 0,
            ttl_ms=self._s.quote_ttl_ms if legs[0].post_only else 0,
            pair_id=-1,  # execution numbers it
            note=note,
        )


def asks_limit_e4(scene: Scene, settings: S2Settings) -> float:
    """Returns the most both asks together may cost: a dollar less fees and the least profit."""
    rate = scene.spec.fees.rate_e6
    fees = fee_per_share_e4(scene.up.ask_e4, rate) + fee_per_share_e4(scene.down.ask_e4, rate)
    return PRICE_ONE_E4 - fees - cents_e4(settings.min_profit_cents)

"""S3 maker.

Hypothesis: quotes on both sides of fair value, a little wider than the pricing error and leaning
against what is held, earn the spread and the rebate from those who trade without knowing more,
and lose less than that to those who do, because they are pulled when the reference moves. It is
refuted when the markout of fills at 5 s is worse than the half spread they earned.

Source: Avellaneda and Stoikov 2008 for the lean; FINDINGS 9: in 69 of 69 one-sided cases of a
passive probe the filled side lost, mean -0.08 and -0.10 dollars a pair, as resting orders do in
the embedded market. Refuted so far: off by default.
"""

from __future__ import annotations

from dailyarb.core.domain.grid import floor_tick
from dailyarb.core.domain.ids import Gate, StrategyId
from dailyarb.core.domain.intents import Blocked, CancelIntent, Intent, IntentKind, Leg
from dailyarb.core.domain.market import Outcome, Side
from dailyarb.core.domain.orders import TIF
from dailyarb.core.domain.settings import Feeds, S3Settings, cents_e4, shares_e6
from dailyarb.core.domain.units import MS, PRICE_ONE_E4
from dailyarb.core.pricing.flow import lean
from dailyarb.core.strategies.base import (
    Scene,
    Verdict,
    book_gate,
    fair_gate,
    fee_per_share_e4,
    market_gate,
    ms,
    reference_gate,
)
from dailyarb.core.strategies.taker import Rule, exit_intent

Quotes = dict[Outcome, tuple[int, int]]  # outcome -> (price_e4, size_e6)


class Maker:
    """Bids for UP below fair value and for DOWN below its own: an ask of UP above it."""

    id = StrategyId.S3
    values = True

    def __init__(self, settings: S3Settings, feeds: Feeds) -> None:
        self._s = settings
        self._feeds = feeds
        self.rules = (
            Rule(Gate.PRICE_RANGE, "fair from the end", _end_cents, settings.min_fair_cents),
            Rule(
                Gate.PRICE_RANGE, "fair near mid", lambda s: settings.max_gap_cents - _gap(s), 0.0
            ),
            Rule(
                Gate.REFERENCE_MOVING,
                "move room",
                lambda s: settings.pull_move_bps - abs(s.move_bp or 0.0),
                0.0,
            ),
        )

    def evaluate(self, scene: Scene) -> Verdict:
        """Returns quotes, their withdrawal, an exit, or the gate that stopped all."""
        blocked = self._blocked(scene)
        if blocked:
            return self._withdraw(scene, blocked.gate.value) or blocked
        value, wanted = float(scene.fair_e4 or 0), cents_e4(self._s.exit_edge_cents)
        leaving = exit_intent(self.id, scene, value, wanted, "bid above holding")
        if leaving:
            # Our own bids go first, or the sale might meet them.
            return self._withdraw(scene, "making room to sell") or [leaving]
        quotes = self._quotes(scene)
        if scene.working:
            return self._tend(scene, quotes)
        if not quotes:
            held = scene.held.get(Outcome.UP, 0) - scene.held.get(Outcome.DOWN, 0)
            return Blocked(Gate.POSITION_HELD, held / 1e6, self._s.max_position_shares)
        return self._quote(scene, quotes)

    def _blocked(self, scene: Scene) -> Blocked | None:
        s = self._s
        blocked = market_gate(scene, s.min_time_left_s)
        blocked = blocked or book_gate(scene, self._feeds, cents_e4(s.max_spread_cents))
        blocked = blocked or reference_gate(scene, self._feeds) or fair_gate(scene, self._feeds)
        for rule in self.rules:
            blocked = blocked or rule.stops(scene)
        since = scene.since_trade_ns
        if blocked or scene.working or since is None or since >= s.cooldown_ms * MS:
            return blocked
        return Blocked(Gate.COOLDOWN, ms(since), s.cooldown_ms)

    def _quotes(self, scene: Scene) -> Quotes:
        """Returns what should rest now: a side is left out at its position's limit, or run over."""
        s, grid = self._s, scene.spec.grid
        limit = shares_e6(s.max_position_shares)
        excess = scene.held.get(Outcome.UP, 0) - scene.held.get(Outcome.DOWN, 0)
        centre = (scene.fair_e4 or 0) - excess / limit * cents_e4(s.skew_cents)
        leaning = lean(scene.up.bid_e6, scene.up.ask_e6)
        quotes: Quotes = {}
        for outcome, sign in ((Outcome.UP, 1), (Outcome.DOWN, -1)):
            value = centre if sign > 0 else PRICE_ONE_E4 - centre
            half = cents_e4(s.half_spread_cents) - self._rebate_e4(scene, outcome)
            ceiling = scene.top(outcome).ask_e4 - grid.tick_e4
            price = floor_tick(grid, min(int(value - half), ceiling))
            size = min(shares_e6(s.size_shares), limit - sign * excess)
            fits = price <= ceiling and size >= grid.min_size_e6
            if fits and sign * leaning >= -s.max_lean:
                quotes[outcome] = (price, size)
        return quotes

    def _rebate_e4(self, scene: Scene, outcome: Outcome) -> float:
        """Returns what makers may count on per share: their part of the taker's fee."""
        fees = scene.spec.fees
        fee = fee_per_share_e4(scene.top(outcome).bid_e4, fees.rate_e6)
        return fee * fees.rebate_rate_e6 / 1e6 * self._s.rebate_share

    def _tend(self, scene: Scene, quotes: Quotes) -> Verdict:
        s = self._s
        places = {order.outcome: order.price_e4 for order in scene.working}
        age_ms = ms(max(order.age_ns for order in scene.working))
        off = any(
            outcome not in quotes or abs(price - quotes[outcome][0]) > cents_e4(s.reprice_cents)
            for outcome, price in places.items()
        )
        reason = ""
        if off:
            reason = "quotes move"
        elif age_ms > s.quote_ttl_ms:
            reason = "quotes are old"
        elif age_ms > s.cooldown_ms and quotes.keys() - places.keys():
            reason = "the other side may rest again"
        moved = self._withdraw(scene, reason) if reason else None
        return moved or Blocked(Gate.ORDER_WORKING, len(scene.working), 0)

    def _withdraw(self, scene: Scene, reason: str) -> list[Intent | CancelIntent] | None:
        if any(order.post_only for order in scene.working):
            return [CancelIntent(self.id, scene.spec.market_id, reason)]
        return None

    def _quote(self, scene: Scene, quotes: Quotes) -> Verdict:
        legs = tuple(
            Leg(outcome, Side.BUY, price, size, TIF.GTC, post_only=True)
            for outcome, (price, size) in quotes.items()
        )
        earned = cents_e4(self._s.half_spread_cents)
        return [
            Intent(
                self.id,
                scene.spec.market_id,
                IntentKind.ENTRY,
                legs,
                edge_e4=earned,
                fair_e4=scene.fair_e4 or 0,
                ttl_ms=self._s.quote_ttl_ms,
                note="quoting around fair value",
            )
        ]


def _end_cents(scene: Scene) -> float | None:
    fair = scene.fair_e4
    return None if fair is None else min(fair, PRICE_ONE_E4 - fair) / 100


def _gap(scene: Scene) -> float:
    """Returns how far fair value is from the mid, in cents: who disagrees with all is run over."""
    return abs((scene.fair_e4 or 0) - scene.up.mid_e4) / 100

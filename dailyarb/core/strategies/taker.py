"""What every strategy that takes one side of a book has in common.

A strategy says what UP is worth to it and declares its gates as data; this base does the rest:
market, book, reference and fair value first, then an exit if the bid is worth more than holding,
else an entry if its own gates pass and the edge at the touch is above fee, half the spread and a
margin. The size asked for is the configured one; the risk room has the last word on it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

from dailyarb.core.domain.ids import Gate, StrategyId
from dailyarb.core.domain.intents import Blocked, Intent, IntentKind, Leg
from dailyarb.core.domain.market import Outcome, Side
from dailyarb.core.domain.orders import TIF
from dailyarb.core.domain.settings import Feeds, TakerSettings, cents_e4, shares_e6
from dailyarb.core.domain.units import MS, PRICE_ONE_E4, SECOND
from dailyarb.core.pricing.fair import normal_cdf, normal_score, sensitivity_per_bp
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


class Rule(NamedTuple):
    """Is one gate as data: its number must reach the limit; None is not known and stops too."""

    gate: Gate
    name: str
    number: Callable[[Scene], float | None]
    limit: float

    def stops(self, scene: Scene) -> Blocked | None:
        """Returns the gate with its number and limit where it stops, else None."""
        number = self.number(scene)
        if number is None or number < self.limit:
            return Blocked(self.gate, number or 0.0, self.limit)
        return None


class Belief(NamedTuple):
    """Is what one share of UP is worth to a strategy, in 1e-4 dollars, and why."""

    up_e4: float
    note: str


class Taker(ABC):
    """Is the base: `believe` and `rules` are the strategy, the rest is common."""

    id: StrategyId
    rules: tuple[Rule, ...] = ()

    def __init__(self, settings: TakerSettings, feeds: Feeds) -> None:
        self._t = settings
        self._feeds = feeds

    @abstractmethod
    def believe(self, scene: Scene) -> Belief:
        """Returns what UP is worth; called only where a fair value is known."""

    def evaluate(self, scene: Scene) -> Verdict:
        """Returns an exit, an entry, or the gate that stopped both."""
        blocked = market_gate(scene, 0.0) or book_gate(scene, self._feeds, PRICE_ONE_E4)
        blocked = blocked or reference_gate(scene, self._feeds) or fair_gate(scene, self._feeds)
        if blocked:
            return blocked
        if scene.working:
            return Blocked(Gate.ORDER_WORKING, len(scene.working), 0)
        leaving = self._leave(scene)
        if leaving:
            return [leaving]
        return self._may_enter(scene) or self._enter(scene, self.believe(scene))

    def _leave(self, scene: Scene) -> Intent | None:
        if not any(scene.held.values()):
            return None
        held_ns, limit_ns = scene.since_trade_ns or 0, round(self._t.max_hold_s * SECOND)
        if limit_ns and held_ns >= limit_ns:
            return exit_intent(self.id, scene, None, 0.0, "held long enough")
        up_e4 = self.believe(scene).up_e4
        wanted = cents_e4(self._t.exit_edge_cents)
        return exit_intent(self.id, scene, up_e4, wanted, "bid above holding")

    def _may_enter(self, scene: Scene) -> Blocked | None:
        t = self._t
        blocked = market_gate(scene, t.min_time_left_s)
        blocked = blocked or book_gate(scene, self._feeds, cents_e4(t.max_spread_cents))
        if blocked:
            return blocked
        if scene.since_trade_ns is not None and scene.since_trade_ns < t.cooldown_ms * MS:
            return Blocked(Gate.COOLDOWN, ms(scene.since_trade_ns), t.cooldown_ms)
        for rule in self.rules:
            blocked = rule.stops(scene)
            if blocked:
                return blocked
        return None

    def _enter(self, scene: Scene, belief: Belief) -> Verdict:
        t = self._t
        value = {Outcome.UP: belief.up_e4, Outcome.DOWN: PRICE_ONE_E4 - belief.up_e4}
        outcome = max(Outcome, key=lambda o: value[o] - scene.top(o).ask_e4)
        top, held = scene.top(outcome), scene.held.get(outcome, 0)
        room = shares_e6(t.max_position_shares) - held
        if room <= 0:
            return Blocked(Gate.POSITION_HELD, held / 1e6, t.max_position_shares)
        fee = fee_per_share_e4(top.ask_e4, scene.spec.fees.rate_e6)
        net = value[outcome] - top.ask_e4 - fee - top.spread_e4 / 2 - cents_e4(t.margin_cents)
        if net < cents_e4(t.min_edge_cents):
            return Blocked(Gate.EDGE_BELOW_MIN, net / 100, t.min_edge_cents)
        if top.ask_e6 < shares_e6(t.min_depth_shares):
            return Blocked(Gate.DEPTH_THIN, top.ask_e6 / 1e6, t.min_depth_shares)
        size = min(shares_e6(t.size_shares), top.ask_e6, room)
        leg = Leg(outcome, Side.BUY, top.ask_e4, size, TIF.FAK)
        return [
            Intent(
                self.id,
                scene.spec.market_id,
                IntentKind.ENTRY,
                (leg,),
                edge_e4=round(net),
                fair_e4=round(belief.up_e4),
                note=belief.note,
            )
        ]


def exit_intent(
    strategy: StrategyId, scene: Scene, up_e4: float | None, wanted_e4: float, why: str
) -> Intent | None:
    """Returns the sale of a holding whose bid, after fee, exceeds its value; None without one.

    Args:
        up_e4: what UP is worth; None sells at any bid.
        wanted_e4: by how much the bid must exceed it, 1e-4 dollars.
    """
    for outcome, held in scene.held.items():
        top = scene.top(outcome)
        size = min(held, top.bid_e6)
        if size < scene.spec.grid.min_size_e6:
            continue
        value = up_e4
        if value is not None and outcome is Outcome.DOWN:
            value = PRICE_ONE_E4 - value
        gain = top.bid_e4 - fee_per_share_e4(top.bid_e4, scene.spec.fees.rate_e6) - (value or 0.0)
        if value is not None and not (gain > 0 and gain >= wanted_e4):
            continue
        leg = Leg(outcome, Side.SELL, top.bid_e4, size, TIF.FAK)
        edge_e4 = 0 if value is None else round(gain)
        fair_e4 = scene.fair_e4 or 0
        return Intent(
            strategy, scene.spec.market_id, IntentKind.EXIT, (leg,), edge_e4, fair_e4, note=why
        )
    return None


def shifted_e4(scene: Scene, move_bp: float) -> float:
    """Returns what UP would be worth, in 1e-4 dollars, if the reference moved by so much."""
    fair = scene.fair
    if fair is None or fair.sd <= 0.0:
        return float(scene.fair_e4 or 0)
    return normal_cdf(normal_score(fair.p_up) + move_bp * 1e-4 / fair.sd) * PRICE_ONE_E4


def per_bp_e4(scene: Scene) -> float:
    """Returns by how many 1e-4 dollars UP changes per basis point of the reference."""
    return 0.0 if scene.fair is None else sensitivity_per_bp(scene.fair) * PRICE_ONE_E4

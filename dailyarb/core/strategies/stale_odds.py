"""S1 stale odds.

Hypothesis: after Binance moves, some quotes stay where they were for a few hundred milliseconds,
and a taker who is quick pays the old price. It holds only for moves whose remaining part, after
the share the book has already answered and after the measured decay, exceeds fee, half the spread
and a margin. It is refuted when the fills' markout at 5 s is not above fee plus half spread.

Source: FINDINGS 4 and 9 (half of a 3 bp move is still ahead when its second ends, little after
1.5 s; against a 1 c spread and a 1.75 c fee).
"""

from __future__ import annotations

from dailyarb.core.domain.ids import Gate, StrategyId
from dailyarb.core.domain.intents import (
    BURST,
    NOTHING,
    Blocked,
    Intent,
    IntentKind,
    Leg,
)
from dailyarb.core.domain.market import Outcome, Side
from dailyarb.core.domain.orders import TIF
from dailyarb.core.domain.settings import Feeds, S1Settings, cents_e4, shares_e6
from dailyarb.core.domain.units import MS
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


class StaleOdds:
    """Takes a quote that has not answered a move of the reference; leaves when fair says so."""

    id = StrategyId.S1
    values = True

    def __init__(self, settings: S1Settings, feeds: Feeds) -> None:
        self._s = settings
        self._feeds = feeds

    def evaluate(self, scene: Scene) -> Verdict:
        """Returns an exit, an entry, or the gate that stopped both."""
        if not self._s.enabled:
            return Blocked(Gate.STRATEGY_OFF)
        blocked = market_gate(scene, 0.0) or book_gate(scene, self._feeds, 10_000)
        blocked = blocked or reference_gate(scene, self._feeds)
        if not blocked and not any(scene.held.values()):
            blocked = self._still(scene)  # without shares and a move, fair value is no matter
        blocked = blocked or fair_gate(scene, self._feeds)
        if blocked:
            return blocked
        if scene.working:
            return Blocked(Gate.ORDER_WORKING, len(scene.working), 0, NOTHING)
        leaving = self._exit(scene)
        if leaving:
            return [leaving]
        return self._enter(scene)

    def _exit(self, scene: Scene) -> Intent | None:
        """Sells what is held once the bid, after fee, is worth more than holding."""
        for outcome, held in scene.held.items():
            top, fair = scene.top(outcome), scene.fair_of(outcome)
            if held <= 0 or fair is None or not top.bid_e6:
                continue
            gain = top.bid_e4 - fee_per_share_e4(top.bid_e4, scene.spec.fees.rate_e6) - fair
            if gain >= cents_e4(self._s.exit_edge_cents) and gain > 0:
                size = min(held, top.bid_e6)
                leg = Leg(outcome, Side.SELL, top.bid_e4, size, TIF.FAK)
                return Intent(
                    self.id,
                    scene.spec.market_id,
                    IntentKind.EXIT,
                    (leg,),
                    edge_e4=round(gain),
                    fair_e4=scene.fair_e4 or 0,
                    note="bid above holding",
                )
        return None

    def _enter(self, scene: Scene) -> Verdict:
        s = self._s
        blocked = market_gate(scene, s.min_time_left_s)
        blocked = blocked or book_gate(scene, self._feeds, cents_e4(s.max_spread_cents))
        if blocked:
            return blocked
        if scene.since_trade_ns is not None and scene.since_trade_ns < s.cooldown_ms * MS:
            return Blocked(Gate.COOLDOWN, ms(scene.since_trade_ns), s.cooldown_ms, NOTHING)
        still = self._still(scene)
        if still:
            return still
        outcome = moved_to(scene)
        held = scene.held.get(outcome, 0)
        if held >= shares_e6(s.max_position_shares):
            return Blocked(Gate.POSITION_HELD, held / 1e6, s.max_position_shares)
        return self._answered(scene) or self._edge(scene, outcome)

    def _still(self, scene: Scene) -> Blocked | None:
        move = abs(scene.move_bp or 0.0)
        if move < self._s.min_move_bps:
            return Blocked(Gate.MOVE_BELOW_MIN, move, self._s.min_move_bps, BURST)
        return None

    def _answered(self, scene: Scene) -> Blocked | None:
        """Stops where the mid has already covered most of what the move is worth."""
        if scene.fair_then_e4 is None or scene.mid_then_e4 is None or scene.fair_e4 is None:
            return Blocked(Gate.NO_VOLATILITY)
        expected = scene.fair_e4 - scene.fair_then_e4
        answered = scene.up.mid_e4 - scene.mid_then_e4
        if expected == 0:
            return Blocked(Gate.MOVE_BELOW_MIN, 0.0, self._s.min_move_bps)
        share = answered / expected
        if share > self._s.max_answer:
            return Blocked(Gate.BOOK_ANSWERED, answered / 100, self._s.max_answer * expected / 100)
        return None

    def _edge(self, scene: Scene, outcome: Outcome) -> Verdict:
        s, top = self._s, scene.top(outcome)
        net = net_edge_e4(scene, outcome, s)
        if net < cents_e4(s.min_edge_cents):
            return Blocked(Gate.EDGE_BELOW_MIN, net / 100, s.min_edge_cents)
        depth = top.ask_e6
        if depth < shares_e6(s.min_depth_shares):
            return Blocked(Gate.DEPTH_THIN, depth / 1e6, s.min_depth_shares)
        room = shares_e6(s.max_position_shares) - scene.held.get(outcome, 0)
        size = min(shares_e6(s.size_shares), depth, room)
        leg = Leg(outcome, Side.BUY, top.ask_e4, size, TIF.FAK)
        return [
            Intent(
                self.id,
                scene.spec.market_id,
                IntentKind.ENTRY,
                (leg,),
                edge_e4=round(net),
                fair_e4=scene.fair_e4 or 0,
                note=f"move {scene.move_bp:+.1f} bp, age {ms(scene.move_age_ns)} ms",
            )
        ]


def moved_to(scene: Scene) -> Outcome:
    """Returns the outcome that the reference's move makes dearer."""
    return Outcome.UP if (scene.move_bp or 0.0) > 0 else Outcome.DOWN


def net_edge_e4(scene: Scene, outcome: Outcome, settings: S1Settings) -> float:
    """Returns what a share at the ask is worth after decay, fee, half the spread and the margin.

    In 1e-4 dollars; the scene's fair value must be known.
    """
    top = scene.top(outcome)
    raw = ((scene.fair_of(outcome) or 0) - top.ask_e4) * scene.decay
    fee = fee_per_share_e4(top.ask_e4, scene.spec.fees.rate_e6)
    return raw - fee - top.spread_e4 / 2 - cents_e4(settings.margin_cents)

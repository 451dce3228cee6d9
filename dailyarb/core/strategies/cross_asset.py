"""X1 cross-asset.

Hypothesis: the leader (BTC) moves first; ETH and SOL follow by beta, and their windows answer
later than BTC's own because fewer quoters watch them. What is still to come is beta times the
leader's move less what the follower's own reference has done, plus what its book has not answered.
It is refuted when followers' windows have answered within the time an order takes, or when the
expected part of their move does not come.

Source: beta = correlation x volatility ratio, learned from one-second returns from the prior of
[assets]; answers of BTC's own windows: FINDINGS 4. Measured on 346 s of Binance quotes: ETH on
BTC correlation 0.51, ratio 0.84, best at lag 0 s and 0.17 a second later, so the references leave
little; of ETH and SOL windows at this rate no recording exists. No evidence yet: off by default.
"""

from __future__ import annotations

from dailyarb.core.domain.ids import Gate, StrategyId
from dailyarb.core.domain.settings import Feeds, X1Settings
from dailyarb.core.domain.units import MS
from dailyarb.core.strategies.base import Scene
from dailyarb.core.strategies.taker import Belief, Rule, Taker, per_bp_e4, shifted_e4


class CrossAsset(Taker):
    """Takes a follower's window that has not answered the leader's move."""

    id = StrategyId.X1
    values = True

    def __init__(self, settings: X1Settings, feeds: Feeds) -> None:
        super().__init__(settings, feeds)
        self._half_life_ns = settings.lag_half_life_ms * MS
        self._max_answer = settings.max_answer
        self._age_max_ms = feeds.max_reference_age_ms
        self.rules = (
            Rule(Gate.NO_PEER, "leader fresh", self._fresh_ms, 0.0),
            Rule(Gate.MOVE_BELOW_MIN, "leader move", _move, settings.min_move_bps),
            Rule(Gate.CORRELATION_LOW, "correlation", _tie, 100.0 * settings.min_correlation),
            Rule(Gate.BOOK_ANSWERED, "unanswered", self._unanswered_cents, 0.0),
        )

    def believe(self, scene: Scene) -> Belief:
        """Returns the price once the follower's reference has caught up with the leader."""
        gap = self.gap_bp(scene)
        lag_s = 0 if scene.leader is None else scene.leader.lag_s
        return Belief(shifted_e4(scene, gap), f"leader leaves {gap:+.1f} bp, {lag_s} s behind")

    def gap_bp(self, scene: Scene) -> float:
        """Returns what the follower's reference has yet to do, decayed by the move's age."""
        leader = scene.leader
        if leader is None or leader.move_bp is None:
            return 0.0
        gap = leader.beta * leader.move_bp - (scene.move_bp or 0.0)
        return gap * float(2.0 ** (-leader.move_age_ns / self._half_life_ns))

    def _unanswered_cents(self, scene: Scene) -> float | None:
        """Returns by how many cents the book's answer is below the share it may show."""
        leader = scene.leader
        if leader is None or leader.move_bp is None or scene.mid_then_e4 is None:
            return None
        expected = per_bp_e4(scene) * leader.beta * leader.move_bp
        answered = scene.up.mid_e4 - scene.mid_then_e4
        room = self._max_answer * expected - answered
        return (room if expected > 0.0 else -room) / 100.0

    def _fresh_ms(self, scene: Scene) -> float | None:
        leader = scene.leader
        if leader is None or leader.age_ms is None:
            return None
        return float(self._age_max_ms - leader.age_ms)


def _move(scene: Scene) -> float | None:
    leader = scene.leader
    return None if leader is None or leader.move_bp is None else abs(leader.move_bp)


def _tie(scene: Scene) -> float | None:
    return None if scene.leader is None else 100.0 * scene.leader.correlation

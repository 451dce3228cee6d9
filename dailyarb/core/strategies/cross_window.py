"""S4 windows that disagree.

Hypothesis: the 5m, 15m, 1h and 4h windows of one asset settle on one path, so each price says
where the asset stands, and when a longer window lags a shorter one it will come to it. Where two
windows end together the one with the lower strike cannot be worth less than the other. It is
refuted when, after such a divergence, the longer window's mid does not move towards the shorter
one's view by more than fee plus half the spread within 30 s.

Source: FINDINGS 4 (one reference, answers of 0.5 to 2 s), 5 and 6 (the slow part of the pricing
error, half-life 40 s, is the window's own); the bound is the monotony of a digital in its strike.
No recording holds two windows of one asset at once, so nothing shows it paying: off by default.
"""

from __future__ import annotations

from dailyarb.core.domain.ids import Gate, StrategyId
from dailyarb.core.domain.settings import Feeds, S4Settings
from dailyarb.core.pricing.fair import normal_score
from dailyarb.core.strategies.base import Peer, Scene
from dailyarb.core.strategies.taker import Belief, Rule, Taker, shifted_e4


class CrossWindow(Taker):
    """Takes a window that a shorter one contradicts."""

    id = StrategyId.S4
    values = True

    def __init__(self, settings: S4Settings, feeds: Feeds) -> None:
        super().__init__(settings, feeds)
        self._trust = settings.trust
        self.rules = (
            Rule(Gate.NO_PEER, "peers", lambda s: len(_asked(s)), 1.0),
            Rule(
                Gate.CORRELATION_LOW, "correlation", _correlation, 100.0 * settings.min_correlation
            ),
            Rule(Gate.WINDOWS_AGREE, "divergence", _gap_bp, settings.min_divergence_bps),
        )

    def believe(self, scene: Scene) -> Belief:
        """Returns the price at the spot a shorter window implies, within what strikes allow."""
        peer = _shorter(scene)
        view = own_view_bp(scene)
        if peer is not None:
            view += self._trust * (peer.view_bp - view)
        low, high = bounds_e4(scene)
        up_e4 = min(max(shifted_e4(scene, view), low), high)
        return Belief(up_e4, f"view {view:+.1f} bp, bounds {low / 100:g} to {high / 100:g} ¢")


def own_view_bp(scene: Scene) -> float:
    """Returns the spot this window's mid implies over the reference's own, in basis points."""
    if scene.fair is None or not scene.up.two_sided:
        return 0.0
    score = normal_score(scene.up.mid_e4 / 10_000) - normal_score(scene.fair.p_up)
    return score * scene.fair.sd * 1e4


def bounds_e4(scene: Scene) -> tuple[float, float]:
    """Returns what UP must be worth by windows of the same rule that end with this one."""
    low, high, strike = 0.0, 10_000.0, scene.strike
    for peer in scene.peers:
        if strike is None or not peer.same_rule or peer.end_ns != scene.spec.end_ns:
            continue
        if strike <= peer.strike:
            low = max(low, peer.bid_e4)
        if strike >= peer.strike:
            high = min(high, peer.ask_e4)
    return low, max(low, high)


def _asked(scene: Scene) -> list[Peer]:
    together = scene.spec.end_ns
    own = scene.spec.window.seconds
    return [p for p in scene.peers if p.window_s < own or (p.same_rule and p.end_ns == together)]


def _shorter(scene: Scene) -> Peer | None:
    shorter = [p for p in scene.peers if p.window_s < scene.spec.window.seconds]
    return max(shorter, key=lambda p: p.window_s, default=None)


def _breached(scene: Scene) -> bool:
    low, high = bounds_e4(scene)
    return scene.up.ask_e4 < low or scene.up.bid_e4 > high


def _correlation(scene: Scene) -> float:
    peer = _shorter(scene)
    # A bound needs no correlation: it holds on every path.
    return 100.0 if peer is None or _breached(scene) else 100.0 * peer.correlation


def _gap_bp(scene: Scene) -> float:
    peer = _shorter(scene)
    if _breached(scene):
        return 1e4
    return 0.0 if peer is None else abs(peer.view_bp - own_view_bp(scene))

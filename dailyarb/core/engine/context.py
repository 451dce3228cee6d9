"""Fills the parts of a Scene that only some strategies read, right before they read them."""

from __future__ import annotations

from collections.abc import Callable

from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.ids import StrategyId
from dailyarb.core.domain.market import MarketState, Outcome
from dailyarb.core.domain.orders import BookState
from dailyarb.core.domain.units import MS, SECOND, SETTLE_ONE_E18
from dailyarb.core.engine.scenes import fair_at, strike_of
from dailyarb.core.engine.state import Desk, State
from dailyarb.core.engine.watch import Watch
from dailyarb.core.pricing.fair import TWAP_LAG_S, normal_score
from dailyarb.core.strategies.base import Leader, Peer, Scene

Fill = Callable[[State, Watch, Desk, Scene, Instant], None]


def _flow(state: State, watch: Watch, desk: Desk, scene: Scene, now: Instant) -> None:
    del state
    scene.flow = watch.flow(desk.spec.asset, desk.spec.market_id, now.mono_ns)


def _peers(state: State, watch: Watch, desk: Desk, scene: Scene, now: Instant) -> None:
    found = [
        _peer(state, watch, desk, other, now)
        for other in state.desks.values()
        if other is not desk and other.spec.asset == desk.spec.asset
    ]
    scene.peers = tuple(peer for peer in found if peer is not None)


def _peer(state: State, watch: Watch, desk: Desk, other: Desk, now: Instant) -> Peer | None:
    """Returns another window of the asset as one sees it from this; None where it says nothing.

    Inside its averaging window a price speaks of the past, so it is left out.
    """
    spec, asset = other.spec, state.assets[other.spec.asset]
    top, tau_s = other.book.top(Outcome.UP), (other.spec.end_ns - now.wall_ns) / SECOND
    believed = other.state is MarketState.TRADABLE and other.book.state is BookState.SYNCED
    lookback_s = spec.settlement.lookback_s
    if not believed or not top.two_sided or tau_s <= lookback_s + TWAP_LAG_S * (lookback_s > 0):
        return None
    sigma = asset.vol.sigma(tau_s, now.wall_ns // SECOND)
    fair = None if sigma is None else fair_at(other, asset, asset.ref.mid_e8, sigma, now)
    if fair is None:
        return None
    score = normal_score(top.mid_e4 / 10_000) - normal_score(fair.p_up)
    return Peer(
        window_s=spec.window.seconds,
        end_ns=spec.end_ns,
        strike=strike_of(other, asset) / SETTLE_ONE_E18,
        same_rule=spec.settlement == desk.spec.settlement,
        bid_e4=top.bid_e4,
        ask_e4=top.ask_e4,
        view_bp=score * fair.sd * 1e4,
        correlation=watch.correlation(spec.asset, desk.spec.window, spec.window),
    )


def _leader(state: State, watch: Watch, desk: Desk, scene: Scene, now: Instant) -> None:
    follower = watch.follower(desk.spec.asset)
    if follower is None:
        return
    lead = state.assets[watch.leader]
    age_ns = lead.ref.age_ns(now.mono_ns)
    scene.leader = Leader(
        move_bp=lead.ref.move_bp(now.mono_ns),
        age_ms=None if age_ns is None else age_ns // MS,
        move_age_ns=now.mono_ns - lead.burst_ns if lead.burst_ns else 0,
        beta=follower.beta,
        correlation=follower.correlation,
        lag_s=follower.lag,
    )


FILLS: dict[StrategyId, Fill] = {
    StrategyId.S4: _peers,
    StrategyId.S6: _flow,
    StrategyId.X1: _leader,
}


def fill(state: State, desk: Desk, strategy: StrategyId, scene: Scene, now: Instant) -> None:
    """Adds to a scene what one strategy reads beyond the common part."""
    ask = FILLS.get(strategy)
    if ask is not None and state.watch is not None:
        ask(state, state.watch, desk, scene, now)


def sample_windows(state: State, watch: Watch) -> None:
    """Samples the mids of every running window; called once a second."""
    watch.windows(
        (d.spec.asset, d.spec.window, d.spec.market_id, d.top.mid_e4)
        for d in state.desks.values()
        if d.state is MarketState.TRADABLE and d.top.two_sided
    )

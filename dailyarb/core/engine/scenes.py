"""Builds the Scene a strategy sees, from a desk, its book and its asset."""

from __future__ import annotations

import math

from dailyarb.core.book.book import Top
from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.market import Outcome, SettlementKind
from dailyarb.core.domain.units import MS, SECOND, SETTLE_ONE_E18, SPOT_ONE_E8
from dailyarb.core.engine.state import Asset, Desk, State, Valued
from dailyarb.core.pricing.fair import Fair, Terms, fair_value
from dailyarb.core.strategies.base import Scene, Strategy, Working


def strike_of(desk: Desk, asset: Asset) -> int:
    """Returns the strike x 1e18, taken from the settling source once it is known, else 0."""
    if not desk.strike_e18 and desk.spec.settlement.kind is not SettlementKind.BINANCE_CANDLE:
        desk.strike_e18 = asset.ref.value_at(desk.spec.start_ns // MS)
    return desk.strike_e18


def settle_estimate(desk: Desk, asset: Asset, spot_e8: int) -> float | None:
    """Returns our estimate of the settling feed's spot in dollars."""
    if desk.spec.settlement.kind is SettlementKind.BINANCE_CANDLE:
        return spot_e8 / SPOT_ONE_E8 if spot_e8 else None
    return asset.ref.settle_spot(spot_e8)


def basis_sd(desk: Desk, asset: Asset) -> float:
    """Returns the noise between Binance and the settling feed in log; none where they are one."""
    candle = desk.spec.settlement.kind is SettlementKind.BINANCE_CANDLE
    return 0.0 if candle else asset.ref.basis.sd


def fair_at(desk: Desk, asset: Asset, spot_e8: int, sigma: float, now: Instant) -> Fair | None:
    """Returns P(up) with the reference at `spot_e8`, None without strike or basis."""
    strike = strike_of(desk, asset)
    spot = settle_estimate(desk, asset, spot_e8)
    if not strike or spot is None or not spot_e8:
        return None
    spec = desk.spec
    lookback = spec.settlement.lookback_s
    end_s, now_s = spec.end_ns // SECOND, now.wall_ns // SECOND
    fixed = asset.ref.fixed_mean(end_s, lookback, now_s) if lookback else None
    tau_s = (spec.end_ns - now.wall_ns) / SECOND
    noise, tail = basis_sd(desk, asset), asset.tail_log_sd
    terms = Terms(spot, strike / SETTLE_ONE_E18, tau_s, sigma, noise, tail)
    found = fair_value(spec.settlement.kind, terms, lookback, fixed)
    return found if 0.0 <= found.p_up <= 1.0 else None  # anything else, NaN too, is no signal (F88)


def value(desk: Desk, asset: Asset, now: Instant) -> Valued:
    """Returns fair value now, before the move that is under way, and the way to the strike."""
    ref, spec = asset.ref, desk.spec
    sigma = asset.vol.sigma((spec.end_ns - now.wall_ns) / SECOND, now.wall_ns // SECOND)
    fair = then = dist = None
    if sigma is not None:
        fair = fair_at(desk, asset, ref.mid_e8, sigma, now)
        if asset.burst_ns:
            then = fair_at(desk, asset, ref.window_start_e8(now.mono_ns), sigma, now)
    strike = strike_of(desk, asset)
    estimate = settle_estimate(desk, asset, ref.mid_e8)
    if strike and estimate is not None:
        dist = math.log(estimate * SETTLE_ONE_E18 / strike) * 1e4
    return Valued(sigma, fair, None if then is None else round(then.p_up * 10_000), dist)


def build_scene(state: State, desk: Desk, now: Instant) -> Scene:
    """Returns what strategies see of a market at this instant, valued as last by `value`."""
    asset = state.assets[desk.spec.asset]
    ref, spec, book = asset.ref, desk.spec, desk.book
    up = book.top(Outcome.UP)
    down = Top(10_000 - up.ask_e4, up.ask_e6, 10_000 - up.bid_e4, up.bid_e6)
    valued, strike = desk.valued, desk.strike_e18
    age_ns, settle_ns = ref.age_ns(now.mono_ns), ref.settle_age_ns(now.mono_ns)
    move_age = now.mono_ns - asset.burst_ns if asset.burst_ns else 0
    return Scene(
        spec=spec,
        state=desk.state,
        book=book,
        up=up,
        down=down,
        book_state=book.state,
        book_age_ms=book.age_ms(now),
        now_ns=now.mono_ns,
        tau_s=(spec.end_ns - now.wall_ns) / SECOND,
        started=now.wall_ns >= spec.start_ns,
        reference_age_ms=None if age_ns is None else age_ns // MS,
        reference_gap_bp=ref.gap_bp(),
        settle_age_ms=None if settle_ns is None else settle_ns // MS,
        strike=strike / SETTLE_ONE_E18 if strike else None,
        sigma=valued.sigma,
        fair=valued.fair,
        fair_then_e4=valued.fair_then_e4,
        mid_then_e4=_mid_then(desk, up, now),
        move_bp=ref.move_bp(now.mono_ns),
        move_age_ns=move_age,
        decay=desk.lag.decay(move_age),
        dist_bp=valued.dist_bp,
        basis_noise_bp=basis_sd(desk, asset) * 1e4 * state.settings.pricing.basis_sigmas,
        settling=spec.settlement.kind is not SettlementKind.BINANCE_CANDLE,
    )


def _mid_then(desk: Desk, up: Top, now: Instant) -> int | None:
    desk.mids.advance(now.mono_ns)
    if desk.mids.count == 0 or not up.two_sided:
        return None
    return up.mid_e4 - (desk.mids.move()[0] if desk.mids.count >= 2 else 0)


def own_part(state: State, desk: Desk, strategy: Strategy, scene: Scene) -> None:
    """Adds what belongs to one strategy: its shares, its live orders, its last trade."""
    scene.held = state.held(desk, strategy.id)
    scene.working = [
        Working(
            order.order_id,
            order.outcome,
            order.side,
            order.price_e4,
            order.left_e6,
            scene.now_ns - order.sent_ns,
            order.pair_id,
            order.post_only,
        )
        for order in state.orders.exposed(desk.spec.market_id)
        if order.strategy is strategy.id
    ]
    last = desk.last_trade_ns.get(strategy.id)
    scene.since_trade_ns = None if last is None else scene.now_ns - last

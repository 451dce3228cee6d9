"""What a world begins with: settings, markets, frames, signatures, and a strategy that trades.

Times that take minutes at a real venue are seconds here, so that a world lives half a minute of
virtual time and still passes through every one of them.
"""

from __future__ import annotations

import hashlib
import json
from fractions import Fraction
from typing import NamedTuple

from dailyarb.core.domain.commands import OrderDraft
from dailyarb.core.domain.events import Signed
from dailyarb.core.domain.grid import floor_tick
from dailyarb.core.domain.ids import Gate, StrategyId
from dailyarb.core.domain.intents import Blocked, CancelIntent, Intent, IntentKind, Leg
from dailyarb.core.domain.market import (
    FeeSchedule,
    Grid,
    MarketSpec,
    Outcome,
    Settlement,
    SettlementKind,
    Side,
    Window,
)
from dailyarb.core.domain.orders import TIF
from dailyarb.core.domain.rung import Evidence, Mode
from dailyarb.core.domain.settings import (
    AssetSettings,
    Breakers,
    Circuits,
    Degradation,
    Feeds,
    Pricing,
    Risk,
    S1Settings,
    S2Settings,
    Settings,
    Strategies,
)
from dailyarb.core.domain.units import MS, SECOND, SIZE_ONE_E6
from dailyarb.core.engine.state import Birth
from dailyarb.core.strategies.base import Scene, Verdict, book_gate, market_gate

MONO_NS = 10**12
WALL_S = 1_800_000_000
CASH = Fraction(500)
FAULTS_S = 10.0  # how long faults last
TRY_NS = 100 * MS
CONVERGE_S = 140.0  # how long the engine has to come back
LATE_ARRIVAL_MS = 4_000
UNPROVEN_S = 3.0
MAX_NAKED_MS = 1_500
PAIR_WAIT_MS = 900  # how long a pair may wait for its second leg
LOT_E6 = 20 * SIZE_ONE_E6


class Limits(NamedTuple):
    """Is what the oracle checks against, in the settings' own units."""

    worst_market_usd: float = 22.0
    worst_total_usd: float = 34.0
    partial_usd: float = 20.0
    orders_per_minute: int = 240
    book_age_ms: int = 1_500
    reference_age_ms: int = 700
    settlement_age_ms: int = 4_000


LIMITS = Limits()


def settings(max_reject_percent: float = 100.0) -> Settings:
    """Returns the configuration of a world: tight limits, quick clocks.

    The cap for refusals is the longest memory of the engine, so only some worlds have it.
    """
    return Settings(
        schema_version=1,
        risk=Risk(
            max_worst_case_market_usd=LIMITS.worst_market_usd,
            max_worst_case_total_usd=LIMITS.worst_total_usd,
            max_day_loss_usd=400.0,
            max_notional_per_trade_usd=20.0,
            max_partial_exposure_usd=LIMITS.partial_usd,
            max_unwind_loss_usd=4.0,
            max_open_positions=4,
            max_orders_per_minute=LIMITS.orders_per_minute,
            max_unknown_orders=3,
            max_naked_ms=MAX_NAKED_MS,
            max_leg_delay_ms=PAIR_WAIT_MS,
            stop_entry_s=2.0,
            cancel_before_end_s=1.5,
            late_arrival_ms=LATE_ARRIVAL_MS,
            ask_after_ms=400,
            provisional_alert_s=UNPROVEN_S,
        ),
        breakers=Breakers(
            max_drawdown_usd=400.0,
            loss_streak=1_000,
            max_slippage_cents=50.0,
            max_reject_percent=max_reject_percent,
            lift_after_s=1.0,
            remember_s=20.0,
        ),
        circuits=Circuits(open_s=3.0),
        degradation=Degradation(near_limit=1.0),
        assets={
            "btc": AssetSettings(binance_symbol="btcusdt", settlement_symbol="btcusd", slug="btc")
        },
        feeds=Feeds(
            max_book_age_ms=LIMITS.book_age_ms,
            max_reference_age_ms=LIMITS.reference_age_ms,
            max_settlement_age_ms=LIMITS.settlement_age_ms,
        ),
        pricing=Pricing(min_samples=2, basis_half_life_s=5.0, basis_sigmas=0.0),
        strategies=Strategies(
            S1=S1Settings(
                size_shares=12.0,
                min_depth_shares=5.0,
                cooldown_ms=700,
                min_time_left_s=3.0,
                max_position_shares=40.0,
                max_answer=1.0,
                min_edge_cents=0.0,
                margin_cents=0.0,
                min_move_bps=0.6,
            ),
            S2=S2Settings(
                resting=True,
                size_shares=16.0,
                cooldown_ms=400,
                quote_ttl_ms=4_000,
                min_time_left_s=3.0,
                max_pair_cost_cents=99.5,
            ),
        ),
    )


def birth(run: int, rebooted: bool = False) -> Birth:
    """Returns the identity of one life of the process; all lives share the venue's world."""
    return Birth(f"r{run}", "0", Mode.SIM, Evidence.SIM, "c0", run, world="w", rebooted=rebooted)


def spec(index: int, end_s: float) -> MarketSpec:
    """Returns one market; it ends `end_s` after the world begins."""
    window = (Window.M5, Window.M15)[index % 2]
    end = WALL_S + end_s
    return MarketSpec(
        market_id=f"0xm{index}",
        slug=f"btc-updown-{window.value}-{index}",
        asset="btc",
        window=window,
        start_ns=(WALL_S - 60) * SECOND,
        end_ns=round(end * SECOND),
        up_token=f"{index + 1}1" * 20,
        down_token=f"{index + 1}2" * 20,
        grid=Grid(),
        fees=FeeSchedule(70_000),
        settlement=Settlement(SettlementKind.SPOT),
        strike_digits=str(100_000 * 10**18),
    )


def sign(draft: OrderDraft) -> Signed:
    """Signs a draft the world's way: the id is a hash of what was signed."""
    body = json.dumps(
        {
            "token": draft.token,
            "side": draft.side.value,
            "maker": draft.maker_e6,
            "taker": draft.taker_e6,
            "salt": draft.salt,
            "stamp": draft.stamp_ms,
        }
    ).encode()
    return Signed(draft.draft_id, "0x" + hashlib.blake2b(body, digest_size=16).hexdigest(), body)


def _levels(levels: dict[int, int], flip: bool) -> str:
    rows = [
        f'{{"price":"{(10_000 - p if flip else p) / 10_000:.4f}","size":"{n / 1e6:.2f}"}}'
        for p, n in levels.items()
    ]
    return ",".join(rows)


def book_frame(
    spec: MarketSpec, bids: dict[int, int], asks: dict[int, int], stamp_ms: int
) -> bytes:
    """Returns a snapshot of both tokens from a book in UP terms, as the market channel sends it."""
    up = f'"bids":[{_levels(bids, False)}],"asks":[{_levels(asks, False)}]'
    down = f'"bids":[{_levels(asks, True)}],"asks":[{_levels(bids, True)}]'
    books = [
        f'{{"event_type":"book","market":"{spec.market_id}","asset_id":"{token}",'
        f'"timestamp":"{stamp_ms}","hash":"{index}{stamp_ms}{spec.market_id}",{body}}}'
        for index, (token, body) in enumerate(((spec.up_token, up), (spec.down_token, down)))
    ]
    return f"[{','.join(books)}]".encode()


def tick_frame(spec: MarketSpec, old_e4: int, new_e4: int, stamp_ms: int) -> bytes:
    """Returns the frame that tells of a new tick size."""
    return json.dumps(
        {
            "event_type": "tick_size_change",
            "market": spec.market_id,
            "asset_id": spec.up_token,
            "old_tick_size": f"{old_e4 / 10_000:g}",
            "new_tick_size": f"{new_e4 / 10_000:g}",
            "timestamp": str(stamp_ms),
        }
    ).encode()


GARBAGE = (
    b'{"event_type":"book","market":"0xm0","asset_id":"',
    b"<html><body>error 1015</body></html>",
    b'{"event_type":"book","market":"0xm0","asset_id":"%b","timestamp":"1","bids":'
    b'[{"price":"NaN","size":"1"}],"asks":[]}' % (b"11" * 20),
    b"\xff\xfe\x00",
    b'[{"event_type":"price_change","price_changes":[{"price":"1e400"}]}]',
    b"[[[[[[[[[[[[[[[[[[[[",
)


class Willing:
    """Opens pairs whatever they cost: no idea of profit, it makes the engine trade.

    The honest strategies act rarely, and a pair of takers would match itself (ask + ask is never
    below a dollar). So one leg takes and the other rests a tick below its bid, or both rest.
    """

    id = StrategyId.S2
    values = False

    def __init__(self, config: Settings) -> None:
        self._s = config.strategies.S2
        self._feeds = config.feeds

    def evaluate(self, scene: Scene) -> Verdict:
        """Returns both legs, or the gate of market, book, or pace."""
        blocked = market_gate(scene, self._s.min_time_left_s) or book_gate(scene, self._feeds, 600)
        if blocked:
            if any(w.post_only for w in scene.working):
                return [CancelIntent(self.id, scene.spec.market_id, blocked.gate.value)]
            return blocked
        if scene.working:
            if min(w.age_ns for w in scene.working) > 3 * SECOND:
                return [CancelIntent(self.id, scene.spec.market_id, "quote is old")]
            return Blocked(Gate.ORDER_WORKING, len(scene.working), 0)
        if scene.since_trade_ns is not None and scene.since_trade_ns < SECOND // 2:
            return Blocked(Gate.COOLDOWN)
        held = [scene.held.get(o, 0) for o in Outcome]
        if held[0] != held[1]:
            return Blocked(Gate.POSITION_HELD)
        if scene.now_ns // TRY_NS % 3:
            return Blocked(Gate.COOLDOWN)  # what the risk gate denies is not tried at every tick
        return [
            Intent(
                self.id,
                scene.spec.market_id,
                IntentKind.ENTRY,
                self._legs(scene),
                edge_e4=0,
                ttl_ms=4_000,
                pair_id=-1,
            )
        ]

    def _legs(self, scene: Scene) -> tuple[Leg, ...]:
        way = scene.now_ns // SECOND % 3
        size, grid = 15 * SIZE_ONE_E6, scene.spec.grid
        legs = []
        for index, outcome in enumerate(Outcome):
            top = scene.top(outcome)
            if index == way:
                legs.append(Leg(outcome, Side.BUY, top.ask_e4, size, TIF.FAK))
            else:
                price = floor_tick(grid, top.bid_e4 - (grid.tick_e4 if way < 2 else 0))
                legs.append(Leg(outcome, Side.BUY, price, size, TIF.GTC, post_only=True))
        return tuple(legs)

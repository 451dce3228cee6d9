"""Risk rows of the View: gates, funnel, limits, breakers, rungs, signals."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.ids import GATE_FACTS, Gate, StrategyId
from dailyarb.core.domain.market import Outcome
from dailyarb.core.domain.rung import Rung, RungCause
from dailyarb.core.domain.view import BreakerRow, CircuitRow, FunnelRow, GateRow, LimitRow, RungRow
from dailyarb.core.engine.state import State, Tallies
from dailyarb.core.execution.pairs import Pairs
from dailyarb.core.risk.exposure import Outlook
from dailyarb.core.strategies.base import Scene, fee_per_share_e4
from dailyarb.core.strategies.maker import Maker
from dailyarb.core.strategies.taker import Taker


class Signal(NamedTuple):
    """Is a number of a strategy: name, value, unit, limit, and the gates that judge it."""

    name: str
    value: float | None
    unit: str
    limit: float | None
    gates: tuple[Gate, ...]


def signals_of(state: State, strategy: StrategyId, scene: Scene) -> list[Signal]:
    """Returns the numbers on which a strategy's verdict rests."""
    up, rate = scene.up, scene.spec.fees.rate_e6
    if strategy is StrategyId.S1:
        s1 = state.settings.strategies.S1
        fair, edge = scene.fair_e4, None
        if fair is not None and up.two_sided:
            down = 10_000 - fair - scene.down.ask_e4
            best = Outcome.UP if fair - up.ask_e4 >= down else Outcome.DOWN
            top = scene.top(best)
            raw = max(fair - up.ask_e4, down)
            edge = (raw - fee_per_share_e4(top.ask_e4, rate) - top.spread_e4 / 2) / 100
        return [
            Signal("move", scene.move_bp, "bp", s1.min_move_bps, (Gate.MOVE_BELOW_MIN,)),
            Signal("edge net", edge, "¢", s1.min_edge_cents, (Gate.EDGE_BELOW_MIN,)),
            Signal("decay", scene.decay, "", None, (Gate.BOOK_ANSWERED,)),
            Signal(
                "sigma",
                None if scene.sigma is None else scene.sigma * 1e4,
                "bp/√s",
                None,
                (Gate.NO_VOLATILITY,),
            ),
            Signal("dist", scene.dist_bp, "bp", scene.basis_noise_bp, (Gate.INSIDE_BASIS,)),
        ]
    if strategy is not StrategyId.S2:
        return _declared(state, strategy, scene)
    s2 = state.settings.strategies.S2
    both = up.two_sided
    asks = (up.ask_e4 + scene.down.ask_e4) / 100 if both else None
    bids = (up.bid_e4 + scene.down.bid_e4) / 100 if both else None
    mirror = (up.bid_e4 + scene.down.ask_e4) / 100 if both else None
    return [
        Signal("ask+ask", asks, "¢", 100.0, (Gate.SUM_ABOVE_LIMIT,)),
        Signal("bid+bid", bids, "¢", s2.max_pair_cost_cents, (Gate.SUM_ABOVE_LIMIT,)),
        Signal("mirror", mirror, "¢", 100.0, (Gate.MIRROR_BROKEN,)),
    ]


def _declared(state: State, strategy: StrategyId, scene: Scene) -> list[Signal]:
    """Returns the numbers of the gates that a strategy declares as data."""
    return [
        Signal(
            rule.name, rule.number(scene), GATE_FACTS[rule.gate][1].value, rule.limit, (rule.gate,)
        )
        for built in state.strategies
        if built.id is strategy and isinstance(built, Maker | Taker)
        for rule in built.rules
    ]


def gate_rows(state: State, second: int) -> tuple[GateRow, ...]:
    """Returns gates by how often they stopped something in the last minute."""
    blocked_now: dict[Gate, int] = {}
    for desk in state.desks.values():
        for gate in {
            v.blocked.gate.value: v.blocked.gate for v in desk.verdicts.values() if v.blocked
        }.values():
            blocked_now[gate] = blocked_now.get(gate, 0) + 1
    rows = [
        GateRow(gate, c.now, c.limit, blocked_now.get(gate, 0), c.last_minute(second), c.run)
        for gate, c in state.tallies.gates.items()
    ]
    return tuple(sorted(rows, key=lambda r: (-r.last_60s, -r.run, r.gate.value)))


def funnel_rows(tallies: Tallies) -> tuple[FunnelRow, ...]:
    """Returns the order funnel and the reasons for not filling."""
    stages = [
        FunnelRow("evaluated", tallies.evaluated),
        FunnelRow("passed gates", tallies.acted),
        FunnelRow("sent", tallies.sent),
        FunnelRow("acknowledged", tallies.acked),
        FunnelRow("filled any", tallies.filled),
        FunnelRow("rejected", tallies.rejected, True),
        FunnelRow("no match", tallies.killed, True),
        FunnelRow("we cancelled", tallies.cancelled, True),
        FunnelRow("unknown", tallies.unknown, True),
    ]
    reasons = [FunnelRow(r, n, True) for r, n in tallies.reasons.most_common(6)]
    return (*stages, *reasons)


def pair_rows(pairs: Pairs) -> tuple[FunnelRow, ...]:
    """Returns how many pairs of this run were opened, and how they ended."""
    return (
        FunnelRow("opened", pairs.opened),
        FunnelRow("completed", pairs.completed),
        FunnelRow("unwound", pairs.unwound, True),
        FunnelRow("carried", pairs.carried, True),
    )


def limit_rows(
    state: State, outlooks: Collection[Outlook], day_e6: int, now: Instant
) -> tuple[LimitRow, ...]:
    """Returns every limit of the gate: now against maximum."""
    risk = state.settings.risk
    total = -min(0, sum(o.worst_e6 for o in outlooks)) / 1e6
    worst = -min([0, *(o.worst_e6 for o in outlooks)]) / 1e6
    return (
        LimitRow("worst total", total, risk.max_worst_case_total_usd, "$"),
        LimitRow("worst market", worst, risk.max_worst_case_market_usd, "$", "market"),
        LimitRow("day loss", -min(0, day_e6) / 1e6, risk.max_day_loss_usd, "$"),
        LimitRow("open markets", len(outlooks), risk.max_open_positions, "n"),
        LimitRow(
            "orders/min",
            state.gate.orders_last_minute(now.mono_ns),
            risk.max_orders_per_minute,
            "n",
        ),
        LimitRow("naked", state.pairs.naked_e6() / 1e6, risk.max_partial_exposure_usd, "$"),
        LimitRow("unknown", len(state.orders.unknown()), risk.max_unknown_orders, "n"),
    )


def breaker_rows(state: State) -> tuple[BreakerRow, ...]:
    """Returns every breaker: number, limit, state, effect and how it resets."""
    rows = []
    for name, b in state.breakers.by_name.items():
        rule = b.rule
        word = "ok"
        if b.tripped:
            word = "latched" if rule.manual else "TRIPPED"
        elif b.near():
            word = "warn"
        rows.append(
            BreakerRow(
                name,
                b.now,
                rule.limit,
                rule.unit,
                word,
                rule.effect,
                "manual" if rule.manual else "auto",
                b.since_wall_ns,
                b.trips,
                b.cause or rule.what,
            )
        )
    return tuple(rows)


def circuit_rows(state: State) -> tuple[CircuitRow, ...]:
    """Returns every circuit: state, what it counts, effect and since when."""
    return tuple(
        CircuitRow(
            name,
            c.state.value,
            c.count,
            c.wanted,
            c.rule.effect,
            c.since.wall_ns or None,
            c.opened,
            c.cause or c.rule.what,
        )
        for name, c in state.circuits.by_name.items()
    )


def _holds(state: State) -> str:
    rungs = state.rungs
    if rungs.breaker is Rung.FULL:
        return "none tripped"
    return f"{rungs.breaker_cause.value} {rungs.breaker_name}"


def rung_rows(state: State) -> tuple[RungRow, ...]:
    """Returns every rung in force and its cause."""
    rungs = state.rungs
    overall, cause, detail = rungs.overall()
    rows = [
        RungRow("global", overall, cause, detail),
        RungRow("operator", rungs.operator, RungCause.OPERATOR, rungs.operator_reason),
        RungRow("breakers", rungs.breaker, rungs.breaker_cause, _holds(state)),
    ]
    for strategy in state.strategies:
        paused = strategy.id in rungs.paused
        reason = "paused" if paused else ""
        scope = RungCause.STRATEGY if paused else cause
        rows.append(RungRow(strategy.id.value, rungs.of(strategy.id), scope, reason))
    if rungs.booting:
        rows.append(
            RungRow("booting", Rung.HALTED, RungCause.BOOTING, "reconciliation not complete")
        )
    return tuple(rows)

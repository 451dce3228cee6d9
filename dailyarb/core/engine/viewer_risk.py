"""Risk rows of the View: gates, funnel, limits, breakers, rungs."""

from __future__ import annotations

from collections.abc import Collection

from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.ids import Gate
from dailyarb.core.domain.rung import Rung, RungCause
from dailyarb.core.domain.view import BreakerRow, CircuitRow, FunnelRow, GateRow, LimitRow, RungRow
from dailyarb.core.engine.state import State, Tallies
from dailyarb.core.execution.pairs import Pairs
from dailyarb.core.risk.exposure import Outlook


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


def rung_rows(state: State) -> tuple[RungRow, ...]:
    """Returns every rung in force and its cause."""
    rungs = state.rungs
    overall, cause, detail = rungs.overall()
    tripped = "none tripped" if rungs.breaker is Rung.FULL else rungs.breaker_name
    rows = [
        RungRow("global", overall, cause, detail),
        RungRow("operator", rungs.operator, RungCause.OPERATOR, rungs.operator_reason),
        RungRow("breakers", rungs.breaker, rungs.breaker_cause, tripped),
    ]
    for strategy in state.strategies:
        paused = strategy.id in rungs.paused
        reason = "paused" if paused else ""
        scope = RungCause.STRATEGY if paused else cause
        rows.append(RungRow(strategy.id.value, rungs.of(strategy.id), scope, reason))
    if rungs.booting:
        rows.append(RungRow("booting", Rung.HALTED, RungCause.BOOTING, "reconciling"))
    return tuple(rows)

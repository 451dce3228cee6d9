"""The run summary: one JSON object at the end of a run, in the form of the manual."""

from __future__ import annotations

from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.events import StageLatency
from dailyarb.core.engine.state import State
from dailyarb.core.engine.trading import unrealised_e6


def run_summary(state: State, now: Instant) -> dict[str, object]:
    """Returns the engine's part of `run.summary`; the shell adds frames and faults."""
    t, pairs, pnl = state.tallies, state.pairs, state.ledger.pnl.total
    seconds = (now.mono_ns - state.started.mono_ns) / 1e9
    ids = [s.id for s in state.strategies]
    return {
        "evt": "run.summary",
        "mode": state.birth.mode.value,
        "evidence": state.birth.evidence.value,
        "source": state.birth.source,
        "meaningless": state.birth.meaningless,
        "run": state.birth.run,
        "seconds": round(seconds, 1),
        "signals": {s.value: t.signals.get(s.value, 0) for s in ids},
        "gates": {
            gate.value: count.run
            for gate, count in sorted(t.gates.items(), key=lambda item: -item[1].run)
        },
        "orders": {
            "sent": t.sent,
            "acked": t.acked,
            "filled": t.filled,
            "killed": t.killed,
            "rejected": t.rejected,
            "cancelled": t.cancelled,
            "unknown": t.unknown,
        },
        "pairs": {
            "opened": pairs.opened,
            "completed": pairs.completed,
            "unwound": pairs.unwound,
            "carried": pairs.carried,
            "naked_ms_max": pairs.naked_ms_max,
        },
        "fees_usd": round(pnl.fees_e6 / 1e6, 5),
        "pnl_usd": round((pnl.net_e6 + unrealised_e6(state)) / 1e6, 5),
        "latency_us": {s.stage: _stage(s) for s in state.seen.latency},
        "breakers_tripped": t.breakers,
        "reconciled": state.account.reconciled and abs(state.account.cash_gap_e6) <= 10_000,
        "orders_open": len(state.orders.live()),
    }


def _stage(s: StageLatency) -> dict[str, float | int]:
    return {"p50": s.p50_us, "p99": s.p99_us, "p999": s.p999_us, "max": s.max_us, "n": s.count}

"""Builds the View: what a console shows, from the engine's state, at most ten times a second."""

from __future__ import annotations

from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.market import Outcome
from dailyarb.core.domain.orders import TERMINAL
from dailyarb.core.domain.units import MS, SECOND, SETTLE_ONE_E18
from dailyarb.core.domain.view import (
    AssetRow,
    AuditRow,
    Books,
    BootStep,
    OrderRow,
    SeriesPoint,
    View,
)
from dailyarb.core.engine import viewer_money as money
from dailyarb.core.engine import viewer_risk as risk
from dailyarb.core.engine.channels import channel_rows
from dailyarb.core.engine.state import Asset, Desk, State
from dailyarb.core.engine.trading import (
    active_markets,
    day_net,
    free_cash_e6,
    market_outlook,
    unrealised_e6,
)
from dailyarb.core.engine.viewer_desk import desk_row
from dailyarb.core.engine.viewer_signals import signal_rows
from dailyarb.core.execution.orders import Order

ORDERS_SHOWN = 60
FILLS_SHOWN = 60
EVENTS_SHOWN = 80
DECISIONS_SHOWN = 60
SERIES_S = 120


def build_view(state: State, now: Instant) -> View:
    """Returns one frame. It reads; the only thing it changes is the frame's number."""
    state.frame += 1
    birth, rungs, tallies = state.birth, state.rungs, state.tallies
    rung, cause, detail = rungs.overall()
    outlooks = {m: market_outlook(state, m) for m in active_markets(state)}
    day, open_e6 = day_net(state, now), unrealised_e6(state)
    books = money.books_row(state, open_e6)
    return View(
        frame=state.frame,
        run=birth.run,
        instance=state.settings.instance,
        mode=birth.mode,
        evidence=birth.evidence,
        armed=rungs.armed,
        source=birth.source,
        meaningless=birth.meaningless,
        mono_ns=now.mono_ns,
        wall_ns=now.wall_ns,
        started_ns=state.started.wall_ns,
        config_hash=birth.config_hash,
        rung=rung,
        rung_cause=cause,
        rung_detail=detail,
        operator_rung=rungs.operator,
        day_net_e6=day.net_e6 + open_e6,
        unrealised_e6=open_e6,
        fees_e6=day.fees_e6,
        equity_e6=books.equity_e6,
        free_e6=free_cash_e6(state),
        worst_e6=sum(o.worst_e6 for o in outlooks.values()),
        worst_limit_e6=round(state.settings.risk.max_worst_case_total_usd * 1e6),
        exposure_e6=sum(max(0, -o.worst_e6) for o in outlooks.values()),
        open_orders=len(state.orders.live()),
        unknown_orders=len(state.orders.unknown()),
        breakers_tripped=state.breakers.tripped() + state.circuits.open(),
        alerts_open=sum(not a.acked for a in state.alerts.values()),
        clock_offset_ms=state.seen.clock_offset_ms,
        clock_error_ms=state.seen.clock_error_ms,
        venue_mode=state.seen.venue_mode,
        halt_note=state.halting.note,
        booting=boot_steps(state) if rungs.booting else (),
        markets=tuple(desk_row(state, d, outlooks, now) for d in ordered(state, now)),
        assets=tuple(asset_row(state, n, a, now) for n, a in state.assets.items()),
        signals=signal_rows(state, now),
        gates=risk.gate_rows(state, now.mono_ns // SECOND),
        decisions=tuple(state.decisions)[-DECISIONS_SHOWN:],
        orders=order_rows(state, now),
        fills=tuple(state.fills)[-FILLS_SHOWN:],
        funnel=risk.funnel_rows(tallies),
        pnl=money.strategy_rows(state),
        pnl_markets=money.market_rows(state),
        hours=money.hour_rows(state, now),
        equity_curve=tuple(state.equity),
        books=books,
        limits=risk.limit_rows(state, outlooks.values(), day.net_e6 + open_e6, now),
        breakers=risk.breaker_rows(state),
        circuits=risk.circuit_rows(state),
        rungs=risk.rung_rows(state),
        audits=audit_rows(state, books, now),
        feeds=tuple(state.seen.feeds.values()),
        latency=state.seen.latency,
        process=state.seen.process,
        events=tuple(state.events)[-EVENTS_SHOWN:],
        alerts=tuple(state.alerts.values()),
        pairs_open=len(state.pairs.open),
        naked_e6=state.pairs.naked_e6(),
        channels=channel_rows(state, now),
        buckets=state.seen.buckets,
        pairs=risk.pair_rows(state.pairs),
    )


def ordered(state: State, now: Instant) -> list[Desk]:
    """Returns running windows first, then coming ones; each by asset, window and start."""
    assets = list(state.assets)
    return sorted(
        state.desks.values(),
        key=lambda d: (
            now.wall_ns < d.spec.start_ns,
            assets.index(d.spec.asset),
            d.spec.window.seconds,
            d.spec.start_ns,
        ),
    )


def boot_steps(state: State) -> tuple[BootStep, ...]:
    """Returns the start-up checklist."""
    feeds = state.seen.feeds
    return (
        BootStep("config", True, state.birth.config_hash),
        BootStep("journal", True, f"run {state.birth.run}"),
        BootStep("clock", state.seen.clock_offset_ms is not None),
        BootStep("feeds", bool(feeds), " ".join(f.value for f in feeds)),
        BootStep("account", state.account.opened, state.account.detail),
        BootStep("orders", not state.orders.unknown(), f"{len(state.orders.unknown())} unknown"),
    )


def asset_row(state: State, name: str, asset: Asset, now: Instant) -> AssetRow:
    """Returns the reference of one asset."""
    ref = asset.ref
    age, settle_age = ref.age_ns(now.mono_ns), ref.settle_age_ns(now.mono_ns)
    settle = ref.settle_e18 / SETTLE_ONE_E18 if ref.settle_e18 else None
    has_basis = ref.basis.samples > 0
    ref.flow.advance(now.mono_ns)
    del state
    return AssetRow(
        asset=name,
        spot=ref.spot,
        spot_age_ms=None if age is None else age // MS,
        settle=settle,
        settle_age_ms=None if settle_age is None else settle_age // MS,
        basis_bp=ref.basis.log * 1e4 if has_basis else None,
        basis_sd_bp=ref.basis.sd * 1e4 if has_basis else None,
        vol_60s=asset.vol.rolling(),
        vol_ewma=asset.vol.average(),
        move_bp=ref.move_bp(now.mono_ns),
        flow_5s=ref.flow.imbalance if ref.flow.count else None,
        lag_ms=asset.lag_ns / MS,
        series=tuple(
            SeriesPoint(second, spot, _settle_at(ref.value_at(second * 1000)))
            for second, spot in ref.series(SERIES_S)
        ),
    )


def _settle_at(value_e18: int) -> float | None:
    return value_e18 / SETTLE_ONE_E18 if value_e18 else None


def order_rows(state: State, now: Instant) -> tuple[OrderRow, ...]:
    """Returns open orders first, then the newest finished ones."""
    orders = list(state.orders.by_id.values())
    live = [o for o in orders if o.state not in TERMINAL]
    done = [o for o in orders if o.state in TERMINAL]
    chosen = live[-ORDERS_SHOWN:] + done[-max(0, ORDERS_SHOWN - len(live)) :][::-1]
    return tuple(_order_row(state, order, now) for order in chosen)


def _order_row(state: State, order: Order, now: Instant) -> OrderRow:
    desk = state.desks.get(order.market_id)
    ack = (order.acked_ns - order.sent_ns) / 1e6 if order.acked_ns and order.sent_ns else None
    ttl = (order.sent_ns + order.ttl_ns - now.mono_ns) // MS if order.ttl_ns else None
    return OrderRow(
        order_id=order.order_id,
        market_id=order.market_id,
        label=desk.spec.label if desk else order.market_id[:10],
        strategy=order.strategy,
        outcome=order.outcome,
        side=order.side,
        price_e4=order.price_e4,
        size_e6=order.size_e6,
        filled_e6=order.filled_e6,
        queue_e6=order.queue_e6 if order.queue_e6 >= 0 else None,
        state=order.state,
        sent_wall_ns=order.sent_wall_ns,
        age_ms=max(0, (now.mono_ns - order.sent_ns) // MS) if order.sent_ns else 0,
        ttl_ms=ttl,
        ack_ms=ack,
        edge_e4=order.edge_e4,
        reason=order.reason,
    )


def audit_rows(state: State, books: Books, now: Instant) -> tuple[AuditRow, ...]:
    """Returns what was reconciled, when, and the difference."""
    account = state.account
    age = (now.mono_ns - account.reported_ns) // MS if account.reported_ns else None
    unknown = len(state.orders.unknown())
    shares = sum(
        abs(state.ledger.size_e6(m, o)) for m in state.ledger.open_markets() for o in Outcome
    )
    return (
        AuditRow("cash", age, abs(account.cash_gap_e6) <= 10_000, account.detail),
        AuditRow("orders", age, unknown == 0, f"{unknown} unknown"),
        AuditRow(
            "positions",
            age,
            not account.share_gap,
            account.share_gap or f"{shares / 1e6:g} shares open",
        ),
        AuditRow("ledger", 0, books.residual_e6 == 0, f"residual {books.residual_e6 / 1e6:.2f}"),
    )

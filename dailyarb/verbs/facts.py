"""Facts of a view in the units of people: one name each, the same in log, metric and JSON."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from dailyarb.core.domain.ids import GATE_FACTS
from dailyarb.core.domain.view import Desk, FillRow, GateHit, OrderRow, PnlRow, View
from dailyarb.verbs.engine import Glance

Row = dict[str, Any]


def dollars(cash_e6: int | None) -> float | None:
    """Returns micro-dollars as dollars."""
    return None if cash_e6 is None else round(cash_e6 / 1e6, 6)


def cents(price_e4: int | float | None) -> float | None:
    """Returns 1e-4 dollars as cents."""
    return None if price_e4 is None else round(price_e4 / 100, 4)


def shares(size_e6: int | None) -> float | None:
    """Returns micro-shares as shares."""
    return None if size_e6 is None else round(size_e6 / 1e6, 6)


def instant(wall_ns: int) -> str | None:
    """Returns a wall time as ISO 8601 in UTC with milliseconds, None for 0."""
    if not wall_ns:
        return None
    moment = datetime.fromtimestamp(wall_ns // 1_000_000 / 1000, tz=UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def clock(stamp: str | None) -> str:
    """Returns the time of day of an ISO stamp, for a table."""
    return "-" if stamp is None else stamp[11:23]


def status(glance: Glance) -> Row:
    """Returns the two status rows as facts."""
    view = glance.view
    return {
        "instance": view.instance,
        "run": view.run,
        "pid": glance.pid,
        "engine_alive": glance.alive,
        "engine_age_s": round(glance.age_s, 3),
        "mode": view.mode.value,
        "evidence": view.evidence.value,
        "armed": view.armed,
        "source": view.source,
        "meaningless": view.meaningless,
        "rung": view.rung.name,
        "rung_cause": view.rung_cause.value,
        "rung_detail": view.rung_detail,
        "operator_rung": view.operator_rung.name,
        "day_net_usd": dollars(view.day_net_e6),
        "unrealised_usd": dollars(view.unrealised_e6),
        "fees_usd": dollars(view.fees_e6),
        "equity_usd": dollars(view.equity_e6),
        "free_usd": dollars(view.free_e6),
        "max_loss_usd": dollars(view.worst_e6),
        "max_loss_limit_usd": dollars(view.worst_limit_e6),
        "exposure_usd": dollars(view.exposure_e6),
        "open_orders": view.open_orders,
        "unknown_orders": view.unknown_orders,
        "open_pairs": view.pairs_open,
        "breakers_tripped": view.breakers_tripped,
        "breakers": len(view.breakers) + len(view.circuits),
        "alerts_open": view.alerts_open,
        "alert_channels": msgspec.to_builtins(view.channels),
        "clock_offset_ms": view.clock_offset_ms,
        "venue_mode": view.venue_mode.value,
        "halt_note": view.halt_note,
        "markets": len(view.markets),
        "frame": view.frame,
        "uptime_s": round(max(0, view.wall_ns - view.started_ns) / 1e9, 1),
        "config_hash": view.config_hash,
        "feeds": [_feed(feed) for feed in msgspec.to_builtins(view.feeds)],
        "latency": msgspec.to_builtins(view.latency),
        "process": msgspec.to_builtins(view.process),
        "booting": [step.name for step in view.booting if not step.done],
    }


def _feed(feed: Row) -> Row:
    return {key: value for key, value in feed.items() if key != "type"}


def gate(hit: GateHit | None) -> Row:
    """Returns a gate with its number, limit, unit and meaning."""
    if hit is None:
        return {"gate": None, "now": None, "limit": None, "unit": "", "meaning": ""}
    meaning, unit = GATE_FACTS[hit.gate]
    return {
        "gate": hit.gate.value,
        "now": hit.now,
        "limit": hit.limit,
        "unit": unit.value,
        "meaning": meaning,
        "strategy": hit.strategy.value if hit.strategy else None,
        "since": instant(hit.since_ns),
    }


def market(desk: Desk) -> Row:
    """Returns one open window with the gate that stops it."""
    return {
        "market": desk.label,
        "market_id": desk.market_id,
        "state": desk.state.value,
        "word": desk.word,
        "book": desk.book.value,
        "rung": desk.rung.name,
        "start": instant(desk.start_ns),
        "end": instant(desk.end_ns),
        "strike": desk.strike,
        "settle": desk.settle,
        "fair_cents": cents(desk.fair_e4),
        "edge_cents": cents(desk.edge_e4),
        "tick_cents": cents(desk.tick_e4),
        "refusal": desk.refusal,
        **gate(desk.why),
    }


def is_market(desk: Desk, wanted: str) -> bool:
    """Says whether a market answers to a name: its id, its label, or the label with a hyphen."""
    name = wanted.lower().replace("-", " ")
    return wanted == desk.market_id or desk.label.lower().startswith(name)


def order(row: OrderRow) -> Row:
    """Returns one order."""
    return {
        "order_id": row.order_id,
        "market": row.label,
        "market_id": row.market_id,
        "strategy": row.strategy.value,
        "outcome": row.outcome.value,
        "side": row.side.value,
        "price_cents": cents(row.price_e4),
        "shares": shares(row.size_e6),
        "filled_shares": shares(row.filled_e6),
        "queue_shares": shares(row.queue_e6),
        "state": row.state.value,
        "sent": instant(row.sent_wall_ns),
        "age_s": round(row.age_ms / 1000, 3),
        "ack_ms": row.ack_ms,
        "edge_cents": cents(row.edge_e4),
        "reason": row.reason,
    }


def fill(row: FillRow) -> Row:
    """Returns one fill as the view has it."""
    return {
        "time": instant(row.wall_ns),
        "trade_id": row.trade_id,
        "order_id": row.order_id,
        "market_id": row.market_id,
        "market": row.label,
        "strategy": row.strategy.value,
        "outcome": row.outcome.value,
        "side": row.side.value,
        "price_cents": cents(row.price_e4),
        "shares": shares(row.size_e6),
        "fee_usd": dollars(row.fee_e6),
        "maker": row.maker,
        "state": row.chain,
        "evidence": row.evidence.value,
    }


def pnl(row: PnlRow) -> Row:
    """Returns one row of profit and loss."""
    return {
        "key": row.key,
        "evidence": row.evidence.value,
        "net_usd": dollars(row.net_e6),
        "realised_usd": dollars(row.realised_e6),
        "fees_usd": dollars(row.fees_e6),
        "unrealised_usd": dollars(row.unrealised_e6),
        "fills": row.fills,
        "wins": row.wins,
        "losses": row.losses,
        "volume_usd": dollars(row.volume_e6),
        "max_drawdown_usd": dollars(row.max_drawdown_e6),
        "markout_5s_cents": cents(row.markout_5s_e4),
    }


def hours(view: View) -> Iterator[Row]:
    """Gives net profit and loss by strategy and UTC hour, of the hours in which something was."""
    for row in view.hours:
        for hour, net_e6 in enumerate(row.net_e6):
            if net_e6 is not None:
                yield {
                    "key": row.key,
                    "evidence": row.evidence.value,
                    "hour": hour,
                    "net_usd": dollars(net_e6),
                }

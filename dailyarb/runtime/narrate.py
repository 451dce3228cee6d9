"""What the log says of a record: the journal's facts as lines people and scripts can follow.

Told after the run that made them, so that no line stands between a tick and its order. Prices are
cents (`px_c`), sizes shares, money dollars; signed bytes never appear.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from dailyarb.core.domain import records as rec
from dailyarb.core.domain.orders import FillState, OrderState

ID_CHARS = 12


class LineOut(NamedTuple):
    """Is one log line: level, event of the catalogue, fields."""

    level: str
    evt: str
    fields: dict[str, Any]


def _short(text: str) -> str:
    return text[:ID_CHARS]


def _usd(cash_e6: int) -> float:
    return round(cash_e6 / 1e6, 6)


def _market(record: rec.MarketSeen) -> LineOut:
    spec = record.spec
    fields = {"mkt": spec.slug, "tick_c": spec.grid.tick_e4 / 100, "fee_rate": spec.fees.rate_e6}
    if spec.refusal:
        return LineOut("warn", "market.refused", {**fields, "why": spec.refusal})
    return LineOut("info", "market.listed", fields)


def _intent(record: rec.IntentTaken) -> LineOut:
    return LineOut(
        "info",
        "intent.taken",
        {
            "mkt": _short(record.market_id),
            "strat": record.strategy.value,
            "kind": record.intent.value,
            "edge_c": record.edge_e4 / 100,
            "fair_c": record.fair_e4 / 100,
            "bid_c": record.bid_e4 / 100,
            "ask_c": record.ask_e4 / 100,
            "legs": record.legs,
            "note": record.note,
        },
    )


def _leg(record: rec.OrderSigned | rec.OrderAdopted | rec.FillBooked) -> dict[str, Any]:
    return {
        "side": record.side.value,
        "tok": record.outcome.value,
        "px_c": record.price_e4 / 100,
        "sz": record.size_e6 / 1e6,
    }


def _signed(record: rec.OrderSigned) -> LineOut:
    return LineOut(
        "info",
        "order.signed",
        {
            "oid": _short(record.order_id),
            "mkt": _short(record.market_id),
            "strat": record.strategy.value,
            **_leg(record),
            "tif": record.tif.value,
        },
    )


def _adopted(record: rec.OrderAdopted) -> LineOut:
    return LineOut(
        "critical",
        "order.adopted",
        {
            "oid": _short(record.order_id),
            "mkt": _short(record.market_id),
            **_leg(record),
        },
    )


_MOVED: dict[OrderState, tuple[str, str]] = {
    OrderState.OPEN: ("info", "order.acked"),
    OrderState.REFUSED: ("warn", "order.refused"),
    OrderState.UNKNOWN: ("warn", "order.unknown"),
    OrderState.CANCELLED: ("info", "order.cancelled"),
    OrderState.EXPIRED: ("info", "order.killed"),
}


def _moved(record: rec.OrderMoved) -> LineOut | None:
    found = _MOVED.get(record.state)
    if found is None:
        return None  # a filled order is told by its fills
    level, evt = found
    return LineOut(level, evt, {"oid": _short(record.order_id), "why": record.reason})


def _filled(record: rec.FillBooked) -> LineOut:
    return LineOut(
        "info",
        "order.filled",
        {
            "oid": _short(record.order_id),
            "mkt": _short(record.market_id),
            "strat": record.strategy.value,
            **_leg(record),
            "liq": "maker" if record.maker else "taker",
            "fee_usd": _usd(record.fee_e6),
            "chain": "confirmed" if record.state is FillState.CONFIRMED else "matched",
            "cash_usd": _usd(record.cash_e6),
        },
    )


def _proven(record: rec.FillProven) -> LineOut:
    ok = record.state is FillState.CONFIRMED
    fields = {"oid": _short(record.order_id), "why": record.reason}
    return LineOut(*(("info", "fill.confirmed") if ok else ("critical", "fill.voided")), fields)


_PAIR_EVENTS = {"completed": "pair.completed", "unwound": "pair.unwound", "carried": "pair.carried"}


def _pair(record: rec.PairClosed) -> LineOut | None:
    evt = _PAIR_EVENTS.get(record.result)
    if evt is None:
        return None  # nothing filled: its orders have told the story
    fields = {
        "mkt": _short(record.market_id),
        "captured_usd": _usd(record.captured_e6),
        "naked_ms": record.naked_ms,
    }
    return LineOut("warn" if record.result == "carried" else "info", evt, fields)


def _paid(record: rec.PayoutBooked) -> LineOut:
    return LineOut(
        "info",
        "market.settled",
        {
            "mkt": _short(record.market_id),
            "up_c": record.up_price_e4 / 100,
            "paid_usd": _usd(record.cash_e6),
        },
    )


def _rung(record: rec.RungSet) -> LineOut:
    fields = {"rung": record.rung.name, "who": record.who, "why": record.reason}
    return LineOut("warn", "rung.changed", fields)


def _asked(record: rec.OperatorDid) -> LineOut:
    fields = {"who": record.who, "cmd": record.verb, "target": record.target, "text": record.text}
    return LineOut("info", "cmd.applied" if record.ok else "cmd.refused", fields)


def _mode(record: rec.ModeSet) -> LineOut:
    return LineOut("warn", "mode.changed", {"mode": record.mode.value, "who": record.who})


def _settings(record: rec.SettingsTaken) -> LineOut:
    fields = {"cfg": record.config_hash, "changed": ", ".join(record.changed), "who": record.who}
    return LineOut("warn", "config.loaded", fields)


def _breaker(record: rec.BreakerMoved) -> LineOut:
    evt = "breaker.tripped" if record.tripped else "breaker.reset"
    return LineOut(
        "warn" if record.tripped else "info",
        evt,
        {
            "brk": record.breaker,
            "now": round(record.now, 3),
            "limit": record.limit,
            "effect": record.effect.name,
            "who": record.who,
            "why": record.reason,
        },
    )


def _adjusted(record: rec.Adjusted) -> LineOut:
    evt = "reconcile.done" if record.what == "opening" else "reconcile.differed"
    fields = {"what": record.what, "cash_usd": _usd(record.cash_e6), "why": record.reason}
    return LineOut("info" if record.what == "opening" else "warn", evt, fields)


_TELLERS: dict[type[rec.Kept], Callable[[Any], LineOut | None]] = {
    rec.MarketSeen: _market,
    rec.IntentTaken: _intent,
    rec.OrderSigned: _signed,
    rec.OrderAdopted: _adopted,
    rec.OrderMoved: _moved,
    rec.FillBooked: _filled,
    rec.FillProven: _proven,
    rec.PairClosed: _pair,
    rec.PayoutBooked: _paid,
    rec.RungSet: _rung,
    rec.OperatorDid: _asked,
    rec.ModeSet: _mode,
    rec.SettingsTaken: _settings,
    rec.BreakerMoved: _breaker,
    rec.Adjusted: _adjusted,
}


def narrate(record: rec.Record) -> LineOut | None:
    """Returns the log line of a record, None where another line says it."""
    teller = _TELLERS.get(type(record))
    return teller(record) if teller is not None else None

"""Verbs that look at an engine: board for what is, journal for what was."""

from __future__ import annotations

import time
from argparse import Namespace
from typing import Any

from dailyarb.core.domain.errors import BoardError
from dailyarb.core.domain.events import FeedStatus
from dailyarb.core.domain.orders import LIVE
from dailyarb.core.domain.view import View
from dailyarb.verbs import channels, facts, past
from dailyarb.verbs.engine import Glance, Window, glance, instance_of, places
from dailyarb.verbs.output import Column, Output, count, money, yes

WATCH_S = 1.0
NO, OK = 1, 0
_HOME = "\x1b[H\x1b[J"


def status(arguments: Namespace, out: Output) -> int:
    """Shows what the console's two status rows show; exit 1 if the engine is gone."""
    with Window(instance_of(arguments)) as window:
        seen = window.look()
        _show_status(seen, arguments, out)
        while arguments.watch:
            time.sleep(WATCH_S)
            seen = window.look()
            _show_status(seen, arguments, out)
    return OK if seen.alive else NO


def _show_status(seen: Glance, arguments: Namespace, out: Output) -> None:
    row = {**facts.status(seen), "engine": _engine_words(seen)}
    if out.json:
        out.value(row)
    elif arguments.plain:
        flat = {key: value for key, value in row.items() if not isinstance(value, list | dict)}
        out.write("\n".join(f"{key} {_plain(value)}" for key, value in flat.items()))
    else:
        clear = _HOME if arguments.watch and out.terminal else ""
        out.write(clear + "\n".join(_status_lines(row)))


def _engine_words(seen: Glance) -> str:
    """Returns whether the engine lives, has ended by itself, or is lost."""
    if seen.alive:
        return f"engine {seen.age_s:.1f}s"
    ended = past.ending(places(seen.view.instance).journal, seen.view.run)
    if ended is not None and ended.code == 0:
        return f"ended {seen.age_s:.0f}s ago: {ended.why}"
    if ended is not None:
        return f"ENDED with code {ended.code} {seen.age_s:.0f}s ago: {ended.why}"
    return f"ENGINE LOST, last heard of {seen.age_s:.0f}s ago"


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None or value == "" else str(value)


def _status_lines(row: dict[str, Any]) -> list[str]:
    """Returns the status as lines that fit 80 columns."""
    rung = row["rung"] + (f" ({row['rung_detail']})" if row["rung_detail"] else "")
    feeds = "  ".join(_feed_words(feed) for feed in row["feeds"])
    offset = row["clock_offset_ms"]
    money = (
        f"Day {row['day_net_usd']:+,.2f}  uP&L {row['unrealised_usd']:+,.2f}  "
        f"Fees {row['fees_usd']:,.2f}  Max loss {row['max_loss_usd']:,.2f} / "
        f"{row['max_loss_limit_usd']:,.2f}"
    )
    counts = (
        f"Breakers {row['breakers_tripped']}/{row['breakers']}  Alerts {row['alerts_open']}  "
        f"Unknown {row['unknown_orders']}  Orders {row['open_orders']}  Markets {row['markets']}"
    )
    lines = [
        f"{row['instance']}  [{row['mode']}]  [{rung}]  {row['source']}  {row['engine']}",
        money,
        f"{feeds or 'no feeds yet'}  CLK {'-' if offset is None else f'{offset:+.0f}ms'}",
        counts,
    ]
    if row["meaningless"]:
        lines.append(f"Signals mean nothing here: {row['meaningless']}")
    if row["booting"]:
        lines.append(f"Starting: {', '.join(row['booting'])}")
    if row["halt_note"]:
        lines.append(row["halt_note"])
    return lines


def _feed_words(feed: dict[str, Any]) -> str:
    """Returns a feed as `PM 0.1s 212/s`, with its status where that is not good."""
    bad = "" if feed["status"] == FeedStatus.FRESH.value else f" {feed['status']}"
    if feed["age_ms"] < 0:  # nothing has come yet
        return f"{feed['feed']}{bad}"
    return f"{feed['feed']}{bad} {feed['age_ms'] / 1000:.1f}s {feed['rate_hz']:.0f}/s"


def _view(arguments: Namespace, out: Output) -> View:
    """Returns what the engine shows; says so if that engine is gone and this its last word."""
    seen = glance(arguments)
    if not seen.alive:
        out.warn(f"{_engine_words(seen)}; this is what it last showed")
    return seen.view


def why(arguments: Namespace, out: Output) -> int:
    """Names the gate that stops each market."""
    view = _view(arguments, out)
    wanted = arguments.market
    rows = [
        facts.market(desk) for desk in view.markets if not wanted or facts.is_market(desk, wanted)
    ]
    columns = [
        Column("market", "market"),
        Column("word", "state"),
        Column("strategy", "by"),
        Column("gate", "gate"),
        count("now", "now", 2),
        count("limit", "limit", 2),
        Column("unit", ""),
        Column("meaning", "meaning"),
    ]
    out.table(columns, rows, empty=_none_like("market", wanted))
    return OK if rows or not wanted else NO


def _none_like(what: str, wanted: str) -> str:
    return f"no {what} answers to {wanted!r}" if wanted else f"no open {what}"


def orders(arguments: Namespace, out: Output) -> int:
    """Lists orders, open and recent."""
    view = _view(arguments, out)
    rows = [facts.order(row) for row in view.orders if not arguments.open or row.state in LIVE]
    columns = [
        Column("sent", "sent", facts.clock),
        Column("market", "market"),
        Column("strategy", "by"),
        Column("side", "side"),
        Column("outcome", "outcome"),
        count("price_cents", "cents", 1),
        count("shares", "shares", 2),
        count("filled_shares", "filled", 2),
        Column("state", "state"),
        count("ack_ms", "ack ms", 1),
        Column("reason", "reason"),
        Column("order_id", "id"),
    ]
    out.table(columns, rows, empty="no orders")
    return OK


def fills(arguments: Namespace, out: Output) -> int:
    """Lists fills from the journal, newest last."""
    rows = past.fills(places(instance_of(arguments)).journal, arguments.last)
    columns = [
        Column("time", "time", facts.clock),
        Column("market", "market"),
        Column("strategy", "by"),
        Column("side", "side"),
        Column("outcome", "outcome"),
        count("price_cents", "cents", 1),
        count("shares", "shares", 2),
        count("fee_usd", "fee", 5),
        Column("maker", "maker", yes),
        Column("state", "state"),
        Column("evidence", "rests on"),
        Column("trade_id", "trade"),
    ]
    out.table(columns, rows, empty="no fills")
    return OK


def pnl(arguments: Namespace, out: Output) -> int:
    """Shows profit and loss; evidence classes stand apart and are never added."""
    view = _view(arguments, out)
    if arguments.by == "hour":
        columns = [
            Column("key", "strategy"),
            Column("evidence", "rests on"),
            count("hour", "UTC hour"),
            money("net_usd", "net"),
        ]
        out.table(columns, list(facts.hours(view)), empty="no profit, no loss")
        return OK
    source = view.pnl if arguments.by == "strategy" else view.pnl_markets
    columns = [
        Column("key", arguments.by),
        Column("evidence", "rests on"),
        money("net_usd", "net"),
        money("realised_usd", "realised"),
        money("fees_usd", "fees"),
        money("unrealised_usd", "open"),
        count("fills", "fills"),
        count("wins", "wins"),
        count("losses", "losses"),
        money("max_drawdown_usd", "drawdown"),
    ]
    out.table(columns, [facts.pnl(row) for row in source], empty="no profit, no loss")
    if not out.json:
        residual = facts.dollars(view.books.residual_e6)
        out.write(f"books {'add up' if residual == 0 else f'DO NOT ADD UP: {residual}'}")
    return OK


def alerts(arguments: Namespace, out: Output) -> int:
    """Lists alerts: of the running engine, or else those the journal keeps."""
    if arguments.test:
        return channels.test(arguments, out)
    try:
        rows = [
            {
                "time": facts.instant(row.wall_ns),
                "severity": row.severity.value,
                "key": row.key,
                "count": row.count,
                "acked": row.acked,
                "text": row.text,
            }
            for row in _view(arguments, out).alerts
        ]
    except BoardError:
        rows = past.alerts(places(instance_of(arguments)).journal)
    columns = [
        Column("time", "time", facts.clock),
        Column("severity", "severity"),
        Column("key", "key"),
        count("count", "times"),
        Column("acked", "seen", yes),
        Column("text", "text"),
    ]
    out.table(columns, rows, empty="no alerts")
    return OK


def markets(arguments: Namespace, out: Output) -> int:
    """Lists open and coming windows with the rules of each."""
    view = _view(arguments, out)
    shown = {desk.market_id: desk for desk in view.markets}
    journal = places(instance_of(arguments)).journal
    specs = past.markets(journal, view.run, set(shown))
    rows = []
    for spec in sorted(specs.values(), key=lambda spec: (spec.start_ns, spec.label)):
        if spec.end_ns <= view.wall_ns and spec.market_id not in shown:
            continue
        desk = shown.get(spec.market_id)
        state = "COMING" if desk is None else desk.state.value
        rows.append({**past.rules(spec), "state": state, "strike": desk.strike if desk else None})
    columns = [
        Column("market", "market"),
        Column("start", "start", facts.clock),
        Column("end", "end", facts.clock),
        Column("state", "state"),
        count("strike", "strike", 2),
        Column("strike_source", "strike from"),
        count("tick_cents", "tick c", 2),
        count("fee_percent", "fee %", 2),
        count("min_shares", "min shares"),
        count("min_marketable_usd", "min $"),
        Column("refusal", "not traded because"),
    ]
    out.table(columns, rows, empty="no windows known yet")
    return OK

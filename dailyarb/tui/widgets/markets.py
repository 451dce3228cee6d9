"""The desk's own panes: open windows, and the merged list of events."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from dailyarb.core.domain.ids import Severity
from dailyarb.core.domain.market import Outcome
from dailyarb.core.domain.orders import BOOK_WORDS, BookState
from dailyarb.core.domain.rung import Rung
from dailyarb.tui import format as f
from dailyarb.tui.lines import Cell, Column, Line, LineBuilder, choose, line, wrapped
from dailyarb.tui.widgets.pane import LinePane
from dailyarb.tui.widgets.table import Record, TablePane

if TYPE_CHECKING:
    from dailyarb.core.domain.view import ChannelRow, Desk, EventRow, View
    from dailyarb.tui.scene import Scene

_WORD_STYLES = {"STALE!": "stale", "QUOTE": "ok", "TAKE": "ok", "HEDGE": "hedge", "EXIT": "warn",
                "CLOSED": "old", "SETTLING": "old"}  # fmt: skip


class Markets(TablePane):
    """One row per open window; rows do not move as time passes."""

    rate_hz: ClassVar[float] = 10.0
    follows_selection: ClassVar[bool] = True
    news: ClassVar[frozenset[str]] = frozenset({"strike", "up", "down", "fair", "edge", "pos"})
    empty: ClassVar[str] = (
        "No open window yet. Discovery asks the venue every few seconds; each 5m and 15m window "
        "appears here as soon as it is listed."
    )
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("market", "MARKET", 8, "<", 0, word=True),
        Column("window", "WINDOW UTC", 11, "<", 9, word=True),
        Column("left", "LEFT", 6, ">", 1),
        Column("strike", "STRIKE $", 9, ">", 7),
        Column("settle", "SETTLE $", 9, ">", 6),
        Column("spot", "BINANCE $", 9, ">", 10),
        Column("dist", "DIST bp", 7, ">", 3),
        Column("up", "UP b/a¢", 9, ">", 0),
        Column("down", "DN b/a¢", 9, ">", 11),
        Column("fair", "FAIR", 4, ">", 2),
        Column("edge", "EDGE", 5, ">", 1),
        Column("pos", "POS sh", 7, ">", 1),
        Column("avg", "AVG ¢", 5, ">", 8),
        Column("upnl", "uP&L $", 7, ">", 4),
        Column("maxl", "MAXL $", 7, ">", 5),
        Column("state", "STATE", 8, "<", 0, grow=True, word=True),
    )

    def columns(self, scene: Scene, width: int) -> tuple[Column, ...]:
        """Returns the columns; from 100 cells on, the gate's name has room behind the state."""
        wanted = self.COLUMNS
        if width >= 100:
            wanted = (*wanted[:-1], wanted[-1]._replace(title="STATE / why", width=26))
        return choose(wanted, width - 1)

    def records(self, scene: Scene) -> list[Record]:
        """Returns one row per window in the engine's order."""
        if scene.view is None:
            return []
        drawn = self.columns(scene, self.content_size.width)
        room = next((column.width for column in drawn if column.key == "state"), 0)
        return [_market(desk, scene, room) for desk in scene.view.markets]


def _market(desk: Desk, scene: Scene, room: int) -> Record:
    stale = desk.book is not BookState.SYNCED
    style = "stale" if stale else ""
    rung = scene.view.rung if scene.view is not None else Rung.FULL
    net = desk.pos_up_e6 - desk.pos_down_e6
    dist = f.signed(desk.dist_bp) + f.mark(desk.dist_bp)
    cells: dict[str, Cell] = {
        "market": (desk.label, "own" if net or desk.pos_up_e6 else ""),
        "window": f"{f.minute(desk.start_ns, scene.local_time)}-"
                  f"{f.minute(desk.end_ns, scene.local_time)}",
        "left": _left(desk, scene),
        "strike": f.price(desk.strike) if desk.strike is not None else "?",
        "settle": f.price(desk.settle),
        "spot": f.price(desk.spot),
        "dist": (dist, _trend(desk.dist_bp)),
        "up": (_touch(desk.up.bid_e4, desk.up.ask_e4, desk.tick_e4), style),
        "down": (_touch(desk.down.bid_e4, desk.down.ask_e4, desk.tick_e4), style),
        "fair": f.cents1(desk.fair_e4),
        "edge": (f.signed_cents(desk.edge_e4), _trend(desk.edge_e4)),
        "pos": (position(desk.pos_up_e6, desk.pos_down_e6), "own" if net else ""),
        "avg": f.cents1(desk.avg_e4),
        "upnl": (_upnl(desk, stale), _trend(desk.upnl_e6)),
        "maxl": f.money_in(desk.worst_e6, 7) if desk.worst_e6 else "-",
        "state": state_cell(desk, room, rung),
    }  # fmt: skip
    order: dict[str, float | str] = {"left": -float(desk.end_ns), "pos": float(abs(net)),
                                     "edge": float(desk.edge_e4 or 0)}  # fmt: skip
    return Record(desk.market_id, cells, desk, order)


def _left(desk: Desk, scene: Scene) -> str:
    """Returns the time to the close, or when a coming window opens: their names are alike."""
    if scene.wall_ns < desk.start_ns:
        return f"@{f.minute(desk.start_ns, scene.local_time)}"
    return f.left(desk.end_ns - scene.wall_ns)


def _trend(number: float | None) -> str:
    if number is None or number == 0:
        return ""
    return "up" if number > 0 else "down"


def _touch(bid_e4: int | None, ask_e4: int | None, tick_e4: int) -> str:
    return f"{f.cents(bid_e4, tick_e4)}/{f.cents(ask_e4, tick_e4)}"


def _upnl(desk: Desk, stale: bool) -> str:
    if desk.upnl_e6 is None:
        return "-"
    if stale:
        return "~" + f.money_in(desk.upnl_e6, 6, arrow=True)
    return f.money_in(desk.upnl_e6, 7, arrow=True)


def position(up_e6: int, down_e6: int) -> str:
    """Returns the net position with its side: `U 120`, `D 80`, `= 40` for a full pair."""
    net = up_e6 - down_e6
    if net == 0:
        return f"= {f.shares(up_e6)}" if up_e6 else "-"
    side = Outcome.UP if net > 0 else Outcome.DOWN
    return f"{side.value[0]} {f.shares(abs(net)):>5}"


def state_cell(desk: Desk, room: int, rung: Rung) -> tuple[str, str]:
    """Returns the state word and, where there is room, what stands in the way.

    A rung is named only where it is lower than the one in force, which the badge names.
    """
    word, detail = f.clean(desk.word), ""
    if desk.refusal:
        detail = desk.refusal
    elif desk.why is not None:
        detail = desk.why.gate.value
        numbers = f.gate_numbers(desk.why.gate, desk.why.now, desk.why.limit)
        detail += f" {numbers.partition(',')[0]}" if numbers else ""
    elif desk.book is not BookState.SYNCED:
        detail = f"book {BOOK_WORDS[desk.book]}"
    if desk.rung < rung:
        detail = f"{desk.rung.name} {detail}"
    if room < len(word) + 8:
        detail = ""
    return f"{word} {detail}".rstrip(), _WORD_STYLES.get(word, "")


class Events(LinePane):
    """Fills, orders, breakers, alerts, settlements and commands, newest first."""

    rate_hz: ClassVar[float] = 10.0

    def draw(self, scene: Scene, width: int, height: int) -> list[Line]:
        """Returns the newest events that fit."""
        view = scene.view
        if view is None or not view.events:
            text = "No event yet: fills, orders, alerts and settlements appear here."
            return [line(part, width, "old") for part in wrapped(text, width)]
        return [event_line(row, width, scene.local_time) for row in reversed(view.events[-height:])]


def event_line(row: EventRow, width: int, local: bool) -> Line:
    """Returns one event as a line: time, kind, text."""
    style = {Severity.CRITICAL: "critical", Severity.WARNING: "warn"}.get(row.severity, "")
    if row.kind == "FILL":
        style = "strong"
    return (
        LineBuilder().add(f.clock(row.wall_ns, local)).add(" ").add(f"{row.kind[:6]:<6}", style)
        .add(" ").add(row.text).build(width)
    )  # fmt: skip


class Alerts(LinePane):
    """Alerts with their count; what is not acknowledged is marked `!`."""

    def draw(self, scene: Scene, width: int, height: int) -> list[Line]:
        """Returns the open alerts first, wrapped."""
        view = scene.view
        if view is None:
            return [line("No alert.", width, "old")]
        channels = [_channel_line(row, scene, width) for row in view.channels]
        if not view.alerts:
            return [line("No alert.", width, "old"), *channels]
        rows = [line(f"{view.alerts_open} unacked   a ack   A ack all", width, "head")]
        for alert in sorted(view.alerts, key=lambda row: (row.acked, -row.wall_ns)):
            mark = "-" if alert.acked else "!"
            head = f"{mark} {f.clock(alert.wall_ns, scene.local_time)} "
            times = f" x{alert.count}" if alert.count > 1 else ""
            style = "critical" if alert.severity is Severity.CRITICAL else "warn"
            style = "old" if alert.acked else style
            texts = wrapped(head + alert.text + times, width, "  ")
            rows += [line(text, width, style) for text in texts]
        return [*rows[: max(1, height - len(channels))], *channels]


def _channel_line(row: ChannelRow, scene: Scene, width: int) -> Line:
    """Returns how one channel is; alerts that have not left are worth more than how to mend it."""
    builder = LineBuilder().add(f"{f.clean(row.channel)} ")
    if row.ok:
        told = "" if row.told_ms is None else f" {f.age(row.told_ms + scene.since_ms)} ago"
        return builder.add("ok", "ok").add(told).build(width)
    text = f" {row.undelivered} undelivered, {f.clean(row.detail)}"
    return builder.add("DOWN", "critical").add(text).build(width)


class HourLine(LinePane):
    """Net P&L of each hour of the day as one row of bars."""

    bordered: ClassVar[bool] = False
    rate_hz: ClassVar[float] = 1.0

    def draw(self, scene: Scene, width: int, height: int) -> list[Line]:
        """Returns the bars with the best and the worst hour."""
        return [hour_line(scene.view, width)]


def hour_totals(view: View) -> list[int | None]:
    """Returns the net of each UTC hour over all strategies of the view's own evidence."""
    totals: list[int | None] = [None] * 24
    for row in view.hours:
        if row.evidence is not view.evidence:
            continue
        for hour, net in enumerate(row.net_e6[:24]):
            if net is not None:
                totals[hour] = (totals[hour] or 0) + net
    return totals


def hour_line(view: View | None, width: int) -> Line:
    """Returns ` Hour UTC ▃▁▄█  best 09h +31.20  worst 03h -8.10`."""
    totals = hour_totals(view) if view is not None else []
    known = [(net, hour) for hour, net in enumerate(totals) if net is not None]
    if view is None or not known:
        return line(" Hour UTC  no hour with a result yet", width, "old")
    best, worst = max(known), min(known)
    chart = f.spark([float(net) for net, _ in known], 24)
    builder = LineBuilder().add(" Hour UTC ").add(f"{known[0][1]:02d}").add(chart, "bid")
    builder.add(f"{known[-1][1]:02d}")
    for word, (net, hour) in (("best", best), ("worst", worst)):
        part = f"  {word} {hour:02d}h {f.signed_money(net)}"
        if builder.width + len(part) <= width:
            builder.add(part, _trend(net))
    tail = f"  {view.evidence.value}, net of fees"
    return (builder.add(tail) if builder.width + len(tail) <= width else builder).build(width)

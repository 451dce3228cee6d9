"""Signals, gates and decisions: why the engine acts, and more often why it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from dailyarb.core.domain.ids import GATE_FACTS, STRATEGY_TITLES
from dailyarb.tui import format as f
from dailyarb.tui.lines import Cell, Column, Line, line, pairs
from dailyarb.tui.widgets.table import Record, TablePane

if TYPE_CHECKING:
    from dailyarb.core.domain.view import DecisionRow, GateRow, SignalRow
    from dailyarb.tui.scene import Scene

_VERDICTS = {"PASS": "ok", "fail": "warn", "off": "old", "-": "old"}


class Signals(TablePane):
    """The selected market's signals: number, limit, age, verdict."""

    rate_hz: ClassVar[float] = 4.0
    empty: ClassVar[str] = (
        "No signal of this market yet: strategies speak once it has a book and a reference."
    )
    foot_rows: ClassVar[int] = 2
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("strategy", "ST", 2, "<", 2, word=True),
        Column("signal", "SIGNAL", 11, "<", 0, word=True, grow=True),
        Column("value", "VALUE", 8, ">", 0),
        Column("limit", "LIMIT", 7, ">", 1),
        Column("age", "AGE", 6, ">", 3),
        Column("gate", "GATE", 5, "<", 0, word=True),
    )

    def titles(self, scene: Scene) -> tuple[str, str]:
        """Returns the market's name; a warning where signals mean nothing."""
        name = scene.name(scene.market) if scene.market is not None else "-"
        meaning = scene.view.meaningless if scene.view is not None else ""
        return f"signals {name}", "signals mean nothing here" if meaning else ""

    def records(self, scene: Scene) -> list[Record]:
        """Returns the signals of the selected market."""
        if scene.view is None or scene.market is None:
            return []
        wanted = scene.market.market_id
        rows = [row for row in scene.view.signals if row.market_id == wanted]
        return [_signal(row, scene.since_ms) for row in rows]

    def foot(self, scene: Scene, width: int) -> list[Line]:
        """Returns the newest decision about the market, and what it would earn."""
        if scene.view is None or scene.market is None:
            return []
        wanted = scene.market.market_id
        ours = (row for row in scene.view.decisions if row.market_id == wanted)
        last = max(ours, key=lambda row: row.wall_ns, default=None)
        if last is None:
            return [line("no decision about this market yet", width, "old")]
        if not last.acted:
            return [line(f" {decision_words(last)}", width, "warn"), line(_numbers(last), width)]
        sums = pairs(
            width,
            f" net {f.signed_cents(last.net_e4)}¢",
            f"edge {f.signed_cents(last.edge_e4)}",
            f"fee {f.signed_cents(-last.fee_e4)}",
        )
        return [line(f" {decision_words(last)}", width, "ok"), sums]


def _signal(row: SignalRow, since_ms: float) -> Record:
    cells: dict[str, Cell] = {
        "strategy": row.strategy.value,
        "signal": row.name,
        "value": f.united_in(row.value, row.unit, 8),
        "limit": f.united_in(row.limit, row.unit, 7),
        "age": f.age(row.age_ms + since_ms),
        "gate": (row.verdict, _VERDICTS.get(row.verdict, "")),
    }
    return Record(f"{row.strategy.value}.{row.name}", cells, row)


def decision_words(row: DecisionRow) -> str:
    """Returns `ACT UP BUY 57 x20`, or the gate that stopped it."""
    if not row.acted and row.gate is not None:
        return f"{row.strategy.value} blocked: {row.gate.value}"
    what = [row.outcome.value if row.outcome else "", row.side.value if row.side else ""]
    size = f"{f.cents(row.price_e4)}¢ x{f.shares(row.size_e6)}"
    return f"{row.strategy.value} ACT {' '.join(what)} {size}"


class Gates(TablePane):
    """How often each gate stopped an evaluation, and how close its number is."""

    rate_hz: ClassVar[float] = 2.0
    empty: ClassVar[str] = "No evaluation yet: gates are counted from the first one on."
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("gate", "GATE", 18, "<", 0, word=True, grow=True),
        Column("now", "NOW", 7, ">", 1),
        Column("limit", "LIMIT", 7, ">", 2),
        Column("markets", "MKTS", 4, ">", 3),
        Column("minute", "60 s", 6, ">", 0),
        Column("run", "RUN", 7, ">", 4),
    )

    def records(self, scene: Scene) -> list[Record]:
        """Returns the gates, those that block most now on top."""
        if scene.view is None:
            return []
        rows = sorted(scene.view.gates, key=lambda row: (-row.last_60s, -row.run))
        return [_gate(row) for row in rows]


def _gate(row: GateRow) -> Record:
    unit = GATE_FACTS[row.gate][1]
    bare = not unit.value
    cells: dict[str, Cell] = {
        "gate": (row.gate.value, "warn" if row.markets else ""),
        "now": "-" if bare else f.quantity(row.now, unit),
        "limit": "-" if bare else f.quantity(row.limit, unit),
        "markets": f.count(row.markets),
        "minute": f.count(row.last_60s),
        "run": f.count(row.run),
    }
    return Record(row.gate.value, cells, row, {"run": float(row.run)})


class Decisions(TablePane):
    """Evaluations that changed their verdict, newest first."""

    rate_hz: ClassVar[float] = 4.0
    empty: ClassVar[str] = "No decision yet: the first act or the first gate appears here."
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("time", "TIME", 8, "<", 0),
        Column("market", "MARKET", 8, "<", 0, word=True),
        Column("strategy", "STRATEGY", 12, "<", 5, word=True),
        Column("decision", "DECISION", 31, "<", 0, word=True, grow=True),
        Column("side", "SIDE", 9, "<", 3, word=True),
        Column("price", "¢", 5, ">", 4),
        Column("size", "sh", 6, ">", 6),
        Column("edge", "EDGE ¢", 6, ">", 1),
        Column("fee", "FEE ¢", 6, ">", 7),
        Column("net", "NET ¢", 6, ">", 0),
    )

    def records(self, scene: Scene) -> list[Record]:
        """Returns the decisions, newest first."""
        if scene.view is None:
            return []
        rows = sorted(scene.view.decisions, key=lambda row: -row.wall_ns)
        return [_decision(row, scene.local_time) for row in rows]


def _numbers(row: DecisionRow) -> str:
    """Returns ` 0.1bp, limit 2.0bp` of the gate that stopped it, nothing where it has no number."""
    numbers = f.gate_numbers(row.gate, row.now, row.limit) if row.gate is not None else ""
    return f" {numbers}" if numbers else ""


def _decision(row: DecisionRow, local: bool) -> Record:
    blocked = None if row.acted else row.gate
    numbers = _numbers(row).replace(", limit ", "/").replace(" sh/", "/")
    word = f"ACT {row.note}" if blocked is None else blocked.value + numbers
    side = f"{row.side.value} {row.outcome.value}" if row.side and row.outcome else f.NOTHING
    cells: dict[str, Cell] = {
        "time": f.clock(row.wall_ns, local),
        "market": row.label,
        "strategy": STRATEGY_TITLES[row.strategy],
        "decision": (word.rstrip(), "ok" if row.acted else "warn"),
        "side": side,
    }
    if row.side is not None:
        cells |= {
            "price": f.cents(row.price_e4),
            "size": f.shares(row.size_e6),
            "edge": f.signed_cents(row.edge_e4),
            "fee": f.signed_cents(-row.fee_e4),
            "net": (f.signed_cents(row.net_e4), "up" if row.net_e4 > 0 else "down"),
        }
    else:  # a gate before the price has none of these
        cells |= dict.fromkeys(("price", "size", "edge", "fee", "net"), f.NOTHING)
    key = f"{row.wall_ns}.{row.market_id}.{row.strategy.value}"
    return Record(key, cells, row, {"time": float(row.wall_ns)})

"""Limits, breakers, rungs, reconciliation, and what each market can still win or lose."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from dailyarb.core.domain.rung import Rung
from dailyarb.tui import format as f
from dailyarb.tui.lines import Cell, Column, Line, LineBuilder, choose, line
from dailyarb.tui.widgets.pane import LinePane
from dailyarb.tui.widgets.table import Record, TablePane

if TYPE_CHECKING:
    from dailyarb.core.domain.view import AuditRow, BreakerRow, CircuitRow, Desk, LimitRow
    from dailyarb.tui.scene import Scene

_STATE_STYLES = {"ok": "ok", "warn": "warn", "TRIPPED": "critical", "latched": "critical"}
_RUNG_STYLES = {Rung.FULL: "full", Rung.REDUCED: "reduced", Rung.HEDGE_ONLY: "hedge",
                Rung.HALTED: "halted"}  # fmt: skip


class Limits(TablePane):
    """Every limit: now against maximum, with a bar."""

    rate_hz: ClassVar[float] = 4.0
    empty: ClassVar[str] = "No limit reported yet."
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("name", "LIMIT", 14, "<", 0, word=True),
        Column("now", "NOW", 7, ">", 0),
        Column("max", "MAX", 7, ">", 0),
        Column("share", "%", 4, ">", 2),
        Column("bar", "USED", 6, "<", 1, grow=True, word=True),
        Column("scope", "SCOPE", 8, "<", 3, word=True),
    )

    def columns(self, scene: Scene, width: int) -> tuple[Column, ...]:
        """Returns the columns, the bar no wider than is useful."""
        wanted = self.COLUMNS
        if width >= 52:
            wanted = (wanted[0]._replace(width=20), *wanted[1:])
        return choose(wanted, min(width, 90) - 1)

    def records(self, scene: Scene) -> list[Record]:
        """Returns one row per limit."""
        if scene.view is None:
            return []
        bar_w = next((c.width for c in self.columns(scene, self.content_size.width)
                      if c.key == "bar"), 10)  # fmt: skip
        return [_limit(row, bar_w) for row in scene.view.limits]


def _limit(row: LimitRow, bar_w: int) -> Record:
    part = abs(row.now) / row.limit if row.limit else 0.0
    style = "critical" if part >= 1 else "warn" if part >= 0.8 else ""
    cells: dict[str, Cell] = {
        "name": row.name,
        "now": (f.united_in(row.now, row.unit, 7), style),
        "max": f.united_in(row.limit, row.unit, 7),
        "share": f.percent(abs(row.now), row.limit) if part < 10 else ">9x",
        "bar": (f.bar(part, bar_w), style or "bid"),
        "scope": row.scope,
    }
    return Record(f"{row.name}.{row.scope}", cells, row, {"share": part})


class Breakers(TablePane):
    """Circuit breakers: what they read, where they trip, what they cap."""

    rate_hz: ClassVar[float] = 4.0
    empty: ClassVar[str] = "No breaker reported yet."
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("name", "BREAKER", 14, "<", 0, word=True),
        Column("now", "NOW", 7, ">", 0),
        Column("trip", "TRIP", 7, ">", 1),
        Column("state", "STATE", 7, "<", 0, word=True),
        Column("effect", "EFFECT", 10, "<", 3, word=True),
        Column("reset", "RESET", 6, "<", 4, word=True),
        Column("since", "SINCE", 8, "<", 2),
        Column("trips", "TRIPS", 5, ">", 5),
        Column("cause", "CAUSE", 12, "<", 6, grow=True, word=True),
    )

    def titles(self, scene: Scene) -> tuple[str, str]:
        """Returns how many are tripped."""
        if scene.view is None:
            return "breakers", ""
        every = len(scene.view.breakers) + len(scene.view.circuits)
        return f"breakers {scene.view.breakers_tripped}/{every} tripped", ""

    def records(self, scene: Scene) -> list[Record]:
        """Returns the breakers and circuits, tripped and open ones on top."""
        if scene.view is None:
            return []
        rows = sorted(scene.view.breakers, key=lambda row: row.state in {"ok", "warn"})
        circuits = sorted(scene.view.circuits, key=lambda row: row.state == "CLOSED")
        shown = [_breaker(row, scene.local_time) for row in rows]
        found = [_circuit(row, scene.local_time) for row in circuits]
        first = sum(row.state != "CLOSED" for row in circuits)
        return [*found[:first], *shown, *found[first:]]


def _breaker(row: BreakerRow, local: bool) -> Record:
    cells: dict[str, Cell] = {
        "name": row.name,
        "now": f.united_in(row.now, row.unit, 7),
        "trip": f.united_in(row.limit, row.unit, 7),
        "state": (row.state, _STATE_STYLES.get(row.state, "")),
        "effect": row.effect.name,
        "reset": row.reset,
        "since": f.clock(row.since_ns, local) if row.since_ns is not None else "-",
        "trips": f.count(row.trips),
        "cause": row.cause or "-",
    }
    return Record(row.name, cells, row, {"trips": float(row.trips)})


_CIRCUIT_WORDS = {"CLOSED": ("ok", "ok"), "OPEN": ("OPEN", "critical"),
                  "HALF_OPEN": ("PROBING", "warn")}  # fmt: skip


def _circuit(row: CircuitRow, local: bool) -> Record:
    cells: dict[str, Cell] = {
        "name": f"~{row.name}",
        "now": f.count(row.count),
        "trip": f.count(row.limit),
        "state": _CIRCUIT_WORDS.get(row.state, (row.state, "")),
        "effect": row.effect.name if row.effect < Rung.FULL else "-",
        "reset": "auto",
        "since": f.clock(row.since_ns, local) if row.since_ns is not None else "-",
        "trips": f.count(row.opened),
        "cause": row.cause or "-",
    }
    return Record(f"circuit.{row.name}", cells, row, {"trips": float(row.opened)})


class Rungs(LinePane):
    """Rungs in force, who holds them down, and what was reconciled."""

    def draw(self, scene: Scene, width: int, height: int) -> list[Line]:
        """Returns the rungs, then the audits."""
        view = scene.view
        if view is None:
            return [line("Nothing is known yet.", width, "old")]
        builder = LineBuilder().add(f"{'in force':<8} ").add(f"{view.rung.name:<10} ",
                                                              _RUNG_STYLES[view.rung])  # fmt: skip
        builder.add(view.rung_detail or view.rung_cause.value)
        rows = [line("RUNG", width, "head"), builder.build(width)]
        for rung in (row for row in view.rungs if row.scope != "global"):  # that is in force
            builder = LineBuilder().add(f"{f.fit(f.clean(rung.scope), 8)} ")
            builder.add(f"{rung.rung.name:<10} ", _RUNG_STYLES[rung.rung])
            rows.append(builder.add(rung.detail or rung.cause.value).build(width))
        audits = [_audit_line(audit, scene, width) for audit in view.audits]
        if len(rows) + 1 + len(audits) > height:
            audits = [row for row, audit in zip(audits, view.audits, strict=True) if not audit.ok]
        good = sum(1 for audit in view.audits if audit.ok)
        head = f"RECONCILED {good}/{len(view.audits)} ok" if view.audits else "nothing compared yet"
        return [*rows[: max(1, height - 1 - len(audits))], line(head, width, "head"), *audits]


def _audit_line(audit: AuditRow, scene: Scene, width: int) -> Line:
    mark, style = ("ok ", "ok") if audit.ok else ("DIFF", "critical")
    age = f.age(audit.age_ms + scene.since_ms) if audit.age_ms is not None else "-"
    builder = LineBuilder().add(f"{f.fit(f.clean(audit.name), 9)} {age:>6} ")
    return builder.add(mark, style).add(" ").add(audit.detail).build(width)


class Scenario(TablePane):
    """Worst and best at settlement per market, resting orders assumed filled."""

    rate_hz: ClassVar[float] = 1.0
    empty: ClassVar[str] = "Flat: no market can win or lose anything."
    foot_rows: ClassVar[int] = 1
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("market", "MARKET", 8, "<", 0, word=True, grow=True),
        Column("pos", "POS sh", 8, ">", 1),
        Column("expected", "EXPECT $", 9, ">", 2),
        Column("worst", "WORST $", 9, ">", 0),
        Column("best", "BEST $", 9, ">", 0),
    )

    def records(self, scene: Scene) -> list[Record]:
        """Returns the markets with something at stake."""
        if scene.view is None:
            return []
        return [_scenario(desk) for desk in scene.view.markets if desk.worst_e6 or desk.best_e6]

    def foot(self, scene: Scene, width: int) -> list[Line]:
        """Returns the sum of the worst cases against its limit."""
        if scene.view is None:
            return []
        view = scene.view
        best = sum(desk.best_e6 for desk in view.markets)
        text = (
            f"all: worst {f.signed_money(view.worst_e6, 0)} of {f.money(view.worst_limit_e6, 0)}, "
            f"best {f.signed_money(best, 0)}"
        )
        return [line(text, width, "strong")]


def _scenario(desk: Desk) -> Record:
    from dailyarb.tui.widgets.markets import position

    cells: dict[str, Cell] = {
        "market": desk.label,
        "pos": position(desk.pos_up_e6, desk.pos_down_e6),
        "expected": f.signed_money(expected_e6(desk)),
        "worst": (f.signed_money(desk.worst_e6), "down" if desk.worst_e6 < 0 else ""),
        "best": (f.signed_money(desk.best_e6), "up" if desk.best_e6 > 0 else ""),
    }
    return Record(desk.market_id, cells, desk, {"worst": float(desk.worst_e6)})


def expected_e6(desk: Desk) -> int | None:
    """Returns the model's expectation at settlement between worst and best, None without one."""
    if desk.fair_e4 is None:
        return None
    up_is_best = desk.pos_up_e6 >= desk.pos_down_e6
    chance = desk.fair_e4 if up_is_best else 10_000 - desk.fair_e4
    return (desk.best_e6 * chance + desk.worst_e6 * (10_000 - chance)) // 10_000


class RiskSummary(LinePane):
    """Compact risk: the limits in short, then the breakers."""

    def draw(self, scene: Scene, width: int, height: int) -> list[Line]:
        """Returns limits and tripped breakers."""
        view = scene.view
        if view is None or not view.limits:
            return [line("No limit reported yet.", width, "old")]
        rows = [line(f"{'RISK':<13}{'NOW / LIMIT':>{max(11, width - 13)}}", width, "head")]
        for row in view.limits[: max(1, height - 2)]:
            part = abs(row.now) / row.limit if row.limit else 0.0
            numbers = f"{f.united(row.now, row.unit)} / {f.united(row.limit, row.unit)}"
            style = "critical" if part >= 1 else "warn" if part >= 0.8 else ""
            room = max(1, width - len(numbers) - 1)
            builder = LineBuilder().add(f.fit(f.clean(row.name), room)).add(" ")
            rows.append(builder.add(numbers, style).build(width))
        tripped = [row for row in view.breakers if row.state in {"TRIPPED", "latched"}]
        opened = [row for row in view.circuits if row.state != "CLOSED"]
        every = len(view.breakers) + len(view.circuits)
        text = f"BREAKERS {len(tripped) + len(opened)}/{every} tripped"
        rows.append(line(text, width, "critical" if tripped or opened else "head"))
        rows += [line(f"{row.name} {row.state}", width, "critical") for row in tripped]
        rows += [line(f"~{row.name} {row.state}", width, "critical") for row in opened]
        return rows

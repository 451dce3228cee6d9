"""The log's tail and the operator's audit."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from dailyarb.tui import format as f
from dailyarb.tui.lines import Cell, Column
from dailyarb.tui.widgets.table import Record, TablePane

if TYPE_CHECKING:
    from dailyarb.tui.scene import Scene

_LEVELS = {"warn": "warn", "warning": "warn", "error": "critical", "critical": "critical",
           "debug": "old"}  # fmt: skip


class Log(TablePane):
    """The newest lines of the engine's log, newest first."""

    rate_hz: ClassVar[float] = 5.0
    empty: ClassVar[str] = "No log line yet: the engine writes one for everything that changes."
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("time", "TIME", 12, "<", 1, word=True),
        Column("level", "LEVEL", 8, "<", 0, word=True),
        Column("event", "EVENT", 18, "<", 0, word=True),
        Column("market", "MARKET", 20, "<", 2, word=True),
        Column("text", "TEXT", 24, "<", 0, grow=True, word=True),
    )

    def titles(self, scene: Scene) -> tuple[str, str]:
        """Returns the name and what was left out."""
        above, below = super().titles(scene)
        return above, "  ".join(part for part in (scene.log_note, below) if part)

    def records(self, scene: Scene) -> list[Record]:
        """Returns the lines held in memory, newest first."""
        rows = []
        for at, entry in enumerate(scene.log):
            style = _LEVELS.get(entry.level, "")
            cells: dict[str, Cell] = {
                "time": entry.clock,
                "level": (entry.level, style),
                "event": entry.event,
                "market": entry.market or "-",
                "text": entry.text,
            }
            rows.append(Record(f"{entry.clock}.{at}", cells, entry))
        return rows[::-1]


class Audit(TablePane):
    """Every action of an operator and its command-line twin, newest first."""

    rate_hz: ClassVar[float] = 1.0
    empty: ClassVar[str] = (
        "No operator has done anything yet; each action appears here with the "
        "command that does the same."
    )
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("time", "TIME", 8, "<", 0),
        Column("who", "WHO", 10, "<", 1, word=True),
        Column("action", "ACTION", 18, "<", 0, word=True),
        Column("result", "RESULT", 20, "<", 0, grow=True, word=True),
        Column("twin", "SAME AS", 30, "<", 2, word=True),
    )

    def records(self, scene: Scene) -> list[Record]:
        """Returns the actions, newest first."""
        rows = []
        for entry in reversed(scene.audit):
            cells: dict[str, Cell] = {
                "time": f.clock(entry.wall_ns, scene.local_time),
                "who": entry.who,
                "action": entry.action,
                "result": entry.result,
                "twin": entry.twin or "-",
            }
            rows.append(Record(str(entry.seq), cells, entry))
        return rows

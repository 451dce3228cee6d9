"""The table pane: columns by width, a cursor, a filter and a sort that stays where it was put."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

from dailyarb.tui.lines import NEWS, Cell, Column, Line, choose, header, line, row
from dailyarb.tui.widgets.pane import LinePane

if TYPE_CHECKING:
    from dailyarb.tui.scene import Scene

NEWS_NS = 600_000_000  # how long a changed cell is bold


@dataclass(slots=True)
class Record:
    """Is one row: its identity, its cells, what it sorts by, and what Enter shows."""

    key: str
    cells: dict[str, Cell]
    item: object = None
    order: dict[str, float | str] = field(default_factory=dict)


class TablePane(LinePane, can_focus=True):
    """Shows records under chosen columns; a subclass gives both."""

    COLUMNS: ClassVar[tuple[Column, ...]] = ()
    empty: ClassVar[str] = "Nothing yet."
    follows_selection: ClassVar[bool] = False  # its cursor is the selected market
    foot_rows: ClassVar[int] = 0
    news: ClassVar[frozenset[str]] = frozenset()  # columns whose changes are bold for a moment

    def __init__(self, *, element: str | None = None, classes: str = "", title: str = "") -> None:
        super().__init__(element=element, classes=classes, title=title)
        self.cursor_key = ""
        self.needle = ""
        self.sort_key = ""
        self._top = 0
        self._room = 1
        self._records: list[Record] = []
        self._told: dict[tuple[str, str], tuple[str, int]] = {}  # cell to its text, bold until

    def records(self, scene: Scene) -> Sequence[Record]:
        """Returns the rows of a scene in their natural order."""
        raise NotImplementedError

    def foot(self, scene: Scene, width: int) -> list[Line]:
        """Returns lines under the table."""
        return []

    def columns(self, scene: Scene, width: int) -> tuple[Column, ...]:
        """Returns the columns for a width."""
        return choose(self.COLUMNS, width - 1)

    def visible_records(self, scene: Scene) -> list[Record]:
        """Returns the rows left by the filter, in the order asked for."""
        rows = list(self.records(scene))
        if self.needle:
            wanted = self.needle.lower()
            rows = [record for record in rows if wanted in _text_of(record)]
        if self.sort_key:
            rows.sort(key=lambda record: _order_of(record, self.sort_key))
        return rows

    def draw(self, scene: Scene, width: int, height: int) -> list[Line]:
        """Returns header, the rows around the cursor, and the lines under the table."""
        columns = self.columns(scene, width)
        self._records = self.visible_records(scene)
        foot = self.foot(scene, width) if height > 4 + self.foot_rows else []
        room = self._room = max(1, height - 1 - len(foot))
        rows = [header(columns, width, " ")]
        if not self._records:
            text = f"No row matches /{self.needle}." if self.needle else self.empty
            rows += _sentence(text, width, room)
        else:
            chosen = self._cursor_index(scene)
            self._keep_in_view(chosen, room)
            told, self._told = self._told, {}
            for index in range(self._top, min(self._top + room, len(self._records))):
                lead = ">" if index == chosen and self._marks_cursor() else " "
                record = self._with_news(self._records[index], told, scene.now_ns)
                rows.append(self._row(columns, record, width, lead))
        blank = Line(" " * width)
        rows += [blank] * (1 + room - len(rows))
        return rows[: 1 + room] + foot

    def _with_news(
        self, record: Record, told: dict[tuple[str, str], tuple[str, int]], now_ns: int
    ) -> Record:
        """Returns a drawn row with what just changed in bold; what is not drawn is forgotten."""
        if not self.news or not getattr(self.app, "highlight_changes", True):
            return record
        cells = dict(record.cells)
        for name in self.news & cells.keys():
            cell = cells[name]
            text, style = cell if isinstance(cell, tuple) else (cell, "")
            before, until_ns = told.get((record.key, name), (text, 0))
            if before != text:
                until_ns = now_ns + NEWS_NS
            self._told[record.key, name] = text, until_ns
            if now_ns < until_ns:
                cells[name] = text, style + NEWS
        return replace(record, cells=cells)

    def _row(self, columns: Sequence[Column], record: Record, width: int, lead: str) -> Line:
        drawn = row(columns, record.cells, width, lead)
        if lead == ">" and self.has_focus:
            return Line(drawn.text, _under(drawn))
        return drawn

    def _marks_cursor(self) -> bool:
        return self.follows_selection or self.has_focus

    def _cursor_index(self, scene: Scene) -> int:
        wanted = self.cursor_key
        if self.follows_selection and scene.market is not None:
            wanted = scene.market.market_id
        for index, record in enumerate(self._records):
            if record.key == wanted:
                return index
        return 0

    def _keep_in_view(self, index: int, room: int) -> None:
        if index < self._top:
            self._top = index
        elif index >= self._top + room:
            self._top = index - room + 1
        self._top = max(0, min(self._top, len(self._records) - room))

    def titles(self, scene: Scene) -> tuple[str, str]:
        """Returns the pane's name with its number of rows, and sort and filter below."""
        above = str(self.border_title or "").split(" (")[0]
        below = [f"sort: {self.sort_key}"] if self.sort_key else []
        below += [f"/{self.needle}"] if self.needle else []
        if len(self._records) > self._room:
            last = min(self._top + self._room, len(self._records))
            below.append(f"{self._top + 1}-{last} of {len(self._records)}")
        return f"{above} ({len(self._records)})", "  ".join(below)

    @property
    def current(self) -> Record | None:
        """Returns the row under the cursor."""
        for record in self._records:
            if record.key == self.cursor_key:
                return record
        return self._records[0] if self._records else None

    def move(self, where: str) -> str:
        """Moves the cursor (`down`, `top`, `page_up`, ...) and returns the key of its row."""
        if not self._records:
            return ""
        keys = [record.key for record in self._records]
        at = keys.index(self.cursor_key) if self.cursor_key in keys else 0
        half = max(1, self._room // 2)
        target = {
            "down": at + 1, "up": at - 1, "top": 0, "bottom": len(keys) - 1,
            "page_down": at + half, "page_up": at - half,
        }[where]  # fmt: skip
        self.cursor_key = keys[max(0, min(len(keys) - 1, target))]
        self.repaint()
        return self.cursor_key

    def cycle_sort(self) -> None:
        """Goes to the next column to sort by, and back to the natural order after the last."""
        keys = ["", *(column.key for column in self.COLUMNS)]
        at = keys.index(self.sort_key) if self.sort_key in keys else 0
        self.sort_key = keys[(at + 1) % len(keys)]
        self.repaint()

    def filter(self, needle: str) -> None:
        """Shows only rows that contain a text; an empty one shows all."""
        self.needle = needle
        self.repaint()

    def repaint(self) -> None:
        """Draws the last scene again, now."""
        if self._scene is not None:
            self.paint(self._scene, force=True)

    def on_focus(self) -> None:
        """Shows the cursor."""
        self.repaint()

    def on_blur(self) -> None:
        """Hides the cursor."""
        self.repaint()


def _sentence(text: str, width: int, room: int) -> list[Line]:
    from dailyarb.tui.lines import wrapped

    return [line(f" {part}", width, "old") for part in wrapped(text, width - 2)][:room]


def _text_of(record: Record) -> str:
    return " ".join(
        cell[0] if isinstance(cell, tuple) else cell for cell in record.cells.values()
    ).lower()


def _order_of(record: Record, key: str) -> tuple[int, float, str]:
    """Numbers first, the largest on top; then text; what is missing comes last."""
    if key in record.order:
        known = record.order[key]
        return (1, 0.0, known) if isinstance(known, str) else (0, -known, "")
    cell = record.cells.get(key, "-")
    text = cell[0] if isinstance(cell, tuple) else cell
    try:
        return 0, -float(text.replace(",", "").strip("▲▼%¢$s+ ")), ""
    except ValueError:
        return (2, 0.0, "") if text.strip() == "-" else (1, 0.0, text)


def _under(drawn: Line) -> tuple[tuple[int, int, str], ...]:
    """Returns the spans of a line with everything unstyled shown as the cursor's row."""
    spans: list[tuple[int, int, str]] = []
    at = 0
    for start, end, name in drawn.spans:
        if start > at:
            spans.append((at, start, "cursor"))
        spans.append((start, end, name))
        at = end
    if at < len(drawn.text):
        spans.append((at, len(drawn.text), "cursor"))
    return tuple(spans)

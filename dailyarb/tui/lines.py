"""Lines, columns and tables as plain data: what a pane draws, before any terminal is involved.

A line is its text and the spans that carry a style's name; styles are resolved by the widget from
its component classes. Comparing two lines says whether a row must be painted again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from dailyarb.tui.format import clean, fit, number_fit

# Every style a line may name; each is a component class `da--<name>`.
STYLES = (
    "up", "down", "bid", "ask", "ok", "warn", "critical", "live", "paper", "sim", "dry", "replay",
    "full", "reduced", "hedge", "halted", "stale", "own", "old", "head", "key", "strong", "cursor",
)  # fmt: skip

NEWS = "!"  # behind a style's name: this cell has just changed

# The space before a number; the length in a market's name, as in `BTC 15m`, is none.
_VALUE = re.compile(r" (?=[-+$]?\d)(?!\d+[mh]\b)")


class Line(NamedTuple):
    """Is one row of a pane: its text and (start, end, style) spans in rising order."""

    text: str
    spans: tuple[tuple[int, int, str], ...] = ()


Cell = str | tuple[str, str]  # text, or (text, style)


class LineBuilder:
    """Puts a line together from left to right."""

    __slots__ = ("_at", "_parts", "_spans")

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._spans: list[tuple[int, int, str]] = []
        self._at = 0

    def add(self, text: str, style: str = "") -> LineBuilder:
        """Appends text, in a style or without one."""
        if style and text:
            self._spans.append((self._at, self._at + len(text), style))
        self._parts.append(text)
        self._at += len(text)
        return self

    @property
    def width(self) -> int:
        """Returns how many cells are used so far."""
        return self._at

    def build(self, width: int) -> Line:
        """Returns the line in exactly `width` cells."""
        text = clean("".join(self._parts))
        if len(text) <= width:
            return Line(text.ljust(width), tuple(self._spans))
        spans = tuple((a, min(b, width), s) for a, b, s in self._spans if a < width)
        return Line(fit(text, width), spans)


def line(text: str, width: int, style: str = "") -> Line:
    """Returns one line in one style."""
    return LineBuilder().add(text, style).build(width)


def pairs(width: int, *parts: Cell, gap: str = "  ") -> Line:
    """Returns cells side by side; those that do not fit any more are left out, none is cut."""
    builder = LineBuilder()
    for part in parts:
        text, style = part if isinstance(part, tuple) else (part, "")
        lead = gap if builder.width else ""
        if builder.width and builder.width + len(lead) + len(text) > width:
            break
        builder.add(lead).add(text, style)
    return builder.build(width)


def faded(row: Line) -> Line:
    """Returns a line whose numbers are marked `~` and dimmed: it is old, and looks it."""
    return Line(_VALUE.sub("~", row.text), ((0, len(row.text), "old"),))


class Column(NamedTuple):
    """Is one column: the higher its rank, the sooner it is dropped where space is short."""

    key: str
    title: str
    width: int
    align: str = ">"
    rank: int = 0
    grow: bool = False  # takes what is left over
    word: bool = False  # text, to be cut with an ellipsis; otherwise a number


def choose(columns: Sequence[Column], width: int) -> tuple[Column, ...]:
    """Returns the columns that fit `width`, the lowest-value ones dropped, none cut.

    The column marked `grow` is widened to fill the rest.
    """
    kept = list(columns)
    while len(kept) > 1 and _needed(kept) > width:
        worst = max(range(len(kept)), key=lambda index: (kept[index].rank, index))
        del kept[worst]
    spare = width - _needed(kept)
    if spare > 0:
        for index, column in enumerate(kept):
            if column.grow:
                kept[index] = column._replace(width=column.width + spare)
                break
    elif spare < 0:
        kept[0] = kept[0]._replace(width=max(1, width))
    return tuple(kept)


def _needed(columns: Sequence[Column]) -> int:
    return sum(column.width for column in columns) + max(0, len(columns) - 1)


def header(columns: Sequence[Column], width: int, lead: str = "") -> Line:
    """Returns the row of titles."""
    titles = (fit(column.title, column.width, column.align) for column in columns)
    return line(lead + " ".join(titles), width, "head")


def row(columns: Sequence[Column], cells: dict[str, Cell], width: int, lead: str = "") -> Line:
    """Returns one row of a table; cells that are missing are `-`."""
    builder = LineBuilder().add(lead, "own" if lead.strip() else "")
    for index, column in enumerate(columns):
        if index:
            builder.add(" ")
        cell = cells.get(column.key, "-")
        text, style = cell if isinstance(cell, tuple) else (cell, "")
        if column.word:
            builder.add(fit(clean(text), column.width, column.align), style)
        else:
            builder.add(number_fit(text, column.width), style)
    return builder.build(width)


def filled(lines: Iterable[Line], width: int, height: int) -> list[Line]:
    """Returns exactly `height` lines: what is too much is left out, what is missing is blank."""
    rows = list(lines)[:height]
    blank = Line(" " * width)
    return rows + [blank] * (height - len(rows))


def wrapped(text: str, width: int, indent: str = "") -> list[str]:
    """Returns text broken at spaces into rows of at most `width` cells."""
    rows: list[str] = []
    current = ""
    for word in clean(text).split():
        if current.strip() and len(current) + 1 + len(word) > width:
            rows.append(current)
            current = ""
        lead = indent if rows else ""
        while len(lead) + len(word) > width:
            cut = max(1, width - len(lead))
            rows.append((lead + word[:cut])[:width])
            word, lead = word[cut:], indent if len(indent) < width else ""
        if word:
            current = f"{current} {word}" if current.strip() else lead + word
    return [*rows, current] if current.strip() else rows

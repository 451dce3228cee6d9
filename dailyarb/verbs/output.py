"""How a verb answers: one set of rows, shown as a table for people or as JSON for scripts."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from dailyarb.core.domain.errors import DailyarbError

Cell = Callable[[Any], str]
ABSENT = "-"


class UsageError(DailyarbError):
    """The words of a command do not fit together."""


def text(value: Any) -> str:
    """Returns a value as it is, `-` for None."""
    return ABSENT if value is None else str(value)


def usd(value: float | None) -> str:
    """Returns dollars with sign and cents."""
    return ABSENT if value is None else f"{value:+,.2f}"


def number(digits: int = 0) -> Cell:
    """Returns a formatter of numbers with so many digits after the point."""
    return lambda value: ABSENT if value is None else f"{value:,.{digits}f}"


def yes(value: Any) -> str:
    """Returns yes or no."""
    return "yes" if value else "no"


class Column(msgspec.Struct, frozen=True):
    """Is one column: the key of its value in each row, its title, and how a value is written."""

    key: str
    title: str
    cell: Cell = text
    right: bool = False


def money(key: str, title: str) -> Column:
    """Returns a column of dollars."""
    return Column(key, title, usd, right=True)


def count(key: str, title: str, digits: int = 0) -> Column:
    """Returns a column of numbers."""
    return Column(key, title, number(digits), right=True)


def _json(value: Any) -> str:
    return json.dumps(msgspec.to_builtins(value), ensure_ascii=False, allow_nan=False)


class Output:
    """Writes a verb's answer.

    Args:
        write: takes a text for stdout.
        warn: takes a text for stderr.
        json: whether JSON was asked for.
        terminal: whether stdout is a terminal: only then there is colour.
    """

    def __init__(
        self,
        write: Callable[[str], None],
        warn: Callable[[str], None],
        *,
        json: bool = False,
        terminal: bool = False,
    ) -> None:
        self.write = write
        self.warn = warn
        self.json = json
        self.terminal = terminal

    def value(self, value: Any) -> None:
        """Writes one value as one line of JSON."""
        self.write(_json(value))

    def table(
        self, columns: Sequence[Column], rows: Sequence[Mapping[str, Any]], *, empty: str
    ) -> None:
        """Writes rows: all their keys as JSON, or the columns as a table.

        Args:
            columns: what a person sees.
            rows: one mapping each; JSON shows every key.
            empty: the sentence that stands where there are no rows.
        """
        if self.json:
            self.value(list(rows))
        elif rows:
            self.write(self._draw(columns, rows))
        else:
            self.write(empty)

    def _draw(self, columns: Sequence[Column], rows: Sequence[Mapping[str, Any]]) -> str:
        from rich import box
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(box=box.SIMPLE_HEAD if self.terminal else None, pad_edge=False)
        for column in columns:
            table.add_column(
                column.title, justify="right" if column.right else "left", overflow="fold"
            )
        for row in rows:
            table.add_row(*(Text(column.cell(row.get(column.key))) for column in columns))
        target = io.StringIO()
        # A pipe has no width: lines there are as long as they need to be.
        width = None if self.terminal else 400
        Console(file=target, width=width, force_terminal=self.terminal, highlight=False).print(
            table
        )
        return "\n".join(line.rstrip() for line in target.getvalue().splitlines())

"""Lines in braille and columns of bars, on the line API, without a plotting package."""

from __future__ import annotations

import math
from collections.abc import Sequence

from dailyarb.tui import format as f
from dailyarb.tui.lines import Line, LineBuilder, line

# Bits of a braille cell by (column, row), two columns of four dots.
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
Series = Sequence[float | None]
AXIS_W = 10


def braille(
    series: Sequence[Series], level: float | None, span: tuple[str, str], size: tuple[int, int]
) -> list[Line]:
    """Returns a chart of several series over one another, a level, and the times at its ends.

    Args:
        series: values from oldest to newest, None where unknown; the first is drawn strong.
        level: a value to mark with a line of its own, such as the strike, or None.
        span: the words under the left and the right end.
        size: cells and rows there are, axis and times included.
    """
    width, height = size
    plot_w, plot_h = width - AXIS_W, height - 1
    known = [value for row in series for value in row if value is not None and _real(value)]
    if plot_w < 8 or plot_h < 2 or len(known) < 2:
        return [line(" not enough values for a chart yet", width, "old")]
    low, high = min(known), max(known)
    if level is not None and _real(level) and abs(level - (low + high) / 2) < 2 * (high - low):
        low, high = min(low, level), max(high, level)
    if high <= low:
        low, high = low - abs(low) * 1e-6 - 1e-9, high + abs(high) * 1e-6 + 1e-9
    grids = [_plot(row, low, high, (plot_w, plot_h)) for row in series]
    mark_row = _row_of(level, low, high, plot_h) if level is not None and _real(level) else -1
    rows = []
    for y in range(plot_h):
        value = high - (high - low) * y / max(1, plot_h - 1)
        label = f.price(level if y == mark_row and level is not None else value)
        builder = LineBuilder().add(f"{label[: AXIS_W - 1]:>{AXIS_W - 1}}", "old")
        builder.add("┼" if y == mark_row else "┤", "old")
        _cells(builder, [grid[y] for grid in grids], dashed=y == mark_row)
        rows.append(builder.build(width))
    left, right = span
    gap = plot_w - len(left) - len(right)
    rows.append(line(" " * AXIS_W + (left + " " * gap + right if gap > 0 else right), width, "old"))
    return rows


def _real(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _row_of(value: float, low: float, high: float, rows: int) -> int:
    if not low <= value <= high:
        return -1
    return round((high - value) / (high - low) * (rows - 1))


def _plot(row: Series, low: float, high: float, size: tuple[int, int]) -> list[list[int]]:
    """Returns the dots of one series per cell."""
    cells_w, cells_h = size
    grid = [[0] * cells_w for _ in range(cells_h)]
    wide, tall = cells_w * 2, cells_h * 4
    last: int | None = None
    for x in range(wide):
        value = row[min(len(row) - 1, x * len(row) // wide)]
        if value is None or not math.isfinite(value):
            last = None
            continue
        y = min(tall - 1, max(0, round((high - value) / (high - low) * (tall - 1))))
        for dot in range(
            min(y, y if last is None else last), max(y, y if last is None else last) + 1
        ):
            grid[dot // 4][x // 2] |= _DOTS[x % 2][dot % 4]
        last = y
    return grid


def _cells(builder: LineBuilder, grids: list[list[int]], *, dashed: bool) -> None:
    """Adds one row of cells; runs of equal style become one span."""
    styles = ("bid", "ask")
    run, style = "", ""
    for parts in zip(*grids, strict=True):
        mine = next((styles[min(1, at)] for at, dots in enumerate(parts) if dots), "")
        dots = 0
        for part in parts:
            dots |= part
        char = chr(0x2800 + dots) if dots else ("─" if dashed else " ")
        wanted = mine or ("old" if dashed else "")
        if wanted != style:
            builder.add(run, style)
            run, style = "", wanted
        run += char
    builder.add(run, style)


def columns(values: Sequence[float | None], height: int) -> list[str]:
    """Returns `height` rows of bars, one cell per value, growing up from the lowest row.

    Bars are scaled by the largest size; a loss hangs from its sign only, so the caller colours it.
    """
    most = max((abs(value) for value in values if value is not None), default=0.0)
    eighths = [
        0 if value is None or most <= 0 else max(1, round(abs(value) / most * height * 8))
        for value in values
    ]
    return [
        "".join(f.BARS[min(8, max(0, part - row * 8))] for part in eighths)
        for row in range(height - 1, -1, -1)
    ]

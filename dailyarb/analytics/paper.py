"""A report before it has a form: headings, sentences, tables, bars and lines.

One list of parts is written as text, Markdown or one self-contained HTML page; numbers in JSON come
from the scores themselves.
"""

from __future__ import annotations

import html
from collections.abc import Sequence

import msgspec

_BLOCKS = " ▁▂▃▄▅▆▇█"
_BAR_CELLS = 30
_STYLE = """
:root{color-scheme:light dark;--fg:#1b1f24;--bg:#fff;--dim:#667;--line:#d5d9de;--up:#1a7f4b;
--down:#b3372f;--mark:#2f6fb3}
@media(prefers-color-scheme:dark){:root{--fg:#e4e6e9;--bg:#14171a;--dim:#99a;--line:#343a41;
--up:#4fc28a;--down:#ef7d74;--mark:#7ab2ee}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--fg);background:var(--bg);
max-width:72rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}.lead{font-size:1.1rem}
.wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:.2rem .7rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}
th:first-child,td:first-child{text-align:left}th{color:var(--dim);font-weight:600}
caption{text-align:left;font-weight:600;padding:.3rem 0}svg{max-width:100%}
.note{color:var(--dim)}
"""


class Heading(msgspec.Struct, frozen=True):
    """Is a heading; level 1 is the title."""

    text: str
    level: int = 2


class Words(msgspec.Struct, frozen=True):
    """Is a paragraph; lead stands out, note stands back."""

    text: str
    role: str = ""


class Grid(msgspec.Struct, frozen=True):
    """Is a table of ready texts; the first column is left-aligned, the others right."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Bars(msgspec.Struct, frozen=True):
    """Is one bar a name, signed."""

    title: str
    unit: str
    rows: tuple[tuple[str, float], ...]


class Line(msgspec.Struct, frozen=True):
    """Is a series in order of time."""

    title: str
    unit: str
    values: tuple[float, ...]


Part = Heading | Words | Grid | Bars | Line


def as_text(parts: Sequence[Part], width: int = 100) -> str:
    """Returns the report for a terminal or a pipe; plots are made of characters."""
    out: list[str] = []
    for part in parts:
        if isinstance(part, Heading):
            out += ["", part.text, ("=" if part.level == 1 else "-") * len(part.text)]
        elif isinstance(part, Words):
            out += ["", *_wrap(part.text, width)]
        elif isinstance(part, Grid):
            out += ["", *([part.title] if part.title else []), *_fitted(part, width)]
        elif isinstance(part, Bars):
            out += ["", f"{part.title} ({part.unit})", *_text_bars(part)]
        else:
            out += ["", f"{part.title} ({part.unit})", *_spark(part, width)]
    return "\n".join(out).strip("\n")


def as_markdown(parts: Sequence[Part]) -> str:
    """Returns the report as Markdown; plots stand in code blocks."""
    out: list[str] = []
    for part in parts:
        if isinstance(part, Heading):
            out += [f"{'#' * part.level} {part.text}", ""]
        elif isinstance(part, Words):
            out += [f"**{part.text}**" if part.role == "lead" else part.text, ""]
        elif isinstance(part, Grid):
            out += [*([f"{part.title}:", ""] if part.title else []), *_piped(part), ""]
        else:
            drawn = _text_bars(part) if isinstance(part, Bars) else _spark(part, 100)
            out += [f"{part.title} ({part.unit}):", "", "```", *drawn, "```", ""]
    return "\n".join(out).rstrip("\n") + "\n"


def as_html(parts: Sequence[Part]) -> str:
    """Returns one page that needs nothing from elsewhere: no network, no script."""
    title = next((part.text for part in parts if isinstance(part, Heading)), "dailyarb")
    body = "\n".join(_html(part) for part in parts)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head>\n"
        f"<body>\n{body}\n</body></html>\n"
    )


def _wrap(text: str, width: int) -> list[str]:
    lines: list[str] = []
    for word in text.split():
        if lines and len(lines[-1]) + len(word) < width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _fitted(grid: Grid, width: int) -> list[str]:
    """Returns a table as it is, or on its side where only that fits."""
    lines = _aligned(grid)
    if max(map(len, lines)) <= width:
        return lines
    columns, *rows = zip(grid.columns, *grid.rows, strict=True)
    turned = _aligned(Grid(grid.title, columns, tuple(rows)))
    return turned if max(map(len, turned)) <= width else lines


def _aligned(grid: Grid) -> list[str]:
    rows = [grid.columns, *grid.rows]
    wide = [max(len(row[at]) for row in rows) for at in range(len(grid.columns))]
    lines = [
        "  ".join(
            cell.ljust(size) if at == 0 else cell.rjust(size)
            for at, (cell, size) in enumerate(zip(row, wide, strict=True))
        ).rstrip()
        for row in rows
    ]
    return [lines[0], "  ".join("-" * size for size in wide), *lines[1:]]


def _piped(grid: Grid) -> list[str]:
    rule = ["---", *["---:"] * (len(grid.columns) - 1)]
    rows = [grid.columns, tuple(rule), *grid.rows]
    return ["| " + " | ".join(cell.replace("|", "/") for cell in row) + " |" for row in rows]


def _text_bars(bars: Bars) -> list[str]:
    most = max((abs(value) for _, value in bars.rows), default=0.0) or 1.0
    wide = max((len(name) for name, _ in bars.rows), default=0)
    lines = []
    for name, value in bars.rows:
        cells = round(abs(value) / most * _BAR_CELLS)
        lines.append(f"{name.ljust(wide)}  {value:>+10.2f}  {('#' if value >= 0 else '-') * cells}")
    return [line.rstrip() for line in lines]


def _spark(line: Line, width: int) -> list[str]:
    if not line.values:
        return ["nothing yet"]
    step = max(1, -(-len(line.values) // max(1, width - 30)))
    shown = line.values[::step]
    low, high = min(shown), max(shown)
    span = (high - low) or 1.0
    cells = "".join(_BLOCKS[1 + int((value - low) / span * 7)] for value in shown)
    return [cells, f"low {low:+.2f}, high {high:+.2f}, last {line.values[-1]:+.2f}"]


def _html(part: Part) -> str:
    if isinstance(part, Heading):
        return f"<h{part.level}>{html.escape(part.text)}</h{part.level}>"
    if isinstance(part, Words):
        role = f' class="{part.role}"' if part.role else ""
        return f"<p{role}>{html.escape(part.text)}</p>"
    if isinstance(part, Grid):
        return _html_table(part)
    return _html_bars(part) if isinstance(part, Bars) else _html_line(part)


def _html_table(grid: Grid) -> str:
    def row(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    caption = f"<caption>{html.escape(grid.title)}</caption>" if grid.title else ""
    body = "".join(row(cells, "td") for cells in grid.rows)
    head = row(grid.columns, "th")
    return (
        f'<div class="wide"><table>{caption}<thead>{head}</thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _html_bars(bars: Bars) -> str:
    most = max((abs(value) for _, value in bars.rows), default=0.0) or 1.0
    height, middle = 20 * len(bars.rows) + 4, 330
    drawn = []
    for at, (name, value) in enumerate(bars.rows):
        size = abs(value) / most * 200
        left = middle if value >= 0 else middle - size
        colour = "var(--up)" if value >= 0 else "var(--down)"
        drawn.append(
            f'<text x="0" y="{at * 20 + 15}" fill="currentColor">{html.escape(name)}</text>'
            f'<rect x="{left:.1f}" y="{at * 20 + 4}" width="{size:.1f}" height="14" '
            f'fill="{colour}"><title>{value:+.2f} {html.escape(bars.unit)}</title></rect>'
            f'<text x="{middle + 215}" y="{at * 20 + 15}" fill="currentColor">{value:+.2f}</text>'
        )
    return (
        f"<h3>{html.escape(bars.title)} ({html.escape(bars.unit)})</h3>"
        f'<svg viewBox="0 0 640 {height}" width="640" height="{height}" '
        f'font-size="13">{"".join(drawn)}</svg>'
    )


def _html_line(line: Line) -> str:
    values = line.values or (0.0,)
    low, high = min(values), max(values)
    span, steps = (high - low) or 1.0, max(1, len(values) - 1)
    points = " ".join(
        f"{at / steps * 620 + 10:.1f},{150 - (value - low) / span * 140:.1f}"
        for at, value in enumerate(values)
    )
    return (
        f"<h3>{html.escape(line.title)} ({html.escape(line.unit)})</h3>"
        '<svg viewBox="0 0 640 160" width="640" height="160">'
        f'<polyline points="{points}" fill="none" stroke="var(--mark)" stroke-width="2"/></svg>'
        f'<p class="note">low {low:+.2f}, high {high:+.2f}, last {values[-1]:+.2f}</p>'
    )

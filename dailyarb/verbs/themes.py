"""Verbs about the console's themes."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from dailyarb import config
from dailyarb.config import words
from dailyarb.tui import themes
from dailyarb.verbs.output import Column, Output, UsageError, count


def _known() -> tuple[dict[str, themes.Palette], list[themes.ThemeError]]:
    return themes.load_all(themes.theme_folders(config.peek(None, "ui.theme_dir")))


def list_themes(_arguments: Namespace, out: Output) -> int:
    """Lists the themes found; exit 1 if one of the files is wrong."""
    found, faults = _known()
    rows = [
        {
            "name": palette.name,
            "ground": "dark" if palette.dark else "light",
            "description": palette.description,
            "path": palette.path,
        }
        for palette in found.values()
    ]
    columns = [Column("name", "name"), Column("ground", "ground"), Column("description", "about"),
               Column("path", "file")]  # fmt: skip
    out.table(columns, rows, empty="no themes")
    for fault in faults:
        out.warn(str(fault))
    return 1 if faults else 0


def check(arguments: Namespace, out: Output) -> int:
    """Measures a theme: contrast of every colour, and gain against loss as others see them."""
    palette = themes.load(arguments.file, _known()[0])
    findings = themes.check(palette)
    rows: list[dict[str, Any]] = [
        {"what": f.what, "number": f.number, "limit": f.limit, "ok": f.ok} for f in findings
    ]
    columns = [
        Column("what", "what"),
        count("number", "measured", 2),
        count("limit", "at least", 2),
        Column("ok", "", lambda ok: "ok" if ok else "TOO LOW"),
    ]
    out.table(columns, rows, empty="nothing to measure")
    return 0 if all(finding.ok for finding in findings) else 1


def show(arguments: Namespace, out: Output) -> int:
    """Shows the colours of a theme."""
    found, _ = _known()
    palette = found.get(arguments.name)
    if palette is None:
        near = words.nearest(arguments.name, found)
        hint = f"did you mean {near}?" if near else f"known are {', '.join(found)}"
        raise UsageError(f"no theme {arguments.name!r}; {hint}")
    rows = [
        {"table": table, "key": key, "value": value}
        for table, entries in (
            ("colors", palette.colors),
            ("semantic", palette.semantic),
            ("text", palette.text),
        )
        for key, value in entries.items()
    ]
    columns = [Column("table", "table"), Column("key", "key"), Column("value", "value")]
    out.table(columns, rows, empty="no colours")
    return 0

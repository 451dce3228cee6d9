"""`dailyarb report`: what a journal says about the day, each strategy, each evidence class."""

from __future__ import annotations

import shutil
from argparse import Namespace
from collections.abc import Callable, Iterator

from dailyarb.analytics import daily
from dailyarb.analytics.compare import compare as side_by_side
from dailyarb.analytics.deals import Deals, collect
from dailyarb.analytics.export import as_csv, tables
from dailyarb.analytics.export import write as write_tables
from dailyarb.analytics.paper import Part, as_html, as_markdown, as_text
from dailyarb.analytics.scores import day_of
from dailyarb.core.domain.records import Record
from dailyarb.core.domain.rung import Evidence
from dailyarb.verbs import past
from dailyarb.verbs.backtest import write
from dailyarb.verbs.engine import instance_of, places
from dailyarb.verbs.output import Output, UsageError

Make = Callable[..., list[Part]]


def report(arguments: Namespace, out: Output) -> int:
    """Reports one day of a journal, the newest by default; exit 1 where there is nothing."""
    return _told(arguments, out, daily.report)


def compare(arguments: Namespace, out: Output) -> int:
    """Puts the strategies of a journal side by side; exit 1 where there is nothing."""
    return _told(arguments, out, side_by_side)


def _told(arguments: Namespace, out: Output, make: Make) -> int:
    instance = instance_of(arguments)
    evidence = _evidence(arguments.evidence)
    rows, day = _rows(instance, arguments.day)
    found = {
        kind: deals if day == daily.ALL else daily.of_day(deals, day)
        for kind, deals in collect(rows).items()
        if evidence is None or kind is evidence
    }
    found = {kind: deals for kind, deals in found.items() if deals.signals or deals.trades}
    what = "the whole journal" if day == daily.ALL else day or "no day yet"
    text = _written(arguments, out, found, (f"dailyarb {instance}: {what}", make))
    if arguments.tables is not None:
        for path in write_tables(arguments.tables, daily.told(found)):
            out.warn(f"written: {path}")
    if arguments.output is not None:
        write(arguments.output, text)
        out.warn(f"written: {arguments.output}")
    else:
        out.write(text.rstrip("\n"))
    return 0 if found else 1


def _written(
    arguments: Namespace, out: Output, found: dict[Evidence, Deals], how: tuple[str, Make]
) -> str:
    title, make = how
    form = "json" if out.json else arguments.format
    if form == "json":
        import json

        return json.dumps(daily.as_json(found, title), ensure_ascii=False, allow_nan=False)
    if form == "csv":
        return as_csv(tables(daily.told(found))["scores"])
    if form == "text":
        width = max(80, shutil.get_terminal_size().columns)
        return as_text(make(found, title, details=arguments.detail), width)
    parts = make(found, title)
    return as_html(parts) if form == "html" else as_markdown(parts)


def _evidence(name: str) -> Evidence | None:
    known = {kind.value.lower(): kind for kind in Evidence}
    if name and name.lower() not in known:
        raise UsageError(f"--evidence {name}: {', '.join(known)}")
    return known[name.lower()] if name else None


def _rows(instance: str, day: str) -> tuple[list[tuple[Evidence, str, int, Record]], str]:
    """Returns the rows that a day needs, oldest first, and the day itself.

    Raises:
        UsageError: it is no day.
    """
    begin_ns = 0
    end_ns = 1 << 62
    newest = ""
    kept: list[tuple[Evidence, str, int, Record]] = []
    if day and day != daily.ALL:
        try:
            begin_ns, end_ns = daily.day_bounds(day)
        except ValueError:
            raise UsageError(f"--day {day}: a day as 2026-04-13, or all") from None
        newest = day
    for row in _backwards(instance):
        _, _, wall_ns, _ = row
        if not newest:
            newest = day or day_of(wall_ns)
            if newest != daily.ALL:
                begin_ns, end_ns = daily.day_bounds(newest)
        if wall_ns < begin_ns - daily.MARGIN_NS:
            break
        if wall_ns <= end_ns + daily.MARGIN_NS:
            kept.append(row)
    kept.reverse()
    return kept, newest


def _backwards(instance: str) -> Iterator[tuple[Evidence, str, int, Record]]:
    for row in past.backwards(places(instance).journal):
        yield row.evidence, row.run, row.wall_ns, row.record

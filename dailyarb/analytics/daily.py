"""The report of a journal: one day or all of it, each evidence class on its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from dailyarb.analytics.deals import Deals
from dailyarb.analytics.paper import Heading, Line, Part, Words
from dailyarb.analytics.scores import DAY_NS, HOUR_NS, Score, day_of, scores
from dailyarb.analytics.stats import RULE
from dailyarb.analytics.tables import detail, head, risk_table, small_print, title_of
from dailyarb.core.domain.records import Record
from dailyarb.core.domain.rung import Evidence
from dailyarb.core.domain.units import SECOND

Rows = Iterable[tuple[Evidence, str, int, Record]]
ALL = "all"
# A window that ends just after midnight is paid, and its last fill marked, within the hour.
MARGIN_NS = HOUR_NS


def day_bounds(day: str) -> tuple[int, int]:
    """Returns the first and the last nanosecond of a UTC day, as 2026-04-13.

    Raises:
        ValueError: it is no day.
    """
    from datetime import UTC, datetime

    first = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
    begin_ns = int(first.timestamp()) * SECOND
    return begin_ns, begin_ns + DAY_NS - 1


def of_day(deals: Deals, day: str) -> Deals:
    """Returns what belongs to the windows that ended on a day; a window is never cut in two."""
    begin_ns, end_ns = day_bounds(day)
    ours = {name for name, spec in deals.specs.items() if begin_ns <= spec.end_ns <= end_ns}
    return deals.only(ours, (begin_ns, end_ns))


def report(found: Mapping[Evidence, Deals], title: str, *, details: bool = True) -> list[Part]:
    """Returns the parts of a journal's report; the answer of each evidence class comes first."""
    parts: list[Part] = [Heading(title, 1)]
    scored = {evidence: scores(deals) for evidence, deals in found.items()}
    if not any(scored.values()):
        parts.append(Words("No signal and no fill: nothing to judge.", "lead"))
    for evidence, items in scored.items():
        if items:
            parts += [Heading(f"{evidence.value}: {_span(found[evidence])}"), *head(items)]
            parts += _course(found[evidence], items)
    if details:
        for items in scored.values():
            for item in items:
                parts += [Heading(f"{title_of(item.strategy)} ({item.evidence})"), *detail(item)]
    return [*parts, small_print()]


def _span(deals: Deals) -> str:
    """Returns what was watched: windows, runs, hours."""
    ended = deals.ended()
    ends = [deals.specs[name].end_ns for name in ended]
    days = sorted({day_of(end) for end in ends})
    when = " to ".join(dict.fromkeys((days[0], days[-1]))) if days else "no window ended"
    hours = sum(last - first for first, last in deals.spans.values()) / HOUR_NS
    return f"{when}, {len(ends)} windows ended, {len(deals.spans)} runs, {hours:.1f} h"


def _course(deals: Deals, items: Sequence[Score]) -> list[Part]:
    """Returns risk, and how the money went from fill to fill."""
    running, course = 0.0, []
    for trade in sorted(deals.trades.values(), key=lambda trade: trade.wall_ns):
        gross = deals.result_e6(trade)
        if gross is not None:
            running += (gross - trade.booked.fee_e6) / 1e6
            course.append(running)
    parts: list[Part] = [risk_table(items)]
    if course:
        parts.append(Line(f"{deals.evidence.value}: net from fill to fill", "USD", tuple(course)))
    return parts


def as_json(found: Mapping[Evidence, Deals], title: str) -> dict[str, Any]:
    """Returns every number of the report as plain values, by evidence class."""
    classes = {}
    for evidence, deals in found.items():
        rows = []
        for item in scores(deals):
            row = msgspec.to_builtins(item)
            row["fill_rate"], row["completion"] = item.fill_rate, item.completion
            rows.append(row)
        classes[evidence.value] = rows
    return {"title": title, "rule": RULE, "evidence": classes}


def told(found: Mapping[Evidence, Deals]) -> list[tuple[dict[str, Any], Score]]:
    """Returns every score, as tables take them."""
    return [({}, item) for deals in found.values() for item in scores(deals)]

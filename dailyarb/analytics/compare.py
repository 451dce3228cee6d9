"""Strategies side by side: what each earned, kept of its expected edge, and where.

One comparison for each evidence class; classes stand beside each other and are never added.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from dailyarb.analytics.deals import Deals
from dailyarb.analytics.paper import Bars, Grid, Heading, Line, Part, Words
from dailyarb.analytics.scores import Score, scores
from dailyarb.analytics.tables import (
    NONE,
    between,
    cents,
    percent,
    risk_table,
    small_print,
    title_of,
    usd,
    verdict,
)
from dailyarb.core.domain.rung import Evidence

CUTS = (
    ("window", "window length"),
    ("asset", "asset"),
    ("hour", "hour of day, UTC"),
    ("tau", "time left"),
    ("price", "price"),
    ("liquidity", "maker or taker"),
)


def compare(found: Mapping[Evidence, Deals], title: str, *, details: bool = True) -> list[Part]:
    """Returns the parts of a comparison; the ranking of each evidence class comes first."""
    parts: list[Part] = [Heading(title, 1)]
    ranked = {
        evidence: sorted(scores(deals), key=_rank, reverse=True)
        for evidence, deals in found.items()
    }
    if not any(ranked.values()):
        parts.append(Words("No signal and no fill: nothing to compare.", "lead"))
    for evidence, items in ranked.items():
        if items:
            parts += [Heading(f"{evidence.value}: best first"), *_ranking(items)]
    if len([items for items in ranked.values() if items]) > 1:
        parts.append(_classes(ranked))
    for evidence, items in ranked.items():
        if items:
            parts += [Heading(f"{evidence.value}: where it was earned"), risk_table(items)]
            parts += _courses(found[evidence], items)
            if details:
                parts += _cuts(items)
    return [*parts, small_print()]


def _rank(item: Score) -> tuple[bool, float]:
    return item.net_cents_share is not None, item.net_cents_share or 0.0


def _ranking(items: Sequence[Score]) -> Iterator[Part]:
    yield from (Words(verdict(item), "lead") for item in items)
    yield Grid(
        "Strategies",
        ("strategy", "signals", "traded", "fills", "net USD", "net c/share", "95 % c/share",
         "expected c", "captured c", "kept", "markout 5 s c", "pairs done"),
        tuple(
            (
                title_of(item.strategy), f"{item.signals:,}", f"{item.signals_traded:,}",
                f"{item.fills:,}", usd(item.net_usd), cents(item.net_cents_share),
                between(item.interval_cents_share), cents(item.expected_cents_share),
                cents(item.captured_cents_share), percent(kept(item)),
                cents(item.markout_5s_cents), percent(item.completion),
            )
            for item in items
        ),
    )  # fmt: skip
    earned = tuple(
        (title_of(item.strategy), item.net_cents_share)
        for item in items
        if item.net_cents_share is not None
    )
    if earned:
        yield Bars("Net a share", "cents", earned)


def kept(item: Score) -> float | None:
    """Returns the share of the expected edge that was captured."""
    if not item.expected_cents_share or item.captured_cents_share is None:
        return None
    return item.captured_cents_share / item.expected_cents_share


def _classes(ranked: Mapping[Evidence, Sequence[Score]]) -> Grid:
    """Returns each strategy's net a share by what it rests on: does paper predict live?"""
    by = {(item.strategy, evidence): item for evidence, items in ranked.items() for item in items}
    names = sorted({name for name, _ in by})
    classes = [evidence for evidence, items in ranked.items() if items]
    rows = []
    for name in names:
        row = [title_of(name)]
        for evidence in classes:
            item = by.get((name, evidence))
            per = cents(item.net_cents_share) if item else NONE
            row.append(f"{per} ({item.fills:,})" if item else NONE)
        rows.append(tuple(row))
    columns = ("strategy", *(f"{evidence.value} (fills)" for evidence in classes))
    return Grid("Net c/share by evidence class", columns, tuple(rows))


def _courses(deals: Deals, items: Sequence[Score]) -> Iterator[Line]:
    """Gives how each strategy's money went from fill to fill."""
    for item in items:
        running, course = 0.0, []
        for trade in sorted(deals.trades.values(), key=lambda trade: trade.wall_ns):
            gross = deals.result_e6(trade)
            if gross is not None and trade.booked.strategy.value == item.strategy:
                running += (gross - trade.booked.fee_e6) / 1e6
                course.append(running)
        if course:
            yield Line(f"{title_of(item.strategy)}: net from fill to fill", "USD", tuple(course))


def _cuts(items: Sequence[Score]) -> Iterator[Part]:
    """Gives the result by every cut, strategies side by side."""
    for by, words in CUTS:
        cells = {
            (part.key, item.strategy): part
            for item in items
            for part in item.slices
            if part.by == by
        }
        keys = sorted({key for key, _ in cells})
        if keys:
            columns = (words, *(title_of(item.strategy) for item in items))
            rows = tuple(
                (
                    key,
                    *(
                        f"{part.net_usd:+,.2f} ({part.fills:,})"
                        if (part := cells.get((key, item.strategy)))
                        else NONE
                        for item in items
                    ),
                )
                for key in keys
            )
            yield Grid(f"Net USD (fills) by {words}", columns, rows)

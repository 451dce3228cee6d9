"""Scores as the tables and sentences of a report, with units in every title."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dailyarb.analytics.paper import Bars, Grid, Part, Words
from dailyarb.analytics.scores import Score, hours
from dailyarb.analytics.stats import NOT_ENOUGH, RULE, Interval
from dailyarb.core.domain.ids import STRATEGY_TITLES, StrategyId

NONE = "-"


def usd(value: float | None) -> str:
    """Returns dollars with sign and cents."""
    return NONE if value is None else f"{value:+,.2f}"


def cents(value: float | None) -> str:
    """Returns cents with sign."""
    return NONE if value is None else f"{value:+.2f}"


def percent(value: float | None) -> str:
    """Returns a share as whole percent."""
    return NONE if value is None else f"{value:.0%}"


def between(interval: Interval | None) -> str:
    """Returns an interval, or that there is not enough evidence."""
    return NOT_ENOUGH if interval is None else f"{interval.low:+.2f} .. {interval.high:+.2f}"


def title_of(name: str) -> str:
    """Returns a strategy's short name with its word, as `S1 stale_odds`."""
    return f"{name} {STRATEGY_TITLES[StrategyId(name)]}"


def verdict(item: Score) -> str:
    """Returns what may be said of a strategy in one sentence."""
    name, where = title_of(item.strategy), item.evidence
    if item.meaningless:
        return f"{name} [{where}]: meaningless here: {item.meaningless}."
    if not item.fills:
        return f"{name} [{where}]: {item.signals} signals, no fill."
    paid = item.fills - item.unsettled
    if not paid:
        return f"{name} [{where}]: {item.fills} fills, none of whose windows has paid yet."
    said = f"{item.net_usd:+,.2f} USD net on {paid} fills in {item.blocks} blocks"
    per = item.interval_cents_share
    if per is None:
        return f"{name} [{where}]: {said}: {NOT_ENOUGH}."
    word = {"above zero": "earned", "below zero": "lost"}.get(per.verdict, "undecided")
    return (
        f"{name} [{where}]: {word}, {said}; {item.net_cents_share or 0.0:+.2f} c a share, "
        f"95 % {between(per)} c."
    )


def head(items: Sequence[Score]) -> list[Part]:
    """Returns the answer: a sentence and a row for each strategy."""
    parts: list[Part] = [Words(verdict(item), "lead") for item in items]
    parts.append(money_table(items))
    parts.append(edge_table(items))
    return parts


def money_table(items: Sequence[Score]) -> Grid:
    """Returns what was done and what it came to."""
    return Grid(
        "Signals to money",
        ("strategy", "evidence", "signals", "orders", "fills", "fill rate", "gross USD",
         "fees USD", "slippage USD", "net USD", "net c/share", "95 % c/share", "blocks"),
        tuple(
            (
                title_of(item.strategy), item.evidence, f"{item.signals:,}", f"{item.orders:,}",
                f"{item.fills:,}", percent(item.fill_rate), usd(item.gross_usd),
                f"{item.fees_usd:,.2f}", usd(item.slippage_usd), usd(item.net_usd),
                cents(item.net_cents_share),
                "meaningless" if item.meaningless else between(item.interval_cents_share),
                str(item.blocks),
            )
            for item in items
        ),
    )  # fmt: skip


def edge_table(items: Sequence[Score]) -> Grid:
    """Returns what was expected beside what was captured, and how the fills aged."""
    return Grid(
        "Edge a share (cents; markouts before fees, by mid)",
        ("strategy", "evidence", "expected", "captured", "markout 1 s", "5 s", "30 s", "marked",
         "windows won", "lost", "pairs done", "of begun", "lone legs", "of them lost",
         "unpaid fills", "signals/day"),
        tuple(
            (
                title_of(item.strategy), item.evidence, cents(item.expected_cents_share),
                cents(item.captured_cents_share), cents(item.markout_1s_cents),
                cents(item.markout_5s_cents), cents(item.markout_30s_cents), str(item.marked),
                str(item.windows_won), str(item.windows_lost), str(item.pairs_completed),
                percent(item.completion), str(item.lone_legs), str(item.lone_lost),
                str(item.unsettled),
                NONE if item.signals_per_day is None else f"{item.signals_per_day:,.0f}",
            )
            for item in items
        ),
    )  # fmt: skip


def risk_table(items: Sequence[Score]) -> Grid:
    """Returns Sharpe ratio and drawdown with what they rest on."""
    rows = []
    for item in items:
        ratio = item.sharpe
        rows.append(
            (
                title_of(item.strategy),
                item.evidence,
                NOT_ENOUGH if ratio is None else f"{ratio.ratio:+.2f}",
                NONE if ratio is None else f"{ratio.low:+.2f} .. {ratio.high:+.2f}",
                NONE if ratio is None else f"{ratio.n} {ratio.period}s",
                f"{item.max_drawdown_usd:,.2f}",
                NONE if item.brier is None else f"{item.brier:.3f}",
            )
        )
    columns = ("strategy", "evidence", "Sharpe", "95 %", "of", "max drawdown USD", "Brier of P(up)")
    return Grid("Risk (Sharpe of net P&L a period, not annualised)", columns, tuple(rows))


def detail(item: Score) -> Iterable[Part]:
    """Gives the funnel, the hours and every cut of one strategy's result."""
    yield Grid(
        f"{title_of(item.strategy)}: from signal to fill ({item.evidence})",
        ("stage or reason", "count"),
        tuple((f"  lost: {s.name}" if s.loss else s.name, f"{s.count:,}") for s in item.funnel),
    )
    spent = [(f"{at:02d} UTC", net) for at, net in enumerate(hours(item)) if net is not None]
    if spent:
        yield Bars(f"{title_of(item.strategy)}: net by hour of day", "USD", tuple(spent))
    cuts = [row for row in item.slices if row.by != "hour"]
    if cuts:
        yield Grid(
            f"{title_of(item.strategy)}: net by",
            ("cut", "fills", "shares", "net USD", "net c/share"),
            tuple(
                (f"{row.by} {row.key}", str(row.fills), f"{row.shares:,.0f}", usd(row.net_usd),
                 cents(row.net_cents_share))
                for row in cuts
            ),
        )  # fmt: skip
    if item.calibration:
        yield Grid(
            f"{title_of(item.strategy)}: P(up) at its signals against what came",
            ("band", "n", "said", "came"),
            tuple(
                (row.band, str(row.n), f"{row.said:.3f}", f"{row.came:.3f}")
                for row in item.calibration
            ),
        )


def small_print() -> Words:
    """Returns the rule of evidence and what the columns mean."""
    return Words(
        f"{RULE[0].upper()}{RULE[1:]}. Evidence classes are never added together. A fill is valued "
        "at what its shares finally paid; net = gross - fees; slippage is part of gross, against "
        "the touch the decision saw. Intervals redraw blocks of windows that end together "
        "(2,000 draws, seeded).",
        "note",
    )

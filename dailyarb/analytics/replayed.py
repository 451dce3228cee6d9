"""The report of a backtest: the answer first, then the grid, then where it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dailyarb.analytics.backtest import Cell, Fold, Outcome, Trial
from dailyarb.analytics.paper import Grid, Heading, Part, Words
from dailyarb.analytics.scores import Score
from dailyarb.analytics.tables import (
    NONE,
    between,
    cents,
    detail,
    head,
    percent,
    risk_table,
    small_print,
    title_of,
    usd,
)
from dailyarb.core.domain.ids import GATE_FACTS, Gate

GATES_SHOWN = 12


def report(outcome: Outcome, *, details: bool = True) -> list[Part]:
    """Returns the parts of a backtest's report."""
    first = outcome.cells[0]
    parts: list[Part] = [Heading("Backtest", 1), basis(outcome, first)]
    parts += head(first.scores)
    if outcome.doubts:
        parts.append(Words("What the recordings cannot say: " + "; ".join(outcome.doubts) + "."))
    parts += [sensitivity(outcome.cells), risk_table(first.scores)]
    if outcome.trials:
        parts += [*trials(outcome.trials), *walk(outcome.folds)]
    parts.append(gates(outcome))
    if details:
        for item in first.scores:
            if item.signals or item.fills:
                parts += [Heading(title_of(item.strategy)), *detail(item)]
    return [*parts, small_print()]


def basis(outcome: Outcome, first: Cell) -> Words:
    """Returns what the numbers rest on."""
    faults = sum(outcome.faults.values())
    return Words(
        f"Evidence {outcome.evidence}: {outcome.worlds} worlds, {outcome.frames:,} frames, "
        f"{outcome.seconds / 3600:,.1f} h of recordings, {faults} frames at fault. Head table: "
        f"{first.choice}, {first.variant.latency} to the venue one way, "
        f"{first.variant.queue} queue, rivals have {first.variant.rivals:.0%} first, "
        f"{'the rules of today' if first.variant.today else 'the rules of the recording'}."
    )


def sensitivity(cells: Sequence[Cell]) -> Grid:
    """Returns every strategy at every latency and queue, against rivals or none."""
    rows = []
    for cell in cells:
        for item in cell.scores:
            if not item.signals:
                continue
            rows.append(
                (
                    f"{item.strategy} {cell.variant.label}",
                    *([cell.choice] if _several(cells) else []),
                    str(item.signals), str(item.fills), percent(item.fill_rate),
                    usd(item.net_usd), cents(item.net_cents_share),
                    "meaningless" if item.meaningless else between(item.interval_cents_share),
                    cents(item.markout_5s_cents), percent(item.completion),
                )
            )  # fmt: skip
    more = ["parameters"] if _several(cells) else []
    columns = ("strategy, one way, queue, rivals", *more, "signals", "fills",
               "fill rate", "net USD", "net c/share", "95 % c/share", "markout 5 s c",
               "pairs done")  # fmt: skip
    return Grid("Sensitivity to latency, queue and competition", columns, tuple(rows))


def _several(cells: Sequence[Cell]) -> bool:
    return len({cell.choice for cell in cells}) > 1


def trials(items: Sequence[Trial]) -> Iterator[Part]:
    """Gives the choices: by the earlier half of the worlds, shown on the later half."""
    yield Grid(
        "Parameters: chosen on the first half, shown on the second",
        ("parameters", "chosen", "signals first", "net USD", "c/share", "signals second", "net USD",
         "c/share", "95 % c/share second"),
        tuple(
            (
                trial.choice,
                "<-" if trial.chosen else "",
                _signals(trial.first),
                *_half(trial.first),
                _signals(trial.second),
                *_half(trial.second),
                between(trial.second.interval_cents_share) if trial.second else NONE,
            )
            for trial in items
        ),
    )  # fmt: skip
    chosen = next((trial for trial in items if trial.chosen), None)
    if chosen is not None and chosen.deflated is not None:
        yield Words(
            f"Of {len(items)} trials; the probability that the best is more than the luck of that "
            f"many (deflated Sharpe) is {chosen.deflated:.0%} on the half it was chosen on."
        )


def walk(folds: Sequence[Fold]) -> Iterator[Part]:
    """Gives the walk forward: each part with what was best on all before it."""
    if not folds:
        return
    yield Grid(
        "Walk forward: chosen on all windows before, shown on the next",
        ("windows", "parameters", "net USD before", "net USD shown", "c/share", "fills"),
        tuple(
            (
                f"{fold.number}. {fold.windows}", fold.choice, usd(fold.before_usd),
                *_half(fold.score), str(fold.score.fills if fold.score else 0),
            )
            for fold in folds
        ),
    )  # fmt: skip
    total = sum(fold.score.net_usd for fold in folds if fold.score)
    yield Words(f"Shown windows together: {total:+,.2f} USD net, none of them used to choose.")


def _signals(item: Score | None) -> str:
    return f"{item.signals:,}" if item else NONE


def _half(item: Score | None) -> tuple[str, str]:
    return (usd(item.net_usd), cents(item.net_cents_share)) if item else (NONE, NONE)


def gates(outcome: Outcome) -> Grid:
    """Returns what stopped evaluations, most frequent first."""
    rows = tuple(
        (name, f"{count:,}", GATE_FACTS[Gate(name)][0])
        for name, count in list(outcome.gates.items())[:GATES_SHOWN]
    )
    return Grid("Gates that stopped evaluations", ("gate", "count", "meaning"), rows)

"""The evidence page: which hypotheses stand on the recordings, and which fall.

Generated from a folder of recordings by one command, the same from the same data. What is not in
the folder is named as absent. Parameters are chosen on one half of the windows and shown on the
other; a strategy that loses after costs is a result like any other.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from dailyarb import config
from dailyarb.analytics.backtest import LATENCIES_MS, Choice, Outcome, Plan, run, variants
from dailyarb.analytics.paper import Grid, Heading, Part, Words
from dailyarb.analytics.pricing import Fit, fits
from dailyarb.analytics.replayed import basis, sensitivity, trials, walk
from dailyarb.analytics.scores import Score
from dailyarb.analytics.spread import Tell
from dailyarb.analytics.tables import (
    edge_table,
    money_table,
    small_print,
    title_of,
    verdict,
)
from dailyarb.resources import default_config_path
from dailyarb.runtime.replay_worlds import Variant, worlds_of

SIGNALS_LOW, SIGNALS_HIGH = 100, 500
TAKER_EVERY = 3  # of the windows are asked for taker pairs too: there are none to be found
_BOTH = ("adverse", "optimistic")


class Study(msgspec.Struct, frozen=True):
    """Is one question put to one recording.

    resting: whether the queue matters, so that both its ends are played; else rivals are. sets are
    the parameters that are tried, chosen on one half of the windows and shown on the other.
    """

    title: str
    strategy: str
    path: str
    source: str
    question: str
    caveat: str  # what must be said in the same breath as the verdict, or ""
    resting: bool = False
    sets: tuple[tuple[tuple[str, str], ...], ...] = ()


CRONOS = (
    "CronosVirus00/polymarket-BTC5min-database, CC BY 4.0, (c) 2026 CronosVirus00; five levels "
    "a side of every book frame, BTC 5m windows of 2026-04-13 and 2026-04-15 that cover more "
    "than 250 s"
)
ADRIEN = (
    "AdrienChereau/polymarket-mm-bot, no licence, not shipped; Up mids and Binance microprices "
    "once a second, 13 BTC 5m windows of the evening of 2026-06-25"
)
MATT = (
    "matt-1374/poly_btc, no licence, not shipped; Up mids and Binance prices once a second, 19 BTC "
    "hours of 2025-11-28"
)
SAMPLED = (
    "The quotes are samples up to a second old: part of what looks stale was gone already, so "
    "these figures flatter whoever takes; only a recording of every frame beside Binance decides."
)
STUDIES = (
    Study(
        "S2 pairs on full books",
        "S2",
        "recordings/cronos-5m-depth",
        CRONOS,
        "Do both bids, rested below a dollar together, earn more on completed pairs than the "
        "one-sided ones cost?",
        "",
        True,
        tuple((("strategies.S2.max_pair_cost_cents", str(c)),) for c in (95, 98)),
    ),
    Study(
        "S1 stale odds beside Binance",
        "S1",
        "recordings/adrien-5m-1hz",
        ADRIEN,
        "After Binance moves, is the old price still there long enough to pay the fee?",
        SAMPLED,
        sets=tuple((("strategies.S1.min_move_bps", str(bp)),) for bp in (1.0, 2.0, 3.0)),
    ),
    Study(
        "S5 volatility value at five minutes",
        "S5",
        "recordings/adrien-5m-1hz",
        ADRIEN,
        "Where our volatility and the one in the price differ, does ours pay?",
        SAMPLED,
        sets=tuple((("strategies.S5.min_edge_cents", str(c)),) for c in (2.0, 4.0, 6.0)),
    ),
    Study(
        "S1 stale odds in hourly windows",
        "S1",
        "recordings/matt1374-1h-1hz",
        MATT,
        "The same in windows of an hour, where a basis point moves the price less.",
        SAMPLED,
    ),
    Study(
        "S5 volatility value at one hour",
        "S5",
        "recordings/matt1374-1h-1hz",
        MATT,
        "The same over an hour, where there is time for the difference to show.",
        SAMPLED,
    ),
)
# What no shared recording can say: each needs something that none of them holds.
NOT_TESTED = (
    (
        "S3",
        "needs a real touch beside a reference: full books come without one, mids without a touch",
    ),
    ("S4", "needs windows of several lengths at the same time; every recording holds one length"),
    ("S6", "needs Binance trades beside the book; the only ones were read in bursts of ten"),
    ("X1", "needs several assets at a second's rate; the one recording of three has one a minute"),
)


class Found(msgspec.Struct, frozen=True):
    """Is what a study found: the grid at the defaults, the trials, and the taker form of S2."""

    study: Study
    grid: Outcome
    tried: Outcome | None
    taken: Outcome | None


def page(data: Path, jobs: int, tell: Tell) -> list[Part]:
    """Returns the parts of the page.

    Args:
        data: folder of recordings, in the layout that `STUDIES` names.
        jobs: processes.
        tell: told after each task how many are done, and of how many, plan by plan.
    """
    found = [_study(data, study, jobs, tell) for study in STUDIES if (data / study.path).exists()]
    absent = [study for study in STUDIES if not (data / study.path).exists()]
    parts: list[Part] = [Heading("Evidence", 1), _preface()]
    parts.append(Heading("In short"))
    parts += [Words(f"{_plain(item)} {item.study.caveat}".rstrip()) for item in found]
    parts += [Words(f"{study.title}: skipped, {study.path} is not in the folder.")
              for study in absent]  # fmt: skip
    parts += [Words(f"{title_of(name)}: NOT TESTED: {why}.") for name, why in NOT_TESTED]
    parts += [*_probe(data), *_rate(found), *_pricing(data)]
    for item in found:
        parts += _section(item)
    return [*parts, Heading("How to read this"), small_print(), _limits()]


def _preface() -> Words:
    return Words(
        "Generated by `dailyarb evidence FOLDER` from recordings of real markets; do not edit. All "
        "of it is evidence of class REPLAY: the same engine, its orders met by a fill model that "
        "errs against us. Default parameters unless said otherwise; the fee and the hold are those "
        "of each recording's date."
    )


def _study(data: Path, study: Study, jobs: int, tell: Tell) -> Found:
    worlds = tuple(worlds_of(str(data / study.path)))
    base = Variant(strategies=(study.strategy,))
    grid = variants(LATENCIES_MS, _BOTH, base)
    crowded = variants(LATENCIES_MS[:1] if study.resting else LATENCIES_MS, _BOTH[:1], base, (0.5,))
    asked = Plan(worlds, (*grid, *crowded), (_choice(study, ()),))
    tried = taken = None
    if study.sets:
        tried = run(
            Plan(worlds, (base,), tuple(_choice(study, sets) for sets in study.sets)), jobs, tell
        )
    if study.strategy == "S2":
        alone = (("strategies.S2.resting", "false"),)
        some = worlds[::TAKER_EVERY]
        taken = run(Plan(some, (base,), (_choice(study, alone),)), jobs, tell)
    return Found(study, run(asked, jobs, tell), tried, taken)


def _choice(study: Study, sets: tuple[tuple[str, str], ...]) -> Choice:
    """Returns the packaged settings with the strategy on and these values set."""
    given: dict[str, object] = {f"strategies.{study.strategy}.enabled": True}
    given.update((key, json.loads(text)) for key, text in sets)
    return Choice(sets, config.load(default_config_path(), given).settings)


def _section(item: Found) -> Iterator[Part]:
    study, head = item.study, item.grid.cells[0]
    yield Heading(study.title)
    yield Words(f"Question: {study.question} Source: {study.source}.")
    yield basis(item.grid, head)
    if item.grid.doubts:
        yield Words("What the source cannot say: " + "; ".join(item.grid.doubts) + ".")
    yield Words(verdict(_own(item)), "lead")
    yield money_table(head.scores)
    yield edge_table(head.scores)
    yield sensitivity(item.grid.cells)
    if item.tried is not None:
        yield from trials(item.tried.trials)
        yield from walk(item.tried.folds)
    if item.taken is not None:
        taken = item.taken.cells[0].scores[0]
        yield Words(
            f"The taker form (both asks below a dollar after fees, mirror intact): "
            f"{taken.signals} signals in {item.taken.frames:,} frames."
        )


def _own(item: Found) -> Score:
    return item.grid.cells[0].scores[0]


def _plain(item: Found) -> str:
    """Returns in plain words whether the hypothesis stands on this recording."""
    rows = [cell.scores[0] for cell in item.grid.cells]
    name, own = title_of(item.study.strategy), rows[0]
    sides = [row.interval_cents_share.verdict for row in rows if row.interval_cents_share]
    span = f"{min(_cents(rows)):+.2f} to {max(_cents(rows)):+.2f} c a share" if _cents(rows) else ""
    if not own.fills:
        return f"{name}: not tested: {own.signals} signals and no fill in {own.windows} windows."
    if len(sides) == len(rows) and set(sides) == {"below zero"}:
        return (
            f"{name}: FALLS. It loses at every latency and at both ends of what the queue may have "
            f"been, {span}; the loss is beyond chance in all {len(rows)} cells ({own.blocks} "
            f"windows with fills). Expected {own.expected_cents_share or 0:+.2f} c, captured "
            f"{own.captured_cents_share or 0:+.2f} c a share bought."
        )
    if len(sides) == len(rows) and set(sides) == {"above zero"}:
        return f"{name}: STANDS on this recording, {span}, beyond chance in all {len(rows)} cells."
    if not sides:
        return (
            f"{name}: NOT DECIDED, not enough evidence: {own.fills} fills in {own.blocks} windows; "
            f"{span} from {LATENCIES_MS[0]:g} to {LATENCIES_MS[-1]:g} ms. {_by_latency(rows, item)}"
        )
    return (
        f"{name}: NOT DECIDED: {span}; beyond chance {sides.count('below zero')} of {len(rows)} "
        f"cells lose and {sides.count('above zero')} earn. {_by_latency(rows, item)}"
    )


def _cents(rows: Sequence[Score]) -> list[float]:
    return [row.net_cents_share for row in rows if row.net_cents_share is not None]


def _by_latency(rows: Sequence[Score], item: Found) -> str:
    """Returns how the behind-the-queue result moves with latency."""
    said = [
        f"{cell.variant.latency_ms:g} ms {row.net_cents_share:+.2f} c"
        for cell, row in zip(item.grid.cells, rows, strict=True)
        if cell.variant.adverse and not cell.variant.rivals and row.net_cents_share is not None
    ]
    return "Net a share by one-way latency: " + ", ".join(said) + "."


def _rate(found: Sequence[Found]) -> Iterator[Part]:
    """Gives signals a day, and whether they fall where the desk wants them."""
    yield Heading("Signals a day at default parameters")
    rows = []
    for item in found:
        own = _own(item)
        rate = own.signals_per_day
        inside = rate is not None and SIGNALS_LOW <= rate <= SIGNALS_HIGH
        rows.append(
            (
                f"{title_of(item.study.strategy)}, {Path(item.study.path).name}",
                f"{own.signals:,}",
                f"{item.grid.seconds / 3600:.1f}",
                "-" if rate is None else f"{rate:,.0f}",
                "yes" if inside else "no",
            )
        )
    columns = ("strategy, recording", "signals", "hours", "a day, one market at a time",
               f"within {SIGNALS_LOW} to {SIGNALS_HIGH}")  # fmt: skip
    yield Grid("", columns, tuple(rows))
    on = config.load(default_config_path(), {}).settings.strategies
    enabled = [name for name in config.checks.STRATEGIES if getattr(on, name).enabled]
    first = {item.study.strategy: _own(item).signals_per_day for item in reversed(found)}
    rates = [first.get(name) for name in enabled]
    if all(rate is not None for rate in rates) and rates:
        total = sum(rate or 0.0 for rate in rates)
        inside = SIGNALS_LOW <= total <= SIGNALS_HIGH
        yield Words(
            f"Enabled by default: {', '.join(enabled)}. Together {total:,.0f} signals a day, one "
            f"market at a time, on the recording that each was tested on first: "
            f"{'' if inside else 'not '}within {SIGNALS_LOW} to {SIGNALS_HIGH}."
        )


def _probe(data: Path) -> Iterator[Part]:
    """Gives what somebody's resting probe met: a check on ours that no model of ours touches."""
    file = data / "recordings/houssem98-5m-ladder/maker_probe.jsonl.gz"
    yield Heading("A check without our fill model")
    if not file.exists():
        yield Words("Skipped: the recorded probe of resting quotes is not in the folder.")
        return
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        probes = [json.loads(line) for line in lines]
    rows = []
    for at in sorted({probe["quote_at"] for probe in probes}, reverse=True):
        part = [probe for probe in probes if probe["quote_at"] == at]
        filled = [[s for s in p["sides"] if p["sides"][s]["filled"]] for p in part]
        lone = [(sides[0], p["winner"]) for sides, p in zip(filled, part, strict=True)
                if len(sides) == 1]  # fmt: skip
        lost = sum(side != winner for side, winner in lone)
        net = sum(p["sides"][s]["pnl"] for p, sides in zip(part, filled, strict=True)
                  for s in sides)  # fmt: skip
        both = sum(len(sides) == 2 for sides in filled)
        none = sum(not sides for sides in filled)
        rows.append(
            (f"T-{at} s", str(len(part)), str(both), str(len(lone)), str(lost), str(none),
             f"{net / len(part):+.3f}")
        )  # fmt: skip
    yield Words(
        "houssem98/polymarket-btc-5m-research (no licence, not shipped) quoted both bids in BTC 5m "
        "windows of July 2026, fills inferred by its author. The lone leg is the losing one: this, "
        "not the price, is what resting pairs pay."
    )
    yield Grid(
        "",
        ("quoted at", "windows", "both filled", "one filled", "of these lost", "none",
         "USD a window, 5 shares"),
        tuple(rows),
    )  # fmt: skip


def _pricing(data: Path) -> Iterator[Part]:
    """Gives P(up) against recorded prices and outcomes."""
    yield Heading("Fair value against recorded prices")
    found = list(fits(data))
    columns = ("recording", "samples", "fitted sigma, bp a root second", "residual, c",
               "with the engine's own sigma, c", "Brier ours", "Brier market")  # fmt: skip
    yield Grid(
        "",
        columns,
        tuple(
            (
                item.name, f"{item.n:,}", f"{item.sigma * 1e4:.2f}",
                f"{item.residual_sd * 100:.1f}", *(
                    "-" if value is None else text.format(value)
                    for value, text in (
                        (None if item.causal_sd is None else item.causal_sd * 100, "{:.1f}"),
                        (item.brier_ours, "{:.3f}"),
                        (item.brier_market, "{:.3f}"),
                    )
                ),
            )
            for item in found
            if isinstance(item, Fit)
        ),
    )  # fmt: skip
    for text in found:
        if isinstance(text, str):
            yield Words(text)
        elif text.bands:
            yield Grid(
                f"Calibration, {text.name}",
                ("our P(up)", "samples", "we said", "the market said", "came true"),
                tuple(
                    (
                        f"{band.low:.2f} to {band.high:.2f}", f"{band.n:,}", f"{band.ours:.3f}",
                        f"{band.market:.3f}", f"{band.came:.3f}",
                    )
                    for band in text.bands
                ),
            )  # fmt: skip
    yield Words(
        "One sigma fitted to each set, spot rule. On houssem98 the market knows the settling feed "
        "and we are given Binance's open only: near the end that shows."
    )


def _limits() -> Words:
    return Words(
        "What none of this can say: how quotes behave under settlement by averages (nothing "
        "recorded since 2026-08-07), how our own orders would have changed the book, and anything "
        "about ETH and SOL at five minutes. Thirteen windows of one evening are one evening."
    )


__all__ = ["NOT_TESTED", "STUDIES", "Found", "Study", "page"]

"""`dailyarb backtest`: recordings through the same engine, and what came of it."""

from __future__ import annotations

import itertools
import os
import shutil
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import tomli

from dailyarb import config
from dailyarb.analytics.backtest import Choice, Outcome, Plan, run, variants
from dailyarb.analytics.export import write as write_tables
from dailyarb.analytics.latency import ORDERS_MIN, one_way_ms
from dailyarb.analytics.paper import as_html, as_text
from dailyarb.analytics.replayed import report
from dailyarb.analytics.scores import Score
from dailyarb.analytics.stats import RULE
from dailyarb.core.domain.errors import BoardError, ConfigError
from dailyarb.core.domain.settings import Strategies
from dailyarb.runtime.cores import allowed
from dailyarb.runtime.replay_worlds import Variant, worlds_of
from dailyarb.verbs import past
from dailyarb.verbs.engine import glance, instance_of, places
from dailyarb.verbs.output import Output, UsageError

CHOICES_MAX = 200
STRATEGIES = Strategies.__struct_fields__


def backtest(arguments: Namespace, out: Output) -> int:
    """Plays every window of the paths through the engine, on all cores but a running engine's."""
    wanted = _strategies(arguments.strategy)
    plan = Plan(
        tuple(dict.fromkeys(world for path in arguments.paths for world in worlds_of(path))),
        _grid(arguments, wanted),
        tuple(choices(arguments.config, wanted, arguments.set)),
    )
    jobs = arguments.jobs or free_cores(arguments)
    with progress() as tell:
        outcome = run(plan, jobs, tell, arguments.ray)
    answer(outcome, arguments, out)
    return 0


def _grid(arguments: Namespace, wanted: tuple[str, ...]) -> tuple[Variant, ...]:
    """Returns the assumptions a plan is played under.

    Raises:
        UsageError: a word is none of theirs, or no latencies were measured yet.
    """
    words = [text for text in arguments.latency if text != "live"]
    base = Variant(seed=arguments.seed, today=arguments.rules == "today", strategies=wanted)
    if len(words) < len(arguments.latency):
        measured = _measured(arguments)
        middle = round(measured[len(measured) // 2], 1)
        base = msgspec.structs.replace(base, latency_ms=middle, measured_ms=measured)
    return variants(
        _latencies(words) if words else [],
        _queues(arguments.queue),
        base,
        _rivals(arguments.rivals),
    )


def _measured(arguments: Namespace) -> tuple[float, ...]:
    instance = instance_of(arguments)
    rows = [(row.wall_ns, row.record) for row in past.backwards(places(instance).journal)]
    found = one_way_ms(reversed(rows))
    if not found:
        raise UsageError(
            f"--latency live: the journal of {instance!r} tells of fewer than {ORDERS_MIN} "
            "orders that came to rest"
        )
    return found


def answer(outcome: Outcome, arguments: Namespace, out: Output) -> None:
    """Writes the result as asked for."""
    parts = report(outcome)
    if arguments.report is not None:
        write(arguments.report, as_html(parts))
        out.warn(f"written: {arguments.report}")
    if arguments.tables is not None:
        for path in write_tables(arguments.tables, told(outcome)):
            out.warn(f"written: {path}")
    if out.json:
        out.value(as_json(outcome))
    else:
        width = max(80, shutil.get_terminal_size().columns)
        out.write(as_text(report(outcome, details=arguments.detail), width))


def told(outcome: Outcome) -> list[tuple[dict[str, Any], Score]]:
    """Returns every score with the assumption it was made under, as tables take them."""
    return [
        (
            {
                "parameters": cell.choice,
                "latency_ms": cell.variant.latency_ms,
                "measured": bool(cell.variant.measured_ms),
                "queue": cell.variant.queue,
                "rivals": cell.variant.rivals,
            },
            item,
        )
        for cell in outcome.cells
        for item in cell.scores
    ]


def as_json(outcome: Outcome) -> dict[str, Any]:
    """Returns the result as plain values, rates that follow from counts included."""
    plain: dict[str, Any] = msgspec.to_builtins(outcome)
    for cell, row in zip(outcome.cells, plain["cells"], strict=True):
        for item, score in zip(cell.scores, row["scores"], strict=True):
            score["fill_rate"], score["completion"] = item.fill_rate, item.completion
    return {**plain, "rule": RULE}


def write(path: Path, text: str) -> None:
    """Writes a file.

    Raises:
        UsageError: it cannot be written there.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None


def choices(
    path: Path | None, wanted: Sequence[str], sets: Sequence[str]
) -> Iterator[Choice]:
    """Gives every combination of `--set key=value[,value...]`; the strategies asked for are on.

    Raises:
        ConfigError: a key or value is not one of the settings.
        UsageError: a word is no `key=value`, or there are too many combinations.
    """
    on: dict[str, object] = {f"strategies.{name}.enabled": True for name in wanted}
    axes = [_axis(word) for word in sets]
    combinations = list(itertools.product(*axes))
    if len(combinations) > CHOICES_MAX:
        raise UsageError(f"--set: {len(combinations)} combinations, at most {CHOICES_MAX}")
    for combination in combinations:
        given = {key: value for key, _, value in combination}
        loaded = config.load(path, {**on, **given})
        yield Choice(tuple((key, text) for key, text, _ in combination), loaded.settings)


def _axis(word: str) -> list[tuple[str, str, object]]:
    key, equals, texts = word.partition("=")
    key, values = key.strip(), [text.strip() for text in texts.split(",")]
    if not equals or not key or not all(values):
        raise UsageError(f"--set {word}: write key=value, or key=value,value to try several")
    if key.partition(".")[0] in STRATEGIES:
        key = f"strategies.{key}"
    return [(key, text, _value(text)) for text in values]


def _value(text: str) -> object:
    """Returns a value as TOML reads it; a bare word is text."""
    try:
        return tomli.loads(f"value = {text}")["value"]
    except tomli.TOMLDecodeError:
        return text


def _strategies(names: Sequence[str]) -> tuple[str, ...]:
    unknown = [name for name in names if name not in STRATEGIES]
    if unknown:
        raise UsageError(f"--strategy {unknown[0]}: known are {', '.join(STRATEGIES)}")
    return tuple(names)


def _latencies(texts: Sequence[str]) -> list[float]:
    try:
        found = [float(text.removesuffix("ms")) for text in texts]
    except ValueError:
        found = []
    if not found or not all(0.0 <= ms <= 60_000.0 for ms in found):
        raise UsageError(f"--latency {','.join(texts)}: milliseconds one way, as 20,100,300")
    return found


def _rivals(texts: Sequence[str]) -> list[float]:
    try:
        found = [float(text.removesuffix("%")) / 100.0 for text in texts]
    except ValueError:
        found = []
    if not found or not all(0.0 <= share < 1.0 for share in found):
        raise UsageError(f"--rivals {','.join(texts)}: percent below 100, as 0,50")
    return found


def _queues(texts: Sequence[str]) -> list[str]:
    unknown = [text for text in texts if text not in ("adverse", "optimistic")]
    if unknown:
        raise UsageError(f"--queue {unknown[0]}: adverse, optimistic, or both with a comma")
    return list(texts)


def free_cores(arguments: Namespace) -> int:
    """Returns the cores a sweep may use: a running engine's own core is not among them."""
    cores = len(allowed()) or os.cpu_count() or 1
    try:
        taken = glance(arguments).alive
    except (BoardError, ConfigError):
        taken = False
    return max(1, cores - taken)


@contextmanager
def progress(label: str = "worlds") -> Iterator[Callable[[float, int], None]]:
    """Gives what tells of progress: a bar on stderr, nothing where stderr is no terminal.

    Args:
        label: what is counted.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (label, BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)

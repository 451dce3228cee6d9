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
from dailyarb.analytics.paper import as_html, as_text
from dailyarb.analytics.replayed import report
from dailyarb.analytics.stats import RULE
from dailyarb.core.domain.errors import BoardError, ConfigError
from dailyarb.core.domain.settings import Strategies
from dailyarb.runtime.cores import allowed
from dailyarb.runtime.replay_worlds import Variant, worlds_of
from dailyarb.verbs.engine import glance
from dailyarb.verbs.output import Output, UsageError

CHOICES_MAX = 200
STRATEGIES = Strategies.__struct_fields__


def backtest(arguments: Namespace, out: Output) -> int:
    """Plays every window of the paths through the engine, on all cores but a running engine's."""
    wanted = _strategies(arguments.strategy)
    plan = Plan(
        tuple(dict.fromkeys(world for path in arguments.paths for world in worlds_of(path))),
        variants(
            _latencies(arguments.latency),
            _queues(arguments.queue),
            Variant(seed=arguments.seed, today=arguments.rules == "today", strategies=wanted),
        ),
        tuple(choices(arguments.config, wanted, arguments.set)),
    )
    jobs = arguments.jobs or free_cores(arguments)
    with progress() as tell:
        outcome = run(plan, jobs, tell)
    answer(outcome, arguments, out)
    return 0


def answer(outcome: Outcome, arguments: Namespace, out: Output) -> None:
    """Writes the result as asked for."""
    parts = report(outcome)
    if arguments.report is not None:
        write(arguments.report, as_html(parts))
        out.warn(f"written: {arguments.report}")
    if out.json:
        out.value(as_json(outcome))
    else:
        width = max(80, shutil.get_terminal_size().columns)
        out.write(as_text(report(outcome, details=arguments.detail), width))


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
def progress() -> Iterator[Callable[[int, int], None]]:
    """Gives what tells of progress: a bar on stderr, nothing where stderr is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    columns = ("worlds", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)

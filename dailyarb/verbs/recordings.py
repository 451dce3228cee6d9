"""Verbs that make recordings: `record` frames of venues, `import` those of others."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec.structs import replace

from dailyarb.config import checks
from dailyarb.runtime.importing import bring
from dailyarb.verbs.engine import instance_of, places
from dailyarb.verbs.output import Output, UsageError

INSTANCE = "record"


def import_source(arguments: Namespace, out: Output) -> int:
    """Turns a foreign recording into one of ours and says what it lacks."""
    source = Path(arguments.source)
    folder = arguments.output
    if folder is None:
        state = places(instance_of(arguments)).state_dir
        folder = state / "imports" / source.name.partition(".")[0]
    with _frames() as tell:
        found = bring(source, folder, tell)
    if out.json:
        out.value(msgspec.to_builtins(found))
        return 0
    counts = ", ".join(f"{count:,} {name}" for name, count in found.channels.items())
    out.write(f"{found.folder}: {found.windows:,} windows, {counts}, {found.seconds / 3600:.1f} h")
    for doubt in found.doubts:
        out.write(f"the source cannot say: {doubt}")
    for name in found.skipped:
        out.warn(f"{name}: of no known format, left out")
    return 0


def record(arguments: Namespace, out: Output) -> int:
    """Captures frames until a signal or the end of `--duration`; no strategy is on."""
    from dailyarb import config
    from dailyarb.runtime import compose
    from dailyarb.verbs.run import overrides, prepare

    if arguments.live or arguments.strategies:
        raise UsageError("record trades nothing: neither --live nor --strategies goes with it")
    arguments.instance = arguments.instance or INSTANCE
    given = overrides(arguments) | {"recording.enabled": True, "start_rung": "HALTED"}
    given |= {f"strategies.{name}.enabled": False for name in checks.STRATEGIES}
    _, options = prepare(arguments)
    loaded = config.load(arguments.config, given)
    out.warn(f"frames go to {places(loaded.settings.instance).recordings}")
    # As inside a console: the keeper would start it again as an engine that trades.
    return compose.run_headless(loaded, replace(options, inline=True))


@contextmanager
def _frames() -> Iterator[Callable[[int], None]]:
    """Gives what tells of frames written: a count on stderr, nothing where it is no terminal."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.completed:,.0f} frames"), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("", total=None)
        yield lambda count: bar.update(task, completed=count)

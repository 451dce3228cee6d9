"""`dailyarb evidence`: which hypotheses stand on a folder of recordings, as one page."""

from __future__ import annotations

from argparse import Namespace

from dailyarb.analytics.evidence import page
from dailyarb.analytics.paper import as_markdown
from dailyarb.verbs.backtest import free_cores, progress, write
from dailyarb.verbs.output import Output, UsageError


def evidence(arguments: Namespace, out: Output) -> int:
    """Writes the page; the same folder gives the same page."""
    if not arguments.folder.is_dir():
        raise UsageError(f"{arguments.folder}: no folder")
    with progress() as tell:
        parts = page(arguments.folder, arguments.jobs or free_cores(arguments), tell)
    text = as_markdown(parts)
    if arguments.output is None:
        out.write(text.rstrip("\n"))
    else:
        write(arguments.output, text)
        out.warn(f"written: {arguments.output}")
    return 0

"""`dailyarb diff`: a run beside a backtest of its own recording, and what made the difference."""

from __future__ import annotations

import shutil
from argparse import Namespace

import msgspec

from dailyarb.analytics.diff import diff as compared
from dailyarb.analytics.diff import report
from dailyarb.analytics.paper import as_html, as_markdown, as_text
from dailyarb.runtime.journal_read import JournalReader
from dailyarb.runtime.record import segments_of
from dailyarb.verbs.backtest import progress, write
from dailyarb.verbs.engine import instance_of, places
from dailyarb.verbs.output import Output, UsageError


def diff(arguments: Namespace, out: Output) -> int:
    """Attributes the gap of a run; exit 1 where the engine would act otherwise today."""
    at = places(instance_of(arguments))
    run = arguments.run or _newest(arguments)
    with progress() as tell:
        found = compared(at.recordings, at.journal, run, tell)
    parts = report(found)
    if arguments.report is not None:
        write(arguments.report, as_html(parts))
        out.warn(f"written: {arguments.report}")
    if out.json:
        out.value(msgspec.to_builtins(found))
    elif arguments.format == "md":
        out.write(as_markdown(parts).rstrip("\n"))
    else:
        out.write(as_text(parts, max(80, shutil.get_terminal_size().columns)))
    return 0 if found.retraced.same else 1


def _newest(arguments: Namespace) -> str:
    """Returns the newest run that was recorded.

    Raises:
        UsageError: there is none.
    """
    at = places(instance_of(arguments))
    if at.journal.exists():
        with JournalReader(at.journal) as reader:
            for span in reversed(reader.runs()):
                if segments_of(at.recordings, span.run):
                    return span.run
    raise UsageError(f"{at.recordings}: no run of this instance was recorded")

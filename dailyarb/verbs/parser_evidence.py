"""The grammar of the verbs that say what is true: recordings, backtest, report, evidence."""

from __future__ import annotations

import argparse
from pathlib import Path

from dailyarb.verbs.words import (
    Sub,
    add_config,
    add_json,
    add_verb,
    add_which,
    duration,
    names,
    venues,
)


def add_backtest(sub: Sub) -> None:
    """Adds `backtest`."""
    verb = add_verb(
        sub,
        "backtest",
        "recordings through the same engine: signals, fills, money, and how sure one may be",
        "dailyarb backtest recordings/ --strategy S2\n"
        "dailyarb backtest a.jsonl.zst --set S2.max_pair_cost_cents=96,97 --report out.html",
        "backtest:backtest",
    )
    add_which(verb, json=False)
    add = verb.add_argument
    add("paths", nargs="+", metavar="PATH", help="file, folder, or several joined with +")
    add("--strategy", type=names, default=(), metavar="S1,S5", help="only these, switched on")
    add(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a setting; several values with commas make a grid",
    )
    add(
        "--latency",
        type=names,
        default=("20", "100", "300"),
        metavar="MS",
        help="one way to the venue, default 20,100,300; the first heads the report; live adds "
        "what this instance's orders took",
    )
    add(
        "--queue",
        type=names,
        default=("adverse", "optimistic"),
        metavar="WHERE",
        help="of resting orders, default adverse,optimistic",
    )
    add(
        "--rivals",
        type=names,
        default=("0", "50"),
        metavar="PERCENT",
        help="of all that could fill us, had by others first; default 0,50",
    )
    add(
        "--rules",
        choices=("recorded", "today"),
        default="recorded",
        help="fee and hold of the recording's date, or today's",
    )
    add("--seed", type=int, default=1, metavar="N", help="of latencies and redrawn blocks")
    add("--jobs", type=int, default=0, metavar="N", help="processes, default one a free core")
    add("--ray", default="", metavar="WHERE", help="a Ray cluster's address; auto: this machine")
    add("--detail", action="store_true", help="also every cut of the result, as text")
    add("--tables", type=Path, metavar="FOLDER", help="every table as CSV and Parquet")
    add("--report", type=Path, metavar="FILE", help="one HTML page that needs no network")
    add_json(verb)


def add_report(sub: Sub) -> None:
    """Adds `report` and `compare`."""
    for name, does, examples in (
        (
            "report",
            "one day of a journal: what was earned, by whom, and how sure one may be",
            "dailyarb report --day all --format html --output report.html",
        ),
        (
            "compare",
            "the strategies of a journal side by side, each evidence class on its own",
            "dailyarb compare --day all\ndailyarb compare --day all --tables tables/",
        ),
    ):
        verb = add_which(add_verb(sub, name, does, examples, f"report:{name}"))
        add = verb.add_argument
        add("--day", default="", metavar="D", help="as 2026-04-13, or all; default the newest")
        add("--evidence", default="", metavar="CLASS", help="sim, replay, paper or live alone")
        add("--format", choices=("text", "md", "html", "json", "csv"), default="text")
        add("--output", type=Path, metavar="FILE", help="write it there")
        add("--tables", type=Path, metavar="FOLDER", help="every table as CSV and Parquet")
        add("--detail", action="store_true", help="also every cut of the result, as text")


def add_evidence(sub: Sub) -> None:
    """Adds `evidence`."""
    verb = add_verb(
        sub,
        "evidence",
        "which hypotheses stand on a folder of recordings, as one page of Markdown",
        "dailyarb evidence recordings/ --output docs/evidence.md",
        "evidence:evidence",
    )
    add_config(verb)
    verb.add_argument("folder", type=Path, metavar="FOLDER", help="in the layout of the page")
    verb.add_argument("--output", type=Path, metavar="FILE", help="write it there")
    verb.add_argument(
        "--jobs", type=int, default=0, metavar="N", help="processes, default one a free core"
    )


def add_recordings(sub: Sub) -> None:
    """Adds `record` and `import`."""
    unset = argparse.SUPPRESS
    verb = add_which(
        add_verb(
            sub,
            "record",
            "frames of the venues into a recording; nothing is traded",
            "dailyarb record --venues live --duration 1h",
            "recordings:record",
        ),
        json=False,
    )
    add = verb.add_argument
    add("--venues", type=venues, metavar="WHERE", default=unset, help="embedded or live")
    add("--duration", type=duration, metavar="90s", default=unset, help="end by itself after this")
    verb = add_which(
        add_verb(
            sub,
            "import",
            "a foreign recording into one of ours, with what it cannot say",
            "dailyarb import recordings/cronos-5m-depth",
            "recordings:import_source",
        )
    )
    verb.add_argument(
        "source", metavar="SOURCE", help="a file, or a folder of them"
    )
    verb.add_argument(
        "--output",
        type=Path,
        metavar="FOLDER",
        help="a new one, default beside the instance",
    )


def add_diff(sub: Sub) -> None:
    """Adds `diff`."""
    verb = add_which(
        add_verb(
            sub,
            "diff",
            "a run beside a backtest of its own recording: latency, queue, fees, frames, code",
            "dailyarb diff\ndailyarb diff 1f3a9c --report diff.html",
            "diff:diff",
        )
    )
    verb.add_argument("run", nargs="?", default="", metavar="RUN", help="default: the newest")
    verb.add_argument("--format", choices=("text", "md"), default="text")
    verb.add_argument("--report", type=Path, metavar="FILE", help="one HTML page")

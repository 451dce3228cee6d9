"""The grammar of the command line. Imports nothing heavy: `--help` must answer at once."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

from dailyarb import __version__

Sub = Any  # argparse gives its subparsers action no public name

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, None: 1.0}
RUNGS = {"full": "FULL", "reduced": "REDUCED", "hedge": "HEDGE_ONLY", "halted": "HALTED"}

_EXIT_CODES = """\
exit codes: 0 clean, 1 the answer is no, 2 bad usage or config, 3 journal or disk unusable,
4 instance or wallet in use, 5 stopped by breaker, 6 stopped with orders unverified,
7 preflight failed, 70 internal error"""


def duration(text: str) -> float:
    """Returns the seconds of `90s`, `5m`, `1.5h` or a bare number."""
    found = _DURATION.fullmatch(text.strip())
    seconds = float(found[1]) * _SECONDS[found[2]] if found else 0.0
    if not 0 < seconds <= 366 * 86400:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration; write 90s, 5m or 1h")
    return seconds


def venues(text: str) -> tuple[str, str]:
    """Returns kind and recording of `embedded`, `live` or `replay:PATH`."""
    kind, _, path = text.partition(":")
    if kind in ("embedded", "live") and not path:
        return kind, ""
    if kind == "replay" and path:
        return kind, path
    raise argparse.ArgumentTypeError(f"{text!r}; allowed: embedded, live, replay:PATH")


def names(text: str) -> tuple[str, ...]:
    """Returns the parts of a list with commas."""
    parts = tuple(part.strip() for part in text.split(",") if part.strip())
    if not parts:
        raise argparse.ArgumentTypeError("an empty list")
    return parts


def port(text: str) -> int:
    """Returns a port number; 0 lets the system choose."""
    if text.isdecimal() and int(text) <= 65535:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no port, 0 to 65535")


class _Parser(argparse.ArgumentParser):
    """Takes no abbreviated options: a script must not change its meaning with a new option."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("allow_abbrev", False)
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(**options)


def _verb(sub: Sub, name: str, does: str, example: str, call: str) -> argparse.ArgumentParser:
    """Adds one verb.

    Args:
        sub: where it is added.
        name: as typed.
        does: one line of help.
        example: one or more commands that work, shown below the help.
        call: `module:function` under `dailyarb.verbs`.
    """
    lines = "\n".join(f"  {line}" for line in example.splitlines())
    verb: argparse.ArgumentParser = sub.add_parser(
        name, help=does, description=does[0].upper() + does[1:] + ".", epilog=f"example:\n{lines}"
    )
    verb.set_defaults(call=call)
    return verb


def _group(sub: Sub, name: str, does: str) -> Sub:
    """Adds a verb that only holds others."""
    group = sub.add_parser(name, help=does, description=does[0].upper() + does[1:] + ".")
    return group.add_subparsers(dest=f"{name}_verb", metavar="VERB", required=True)


def _which(verb: argparse.ArgumentParser, *, json: bool = True) -> argparse.ArgumentParser:
    """Adds the options of every verb that meets an engine: which one, and JSON."""
    unset = argparse.SUPPRESS  # or a default here would undo what stands before the verb
    verb.add_argument("--instance", metavar="NAME", default=unset, help="which engine")
    verb.add_argument("--config", type=Path, metavar="FILE", default=unset, help="configuration")
    if json:
        _json(verb)
    return verb


def _json(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--json", action="store_true", help="JSON instead of text")


def _run_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--version", action="version", version=f"dailyarb {__version__}")
    add("--no-ui", action="store_true", help="the engine in the foreground, no console")
    add(
        "--config",
        type=Path,
        metavar="FILE",
        help="default ./config.toml, then your own, then the packaged one",
    )
    add(
        "--instance", metavar="NAME", default="", help="engines of different names run side by side"
    )
    add("--venues", type=venues, metavar="WHERE", help="embedded, live or replay:PATH")
    add("--mode", choices=("sim", "dry", "paper"), default="", help="what becomes of an order")
    add("--live", action="store_true", help="real orders; needs a file of your own and arming")
    add("--arm", metavar="NAME", default="", help="with --no-ui --live: arm this instance")
    add("--strategies", type=names, metavar="S1,S2", default=(), help="evaluate these only")
    add("--seed", type=int, metavar="N", help="of the embedded venues")
    add("--speed", type=float, metavar="X", help="pace of a replay, 1 as recorded")
    add("--duration", type=duration, metavar="90s", help="with --no-ui: end by itself after this")
    add("--inline", action="store_true", help="the engine inside the console's process")
    add("--log-level", choices=("debug", "info", "warn", "error", "critical"), default="")
    add("--log-file", metavar="FILE", default="")


def _looks(sub: Sub) -> None:
    """Adds the verbs that look at what is."""
    verb = _which(
        _verb(
            sub,
            "attach",
            "a console on a running engine",
            "dailyarb attach --observe",
            "run:attach",
        ),
        json=False,
    )
    verb.add_argument("--observe", action="store_true", help="look only: no command is sent")
    verb = _which(
        _verb(
            sub, "status", "one look at a running engine", "dailyarb status --watch", "look:status"
        )
    )
    verb.add_argument("--watch", action="store_true", help="again each second until Ctrl-C")
    verb.add_argument("--plain", action="store_true", help="one `name value` a line")
    verb = _which(
        _verb(
            sub,
            "why",
            "the gate that stops each market, its number and its limit",
            'dailyarb why "BTC 5m"',
            "look:why",
        )
    )
    verb.add_argument("market", nargs="?", default="", metavar="MARKET", help="label or id")
    verb = _which(
        _verb(sub, "orders", "orders, open and recent", "dailyarb orders --open", "look:orders")
    )
    verb.add_argument("--open", action="store_true", help="only those that may still fill")


def _records(sub: Sub) -> None:
    """Adds the verbs that look back: fills, profit and loss, alerts, log, windows."""
    verb = _which(
        _verb(
            sub,
            "fills",
            "fills from the journal, newest last",
            "dailyarb fills --last 50 --json",
            "look:fills",
        )
    )
    _last(verb)
    verb = _which(
        _verb(
            sub,
            "pnl",
            "profit and loss, each row with what it rests on",
            "dailyarb pnl --by market",
            "look:pnl",
        )
    )
    verb.add_argument("--by", choices=("strategy", "market", "hour"), default="strategy")
    _which(
        _verb(
            sub,
            "alerts",
            "alerts and whether they are acknowledged",
            "dailyarb alerts",
            "look:alerts",
        )
    )
    verb = _which(
        _verb(
            sub,
            "tail",
            "the log, readable",
            "dailyarb tail -f --evt 'order.*' --mkt btc-15m",
            "tail:tail",
        )
    )
    verb.add_argument("-f", "--follow", action="store_true", help="go on until Ctrl-C")
    verb.add_argument("--evt", metavar="GLOB", default="", help="events of this name")
    verb.add_argument("--mkt", metavar="TEXT", default="", help="markets that begin like this")
    _last(verb)
    _which(
        _verb(
            sub,
            "markets",
            "open and coming windows: strike, tick, fee, minimums",
            "dailyarb markets",
            "look:markets",
        )
    )


def _last(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--last", "-n", type=int, default=20, metavar="N", help="how many, default 20"
    )


def _ctl(sub: Sub) -> None:
    ctl = _group(sub, "ctl", "commands to a running engine; those that raise risk ask")

    def add(name: str, does: str, example: str = "") -> argparse.ArgumentParser:
        verb = _which(_verb(ctl, name, does, example or f"dailyarb ctl {name}", "ctl:command"))
        verb.add_argument("--yes", action="store_true", help="do not ask")
        verb.set_defaults(command=name)
        return verb

    def target(verb: argparse.ArgumentParser, metavar: str) -> None:
        verb.add_argument("target", nargs="?", default="", metavar=metavar)
        verb.add_argument("--all", action="store_true", help="all of them")

    add("halt", "HALT: no orders, all resting ones cancelled and verified")
    add("stop", "stop the engine: entries stop, orders cancelled and verified, exit")
    verb = add("risk", "set the operator's rung", "dailyarb ctl risk reduced")
    verb.add_argument("rung", choices=tuple(RUNGS))
    add("release", "release a halt")
    target(add("flatten", "close positions", "dailyarb ctl flatten --all"), "MARKET")
    target(add("cancel", "cancel resting orders", "dailyarb ctl cancel --all"), "ID")
    verb = add("mode", "dry or paper, while flat", "dailyarb ctl mode paper")
    verb.add_argument("mode", choices=("dry", "paper"))
    verb = add("arm", "arm live trading", "dailyarb ctl arm main")
    verb.add_argument("target", metavar="NAME", help="the instance's name, as a check")
    add("disarm", "disarm live trading: HALTED first")
    verb = add(
        "breaker",
        "list breakers, or reset one",
        "dailyarb ctl breaker list\ndailyarb ctl breaker reset loss.day --reason 'seen'",
    )
    verb.add_argument("action", choices=("list", "reset"))
    verb.add_argument("target", nargs="?", default="", metavar="NAME")
    verb.add_argument("--reason", default="", help="why; it is journalled")
    verb = add("strategy", "pause or resume a strategy", "dailyarb ctl strategy S1 pause")
    verb.add_argument("target", metavar="NAME")
    verb.add_argument("action", choices=("pause", "resume"))
    add("reconcile", "compare orders, positions and cash with the venue now")
    verb = add("ack", "acknowledge an alert, or --all", "dailyarb ctl ack --all")
    target(verb, "KEY")


def _tools(sub: Sub) -> None:
    verb = _which(
        _verb(
            sub,
            "verify",
            "chain, conservation and invariants of a journal",
            "dailyarb verify",
            "tools:verify",
        )
    )
    verb.add_argument("run", nargs="?", default="", metavar="RUN", help="default: all runs")
    verb = _verb(
        sub,
        "bench",
        "the budgets on this machine, each beside its peer",
        "dailyarb bench --only decode --json",
        "bench:bench",
    )
    verb.add_argument("--only", metavar="TEXT", default="", help="modules whose name holds this")
    verb.add_argument("--rounds", type=int, default=5, metavar="N", help="default 5")
    _json(verb)
    verb = _verb(
        sub,
        "sim",
        "the fault world: seeds, one seed again, planted defects",
        "dailyarb sim --seeds 2000\ndailyarb sim --seed 7 --trace",
        "sim:sim",
    )
    verb.add_argument("--seeds", type=int, default=2000, metavar="N", help="default 2000")
    verb.add_argument("--first", type=int, default=0, metavar="N", help="the first seed")
    verb.add_argument("--seed", type=int, metavar="N", help="this one alone")
    verb.add_argument("--trace", action="store_true", help="with --seed: every step")
    verb.add_argument("--profile", default="", metavar="F26", help="with this fault; F26+F68: both")
    verb.add_argument("--bug", default="", metavar="NAME", help="plant a defect; all: each")
    verb.add_argument("--jobs", type=int, default=0, metavar="N", help="default: one a core")
    verb.add_argument("--table", action="store_true", help="the catalogue of faults as Markdown")
    _json(verb)
    _which(
        _verb(
            sub, "doctor", "what is ok, what is not, what to do", "dailyarb doctor", "doctor:doctor"
        )
    )
    verb = _verb(
        sub,
        "venues",
        "the embedded venues alone, for other clients to connect to",
        "dailyarb venues --port 8700 --seed 7",
        "tools:venues",
    )
    verb.add_argument(
        "--port", type=port, default=0, metavar="P", help="first of seven; default: any free ones"
    )
    verb.add_argument(
        "--seed", type=int, default=1, metavar="N", help="the same seed, the same market"
    )
    verb.add_argument(
        "--greeting-file",
        default="",
        metavar="FILE",
        help="tell engines where it is: their venues.greeting_file",
    )


def _evidence(sub: Sub) -> None:
    """Adds the verbs that say what is true: backtest."""
    verb = _verb(
        sub,
        "backtest",
        "recordings through the same engine: signals, fills, money, and how sure one may be",
        "dailyarb backtest recordings/ --strategy S2\n"
        "dailyarb backtest a.jsonl.zst --set S2.max_pair_cost_cents=96,97 --report out.html",
        "backtest:backtest",
    )
    _config(verb)
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
        help="one way to the venue, default 20,100,300; the first heads the report",
    )
    add(
        "--queue",
        type=names,
        default=("adverse", "optimistic"),
        metavar="WHERE",
        help="of resting orders, default adverse,optimistic",
    )
    add(
        "--rules",
        choices=("recorded", "today"),
        default="recorded",
        help="fee and hold of the recording's date, or today's",
    )
    add("--seed", type=int, default=1, metavar="N", help="of latencies and redrawn blocks")
    add("--jobs", type=int, default=0, metavar="N", help="processes, default one a free core")
    add("--detail", action="store_true", help="also every cut of the result, as text")
    add("--report", type=Path, metavar="FILE", help="one HTML page that needs no network")
    _json(verb)


def _report(sub: Sub) -> None:
    verb = _which(
        _verb(
            sub,
            "report",
            "one day of a journal: what was earned, by whom, and how sure one may be",
            "dailyarb report --evidence paper\n"
            "dailyarb report --day all --format html --output report.html",
            "report:report",
        )
    )
    add = verb.add_argument
    add("--day", default="", metavar="D", help="as 2026-04-13, or all; default the newest")
    add("--evidence", default="", metavar="CLASS", help="sim, replay, paper or live alone")
    add("--format", choices=("text", "md", "html", "json", "csv"), default="text")
    add("--output", type=Path, metavar="FILE", help="write it there")
    add("--detail", action="store_true", help="also every cut of the result, as text")


def _config(verb: argparse.ArgumentParser) -> None:
    """Adds the file a verb reads."""
    verb.add_argument(
        "--config", type=Path, metavar="FILE", default=argparse.SUPPRESS, help="configuration"
    )


def _files(sub: Sub) -> None:
    """Adds the verbs about files: configuration, themes, keys, places."""
    config = _group(sub, "config", "check, show or describe the configuration")
    verb = _verb(
        config,
        "check",
        "every fault of a file at once",
        "dailyarb config check ./config.toml",
        "settings:check",
    )
    verb.add_argument("file", nargs="?", type=Path, metavar="FILE")
    verb.add_argument("--live", action="store_true", help="as strict as --live is")
    _json(verb)
    _which(
        _verb(
            config,
            "show",
            "every value in force and where it comes from",
            "dailyarb config show --json",
            "settings:show",
        )
    )
    _verb(
        config,
        "schema",
        "JSON Schema of config.toml, for editors",
        "dailyarb config schema > schema.json",
        "settings:schema",
    )
    _verb(
        config,
        "reference",
        "every key as Markdown",
        "dailyarb config reference",
        "settings:reference",
    )
    themes = _group(sub, "themes", "list, check or show the console's themes")
    _json(_verb(themes, "list", "the themes found", "dailyarb themes list", "themes:list_themes"))
    verb = _verb(
        themes,
        "check",
        "contrast and colour-blind safety of a theme file",
        "dailyarb themes check my.toml",
        "themes:check",
    )
    verb.add_argument("file", type=Path, metavar="FILE")
    _json(verb)
    verb = _verb(
        themes, "show", "the colours of a theme", "dailyarb themes show desk-dark", "themes:show"
    )
    verb.add_argument("name", metavar="NAME")
    _json(verb)
    _which(
        _verb(
            sub, "keys", "the console's keys, as they are bound", "dailyarb keys", "settings:keys"
        )
    )
    _which(
        _verb(
            sub,
            "locate",
            "which file each path and setting comes from",
            "dailyarb locate",
            "settings:locate",
        )
    )


def build() -> argparse.ArgumentParser:
    """Returns the parser of the whole command line."""
    parser = _Parser(
        prog="dailyarb",
        description="Without a verb: start the engine if none runs, and attach the console.",
        epilog=f"example:\n  dailyarb --no-ui --duration 60s\n\n{_EXIT_CODES}",
    )
    _run_options(parser)
    parser.set_defaults(call="run:run")
    sub = parser.add_subparsers(dest="verb", metavar="VERB", title="verbs", parser_class=_Parser)
    _looks(sub)
    _records(sub)
    _ctl(sub)
    _tools(sub)
    _evidence(sub)
    _report(sub)
    _files(sub)
    return parser

"""The grammar of the command line. Imports nothing heavy: `--help` must answer at once."""

from __future__ import annotations

import argparse
from pathlib import Path

from dailyarb import __version__
from dailyarb.verbs.parser_evidence import (
    add_backtest,
    add_diff,
    add_evidence,
    add_recordings,
    add_report,
)
from dailyarb.verbs.words import (
    Parser,
    Sub,
    add_group,
    add_json,
    add_verb,
    add_which,
    duration,
    names,
    port,
    venues,
)

__all__ = ["RUNGS", "build", "duration", "venues"]

RUNGS = {"full": "FULL", "reduced": "REDUCED", "hedge": "HEDGE_ONLY", "halted": "HALTED"}

_EXIT_CODES = """\
exit codes: 0 clean, 1 the answer is no, 2 bad usage or config, 3 journal or disk unusable,
4 instance or wallet in use, 5 stopped by breaker, 6 stopped with orders unverified,
7 preflight failed, 70 internal error"""


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
    verb = add_which(
        add_verb(
            sub,
            "attach",
            "a console on a running engine",
            "dailyarb attach --observe",
            "run:attach",
        ),
        json=False,
    )
    verb.add_argument("--observe", action="store_true", help="look only: no command is sent")
    verb = add_which(
        add_verb(
            sub, "status", "one look at a running engine", "dailyarb status --watch", "look:status"
        )
    )
    verb.add_argument("--watch", action="store_true", help="again each second until Ctrl-C")
    verb.add_argument("--plain", action="store_true", help="one `name value` a line")
    verb = add_which(
        add_verb(
            sub,
            "why",
            "the gate that stops each market, its number and its limit",
            'dailyarb why "BTC 5m"',
            "look:why",
        )
    )
    verb.add_argument("market", nargs="?", default="", metavar="MARKET", help="label or id")
    verb = add_which(
        add_verb(sub, "orders", "orders, open and recent", "dailyarb orders --open", "look:orders")
    )
    verb.add_argument("--open", action="store_true", help="only those that may still fill")


def _records(sub: Sub) -> None:
    """Adds the verbs that look back: fills, profit and loss, alerts, log, windows."""
    verb = add_which(
        add_verb(
            sub,
            "fills",
            "fills from the journal, newest last",
            "dailyarb fills --last 50 --json",
            "look:fills",
        )
    )
    _last(verb)
    verb = add_which(
        add_verb(
            sub,
            "pnl",
            "profit and loss, each row with what it rests on",
            "dailyarb pnl --by market",
            "look:pnl",
        )
    )
    verb.add_argument("--by", choices=("strategy", "market", "hour"), default="strategy")
    verb = add_which(
        add_verb(
            sub,
            "alerts",
            "alerts and whether they are acknowledged",
            "dailyarb alerts",
            "look:alerts",
        )
    )
    verb.add_argument("--test", action="store_true", help="send a test through each channel")
    verb = add_which(
        add_verb(
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
    verb.add_argument("--table", action="store_true", help="the catalogue of events as Markdown")
    _last(verb)
    add_which(
        add_verb(
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
    ctl = add_group(sub, "ctl", "commands to a running engine; those that raise risk ask")

    def add(name: str, does: str, example: str = "") -> argparse.ArgumentParser:
        shown = example or f"dailyarb ctl {name}"
        verb = add_which(add_verb(ctl, name, does, shown, "ctl:command"))
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
    add("claim", "check that what decided markets paid has come")
    add("reload", "read the file again: limits count at once, all else after a restart")
    verb = add(
        "lease",
        "who may raise risk from a console; release takes it away",
        "dailyarb ctl lease\ndailyarb ctl lease release --yes",
    )
    verb.add_argument("action", nargs="?", choices=("show", "release"), default="show")
    verb = add("ack", "acknowledge an alert, or --all", "dailyarb ctl ack --all")
    target(verb, "KEY")


def _proofs(sub: Sub) -> None:
    """Adds the verbs that prove something: a journal, the budgets, the invariants."""
    verb = add_which(
        add_verb(
            sub,
            "verify",
            "chain, conservation and invariants of a journal",
            "dailyarb verify",
            "tools:verify",
        )
    )
    verb.add_argument("run", nargs="?", default="", metavar="RUN", help="default: all runs")
    verb.add_argument(
        "--rebuild", action="store_true", help="keep a broken one aside, begin anew from the venue"
    )
    verb = add_verb(
        sub,
        "bench",
        "the budgets on this machine, each beside its peer",
        "dailyarb bench --only decode --json\n"
        "dailyarb bench --only console  # its first paint, budget 0.8 s",
        "bench:bench",
    )
    verb.add_argument("--only", metavar="TEXT", default="", help="modules whose name holds this")
    verb.add_argument("--rounds", type=int, default=5, metavar="N", help="default 5")
    add_json(verb)
    verb = add_verb(
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
    verb.add_argument("--resume", default="", metavar="FILE", help="go on where FILE says it was")
    verb.add_argument("--kills", action="store_true", help="kill each seed at every command")
    verb.add_argument("--table", action="store_true", help="the catalogue of faults as Markdown")
    add_json(verb)


def _tools(sub: Sub) -> None:
    """Adds the verbs that look at an installation, explain, or serve the embedded venues."""
    add_which(
        add_verb(
            sub, "doctor", "what is ok, what is not, what to do", "dailyarb doctor", "doctor:doctor"
        )
    )
    verb = add_verb(
        sub,
        "runbook",
        "what to do about a symptom, a breaker, a gate or an alert",
        "dailyarb runbook loss.day",
        "runbook:runbook",
    )
    verb.add_argument("name", nargs="?", default="", metavar="NAME", help="default: the whole page")
    verb = add_verb(
        sub,
        "strategies",
        "what each strategy believes, what refutes it, and its settings",
        "dailyarb strategies S4",
        "strategies:strategies",
    )
    verb.add_argument("name", nargs="?", default="", metavar="NAME", help="default: all of them")
    verb = add_verb(
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


def _files(sub: Sub) -> None:
    """Adds the verbs about files: configuration, themes, keys, places."""
    config = add_group(sub, "config", "check, show or describe the configuration")
    verb = add_verb(
        config,
        "check",
        "every fault of a file at once",
        "dailyarb config check ./config.toml",
        "settings:check",
    )
    verb.add_argument("file", nargs="?", type=Path, metavar="FILE")
    verb.add_argument("--live", action="store_true", help="as strict as --live is")
    add_json(verb)
    add_which(
        add_verb(
            config,
            "show",
            "every value in force and where it comes from",
            "dailyarb config show --json",
            "settings:show",
        )
    )
    add_verb(
        config,
        "schema",
        "JSON Schema of config.toml, for editors",
        "dailyarb config schema > schema.json",
        "settings:schema",
    )
    add_verb(
        config,
        "reference",
        "every key as Markdown",
        "dailyarb config reference",
        "settings:reference",
    )
    themes = add_group(sub, "themes", "list, check or show the console's themes")
    verb = add_verb(
        themes, "list", "the themes found", "dailyarb themes list", "themes:list_themes"
    )
    add_json(verb)
    verb = add_verb(
        themes,
        "check",
        "contrast and colour-blind safety of a theme file",
        "dailyarb themes check my.toml",
        "themes:check",
    )
    verb.add_argument("file", type=Path, metavar="FILE")
    add_json(verb)
    verb = add_verb(
        themes, "show", "the colours of a theme", "dailyarb themes show desk-dark", "themes:show"
    )
    verb.add_argument("name", metavar="NAME")
    add_json(verb)
    add_which(
        add_verb(
            sub, "keys", "the console's keys, as they are bound", "dailyarb keys", "settings:keys"
        )
    )
    add_which(
        add_verb(
            sub,
            "locate",
            "which file each path and setting comes from",
            "dailyarb locate",
            "settings:locate",
        )
    )


def build() -> argparse.ArgumentParser:
    """Returns the parser of the whole command line."""
    parser = Parser(
        prog="dailyarb",
        description="Without a verb: start the engine if none runs, and attach the console.",
        epilog=f"example:\n  dailyarb --no-ui --duration 60s\n\n{_EXIT_CODES}",
    )
    _run_options(parser)
    parser.set_defaults(call="run:run")
    sub = parser.add_subparsers(dest="verb", metavar="VERB", title="verbs", parser_class=Parser)
    _looks(sub)
    _records(sub)
    _ctl(sub)
    _proofs(sub)
    _tools(sub)
    add_backtest(sub)
    add_report(sub)
    add_evidence(sub)
    add_recordings(sub)
    add_diff(sub)
    _files(sub)
    return parser

"""The words of the grammar: how values are read, and how a verb is added."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

Sub = Any  # argparse gives its subparsers action no public name

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, None: 1.0}


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


class Parser(argparse.ArgumentParser):
    """Takes no abbreviated options: a script must not change its meaning with a new option."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("allow_abbrev", False)
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(**options)


def add_verb(sub: Sub, name: str, does: str, example: str, call: str) -> argparse.ArgumentParser:
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


def add_group(sub: Sub, name: str, does: str) -> Sub:
    """Adds a verb that only holds others."""
    group = sub.add_parser(name, help=does, description=does[0].upper() + does[1:] + ".")
    return group.add_subparsers(dest=f"{name}_verb", metavar="VERB", required=True)


def add_which(verb: argparse.ArgumentParser, *, json: bool = True) -> argparse.ArgumentParser:
    """Adds the options of every verb that meets an engine: which one, and JSON."""
    unset = argparse.SUPPRESS  # or a default here would undo what stands before the verb
    verb.add_argument("--instance", metavar="NAME", default=unset, help="which engine")
    verb.add_argument("--config", type=Path, metavar="FILE", default=unset, help="configuration")
    if json:
        add_json(verb)
    return verb


def add_json(verb: argparse.ArgumentParser) -> None:
    """Adds --json."""
    verb.add_argument("--json", action="store_true", help="JSON instead of text")


def add_config(verb: argparse.ArgumentParser) -> None:
    """Adds the file a verb reads."""
    verb.add_argument(
        "--config", type=Path, metavar="FILE", default=argparse.SUPPRESS, help="configuration"
    )

"""Verbs about files and settings: config, keys, locate."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import msgspec

from dailyarb import config, resources
from dailyarb.core.domain.errors import ConfigError
from dailyarb.verbs.output import Column, Output, UsageError, yes


def check(arguments: Namespace, out: Output) -> int:
    """Checks a file: every fault at once, exit 2 if there is one."""
    try:
        loaded = config.load(arguments.file, live=arguments.live)
    except ConfigError as error:
        if out.json:
            out.value({"ok": False, "problems": msgspec.to_builtins(error.problems)})
        else:
            count = len(error.problems)
            out.warn(f"{error}\n{count} fault{'s' if count > 1 else ''}")
        return 2
    if out.json:
        out.value({"ok": True, "file": str(loaded.path), "hash": loaded.hash, "problems": []})
    else:
        note = "; packaged, embedded venues only" if loaded.packaged else ""
        out.write(f"{loaded.path}: ok, {len(loaded.provenance)} settings, {loaded.hash}{note}")
    return 0


def show(arguments: Namespace, out: Output) -> int:
    """Shows every value in force and where it comes from."""
    instance = getattr(arguments, "instance", "")
    given = {"instance": instance} if instance else {}
    loaded = config.load(arguments.config, given)
    rows = [
        {"key": key, "value": value, "source": loaded.provenance.get(key, config.DEFAULT)}
        for key, value in config.flat(loaded.settings).items()
    ]
    columns = [Column("key", "key"), Column("value", "value", _literal), Column("source", "from")]
    out.table(columns, rows, empty="no settings")
    return 0


def schema(_arguments: Namespace, out: Output) -> int:
    """Writes the JSON Schema."""
    out.write(json.dumps(config.schema(), indent=2))
    return 0


def reference(_arguments: Namespace, out: Output) -> int:
    """Writes every key as Markdown."""
    out.write(config.reference().rstrip("\n"))
    return 0


def locate(arguments: Namespace, out: Output) -> int:
    """Shows which file each path comes from, and whether it is there."""
    from dailyarb.verbs.engine import instance_of, places

    found = config.find(arguments.config)
    place = places(instance_of(arguments))
    given = [] if arguments.config is None else [arguments.config]
    rows = [_place("config", path, used=path == found) for path in [*given, *config.candidates()]]
    rows += [
        _place("themes", resources.themes_dir()),
        _place("run directory", place.run_dir),
        _place("board", place.board),
        _place("control socket", place.socket),
        _place("state directory", place.state_dir),
        _place("journal", place.journal),
        _place("log", place.log),
        _place("recordings", place.recordings),
    ]
    columns = [
        Column("what", "what"),
        Column("path", "path"),
        Column("there", "there", yes),
        Column("used", "used", lambda used: "used" if used else ""),
    ]
    out.table(columns, rows, empty="nothing")
    return 0


def _place(what: str, path: Path, *, used: bool = False) -> dict[str, Any]:
    return {"what": what, "path": str(path.absolute()), "there": path.exists(), "used": used}


def _literal(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def keys(arguments: Namespace, out: Output) -> int:
    """Shows the console's keys as they are bound."""
    from dailyarb.tui import keys as keymap

    try:
        wanted = keymap.checked_keymap(config.load(arguments.config).settings.keys)
    except keymap.KeymapError as error:
        raise UsageError(str(error)) from None
    rows = [{"id": name, "keys": bound, "does": does} for name, bound, does in keymap.table(wanted)]
    columns = [Column("keys", "keys"), Column("id", "id"), Column("does", "does")]
    out.table(columns, rows, empty="no keys")
    return 0

"""What a setting may be, said in words: ranges, units, nearest names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import inspect

UNITS = {
    "usd": "dollars",
    "cents": "cents",
    "shares": "shares",
    "bps": "basis points",
    "ms": "milliseconds",
    "s": "seconds",
    "mib": "mebibytes",
    "hz": "times a second",
    "percent": "percent",
    "bytes": "bytes",
    "e5": "steps of 0.00001 dollars",
}
# Endings that people write for a unit, and which is none of ours.
_FOREIGN = {"bp", "sec", "secs", "seconds", "minutes", "min", "dollars", "cent", "mb", "gb", "pct"}
_SHOWN = 48


def unit(key: str) -> str:
    """Returns the unit in a key's name in words, or ""."""
    for part in reversed(key.split("_")):
        if part in UNITS:
            return UNITS[part]
    return ""


def _stem(key: str) -> tuple[str, ...]:
    """Returns a key's name without units."""
    return tuple(p for p in key.lower().split("_") if p not in UNITS and p not in _FOREIGN)


def _number(value: float | int) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,g}"


def _range(info: inspect.IntType | inspect.FloatType) -> str:
    low = f"above {_number(info.gt)}" if info.gt is not None else ""
    if info.ge is not None:
        low = _number(info.ge)
    high = _number(info.le) if info.le is not None else ""
    if low and high:
        return f"{low}, at most {high}" if info.gt is not None else f"{low} to {high}"
    return low or (f"at most {high}" if high else "")


def allowed(kind: inspect.Type) -> str:
    """Returns the values a type admits, in words: `whole number, 1 to 3,600,000`."""
    if isinstance(kind, inspect.IntType):
        return f"whole number, {_range(kind)}".rstrip(", ")
    if isinstance(kind, inspect.FloatType):
        return f"number, {_range(kind)}".rstrip(", ")
    if isinstance(kind, inspect.BoolType):
        return "true or false"
    if isinstance(kind, inspect.StrType):
        return f"text of the form {kind.pattern}" if kind.pattern else "text"
    if isinstance(kind, inspect.EnumType):
        return ", ".join(f'"{member.value}"' for member in kind.cls)
    if isinstance(kind, inspect.VarTupleType):
        return f"list of {allowed(kind.item_type)}"
    if isinstance(kind, inspect.DictType):
        return f"table of {allowed(kind.value_type)}"
    return "table"


def shown(value: object) -> str:
    """Returns a value of the file short enough for one line, as TOML would write it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a table"
    text = msgspec.json.encode(value).decode() if isinstance(value, str) else str(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def nearest(word: str, names: Iterable[str]) -> str:
    """Returns the valid name that is most like a word, or "" if none is near."""
    known = list(names)
    alike = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word.lower(), list(alike), n=1, cutoff=0.6)
    return alike[found[0]] if found else ""


def did_you_mean(key: str, siblings: Iterable[str], elsewhere: Iterable[str]) -> str:
    """Returns the hint for an unknown key: a wrong unit, a wrong table or a wrong spelling.

    Args:
        key: the key as written.
        siblings: the names its table knows.
        elsewhere: dotted names of the whole file.
    """
    names = list(siblings)
    for name in names:
        if _stem(name) == _stem(key):
            return f"did you mean {name}? The unit is part of the name: {unit(name) or 'none'}"
    homes = [dotted for dotted in elsewhere if dotted.rsplit(".", 1)[-1] == key]
    if homes:
        return f"it belongs to {' or '.join(homes)}"
    if name := nearest(key, names):
        return f"did you mean {name}?"
    return f"known here: {', '.join(sorted(names))}"


def literal(value: Any) -> str:
    """Returns a default as TOML writes it."""
    plain = msgspec.to_builtins(value)
    if isinstance(plain, list | tuple):
        return "[" + ", ".join(literal(item) for item in plain) + "]"
    if isinstance(plain, bool):
        return "true" if plain else "false"
    return msgspec.json.encode(plain).decode()

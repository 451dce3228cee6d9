"""Raw TOML tables into the settings structs: every fault at once, each with its place.

msgspec stops at the first fault and knows no lines, so this walks the structs itself and hands
msgspec one value at a time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from dailyarb.config import lines, words
from dailyarb.core.domain.errors import Problem
from dailyarb.core.domain.settings import Settings

T = TypeVar("T", bound=msgspec.Struct)
COMMAND_LINE = "command line"
DEFAULT = "default"
SECRETS = ("credentials", "alerts")  # values of these tables are never repeated in a message


class Source(msgspec.Struct, frozen=True):
    """Is a configuration file as text: its name in messages and the line of each key."""

    name: str
    text: str
    lines: dict[tuple[str, ...], int]

    @classmethod
    def of(cls, name: str, text: str) -> Source:
        """Returns the source of one text."""
        return cls(name, text, lines.key_lines(text))


def dotted_names(cls: type[msgspec.Struct] = Settings, prefix: str = "") -> list[str]:
    """Returns every key of the settings by dotted name; `*` stands for a name of the user's."""
    names: list[str] = []
    for field in msgspec.structs.fields(cls):
        name = f"{prefix}{field.name}"
        kind = inspect.type_info(field.type)
        if isinstance(kind, inspect.StructType):
            names += dotted_names(kind.cls, f"{name}.")
        elif isinstance(kind, inspect.DictType) and isinstance(kind.value_type, inspect.StructType):
            names += dotted_names(kind.value_type.cls, f"{name}.*.")
        else:
            names.append(name)
    return names


class Reader:
    """Reads tables into structs and keeps what it found out on the way.

    Attributes:
        problems: every fault so far.
        provenance: dotted key to `file:line`, `default` or `command line`.
        values: dotted key to value, of all that could be read.
    """

    def __init__(self, source: Source, given: frozenset[str]) -> None:
        self.problems: list[Problem] = []
        self.provenance: dict[str, str] = {}
        self.values: dict[str, object] = {}
        self._source = source
        self._given = given  # dotted keys that the command line set
        self._names = dotted_names()

    def table(self, cls: type[T], raw: object, path: tuple[str, ...]) -> T | None:
        """Returns the struct of one table, or None if anything in it is wrong."""
        if not isinstance(raw, Mapping):
            self.fault(path, f"is {words.shown(raw)}", "allowed: a table")
            return None
        fields = {field.name: field for field in msgspec.structs.fields(cls)}
        for key in raw:
            if key not in fields:
                hint = words.did_you_mean(key, fields, self._names)
                self.fault((*path, key), "unknown key", hint)
        values: dict[str, Any] = {}
        before = len(self.problems)
        for field in fields.values():
            self._field(field, raw, path, values)
        if len(self.problems) > before or set(raw) - set(fields):
            return None
        return cls(**values)

    def fault(self, path: tuple[str, ...], what: str, hint: str = "") -> None:
        """Notes one fault at a key."""
        key = ".".join(path)
        if key in self._given:
            self.problems.append(Problem(COMMAND_LINE, 0, key, what, hint))
            return
        line = lines.line_of(self._source.lines, path)
        self.problems.append(Problem(self._source.name, line, key, what, hint))

    def _field(
        self,
        field: msgspec.structs.FieldInfo,
        raw: Mapping[str, object],
        path: tuple[str, ...],
        values: dict[str, Any],
    ) -> None:
        """Reads one field into `values`, or notes why not."""
        here = (*path, field.name)
        kind = inspect.type_info(field.type)
        if isinstance(kind, inspect.StructType):
            # An absent table is read as an empty one, so that each limit it lacks is named.
            values[field.name] = self.table(kind.cls, raw.get(field.name, {}), here)
        elif isinstance(kind, inspect.DictType) and isinstance(kind.value_type, inspect.StructType):
            values[field.name] = self._tables(kind.value_type.cls, raw.get(field.name, {}), here)
        elif field.name in raw:
            values[field.name] = self._leaf(field.type, kind, raw[field.name], here)
        elif field.required:
            money = field.name.endswith("_usd")
            why = "; a money limit has no default: state it" if money else ""
            self.fault(here, "missing", f"allowed: {words.allowed(kind)}{why}")
        else:
            values[field.name] = (
                field.default
                if field.default_factory is msgspec.NODEFAULT
                else (field.default_factory())
            )
            self.provenance[".".join(here)] = DEFAULT
            self.values[".".join(here)] = values[field.name]

    def _tables(
        self, cls: type[msgspec.Struct], raw: object, path: tuple[str, ...]
    ) -> dict[str, msgspec.Struct]:
        """Reads a table whose keys are names of the user's, each with a table of one shape."""
        if not isinstance(raw, Mapping):
            self.fault(path, f"is {words.shown(raw)}", "allowed: a table")
            return {}
        self.values[".".join(path)] = tuple(raw)
        read = {name: self.table(cls, inner, (*path, name)) for name, inner in raw.items()}
        return {name: table for name, table in read.items() if table is not None}

    def _leaf(self, kind: type, info: inspect.Type, value: object, path: tuple[str, ...]) -> object:
        """Returns one value in its type; notes a fault instead of raising."""
        key = ".".join(path)
        self.provenance[key] = self._origin(path)
        said = "not shown here" if path[0] in SECRETS else words.shown(value)
        hint = f"allowed: {words.allowed(info)}"
        if isinstance(info, inspect.EnumType) and isinstance(value, str):
            near = words.nearest(value, [str(member.value) for member in info.cls])
            hint += f'; did you mean "{near}"?' if near else ""
        elif named := words.unit(path[-1]):
            hint += f" ({named})"
        if isinstance(info, inspect.IntType) and isinstance(value, float):
            self.fault(path, f"is {said}, not a whole number", hint)
        elif isinstance(value, float) and not math.isfinite(value):
            self.fault(path, f"is {said}, not a number", hint)
        else:
            try:
                self.values[key] = msgspec.convert(value, kind, strict=True)
            except msgspec.ValidationError:
                self.fault(path, f"is {said}", hint)
        return self.values.get(key)

    def _origin(self, path: tuple[str, ...]) -> str:
        if ".".join(path) in self._given:
            return COMMAND_LINE
        return f"{self._source.name}:{lines.line_of(self._source.lines, path)}"

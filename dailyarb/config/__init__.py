"""Configuration: `config.toml` into the frozen structs of `core.domain.settings`.

| reads | does |
| --- | --- |
| `load` | file and command line into `Loaded`, or `ConfigError` with every fault |
| `again` | the same file, for a program that goes on: limits count at once, the rest waits |
| `find` | which file is read: given, `./config.toml`, the user's folder, the packaged one |
| `schema`, `reference` | the settings as JSON Schema, and as a page for people |

Secrets are references here and stay so: nothing in this room resolves one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from dailyarb import resources
from dailyarb.config import checks
from dailyarb.config.reading import COMMAND_LINE, DEFAULT, Reader, Source, dotted_names
from dailyarb.config.reference import reference
from dailyarb.core.domain.errors import ConfigError, Problem
from dailyarb.core.domain.settings import Settings

__all__ = [
    "COMMAND_LINE",
    "DEFAULT",
    "Loaded",
    "candidates",
    "dotted_names",
    "find",
    "flat",
    "load",
    "packaged",
    "peek",
    "reference",
    "schema",
]

SCHEMA_VERSION = 1
FILE_BYTES_MAX = 1 << 20


class Loaded(msgspec.Struct, frozen=True):
    """Is a configuration in force.

    Attributes:
        settings: the values.
        provenance: dotted key to `file:line`, `default` or `command line`.
        path: the file that was read.
        hash: 16 hex digits over all values in force; equal values, equal hash.
        packaged: whether the file is the packaged one, or a copy without a change.
        given: what the command line laid over the file, by dotted key.
        live: whether the command said `--live`.
    """

    settings: Settings
    provenance: dict[str, str]
    path: Path
    hash: str
    packaged: bool
    given: dict[str, Any] = {}
    live: bool = False


def candidates() -> list[Path]:
    """Returns the files that are looked for, in order; the last one always exists."""
    import platformdirs

    return [
        Path("config.toml"),
        platformdirs.user_config_path("dailyarb") / "config.toml",
        resources.default_config_path(),
    ]


def find(path: Path | None = None) -> Path:
    """Returns the file to read: the one given, else the first candidate that exists."""
    if path is not None:
        return path
    return next(found for found in candidates() if found.is_file())


def packaged(path: Path) -> bool:
    """Says whether a file is the packaged one, or an unchanged copy of it."""
    default = resources.default_config_path()
    try:
        return path.samefile(default) or path.read_bytes() == default.read_bytes()
    except OSError:
        return False


def load(
    path: Path | None = None,
    overrides: Mapping[str, object] | None = None,
    *,
    live: bool = False,
) -> Loaded:
    """Returns the configuration in force.

    Args:
        path: the file; None looks in the usual places (`candidates`).
        overrides: dotted key to value, from the command line; they win over the file.
        live: whether the command said `--live`.

    Raises:
        ConfigError: anything is wrong; it carries every fault, with file, line, key and hint.
    """
    file = find(path)
    text = _text(file)
    raw = _parse(file, text)
    given = dict(overrides or {})
    for key, value in given.items():
        _put(raw, key, value)
    reader = Reader(Source.of(str(file), text), frozenset(given))
    _check_version(raw, reader)
    settings = reader.table(Settings, raw, ())
    own = packaged(file)
    faults = checks.cross_faults(reader.values)
    faults += checks.live_faults(reader.values, live=live, packaged=own)
    for key, what, hint in faults:
        reader.fault(tuple(key.split(".")), what, hint)
    if reader.problems or settings is None:
        raise ConfigError(sorted(reader.problems, key=lambda p: (p.line == 0, p.line, p.key)))
    return Loaded(settings, reader.provenance, file, _hash(settings), own, given, live)


def again(loaded: Loaded) -> tuple[Loaded, tuple[str, ...]]:
    """Reads the same file again, under the same command line, for a program that goes on.

    Returns:
        What is in force then, limits of the new file and all else as before, and the dotted keys
        that differ in the file and wait for a restart.

    Raises:
        ConfigError: the file is faulty; nothing of it counts.
    """
    fresh = load(loaded.path, loaded.given, live=loaded.live)
    old, new = loaded.settings, fresh.settings
    settings = msgspec.structs.replace(old, risk=new.risk, breakers=new.breakers)
    before, after = flat(settings), flat(new)
    waits = tuple(sorted(k for k in before | after if before.get(k) != after.get(k)))
    return (
        Loaded(
            settings, fresh.provenance, fresh.path, _hash(settings), fresh.packaged,
            fresh.given, fresh.live,
        ),
        waits,
    )  # fmt: skip


def flat(settings: Settings) -> dict[str, Any]:
    """Returns every value in force by dotted key, as plain types."""
    return dict(_flatten(msgspec.to_builtins(settings), ""))


def schema() -> dict[str, Any]:
    """Returns the JSON Schema of `config.toml`, for editors."""
    return msgspec.json.schema(Settings)


def _flatten(value: object, prefix: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flatten(inner, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value


def _text(file: Path) -> str:
    """Returns the text of a file; what cannot be read is a fault of the configuration."""
    try:
        raw = file.read_bytes()
    except OSError as error:
        what = error.strerror or "cannot be read"
        hint = "dailyarb locate names the files it looks for"
        raise ConfigError([Problem(str(file), 0, "file", what, hint)]) from None
    if len(raw) > FILE_BYTES_MAX:
        what = f"is larger than {FILE_BYTES_MAX:,} bytes"
        raise ConfigError([Problem(str(file), 0, "file", what)])
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ConfigError([Problem(str(file), line, "file", "is not UTF-8 text")]) from None


def _parse(file: Path, text: str) -> dict[str, Any]:
    """Returns the raw tables; a syntax fault is the only one then, with its line."""
    import tomli

    try:
        return tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        said = str(error)
        at = re.search(r"at line (\d+)", said)
        what = re.sub(r"\s*\(at [^)]*\)$", "", said)
        raise ConfigError([Problem(str(file), int(at[1]) if at else 0, "syntax", what)]) from None
    except RecursionError:
        raise ConfigError([Problem(str(file), 0, "syntax", "is nested too deeply")]) from None


def _put(raw: dict[str, Any], key: str, value: object) -> None:
    """Lays one value of the command line over the tables of the file."""
    *tables, name = key.split(".")
    here = raw
    for table in tables:
        inner = here.setdefault(table, {})
        if not isinstance(inner, dict):
            return  # the file has a value where a table belongs: the reader says so
        here = inner
    here[name] = value


def _check_version(raw: dict[str, Any], reader: Reader) -> None:
    """Says plainly when a file is of another version than this program reads."""
    version = raw.get("schema_version", SCHEMA_VERSION)
    if isinstance(version, int) and version > SCHEMA_VERSION:
        hint = f"this program reads schema_version {SCHEMA_VERSION}; use a newer dailyarb"
        reader.fault(("schema_version",), "is of a later version", hint)


def _hash(settings: Settings) -> str:
    encoded = msgspec.json.encode(settings, order="sorted")
    return hashlib.blake2b(encoded, digest_size=8).hexdigest()


def peek(path: Path | None, key: str) -> str:
    """Returns one text of the file by dotted key, or "", however broken the rest may be.

    A halt must reach its engine even when the file does not pass its checks.
    """
    file = find(path)
    try:
        value: object = _parse(file, _text(file))
    except ConfigError:
        return ""
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""

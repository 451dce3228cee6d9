"""The settings as a page for people, made from the structs and the packaged file's own words."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import inspect

from dailyarb import resources
from dailyarb.config import checks, lines, words
from dailyarb.core.domain.settings import Settings

_HEAD = """\
# Configuration

Made by `dailyarb config reference`; do not edit. Every key, what it may be, and what it is when
the file does not say. Units are part of the name. Money limits have no default: a file without one
is refused. An unknown key is refused with the nearest valid name.

The file is looked for in this order: `--config FILE`, `./config.toml`, the user's configuration
folder, the packaged file (embedded venues, play money). `dailyarb locate` names them.
"""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _rows(
    cls: type[msgspec.Struct], path: tuple[str, ...], said: dict[tuple[str, ...], str]
) -> Iterator[str]:
    """Gives the lines of one table, then those of the tables in it."""
    inner: list[tuple[type[msgspec.Struct], tuple[str, ...]]] = []
    sample = tuple(part for part in path)
    if path and path[-1] == "*":  # told by the first entry of the packaged file
        sample = next(key for key in said if len(key) == len(path) and key[:-1] == path[:-1])
    title = ".".join("NAME" if part == "*" else part for part in path)
    yield f"\n## {f'[{title}]' if path else 'Top of the file'}\n"
    if path and said.get(sample):
        yield f"{said[sample]}\n"
    yield "| key | allowed | default | meaning |\n| --- | --- | --- | --- |"
    for field in msgspec.structs.fields(cls):
        kind = inspect.type_info(field.type)
        if isinstance(kind, inspect.StructType):
            inner.append((kind.cls, (*path, field.name)))
        elif isinstance(kind, inspect.DictType) and isinstance(kind.value_type, inspect.StructType):
            inner.append((kind.value_type.cls, (*path, field.name, "*")))
        else:
            default = "none: state it"
            if not field.required:
                made = field.default_factory
                value = field.default if made is msgspec.NODEFAULT else made()
                default = f"`{words.literal(value)}`"
            some = checks.WORDS.get(".".join((*path, field.name)))
            range_ = ", ".join(some) if some else words.allowed(kind)
            meaning = _cell(said.get((*sample, field.name), ""))
            yield f"| `{field.name}` | {_cell(range_)} | {default} | {meaning} |"
    for table, deeper in inner:
        yield from _rows(table, deeper, said)


def reference() -> str:
    """Returns the reference of all settings as Markdown."""
    said = lines.comments(resources.default_config_path().read_text(encoding="utf-8"))
    return _HEAD + "\n".join(_rows(Settings, (), said)) + "\n"

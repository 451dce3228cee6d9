"""Where a key stands in a TOML text: the parser gives values, this gives their lines.

Reads the text the way an eye does: table headers, keys at the start of a line, skipping what lies
inside multi-line strings and arrays. Only for messages: a text the parser refuses is never scanned.
"""

from __future__ import annotations

import re

Path = tuple[str, ...]

_PART = r"(?:[A-Za-z0-9_-]+|\"[^\"\n]*\"|'[^'\n]*')"
_KEY = re.compile(rf"\s*({_PART}(?:\s*\.\s*{_PART})*)\s*=")
_HEADER = re.compile(rf"\s*\[\[?\s*({_PART}(?:\s*\.\s*{_PART})*)\s*\]\]?\s*(?:#.*)?$")
_SPLIT = re.compile(_PART)
# One-line strings, the opening of a multi-line string, comments and brackets, in that order.
_TOKEN = re.compile(
    r"\"\"\"|'''|\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*'|#[^\n]*|[\[\]{}]",
)


def _parts(dotted: str) -> Path:
    return tuple(part.strip("\"'") for part in _SPLIT.findall(dotted))


class _Depth:
    """Follows open brackets and multi-line strings from line to line."""

    def __init__(self) -> None:
        self.brackets = 0
        self.quote = ""

    def read(self, line: str) -> None:
        at = 0
        while at < len(line):
            if self.quote:
                end = line.find(self.quote, at)
                if end < 0:
                    return
                at, self.quote = end + 3, ""
                continue
            token = _TOKEN.search(line, at)
            if token is None:
                return
            at = token.end()
            text = token.group()
            if text in ('"""', "'''"):
                self.quote = text
            elif text in "[{":
                self.brackets += 1
            elif text in "]}":
                self.brackets -= 1

    @property
    def inside(self) -> bool:
        return bool(self.quote) or self.brackets > 0


def key_lines(text: str) -> dict[Path, int]:
    """Returns the line (from 1) of every table header and key, by full path.

    Keys inside an inline table stand at the line of the table; ask `line_of` for them.
    """
    found: dict[Path, int] = {}
    table: Path = ()
    depth = _Depth()
    for number, line in enumerate(text.splitlines(), start=1):
        if depth.inside:
            depth.read(line)
            continue
        if header := _HEADER.match(line):
            table = _parts(header.group(1))
            found.setdefault(table, number)
            continue
        if key := _KEY.match(line):
            found.setdefault(table + _parts(key.group(1)), number)
            depth.read(line[key.end() :])
    return found


def line_of(lines: dict[Path, int], path: Path) -> int:
    """Returns the line of a key, or of the nearest table around it, or 0."""
    for end in range(len(path), 0, -1):
        if path[:end] in lines:
            return lines[path[:end]]
    return 0


def comments(text: str) -> dict[Path, str]:
    """Returns what the file itself says about each key and table.

    That is the comment behind a key, or else the comment lines right above a key or header.
    """
    said: dict[Path, str] = {}
    above: list[str] = []
    table: Path = ()
    for line in text.splitlines():
        bare = line.strip()
        if bare.startswith("#"):
            above.append(bare.lstrip("# ").rstrip())
            continue
        if header := _HEADER.match(line):
            table = _parts(header.group(1))
            said[table] = " ".join(above)
        elif key := _KEY.match(line):
            behind = [t for t in _TOKEN.findall(line[key.end() :]) if t.startswith("#")]
            own = behind[0].lstrip("# ").rstrip() if behind else " ".join(above)
            said[table + _parts(key.group(1))] = own
        above = []
    return said

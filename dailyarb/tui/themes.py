"""Themes from TOML files: loaded, checked for contrast and for red-green colour blindness."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import tomli

from dailyarb.core.domain.errors import DailyarbError
from dailyarb.resources import themes_dir

if TYPE_CHECKING:
    from textual.theme import Theme

DEFAULT = "desk-dark"
CONTRAST_MIN = 4.5  # WCAG AA for text
DISTANCE_MIN = 40.0  # CIE76, between gain and loss as a colour-blind eye sees them
COLORS = ("primary", "secondary", "accent", "success", "warning", "error", "foreground",
          "background", "surface", "panel")  # fmt: skip
SEMANTIC = ("up", "down", "bid", "ask", "ok", "live", "paper", "sim", "dry", "replay", "full",
            "reduced", "hedge", "halted", "stale", "own", "old")  # fmt: skip
TEXT_STYLES = ("critical", "live", "own")
_TEXT_WORDS = frozenset({"bold", "reverse", "underline", "italic", "dim", "none", "strike"})
_TABLES = {"theme": ("name", "dark", "description", "extends"), "colors": COLORS,
           "semantic": SEMANTIC, "text": TEXT_STYLES}  # fmt: skip

Rgb = tuple[float, float, float]


class ThemeError(DailyarbError):
    """Says which file and key of a theme is wrong, and why."""

    def __init__(self, path: Path, key: str, reason: str) -> None:
        super().__init__(f"{path}: {key}: {reason}")
        self.path, self.key, self.reason = path, key, reason


class Palette(msgspec.Struct, frozen=True):
    """Is one theme as its file says: colours as #RRGGBB, text styles as words."""

    name: str
    dark: bool
    description: str
    colors: dict[str, str]
    semantic: dict[str, str]
    text: dict[str, str]
    path: str = ""


class Finding(msgspec.Struct, frozen=True):
    """Is one measurement of a theme."""

    what: str
    number: float
    limit: float

    @property
    def ok(self) -> bool:
        """Says whether the measurement is at or above its limit."""
        return self.number >= self.limit


def theme_folders(extra: str = "") -> list[Path]:
    """Returns where themes are looked for; a later folder wins by name."""
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    folders = [themes_dir(), home / "dailyarb" / "themes"]
    return [*folders, Path(extra).expanduser()] if extra else folders


def load_all(folders: Iterable[Path]) -> tuple[dict[str, Palette], list[ThemeError]]:
    """Returns every good theme by name, and what is wrong with the others."""
    found: dict[str, Palette] = {}
    faults: list[ThemeError] = []
    for folder in folders:
        for path in sorted(folder.glob("*.toml")) if folder.is_dir() else ():
            try:
                palette = load(path, found)
            except ThemeError as error:
                faults.append(error)
            else:
                found[palette.name] = palette
    return found, faults


def load(path: Path, known: dict[str, Palette] | None = None) -> Palette:
    """Returns one theme.

    Args:
        path: the TOML file.
        known: themes that `extends` may name.

    Raises:
        ThemeError: unreadable, an unknown key, a missing or unreadable colour.
    """
    try:
        raw = tomli.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomli.TOMLDecodeError) as error:
        raise ThemeError(path, "file", str(error)) from error
    _refuse_unknown(path, raw)
    head = raw.get("theme", {})
    name = head.get("name")
    if not isinstance(name, str) or not name.isascii() or not name:
        raise ThemeError(path, "theme.name", "a name is needed")
    parent = _parent(path, head.get("extends", ""), known or {})
    colors = _colors(path, "colors", COLORS, raw, parent.colors if parent else {})
    semantic = _colors(path, "semantic", SEMANTIC, raw, parent.semantic if parent else {})
    text = dict(parent.text if parent else {"critical": "bold reverse", "live": "bold reverse",
                                            "own": "bold underline"})  # fmt: skip
    for key, words in raw.get("text", {}).items():
        if not isinstance(words, str) or not set(words.split()) <= _TEXT_WORDS:
            raise ThemeError(path, f"text.{key}", f"{words!r} is not made of {sorted(_TEXT_WORDS)}")
        text[key] = words
    dark = head.get("dark", parent.dark if parent else True)
    if not isinstance(dark, bool):
        raise ThemeError(path, "theme.dark", "true or false")
    return Palette(name, dark, str(head.get("description", "")), colors, semantic, text, str(path))


def _refuse_unknown(path: Path, raw: dict[str, Any]) -> None:
    for table, body in raw.items():
        if table not in _TABLES:
            raise ThemeError(path, table, f"unknown table; known are {', '.join(_TABLES)}")
        if not isinstance(body, dict):
            raise ThemeError(path, table, "must be a table")
        for key in body:
            if key not in _TABLES[table]:
                raise ThemeError(path, f"{table}.{key}", "unknown key")


def _parent(path: Path, name: object, known: dict[str, Palette]) -> Palette | None:
    if not name:
        return None
    if not isinstance(name, str) or name not in known:
        raise ThemeError(path, "theme.extends", f"no theme called {name!r} is loaded before it")
    return known[name]


def _colors(
    path: Path, table: str, names: tuple[str, ...], raw: dict[str, Any], inherited: dict[str, str]
) -> dict[str, str]:
    colors = dict(inherited)
    for key, text in raw.get(table, {}).items():
        colors[key] = _color(path, f"{table}.{key}", text)
    for name in names:
        if name not in colors:
            raise ThemeError(path, f"{table}.{name}", "missing")
    return colors


def _color(path: Path, key: str, text: object) -> str:
    from textual.color import Color, ColorParseError

    try:
        return Color.parse(text if isinstance(text, str) else "").hex6
    except ColorParseError as error:
        raise ThemeError(path, key, f"{text!r} is not a colour") from error


def variables(palette: Palette) -> dict[str, str]:
    """Returns the CSS variables of a theme: `da-up`, `da-down`, `da-text-critical`."""
    named = {f"da-{name}": color for name, color in palette.semantic.items()}
    named |= {f"da-text-{name}": words for name, words in palette.text.items()}
    return named


def as_textual(palette: Palette) -> Theme:
    """Returns the theme as Textual wants it registered."""
    from textual.theme import Theme

    colors: dict[str, Any] = {name: palette.colors[name] for name in COLORS}
    return Theme(name=palette.name, dark=palette.dark, variables=variables(palette), **colors)


@functools.cache
def default_variables() -> dict[str, str]:
    """Returns the default theme's CSS variables; read once a process."""
    return variables(load(themes_dir() / f"{DEFAULT}.toml"))


def check(palette: Palette) -> list[Finding]:
    """Returns contrast of every colour that carries text, and how far gain is from loss."""
    ground = rgb(palette.colors["background"])
    findings = [
        Finding(f"contrast {name}", round(contrast(rgb(color), ground), 2), CONTRAST_MIN)
        for name, color in palette.semantic.items()
    ]
    for name in ("foreground", "success", "warning", "error", "primary", "secondary", "accent"):
        number = contrast(rgb(palette.colors[name]), ground)
        findings.append(Finding(f"contrast {name}", round(number, 2), CONTRAST_MIN))
    up, down = rgb(palette.semantic["up"]), rgb(palette.semantic["down"])
    if up != down:  # a theme of one colour tells them apart by sign and arrow alone
        for eye, matrix in _EYES.items():
            number = distance(_seen(up, matrix), _seen(down, matrix))
            findings.append(Finding(f"up/down {eye}", round(number, 1), DISTANCE_MIN))
    return findings


def rgb(color: str) -> Rgb:
    """Returns #RRGGBB as three numbers from 0 to 1."""
    red, green, blue = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue


def contrast(one: Rgb, other: Rgb) -> float:
    """Returns the contrast ratio of two colours, 1 to 21 (WCAG 2.1)."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _linear(color: Rgb) -> Rgb:
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in color
    )
    return red, green, blue


def _luminance(color: Rgb) -> float:
    red, green, blue = _linear(color)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


# Machado, Oliveira and Fernandes 2009, severity 1, on linear light.
_EYES: dict[str, tuple[Rgb, Rgb, Rgb]] = {
    "protanopia": (
        (0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
}  # fmt: skip


def _seen(color: Rgb, matrix: tuple[Rgb, Rgb, Rgb]) -> Rgb:
    linear = _linear(color)
    red, green, blue = (
        min(1.0, max(0.0, sum(weight * part for weight, part in zip(row, linear, strict=True))))
        for row in matrix
    )
    return red, green, blue


def distance(one: Rgb, other: Rgb) -> float:
    """Returns the CIE76 distance of two colours given as linear light."""
    first, second = _lab(one), _lab(other)
    squares = ((a - b) ** 2 for a, b in zip(first, second, strict=True))
    return float(sum(squares) ** 0.5)


def _lab(linear: Rgb) -> Rgb:
    red, green, blue = linear
    x = (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.95047
    y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.08883
    fx, fy, fz = (
        part ** (1 / 3) if part > 0.008856 else 7.787 * part + 16 / 116 for part in (x, y, z)
    )
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)

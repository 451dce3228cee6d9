"""Shipped themes are readable by everyone; a bad file is refused by file, key and reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from dailyarb.resources import themes_dir
from dailyarb.tui import themes

GOOD = (themes_dir() / "desk-dark.toml").read_text(encoding="utf-8")
SHIPPED = ("classic", "desk-dark", "desk-light", "high-contrast", "mono")


def test_the_shipped_themes_load() -> None:
    found, faults = themes.load_all([themes_dir()])
    assert sorted(found) == list(SHIPPED)
    assert faults == []


@pytest.mark.parametrize("name", SHIPPED)
def test_contrast_and_colour_blind_distance_hold(name: str) -> None:
    palette = themes.load(themes_dir() / f"{name}.toml")
    assert [finding for finding in themes.check(palette) if not finding.ok] == []


def test_measures_agree_with_known_values() -> None:
    assert themes.contrast((0, 0, 0), (1, 1, 1)) == pytest.approx(21)
    green, red = themes.rgb("#00AA00"), themes.rgb("#CC0000")
    palette = themes.load(themes_dir() / "desk-dark.toml")
    measured = {finding.what: finding.number for finding in themes.check(palette)}
    assert measured["up/down deuteranopia"] == pytest.approx(111, abs=1)
    assert measured["up/down protanopia"] == pytest.approx(101, abs=1)
    assert themes.contrast(green, red) < themes.CONTRAST_MIN


@pytest.mark.parametrize(
    ("change", "key", "reason"),
    [
        (('up = "#56B4E9"', 'up = "blau"'), "semantic.up", "not a colour"),
        (('up = "#56B4E9"\n', ""), "semantic.up", "missing"),
        (('name = "desk-dark"', "name = 3"), "theme.name", "name is needed"),
        (("dark = true", 'dark = "yes"'), "theme.dark", "true or false"),
        (("[text]", "[texts]"), "texts", "unknown table"),
        (('own = "bold underline"', 'own = "blink"'), "text.own", "is not made of"),
        (('sim = "#56B4E9"', 'simm = "#56B4E9"'), "semantic.simm", "unknown key"),
        (("[theme]", "[theme"), "file", ""),
        (("dark = true", 'extends = "nobody"'), "theme.extends", "no theme called"),
    ],
)
def test_a_bad_theme_names_file_key_and_reason(
    tmp_path: Path, change: tuple[str, str], key: str, reason: str
) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(GOOD.replace(*change, 1), encoding="utf-8")
    with pytest.raises(themes.ThemeError) as caught:
        themes.load(path)
    assert caught.value.key == key
    assert reason in caught.value.reason
    assert str(path) in str(caught.value)


def test_a_theme_may_extend_another_and_a_later_folder_wins(tmp_path: Path) -> None:
    text = '[theme]\nname = "mine"\nextends = "desk-dark"\n[semantic]\nup = "#FFFFFF"\n'
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    (tmp_path / "zz.toml").write_text("nothing = 1", encoding="utf-8")
    found, faults = themes.load_all([themes_dir(), tmp_path])
    assert found["mine"].semantic["up"] == "#FFFFFF"
    assert found["mine"].colors == found["desk-dark"].colors
    assert [fault.path.name for fault in faults] == ["zz.toml"]
    assert themes.as_textual(found["mine"]).variables["da-up"] == "#FFFFFF"

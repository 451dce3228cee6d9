"""Packaging: what ships, and that a wheel built from the sdist works elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import tomli

import dailyarb
from dailyarb import resources

ROOT = Path(__file__).resolve().parent.parent.parent
PROJECT = tomli.loads((ROOT / "pyproject.toml").read_text())
THEMES = {path.name for path in (ROOT / "themes").glob("*.toml")}


def run(*argv: object, cwd: Path, **env: str) -> str:
    """Returns what a command says; fails with all it said."""
    clean = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH",)}
    ran = subprocess.run(
        [str(word) for word in argv], cwd=cwd, env={**clean, **env},
        check=False, capture_output=True, text=True, timeout=900,
    )  # fmt: skip
    assert ran.returncode == 0, f"{argv}: {ran.stdout}{ran.stderr}"
    return ran.stdout


class TestTheTree:
    def test_an_editable_install_reads_the_originals(self) -> None:
        assert resources.default_config_path() == ROOT / "config.toml"
        assert resources.themes_dir() == ROOT / "themes"

    def test_a_wheel_reads_its_copies(self, monkeypatch, tmp_path) -> None:
        monkeypatch.setattr(resources, "PACKAGE", tmp_path / "dailyarb")
        monkeypatch.setattr(resources, "SHIPPED", tmp_path / "dailyarb" / "_data")
        assert resources.default_config_path() == tmp_path / "dailyarb/_data/config.toml"

    def test_one_version_is_told_everywhere(self) -> None:
        assert PROJECT["project"]["version"] == dailyarb.__version__

    def test_the_headers_come_from_the_installed_parser_of_one_version(self) -> None:
        needed = [name for name in PROJECT["build-system"]["requires"] if "simdjson" in name]
        assert needed == ["pysimdjson==7.0.2"]
        assert needed[0] in PROJECT["project"]["dependencies"]
        assert list(ROOT.glob("dailyarb/**/simdjson.h")) == []

    def test_what_is_needed_to_build_is_stated_once_for_people_and_once_for_pip(self) -> None:
        stated = PROJECT["build-system"]["requires"]
        makefile = (ROOT / "Makefile").read_text()
        assert [name for name in stated if f"'{name}'" not in makefile] == []

    def test_every_import_of_another_project_is_a_stated_dependency(self) -> None:
        import ast

        extras = PROJECT["project"]["optional-dependencies"]
        stated = [*PROJECT["project"]["dependencies"], *(x for e in extras.values() for x in e)]
        names = {re.split(r"[<>=\[ ]", line)[0].lower().replace("-", "_") for line in stated}
        names |= {"simdjson", "cython", "dailyarb", "importlinter"}
        foreign: set[str] = set()
        for path in (ROOT / "dailyarb").rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    foreign |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module:
                    foreign.add(node.module.split(".")[0])
        assert {n for n in foreign if n not in sys.stdlib_module_names and n not in names} == set()

    def test_the_readme_has_the_two_commands_and_the_honest_sentence(self) -> None:
        text = (ROOT / "README.md").read_text()
        assert "make run" in text
        assert "make test" in text
        assert re.search(r"[Ss]imulated profit means nothing", text)
        for size in ("80x24", "120x40", "200x60"):
            assert f"docs/screens/{size}.svg" in text

    def test_recordings_that_ship_name_their_source_and_licence(self) -> None:
        for folder in ("data", "golden"):
            files = [path for path in (ROOT / "tests" / folder).rglob("*") if path.is_file()]
            if files:
                assert (ROOT / "tests" / folder / "README.md").exists()
        notice = (ROOT / "NOTICE").read_text()
        assert "CC BY 4.0" in notice
        assert "MIT License" in notice


@pytest.mark.slow
class TestElsewhere:
    @pytest.fixture(scope="class")
    def built(self, tmp_path_factory) -> Path:
        """Builds the sdist, and the wheel from the sdist, each isolated."""
        out = tmp_path_factory.mktemp("dist")
        run(sys.executable, "-m", "build", "--outdir", out, ROOT, cwd=out)
        return out

    def test_the_sdist_holds_all_that_is_needed_and_nothing_generated(self, built) -> None:
        with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
            names = {name.partition("/")[2] for name in archive.getnames()}
        assert {"config.toml", "LICENSE", "NOTICE", "setup.py", "README.md"} <= names
        assert {f"themes/{theme}" for theme in THEMES} <= names
        assert not [name for name in names if name.endswith(".so")]
        generated = [n for n in names if n.endswith(".cpp") and not n.endswith("_unit.cpp")]
        assert generated == []

    def test_the_wheel_carries_settings_and_themes_and_no_debug_text(self, built) -> None:
        wheel = next(built.glob("*.whl"))
        with zipfile.ZipFile(wheel) as archive:
            sizes = {info.filename: info.file_size for info in archive.infolist()}
        assert "dailyarb/_data/config.toml" in sizes
        assert {f"dailyarb/_data/themes/{theme}" for theme in THEMES} <= set(sizes)
        assert not [name for name in sizes if name.startswith("tests/")]
        compiled = {name: size for name, size in sizes.items() if name.endswith(".so")}
        assert compiled
        assert max(compiled.values()) < 2_000_000

    def test_it_installs_and_works_in_a_fresh_place(self, built, tmp_path) -> None:
        run(sys.executable, "-m", "venv", "venv", cwd=tmp_path)
        python, command = tmp_path / "venv/bin/python", tmp_path / "venv/bin/dailyarb"
        run(python, "-m", "pip", "install", "-q", next(built.glob("*.whl")), cwd=tmp_path)
        home = {"XDG_CONFIG_HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")}

        def say(*words: str) -> str:
            return run(command, *words, cwd=tmp_path, **home)

        assert say("--version") == f"dailyarb {dailyarb.__version__}\n"
        checked = say("config", "check")
        assert str(tmp_path) in checked
        assert "_data/config.toml: ok" in checked
        assert set(re.findall(r"(?m)^[\w-]+(?= +(?:dark|light))", say("themes", "list"))) == {
            theme.removesuffix(".toml") for theme in THEMES
        }
        assert "compiled modules" in say("doctor")

"""Layers: the import contracts hold, and the venue models share nothing with what they judge."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import tomli

ROOT = Path(__file__).resolve().parent.parent.parent
SIM = ROOT / "dailyarb" / "sim"
# What puts the models on sockets, plays recordings, or judges orders against a recorded book.
MOUNTS = re.compile(
    r"(loopback|embedded|world(?!_venue)\w*|network|fault\w*|recordings|replay\w*|fills\w*)\.py"
)
MODELS = sorted(
    path for path in SIM.glob("*.py") if path.name != "__init__.py" and not MOUNTS.match(path.name)
)


def imports(path: Path) -> set[str]:
    """Returns the modules of ours that a file imports, for types only or not."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            package = (ROOT / node.module.replace(".", "/")).is_dir()
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= inner if package else {node.module}
    return {name for name in found if name.split(".")[0] == "dailyarb"}


def test_the_import_contracts_hold() -> None:
    ran = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache", "--no-logo"],
        check=False, capture_output=True, text=True, timeout=120, cwd=ROOT,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_only_the_command_line_and_the_benchmarks_compose() -> None:
    """The composition root may look up at the console; so no room below may look through it."""
    users = {
        path.relative_to(ROOT / "dailyarb").parts[0]
        for path in (ROOT / "dailyarb").rglob("*.py")
        if "dailyarb.runtime.compose" in imports(path)
    }
    assert users <= {"verbs", "bench"}


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_a_venue_model_imports_models_only(path: Path) -> None:
    """Its money, rounding and fees are its own: an error of ours must not hide in both."""
    allowed = {f"dailyarb.sim.{model.stem}" for model in MODELS}
    assert {name for name in imports(path) if name not in allowed} == set()


def test_every_room_stands_in_the_table() -> None:
    contracts = tomli.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = next(c for c in contracts["contracts"] if c["id"] == "rooms")["layers"]
    known = {name.strip() for layer in layers for name in layer.split("|")}
    rooms = {
        f"dailyarb.{path.stem}"
        for path in (ROOT / "dailyarb").iterdir()
        if (path.is_dir() and (path / "__init__.py").exists())
        or (path.suffix == ".py" and path.name != "__init__.py")
    }
    assert rooms - known == set()

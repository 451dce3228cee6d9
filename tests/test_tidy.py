"""House rules that a machine can check: sizes, bans, layers at run time, nothing left behind."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FUNCTION_LINES_MAX = 70
MODULE_LINES_MAX = 500
METHODS_MAX = 12
PARAMETERS_MAX = 6
NESTING_MAX = 4
LINE_MAX = 100
# Textual calls these by name: they are its interface, not one of ours.
HOOKS = ("action_", "on_", "watch_", "check_action", "compose", "get_system_commands",
         "get_theme_variable_defaults", "render_line")  # fmt: skip

PACKAGE = sorted(path for path in (ROOT / "dailyarb").rglob("*.py") if "_data" not in path.parts)
TESTS = sorted((ROOT / "tests").rglob("*.py"))
NATIVE = sorted(
    path
    for pattern in ("*.pyx", "*.pxd", "*.hpp", "*.pyi")
    for path in (ROOT / "dailyarb").rglob(pattern)
)
TEXTS = [
    *PACKAGE,
    *TESTS,
    *NATIVE,
    *(ROOT / "docs").rglob("*.md"),
    *(ROOT / "themes").glob("*.toml"),
    *(ROOT / "tests").rglob("*.md"),
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "Makefile", "pyproject.toml")),
    *(ROOT / name for name in ("setup.py", "config.toml", ".ci/run", "MANIFEST.in", "NOTICE")),
]
# Where a path or a tool of the machine that made this would show. Written in pieces, or this
# file would find itself.
FORBIDDEN = re.compile(
    "|".join(
        [
            r"(?<![\w.])/" + r"work/",
            r"(?<![\w.])/" + r"tmp/(?!\{|\.)",
            r"\bissues " + r"(?:show|resolved|note|blocked)\b",
            r"\bfiles\." + r"pythonhosted\b",
            r"\bpypi\." + r"org\b",
            r"\bhelper " + r"[A-FR]\d?\b",
        ]
    )
)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def run(program: str) -> subprocess.CompletedProcess[str]:
    """Returns what a fresh interpreter says to a program."""
    argv = [sys.executable, "-c", program]
    return subprocess.run(argv, check=False, capture_output=True, text=True, timeout=60, cwd=ROOT)


def none(found: Iterable[str]) -> None:
    """Fails with all that was found, a line each."""
    listed = list(found)
    assert not listed, "\n" + "\n".join(listed)


def docstring_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first = node.body[0]
    if ast.get_docstring(node) is None or first.end_lineno is None:
        return 0
    return first.end_lineno - first.lineno + 1


def nesting(node: ast.AST, depth: int = 0) -> int:
    """Returns how deep blocks stand in each other; `elif` and `with` in `async for` count once."""
    blocks = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.Match)
    deepest = depth
    for field, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST):
                continue
            elif_ = isinstance(node, ast.If) and field == "orelse" and isinstance(child, ast.If)
            inner = depth + (isinstance(child, blocks) and not elif_)
            own = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            deepest = max(deepest, nesting(child, 0 if own else inner))
    return deepest


def too_long(path: Path) -> Iterator[str]:
    for node in functions(path):
        long = (node.end_lineno or 0) - node.lineno + 1 - docstring_lines(node)
        if long > FUNCTION_LINES_MAX:
            yield f"{name_of(path)}:{node.lineno} {node.name} has {long} lines"


def too_many_parameters(path: Path) -> Iterator[str]:
    for node in functions(path):
        asked = node.args
        names = [arg.arg for arg in (*asked.posonlyargs, *asked.args, *asked.kwonlyargs)]
        count = len([name for name in names if name not in ("self", "cls")])
        if count > PARAMETERS_MAX:
            yield f"{name_of(path)}:{node.lineno} {node.name} has {count} parameters"


def too_deep(path: Path) -> Iterator[str]:
    for node in functions(path):
        deep = nesting(node)
        if deep > NESTING_MAX:
            yield f"{name_of(path)}:{node.lineno} {node.name} nests {deep} deep"


def too_many_methods(path: Path) -> Iterator[str]:
    for node in ast.walk(tree_of(path)):
        if not isinstance(node, ast.ClassDef):
            continue
        public = [
            inner.name
            for inner in node.body
            if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef)
            and not inner.name.startswith(("_", *HOOKS))
            and not _reads(inner)
        ]
        if len(public) > METHODS_MAX:
            yield f"{name_of(path)}:{node.lineno} {node.name} has {len(public)} public methods"


def _reads(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Says whether a method is a property: it is read like a field, not called."""
    names = [decorator.id for decorator in node.decorator_list if isinstance(decorator, ast.Name)]
    return "property" in names


def blanket_excepts(path: Path) -> Iterator[str]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.ExceptHandler):
            caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            broad = {"Exception", "BaseException"}
            if any(kind is None or getattr(kind, "id", "") in broad for kind in caught):
                yield f"{name_of(path)}:{node.lineno}"


def swallowing(path: Path) -> Iterator[str]:
    """Gives the blankets in other words: `suppress(Exception)`."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "suppress":
            broad = {"Exception", "BaseException"}
            if any(getattr(kind, "id", "") in broad for kind in node.args):
                yield f"{name_of(path)}:{node.lineno}"


def prints(path: Path) -> Iterator[str]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print":
            yield f"{name_of(path)}:{node.lineno}"


@pytest.mark.parametrize(
    "rule", [too_long, too_many_parameters, too_deep, too_many_methods, swallowing]
)
def test_the_package_keeps_its_sizes(rule) -> None:
    none(fault for path in PACKAGE for fault in rule(path))


def test_no_module_is_longer_than_a_person_reads() -> None:
    sizes = {name_of(path): len(path.read_text().splitlines()) for path in (*PACKAGE, *NATIVE)}
    assert {name: size for name, size in sizes.items() if size > MODULE_LINES_MAX} == {}


def test_no_line_is_longer_than_the_editor_is_wide() -> None:
    long = [
        f"{name_of(path)}:{number}"
        for path in (*PACKAGE, *NATIVE)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if len(line) > LINE_MAX
    ]
    none(long)


def test_only_the_command_line_prints() -> None:
    assert {place.split(":")[0] for path in PACKAGE for place in prints(path)} <= {
        "dailyarb/cli.py"
    }


def test_only_the_supervisor_catches_everything() -> None:
    assert {place.split(":")[0] for path in PACKAGE for place in blanket_excepts(path)} <= {
        "dailyarb/runtime/supervisor.py"
    }


def test_every_module_says_what_it_is() -> None:
    silent = [name_of(path) for path in PACKAGE if not ast.get_docstring(tree_of(path))]
    none(silent)


def test_no_work_is_left_behind_without_a_number() -> None:
    left = re.compile(r"\b(?:TODO|FIX" + r"ME|X" + r"XX|HA" + r"CK)\b(?!.*#\d+)")
    found = [
        f"{name_of(path)}:{number}"
        for path in (*PACKAGE, *NATIVE, *TESTS)
        if path != Path(__file__).resolve()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if left.search(line)
    ]
    none(found)


def test_nothing_names_the_machine_it_was_made_on() -> None:
    found = [
        f"{name_of(path)}:{number}: {line.strip()}"
        for path in TEXTS
        if path.is_file() and path != Path(__file__).resolve()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if FORBIDDEN.search(line)
    ]
    none(found)


def test_every_compiled_module_has_its_types() -> None:
    missing = [
        name_of(path)
        for path in (ROOT / "dailyarb").rglob("*.pyx")
        if not path.with_suffix(".pyi").exists()
    ]
    none(missing)


def test_no_compiled_module_is_built_for_one_machine_or_with_loose_floats() -> None:
    flags = (ROOT / "setup.py").read_text() + (ROOT / "Makefile").read_text()
    assert "-march=" not in flags
    assert "-ffast-math" not in flags


def test_every_folder_of_the_package_is_a_package() -> None:
    folders = {path.parent for path in PACKAGE}
    assert [name_of(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


def test_core_is_loaded_without_sockets_threads_or_clock() -> None:
    """Proves the first layer at run time, where no import linter can be fooled."""
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in PACKAGE
        if path.is_relative_to(ROOT / "dailyarb" / "core")
    ]
    banned = ["asyncio", "socket", "sqlite3", "threading", "textual", "dailyarb.venues",
              "dailyarb.sim", "dailyarb.runtime", "dailyarb.config"]  # fmt: skip
    # Some modules of the standard library load threading themselves: what counts is what was not
    # there before, so msgspec, our one dependency, comes first.
    program = (
        "import sys, msgspec\n"
        "before = set(sys.modules)\n"
        f"import {', '.join(modules)}\n"
        f"print([name for name in {banned!r} if name in set(sys.modules) - before])\n"
    )
    ran = run(program)
    assert ran.stderr == ""
    assert ran.stdout.strip() == "[]"


def test_help_needs_nothing_heavy() -> None:
    program = (
        "import sys\n"
        "from dailyarb import cli\n"
        "try:\n    cli.main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = ('msgspec', 'rich', 'textual', 'asyncio', 'aiohttp', 'numpy', 'sqlite3')\n"
        "print([name for name in heavy if name in sys.modules], file=sys.stderr)\n"
    )
    ran = run(program)
    assert ran.stderr.strip() == "[]"

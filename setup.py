"""Builds the Cython rooms and lays the shipped files into the package."""

import importlib.util
import os
import shutil
import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
# `make` sets this: it installs first and compiles in place after, so as not to compile twice.
LINK_ONLY = os.environ.get("DAILYARB_LINK_ONLY") == "1"
# A wheel carries the core compiled by mypyc: the same source, nearly twice as fast. An editable
# tree runs the source itself, so that an edit needs no build; DAILYARB_PURE=1 leaves it out.
COMPILED_ROOMS = ("book", "execution", "engine", "ledger", "pricing", "risk", "strategies")
COMPILE = "bdist_wheel" in sys.argv and os.environ.get("DAILYARB_PURE") != "1"
COMPILED_MODULES = (
    "runtime/bursts.py", "runtime/replay.py", "runtime/replay_orders.py", "sim/fills.py",
    "sim/fills_order.py",
)  # fmt: skip
# Stay interpreted: others make subclasses of what is in them.
INTERPRETED = ("engine/engine.py",)
# `make sanitize` sets this to build with address and undefined-behaviour checks.
SANITIZE = os.environ.get("DAILYARB_SANITIZE") == "1"
CHECKS = ["-fsanitize=address,undefined"]
FLAGS = ["-O1", "-g", *CHECKS, "-fno-omit-frame-pointer"] if SANITIZE else ["-O3", "-g0"]
# The interpreter's own -g would make the modules ten times as large; GNU ld strips what is left.
STRIP = ["-Wl,-s"] if sys.platform.startswith("linux") else []
LINK = CHECKS if SANITIZE else STRIP


def simdjson_folder() -> str:
    """Returns the folder of simdjson.h and simdjson.cpp inside the installed pysimdjson."""
    spec = importlib.util.find_spec("simdjson")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("pysimdjson is missing: pip install pysimdjson==7.0.2")
    return spec.submodule_search_locations[0]


def extension(path: Path) -> Extension:
    """Returns the extension of one .pyx; a neighbouring NAME.sources lists further C++ units."""
    relative = path.relative_to(ROOT)
    extra = relative.with_suffix(".sources")
    sources = [str(relative)]
    if (ROOT / extra).exists():
        sources += [str(relative.parent / line) for line in (ROOT / extra).read_text().split()]
    return Extension(
        ".".join(relative.with_suffix("").parts),
        sources,
        language="c++",
        include_dirs=[simdjson_folder(), "dailyarb/_fast"],
        depends=[str(header.relative_to(ROOT)) for header in path.parent.glob("*.hpp")],
        extra_compile_args=["-std=c++17", *FLAGS],
        extra_link_args=LINK,
    )


def core_extensions() -> list[Extension]:
    """Returns the extensions of the core's rooms, compiled from their annotated source."""
    from mypyc.build import mypycify

    core = ROOT / "dailyarb" / "core"
    modules = [
        str(path.relative_to(ROOT))
        for room in COMPILED_ROOMS
        for path in sorted((core / room).glob("*.py"))
        if path.name != "__init__.py" and str(path.relative_to(core)) not in INTERPRETED
    ]
    modules += [f"dailyarb/{name}" for name in COMPILED_MODULES]
    # The build has not everything that the modules beside these import; lint has checked them.
    asked = ["--ignore-missing-imports", "--follow-imports=silent", *modules]
    return mypycify(
        asked, opt_level="3", debug_level="0", multi_file=True, group_name="dailyarb_core"
    )


class ShipData(build_py):
    """Copies config.toml and the themes into the built package; an editable one reads the tree."""

    def run(self) -> None:
        """Builds the Python files, then lays the shipped ones beside them."""
        super().run()
        if self.editable_mode:
            return
        data = Path(self.build_lib) / "dailyarb" / "_data"
        (data / "themes").mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / "config.toml", data / "config.toml")
        for theme in sorted((ROOT / "themes").glob("*.toml")):
            shutil.copyfile(theme, data / "themes" / theme.name)


setup(
    cmdclass={"build_py": ShipData},
    options={"build_ext": {"parallel": os.cpu_count()}},
    ext_modules=[]
    if LINK_ONLY
    else cythonize(
        [extension(path) for path in sorted((ROOT / "dailyarb").rglob("*.pyx"))],
        compiler_directives={"language_level": "3"},
    )
    + (core_extensions() if COMPILE else []),
)

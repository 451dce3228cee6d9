"""Builds the Cython rooms; everything else is in pyproject.toml."""

import importlib.util
import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

ROOT = Path(__file__).parent
# `make sanitize` sets this to build with address and undefined-behaviour checks.
SANITIZE = os.environ.get("DAILYARB_SANITIZE") == "1"
FLAGS = (
    ["-O1", "-g", "-fsanitize=address,undefined", "-fno-omit-frame-pointer"]
    if SANITIZE
    else ["-O3", "-g0"]
)
LINK = ["-fsanitize=address,undefined"] if SANITIZE else []


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
        extra_compile_args=["-std=c++17", *FLAGS],
        extra_link_args=LINK,
    )


setup(
    ext_modules=cythonize(
        [extension(p) for p in sorted((ROOT / "dailyarb").rglob("*.pyx"))],
        compiler_directives={"language_level": "3"},
    )
)

"""Files that ship with the package: the default configuration and the themes.

A wheel carries copies inside `dailyarb/_data`; an editable install or a checkout reads the
originals at the top of the tree, so there is one place to edit.
"""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
SHIPPED = PACKAGE / "_data"


def _shipped(name: str) -> Path:
    """Returns the original beside the package where there is one, else the copy inside it."""
    original = PACKAGE.parent / name
    if (PACKAGE.parent / "pyproject.toml").is_file() and original.exists():
        return original
    return SHIPPED / name


def default_config_path() -> Path:
    """Returns the packaged `config.toml`: embedded venues, play money."""
    return _shipped("config.toml")


def themes_dir() -> Path:
    """Returns the folder of the packaged themes, one TOML file each."""
    return _shipped("themes")

"""Fixtures shared by every folder of tests."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dailyarb import cli

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Gives the folder of foreign recordings; skips where it is absent (not all may be shipped)."""
    folder = Path(os.environ.get("DAILYARB_SHARED", ROOT.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip("foreign recordings are not on this machine (set DAILYARB_SHARED)")
    return folder


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs a command here and gives its exit code, output and errors."""

    def ran(*words: object) -> tuple[int, str, str]:
        try:
            code = cli.main([str(word) for word in words])
        except SystemExit as left:
            code = int(left.code or 0)
        heard = capsys.readouterr()
        return code, heard.out, heard.err

    return ran

"""Fixtures shared by every folder of tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Gives the folder of foreign recordings; skips where it is absent (not all may be shipped)."""
    folder = Path(os.environ.get("DAILYARB_SHARED", ROOT.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip("foreign recordings are not on this machine (set DAILYARB_SHARED)")
    return folder

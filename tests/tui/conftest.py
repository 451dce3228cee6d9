"""The console's tests run on a quiet, fixed terminal."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def quiet_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes away what the surrounding terminal might say."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TZ", "UTC")

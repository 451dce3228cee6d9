"""A console that falls says where, and shows no value of any variable (F91)."""

from __future__ import annotations

import pytest

from dailyarb.tui.app import Console, ConsoleOptions
from dailyarb.tui.source import FixtureSource

CANARY = "canary-5d1f0c3b"


def test_a_crash_tells_the_place_and_no_values(capfd: pytest.CaptureFixture[str]) -> None:
    async def watch() -> None:
        held = f"key {CANARY}"
        raise RuntimeError(f"boom of {len(held)}")

    console = Console(FixtureSource(None), ConsoleOptions(watch=watch))
    console.run(headless=True)
    said = "".join(capfd.readouterr())
    assert console.return_code == 1
    assert "RuntimeError: boom of 19" in said
    assert "in watch" in said
    assert CANARY not in said

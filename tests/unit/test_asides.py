"""Beside the engine runs what the settings ask for, and losing it stops nothing."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import pytest
from msgspec.structs import replace

from dailyarb.core.domain.settings import EngineSettings, Tuning
from dailyarb.runtime.asides import start_asides
from tests.rig import Rig, settings


class Started:
    """Stands for the supervisor: what was started, and whether its end would halt."""

    def __init__(self) -> None:
        self.tasks: dict[str, bool] = {}

    def start(self, name: str, work: Coroutine[Any, Any, object], critical: bool = True) -> None:
        """Notes a task and never runs it."""
        work.close()
        self.tasks[name] = critical


@pytest.mark.parametrize(
    ("rehearse_ms", "tunes", "expected"),
    [
        (0, False, {}),
        (1_000, False, {"understudy": False}),
        (0, True, {"tuner": False}),
        (1_000, True, {"understudy": False, "tuner": False}),
    ],
)
def test_it_starts_what_is_asked_for(
    rehearse_ms: int, tunes: bool, expected: dict[str, bool]
) -> None:
    own = replace(
        settings(), engine=EngineSettings(rehearse_ms=rehearse_ms), tuning=Tuning(enabled=tunes)
    )
    rig, started = Rig(config=own), Started()
    start_asides(started, rig.engine, rig.clock, lambda _: None)  # type: ignore[arg-type]
    assert started.tasks == expected

"""What works beside the engine in its own process, as far as the settings ask for it."""

from __future__ import annotations

from collections.abc import Callable

from dailyarb.core.domain.clock import Clock
from dailyarb.core.domain.events import Event
from dailyarb.core.engine.engine import Engine
from dailyarb.runtime.supervisor import Supervisor
from dailyarb.runtime.tuner import Tuner
from dailyarb.runtime.understudy import Understudy


def start_asides(
    supervisor: Supervisor, engine: Engine, clock: Clock, emit: Callable[[Event], None]
) -> None:
    """Starts the rehearsals and the tuner; losing either costs no order."""
    settings = engine.state.settings
    if every_ms := settings.engine.rehearse_ms:
        supervisor.start("understudy", Understudy().run(every_ms), critical=False)
    if settings.tuning.enabled:
        tuner = Tuner(settings, engine.state.fills.copy, clock, emit)
        supervisor.start("tuner", tuner.run(), critical=False)

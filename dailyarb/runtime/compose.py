"""Puts processes together: an engine in the foreground, a console on an engine, or both in one."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from typing import Any

from dailyarb.config import Loaded
from dailyarb.core.domain.settings import VenueKind
from dailyarb.runtime.cores import allowed, engine_core, pin_to, stay_off
from dailyarb.runtime.engine_run import RUN_ID_BYTES, EngineRun
from dailyarb.runtime.logs import Log, setup
from dailyarb.runtime.options import RunOptions
from dailyarb.runtime.paths import InstanceLock, Places

EXIT_CLEAN = 0


def run_headless(loaded: Loaded, options: RunOptions) -> int:
    """Runs the engine in the foreground until it ends; returns its exit code.

    Raises:
        DailyarbError: it cannot start; the caller turns each kind into its exit code.
    """
    places = Places(loaded.settings.instance)
    places.make()
    run = os.urandom(RUN_ID_BYTES).hex()
    cores = allowed()
    core = engine_core(loaded.settings.engine.core, cores)
    with InstanceLock(places, loaded.settings.credentials.wallet, run):
        log = setup(loaded.settings.log, run, places.instance, places.log, stream=True)
        try:
            return _foreground(loaded, options, places, log, run, core)
        finally:
            log.close()


def _foreground(  # noqa: PLR0913 - what a process is made of
    loaded: Loaded,
    options: RunOptions,
    places: Places,
    log: Log,
    run: str,
    core: int | None,
) -> int:
    off = _stay_off(core)
    off()
    life = EngineRun(loaded, options, places, log, run, off)
    life.open()  # helpers and venues are started while we are off the engine's core
    pin_to(core)
    try:
        code = _loop(lambda: _live(life))
    finally:
        life.release()
    log.flush()
    if options.duration_s is not None or loaded.settings.venues.kind is VenueKind.REPLAY:
        life.say_summary()
    return code


def _stay_off(core: int | None) -> Callable[[], None]:
    def off() -> None:
        stay_off(core)

    return off


async def _live(life: EngineRun) -> int:
    life.signals(asyncio.get_running_loop())
    return await life.run()


def _loop(main: Callable[[], Coroutine[Any, Any, int]]) -> int:
    """Runs a coroutine on uvloop where it is installed, else on asyncio's own loop."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main())
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main())

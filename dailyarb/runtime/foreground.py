"""One engine in this process: its lock, log, keeper and core, from birth to the last line."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from functools import partial
from typing import Any

from msgspec.structs import replace

from dailyarb.config import Loaded
from dailyarb.core.domain.rung import Mode
from dailyarb.runtime.charge import Charge, charge_of, start_keeper, watch_keeper
from dailyarb.runtime.cores import allowed, engine_core, pin_to, stay_off
from dailyarb.runtime.engine_run import RUN_ID_BYTES, EngineRun
from dailyarb.runtime.logs import setup
from dailyarb.runtime.options import RunOptions, engine_argv
from dailyarb.runtime.paths import InstanceLock, Places, take_lock
from dailyarb.runtime.readings import say_last


class Life:
    """Holds one engine with its lock and log, for as long as a `with` lasts.

    Args:
        loaded: settings in force.
        options: what the command asked.
        stream: whether log lines go to standard output too.
        venue: what to start as the venues instead of the configured ones: measuring.
    """

    def __init__(
        self,
        loaded: Loaded,
        options: RunOptions,
        stream: bool,
        venue: list[str] | None = None,
    ) -> None:
        self.places = Places(loaded.settings.instance)
        self.core = engine_core(loaded.settings.engine.core, allowed())
        self._venue = venue
        self._loaded = loaded
        self._options = options
        self._stream = stream
        self._stack = ExitStack()

    def __enter__(self) -> EngineRun:
        settings = self._loaded.settings
        self.places.make()
        run = os.urandom(RUN_ID_BYTES).hex()
        with ExitStack() as stack:
            stack.enter_context(InstanceLock(self.places, settings.credentials.wallet, run))
            log = setup(settings.log, run, self.places.instance, self.places.log, self._stream)
            stack.callback(log.close)
            # Whatever is started from here, thread or process, keeps off the engine's core.
            cores = stay_off(self.core)
            life = EngineRun(self._loaded, self._options, self.places, log, run, self.core)
            stack.callback(life.release)
            life.open(self._venue)
            if life.mode is Mode.LIVE and not settings.credentials.wallet:
                # A key that pays by itself names its wallet only now.
                payer = life.identity.payer
                told = json.dumps({"pid": os.getpid(), "run": run, "instance": settings.instance})
                lock = take_lock(f"wallet {payer}", self.places.wallet_lock(payer), told)
                stack.callback(os.close, lock)
            if self._venue is None:
                charge = self._charge(cores)
                keeper = start_keeper(charge)
                life.guard = partial(watch_keeper, charge, self.places)
                stack.callback(_let_go, keeper)
            self._stack = stack.pop_all()
        return life

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _charge(self, cores: frozenset[int]) -> Charge:
        """Returns what the keeper is given; a run inside a console or of a fixed length ends."""
        options = self._options
        again = () if options.inline or options.duration_s is not None else self._again()
        return charge_of(self._loaded.settings, self.core, sorted(cores), again)

    def _again(self) -> list[str]:
        """Returns the command that starts this engine again; it never arms."""
        return engine_argv(replace(self._options, arm=""), self._loaded.path)


def _let_go(keeper: subprocess.Popen[bytes]) -> None:
    """Leaves the keeper to see the end by itself; one that already left is reaped."""
    keeper.poll()


def run(loaded: Loaded, options: RunOptions) -> int:
    """Runs the engine in the foreground until it ends; returns its exit code.

    Raises:
        DailyarbError: it cannot start; the caller turns each kind into its exit code.
    """
    with Life(loaded, options, stream=True) as life:
        own_core(life)
        code = loop(lambda: _live(life))
        life.log.flush()
        say_last(life.summary())
    return code


async def _live(life: EngineRun) -> int:
    life.signals(asyncio.get_running_loop())
    return await life.run()


def own_core(life: EngineRun) -> None:
    """Pins this thread to the engine's core; every other process of ours keeps off it."""
    pin_to(life.core)


def loop(main: Callable[[], Coroutine[Any, Any, int]]) -> int:
    """Runs a coroutine on uvloop where it is installed, else on asyncio's own loop."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main())
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main())

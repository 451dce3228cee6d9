"""Puts processes together: an engine in the foreground, a console on an engine, or both in one.

What an engine needs is imported only where one runs: a console alone stays small.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from dailyarb.config import Loaded
from dailyarb.core.domain.errors import DailyarbError
from dailyarb.runtime.control_client import whoami
from dailyarb.runtime.cores import allowed, engine_core, stay_off
from dailyarb.runtime.launch import LaunchError, find, start_detached, wait_ready
from dailyarb.runtime.options import RunOptions, engine_argv
from dailyarb.runtime.paths import Places

if TYPE_CHECKING:
    from dailyarb.tui.app import Console


def run_headless(loaded: Loaded, options: RunOptions) -> int:
    """Runs the engine in the foreground until it ends; returns its exit code.

    Raises:
        DailyarbError: it cannot start; the caller turns each kind into its exit code.
    """
    from dailyarb.runtime import foreground

    return foreground.run(loaded, options)


def run_console(loaded: Loaded, options: RunOptions) -> int:
    """Opens a console; starts the instance's engine first if none runs.

    Raises:
        DailyarbError: the engine cannot start, or the console was asked to run one inside.
    """
    if options.inline:
        return _run_inline(loaded, options)
    places = Places(loaded.settings.instance)
    places.make()
    cores = stay_off(engine_core(loaded.settings.engine.core, allowed()))
    starter = _Starter(places, engine_argv(options, loaded.path), cores)
    code = _console(loaded, options, starter)
    if starter.failed is not None:
        raise starter.failed
    return code


def run_attach(loaded: Loaded, options: RunOptions) -> int:
    """Opens a console on the running engine of the instance.

    Raises:
        LaunchError: no engine runs.
    """
    places = Places(loaded.settings.instance)
    if find(places) is None:
        raise LaunchError(f"no engine runs for instance {places.instance}; start one: dailyarb", 2)
    stay_off(engine_core(loaded.settings.engine.core, allowed()))
    return _console(loaded, options, None)


class _Starter:
    """Starts the engine and watches it, from a task of the console."""

    def __init__(self, places: Places, argv: list[str], cores: frozenset[int]) -> None:
        self.failed: DailyarbError | None = None
        self.console: Console | None = None
        self._places = places
        self._argv = argv
        self._cores = cores

    async def watch(self) -> None:
        """Starts an engine if none runs; a start that fails ends the console with its words."""
        try:
            await asyncio.to_thread(self._start)
        except DailyarbError as error:
            self.failed = error
            if self.console is not None:
                self.console.exit(return_code=1)

    def _start(self) -> None:
        if find(self._places) is None:
            process = start_detached(self._argv, self._places.engine_output, self._cores)
            wait_ready(self._places, process)


def _console(loaded: Loaded, options: RunOptions, starter: _Starter | None) -> int:
    from dailyarb.tui.app import Console, ConsoleOptions
    from dailyarb.tui.source import BoardSource

    places = Places(loaded.settings.instance)
    who = whoami()
    source = BoardSource(places.board, places.socket, who=who, observe=options.observe)
    settings = loaded.settings
    console = Console(
        source,
        ConsoleOptions(
            ui=settings.ui,
            keys=settings.keys,
            who=who,
            log_path=Path(settings.log.file) if settings.log.file else places.log,
            journal_path=places.journal,
            watch=starter.watch if starter else None,
        ),
    )
    if starter is not None:
        starter.console = console
    try:
        result = console.run()
    finally:
        source.close()
    return int(result or console.return_code or 0)


def _run_inline(loaded: Loaded, options: RunOptions) -> int:
    """Runs the engine as a task of the console; board and socket are the same as ever."""
    from dailyarb.runtime.foreground import Life
    from dailyarb.tui.app import Console, ConsoleOptions
    from dailyarb.tui.source import BoardSource

    with Life(loaded, options, stream=False) as life:
        places, settings, who = life.places, loaded.settings, whoami()
        source = BoardSource(places.board, places.socket, who=who)

        async def watch() -> None:
            code = await life.run()
            console.exit(code, return_code=code)

        console = Console(
            source,
            ConsoleOptions(
                ui=settings.ui,
                keys=settings.keys,
                who=who,
                log_path=places.log,
                journal_path=places.journal,
                inline_engine=True,
                watch=watch,
            ),
        )
        try:
            result = console.run()
        finally:
            source.close()
        return int(result or console.return_code or 0)

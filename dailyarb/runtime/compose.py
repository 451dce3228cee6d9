"""Puts processes together: an engine in the foreground, a console on an engine, or both in one."""

from __future__ import annotations

import asyncio
import getpass
import os
import subprocess
import sys
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dailyarb.config import Loaded
from dailyarb.core.domain.errors import DailyarbError
from dailyarb.core.domain.settings import Settings
from dailyarb.runtime.cores import allowed, engine_core, pin_to, stay_off
from dailyarb.runtime.engine_run import RUN_ID_BYTES, EngineRun
from dailyarb.runtime.keeper import URLS_ENV, keeper_argv
from dailyarb.runtime.launch import LaunchError, find, start_detached, wait_ready
from dailyarb.runtime.logs import setup
from dailyarb.runtime.options import RunOptions, engine_argv
from dailyarb.runtime.paths import InstanceLock, Places
from dailyarb.runtime.readings import say_last
from dailyarb.runtime.secrets import resolve

if TYPE_CHECKING:
    from dailyarb.tui.app import Console


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
            stay_off(self.core)
            life = EngineRun(self._loaded, self._options, self.places, log, run, self.core)
            stack.callback(life.release)
            life.open(self._venue)
            if self._venue is None:
                keeper = _start_keeper(settings, self.core)
                stack.callback(_let_go, keeper)
            self._stack = stack.pop_all()
        return life

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def _start_keeper(settings: Settings, core: int | None) -> subprocess.Popen[bytes]:
    """Starts the process that watches, exports metrics and sends alerts.

    Raises:
        SecretError: an alert address cannot be read.
    """
    urls = [resolve(reference, "alerts.urls").reveal() for reference in settings.alerts.urls]
    argv = keeper_argv(settings.instance, core, settings.metrics.port)
    env = {**os.environ, URLS_ENV: "\n".join(urls)} if urls else None
    return subprocess.Popen(
        argv, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
    )


def _let_go(keeper: subprocess.Popen[bytes]) -> None:
    """Leaves the keeper to see the end by itself; one that already left is reaped."""
    keeper.poll()


def run_headless(loaded: Loaded, options: RunOptions) -> int:
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
    who = _who()
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


def _who() -> str:
    try:
        tty = os.ttyname(sys.stdin.fileno()).removeprefix("/dev/")
    except OSError:
        tty = "-"
    return f"{getpass.getuser()}@{tty}"


def _run_inline(loaded: Loaded, options: RunOptions) -> int:
    """Runs the engine as a task of the console; board and socket are the same as ever."""
    from dailyarb.tui.app import Console, ConsoleOptions
    from dailyarb.tui.source import BoardSource

    with Life(loaded, options, stream=False) as life:
        places, settings, who = life.places, loaded.settings, _who()
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

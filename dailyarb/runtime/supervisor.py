"""The supervisor: named tasks whose end nobody misses.

This is the one place that catches every exception: a task that ends unexpectedly, by an error or
by returning, becomes a `TaskDied` for the engine, which halts if the task was critical (F76).
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Coroutine
from typing import Any

from dailyarb.core.domain.errors import InvariantBroken
from dailyarb.core.domain.events import TaskDied

_TRACE_FRAMES = 12


class Supervisor:
    """Runs the shell's tasks and reports each that ends before it was told to.

    Args:
        on_death: called once for each such task, on the loop.
        on_bug: called before `on_death` with the error where an invariant broke: the shell
            attempts a cancel-all and exits 70.
    """

    def __init__(
        self,
        on_death: Callable[[TaskDied], None],
        on_bug: Callable[[InvariantBroken], None] | None = None,
    ) -> None:
        self._on_death = on_death
        self._on_bug = on_bug
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stopping = False

    @property
    def names(self) -> list[str]:
        """Returns the names of the tasks that run, in order of their start."""
        return list(self._tasks)

    def start(
        self,
        name: str,
        work: Coroutine[Any, Any, object],
        critical: bool = True,
        may_end: bool = False,
    ) -> None:
        """Starts a task.

        Args:
            name: unique among the running ones; shown in alerts and logs.
            work: the coroutine.
            critical: whether the engine halts when it ends unexpectedly.
            may_end: whether returning is an expected end.

        Raises:
            InvariantBroken: a task of this name is running, or the supervisor has been stopped.
        """
        if name in self._tasks or self._stopping:
            work.close()
            raise InvariantBroken(f"task {name}: already running, or stopping")
        watched = self._watch(name, work, critical, may_end)
        task = asyncio.create_task(watched, name=name)
        # One cancelled before its first step has not begun its work: close that too.
        task.add_done_callback(lambda _: work.close())
        self._tasks[name] = task

    async def cancel(self, name: str) -> None:
        """Ends one task and waits for it; one that is not running is no error."""
        task = self._tasks.pop(name, None)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def stop(self, timeout_s: float = 5.0) -> list[str]:
        """Cancels all tasks, newest first, and waits for them.

        Returns:
            The names of those that did not end within the time.
        """
        self._stopping = True
        tasks = dict(reversed(self._tasks.items()))
        for task in tasks.values():
            task.cancel()
        if tasks:
            await asyncio.wait(tasks.values(), timeout=timeout_s)
        return [name for name, task in tasks.items() if not task.done()]

    async def _watch(
        self, name: str, work: Coroutine[Any, Any, object], critical: bool, may_end: bool
    ) -> None:
        error = "ended without an error"
        try:
            await work
            if may_end:
                self._forget(name)
                return
        except asyncio.CancelledError:
            self._forget(name)
            if self._cancelled():
                raise
            error = "cancelled by its own work"
        except InvariantBroken as broken:
            error = describe(broken)
            if self._on_bug is not None:
                self._on_bug(broken)
        except Exception as caught:  # noqa: BLE001 - the one place for it
            error = describe(caught)
        self._forget(name)
        if not self._stopping:
            self._on_death(TaskDied(name, critical, error))

    def _forget(self, name: str) -> None:
        if self._tasks.get(name) is asyncio.current_task():
            del self._tasks[name]

    def _cancelled(self) -> bool:
        task = asyncio.current_task()
        return self._stopping or (task is not None and task.cancelling() > 0)


def describe(error: BaseException) -> str:
    """Returns an error's type, text and innermost places; no values of variables (F91)."""
    frames = traceback.extract_tb(error.__traceback__)[-_TRACE_FRAMES:]
    places = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames))
    return f"{type(error).__name__}: {error} at {places}" if places else repr(error)

"""Tasks of a backtest over cores: of this process, of this machine, or of a Ray cluster.

Results come in the order of the tasks, whoever finished first.
"""

from __future__ import annotations

import multiprocessing
import os
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from functools import partial
from itertools import count, islice
from multiprocessing.process import BaseProcess
from typing import Any

from dailyarb.core.domain.errors import DailyarbError
from dailyarb.core.domain.settings import Settings
from dailyarb.runtime.replay_worlds import Performed, Variant, World, perform

Tell = Callable[[float, int], None]
Task = tuple[World, Settings, Variant]
KNOCK_S = 5.0
AHEAD = 4  # tasks a core that may wait for results to be taken


def performed(tasks: Sequence[Task], jobs: int, tell: Tell, ray: str = "") -> Iterator[Performed]:
    """Yields the result of each task, in order.

    Args:
        tasks: what is to be played.
        jobs: processes; 1 plays here.
        tell: told how many are done, the running one in part, and of how many.
        ray: address of a Ray cluster, `auto` for this machine, "" for none.

    Raises:
        RecordingError: a recording cannot be read.
        DailyarbError: there is no Ray, or no cluster at the address.
    """
    if ray:
        yield from _on_ray(tasks, ray, jobs, tell)
    elif jobs <= 1 or len(tasks) == 1:
        for number, task in enumerate(tasks):
            yield perform(*task, partial(_share, tell, number, len(tasks)))
            tell(number + 1, len(tasks))
    else:
        yield from _on_cores(tasks, jobs, tell)


def _share(tell: Tell, number: int, total: int, share: float) -> None:
    tell(number + share, total)


def _on_cores(tasks: Sequence[Task], jobs: int, tell: Tell) -> Iterator[Performed]:
    # Spawned, not forked: a progress bar's thread may be holding a lock.
    context = multiprocessing.get_context("spawn")
    done = count(1)
    waiting: deque[Future[Performed]] = deque()
    rest = iter(tasks)
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_leave_with_parent)
    try:
        while True:
            for task in islice(rest, AHEAD * jobs - len(waiting)):
                future = pool.submit(perform, *task)
                future.add_done_callback(lambda _: tell(next(done), len(tasks)))
                waiting.append(future)
            if not waiting:
                return
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _leave_with_parent() -> None:
    """Ends this worker when its parent is killed: the pool alone would leave it waiting forever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_leave_after, args=(parent,), daemon=True).start()


def _leave_after(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


def _on_ray(tasks: Sequence[Task], address: str, jobs: int, tell: Tell) -> Iterator[Performed]:
    try:
        import ray
    except ImportError:
        raise DailyarbError("--ray needs Ray: pip install 'dailyarb[ray]'") from None
    where: dict[str, Any] = {"num_cpus": jobs, "include_dashboard": False}
    if address != "auto":
        _knock(address)
        where = {"address": address}
    try:
        ray.init(log_to_driver=False, **where)
    except (ConnectionError, ValueError) as error:
        raise DailyarbError(f"--ray {address}: {error}") from None
    try:
        play = ray.remote(perform)
        settings = {id(task[1]): ray.put(task[1]) for task in tasks}
        running: deque[Any] = deque(
            play.remote(world, settings[id(chosen)], variant) for world, chosen, variant in tasks
        )
        left = list(running)
        while running:
            first = running.popleft()
            while first in left:
                left = ray.wait(left)[1]
                tell(len(tasks) - len(left), len(tasks))
            try:
                result: Performed = ray.get(first)
            except ray.exceptions.RayTaskError as error:
                raise error.cause from None
            yield result
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Asks whether anybody listens: Ray itself would wait for minutes.

    Raises:
        DailyarbError: nobody does.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        socket.create_connection((host, int(port)), KNOCK_S).close()
    except (OSError, ValueError) as error:
        raise DailyarbError(f"--ray {address}: {error}; write host:port, or auto") from None

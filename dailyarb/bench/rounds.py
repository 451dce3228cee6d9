"""Measures contenders side by side: interleaved, in fresh random order each round.

Times are CPU time of the calling thread per call, so that a busy machine disturbs all alike; the
ratio to the best peer is the median of the ratios round by round.
"""

from __future__ import annotations

import importlib
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

Contender = Callable[[], object]


def cpu_ns(contender: Contender, calls: int) -> float:
    """Returns the CPU nanoseconds of one call, over `calls` of them."""
    steps = range(calls)
    begun = time.thread_time_ns()
    for _ in steps:
        contender()
    return (time.thread_time_ns() - begun) / calls


def compare(
    name: str,
    ours: Contender,
    peers: Mapping[str, Contender],
    rounds: int,
    calls: int,
    inner: Mapping[str, int] | None = None,
) -> dict[str, object]:
    """Returns one row of the benchmark: medians in ns, and our ratio to the best peer.

    Args:
        name: what is measured.
        ours: our contender.
        peers: the others, by name; there may be none.
        rounds: how often all are run, at least 1.
        calls: calls a round of each contender.
        inner: operations inside one call, for contenders that loop in C (ours is "ours").
    """
    contenders = {"ours": ours, **peers}
    loops = dict.fromkeys(contenders, 1) | dict(inner or {})
    draw = random.Random(rounds * 1_000_003 + calls)
    times: dict[str, list[float]] = {each: [] for each in contenders}
    for contender in contenders.values():
        contender()  # The first call may import, allocate or fill a cache.
    for _ in range(rounds):
        for each in draw.sample(sorted(contenders), len(contenders)):
            count = max(1, calls // loops[each])
            times[each].append(cpu_ns(contenders[each], count) / loops[each])
    return row(name, times)


Rounds = dict[str, list[float]]


async def answers(
    names: Collection[str], taken: Callable[[str], Awaitable[float]], rounds: int, calls: int
) -> tuple[Rounds, Rounds]:
    """Returns p50 and p99 of each round by contender, for what is awaited and not called.

    Args:
        names: of the contenders, ours is "ours".
        taken: runs one contender once and returns its nanoseconds.
        rounds: how often all are run.
        calls: a round of each contender.
    """
    draw = random.Random(rounds)
    middle: Rounds = {name: [] for name in names}
    tail: Rounds = {name: [] for name in names}
    for _ in range(rounds):
        for name in draw.sample(sorted(names), len(names)):
            found = [await taken(name) for _ in range(calls)]
            middle[name].append(statistics.median(found))
            tail[name].append(statistics.quantiles(found, n=100)[98])
    return middle, tail


def row(name: str, times: Mapping[str, Sequence[float]]) -> dict[str, object]:
    """Returns one row: medians, and the median of the ratios round by round.

    Args:
        name: what was measured.
        times: nanoseconds of each round by contender; ours is "ours", the others are peers.
    """
    medians = {each: statistics.median(found) for each, found in times.items()}
    peers = [each for each in times if each != "ours"]
    best = min(peers, key=medians.__getitem__, default=None)
    ratio = None
    if best is not None:
        pairs = zip(times["ours"], times[best], strict=True)
        ratio = round(statistics.median(mine / theirs for mine, theirs in pairs), 4)
    return {
        "name": name,
        "unit": "ns",
        "ours": round(medians["ours"], 1),
        "peers": {each: round(medians[each], 1) for each in peers},
        "ratio_to_best_peer": ratio,
    }


def installed(name: str) -> Any:
    """Returns a module, or None when it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


@contextmanager
def served(child: Callable[..., None], *words: object) -> Iterator[tuple[Connection, Any]]:
    """Runs a server in a process of its own; gives the pipe to it and the first it said.

    Args:
        child: what the process runs, given its end of the pipe and the words.

    Raises:
        EOFError: it ended before it said anything.
        TimeoutError: it said nothing in 30 s.
    """
    context = get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=child, args=(there, *words), daemon=True)
    process.start()
    there.close()  # so that its end is seen here
    try:
        if not here.poll(30):
            raise TimeoutError("the benchmark's server did not start")
        yield here, here.recv()
    finally:
        process.terminate()
        process.join(5)

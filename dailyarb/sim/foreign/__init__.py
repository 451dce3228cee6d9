"""Recordings of others: one adapter a format, told by content, never by name.

| adapter | one row is | what the source cannot say |
| --- | --- | --- |
| cronos depth | five levels a side of one token | which token, prints, reference |
| adrien mids, matt1374 mids | Up mid beside Binance, 1 s | the touch around the mid, prints |
| borisz42, leafuryk touches | both touches by REST, 1 to 3 s | a moment both are of; sizes |
| houssem98 ladder, history, last books | both touches at fixed times | what lies between |
| upcow events | both asks beside the settling feed | sizes, the order within a second |
| yannick hours | touch and spot once a minute | what lies between |
| xinghuan18 touch, ticks | touch of one hourly market | the reference, or sizes |
| rogersialves window ends | prices 8 s before the close | all before |
| smallyunet touches | when an ask first was at 0.29 | everything else |
| ligengxin, mxtown, felixdoteth | settling feed, spot, outcomes | books |
| borisz42 fills, upcow fills | purchases of one trader | others' trades, who was the taker |
| jonahgrigoryan, cryptofeed | frames in an envelope | windows; symbols of ours |
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from dailyarb.sim.foreign import books, feeds
from dailyarb.sim.foreign.base import Adapter
from dailyarb.sim.replay_frames import RecordingError

ADAPTERS: tuple[Adapter, ...] = (*books.ALL, *feeds.ALL)


@lru_cache(maxsize=64)
def find(path: Path) -> Adapter | None:
    """Returns the adapter of a file, None where it is of no known format.

    Raises:
        RecordingError: a library that its kind of file needs is not installed.
    """
    return next((adapter for adapter in ADAPTERS if adapter.fits(path)), None)


def of(path: Path) -> Adapter:
    """Returns the adapter of a file that has one.

    Raises:
        RecordingError: it has none.
    """
    found = find(path)
    if found is None:
        raise RecordingError(path, "is of no known format")
    return found

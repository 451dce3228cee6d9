"""What the log says of facts that no record keeps: feeds, venue, heartbeat, disk, readiness.

Such facts come once a second or oftener; a line is written when one of them turns, never for each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from dailyarb.core.domain import events as ev
from dailyarb.core.domain.ids import FeedId
from dailyarb.core.engine.state import State
from dailyarb.runtime.narrate import LineOut


class Turns:
    """Compares each fact with the last of its kind.

    Args:
        state: the engine's, read after it took the fact.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._booting = True
        self._beats = True
        self._synced = True
        self._mode = ev.VenueModeKind.NORMAL
        self._feeds = dict.fromkeys(FeedId, (ev.FeedStatus.CONNECTING, 0))
        self.tellers: dict[type[ev.Event], Callable[[Any], Iterator[LineOut]]] = {
            ev.FeedState: self._feed,
            ev.VenueMode: self._venue,
            ev.HeartbeatResult: self._beat,
            ev.DiskState: self._disk,
            ev.AccountReport: self._account,
        }

    def _feed(self, fact: ev.FeedState) -> Iterator[LineOut]:
        was, had = self._feeds[fact.feed]
        self._feeds[fact.feed] = fact.status, fact.connections
        known = {"feed": fact.feed.value, "conns": fact.connections, "wanted": fact.wanted}
        if fact.connections > had:
            yield LineOut("info", "feed.connected", known)
        elif fact.connections < had:
            yield LineOut("warn", "feed.lost", {**known, "why": fact.detail})
        if fact.status is not was:
            fields = {"state": fact.status.value, "was": was.value, "age_ms": fact.age_ms}
            level = "info" if fact.status is ev.FeedStatus.FRESH else "warn"
            yield LineOut(level, "feed.changed", {**known, **fields, "why": fact.detail})

    def _venue(self, fact: ev.VenueMode) -> Iterator[LineOut]:
        was, self._mode = self._mode, fact.kind
        if was is fact.kind:
            return
        fields = {"state": fact.kind.value, "was": was.value, "why": fact.detail}
        level = "info" if fact.kind is ev.VenueModeKind.NORMAL else "warn"
        yield LineOut(level, "venue.changed", fields)

    def _beat(self, fact: ev.HeartbeatResult) -> Iterator[LineOut]:
        was, self._beats = self._beats, fact.ok
        if was and not fact.ok:
            yield LineOut("warn", "heartbeat.failed", {})
        elif fact.ok and not was:
            yield LineOut("info", "heartbeat.back", {})

    def _disk(self, fact: ev.DiskState) -> Iterator[LineOut]:
        limit_ms = self._state.settings.journal.max_sync_age_ms
        was, self._synced = self._synced, fact.sync_age_ms <= limit_ms and not fact.error
        if was is self._synced:
            return
        fields = {"age_ms": fact.sync_age_ms, "limit_ms": limit_ms, "free_mb": fact.free_mb}
        if was:
            yield LineOut("error", "journal.lagged", {**fields, "why": fact.error})
        else:
            yield LineOut("info", "journal.back", fields)

    def _account(self, fact: ev.AccountReport) -> Iterator[LineOut]:
        if self._booting and not self._state.rungs.booting:
            self._booting = False
            yield LineOut("info", "run.ready", {"cash_usd": round(fact.cash_e6 / 1e6, 6)})

"""Facts that turn are told once each, and only then."""

from __future__ import annotations

import pytest

from dailyarb.core.domain import events as ev
from dailyarb.core.domain.ids import FeedId
from dailyarb.runtime.log_events import EVENTS
from dailyarb.runtime.narrate import LineOut
from dailyarb.runtime.turns import Turns
from tests.rig import Rig

S = ev.FeedStatus
MODE = ev.VenueModeKind


def said(turns: Turns, *facts: ev.Event) -> list[tuple[str, str]]:
    """Returns level and event of what is told of these facts."""
    lines = [line for fact in facts for line in turns.tellers[type(fact)](fact)]
    assert all(line.evt in EVENTS for line in lines)
    return [(line.level, line.evt) for line in lines]


def feed(status: S, connections: int, detail: str = "") -> ev.FeedState:
    return ev.FeedState(FeedId.USER, status, connections, 2, 7, 10.0, detail=detail)


@pytest.fixture
def turns() -> Turns:
    return Turns(Rig().state)


def test_a_feed_is_told_when_a_connection_comes_or_goes_and_when_its_state_turns(
    turns: Turns,
) -> None:
    assert said(turns, feed(S.CONNECTING, 0)) == []
    assert said(turns, *[feed(S.CONNECTING, 1)] * 3) == [("info", "feed.connected")]
    both = [("info", "feed.connected"), ("info", "feed.changed")]
    assert said(turns, *[feed(S.FRESH, 2)] * 60) == both
    assert said(turns, *[feed(S.FRESH, 1)] * 60) == [("warn", "feed.lost")]
    assert said(turns, *[feed(S.STALE, 1)] * 60) == [("warn", "feed.changed")]


def test_a_lost_feed_says_what_was_and_why(turns: Turns) -> None:
    said(turns, feed(S.FRESH, 2))
    known = {"feed": FeedId.USER.value, "conns": 0, "wanted": 2}
    fields = {"state": S.DOWN.value, "was": S.FRESH.value, "age_ms": 7}
    assert list(turns.tellers[ev.FeedState](feed(S.DOWN, 0, "closed: 1006"))) == [
        LineOut("warn", "feed.lost", {**known, "why": "closed: 1006"}),
        LineOut("warn", "feed.changed", {**known, **fields, "why": "closed: 1006"}),
    ]


def test_each_feed_turns_by_itself(turns: Turns) -> None:
    said(turns, feed(S.FRESH, 2))
    other = ev.FeedState(FeedId.BINANCE, S.FRESH, 2, 2, 0, 10.0)
    assert [evt for _, evt in said(turns, other)] == ["feed.connected", "feed.changed"]


def test_the_venue_is_told_when_it_accepts_otherwise(turns: Turns) -> None:
    shut = ev.VenueMode(MODE.CANCEL_ONLY, 60.0, "HTTP 503")
    assert said(turns, ev.VenueMode(MODE.NORMAL, 0.0, "")) == []
    assert said(turns, shut, shut) == [("warn", "venue.changed")]
    assert said(turns, ev.VenueMode(MODE.NORMAL, 0.0, "")) == [("info", "venue.changed")]


def test_a_heartbeat_is_told_when_it_fails_first_and_when_it_is_back(turns: Turns) -> None:
    lost, kept = ev.HeartbeatResult(0, False), ev.HeartbeatResult(0, True)
    assert said(turns, kept, lost, lost, lost, kept, kept) == [
        ("warn", "heartbeat.failed"),
        ("info", "heartbeat.back"),
    ]


def test_a_journal_behind_its_limit_or_failing_is_told_once(turns: Turns) -> None:
    rig = Rig()
    limit = rig.state.settings.journal.max_sync_age_ms
    well, late = ev.DiskState(limit, 9_000), ev.DiskState(limit + 1, 9_000)
    failed = ev.DiskState(0, 9_000, "EIO")
    assert said(Turns(rig.state), well, late, late, failed, well, well) == [
        ("error", "journal.lagged"),
        ("info", "journal.back"),
    ]
    assert said(Turns(rig.state), failed) == [("error", "journal.lagged")]


def test_the_run_is_ready_once_when_the_account_is_reconciled() -> None:
    rig = Rig()
    turns = Turns(rig.state)
    report = ev.AccountReport(0, True, 1_000_000_000)
    assert said(turns, report) == []
    rig.ready()
    assert not rig.state.rungs.booting
    assert said(turns, report, report) == [("info", "run.ready")]

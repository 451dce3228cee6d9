"""Alerts: routed, told once, bounded, retried, and a critical one never given up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from dailyarb.core.domain.alerts import AlertTag
from dailyarb.core.domain.clock import ManualClock
from dailyarb.core.domain.ids import Severity
from dailyarb.runtime.alert import (
    ESCALATE_NS,
    HANGS_NS,
    KEYS_MAX,
    OPEN_MAX,
    Channel,
    Deduper,
    Dispatcher,
    Route,
)
from dailyarb.runtime.outbox import WAITING_MAX, Note, Pace

S = 1_000_000_000
INFO, WARNING, CRITICAL = Severity.INFO, Severity.WARNING, Severity.CRITICAL
QUICK = Pace(per_minute=10_000)


class Sink:
    """Is a channel's far end: it may hang or refuse."""

    def __init__(self) -> None:
        self.told: list[tuple[Severity, str, str]] = []
        self.refuse = 0
        self.attempts = 0
        self.open = threading.Event()
        self.open.set()
        self.reached = threading.Event()

    def send(self, severity: Severity, title: str, text: str) -> str:
        self.attempts += 1
        self.reached.set()
        self.open.wait(10)
        if self.attempts <= self.refuse:
            return "refused with status 500"
        self.told.append((severity, title, text))
        return ""

    @property
    def texts(self) -> list[str]:
        return [text for _, _, text in self.told]


Make = Callable[..., Channel]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(S, S)


@pytest.fixture
def make(clock: ManualClock) -> Iterator[Make]:
    made: list[tuple[Channel, Sink]] = []

    def channel(sink: Sink, name: str = "phone", **changes: object) -> Channel:
        retry_s = changes.pop("retry_s", (0.0,))
        route = Route(name, **{"pace": QUICK, **changes})  # type: ignore[arg-type]
        fresh = Channel(route, sink.send, "main", clock, retry_s)  # type: ignore[arg-type]
        made.append((fresh, sink))
        return fresh

    yield channel
    for channel_made, sink in made:
        sink.open.set()
        channel_made.close(0.05)


def test_the_same_key_is_told_once_a_window_then_with_a_count() -> None:
    dedupe = Deduper(window_ns=100)
    assert dedupe.admit("k", 0) == 0
    assert [dedupe.admit("k", at) for at in (1, 50, 99)] == [None, None, None]
    assert dedupe.admit("other", 60) == 0
    assert dedupe.admit("k", 100) == 3
    assert dedupe.admit("k", 201) == 0
    assert dedupe.held == 3


def test_keys_are_bounded_and_the_oldest_is_forgotten() -> None:
    dedupe = Deduper(window_ns=10**9)
    for number in range(KEYS_MAX + 1):
        assert dedupe.admit(str(number), number) == 0
    assert dedupe.admit(str(KEYS_MAX), KEYS_MAX) is None
    assert dedupe.admit("0", KEYS_MAX) == 0


def test_alerts_arrive_in_order_with_title_and_severity(make: Make, clock: ManualClock) -> None:
    sink = Sink()
    alerts = Dispatcher([make(sink)], 300.0, clock)
    assert alerts.put(WARNING, "feed.PM", "feed down")
    assert alerts.drain(5)
    assert alerts.put(CRITICAL, "order.x", "unproven")
    assert not alerts.put(WARNING, "feed.PM", "feed down")
    assert not alerts.put(INFO, "pnl.step", "hello")
    assert alerts.drain(5)
    assert sink.told == [
        (WARNING, "dailyarb main: WARNING", "feed down"),
        (CRITICAL, "dailyarb main: CRITICAL", "unproven"),
    ]
    assert (alerts.held, alerts.raised) == (1, {INFO: 1, WARNING: 1, CRITICAL: 1})
    assert alerts.channels[0].sent == 2


def test_a_route_gets_its_severity_and_tags_only(make: Make, clock: ManualClock) -> None:
    money, night, everything = Sink(), Sink(), Sink()
    tags = (AlertTag.MONEY, AlertTag.DISK)
    alerts = Dispatcher(
        [
            make(money, "money", severity=INFO, tags=tags),
            make(night, "night", severity=CRITICAL),
            make(everything, "all", severity=INFO),
        ],
        300.0,
        clock,
    )
    alerts.put(INFO, "pnl.step.+1", "step")
    alerts.put(WARNING, "feed.PM", "feed")
    alerts.put(CRITICAL, "disk.free", "disk")
    alerts.put(CRITICAL, "engine.gone", "died")
    assert alerts.drain(5)

    def lines(sink: Sink) -> set[str]:
        return {line.rpartition(": ")[2] for text in sink.texts for line in text.splitlines()}

    assert lines(money) == {"step", "disk"}
    assert lines(night) == {"disk", "died"}
    assert lines(everything) == {"step", "feed", "disk", "died"}


def test_held_back_alerts_are_counted_in_the_next(make: Make, clock: ManualClock) -> None:
    sink = Sink()
    alerts = Dispatcher([make(sink)], 300.0, clock)
    for _ in range(3):
        alerts.put(WARNING, "a", "x")
    assert alerts.drain(5)
    clock.advance(301 * S)
    alerts.put(WARNING, "a", "x")
    assert alerts.drain(5)
    assert sink.texts == ["x", "x (2 more of these before)"]


def test_a_refused_message_is_tried_again(make: Make, clock: ManualClock) -> None:
    sink = Sink()
    sink.refuse = 2
    channel = make(sink, retry_s=(0.0, 0.0))
    alerts = Dispatcher([channel], 300.0, clock)
    alerts.put(WARNING, "a", "x")
    assert alerts.drain(5)
    assert (sink.attempts, channel.sent, channel.failed) == (3, 1, 0)
    assert channel.state().ok


def test_lesser_alerts_are_given_up_and_counted(make: Make, clock: ManualClock) -> None:
    sink = Sink()
    sink.refuse = 2
    channel = make(sink)
    alerts = Dispatcher([channel], 300.0, clock)
    alerts.put(WARNING, "a", "x")
    assert alerts.drain(5)
    assert (sink.attempts, channel.failed) == (2, 1)
    state = channel.state()
    assert (state.ok, state.undelivered, state.told_s) == (False, 1, None)
    assert state.detail == "refused with status 500 (2 times)"
    alerts.put(WARNING, "b", "y")
    assert alerts.drain(5)
    assert (channel.state().ok, channel.state().detail, channel.state().told_s) == (True, "", 0.0)


def test_a_critical_alert_is_never_given_up(make: Make, clock: ManualClock) -> None:
    sink = Sink()
    sink.refuse = 20
    channel = make(sink)
    alerts = Dispatcher([channel], 300.0, clock)
    alerts.put(CRITICAL, "engine.gone", "died")
    assert alerts.drain(5)
    assert sink.attempts == 21
    assert sink.texts == ["died"]
    assert alerts.states()[0].critical_s == 0.0


def test_a_pause_after_a_failure_goes_by_the_clock(make: Make, clock: ManualClock) -> None:
    sink = Sink()
    sink.refuse = 1
    channel = make(sink, retry_s=(60.0,))
    alerts = Dispatcher([channel], 300.0, clock)
    alerts.put(CRITICAL, "a", "x")
    assert not alerts.drain(0.05)
    assert sink.attempts == 1
    clock.advance(60 * S)
    assert alerts.drain(5)
    assert sink.texts == ["x"]


def test_a_hanging_channel_holds_up_its_own_queue_only(make: Make, clock: ManualClock) -> None:
    stuck, free = Sink(), Sink()
    stuck.open.clear()
    hanging, well = make(stuck, "stuck"), make(free, "free")
    alerts = Dispatcher([hanging, well], 0.0, clock)
    alerts.put(WARNING, "first", "x")
    assert stuck.reached.wait(5)
    for number in range(WAITING_MAX):
        alerts.put(WARNING, str(number), "x")
    assert well.drain(5)
    assert not hanging.put(Note(9_999, WARNING, "k", "t", S))
    assert alerts.put(CRITICAL, "engine.gone", "died")
    assert hanging.dropped == 2
    clock.advance(HANGS_NS + 1)
    state = hanging.state()
    assert (state.ok, state.undelivered) == (False, 1 + WAITING_MAX + 2)
    assert state.detail == "no answer for 30 s"
    assert well.drain(5)
    assert "died" in free.texts[-1]
    stuck.open.set()
    assert hanging.drain(5)
    assert any(severity is CRITICAL for severity, _, _ in stuck.told)


def test_a_critical_alert_goes_elsewhere_where_its_own_channels_are_down(
    make: Make, clock: ManualClock
) -> None:
    broken, other = Sink(), Sink()
    broken.refuse = 10**6
    own = make(broken, "own", tags=(AlertTag.ENGINE,), retry_s=(600.0,))
    alerts = Dispatcher([own, make(other, "other", tags=(AlertTag.MONEY,))], 0.0, clock)
    alerts.put(CRITICAL, "engine.hung", "hangs")  # not known to be down yet
    assert broken.reached.wait(5)
    assert not own.drain(0.05)
    alerts.put(CRITICAL, "engine.gone", "died")  # known by now
    assert alerts.channels[1].drain(5)
    assert other.texts == ["died"]
    alerts.step()
    assert alerts.states()[0].critical_s == 0.0
    clock.advance(ESCALATE_NS)
    assert alerts.states()[0].critical_s == 30.0
    alerts.step()
    alerts.step()
    assert alerts.channels[1].drain(5)
    assert other.texts == ["died", "hangs"]
    assert alerts.states()[0].critical_s == 0.0


def test_critical_alerts_that_are_watched_over_are_bounded(make: Make, clock: ManualClock) -> None:
    sink = Sink()
    sink.open.clear()
    alerts = Dispatcher([make(sink)], 0.0, clock)
    for number in range(OPEN_MAX + 10):
        alerts.put(CRITICAL, str(number), "x")
    clock.advance(5 * S)
    assert alerts.states()[0].critical_s == 5.0


def test_without_channels_nothing_waits(clock: ManualClock) -> None:
    alerts = Dispatcher([], 300.0, clock)
    assert not alerts.put(CRITICAL, "engine.gone", "died")
    alerts.step()
    assert alerts.states() == []
    assert alerts.drain(0)
    alerts.close()


def test_what_is_being_gathered_leaves_before_the_channel_closes(
    make: Make, clock: ManualClock
) -> None:
    sink = Sink()
    channel = make(sink, pace=Pace(digest_s=3600.0))
    Dispatcher([channel], 300.0, clock).put(WARNING, "a", "x")
    channel.close(5)
    assert sink.texts == ["x"]


def test_closing_does_not_wait_for_a_hanging_channel(make: Make, clock: ManualClock) -> None:
    sink = Sink()
    sink.open.clear()
    channel = make(sink)
    Dispatcher([channel], 300.0, clock).put(WARNING, "a", "x")
    assert sink.reached.wait(5)
    channel.close(0.05)
    assert channel.state().undelivered == 1

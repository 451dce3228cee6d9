"""Alerts: told once, bounded, retried, counted when they do not arrive."""

from __future__ import annotations

import threading

import pytest

from dailyarb.core.domain.ids import Severity
from dailyarb.runtime.alert import (
    KEYS_MAX,
    QUEUE_MAX,
    AlertSender,
    Deduper,
    apprise_send,
)

WARNING, CRITICAL = Severity.WARNING, Severity.CRITICAL


class Channel:
    """Is a channel that may hang or refuse."""

    def __init__(self, refuse: int = 0) -> None:
        self.told: list[tuple[Severity, str, str]] = []
        self.refuse = refuse
        self.attempts = 0
        self.open = threading.Event()
        self.open.set()
        self.reached = threading.Event()

    def send(self, severity: Severity, title: str, text: str) -> bool:
        self.attempts += 1
        self.reached.set()
        self.open.wait(10)
        if self.attempts <= self.refuse:
            return False
        self.told.append((severity, title, text))
        return True


def test_the_same_key_is_told_once_a_window_then_with_a_count() -> None:
    dedupe = Deduper(window_ns=100)
    assert dedupe.admit("k", 0) == 0
    assert [dedupe.admit("k", at) for at in (1, 50, 99)] == [None, None, None]
    assert dedupe.admit("other", 60) == 0
    assert dedupe.admit("k", 100) == 3
    assert dedupe.admit("k", 201) == 0


def test_keys_are_bounded_and_the_oldest_is_forgotten() -> None:
    dedupe = Deduper(window_ns=10**9)
    for number in range(KEYS_MAX + 1):
        assert dedupe.admit(str(number), number) == 0
    assert dedupe.admit(str(KEYS_MAX), KEYS_MAX) is None
    assert dedupe.admit("0", KEYS_MAX) == 0


def test_alerts_arrive_in_order_with_title_and_severity() -> None:
    channel = Channel()
    sender = AlertSender(channel.send, "main")
    assert sender.put(WARNING, "a", "feed down", 1)
    assert sender.put(CRITICAL, "b", "halted", 1)
    assert not sender.put(WARNING, "a", "feed down", 2)
    assert not sender.put(Severity.INFO, "c", "hello", 1)
    assert sender.drain(5)
    assert channel.told == [
        (WARNING, "dailyarb main: WARNING", "feed down"),
        (CRITICAL, "dailyarb main: CRITICAL", "halted"),
    ]
    assert (sender.sent, sender.undelivered) == (2, 0)
    sender.close()


def test_held_back_alerts_are_counted_in_the_next() -> None:
    channel = Channel()
    sender = AlertSender(channel.send, "main")
    for now_ns in (0, 1, 2, 10**12):
        sender.put(WARNING, "a", "x", now_ns)
    assert sender.drain(5)
    assert channel.told[-1][2] == "x (2 more of these before)"
    sender.close()


def test_a_refused_alert_is_tried_again() -> None:
    channel = Channel(refuse=2)
    sender = AlertSender(channel.send, "main", retry_s=(0, 0))
    sender.put(WARNING, "a", "x", 1)
    assert sender.drain(5)
    assert (channel.attempts, sender.sent, sender.failed) == (3, 1, 0)
    sender.close()


def test_an_alert_that_never_arrives_is_undelivered() -> None:
    channel = Channel(refuse=9)
    sender = AlertSender(channel.send, "main", retry_s=(0,))
    sender.put(WARNING, "a", "x", 1)
    assert sender.drain(5)
    assert (channel.attempts, sender.failed, sender.undelivered) == (2, 1, 1)
    sender.close()


def test_a_hanging_channel_costs_lesser_alerts_first() -> None:
    channel = Channel()
    channel.open.clear()
    sender = AlertSender(channel.send, "main")
    sender.put(WARNING, "first", "x", 1)
    assert channel.reached.wait(5)
    for number in range(QUEUE_MAX):
        assert sender.put(WARNING, str(number), "x", 1)
    assert not sender.put(WARNING, "late", "x", 1)
    assert sender.put(CRITICAL, "halt", "x", 1)
    assert sender.dropped == 2
    assert sender.undelivered == QUEUE_MAX + 1 + 2
    channel.open.set()
    assert sender.drain(5)
    assert channel.told[-1][0] is CRITICAL
    sender.close()


def test_closing_does_not_wait_for_a_hanging_channel() -> None:
    channel = Channel(refuse=9)
    sender = AlertSender(channel.send, "main", retry_s=(60,))
    sender.put(WARNING, "a", "x", 1)
    assert channel.reached.wait(5)
    sender.close(0.05)
    assert sender.undelivered == 1


def test_a_channel_that_is_not_understood_is_told_by_its_place_only() -> None:
    with pytest.raises(ValueError, match="channel 2 of 2") as caught:
        apprise_send(["json://127.0.0.1:9", "nonsense:canary-5d1f0c3b"])
    assert "canary" not in str(caught.value)

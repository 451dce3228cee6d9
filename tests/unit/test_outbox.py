"""What leaves a channel when: gathered, capped, silent at night, and critical alerts at once."""

from __future__ import annotations

import pytest

from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.ids import Severity
from dailyarb.runtime.outbox import (
    LINES_MAX,
    WAITING_MAX,
    Note,
    Outbox,
    Pace,
    QuietHours,
    compose,
)

S = 1_000_000_000
INFO, WARNING, CRITICAL = Severity.INFO, Severity.WARNING, Severity.CRITICAL
NOON, MIDNIGHT = 12 * 3600 * S, 0
NIGHT = QuietHours.of("22:00-06:30")


def at(second: float, day_ns: int = NOON) -> Instant:
    return Instant(round(second * S), day_ns + round(second * S))


def note(number: int, severity: Severity = WARNING, second: float = 0.0) -> Note:
    return Note(number, severity, f"k{number}", f"text {number}", round(second * S))


def numbers(notes: tuple[Note, ...]) -> list[int]:
    return [each.number for each in notes]


def test_what_is_not_critical_is_gathered_into_one_message() -> None:
    box = Outbox(Pace(digest_s=30))
    assert box.due(at(0)) == ()
    box.put(note(1, second=0))
    box.put(note(2, INFO, second=20))
    assert box.due(at(29.9)) == ()
    assert numbers(box.due(at(30))) == [1, 2]
    assert len(box) == 0


def test_a_critical_alert_leaves_at_once_and_takes_the_others_along() -> None:
    box = Outbox(Pace(digest_s=30))
    box.put(note(1))
    box.put(note(2, CRITICAL))
    assert numbers(box.due(at(0))) == [2, 1]


def test_quiet_hours_hold_everything_but_critical_alerts() -> None:
    box = Outbox(Pace(quiet=NIGHT))
    box.put(note(1))
    assert box.due(at(3600, MIDNIGHT)) == ()
    assert box.due(at(3600, MIDNIGHT), closing=True) == ()
    box.put(note(2, CRITICAL, 3600))
    assert numbers(box.due(at(3600, MIDNIGHT))) == [2]
    assert numbers(box.due(at(6.5 * 3600, MIDNIGHT))) == [1]


@pytest.mark.parametrize(
    ("hours", "clock", "held"),
    [
        ("22:00-06:30", 22 * 60, True),
        ("22:00-06:30", 6 * 60 + 29, True),
        ("22:00-06:30", 6 * 60 + 30, False),
        ("22:00-06:30", 21 * 60 + 59, False),
        ("01:00-02:00", 60, True),
        ("01:00-02:00", 120, False),
        ("00:00-00:00", 0, False),
    ],
)
def test_quiet_hours_may_reach_over_midnight(hours: str, clock: int, held: bool) -> None:
    quiet = QuietHours.of(hours)
    assert quiet is not None
    assert quiet.hold((5 * 24 * 60 + clock) * 60 * S) is held
    assert QuietHours.of("") is None


def test_messages_a_minute_are_capped_and_half_of_them_kept_for_critical_alerts() -> None:
    box = Outbox(Pace(per_minute=4))
    left = []
    for second in range(5):
        box.put(note(second, WARNING, second))
        left += numbers(box.due(at(second)))
    assert left == [0, 1]
    for number in (10, 11, 12):
        box.put(note(number, CRITICAL, 5))
        left += numbers(box.due(at(5)))
    assert left == [0, 1, 10, 2, 3, 4, 11]
    assert numbers(box.due(at(60.0))) == [12]


def test_closing_lets_go_what_is_being_gathered() -> None:
    box = Outbox(Pace(digest_s=300))
    box.put(note(1))
    assert box.due(at(1)) == ()
    assert numbers(box.due(at(1), closing=True)) == [1]


def test_a_full_outbox_gives_up_the_oldest_of_the_least_severe() -> None:
    box = Outbox(Pace(digest_s=1000))
    box.put(note(0, INFO))
    for number in range(1, WAITING_MAX):
        assert box.put(note(number))
    assert box.put(note(1000))  # for the INFO
    assert not box.put(note(1001))
    assert box.put(note(1002, CRITICAL))
    assert box.dropped == 3
    assert len(box) == WAITING_MAX
    found = numbers(box.due(at(0)))
    assert found[0] == 1002
    assert found[1] == 2  # 1 was the oldest warning


def test_a_message_has_a_bounded_number_of_lines() -> None:
    box = Outbox(Pace(per_minute=60))
    for number in range(LINES_MAX + 1):
        box.put(note(number))
    assert len(box.due(at(0))) == LINES_MAX
    assert numbers(box.due(at(0))) == [LINES_MAX]


def test_one_alert_is_its_own_message_and_several_are_a_list() -> None:
    assert compose("main", [note(1)]) == (WARNING, "dailyarb main: WARNING", "text 1")
    severity, title, text = compose("main", [note(1, INFO), note(2, CRITICAL)])
    assert (severity, title) == (CRITICAL, "dailyarb main: CRITICAL, 2 alerts")
    assert text == "INFO: text 1\nCRITICAL: text 2"

"""A checkpoint waits for a quiet moment, but not for ever, and nothing new needs none."""

from __future__ import annotations

import pytest

from dailyarb.core.domain.events import CheckpointDue
from dailyarb.core.domain.units import SECOND
from dailyarb.runtime.checkpoints import Checkpoints


class Pages:
    """Is a journal as far as it matters here."""

    last_seq = 7


class Desk:
    """Drives the checkpoints of one run by a clock of its own."""

    def __init__(self) -> None:
        self.journal = Pages()
        self.now_ns = 0
        self.asked: list[int] = []
        self.due = Checkpoints(30.0, self.journal, self.take, lambda: self.now_ns)

    def take(self, event: CheckpointDue) -> None:
        assert isinstance(event, CheckpointDue)
        self.asked.append(self.now_ns // SECOND)
        self.journal.last_seq += 1  # the checkpoint itself

    def step(self, second: int, facts: int) -> None:
        self.now_ns = second * SECOND
        self.due.step(facts)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_it_is_written_when_due_and_quiet(desk: Desk) -> None:
    desk.journal.last_seq += 1
    desk.step(29, 5)
    desk.step(30, 6)
    assert desk.asked == []
    desk.step(31, 6)
    assert desk.asked == [31]


def test_where_it_is_never_quiet_it_is_written_once_overdue(desk: Desk) -> None:
    desk.journal.last_seq += 1
    for second in range(100):
        desk.step(second, second)
    assert desk.asked == [60]


def test_nothing_new_is_not_written_again(desk: Desk) -> None:
    for second in range(200):
        desk.step(second, 0)
    assert desk.asked == []
    desk.journal.last_seq += 1
    for second in range(200, 300):
        desk.step(second, 0)
    assert desk.asked == [200], "its own row is no news"

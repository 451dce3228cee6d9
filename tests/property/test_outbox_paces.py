"""Whatever comes in whatever order: caps hold, and nothing mutes a critical alert."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.ids import Severity
from dailyarb.runtime.outbox import LINES_MAX, Note, Outbox, Pace, QuietHours

S = 1_000_000_000
STEPS = st.lists(
    st.tuples(st.integers(0, 20), st.lists(st.sampled_from(list(Severity)), max_size=3)),
    min_size=1,
    max_size=60,
)


@settings(max_examples=200, deadline=None)
@given(STEPS, st.integers(2, 6), st.integers(0, 60), st.booleans())
def test_a_critical_alert_waits_a_minute_at_most_and_nothing_is_lost_or_doubled(
    steps: list[tuple[int, list[Severity]]], per_minute: int, digest_s: int, quiet: bool
) -> None:
    hours = QuietHours(0, 24 * 60 - 1) if quiet else None
    box = Outbox(Pace(digest_s, per_minute, hours))
    put: dict[int, Note] = {}
    left: dict[int, int] = {}
    sent: list[int] = []
    second = 0
    for pause, severities in [*steps, (61, [])]:
        for _ in range(pause + 1):
            now = Instant(second * S, second * S)
            notes = box.due(now)
            if notes:
                sent.append(second)
                assert len(notes) <= LINES_MAX
            for note in notes:
                assert note.number not in left
                left[note.number] = second
            second += 1
        for severity in severities:
            fresh = Note(len(put), severity, "k", "t", second * S)
            put[fresh.number] = fresh
            assert box.put(fresh)
    for number, note in put.items():
        if note.severity is Severity.CRITICAL:
            assert left[number] - note.at_ns // S <= 61
        elif quiet:
            assert number not in left
    assert len(box) + len(left) == len(put)
    for first in range(len(sent) - per_minute):
        assert sent[first + per_minute] - sent[first] >= 60

"""The circuit against its words: whatever is heard, and whenever, a plain reading agrees."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from dailyarb.core.domain.clock import Instant
from dailyarb.core.risk.circuit import CIRCUITS, Circuit, CircuitLimits, CircuitState, Told

OPEN_NS, PROBE_NS = 30, 10
# What happens: seconds pass, then an answer (asked so long ago) or nothing, and a look for a probe.
STEPS = st.lists(
    st.tuples(
        st.integers(0, 20),
        st.sampled_from(["good", "bad", "nothing"]),
        st.integers(0, 25),
        st.booleans(),
    ),
    max_size=60,
)


@dataclass
class Reading:
    """Is the specification read aloud: a history of answers and when the present state began."""

    failures: int
    successes: int
    state: str = "CLOSED"
    since: int = 0
    answers: list[bool] = field(default_factory=list)  # of the present state
    probe: int | None = None

    def turn(self, state: str, now: int) -> None:
        self.state, self.since, self.answers, self.probe = state, now, [], None

    def pass_time(self, now: int) -> None:
        if self.state == "OPEN" and now - self.since >= OPEN_NS:
            self.turn("HALF_OPEN", now)
        elif self.probe is not None and now - self.probe >= PROBE_NS:
            self.answer(False, self.probe, now)

    def answer(self, ok: bool, asked: int, now: int) -> None:
        if asked < self.since or self.state == "OPEN":
            return
        self.probe = None
        self.answers.append(ok)
        last = self.answers
        if self.state == "CLOSED" and len(last) >= self.failures:
            if not any(last[-self.failures :]):
                self.turn("OPEN", now)
        elif self.state == "HALF_OPEN":
            if not ok:
                self.turn("OPEN", now)
            elif len(last) >= self.successes:
                self.turn("CLOSED", now)


@settings(max_examples=300, deadline=None)
@given(STEPS, st.integers(1, 6), st.integers(1, 4))
def test_a_circuit_is_what_its_table_says(
    steps: list[tuple[int, str, int, bool]], failures: int, successes: int
) -> None:
    limits = CircuitLimits(failures, OPEN_NS, successes, PROBE_NS)
    circuit, reading, now = Circuit(CIRCUITS[0], limits), Reading(failures, successes), 0
    for passes, what, ago, looks in steps:
        now += passes
        circuit.tick(Instant(now, now))
        reading.pass_time(now)
        if what != "nothing":
            asked = max(0, now - ago)
            circuit.hear(Told(what == "good", asked, what), Instant(now, now))
            reading.answer(what == "good", asked, now)
        assert (circuit.state.value, circuit.since.mono_ns) == (reading.state, reading.since)
        assert circuit.wants_probe() == (reading.state == "HALF_OPEN" and reading.probe is None)
        if looks and circuit.wants_probe() and now:
            circuit.probe_ns = reading.probe = now


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_it_never_stays_open_once_answers_are_good(
    steps: list[tuple[int, str, int, bool]],
) -> None:
    circuit, now = Circuit(CIRCUITS[0], CircuitLimits(5, OPEN_NS, 3, PROBE_NS)), 0
    for passes, what, ago, _ in steps:
        now += passes
        circuit.tick(Instant(now, now))
        if what != "nothing":
            circuit.hear(Told(what == "good", max(0, now - ago)), Instant(now, now))
    for _ in range(OPEN_NS + PROBE_NS + 3):
        now += 1
        circuit.tick(Instant(now, now))
        circuit.hear(Told(True, now), Instant(now, now))
    assert circuit.state is CircuitState.CLOSED

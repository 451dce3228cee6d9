"""Circuit breakers: one for each thing we depend on, fed by how it last answered.

A trading breaker asks whether a number is past its limit; a circuit asks whether what we depend
on has failed so often in a row that it is not to be relied on. Theory: Nygard, Release It!, 2007.

| state | hears | then |
| --- | --- | --- |
| CLOSED | SUCCESS | forgets old failures |
| CLOSED | FAILURE | after `failures` in a row: OPEN |
| OPEN | WAITED | after `open_s`: HALF_OPEN |
| HALF_OPEN | SUCCESS | after `successes` in a row: CLOSED |
| HALF_OPEN | FAILURE | OPEN |

Nothing else changes a state. In HALF_OPEN one probe is out at a time; one that is not answered
in time has failed. An answer speaks for the moment of its question: what was asked before the
present state began is not heard.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

import msgspec

from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.rung import Rung
from dailyarb.core.domain.units import SECOND


class CircuitState(Enum):
    """Is whether a dependency is relied on."""

    CLOSED = "CLOSED"
    OPEN = "OPEN"
    HALF_OPEN = "HALF_OPEN"


class Heard(Enum):
    """Is what a circuit is told: an answer, none, or that its time has passed."""

    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    WAITED = "WAITED"


class Told(NamedTuple):
    """Is one answer of a dependency: whether it was one, to a question of when, and why not."""

    ok: bool
    asked_ns: int
    cause: str = ""


class Needs(Enum):
    """Is how often in a row something must be heard before the state changes."""

    ONCE = "once"
    FAILURES = "failures"
    SUCCESSES = "successes"
    NEVER = "never"


_C, _H = CircuitState, Heard
# (state, heard) -> (how often in a row, next state); what is not here is not counted.
CIRCUIT_MOVES: dict[tuple[CircuitState, Heard], tuple[Needs, CircuitState]] = {
    (_C.CLOSED, _H.SUCCESS): (Needs.NEVER, _C.CLOSED),
    (_C.CLOSED, _H.FAILURE): (Needs.FAILURES, _C.OPEN),
    (_C.OPEN, _H.WAITED): (Needs.ONCE, _C.HALF_OPEN),
    (_C.HALF_OPEN, _H.SUCCESS): (Needs.SUCCESSES, _C.CLOSED),
    (_C.HALF_OPEN, _H.FAILURE): (Needs.ONCE, _C.OPEN),
}


class CircuitRule(msgspec.Struct, frozen=True, gc=False):
    """Defines one circuit; the runbook is generated from these. Effect FULL caps nothing."""

    name: str
    what: str
    effect: Rung
    probe: str
    remedy: str


ORDERS = "orders.pm"
DISK = "disk"
_REPORT = "the next report"
_LIFTS = "see the Feeds view; lifts by itself"
# name, what, effect, probe, remedy
_ROWS: tuple[tuple[str, str, Rung, str, str], ...] = (
    (ORDERS, "requests that create or cancel orders get no readable answer", Rung.HALTED,
     "a heartbeat to the venue",
     "lifts by itself once the path answers and the account has been reconciled"),
    ("feed.pm", "Polymarket's books stay down or silent", Rung.HEDGE_ONLY, _REPORT, _LIFTS),
    ("feed.binance", "Binance stays down or silent", Rung.HEDGE_ONLY, _REPORT, _LIFTS),
    ("feed.settle", "the settling feed stays down or silent", Rung.HEDGE_ONLY, _REPORT, _LIFTS),
    ("feed.user", "the channel of our own fills stays down", Rung.HEDGE_ONLY, _REPORT, _LIFTS),
    (DISK, "the journal's disk syncs late, or has failed to", Rung.HEDGE_ONLY, _REPORT,
     "check the disk; late syncs lift by themselves, a failed one only by a new start"),
    ("alert.NAME", "an alert channel does not take what the keeper gives it", Rung.FULL, _REPORT,
     "see `dailyarb doctor`; the other channels still speak"),
)  # fmt: skip
CIRCUITS: tuple[CircuitRule, ...] = tuple(CircuitRule(*row) for row in _ROWS)
_ALERT = CIRCUITS[-1]


class CircuitLimits(msgspec.Struct, frozen=True, gc=False):
    """Is when circuits open and close; probe_ns is how long a probe may take."""

    failures: int
    open_ns: int
    successes: int
    probe_ns: int = 10 * SECOND


class CircuitChange(msgspec.Struct, frozen=True, gc=False):
    """Is a change of state that has just happened."""

    name: str
    state: CircuitState
    effect: Rung
    failures: int
    limit: int
    reason: str


@dataclass(slots=True)
class Circuit:
    """Is one dependency's circuit. `count` is what the state counts, in a row."""

    rule: CircuitRule
    limits: CircuitLimits
    state: CircuitState = CircuitState.CLOSED
    count: int = 0
    since: Instant = field(default_factory=lambda: Instant(0, 0))
    probe_ns: int = 0  # when the probe left that is out, 0 without one
    opened: int = 0
    cause: str = ""

    def hear(self, told: Told, now: Instant) -> CircuitChange | None:
        """Takes one answer; returns the change of state it caused."""
        if told.asked_ns < self.since.mono_ns:
            return None
        self.cause = self.cause if told.ok else told.cause
        return self._count(Heard.SUCCESS if told.ok else Heard.FAILURE, now)

    def _count(self, heard: Heard, now: Instant) -> CircuitChange | None:
        move = CIRCUIT_MOVES.get((self.state, heard))
        if move is None:
            return None
        self.probe_ns = 0
        needs, then = move
        if needs is Needs.NEVER:
            self.count = 0
            return None
        self.count += 1
        full = needs is Needs.ONCE or self.count >= self.wanted
        return self._move(then, now) if full else None

    @property
    def wanted(self) -> int:
        """Returns how often in a row something must be heard that the present state counts."""
        half = self.state is CircuitState.HALF_OPEN
        return self.limits.successes if half else self.limits.failures

    def tick(self, now: Instant) -> CircuitChange | None:
        """Lets time pass: the open time ends, or a probe was not answered."""
        if self.state is CircuitState.OPEN:
            waited = now.mono_ns - self.since.mono_ns >= self.limits.open_ns
            return self._count(Heard.WAITED, now) if waited else None
        if self.probe_ns and now.mono_ns - self.probe_ns >= self.limits.probe_ns:
            return self.hear(Told(False, self.probe_ns, "the probe was not answered"), now)
        return None

    def wants_probe(self) -> bool:
        """Says whether a probe should leave: in HALF_OPEN, and none is out."""
        return self.state is CircuitState.HALF_OPEN and not self.probe_ns

    def _move(self, then: CircuitState, now: Instant) -> CircuitChange:
        failures = self.count if self.state is CircuitState.CLOSED else 1
        self.state, self.count, self.since, self.probe_ns = then, 0, now, 0
        self.opened += then is CircuitState.OPEN
        reason = self.cause if then is CircuitState.OPEN else ""
        if then is CircuitState.CLOSED:
            failures, self.cause, reason = 0, "", "answers again"
        return CircuitChange(
            self.rule.name, then, self.rule.effect, failures, self.limits.failures, reason
        )


class Circuits:
    """Holds all circuits; those of alert channels appear when a channel is first heard of."""

    def __init__(self, limits: CircuitLimits) -> None:
        self._limits = limits
        self.by_name: dict[str, Circuit] = {
            rule.name: Circuit(rule, limits) for rule in CIRCUITS if rule is not _ALERT
        }

    def channel(self, name: str) -> str:
        """Returns the name of an alert channel's circuit; the caller bounds the channels."""
        key = f"alert.{name}"
        if key not in self.by_name:
            rule = msgspec.structs.replace(_ALERT, name=key)
            self.by_name[key] = Circuit(rule, self._limits)
        return key

    def cap(self) -> tuple[Rung, str]:
        """Returns the lowest rung of all circuits that are not closed, and which sets it."""
        lowest, name = Rung.FULL, ""
        for circuit in self.by_name.values():
            if circuit.state is not CircuitState.CLOSED and circuit.rule.effect < lowest:
                lowest, name = circuit.rule.effect, circuit.rule.name
        return lowest, name

    def open(self) -> int:
        """Returns how many are not closed."""
        return sum(c.state is not CircuitState.CLOSED for c in self.by_name.values())

"""Caps on the rung: what breakers, circuits and degradation allow, journalled and acted on at once.

Breakers and degradation are fed numbers (`numbers.py`), circuits are fed answers. A cap that falls
withdraws what it forbids in the same run.
"""

from __future__ import annotations

from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.commands import Command, Journal
from dailyarb.core.domain.ids import Severity
from dailyarb.core.domain.intents import IntentKind
from dailyarb.core.domain.records import BreakerMoved
from dailyarb.core.domain.rung import Rung, RungCause
from dailyarb.core.engine.state import State
from dailyarb.core.engine.trading import cancel, cancel_all
from dailyarb.core.risk.breaker import Change
from dailyarb.core.risk.circuit import ORDERS, CircuitChange, CircuitState, Told


def apply_cap(state: State, now: Instant, out: list[Command]) -> None:
    """Takes over the lowest cap in force; a fall withdraws what it forbids."""
    rungs, before = state.rungs, state.rungs.breaker
    rungs.breaker, rungs.breaker_cause, rungs.breaker_name = _lowest(state)
    if not rungs.breaker < before:
        return
    if rungs.breaker is Rung.HALTED:
        cancel_all(state, now, out)
        return
    entries = [
        o
        for o in state.orders.live()
        if o.intent is IntentKind.ENTRY and not o.takes and not o.cancel_ns
    ]
    cancel(entries, f"{rungs.breaker_cause.value} {rungs.breaker_name}", now, out)


def _lowest(state: State) -> tuple[Rung, RungCause, str]:
    cap, name = state.breakers.cap()
    found = (cap, state.breakers.cause(name), name)
    cap, name = state.circuits.cap()
    if cap < found[0]:
        found = (cap, RungCause.CIRCUIT, name)
    path = state.circuits.by_name[ORDERS]
    # The path works again, but what became of our orders meanwhile is not known yet (F66).
    if path.opened and state.account.reported_ns < path.since.mono_ns and found[0].value:
        found = (Rung.HALTED, RungCause.CIRCUIT, f"{ORDERS}: reconciling")
    return found


def announce(state: State, change: Change, now: Instant, out: list[Command]) -> None:
    """Journals and tells a breaker's trip or reset."""
    out.append(
        Journal(
            BreakerMoved(
                change.name, change.tripped, change.now, change.limit, change.effect, "engine",
                change.reason,
            )
        )
    )  # fmt: skip
    if change.tripped:
        state.tallies.breakers += 1
        unit = state.breakers.by_name[change.name].rule.unit
        number, limit = _said(change.now, unit), _said(change.limit, unit)
        text = f"{change.name} TRIP {number} (limit {limit}) {change.reason}".strip()
        state.tell("BRK", text, now, Severity.WARNING)
        severity = Severity.CRITICAL if change.effect is Rung.HALTED else Severity.WARNING
        state.alert(severity, f"breaker.{change.name}", text, now, out)
    else:
        state.tell("BRK", f"{change.name} reset ({change.reason})", now)


def _said(number: float, unit: str) -> str:
    if unit == "$":
        return f"{'-' if number < 0 else ''}${abs(number):.2f}"
    return f"{round(number, 1):g} {unit if unit != 'n' else ''}".rstrip()


def heard(state: State, name: str, told: Told, now: Instant, out: list[Command]) -> None:
    """Tells a circuit how what it guards has answered."""
    turned(state, state.circuits.by_name[name].hear(told, now), now, out)


def heard_path(state: State, told: Told, now: Instant, out: list[Command]) -> None:
    """Takes one answer of the order path; not ok means that none could be read."""
    state.tallies.requests.append((now.mono_ns, not told.ok))
    heard(state, ORDERS, told, now, out)


def pass_time(state: State, now: Instant, out: list[Command]) -> None:
    """Lets circuits whose open time has passed let a probe through."""
    for circuit in list(state.circuits.by_name.values()):
        turned(state, circuit.tick(now), now, out)


def turned(state: State, change: CircuitChange | None, now: Instant, out: list[Command]) -> None:
    """Journals and tells a circuit's change of state, and applies its cap at once."""
    if change is None:
        return
    name, tripped = f"circuit.{change.name}", change.state is not CircuitState.CLOSED
    text = f"{name} {change.state.value} {change.reason}".strip()
    if change.state is not CircuitState.HALF_OPEN:
        record = BreakerMoved(
            name, tripped, change.failures, change.limit, change.effect, "engine", change.reason
        )
        out.append(Journal(record))
    state.tell("BRK", text, now, Severity.WARNING if tripped else Severity.INFO)
    if change.state is CircuitState.OPEN:
        state.tallies.breakers += 1
        severity = Severity.CRITICAL if change.effect is Rung.HALTED else Severity.WARNING
        state.alert(severity, name, text, now, out)
    if change.name == ORDERS and not tripped:
        state.account.asked_ns = 0  # what became of our orders is asked before anything is sent
        state.tallies.requests.clear()  # the path has proven itself: health begins anew too
    apply_cap(state, now, out)

"""Applies parameters that a tuner chose: bounded, whole or not at all, and told."""

from __future__ import annotations

from msgspec.structs import replace

from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.commands import Command
from dailyarb.core.domain.events import ParametersChosen
from dailyarb.core.domain.ids import Severity
from dailyarb.core.engine.state import State, build_strategies
from dailyarb.core.tuning.bounds import tuned
from dailyarb.core.tuning.thompson import Values


def on_parameters(state: State, event: ParametersChosen, now: Instant, out: list[Command]) -> None:
    """A draw arrives: the strategy goes on with it, or everything stays as it was."""
    del out
    shown = ", ".join(f"{name} {number:g}" for name, number in event.values)
    refused = _apply(state, event.strategy, event.values)
    if refused:
        text = f"parameters of {event.strategy} refused: {refused}"
        state.tell("MODE", text, now, Severity.WARNING)
        return
    state.parameters[event.strategy] = dict(event.values)
    state.tell("MODE", f"parameters of {event.strategy}: {shown}", now)


def resume(state: State, now: Instant) -> None:
    """Goes on with the parameters of an earlier life, as far as the file still allows them."""
    for name, values in list(state.parameters.items()):
        refused = _apply(state, name, tuple(values.items()))
        if refused:
            del state.parameters[name]
            state.tell("MODE", f"parameters of {name} dropped: {refused}", now, Severity.WARNING)


def _apply(state: State, name: str, values: Values) -> str:
    """Rebuilds one strategy with other values; returns why not, or ""."""
    places = [i for i, built in enumerate(state.strategies) if built.id.value == name]
    if not places:
        return "it is not running"
    strategies = state.settings.strategies
    try:
        own = tuned(getattr(strategies, name), values)
    except ValueError as fault:
        return str(fault)
    settings = replace(state.settings, strategies=replace(strategies, **{name: own}))
    state.settings = settings
    state.strategies[places[0]] = build_strategies(settings, (name,))[0]
    return ""

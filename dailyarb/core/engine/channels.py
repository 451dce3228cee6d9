"""The channels that alerts leave by, as the keeper reports them (F83)."""

from __future__ import annotations

from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.commands import Command
from dailyarb.core.domain.events import AlertState
from dailyarb.core.domain.ids import Severity
from dailyarb.core.domain.units import MS, SECOND
from dailyarb.core.domain.view import ChannelRow
from dailyarb.core.engine.caps import heard
from dailyarb.core.engine.housekeeping import trip
from dailyarb.core.engine.state import State
from dailyarb.core.risk.circuit import Told

CHANNELS_MAX = 32
SILENT_NS = 30 * SECOND  # the keeper reports every few seconds


def on_alert_state(state: State, event: AlertState, now: Instant, out: list[Command]) -> None:
    """Keeps a channel's state, tells when it turns, and lowers the rung where that is asked."""
    channels = state.seen.channels
    old = channels.get(event.channel)
    if old is None and len(channels) >= CHANNELS_MAX:
        return
    channels[event.channel] = (event, now.mono_ns)
    circuit = state.circuits.channel(event.channel)
    heard(state, circuit, Told(event.ok, now.mono_ns, event.detail), now, out)
    was_ok = old is None or old[0].ok
    if was_ok and not event.ok:
        text = f"channel {event.channel} down: {event.detail}"
        state.tell("ALERT", text, now, Severity.WARNING)
    elif event.ok and not was_ok:
        state.tell("ALERT", f"channel {event.channel} delivers again", now)
    if state.settings.alerts.lower_rung_after_s:
        trip(state, "alerts", event.critical_s, event.detail, now, out)


def channel_rows(state: State, now: Instant) -> tuple[ChannelRow, ...]:
    """Returns the channels; one of which nothing was heard for a while is not ok."""
    rows = []
    for told, heard_ns in state.seen.channels.values():
        age_ns = now.mono_ns - heard_ns
        silent = age_ns > SILENT_NS
        detail = f"no word from the keeper for {age_ns // SECOND} s" if silent else told.detail
        told_ms = None if told.told_s is None else round(told.told_s * 1000) + age_ns // MS
        rows.append(
            ChannelRow(told.channel, told.ok and not silent, told.undelivered, told_ms, detail)
        )
    return tuple(rows)

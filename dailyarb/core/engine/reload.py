"""Limits of a file read anew: [risk] and [breakers] change while running, nothing else does."""

from __future__ import annotations

import dataclasses

import msgspec
from msgspec.structs import replace

from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.commands import Command, Journal
from dailyarb.core.domain.events import OperatorCommand
from dailyarb.core.domain.records import SettingsTaken
from dailyarb.core.domain.settings import usd_e6
from dailyarb.core.engine.state import State
from dailyarb.core.risk.limits import set_limits

LIMITS = ("risk", "breakers")


def take_settings(
    state: State, event: OperatorCommand, now: Instant, out: list[Command]
) -> tuple[bool, str]:
    """Takes over new limits; whoever read the file says in `reason` what waits for a restart."""
    old, fresh = state.settings, event.settings
    if fresh is None:
        return False, event.reason or "no file was read"
    # Parameters of strategies may be a tuner's; a file's others wait, as `reason` says.
    kept = {"risk": old.risk, "breakers": old.breakers, "strategies": old.strategies}
    if replace(fresh, **kept) != old:
        return False, "only [risk] and [breakers] change while the engine runs"
    changed = tuple(
        f"{table}.{key}"
        for table in LIMITS
        for key, value in msgspec.structs.asdict(getattr(fresh, table)).items()
        if value != getattr(getattr(old, table), key)
    )
    tail = f"; {event.reason}" if event.reason else ""
    if not changed:
        return True, f"no limit has changed{tail}"
    state.settings = replace(old, risk=fresh.risk, breakers=fresh.breakers)
    state.gate.settings = state.proofs.risk = fresh.risk
    state.pairs.max_unwind_loss_e6 = usd_e6(fresh.risk.max_unwind_loss_usd)
    set_limits(state.breakers, fresh)
    state.birth = dataclasses.replace(state.birth, config_hash=event.config_hash)
    state.next_tick_ns = now.mono_ns  # breakers look at their numbers again at once
    out.append(Journal(SettingsTaken(event.config_hash, changed, event.who)))
    return True, f"in force: {', '.join(changed)}{tail}"

"""Reads the configuration file again for an engine that goes on; it decides what counts."""

from __future__ import annotations

from msgspec.structs import replace

from dailyarb import config
from dailyarb.config import Loaded
from dailyarb.core.domain.errors import ConfigError
from dailyarb.core.domain.events import OperatorCommand
from dailyarb.core.domain.operator import OperatorVerb

AT_HANGUP = OperatorCommand(OperatorVerb.RELOAD, "SIGHUP", confirmed=True)


def read_again(loaded: Loaded, command: OperatorCommand) -> OperatorCommand:
    """Returns a reload with what the file says now, or with every fault that keeps it out."""
    try:
        fresh, waits = config.again(loaded)
    except ConfigError as error:
        return replace(command, reason=str(error))
    note = f"after a restart: {', '.join(waits)}" if waits else ""
    return replace(command, settings=fresh.settings, config_hash=fresh.hash, reason=note)

"""Where orders go in each mode."""

from __future__ import annotations

from collections.abc import Callable

from dailyarb.core.domain.clock import Clock
from dailyarb.core.domain.errors import ConfigError, Problem
from dailyarb.core.domain.events import Event
from dailyarb.core.domain.rung import Mode
from dailyarb.runtime.identity import Identity
from dailyarb.runtime.submit import OrderPath, PathSettings
from dailyarb.venues.endpoints import Endpoints

# A marketable order holds its connection for the venue's delay and a round trip.
CONNECTIONS = 12
SENDS = (Mode.SIM, Mode.REPLAY, Mode.LIVE)


def check_mode(mode: Mode) -> None:
    """Refuses modes that this build cannot run.

    Raises:
        ConfigError: DRY and PAPER on live venues are not built yet.
    """
    if mode not in SENDS:
        what = f"mode {mode.value.lower()} on live venues is not part of this build yet"
        hint = "run --venues embedded (sim) or --venues replay:PATH"
        raise ConfigError([Problem("config", 0, "mode", what, hint)])


def order_path(
    at: Endpoints, identity: Identity, clock: Clock, emit: Callable[[Event], None]
) -> OrderPath:
    """Returns the warm connection orders leave by.

    Raises:
        ConfigError: there are no credentials to prove orders with.
    """
    if identity.auth is None:
        what = "credentials are missing: orders cannot be proven to be ours"
        raise ConfigError([Problem("config", 0, "credentials.private_key", what)])
    settings = PathSettings(connections=CONNECTIONS)
    return OrderPath(at.clob_http, identity.auth, identity.owner, clock, emit, settings)

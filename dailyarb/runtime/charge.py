"""What a keeper is given, and how it is started.

Kept apart from the keeper itself, so that an engine need not load what only the keeper uses.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from dailyarb.core.domain.settings import Alerts, MetricsSettings, Settings
from dailyarb.runtime.paths import Places, holder_of
from dailyarb.runtime.secrets import resolve

LINGER_S = 600.0
LOOK_S = 5.0
BYTES_MAX = 60_000  # less than a pipe takes without a reader
_encode = msgspec.json.Encoder().encode


class Restarts(msgspec.Struct, frozen=True):
    """Is how an engine that died is started anew: with which words, how often an hour.

    argv is () where nothing is restarted.
    """

    argv: tuple[str, ...] = ()
    most: int = 0
    after_s: float = 5.0


class Charge(msgspec.Struct, frozen=True):
    """Is everything a keeper needs to know. Addresses are references; no secret is in here.

    core is the engine's own, cores are those of the whole program; () knows of none.
    """

    instance: str
    core: int | None = None
    cores: tuple[int, ...] = ()
    metrics: MetricsSettings = MetricsSettings()
    alerts: Alerts = Alerts()
    restarts: Restarts = Restarts()
    linger_s: float = LINGER_S

    @property
    def mark(self) -> str:
        """Returns a short word that differs where anything in it differs."""
        return hashlib.blake2b(_encode(self), digest_size=6).hexdigest()


def charge_of(
    settings: Settings, core: int | None, cores: Sequence[int] = (), argv: Sequence[str] = ()
) -> Charge:
    """Returns the charge of the keeper beside an engine with these settings.

    Args:
        settings: of the engine.
        core: the engine's own core, which the keeper leaves to it.
        cores: those of the whole program.
        argv: the command that starts the same engine again; () where it shall not be.

    Raises:
        SecretError: an address cannot be read; better now than when something burns.
    """
    for name, route in settings.alerts.routes.items():
        if route.url:
            resolve(route.url, f"alerts.routes.{name}.url")
    if settings.alerts.watchdog_url:
        resolve(settings.alerts.watchdog_url, "alerts.watchdog_url")
    engine = settings.engine
    most = engine.max_restarts if argv else 0
    return Charge(
        settings.instance,
        core,
        tuple(cores),
        settings.metrics,
        settings.alerts,
        Restarts(tuple(argv) if most else (), most, engine.restart_after_s),
    )


def start_keeper(charge: Charge, output: Path | None = None) -> subprocess.Popen[bytes]:
    """Starts a keeper in a session of its own and gives it its charge.

    Args:
        charge: told through a pipe: a command's words any user of the machine could read.
        output: file for what it says on standard error, which should be nothing.
    """
    argv = [sys.executable, "-m", "dailyarb.runtime.keeper_run", "--instance", charge.instance]
    with contextlib.ExitStack() as stack:
        errors = stack.enter_context(open(output or os.devnull, "wb"))
        keeper = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
        )
    assert keeper.stdin is not None
    blob = _encode(charge)
    assert len(blob) <= BYTES_MAX
    with contextlib.suppress(BrokenPipeError), keeper.stdin:
        keeper.stdin.write(blob)
    return keeper


def read_charge(blob: bytes, instance: str) -> Charge:
    """Returns the charge a keeper was given; without one, that of a plain keeper.

    Raises:
        msgspec.DecodeError: it is none.
    """
    return msgspec.json.decode(blob, type=Charge) if blob.strip() else Charge(instance)


async def watch_keeper(charge: Charge, places: Places, look_s: float = LOOK_S) -> None:
    """Starts another keeper whenever none is there: who watches must not be missing unnoticed."""
    while True:
        await asyncio.sleep(look_s)
        if holder_of(places.state_dir / "keeper.lock") is None:
            await asyncio.to_thread(start_keeper, charge)

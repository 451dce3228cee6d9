"""The keeper's process: its lock, log, channels and endpoint, from birth to the last alert."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator

from dailyarb.core.domain.errors import InstanceBusy, SecretError
from dailyarb.core.domain.settings import Alerts, LogSettings
from dailyarb.runtime.alert import Channel, Dispatcher, Route, Send
from dailyarb.runtime.apprise_send import open_route
from dailyarb.runtime.charge import Charge, read_charge
from dailyarb.runtime.clock import BootClock
from dailyarb.runtime.cores import allow, stay_off
from dailyarb.runtime.keeper import Keeper
from dailyarb.runtime.logs import Log, setup
from dailyarb.runtime.metrics_http import MetricsServer
from dailyarb.runtime.outbox import Pace, QuietHours
from dailyarb.runtime.paths import Places, holder_of, take_lock
from dailyarb.runtime.secrets import resolve
from dailyarb.runtime.watchdog import Watchdog

STEP_S = 1.0
LAST_WORDS_S = 10.0
TAKE_OVER_S = 15.0
_POLL_S = 0.05


def main(argv: list[str] | None = None) -> int:
    """Runs a keeper until its engine ends or a signal comes; returns the exit code."""
    words = argparse.ArgumentParser(prog="dailyarb-keeper")
    words.add_argument("--instance", default="main")
    given = words.parse_args(argv)
    charge = read_charge(sys.stdin.buffer.read(), given.instance)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    allow(frozenset(charge.cores))  # whoever started us may have been pinned to the engine's
    stay_off(charge.core)
    places = Places(charge.instance)
    places.make()
    lock = take_place(places, charge)
    if lock is None:
        return 0
    log = setup(LogSettings(), "keeper", charge.instance, places.state_dir / "keeper.jsonl")
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, lock)
        stack.callback(log.close)
        _watch(places, charge, log, stop)
    return 0


def take_place(places: Places, charge: Charge) -> int | None:
    """Returns the lock of the instance's only keeper; None where one with this charge watches.

    One with another charge, of an engine that ran before with other settings, is asked to leave.
    """
    path = places.state_dir / "keeper.lock"
    told = {"pid": os.getpid(), "instance": charge.instance, "charge": charge.mark}
    end = time.monotonic() + TAKE_OVER_S
    asked = False
    while True:
        try:
            return take_lock(f"keeper of {charge.instance}", path, json.dumps(told))
        except InstanceBusy:
            holder = holder_of(path) or {}
        if holder.get("charge") == charge.mark or time.monotonic() > end:
            return None
        pid = holder.get("pid")
        if isinstance(pid, int) and not asked:
            asked = True
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGTERM)
        time.sleep(_POLL_S)


def _watch(places: Places, charge: Charge, log: Log, stop: threading.Event) -> None:
    clock = BootClock()
    alerts = Dispatcher(
        list(channels(charge.alerts, charge.instance, clock, log)), charge.alerts.repeat_s, clock
    )
    keeper = Keeper(places, charge, log, alerts, clock, watchdog(charge.alerts, clock, log))
    server = _serve(keeper, charge, log)
    try:
        while keeper.step() and not stop.wait(STEP_S):
            pass
    finally:
        keeper.close()
        alerts.close(LAST_WORDS_S)
        if server is not None:
            server.stop()


def _serve(keeper: Keeper, charge: Charge, log: Log) -> MetricsServer | None:
    if not charge.metrics.port:
        log.event("info", "keeper.started", port=0)
        return None
    try:
        server = MetricsServer(keeper.metrics, charge.metrics.address, charge.metrics.port)
    except OSError as error:
        log.event("warn", "keeper.started", port=0, why=error.strerror)
        return None
    log.event("info", "keeper.started", port=server.port)
    return server


def channels(alerts: Alerts, instance: str, clock: BootClock, log: Log) -> Iterator[Channel]:
    """Gives the channels of all routes that have an address; one that is wrong never delivers."""
    pace = Pace(alerts.digest_s, alerts.per_minute, QuietHours.of(alerts.quiet_hours))
    for name, route in alerts.routes.items():
        if not route.url:
            continue
        own = Route(name, route.severity, route.tags, pace)
        yield Channel(own, delivery(name, route.url, log), instance, clock)


def delivery(name: str, reference: str, log: Log) -> Send:
    """Returns how a route delivers; a route whose address is wrong says so each time."""
    try:
        return open_route(name, reference, log.redactor.register)
    except (SecretError, ValueError) as error:
        why = str(error)
        log.event("error", "alert.failed", channel=name, what=why)
        return lambda *_: why


def watchdog(alerts: Alerts, clock: BootClock, log: Log) -> Watchdog | None:
    """Returns the watchdog of these settings, None where there is none."""
    if not alerts.watchdog_url:
        return None
    try:
        url = resolve(alerts.watchdog_url, "alerts.watchdog_url").reveal()
        log.redactor.register(url)
        return Watchdog(url, alerts.watchdog_s, clock)
    except (SecretError, ValueError) as error:
        log.event("error", "alert.failed", channel="watchdog", what=str(error))
        return None


if __name__ == "__main__":
    sys.exit(main())

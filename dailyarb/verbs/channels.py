"""Alert channels from the command line: what is wrong with them, and a test through each."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator

import msgspec

from dailyarb import config
from dailyarb.core.domain.errors import SecretError
from dailyarb.core.domain.ids import Severity
from dailyarb.core.domain.settings import AlertRoute, Alerts
from dailyarb.verbs.engine import instance_of
from dailyarb.verbs.output import Column, Output

UNDELIVERED = 7
TRY = "prove it: dailyarb alerts --test"


class Channel(msgspec.Struct, frozen=True):
    """Is one channel as the command line sees it; state is ok or bad."""

    channel: str
    state: str
    found: str


def check(alerts: Alerts) -> Iterator[Channel]:
    """Gives each channel of the settings: whether its address is there and understood."""
    for name, route, why in _opened(alerts):
        if why:
            yield Channel(name, "bad", why)
            continue
        tags = ", ".join(tag.value for tag in route.tags) or "every subject"
        yield Channel(name, "ok", f"{route.severity.value} and above, {tags}")


def test(arguments: Namespace, out: Output) -> int:
    """Sends a test alert through each channel, past caps and quiet hours; exit 7 if one fails."""
    instance = instance_of(arguments)
    alerts = config.load(arguments.config, {"instance": instance}).settings.alerts
    rows = [_tried(name, route, why, instance) for name, route, why in _opened(alerts)]
    columns = [Column("channel", "channel"), Column("state", "state"), Column("found", "found")]
    empty = "no channel has an address; see [alerts.routes] of the settings"
    out.table(columns, msgspec.to_builtins(rows), empty=empty)
    return UNDELIVERED if any(row.state == "bad" for row in rows) else 0


def _tried(name: str, route: AlertRoute, why: str, instance: str) -> Channel:
    from dailyarb.runtime.apprise_send import open_route

    if not why:
        send = open_route(name, route.url)
        text = f"this is a test of the channel {name}: nothing has happened"
        why = send(Severity.INFO, f"dailyarb {instance}: test", text)
    return Channel(name, "bad" if why else "ok", why or "delivered")


def _opened(alerts: Alerts) -> Iterator[tuple[str, AlertRoute, str]]:
    """Gives name, route and what is wrong with its address, of all routes that have one."""
    from dailyarb.runtime.apprise_send import open_route

    for name, route in alerts.routes.items():
        if not route.url:
            continue
        try:
            open_route(name, route.url)
        except (SecretError, ValueError) as error:
            yield name, route, str(error)
        else:
            yield name, route, ""

"""Delivery through Apprise: one address, one channel. Addresses hold credentials: never printed."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable

from dailyarb.core.domain.ids import Severity
from dailyarb.runtime.alert import Send
from dailyarb.runtime.secrets import resolve

TIMEOUT_S = 45.0
_CODE = re.compile(r"error=(\d{3})\b")


def apprise_send(url: str) -> Send:
    """Returns the delivery to one Apprise address.

    Raises:
        ValueError: the address is not understood; told without its text.
    """
    import apprise

    log = logging.getLogger("apprise")
    log.propagate = False  # its lines may carry an address
    log.addHandler(logging.NullHandler())
    channel = apprise.Apprise()
    if not channel.add(url):
        raise ValueError("its address is not understood by Apprise")
    kinds = {
        Severity.INFO: apprise.NotifyType.INFO,
        Severity.WARNING: apprise.NotifyType.WARNING,
        Severity.CRITICAL: apprise.NotifyType.FAILURE,
    }

    def send(severity: Severity, title: str, text: str) -> str:
        result = channel.notify(text, title, kinds[severity], timeout=TIMEOUT_S)
        if result:
            return ""
        # Of its words only the status code is kept: the rest may name what is secret.
        codes = [_CODE.search(entry.message) for entry in result.logs()]
        code = next((found.group(1) for found in codes if found), "")
        return f"refused with status {code}" if code else "could not be reached"

    return send


def open_route(name: str, reference: str, hide: Callable[[str], object] = lambda _: None) -> Send:
    """Returns the delivery of one route of the settings.

    Args:
        name: of the route.
        reference: to its address.
        hide: is given the address before anything else sees it.

    Raises:
        SecretError: the reference leads nowhere.
        ValueError: the address is not understood.
    """
    url = resolve(reference, f"alerts.routes.{name}.url").reveal()
    hide(url)
    return apprise_send(url)

"""Tells systemd how the engine is, where it is a service: ready, alive, and in which state.

The keeper does it for the engine: ready is said once the account has been reconciled, and the
service's watchdog is fed only while the heartbeat goes on. The protocol is one datagram a message.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping

from dailyarb.core.domain.view import View

ENV = "NOTIFY_SOCKET"


class Notifier:
    """Speaks to the service manager named in the environment; to nobody where there is none."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        address = environ.get(ENV, "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._ready_run = ""

    def tell(self, view: View | None, alive: bool) -> None:
        """Tells what one look at the engine has shown; a manager that is gone costs nothing."""
        if not self._address or view is None or not alive:
            return
        lines = ["WATCHDOG=1", f"STATUS={view.mode.value} {view.rung.name}"]
        ready = not view.booting and view.run != self._ready_run
        if ready:
            lines.insert(0, "READY=1")
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.setblocking(False)
            out.sendto("\n".join(lines).encode(), self._address)
            self._ready_run = view.run if ready else self._ready_run

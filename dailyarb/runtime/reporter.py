"""Tells the engine how its alert channels are, over the control socket; never waits for it."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path

import msgspec

from dailyarb.core.domain.events import AlertState
from dailyarb.runtime.control_protocol import Line, Role

EVERY_NS = 5_000_000_000
TIMEOUT_S = 0.2
_encode = msgspec.json.Encoder().encode


class Reporter:
    """Sends the states when one of them turns, and every few seconds.

    Args:
        path: the engine's socket; it may not be there yet, or not any more.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._socket: socket.socket | None = None
        self._told_ns: int | None = None
        self._turned: tuple[tuple[str, bool, int], ...] = ()

    def tell(self, states: Sequence[AlertState], now_ns: int) -> None:
        """Reports if it is due; an engine that does not take it is tried again later."""
        turned = tuple((state.channel, state.ok, state.undelivered) for state in states)
        due = self._told_ns is None or now_ns - self._told_ns >= EVERY_NS
        if not states or not (due or turned != self._turned):
            return
        self._told_ns, self._turned = now_ns, turned
        lines = b"".join(_encode(Line(alert=state)) + b"\n" for state in states)
        try:
            self._connected().sendall(lines)
        except OSError:
            self.close()
            self._turned = ()

    def close(self) -> None:
        """Closes the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _connected(self) -> socket.socket:
        if self._socket is None:
            fresh = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            fresh.settimeout(TIMEOUT_S)
            try:
                fresh.connect(str(self._path))
                fresh.sendall(_encode(Line(hello=Role.KEEPER, who="keeper")) + b"\n")
            except OSError:
                fresh.close()
                raise
            self._socket = fresh
        return self._socket

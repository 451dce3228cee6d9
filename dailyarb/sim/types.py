"""The vocabulary of the simulated venues: what goes in, what comes out, and when.

A venue model is sans-IO: it is told the time, it never reads a clock, and everything it says is
returned. Times are the venue's wall clock in nanoseconds, on one scale for all models of a world
(virtual time, or the clock of the loopback servers). Randomness is an injected `random.Random`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple, Protocol

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000


class Frame(Enum):
    """Is what travels over a socket."""

    TEXT = "text"
    PING = "ping"  # a protocol-level ping, not a text
    CLOSE = "close"


class Delivery(NamedTuple):
    """Is one thing a venue puts on one socket at one instant.

    `channel` is the connection's id, `payload` the bytes of a text frame (or of a ping, or the
    reason of a close), `code` the close code.
    """

    at_ns: int
    channel: str
    payload: bytes
    frame: Frame = Frame.TEXT
    code: int = 0


class Request(NamedTuple):
    """Is one HTTP request; header names are as sent, `query` keeps repeated keys in order."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = {}
    body: bytes = b""

    def first(self, name: str, default: str = "") -> str:
        """Returns the first value of a query parameter."""
        for key, value in self.query:
            if key == name:
                return value
        return default

    def every(self, name: str) -> list[str]:
        """Returns all values of a query parameter, commas split."""
        return [part for key, value in self.query if key == name for part in value.split(",")]

    def header(self, name: str) -> str:
        """Returns a header by name, in any case; "" when absent."""
        wanted = name.lower()
        for key, value in self.headers.items():
            if key.lower() == wanted:
                return value
        return ""


class Reply(NamedTuple):
    """Is the answer to one request, complete at `at_ns`."""

    at_ns: int
    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)


class Held(NamedTuple):
    """Says that the answer is not known yet: ask `answer(ticket)` once `due_ns` has been advanced.

    A marketable order waits before it is matched; what happens in the meantime decides its fate.
    """

    ticket: int
    due_ns: int


class VenueModel(Protocol):
    """Is one simulated venue: sockets and requests in, deliveries and replies out."""

    def connect(
        self, conn_id: str, path: str, query: tuple[tuple[str, str], ...], now_ns: int
    ) -> int:
        """Opens a socket; returns 101, or the HTTP status that refuses the upgrade."""
        ...

    def receive(self, conn_id: str, text: str, now_ns: int) -> None:
        """Takes one text frame of a client."""
        ...

    def disconnect(self, conn_id: str) -> None:
        """Forgets a socket."""
        ...

    def request(self, request: Request, now_ns: int) -> Reply | Held:
        """Answers an HTTP request, or says when the answer will be known."""
        ...

    def answer(self, ticket: int) -> Reply:
        """Returns the answer of a held request; raises KeyError before it is due."""
        ...

    def advance(self, now_ns: int) -> list[Delivery]:
        """Runs everything due by now and returns what goes out, in order."""
        ...

    def next_due_ns(self) -> int | None:
        """Returns when `advance` is wanted next, or None when nothing is planned."""
        ...

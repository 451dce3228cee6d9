"""Errors of the whole project.

DailyarbError
  ConfigError(problems)          file, line, key, hint of each; exit 2, before any connection
  SecretError                    exit 2, never carries the value
  VenueError(venue, request)     never leaves venues/runtime; becomes an event
    Refused                      proven not accepted
    Throttled                    proven not accepted, wait
    Restricted                   restarting, cancel-only, post-only
    AuthFailed, Blocked          stop submitting
    OutcomeUnknown               timeout, reset, 5xx, unreadable 200: ask, never resend anew
  FrameFault(kind, size)         malformed, too big, off scale, unknown type
  UnitError(name, number)        outside its range: refused at the edge it came from
  JournalError, JournalCorrupt   no further orders; exit 3
  BoardError                     missing, foreign or torn board
  InstanceBusy                   instance or wallet already in use; exit 4
  PreflightFailed                asked to arm at start, and may not; exit 7
InvariantBroken(AssertionError)  our bug: cancel-all attempt, then exit 70
"""

from __future__ import annotations

import msgspec


class DailyarbError(Exception):
    """Is the root of every error an operator can meet."""


class Problem(msgspec.Struct, frozen=True):
    """Is one fault of a configuration file: where it is, what is wrong and what would be right."""

    file: str
    line: int
    key: str
    what: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        tail = f"\n    {self.hint}" if self.hint else ""
        return f"{place}: {self.key}: {self.what}{tail}"


class ConfigError(DailyarbError):
    """Carries every fault found in the configuration, not only the first."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class SecretError(DailyarbError):
    """Says which secret could not be read; never carries its value."""


class VenueError(DailyarbError):
    """Is a venue's refusal or silence about one request.

    Args:
        venue: `polymarket` or `binance`.
        request: the verb and path, without query, headers or body.
        detail: the venue's own words, without secrets.
        asked_ns: mono_ns at which the request left.
    """

    def __init__(self, venue: str, request: str, detail: str = "", asked_ns: int = 0) -> None:
        super().__init__(f"{venue} {request}: {detail}")
        self.venue = venue
        self.request = request
        self.detail = detail
        self.asked_ns = asked_ns


class Refused(VenueError):
    """Proven not accepted."""


class Throttled(VenueError):
    """Proven not accepted; `retry_after_s` says how long to wait."""

    def __init__(
        self, venue: str, request: str, retry_after_s: float, detail: str = "", asked_ns: int = 0
    ) -> None:
        super().__init__(venue, request, detail, asked_ns)
        self.retry_after_s = retry_after_s


class Restricted(VenueError):
    """Proven not accepted: the venue restarts, is cancel-only or post-only."""


class AuthFailed(VenueError):
    """Proven not accepted: credentials, signature or order version were refused."""


class Blocked(VenueError):
    """Proven not accepted: a block page or a closed region."""


class OutcomeUnknown(VenueError):
    """The request may or may not have been accepted: ask, never resend anew."""


class FrameFault(DailyarbError):
    """A frame that yields no rows.

    Args:
        kind: one of `syntax`, `type`, `missing`, `duplicate`, `number`, `scale`, `range`, `size`,
            `depth`.
        size: bytes of the frame.
    """

    def __init__(self, kind: str, size: int) -> None:
        super().__init__(f"{kind} in a frame of {size} bytes")
        self.kind = kind
        self.size = size


class UnitError(DailyarbError, ValueError):
    """A number outside its range, refused at the edge it came from."""

    def __init__(self, name: str, number: object, low: int, high: int) -> None:
        super().__init__(f"{name} is {number!r}, allowed {low} to {high}")
        self.name = name
        self.number = number


class JournalError(DailyarbError):
    """The journal cannot be written: no further orders."""


class JournalCorrupt(JournalError):
    """The journal cannot be believed; `seq` is its first bad row."""

    def __init__(self, path: str, seq: int, what: str) -> None:
        super().__init__(f"{path}: row {seq}: {what}")
        self.seq = seq


class BoardError(DailyarbError):
    """The board is missing, of another layout version, or could not be read untorn."""


class InstanceBusy(DailyarbError):
    """Another process holds the lock on this instance or wallet."""


class PreflightFailed(DailyarbError):
    """The run was to be armed at its start, and something stands against it."""


class InvariantBroken(AssertionError):
    """Our own bug: stop, after an attempt to cancel everything."""

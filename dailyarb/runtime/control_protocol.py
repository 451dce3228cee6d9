"""The lines of the control socket, as both ends know them; `control.py` tells the rules."""

from __future__ import annotations

import os
from enum import Enum
from pathlib import Path

import msgspec

from dailyarb.core.domain.errors import DailyarbError
from dailyarb.core.domain.events import AlertState, OperatorCommand
from dailyarb.core.domain.operator import OperatorVerb
from dailyarb.core.domain.rung import Mode, Rung

LINE_BYTES_MAX = 16_384
PATH_BYTES_MAX = 103  # what sun_path holds everywhere, with its end


class ControlError(DailyarbError):
    """The engine cannot be reached, or did not answer in time."""


class Role(Enum):
    """Is what a connection may do."""

    OPERATOR = "operator"
    ONCE = "once"
    OBSERVER = "observer"
    KEEPER = "keeper"


class Ack(msgspec.Struct, frozen=True):
    """Is the engine's answer to one command."""

    ok: bool
    text: str


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """Is one line from a client: a greeting, a command, or a keeper's word on a channel."""

    hello: Role | None = None
    who: str = ""
    id: int = 0
    verb: OperatorVerb | None = None
    alert: AlertState | None = None
    target: str = ""
    rung: str | None = None
    mode: Mode | None = None
    reason: str = ""
    frame: int = 0
    confirmed: bool = False

    def command(self, who: str, request_id: int) -> OperatorCommand | None:
        """Returns the command of this line, or None where it has no verb or an unknown rung."""
        if self.verb is None or (self.rung is not None and self.rung not in Rung.__members__):
            return None
        return OperatorCommand(
            verb=self.verb,
            who=who,
            request_id=request_id,
            target=self.target,
            rung=None if self.rung is None else Rung[self.rung],
            mode=self.mode,
            reason=self.reason,
            frame=self.frame,
            confirmed=self.confirmed,
        )


class Greeting(msgspec.Struct, frozen=True):
    """Is the server's answer to a greeting."""

    run: str
    lease: bool
    holder: str


class Reply(msgspec.Struct, frozen=True, omit_defaults=True):
    """Is one line to a client: a greeting, an answer, or news of the lease."""

    hello: Greeting | None = None
    id: int | None = None
    ok: bool = False
    text: str = ""
    lease: bool | None = None
    holder: str = ""


def check_path(path: Path) -> None:
    """Refuses a path a unix socket cannot have.

    Raises:
        ControlError: it is too long.
    """
    size = len(os.fsencode(path))
    if size > PATH_BYTES_MAX:
        what = f"{size} bytes are too many for a unix socket, {PATH_BYTES_MAX} fit"
        raise ControlError(f"{path}: {what}; set XDG_RUNTIME_DIR to a shorter folder")

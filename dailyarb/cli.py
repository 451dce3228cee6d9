"""The command line: parses, calls the verb, turns errors into sentences and exit codes.

The only module that prints. What each verb does is in `dailyarb.verbs`; the grammar is in
`dailyarb.verbs.parser`. Nothing heavy is imported before the verb is known.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from enum import IntEnum
from typing import TYPE_CHECKING

from dailyarb.verbs import parser

if TYPE_CHECKING:
    from dailyarb.verbs.output import Output


class Exit(IntEnum):
    """Is how a command ended."""

    CLEAN = 0
    NO = 1  # it worked, and the answer is no: no engine, refused, not valid
    USAGE = 2  # bad usage or configuration
    DISK = 3  # journal or disk unusable
    BUSY = 4  # instance or wallet already in use
    BREAKER = 5  # stopped by breaker
    UNVERIFIED = 6  # stopped with orders unverified
    PREFLIGHT = 7  # preflight failed
    INTERNAL = 70
    INTERRUPTED = 130


def _write(text: str) -> None:
    print(text, flush=True)


def _warn(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _code(error: Exception) -> Exit:
    """Returns the exit code of an error of ours."""
    from dailyarb.core.domain import errors
    from dailyarb.verbs.output import UsageError

    if isinstance(error, errors.ConfigError | errors.SecretError | UsageError):
        return Exit.USAGE
    if isinstance(error, errors.JournalError):
        return Exit.DISK
    if isinstance(error, errors.InstanceBusy):
        return Exit.BUSY
    if isinstance(error, errors.PreflightFailed):
        return Exit.PREFLIGHT
    return Exit.NO


def _hold_streams() -> None:
    """Puts the null device where a standard stream was closed: no file of ours may land there."""
    for handle, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            # The lowest free number is the one that was closed.
            mode = "r" if handle == 0 else "w"
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115


def _output(arguments: object) -> Output:
    from dailyarb.verbs.output import Output

    return Output(
        _write,
        _warn,
        json=bool(getattr(arguments, "json", False)),
        terminal=sys.stdout.isatty(),
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code.

    Args:
        argv: the words after the program's name; None takes those of the process.
    """
    _hold_streams()
    arguments = parser.build().parse_args(argv)
    from dailyarb.core.domain.errors import DailyarbError, InvariantBroken

    module, _, name = arguments.call.partition(":")
    try:
        verb = getattr(importlib.import_module(f"dailyarb.verbs.{module}"), name)
        return int(verb(arguments, _output(arguments)))
    except DailyarbError as error:
        _warn(f"dailyarb: {error}")
        return _code(error)
    except InvariantBroken as error:
        _warn(f"dailyarb: internal error, please report: {error}")
        return Exit.INTERNAL
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # The reader left, as `| head` does; what is still buffered has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.CLEAN

"""JSON without loss: fractions stay text until they become integers. Sans-IO.

Whatever does not fit is a FrameFault, never a value: a key twice, NaN, a number with more
decimals than its scale holds.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn, TypeVar

import msgspec

from dailyarb.core.domain.errors import FrameFault, UnitError
from dailyarb.core.domain.units import parse_scaled

Num = str | int
T = TypeVar("T")


class Wire(msgspec.Struct, frozen=True, gc=False):
    """Is the base of all wire structs: unknown fields are ignored."""


def load(raw: bytes | str) -> Any:
    """Returns a JSON text as plain values, fractions as their raw text.

    Raises:
        FrameFault: not JSON, nested too deep, a key twice in one object, or NaN or Infinity.
    """
    try:
        return json.loads(
            raw, object_pairs_hook=_unique, parse_float=str, parse_constant=_no_constant
        )
    except _DamagedError as error:
        raise FrameFault(error.kind, len(raw)) from None
    except RecursionError:
        raise FrameFault("depth", len(raw)) from None
    except ValueError:
        raise FrameFault("syntax", len(raw)) from None


def shape(found: Any, kind: type[T], size: int) -> T:
    """Returns plain values as a wire struct; raises FrameFault when they do not fit."""
    try:
        return msgspec.convert(found, kind)
    except msgspec.ValidationError as error:
        missing = "missing required field" in str(error)
        raise FrameFault("missing" if missing else "type", size) from None


class _DamagedError(ValueError):
    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _DamagedError("duplicate")
    return found


def _no_constant(_: str) -> NoReturn:
    raise _DamagedError("number")


def scaled(text: Num | None, decimals: int, high: int, size: int = 0) -> int:
    """Returns a decimal of the wire as an integer in [0, high]; empty or absent text is zero.

    Raises:
        FrameFault: not a plain decimal, more decimals than the scale holds, or out of range.
    """
    if text is None or text == "":
        return 0
    try:
        number = parse_scaled("number", str(text), decimals)
    except UnitError:
        raise FrameFault("number", size) from None
    if not 0 <= number <= high:
        raise FrameFault("range", size)
    return number

"""What the stdlib says about a frame: the common ground of both decoders' oracles.

Numbers stay text (`Number`), objects stay lists of pairs (`Pairs`), so that duplicate keys and
exact decimals can be judged. A frame the stdlib refuses is `Unreadable`.
"""

from __future__ import annotations

import json
import re

STAMP_MOST_MS = 10**14
LONE = re.compile("[\ud800-\udfff]")


class Unreadable(Exception):
    """The stdlib does not accept the frame as UTF-8 JSON."""


class OracleFault(Exception):
    """The frame is JSON but must give no rows."""


class Number(str):
    """Is a bare JSON number as it was written."""


class Constant(str):
    """Is NaN or an infinity, which the stdlib accepts."""


class Pairs(list[tuple[str, object]]):
    """Is an object with its duplicate keys kept."""

    def only(self, key: str) -> object:
        """Returns the value of a needed key; missing or twice is a fault."""
        found = [value for name, value in self if name == key]
        if not found:
            raise OracleFault("missing")
        if len(found) > 1:
            raise OracleFault("duplicate")
        return found[0]

    def optional(self, key: str) -> object:
        """Returns the value of a key, None where it is absent, null or empty text."""
        if key not in self.names():
            return None
        value = self.only(key)
        return None if value == "" else value

    def names(self) -> set[str]:
        """Returns the names of the keys."""
        return {name for name, _ in self}


def load(frame: bytes) -> object:
    """Returns the frame as the stdlib reads it."""
    try:
        return json.loads(
            frame.decode("utf-8"),
            object_pairs_hook=Pairs,
            parse_float=Number,
            parse_int=Number,
            parse_constant=Constant,
        )
    except (ValueError, RecursionError) as error:
        raise Unreadable(str(error)) from error


def text(value: object) -> str:
    """Returns a JSON string, lone surrogates replaced; anything else is a fault."""
    if not isinstance(value, str) or isinstance(value, (Number, Constant)):
        raise OracleFault("type")
    return LONE.sub("\ufffd", value)


def fixed(value: object, decimals: int, most: int) -> int:
    """Returns a plain decimal scaled by 10**decimals, exactly, in 0 to `most`."""
    if not isinstance(value, str) or isinstance(value, Constant):
        raise OracleFault("type")
    match = re.fullmatch(r"(-?)([0-9]*)(?:\.([0-9]*))?", value, re.ASCII)
    if match is None or not (match[2] or match[3]):
        raise OracleFault("number")
    part = match[3] or ""
    scaled = int((match[2] or "0") + part[:decimals].ljust(decimals, "0"))
    if match[1] or scaled > most:
        raise OracleFault("range")
    if part[decimals:].strip("0"):
        raise OracleFault("scale")
    return scaled


def hash_text(value: str) -> int:
    """Returns the 64-bit identity of a text, as text.hpp computes it."""
    raw = value.encode("utf-8")
    mask = (1 << 64) - 1
    state = 0xCBF29CE484222325 ^ len(raw)
    for at in range(0, len(raw), 8):
        word = int.from_bytes(raw[at : at + 8].ljust(8, b"\0"), "little")
        state = (state ^ word) * 0x9E3779B97F4A7C15 & mask
        state ^= state >> 32
    return state or 1

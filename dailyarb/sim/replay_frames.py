"""What every reader of recordings speaks: frames, the sockets they came from, and what is wrong."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import NamedTuple

from dailyarb.core.domain.errors import DailyarbError


class RecordingError(DailyarbError):
    """Says which recording cannot be read, where and why."""

    def __init__(self, path: Path, what: str, line: int = 0) -> None:
        super().__init__(f"{path}:{line}: {what}" if line else f"{path}: {what}")
        self.path = path
        self.line = line


class Channel(Enum):
    """Is the socket a recorded frame came from."""

    POLYMARKET = "PM"
    BINANCE = "BN"
    SETTLEMENT = "ST"
    USER = "USER"
    REST = "REST"


class RawFrame(NamedTuple):
    """Is one frame as received; at_ns is the recorder's wall clock, never stepping back."""

    at_ns: int
    channel: Channel
    payload: bytes

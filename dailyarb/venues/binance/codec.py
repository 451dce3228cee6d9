"""Binance over HTTP: its clock and the candles that settle hourly windows. Sans-IO."""

from __future__ import annotations

from typing import Any

import msgspec

from dailyarb.core.domain.errors import FrameFault, UnitError
from dailyarb.core.domain.units import parse_scaled
from dailyarb.venues.exact import load


class Candle(msgspec.Struct, frozen=True, gc=False):
    """Is one candle; prices in 1e-8, times in ms of UTC, close_ms is the last ms inside."""

    open_ms: int
    close_ms: int
    open_e8: int
    high_e8: int
    low_e8: int
    close_e8: int


def server_seconds(body: bytes) -> float:
    """Returns the venue's clock in seconds; raises FrameFault when the answer is damaged."""
    found = load(body)
    stamp = found.get("serverTime") if isinstance(found, dict) else None
    if isinstance(stamp, bool) or not isinstance(stamp, int) or stamp <= 0:
        raise FrameFault("missing", len(body))
    return stamp / 1e3


def _price_e8(text: Any, size: int) -> int:
    try:
        price = parse_scaled("price", str(text), 8)
    except UnitError:
        raise FrameFault("number", size) from None
    if price <= 0:
        raise FrameFault("range", size)
    return price


def candles(body: bytes) -> tuple[Candle, ...]:
    """Returns the rows of a klines answer; raises FrameFault when it is damaged."""
    found = load(body)
    if not isinstance(found, list):
        raise FrameFault("type", len(body))
    rows: list[Candle] = []
    for row in found:
        if not isinstance(row, list) or len(row) < 7:
            raise FrameFault("missing", len(body))
        opened, closed = row[0], row[6]
        if not isinstance(opened, int) or not isinstance(closed, int) or closed <= opened:
            raise FrameFault("type", len(body))
        prices = [_price_e8(text, len(body)) for text in row[1:5]]
        rows.append(Candle(opened, closed, *prices))
    return tuple(rows)

"""Binance over HTTP, reads only."""

from __future__ import annotations

from dailyarb.core.domain.errors import FrameFault, OutcomeUnknown
from dailyarb.venues.binance import codec
from dailyarb.venues.reads import Reader

VENUE = "binance"


class Binance:
    """Asks the data host."""

    def __init__(self, base: str) -> None:
        self.reader = Reader(VENUE, base, connections=2)

    async def server_time(self) -> float:
        """Returns the venue's clock in seconds, to the millisecond.

        Raises:
            VenueError: no answer, or none that is a time.
        """
        body = await self.reader.get("/api/v3/time")
        try:
            return codec.server_seconds(body)
        except FrameFault as fault:
            raise OutcomeUnknown(VENUE, "GET /api/v3/time", str(fault)) from None

    async def candle(self, symbol: str, interval: str, start_ms: int) -> codec.Candle | None:
        """Returns the candle that opens at `start_ms`, None while it does not exist.

        Raises:
            VenueError: no answer.
            FrameFault: the answer is damaged.
        """
        query = [
            ("symbol", symbol.upper()),
            ("interval", interval),
            ("startTime", str(start_ms)),
            ("limit", "1"),
        ]
        rows = codec.candles(await self.reader.get("/api/v3/klines", query))
        return rows[0] if rows and rows[0].open_ms == start_ms else None

"""The public REST calls of the spot exchange: time, klines, touch, depth, symbols.

Source: binance.md, section 4.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from dailyarb.sim.binance_book import SpotBook, levels_json, price_text, size_text
from dailyarb.sim.types import NS_PER_MS, Reply, Request

_INTERVAL_MS = {
    "1s": 1_000, "1m": 60_000, "5m": 300_000, "15m": 900_000, "1h": 3_600_000,
}  # fmt: skip
_ILLEGAL = b'{"code":-1100,"msg":"Illegal characters found in a parameter."}'


class BinanceRest:
    """Answers the calls of one exchange; `books` maps a lower-case symbol to its book."""

    def __init__(self, books: Mapping[str, SpotBook]) -> None:
        self._books = books
        self._routes = {
            "/api/v3/ping": self._ping,
            "/api/v3/time": self._time,
            "/api/v3/klines": self._klines,
            "/api/v3/ticker/bookTicker": self._ticker,
            "/api/v3/depth": self._depth,
            "/api/v3/exchangeInfo": self._info,
        }

    def request(self, request: Request, now_ns: int) -> Reply:
        """Answers one request; unknown paths give 404, bad symbols the exchange's -1121."""
        route = self._routes.get(request.path)
        if route is None or request.method != "GET":
            return Reply(now_ns, 404, b'{"code":-1000,"msg":"not found"}')
        return route(request, now_ns)

    def _book(self, request: Request) -> SpotBook | None:
        return self._books.get(request.first("symbol").lower())

    def _ping(self, _request: Request, now_ns: int) -> Reply:
        return Reply(now_ns, 200, b"{}")

    def _time(self, request: Request, now_ns: int) -> Reply:
        micro = request.header("X-MBX-TIME-UNIT").upper() == "MICROSECOND"
        stamp = now_ns // (1_000 if micro else NS_PER_MS)
        return Reply(now_ns, 200, f'{{"serverTime":{stamp}}}'.encode())

    def _klines(self, request: Request, now_ns: int) -> Reply:
        book = self._book(request)
        step_ms = _INTERVAL_MS.get(request.first("interval"))
        if book is None:
            return _invalid_symbol(now_ns)
        if step_ms is None:
            return Reply(now_ns, 400, b'{"code":-1120,"msg":"Invalid interval."}')
        now_ms = now_ns // NS_PER_MS
        start, end = request.first("startTime"), request.first("endTime", str(now_ms))
        count = request.first("limit", "500")
        if not (count.isdigit() and end.isdigit() and (start.isdigit() or not start)):
            return Reply(now_ns, 400, _ILLEGAL)
        limit, end_ms = min(1000, int(count)), int(end)
        open_ms = -(-int(start) // step_ms) * step_ms if start else now_ms - now_ms % step_ms
        if not start:
            open_ms -= (limit - 1) * step_ms
        rows: list[list[Any]] = []
        while open_ms <= min(end_ms, now_ms) and len(rows) < limit:
            row = _row(book, open_ms, open_ms + step_ms, now_ns)
            if row is not None:
                rows.append(row)
            open_ms += step_ms
        return Reply(now_ns, 200, json.dumps(rows, separators=(",", ":")).encode())

    def _ticker(self, request: Request, now_ns: int) -> Reply:
        if not request.first("symbol"):
            every = ",".join(_touch(book) for book in self._books.values())
            return Reply(now_ns, 200, f"[{every}]".encode())
        book = self._book(request)
        if book is None:
            return _invalid_symbol(now_ns)
        return Reply(now_ns, 200, _touch(book).encode())

    def _depth(self, request: Request, now_ns: int) -> Reply:
        book = self._book(request)
        if book is None:
            return _invalid_symbol(now_ns)
        count = request.first("limit", "100")
        if not count.isdigit():
            return Reply(now_ns, 400, _ILLEGAL)
        bids, asks = book.levels(min(5000, int(count)))
        text = (
            f'{{"lastUpdateId":{book.update_id},"bids":{levels_json(bids)},'
            f'"asks":{levels_json(asks)}}}'
        )
        return Reply(now_ns, 200, text.encode())

    def _info(self, request: Request, now_ns: int) -> Reply:
        wanted = request.first("symbol").lower()
        if wanted and wanted not in self._books:
            return _invalid_symbol(now_ns)
        symbols = [
            {
                "symbol": book.symbol,
                "status": "TRADING",
                "baseAsset": book.symbol.removesuffix("USDT"),
                "quoteAsset": "USDT",
                "filters": [{"filterType": "PRICE_FILTER", "tickSize": "0.01000000"}],
            }
            for low, book in self._books.items()
            if wanted in ("", low)
        ]
        limits = [
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1,
             "limit": 6000},
            {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5,
             "limit": 300000},
        ]  # fmt: skip
        body = {
            "timezone": "UTC",
            "serverTime": now_ns // NS_PER_MS,
            "rateLimits": limits,
            "symbols": symbols,
        }
        return Reply(now_ns, 200, json.dumps(body, separators=(",", ":")).encode())


def _touch(book: SpotBook) -> str:
    return (
        f'{{"symbol":"{book.symbol}","bidPrice":"{price_text(book.bid_cents)}",'
        f'"bidQty":"{size_text(book.bid_e8)}","askPrice":"{price_text(book.ask_cents)}",'
        f'"askQty":"{size_text(book.ask_e8)}"}}'
    )


def _row(book: SpotBook, open_ms: int, close_ms: int, now_ns: int) -> list[Any] | None:
    """Returns one candle; volumes follow the rates of the recordings, not a tape."""
    until_ns = min(close_ms * NS_PER_MS, now_ns)
    candle = book.reference.candle(open_ms * NS_PER_MS, until_ns)
    if candle is None:
        return None
    count = max(1, int((until_ns // NS_PER_MS - open_ms) / 1000 * 28))
    low, high = int(candle[2] * 100), int(candle[1] * 100) + 1
    first, last = int(candle[0] * 100), int(candle[3] * 100)
    volume = size_text(count * 1_200_000)
    quote = size_text(int(count * 0.012 * candle[3]) * 100_000_000)
    return [
        open_ms, price_text(first), price_text(high), price_text(low), price_text(last), volume,
        close_ms - 1, quote, count, size_text(count * 600_000), quote, "0",
    ]  # fmt: skip


def _invalid_symbol(now_ns: int) -> Reply:
    return Reply(now_ns, 400, b'{"code":-1121,"msg":"Invalid symbol."}')

"""Binance spot as its clients see it: market streams and the public REST calls.

Source: binance.md, sections 2 to 4 (paths, commands, payloads, limits) and FINDINGS.md, section 3
(bookTicker 81/s, trades 28/s, depth 10/s for BTC in calm times).
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from typing import Any

from dailyarb.sim.binance_book import SpotBook
from dailyarb.sim.binance_rest import BinanceRest
from dailyarb.sim.reference import Reference
from dailyarb.sim.schedule import Schedule
from dailyarb.sim.types import NS_PER_MS, NS_PER_S, Delivery, Frame, Held, Reply, Request

_PING_NS = 20 * NS_PER_S
_DEPTH_NS = 100 * NS_PER_MS
_LOOK_NS = 50 * NS_PER_MS
_STREAMS_MAX = 1024
_MESSAGES_PER_S = 5
_TICKERS_PER_S = 81.0
_TRADES_PER_S = 28.0


class _Client:
    __slots__ = ("combined", "heard", "micro", "streams")

    def __init__(self, combined: bool, micro: bool, streams: list[str]) -> None:
        self.combined = combined
        self.micro = micro
        self.streams: dict[str, None] = dict.fromkeys(streams)
        self.heard: list[int] = []


class BinanceModel:
    """Is the spot exchange: one book per asset around its reference path."""

    def __init__(
        self,
        references: Mapping[str, Reference],
        rng: random.Random,
        now_ns: int,
        rate_scale: float = 0.1,
    ) -> None:
        """Opens the exchange.

        Args:
            references: asset name ("btc") to its price path.
            rng: decides sizes and instants.
            now_ns: venue time of the start.
            rate_scale: share of the real message rates, 1.0 = as busy as recorded.
        """
        self._books: dict[str, SpotBook] = {}
        self._rest = BinanceRest(self._books)
        self._rate = rate_scale
        self._clients: dict[str, _Client] = {}
        self._listeners: dict[str, list[str]] = {}
        self._out: list[Delivery] = []
        self._schedule = Schedule()
        self.silent = False
        for name, reference in references.items():
            symbol = f"{name}usdt"
            book = SpotBook(symbol.upper(), reference, random.Random(rng.getrandbits(64)), now_ns)
            self._books[symbol] = book
            self._plan(book, now_ns)
        self._schedule.at(now_ns + _PING_NS, self._ping)

    def connect(
        self, conn_id: str, path: str, query: tuple[tuple[str, str], ...], now_ns: int
    ) -> int:
        """Opens /ws, /ws/<stream>[/<stream>...] or /stream?streams=a/b[&timeUnit=MICROSECOND]."""
        del now_ns
        options = {key.lower(): value for key, value in query}
        micro = options.get("timeunit", "").upper() == "MICROSECOND"
        if path == "/stream":
            names = [name for name in options.get("streams", "").split("/") if name]
            client = _Client(True, micro, names)
        elif path == "/ws" or path.startswith("/ws/"):
            client = _Client(False, micro, [name for name in path[4:].split("/") if name])
        else:
            return 404
        if len(client.streams) > _STREAMS_MAX:
            return 400
        self._clients[conn_id] = client
        self._index()
        return 101

    def disconnect(self, conn_id: str) -> None:
        """Forgets a socket."""
        if self._clients.pop(conn_id, None) is not None:
            self._index()

    def receive(self, conn_id: str, text: str, now_ns: int) -> None:
        """Takes a command; more than five messages a second cut the line."""
        client = self._clients.get(conn_id)
        if client is None:
            return
        client.heard = [at for at in client.heard if at > now_ns - NS_PER_S]
        client.heard.append(now_ns)
        if len(client.heard) > _MESSAGES_PER_S:
            self._close(conn_id, now_ns, 1008, b"Too many requests")
            return
        try:
            command = json.loads(text)
        except ValueError:
            self._send(conn_id, {"code": 3, "msg": "Invalid JSON: expected value"}, now_ns)
            return
        self._command(conn_id, client, command, now_ns)

    def request(self, request: Request, now_ns: int) -> Reply | Held:
        """Answers the public REST calls."""
        self.settle(now_ns)
        return self._rest.request(request, now_ns)

    def answer(self, ticket: int) -> Reply:
        """Raises KeyError: nothing is ever held here."""
        raise KeyError(ticket)

    def next_due_ns(self) -> int | None:
        """Returns when the next event is due."""
        return 0 if self._out else self._schedule.next_due_ns()

    def settle(self, now_ns: int) -> None:
        """Runs the market up to now; what goes out waits for `advance`."""
        self._schedule.run(now_ns)

    def advance(self, now_ns: int) -> list[Delivery]:
        """Runs everything due and returns the frames."""
        self._schedule.run(now_ns)
        out, self._out = self._out, []
        return out

    def close_all(self, now_ns: int, code: int) -> None:
        """Ends every connection, as the exchange does at its daily cut."""
        for conn_id in list(self._clients):
            self._close(conn_id, now_ns, code, b"")

    def _command(self, conn_id: str, client: _Client, command: object, now_ns: int) -> None:
        if not isinstance(command, dict):
            self._send(conn_id, {"code": 2, "msg": "Invalid request: not an object"}, now_ns)
            return
        method, ident, params = command.get("method"), command.get("id"), command.get("params")
        names = [str(name) for name in params] if isinstance(params, list) else []
        result: Any = None
        if method == "SUBSCRIBE" and names:
            client.streams.update(dict.fromkeys(names))
            self._index()
        elif method == "UNSUBSCRIBE" and names:
            for name in names:
                client.streams.pop(name, None)
            self._index()
        elif method == "LIST_SUBSCRIPTIONS":
            result = list(client.streams)
        elif method == "SET_PROPERTY" and names[:1] == ["combined"]:
            if len(names) != 2 or not isinstance(params[1], bool):  # type: ignore[index]
                self._send(conn_id, {"code": 1, "msg": "Invalid value type", "id": ident}, now_ns)
                return
            client.combined = params[1]  # type: ignore[index]
        else:
            text = "Invalid request: unknown variant or missing field"
            self._send(conn_id, {"code": 2, "msg": text, "id": ident}, now_ns)
            return
        self._send(conn_id, {"result": result, "id": ident}, now_ns)

    def _plan(self, book: SpotBook, now_ns: int) -> None:
        share = book.reference.law.activity
        ticker = max(0.2, _TICKERS_PER_S * self._rate * share)
        trade = max(0.2, _TRADES_PER_S * self._rate * share)
        rng = book.rng

        def on_ticker(at_ns: int) -> None:
            self._schedule.at(at_ns + int(rng.expovariate(ticker) * NS_PER_S) + 1, on_ticker)
            self._quote(book, at_ns)

        def on_trade(at_ns: int) -> None:
            self._schedule.at(at_ns + int(rng.expovariate(trade) * NS_PER_S) + 1, on_trade)
            self._trade(book, at_ns)

        def on_look(at_ns: int) -> None:
            self._schedule.at(at_ns + _LOOK_NS, on_look)
            if book.moved(at_ns):  # a real move is quoted at once, whatever the rate
                self._quote(book, at_ns)

        def on_depth(at_ns: int) -> None:
            self._schedule.at(at_ns + _DEPTH_NS, on_depth)
            self._depth(book, at_ns)

        self._schedule.at(now_ns + 1, on_ticker)
        self._schedule.at(now_ns + 2, on_trade)
        # A millisecond after the path's own grid, so the look sees the step that just came.
        grid = now_ns - now_ns % _LOOK_NS + _LOOK_NS + NS_PER_MS
        self._schedule.at(grid, on_look)
        self._schedule.at(now_ns + _DEPTH_NS, on_depth)

    def _quote(self, book: SpotBook, at_ns: int) -> None:
        book.requote(at_ns)
        name = f"{book.symbol.lower()}@bookTicker"
        if name in self._listeners:
            self._emit(name, book.ticker_json(), None, at_ns)

    def _trade(self, book: SpotBook, at_ns: int) -> None:
        low = book.symbol.lower()
        trade = book.trade(at_ns)
        if f"{low}@trade" in self._listeners:
            body = book.trade_json(trade, at_ns, 1_000_000)
            self._emit(f"{low}@trade", body, book.trade_json(trade, at_ns, 1_000), at_ns)
        if f"{low}@aggTrade" in self._listeners:
            body = book.agg_json(trade, at_ns, 1_000_000)
            self._emit(f"{low}@aggTrade", body, book.agg_json(trade, at_ns, 1_000), at_ns)

    def _depth(self, book: SpotBook, at_ns: int) -> None:
        change = book.depth_change()
        low = book.symbol.lower()
        for name in (f"{low}@depth@100ms", f"{low}@depth"):
            if name in self._listeners:
                body = book.depth_json(change, at_ns, 1_000_000)
                self._emit(name, body, book.depth_json(change, at_ns, 1_000), at_ns)

    def _emit(self, name: str, body: str, micro: str | None, at_ns: int) -> None:
        """Sends one event to all who listen; `micro` is its form in microseconds."""
        if self.silent:
            return
        for conn_id in self._listeners[name]:
            client = self._clients[conn_id]
            text = micro if client.micro and micro is not None else body
            if client.combined:
                text = f'{{"stream":"{name}","data":{text}}}'
            self._out.append(Delivery(at_ns, conn_id, text.encode()))

    def _ping(self, now_ns: int) -> None:
        self._schedule.at(now_ns + _PING_NS, self._ping)
        payload = str(now_ns // NS_PER_MS).encode()
        for conn_id in self._clients:
            self._out.append(Delivery(now_ns, conn_id, payload, Frame.PING))

    def _send(self, conn_id: str, body: dict[str, Any], now_ns: int) -> None:
        data = json.dumps(body, separators=(",", ":")).encode()
        self._out.append(Delivery(now_ns, conn_id, data))

    def _close(self, conn_id: str, now_ns: int, code: int, reason: bytes) -> None:
        self.disconnect(conn_id)
        self._out.append(Delivery(now_ns, conn_id, reason, Frame.CLOSE, code))

    def _index(self) -> None:
        """Rebuilds who listens to what."""
        self._listeners = {}
        for conn_id, client in self._clients.items():
            for name in client.streams:
                self._listeners.setdefault(name, []).append(conn_id)

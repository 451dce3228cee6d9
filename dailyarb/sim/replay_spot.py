"""Binance from a recording: its frames on the streams that were recorded, nothing made up.

REST answers are the time, the last recorded touch and the list of symbols; a depth snapshot or a
candle that was not recorded is refused in the exchange's words. The settling feed, which no spot
recording holds, is a stand-in: sixty-second averages of the recorded middle.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping
from typing import Any, cast

from dailyarb.core.domain.errors import UnitError
from dailyarb.core.domain.units import parse_scaled
from dailyarb.sim import wire
from dailyarb.sim.oracle import Oracle
from dailyarb.sim.settlement import Authenticate, SettlementModel
from dailyarb.sim.types import NS_PER_MS, NS_PER_S, Delivery, Frame, Held, Reply, Request

_PING_NS = 20 * NS_PER_S
_ENVELOPE = re.compile(rb'\{"stream":"([^"]+)","data":(.+)\}\s*\Z', re.S)
_MILLIS = re.compile(rb'("[ET]":\d{13})(?=[,}])')
_TOUCH = re.compile(rb'"b":"([0-9.]+)","B":"([0-9.]+)","a":"([0-9.]+)","A":"([0-9.]+)"')
_LAG_S = 3
_LOOKBACK_S = 60
_HISTORY_S = 240
ASSETS = ("btc", "eth", "sol", "xrp", "doge", "hype", "bnb", "zec")  # whom the settling feed knows


class StandIn:
    """Is a settling feed made from a recorded spot price, with the face of the sim's oracle."""

    def __init__(self, begin_ns: int, first_e8: int) -> None:
        """Starts before `begin_ns` with the first recorded price: the past is not known."""
        self.begin_s = begin_ns // NS_PER_S - _HISTORY_S
        self._values: list[int] = []
        self._last_e8 = first_e8

    def observe(self, mid_e8: int, now_ns: int) -> None:
        """Takes the middle of the touch; the last of a second is the second's value."""
        self._fill(now_ns // NS_PER_S)
        self._values[-1] = mid_e8
        self._last_e8 = mid_e8

    def twap_e18(self, second: int) -> int:
        """Returns the sixty-second average stamped with a whole second, floored to 1e-18."""
        self._fill(second - _LAG_S)
        last = second - _LAG_S - self.begin_s
        if last + 1 < _LOOKBACK_S:
            raise ValueError("the average reaches before the first second of the feed")
        return sum(self._values[last + 1 - _LOOKBACK_S : last + 1]) * 10**10 // _LOOKBACK_S

    def _fill(self, second: int) -> None:
        missing = second - self.begin_s + 1 - len(self._values)
        if missing > 0:
            self._values += [self._last_e8] * missing


class Mute:
    """Is a settling feed of which nothing was recorded: no value, ever."""

    begin_s = 1 << 60

    def twap_e18(self, second: int) -> int:
        """Raises ValueError: there is no value."""
        raise ValueError(f"no settling value of second {second} was recorded")


class ReplaySettlement(SettlementModel):
    """Is the settling socket of a replay; a symbol that was not recorded is taken and stays mute.

    Refusing it would refuse the whole subscription that names it, and a client asks for all its
    assets at once.
    """

    def __init__(
        self, known: dict[str, StandIn], authenticate: Authenticate, seed: int, now_ns: int
    ) -> None:
        mute = {name: Mute() for name in ASSETS if name not in known}
        feeds = cast('Mapping[str, Oracle]', {**known, **mute})
        super().__init__(feeds, random.Random(f"{seed}/settlement"), authenticate, now_ns)
        for name in mute:
            self._hole_until_s[f"{name}usd"] = Mute.begin_s


class _Client:
    __slots__ = ("combined", "micro", "streams")

    def __init__(self, combined: bool, micro: bool, streams: list[str]) -> None:
        self.combined = combined
        self.micro = micro
        self.streams: dict[str, None] = dict.fromkeys(streams)


class ReplaySpot:
    """Is the recorded exchange: sockets, and what REST can honestly answer."""

    def __init__(self, now_ns: int) -> None:
        self.frames = 0
        self.touch: dict[str, tuple[str, str, str, str]] = {}
        self.out: list[Delivery] = []
        self._clients: dict[str, _Client] = {}
        self._ping_ns = now_ns + _PING_NS

    def connect(self, conn_id: str, path: str, query: tuple[tuple[str, str], ...]) -> int:
        """Opens /ws, /ws/<stream>[/<stream>...] or /stream?streams=a/b[&timeUnit=MICROSECOND]."""
        options = {key.lower(): value for key, value in query}
        micro = options.get("timeunit", "").upper() == "MICROSECOND"
        if path == "/stream":
            names = [name for name in options.get("streams", "").split("/") if name]
        elif path == "/ws" or path.startswith("/ws/"):
            names = [name for name in path[4:].split("/") if name]
        else:
            return 404
        self._clients[conn_id] = _Client(path == "/stream", micro, names)
        return 101

    def disconnect(self, conn_id: str) -> None:
        """Forgets a socket."""
        self._clients.pop(conn_id, None)

    def receive(self, conn_id: str, text: str, now_ns: int) -> None:
        """Takes SUBSCRIBE, UNSUBSCRIBE or LIST_SUBSCRIPTIONS."""
        client = self._clients.get(conn_id)
        if client is None:
            return
        try:
            command = json.loads(text)
            method, ident = command["method"], command.get("id")
            names = [str(name) for name in command.get("params") or []]
        except (ValueError, KeyError, TypeError):
            self._say(conn_id, {"code": 2, "msg": "Invalid request"}, now_ns)
            return
        if method == "SUBSCRIBE":
            client.streams.update(dict.fromkeys(names))
        elif method == "UNSUBSCRIBE":
            for name in names:
                client.streams.pop(name, None)
        elif method != "LIST_SUBSCRIPTIONS":
            self._say(conn_id, {"code": 2, "msg": "Invalid request", "id": ident}, now_ns)
            return
        listing = method == "LIST_SUBSCRIPTIONS"
        result = list(client.streams) if listing else None
        self._say(conn_id, {"result": result, "id": ident}, now_ns)

    def play(self, payload: bytes, now_ns: int) -> tuple[str, int] | None:
        """Sends one recorded frame; returns (symbol, middle in 1e-8) when it was a quote."""
        found = _ENVELOPE.match(payload)
        if found is None:
            return None
        self.frames += 1
        name, data = found.group(1).decode(), found.group(2)
        for conn_id, client in self._clients.items():
            if name not in client.streams:
                continue
            body = payload if client.combined else data
            if client.micro:
                body = _MILLIS.sub(rb"\g<1>000", body)
            self.out.append(Delivery(now_ns, conn_id, body))
        symbol, _, kind = name.partition("@")
        return self._quote(symbol, data) if kind == "bookTicker" else None

    def tick(self, now_ns: int) -> None:
        """Sends the server's pings when they are due."""
        if now_ns >= self._ping_ns:
            self._ping_ns = now_ns + _PING_NS
            beat = str(now_ns // NS_PER_MS).encode()
            self.out += [Delivery(now_ns, conn_id, beat, Frame.PING) for conn_id in self._clients]

    def close_all(self) -> list[str]:
        """Forgets every socket and returns their ids."""
        gone, self._clients = list(self._clients), {}
        return gone

    def request(self, request: Request, now_ns: int) -> Reply | Held:
        """Answers the public REST calls that the recording can answer."""
        symbol = request.first("symbol").lower()
        if request.path == "/api/v3/ping":
            return Reply(now_ns, 200, b"{}")
        if request.path == "/api/v3/time":
            return _reply(now_ns, {"serverTime": now_ns // NS_PER_MS})
        if request.path == "/api/v3/exchangeInfo":
            rows = [{"symbol": name.upper(), "status": "TRADING"} for name in self.touch]
            return _reply(now_ns, {"timezone": "UTC", "symbols": rows})
        if request.path == "/api/v3/ticker/bookTicker" and symbol in self.touch:
            bid, bid_size, ask, ask_size = self.touch[symbol]
            body = {"bidPrice": bid, "bidQty": bid_size, "askPrice": ask, "askQty": ask_size}
            return _reply(now_ns, {"symbol": symbol.upper(), **body})
        if request.path == "/api/v3/klines":
            return Reply(now_ns, 200, b"[]")
        return Reply(now_ns, 400, b'{"code":-1121,"msg":"Invalid symbol: it was not recorded."}')

    def _quote(self, symbol: str, data: bytes) -> tuple[str, int] | None:
        found = _TOUCH.search(data)
        if found is None:
            return None
        bid, bid_size, ask, ask_size = (part.decode() for part in found.groups())
        try:
            mid_e8 = (parse_scaled("b", bid, 8) + parse_scaled("a", ask, 8)) // 2
        except UnitError:
            return None
        self.touch[symbol] = (bid, bid_size, ask, ask_size)
        return symbol, mid_e8

    def _say(self, conn_id: str, body: dict[str, Any], now_ns: int) -> None:
        self.out.append(Delivery(now_ns, conn_id, wire.compact(body)))


def _reply(now_ns: int, body: dict[str, Any]) -> Reply:
    return Reply(now_ns, 200, wire.compact(body))

"""The live-data socket of the settling price: sixty-second averages, once a second, with holes.

Source: polymarket.md, section 2.6 (authentication first, ops and replies, envelope, error words,
limits) and FINDINGS.md, section 10 (2-9 % of seconds missing in blocks, about 1.3 s behind).
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from typing import Any

from dailyarb.sim.oracle import Oracle
from dailyarb.sim.schedule import Schedule
from dailyarb.sim.types import NS_PER_MS, NS_PER_S, Delivery, Frame, Held, Reply, Request

CHANNEL = "price.crypto.twap"
_SNAPSHOT_S = 120
_PING_NS = 25 * NS_PER_S
_PAIRS_MAX = 64
_FRAME_MAX = 64 * 1024
_AUTH_MAX = 8

Authenticate = Callable[[str, str, str], bool]


class _Client:
    __slots__ = ("auth_tries", "authed", "seq", "symbols")

    def __init__(self) -> None:
        self.authed = False
        self.auth_tries = 0
        self.symbols: dict[str, None] = {}
        self.seq = 0


class SettlementModel:
    """Is the socket that publishes the settling averages of every asset."""

    def __init__(
        self,
        oracles: Mapping[str, Oracle],
        rng: random.Random,
        authenticate: Authenticate,
        now_ns: int,
    ) -> None:
        """Starts publishing at the next whole second.

        Args:
            oracles: asset name ("btc") to its settling feed.
            rng: decides delays and holes.
            authenticate: says whether (api key, secret, passphrase) is valid.
            now_ns: venue time of the start.
        """
        self._oracles = {f"{name}usd": oracle for name, oracle in oracles.items()}
        self._rng = rng
        self._authenticate = authenticate
        self._clients: dict[str, _Client] = {}
        self._out: list[Delivery] = []
        self._schedule = Schedule()
        self._hole_until_s = dict.fromkeys(self._oracles, 0)
        self._missing: dict[str, dict[int, None]] = {symbol: {} for symbol in self._oracles}
        self.silent = False
        for symbol in self._oracles:
            self._plan(symbol, now_ns // NS_PER_S + 1)
        self._schedule.at(now_ns + _PING_NS, self._ping)

    def connect(
        self, conn_id: str, path: str, query: tuple[tuple[str, str], ...], now_ns: int
    ) -> int:
        """Opens a socket on /ws."""
        del query, now_ns
        if path != "/ws":
            return 404
        self._clients[conn_id] = _Client()
        return 101

    def disconnect(self, conn_id: str) -> None:
        """Forgets a socket."""
        self._clients.pop(conn_id, None)

    def request(self, request: Request, now_ns: int) -> Reply | Held:
        """Answers 404: this venue has no requests."""
        del request
        return Reply(now_ns, 404, b'{"error":"not found"}')

    def answer(self, ticket: int) -> Reply:
        """Raises KeyError: nothing is ever held here."""
        raise KeyError(ticket)

    def next_due_ns(self) -> int | None:
        """Returns when the next second goes out."""
        return self._schedule.next_due_ns()

    def advance(self, now_ns: int) -> list[Delivery]:
        """Publishes what is due."""
        self._schedule.run(now_ns)
        out, self._out = self._out, []
        return out

    def receive(self, conn_id: str, text: str, now_ns: int) -> None:
        """Takes one op: auth, subscribe, unsubscribe or ping."""
        client = self._clients.get(conn_id)
        if client is None:
            return
        if len(text) > _FRAME_MAX:
            self._close(conn_id, 4008, "frame too large", now_ns)
            return
        try:
            op = json.loads(text)
        except ValueError:
            op = None
        if not isinstance(op, dict):
            self._error(conn_id, "bad_op", "", now_ns)
            return
        rid = str(op.get("rid", ""))
        name = op.get("op")
        if name == "auth":
            self._auth(conn_id, client, op, now_ns)
        elif name in ("subscribe", "unsubscribe"):
            if not client.authed:
                self._error(conn_id, "auth_required", rid, now_ns)
            else:
                self._subscribe(conn_id, client, op, now_ns)
        elif name == "ping":
            self._send(conn_id, {"op": "pong", "rid": rid}, now_ns)
        else:
            self._error(conn_id, "bad_op", rid, now_ns)

    def _auth(self, conn_id: str, client: _Client, op: dict[str, Any], now_ns: int) -> None:
        rid = str(op.get("rid", ""))
        client.auth_tries += 1
        if client.auth_tries > _AUTH_MAX:
            self._error(conn_id, "auth_attempts", rid, now_ns)
            self._close(conn_id, 4001, "auth", now_ns)
            return
        auth = op.get("auth")
        triple = auth if isinstance(auth, dict) else {}
        words = [str(triple.get(key, "")) for key in ("apiKey", "secret", "passphrase")]
        if not self._authenticate(words[0], words[1], words[2]):
            self._error(conn_id, "auth_invalid", rid, now_ns)
            self._close(conn_id, 4001, "auth", now_ns)
            return
        client.authed = True
        self._send(conn_id, {"op": "authed", "rid": rid}, now_ns)

    def _subscribe(self, conn_id: str, client: _Client, op: dict[str, Any], now_ns: int) -> None:
        rid = str(op.get("rid", ""))
        wanted: list[str] = []
        for entry in op.get("subscriptions") or []:
            if not isinstance(entry, dict) or entry.get("channel") != CHANNEL:
                self._error(conn_id, "bad_channel", rid, now_ns)
                return
            given = entry.get("filter")
            symbol = given.get("symbol") if isinstance(given, dict) else None
            window = given.get("window_seconds") if isinstance(given, dict) else None
            if symbol not in self._oracles or window != 60:
                self._error(conn_id, "bad_filter", rid, now_ns)
                return
            wanted.append(str(symbol))
        if op["op"] == "unsubscribe":
            for symbol in wanted:
                client.symbols.pop(symbol, None)
            self._send(conn_id, {"op": "unsubscribed", "rid": rid}, now_ns)
            return
        if len({*client.symbols, *wanted}) > _PAIRS_MAX:
            self._error(conn_id, "sub_limit", rid, now_ns)
            return
        self._send(conn_id, {"op": "subscribed", "rid": rid}, now_ns)
        for symbol in wanted:
            client.symbols[symbol] = None
            self._snapshot(conn_id, client, symbol, now_ns)

    def _snapshot(self, conn_id: str, client: _Client, symbol: str, now_ns: int) -> None:
        """Sends the last two minutes, holes included."""
        oracle = self._oracles[symbol]
        last = (now_ns - int(1.3 * NS_PER_S)) // NS_PER_S
        first = max(last - _SNAPSHOT_S + 1, oracle.begin_s + 63)
        rows = [
            self._row(oracle, second)
            for second in range(first, last + 1)
            if second not in self._missing[symbol]
        ]
        client.seq += 1
        payload = {"symbol": symbol, "data": rows}
        body = {
            "v": 1,
            "channel": CHANNEL,
            "seq": client.seq,
            "ts": now_ns // NS_PER_MS,
            "snapshot": True,
            "payload": payload,
        }
        self._send(conn_id, body, now_ns)

    def _row(self, oracle: Oracle, second: int) -> dict[str, Any]:
        exact = oracle.twap_e18(second)
        text = f"{exact // 10**18}.{exact % 10**18:018d}"
        return {"timestamp": second * 1000, "value": float(text), "full_accuracy_value": text}

    def _plan(self, symbol: str, second: int) -> None:
        """Plans the publication of one second, 0.9-1.5 s after it."""
        late_ns = int((0.9 + 0.6 * self._rng.random()) * NS_PER_S)
        self._schedule.at(
            second * NS_PER_S + late_ns, lambda due_ns: self._publish(symbol, second, due_ns)
        )

    def _publish(self, symbol: str, second: int, now_ns: int) -> None:
        self._plan(symbol, second + 1)
        missing = self._missing[symbol]
        if second > self._hole_until_s[symbol] and self._rng.random() < 0.008:
            # Blocks of seconds: mean 6 s, one in fifty longer than a minute.
            length = 60.0 + self._rng.expovariate(1 / 40.0)
            if self._rng.random() > 0.02:
                length = 1.0 + self._rng.expovariate(1 / 4.0)
            self._hole_until_s[symbol] = second + int(length)
        if second <= self._hole_until_s[symbol]:
            missing[second] = None
            missing.pop(second - 2 * _SNAPSHOT_S, None)
            return
        missing.pop(second - 2 * _SNAPSHOT_S, None)
        if self.silent or not self._clients:
            return
        row = self._row(self._oracles[symbol], second)
        for conn_id, client in self._clients.items():
            if symbol in client.symbols:
                client.seq += 1
                self._send(conn_id, self._envelope(client.seq, symbol, row, now_ns), now_ns)

    @staticmethod
    def _envelope(seq: int, symbol: str, row: dict[str, Any], now_ns: int) -> dict[str, Any]:
        payload = {
            "symbol": symbol,
            "value": row["value"],
            "full_accuracy_value": row["full_accuracy_value"],
            "timestamp": row["timestamp"],
            "source": "chainlink",
        }
        ts = now_ns // NS_PER_MS
        return {"v": 1, "channel": CHANNEL, "seq": seq, "ts": ts, "payload": payload}

    def _ping(self, now_ns: int) -> None:
        self._schedule.at(now_ns + _PING_NS, self._ping)
        for conn_id in self._clients:
            self._out.append(Delivery(now_ns, conn_id, b"", Frame.PING))

    def _send(self, conn_id: str, body: dict[str, Any], now_ns: int) -> None:
        data = json.dumps(body, separators=(",", ":")).encode()
        self._out.append(Delivery(now_ns, conn_id, data))

    def _error(self, conn_id: str, code: str, rid: str, now_ns: int) -> None:
        self._send(conn_id, {"op": "error", "rid": rid, "code": code}, now_ns)

    def _close(self, conn_id: str, code: int, reason: str, now_ns: int) -> None:
        self._clients.pop(conn_id, None)
        self._out.append(Delivery(now_ns, conn_id, reason.encode(), Frame.CLOSE, code))

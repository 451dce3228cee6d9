"""The two sockets of the order book: the public market channel and the private user channel.

Source: polymarket.md, sections 3.1, 3.2 and 4: the first frame's form, later operations, the text
PING and PONG, INVALID OPERATION, snapshots as one array, sockets closed without a word.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from dailyarb.sim import wire
from dailyarb.sim.hall import Hall
from dailyarb.sim.market import Outgoing, SimMarket
from dailyarb.sim.types import NS_PER_S, Delivery, Frame

MARKET_PATH = "/ws/market"
USER_PATH = "/ws/user"
_IDS_MAX = 500
_PATIENCE_NS = 30 * NS_PER_S

Authenticate = Callable[[str, str, str], bool]


class _Session:
    __slots__ = ("api_key", "custom", "heard_ns", "markets", "open", "tokens", "user")

    def __init__(self, user: bool, now_ns: int) -> None:
        self.user = user
        self.open = False  # the first valid frame has come
        self.tokens: dict[str, None] = {}
        self.markets: dict[str, None] = {}
        self.api_key = ""
        self.custom = False
        self.heard_ns = now_ns


class Channels:
    """Is every open socket of the order book and what it listens to."""

    def __init__(self, hall: Hall, authenticate: Authenticate) -> None:
        self._hall = hall
        self._authenticate = authenticate
        self._sessions: dict[str, _Session] = {}
        self.out: list[Delivery] = []
        self.silent_users = False

    def connect(self, conn_id: str, path: str, now_ns: int) -> int:
        """Opens /ws/market or /ws/user."""
        if path not in (MARKET_PATH, USER_PATH):
            return 404
        self._sessions[conn_id] = _Session(path == USER_PATH, now_ns)
        return 101

    def disconnect(self, conn_id: str) -> None:
        """Forgets a socket."""
        session = self._sessions.pop(conn_id, None)
        if session is None:
            return
        for token in session.tokens:
            entry = self._hall.by_token.get(token)
            if entry is not None:
                entry[0].market.listeners.pop(conn_id, None)

    def receive(self, conn_id: str, text: str, now_ns: int) -> None:
        """Takes one text frame of a client."""
        session = self._sessions.get(conn_id)
        if session is None:
            return
        session.heard_ns = now_ns
        if text == "PING":
            if session.open:
                self.out.append(Delivery(now_ns, conn_id, b"PONG"))
            else:  # a PING before the subscription ends the socket
                self._close(conn_id, 1008, now_ns)
            return
        try:
            frame = json.loads(text)
        except ValueError:
            frame = None
        if not isinstance(frame, dict):
            self._invalid(conn_id, now_ns)
        elif session.user:
            self._user(conn_id, session, frame, now_ns)
        else:
            self._market(conn_id, session, frame, now_ns)

    def flush(self, market: SimMarket, now_ns: int, silent: bool = False) -> None:
        """Fans out the frames of a market that are due; silence loses them."""
        for frame in market.due(now_ns):
            if not silent:
                self._fan(market, frame)

    def announce(self, payload: bytes, now_ns: int) -> None:
        """Sends an event to every market socket that asked for the custom features."""
        for conn_id, session in self._sessions.items():
            if session.custom and not session.user:
                self.out.append(Delivery(now_ns, conn_id, payload))

    def tell(self, api_key: str, market: str, event: dict[str, Any], now_ns: int) -> None:
        """Sends a private event to the sockets of a key."""
        if self.silent_users:
            return
        payload = wire.compact(event)
        for conn_id, session in self._sessions.items():
            if session.api_key == api_key and (not session.markets or market in session.markets):
                self.out.append(Delivery(now_ns, conn_id, payload))

    def _fan(self, market: SimMarket, frame: Outgoing) -> None:
        for conn_id, listener in market.listeners.items():
            if frame.number < listener.since or (frame.custom and not listener.custom):
                continue
            if frame.token < 0 or listener.wants[frame.token]:
                self.out.append(Delivery(frame.emit_ns, conn_id, frame.payload))

    def _market(self, conn_id: str, session: _Session, frame: dict[str, Any], now_ns: int) -> None:
        ids = frame.get("assets_ids")
        tokens = [str(token) for token in ids] if isinstance(ids, list) else None
        custom = frame.get("custom_feature_enabled")
        first = str(frame.get("type", "")).lower() == "market" and not session.open
        operation = frame.get("operation")
        if tokens is None or not (first or (session.open and operation is not None)):
            self._invalid(conn_id, now_ns)
            return
        if operation == "unsubscribe":
            for token in tokens:
                self._drop(conn_id, session, token)
            return
        if operation not in (None, "subscribe"):
            self._invalid(conn_id, now_ns)
            return
        session.open = True
        if custom is not None:
            session.custom = bool(custom)
        self._subscribe(conn_id, session, tokens, custom)
        if frame.get("initial_dump", True) and len(session.tokens) <= _IDS_MAX:
            self._dump(conn_id, tokens, now_ns)

    def _subscribe(
        self, conn_id: str, session: _Session, tokens: list[str], custom: object
    ) -> None:
        """Adds interests; the custom flag is read before the duplicate check."""
        for token in tokens:
            session.tokens[token] = None
            entry = self._hall.by_token.get(token)
            if entry is None:
                continue
            listener = entry[0].market.listen(conn_id)
            listener.wants[entry[1]] = True
            if custom is not None:
                listener.custom = bool(custom)

    def _dump(self, conn_id: str, tokens: list[str], now_ns: int) -> None:
        """Sends the first books as one array, for the tokens that have one."""
        books: list[str] = []
        for token in dict.fromkeys(tokens):
            entry = self._hall.by_token.get(token)
            if entry is not None and entry[0].market.winner < 0:
                books.append(entry[0].market.snapshot(entry[1]))
        self.out.append(Delivery(now_ns, conn_id, ("[" + ",".join(books) + "]").encode()))

    def _drop(self, conn_id: str, session: _Session, token: str) -> None:
        session.tokens.pop(token, None)
        entry = self._hall.by_token.get(token)
        if entry is None or conn_id not in entry[0].market.listeners:
            return
        listener = entry[0].market.listeners[conn_id]
        listener.wants[entry[1]] = False
        if not any(listener.wants):
            del entry[0].market.listeners[conn_id]

    def _user(self, conn_id: str, session: _Session, frame: dict[str, Any], now_ns: int) -> None:
        markets = frame.get("markets")
        names = [str(name) for name in markets] if isinstance(markets, list) else []
        if session.open:
            if frame.get("operation") == "subscribe":
                session.markets.update(dict.fromkeys(names))
            elif frame.get("operation") == "unsubscribe":
                for name in names:
                    session.markets.pop(name, None)
            else:
                self._invalid(conn_id, now_ns)
            return
        auth = frame.get("auth")
        triple = auth if isinstance(auth, dict) else {}
        words = [str(triple.get(key, "")) for key in ("apiKey", "secret", "passphrase")]
        if str(frame.get("type", "")).lower() != "user" or not self._authenticate(*words):
            self._close(conn_id, 1000, now_ns)
            return
        session.open = True
        session.api_key = words[0]
        session.markets.update(dict.fromkeys(names))

    def _invalid(self, conn_id: str, now_ns: int) -> None:
        self.out.append(Delivery(now_ns, conn_id, b"INVALID OPERATION"))

    def _close(self, conn_id: str, code: int, now_ns: int) -> None:
        self.disconnect(conn_id)
        self.out.append(Delivery(now_ns, conn_id, b"", Frame.CLOSE, code))

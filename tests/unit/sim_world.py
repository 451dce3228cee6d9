"""A client of the simulated venues in virtual time, independent of dailyarb's own codecs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from coincurve import PrivateKey

from dailyarb.sim import eip712
from dailyarb.sim.embedded import EmbeddedVenues, Profile
from dailyarb.sim.hall import Entry
from dailyarb.sim.types import NS_PER_MS, NS_PER_S, Delivery, Held, Reply, Request

START_S = 1_779_984_000  # a whole hour, 16:00 UTC
ZERO32 = "0x" + "00" * 32


class World:
    """One seeded world, its clock, and everything the venues have said per connection."""

    def __init__(self, seed: int = 7, at_s: float = START_S + 30, **choices: Any) -> None:
        self.now_ns = int(at_s * NS_PER_S)
        chosen = {"assets": ("btc",), "labels": ("5m",), **choices}
        self.venues = EmbeddedVenues(Profile(seed=seed, **chosen), self.now_ns)
        self.known = self.venues.credentials
        self.key = PrivateKey(bytes.fromhex(self.known.private_key[2:]))
        self.heard: dict[str, list[Delivery]] = {}
        self.salt = 0

    @property
    def poly(self) -> Any:
        return self.venues.polymarket

    def entry(self, start_s: int = START_S) -> Entry:
        found: Entry = self.poly.hall.by_slug[f"btc-updown-5m-{start_s}"]
        return found

    def run(self, seconds: float, step_s: float = 0.05) -> None:
        """Advances all venues in steps, as a clock would."""
        end_ns = self.now_ns + int(seconds * NS_PER_S)
        while self.now_ns < end_ns:
            self.now_ns = min(end_ns, self.now_ns + int(step_s * NS_PER_S))
            self.flush()

    def flush(self) -> None:
        for model in (self.poly, self.venues.settlement, self.venues.binance):
            for delivery in model.advance(self.now_ns):
                self.heard.setdefault(delivery.channel, []).append(delivery)

    def say(self, conn_id: str, frame: object) -> None:
        """Sends a text frame on whichever venue holds the connection."""
        text = frame if isinstance(frame, str) else json.dumps(frame)
        for model in (self.poly, self.venues.settlement, self.venues.binance):
            model.receive(conn_id, text, self.now_ns)
        self.flush()

    def texts(self, conn_id: str) -> list[str]:
        return [d.payload.decode() for d in self.heard.get(conn_id, []) if d.frame.value == "text"]

    def events(self, conn_id: str) -> list[dict[str, Any]]:
        """Every JSON object heard on a connection, arrays opened."""
        found: list[dict[str, Any]] = []
        for text in self.texts(conn_id):
            if text[:1] in "[{":
                value = json.loads(text)
                found += value if isinstance(value, list) else [value]
        return found

    def listen_market(self, conn_id: str, tokens: Iterable[str], custom: bool = True) -> None:
        assert self.poly.connect(conn_id, "/ws/market", (), self.now_ns) == 101
        self.say(
            conn_id,
            {"type": "market", "assets_ids": list(tokens), "custom_feature_enabled": custom},
        )

    def listen_user(self, conn_id: str = "user") -> None:
        assert self.poly.connect(conn_id, "/ws/user", (), self.now_ns) == 101
        triple = {
            "apiKey": self.known.api_key,
            "secret": self.known.secret,
            "passphrase": self.known.passphrase,
        }
        self.say(conn_id, {"type": "user", "auth": triple})

    def request(
        self, method: str, path: str, body: object = None, query: str = "", **changes: str
    ) -> Reply:
        """Sends a private request; a held one is answered when its hold is over."""
        data = b"" if body is None else json.dumps(body, separators=(",", ":")).encode()
        stamp = str(self.now_ns // NS_PER_S)
        headers = {
            "POLY_ADDRESS": self.known.address,
            "POLY_API_KEY": self.known.api_key,
            "POLY_PASSPHRASE": self.known.passphrase,
            "POLY_TIMESTAMP": stamp,
            "POLY_SIGNATURE": eip712.hmac_signature(self.known.secret, stamp, method, path, data),
            **changes,
        }
        pairs = tuple(
            (k, v) for k, _, v in (part.partition("=") for part in query.split("&") if part)
        )
        answer = self.poly.request(Request(method, path, pairs, headers, data), self.now_ns)
        if isinstance(answer, Held):
            self.now_ns = answer.due_ns
            self.flush()
            answer = self.poly.answer(answer.ticket)
        assert isinstance(answer, Reply)
        self.flush()
        return answer

    def ask(self, method: str, path: str, body: object = None, query: str = "") -> Any:
        """The JSON of a private request that must succeed."""
        reply = self.request(method, path, body, query)
        assert reply.status == 200, reply.body
        return json.loads(reply.body)

    def gamma(self, path: str, query: tuple[tuple[str, str], ...] = ()) -> tuple[int, Any]:
        reply = self.poly.discover(Request("GET", path, query), self.now_ns)
        return reply.status, json.loads(reply.body)

    def body(
        self,
        token: str,
        side: str,
        price: str,
        size: str,
        kind: str = "GTC",
        **changes: Any,
    ) -> dict[str, Any]:
        """A signed order body; price and size are decimal text, changes override any field."""
        shares = _units(size)
        cash = _units(price) * shares // 10**6
        maker, taker = (cash, shares) if side == "BUY" else (shares, cash)
        self.salt += 1
        fields = {
            "salt": self.salt,
            "maker": self.known.address,
            "signer": self.known.address,
            "tokenId": token,
            "makerAmount": str(maker),
            "takerAmount": str(taker),
            "side": side,
            "expiration": "0",
            "signatureType": 0,
            "timestamp": str(self.now_ns // NS_PER_MS),
            "metadata": ZERO32,
            "builder": ZERO32,
        }
        fields.update({k: v for k, v in changes.items() if k in fields})
        fields["signature"] = self.sign(fields)
        outer = {"deferExec": False, "owner": self.known.api_key, "orderType": kind}
        outer.update({k: v for k, v in changes.items() if k in ("postOnly", "owner")})
        return {**outer, "order": fields}

    def sign(self, fields: dict[str, Any]) -> str:
        order = eip712.read_order(fields)
        digest = eip712.order_digest(order)
        tail = b""
        if order.signature_type == 3:
            digest, tail = eip712.wrapped(order)
        raw = self.key.sign_recoverable(digest, hasher=None)
        return "0x" + (raw[:64] + bytes([27 + raw[64]]) + tail).hex()

    def place(self, *arguments: Any, **changes: Any) -> tuple[int, dict[str, Any]]:
        """Posts one order; returns the status and the answer."""
        reply = self.request("POST", "/order", self.body(*arguments, **changes))
        return reply.status, json.loads(reply.body)


def _units(text: str) -> int:
    whole, _, part = text.partition(".")
    return int(whole) * 10**6 + int(part.ljust(6, "0") or 0)


def cents(price_e4: int) -> str:
    """A price of the book as decimal text."""
    return f"{price_e4 // 10_000}.{price_e4 % 10_000:04d}"

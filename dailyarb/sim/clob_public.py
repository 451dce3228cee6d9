"""The order book's open calls: books, prices, time, a market's trading parameters.

Source: polymarket.md, sections 2.3 and 5.4.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from dailyarb.sim import wire
from dailyarb.sim.gamma import clob_record
from dailyarb.sim.hall import Entry, Hall
from dailyarb.sim.orderbook import ONE_E4
from dailyarb.sim.types import NS_PER_S, Reply, Request

_BOOKS_MAX = 500
_NO_BOOK = "No orderbook exists for the requested token id"

Token = tuple[Entry, int]


class PublicBook:
    """Answers what needs no key."""

    def __init__(self, hall: Hall) -> None:
        self._hall = hall
        self._tokens: dict[str, Callable[[Token, Request], str]] = {
            "/book": _book,
            "/price": _price,
            "/midpoint": _midpoint,
            "/spread": _spread,
            "/last-trade-price": _last,
            "/tick-size": _tick,
            "/neg-risk": _neg_risk,
            "/fee-rate": _fee_rate,
        }

    def request(self, request: Request, now_ns: int) -> Reply | None:
        """Answers an open call; None when it is not one."""
        path = request.path
        if request.method == "POST":
            return self._books(request, now_ns) if path == "/books" else None
        if request.method != "GET":
            return None
        if path in self._tokens:
            found = self._hall.by_token.get(request.first("token_id"))
            if found is None or (path == "/book" and found[0].market.winner >= 0):
                return _missing(now_ns, _NO_BOOK)
            return Reply(now_ns, 200, self._tokens[path](found, request).encode())
        if path in ("/ok", "/"):
            return Reply(now_ns, 200, b'"OK"')
        if path == "/time":
            return Reply(now_ns, 200, str(now_ns // NS_PER_S).encode())
        if path == "/version":
            return Reply(now_ns, 200, b'{"version":2}')
        return self._market(path, now_ns)

    def _market(self, path: str, now_ns: int) -> Reply | None:
        """Answers /clob-markets/{condition} and /markets-by-token/{token}."""
        parts = path.split("/")
        if len(parts) != 3 or parts[1] not in ("clob-markets", "markets-by-token"):
            return None
        if parts[1] == "clob-markets":
            entry = self._hall.by_id.get(parts[2])
            if entry is None:
                return _missing(now_ns, "market not found")
            return Reply(now_ns, 200, wire.compact(clob_record(entry.market)))
        found = self._hall.by_token.get(parts[2])
        if found is None:
            return _missing(now_ns, "market not found")
        identity = found[0].market.identity
        body = {
            "condition_id": identity.market,
            "primary_token_id": identity.up_token,
            "secondary_token_id": identity.down_token,
        }
        return Reply(now_ns, 200, wire.compact(body))

    def _books(self, request: Request, now_ns: int) -> Reply:
        try:
            wanted = json.loads(request.body)
        except ValueError:
            wanted = None
        if not isinstance(wanted, list) or len(wanted) > _BOOKS_MAX:
            return Reply(now_ns, 400, b'{"error":"Invalid payload"}')
        books: list[str] = []
        for item in wanted:
            token = str(item.get("token_id", "")) if isinstance(item, dict) else ""
            found = self._hall.by_token.get(token)
            if found is not None and found[0].market.winner < 0:
                books.append(_book(found, request))
        return Reply(now_ns, 200, ("[" + ",".join(books) + "]").encode())


def _touch(token: Token) -> tuple[int, int]:
    """Returns best bid and ask in the token's own terms."""
    book, outcome = token[0].market.book, token[1]
    if outcome == wire.UP:
        return book.bid_e4, book.ask_e4
    return ONE_E4 - book.ask_e4, ONE_E4 - book.bid_e4


def _book(token: Token, _request: Request) -> str:
    # REST books carry no event_type; everything else is the snapshot's shape.
    return token[0].market.snapshot(token[1]).replace(',"event_type":"book"}', "}")


def _price(token: Token, request: Request) -> str:
    bid, ask = _touch(token)
    price = bid if request.first("side").upper() == "BUY" else ask
    return f'{{"price":"{wire.PRICE[price]}"}}'


def _midpoint(token: Token, _request: Request) -> str:
    bid, ask = _touch(token)
    return f'{{"mid":"{wire.PRICE[(bid + ask) // 2]}"}}'


def _spread(token: Token, _request: Request) -> str:
    bid, ask = _touch(token)
    return f'{{"spread":"{wire.PRICE[ask - bid]}"}}'


def _last(token: Token, _request: Request) -> str:
    market = token[0].market
    return f'{{"price":"{market.last_trade or "0.5"}","side":"BUY"}}'


def _tick(token: Token, _request: Request) -> str:
    return f'{{"minimum_tick_size":{wire.PRICE[token[0].market.tick_e4]}}}'


def _neg_risk(_token: Token, _request: Request) -> str:
    return '{"neg_risk":false}'


def _fee_rate(_token: Token, _request: Request) -> str:
    return '{"base_fee":1000}'


def _missing(now_ns: int, text: str) -> Reply:
    return Reply(now_ns, 404, wire.compact({"error": text}))

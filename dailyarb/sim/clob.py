"""The order book's REST: who may ask, what is asked, and the venue's answers.

Source: polymarket.md, section 5 (authentication, placing, cancelling, reading, heartbeat, errors
and modes). A held request is answered when its hold is over.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from dailyarb.sim import eip712, wire
from dailyarb.sim.accounts import Account, Ledger
from dailyarb.sim.clob_public import PublicBook
from dailyarb.sim.desk import Desk
from dailyarb.sim.hall import Hall
from dailyarb.sim.heartbeat import Heartbeats
from dailyarb.sim.keys import Keys, NotAuthorizedError
from dailyarb.sim.orders import UNIT, Refusal, SimOrder, check_owner, read_body
from dailyarb.sim.private import order_record, trade_record
from dailyarb.sim.types import NS_PER_MS, NS_PER_S, Held, Reply, Request

_BATCH_MAX = 15
_CANCELS_MAX = 1000
_PAGE = 100
_DONE = "already canceled or matched"
_LAST_CURSOR = "LTE="

Route = Callable[[Request, Account, int], Reply | Held]


class _Ticket:
    """Is a request whose orders are still held."""

    __slots__ = ("answers", "batch", "due_ns", "left")

    def __init__(self, count: int, batch: bool, due_ns: int) -> None:
        self.answers: list[dict[str, Any] | Refusal | None] = [None] * count
        self.batch = batch
        self.due_ns = due_ns
        self.left = count

    def put(self, index: int, answer: dict[str, Any] | Refusal) -> None:
        """Notes the answer of one order."""
        self.answers[index] = answer
        self.left -= 1


class Clob:
    """Answers the order book's requests; `mode` is "", "restart", "post_only" or "cancel_only"."""

    def __init__(self, hall: Hall, ledger: Ledger, desk: Desk, skew_s_max: float) -> None:
        self.mode = ""
        self.mode_retry_s = 90
        self._ledger = ledger
        self._desk = desk
        self._public = PublicBook(hall)
        self._keys = Keys(ledger, skew_s_max)
        self._hearts = Heartbeats(hall.schedule, self._lapsed)
        self._tickets: dict[int, _Ticket] = {}
        self._count = 0
        self._routes: dict[tuple[str, str], Route] = {
            ("POST", "/order"): self._place,
            ("POST", "/orders"): self._place,
            ("DELETE", "/order"): self._cancel,
            ("DELETE", "/orders"): self._cancel,
            ("DELETE", "/cancel-all"): self._cancel_all,
            ("DELETE", "/cancel-market-orders"): self._cancel_market,
            ("GET", "/data/orders"): self._orders,
            ("GET", "/data/trades"): self._trades,
            ("GET", "/balance-allowance"): self._balance,
            ("GET", "/balance-allowance/update"): self._balance,
            ("GET", "/auth/api-keys"): self._list_keys,
            ("GET", "/auth/ban-status/closed-only"): self._ban,
            ("POST", "/v1/heartbeats"): self._heartbeat,
        }

    def request(self, request: Request, now_ns: int) -> Reply | Held:
        """Answers one request, or holds it."""
        open_reply = self._public.request(request, now_ns)
        if open_reply is not None:
            return open_reply
        try:
            if request.path in ("/auth/derive-api-key", "/auth/api-key"):
                return self._keys.issue(request, now_ns)
            route = self._routes.get((request.method, request.path))
            single = request.path.startswith("/data/order/") and request.method == "GET"
            if route is None and not single:
                return _error(now_ns, 404, "not found")
            account = self._keys.check(request, now_ns)
        except NotAuthorizedError as error:
            return _error(now_ns, 401, str(error))
        refusal = self._closed(request, now_ns)
        if refusal is not None:
            return refusal
        return route(request, account, now_ns) if route else self._one(request, account, now_ns)

    def answer(self, ticket: int) -> Reply:
        """Returns the answer of a held request; raises KeyError while it is held."""
        held = self._tickets[ticket]
        if held.left:
            raise KeyError(ticket)
        del self._tickets[ticket]
        return _placed(held, held.due_ns)

    def _closed(self, request: Request, now_ns: int) -> Reply | None:
        """Returns the refusal of the venue's mode, or None where the request may pass."""
        placing = request.method == "POST" and request.path in ("/order", "/orders")
        if self.mode == "restart" and request.path != "/v1/heartbeats":
            return _error(now_ns, 425, "service not ready")
        if not placing:
            return None
        if self.mode == "cancel_only":
            return _error(
                now_ns, 503, "Trading is currently cancel-only. New orders are not accepted"
            )
        if self.mode == "post_only" and b'"postOnly":true' not in request.body:
            body = {
                "error": "post-only mode: only post-only orders are accepted",
                "code": "post_only_mode",
                "retry_after_seconds": self.mode_retry_s,
            }
            return Reply(now_ns, 503, wire.compact(body))
        return None

    def _place(self, request: Request, account: Account, now_ns: int) -> Reply | Held:
        batch = request.path == "/orders"
        bodies = _json(request.body)
        if not batch:
            bodies = [bodies]
        if not isinstance(bodies, list) or not 1 <= len(bodies) <= _BATCH_MAX:
            return _error(now_ns, 400, "Invalid order payload")
        due_ns = now_ns + self._desk.hold_ms * NS_PER_MS
        ticket = _Ticket(len(bodies), batch, due_ns)
        for index, body in enumerate(bodies):
            self._submit(ticket, index, (account, body), now_ns)
        if ticket.left == 0:
            return _placed(ticket, now_ns)
        self._count += 1
        self._tickets[self._count] = ticket
        return Held(self._count, due_ns)

    def _submit(
        self, ticket: _Ticket, index: int, entry: tuple[Account, object], now_ns: int
    ) -> None:
        """Reads one body and hands it to the desk; its answer lands in the ticket."""
        account, body = entry
        try:
            if not isinstance(body, dict):
                raise Refusal("Invalid order payload")
            posted = read_body(body)
            check_owner(posted, account, str(body.get("owner", "")))
        except Refusal as refusal:
            ticket.put(index, refusal)
            return
        self._desk.accept(posted, account, now_ns, lambda answer: ticket.put(index, answer))

    def _cancel(self, request: Request, account: Account, now_ns: int) -> Reply:
        body = _json(request.body)
        if request.path == "/order":
            body = [body.get("orderID")] if isinstance(body, dict) else None
        if not isinstance(body, list) or len(body) > _CANCELS_MAX:
            return _error(now_ns, 400, "Invalid orderID")
        canceled: list[str] = []
        refused: dict[str, str] = {}
        for order_id in body:
            order = self._desk.orders.get(str(order_id))
            if order is not None and order.account is account and order.live:
                self._desk.cancel(order, now_ns)
                canceled.append(order.order_id)
            else:
                refused[str(order_id)] = _DONE
        return _canceled(canceled, refused, now_ns)

    def _cancel_all(self, _request: Request, account: Account, now_ns: int) -> Reply:
        return self._cancel_these(self._desk.open_orders(account), now_ns)

    def _cancel_market(self, request: Request, account: Account, now_ns: int) -> Reply:
        body = _json(request.body)
        if not isinstance(body, dict):
            return _error(now_ns, 400, "Invalid payload")
        market, token = body.get("market"), body.get("asset_id")
        chosen = [
            order
            for order in self._desk.open_orders(account)
            if (not market or order.market.identity.market == market)
            and (not token or order.token == token)
        ]
        return self._cancel_these(chosen, now_ns)

    def _cancel_these(self, orders: list[SimOrder], now_ns: int) -> Reply:
        for order in orders:
            self._desk.cancel(order, now_ns)
        return _canceled([order.order_id for order in orders], {}, now_ns)

    def _orders(self, request: Request, account: Account, now_ns: int) -> Reply:
        rows = [
            order_record(order)
            for order in self._desk.open_orders(account)
            if request.first("id") in ("", order.order_id)
            and request.first("market") in ("", order.market.identity.market)
            and request.first("asset_id") in ("", order.token)
        ]
        return _page(rows, request, now_ns)

    def _one(self, request: Request, account: Account, now_ns: int) -> Reply:
        """Answers one order: active ones only, so a missing order proves nothing."""
        order = self._desk.orders.get(request.path.removeprefix("/data/order/"))
        if order is None or order.account is not account or not order.live:
            return Reply(now_ns, 200, b"null")
        return Reply(now_ns, 200, wire.compact(order_record(order)))

    def _trades(self, request: Request, account: Account, now_ns: int) -> Reply:
        before = _seconds(request.first("before"), 1 << 62)
        after = _seconds(request.first("after"), 0)
        rows = [
            trade_record(trade, account)
            for trade in reversed(list(self._desk.trades.values()))
            if any(order.account is account for order in trade.orders())
            and request.first("id") in ("", trade.trade_id)
            and request.first("market") in ("", trade.market.identity.market)
            and after <= trade.matched_ns // NS_PER_S <= before
        ]
        return _page(rows, request, now_ns)

    def _balance(self, request: Request, account: Account, now_ns: int) -> Reply:
        if request.first("asset_type") == "CONDITIONAL":
            amount = account.sellable(request.first("token_id"))
        elif request.first("asset_type") == "COLLATERAL":
            amount = account.cash
        else:
            return _error(now_ns, 400, "invalid asset type")
        plenty = str((1 << 256) - 1)
        body = {
            "balance": str(int(amount * UNIT // Fraction(1))),
            "allowances": {eip712.EXCHANGE_V2: plenty},
        }
        return Reply(now_ns, 200, wire.compact(body))

    def _list_keys(self, _request: Request, account: Account, now_ns: int) -> Reply:
        return Reply(now_ns, 200, wire.compact({"apiKeys": [account.api_key]}))

    def _ban(self, _request: Request, _account: Account, now_ns: int) -> Reply:
        return Reply(now_ns, 200, b'{"closed_only":false}')

    def _heartbeat(self, request: Request, account: Account, now_ns: int) -> Reply:
        body = _json(request.body)
        given = str(body.get("heartbeat_id") or "") if isinstance(body, dict) else ""
        accepted, ident = self._hearts.beat(account.api_key, given, now_ns)
        if not accepted:
            refused = {"error_msg": "Invalid Heartbeat ID", "heartbeat_id": ident}
            return Reply(now_ns, 400, wire.compact(refused))
        return Reply(now_ns, 200, wire.compact({"heartbeat_id": ident}))

    def _lapsed(self, api_key: str, now_ns: int) -> None:
        account = self._ledger.accounts[api_key]
        for order in self._desk.open_orders(account):
            self._desk.cancel(order, now_ns)


def _placed(ticket: _Ticket, now_ns: int) -> Reply:
    """Returns the answer of a placement; a refused leg of a batch has an empty orderID."""
    if not ticket.batch:
        answer = ticket.answers[0]
        if isinstance(answer, Refusal):
            return _error(now_ns, answer.status, answer.text)
        return Reply(now_ns, 200, wire.compact(answer))
    rows = [
        {
            "success": True, "errorMsg": answer.text, "orderID": "", "status": "",
            "makingAmount": "", "takingAmount": "", "tradeIDs": [], "transactionsHashes": [],
        }
        if isinstance(answer, Refusal)
        else answer
        for answer in ticket.answers
    ]  # fmt: skip
    return Reply(now_ns, 200, wire.compact(rows))


def _canceled(done: list[str], refused: dict[str, str], now_ns: int) -> Reply:
    return Reply(now_ns, 200, wire.compact({"canceled": done, "not_canceled": refused}))


def _page(rows: list[dict[str, Any]], request: Request, now_ns: int) -> Reply:
    """Returns one page; cursors are base64 of the offset, MA== the first, LTE= the end."""
    cursor = request.first("next_cursor", "MA==") or "MA=="
    start = wire.read_cursor(cursor)
    if start is None:
        return _error(now_ns, 400, "next item should be greater than or equal to 0")
    part = rows[start : start + _PAGE]
    more = start + _PAGE < len(rows)
    body = {
        "limit": _PAGE,
        "count": len(part),
        "next_cursor": wire.cursor(start + _PAGE) if more else _LAST_CURSOR,
        "data": part,
    }
    return Reply(now_ns, 200, wire.compact(body))


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _seconds(text: str, default: int) -> int:
    return int(text) if text.isdigit() else default


def _error(now_ns: int, status: int, text: str) -> Reply:
    return Reply(now_ns, status, wire.compact({"error": text}))

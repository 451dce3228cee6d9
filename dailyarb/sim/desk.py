"""Where orders meet the book: acceptance, the hold, matching, trades and their settlement.

Marketable orders wait before they are matched and are checked again at the end of it; trades go
MATCHED, MINED, CONFIRMED over seconds; bought shares can be sold once mined. Sources:
polymarket.md, sections 4, 5.2, 5.8 and 5.9.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from dailyarb.sim import wire
from dailyarb.sim.accounts import Account, Ledger, taker_fee
from dailyarb.sim.channels import Channels
from dailyarb.sim.gamma import FEE_RATE
from dailyarb.sim.hall import Hall
from dailyarb.sim.market import SimMarket, crossing
from dailyarb.sim.orderbook import ASK, ONE_E4, Match, Resting
from dailyarb.sim.orders import (
    BUY,
    SELL,
    UNIT,
    Posted,
    Refusal,
    SimOrder,
    check_dollar,
    check_terms,
)
from dailyarb.sim.private import cancel_event, order_event, trade_event
from dailyarb.sim.trades import Part, Trade
from dailyarb.sim.types import NS_PER_MS, NS_PER_S

_RATE = Fraction(str(FEE_RATE))
_KEEP_ORDERS = 50_000
FOK_TEXT = "order couldn't be fully filled. FOK orders are fully filled or killed."
FAK_TEXT = (
    "no orders found to match with FAK order. FAK orders are partially filled or killed if no "
    "match is found."
)
Answer = Callable[[dict[str, Any] | Refusal], None]


class Desk:
    """Is the venue's engine for account orders."""

    def __init__(
        self, seed: int, hall: Hall, ledger: Ledger, channels: Channels, hold_ms: int
    ) -> None:
        self.orders: dict[str, SimOrder] = {}
        self.trades: dict[str, Trade] = {}
        self.hold_ms = hold_ms
        self._hall = hall
        self._ledger = ledger
        self._channels = channels
        self._rng = random.Random(f"{seed}/desk")

    def open_orders(self, account: Account) -> list[SimOrder]:
        """Returns an account's resting orders, oldest first."""
        return [o for o in self.orders.values() if o.account is account and o.live]

    def available(self, account: Account, token: str = "") -> Fraction:
        """Returns what is free: dollars, or sellable shares of a token."""
        free = account.sellable(token) if token else account.cash
        for order in self.open_orders(account):
            if token and order.side == SELL and order.token == token:
                free -= Fraction(order.left_e6, UNIT)
            elif not token and order.side == BUY:
                free -= Fraction(order.left_e6 * order.price_e4, UNIT * ONE_E4)
        return free

    def accept(self, posted: Posted, account: Account, now_ns: int, answer: Answer) -> bool:
        """Takes an order; says whether its answer comes only after the hold.

        `answer` is called with the response, or with the refusal.
        """
        try:
            order = self._check(posted, account, now_ns)
        except Refusal as refusal:
            answer(refusal)
            return False
        self.orders[order.order_id] = order
        self._prune()
        if crossing(order.market.book, order.book_side, order.book_price_e4) or order.tif in (
            "FOK",
            "FAK",
        ):
            due_ns = now_ns + self.hold_ms * NS_PER_MS
            self._hall.schedule.at(due_ns, lambda due: self._match(order, due, answer))
            return True
        self._rest(order, now_ns)
        answer(response(order, "live"))
        return False

    def cancel(self, order: SimOrder, now_ns: int, status: str = "CANCELED") -> None:
        """Takes a resting order out of the book and tells its owner."""
        if order.resting is None:
            return
        book = order.market.book
        touch = (book.bid_e4, book.ask_e4)
        book.pull(order.resting)
        order.resting = None
        order.market.changed(order.book_side, order.book_price_e4, touch, now_ns)
        self._over(order, status, now_ns)

    def made(self, market: SimMarket, side: int, matches: list[Match], now_ns: int) -> None:
        """Books what the crowd took from account orders, one trade per price."""
        for price_e4 in dict.fromkeys(match.price_e4 for match in matches):
            level = [match for match in matches if match.price_e4 == price_e4]
            if any(match.order_id for match in level):
                self._trade(market, None, side, level, now_ns)

    def market_over(self, market: SimMarket, now_ns: int) -> None:
        """Cancels what rests in a market that was decided."""
        for order in list(self.orders.values()):
            if order.market is market and order.live:
                self.cancel(order, now_ns, "CANCELED_MARKET_RESOLVED")

    def pay_out(self, market: SimMarket, _now_ns: int) -> None:
        """Redeems the winners."""
        self._ledger.redeem(market.identity.tokens, market.winner)

    def _check(self, posted: Posted, account: Account, now_ns: int) -> SimOrder:
        if posted.order_id in self.orders:
            raise Refusal(f"order {posted.order_id} is invalid. Duplicated.")
        entry = self._hall.by_token.get(str(posted.order.token))
        if entry is None or not entry[0].market.accepting:
            raise Refusal(f"the orderbook {posted.order.token} does not exist")
        order = SimOrder(posted, account, entry[0].market, entry[1], now_ns)
        check_terms(order, now_ns)
        crosses = crossing(order.market.book, order.book_side, order.book_price_e4)
        self._check_funds(order, crosses)
        if crosses:
            if order.post_only:
                raise Refusal("invalid post-only order: order crosses book")
            check_dollar(order)
        return order

    def _check_funds(self, order: SimOrder, crosses: bool) -> None:
        """Checks what is free; a taker's fee comes on top, dearest at the limit price."""
        if order.side == BUY:
            free = self.available(order.account)
            size, price = Fraction(order.size_e6, UNIT), Fraction(order.price_e4, ONE_E4)
            need = size * price + (taker_fee(price, size, _RATE) if crosses else 0)
        else:
            free = self.available(order.account, order.token)
            need = Fraction(order.size_e6, UNIT)
        if need > free:
            balance, amount = int(free * UNIT), int(need * UNIT)
            raise Refusal(
                "not enough balance / allowance: the balance is not enough -> balance: "
                f"{balance}, order amount: {amount}"
            )

    def _match(self, order: SimOrder, now_ns: int, answer: Answer) -> None:
        """Matches an order at the end of its hold; everything is looked at again."""
        market = order.market
        side = 1 - order.book_side
        limit = order.book_price_e4
        try:
            if not market.accepting:
                raise Refusal(f"the orderbook {order.token} does not exist")
            self._check_funds(order, True)
            depth = market.book.depth_e6(side, limit)
            if order.tif == "FOK" and depth < order.size_e6:
                raise Refusal(FOK_TEXT)
            if order.tif == "FAK" and depth == 0:
                raise Refusal(FAK_TEXT)
        except Refusal as refusal:
            self._over(order, f"CANCELED_{refusal.text}", now_ns)
            answer(refusal)
            return
        matches = market.sweep(side, limit, order.size_e6, now_ns)
        for price_e4 in dict.fromkeys(match.price_e4 for match in matches):
            level = [match for match in matches if match.price_e4 == price_e4]
            self._trade(market, order, side, level, now_ns)
        if order.left_e6 and order.tif in ("GTC", "GTD"):
            self._rest(order, now_ns)
        elif order.left_e6:
            self._over(order, "CANCELED", now_ns)
        answer(response(order, "matched" if order.matched_e6 else "live"))

    def _rest(self, order: SimOrder, now_ns: int) -> None:
        book = order.market.book
        touch = (book.bid_e4, book.ask_e4)
        resting = Resting(order.order_id, order.book_side, order.book_price_e4, order.left_e6)
        order.resting = resting
        book.rest(resting)
        order.market.changed(order.book_side, order.book_price_e4, touch, now_ns)
        self._tell(order, order_event(order, "PLACEMENT", now_ns), now_ns)
        if order.tif == "GTD":
            # The book drops it one minute before the stated time.
            until_ns = (order.expiration_s - 60) * NS_PER_S
            self._hall.schedule.at(
                max(now_ns + 1, until_ns),
                lambda due: self.cancel(order, due, "CANCELED_EXPIRED_ORDER"),
            )

    def _trade(
        self, market: SimMarket, taker: SimOrder | None, side: int, level: list[Match], now_ns: int
    ) -> None:
        """Books one price's matches as one trade: money, orders, events, settlement."""
        rng = self._rng
        taker_outcome = taker.outcome if taker else rng.randrange(2)
        trade = Trade(f"{rng.getrandbits(128):032x}", market, taker, side, taker_outcome, now_ns)
        self.trades[trade.trade_id] = trade
        for match in level:
            maker = self.orders[match.order_id] if match.order_id else None
            part = Part.of(maker, side, match, rng)
            trade.parts.append(part)
            self._post_pair(trade, part)
            if maker is not None:
                maker.matched_e6 += part.size_e6
                maker.trades.append(trade.trade_id)
                if maker.left_e6 == 0:
                    maker.resting = None
                    maker.status = "MATCHED"
        if taker is not None:
            taker.matched_e6 += trade.size_e6
            taker.trades.append(trade.trade_id)
            taker.status = "MATCHED" if taker.left_e6 == 0 else "LIVE"
            size = Fraction(trade.size_e6, UNIT)
            trade.fee = taker_fee(Fraction(trade.price_e4, ONE_E4), size, _RATE)
            self._ledger.charge(taker.account, trade.fee)
        for order in trade.orders():
            self._tell(order, order_event(order, "UPDATE", now_ns), now_ns)
        self._announce(trade, "MATCHED", now_ns)
        mined_ns = now_ns + int((1.2 + rng.expovariate(0.8)) * NS_PER_S)
        confirmed_ns = mined_ns + int((1.5 + rng.expovariate(0.5)) * NS_PER_S)
        self._hall.schedule.at(mined_ns, lambda due: self._mined(trade, due))
        self._hall.schedule.at(confirmed_ns, lambda due: self._announce(trade, "CONFIRMED", due))

    def _post_pair(self, trade: Trade, part: Part) -> None:
        """Posts both halves of a match; the crowd always buys what the account leaves it."""
        size = Fraction(part.size_e6, UNIT)
        book_price = part.book_price_e4
        tokens = trade.market.identity.tokens
        halves = [
            (trade.taker, trade.side == ASK, part.maker),
            (part.maker, trade.side != ASK, trade.taker),
        ]
        for order, long_up, counterpart in halves:
            if order is not None:
                up = order.outcome == wire.UP
                price = Fraction(book_price if up else ONE_E4 - book_price, ONE_E4)
                self._ledger.post(order.account, order.token, order.side == BUY, price, size)
                order.paid += price * size
            elif counterpart is not None:
                outcome = wire.UP if long_up else wire.DOWN
                price = Fraction(book_price if long_up else ONE_E4 - book_price, ONE_E4)
                self._ledger.post(None, tokens[outcome], True, price, size)

    def _mined(self, trade: Trade, now_ns: int) -> None:
        trade.transaction = f"0x{self._rng.getrandbits(256):064x}"
        if trade.market.winner < 0:
            for order, size_e6 in trade.shares():
                if order.side == BUY:
                    size = Fraction(size_e6, UNIT)
                    self._ledger.settle(order.account, order.token, size)
        self._announce(trade, "MINED", now_ns)

    def _announce(self, trade: Trade, status: str, now_ns: int) -> None:
        """Tells every key that took part; as maker and taker alike, once per key."""
        trade.status = status
        trade.updated_ns = now_ns
        for account in dict.fromkeys(order.account for order in trade.orders()):
            event = trade_event(trade, account, now_ns)
            self._channels.tell(account.api_key, trade.market.identity.market, event, now_ns)

    def _over(self, order: SimOrder, status: str, now_ns: int) -> None:
        order.status = status
        self._tell(order, cancel_event(order, status, now_ns), now_ns)

    def _tell(self, order: SimOrder, event: dict[str, Any], now_ns: int) -> None:
        market = order.market.identity.market
        self._channels.tell(order.account.api_key, market, event, now_ns)

    def _prune(self) -> None:
        """Forgets the oldest finished orders and trades."""
        while len(self.orders) > _KEEP_ORDERS:
            oldest = next(iter(self.orders))
            if self.orders[oldest].live:
                self.orders[oldest] = self.orders.pop(oldest)
                continue
            del self.orders[oldest]
        while len(self.trades) > _KEEP_ORDERS:
            del self.trades[next(iter(self.trades))]


def response(order: SimOrder, status: str) -> dict[str, Any]:
    """Returns the answer to an accepted order; amounts in whole units, "" when nothing matched."""
    making = taking = ""
    if order.matched_e6:
        shares = wire.size_text(order.matched_e6)
        cash = wire.size_text(int(order.paid * UNIT))
        making, taking = (cash, shares) if order.side == BUY else (shares, cash)
    return {
        "success": True,
        "errorMsg": "",
        "orderID": order.order_id,
        "status": status,
        "makingAmount": making,
        "takingAmount": taking,
        "tradeIDs": list(order.trades),
        "transactionsHashes": [],
    }

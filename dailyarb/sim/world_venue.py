"""A lean, strict venue for the fault world: orders, matches, settlement, in exact fractions.

It is the world's truth. It has its own ledger, its own rounding and its own fee code and imports
nothing of dailyarb, so an error of the engine cannot hide in both. Prices are integers of 1e-4
dollars, sizes of 1e-6 shares; every price stands in the terms of the token it belongs to. Books
are kept in UP terms; whatever trades DOWN at q trades the same book at 1 - q.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

ONE = 10_000
ZERO = Fraction(0)
FEE_STEP = Fraction(1, 100_000)
CENT = Fraction(1, 100)
BASIS = Fraction(1, 10_000)
KILLED = "no orders found to match with FAK order. FAK orders are partially filled or killed"
NO_BALANCE = "not enough balance / allowance"
GONE = "already canceled or matched"


class RefusedError(Exception):
    """The venue refuses an order, in its own words."""


@dataclass(slots=True)
class Placed:
    """Is one order as the venue knows it; `live` while it may still match."""

    order_id: str
    market: str
    outcome: int  # 0 UP, 1 DOWN
    buy: bool
    price_e4: int
    size_e6: int
    takes: bool
    live: bool = True
    matched_e6: int = 0
    ours: bool = True

    @property
    def left_e6(self) -> int:
        """Returns the shares that have not matched."""
        return max(0, self.size_e6 - self.matched_e6)

    @property
    def lifts(self) -> bool:
        """Says whether it buys UP's book (a bid in UP terms)."""
        return self.buy == (self.outcome == 0)

    @property
    def up_e4(self) -> int:
        """Returns its price in UP terms."""
        return self.price_e4 if self.outcome == 0 else ONE - self.price_e4


@dataclass(slots=True)
class Match:
    """Is our part of one trade; status is MATCHED, CONFIRMED or FAILED."""

    trade_id: str
    order_id: str
    market: str
    outcome: int
    buy: bool
    price_e4: int
    size_e6: int
    maker: bool
    at_ns: int
    fee: Fraction
    status: str = "MATCHED"

    @property
    def cash(self) -> Fraction:
        """Returns what it changed the account's cash by, fee included."""
        amount = Fraction(self.price_e4 * self.size_e6, ONE * 1_000_000)
        return (-amount if self.buy else amount) - self.fee


@dataclass(slots=True)
class Listing:
    """Is one market: its rules, its book in UP terms, what became of it."""

    market: str
    tokens: tuple[str, str]
    tick_e4: int
    min_e6: int
    rate: Fraction
    end_ns: int
    bids: dict[int, int] = field(default_factory=dict)
    asks: dict[int, int] = field(default_factory=dict)
    mid_e4: int = 5_000
    resolved_e4: int | None = None
    accepting: bool = True

    def best(self) -> tuple[int, int]:
        """Returns the best bid and ask, 0 and 10,000 where a side is empty."""
        return max(self.bids, default=0), min(self.asks, default=ONE)


class LeanVenue:
    """Is the venue: one account that is ours, a crowd, and what happened between them.

    Args:
        rng: the venue's own randomness (sizes, who is hit).
        cash: dollars of the account at the start.
    """

    def __init__(self, rng: random.Random, cash: Fraction) -> None:
        self.rng = rng
        self.cash = cash
        self.start_cash = cash
        self.fees = ZERO
        self.paid_in = ZERO  # dollars of ours that went to the crowd, net
        self.external = ZERO
        self.shares: dict[str, int] = {}
        self.settled: dict[str, int] = {}
        self.orders: dict[str, Placed] = {}
        self.matches: dict[tuple[str, str], Match] = {}
        self.listings: dict[str, Listing] = {}
        self.tokens: dict[str, tuple[str, int]] = {}
        self.self_matches = 0
        self.fee_scale = Fraction(1)
        self.overfill_ppm = 0
        self.joint = 0.0
        self._trades = 0

    # markets

    def list_market(self, listing: Listing) -> None:
        """Opens a market."""
        self.listings[listing.market] = listing
        for outcome, token in enumerate(listing.tokens):
            self.tokens[token] = (listing.market, outcome)
            self.shares[token] = self.settled[token] = 0

    def quote(self, market: str, now_ns: int, one_sided: str = "") -> list[Match]:
        """Moves a market's book one step and returns our orders it ran into."""
        listing, rng = self.listings[market], self.rng
        tick = listing.tick_e4
        step = rng.choice((-2, -1, -1, 0, 0, 0, 1, 1, 2)) * 100
        listing.mid_e4 = min(9_000, max(1_000, listing.mid_e4 + step))
        base = listing.mid_e4 // tick * tick
        half = rng.choice((1, 1, 1, 2)) * tick
        sizes = [rng.randrange(5, 200) * 1_000_000 for _ in range(6)]
        listing.bids = {base - half - i * tick: sizes[i] for i in range(3)}
        listing.asks = {base + half + i * tick: sizes[3 + i] for i in range(3)}
        if one_sided == "bids":
            listing.bids = {}
        elif one_sided == "asks":
            listing.asks = {}
        return list(self._run_over(listing, now_ns))

    def _run_over(self, listing: Listing, now_ns: int) -> Iterator[Match]:
        bid, ask = listing.best()
        joint = self.rng.random() < self.joint
        hit = False
        for order in [o for o in self.orders.values() if o.live and o.market == listing.market]:
            if order.takes:
                continue
            price = order.up_e4
            crossed = price >= ask if order.lifts else price <= bid
            near = abs(price - (bid if order.lifts else ask)) <= listing.tick_e4
            if crossed or (near and self.rng.random() < (0.8 if joint and hit else 0.12)):
                part = order.left_e6
                if self.rng.random() < 0.4:
                    part = max(10_000, part * self.rng.randrange(1, 10) // 10 // 10_000 * 10_000)
                self._trades += not (joint and hit)  # one taker, several of our orders
                hit = True
                yield self._match(order, order.price_e4, min(part, order.left_e6), True, now_ns)
        self._trades += 1

    # orders

    def place(self, order_id: str, raw: bytes, takes: bool, post_only: bool, now_ns: int) -> Placed:
        """Accepts an order or raises `RefusedError`; a taker waits for `fire`."""
        if order_id in self.orders:
            raise RefusedError("order is duplicated")
        body = json.loads(raw)
        market, outcome = self.tokens[body["token"]]
        listing = self.listings[market]
        buy = body["side"] == "BUY"
        cash, shares = (body["maker"], body["taker"]) if buy else (body["taker"], body["maker"])
        price = Fraction(cash, shares) * ONE
        if not listing.accepting or now_ns >= listing.end_ns:
            raise RefusedError("the market is closed")
        if price.denominator != 1 or price % listing.tick_e4 or not 0 < price < ONE:
            raise RefusedError(f"price breaks minimum tick size rule: {listing.tick_e4}")
        if shares % 10_000 or shares < listing.min_e6:
            raise RefusedError("order size lower than the minimum")
        if takes and Fraction(cash, 1_000_000) % (CENT if buy else BASIS):
            raise RefusedError("invalid amounts, too many decimals")
        order = Placed(order_id, market, outcome, buy, int(price), shares, takes)
        self._covered(order, body["token"])
        bid, ask = listing.best()
        crosses = order.up_e4 >= ask if order.lifts else order.up_e4 <= bid
        if post_only and crosses:
            raise RefusedError("invalid post-only order: order crosses book")
        self._no_self_match(order)
        self.orders[order_id] = order
        return order

    def _covered(self, order: Placed, token: str) -> None:
        resting = [o for o in self.orders.values() if o.live]
        if order.buy:
            held = sum(o.price_e4 * o.left_e6 for o in resting if o.buy)
            need = Fraction(held + order.price_e4 * order.size_e6, ONE * 1_000_000)
            if need > self.cash:
                raise RefusedError(NO_BALANCE)
        else:
            held = sum(
                o.left_e6
                for o in resting
                if not o.buy and o.market == order.market and o.outcome == order.outcome
            )
            if held + order.size_e6 > self.settled[token]:
                raise RefusedError(NO_BALANCE)

    def _no_self_match(self, order: Placed) -> None:
        for other in self.orders.values():
            if not other.live or other.market != order.market or other.lifts == order.lifts:
                continue
            if other.takes and order.takes:
                continue  # neither rests, so neither can be met
            if (order.up_e4 >= other.up_e4) if order.lifts else (order.up_e4 <= other.up_e4):
                self.self_matches += 1

    def fire(self, order: Placed, now_ns: int, share: float = 1.0) -> list[Match]:
        """Matches a taker against the book and kills the rest; share thins what is there."""
        if not order.live:
            return []
        listing = self.listings[order.market]
        side = listing.asks if order.lifts else listing.bids
        found: list[Match] = []
        for price in sorted(side, reverse=not order.lifts):
            beyond = price > order.up_e4 if order.lifts else price < order.up_e4
            if beyond or not order.left_e6 or not listing.accepting:
                break
            there = int(side[price] * share) // 10_000 * 10_000
            part = min(order.left_e6, there)
            if part <= 0:
                continue
            side[price] -= part
            if not side[price]:
                del side[price]
            own = price if order.outcome == 0 else ONE - price
            self._trades += 1
            found.append(self._match(order, own, part, False, now_ns))
        order.live = False
        return found

    def take(self, order: Placed, size_e6: int, now_ns: int) -> Match:
        """Lets somebody take shares of a resting order."""
        self._trades += 1
        return self._match(order, order.price_e4, size_e6, True, now_ns)

    def _match(self, order: Placed, price_e4: int, size_e6: int, maker: bool, at_ns: int) -> Match:
        listing = self.listings[order.market]
        if self.overfill_ppm and size_e6 == order.left_e6:
            extra = size_e6 * self.overfill_ppm // 1_000_000 // 10_000 * 10_000
            size_e6 += max(10_000, extra)
        fee = ZERO
        if not maker:
            price, size = Fraction(price_e4, ONE), Fraction(size_e6, 1_000_000)
            exact = size * listing.rate * self.fee_scale * price * (1 - price)
            fee = exact // FEE_STEP * FEE_STEP
        match = Match(
            f"t{self._trades}", order.order_id, order.market, order.outcome, order.buy,
            price_e4, size_e6, maker, at_ns, fee,
        )  # fmt: skip
        order.matched_e6 += size_e6
        if order.matched_e6 >= order.size_e6:
            order.live = False
        self._post(match, 1)
        self.matches[match.trade_id, match.order_id] = match
        return match

    def _post(self, match: Match, sign: int) -> None:
        token = self.listings[match.market].tokens[match.outcome]
        self.cash += sign * match.cash
        self.fees += sign * match.fee
        self.paid_in -= sign * (match.cash + match.fee)
        self.shares[token] += sign * (match.size_e6 if match.buy else -match.size_e6)
        if not match.buy:
            self.settled[token] -= sign * match.size_e6

    def settle(self, match: Match, good: bool) -> None:
        """Lets the chain decide on a match: final, or as if it had never been."""
        if match.status != "MATCHED":
            return
        if not good:
            match.status = "FAILED"
            self._post(match, -1)
            return
        match.status = "CONFIRMED"
        if match.buy and self.listings[match.market].resolved_e4 is None:
            self.settled[self.listings[match.market].tokens[match.outcome]] += match.size_e6

    def cancel(self, order_id: str) -> bool:
        """Cancels a resting order; False when there is none, or it waits to be matched."""
        order = self.orders.get(order_id)
        if order is None or not order.live or order.takes:
            return False
        order.live = False
        return True

    def open_orders(self) -> list[Placed]:
        """Returns orders that rest."""
        return [o for o in self.orders.values() if o.live and o.ours and not o.takes]

    def resolve(self, market: str, up_e4: int) -> None:
        """Decides a market: what is pending becomes final, shares become cash, orders end."""
        listing = self.listings[market]
        if listing.resolved_e4 is not None:
            return
        listing.accepting = False
        for order in self.orders.values():
            if order.market == market:
                order.live = False
        for match in self.matches.values():
            if match.market == market:
                self.settle(match, True)
        listing.resolved_e4 = up_e4
        for outcome, token in enumerate(listing.tokens):
            price = up_e4 if outcome == 0 else ONE - up_e4
            won = Fraction(price * self.shares[token], ONE * 1_000_000)
            self.cash += won
            self.paid_in -= won
            self.shares[token] = self.settled[token] = 0

    def foreign(self, market: str, outcome: int, size_e6: int, now_ns: int) -> Match:
        """Lets somebody else buy with this wallet; returns the match."""
        listing = self.listings[market]
        price = listing.mid_e4 if outcome == 0 else ONE - listing.mid_e4
        order_id = f"0xforeign{len(self.orders)}"
        order = Placed(order_id, market, outcome, True, price, size_e6, False, ours=False)
        self._trades += 1
        self.orders[order_id] = order
        return self._match(order, price, size_e6, True, now_ns)

    def leak(self) -> Fraction:
        """Returns dollars the venue lost or made from nothing: zero, or the model is wrong."""
        return self.start_cash + self.external - self.fees - self.paid_in - self.cash

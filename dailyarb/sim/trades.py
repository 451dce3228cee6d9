"""A trade at the venue: one taker, one price, its makers."""

from __future__ import annotations

import random
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from dailyarb.sim import wire
from dailyarb.sim.market import SimMarket
from dailyarb.sim.orderbook import ASK, ONE_E4, Match
from dailyarb.sim.orders import BUY, SELL, SimOrder

CROWD_ADDRESS = "0x000000000000000000000000000000000000C0DE"


class Part(NamedTuple):
    """Is one maker's part; outcome, side and price are in the maker's own terms."""

    maker: SimOrder | None
    order_id: str
    owner: str
    outcome: int
    side: int
    price_e4: int
    book_price_e4: int
    size_e6: int

    @classmethod
    def of(
        cls,
        maker: SimOrder | None,
        side: int,
        match: Match,
        rng: random.Random,
    ) -> Part:
        """Returns a maker's part; a crowd maker buys, so its token follows from its side.

        Against an account's sale the crowd buys the same token, against a buy the other one.
        """
        if maker is not None:
            outcome, way = maker.outcome, maker.side
            owner, order_id = maker.account.api_key, maker.order_id
        else:
            outcome = wire.DOWN if side == ASK else wire.UP
            way = BUY
            owner, order_id = _uuid(rng), f"0x{rng.getrandbits(256):064x}"
        price = match.price_e4 if outcome == wire.UP else ONE_E4 - match.price_e4
        return cls(maker, order_id, owner, outcome, way, price, match.price_e4, match.size_e6)


class Trade:
    """Is a trade and where its settlement stands."""

    def __init__(
        self,
        raw_id: str,
        market: SimMarket,
        taker: SimOrder | None,
        side: int,
        outcome: int,
        now_ns: int,
    ) -> None:
        """Opens a trade; `side` is the side of Up's book that was taken, `outcome` the taker's."""
        self.trade_id = _dashed(raw_id)
        self.market = market
        self.taker = taker
        self.side = side
        self.outcome = outcome
        self.taker_id = taker.order_id if taker else "0x" + raw_id * 2
        self.taker_owner = taker.account.api_key if taker else _dashed(raw_id[::-1])
        self.parts: list[Part] = []
        self.matched_ns = now_ns
        self.updated_ns = now_ns
        self.status = "MATCHED"
        self.transaction: str | None = None
        self.fee = Fraction(0)

    @property
    def size_e6(self) -> int:
        """Returns the shares of the trade."""
        return sum(part.size_e6 for part in self.parts)

    @property
    def price_e4(self) -> int:
        """Returns the price in the taker's terms."""
        price = self.parts[0].book_price_e4
        return price if self.outcome == wire.UP else ONE_E4 - price

    @property
    def way(self) -> int:
        """Returns the taker's side, BUY or SELL."""
        long_up = self.side == ASK
        return BUY if long_up == (self.outcome == wire.UP) else SELL

    def orders(self) -> Iterator[SimOrder]:
        """Yields the account orders that took part, the taker first."""
        if self.taker is not None:
            yield self.taker
        for part in self.parts:
            if part.maker is not None:
                yield part.maker

    def shares(self) -> Iterator[tuple[SimOrder, int]]:
        """Yields each account order with its shares in this trade."""
        if self.taker is not None:
            yield self.taker, self.size_e6
        for part in self.parts:
            if part.maker is not None:
                yield part.maker, part.size_e6


def _dashed(raw: str) -> str:
    return f"{raw[:8]}-{raw[8:12]}-{raw[12:16]}-{raw[16:20]}-{raw[20:32]}"


def _uuid(rng: random.Random) -> str:
    return _dashed(f"{rng.getrandbits(128):032x}")

"""One spot book around its reference path: touch, trades, depth, and their JSON.

Prices are cents, sizes 1e-8; the update id grows as the real one's: a bookTicker's id lies inside
the [U, u] of the depth event that covers it (binance.md, section 3).
"""

from __future__ import annotations

import random
from typing import NamedTuple

from dailyarb.sim.reference import Reference

_LEVELS = 60
_FAR_TICKS = 400


class SpotTrade(NamedTuple):
    """Is one match: id, price in cents, size in 1e-8, and whether the buyer was the maker."""

    trade_id: int
    price_cents: int
    size_e8: int
    buyer_maker: bool


class DepthChange(NamedTuple):
    """Is one depth event: first and last update id, and the changed levels."""

    first_id: int
    last_id: int
    bids: list[tuple[int, int]]
    asks: list[tuple[int, int]]


def price_text(cents: int) -> str:
    """Returns a price as the exchange prints it, eight decimals."""
    return f"{cents // 100}.{cents % 100:02d}000000"


def size_text(size_e8: int) -> str:
    """Returns a size as the exchange prints it, eight decimals."""
    return f"{size_e8 // 100_000_000}.{size_e8 % 100_000_000:08d}"


class SpotBook:
    """Is the book of one symbol."""

    def __init__(self, symbol: str, reference: Reference, rng: random.Random, now_ns: int) -> None:
        self.symbol = symbol
        self.reference = reference
        self.rng = rng
        self.update_id = 35_000_000_000 + rng.randrange(10**9)
        self.trade_id = 6_000_000_000 + rng.randrange(10**8)
        self.bid_cents = 0
        self.ask_cents = 0
        self.bid_e8 = 0
        self.ask_e8 = 0
        self._depth_id = self.update_id
        self._bids: dict[int, int] = {}
        self._asks: dict[int, int] = {}
        self._changed: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self.requote(now_ns)
        for tick in range(1, _LEVELS):
            self._bids[self.bid_cents - tick] = self._draw_e8()
            self._asks[self.ask_cents + tick] = self._draw_e8()

    def moved(self, at_ns: int) -> bool:
        """Says whether the path has left the touch by more than a tenth of a basis point."""
        mid = self.reference.mid(at_ns) * 100.0
        slack = mid * 1e-5
        return mid < self.bid_cents - slack or mid > self.ask_cents + slack

    def requote(self, at_ns: int) -> None:
        """Puts the touch around the path and draws its sizes."""
        mid = self.reference.mid(at_ns) * 100.0
        if not self.bid_cents <= mid <= self.ask_cents:
            self.bid_cents = int(mid)
            self.ask_cents = self.bid_cents + 1
            self.bid_e8, self.ask_e8 = self._draw_e8(), self._draw_e8()
        elif self.rng.random() < 0.5:
            self.bid_e8 = self._draw_e8()
        else:
            self.ask_e8 = self._draw_e8()
        self.update_id += 1 + int(self.rng.expovariate(0.2))
        self._set(0, self.bid_cents, self.bid_e8)
        self._set(1, self.ask_cents, self.ask_e8)

    def trade(self, at_ns: int) -> SpotTrade:
        """Matches one taker at the touch; the side leans to where the path went."""
        mid = self.reference.mid(at_ns) * 100.0
        middle = (self.bid_cents + self.ask_cents) / 2.0
        lean = 0.5 + 0.3 * max(-1.0, min(1.0, (mid - middle) / (middle * 1e-5)))
        buyer_maker = self.rng.random() > lean
        price = self.bid_cents if buyer_maker else self.ask_cents
        size = 1_000 * max(1, int(self.rng.lognormvariate(3.9, 1.8)))
        self.trade_id += 1
        self.update_id += 1
        return SpotTrade(self.trade_id, price, size, buyer_maker)

    def depth_change(self) -> DepthChange:
        """Returns what changed since the last depth event, and flickers a few levels."""
        rng = self.rng
        for _ in range(4):
            distance = 1 + int(rng.expovariate(0.08))
            size = 0 if rng.random() < 0.2 else self._draw_e8()
            if rng.random() < 0.5:
                self._set(0, self.bid_cents - distance, size)
            else:
                self._set(1, self.ask_cents + distance, size)
        self._tidy()
        self.update_id += 1
        first, self._depth_id = self._depth_id + 1, self.update_id
        bids = sorted(self._changed[0].items(), reverse=True)
        asks = sorted(self._changed[1].items())
        self._changed = ({}, {})
        return DepthChange(first, self.update_id, bids, asks)

    def levels(self, limit: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Returns both sides, best first, as of the last depth event's id or later."""
        bids = sorted(self._bids.items(), reverse=True)[:limit]
        asks = sorted(self._asks.items())[:limit]
        return bids, asks

    def ticker_json(self) -> str:
        """Returns a bookTicker event; it carries no time, as the real one."""
        return (
            f'{{"u":{self.update_id},"s":"{self.symbol}","b":"{price_text(self.bid_cents)}",'
            f'"B":"{size_text(self.bid_e8)}","a":"{price_text(self.ask_cents)}",'
            f'"A":"{size_text(self.ask_e8)}"}}'
        )

    def trade_json(self, trade: SpotTrade, at_ns: int, unit_ns: int) -> str:
        """Returns a trade event; E is one to two milliseconds after T."""
        sent = (at_ns + 1_000_000) // unit_ns
        return (
            f'{{"e":"trade","E":{sent},"s":"{self.symbol}","t":{trade.trade_id},'
            f'"p":"{price_text(trade.price_cents)}","q":"{size_text(trade.size_e8)}",'
            f'"T":{at_ns // unit_ns},"m":{_word(trade.buyer_maker)},"M":true}}'
        )

    def agg_json(self, trade: SpotTrade, at_ns: int, unit_ns: int) -> str:
        """Returns an aggTrade event of a single trade."""
        sent = (at_ns + 1_000_000) // unit_ns
        return (
            f'{{"e":"aggTrade","E":{sent},"s":"{self.symbol}","a":{trade.trade_id - 10**9},'
            f'"p":"{price_text(trade.price_cents)}","q":"{size_text(trade.size_e8)}",'
            f'"f":{trade.trade_id},"l":{trade.trade_id},'
            f'"T":{at_ns // unit_ns},"m":{_word(trade.buyer_maker)},"M":true}}'
        )

    def depth_json(self, change: DepthChange, at_ns: int, unit_ns: int) -> str:
        """Returns a depthUpdate event."""
        return (
            f'{{"e":"depthUpdate","E":{at_ns // unit_ns},"s":"{self.symbol}",'
            f'"U":{change.first_id},"u":{change.last_id},'
            f'"b":{levels_json(change.bids)},"a":{levels_json(change.asks)}}}'
        )

    def _draw_e8(self) -> int:
        return 1_000 * max(1, int(self.rng.lognormvariate(11.0, 1.3)))

    def _set(self, side: int, cents: int, size_e8: int) -> None:
        levels = self._asks if side else self._bids
        if size_e8:
            levels[cents] = size_e8
        elif levels.pop(cents, None) is None:
            return
        self._changed[side][cents] = size_e8

    def _tidy(self) -> None:
        """Removes levels that the touch has crossed, and those too far away to matter."""
        bid, ask = self.bid_cents, self.ask_cents
        for cents in [c for c in self._bids if c > bid or c < bid - _FAR_TICKS]:
            self._set(0, cents, 0)
        for cents in [c for c in self._asks if c < ask or c > ask + _FAR_TICKS]:
            self._set(1, cents, 0)
        for tick in range(1, 21):
            if bid - tick not in self._bids:
                self._set(0, bid - tick, self._draw_e8())
            if ask + tick not in self._asks:
                self._set(1, ask + tick, self._draw_e8())


def levels_json(levels: list[tuple[int, int]]) -> str:
    """Returns levels as [["price","size"],...]."""
    return "[" + ",".join(f'["{price_text(p)}","{size_text(s)}"]' for p, s in levels) + "]"


def _word(flag: bool) -> str:
    return "true" if flag else "false"

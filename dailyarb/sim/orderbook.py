"""One book per market, in the coordinates of the Up token; Down is its mirror.

Buying Down at q is selling Up at 1 - q, so there is one ladder (FINDINGS.md, section 1). The crowd
is anonymous: a size per level. Account orders stand in a queue: `ahead_e6` is the crowd's size that
was there first. Prices are 1e-4 dollars, sizes 1e-6 shares, all integers.
"""

from __future__ import annotations

from typing import NamedTuple

BID = 0
ASK = 1
ONE_E4 = 10_000


class Resting:
    """Is one account order in the book; the owner keeps everything else about it."""

    __slots__ = ("ahead_e6", "left_e6", "order_id", "price_e4", "side")

    def __init__(self, order_id: str, side: int, price_e4: int, left_e6: int) -> None:
        self.order_id = order_id
        self.side = side
        self.price_e4 = price_e4
        self.left_e6 = left_e6
        self.ahead_e6 = 0


class Match(NamedTuple):
    """Is one maker's part of a match; `order_id` is "" for the crowd."""

    order_id: str
    price_e4: int
    size_e6: int


class OrderBook:
    """Is the ladder; `bid_e4` is 0 and `ask_e4` 10,000 when the side is empty."""

    __slots__ = ("ask_e4", "bid_e4", "crowd", "orders")

    def __init__(self) -> None:
        self.crowd: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self.orders: tuple[dict[int, list[Resting]], dict[int, list[Resting]]] = ({}, {})
        self.bid_e4 = 0
        self.ask_e4 = ONE_E4

    def total_e6(self, side: int, price_e4: int) -> int:
        """Returns everything that stands at a level."""
        total = self.crowd[side].get(price_e4, 0)
        resting = self.orders[side].get(price_e4)
        if resting:
            total += sum(order.left_e6 for order in resting)
        return total

    def best(self, side: int) -> int:
        """Returns the best price of a side."""
        return self.ask_e4 if side else self.bid_e4

    def prices(self, side: int) -> list[int]:
        """Returns the occupied prices of a side, ascending."""
        orders = self.orders[side]
        if not orders:
            return sorted(self.crowd[side])
        return sorted({**self.crowd[side], **orders})

    def set_crowd(self, side: int, price_e4: int, size_e6: int) -> None:
        """Sets the crowd's size at a level; cancels come from anywhere in the queue.

        A level that would cross the other side is refused: the caller must trade first.
        """
        crosses = price_e4 >= self.ask_e4 if side == BID else price_e4 <= self.bid_e4
        if crosses and size_e6 > 0:
            raise ValueError("the crowd would cross the book")
        levels = self.crowd[side]
        before = levels.get(price_e4, 0)
        resting = self.orders[side].get(price_e4)
        if resting and size_e6 < before:
            for order in resting:
                order.ahead_e6 = order.ahead_e6 * size_e6 // before
        if size_e6 > 0:
            levels[price_e4] = size_e6
        else:
            levels.pop(price_e4, None)
        self._touch(side, price_e4, size_e6 > 0 or bool(resting))

    def rest(self, order: Resting) -> None:
        """Puts an account order at the end of its level's queue."""
        order.ahead_e6 = self.crowd[order.side].get(order.price_e4, 0)
        self.orders[order.side].setdefault(order.price_e4, []).append(order)
        self._touch(order.side, order.price_e4, True)

    def pull(self, order: Resting) -> None:
        """Takes an account order out of the book."""
        queue = self.orders[order.side].get(order.price_e4)
        if queue is None or order not in queue:
            return
        queue.remove(order)
        if not queue:
            del self.orders[order.side][order.price_e4]
        occupied = bool(queue) or order.price_e4 in self.crowd[order.side]
        self._touch(order.side, order.price_e4, occupied)

    def take(self, side: int, price_e4: int, size_e6: int) -> list[Match]:
        """Matches up to a size against one level, first come first served.

        Args:
            side: the side of the level (not of the taker).
            price_e4: the level.
            size_e6: what the taker wants.

        Returns:
            The makers' parts in order; their sum is at most `size_e6`.
        """
        matches: list[Match] = []
        left = size_e6
        queue = self.orders[side].get(price_e4, [])
        for order in list(queue):
            left -= self._eat(side, price_e4, min(left, order.ahead_e6), matches)
            part = min(left, order.left_e6)
            if part > 0:
                order.left_e6 -= part
                left -= part
                matches.append(Match(order.order_id, price_e4, part))
            if order.left_e6 == 0:
                queue.remove(order)
            if left == 0:
                break
        left -= self._eat(side, price_e4, min(left, self.crowd[side].get(price_e4, 0)), matches)
        if not queue:
            self.orders[side].pop(price_e4, None)
        self._touch(side, price_e4, bool(queue) or price_e4 in self.crowd[side])
        return matches

    def depth_e6(self, side: int, limit_e4: int) -> int:
        """Returns the shares of a side at the limit or better."""
        prices = self.prices(side)
        if side == ASK:
            return sum(self.total_e6(ASK, p) for p in prices if p <= limit_e4)
        return sum(self.total_e6(BID, p) for p in prices if p >= limit_e4)

    def _eat(self, side: int, price_e4: int, part_e6: int, matches: list[Match]) -> int:
        """Takes a part of the crowd at the head of the queue; returns it."""
        if part_e6 <= 0:
            return 0
        levels = self.crowd[side]
        rest = levels[price_e4] - part_e6
        if rest > 0:
            levels[price_e4] = rest
        else:
            del levels[price_e4]
        for order in self.orders[side].get(price_e4, ()):
            order.ahead_e6 = max(0, order.ahead_e6 - part_e6)
        matches.append(Match("", price_e4, part_e6))
        return part_e6

    def _touch(self, side: int, price_e4: int, occupied: bool) -> None:
        """Keeps the best prices after one level changed."""
        if side == BID:
            if occupied:
                self.bid_e4 = max(self.bid_e4, price_e4)
            elif price_e4 == self.bid_e4:
                self.bid_e4 = max(max(self.crowd[BID], default=0), max(self.orders[BID], default=0))
        elif occupied:
            self.ask_e4 = min(self.ask_e4, price_e4)
        elif price_e4 == self.ask_e4:
            best = min(self.orders[ASK], default=ONE_E4)
            self.ask_e4 = min(min(self.crowd[ASK], default=ONE_E4), best)

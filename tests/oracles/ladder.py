"""Pure-Python twin of the ladder: every price of the grid holds a size and a stamp."""

from __future__ import annotations


class DictLadder:
    """Keeps one book in UP coordinates; sides are 0 bids, 1 asks."""

    def __init__(self, tick_e4: int = 100) -> None:
        self.tick_e4 = tick_e4
        self.grid = range(tick_e4, 10_000, tick_e4)
        self.cells = [dict.fromkeys(self.grid, (0, -1)) for _ in range(2)]
        self.synced = False
        self.desynced = False

    @staticmethod
    def to_up(outcome: int, side: int, price_e4: int) -> tuple[int, int]:
        """Returns side and price of a level as the UP book has it."""
        return (1 - side, 10_000 - price_e4) if outcome else (side, price_e4)

    def apply(self, outcome: int, side: int, price_e4: int, size_e6: int, stamp_ms: int) -> bool:
        """Writes one level unless it holds something newer."""
        own, price = self.to_up(outcome, side, price_e4)
        if price not in self.grid:
            self.desynced, self.synced = True, False
            return False
        if stamp_ms < self.cells[own][price][1]:
            return False
        self.cells[own][price] = (size_e6, stamp_ms)
        return True

    def book(self, outcome: int, stamp_ms: int, levels: list[tuple[int, int, int]]) -> None:
        """Applies a checkpoint: levels are (side, price_e4, size_e6) in the outcome's view."""
        named: dict[tuple[int, int], int] = {}
        for side, price_e4, size_e6 in levels:
            own, price = self.to_up(outcome, side, price_e4)
            if price not in self.grid:
                self.desynced = True
                continue
            named[own, price] = size_e6
        for side in range(2):
            for price, (_, held_ms) in self.cells[side].items():
                if held_ms <= stamp_ms:
                    self.cells[side][price] = (named.get((side, price), 0), stamp_ms)
        self.synced = not self.desynced

    def levels(self, outcome: int, side: int) -> list[tuple[int, int]]:
        """Returns price and size of every level of an outcome's side, best first."""
        own = side ^ outcome
        found = [
            (10_000 - price if outcome else price, size)
            for price, (size, _) in self.cells[own].items()
            if size
        ]
        return sorted(found, reverse=side == 0)

    def top(self, outcome: int) -> tuple[int, int, int, int]:
        """Returns bid, bid size, ask, ask size."""
        bid = (self.levels(outcome, 0) or [(0, 0)])[0]
        ask = (self.levels(outcome, 1) or [(10_000, 0)])[0]
        return (*bid, *ask)

    def depth(self, outcome: int, side: int, price_e4: int) -> int:
        """Returns the shares from the best to a price inclusive."""
        return sum(
            size
            for price, size in self.levels(outcome, side)
            if (price >= price_e4 if side == 0 else price <= price_e4)
        )

    def sweep(self, outcome: int, taken: int, size_e6: int, limit_e4: int) -> tuple[int, int]:
        """Returns filled shares and cost of a taker."""
        filled = cost = 0
        for price, size in self.levels(outcome, 1 - taken):
            if price > limit_e4 if taken == 0 else price < limit_e4:
                break
            part = min(size, size_e6 - filled)
            filled, cost = filled + part, cost + part * price
        return filled, cost

"""The recorded book of one market, as the fill model and the replayed REST calls read it.

Frames arrive out of the order of their stamps (polymarket.md, 3.5), so each level keeps its stamp:
the newer or equal one wins, and a `book` frame is a checkpoint as of its own stamp. A price_change
states the touch after it: what contradicts it is dropped when the frame is the newest.

It is kept apart from the engine's ladder on purpose: two readers of the same frames that share no
code disagree loudly when one is wrong. Levels live in the sim's own order book as those of its
crowd, so that snapshots and REST answers are printed as everywhere in the sim.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from dailyarb.core.domain.errors import UnitError
from dailyarb.core.domain.units import PRICE_ONE_E4, parse_scaled
from dailyarb.sim.orderbook import OrderBook

_SIDES = {"BUY": 0, "SELL": 1}


class Print(NamedTuple):
    """Is one trade of the tape: outcome 0 is UP, side 0 a taker who bought."""

    outcome: int
    side: int
    price_e4: int
    size_e6: int


class RecordedBook(OrderBook):
    """Is one market's book in UP coordinates; reads frames already parsed from JSON."""

    __slots__ = ("_outcomes", "_stamps", "last_trade", "newest_ms", "synced", "tick_e4")

    def __init__(self, up_token: str, down_token: str, tick_e4: int) -> None:
        super().__init__()
        self.tick_e4 = tick_e4
        self.synced = False
        self.newest_ms = 0
        self.last_trade = ""
        self._outcomes = {up_token: 0, down_token: 1}
        self._stamps: tuple[dict[int, int], dict[int, int]] = ({}, {})

    def levels(self, outcome: int, side: int, n: int) -> list[tuple[int, int]]:
        """Returns up to n (price_e4, size_e6) of a side, best first; 0 is UP, 0 is bids."""
        up_side = side if outcome == 0 else 1 - side
        found = sorted(self.crowd[up_side].items(), reverse=up_side == 0)[:n]
        if outcome == 0:
            return found
        return [(PRICE_ONE_E4 - price, size) for price, size in found]

    def mid_e4(self) -> int:
        """Returns the middle of the touch; an empty side counts as 0 or 1."""
        return (self.bid_e4 + self.ask_e4) // 2

    def apply(self, event: dict[str, Any]) -> Print | None:
        """Applies one event of the market channel; returns the print of a trade.

        Raises:
            KeyError: a needed field is missing.
            UnitError: a number is not one, or has more decimals than its scale.
            ValueError: a stamp is not a number.
        """
        kind = event["event_type"]
        if kind == "book":
            self._on_book(event)
        elif kind == "price_change":
            self._on_change(event)
        elif kind == "last_trade_price":
            return self._on_trade(event)
        elif kind == "tick_size_change":
            self.tick_e4 = parse_scaled("new_tick_size", event["new_tick_size"], 4)
        bids, asks = self.crowd
        self.bid_e4 = max(bids, default=0)
        self.ask_e4 = min(asks, default=PRICE_ONE_E4)
        return None

    def _on_book(self, event: dict[str, Any]) -> None:
        outcome = self._outcomes[event["asset_id"]]
        stamp_ms = int(event["timestamp"])
        if event.get("tick_size"):
            self.tick_e4 = parse_scaled("tick_size", str(event["tick_size"]), 4)
        if event.get("last_trade_price") and outcome == 0:
            self.last_trade = str(event["last_trade_price"])
        for side, name in enumerate(("bids", "asks")):
            named = {
                _price(row["price"], outcome): parse_scaled("size", row["size"], 6)
                for row in event[name]
            }
            up_side = side if outcome == 0 else 1 - side
            stamps = self._stamps[up_side]
            for price_e4 in [p for p in self.crowd[up_side] if p not in named]:
                if stamps[price_e4] <= stamp_ms:
                    self._write(up_side, price_e4, 0, stamp_ms)
            for price_e4, size_e6 in named.items():
                self._write(up_side, price_e4, size_e6, stamp_ms)
        self.newest_ms = max(self.newest_ms, stamp_ms)
        self.synced = True

    def _on_change(self, event: dict[str, Any]) -> None:
        stamp_ms = int(event["timestamp"])
        for entry in event["price_changes"]:
            outcome = self._outcomes.get(entry["asset_id"])
            if outcome is None:
                continue
            side = _SIDES[entry["side"]]
            up_side = side if outcome == 0 else 1 - side
            size_e6 = parse_scaled("size", entry["size"], 6)
            self._write(up_side, _price(entry["price"], outcome), size_e6, stamp_ms)
            if stamp_ms >= self.newest_ms and entry.get("best_bid") and entry.get("best_ask"):
                touch = (_price(entry["best_bid"], outcome), _price(entry["best_ask"], outcome))
                self._trim(min(touch), max(touch), stamp_ms)
        self.newest_ms = max(self.newest_ms, stamp_ms)

    def _on_trade(self, event: dict[str, Any]) -> Print:
        outcome = self._outcomes[event["asset_id"]]
        price_e4 = parse_scaled("price", event["price"], 4)
        if outcome == 0:
            self.last_trade = event["price"]
        return Print(
            outcome, _SIDES[event["side"]], price_e4, parse_scaled("size", event["size"], 6)
        )

    def _write(self, side: int, price_e4: int, size_e6: int, stamp_ms: int) -> None:
        if self._stamps[side].get(price_e4, 0) > stamp_ms:
            return
        self._stamps[side][price_e4] = stamp_ms  # kept for deleted levels too: a late add is late
        if size_e6:
            self.crowd[side][price_e4] = size_e6
        else:
            self.crowd[side].pop(price_e4, None)

    def _trim(self, bid_e4: int, ask_e4: int, stamp_ms: int) -> None:
        """Drops what is better than the touch the venue itself stated."""
        bids, asks = self.crowd
        for price_e4 in [p for p in bids if p > bid_e4]:
            self._write(0, price_e4, 0, stamp_ms)
        for price_e4 in [p for p in asks if p < ask_e4]:
            self._write(1, price_e4, 0, stamp_ms)


def _price(text: str, outcome: int) -> int:
    """Returns a price in UP coordinates."""
    price_e4 = parse_scaled("price", text, 4)
    if not 0 <= price_e4 <= PRICE_ONE_E4:
        raise UnitError("price", text, 0, PRICE_ONE_E4)
    return price_e4 if outcome == 0 else PRICE_ONE_E4 - price_e4

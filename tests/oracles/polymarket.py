"""Pure-Python twin of the market-channel decoder, on the stdlib json."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tests.oracles.json_frames import (
    STAMP_MOST_MS,
    OracleFault,
    Pairs,
    fixed,
    hash_text,
    load,
    text,
)

LEVEL, BEGIN, BOOK, END, TRADE, TICK, TOP, RESOLVED, NEW = range(1, 10)
PRICE_MOST, SIZE_MOST, FEE_MOST = 10_000, 10**15, 100_000
CONTROL = (b"PONG", b"PING", b"INVALID OPERATION")
Tokens = dict[str, tuple[int, int, int]]  # text to slot, market, outcome


@dataclass(frozen=True)
class Row:
    """Is one row, in the order of `Rows.to_list`."""

    kind: int
    slot: int = -1
    market: int = -1
    outcome: int = -1
    side: int = -1
    price_e4: int = -1
    size_e6: int = 0
    stamp_ms: int = 0
    best_bid_e4: int = -1
    best_ask_e4: int = -1
    hash64: int = 0
    fee_rate_bps: int = -1
    group: int = 0

    def as_tuple(self) -> tuple[int, ...]:
        """Returns the fields as the kernel gives them."""
        return tuple(self.__dict__.values())


def side_of(value: object) -> int:
    """Returns 0 for BUY, 1 for SELL."""
    word = text(value)
    if word not in ("BUY", "SELL"):
        raise OracleFault("type")
    return 0 if word == "BUY" else 1


def price(value: object) -> int:
    """Returns a price on the 1e-4 scale."""
    return fixed(value, 4, PRICE_MOST)


def optional_price(value: object) -> int:
    """Returns a price, or -1 where there is none."""
    return -1 if value is None else price(value)


def optional_hash(value: object) -> int:
    """Returns the identity of a text, or 0 where there is none."""
    return 0 if value is None else hash_text(text(value))


class Oracle:
    """Decodes frames with the stdlib; knows the same tokens as the kernel."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens

    def decode(self, frame: bytes) -> list[tuple[int, ...]]:
        """Returns the rows of a frame.

        Raises:
            OracleFault: JSON, but no rows may come of it.
            Unreadable: not JSON.
        """
        if frame.rstrip(b" \n\r\t") in CONTROL:
            return []
        tree = load(frame)
        objects = [tree] if isinstance(tree, Pairs) else tree
        if not isinstance(objects, list):
            raise OracleFault("type")
        rows: list[Row] = []
        for group, item in enumerate(objects):
            if not isinstance(item, Pairs):
                raise OracleFault("type")
            rows += [replace(row, group=group) for row in self._event(item)]
        return [row.as_tuple() for row in rows]

    def _event(self, item: Pairs) -> list[Row]:
        readers = {
            "price_change": self._changes,
            "book": self._book,
            "last_trade_price": self._trade,
            "tick_size_change": self._tick,
            "best_bid_ask": self._top,
            "market_resolved": self._resolved,
        }
        kind = text(item.only("event_type"))
        if kind == "new_market":
            return [Row(NEW)]
        return readers[kind](item) if kind in readers else []

    def _place(self, value: object, row: Row) -> list[Row]:
        place = self.tokens.get(text(value))
        if place is None:
            return []
        return [replace(row, slot=place[0], market=place[1], outcome=place[2])]

    @staticmethod
    def _stamp(item: Pairs) -> int:
        return fixed(item.only("timestamp"), 0, STAMP_MOST_MS)

    def _changes(self, item: Pairs) -> list[Row]:
        stamp_ms = self._stamp(item)
        rows = []
        for entry in self._objects(item.only("price_changes")):
            row = Row(
                LEVEL,
                side=side_of(entry.only("side")),
                price_e4=price(entry.only("price")),
                size_e6=fixed(entry.only("size"), 6, SIZE_MOST),
                stamp_ms=stamp_ms,
                best_bid_e4=optional_price(entry.optional("best_bid")),
                best_ask_e4=optional_price(entry.optional("best_ask")),
                hash64=optional_hash(entry.optional("hash")),
            )
            rows += self._place(entry.only("asset_id"), row)
        return rows

    def _book(self, item: Pairs) -> list[Row]:
        head = Row(
            BEGIN,
            stamp_ms=self._stamp(item),
            price_e4=optional_price(item.optional("tick_size")),
            hash64=optional_hash(item.optional("hash")),
        )
        plain = replace(head, price_e4=-1, hash64=0)
        rows = [head]
        for side, key in enumerate(("bids", "asks")):
            for entry in self._objects(item.only(key)):
                size_e6 = fixed(entry.only("size"), 6, SIZE_MOST)
                price_e4 = price(entry.only("price"))
                level = replace(plain, kind=BOOK, side=side, price_e4=price_e4)
                rows.append(replace(level, size_e6=size_e6))
        rows.append(replace(plain, kind=END))
        return [placed for row in rows for placed in self._place(item.only("asset_id"), row)]

    def _trade(self, item: Pairs) -> list[Row]:
        fee = item.optional("fee_rate_bps")
        row = Row(
            TRADE,
            side=side_of(item.only("side")),
            price_e4=price(item.only("price")),
            size_e6=fixed(item.only("size"), 6, SIZE_MOST),
            stamp_ms=self._stamp(item),
            hash64=optional_hash(item.optional("transaction_hash")),
            fee_rate_bps=-1 if fee is None else fixed(fee, 0, FEE_MOST),
        )
        return self._place(item.only("asset_id"), row)

    def _tick(self, item: Pairs) -> list[Row]:
        row = Row(TICK, price_e4=price(item.only("new_tick_size")), stamp_ms=self._stamp(item))
        return self._place(item.only("asset_id"), row)

    def _top(self, item: Pairs) -> list[Row]:
        item.only("best_bid"), item.only("best_ask")
        row = Row(
            TOP,
            stamp_ms=self._stamp(item),
            best_bid_e4=optional_price(item.optional("best_bid")),
            best_ask_e4=optional_price(item.optional("best_ask")),
        )
        return self._place(item.only("asset_id"), row)

    def _resolved(self, item: Pairs) -> list[Row]:
        return self._place(item.only("winning_asset_id"), Row(RESOLVED, stamp_ms=self._stamp(item)))

    @staticmethod
    def _objects(value: object) -> list[Pairs]:
        if isinstance(value, Pairs) or not isinstance(value, list):
            raise OracleFault("type")
        for entry in value:
            if not isinstance(entry, Pairs):
                raise OracleFault("type")
        return list(value)

"""The market channel's frames, letter by letter (polymarket.md, section 3).

Prices, sizes and stamps are decimal strings; levels come worst first, best last, on both sides.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from dailyarb.sim.orderbook import ASK, BID, ONE_E4, OrderBook

UP = 0
DOWN = 1
SIDES = ("BUY", "SELL")
OUTCOMES = ("Up", "Down")


def _price(price_e4: int) -> str:
    text = f"{price_e4 / ONE_E4:.4f}".rstrip("0")
    return text + "0" if text.endswith("..") else text.rstrip(".")


PRICE: tuple[str, ...] = tuple(_price(price_e4) for price_e4 in range(ONE_E4 + 1))


def size_text(size_e6: int) -> str:
    """Returns shares as the venue prints them: no trailing zeros."""
    whole, part = divmod(size_e6, 1_000_000)
    if part == 0:
        return str(whole)
    return f"{whole}.{part:06d}".rstrip("0")


def compact(body: Any) -> bytes:
    """Returns compact JSON."""
    return json.dumps(body, separators=(",", ":")).encode()


def price_change(
    ids: tuple[str, str, str],
    level: tuple[int, int, int],
    hashes: tuple[str, str],
    touch: tuple[int, int],
    stamp_ms: int,
) -> bytes:
    """Returns one level's change as both tokens see it.

    Args:
        ids: condition id, Up token, Down token.
        level: side (BID or ASK of Up), price_e4 of Up, absolute size_e6 ("0" deletes).
        hashes: state hashes of Up and Down.
        touch: best bid and ask of Up after the change.
        stamp_ms: the venue's stamp.
    """
    side, price_e4, size_e6 = level
    bid_e4, ask_e4 = touch
    size = size_text(size_e6)
    return (
        f'{{"market":"{ids[0]}","price_changes":[{{"asset_id":"{ids[1]}",'
        f'"price":"{PRICE[price_e4]}","size":"{size}","side":"{SIDES[side]}","hash":"{hashes[0]}",'
        f'"best_bid":"{PRICE[bid_e4]}","best_ask":"{PRICE[ask_e4]}"}},'
        f'{{"asset_id":"{ids[2]}","price":"{PRICE[ONE_E4 - price_e4]}",'
        f'"size":"{size}","side":"{SIDES[1 - side]}","hash":"{hashes[1]}",'
        f'"best_bid":"{PRICE[ONE_E4 - ask_e4]}","best_ask":"{PRICE[ONE_E4 - bid_e4]}"}}],'
        f'"timestamp":"{stamp_ms}","event_type":"price_change"}}'
    ).encode()


def book_levels(book: OrderBook, outcome: int) -> tuple[str, str]:
    """Returns the JSON of a token's bids and asks, worst first."""
    bids = [(price, book.total_e6(BID, price)) for price in book.prices(BID)]
    asks = [(price, book.total_e6(ASK, price)) for price in reversed(book.prices(ASK))]
    if outcome == DOWN:
        bids, asks = (
            [(ONE_E4 - price, size) for price, size in asks],
            [(ONE_E4 - price, size) for price, size in bids],
        )
    return _levels(bids), _levels(asks)


def _levels(levels: list[tuple[int, int]]) -> str:
    rows = (f'{{"price":"{PRICE[p]}","size":"{size_text(s)}"}}' for p, s in levels)
    return "[" + ",".join(rows) + "]"


def book_frame(
    market: str, token: str, levels: tuple[str, str], stamp: tuple[int, str], tail: str = ""
) -> str:
    """Returns a book; `stamp` is (ms, hash), `tail` the extra fields of a snapshot."""
    return (
        f'{{"market":"{market}","asset_id":"{token}","timestamp":"{stamp[0]}",'
        f'"hash":"{stamp[1]}","bids":{levels[0]},"asks":{levels[1]},{tail}"event_type":"book"}}'
    )


def snapshot_tail(tick_e4: int, last_trade: str) -> str:
    """Returns the fields that come with subscription snapshots and REST books only."""
    return (
        f'"min_order_size":"5","tick_size":"{PRICE[tick_e4]}","neg_risk":false,'
        f'"last_trade_price":"{last_trade}",'
    )


def last_trade(
    market: str, token: str, trade: tuple[int, int, int], stamp_ms: int, transaction: str
) -> bytes:
    """Returns a trade; `trade` is the taker's side, price_e4, size_e6 in that token's terms."""
    side, price_e4, size_e6 = trade
    return (
        f'{{"market":"{market}","asset_id":"{token}","price":"{PRICE[price_e4]}",'
        f'"size":"{size_text(size_e6)}","fee_rate_bps":"1000","side":"{SIDES[side]}",'
        f'"timestamp":"{stamp_ms}","event_type":"last_trade_price",'
        f'"transaction_hash":"{transaction}"}}'
    ).encode()


def best_bid_ask(market: str, token: str, touch: tuple[int, int], stamp_ms: int) -> bytes:
    """Returns the touch of one token; an empty side reads 0 or 1."""
    bid_e4, ask_e4 = touch
    return (
        f'{{"market":"{market}","asset_id":"{token}","best_bid":"{PRICE[bid_e4]}",'
        f'"best_ask":"{PRICE[ask_e4]}","spread":"{PRICE[ask_e4 - bid_e4]}",'
        f'"timestamp":"{stamp_ms}","event_type":"best_bid_ask"}}'
    ).encode()


def tick_size_change(market: str, token: str, ticks: tuple[int, int], stamp_ms: int) -> bytes:
    """Returns the change of a token's tick, old and new in 1e-4."""
    return (
        f'{{"market":"{market}","asset_id":"{token}","old_tick_size":"{PRICE[ticks[0]]}",'
        f'"new_tick_size":"{PRICE[ticks[1]]}","timestamp":"{stamp_ms}",'
        f'"event_type":"tick_size_change"}}'
    ).encode()


def cursor(offset: int) -> str:
    """Returns the page cursor of an offset."""
    return base64.b64encode(str(offset).encode()).decode()


def read_cursor(text: str) -> int | None:
    """Returns the offset of a page cursor; None when it is none, past any row at the end mark."""
    try:
        value = int(base64.b64decode(text, validate=True))
    except ValueError:
        return None
    return value if value >= 0 else 1 << 30 if value == -1 else None

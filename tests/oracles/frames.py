"""Frames made to the documented shapes, compact as the venue writes them; numbers are our own."""

from __future__ import annotations

import json
from typing import Any

UP = "45936375922793925919605092352922707796689801895417366600539442410775071099958"
DOWN = "86520121088881862182423437128238697252500151785248183602134095101149900014256"
OTHER = "13917627517502768201235213826866970628416806758650647861097354638225151676696"
MARKET = "0x125149c5918fc5f8c6d34682f700a898a1a19ea4f4e2ae68ff4c5794ba657074"
TOKENS = {UP: (0, 3, 0), DOWN: (1, 3, 1)}
STAMP = 1776808414710


def pack(event: object) -> bytes:
    """Returns an event as a compact frame."""
    return json.dumps(event, separators=(",", ":")).encode()


def decimal(number: int, scale: int) -> str:
    """Returns a scaled integer as the venue writes it."""
    whole, part = divmod(number, 10**scale)
    digits = str(part).rjust(scale, "0").rstrip("0")
    return f"{whole}.{digits}" if digits else str(whole)


def entry(
    token: str, side: str, price_e4: int, size_e6: int, top: tuple[int, int] | None, hash_: str = ""
) -> dict[str, Any]:
    """Returns one entry of a price_change; `top` is the token's best bid and ask."""
    made: dict[str, Any] = {
        "asset_id": token,
        "price": decimal(price_e4, 4),
        "size": decimal(size_e6, 6),
        "side": side,
        "hash": hash_,
    }
    if top is not None:
        made["best_bid"], made["best_ask"] = decimal(top[0], 4), decimal(top[1], 4)
    return made


def price_change(
    side: str,
    price_e4: int,
    size_e6: int,
    top: tuple[int, int] | None = None,
    stamp: int = STAMP,
    hash_: str = "",
) -> dict[str, Any]:
    """Returns a change of the UP book with its mirror, as one event."""
    mirror = None if top is None else (10_000 - top[1], 10_000 - top[0])
    other = "SELL" if side == "BUY" else "BUY"
    return {
        "market": MARKET,
        "price_changes": [
            entry(UP, side, price_e4, size_e6, top, hash_ and "a" + hash_),
            entry(DOWN, other, 10_000 - price_e4, size_e6, mirror, hash_ and "b" + hash_),
        ],
        "timestamp": str(stamp),
        "event_type": "price_change",
    }


def book(
    bids: dict[int, int],
    asks: dict[int, int],
    token: str = UP,
    stamp: int = STAMP,
    hash_: str = "",
    **extra: Any,
) -> dict[str, Any]:
    """Returns a book event; levels are price_e4 to size_e6, worst first as the venue has them."""
    return {
        "market": MARKET,
        "asset_id": token,
        "timestamp": str(stamp),
        "hash": hash_,
        "bids": [{"price": decimal(p, 4), "size": decimal(s, 6)} for p, s in sorted(bids.items())],
        "asks": [
            {"price": decimal(p, 4), "size": decimal(s, 6)}
            for p, s in sorted(asks.items(), reverse=True)
        ],
        "event_type": "book",
        **extra,
    }


def trade(
    price_e4: int, size_e6: int, side: str = "BUY", token: str = UP, **extra: Any
) -> dict[str, Any]:
    """Returns a last_trade_price event."""
    return {
        "market": MARKET,
        "asset_id": token,
        "price": decimal(price_e4, 4),
        "size": decimal(size_e6, 6),
        "fee_rate_bps": "1000",
        "side": side,
        "timestamp": str(STAMP),
        "event_type": "last_trade_price",
        "transaction_hash": "0xabc",
        **extra,
    }


def tick_change(new: str, token: str = UP, stamp: int = STAMP) -> dict[str, Any]:
    """Returns a tick_size_change event."""
    return {
        "event_type": "tick_size_change",
        "market": MARKET,
        "asset_id": token,
        "old_tick_size": "0.01",
        "new_tick_size": new,
        "timestamp": str(stamp),
    }


def best(bid: str, ask: str, token: str = UP) -> dict[str, Any]:
    """Returns a best_bid_ask event."""
    return {
        "market": MARKET,
        "asset_id": token,
        "best_bid": bid,
        "best_ask": ask,
        "spread": "0.01",
        "timestamp": str(STAMP),
        "event_type": "best_bid_ask",
    }


def resolved(winner: str = UP) -> dict[str, Any]:
    """Returns a market_resolved event."""
    return {
        "event_type": "market_resolved",
        "id": "1031769",
        "market": MARKET,
        "assets_ids": [UP, DOWN],
        "winning_asset_id": winner,
        "winning_outcome": "Up",
        "timestamp": str(STAMP),
        "tags": ["crypto", "5m"],
    }


def new_market() -> dict[str, Any]:
    """Returns a new_market event with the nested fields of the real one."""
    return {
        "event_type": "new_market",
        "id": "2105950",
        "question": 'Up or Down \u2013 a question with "quotes"',
        "market": MARKET,
        "slug": "bnb-updown-15m-1777471200",
        "assets_ids": [OTHER],
        "outcomes": ["Up", "Down"],
        "active": False,
        "fee_schedule": {"exponent": "1", "rate": "0.072", "taker_only": True},
        "event_message": {"id": "1", "tags": [{"a": [1, 2.5e3, None]}]},
        "timestamp": str(STAMP),
    }


def every_event() -> list[bytes]:
    """Returns one frame of each type, and an array of several."""
    events = [
        price_change("BUY", 8600, 362_170_000, (8600, 8700), hash_="7f"),
        book({100: 12_902_690_000, 8600: 5}, {8700: 10**6, 9900: 7}, hash_="x", tick_size="0.01"),
        trade(8700, 13_793_100),
        tick_change("0.001"),
        best("0.86", "0.87"),
        resolved(),
        new_market(),
        {"event_type": "surprise", "bids": 3, "timestamp": None},
    ]
    return [pack(event) for event in events] + [pack(events), pack(events[:2])]

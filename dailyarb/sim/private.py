"""What an account is told: the user channel's events and the private REST records.

Source: polymarket.md, section 4, and the stored user-channel frames.
"""

from __future__ import annotations

from typing import Any

from dailyarb.sim import wire
from dailyarb.sim.accounts import Account
from dailyarb.sim.orders import SimOrder
from dailyarb.sim.trades import CROWD_ADDRESS, Part, Trade
from dailyarb.sim.types import NS_PER_MS, NS_PER_S


def order_event(order: SimOrder, kind: str, now_ns: int) -> dict[str, Any]:
    """Returns an order event: PLACEMENT, UPDATE or CANCELLATION."""
    return {
        **order_record(order),
        "event_type": "order",
        "type": kind,
        "created_at": str(order.created_ns // NS_PER_S),
        "timestamp": str(now_ns // NS_PER_MS),
        "order_owner": order.account.api_key,
    }


def cancel_event(order: SimOrder, status: str, now_ns: int) -> dict[str, Any]:
    """Returns the event of an order that ended without being filled whole."""
    return {**order_event(order, "CANCELLATION", now_ns), "status": status}


def order_record(order: SimOrder) -> dict[str, Any]:
    """Returns an order as /data/orders prints it."""
    return {
        "id": order.order_id,
        "status": order.status,
        "owner": order.account.api_key,
        "maker_address": order.posted.order.maker,
        "market": order.market.identity.market,
        "asset_id": order.token,
        "side": wire.SIDES[order.side],
        "original_size": wire.size_text(order.size_e6),
        "size_matched": wire.size_text(order.matched_e6),
        "price": wire.PRICE[order.price_e4],
        "outcome": wire.OUTCOMES[order.outcome],
        "expiration": str(order.expiration_s),
        "order_type": order.tif,
        "associate_trades": list(order.trades) or None,
        "created_at": order.created_ns // NS_PER_S,
    }


def trade_event(trade: Trade, account: Account, now_ns: int) -> dict[str, Any]:
    """Returns a trade event as one key sees it; the top level speaks for the taker."""
    return {
        **trade_record(trade, account),
        "event_type": "trade",
        "type": "TRADE",
        "timestamp": str(now_ns // NS_PER_MS),
        "trade_owner": account.api_key,
    }


def trade_record(trade: Trade, account: Account) -> dict[str, Any]:
    """Returns a trade as /data/trades prints it."""
    taking = trade.taker is not None and trade.taker.account is account
    maker_address = CROWD_ADDRESS
    if trade.taker is not None:
        maker_address = trade.taker.posted.order.maker
    return {
        "id": trade.trade_id,
        "taker_order_id": trade.taker_id,
        "market": trade.market.identity.market,
        "asset_id": trade.market.identity.tokens[trade.outcome],
        "side": wire.SIDES[trade.way],
        "size": wire.size_text(trade.size_e6),
        "fee_rate_bps": "0",
        "price": wire.PRICE[trade.price_e4],
        "status": trade.status,
        "match_time": str(trade.matched_ns // NS_PER_S),
        "last_update": str(trade.updated_ns // NS_PER_S),
        "outcome": wire.OUTCOMES[trade.outcome],
        "bucket_index": 0,
        "owner": trade.taker_owner,
        "maker_address": maker_address,
        "transaction_hash": trade.transaction,
        "maker_orders": [_maker(trade, part) for part in trade.parts],
        "trader_side": "TAKER" if taking else "MAKER",
    }


def _maker(trade: Trade, part: Part) -> dict[str, Any]:
    address = part.maker.posted.order.maker if part.maker else CROWD_ADDRESS
    return {
        "order_id": part.order_id,
        "owner": part.owner,
        "maker_address": address,
        "matched_amount": wire.size_text(part.size_e6),
        "price": wire.PRICE[part.price_e4],
        "fee_rate_bps": "0",
        "asset_id": trade.market.identity.tokens[part.outcome],
        "outcome": wire.OUTCOMES[part.outcome],
        "side": wire.SIDES[part.side],
    }

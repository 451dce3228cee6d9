"""What an alert is about: the tags that routes choose by, read off the alert's key.

A key is `noun.detail...`; the same key is the same trouble and is told once. Tags are few, so that
they can stand in settings and metrics.
"""

from __future__ import annotations

from enum import Enum

WATCHDOG = "watchdog"  # shown among the channels; it takes no alerts


class AlertTag(Enum):
    """Is one subject that a route may ask for."""

    MONEY = "money"  # profit and loss, balances, payouts, fees
    ORDERS = "orders"  # orders, fills, pairs whose state is not as it should be
    BREAKERS = "breakers"  # a breaker tripped, was reset, or is near its limit
    FEEDS = "feeds"  # market data and its connections
    VENUE = "venue"  # the order venue: its mode, our credentials, its dead-man switch
    LATENCY = "latency"  # slowness, of the venue or our own
    DISK = "disk"  # space, journal
    ENGINE = "engine"  # life and death of the process, its tasks, its rung
    ALERTS = "alerts"  # the channels themselves


_T = AlertTag
# First words of a key to tags; the longest that fits counts.
KEY_TAGS: dict[str, tuple[AlertTag, ...]] = {
    "alert": (_T.ALERTS,),
    "books": (_T.MONEY,),
    "breaker": (_T.BREAKERS,),
    "breaker.alerts": (_T.BREAKERS, _T.ALERTS),
    "breaker.auth": (_T.BREAKERS, _T.VENUE),
    "breaker.clock": (_T.BREAKERS, _T.LATENCY),
    "breaker.fee": (_T.BREAKERS, _T.MONEY),
    "breaker.feed": (_T.BREAKERS, _T.FEEDS),
    "breaker.journal": (_T.BREAKERS, _T.DISK),
    "breaker.loop": (_T.BREAKERS, _T.LATENCY),
    "breaker.loss": (_T.BREAKERS, _T.MONEY),
    "breaker.naked": (_T.BREAKERS, _T.ORDERS),
    "breaker.order": (_T.BREAKERS, _T.ORDERS),
    "breaker.order.latency": (_T.BREAKERS, _T.LATENCY),
    "breaker.slippage": (_T.BREAKERS, _T.MONEY),
    "breaker.task": (_T.BREAKERS, _T.ENGINE),
    "breaker.venue": (_T.BREAKERS, _T.VENUE),
    "cash": (_T.MONEY,),
    "channel": (_T.ALERTS,),
    "circuit": (_T.BREAKERS,),
    "claim": (_T.MONEY,),
    "disk": (_T.DISK,),
    "engine": (_T.ENGINE,),
    "feed": (_T.FEEDS,),
    "fill": (_T.ORDERS, _T.MONEY),
    "heartbeat": (_T.VENUE,),
    "journal": (_T.DISK,),
    "latency": (_T.LATENCY,),
    "markets": (_T.FEEDS,),
    "order": (_T.ORDERS,),
    "orders": (_T.ORDERS,),
    "pair": (_T.ORDERS,),
    "pnl": (_T.MONEY,),
    "positions": (_T.MONEY,),
    "resolved": (_T.MONEY,),
    "rung": (_T.ENGINE,),
    "stop": (_T.ENGINE, _T.ORDERS),
    "task": (_T.ENGINE,),
    "venue": (_T.VENUE,),
}


def tags_of(key: str) -> tuple[AlertTag, ...]:
    """Returns what an alert is about; one whose key nobody listed is the engine's."""
    parts = key.split(".")
    for size in range(len(parts), 0, -1):
        found = KEY_TAGS.get(".".join(parts[:size]))
        if found is not None:
            return found
    return (AlertTag.ENGINE,)

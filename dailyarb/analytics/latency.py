"""How long orders took to the venue, by a journal's own clock."""

from __future__ import annotations

import statistics
from collections.abc import Iterable

from dailyarb.core.domain.orders import OrderState
from dailyarb.core.domain.records import OrderMoved, OrderSigned, Record

ORDERS_MIN = 20
QUANTILES = 21
_MS = 1_000_000


def one_way_ms(rows: Iterable[tuple[int, Record]]) -> tuple[float, ...]:
    """Returns evenly spaced quantiles of the one-way latency, least first; () where too few.

    Half of the time from signing to the word that an order rests: a resting order is not held, so
    nothing but the way is in it, both ways taken as equal.

    Args:
        rows: (wall_ns, record), oldest first.
    """
    signed: dict[str, int] = {}
    found: list[float] = []
    for wall_ns, record in rows:
        if isinstance(record, OrderSigned):
            signed[record.order_id] = wall_ns
        elif isinstance(record, OrderMoved) and record.state is not OrderState.SENT:
            began = signed.pop(record.order_id, None)
            if began is not None and record.state is OrderState.OPEN:
                found.append((wall_ns - began) / 2 / _MS)
    if len(found) < ORDERS_MIN:
        return ()
    inner = statistics.quantiles(found, n=QUANTILES - 1, method="inclusive")
    return (min(found), *inner, max(found))

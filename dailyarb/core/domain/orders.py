"""Order, fill and book machines as literal tables.

An order is signed once; its id is the venue's hash of what was signed, known before it is sent.
It is journalled before the wire. A submit without a proven answer is UNKNOWN: it keeps its
exposure until a venue report, a fill, or an absence asked later than `late_arrival_ms` after it
was sent. A terminal order stays fillable: a late fill is a normal fill (nautilus_trader#3797).

A fill is PROVISIONAL when matched, CONFIRMED or VOIDED when the chain has spoken. Risk counts
provisional fills both ways; P&L counts confirmed ones.

A transition that is not in the table is our bug: InvariantBroken.
"""

from __future__ import annotations

from enum import Enum

from dailyarb.core.domain.errors import InvariantBroken


class TIF(Enum):
    """Is how long an order lives."""

    # Members are few and unique: by identity a look-up costs no Python call.
    __hash__ = object.__hash__

    GTC = "GTC"
    GTD = "GTD"
    FOK = "FOK"
    FAK = "FAK"


class OrderState(Enum):
    """Is where an order stands; the words on screen are in `ORDER_WORDS`."""

    # Members are few and unique: by identity a look-up costs no Python call.
    __hash__ = object.__hash__

    DRAFT = "DRAFT"
    SIGNED = "SIGNED"
    JOURNALLED = "JOURNALLED"
    SENT = "SENT"
    OPEN = "OPEN"
    DELAYED = "DELAYED"
    UNKNOWN = "UNKNOWN"
    REFUSED = "REFUSED"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    QUARANTINED = "QUARANTINED"


_S = OrderState
TERMINAL = frozenset({_S.REFUSED, _S.FILLED, _S.CANCELLED, _S.EXPIRED})
LIVE = frozenset({_S.JOURNALLED, _S.SENT, _S.OPEN, _S.DELAYED, _S.UNKNOWN, _S.QUARANTINED})

_ANSWERED = frozenset(
    {_S.OPEN, _S.DELAYED, _S.UNKNOWN, _S.REFUSED, _S.FILLED, _S.CANCELLED, _S.EXPIRED}
)
ORDER_MOVES: dict[OrderState, frozenset[OrderState]] = {
    _S.DRAFT: frozenset({_S.SIGNED, _S.CANCELLED}),
    _S.SIGNED: frozenset({_S.JOURNALLED, _S.CANCELLED}),
    _S.JOURNALLED: frozenset({_S.SENT, _S.UNKNOWN, _S.CANCELLED}),
    _S.SENT: _ANSWERED,
    _S.DELAYED: frozenset({_S.OPEN, _S.UNKNOWN, _S.REFUSED, _S.FILLED, _S.CANCELLED, _S.EXPIRED}),
    _S.OPEN: frozenset({_S.UNKNOWN, _S.FILLED, _S.CANCELLED, _S.EXPIRED}),
    _S.UNKNOWN: frozenset(
        {_S.OPEN, _S.DELAYED, _S.REFUSED, _S.FILLED, _S.CANCELLED, _S.EXPIRED, _S.QUARANTINED}
    ),
    _S.QUARANTINED: frozenset({_S.OPEN, _S.REFUSED, _S.FILLED, _S.CANCELLED, _S.EXPIRED}),
    # A terminal order stays fillable, so only FILLED may follow.
    _S.CANCELLED: frozenset({_S.FILLED}),
    _S.EXPIRED: frozenset({_S.FILLED}),
    _S.REFUSED: frozenset({_S.FILLED}),
    _S.FILLED: frozenset(),
}


def move(order_id: str, old: OrderState, new: OrderState) -> OrderState:
    """Returns `new`; raises InvariantBroken when the table has no such step."""
    if new not in ORDER_MOVES[old]:
        raise InvariantBroken(f"order {order_id}: {old.value} -> {new.value} is not in the table")
    return new


class FillState(Enum):
    """Is how far a fill is proven."""

    # Members are few and unique: by identity a look-up costs no Python call.
    __hash__ = object.__hash__

    PROVISIONAL = "PROVISIONAL"
    CONFIRMED = "CONFIRMED"
    VOIDED = "VOIDED"


FILL_MOVES: dict[FillState, frozenset[FillState]] = {
    FillState.PROVISIONAL: frozenset({FillState.CONFIRMED, FillState.VOIDED}),
    FillState.CONFIRMED: frozenset(),
    FillState.VOIDED: frozenset(),
}


class BookState(Enum):
    """Is whether a book may be believed."""

    # Members are few and unique: by identity a look-up costs no Python call.
    __hash__ = object.__hash__

    EMPTY = "EMPTY"
    SYNCED = "SYNCED"
    STALE = "STALE"
    DESYNCED = "DESYNCED"


BOOK_MOVES: dict[BookState, frozenset[BookState]] = {
    BookState.EMPTY: frozenset({BookState.SYNCED, BookState.DESYNCED}),
    BookState.SYNCED: frozenset({BookState.STALE, BookState.DESYNCED, BookState.EMPTY}),
    BookState.STALE: frozenset({BookState.SYNCED, BookState.DESYNCED, BookState.EMPTY}),
    BookState.DESYNCED: frozenset({BookState.SYNCED, BookState.EMPTY}),
}

# The words of the console beside the engine's own.
BOOK_WORDS: dict[BookState, str] = {
    BookState.EMPTY: "RESYNC",
    BookState.SYNCED: "FRESH",
    BookState.STALE: "STALE",
    BookState.DESYNCED: "GAP",
}
ORDER_WORDS: dict[OrderState, str] = {
    _S.DRAFT: "NEW",
    _S.SIGNED: "NEW",
    _S.JOURNALLED: "NEW",
    _S.SENT: "SENT",
    _S.OPEN: "RESTING",
    _S.DELAYED: "DELAYED",
    _S.UNKNOWN: "UNKNOWN!",
    _S.QUARANTINED: "UNKNOWN!",
    _S.REFUSED: "REJECTED",
    _S.FILLED: "FILLED",
    _S.CANCELLED: "CANCELLED",
    _S.EXPIRED: "KILLED",
}

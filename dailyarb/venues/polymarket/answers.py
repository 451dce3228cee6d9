"""What an answer of the order venue proves. Sans-IO.

The rule: an order is REFUSED only when the venue said so in words we can read, and the words
belong to that order by its id. Whatever is left is UNKNOWN: asked about, never sent anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from dailyarb.core.domain.errors import FrameFault
from dailyarb.core.domain.events import (
    CancelResult,
    LegOutcome,
    LegResult,
    OpenOrder,
    VenueMode,
    VenueModeKind,
)
from dailyarb.core.domain.market import Outcome
from dailyarb.core.domain.orders import TIF
from dailyarb.core.domain.units import PRICE_ONE_E4
from dailyarb.venues.exact import Num, Wire, load, scaled, shape
from dailyarb.venues.polymarket.codec import WireOrder, WireTrade, price_e4, role, side, size_e6

CURSOR_START = "MA=="
CURSOR_END = "LTE="
REASON_MAX = 200
THROTTLED = "THROTTLED"
CLOSED_ONLY_S = 600.0  # a region or an account seldom changes; then a buy may try again


class WireAnswer(Wire, frozen=True, gc=False):
    """Is the answer to one order."""

    orderID: str | None = None  # noqa: N815 - the venue's spelling
    success: bool | None = None
    status: str | None = None
    errorMsg: str | None = None  # noqa: N815
    error: str | None = None


class WireCancelled(Wire, frozen=True, gc=False):
    """Is the answer to a cancel."""

    canceled: list[str] | None = None
    not_canceled: dict[str, str] | None = None


class WireBeat(Wire, frozen=True, gc=False):
    """Is the answer to a heartbeat, accepted or not."""

    heartbeat_id: str = ""


class WireLevel(Wire, frozen=True, gc=False):
    """Is one level of a book."""

    price: Num
    size: Num


class WireBook(Wire, frozen=True, gc=False):
    """Is a book of one token."""

    asset_id: str
    bids: list[WireLevel] | None = None
    asks: list[WireLevel] | None = None


class WireBalance(Wire, frozen=True, gc=False):
    """Is a balance in units of 1e-6."""

    balance: Num


class WirePage(Wire, frozen=True, gc=False):
    """Is one page of a list."""

    data: list[Any]
    next_cursor: str | None = None


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """Is what one answer proves: about each order, and about the venue's mode."""

    legs: tuple[LegResult, ...]
    mode: VenueMode | None = None
    restricted: str = ""


# Words of the venue, lower case; each list is tried in order.
_KILLED = (
    "fok orders are fully filled or killed",
    "no orders found to match with fak",
    "couldn't be fully filled",
)
_DUPLICATE = ("duplicate", "already exists")
_CLOSED_ONLY = ("closed only", "closed-only", "close only", "close-only")
_AUTH = (
    "invalid order version",
    "order_version_mismatch",
    "maker address not allowed",
    "order signer address has to be",
    "invalid api key",
    "unauthorized",
)


_NO_BALANCE = "not enough balance"
_NEGATIVE = (LegOutcome.KILLED, LegOutcome.REFUSED, LegOutcome.UNKNOWN)


def _reason(text: str) -> str:
    return " ".join(text.split())[:REASON_MAX]


def _refusal(order_id: str, text: str) -> LegResult:
    """Returns what a refusal in words proves about one order."""
    low = text.lower()
    if any(word in low for word in _KILLED):
        return LegResult(order_id, LegOutcome.KILLED, _reason(text))
    if any(word in low for word in _DUPLICATE):
        # A duplicate refusal is evidence that an earlier copy of these bytes arrived.
        return LegResult(order_id, LegOutcome.UNKNOWN, _reason(text))
    no_balance = _NO_BALANCE in low
    return LegResult(order_id, LegOutcome.REFUSED, _reason(text), no_balance=no_balance)


def _accepted(order_id: str, answer: WireAnswer, tif: TIF) -> LegResult:
    """Returns what an answer that carries our order id proves."""
    text = answer.errorMsg or answer.error or ""
    if text and not answer.status:
        return _refusal(order_id, text)
    if answer.success is False:
        return _refusal(order_id, text or answer.status or "refused without a reason")
    word = (answer.status or "").lower()
    if word == "matched":
        return LegResult(order_id, LegOutcome.MATCHED)
    if word == "delayed":
        return LegResult(order_id, LegOutcome.DELAYED)
    if word in ("live", "unmatched"):
        # An order that must not rest and is said to rest is decided later, by report or trade.
        rests = tif in (TIF.GTC, TIF.GTD)
        return LegResult(order_id, LegOutcome.RESTING if rests else LegOutcome.DELAYED)
    return LegResult(order_id, LegOutcome.UNKNOWN, _reason(f"status {word!r} {text}"))


def _doubted(leg: LegResult, status: int) -> LegResult:
    return LegResult(leg.order_id, LegOutcome.UNKNOWN, f"{leg.outcome.value} under HTTP {status}")


def _unknown(orders: Mapping[str, TIF], reason: str) -> tuple[LegResult, ...]:
    return tuple(LegResult(order_id, LegOutcome.UNKNOWN, _reason(reason)) for order_id in orders)


def _refused(orders: Mapping[str, TIF], reason: str) -> tuple[LegResult, ...]:
    return tuple(_refusal(order_id, reason) for order_id in orders)


def retry_after_s(headers: Mapping[str, str], found: Any = None) -> float:
    """Returns how long the venue asks to wait, by header or body; 0 when it does not say."""
    text = headers.get("retry-after", "")
    if not text and isinstance(found, dict):
        text = str(found.get("retry_after_seconds", ""))
    try:
        return min(3600.0, max(0.0, float(text)))
    except ValueError:
        return 0.0


def _try_load(body: bytes) -> Any:
    try:
        return load(body) if body else None
    except FrameFault:
        return None


def _words(found: Any) -> str:
    if isinstance(found, dict):
        for key in ("error", "errorMsg", "error_msg", "message"):
            if isinstance(found.get(key), str) and found[key]:
                return str(found[key])
    return ""


def venue_mode(status: int, headers: Mapping[str, str], body: bytes) -> VenueMode | None:
    """Returns the venue mode a status and body prove; None where they prove none."""
    found = _try_load(body)
    words = _words(found)
    low = words.lower()
    wait = retry_after_s(headers, found)
    detail = _reason(words)
    if status == 425:
        return VenueMode(VenueModeKind.RESTARTING, wait, detail)
    if status == 503 and "post-only" in low:
        return VenueMode(VenueModeKind.POST_ONLY, wait, detail)
    if status == 503 and "cancel-only" in low:
        return VenueMode(VenueModeKind.CANCEL_ONLY, wait, detail)
    if status == 401 or (400 <= status < 500 and any(word in low for word in _AUTH)):
        return VenueMode(VenueModeKind.AUTH_FAILED, wait, detail)
    if 400 <= status < 500 and any(word in low for word in _CLOSED_ONLY):
        return VenueMode(VenueModeKind.CLOSED_ONLY, wait or CLOSED_ONLY_S, detail)
    if status == 403:
        return VenueMode(VenueModeKind.BLOCKED, wait, detail or "block page")
    return None


def judge_submit(
    status: int, headers: Mapping[str, str], body: bytes, orders: Mapping[str, TIF]
) -> Verdict:
    """Returns what the answer to a submit proves about each order of it.

    Args:
        status: HTTP status.
        headers: answer headers, names in lower case.
        body: answer body.
        orders: TIF by order id, in the order sent.
    """
    mode = venue_mode(status, headers, body)
    if mode is not None:
        reason = mode.detail or mode.kind.value
        return Verdict(_refused(orders, reason), mode, mode.kind.value)
    found = _try_load(body)
    if status == 429:
        wait = retry_after_s(headers, found)
        return Verdict(_refused(orders, f"throttled, retry after {wait:g} s"), None, THROTTLED)
    if status == 408 or status >= 500 or not 200 <= status < 500:
        return Verdict(_unknown(orders, f"HTTP {status} {_words(found)}"))
    if found is None:
        return Verdict(_unknown(orders, f"HTTP {status}, unreadable body of {len(body)} bytes"))
    rows = found if isinstance(found, list) else [found]
    try:
        answers = [shape(row, WireAnswer, len(body)) for row in rows]
    except FrameFault as fault:
        return Verdict(_unknown(orders, f"HTTP {status}, {fault}"))
    if status >= 300 and not isinstance(found, list) and not answers[0].orderID:
        words = _words(found)
        legs = _refused(orders, words) if words else _unknown(orders, f"HTTP {status}, no reason")
        return Verdict(legs)
    legs = _match(answers, orders)
    if status >= 300:
        # An acceptance under a refusing status contradicts itself and proves nothing.
        legs = tuple(leg if leg.outcome in _NEGATIVE else _doubted(leg, status) for leg in legs)
    return Verdict(legs)


def _match(answers: Sequence[WireAnswer], orders: Mapping[str, TIF]) -> tuple[LegResult, ...]:
    """Returns the answers matched to orders by order id, never by position.

    Entries without an id refuse the orders no id speaks for, but only when each of these has one
    such entry and every one of them names a reason.
    """
    named = {answer.orderID.lower(): answer for answer in answers if answer.orderID}
    nameless = [answer for answer in answers if not answer.orderID]
    left = [order_id for order_id in orders if order_id.lower() not in named]
    reasons = [answer.errorMsg or answer.error or "" for answer in nameless]
    proven = len(left) == len(nameless) and all(reasons)
    shared = " | ".join(dict.fromkeys(reasons))
    mixed = [_refusal("", reason).outcome for reason in reasons]
    results: list[LegResult] = []
    for order_id, tif in orders.items():
        answer = named.get(order_id.lower())
        if answer is not None:
            results.append(_accepted(order_id, answer, tif))
        elif not proven or LegOutcome.UNKNOWN in mixed:
            reason = shared or "the answer does not name this order"
            results.append(LegResult(order_id, LegOutcome.UNKNOWN, _reason(reason)))
        else:
            killed = all(outcome is LegOutcome.KILLED for outcome in mixed)
            outcome = LegOutcome.KILLED if killed else LegOutcome.REFUSED
            short = _NO_BALANCE in shared.lower()
            results.append(LegResult(order_id, outcome, _reason(shared), no_balance=short))
    return tuple(results)


def judge_cancel(status: int, body: bytes, asked_ns: int, all_orders: bool) -> CancelResult:
    """Returns what the answer to a cancel proves; anything unreadable proves nothing."""
    found = _try_load(body)
    if 200 <= status < 300 and isinstance(found, dict):
        try:
            frame = shape(found, WireCancelled, len(body))
        except FrameFault:
            frame = WireCancelled()
        if frame.canceled is not None or frame.not_canceled is not None:
            refused = tuple((k, _reason(v)) for k, v in (frame.not_canceled or {}).items())
            done = tuple(frame.canceled or ())
            return CancelResult(asked_ns, done, refused, True, all_orders)
    return CancelResult(asked_ns, (), (), False, all_orders)


def judge_heartbeat(status: int, body: bytes) -> tuple[bool, str | None]:
    """Returns whether the beat was accepted, and the id to send next (None: keep the last one)."""
    found = _try_load(body)
    if not isinstance(found, dict):
        return False, None
    try:
        beat = shape(found, WireBeat, len(body))
    except FrameFault:
        return False, None
    if 200 <= status < 300 and beat.heartbeat_id:
        return True, beat.heartbeat_id
    return False, beat.heartbeat_id or None


def page(body: bytes) -> tuple[list[Any], str]:
    """Returns the rows of one page and the next cursor; CURSOR_END when there is none.

    Raises:
        FrameFault: not a page. Zero rows of a damaged answer would look like "flat".
    """
    found = load(body)
    if isinstance(found, list):
        return found, CURSOR_END
    frame = shape(found, WirePage, len(body))
    return frame.data, frame.next_cursor or CURSOR_END


def open_order(row: Any, roles: Mapping[str, Outcome]) -> OpenOrder:
    """Returns one row of the open-order list.

    Raises:
        FrameFault: the row is damaged.
    """
    order = shape(row, WireOrder, 0)
    return OpenOrder(
        order_id=order.id,
        market_id=order.market,
        outcome=role(order.asset_id, order.outcome, roles),
        side=side(order.side),
        price_e4=price_e4(order.price),
        size_e6=size_e6(order.original_size),
        matched_e6=size_e6(order.size_matched),
    )


def one_order(body: bytes) -> WireOrder | None:
    """Returns the order of `/data/order/{id}`; None when the venue says it has none active.

    Raises:
        FrameFault: the answer is damaged.
    """
    found = load(body)
    if isinstance(found, dict) and isinstance(found.get("order"), dict):
        found = found["order"]
    if not found or (isinstance(found, dict) and "id" not in found and _words(found)):
        return None
    return shape(found, WireOrder, len(body))


def trade(row: Any) -> WireTrade:
    """Returns one row of the trade list; raises FrameFault when it is damaged."""
    return shape(row, WireTrade, 0)


def balance_e6(body: bytes) -> int:
    """Returns a balance in micro-units; raises FrameFault when the answer is damaged."""
    return scaled(shape(load(body), WireBalance, len(body)).balance, 0, 10**18, len(body))


def top_of_book(body: bytes) -> tuple[int, int]:
    """Returns (bid_e4, ask_e4) of a REST book, 0 and 10,000 where a side is empty.

    Levels are sorted on intake: their order on the wire is not relied upon.

    Raises:
        FrameFault: the answer is damaged.
    """
    frame = shape(load(body), WireBook, len(body))
    bids = [price_e4(level.price) for level in frame.bids or () if size_e6(level.size) > 0]
    asks = [price_e4(level.price) for level in frame.asks or () if size_e6(level.size) > 0]
    return max(bids, default=0), min(asks, default=PRICE_ONE_E4)


def server_seconds(body: bytes) -> float:
    """Returns the venue's clock in seconds; raises FrameFault when the answer is damaged."""
    found = load(body)
    if isinstance(found, bool) or not isinstance(found, int | str):
        raise FrameFault("type", len(body))
    return scaled(found, 9, 10**20, len(body)) / 1e9

"""Polymarket's private and rare messages as domain events. Sans-IO; raises FrameFault only.

Numbers are taken from the raw token of the text, so they are exact whether the venue sends them
as strings or as JSON numbers. Unknown fields are ignored, unknown words are refused.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from dailyarb.core.domain.errors import FrameFault
from dailyarb.core.domain.events import (
    Fill,
    FillConfirmed,
    FillVoided,
    OrderReport,
    Resolved,
    SettlementPrice,
)
from dailyarb.core.domain.market import Outcome, Side
from dailyarb.core.domain.orders import FillState, OrderState
from dailyarb.core.domain.units import PRICE_ONE_E4
from dailyarb.venues.exact import Num, Wire, load, scaled, shape

UserEvent = OrderReport | Fill | FillConfirmed | FillVoided

_CANCELED = re.compile("^(ORDER_STATUS_)?(CANCELL?ED)?[_ ]*", re.IGNORECASE)
CONTROL_WORDS = frozenset({b"PONG", b"PING", b"INVALID OPERATION"})


class WireMaker(Wire, frozen=True, gc=False):
    """Is one resting order inside a trade."""

    order_id: str
    matched_amount: Num
    price: Num
    asset_id: str
    owner: str = ""
    outcome: str = ""
    side: str = ""


class WireTrade(Wire, frozen=True, gc=False):
    """Is a trade of the user channel or `/data/trades`; top-level words are the taker's."""

    id: str
    taker_order_id: str
    market: str
    asset_id: str
    side: str
    size: Num
    price: Num
    status: str
    outcome: str = ""
    owner: str = ""
    trade_owner: str = ""
    trader_side: str = ""
    match_time: Num | None = None
    matchtime: Num | None = None
    maker_orders: tuple[WireMaker, ...] = ()


class WireOrder(Wire, frozen=True, gc=False):
    """Is an order as the user channel and `/data/orders` give it."""

    id: str
    market: str
    asset_id: str
    side: str
    price: Num
    original_size: Num
    status: str
    size_matched: Num | None = None
    outcome: str = ""
    type: str = ""


class WireValue(Wire, frozen=True, gc=False):
    """Is one value of the settling feed."""

    timestamp: Num
    full_accuracy_value: Num


class WirePayload(Wire, frozen=True, gc=False):
    """Is the payload of a price message: one value, or the history of a snapshot."""

    symbol: str = ""
    timestamp: Num | None = None
    full_accuracy_value: Num | None = None
    data: list[WireValue] | None = None


class WireBolt(Wire, frozen=True, gc=False):
    """Is any message of the settling feed's socket."""

    op: str = ""
    rid: str | None = None
    code: Num | None = None
    channel: str = ""
    seq: int = 0
    dropped: int = 0
    snapshot: bool = False
    payload: WirePayload | None = None


class WireResolved(Wire, frozen=True, gc=False):
    """Is a market_resolved frame."""

    market: str
    winning_outcome: str


class NewMarket(Wire, frozen=True, gc=False):
    """Is what matters of a new_market frame: it only says that a slug may be asked for."""

    slug: str
    market: str = ""


class BoltReply(msgspec.Struct, frozen=True, gc=False):
    """Is a reply to an operation on the settling feed: authed, subscribed or error with a code."""

    op: str
    rid: str
    code: str


class BoltPrices(msgspec.Struct, frozen=True, gc=False):
    """Is one price message: its place in the sequence, what was skipped, and the values."""

    seq: int
    dropped: int
    snapshot: bool
    prices: tuple[SettlementPrice, ...]


def price_e4(text: Num | None) -> int:
    """Returns a price of the wire in 1e-4 dollars."""
    return scaled(text, 4, PRICE_ONE_E4)


def size_e6(text: Num | None) -> int:
    """Returns a share count of the wire in micro-shares."""
    return scaled(text, 6, 10**15)


def stamp_ns(text: Num | None) -> int:
    """Returns a venue time in nanoseconds, by magnitude: seconds, ms, us or ns; 0 when absent.

    ISO text is accepted too: the venue uses all of these on the same field.

    Raises:
        FrameFault: neither a count nor ISO text.
    """
    if text is None or text == "":
        return 0
    word = str(text)
    if word.isascii() and word.isdecimal() and len(word) < 20:
        number = int(word)
        for scale in (10**9, 10**6, 10**3):
            if number * scale < 10**20:
                return number * scale
        return number
    try:
        moment = datetime.fromisoformat(word)
    except ValueError:
        raise FrameFault("number", len(word)) from None
    if moment.tzinfo is None:
        raise FrameFault("number", len(word))
    seconds = int(moment.replace(microsecond=0).timestamp())
    return seconds * 10**9 + moment.microsecond * 1000


_LABELS = {"up": Outcome.UP, "yes": Outcome.UP, "down": Outcome.DOWN, "no": Outcome.DOWN}
_SIDES = {"BUY": Side.BUY, "SELL": Side.SELL}


def role(token: str, label: str, roles: Mapping[str, Outcome]) -> Outcome:
    """Returns the outcome of a token: by the catalogue where it is known, else by label."""
    known = roles.get(token)
    if known is not None:
        return known
    found = _LABELS.get(label.lower())
    if found is None:
        raise FrameFault("type", len(label))
    return found


def side(word: str) -> Side:
    """Returns the side a word of the wire means."""
    found = _SIDES.get(word.upper())
    if found is None:
        raise FrameFault("type", len(word))
    return found


_FILL_STATES = {
    "MATCHED": FillState.PROVISIONAL,
    "MATCHED_NOT_BROADCASTED": FillState.PROVISIONAL,
    "MINED": FillState.PROVISIONAL,
    "RETRYING": FillState.PROVISIONAL,
    "CONFIRMED": FillState.CONFIRMED,
    "FAILED": FillState.VOIDED,
}


@dataclass(frozen=True, slots=True)
class Ours:
    """Is what finds our part of a trade; all of it may grow while it is in use.

    Attributes:
        owner: our API key.
        roles: outcome by token id.
        orders: ids of the orders that are ours.
    """

    owner: str
    roles: Mapping[str, Outcome]
    orders: Container[str]


def trade_fills(trade: WireTrade, ours: Ours, recv_ns: int) -> list[Fill]:
    """Returns our part of one trade, with the state its status proves (VOIDED when it failed).

    We are the taker when the venue says so, or when the taker's order id is one of ours. Each
    entry of maker_orders that carries one of our order ids or our API key is ours too, with that
    entry's own token, price and amount: an id that we do not know is a stranger in our account.
    An entry without a side is the taker's opposite on the same token, and the taker's own side
    on the mirrored one.

    Args:
        trade: the trade.
        ours: what is ours in it.
        recv_ns: boot clock at receipt.

    Raises:
        FrameFault: unknown status, side or label, or a number that does not fit.
    """
    state = _FILL_STATES.get(trade.status.upper().removeprefix("TRADE_STATUS_"))
    if state is None:
        raise FrameFault("type", len(trade.status))
    match_ns = stamp_ns(trade.match_time if trade.match_time is not None else trade.matchtime)
    taker_side = side(trade.side)
    mine = [m for m in trade.maker_orders if m.order_id in ours.orders or m.owner == ours.owner]
    word = trade.trader_side.upper()
    taken = word == "TAKER" or trade.taker_order_id in ours.orders
    if not word and not mine:
        taken = taken or ours.owner in (trade.owner, trade.trade_owner)
    fills: list[Fill] = []
    if taken:
        fills.append(
            Fill(
                trade_id=trade.id,
                order_id=trade.taker_order_id,
                market_id=trade.market,
                outcome=role(trade.asset_id, trade.outcome, ours.roles),
                side=taker_side,
                price_e4=price_e4(trade.price),
                size_e6=size_e6(trade.size),
                maker=False,
                state=state,
                match_ns=match_ns,
                recv_ns=recv_ns,
            )
        )
    for entry in mine:
        same = entry.asset_id == trade.asset_id
        own = side(entry.side) if entry.side else taker_side.opposite if same else taker_side
        fills.append(
            Fill(
                trade_id=trade.id,
                order_id=entry.order_id,
                market_id=trade.market,
                outcome=role(entry.asset_id, entry.outcome, ours.roles),
                side=own,
                price_e4=price_e4(entry.price),
                size_e6=size_e6(entry.matched_amount),
                maker=True,
                state=state,
                match_ns=match_ns,
                recv_ns=recv_ns,
            )
        )
    return fills


def fill_events(fills: Sequence[Fill]) -> list[UserEvent]:
    """Returns fills as events: each Fill, followed by its proof once that is final.

    A failed fill gives its FillVoided alone: it never happened.
    """
    events: list[UserEvent] = []
    for fill in fills:
        if fill.state is FillState.VOIDED:
            events.append(FillVoided(fill.trade_id, fill.order_id, "the trade failed"))
            continue
        events.append(fill)
        if fill.state is FillState.CONFIRMED:
            events.append(FillConfirmed(fill.trade_id, fill.order_id))
    return events


def order_state(status: str, verb: str, matched: int, original: int) -> OrderState:
    """Returns the state a status word proves; free text after `CANCELED_` is matched by prefix.

    Raises:
        FrameFault: a word that proves nothing.
    """
    word = status.upper().removeprefix("ORDER_STATUS_")
    if original > 0 and matched >= original:
        return OrderState.FILLED
    if word.startswith(("CANCEL", "INVALID")):
        killed = "EXPIRED" in word or "KILLED" in word or "FAK" in word or "TIMED_OUT" in word
        return OrderState.EXPIRED if killed else OrderState.CANCELLED
    if verb.upper() == "CANCELLATION":
        return OrderState.CANCELLED
    if word == "DELAYED":
        return OrderState.DELAYED
    if word in ("LIVE", "MATCHED", "UNMATCHED"):
        return OrderState.OPEN
    raise FrameFault("type", len(status))


def _why_ended(status: str) -> str:
    """Returns what a final status says beyond the end itself, `MARKET_RESOLVED`, often nothing."""
    return _CANCELED.sub("", status)


def order_report(order: WireOrder, asked_ns: int) -> OrderReport:
    """Returns the venue's word on one order."""
    matched, original = size_e6(order.size_matched), size_e6(order.original_size)
    state = order_state(order.status, order.type, matched, original)
    ended = state in (OrderState.CANCELLED, OrderState.EXPIRED)
    return OrderReport(
        order_id=order.id,
        asked_ns=asked_ns,
        known=True,
        state=state,
        matched_e6=matched,
        reason=_why_ended(order.status) if ended else "",
    )


def user_events(raw: bytes, ours: Ours, recv_ns: int) -> list[UserEvent]:
    """Returns the events of one user-channel frame, an object or an array of them.

    Control words give none. Unknown event types give none: the caller counts frames without events.

    Raises:
        FrameFault: the frame is damaged; then it gives no events at all.
    """
    if raw in CONTROL_WORDS:
        return []
    found = load(raw)
    events: list[UserEvent] = []
    for item in found if isinstance(found, list) else [found]:
        if not isinstance(item, dict):
            raise FrameFault("type", len(raw))
        kind = item.get("event_type") or ("trade" if "taker_order_id" in item else "order")
        if kind == "trade":
            trade = shape(item, WireTrade, len(raw))
            events.extend(fill_events(trade_fills(trade, ours, recv_ns)))
        elif kind == "order":
            events.append(order_report(shape(item, WireOrder, len(raw)), recv_ns))
    return events


def bolt_message(
    raw: bytes, assets: Mapping[str, str], window_s: int, recv_ns: int
) -> BoltReply | BoltPrices | None:
    """Returns one message of the settling feed; None for a symbol or message we did not ask for.

    Args:
        raw: the frame.
        assets: asset by the feed's symbol, as btcusd.
        window_s: averaging window that was subscribed to.
        recv_ns: boot clock at receipt.

    Raises:
        FrameFault: the frame is damaged, or lacks its exact value.
    """
    message = shape(load(raw), WireBolt, len(raw))
    if message.op:
        code = "" if message.code is None else str(message.code)
        return BoltReply(message.op, message.rid or "", code)
    payload = message.payload
    if payload is None or not message.channel.startswith("price."):
        return None
    asset = assets.get(payload.symbol)
    if asset is None:
        return None
    values = payload.data
    if values is None:
        if payload.full_accuracy_value is None or payload.timestamp is None:
            raise FrameFault("missing", len(raw))
        values = [WireValue(payload.timestamp, payload.full_accuracy_value)]
    prices = tuple(
        SettlementPrice(
            asset=asset,
            price_e18=scaled(value.full_accuracy_value, 18, 10**30, len(raw)),
            stamp_ms=stamp_ns(value.timestamp) // 1_000_000,
            recv_ns=recv_ns,
            window_s=window_s,
        )
        for value in values
    )
    return BoltPrices(message.seq, message.dropped, message.snapshot, prices)


def rare_event(raw: bytes) -> Resolved | NewMarket | None:
    """Returns a market_resolved or new_market frame; None for anything else.

    Raises:
        FrameFault: damaged, or a winner that is neither outcome.
    """
    found = load(raw)
    kind = found.get("event_type") if isinstance(found, dict) else None
    if kind == "market_resolved":
        frame = shape(found, WireResolved, len(raw))
        won = role("", frame.winning_outcome, {})
        return Resolved(frame.market, PRICE_ONE_E4 if won is Outcome.UP else 0)
    if kind == "new_market":
        return shape(found, NewMarket, len(raw))
    return None

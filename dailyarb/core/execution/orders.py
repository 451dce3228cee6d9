"""The order machine: one object an order, moved only by evidence (`proofs.py`).

An order is drafted with the salt and stamp that make its id, signed once, journalled, then sent.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.commands import Command, Journal, OrderDraft
from dailyarb.core.domain.errors import InvariantBroken
from dailyarb.core.domain.events import Signed
from dailyarb.core.domain.grid import amounts
from dailyarb.core.domain.ids import StrategyId
from dailyarb.core.domain.intents import Intent, IntentKind, Leg
from dailyarb.core.domain.market import MarketSpec, Outcome, Side
from dailyarb.core.domain.orders import LIVE, TERMINAL, TIF, OrderState, move
from dailyarb.core.domain.records import OrderAdopted, OrderMoved, OrderSigned
from dailyarb.core.domain.units import MS

SALT_SPAN = 2**24  # orders of one run: 97 days at 120 a minute; with the base, 52 bits
KEPT_DONE = 400


@dataclass(slots=True)
class Order:
    """Is one order and everything proven about it."""

    draft_id: int
    intent_id: int
    strategy: StrategyId
    intent: IntentKind
    market_id: str
    outcome: Outcome
    side: Side
    price_e4: int
    size_e6: int
    tif: TIF
    post_only: bool
    pair_id: int
    edge_e4: int
    fair_e4: int
    ttl_ns: int
    stamp_ms: int
    salt: int
    state: OrderState = OrderState.DRAFT
    order_id: str = ""
    order_json: bytes = b""
    filled_e6: int = 0
    matched_e6: int = -1  # shares the venue says matched, -1 where it has not said
    voided_e6: int = 0  # matched shares whose trade failed to settle
    accepted: bool = False
    answered: bool = False
    missing: bool = False  # the account's list of open orders lacked it
    proven_ns: int = 0  # newest moment at which the venue is known to have had it
    ending: OrderState | None = None  # its end, once its matched shares have arrived as fills
    ended_ns: int = 0
    withdrawn: bool = False  # proven cancelled, and not yet told how much had matched before
    sent_ns: int = 0
    sent_wall_ns: int = 0
    acked_ns: int = 0
    asked_ns: int = 0
    asks: int = 0
    cancel_ns: int = 0
    queue_e6: int = -1  # shares ahead of us when it came to rest
    trigger_ns: int = 0
    decided_ns: int = 0
    reason: str = ""

    @property
    def live(self) -> bool:
        """Says whether it may still fill as far as is proven."""
        return self.state in LIVE

    @property
    def left_e6(self) -> int:
        """Returns the shares that may still fill."""
        return max(0, self.size_e6 - self.filled_e6)

    @property
    def owed_e6(self) -> int:
        """Returns shares the venue says matched that have not arrived as fills."""
        return max(0, self.matched_e6 - self.filled_e6 - self.voided_e6)

    @property
    def takes(self) -> bool:
        """Says whether it is meant to cross."""
        return self.tif in (TIF.FOK, TIF.FAK)


class Orders:
    """Holds all orders of an engine; every move appends its journal record to `out`."""

    def __init__(self, salt_base: int) -> None:
        self.by_id: dict[str, Order] = {}
        self._by_draft: dict[int, Order] = {}
        self._live: dict[str, Order] = {}
        self._by_market: dict[str, dict[str, Order]] = {}
        self._salt_base = salt_base
        self._drafts = 0
        self.stamp_ms = 0  # newest of any order

    def draft(
        self, intent: Intent, leg: Leg, intent_id: int, spec: MarketSpec, now: Instant
    ) -> OrderDraft:
        """Makes one order of an intent's leg and returns what is to be signed."""
        self._drafts += 1
        if self._drafts >= SALT_SPAN:
            raise InvariantBroken("more orders in one run than salts")
        self.stamp_ms = max(self.stamp_ms + 1, now.wall_ns // MS)
        salt = self._salt_base * SALT_SPAN + self._drafts
        order = Order(
            self._drafts, intent_id, intent.strategy, intent.kind, intent.market_id,
            leg.outcome, leg.side, leg.price_e4, leg.size_e6, leg.tif, leg.post_only,
            intent.pair_id, intent.edge_e4, intent.fair_e4, intent.ttl_ms * MS,
            self.stamp_ms, salt,
        )  # fmt: skip
        self._by_draft[order.draft_id] = order
        cash = amounts(leg.side, leg.price_e4, leg.size_e6)
        return OrderDraft(
            order.draft_id,
            spec.market_id,
            spec.token(leg.outcome),
            leg.side,
            cash.maker_e6,
            cash.taker_e6,
            salt,
            self.stamp_ms,
            leg.tif,
            leg.post_only,
            spec.neg_risk,
            spec.version,
        )

    def signed(self, event: Signed, out: list[Command]) -> Order | None:
        """Takes a signature: journals the bytes. None when the draft was withdrawn meanwhile."""
        order = self._by_draft.pop(event.draft_id, None)
        if order is None or order.state is not OrderState.DRAFT:
            return None
        order.order_id, order.order_json = event.order_id, event.order_json
        order.state = move(order.order_id, order.state, OrderState.SIGNED)
        out.append(Journal(_signed_record(order)))
        order.state = move(order.order_id, order.state, OrderState.JOURNALLED)
        self.by_id[order.order_id] = order
        self._enter(order)
        return order

    def siblings(self, order: Order) -> list[Order] | None:
        """Returns all orders of the same intent once every one is journalled, else None."""
        if any(o.intent_id == order.intent_id for o in self._by_draft.values()):
            return None
        return [
            o
            for o in self._live.values()
            if o.intent_id == order.intent_id and o.state is OrderState.JOURNALLED
        ]

    def sent(self, order: Order, now: Instant) -> None:
        """Notes that the bytes are being handed to the wire."""
        order.state = move(order.order_id, order.state, OrderState.SENT)
        order.sent_ns = order.asked_ns = now.mono_ns
        order.sent_wall_ns = now.wall_ns

    def restore(self, record: OrderSigned, now: Instant) -> Order:
        """Takes an order of an earlier run; unproven until the venue speaks."""
        order = Order(
            0, record.intent_id, record.strategy, record.intent, record.market_id,
            record.outcome, record.side, record.price_e4, record.size_e6, record.tif,
            record.post_only, record.pair_id, 0, 0, 0, record.stamp_ms, record.salt,
            OrderState.UNKNOWN, record.order_id, record.order_json,
        )  # fmt: skip
        order.sent_ns, order.sent_wall_ns = now.mono_ns, now.wall_ns
        self.by_id[order.order_id] = order
        self._enter(order)
        self.stamp_ms = max(self.stamp_ms, record.stamp_ms)
        return order

    def restore_move(self, order_id: str, state: OrderState) -> None:
        """Takes a move of an earlier run; only the last word counts."""
        order = self.by_id.get(order_id)
        if order is not None:
            order.state = state if state in TERMINAL else OrderState.UNKNOWN
            order.accepted = order.accepted or state in (OrderState.OPEN, OrderState.DELAYED)
            if state in TERMINAL:
                self._leave(order)
                self._forget()

    def move(self, order: Order, state: OrderState, reason: str, out: list[Command]) -> None:
        """Moves an order and journals it; the same state again is nothing."""
        if state is order.state:
            return
        order.state = move(order.order_id, order.state, state)
        order.reason = reason or order.reason
        out.append(Journal(OrderMoved(order.order_id, state, reason)))
        if state in TERMINAL:
            self._leave(order)
            self._forget()

    def _enter(self, order: Order) -> None:
        self._live[order.order_id] = order
        self._by_market.setdefault(order.market_id, {})[order.order_id] = order

    def _leave(self, order: Order) -> None:
        if self._live.pop(order.order_id, None) is None:
            return
        here = self._by_market[order.market_id]
        del here[order.order_id]
        if not here:
            del self._by_market[order.market_id]

    def _forget(self) -> None:
        # Terminal orders stay fillable, but not for ever: the newest are kept.
        extra = len(self.by_id) - len(self._live) - KEPT_DONE
        for order_id in list(self.by_id)[: max(0, extra)]:
            if order_id not in self._live:
                del self.by_id[order_id]

    def forget(self, markets: Container[str]) -> None:
        """Drops the ended orders of markets whose books are shut."""
        for order in list(self.by_id.values()):
            if order.market_id in markets and order.order_id not in self._live:
                del self.by_id[order.order_id]

    def live(self, market_id: str = "") -> list[Order]:
        """Returns orders that may still fill, of one market or of all."""
        found = self._by_market.get(market_id, {}) if market_id else self._live
        return list(found.values())

    def working(self, market_id: str = "") -> list[Order]:
        """Returns live orders that may yet match: all but those the venue has withdrawn."""
        return [o for o in self.live(market_id) if not o.withdrawn]

    def exposed(self, market_id: str = "") -> list[Order]:
        """Returns orders that may add to what is held: the live ones, and those being signed."""
        drafts = [o for o in self._by_draft.values() if not market_id or o.market_id == market_id]
        return [*self.live(market_id), *drafts]

    def unknown(self) -> list[Order]:
        """Returns live orders whose outcome is not proven."""
        return [
            o
            for o in self._live.values()
            if o.state in (OrderState.UNKNOWN, OrderState.QUARANTINED)
        ]


def adopted(record: OrderAdopted) -> OrderSigned:
    """Returns an order of our wallet that no journal holds as if signed; its terms are known."""
    return OrderSigned(
        record.order_id, 0, StrategyId.OPERATOR, IntentKind.ENTRY, record.market_id,
        record.outcome, record.side, record.price_e4, record.size_e6, TIF.GTC, False, 0, 0, 0,
        b"",
    )  # fmt: skip


def _signed_record(order: Order) -> OrderSigned:
    return OrderSigned(
        order.order_id, order.intent_id, order.strategy, order.intent, order.market_id,
        order.outcome, order.side, order.price_e4, order.size_e6, order.tif, order.post_only,
        order.stamp_ms, order.salt, order.pair_id, order.order_json,
    )  # fmt: skip

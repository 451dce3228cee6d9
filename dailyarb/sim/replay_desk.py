"""Where orders meet a recording: the embedded venue's desk, matched by the fill model.

The desk checks, books and tells as the embedded one does; what an order gets is decided by
`sim.fills` on the recorded book. The wire's latency is the wire's, so the model has none here.
"""

from __future__ import annotations

import random

from dailyarb.core.domain.market import FeeSchedule, Outcome, Side
from dailyarb.core.domain.orders import TIF
from dailyarb.sim import wire
from dailyarb.sim.accounts import Account, Ledger
from dailyarb.sim.channels import Channels
from dailyarb.sim.desk import Answer, Desk, response
from dailyarb.sim.fills import FillModel
from dailyarb.sim.fills_types import (
    FillEvent,
    FillSettings,
    LatencyLaw,
    NewOrder,
    OrderUpdate,
    QueueMode,
    Word,
)
from dailyarb.sim.gamma import FEE_RATE
from dailyarb.sim.orderbook import ONE_E4, Match, Resting
from dailyarb.sim.orders import BUY, Posted, Refusal, SimOrder
from dailyarb.sim.private import order_event
from dailyarb.sim.replay_book import Print, RecordedBook
from dailyarb.sim.replay_hall import RecordedHall
from dailyarb.sim.types import NS_PER_S

_GTD_EARLY_S = 60  # the book drops a GTD order a minute before its stated end
_FEES = FeeSchedule(rate_e6=int(FEE_RATE * 1_000_000))


class ReplayDesk(Desk):
    """Is the venue's engine for orders on recorded books."""

    def __init__(
        self, seed: int, hall: RecordedHall, ledger: Ledger, channels: Channels, hold_ms: int
    ) -> None:
        super().__init__(seed, hall.as_hall(), ledger, channels, hold_ms)
        self._recorded = hall
        self._answers: dict[str, Answer] = {}
        self._why: dict[str, str] = {}
        setting = FillSettings(LatencyLaw(0.0, 0.0), hold_ms, QueueMode.PRINTS)
        self._model = FillModel(
            self._book, lambda _: _FEES, setting, random.Random(f"{seed}/fills"), "replay"
        )

    def accept(self, posted: Posted, account: Account, now_ns: int, answer: Answer) -> bool:
        """Takes an order; says whether its answer comes only after the hold."""
        self.step(now_ns)
        try:
            order = self._check(posted, account, now_ns)
        except Refusal as refusal:
            answer(refusal)
            return False
        self.orders[order.order_id] = order
        self._prune()
        self._answers[order.order_id] = answer
        self._model.submit(_new_order(order), now_ns)
        self.step(now_ns)
        return order.order_id in self._answers

    def cancel(self, order: SimOrder, now_ns: int, status: str = "CANCELED") -> None:
        """Takes a resting order out of the queue and tells its owner."""
        if order.resting is None:
            return
        self._why[order.order_id] = status
        self._model.cancel(order.order_id, now_ns)
        self.step(now_ns)

    def step(self, now_ns: int) -> None:
        """Lets the fill model act on the books as they stand."""
        for news in self._model.advance(now_ns):
            if isinstance(news, FillEvent):
                self._on_fill(news)
            else:
                self._on_word(news)

    def next_due_ns(self) -> int | None:
        """Returns when `step` is wanted next."""
        return self._model.next_due_ns()

    def on_print(self, market_id: str, print_: Print, now_ns: int) -> None:
        """Shows a recorded trade to the queue."""
        outcome, side, price_e4, size_e6 = print_
        self._model.on_trade(market_id, outcome, side, price_e4, size_e6, now_ns)

    def on_book(self, market_id: str, now_ns: int) -> None:
        """Shows a changed book to the queue."""
        self._model.on_book(market_id, now_ns)

    def close(self, market_id: str, now_ns: int) -> None:
        """Ends a market's trading: the venue cancels what still works there."""
        self._model.close_market(market_id, now_ns, "CANCELED_MARKET_RESOLVED")
        self.step(now_ns)

    def _book(self, market_id: str) -> RecordedBook | None:
        entry = self._recorded.by_id.get(market_id)
        return entry.market.recorded if entry is not None else None

    def _on_fill(self, fill: FillEvent) -> None:
        order = self.orders[fill.order_id]
        up_e4 = fill.price_e4 if order.outcome == wire.UP else ONE_E4 - fill.price_e4
        if fill.maker:
            match = Match(order.order_id, up_e4, fill.size_e6)
            self._trade(order.market, None, order.book_side, [match], fill.at_ns)
        else:
            match = Match("", up_e4, fill.size_e6)
            self._trade(order.market, order, 1 - order.book_side, [match], fill.at_ns)

    def _on_word(self, news: OrderUpdate) -> None:
        order = self.orders.get(news.order_id)
        if order is None or news.word is Word.CANCEL_REFUSED:
            return
        answer = self._answers.pop(news.order_id, None)
        rests = order.left_e6 > 0 and order.tif in ("GTC", "GTD")
        if news.word in (Word.RESTING, Word.MATCHED) and rests:
            order.resting = Resting(
                order.order_id, order.book_side, order.book_price_e4, order.left_e6
            )
            self._tell(order, order_event(order, "PLACEMENT", news.at_ns), news.at_ns)
        elif news.word is Word.MATCHED and order.left_e6:
            self._over(order, "CANCELED", news.at_ns)
        elif news.word in (Word.KILLED, Word.REFUSED):
            self._over(order, f"CANCELED_{news.reason}", news.at_ns)
        elif news.word in (Word.CANCELLED, Word.EXPIRED):
            order.resting = None
            expired = news.word is Word.EXPIRED
            why = self._why.pop(order.order_id, "") or news.reason or "CANCELED"
            self._over(order, "CANCELED_EXPIRED_ORDER" if expired else why, news.at_ns)
        if answer is not None:
            refused = news.word not in (Word.RESTING, Word.MATCHED)
            status = "matched" if order.matched_e6 else "live"
            answer(Refusal(news.reason or "canceled") if refused else response(order, status))


def _new_order(order: SimOrder) -> NewOrder:
    """Returns an accepted order as the fill model takes it."""
    tif = TIF(order.tif)
    until_ns = (order.expiration_s - _GTD_EARLY_S) * NS_PER_S if tif is TIF.GTD else 0
    return NewOrder(
        order_id=order.order_id,
        market_id=order.market.identity.market,
        outcome=Outcome.UP if order.outcome == wire.UP else Outcome.DOWN,
        side=Side.BUY if order.side == BUY else Side.SELL,
        price_e4=order.price_e4,
        size_e6=order.size_e6,
        tif=tif,
        post_only=order.post_only,
        expires_ns=until_ns,
    )

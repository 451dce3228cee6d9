"""The order venue of a replay in memory: commands in, timed events out, fills by the fill model.

Answers take the time the fill model's latency gives them. One account, kept in integers; what it
tells is what the venue's account would tell, asked at the same moment.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from dailyarb.core.domain import commands as cmd
from dailyarb.core.domain.events import (
    AccountReport,
    BookWitness,
    CancelResult,
    Event,
    Fill,
    FillConfirmed,
    LegOutcome,
    LegResult,
    OpenOrder,
    OrderReport,
    SubmitResult,
)
from dailyarb.core.domain.market import MarketSpec, Outcome, Side
from dailyarb.core.domain.orders import TIF, FillState, OrderState
from dailyarb.core.domain.units import PRICE_ONE_E4, SECOND, notional_down, notional_up
from dailyarb.sim.fills import FillModel
from dailyarb.sim.fills_types import (
    BookView,
    FillEvent,
    FillSettings,
    NewOrder,
    OrderUpdate,
    Word,
)

CONFIRM_NS = 4 * SECOND
_OUTCOMES = {
    Word.RESTING: LegOutcome.RESTING,
    Word.MATCHED: LegOutcome.MATCHED,
    Word.FILLED: LegOutcome.MATCHED,
    Word.KILLED: LegOutcome.KILLED,
    Word.REFUSED: LegOutcome.REFUSED,
}

Later = Callable[[int, Event], None]


class _Submitting:
    """Is one Submit whose answers are not all known."""

    def __init__(self, command: cmd.Submit) -> None:
        self.asked_ns = command.asked_ns
        self.order_ids = [order.order_id for order in command.orders]
        self.results: dict[str, LegResult] = {}


class ReplayOrders:
    """Runs order commands against recorded books.

    Args:
        books: gives the book of a market id, or None.
        settings: latency, hold and queue of the fill model.
        rng: source of latencies, seeded by the caller.
        cash_e6: cash at the start.
        later: plans an event for an instant.
        name: prefix of the trade ids.
    """

    def __init__(
        self,
        books: Callable[[str], BookView | None],
        settings: FillSettings,
        rng: random.Random,
        cash_e6: int,
        later: Later,
        name: str = "replay",
    ) -> None:
        self.cash_e6 = cash_e6
        self.fills = 0
        self.specs: dict[str, MarketSpec] = {}
        self.positions: dict[str, int] = {}  # by token
        self.model = FillModel(books, lambda m: self.specs[m].fees, settings, rng, name)
        self._books = books
        self._later = later
        self._tokens: dict[str, tuple[MarketSpec, Outcome]] = {}
        self._drafts: dict[str, cmd.OrderDraft] = {}
        self._submits: dict[str, _Submitting] = {}
        self._cancels: dict[str, int] = {}  # order id to when it was asked

    @property
    def busy(self) -> bool:
        """Says whether anything of ours is at the venue: orders on their way too, or shares."""
        return self.model.busy or any(self.positions.values())

    def list_market(self, spec: MarketSpec) -> None:
        """Opens a market for orders."""
        self.specs[spec.market_id] = spec
        for outcome in Outcome:
            self._tokens[spec.token(outcome)] = (spec, outcome)

    def signed(self, order_id: str, draft: cmd.OrderDraft) -> None:
        """Remembers what an order id stands for."""
        self._drafts[order_id] = draft

    def submit(self, command: cmd.Submit, now_ns: int) -> None:
        """Sends signed orders; they are answered together."""
        waiting = _Submitting(command)
        for order in command.orders:
            draft = self._drafts.pop(order.order_id)
            self._submits[order.order_id] = waiting
            self.model.submit(self._new(order.order_id, draft), now_ns)

    def cancel(self, order_ids: tuple[str, ...], now_ns: int) -> None:
        """Sends cancels."""
        for order_id in order_ids:
            self._cancels[order_id] = now_ns
            self.model.cancel(order_id, now_ns)

    def cancel_all(self, command: cmd.CancelAll, now_ns: int) -> None:
        """Cancels every order of the account or of one market."""
        ids = self.model.cancel_all(now_ns, command.market_id)
        self._cancels.update(dict.fromkeys(ids, now_ns))
        if not ids:
            self._later(now_ns, CancelResult(command.asked_ns, (), all_orders=True))

    def ask_order(self, command: cmd.QueryOrder, now_ns: int) -> None:
        """Answers for one order: active ones only, so absence proves little."""
        for new, matched_e6, _ in self.model.working():
            if new.order_id == command.order_id:
                report = OrderReport(
                    new.order_id, command.asked_ns, True, OrderState.OPEN, matched_e6
                )
                self._later(now_ns, report)
                return
        self._later(now_ns, OrderReport(command.order_id, command.asked_ns, False))

    def ask_account(self, command: cmd.QueryAccount, now_ns: int) -> None:
        """Answers with one complete snapshot."""
        held = tuple(self.positions.items())
        rows = self.open_orders()
        report = AccountReport(command.asked_ns, True, self.cash_e6, rows, (), held)
        self._later(now_ns, report)

    def open_orders(self) -> tuple[OpenOrder, ...]:
        """Returns what rests, oldest first."""
        return tuple(
            OpenOrder(
                new.order_id,
                new.market_id,
                new.outcome,
                new.side,
                new.price_e4,
                new.size_e6,
                matched_e6,
            )
            for new, matched_e6, _ in self.model.working()
        )

    def ask_book(self, command: cmd.QueryBook, now_ns: int) -> None:
        """Answers with the recorded touch."""
        book = self._books(command.market_id)
        if book is None:
            return
        bids, asks = book.levels(0, 0, 1), book.levels(0, 1, 1)
        bid_e4 = bids[0][0] if bids else 0
        ask_e4 = asks[0][0] if asks else PRICE_ONE_E4
        self._later(now_ns, BookWitness(command.market_id, command.asked_ns, bid_e4, ask_e4))

    def settle(self, spec: MarketSpec, winner: Outcome, now_ns: int) -> None:
        """Ends a market: orders die, winning shares pay a dollar."""
        self.model.close_market(spec.market_id, now_ns, "MARKET_RESOLVED")
        for outcome in Outcome:
            size_e6 = self.positions.pop(spec.token(outcome), 0)
            self.cash_e6 += size_e6 if outcome is winner else 0

    def advance(self, now_ns: int) -> None:
        """Lets the fill model act; its news are planned for when they reach us."""
        for news in self.model.advance(now_ns):
            if isinstance(news, FillEvent):
                self._on_fill(news)
            else:
                self._on_word(news)

    def _new(self, order_id: str, draft: cmd.OrderDraft) -> NewOrder:
        """Reads a draft as the venue reads an order: the limit never passes what was signed."""
        spec, outcome = self._tokens[draft.token]
        size_e6, cash_e6 = draft.taker_e6, draft.maker_e6
        if draft.side is Side.BUY:
            price_e4 = cash_e6 * PRICE_ONE_E4 // size_e6
        else:
            size_e6, cash_e6 = cash_e6, size_e6
            price_e4 = -(-cash_e6 * PRICE_ONE_E4 // size_e6)
        until_ns = (draft.expiration_s - 60) * SECOND if draft.tif is TIF.GTD else 0
        return NewOrder(
            order_id,
            spec.market_id,
            outcome,
            draft.side,
            price_e4,
            size_e6,
            draft.tif,
            draft.post_only,
            until_ns,
        )

    def _on_fill(self, fill: FillEvent) -> None:
        buys = fill.side is Side.BUY
        notional = notional_up if buys else notional_down
        cash_e6 = notional(fill.price_e4, fill.size_e6)
        self.cash_e6 += (-cash_e6 if buys else cash_e6) - fill.fee_e6
        token = self.specs[fill.market_id].token(fill.outcome)
        held_e6 = self.positions.get(token, 0) + (fill.size_e6 if buys else -fill.size_e6)
        self.positions[token] = held_e6
        self.fills += 1
        told = Fill(
            trade_id=fill.trade_id,
            order_id=fill.order_id,
            market_id=fill.market_id,
            outcome=fill.outcome,
            side=fill.side,
            price_e4=fill.price_e4,
            size_e6=fill.size_e6,
            maker=fill.maker,
            state=FillState.PROVISIONAL,
            match_ns=fill.at_ns,
            fee_e6=fill.fee_e6,
            recv_ns=fill.seen_ns,
        )
        self._later(fill.seen_ns, told)
        self._later(fill.seen_ns + CONFIRM_NS, FillConfirmed(fill.trade_id, fill.order_id))

    def _on_word(self, news: OrderUpdate) -> None:
        waiting = self._submits.pop(news.order_id, None)
        if waiting is not None:
            outcome = _OUTCOMES.get(news.word, LegOutcome.REFUSED)
            waiting.results[news.order_id] = LegResult(news.order_id, outcome, news.reason)
            if len(waiting.results) == len(waiting.order_ids):
                results = tuple(waiting.results[order_id] for order_id in waiting.order_ids)
                answer = SubmitResult(waiting.asked_ns, results, waiting.asked_ns, news.seen_ns)
                self._later(news.seen_ns, answer)
        asked_ns = self._cancels.pop(news.order_id, None)
        if news.word is Word.CANCELLED and asked_ns is not None:
            self._later(news.seen_ns, CancelResult(asked_ns, (news.order_id,)))
        elif news.word is Word.CANCEL_REFUSED and asked_ns is not None:
            refused = ((news.order_id, news.reason),)
            self._later(news.seen_ns, CancelResult(asked_ns, (), refused))
        elif news.word in (Word.EXPIRED, Word.CANCELLED):
            state = OrderState.EXPIRED if news.word is Word.EXPIRED else OrderState.CANCELLED
            self._report(news, state)
        elif asked_ns is not None:
            self._cancels[news.order_id] = asked_ns  # the cancel is still on its way

    def _report(self, news: OrderUpdate, state: OrderState) -> None:
        report = OrderReport(news.order_id, news.seen_ns, True, state, news.matched_e6, news.reason)
        self._later(news.seen_ns, report)

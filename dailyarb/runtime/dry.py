"""DRY: orders are built, checked and signed, and end there. Also the account of play money.

The account moves when the engine is told, never before, and begins where the journal left it:
cash, shares and unproven matches of earlier runs are carried. Orders are not: they rested in a
process that has ended, and asked about them this one says so.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable

from dailyarb._fast.histogram import LatencyHistogram
from dailyarb.core.domain import commands as cmd
from dailyarb.core.domain.clock import Clock
from dailyarb.core.domain.events import (
    AccountReport,
    CancelResult,
    Event,
    Fill,
    FillConfirmed,
    HeartbeatResult,
    LegOutcome,
    LegResult,
    MarketListed,
    OpenOrder,
    OrderReport,
    Resolved,
    SubmitResult,
)
from dailyarb.core.domain.market import MarketSpec, Outcome, Side
from dailyarb.core.domain.orders import OrderState
from dailyarb.core.domain.units import PRICE_ONE_E4, SECOND, notional_down, notional_up
from dailyarb.core.ledger.ledger import Ledger
from dailyarb.runtime.clock import boot_ns

NOT_SENT = "dry run: not sent"
ENDED = "the process it rested in has ended"
PAID_MAX = 1_000  # decided markets remembered, for fills that are told after the decision


class PlayAccount:
    """Is play money: what the engine was told, folded apart from the engine's own ledger.

    Args:
        ledger: what the journal says of earlier runs.
        start_e6: cash of an account that is new.
    """

    def __init__(self, ledger: Ledger, start_e6: int) -> None:
        known = ledger.accounts
        self.cash_e6 = known.cash if known.opening else start_e6
        self.shares: dict[tuple[str, Outcome], int] = {}
        self.unproven: list[FillConfirmed] = []
        self._paid: dict[str, int] = {}
        for market_id, books in ledger.markets.items():
            for outcome in Outcome:
                size_e6 = 0 if books.settled else books.positions.size_e6(outcome)
                if size_e6:
                    self.shares[market_id, outcome] = size_e6
            self.unproven += [
                FillConfirmed(fill.trade_id, fill.order_id)
                for fill in ledger.provisional(market_id)
            ]

    def fill(self, fill: Fill) -> None:
        """Takes one fill with its fee."""
        buys = fill.side is Side.BUY
        notional = notional_up if buys else notional_down
        cash_e6 = notional(fill.price_e4, fill.size_e6)
        self.cash_e6 += (-cash_e6 if buys else cash_e6) - max(0, fill.fee_e6)
        key = fill.market_id, fill.outcome
        self.shares[key] = self.shares.get(key, 0) + (fill.size_e6 if buys else -fill.size_e6)
        if fill.market_id in self._paid:
            # Told late: the market has paid already, and pays this part now.
            self.settle(fill.market_id, self._paid[fill.market_id])

    def settle(self, market_id: str, up_price_e4: int) -> None:
        """Pays a market out; the first decision counts, a second finds no shares any more."""
        self._paid.setdefault(market_id, up_price_e4)
        while len(self._paid) > PAID_MAX:
            del self._paid[next(iter(self._paid))]
        for outcome in Outcome:
            price_e4 = up_price_e4 if outcome is Outcome.UP else PRICE_ONE_E4 - up_price_e4
            self.cash_e6 += notional_down(price_e4, self.shares.pop((market_id, outcome), 0))


class DryVenue:
    """Stands in for a venue that takes nothing: each order is answered KILLED, not sent.

    Answers come from the loop, never inside a command's own call.

    Args:
        account: play money.
        clock: the present moment.
        emit: takes every answer.
    """

    def __init__(
        self, account: PlayAccount, clock: Clock, emit: Callable[[Event], None]
    ) -> None:
        self.money = account
        self.written = LatencyHistogram()
        self.tick_to_order = LatencyHistogram()
        self.answered = LatencyHistogram()
        self.specs: dict[str, MarketSpec] = {}
        self._clock = clock
        self._emit = emit
        self._heap: list[tuple[int, int, Event | cmd.QueryAccount]] = []
        self._count = 0
        self._timer: asyncio.TimerHandle | None = None
        self._armed_ns = 0
        self._open = False

    # a port's life

    async def start(self) -> None:
        """Plans the proofs that earlier runs did not live to hear."""
        self._open = True
        for proof in self.money.unproven:
            self._later(boot_ns() + SECOND, proof)
        self.money.unproven.clear()

    async def close(self) -> None:
        """Answers nothing any more."""
        self._open = False
        if self._timer is not None:
            self._timer.cancel()

    def step(self) -> None:
        """Does what is due; a timer does the same at the very moment."""
        now_ns = boot_ns()
        self._advance(now_ns)
        while self._open and self._heap and self._heap[0][0] <= now_ns:
            _, _, event = heapq.heappop(self._heap)
            self._tell(self._snapshot(event) if isinstance(event, cmd.QueryAccount) else event)
        self._arm()

    # orders

    def signed(self, order_id: str, draft: cmd.OrderDraft) -> None:
        """Takes note of what an order id stands for; nothing is sent, so nothing is kept."""

    def submit(self, command: cmd.Submit) -> None:
        """Answers that nothing was sent."""
        self._timed(command)
        legs = tuple(LegResult(o.order_id, LegOutcome.KILLED, NOT_SENT) for o in command.orders)
        now_ns = boot_ns()
        self._later(now_ns, SubmitResult(command.asked_ns, legs, now_ns, now_ns))

    def cancel(self, command: cmd.Cancel) -> None:
        """Answers that none of these rests."""
        self._later(boot_ns(), CancelResult(command.asked_ns, command.order_ids))

    def cancel_all(self, command: cmd.CancelAll) -> None:
        """Answers that nothing rests."""
        self._later(boot_ns(), CancelResult(command.asked_ns, (), all_orders=True))

    def heartbeat(self, command: cmd.Heartbeat) -> None:
        """Answers at once: there is no dead-man switch here."""
        self._later(boot_ns(), HeartbeatResult(command.asked_ns, True))

    # questions

    def order(self, command: cmd.QueryOrder) -> None:
        """Answers that the order is gone: nothing of an earlier process still rests."""
        report = OrderReport(
            command.order_id, command.asked_ns, True, OrderState.CANCELLED, 0, ENDED
        )
        self._later(boot_ns(), report)

    def account(self, command: cmd.QueryAccount) -> None:
        """Answers with one complete snapshot, true at the moment it is told."""
        self._later(boot_ns(), command)

    # what else happens

    def heard(self, event: Event) -> None:
        """Takes what the engine is about to be told: listings and resolutions."""
        if isinstance(event, MarketListed):
            self._list(event.spec)
        elif isinstance(event, Resolved):
            self.money.settle(event.market_id, event.up_price_e4)
            self.specs.pop(event.market_id, None)

    def laid(self, market_id: str) -> None:
        """Takes note that a market's book changed: nothing here depends on it."""

    def _list(self, spec: MarketSpec) -> None:
        self.specs[spec.market_id] = spec

    # inside

    def _snapshot(self, command: cmd.QueryAccount) -> AccountReport:
        tokens = {
            spec.token(outcome): (spec.market_id, outcome)
            for spec in self.specs.values()
            for outcome in Outcome
        }
        held = tuple(
            (token, self.money.shares.get(tokens[token], 0))
            for _, token in command.tokens
            if token in tokens
        )
        cash_e6, rows = self.money.cash_e6, self._working()
        return AccountReport(command.asked_ns, True, cash_e6, rows, (), held)

    def _working(self) -> tuple[OpenOrder, ...]:
        return ()

    def _advance(self, now_ns: int) -> None:
        """Lets a model act; there is none here."""

    def _next_ns(self) -> int | None:
        return self._heap[0][0] if self._heap else None

    def _tell(self, event: Event) -> None:
        self._emit(event)

    def _timed(self, command: cmd.Submit) -> None:
        """Measures up to the moment at which the bytes would have left."""
        now_ns = boot_ns()
        if command.decided_ns:
            self.written.record(now_ns - command.decided_ns)
        if command.trigger_ns:
            self.tick_to_order.record(now_ns - command.trigger_ns)

    def _later(self, at_ns: int, event: Event | cmd.QueryAccount) -> None:
        self._count += 1
        heapq.heappush(self._heap, (at_ns, self._count, event))
        self._arm()

    def _arm(self) -> None:
        due_ns = self._next_ns() if self._open else None
        if due_ns is None or (self._timer is not None and self._armed_ns <= due_ns):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._armed_ns = due_ns
        wait_s = max(0.0, (due_ns - boot_ns()) / 1e9)
        self._timer = asyncio.get_running_loop().call_later(wait_s, self._fire)

    def _fire(self) -> None:
        self._timer = None
        self.step()

"""Who answers the engine's questions: one task per question, bounded, each answered by events.

An answer carries when it was asked. Where a question could not be answered nothing is said, or
"incomplete": silence about an order proves nothing about it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from dailyarb.core.domain.commands import QueryAccount, QueryBook, QueryOrder
from dailyarb.core.domain.errors import FrameFault, VenueError
from dailyarb.core.domain.events import (
    AccountReport,
    BookWitness,
    Event,
    Fill,
    OrderReport,
)
from dailyarb.core.domain.market import MarketSpec, Outcome
from dailyarb.runtime.clock import boot_ns
from dailyarb.venues.polymarket.codec import fill_events, order_report, trade_fills
from dailyarb.venues.polymarket.http import Clob

IN_FLIGHT_MAX = 32
TRADE_OVERLAP_S = 60  # trades are asked from before the cursor: pages overlap on purpose


class Questions:
    """Asks the order venue on the engine's behalf.

    Args:
        clob: the venue's reads, with an authority.
        owner: our API key.
        roles: outcome by token id.
        emit: takes each answer.
        failed: takes what a task of ours should never have raised.
    """

    def __init__(
        self,
        clob: Clob,
        owner: str,
        roles: Mapping[str, Outcome],
        emit: Callable[[Event], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._clob = clob
        self._owner = owner
        self._roles = roles
        self._emit = emit
        self._failed = failed
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}
        self.refused = 0  # questions not asked, because too many were open
        self.failures = 0
        self.last_failure = ""

    def order(self, command: QueryOrder) -> None:
        """Asks for one order and its trades; fills are reported before the order itself."""
        self._ask(("order", command.order_id), self._order(command))

    def account(self, command: QueryAccount) -> None:
        """Asks for cash, open orders, trades and shares: all of it, or nothing."""
        self._ask(("account", ""), self._account(command))

    def book(self, command: QueryBook) -> None:
        """Asks REST for one UP book."""
        self._ask(("book", command.market_id), self._book(command))

    async def witness(self, spec: MarketSpec) -> BookWitness | None:
        """Returns REST's view of a market's UP book, None without an answer."""
        asked_ns = boot_ns()
        try:
            bid_e4, ask_e4 = await self._clob.top(spec.up_token)
        except (VenueError, FrameFault) as error:
            self._note(error)
            return None
        return BookWitness(spec.market_id, asked_ns, bid_e4, ask_e4)

    async def close(self) -> None:
        """Gives up on every open question."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _ask(self, key: tuple[str, str], work: Coroutine[Any, Any, None]) -> None:
        """Starts a question; the same question is open once, and not too many are."""
        if key in self._tasks or len(self._tasks) >= IN_FLIGHT_MAX:
            self.refused += key not in self._tasks
            work.close()
            return
        task = asyncio.get_running_loop().create_task(work, name=f"ask-{key[0]}")
        self._tasks[key] = task

        def done(finished: asyncio.Task[None]) -> None:
            del self._tasks[key]
            error = None if finished.cancelled() else finished.exception()
            if error is not None:
                self._failed(error)

        task.add_done_callback(done)

    def _note(self, error: Exception) -> None:
        self.failures += 1
        self.last_failure = str(error)[:200]

    async def _order(self, command: QueryOrder) -> None:
        order_id, asked_ns = command.order_id, command.asked_ns
        try:
            order = await self._clob.order(order_id)
            trades = await self._clob.trades([("market", command.market_id)])
            recv_ns = boot_ns()
            fills: list[Fill] = []
            for trade in trades:
                found = trade_fills(trade, self._owner, self._roles, recv_ns, {order_id})
                fills.extend(fill for fill in found if fill.order_id == order_id)
        except (VenueError, FrameFault) as error:
            self._note(error)
            return
        for event in fill_events(fills):
            self._emit(event)
        if order is None:
            self._emit(OrderReport(order_id, asked_ns, known=False))
        else:
            self._emit(order_report(order, asked_ns))

    async def _account(self, command: QueryAccount) -> None:
        tokens = [token for _, token in command.tokens]
        since_s = max(0, command.since_s - TRADE_OVERLAP_S)
        after = [("after", str(since_s))] if since_s else []
        try:
            # The venue's lists are asked together, so that they speak of about the same moment.
            (cash_e6, orders, trades), shares = await asyncio.gather(
                asyncio.gather(
                    self._clob.cash_e6(),
                    self._clob.open_orders(self._roles),
                    self._clob.trades(after),
                ),
                asyncio.gather(*(self._clob.shares_e6(token) for token in tokens)),
            )
            recv_ns = boot_ns()
            fills = [
                fill
                for trade in trades
                for fill in trade_fills(trade, self._owner, self._roles, recv_ns)
            ]
        except (VenueError, FrameFault) as error:
            self._note(error)
            self._emit(AccountReport(command.asked_ns, complete=False))
            return
        self._emit(
            AccountReport(
                asked_ns=command.asked_ns,
                complete=True,
                cash_e6=cash_e6,
                open_orders=orders,
                fills=tuple(fills),
                positions=tuple(zip(tokens, shares, strict=True)),
            )
        )

    async def _book(self, command: QueryBook) -> None:
        try:
            bid_e4, ask_e4 = await self._clob.top(command.token)
        except (VenueError, FrameFault) as error:
            self._note(error)
            return
        self._emit(BookWitness(command.market_id, command.asked_ns, bid_e4, ask_e4))

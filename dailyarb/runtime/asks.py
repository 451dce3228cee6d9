"""Answers the engine's questions: one order, the account, one book.

Each answer repeats when it was asked. A snapshot is complete or says that it is not; an answer
that did not come is no answer at all, and the engine asks again by its own clock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from dailyarb.core.domain.clock import Clock
from dailyarb.core.domain.commands import QueryAccount, QueryBook, QueryOrder
from dailyarb.core.domain.errors import FrameFault, VenueError
from dailyarb.core.domain.events import AccountReport, BookWitness, Event, Fill, OrderReport
from dailyarb.core.domain.market import MarketSpec
from dailyarb.venues.polymarket import codec
from dailyarb.venues.polymarket.http import Clob

ASKING_MAX = 64
OVERLAP_S = 60


class Asks:
    """Asks the order venue over REST, in tasks of its own, off the hot path.

    Args:
        clob: the order venue.
        ours: what finds our part of a trade.
        emit: takes each answer.
        noted: takes a failure's words for the log.
    """

    def __init__(
        self,
        clob: Clob,
        ours: codec.Ours,
        emit: Callable[[Event], None],
        noted: Callable[[str], None],
        clock: Clock,
    ) -> None:
        self._clob = clob
        self._ours = ours
        self._emit = emit
        self._noted = noted
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()

    def order(self, command: QueryOrder) -> None:
        """Asks for one order and its trades."""
        self._start(self._order(command))

    def account(self, command: QueryAccount) -> None:
        """Asks for one snapshot of the account."""
        self._start(self._account(command))

    def book(self, command: QueryBook) -> None:
        """Asks REST for one book."""
        self._start(self._book(command))

    async def witness(self, spec: MarketSpec) -> BookWitness | None:
        """Returns REST's view of one UP book, None when it did not answer."""
        asked_ns = self._clock.now().mono_ns
        try:
            bid_e4, ask_e4 = await self._clob.top(spec.up_token)
        except (VenueError, FrameFault) as error:
            self._noted(str(error))
            return None
        return BookWitness(spec.market_id, asked_ns, bid_e4, ask_e4)

    async def close(self) -> None:
        """Drops every question."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._clob.reader.close()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        if len(self._tasks) >= ASKING_MAX:
            work.close()
            self._noted("too many questions at once; this one is dropped")
            return
        task = asyncio.get_running_loop().create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except (VenueError, FrameFault) as error:
            self._noted(str(error))

    async def _order(self, command: QueryOrder) -> None:
        # Trades first: a fill that is seen settles more than an order that is not.
        fills = await self._fills([("market", command.market_id)])
        found = await self._clob.order(command.order_id)
        for fill in fills:
            if fill.order_id == command.order_id:
                self._emit(fill)
        if found is None:
            self._emit(OrderReport(command.order_id, command.asked_ns, False))
        else:
            self._emit(codec.order_report(found, command.asked_ns))

    async def _account(self, command: QueryAccount) -> None:
        after = max(0, command.since_s - OVERLAP_S)
        try:
            cash = await self._clob.cash_e6()
            orders = await self._clob.open_orders(self._ours.roles)
            fills = await self._fills([("after", str(after))] if after else [])
            shares = [(token, await self._clob.shares_e6(token)) for _, token in command.tokens]
            again = await self._clob.cash_e6()
        except (VenueError, FrameFault) as error:
            self._noted(str(error))
            self._emit(AccountReport(command.asked_ns, False))
            return
        # A match between the two readings would make the snapshot contradict itself.
        complete = cash == again
        self._emit(
            AccountReport(command.asked_ns, complete, cash, orders, tuple(fills), tuple(shares))
        )

    async def _fills(self, query: list[tuple[str, str]]) -> list[Fill]:
        trades = await self._clob.trades(query)
        recv_ns = self._clock.now().mono_ns
        return [fill for trade in trades for fill in codec.trade_fills(trade, self._ours, recv_ns)]

    async def _book(self, command: QueryBook) -> None:
        bid_e4, ask_e4 = await self._clob.top(command.token)
        self._emit(BookWitness(command.market_id, command.asked_ns, bid_e4, ask_e4))

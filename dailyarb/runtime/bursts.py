"""From routers to events: what a burst of frames changed, told once per market.

Live sockets, replay and tests share this: rows are already in the ladders, the board is brought up
to date, then the engine hears of it.
"""

from __future__ import annotations

from collections.abc import Callable

from dailyarb._fast.ladder import Ladder
from dailyarb._fast.router import (
    DESYNC,
    NEW_MARKET,
    RESOLVED,
    TICK,
    TOP,
    TRADE,
    BookRouter,
)
from dailyarb._fast.spot import QUOTE, SpotRouter
from dailyarb._fast.spot import TRADE as SPOT_TRADE
from dailyarb.core.book.book import Books
from dailyarb.core.domain.events import (
    BookDesynced,
    Event,
    ReferenceMoved,
    TickSizeChanged,
    TopChanged,
    Traded,
)
from dailyarb.core.domain.market import Outcome, Side
from dailyarb.core.domain.orders import BookState

# What the engine must hear of; depth below the touch waits in the ladder until it is asked for, and
# a snapshot that opens an epoch is a new touch by itself.
TELLING = TOP | TICK
_OUTCOMES = (Outcome.UP, Outcome.DOWN)
_SIDES = (Side.BUY, Side.SELL)

Emit = Callable[[Event], None]
LayBook = Callable[[int, Ladder, BookState, int], None]


class MarketBursts:
    """Turns the book router's flags into events, desynced books first.

    Args:
        books: the engine's books.
        emit: takes each event.
        rare: takes the raw frames of new and resolved markets.
        lay: lays a changed book on the board (slot, ladder, state, recv_ns), or None.
    """

    def __init__(
        self,
        books: Books,
        emit: Emit,
        rare: Callable[[bytes], None],
        lay: LayBook | None = None,
    ) -> None:
        self._books = books
        self._router: BookRouter = books.router
        self._emit = emit
        self._rare = rare
        self._lay = lay

    def on_burst(self, recv_ns: int) -> None:
        """Tells the engine what changed since the last burst."""
        seen = 0
        for slot, flags in self._router.drain():
            seen |= flags
            book = self._books.at(slot)
            if book is None:
                continue
            if self._lay is not None:
                self._lay(slot, book.ladder, book.state, recv_ns)
            if flags & DESYNC:
                self._emit(BookDesynced(book.spec.market_id, "frames disagree with the book"))
            elif flags & TELLING:
                self._emit(TopChanged(book.spec.market_id, flags, recv_ns))
        if seen & TICK:
            self._ticks()
        if seen & TRADE:
            self._trades()
        if seen & (NEW_MARKET | RESOLVED):
            for frame in self._router.take_rare():
                self._rare(frame)

    def _ticks(self) -> None:
        for slot, tick_e4, stamp_ms in self._router.take_ticks():
            book = self._books.at(slot)
            if book is not None:
                self._emit(TickSizeChanged(book.spec.market_id, tick_e4, stamp_ms))

    def _trades(self) -> None:
        for slot, outcome, side, price_e4, size_e6, stamp_ms in self._router.take_trades():
            book = self._books.at(slot)
            if book is not None:
                self._emit(
                    Traded(
                        book.spec.market_id,
                        _OUTCOMES[outcome],
                        _SIDES[side],
                        price_e4,
                        size_e6,
                        stamp_ms,
                    )
                )


class SpotBursts:
    """Turns the spot router's flags into one `ReferenceMoved` per asset and burst."""

    def __init__(self, router: SpotRouter, assets: dict[str, str], emit: Emit) -> None:
        """Registers each asset's Binance symbol.

        Args:
            router: takes the frames.
            assets: asset name to Binance symbol.
            emit: takes each event.
        """
        self._router = router
        self._emit = emit
        self._assets = {router.add_symbol(symbol.upper()): name for name, symbol in assets.items()}

    def on_burst(self, recv_ns: int) -> None:
        """Tells the engine where the reference is now."""
        for index, flags in self._router.drain():
            if not flags & (QUOTE | SPOT_TRADE):
                continue
            bid_e8, _, ask_e8, _, _, quote_ns = self._router.quote(index)
            if not quote_ns:
                continue
            buy_e8, sell_e8, trades, last_e8, event_ns, buys = self._router.take_flow(index)
            self._emit(
                ReferenceMoved(
                    self._assets[index],
                    bid_e8,
                    ask_e8,
                    recv_ns or quote_ns,
                    buy_e8,
                    sell_e8,
                    trades,
                    last_e8,
                    event_ns,
                    buys,
                )
            )

"""What others need to replay the same changes of one book: nautilus_trader and hftbacktest.

A program of its own, so that it may run in an interpreter that has them and not us:

    python replay_peers.py CHANGES.json ROUNDS

CHANGES.json holds a list of frames, each [at_ns, [[side, price_e4, size_e6], ...], whole]; whole
frames replace the book. Both are given these ready in their own form, which is not timed: they
decode nothing, while we decode JSON. Prints nanoseconds a frame, by name; who is not installed is
left out.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from functools import cache
from typing import Any

Frames = list[tuple[int, list[tuple[int, int, int]], bool]]


def main(argv: list[str]) -> int:
    """Measures and prints; the arguments are the file and the number of rounds."""
    with open(argv[0], encoding="utf-8") as file:
        frames: Frames = json.load(file)
    found: dict[str, list[float]] = {}
    for _ in range(int(argv[1])):
        for play in (nautilus, hftbacktest):
            try:
                name, work = play(frames)
            except ImportError:
                continue
            began = time.thread_time_ns()
            work()
            spent = (time.thread_time_ns() - began) / len(frames)
            found.setdefault(name, []).append(spent)
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


def nautilus(frames: Frames) -> tuple[str, Callable[[], Any]]:
    """Returns a backtest whose strategy reads the touch at each batch of book deltas."""
    import nautilus_trader
    from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
    from nautilus_trader.config import LoggingConfig
    from nautilus_trader.model.currencies import USDT
    from nautilus_trader.model.enums import AccountType, BookType, OmsType
    from nautilus_trader.model.objects import Money
    from nautilus_trader.test_kit.providers import TestInstrumentProvider
    from nautilus_trader.trading.strategy import Strategy

    instrument = TestInstrumentProvider.btcusdt_binance()

    class Touch(Strategy):  # type: ignore[misc]
        """Reads best bid and ask whenever the book changed."""

        def on_start(self) -> None:
            self.subscribe_order_book_deltas(instrument.id, BookType.L2_MBP)

        def on_order_book_deltas(self, deltas: Any) -> None:
            book = self.cache.order_book(deltas.instrument_id)
            self.seen = (book.best_bid_price(), book.best_ask_price())

    engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
    engine.add_venue(
        instrument.venue, OmsType.NETTING, AccountType.CASH, [Money(1_000_000, USDT)],
        book_type=BookType.L2_MBP,
    )  # fmt: skip
    engine.add_instrument(instrument)
    engine.add_data(_deltas(instrument, frames))
    engine.add_strategy(Touch())
    return f"nautilus_trader {nautilus_trader.__version__}, deltas ready", engine.run


def _deltas(instrument: Any, frames: Frames) -> list[Any]:
    from nautilus_trader.model.data import BookOrder, OrderBookDelta, OrderBookDeltas
    from nautilus_trader.model.enums import BookAction, OrderSide

    sides = (OrderSide.BUY, OrderSide.SELL)
    ready = []
    for number, (at_ns, levels, whole) in enumerate(frames):
        deltas = [OrderBookDelta.clear(instrument.id, number, at_ns, at_ns)] if whole else []
        for side, price_e4, size_e6 in levels:
            order = BookOrder(
                sides[side], instrument.make_price(price_e4 / 100),
                instrument.make_qty(max(size_e6, 1) / 1e6), price_e4,
            )  # fmt: skip
            action = BookAction.UPDATE if size_e6 else BookAction.DELETE
            deltas.append(OrderBookDelta(instrument.id, action, order, 0, number, at_ns, at_ns))
        ready.append(OrderBookDeltas(instrument.id, deltas))
    return ready


def hftbacktest(frames: Frames) -> tuple[str, Callable[[], Any]]:
    """Returns a backtest whose compiled strategy reads the touch at each depth event."""
    from importlib.metadata import version

    import numpy as np
    from hftbacktest import (
        BUY_EVENT,
        DEPTH_EVENT,
        EXCH_EVENT,
        LOCAL_EVENT,
        SELL_EVENT,
        BacktestAsset,
        HashMapMarketDepthBacktest,
    )
    from hftbacktest.types import event_dtype

    both = EXCH_EVENT | LOCAL_EVENT | DEPTH_EVENT
    flags = (both | BUY_EVENT, both | SELL_EVENT)
    rows = [
        (flags[side], at_ns, at_ns + 1_000, price_e4 / 10_000, size_e6 / 1e6, 0, 0, 0.0)
        for at_ns, levels, _ in frames
        for side, price_e4, size_e6 in levels
    ]
    events = np.array(rows, dtype=event_dtype)
    asset = (
        BacktestAsset()
        .data(events)
        .linear_asset(1.0)
        .constant_order_latency(1_000_000, 1_000_000)
        .risk_adverse_queue_model()
        .no_partial_fill_exchange()
        .trading_value_fee_model(0.0, 0.0)
        .tick_size(0.01)
        .lot_size(0.01)
    )

    if frames[100:]:  # compiled before it is timed, on the first frames alone
        hftbacktest(frames[:100])[1]()
    hbt, play = HashMapMarketDepthBacktest([asset]), _compiled()

    def work() -> None:  # keeps the events, of which the backtest has but the address
        seen, _ = play(hbt)
        if seen == 0 < len(events):
            raise RuntimeError("hftbacktest was given events and played none")

    return f"hftbacktest {version('hftbacktest')}, events ready", work


@cache
def _compiled() -> Callable[[Any], tuple[int, float]]:
    from numba import njit

    @njit  # type: ignore[untyped-decorator]
    def play(hbt: Any) -> tuple[int, float]:
        seen, touch = 0, 0.0
        while hbt.wait_next_feed(False, 10**15) == 2:
            depth = hbt.depth(0)
            touch += depth.best_bid + depth.best_ask
            seen += 1
        return seen, touch

    found: Callable[[Any], tuple[int, float]] = play
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

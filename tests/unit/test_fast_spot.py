"""Spot router: newest quote, flow since last taken, gaps, copies from redundant connections."""

from __future__ import annotations

from typing import Any

import pytest

from dailyarb._fast import spot as kernel
from dailyarb._fast.spot import SpotRouter
from tests.oracles.frames import pack
from tests.unit.test_fast_binance import AGG, DEPTH, QUOTE, TRADE

E8 = 10**8


@pytest.fixture
def router() -> SpotRouter:
    """Gives a router of BTCUSDT and ETHUSDT."""
    router = SpotRouter()
    assert [router.add_symbol(name) for name in ("BTCUSDT", "ETHUSDT")] == [0, 1]
    return router


def give(router: SpotRouter, event: dict[str, Any], recv_ns: int = 1, **fields: Any) -> int:
    return router.on_frame(pack({**event, **fields}), recv_ns)


def test_a_quote_is_kept_with_its_reception(router: SpotRouter) -> None:
    assert router.quote(1)[4] == -1
    assert give(router, QUOTE, 77) == kernel.QUOTE
    assert router.quote(1) == (268380000000, 302920000, 268381000000, 3143950000, 35346513501, 77)
    assert router.drain() == [(1, kernel.QUOTE)]
    assert router.drain() == []


def test_only_a_rising_update_id_is_news(router: SpotRouter) -> None:
    give(router, QUOTE, 77, u=5)
    assert give(router, QUOTE, 78, u=5, b="1") == 0
    assert give(router, QUOTE, 79, u=4, b="1") == 0
    assert router.quote(1)[5] == 77
    assert router.last_recv_ns(1) == 79
    assert router.counters["stale_quotes"] == 2


def test_flow_is_signed_by_the_aggressor_and_taken_once(router: SpotRouter) -> None:
    give(router, TRADE, t=10, q="2", m=True)
    give(router, TRADE, t=11, q="3", m=False, p="9", E=5)
    assert give(router, TRADE, t=11, q="3", m=False) == 0
    assert router.take_flow(0) == (3 * E8, 2 * E8, 2, 9 * E8, 5 * 10**6, 1)
    assert router.take_flow(0) == (0, 0, 0, 9 * E8, 5 * 10**6, 0)
    assert router.counters["duplicates"] == 1


def test_flow_does_not_overflow(router: SpotRouter) -> None:
    for number in range(20):
        give(router, TRADE, t=number, q="10000000000", m=False)
    assert router.take_flow(0)[0] == 20 * 10**18


def test_a_missing_trade_id_is_a_gap(router: SpotRouter) -> None:
    assert give(router, TRADE, t=10) == kernel.TRADE
    assert give(router, TRADE, t=11) == kernel.TRADE
    assert give(router, TRADE, t=13) == kernel.TRADE | kernel.GAP
    assert give(router, TRADE, t=12) == 0
    assert router.counters["gaps"] == 1


def test_aggregates_count_only_where_there_are_no_single_trades(router: SpotRouter) -> None:
    assert give(router, AGG, a=1) == kernel.TRADE
    assert router.take_flow(0)[2] == 1
    give(router, TRADE, t=10)
    assert give(router, AGG, a=2) == 0
    assert give(router, AGG, a=4) == kernel.GAP
    assert router.take_flow(0)[2] == 1


def test_depth_must_continue(router: SpotRouter) -> None:
    assert router.depth(0) == (-1, 0)
    assert give(router, DEPTH, U=1, u=5) == kernel.DEPTH
    assert give(router, DEPTH, U=6, u=7) == kernel.DEPTH
    assert give(router, DEPTH, U=6, u=7) == 0
    assert give(router, DEPTH, U=9, u=9) == kernel.DEPTH | kernel.GAP
    assert router.depth(0) == (9, 1723161255308 * 10**6)


def test_shutdown_faults_and_strangers(router: SpotRouter) -> None:
    assert router.on_frame(b'{"e":"serverShutdown","E":1}', 1) == kernel.SHUTDOWN
    assert router.on_frame(b'{"u":', 1) == kernel.FAULT
    assert router.faults == {"syntax": 1}
    assert router.fault_sample == b'{"u":'
    assert give(router, QUOTE, s="DOGEUSDT") == 0
    assert router.counters["unknown_symbols"] == 1
    assert router.on_frame(b'{"result":null,"id":1}', 1) == 0
    assert router.drain() == []


def test_symbols_are_bounded(router: SpotRouter) -> None:
    with pytest.raises(ValueError):
        router.add_symbol("BTCUSDT")
    with pytest.raises(ValueError):
        router.add_symbol("")
    for number in range(kernel.SYMBOLS_MAX - 2):
        router.add_symbol(f"S{number}")
    with pytest.raises(ValueError):
        router.add_symbol("ONE")
    for index in (-1, kernel.SYMBOLS_MAX):
        with pytest.raises(IndexError):
            router.quote(index)


def test_the_buffer_is_only_borrowed(router: SpotRouter) -> None:
    buffer = bytearray(pack(QUOTE))
    assert router.on_frame(memoryview(buffer), 1) == kernel.QUOTE
    buffer[:] = b"\xaa" * len(buffer)
    assert router.quote(1)[0] == 268380000000

"""Router: one frame at a time, nothing read half applied, contradictions end in a desync."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dailyarb._fast import router as kernel
from dailyarb._fast.router import BookRouter
from tests.oracles import frames as made
from tests.oracles.frames import DOWN, OTHER, STAMP, UP, pack

MS = 1_000_000
SHARE = 10**6
MARKET = 3


class Bench:
    """Is a router with one market and a receive clock."""

    def __init__(self, synced: bool = True) -> None:
        self.router = BookRouter(markets_max=8, settle_ms=250)
        self.ladder = self.router.add_market(MARKET, UP, DOWN, 100)
        self.now_ms = 0
        if synced:
            self.give(made.book({8500: SHARE, 8600: SHARE}, {8700: SHARE, 8800: SHARE}, hash_="s"))
            self.router.drain()

    def give(self, event: object, wait_ms: int = 1) -> int:
        """Hands an event over, `wait_ms` after the last one."""
        self.now_ms += wait_ms
        return self.router.on_frame(pack(event), self.now_ms * MS)

    def change(self, *arguments: Any, wait_ms: int = 1, **options: Any) -> int:
        """Hands a price_change with its mirror over."""
        return self.give(made.price_change(*arguments, **options), wait_ms)


def test_a_snapshot_syncs_and_tells_the_touch() -> None:
    bench = Bench(synced=False)
    flags = bench.give(made.book({8600: SHARE}, {8700: SHARE}, DOWN))
    assert flags == kernel.SNAPSHOT | kernel.TOP | kernel.DEPTH
    assert bench.ladder.synced
    assert bench.ladder.top(1) == (8600, SHARE, 8700, SHARE)
    assert bench.router.drain() == [(MARKET, flags)]
    assert bench.router.drain() == []


def test_changes_before_the_snapshot_survive_it() -> None:
    bench = Bench(synced=False)
    bench.change("BUY", 8500, 9 * SHARE, stamp=STAMP + 5)
    assert not bench.ladder.synced
    bench.give(made.book({8500: SHARE, 8400: SHARE}, {8700: SHARE}))
    assert bench.ladder.levels(0, 0, 9) == [(8500, 9 * SHARE), (8400, SHARE)]


def test_top_is_flagged_only_when_the_touch_moved() -> None:
    bench = Bench()
    assert bench.change("BUY", 8500, 2 * SHARE, (8600, 8700)) == kernel.DEPTH
    assert bench.change("BUY", 8600, 2 * SHARE, (8600, 8700)) == kernel.DEPTH | kernel.TOP
    assert bench.change("BUY", 8600, 2 * SHARE, (8600, 8700)) == 0
    assert bench.router.drain() == [(MARKET, kernel.DEPTH | kernel.TOP)]


def test_a_redundant_copy_is_dropped_but_proves_life() -> None:
    bench = Bench()
    first = made.price_change("BUY", 8600, 5 * SHARE, (8600, 8700), STAMP + 1, "x")
    second = made.price_change("BUY", 8600, 6 * SHARE, (8600, 8700), STAMP + 1, "y")
    bench.give(first)
    bench.give(second)
    assert bench.give(first, wait_ms=40) == 0
    assert bench.ladder.top(0)[1] == 6 * SHARE
    assert bench.router.counters["duplicates"] == 2
    assert bench.router.last_recv_ns(MARKET) == bench.now_ms * MS
    assert bench.router.token_recv_ns(MARKET, 1) == bench.now_ms * MS


def test_there_and_back_within_a_millisecond_is_no_copy() -> None:
    there = made.price_change("BUY", 8600, 5 * SHARE, None, STAMP + 1, "x")
    back = made.price_change("BUY", 8600, 6 * SHARE, None, STAMP + 1, "y")
    sent = [pack(event) for event in (there, back, there)]
    for order in ("000", "000111", "010101", "001011", "011100"):
        bench = Bench()
        left = {0: list(sent), 1: list(sent)}
        for at, source in enumerate(map(int, order)):
            bench.router.on_frame(left[source].pop(0), at, source)
        assert bench.ladder.top(0)[1] == 5 * SHARE


def test_the_nth_coming_of_a_change_is_applied_once() -> None:
    bench = Bench()
    trade = pack(made.trade(8700, SHARE))
    flags = [bench.router.on_frame(trade, 1, source) for source in (0, 1, 1, 0, 0, 9, -1)]
    news = kernel.TRADE
    assert flags == [news, 0, news, 0, news, 0, 0]


def test_a_book_and_its_change_share_a_hash_and_both_count() -> None:
    bench = Bench()
    bench.change("BUY", 8600, 5 * SHARE, (8600, 8700), STAMP + 1, "x")
    assert bench.give(made.book({8600: 5 * SHARE}, {8700: SHARE}, stamp=STAMP + 1, hash_="ax"))
    assert bench.give(made.book({8600: 5 * SHARE}, {8700: SHARE}, stamp=STAMP + 1, hash_="ax")) == 0
    assert bench.ladder.levels_count == 2


def test_stamps_out_of_order_are_no_fault() -> None:
    bench = Bench()
    bench.change("BUY", 8600, 5 * SHARE, (8600, 8700), STAMP + 9)
    assert bench.change("BUY", 8600, 7 * SHARE, (8600, 8900), STAMP + 3) == 0
    counters = bench.router.counters
    assert (counters["late"], counters["mismatches"], counters["desyncs"]) == (2, 2, 0)
    assert bench.router.last_stamp_ms(MARKET) == STAMP + 9
    assert bench.router.expire((bench.now_ms + 10_000) * MS) == 0


@pytest.mark.parametrize("key, value", [("price", "0.15"), ("size", "2"), ("side", "BUY")])
def test_a_broken_mirror_inside_a_frame_desyncs(key: str, value: str) -> None:
    bench = Bench()
    event = made.price_change("BUY", 8600, SHARE, (8600, 8700))
    event["price_changes"][1][key] = value
    assert bench.give(event) & kernel.DESYNC
    assert bench.router.counters["broken_mirrors"] == 1
    assert not bench.ladder.synced


def test_several_mirrored_entries_in_any_order_are_whole() -> None:
    bench = Bench()
    one = made.price_change("BUY", 8600, 3 * SHARE)["price_changes"]
    two = made.price_change("SELL", 8800, 4 * SHARE)["price_changes"]
    event = made.price_change("BUY", 8600, SHARE)
    event["price_changes"] = [one[0], two[0], one[1], two[1]]
    assert not bench.give(event) & kernel.DESYNC
    event["price_changes"] = [one[0], two[0], one[1], one[1]]
    assert bench.give(event) & kernel.DESYNC


def test_one_tokens_entry_alone_is_accepted() -> None:
    bench = Bench()
    event = made.price_change("SELL", 8700, 0, (8600, 8800))
    del event["price_changes"][0]
    assert bench.give(event) == kernel.TOP | kernel.DEPTH
    assert bench.ladder.top(0)[2] == 8800


def test_levels_beyond_the_stated_touch_go() -> None:
    bench = Bench()
    bench.change("BUY", 8500, 3 * SHARE, (8500, 8700), STAMP + 1)
    assert bench.ladder.top(0) == (8500, 3 * SHARE, 8700, SHARE)
    counters = bench.router.counters
    assert (counters["mismatches"], counters["trims"], counters["desyncs"]) == (2, 1, 0)
    assert bench.router.expire((bench.now_ms + 1_000) * MS) == 0


def test_a_touch_that_stays_different_desyncs_after_the_settling_time() -> None:
    bench = Bench()
    stated = (8600, 8650)  # an ask we never heard of
    assert not bench.change("BUY", 8500, 3 * SHARE, stated, STAMP + 1) & kernel.DESYNC
    assert not bench.change("BUY", 8500, 4 * SHARE, stated, STAMP + 2, wait_ms=250) & kernel.DESYNC
    assert bench.change("BUY", 8500, 5 * SHARE, stated, STAMP + 3) & kernel.DESYNC
    assert not bench.change("BUY", 8500, 6 * SHARE, stated, STAMP + 4) & kernel.DESYNC  # told once
    assert bench.router.counters["desyncs"] == 1


def test_time_alone_judges_a_feed_gone_quiet() -> None:
    bench = Bench()
    bench.change("BUY", 8500, 3 * SHARE, (8600, 8650), STAMP + 1)
    assert bench.router.expire((bench.now_ms + 250) * MS) == 0
    assert bench.router.expire((bench.now_ms + 251) * MS) == kernel.DESYNC
    assert bench.router.drain()[-1][1] & kernel.DESYNC


def test_agreement_acquits() -> None:
    bench = Bench()
    bench.change("BUY", 8500, 3 * SHARE, (8600, 8650), STAMP + 1)
    bench.change("BUY", 8500, 4 * SHARE, (8600, 8700), STAMP + 2)
    assert bench.router.expire((bench.now_ms + 9_999) * MS) == 0
    assert bench.router.counters["agreements"] == 2


def test_a_crossed_book_that_persists_desyncs() -> None:
    bench = Bench()
    assert not bench.change("BUY", 8700, SHARE, stamp=STAMP + 1) & kernel.DESYNC
    assert bench.ladder.crossed
    assert bench.change("BUY", 8500, SHARE * 2, stamp=STAMP + 2, wait_ms=251) & kernel.DESYNC


def test_a_level_off_the_grid_desyncs() -> None:
    bench = Bench()
    assert bench.change("BUY", 8650, SHARE) == kernel.DESYNC
    assert bench.ladder.off_grid == 2


def test_resync_empties_the_book_until_the_same_snapshot_comes_again() -> None:
    bench = Bench()
    snapshot = made.book({8500: SHARE, 8600: SHARE}, {8700: SHARE, 8800: SHARE}, hash_="s")
    assert bench.give(snapshot) == 0
    epoch = bench.ladder.epoch
    bench.router.resync(MARKET)
    assert (bench.ladder.epoch, bench.ladder.synced) == (epoch + 1, False)
    assert bench.give(snapshot) == kernel.SNAPSHOT | kernel.DEPTH | kernel.TOP
    assert bench.ladder.top(0) == (8600, SHARE, 8700, SHARE)


def test_a_tick_change_opens_an_epoch_once_for_both_tokens() -> None:
    bench = Bench()
    assert bench.give(made.tick_change("0.001", UP, STAMP + 1)) & kernel.TICK
    assert bench.give(made.tick_change("0.001", DOWN, STAMP + 1)) == 0
    assert bench.router.take_ticks() == [(MARKET, 10, STAMP + 1)]
    assert not bench.ladder.synced
    assert bench.give(made.book({9655: SHARE}, {9750: SHARE}, stamp=STAMP + 2)) & kernel.DESYNC
    bench.router.resync(MARKET)
    assert bench.give(made.book({9650: SHARE}, {9750: SHARE}, stamp=STAMP + 3)) & kernel.SNAPSHOT


def test_an_older_source_does_not_restore_the_old_tick() -> None:
    bench = Bench()
    bench.give(made.tick_change("0.001", stamp=STAMP + 5))
    assert bench.give(made.tick_change("0.01", stamp=STAMP + 4)) == 0
    bench.give(made.book({8600: SHARE}, {8700: SHARE}, stamp=STAMP + 4, tick_size="0.01"))
    assert bench.ladder.tick_e4 == 10
    assert bench.give(made.tick_change("0.003", stamp=STAMP + 6)) & kernel.DESYNC


def test_a_snapshot_may_bring_the_new_tick_itself() -> None:
    bench = Bench()
    flags = bench.give(made.book({9655: SHARE}, {9750: SHARE}, stamp=STAMP + 9, tick_size="0.0005"))
    assert flags & kernel.DESYNC  # 0.0005 is no tick we know
    bench.router.resync(MARKET)
    flags = bench.give(made.book({9650: 7}, {9750: 8}, stamp=STAMP + 10, tick_size="0.001"))
    assert flags & kernel.TICK and flags & kernel.SNAPSHOT
    assert bench.ladder.top(0) == (9650, 7, 9750, 8)


def test_trades_are_told_once_and_bounded() -> None:
    bench = Bench()
    assert bench.give(made.trade(8700, 5 * SHARE, "SELL", DOWN)) == kernel.TRADE
    assert bench.give(made.trade(8700, 5 * SHARE, "SELL", DOWN)) == 0
    assert bench.router.take_trades() == [(MARKET, 1, 1, 8700, 5 * SHARE, STAMP)]
    assert bench.router.take_trades() == []
    for size in range(1, 4_100):
        bench.give(made.trade(8700, size))
    trades = bench.router.take_trades()
    assert (len(trades), trades[0][4], bench.router.counters["trades_dropped"]) == (4096, 4, 3)


def test_rare_events_reach_python() -> None:
    bench = Bench()
    assert bench.give([made.resolved(), made.new_market()]) == kernel.RESOLVED | kernel.NEW_MARKET
    assert [json.loads(raw)["event_type"] for raw in bench.router.take_rare()] == [
        "market_resolved",
        "new_market",
    ]
    assert bench.router.drain() == [(MARKET, kernel.RESOLVED)]


def test_best_bid_ask_proves_life_and_moves_nothing() -> None:
    bench = Bench()
    assert bench.give(made.best("0.10", "0.20")) == 0
    assert bench.ladder.top(0)[0] == 8600
    assert bench.router.token_recv_ns(MARKET, 0) == bench.now_ms * MS


def test_a_fault_applies_nothing_and_leaves_a_sample() -> None:
    bench = Bench()
    event = made.price_change("BUY", 8600, 9 * SHARE)
    event["price_changes"][1]["price"] = "0.14001"
    frame = pack(event) + b" " * 5_000
    assert bench.router.on_frame(frame, 1) == kernel.FAULT
    assert bench.router.faults == {"scale": 1}
    assert bench.router.fault_sample == frame[:4096]
    assert bench.ladder.top(0)[1] == SHARE
    assert bench.ladder.synced
    assert bench.router.on_frame(b"PONG", 2) == 0


def test_markets_come_and_go() -> None:
    bench = Bench()
    with pytest.raises(ValueError):
        bench.router.add_market(MARKET, OTHER, "x", 100)
    with pytest.raises(ValueError):
        bench.router.add_market(4, OTHER, UP, 100)  # UP is routed; OTHER must stay free
    ladder = bench.router.add_market(4, OTHER, "x", 100)
    assert bench.router.ladder(4) is ladder
    bench.router.remove_market(MARKET)
    assert bench.change("BUY", 8600, 9 * SHARE) == 0
    assert bench.router.counters["unknown_tokens"] == 2
    assert bench.ladder.top(0)[1] == SHARE
    with pytest.raises(KeyError):
        bench.router.ladder(MARKET)
    again = bench.router.add_market(MARKET, UP, DOWN, 10)
    assert again.levels_count == 0
    for market in (-1, 8):
        with pytest.raises(ValueError):
            bench.router.add_market(market, "p", "q", 100)
        with pytest.raises(KeyError):
            bench.router.resync(market)


def test_the_buffer_is_only_borrowed() -> None:
    whole, borrowed = Bench(), Bench()
    events = made.every_event()
    for frame in events:
        buffer = bytearray(frame)
        assert borrowed.router.on_frame(memoryview(buffer), MS) == whole.router.on_frame(frame, MS)
        buffer[:] = b"\xaa" * len(buffer)
    assert borrowed.router.take_trades() == whole.router.take_trades()
    assert borrowed.router.take_rare() == whole.router.take_rare()
    assert borrowed.router.drain() == whole.router.drain()
    assert borrowed.ladder.levels(0, 0, 99) == whole.ladder.levels(0, 0, 99)


class TestMark:
    """Sizes of the touch beyond what anybody asks for are no news."""

    @staticmethod
    def feed(router: BookRouter, bid: str, size: str, stamp: int) -> int:
        frame = (
            f'{{"event_type":"book","asset_id":"{UP}","market":"m","timestamp":"{stamp}",'
            f'"hash":"{stamp:x}","bids":[{{"price":"{bid}","size":"{size}"}}],'
            f'"asks":[{{"price":"0.60","size":"500"}}]}}'
        )
        return router.on_frame(frame.encode(), stamp)

    def router(self, mark_e6: int | None) -> BookRouter:
        router = BookRouter()
        router.add_market(0, UP, DOWN, 100)
        if mark_e6 is not None:
            router.set_mark(0, mark_e6)
        self.feed(router, "0.50", "300", 1)
        return router

    def test_a_size_beyond_the_mark_is_told_as_depth_only(self) -> None:
        router = self.router(100_000_000)
        assert not self.feed(router, "0.50", "250", 2) & kernel.TOP
        assert self.feed(router, "0.50", "240", 3) & kernel.DEPTH

    def test_a_size_below_the_mark_and_every_price_is_told(self) -> None:
        router = self.router(100_000_000)
        assert self.feed(router, "0.50", "99.99", 2) & kernel.TOP
        assert self.feed(router, "0.50", "99.98", 3) & kernel.TOP
        assert self.feed(router, "0.50", "100", 4) & kernel.TOP
        assert not self.feed(router, "0.50", "101", 5) & kernel.TOP
        assert self.feed(router, "0.51", "101", 6) & kernel.TOP

    def test_without_a_mark_every_size_is_told(self) -> None:
        assert self.feed(self.router(None), "0.50", "250", 2) & kernel.TOP

    def test_a_mark_is_positive_and_of_an_open_market(self) -> None:
        router = self.router(1)
        with pytest.raises(ValueError, match="not positive"):
            router.set_mark(0, 0)
        with pytest.raises(KeyError):
            router.set_mark(3, 1)

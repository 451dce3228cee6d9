"""Tick ladder: stamps decide, checkpoints delete only what is older, two mirrored views."""

from __future__ import annotations

from pathlib import Path

import pytest

from dailyarb._fast.ladder import Ladder
from dailyarb.runtime.gauges import rss_mb

UP, DOWN, BUY, SELL = 0, 1, 0, 1
SHARE = 10**6


def book(
    ladder: Ladder, stamp_ms: int, levels: list[tuple[int, int, int]], outcome: int = UP
) -> bool:
    """Applies a checkpoint and says whether anything changed."""
    ladder.begin_book(outcome, stamp_ms)
    for level in levels:
        ladder.book_level(*level)
    return ladder.end_book()


def test_an_empty_book_has_no_touch() -> None:
    ladder = Ladder()
    assert ladder.top(UP) == ladder.top(DOWN) == (0, 0, 10_000, 0)
    assert (ladder.synced, ladder.crossed, ladder.levels_count, ladder.stamp_ms) == (
        False, False, 0, 0
    )  # fmt: skip


def test_down_is_the_mirror_of_up() -> None:
    ladder = Ladder()
    assert ladder.apply_level(UP, BUY, 8600, 3 * SHARE, 1)
    assert ladder.apply_level(DOWN, BUY, 1300, 5 * SHARE, 1)
    assert ladder.top(UP) == (8600, 3 * SHARE, 8700, 5 * SHARE)
    assert ladder.top(DOWN) == (1300, 5 * SHARE, 1400, 3 * SHARE)
    assert ladder.levels(DOWN, SELL, 5) == [(1400, 3 * SHARE)]


def test_the_newer_stamp_wins_and_equal_stamps_go_to_the_later() -> None:
    ladder = Ladder()
    assert ladder.apply_level(UP, BUY, 5000, 1, 10)
    assert not ladder.apply_level(UP, BUY, 5000, 2, 9)
    assert ladder.apply_level(DOWN, SELL, 5000, 3, 10)
    assert ladder.top(UP)[1] == 3
    assert ladder.late == 1
    assert ladder.stamp_ms == 10


def test_a_deleted_level_stays_deleted_for_older_news() -> None:
    ladder = Ladder()
    ladder.apply_level(UP, BUY, 5000, 1, 10)
    ladder.apply_level(UP, BUY, 5000, 0, 20)
    assert not ladder.apply_level(UP, BUY, 5000, 7, 15)
    assert ladder.levels_count == 0


def test_a_checkpoint_spares_newer_levels() -> None:
    ladder = Ladder()
    for price, stamp in ((4000, 5), (4100, 15), (4200, 10)):
        ladder.apply_level(UP, BUY, price, SHARE, stamp)
    assert book(ladder, 10, [(BUY, 4100, 9 * SHARE), (SELL, 5000, 2 * SHARE)])
    assert ladder.levels(UP, BUY, 9) == [(4100, SHARE)]
    assert ladder.levels(UP, SELL, 9) == [(5000, 2 * SHARE)]
    assert ladder.synced


def test_after_a_checkpoint_older_news_is_late_everywhere() -> None:
    ladder = Ladder()
    book(ladder, 10, [(BUY, 4000, SHARE)])
    assert not ladder.apply_level(UP, BUY, 3000, SHARE, 9)
    assert ladder.apply_level(UP, BUY, 3000, SHARE, 10)
    assert not book(ladder, 9, [])
    assert ladder.levels_count == 2


def test_the_next_best_is_found_across_words_of_the_bitmap() -> None:
    for tick_e4 in (1000, 100, 50, 25, 10, 1):
        ladder = Ladder(tick_e4)
        low, high = tick_e4, 10_000 - tick_e4
        for price in (low, high):
            ladder.apply_level(UP, BUY, price, SHARE, 1)
        assert ladder.top(UP)[0] == high
        ladder.apply_level(UP, BUY, high, 0, 2)
        assert ladder.top(UP)[0] == low
        ladder.apply_level(UP, BUY, low, 0, 2)
        for price in (low, high):
            ladder.apply_level(UP, SELL, price, SHARE, 3)
        assert ladder.top(UP)[2] == low
        ladder.apply_level(UP, SELL, low, 0, 4)
        assert ladder.top(UP) == (0, 0, high, SHARE)


def test_depth_and_sweep_are_exact() -> None:
    ladder = Ladder()
    for price, size in ((5000, 10), (5100, 20), (5300, 30)):
        ladder.apply_level(UP, SELL, price, size * SHARE, 1)
    assert ladder.depth(UP, SELL, 5100) == 30 * SHARE
    assert ladder.depth(DOWN, BUY, 4900) == 30 * SHARE
    assert ladder.depth(UP, SELL, 4999) == 0
    assert ladder.total(UP, SELL) == ladder.total(DOWN, BUY) == 60 * SHARE
    assert ladder.sweep(UP, BUY, 25 * SHARE, 9900) == (25 * SHARE, (5000 * 10 + 5100 * 15) * SHARE)
    assert ladder.sweep(UP, BUY, 99 * SHARE, 5100) == (30 * SHARE, (5000 * 10 + 5100 * 20) * SHARE)
    assert ladder.sweep(DOWN, SELL, 5 * SHARE, 5000) == (5 * SHARE, 5000 * 5 * SHARE)
    assert ladder.sweep(UP, SELL, SHARE, 100) == (0, 0)


def test_the_largest_book_does_not_overflow() -> None:
    ladder = Ladder(1)
    most = 10**15
    for price in range(1, 10_000):
        ladder.apply_level(UP, SELL, price, most, 1)
    assert ladder.total(UP, SELL) == 9_999 * most
    assert ladder.depth(UP, SELL, 10_000) == 9_999 * most
    assert ladder.sweep(UP, BUY, most, 10_000) == (most, most)
    assert len(ladder.levels(UP, SELL, 10_000)) == 9_999


@pytest.mark.parametrize("price_e4", [0, 10_000, -100, 10_100, 8650, 1])
def test_a_level_off_the_grid_is_refused_and_desyncs(price_e4: int) -> None:
    ladder = Ladder()
    book(ladder, 1, [(BUY, 4000, SHARE)])
    assert not ladder.apply_level(UP, BUY, price_e4, SHARE, 2)
    assert (ladder.off_grid, ladder.synced, ladder.desynced) == (1, False, True)
    book(ladder, 3, [(BUY, 4000, SHARE)])
    assert not ladder.synced  # only a new epoch cures it
    ladder.clear()
    book(ladder, 4, [(BUY, 4000, SHARE)])
    assert ladder.synced


def test_a_tick_change_is_a_new_epoch() -> None:
    ladder = Ladder()
    book(ladder, 1, [(BUY, 9600, SHARE), (SELL, 9700, SHARE)])
    ladder.set_tick(10)
    assert (ladder.tick_e4, ladder.epoch, ladder.synced, ladder.levels_count) == (10, 1, False, 0)
    assert ladder.top(UP) == (0, 0, 10_000, 0)
    book(ladder, 2, [(BUY, 9650, SHARE)])
    assert ladder.synced and ladder.top(UP)[0] == 9650
    ladder.set_tick(100)
    assert ladder.levels_count == 0
    assert not ladder.apply_level(UP, BUY, 9650, SHARE, 3)


def test_crossed_is_seen() -> None:
    ladder = Ladder()
    ladder.apply_level(UP, BUY, 5000, SHARE, 1)
    ladder.apply_level(UP, SELL, 5000, SHARE, 1)
    assert ladder.crossed
    ladder.apply_level(UP, SELL, 5000, 0, 2)
    assert not ladder.crossed


def test_arguments_outside_their_range_are_refused() -> None:
    ladder = Ladder()
    for tick_e4 in (0, -1, 2, 99, 10_000):
        with pytest.raises(ValueError):
            Ladder(tick_e4)
        with pytest.raises(ValueError):
            ladder.set_tick(tick_e4)
    bad = [(2, 0, 1, 1), (0, -1, 1, 1), (0, 0, -1, 1), (0, 0, 10**15 + 1, 1), (0, 0, 1, -1)]
    for outcome, side, size, stamp in bad:
        with pytest.raises(ValueError):
            ladder.apply_level(outcome, side, 5000, size, stamp)
    with pytest.raises(ValueError):
        ladder.book_level(BUY, 5000, 1)
    with pytest.raises(ValueError):
        ladder.end_book()
    with pytest.raises(ValueError):
        ladder.levels(UP, BUY, -1)
    with pytest.raises(OverflowError):
        ladder.apply_level(UP, BUY, 5000, 2**70, 1)


def test_a_book_takes_the_memory_of_its_own_grid_only() -> None:
    """Reserved for the finest grid, each book of a later window took 320 KB of the heap."""
    if not Path("/proc/self/statm").exists():
        pytest.skip("no /proc/self/statm tells the resident memory")
    del [Ladder() for _ in range(4)][:]  # freed blocks raise the size that goes to the heap
    before_mb = rss_mb()
    books = [Ladder() for _ in range(200)]

    assert rss_mb() - before_mb < 16.0, "64 MB were it the finest grid"
    assert all(one.apply_level(UP, BUY, 9_900, SHARE, 1) for one in books)

"""The one book of a market: queue positions, matching, and the touch."""

from __future__ import annotations

import random

import pytest

from dailyarb.sim.orderbook import ASK, BID, ONE_E4, Match, OrderBook, Resting

SHARE = 1_000_000


def book(bid: int = 4900, ask: int = 5000, size: int = 100) -> OrderBook:
    made = OrderBook()
    made.set_crowd(BID, bid, size * SHARE)
    made.set_crowd(ASK, ask, size * SHARE)
    return made


def test_an_empty_book_reads_zero_and_one() -> None:
    assert (OrderBook().bid_e4, OrderBook().ask_e4) == (0, ONE_E4)


def test_the_crowd_ahead_is_served_first() -> None:
    made = book()
    order = Resting("0x1", BID, 4900, 10 * SHARE)
    made.rest(order)
    assert made.take(BID, 4900, 100 * SHARE) == [Match("", 4900, 100 * SHARE)]
    assert made.take(BID, 4900, 4 * SHARE) == [Match("0x1", 4900, 4 * SHARE)]
    assert order.left_e6 == 6 * SHARE


def test_the_crowd_behind_is_served_last() -> None:
    made = book(size=10)
    made.rest(Resting("0x1", BID, 4900, 5 * SHARE))
    made.set_crowd(BID, 4900, 50 * SHARE)
    parts = made.take(BID, 4900, 100 * SHARE)
    assert parts == [
        Match("", 4900, 10 * SHARE),
        Match("0x1", 4900, 5 * SHARE),
        Match("", 4900, 40 * SHARE),
    ]
    assert made.bid_e4 == 0


def test_cancels_come_from_anywhere_in_the_queue() -> None:
    made = book(size=100)
    order = Resting("0x1", ASK, 5000, 5 * SHARE)
    made.rest(order)
    made.set_crowd(ASK, 5000, 200 * SHARE)
    assert order.ahead_e6 == 100 * SHARE
    made.set_crowd(ASK, 5000, 100 * SHARE)
    assert order.ahead_e6 == 50 * SHARE


def test_two_orders_of_ours_keep_their_order() -> None:
    made = OrderBook()
    made.rest(Resting("first", ASK, 5000, 5 * SHARE))
    made.rest(Resting("second", ASK, 5000, 5 * SHARE))
    parts = made.take(ASK, 5000, 7 * SHARE)
    assert [(m.order_id, m.size_e6 // SHARE) for m in parts] == [("first", 5), ("second", 2)]


def test_a_pulled_order_leaves_the_touch() -> None:
    made = book()
    order = Resting("0x1", BID, 4950, 5 * SHARE)
    made.rest(order)
    assert made.bid_e4 == 4950
    made.pull(order)
    made.pull(order)
    assert made.bid_e4 == 4900
    assert made.total_e6(BID, 4950) == 0


def test_the_crowd_may_not_cross_itself() -> None:
    with pytest.raises(ValueError, match="cross"):
        book().set_crowd(BID, 5000, SHARE)


def test_depth_counts_up_to_the_limit() -> None:
    made = book()
    made.set_crowd(ASK, 5200, 7 * SHARE)
    assert made.depth_e6(ASK, 5100) == 100 * SHARE
    assert made.depth_e6(ASK, 5200) == 107 * SHARE
    assert made.depth_e6(BID, 4901) == 0


@pytest.mark.parametrize("seed", range(8))
def test_random_work_keeps_the_touch_and_the_shares(seed: int) -> None:
    rng = random.Random(seed)
    made = OrderBook()
    orders: list[Resting] = []
    for step in range(400):
        side = rng.randrange(2)
        price = rng.randrange(45, 50) * 100 if side == BID else rng.randrange(51, 56) * 100
        act = rng.random()
        if act < 0.5:
            made.set_crowd(side, price, rng.randrange(3) * 10 * SHARE)
        elif act < 0.65:
            order = Resting(str(step), side, price, 5 * SHARE)
            made.rest(order)
            orders.append(order)
        elif act < 0.75 and orders:
            made.pull(orders.pop(rng.randrange(len(orders))))
        elif made.best(side) not in (0, ONE_E4):
            best = made.best(side)
            before = made.total_e6(side, best)
            want = rng.randrange(1, 20) * SHARE
            taken = sum(match.size_e6 for match in made.take(side, best, want))
            assert taken == min(want, before)
            assert made.total_e6(side, best) == before - taken
        for one in (BID, ASK):
            prices = [p for p in made.prices(one) if made.total_e6(one, p)]
            expected = max(prices, default=0) if one == BID else min(prices, default=ONE_E4)
            assert made.best(one) == expected

"""The lean venue is strict, exact and loses no dollar; the oracle judges what it is shown."""

from __future__ import annotations

import json
import random
from fractions import Fraction

import pytest

from dailyarb.sim.world_venue import LeanVenue, Listing, RefusedError

UP, DOWN = "u", "d"


def order(
    side: str = "BUY", price_e4: int = 5_000, size_e6: int = 10_000_000, token: str = UP
) -> bytes:
    cash = price_e4 * size_e6 // 10_000
    maker, taker = (cash, size_e6) if side == "BUY" else (size_e6, cash)
    return json.dumps({"token": token, "side": side, "maker": maker, "taker": taker}).encode()


@pytest.fixture
def venue() -> LeanVenue:
    made = LeanVenue(random.Random(1), Fraction(100))
    rate = Fraction(7, 100)
    made.list_market(Listing("m", (UP, DOWN), 100, 5_000_000, rate, end_ns=1_000))
    listing = made.listings["m"]
    listing.bids, listing.asks = {4_900: 20_000_000}, {5_100: 8_000_000, 5_200: 20_000_000}
    return made


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (order(price_e4=5_050), "tick size"),
        (order(size_e6=4_000_000), "minimum"),
        (order(size_e6=10_005_000), "minimum"),
        (order(size_e6=400_000_000), "not enough balance"),
        (order("SELL"), "not enough balance"),
        (order(price_e4=5_200), "crosses book"),
    ],
    ids=["tick", "size", "decimals", "cash", "shares", "post-only"],
)
def test_what_the_venue_refuses(venue: LeanVenue, raw: bytes, words: str) -> None:
    with pytest.raises(RefusedError, match=words):
        venue.place("o1", raw, takes=False, post_only=True, now_ns=1)


def test_an_order_is_taken_once_and_before_the_end_only(venue: LeanVenue) -> None:
    venue.place("o1", order(), takes=False, post_only=False, now_ns=1)

    with pytest.raises(RefusedError, match="duplicated"):
        venue.place("o1", order(), takes=False, post_only=False, now_ns=1)
    with pytest.raises(RefusedError, match="closed"):
        venue.place("o2", order(), takes=False, post_only=False, now_ns=1_000)


def test_a_market_order_to_buy_spends_whole_cents(venue: LeanVenue) -> None:
    with pytest.raises(RefusedError, match="decimals"):
        venue.place("o1", order(price_e4=5_100, size_e6=5_010_000), True, False, 1)


def test_a_taker_pays_each_level_and_its_fee(venue: LeanVenue) -> None:
    placed = venue.place("o1", order(price_e4=5_200), takes=True, post_only=False, now_ns=1)

    matches = venue.fire(placed, 2)

    assert [(m.price_e4, m.size_e6) for m in matches] == [(5_100, 8_000_000), (5_200, 2_000_000)]
    fee = [Fraction(13994, 100_000), Fraction(3494, 100_000)]  # 8 x .07 x .51 x .49, and so on
    assert [m.fee for m in matches] == fee
    assert venue.cash == 100 - Fraction("5.12") - sum(fee)
    assert not placed.live
    assert venue.leak() == 0


def test_down_trades_the_same_book_from_the_other_side(venue: LeanVenue) -> None:
    placed = venue.place("o1", order(price_e4=5_100, token=DOWN), True, False, 1)

    (match,) = venue.fire(placed, 2)

    assert match.price_e4 == 5_100  # the bid of 49 for UP is an ask of 51 for DOWN
    assert venue.listings["m"].bids == {4_900: 10_000_000}
    assert venue.shares[DOWN] == 10_000_000


def test_a_failed_match_never_was(venue: LeanVenue) -> None:
    placed = venue.place("o1", order(price_e4=5_200), True, False, 1)
    for match in venue.fire(placed, 2):
        venue.settle(match, good=False)

    assert venue.cash == 100
    assert venue.shares[UP] == 0
    assert venue.leak() == 0


def test_only_settled_shares_can_be_sold(venue: LeanVenue) -> None:
    placed = venue.place("o1", order(price_e4=5_200), True, False, 1)
    matches = venue.fire(placed, 2)
    with pytest.raises(RefusedError, match="not enough balance"):
        venue.place("o2", order("SELL", 4_900), True, False, 3)
    for match in matches:
        venue.settle(match, good=True)

    sale = venue.place("o3", order("SELL", 4_900), True, False, 4)
    assert venue.fire(sale, 5)[0].size_e6 == 10_000_000
    assert venue.leak() == 0


def test_a_decision_pays_what_is_held_and_ends_orders(venue: LeanVenue) -> None:
    venue.fire(venue.place("o1", order(price_e4=5_200), True, False, 1), 2)
    resting = venue.place("o2", order(price_e4=4_000), False, False, 2)
    before = venue.cash

    venue.resolve("m", 5_000)

    assert venue.cash == before + 5
    assert not resting.live
    assert venue.shares[UP] == 0
    assert venue.leak() == 0


def test_dollars_are_conserved_over_a_long_walk() -> None:
    rng = random.Random(3)
    venue = LeanVenue(rng, Fraction(1_000))
    venue.list_market(Listing("m", (UP, DOWN), 100, 5_000_000, Fraction(7, 100), end_ns=10**18))
    for step in range(400):
        for match in venue.quote("m", step):
            venue.settle(match, rng.random() < 0.8)
        token, price = rng.choice((UP, DOWN)), rng.randrange(10, 90) * 100
        takes = rng.random() < 0.5
        try:
            placed = venue.place(f"o{step}", order("BUY", price, token=token), takes, False, step)
        except RefusedError:
            continue
        for match in venue.fire(placed, step) if takes else ():
            venue.settle(match, rng.random() < 0.8)
    venue.resolve("m", 10_000)
    assert len(venue.matches) > 50
    assert venue.leak() == 0

"""Ladder and router against dictionaries, stamps out of order included."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from dailyarb._fast.ladder import Ladder
from dailyarb._fast.router import DESYNC, FAULT, BookRouter
from tests.oracles import frames as made
from tests.oracles.ladder import DictLadder

TICKS = (1000, 100, 50, 25, 10, 1)
SIZES = st.sampled_from([0, 1, 7, 10**6, 5 * 10**6, 10**15])


def steps(tick_e4: int) -> st.SearchStrategy[int]:
    """Returns prices of a grid, near a few places so that levels meet; sometimes off it."""
    most = 10_000 // tick_e4
    near = st.integers(0, min(most, 12)).map(lambda step: step * tick_e4)
    far = st.integers(0, most).map(lambda step: step * tick_e4)
    return st.one_of(near, near.map(lambda price: 10_000 - price), far)


@st.composite
def actions(draw: st.DrawFn) -> tuple[int, list[tuple[object, ...]]]:
    """Returns a tick and a run of changes and checkpoints with stamps in any order."""
    tick_e4 = draw(st.sampled_from(TICKS))
    price = steps(tick_e4)
    outcome, side, stamp = st.integers(0, 1), st.integers(0, 1), st.integers(0, 12)
    change = st.tuples(st.just("change"), outcome, side, price, SIZES, stamp)
    levels = st.lists(st.tuples(side, price, SIZES), max_size=6)
    book = st.tuples(st.just("book"), outcome, stamp, levels)
    return tick_e4, draw(st.lists(st.one_of(change, change, change, book), max_size=30))


def compare(ladder: Ladder, oracle: DictLadder, price_e4: int, size_e6: int) -> None:
    """Asserts that both say the same of everything that can be asked."""
    assert (ladder.synced, ladder.desynced) == (oracle.synced, oracle.desynced)
    for outcome in (0, 1):
        assert ladder.top(outcome) == oracle.top(outcome)
        for side in (0, 1):
            levels = oracle.levels(outcome, side)
            assert ladder.levels(outcome, side, 10_000) == levels
            assert ladder.levels(outcome, side, 2) == levels[:2]
            assert ladder.total(outcome, side) == sum(size for _, size in levels)
            assert ladder.depth(outcome, side, price_e4) == oracle.depth(outcome, side, price_e4)
            asked = (outcome, side, size_e6, price_e4)
            assert ladder.sweep(*asked) == oracle.sweep(*asked)
    assert ladder.levels_count == len(oracle.levels(0, 0)) + len(oracle.levels(0, 1))
    bid, _, ask, _ = ladder.top(0)
    both = bool(oracle.levels(0, 0) and oracle.levels(0, 1))
    assert ladder.crossed == (both and bid >= ask)


@settings(max_examples=200, deadline=None)
@given(actions(), st.integers(-1, 10_001), SIZES)
def test_ladder_is_the_dictionary(
    plan: tuple[int, list[tuple[object, ...]]], price_e4: int, size_e6: int
) -> None:
    tick_e4, run = plan
    ladder, oracle = Ladder(tick_e4), DictLadder(tick_e4)
    for name, *rest in run:
        if name == "change":
            assert ladder.apply_level(*rest) == oracle.apply(*rest)  # type: ignore[arg-type]
            continue
        outcome, stamp_ms, levels = rest
        ladder.begin_book(outcome, stamp_ms)  # type: ignore[arg-type]
        for level in levels:  # type: ignore[attr-defined]
            ladder.book_level(*level)
        ladder.end_book()
        oracle.book(outcome, stamp_ms, levels)  # type: ignore[arg-type]
    compare(ladder, oracle, price_e4, size_e6)


def story(rng: random.Random, length: int) -> list[dict[str, object]]:
    """Returns a true book's life: changes with their own touch, and its checkpoints."""
    book = [{4900 - 100 * k: 10**6 for k in range(5)}, {5000 + 100 * k: 10**6 for k in range(5)}]
    events: list[dict[str, object]] = [made.book(book[0], book[1], stamp=1_000, hash_="s0")]
    for number in range(length):
        stamp = 1_001 + number
        side = rng.randrange(2)
        bid, ask = max(book[0]), min(book[1])
        if rng.random() < 0.4 and len(book[side]) > 2:
            price, size = rng.choice(sorted(book[side])), 0
            del book[side][price]
        else:
            low, high = (bid - 400, ask - 100) if side == 0 else (bid + 100, ask + 400)
            price = rng.randrange(max(100, low), min(9_900, high) + 1, 100)
            size = rng.randrange(1, 10**9)
            book[side][price] = size
        top = (max(book[0]), min(book[1]))
        events.append(
            made.price_change("SELL" if side else "BUY", price, size, top, stamp, f"h{number}")
        )
        if rng.random() < 0.1:
            token = rng.choice((made.UP, made.DOWN))
            bids, asks = book if token == made.UP else mirrored(book)
            events.append(made.book(bids, asks, token, stamp, f"b{number}"))
    return events


def mirrored(book: list[dict[int, int]]) -> list[dict[int, int]]:
    """Returns the DOWN view of an UP book."""
    return [
        {10_000 - price: size for price, size in book[1].items()},
        {10_000 - price: size for price, size in book[0].items()},
    ]


def shuffled(events: list[dict[str, object]], rng: random.Random) -> list[dict[str, object]]:
    """Returns the events late by up to a few places, some of them twice, the snapshot first."""
    keyed = [(at + rng.random() * 6, at) for at in range(1, len(events))]
    keyed += [(at + rng.random() * 20, at) for at in range(1, len(events)) if rng.random() < 0.5]
    return [events[0], *(events[at] for _, at in sorted(keyed))]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_router_ends_where_the_dictionary_does(seed: int) -> None:
    rng = random.Random(seed)
    router = BookRouter(markets_max=4, settle_ms=10_000)
    ladder = router.add_market(3, made.UP, made.DOWN, 100)
    events = story(rng, 60)
    for at, event in enumerate(shuffled(events, rng)):
        assert not router.on_frame(made.pack(event), 1_000_000 * (at + 1)) & (FAULT | DESYNC)
    oracle = DictLadder()
    for event in events:
        feed(oracle, event)
    assert ladder.levels(0, 0, 99) == oracle.levels(0, 0)
    assert ladder.levels(0, 1, 99) == oracle.levels(0, 1)
    assert ladder.top(1) == oracle.top(1)
    assert router.counters["duplicates"] > 0
    assert router.counters["broken_mirrors"] == 0


def feed(oracle: DictLadder, event: dict[str, object]) -> None:
    """Applies one event to the oracle, in the true order."""
    stamp_ms = int(str(event["timestamp"]))
    if event["event_type"] == "book":
        levels = [
            (side, round(float(level["price"]) * 10_000), round(float(level["size"]) * 1e6))
            for side, key in enumerate(("bids", "asks"))
            for level in event[key]  # type: ignore[attr-defined]
        ]
        oracle.book(0 if event["asset_id"] == made.UP else 1, stamp_ms, levels)
        return
    for entry in event["price_changes"]:  # type: ignore[attr-defined]
        outcome = 0 if entry["asset_id"] == made.UP else 1
        side = 0 if entry["side"] == "BUY" else 1
        price_e4, size_e6 = round(float(entry["price"]) * 10_000), round(float(entry["size"]) * 1e6)
        oracle.apply(outcome, side, price_e4, size_e6, stamp_ms)

"""The crowd against FINDINGS.md: spread, lag, rates, sides, and no edge for anybody."""

from __future__ import annotations

import hashlib
import itertools
import math
import os
import random
import statistics
import subprocess
import sys
from collections import Counter
from typing import NamedTuple

import pytest

from dailyarb.sim.crowd import one_sided_share
from dailyarb.sim.fair import FairValue
from dailyarb.sim.hall import Entry, Hours
from dailyarb.sim.market import SimMarket
from dailyarb.sim.oracle import Oracle
from dailyarb.sim.orderbook import BID, Match, Resting
from dailyarb.sim.polymarket import PolymarketModel, Rules
from dailyarb.sim.reference import ASSETS, Reference
from dailyarb.sim.types import NS_PER_MS, NS_PER_S

DAY_S = 1_779_926_400  # a midnight, UTC
WINDOWS = 16
RATE = 0.07
TAUS = (120, 60, 30, 10)


class Sample(NamedTuple):
    """Is one reading of one market: seconds left, touch, P(Up) of the best informed, spot."""

    window: int
    now_ns: int
    left_s: float
    bid_e4: int
    ask_e4: int
    touch_shares: float
    fair: float
    tick_e4: int

    @property
    def two_sided(self) -> bool:
        return self.bid_e4 > 0 and self.ask_e4 < 10_000

    @property
    def mid(self) -> float:
        return (self.bid_e4 + self.ask_e4) / 20_000


class Market:
    """One BTC market after another in virtual time, nobody of ours in it."""

    def __init__(self, seed: int, rate_scale: float = 0.1) -> None:
        self.start_ns = (DAY_S + 12 * 3600) * NS_PER_S
        path = random.Random(f"{seed}/path")
        self.reference = Reference(ASSETS["btc"], path, self.start_ns - 600 * NS_PER_S)
        self.oracle = Oracle(self.reference, random.Random(f"{seed}/oracle"))
        rules = Rules(hours=Hours(labels=("5m",), rate_scale=rate_scale))
        self.model = PolymarketModel(seed, {"btc": self.oracle}, self.start_ns, rules)

    def entry(self, window: int) -> Entry:
        start_s = self.start_ns // NS_PER_S + 300 * window
        return self.model.hall.by_slug[f"btc-updown-5m-{start_s}"]

    def walk(self, windows: int, step_ms: int = 100) -> list[Sample]:
        samples: list[Sample] = []
        for window in range(windows):
            entry = self.entry(window)
            book = entry.market.book
            for step in range(300_000 // step_ms):
                now_ns = self.start_ns + window * 300 * NS_PER_S + step * step_ms * NS_PER_MS
                self.model.advance(now_ns)
                shares = (book.total_e6(0, book.bid_e4) + book.total_e6(1, book.ask_e4)) / 2e6
                left_s = 300 - step * step_ms / 1000
                samples.append(
                    Sample(
                        window, now_ns, left_s, book.bid_e4, book.ask_e4, shares,
                        entry.crowd.fair_now, entry.market.tick_e4,
                    )
                )  # fmt: skip
        return samples


@pytest.fixture(scope="module")
def market() -> Market:
    return Market(11)


@pytest.fixture(scope="module")
def samples(market: Market) -> list[Sample]:
    return market.walk(WINDOWS)


@pytest.fixture(scope="module")
def inner(samples: list[Sample]) -> list[Sample]:
    """Readings on the cent grid with the price between .15 and .85."""
    return [s for s in samples if s.two_sided and s.tick_e4 == 100 and 0.15 < s.mid < 0.85]


def test_up_and_down_asks_add_to_one_plus_the_spread(samples: list[Sample]) -> None:
    for sample in samples:
        ask_up, ask_down = sample.ask_e4, 10_000 - sample.bid_e4
        assert ask_up + ask_down == 10_000 + (sample.ask_e4 - sample.bid_e4)
        assert sample.ask_e4 > sample.bid_e4


def test_the_spread_is_a_cent_in_about_four_of_five(inner: list[Sample]) -> None:
    count = Counter((s.ask_e4 - s.bid_e4) // 100 for s in inner)
    total = len(inner)
    assert 0.70 <= count[1] / total <= 0.86  # 0.748 near the middle, 0.797 over all
    assert 0.08 <= count[2] / total <= 0.22
    assert 0.2 <= count[3] / count[2] <= 0.55  # geometric, 0.4
    mean = sum(k * v for k, v in count.items()) / total
    assert 1.2 <= mean <= 1.6


def test_the_touch_holds_some_three_hundred_shares(inner: list[Sample]) -> None:
    assert 200 <= statistics.median(s.touch_shares for s in inner) <= 420


def test_quotes_follow_the_reference_late_but_within_a_second(
    market: Market, samples: list[Sample]
) -> None:
    by_time = {s.now_ns: s for s in samples}
    best: tuple[float, float] = (-1.0, 0.0)
    at: dict[int, float] = {}
    for lag_ms in (0, 100, 200, 300, 400, 500, 700, 1000, 1500, 2000):
        moves: list[float] = []
        follows: list[float] = []
        for s in samples[::3]:
            before = by_time.get(s.now_ns - NS_PER_S)
            if before is None or before.window != s.window or not 0.2 < s.mid < 0.8:
                continue
            seen_ns = s.now_ns - lag_ms * NS_PER_MS
            past = market.reference.mid(seen_ns - NS_PER_S)
            moves.append(market.reference.mid(seen_ns) / past - 1)
            follows.append(s.mid - before.mid)
        at[lag_ms] = statistics.correlation(moves, follows)
        best = max(best, (at[lag_ms], lag_ms / 1000))
    assert 0.1 <= best[1] <= 0.5  # below half a second on average
    assert at[2000] < 0.15
    assert at[0] < best[0]


def test_the_middle_moves_as_often_as_recorded(samples: list[Sample]) -> None:
    moved = total = 0
    for first, second in itertools.pairwise(samples):
        if first.window == second.window and first.two_sided and second.two_sided:
            total += 1
            moved += first.mid != second.mid
    assert 1.0 <= moved / total * 10 <= 4.0  # 2.1 a second


def test_the_book_loses_a_side_as_the_close_comes(samples: list[Sample]) -> None:
    share = {
        tau: statistics.mean(not s.two_sided for s in samples if abs(s.left_s - tau) < 0.05)
        for tau in TAUS
    }
    assert share[120] <= 0.15
    assert share[60] <= 0.40
    assert 0.15 <= share[30] <= 0.70
    assert 0.30 <= share[10] <= 0.90
    assert share[120] <= share[60] <= share[30] <= share[10]


@pytest.mark.parametrize(
    ("tau", "share"), [(120, 0.01), (60, 0.12), (30, 0.38), (10, 0.57), (300, 0)]
)
def test_the_table_of_one_sidedness(tau: float, share: float) -> None:
    assert one_sided_share(tau) == pytest.approx(share)


def test_a_one_sigma_formula_leaves_residuals_of_some_cents(
    market: Market, samples: list[Sample]
) -> None:
    """FINDINGS.md, section 6: what looks like error is mostly knowledge of the volatility."""
    fit = statistics.fmean(market.reference.sigma_bp(s.now_ns) for s in samples if s.left_s == 300)
    naive: list[float] = []
    informed: list[float] = []
    for s in samples[::7]:
        if s.left_s > 60 and s.two_sided and 0.05 < s.mid < 0.95:
            fair = market.entry(s.window)
            start_s = fair.market.identity.start_s
            value = FairValue(market.oracle, start_s, start_s + 300).at(s.now_ns, fit)
            naive.append(s.mid - value)
            informed.append(s.mid - s.fair)
    assert 0.02 <= statistics.pstdev(naive) <= 0.08
    assert statistics.pstdev(informed) < 0.03
    assert abs(statistics.mean(informed)) < 0.006


def test_a_jump_is_answered_within_half_a_second_by_those_who_take() -> None:
    """After 8 bp in one step most of what is stale has gone before a slow taker comes."""
    left: list[float] = []
    for seed in range(20):
        market = Market(seed)
        entry = market.entry(0)
        at_ns = market.start_ns + 100 * NS_PER_S
        market.model.advance(at_ns)
        book = entry.market.book
        if not (book.bid_e4 > 3000 and book.ask_e4 < 7000):
            continue
        stale_e4 = book.ask_e4
        before = book.depth_e6(1, stale_e4 + 200)
        market.reference.mid(at_ns)
        step = market.reference.step_at(at_ns)
        mids = market.reference._mids
        for index in range(step, len(mids)):
            mids[index] *= 1.0008
        market.reference._mid = mids[-1]
        market.model.advance(at_ns + 500 * NS_PER_MS)
        left.append(book.depth_e6(1, stale_e4 + 200) / before)
    assert len(left) >= 8
    assert statistics.median(left) < 0.25


class Result(NamedTuple):
    mean: float
    error: float
    expected: float


def naive_taker(seed: int, windows: int) -> Result:
    """Buys a random outcome at its ask at random moments and holds to settlement.

    Returns the mean profit per share beyond fee and half spread, its standard error, and the mean
    of fee plus half spread. What settles is replaced by its expectation ten seconds after the
    purchase: the same mean with a fraction of the noise.
    """
    market = Market(seed, 0.04)
    rng = random.Random(seed)
    gains: list[float] = []
    costs: list[float] = []
    for window in range(windows):
        entry = market.entry(window)
        start_ns = market.start_ns + window * 300 * NS_PER_S
        fair = FairValue(market.oracle, start_ns // NS_PER_S, start_ns // NS_PER_S + 300)
        for moment in sorted(rng.uniform(5, 235) for _ in range(25)):
            now_ns = start_ns + int(moment * NS_PER_S)
            market.model.advance(now_ns)
            book = entry.market.book
            if book.bid_e4 == 0 or book.ask_e4 == 10_000:
                continue
            up = rng.random() < 0.5
            ask = (book.ask_e4 if up else 10_000 - book.bid_e4) / 10_000
            sigma = market.reference.sigma_bp(now_ns + 10 * NS_PER_S)
            value = fair.at(now_ns + 10 * NS_PER_S, sigma)
            fee = RATE * ask * (1 - ask)
            half = (book.ask_e4 - book.bid_e4) / 20_000
            gains.append((value if up else 1 - value) - ask - fee)
            costs.append(fee + half)
    error = statistics.stdev(gains) / math.sqrt(len(gains))
    return Result(statistics.mean(gains), error, statistics.mean(costs))


def test_a_naive_taker_loses_fee_and_half_spread() -> None:
    result = naive_taker(5, 32)
    assert result.error < 0.004
    assert abs(result.mean + result.expected) <= 3 * result.error
    assert result.mean < -3 * result.error


def informed_taker(seed: int, windows: int, view_ms: int) -> list[float]:
    """Knows the true volatility, sees the reference `view_ms` late, and trades 70 ms later.

    Takes when the ask is a cent beyond fee below fair value; returns the profit per share of
    each order that still found its price.
    """
    market = Market(seed, 0.04)
    gains: list[float] = []
    for window in range(windows):
        entry = market.entry(window)
        book = entry.market.book
        start_ns = market.start_ns + window * 300 * NS_PER_S
        fair = FairValue(market.oracle, start_ns // NS_PER_S, start_ns // NS_PER_S + 300)
        sigma = market.reference.sigma_bp(start_ns + NS_PER_S)
        now_ns = start_ns
        while now_ns < start_ns + 290 * NS_PER_S:
            now_ns += 50 * NS_PER_MS
            market.model.advance(now_ns)
            seen = fair.at(now_ns - view_ms * NS_PER_MS, sigma)
            ask, bid = book.ask_e4 / 10_000, book.bid_e4 / 10_000
            buys = ask < 1.0 and seen - ask - RATE * ask * (1 - ask) > 0.01
            sells = bid > 0.0 and bid - seen - RATE * bid * (1 - bid) > 0.01
            if not (buys or sells):
                continue
            wanted = book.ask_e4 if buys else book.bid_e4
            market.model.advance(now_ns + 70 * NS_PER_MS)
            found = book.ask_e4 <= wanted < 10_000 if buys else book.bid_e4 >= wanted > 0
            if found:
                value = fair.at(now_ns + 5 * NS_PER_S, sigma)
                price = (book.ask_e4 if buys else book.bid_e4) / 10_000
                edge = value - price if buys else price - value
                gains.append(edge - RATE * price * (1 - price))
            now_ns += 5 * NS_PER_S
    return gains


def test_even_a_perfectly_informed_taker_behind_the_others_earns_next_to_nothing() -> None:
    gains = informed_taker(3, 12, 100) + informed_taker(4, 12, 100)
    assert len(gains) > 50
    error = statistics.stdev(gains) / math.sqrt(len(gains))
    assert statistics.mean(gains) < 0.005 + 2 * error


def resting_markouts(seed: int, windows: int) -> tuple[int, list[float], list[float]]:
    """Rests five shares at a touch for twenty seconds, again and again.

    Returns how many were placed, the profit per share of each fill three seconds later, and how
    long each fill took.
    """
    market = Market(seed, 0.04)
    rng = random.Random(seed)
    filled: dict[str, int] = {}

    def made(_market: SimMarket, _side: int, matches: list[Match], now_ns: int) -> None:
        for match in matches:
            filled.setdefault(match.order_id, now_ns)

    market.model.desk.made = made  # type: ignore[method-assign, assignment]
    placed, gains, waits = 0, list[float](), list[float]()
    for window in range(windows):
        book = market.entry(window).market.book
        start_ns = market.start_ns + window * 300 * NS_PER_S
        fair = FairValue(market.oracle, start_ns // NS_PER_S, start_ns // NS_PER_S + 300)
        for turn in range(8):
            now_ns = start_ns + (5 + turn * 28) * NS_PER_S
            market.model.advance(now_ns)
            if book.bid_e4 < 500 or book.ask_e4 > 9500:
                continue
            side = rng.randrange(2)
            order = Resting(f"{window}/{turn}", side, book.best(side), 5_000_000)
            book.rest(order)
            placed += 1
            market.model.advance(now_ns + 20 * NS_PER_S)
            book.pull(order)
            if order.order_id in filled:
                at_ns = filled[order.order_id]
                value = fair.at(at_ns + 3 * NS_PER_S, market.reference.sigma_bp(at_ns))
                edge = value - order.price_e4 / 10_000
                gains.append(edge if side == BID else -edge)
                waits.append((at_ns - now_ns) / NS_PER_S)
    return placed, gains, waits


def test_a_resting_order_waits_and_fills_mostly_when_it_should_not() -> None:
    placed, gains, waits = resting_markouts(1, 24)
    error = statistics.stdev(gains) / math.sqrt(len(gains))
    assert statistics.mean(gains) < -2 * error
    assert len(gains) < placed
    assert statistics.median(waits) > 0.5


_DIGEST = """
import hashlib
from tests.sim.test_crowd import digest
print(digest(9))
"""


def digest(seed: int) -> str:
    """The fingerprint of five virtual minutes and a resolution of all venues, listened to."""
    from tests.unit.sim_world import World

    world = World(seed=seed, labels=("5m", "15m"), assets=("btc", "eth"))
    world.listen_market("c", world.entry().market.identity.tokens)
    world.venues.binance.connect(
        "b", "/stream", (("streams", "btcusdt@bookTicker/ethusdt@trade"),), world.now_ns
    )
    world.run(310, 0.5)
    state = hashlib.sha256()
    for conn_id in ("c", "b"):
        for delivery in world.heard[conn_id]:
            state.update(b"%d %s" % (delivery.at_ns, delivery.payload))
    return state.hexdigest()


def test_the_same_seed_is_the_same_market_under_any_hash_seed() -> None:
    prints = []
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run(
            [sys.executable, "-c", _DIGEST], env=environment, capture_output=True, text=True,
            check=True, timeout=60,
        )  # fmt: skip
        prints.append(done.stdout.strip())
    assert prints[0] == prints[1]
    assert len(prints[0]) == 64


def test_how_often_the_clock_asks_changes_nothing() -> None:
    touches = []
    for steps in (5000, 7):
        market = Market(6)
        for step in range(steps):
            market.model.advance(market.start_ns + 250 * NS_PER_S * step // steps)
        market.model.advance(market.start_ns + 250 * NS_PER_S)
        book = market.entry(0).market.book
        touches.append((dict(book.crowd[0]), dict(book.crowd[1])))
    assert touches[0] == touches[1]

"""Links, the schedule and the reference path."""

from __future__ import annotations

import itertools
import math
import random
import statistics

import pytest

from dailyarb.sim.network import BINANCE_WIRE, POLYMARKET_WIRE, Carriage, Link
from dailyarb.sim.reference import ASSETS, Reference
from dailyarb.sim.schedule import Schedule
from dailyarb.sim.types import NS_PER_MS, NS_PER_S

T0 = 1_779_984_000 * NS_PER_S


@pytest.mark.parametrize(
    ("wire", "low_ms", "high_ms"), [(BINANCE_WIRE, 50, 150), (POLYMARKET_WIRE, 8, 150)]
)
def test_a_link_delays_but_never_reorders(wire: Carriage, low_ms: int, high_ms: int) -> None:
    link = Link(wire, random.Random(1))
    sent = [T0 + n * NS_PER_MS for n in range(2000)]
    arrivals = [link.carry(at) for at in sent]
    assert arrivals == sorted(arrivals)
    delays = [(b - a) / NS_PER_MS for a, b in zip(sent, arrivals, strict=True)]
    assert low_ms <= min(delays)
    assert max(delays) <= high_ms + 1


def test_no_wire_costs_nothing() -> None:
    link = Link(Carriage.none(), random.Random(1))
    assert [link.carry(at) for at in (5, 6, 7)] == [5, 6, 7]
    assert link.delay_ns() == 0


def test_equal_times_run_in_the_order_of_planning() -> None:
    plan, ran = Schedule(), list[str]()
    plan.at(5, lambda _: ran.append("a"))
    plan.at(3, lambda due: plan.at(due, lambda _: ran.append("c")))
    plan.at(3, lambda _: ran.append("b"))
    assert plan.next_due_ns() == 3
    plan.run(4)
    assert ran == ["b", "c"]
    plan.run(5)
    assert ran == ["b", "c", "a"]
    assert plan.next_due_ns() is None


def moves(seconds: int, hours: int = 6) -> list[float]:
    """Changes in bp over a number of seconds, many paths of six hours from 06:00 UTC."""
    found: list[float] = []
    for seed in range(4):
        path = Reference(ASSETS["btc"], random.Random(seed), T0 - 10 * 3600 * NS_PER_S)
        times = range(0, hours * 3600, seconds)
        mids = [path.mid(path.begin_ns + second * NS_PER_S) for second in times]
        found += [math.log(b / a) * 1e4 for a, b in itertools.pairwise(mids)]
    return found


def test_volatility_and_tails_of_the_path() -> None:
    second, minute = moves(1), moves(60)
    assert 0.35 <= statistics.pstdev(second) <= 1.2
    ratio = statistics.pstdev(minute) / statistics.pstdev(second)
    assert ratio == pytest.approx(math.sqrt(60), rel=0.2)  # no trend to ride, none to fade
    spread = statistics.pvariance(second)
    kurtosis = statistics.fmean(x**4 for x in second) / spread**2
    assert kurtosis > 8


def test_the_path_does_not_depend_on_who_asks_when() -> None:
    one = Reference(ASSETS["eth"], random.Random(3), T0)
    two = Reference(ASSETS["eth"], random.Random(3), T0)
    late = T0 + 900 * NS_PER_S
    one.mid(late)
    stepwise = [two.mid(T0 + n * NS_PER_S) for n in range(901)]
    assert [one.mid(T0 + n * NS_PER_S) for n in range(901)] == stepwise


def test_candles_need_a_kept_path() -> None:
    path = Reference(ASSETS["btc"], random.Random(3), T0)
    assert path.candle(T0 - 3600 * NS_PER_S, T0 - 1) is None
    candle = path.candle(T0, T0 + 60 * NS_PER_S)
    assert candle is not None
    first, high, low, last = candle
    assert low <= min(first, last) <= max(first, last) <= high


def test_memory_of_the_path_is_bounded() -> None:
    path = Reference(ASSETS["btc"], random.Random(3), T0)
    path.mid(T0 + 4 * 3600 * NS_PER_S)
    assert len(path._mids) <= 168_020
    assert path.candle(T0, T0 + NS_PER_S) is None

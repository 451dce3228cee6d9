"""The judge of the soaks: what a leak is, and what only comes and goes."""

from __future__ import annotations

from random import Random

from tests.growth import Points, sizes, slope

BLOCK_S = 60.0


def _points(minutes: int, per_hour: float, seed: int = 1) -> Points:
    """Returns samples each 10 s: a level, a slope, a sawtooth of five minutes, and noise."""
    draw = Random(seed)
    times = [10.0 * i for i in range(6 * minutes)]
    return [
        (at, 100.0 + per_hour * at / 3600.0 + at % 300.0 / 100.0 + draw.gauss(0.0, 0.5))
        for at in times
    ]


def test_a_leak_is_told_by_the_low_end_of_its_interval() -> None:
    found = slope(_points(36, per_hour=12.0), BLOCK_S)
    assert found is not None
    assert found.low < 12.0 < found.high
    assert sizes(_points(36, per_hour=12.0), BLOCK_S, allowed=6.0)["grows"]


def test_what_comes_and_goes_is_no_leak() -> None:
    for seed in range(20):
        assert not sizes(_points(36, per_hour=0.0, seed=seed), BLOCK_S, allowed=1.0)["grows"]


def test_one_step_up_is_no_leak() -> None:
    points = [(at, 100.0 + 8.0 * (at > 300.0)) for at, _ in _points(36, 0.0)]
    assert not sizes(points, BLOCK_S, allowed=1.0)["grows"]


def test_the_slope_of_a_straight_line_is_exact() -> None:
    found = slope([(float(at), at / 36.0) for at in range(0, 3_600, 10)], BLOCK_S)
    assert found is not None
    assert [round(end, 6) for end in found] == [100.0, 100.0, 100.0]


def test_few_blocks_say_nothing() -> None:
    told = sizes(_points(5, per_hour=1_000.0), BLOCK_S, allowed=1.0)
    assert (told["slope_per_hour"], told["grows"]) == ("too short to say", False)

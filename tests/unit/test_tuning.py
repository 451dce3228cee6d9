"""Thompson sampling finds the better region, and nothing but bounded parameters is changed."""

from __future__ import annotations

import random
from typing import Any

import pytest
from msgspec.structs import replace

from dailyarb.core.domain.events import ParametersChosen
from dailyarb.core.domain.ids import StrategyId
from dailyarb.core.domain.settings import S1Settings, S2Settings, S6Settings, Strategies
from dailyarb.core.strategies.stale_odds import StaleOdds
from dailyarb.core.tuning.bounds import TUNABLE, tuned
from dailyarb.core.tuning.thompson import Posterior, choose
from tests.rig import Rig, settings


def learned(rewards: list[float]) -> Posterior:
    """Returns what is believed after these rewards."""
    belief = Posterior()
    for reward in rewards:
        belief = belief.seen(reward)
    return belief


def test_the_update_is_the_conjugate_one() -> None:
    """After n rewards at once: the textbook form with the sample's mean and spread."""
    rewards = [1.0, -2.0, 4.0, 0.5]
    n, mean = len(rewards), sum(rewards) / len(rewards)
    spread = sum((r - mean) ** 2 for r in rewards)
    found = learned(rewards)
    assert found.weight == 1.0 + n
    assert found.mean == pytest.approx(n * mean / (1.0 + n))
    assert found.shape == 2.0 + n / 2
    assert found.scale == pytest.approx(4.0 + spread / 2 + n * mean**2 / (2 * (1.0 + n)))


def test_draws_scatter_as_the_belief_says() -> None:
    chance, found = random.Random(1), learned([2.0, 3.0, 2.5, 2.2, 2.8] * 8)
    draws = [found.draw(chance) for _ in range(4_000)]
    mean = sum(draws) / len(draws)
    variance = sum((d - mean) ** 2 for d in draws) / len(draws)
    assert mean == pytest.approx(found.mean, abs=0.02)
    expected = found.scale / (found.shape - 1.0) / found.weight
    assert variance == pytest.approx(expected, rel=0.15)


def test_what_was_learned_fades_to_the_prior() -> None:
    found = learned([5.0] * 20)
    half = found.faded(0.5)
    assert (half.weight, half.mean) == (11.0, pytest.approx(0.5 * 21 * found.mean / 11))
    assert half.shape < found.shape
    assert found.faded(1.0) == found
    assert found.faded(0.0) == Posterior()


def test_the_better_region_is_tried_most_and_the_other_not_never() -> None:
    chance, beliefs = random.Random(2), [Posterior(), Posterior(), Posterior()]
    tried = [0, 0, 0]
    for _ in range(600):
        region = choose(beliefs, chance)
        tried[region] += 1
        beliefs[region] = beliefs[region].seen(chance.gauss((0.0, 1.0, -1.0)[region], 2.0))
    assert tried[1] > 450
    assert min(tried) > 0


def test_a_world_that_turns_is_followed_when_beliefs_fade() -> None:
    chance, beliefs = random.Random(3), [Posterior(), Posterior()]
    tried: list[int] = []
    for step in range(1_200):
        region = choose(beliefs, chance)
        tried.append(region)
        good = region == (step >= 600)
        beliefs = [belief.faded(0.98) for belief in beliefs]
        beliefs[region] = beliefs[region].seen(chance.gauss(1.0 if good else -1.0, 2.0))
    assert sum(tried[300:600]) < 60
    assert sum(tried[900:]) > 240


def test_without_a_region_there_is_no_choice() -> None:
    with pytest.raises(ValueError, match="empty"):
        choose([], random.Random(1))


def test_values_are_taken_whole_and_typed() -> None:
    found = tuned(S1Settings(), (("min_move_bps", 3.0), ("cooldown_ms", 4_000.0)))
    assert (found.min_move_bps, found.cooldown_ms) == (3.0, 4_000)
    assert isinstance(found.cooldown_ms, int)
    assert found == replace(S1Settings(), min_move_bps=3.0, cooldown_ms=4_000)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ((("size_shares", 30.0),), "not tunable"),
        ((("max_position_shares", 30.0),), "not tunable"),
        ((("enabled", 1.0),), "not tunable"),
        ((("move_window_ms", 500.0),), "not tunable"),
        ((("min_vol_gap", 0.5),), "not tunable"),
        ((("min_move_bps", -1.0),), "Expected"),
        ((("min_move_bps", 1e9),), "Expected"),
        ((("min_move_bps", float("nan")),), "Expected"),
        ((("cooldown_ms", 0.5),), "Expected"),
        ((("cooldown_ms", float("inf")),), "Expected"),
        ((("min_move_bps", 3.0), ("max_answer", 2.0)), "Expected"),
    ],
)
def test_what_is_out_of_bounds_is_refused(values: tuple[tuple[str, float], ...], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        tuned(S1Settings(), values)


def test_no_size_and_no_switch_is_tunable() -> None:
    for name in ("size_shares", "max_position_shares", "min_depth_shares", "enabled", "taker"):
        assert name not in TUNABLE
    every = {name for kind in Strategies.__struct_fields__ for name in fields_of(kind)}
    assert every >= TUNABLE, "each of them exists"


def fields_of(kind: str) -> tuple[str, ...]:
    """Returns the names of a strategy's settings."""
    found: Any = getattr(Strategies(), kind)
    return tuple(found.__struct_fields__)


# In the engine.


def test_a_draw_is_applied_and_told() -> None:
    rig = Rig().ready()
    rig.feed(ParametersChosen("S1", (("min_move_bps", 3.5),)))
    [s1] = [s for s in rig.state.strategies if s.id is StrategyId.S1]
    assert isinstance(s1, StaleOdds)
    assert rig.state.settings.strategies.S1.min_move_bps == 3.5
    assert rig.state.parameters == {"S1": {"min_move_bps": 3.5}}
    assert rig.state.events[-1].text == "parameters of S1: min_move_bps 3.5"
    rig.book([(49, 500)], [(50, 500)])
    rig.spot(100_030)
    assert rig.why("S1") == "move_below_min", "three basis points are too few now"
    assert [s.id.value for s in rig.state.strategies] == ["S1", "S2"]


@pytest.mark.parametrize(
    ("strategy", "values"),
    [("S1", (("size_shares", 500.0),)), ("S6", (("trust", 0.1),)), ("OP", ())],
)
def test_a_draw_that_is_refused_changes_nothing(
    strategy: str, values: tuple[tuple[str, float], ...]
) -> None:
    rig = Rig().ready()
    before = rig.state.settings
    rig.feed(ParametersChosen(strategy, values))
    assert rig.state.settings is before
    assert rig.state.parameters == {}
    assert "refused" in rig.state.events[-1].text


def test_parameters_of_an_earlier_life_are_resumed_as_far_as_allowed() -> None:
    from dailyarb.core.engine.tuning import resume

    kinds = Strategies(S2=S2Settings(enabled=False), S6=S6Settings(enabled=True))
    rig = Rig(config=settings(kinds))
    rig.state.parameters = {"S6": {"impact_bps": 0.8}, "S2": {"min_profit_cents": 1.0}}
    resume(rig.state, rig.clock.now())
    assert rig.state.parameters == {"S6": {"impact_bps": 0.8}}
    assert rig.state.settings.strategies.S6.impact_bps == 0.8
    assert "dropped: it is not running" in rig.state.events[-1].text

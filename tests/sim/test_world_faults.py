"""Each fault alone and in company holds; each planted defect is found; the table is true."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from dailyarb.sim.fault_table import ELSEWHERE, FAULTS, HOLDS, covered, table
from dailyarb.sim.faults import ALWAYS, CATALOGUE, KNOB_NAMES, Knobs, draw, knobs_of
from dailyarb.sim.world import World, run_seed
from dailyarb.sim.world_bugs import BUGS, Bug
from dailyarb.verbs.sim import run, run_each

ROOT = Path(__file__).resolve().parents[2]
IDS = [profile.id for profile in CATALOGUE]


def test_each_fault_holds_over_two_seeds() -> None:
    broken = []
    for fault, found in run_each(IDS, 2):
        if found.violation:
            mix = "+".join(found.profiles)
            broken.append(f"{fault} seed {found.seed} {mix}: {found.violation}")
    assert broken == []


@pytest.mark.slow
@pytest.mark.parametrize("fault", IDS)
def test_a_fault_holds_over_its_seeds(fault: str) -> None:
    outcomes = run(100, 20, fault, "", 2)
    assert [(o.seed, o.violation) for o in outcomes if o.violation] == []


def caught(name: str, profile: str, seeds: int) -> int:
    """Returns how many worlds it took to find a defect, 0 when none did."""
    for found in run(0, seeds, profile, name, 1):
        if found.violation:
            return found.seed + 1
    return 0


@pytest.mark.parametrize("bug", BUGS, ids=lambda b: b.name)
def test_a_planted_defect_is_found(bug) -> None:
    assert 0 < caught(bug.name, bug.profile, bug.seeds) <= bug.seeds


def test_a_defect_that_is_none_is_not_found() -> None:
    """The control: what catches the others is not the patching."""
    none = Bug("none", "changes nothing", "", 0)
    for profile in sorted({bug.profile for bug in BUGS}):
        for seed in range(2):
            assert run_seed(seed, profile, none).violation == "", profile


def test_knobs_of_profiles_exist_and_do_something() -> None:
    calm = Knobs()
    for profile in CATALOGUE:
        assert profile.knobs, profile.id
        for knob in profile.knobs:
            assert knob.name in KNOB_NAMES
            assert 0 <= knob.low <= knob.high
            assert knob.high > getattr(calm, knob.name) or knob.name == "confirm_ms"


def test_every_knob_is_turned_by_a_profile() -> None:
    turned = {knob.name for profile in CATALOGUE for knob in profile.knobs}
    assert set(KNOB_NAMES) - turned == set()


def test_of_two_draws_of_one_knob_the_stronger_holds() -> None:
    by_id = {profile.id: profile for profile in CATALOGUE}
    rng = random.Random(1)
    both = knobs_of([by_id["F33"], by_id["F35"]], rng)
    assert both.thin >= 0.7


def test_a_profile_asked_for_is_there_whatever_else_is_drawn() -> None:
    sizes = set()
    for seed in range(40):
        chosen, _ = draw(random.Random(seed), "F26+F68")
        assert [profile.id for profile in chosen[:2]] == ["F26", "F68"]
        assert len({profile.id for profile in chosen}) == len(chosen)
        sizes.add(len(chosen))
    assert len(sizes) > 1


def test_a_profile_nobody_knows_is_an_error() -> None:
    with pytest.raises(KeyError):
        World(1, "F99")


def test_every_fault_of_the_catalogue_has_its_row() -> None:
    numbers = {f"F{n:02d}" for n in range(1, FAULTS + 1)}
    assert {profile.id for profile in CATALOGUE} <= numbers
    assert numbers - {profile.id for profile in CATALOGUE} <= set(ELSEWHERE)
    assert sum(covered()) == FAULTS


def test_invariants_are_named_by_their_numbers() -> None:
    known = {f"I{n}" for n in range(1, 21)}
    for profile in CATALOGUE:
        assert set(profile.holds) <= known, profile.id
    assert set(ALWAYS) <= known


@pytest.mark.parametrize("fault", [f for f in ELSEWHERE if ELSEWHERE[f].tests])
def test_a_test_named_for_a_fault_exists(fault: str) -> None:
    for reference in ELSEWHERE[fault].tests:
        file, _, name = reference.partition("::")
        assert f"def {name}" in (ROOT / "tests" / file).read_text(encoding="utf-8"), reference


def test_every_fault_is_injected_and_says_what_it_checks() -> None:
    assert [f for f in ELSEWHERE if not ELSEWHERE[f].tests] == []
    below = [f for f in ELSEWHERE if f not in {profile.id for profile in CATALOGUE}]
    assert sorted(HOLDS) == sorted(below)


def test_the_page_is_what_the_table_says() -> None:
    assert (ROOT / "docs" / "faults.md").read_text(encoding="utf-8") == table()

"""The fault world: seeds hold, one seed is one run, every seed that ever failed is run again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dailyarb.sim.world import World, run_seed
from dailyarb.verbs.sim import kill_everywhere, run

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
QUICK = 120
GATE = 2_000
REST = 8


def failing(outcomes) -> list[str]:
    return [f"seed {o.seed} {'+'.join(o.profiles)}: {o.violation}" for o in outcomes if o.violation]


def known() -> list[tuple[int, str]]:
    """Returns the seeds that once failed, each with the profile it was run with."""
    found = []
    for line in (HERE / "seeds.txt").read_text().splitlines():
        words = line.split()
        if words and not line.startswith("#"):
            profile = words[1] if words[1].startswith("F") else ""
            found.append((int(words[0]), profile))
    return found


def test_every_invariant_holds_over_the_quick_seeds() -> None:
    outcomes = list(run(0, QUICK, "", "", 2))

    assert failing(outcomes) == []
    # The worlds are not empty: the engine trades in them, is killed, and comes back.
    assert sum(o.entries for o in outcomes) > 5 * QUICK
    assert sum(o.fills for o in outcomes) > 5 * QUICK
    assert sum(o.kills for o in outcomes) > QUICK / 20


@pytest.mark.slow
def test_every_invariant_holds_over_the_gate() -> None:
    assert failing(run(0, GATE, "", "", 2)) == []


@pytest.mark.parametrize(("seed", "profile"), known())
def test_a_seed_that_failed_once_holds(seed: int, profile: str) -> None:
    assert run_seed(seed, profile).violation == ""


def digests(hash_seed: str) -> str:
    """Returns the digests of some worlds, run by a fresh interpreter."""
    program = (
        "from dailyarb.sim.world import run_seed\n"
        f"print([run_seed(seed).digest for seed in range({REST})])\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True, text=True, timeout=120, check=True, cwd=ROOT,
    )  # fmt: skip
    return ran.stdout


def test_one_seed_is_one_run_whatever_the_hash_seed() -> None:
    first = digests("1")

    assert first == digests("4242")
    assert first.strip() == str([run_seed(seed).digest for seed in range(REST)])


def test_seeds_differ() -> None:
    assert len({run_seed(seed).digest for seed in range(REST)}) == REST


def test_a_trace_shows_the_whole_run_and_changes_nothing() -> None:
    lines: list[str] = []
    world = World(7)
    world.on_line = lines.append

    found = world.run()

    assert found.digest == run_seed(7).digest
    assert len(lines) > 200
    assert any("OrderSigned" in line for line in lines)


def test_the_journal_is_what_the_next_life_knows() -> None:
    """A world with kills: what was told but not flushed is gone, what was flushed stays."""
    world = World(1, "F68")

    found = world.run()

    assert found.violation == ""
    assert found.kills > 0
    runs = [r for r, _ in world.journal if type(r).__name__ == "RunStarted"]
    assert len(runs) > 1
    assert len({r.run for r in runs}) == len(runs)


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "profile"), [(2, ""), (5, "F26"), (9, "F43")])
def test_a_world_killed_at_any_command_recovers(seed: int, profile: str) -> None:
    found = list(kill_everywhere(seed, profile, 2))

    assert [(at, o.violation) for at, o in found if o.violation] == []
    assert len(found) > 200
    assert all(outcome.kills for _, outcome in found)

"""The engine owns a core; others keep away from it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dailyarb.runtime.cores import PICK, PIN_NOTHING, allow, allowed, engine_core

THREE = frozenset({0, 2, 5})

needs_affinity = pytest.mark.skipif(
    len(allowed()) < 2, reason="needs two cores and an affinity call"
)


@pytest.mark.parametrize(
    ("wanted", "cores", "core"),
    [
        (PICK, THREE, 5),
        (2, THREE, 2),
        (3, THREE, None),
        (PIN_NOTHING, THREE, None),
        (PICK, frozenset({4}), None),
        (4, frozenset({4}), None),
        (PICK, frozenset(), None),
    ],
)
def test_every_process_finds_the_same_core(
    wanted: int, cores: frozenset[int], core: int | None
) -> None:
    assert engine_core(wanted, cores) == core


def child(code: str) -> str:
    words = "from dailyarb.runtime.cores import *; " + code
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@needs_affinity
def test_pinned_means_one_core_and_off_means_all_others() -> None:
    core = max(allowed())
    assert child(f"pin_to({core}); print(sorted(allowed()))") == f"[{core}]"
    others = sorted(allowed() - {core})
    assert child(f"stay_off({core}); print(sorted(allowed()))") == str(others)
    before = sorted(allowed())
    assert child(f"print(sorted(stay_off({core})))") == str(before)
    assert child(f"b = stay_off({core}); allow(b); print(sorted(allowed()))") == str(before)


@needs_affinity
def test_a_lone_core_is_shared_with_manners() -> None:
    core = min(allowed())
    code = f"import os; pin_to({core}); stay_off({core}); print(os.nice(0), sorted(allowed()))"
    nice, cores = child(code).split(" ", 1)
    assert int(nice) >= 10
    assert cores == f"[{core}]"


def test_nothing_is_pinned_where_nothing_is_to_be() -> None:
    assert child("print(pin_to(None), stay_off(None) == allowed())") == "False True"
    assert child("print(pin_to(1_000))") == "False"
    assert not allow(frozenset())
    assert Path(sys.executable).exists()

"""`--arm`: a headless LIVE run arms itself, and only under the conditions of the dialog."""

from __future__ import annotations

import asyncio

import pytest

from dailyarb.core.domain.clock import ManualClock
from dailyarb.core.domain.errors import PreflightFailed
from dailyarb.core.domain.events import ClockOffset, OperatorCommand
from dailyarb.core.domain.operator import OperatorVerb
from dailyarb.core.domain.rung import Evidence, Mode, Rung
from dailyarb.core.domain.view import View
from dailyarb.runtime.arming import WHO, arm_when_ready, check_arm
from tests.rig import Rig, birth


def live() -> Rig:
    """Gives a LIVE engine whose preflight lacks the clock alone."""
    return Rig(who=birth(mode=Mode.LIVE, evidence=Evidence.LIVE)).ready()


def view(rig: Rig) -> View:
    return rig.engine.view(rig.clock.now())


@pytest.mark.parametrize(
    ("arm", "mode", "clean", "why"),
    [
        ("other", Mode.LIVE, True, "this instance is main"),
        ("main", Mode.PAPER, True, "this engine is PAPER, only LIVE can be armed"),
        ("main", Mode.LIVE, False, "did not end cleanly; look at it, then: dailyarb ctl arm main"),
    ],
)
def test_what_cannot_be_armed_is_refused_before_anything_is_connected(
    arm: str, mode: Mode, clean: bool, why: str
) -> None:
    with pytest.raises(PreflightFailed, match=why):
        check_arm(arm, "main", mode, clean)


def test_a_clean_live_instance_may_be_armed_by_its_name() -> None:
    check_arm("main", "main", Mode.LIVE, True)


async def test_it_arms_once_the_preflight_passes_and_starts_at_reduced() -> None:
    rig, asked = live(), list[OperatorCommand]()

    def looked() -> View:
        if looks.now().mono_ns == 2:
            rig.feed(ClockOffset(1.0, 1.0))
        looks.advance(1)
        return view(rig)

    def ask(command: OperatorCommand) -> None:
        asked.append(command)
        rig.feed(command)

    looks = ManualClock()
    assert await asyncio.wait_for(arm_when_ready(looked, ask), 5) == ""
    assert looks.now().mono_ns == 3, "it looked until the clock was known"
    assert asked == [OperatorCommand(OperatorVerb.ARM, WHO, target="main", confirmed=True)]
    assert view(rig).armed and view(rig).rung is Rung.REDUCED


async def test_when_patience_ends_it_says_what_failed_and_arms_nothing() -> None:
    rig = live()
    amiss = await arm_when_ready(lambda: view(rig), pytest.fail, patience_s=0.0)
    assert amiss == "clock: not measured yet"
    assert not view(rig).armed

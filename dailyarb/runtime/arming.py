"""`--arm NAME`: a headless LIVE run that arms itself, under the conditions of the dialog.

It counts only if the last run ended cleanly, and only for the instance it names. The engine has
the last word: it runs the same preflight when it is asked to arm, and starts at REDUCED.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from dailyarb.core.domain.errors import PreflightFailed
from dailyarb.core.domain.events import OperatorCommand
from dailyarb.core.domain.operator import OperatorVerb
from dailyarb.core.domain.preflight import failed
from dailyarb.core.domain.rung import Mode
from dailyarb.core.domain.view import View

WHO = "--arm"
PATIENCE_S = 60.0
LOOK_S = 0.2


def check_arm(arm: str, instance: str, mode: Mode, clean: bool) -> None:
    """Refuses, before anything is connected, what cannot be armed.

    Raises:
        PreflightFailed: another instance is named, orders would not be real, or the last run
            did not end by itself with exit code 0.
    """
    if arm != instance:
        raise PreflightFailed(f"--arm {arm}: this instance is {instance}")
    if mode is not Mode.LIVE:
        raise PreflightFailed(f"--arm {arm}: this engine is {mode.value}, only LIVE can be armed")
    if not clean:
        what = "the last run did not end cleanly; look at it, then: dailyarb ctl arm"
        raise PreflightFailed(f"--arm {arm}: {what} {instance}")


async def arm_when_ready(
    view: Callable[[], View],
    ask: Callable[[OperatorCommand], None],
    patience_s: float = PATIENCE_S,
) -> str:
    """Arms as soon as the preflight passes.

    Args:
        view: gives the newest view.
        ask: hands a command to the engine.
        patience_s: how long feeds and reconciliation may take.

    Returns:
        What still failed when patience ended, "" once armed.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + patience_s
    while True:
        seen = view()
        amiss = failed(seen)
        if not amiss:
            ask(OperatorCommand(OperatorVerb.ARM, WHO, target=seen.instance, confirmed=True))
            return ""
        if loop.time() >= end:
            return "; ".join(amiss)
        await asyncio.sleep(LOOK_S)

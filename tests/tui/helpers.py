"""What the console's tests share: an app on a canned view, and the text of its screen."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from textual.pilot import Pilot

from dailyarb.core.domain.operator import OperatorVerb
from dailyarb.core.domain.settings import Ui
from dailyarb.core.domain.view import View
from dailyarb.tui import fixtures
from dailyarb.tui.app import Console, ConsoleOptions
from dailyarb.tui.source import FixtureSource

SIZES = ((80, 24), (120, 40), (200, 60))


def source_of(view: View | None = None, **options: object) -> FixtureSource:
    """Returns a fixture source on the running view, or on another."""
    shown = fixtures.running() if view is None else view
    return FixtureSource(shown, fixtures.books(), **options)  # type: ignore[arg-type]


@asynccontextmanager
async def console(
    source: FixtureSource | None = None,
    size: tuple[int, int] = (120, 40),
    *,
    view: str = "desk",
    ui: Ui | None = None,
    keys: dict[str, str] | None = None,
) -> AsyncIterator[tuple[Console, Pilot[int]]]:
    """Runs a console without a terminal."""
    app = Console(source or source_of(), ConsoleOptions(ui=ui or Ui(), keys=keys or {}, view=view))
    async with app.run_test(size=size) as pilot:
        await settle(app, pilot)
        yield app, pilot


async def settle(app: Console, pilot: Pilot[int]) -> None:
    """Lets layout and one paint happen."""
    await pilot.pause()
    app.refresh_now()
    await pilot.pause()


def rows_of(app: Console) -> list[str]:
    """Returns the screen as text, one row per line."""
    strips = app.screen._compositor.render_strips()
    return ["".join(segment.text for segment in strip) for strip in strips]


def text_of(app: Console) -> str:
    """Returns the screen as one text."""
    return "\n".join(row.rstrip() for row in rows_of(app))


def verbs(source: FixtureSource) -> list[OperatorVerb]:
    """Returns the verbs sent so far."""
    return [command.verb for command in source.sent]


def toasts(app: Console) -> list[str]:
    """Returns the texts of the toasts on screen."""
    return [toast.message for toast in app._notifications]


async def armed(app: Console, pilot: Pilot[int]) -> None:
    """Waits, bounded, until the open dialog takes a confirming key."""
    for _ in range(100):
        if getattr(app.screen, "armed", False):
            return
        await pilot.pause(0.02)
    raise AssertionError("the dialog never armed")


def squeezed(text: str) -> str:
    """Returns text with runs of white space made one."""
    return re.sub(r"\s+", " ", text)

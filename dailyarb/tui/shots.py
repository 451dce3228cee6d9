"""Writes pictures of the screen: `python -m dailyarb.tui.shots [FOLDER] [--instance NAME]`.

Without an instance the canned views are drawn; with one, what a running engine lays on its board.
"""

from __future__ import annotations

import argparse
import asyncio
import re
from pathlib import Path

from dailyarb.tui import fixtures
from dailyarb.tui.app import Console, ConsoleOptions
from dailyarb.tui.keys import VIEWS
from dailyarb.tui.source import BoardSource, FixtureSource, ViewSource

SIZES = ((80, 24), (120, 40), (200, 60))
FRAME_WAIT_S = 10.0
_RANDOM_ID = re.compile(r"terminal-\d+")


def normalised(svg: str) -> str:
    """Returns a picture whose ids do not change from run to run."""
    return _RANDOM_ID.sub("terminal-0", svg)


async def picture(
    source: ViewSource, size: tuple[int, int], view: str, options: ConsoleOptions
) -> str:
    """Returns the SVG of one view at one size, once a frame is there."""
    console = Console(source, options)
    async with console.run_test(size=size) as pilot:
        for _ in range(int(FRAME_WAIT_S / 0.1)):
            if source.latest() is not None:
                break
            await pilot.pause(0.1)
        await pilot.press(str(VIEWS.index(view) + 1))
        await pilot.pause(0.3)
        console.refresh_now()
        await pilot.pause()
        return normalised(console.export_screenshot(title=f"dailyarb {size[0]}x{size[1]}"))


async def pictures(instance: str) -> dict[str, str]:
    """Returns every size of the desk, and every other view at 120x40, by file name."""
    wanted = [(f"{size[0]}x{size[1]}", size, "desk") for size in SIZES]
    wanted += [(view, SIZES[1], view) for view in VIEWS[1:]]
    drawn = {}
    for name, size, view in wanted:
        source, options = _mounted(instance)
        drawn[f"{name}.svg"] = await picture(source, size, view, options)
        source.close()
    return drawn


def _mounted(instance: str) -> tuple[ViewSource, ConsoleOptions]:
    if not instance:
        return FixtureSource(fixtures.running(), fixtures.books()), ConsoleOptions()
    from dailyarb.runtime.paths import Places

    places = Places(instance)
    source = BoardSource(places.board, places.socket, who="shots", observe=True)
    return source, ConsoleOptions(log_path=places.log, journal_path=places.journal)


def main() -> None:
    """Parses the arguments and writes the pictures."""
    parser = argparse.ArgumentParser(description="write pictures of the console")
    parser.add_argument("folder", nargs="?", default="docs/screens", type=Path)
    parser.add_argument("--instance", default="", help="a running engine instead of canned views")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    for name, svg in asyncio.run(pictures(given.instance)).items():
        (given.folder / name).write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()

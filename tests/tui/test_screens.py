"""What each view shows at three sizes, kept as text: nothing clipped, nothing overflowing.

`DAILYARB_GOLDEN=write` writes the files anew; look at them before committing.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import msgspec
import pytest

from dailyarb.core.domain.rung import Mode
from dailyarb.core.domain.settings import Ui
from dailyarb.core.domain.view import View
from dailyarb.tui import fixtures
from dailyarb.tui.keys import VIEWS
from dailyarb.tui.source import FixtureSource, LinkState
from dailyarb.tui.widgets.pane import LinePane
from tests.tui.helpers import SIZES, console, rows_of, settle, source_of, text_of

GOLDEN = Path(__file__).parent / "golden"
WRITE = os.environ.get("DAILYARB_GOLDEN") == "write"


def compare(name: str, text: str) -> None:
    """Compares a screen with its golden text."""
    path = GOLDEN / f"{name}.txt"
    if WRITE:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")
    assert text + "\n" == path.read_text(encoding="utf-8"), f"{name} looks different"


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_every_view_looks_as_approved(size: tuple[int, int]) -> None:
    async with console(size=size) as (app, pilot):
        for number, view in enumerate(VIEWS, start=1):
            await pilot.press(str(number))
            await settle(app, pilot)
            rows = rows_of(app)
            assert len(rows) == size[1]
            assert all(len(row) == size[0] for row in rows), view
            compare(f"{view}-{size[0]}x{size[1]}", text_of(app))


async def test_every_state_looks_as_approved() -> None:
    source = source_of()
    sided, books = fixtures.one_sided()
    async with console(source, (80, 24)) as (app, pilot):
        for name, view in (*fixtures.scenes(), ("one_sided", sided)):
            source._books.update(books if name == "one_sided" else fixtures.books())
            source.show(view)
            source.state = LinkState.SYNCING if name == "booting" else LinkState.RUNNING
            await settle(app, pilot)
            compare(f"state-{name}-80x24", text_of(app))
        source._books.update(fixtures.books())
        source.show(fixtures.running(), age_ms=3200)
        for state in (LinkState.NO_FRAME, LinkState.LOST, LinkState.RESTARTED):
            source.state = state
            await settle(app, pilot)
            compare(f"link-{state.name.lower()}-80x24", text_of(app))


async def test_connecting_says_where_it_looks() -> None:
    async with console(FixtureSource(None, state=LinkState.CONNECTING), (80, 24)) as (app, _):
        assert "CONNECTING" in text_of(app)
        assert "fixture" in text_of(app)


async def test_without_a_frame_no_number_looks_alive() -> None:
    source = source_of(state=LinkState.NO_FRAME)
    source.show(fixtures.running(), age_ms=3200)
    async with console(source) as (app, _):
        rows = rows_of(app)
        assert "engine 3.2s !" in rows[1]
        assert "loss~-275" in rows[1]
        market = next(row for row in rows if "BTC 15m" in row and "QUOTE" in row)
        assert "~59.1" in market
        assert "F9 is still sent" in rows[-2]


async def test_a_small_terminal_keeps_status_why_and_keys() -> None:
    async with console(size=(59, 15)) as (app, _):
        rows = rows_of(app)
        assert "[S SIM]" in rows[0]
        assert "Day +128.44" in rows[1]
        assert "WHY" in rows[2]
        assert "F9 HALT" in rows[-1]
        assert "BTC 15m UP" not in text_of(app)


@pytest.mark.parametrize("size", [(60, 16), (80, 40), (200, 24), (120, 60), (300, 90), (20, 5)])
async def test_odd_sizes_hold(size: tuple[int, int]) -> None:
    async with console(size=size) as (app, pilot):
        for number in (1, 2, 5):
            await pilot.press(str(number))
            await settle(app, pilot)
            assert all(len(row) == size[0] for row in rows_of(app))


async def test_ascii_terminals_get_ascii_only() -> None:
    async with console(ui=Ui(charset="ascii")) as (app, pilot):
        for number in range(1, 9):
            await pilot.press(str(number))
            await settle(app, pilot)
            odd = {char for char in text_of(app) if not char.isascii()}
            assert not odd, (number, odd)


async def test_without_colour_modes_and_rungs_still_differ() -> None:
    seen: dict[str, str] = {}
    source = source_of()
    async with console(source, (80, 24), ui=Ui(theme="mono")) as (app, pilot):
        for name, view in fixtures.scenes():
            if name in {"running", "paper", "live", "dry", "replay", "halted", "reduced", "hedge"}:
                source.show(view)
                await settle(app, pilot)
                rows = rows_of(app)
                seen[name] = rows[0][:30] + rows[2][:3]
    assert len(set(seen.values())) == len(seen)


async def test_only_rows_that_differ_are_drawn_again() -> None:
    source = source_of()
    async with console(source) as (app, pilot):
        view = fixtures.running()
        moved = msgspec.structs.replace(view.markets[2], fair_e4=5333)
        source.show(msgspec.structs.replace(
            view, markets=(*view.markets[:2], moved, *view.markets[3:])))  # fmt: skip
        await pilot.pause()
        screen = app.view_screen
        assert screen is not None
        scene = app._new_scene()
        dirty = {pane.id: pane.paint(scene, force=True) for pane in screen.query(LinePane)}
        assert {name: rows for name, rows in dirty.items() if rows} == {"markets": 1}


async def test_a_frame_without_news_draws_nothing() -> None:
    async with console() as (app, pilot):
        await pilot.pause()
        screen = app.view_screen
        assert screen is not None
        scene = app._new_scene()
        assert screen.paint(scene, scene, force=True) == 0


async def test_live_and_paper_and_sim_have_borders_of_their_own() -> None:
    corners = {}
    source = source_of()
    async with console(source, (80, 24)) as (app, pilot):
        for mode in Mode:
            source.show(fixtures.running(mode=mode))
            await settle(app, pilot)
            corners[mode] = rows_of(app)[2][0] + rows_of(app)[3][0]
    assert len(set(corners.values())) == len(Mode)


def test_canned_views_survive_the_board() -> None:
    for _, view in fixtures.scenes():
        blob = msgspec.msgpack.encode(view)
        assert msgspec.msgpack.decode(blob, type=View) == view


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_what_is_not_known_is_one_dash_without_a_unit(size: tuple[int, int]) -> None:
    view = fixtures.running()
    blank = dict.fromkeys(("basis_bp", "basis_sd_bp", "vol_60s", "move_bp", "flow_5s", "lag_ms"))
    assets = tuple(msgspec.structs.replace(row, **blank) for row in view.assets)
    desks = tuple(
        msgspec.structs.replace(
            row, fair_e4=None, dist_bp=None, up=msgspec.structs.replace(row.up, bid_e4=None)
        )
        for row in view.markets
    )
    unknown = msgspec.structs.replace(view, assets=assets, markets=desks, clock_offset_ms=None)
    async with console(source_of(unknown), size) as (app, pilot):
        for number in range(1, len(VIEWS) + 1):
            await pilot.press(str(number))
            await settle(app, pilot)
            found = re.search(r"(?<![^ │])-( ?±.*| ?(bp|ms|%|¢|σ)(?=[ │]))", text_of(app))
            assert found is None, (VIEWS[number - 1], found)


@pytest.mark.parametrize(
    ("mode", "armed", "words"),
    [
        (Mode.SIM, True, "Nothing to arm"),
        (Mode.PAPER, True, "Nothing to arm"),
        (Mode.LIVE, True, "Armed: real orders leave."),
        (Mode.LIVE, False, "Not armed: halted until it is."),
    ],
)
async def test_the_mode_menu_speaks_of_arming_only_where_there_is_some(
    mode: Mode, armed: bool, words: str
) -> None:
    view = msgspec.structs.replace(fixtures.running(mode=mode), armed=armed)
    async with console(source_of(view), (80, 24)) as (app, pilot):
        await pilot.press("m")
        await settle(app, pilot)
        shown = [line for line in rows_of(app) if "arm" in line.lower() and "Arm LIVE" not in line]
        assert any(words in line for line in shown), shown
        assert not any("Armed: yes" in line for line in shown)

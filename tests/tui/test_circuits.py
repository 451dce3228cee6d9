"""The Risk view lists circuits beside breakers, open ones on top."""

from __future__ import annotations

from msgspec.structs import replace

from dailyarb.core.domain.rung import Rung
from dailyarb.core.domain.view import CircuitRow
from dailyarb.tui import fixtures
from tests.tui.helpers import console, rows_of, source_of

CIRCUITS = (
    CircuitRow("feed.pm", "CLOSED", 2, 5, Rung.HEDGE_ONLY, None, 0, "stays silent"),
    CircuitRow("orders.pm", "OPEN", 0, 5, Rung.HALTED, 10**18, 3, "timeout"),
    CircuitRow("disk", "HALF_OPEN", 1, 3, Rung.HEDGE_ONLY, 10**18, 1, "late syncs"),
    CircuitRow("alert.mail", "CLOSED", 0, 5, Rung.FULL, None, 0, "refused"),
)


async def test_open_circuits_stand_above_the_breakers_and_say_what_they_cap() -> None:
    view = replace(fixtures.running(), circuits=CIRCUITS)
    async with console(source_of(view), (200, 60), view="risk") as (app, _):
        rows = [row for row in rows_of(app) if "~" in row or "loss.day" in row]
        marks = ("~orders.pm", "~disk", "loss.day", "~feed.pm", "~alert.mail")
        names = [next((m for m in marks if m in row), "") for row in rows]
        assert names == list(marks)
        assert "OPEN" in rows[0] and "HALTED" in rows[0] and "timeout" in rows[0]
        assert "PROBING" in rows[1]
        assert " 2 " in rows[3] and " 5 " in rows[3], "failures in a row, and how many open it"


async def test_the_desk_counts_open_circuits_as_tripped() -> None:
    view = replace(fixtures.running(), circuits=CIRCUITS, breakers_tripped=2)
    async with console(source_of(view), (200, 60)) as (app, _):
        screen = "\n".join(rows_of(app))
        assert f"Breakers 2/{len(view.breakers) + len(CIRCUITS)}" in screen
    async with console(source_of(view), (120, 40)) as (app, _):
        screen = "\n".join(rows_of(app))
        assert f"BREAKERS 2/{len(view.breakers) + len(CIRCUITS)} tripped" in screen


async def test_a_state_of_another_version_is_shown_as_it_came() -> None:
    view = replace(fixtures.running(), circuits=(replace(CIRCUITS[0], state="ODD"),))
    async with console(source_of(view), (200, 60), view="risk") as (app, _):
        assert any("~feed.pm" in row and "ODD" in row for row in rows_of(app))

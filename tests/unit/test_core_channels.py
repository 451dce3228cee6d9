"""What the engine makes of the channels that alerts leave by (F83)."""

from __future__ import annotations

from msgspec.structs import replace

from dailyarb.core.domain.events import AlertState
from dailyarb.core.domain.ids import Severity
from dailyarb.core.domain.rung import Rung
from dailyarb.core.domain.settings import Alerts
from dailyarb.core.domain.units import MS
from dailyarb.core.domain.view import View
from dailyarb.core.engine.channels import CHANNELS_MAX
from tests.rig import Rig, settings

S = 10**9
UP = AlertState("phone", True, told_s=2.0)
DOWN = AlertState("phone", False, 3, "refused 3 times", critical_s=90.0)


def view(rig: Rig) -> View:
    return rig.engine.view(rig.clock.now())


def texts(rig: Rig) -> list[tuple[str, Severity]]:
    return [(e.text, e.severity) for e in rig.state.events if e.text.startswith("channel")]


def test_a_channel_that_turns_is_told_once_and_shown() -> None:
    rig = Rig().ready()
    for told in (UP, DOWN, DOWN, UP):
        rig.feed(told)
    assert texts(rig) == [
        ("channel phone down: refused 3 times", Severity.WARNING),
        ("channel phone delivers again", Severity.INFO),
    ]
    rig.feed(DOWN)
    (row,) = view(rig).channels
    assert (row.channel, row.ok, row.undelivered, row.told_ms) == ("phone", False, 3, None)
    assert row.detail == "refused 3 times"


def test_a_channel_shows_how_long_ago_it_took_something() -> None:
    rig = Rig().ready()
    rig.feed(UP)
    rig.clock.advance(1500 * MS)
    (row,) = view(rig).channels
    assert (row.ok, row.told_ms) == (True, 3500)


def test_a_keeper_that_says_nothing_is_not_believed_for_long() -> None:
    rig = Rig().ready()
    rig.feed(UP)
    rig.clock.advance(31 * S)
    (row,) = view(rig).channels
    assert (row.ok, row.detail) == (False, "no word from the keeper for 31 s")


def test_channels_are_bounded() -> None:
    rig = Rig().ready()
    for number in range(CHANNELS_MAX + 1):
        rig.feed(AlertState(f"c{number}", True))
    assert len(view(rig).channels) == CHANNELS_MAX


def test_a_critical_alert_that_reached_nobody_lowers_the_rung_only_where_that_is_asked() -> None:
    rig = Rig().ready()
    rig.feed(DOWN)
    assert rig.state.rungs.breaker is Rung.FULL
    strict = replace(settings(), alerts=Alerts(lower_rung_after_s=60.0))
    rig = Rig(strict).ready()
    rig.feed(replace(DOWN, critical_s=59.0))
    assert rig.state.rungs.breaker is Rung.FULL
    rig.feed(DOWN)
    assert (rig.state.rungs.breaker, rig.state.rungs.breaker_name) == (Rung.REDUCED, "alerts")
    rig.feed(UP)
    rig.clock.advance(round(strict.breakers.lift_after_s * S))
    rig.feed(UP)
    assert rig.state.rungs.breaker is Rung.FULL

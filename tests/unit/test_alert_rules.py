"""What the keeper tells of a view, when it begins, when it ends, and what each alert is about."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from dailyarb.core.domain.alerts import KEY_TAGS, AlertTag, tags_of
from dailyarb.core.domain.events import LATENCY_BOUNDS_NS, StageBuckets
from dailyarb.core.domain.ids import Severity
from dailyarb.core.domain.rung import Rung
from dailyarb.core.domain.settings import AlertRules
from dailyarb.core.domain.view import BreakerRow, ChannelRow, View
from dailyarb.core.risk.limits import RULES as BREAKERS
from dailyarb.runtime.alert_rules import LATENCY_STAGE, SAMPLES_MIN, Watch, p99_ms
from dailyarb.tui.fixtures import running

S = 1_000_000_000
INFO, WARNING, CRITICAL = Severity.INFO, Severity.WARNING, Severity.CRITICAL
RULES = AlertRules(for_s=10.0)
PACKAGE = Path(__file__).resolve().parent.parent.parent / "dailyarb"


def calm(**changes: Any) -> View:
    """Returns a view about which there is nothing to say."""
    view = running()
    process = replace(view.process, disk_free_gb=50.0)
    feeds = tuple(replace(row, connections=row.wanted) for row in view.feeds)
    breakers = tuple(replace(row, state="ok") for row in view.breakers)
    plain = replace(
        view, process=process, feeds=feeds, breakers=breakers, day_net_e6=0, unknown_orders=0,
        channels=(), buckets=(),
    )  # fmt: skip
    return replace(plain, **changes)


def later(view: View, seconds: float) -> View:
    return replace(view, mono_ns=view.mono_ns + round(seconds * S))


def test_a_calm_view_is_nothing_to_speak_of() -> None:
    watch = Watch(RULES)
    assert watch.look(calm()) == []
    assert watch.look(later(calm(), 60)) == []


def _feeds(view: View, up: int) -> View:
    first = replace(view.feeds[0], connections=up, wanted=2)
    return replace(view, feeds=(first, *view.feeds[1:]))


def test_a_trouble_is_told_once_it_has_stood_and_once_it_is_over() -> None:
    watch = Watch(RULES)
    ill = _feeds(calm(), 1)
    assert watch.look(ill) == []
    assert watch.look(later(ill, 9.9)) == []
    name = ill.feeds[0].feed.value
    (told,) = watch.look(later(ill, 10))
    assert told == (WARNING, f"feed.{name}", f"feed {name}: 1 of 2 connections stand")
    assert watch.look(later(ill, 11)) == []
    (over,) = watch.look(later(calm(), 12))
    assert over[:2] == (INFO, f"feed.{name}.over")
    assert over[2].startswith("over: feed")


def test_one_that_goes_away_in_time_is_not_told_and_begins_anew() -> None:
    watch = Watch(RULES)
    ill = _feeds(calm(), 1)
    for second in (0, 5):
        assert watch.look(later(ill, second)) == []
    assert watch.look(later(calm(), 8)) == []
    assert watch.look(later(ill, 12)) == []
    assert len(watch.look(later(ill, 22))) == 1


def test_one_that_gets_worse_is_told_again() -> None:
    watch = Watch(AlertRules(for_s=0.0))
    assert watch.look(_feeds(calm(), 1))[0][0] is WARNING
    assert watch.look(later(_feeds(calm(), 0), 1))[0][0] is CRITICAL
    assert watch.look(later(_feeds(calm(), 0), 2)) == []


def _breaker(state: str) -> BreakerRow:
    return BreakerRow("loss.drawdown", 35.0, 40.0, "$", state, Rung.HALTED, "manual", None, 0)


CASES = [
    (
        calm(breakers=(_breaker("warn"),)),
        (WARNING, "breaker.loss.drawdown.near", "loss.drawdown is near its limit: 35 of 40 $"),
    ),
    (
        calm(day_net_e6=-51_000_000),
        (INFO, "pnl.step.-2", "the day stands at -51.00 $ after fees (SIM)"),
    ),
    (
        calm(day_net_e6=25_000_000),
        (INFO, "pnl.step.+1", "the day stands at +25.00 $ after fees (SIM)"),
    ),
    (
        calm(books=replace(calm().books, residual_e6=-10)),
        (CRITICAL, "books.residual", "the books do not add up: -0.000010 $ are unexplained"),
    ),
    (
        calm(unknown_orders=2),
        (CRITICAL, "order.unproven", "2 orders of unknown outcome for over 60 s"),
    ),
    (
        calm(process=replace(calm().process, disk_free_gb=1.5)),
        (WARNING, "disk.free", "1.50 GB of disk left, 2 wanted"),
    ),
    (
        calm(process=replace(calm().process, disk_free_gb=0.4)),
        (CRITICAL, "disk.free", "0.40 GB of disk left, 2 wanted"),
    ),
    (
        calm(channels=(ChannelRow("phone", False, 3, None, "refused"),)),
        (WARNING, "channel.phone", "alert channel phone does not deliver: refused"),
    ),
]


@pytest.mark.parametrize(("view", "told"), CASES, ids=[told[1] for _, told in CASES])
def test_each_rule_speaks_of_its_own_number(view: View, told: tuple[Severity, str, str]) -> None:
    watch = Watch(RULES)
    assert [t for second in (0, 10, 60, 61) for t in watch.look(later(view, second))] == [told]


def test_steps_of_the_result_are_told_as_they_come_and_their_end_is_not() -> None:
    watch = Watch(RULES)
    keys = []
    for second, day_usd in enumerate((0, 26, 30, 51, 49, 10)):
        keys += [key for _, key, _ in watch.look(later(calm(day_net_e6=day_usd * 10**6), second))]
    assert keys == ["pnl.step.+1", "pnl.step.+2", "pnl.step.+1"]


def _timed(view: View, second: float, fast: int, slow: int) -> View:
    """Returns a view in which so many orders took 1 ms, and so many 50 ms, since the start."""
    counts = tuple(
        (fast if ns >= 1_000_000 else 0) + (slow if ns >= 50_000_000 else 0)
        for ns in LATENCY_BOUNDS_NS
    )
    row = StageBuckets(LATENCY_STAGE, (*counts, fast + slow), 0.0)
    return later(replace(view, buckets=(row,)), second)


def test_slow_orders_are_those_of_the_last_minute_of_this_run() -> None:
    watch = Watch(AlertRules(for_s=0.0, tick_to_order_p99_ms=5))
    assert watch.look(_timed(calm(), 0, 1_000, 500)) == []  # before we looked
    assert watch.look(_timed(calm(), 30, 2_000, 501)) == []
    (told,) = watch.look(_timed(calm(), 40, 2_100, 540))
    assert told[:2] == (WARNING, "latency.tick_to_order")
    assert told[2] == "tick to order p99 50 ms over the last minute, limit 5 ms"
    (over,) = watch.look(_timed(calm(), 101, 3_000, 540))
    assert over[1] == "latency.tick_to_order.over"
    other = replace(calm(), run="r2")
    assert watch.look(_timed(other, 102, 10, 500)) == []


def test_a_percentile_needs_samples_and_is_the_bound_of_its_bucket() -> None:
    size = len(LATENCY_BOUNDS_NS)
    assert p99_ms([0] * size + [SAMPLES_MIN - 1]) is None
    assert p99_ms([0] * size + [SAMPLES_MIN]) == LATENCY_BOUNDS_NS[-1] / 1e6
    assert p99_ms([SAMPLES_MIN] * size + [SAMPLES_MIN]) == LATENCY_BOUNDS_NS[0] / 1e6


def test_every_breaker_has_tags_of_its_own() -> None:
    for rule in BREAKERS:
        tags = tags_of(f"breaker.{rule.name}")
        assert AlertTag.BREAKERS in tags
        assert tags == tags_of(f"breaker.{rule.name}.near")


def test_every_alert_in_the_code_is_about_something() -> None:
    core = [path.read_text(encoding="utf-8") for path in sorted(PACKAGE.rglob("core/**/*.py"))]
    keys = {key for text in core for key in re.findall(r"\.alert\(\s*[^,]+,\s*f?\"([^\"{]+)", text)}
    assert {"heartbeat", "venue.auth", "cash.differs"} <= keys
    unlisted = sorted(key for key in keys if key.split(".")[0] not in KEY_TAGS)
    assert unlisted == []


def test_a_key_takes_the_longest_entry_that_fits() -> None:
    assert tags_of("breaker.order.latency") == (AlertTag.BREAKERS, AlertTag.LATENCY)
    assert tags_of("breaker.order.reject") == (AlertTag.BREAKERS, AlertTag.ORDERS)
    assert tags_of("nobody.knows") == (AlertTag.ENGINE,)
    assert {tag for tags in KEY_TAGS.values() for tag in tags} == set(AlertTag)

"""Metrics say what the view and the keeper say, under the names of the status rows."""

from __future__ import annotations

import re

from msgspec.structs import replace
from prometheus_client import generate_latest

from dailyarb.core.domain.events import LATENCY_BOUNDS_NS, AlertState
from dailyarb.core.domain.ids import Severity
from dailyarb.core.domain.rung import Rung
from dailyarb.core.domain.view import BootStep, FunnelRow
from dailyarb.runtime.metrics import KeeperFacts, Metrics
from dailyarb.tui.fixtures import empty, halted, running

ALIVE = KeeperFacts(up=True, age_s=0.25, life="alive")


def samples(metrics: Metrics) -> dict[str, float]:
    lines = generate_latest(metrics.registry).decode().splitlines()
    pairs = [line.rsplit(" ", 1) for line in lines if line and not line.startswith("#")]
    assert len({name for name, _ in pairs}) == len(pairs), "a series is told twice"
    return {name: float(number) for name, number in pairs}


def test_without_a_view_only_the_keeper_speaks() -> None:
    told = samples(Metrics())
    assert told["dailyarb_up"] == 0.0
    assert told['dailyarb_alerts_total{severity="CRITICAL"}'] == 0.0
    assert all(re.match(r"dailyarb_(up|view_age|engine_restarts|alert)", name) for name in told)


def test_the_keeper_tells_of_its_channels() -> None:
    metrics = Metrics()
    metrics.update(
        None,
        KeeperFacts(
            channels=(
                AlertState("phone", True, 0),
                AlertState("slack", False, 3, critical_s=12.0),
            ),
            raised={Severity.WARNING: 7},
            sent={"phone": 5},
            failed={"phone": 1},
            dropped={"phone": 2},
            held=4,
            restarts=1,
        ),
    )
    told = samples(metrics)
    assert told['dailyarb_alert_channel_up{channel="phone"}'] == 1
    assert told['dailyarb_alert_channel_up{channel="slack"}'] == 0
    assert told["dailyarb_alerts_undelivered"] == 3
    assert told["dailyarb_alert_critical_wait_seconds"] == 12
    assert told['dailyarb_alerts_total{severity="WARNING"}'] == 7
    assert told["dailyarb_alerts_held_total"] == 4
    for what, count in (("sent", 5), ("failed", 1), ("dropped", 2)):
        assert told[f'dailyarb_alerts_{what}_total{{channel="phone"}}'] == count
    assert told["dailyarb_engine_restarts_total"] == 1


def test_numbers_are_those_of_the_view() -> None:
    view = running()
    metrics = Metrics()
    metrics.update(view, ALIVE)
    told = samples(metrics)
    assert told["dailyarb_up"] == 1
    assert told["dailyarb_view_age_seconds"] == 0.25
    own = f'{{evidence="{view.evidence.value}"}}'
    assert told["dailyarb_exposure_dollars" + own] == view.exposure_e6 / 1e6
    assert told["dailyarb_max_loss_usd" + own] == view.worst_e6 / 1e6
    for row in view.pnl:
        labels = f'{{evidence="{row.evidence.value}",strategy="{row.key}"}}'
        assert told["dailyarb_pnl_dollars" + labels] == row.net_e6 / 1e6
        assert told["dailyarb_fills_total" + labels] == row.fills
    for feed in view.feeds:
        age_s = told[f'dailyarb_feed_age_seconds{{feed="{feed.feed.value}"}}']
        assert age_s == feed.age_ms / 1000
    sent = next(row for row in view.funnel if row.name == "sent")
    assert told['dailyarb_orders_total{stage="sent"}'] == sent.count
    for pair in view.pairs:
        assert told[f'dailyarb_pairs_total{{result="{pair.name}"}}'] == pair.count


def test_latency_is_a_histogram_by_stage() -> None:
    metrics = Metrics()
    metrics.update(running(), ALIVE)
    told = samples(metrics)
    row = next(row for row in running().buckets if row.stage == "tick_to_order")
    name = "dailyarb_latency_seconds"
    within = {
        float(match[1]): number
        for series, number in told.items()
        if (match := re.fullmatch(rf'{name}_bucket{{le="([^"]+)",stage="tick_to_order"}}', series))
    }
    assert within == {
        **{ns / 1e9: count for ns, count in zip(LATENCY_BOUNDS_NS, row.counts, strict=False)},
        float("inf"): row.counts[-1],
    }
    assert told[f'{name}_count{{stage="tick_to_order"}}'] == row.counts[-1]
    assert told[f'{name}_sum{{stage="tick_to_order"}}'] == row.sum_s


def test_exactly_one_rung_is_in_force() -> None:
    metrics = Metrics()
    metrics.update(halted(), ALIVE)
    told = samples(metrics)
    rungs = {rung: told[f'dailyarb_rung{{rung="{rung.name}"}}'] for rung in Rung}
    assert [rung for rung, on in rungs.items() if on] == [Rung.HALTED]


def test_reasons_of_one_name_are_one_series_and_their_number_is_bounded() -> None:
    metrics = Metrics()
    loss = [FunnelRow(f"reason {number}", 1, True) for number in range(500)]
    twice = [FunnelRow("rejected", 2, True), FunnelRow("rejected", 3, True)]
    metrics.update(replace(running(), funnel=(*twice, *loss)), ALIVE)
    told = samples(metrics)
    assert told['dailyarb_rejects_total{reason="rejected"}'] == 5
    assert sum(name.startswith("dailyarb_rejects_total") for name in told) < 100


def test_every_scene_can_be_scraped_and_names_are_ours() -> None:
    metrics = Metrics()
    for view in (running(), halted(), empty(), running(30, stale=True)):
        metrics.update(view, ALIVE)
        names = samples(metrics)
        assert len(names) < 1000
        assert all(re.match(r"dailyarb_[a-z0-9_]+", name) for name in names)


def test_ready_is_who_lives_shows_and_has_reconciled() -> None:
    metrics = Metrics()
    assert metrics.health() == (False, {"engine": "awaited", "view_age_s": 0.0})
    assert metrics.readiness() == (False, {"engine": "awaited", "ready": False})
    metrics.update(running(), ALIVE)
    assert metrics.health()[0]
    good, facts = metrics.readiness()
    assert good and facts["ready"] and facts["rung"] == "FULL" and facts["booting"] == []
    booting = replace(running(), booting=(BootStep("clock", True), BootStep("account", False)))
    metrics.update(booting, ALIVE)
    good, facts = metrics.readiness()
    assert (good, facts["booting"]) == (False, ["account"])
    metrics.update(running(), replace(ALIVE, age_s=6.0))
    assert not metrics.readiness()[0]
    metrics.update(running(), replace(ALIVE, up=False, life="gone"))
    assert not metrics.readiness()[0]
    assert metrics.health() == (False, {"engine": "gone", "view_age_s": 0.25})

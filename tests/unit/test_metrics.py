"""Metrics say what the view says, under the names of the status rows."""

from __future__ import annotations

import re
import urllib.request

from prometheus_client import generate_latest

from dailyarb.core.domain.rung import Rung
from dailyarb.runtime.metrics import Metrics
from dailyarb.tui.fixtures import empty, halted, running


def samples(metrics: Metrics) -> dict[str, float]:
    lines = generate_latest(metrics.registry).decode().splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
    return {name: float(number) for name, number in pairs}


def test_without_a_view_only_life_is_told() -> None:
    metrics = Metrics()
    assert samples(metrics) == {
        "dailyarb_up": 0.0,
        "dailyarb_view_age_seconds": 0.0,
        "dailyarb_alerts_undelivered": 0.0,
    }


def test_numbers_are_those_of_the_view() -> None:
    view = running()
    metrics = Metrics()
    metrics.update(view, True, 0.25, 3)
    told = samples(metrics)
    assert told["dailyarb_up"] == 1
    assert told["dailyarb_alerts_undelivered"] == 3
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
    stage = view.latency[0]
    p99 = told[f'dailyarb_latency_seconds{{quantile="0.99",stage="{stage.stage}"}}']
    assert p99 == stage.p99_us / 1e6
    sent = next(row for row in view.funnel if row.name == "sent")
    assert told['dailyarb_orders_total{stage="sent"}'] == sent.count


def test_exactly_one_rung_is_in_force() -> None:
    metrics = Metrics()
    metrics.update(halted(), True, 0.0)
    told = samples(metrics)
    rungs = {rung: told[f'dailyarb_rung{{rung="{rung.name}"}}'] for rung in Rung}
    assert [rung for rung, on in rungs.items() if on] == [Rung.HALTED]


def test_every_scene_can_be_scraped_and_names_are_ours() -> None:
    metrics = Metrics()
    for view in (running(), halted(), empty(), running(30, stale=True)):
        metrics.update(view, True, 0.0)
        names = samples(metrics)
        assert len(names) < 1000
        assert all(re.match(r"dailyarb_[a-z0-9_]+", name) for name in names)


def test_scrapers_are_served_on_the_loopback() -> None:
    metrics = Metrics()
    metrics.update(running(), True, 0.0)
    port = metrics.serve(0)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        assert b"dailyarb_up 1.0" in answer.read()

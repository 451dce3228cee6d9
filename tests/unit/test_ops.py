"""The files in `ops/`: rules and dashboard speak of metrics that exist, and fire when they should.

Rules are evaluated against scrapes taken over HTTP from the keeper's own endpoint, of views that a
real engine has built; where promtool is installed, real Prometheus must come to the same answers.
"""

from __future__ import annotations

import configparser
import json
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec.structs import replace

from dailyarb.core.domain.events import (
    LATENCY_BOUNDS_NS,
    AlertState,
    ClockOffset,
    LatencyReport,
    LoopLag,
    StageBuckets,
)
from dailyarb.core.domain.rung import Rung
from dailyarb.core.domain.view import CircuitRow, View
from dailyarb.core.engine.housekeeping import EXIT_BREAKER, EXIT_CLEAN, EXIT_UNVERIFIED
from dailyarb.core.engine.operator import STOP_WAIT_NS
from dailyarb.runtime.metrics import KeeperFacts, Metrics
from dailyarb.runtime.metrics_http import MetricsServer
from dailyarb.verbs import parser
from tests.promql import History, Query, Vector, read_scrape
from tests.rig import Rig

OPS = Path(__file__).resolve().parent.parent.parent / "ops"
TARGET = {"instance": "127.0.0.1:9464", "job": "dailyarb"}
STEP_S, TURN_S, END_S = 60, 420, 600
RULES: dict[str, dict[str, Any]] = {
    rule["alert"]: rule
    for group in yaml.safe_load((OPS / "dailyarb.rules.yml").read_text())["groups"]
    for rule in group["rules"]
}
ALIVE = KeeperFacts(up=True, age_s=0.1, life="alive", channels=(AlertState("phone", True),))
Scene = tuple[View | None, KeeperFacts]


def _buckets(stage: str, quick: int, slow: int) -> StageBuckets:
    """Returns a stage with so many times of 50 us, and so many of 2 s."""
    counts = (
        (quick if ns >= 50_000 else 0) + (slow if ns >= 2_000_000_000 else 0)
        for ns in LATENCY_BOUNDS_NS
    )
    return StageBuckets(stage, (*counts, quick + slow), quick * 5e-5 + slow * 2.0)


def _engine_view() -> View:
    rig = Rig().ready()
    rig.feed(LoopLag(0.4, 2.0, 31.0, 112.0, 0.8, 41, 41.2, 18.4))
    rig.feed(ClockOffset(3.0, 1.0))
    stages = ("tick_to_order", "send_to_ack")
    rig.feed(LatencyReport((), tuple(_buckets(stage, 100, 0) for stage in stages)))
    return rig.engine.view(rig.clock.now())


CALM = replace(
    _engine_view(),
    circuits=(CircuitRow("order.path", "CLOSED", 0, 5, Rung.HEDGE_ONLY, None, 0),),
)


def view(**changes: Any) -> Scene:
    return replace(CALM, **changes), ALIVE


def breaker(name: str, **changes: Any) -> Scene:
    rows = [replace(row, **changes) if row.name == name else row for row in CALM.breakers]
    assert any(row.name == name for row in rows)
    return view(breakers=tuple(rows))


def feed(**changes: Any) -> Scene:
    return view(feeds=(replace(CALM.feeds[0], **changes), *CALM.feeds[1:]))


def funnel(**counts: int) -> Scene:
    rows = [replace(row, count=row.count + counts.get(row.name, 0)) for row in CALM.funnel]
    return view(funnel=tuple(rows))


def pairs(**counts: int) -> Scene:
    rows = [replace(row, count=row.count + counts.get(row.name, 0)) for row in CALM.pairs]
    return view(pairs=tuple(rows))


def slow(stage: str) -> Scene:
    rows = [_buckets(stage, 100, 20) if row.stage == stage else row for row in CALM.buckets]
    return view(buckets=tuple(rows))


def process(**changes: Any) -> Scene:
    return view(process=replace(CALM.process, **changes))


def keeper(**changes: Any) -> Scene:
    return CALM, replace(ALIVE, **changes)


# What happens, and the alerts that fire then: no others.
SCENES: dict[str, tuple[Scene, set[str]]] = {
    "nothing": (view(), set()),
    "engine dies": (keeper(up=False, life="gone", age_s=200.0), {"DailyarbEngineDown"}),
    "engine shows nothing new": (keeper(age_s=20.0), {"DailyarbViewOld"}),
    "engine restarted": (keeper(restarts=1), {"DailyarbEngineRestarted"}),
    "loop late": (process(p99_ms=80.0), {"DailyarbLoopLate"}),
    "day loss near": (breaker("loss.day", now=-45.0), {"DailyarbLossNearLimit"}),
    "drawdown near": (breaker("loss.drawdown", now=45.0), {"DailyarbLossNearLimit"}),
    "a gain": (breaker("loss.day", now=45.0), set()),
    "worst case near": (view(worst_e6=-195_000_000), {"DailyarbWorstCaseNearLimit"}),
    "books": (view(books=replace(CALM.books, residual_e6=-1)), {"DailyarbBooksDoNotAddUp"}),
    "fee": (breaker("fee.gap", state="latched"), {"DailyarbFeeDiffers", "DailyarbBreakerTripped"}),
    "naked": (view(naked_e6=5_000_000), {"DailyarbNakedLeg"}),
    "halted": (view(rung=Rung.HALTED), {"DailyarbHalted"}),
    "breaker": (breaker("slippage", state="TRIPPED"), {"DailyarbBreakerTripped"}),
    "circuit": (
        view(circuits=tuple(replace(row, state="OPEN") for row in CALM.circuits)),
        {"DailyarbCircuitOpen"},
    ),
    "unknown": (view(unknown_orders=1), {"DailyarbUnknownOrders"}),
    "refused": (funnel(sent=100, rejected=40), {"DailyarbOrdersRefused"}),
    "few refused": (funnel(sent=100, rejected=20), set()),
    "unwound": (pairs(opened=9, completed=1, unwound=3), {"DailyarbPairsUnwound"}),
    "completed": (pairs(opened=9, completed=9), set()),
    "slow orders": (slow("tick_to_order"), {"DailyarbSlowOrders"}),
    "slow venue": (slow("send_to_ack"), {"DailyarbSlowVenue"}),
    "clock": (view(clock_offset_ms=-900.0), {"DailyarbClockOff"}),
    "feed silent": (feed(age_ms=9_000), {"DailyarbFeedSilent"}),
    "connection lost": (feed(connections=1), {"DailyarbFeedConnectionsLost"}),
    "faults": (feed(faults=500), {"DailyarbFeedFaults"}),
    "disk": (process(disk_free_gb=0.5), {"DailyarbDiskFull"}),
    "channel": (keeper(channels=(AlertState("phone", False),)), {"DailyarbAlertChannelDown"}),
    "undelivered": (
        keeper(channels=(AlertState("phone", True, critical_s=90.0),)),
        {"DailyarbCriticalAlertUndelivered"},
    ),
}


@pytest.fixture(scope="module")
def scrape() -> Iterator[Callable[[Scene], dict[str, Vector]]]:
    """Gives a real scrape of a scene, over HTTP."""
    server = MetricsServer(Metrics(), "127.0.0.1", 0)

    def take(scene: Scene) -> dict[str, Vector]:
        server.metrics.update(*scene)
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics") as answer:
            return read_scrape(answer.read().decode(), **TARGET)

    yield take
    server.stop()


def history(before: dict[str, Vector], after: dict[str, Vector]) -> History:
    """Returns ten minutes of scrapes that turn in the middle."""
    return History(
        [(at_s, before if at_s < TURN_S else after) for at_s in range(0, END_S + 1, STEP_S)]
    )


Take = Callable[[Scene], dict[str, Vector]]


@pytest.mark.parametrize("name", SCENES)
def test_a_rule_fires_for_its_own_trouble_only(name: str, scrape: Take) -> None:
    scene, wanted = SCENES[name]
    past = history(scrape(view()), scrape(scene))
    fired = {alert for alert, rule in RULES.items() if Query(rule["expr"]).value(past, END_S)}
    assert fired == wanted


def test_a_keeper_that_is_gone_is_missed() -> None:
    fired = {alert for alert, rule in RULES.items() if Query(rule["expr"]).value(History(), 0.0)}
    assert fired == {"DailyarbGone"}


def test_every_rule_has_a_scene_a_severity_and_words() -> None:
    assert set().union(*(wanted for _, wanted in SCENES.values())) == set(RULES) - {"DailyarbGone"}
    for rule in RULES.values():
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"]["summary"]
        assert re.fullmatch(r"\d+[sm]", rule.get("for", "0s"))


def _dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((OPS / "grafana-dashboard.json").read_text())
    return found


def _expressions() -> Iterator[str]:
    """Gives every expression of the dashboard, its variables filled in as Grafana does."""
    board = _dashboard()
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            yield re.sub(r"^label_values\((.*), \w+\)$", r"\1", variable["query"])
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            yield target["expr"].replace("$__rate_interval", "5m").replace("$instance", ".*")


def test_the_dashboard_shows_what_is_there(scrape: Take) -> None:
    past = history(scrape(view()), scrape(view()))
    expressions = list(_expressions())
    assert len(expressions) > 25
    for text in expressions:
        value = Query(text).value(past, END_S)
        assert value, f"{text}: nothing to show"


def test_its_panels_have_titles_units_and_places_of_their_own() -> None:
    board = _dashboard()
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {
            (place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])
        }
        assert panel["title"] and place["x"] + place["w"] <= 24
        assert not cells & taken, f"{panel['title']} covers another"
        taken |= cells
        assert panel["type"] == "row" or panel["datasource"]["uid"] == "${datasource}"
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)


def test_every_metric_that_is_asked_for_exists(scrape: Take) -> None:
    there = set(scrape(view()))
    for text in [*_expressions(), *(rule["expr"] for rule in RULES.values())]:
        assert Query(text).names <= there, text


def test_prometheus_is_pointed_at_the_keeper_and_the_rules() -> None:
    from dailyarb.core.domain.settings import MetricsSettings

    found = yaml.safe_load((OPS / "prometheus.yml").read_text())
    assert [(OPS / name).is_file() for name in found["rule_files"]] == [True]
    (job,) = found["scrape_configs"]
    default = MetricsSettings()
    assert job["static_configs"][0]["targets"] == [f"{default.address}:{default.port}"]


# Beside real Prometheus

PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")


def _promtool(*words: str, given: str = "") -> str:
    assert PROMTOOL is not None
    done = subprocess.run(
        [PROMTOOL, *words], input=given, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@needs_promtool
def test_prometheus_reads_rules_and_settings(scrape: Take) -> None:
    assert f"{len(RULES)} rules found" in _promtool(
        "check", "rules", str(OPS / "dailyarb.rules.yml")
    )
    _promtool("check", "config", str(OPS / "prometheus.yml"))
    server = MetricsServer(Metrics(), "127.0.0.1", 0)
    server.metrics.update(*view())
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics") as answer:
        assert _promtool("check", "metrics", given=answer.read().decode()) == ""
    server.stop()


@needs_promtool
def test_prometheus_comes_to_the_same_answers(scrape: Take, tmp_path: Path) -> None:
    calm = scrape(view())
    tests = []
    for name, (scene, _) in SCENES.items():
        past = history(calm, scrape(scene))
        answers = []
        for rule in RULES.values():
            found = Query(rule["expr"]).value(past, END_S)
            assert isinstance(found, dict)
            samples = [{"labels": "{}", "value": len(found)}] if found else []
            text = f"count({rule['expr']})"
            answers.append({"expr": text, "eval_time": f"{END_S}s", "exp_samples": samples})
        series = [
            {"series": _series(metric, labels), "values": _values(past, metric, labels)}
            for metric, rows in calm.items()
            for labels in rows
        ]
        tests.append(
            {"name": name, "interval": "1m", "input_series": series, "promql_expr_test": answers}
        )
    path = tmp_path / "tests.yml"
    path.write_text(json.dumps({"rule_files": [], "tests": tests}))
    assert "SUCCESS" in _promtool("test", "rules", str(path))


def _series(metric: str, labels: tuple[tuple[str, str], ...]) -> str:
    inner = ", ".join(f"{name}={json.dumps(text)}" for name, text in labels)
    return f"{metric}{{{inner}}}"


def _values(past: History, metric: str, labels: tuple[tuple[str, str], ...]) -> str:
    return " ".join(f"{scrape[metric][labels]:.15g}" for _, scrape in past.scrapes)


# The service


def test_the_service_leaves_the_keeper_its_last_word_and_people_their_decisions() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string((OPS / "dailyarb.service").read_text())
    service = unit["Service"]
    assert service["KillMode"] == "process"
    assert (service["Type"], service["NotifyAccess"]) == ("notify", "all")
    assert float(service["TimeoutStopSec"]) > STOP_WAIT_NS / 1e9
    kept = {int(code) for code in service["RestartPreventExitStatus"].split()}
    assert {EXIT_BREAKER, EXIT_UNVERIFIED} <= kept
    assert kept.isdisjoint({70, EXIT_CLEAN})
    words = service["ExecStart"].split()
    assert words[0].endswith("/dailyarb")
    arguments = parser.build().parse_args(words[1:])
    assert arguments.no_ui and not arguments.live

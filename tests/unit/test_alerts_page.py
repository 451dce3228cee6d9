"""The page on alerts and metrics says what the code does: every metric, tag, rule and setting."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
from msgspec.structs import replace

from dailyarb.core.domain.alerts import AlertTag
from dailyarb.core.domain.events import AlertState
from dailyarb.core.domain.rung import Rung
from dailyarb.core.domain.settings import AlertRoute, AlertRules, Alerts
from dailyarb.core.domain.view import CircuitRow
from dailyarb.runtime import alert, alert_rules, outbox
from dailyarb.runtime.metrics import KeeperFacts, Metrics
from dailyarb.tui.fixtures import running

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")


def exported() -> set[str]:
    """Returns a row of the page's table for every metric there can be."""
    counts, phone = {"phone": 1}, (AlertState("phone", True),)
    circuit = CircuitRow("feed.pm", "CLOSED", 0, 5, Rung.HALTED, None, 0)
    metrics = Metrics()
    metrics.update(
        replace(running(), circuits=(circuit,)),
        KeeperFacts(channels=phone, sent=counts, failed=counts, dropped=counts),
    )
    rows = set()
    for family in metrics.collect():
        assert family.samples, f"{family.name} is not in the scene"
        name = family.name + ("_total" if family.type == "counter" else "")
        labels = sorted({key for s in family.samples for key in s.labels if key != "le"})
        said = ", ".join(labels) or "-"
        rows.add(f"| `{name}` | {family.type} | {said} | {family.documentation} |")
    return rows


def test_every_metric_is_told_as_it_is_exported() -> None:
    told = set(re.findall(r"^\| `dailyarb_.*$", PAGE, re.MULTILINE))
    assert told == exported()


def test_every_tag_and_every_rule_is_told() -> None:
    for tag in AlertTag:
        assert f"| `{tag.value}` |" in PAGE
    for rule in alert_rules.RULES:
        assert rule.__doc__ is not None
        assert f"| {rule.__doc__} |" in PAGE, rule.__name__


def test_every_setting_is_told() -> None:
    for table in (Alerts, AlertRoute, AlertRules):
        for field in msgspec.structs.fields(table):
            name = re.sub(r"^(tick_to_order_p99_ms|min_disk_gb|rules|routes)$", "", field.name)
            assert name in PAGE, field.name


def test_numbers_are_those_of_the_code() -> None:
    assert f"an outbox of {outbox.WAITING_MAX} " in PAGE
    assert alert.RETRY_S == (1.0, 5.0, 25.0, 60.0)
    assert "after 1, 5, 25 and 60 s" in PAGE
    assert f"within {alert.ESCALATE_NS // 10**9} s" in PAGE

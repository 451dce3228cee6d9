"""The real engine and its real keeper: one dies, the other acts, and nobody gains a rung by it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dailyarb.core.domain.operator import OperatorVerb
from dailyarb.core.domain.records import RungSet
from dailyarb.core.domain.rung import Rung
from dailyarb.runtime.control import ControlClient
from dailyarb.runtime.launch import Running, find
from dailyarb.runtime.paths import holder_of
from tests.endpoints import HttpSink, http_sink
from tests.processes import Engine, Machine, machine, until, write_config
from tests.promql import History, Query, read_scrape

pytestmark = pytest.mark.slow
OPS = Path(__file__).resolve().parent.parent.parent / "ops"
PROMPT = {"max_restarts": "1", "restart_after_s": "1.0", "digest_s": "0.0"}


class Desk:
    """Is a machine whose engine has a channel, a port for metrics and one restart an hour."""

    def __init__(self, where: Machine, sink: HttpSink) -> None:
        self.where = where
        self.sink = sink
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = int(listener.getsockname()[1])
        changes = {**PROMPT, "url": '"env:ALERT_URL"', "severity": '"INFO"', "port": str(self.port)}
        greeting = json.dumps(str(where.greeting))
        config = write_config(where.folder / "alerting.toml", greeting_file=greeting, **changes)
        self.engine: Engine = where.start(config=config).reconciled()
        self.restarted: list[int] = []

    def get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
            text: str = answer.read().decode()
        return text

    def keeper(self) -> dict[str, object]:
        return holder_of(self.where.places.state_dir / "keeper.lock") or {}

    def heard(self, words: str) -> dict[str, Any]:
        """Waits for an alert that has these words."""
        while True:
            told = self.sink.told.get(timeout=30)
            if words in told["message"]:
                return told

    def again(self) -> Running:
        """Waits for the engine that the keeper has started."""

        def other() -> bool:
            found = find(self.where.places)
            return found is not None and found.pid != self.engine.pid and found.heartbeat_ns > 0

        until(other, "the keeper starts another engine", 30)
        found = find(self.where.places)
        assert found is not None
        self.restarted.append(found.pid)
        return found

    def close(self) -> None:
        for pid in self.restarted:
            os.kill(pid, signal.SIGTERM)
            until(lambda: find(self.where.places) is None, "it ends")


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    with http_sink() as sink, machine() as where:
        monkeypatch.setenv("ALERT_URL", sink.url)
        where.start_venues()
        made = Desk(where, sink)
        yield made
        made.close()


def test_a_restart_raises_no_rung_and_resets_nothing(desk: Desk) -> None:
    with ControlClient(desk.where.places.socket) as control:
        assert control.send(OperatorVerb.RUNG, rung=Rung.HEDGE_ONLY).ok
    desk.heard("the operator's rung is HEDGE_ONLY")
    until(lambda: bool(desk.engine.view().channels), "the engine knows of its channel")
    assert [(row.channel, row.ok) for row in desk.engine.view().channels] == [("phone", True)]
    run = desk.engine.view().run
    desk.engine.kill()
    assert desk.heard("the engine died")["title"].startswith("dailyarb main: CRITICAL")
    desk.heard("started anew, 1 of 1 this hour; never armed")
    desk.again()
    until(lambda: not desk.engine.view().booting, "it reconciles")
    view = desk.engine.view()
    assert view.run != run
    assert (view.operator_rung, view.rung) == (Rung.HEDGE_ONLY, Rung.HEDGE_ONLY)
    set_by = [row.record for row in desk.where.rows() if isinstance(row.record, RungSet)]
    assert [record.rung for record in set_by] == [Rung.HEDGE_ONLY]


def test_a_keeper_that_dies_is_replaced_by_its_engine(desk: Desk) -> None:
    until(lambda: bool(desk.keeper()), "a keeper watches")
    first = desk.keeper()["pid"]
    assert isinstance(first, int)
    os.kill(first, signal.SIGKILL)
    until(lambda: desk.keeper().get("pid") not in (None, first), "another one watches", 30)
    assert desk.engine.terminate() == 0


def test_rules_and_dashboard_find_their_metrics_in_a_real_scrape(desk: Desk) -> None:
    rules = yaml.safe_load((OPS / "dailyarb.rules.yml").read_text())
    board = json.loads((OPS / "grafana-dashboard.json").read_text())
    queries = {r["alert"]: Query(r["expr"]) for g in rules["groups"] for r in g["rules"]}
    shown = [
        Query(target["expr"].replace("$__rate_interval", "5m").replace("$instance", ".*"))
        for panel in board["panels"]
        for target in panel.get("targets", [])
    ]
    asked = set().union(*(query.names for query in [*queries.values(), *shown]))

    def scrape() -> dict[str, Any]:
        return read_scrape(desk.get("/metrics"), instance="x", job="dailyarb")

    def missing() -> set[str]:
        with contextlib.suppress(OSError):  # the keeper may not listen yet
            return asked - set(scrape())
        return asked

    until(lambda: not missing(), "all that is asked for", 40)
    ready = json.loads(desk.get("/ready"))
    assert (ready["ready"], ready["mode"]) == (True, "SIM")
    first, second = scrape(), scrape()
    past = History([(0.0, first), (60.0, second)])
    fired = {name for name, query in queries.items() if query.value(past, 60.0)}
    severe = {r["alert"] for g in rules["groups"] for r in g["rules"]
              if r["labels"]["severity"] == "critical"}  # fmt: skip
    assert not fired & severe
    assert desk.engine.terminate() == 0

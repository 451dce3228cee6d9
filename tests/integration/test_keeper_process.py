"""A real keeper speaks when a real engine has been killed, and starts it again when asked."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator

import pytest
from msgspec.structs import replace

from dailyarb.core.domain.ids import Severity
from dailyarb.core.domain.settings import AlertRoute, Alerts, MetricsSettings
from dailyarb.runtime.charge import Charge, Restarts, start_keeper
from dailyarb.runtime.launch import find, start_detached, stop_process, wait_ready
from dailyarb.runtime.paths import Places, holder_of
from tests.endpoints import HttpSink, http_sink
from tests.integration.test_launch import ENGINE

ROUTE = AlertRoute(url="env:ALERT_URL", severity=Severity.WARNING)
CHARGE = Charge(
    "main", metrics=MetricsSettings(port=0), alerts=Alerts(digest_s=0.0, routes={"phone": ROUTE})
)


def until(condition: Callable[[], object], seconds: float = 15.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "condition did not come true"
        time.sleep(0.02)


class Stage:
    """Is an instance of its own, with a sink for its alerts."""

    def __init__(self, sink: HttpSink) -> None:
        self.sink = sink
        self.places = Places("main")
        self.places.make()
        self.output = self.places.state_dir / "keeper.out"
        self.started: list[subprocess.Popen[bytes]] = []

    def engine(self) -> subprocess.Popen[bytes]:
        engine = start_detached([sys.executable, "-c", ENGINE], self.places.engine_output)
        self.started.append(engine)
        wait_ready(self.places, engine)
        return engine

    def keeper(self, charge: Charge = CHARGE) -> subprocess.Popen[bytes]:
        keeper = start_keeper(charge, self.output)
        self.started.append(keeper)
        until(lambda: self.holder.get("charge") == charge.mark)
        return keeper

    @property
    def holder(self) -> dict[str, object]:
        return holder_of(self.places.state_dir / "keeper.lock") or {}

    def messages(self, wanted: str) -> str:
        """Waits for an alert whose text has these words; returns its title."""
        while True:
            told = self.sink.told.get(timeout=20)
            if wanted in told["message"]:
                return str(told["title"])

    def close(self) -> None:
        for process in reversed(self.started):
            stop_process(process)
        left = find(self.places)
        if left is not None:  # one that the keeper has started
            os.kill(left.pid, signal.SIGKILL)


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    with tempfile.TemporaryDirectory() as folder, http_sink() as sink:
        monkeypatch.setenv("XDG_RUNTIME_DIR", f"{folder}/run")
        monkeypatch.setenv("XDG_STATE_HOME", f"{folder}/state")
        monkeypatch.setenv("ALERT_URL", sink.url)
        made = Stage(sink)
        yield made
        made.close()


def test_a_killed_engine_is_told_by_its_keeper(stage: Stage) -> None:
    engine = stage.engine()
    keeper = stage.keeper()
    again = start_keeper(CHARGE)
    assert again.wait(20) == 0, "one that watches with the same charge is left alone"
    engine.kill()
    engine.wait()
    assert stage.messages("the engine died") == "dailyarb main: CRITICAL"
    assert stop_process(keeper) == 0
    log = (stage.places.state_dir / "keeper.jsonl").read_text()
    assert '"evt":"engine.lost"' in log
    assert "canary" not in log
    assert stage.output.read_bytes() == b""


def test_a_keeper_with_other_settings_takes_over(stage: Stage) -> None:
    first = stage.keeper()
    second = stage.keeper(replace(CHARGE, alerts=replace(CHARGE.alerts, digest_s=1.0)))
    assert first.wait(15) == 0
    assert stage.holder["pid"] == second.pid


def test_a_dead_engine_is_started_again_and_told(stage: Stage) -> None:
    argv = (sys.executable, "-c", ENGINE)
    stage.keeper(replace(CHARGE, restarts=Restarts(argv, 1, 1.0)))
    engine = stage.engine()
    engine.kill()
    engine.wait()
    stage.messages("started anew, 1 of 1")
    until(lambda: find(stage.places) is not None)
    stage.messages("the engine is back")
    found = find(stage.places)
    assert found is not None and found.pid != engine.pid
    os.kill(found.pid, signal.SIGKILL)
    stage.messages("not started any more")


def test_the_endpoint_of_a_running_keeper(stage: Stage) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    engine = stage.engine()
    stage.keeper(replace(CHARGE, metrics=MetricsSettings(port=port)))

    def status() -> int:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code
        except OSError:
            return 0

    until(lambda: status() == 200)
    engine.kill()
    engine.wait()
    until(lambda: status() == 503)

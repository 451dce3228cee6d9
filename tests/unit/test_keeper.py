"""The keeper tells life, hanging and death of an engine from outside."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from prometheus_client import generate_latest

from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.ids import Severity
from dailyarb.core.domain.records import AlertRaised, RunEnded, RunStarted
from dailyarb.core.domain.rung import Evidence, Mode
from dailyarb.core.domain.settings import JournalSettings, LogSettings
from dailyarb.runtime.alert import AlertSender
from dailyarb.runtime.board import BoardWriter
from dailyarb.runtime.journal import Journal
from dailyarb.runtime.keeper import EngineLife, Keeper, keeper_argv
from dailyarb.runtime.logs import setup
from dailyarb.runtime.metrics import Metrics
from dailyarb.runtime.paths import InstanceLock, Places
from dailyarb.tui.fixtures import running

S = 1_000_000_000
SETTINGS = JournalSettings(sync_ms=5, ballast_mib=0)


class Stage:
    """Is an instance with an engine that can be raised, stilled and killed, and its keeper."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.told: list[tuple[Severity, str]] = []
        self.sender = AlertSender(self.send, "main")
        self.log = setup(LogSettings(), "keeper", "main", places.state_dir / "keeper.jsonl")
        self.metrics = Metrics()
        self.keeper = Keeper(places, self.log, self.metrics, self.sender, linger_s=600)

    def send(self, severity: Severity, title: str, text: str) -> bool:
        self.told.append((severity, text))
        return True

    def raise_engine(self, run: str, now_ns: int) -> None:
        self.lock = InstanceLock(self.places, run=run)
        self.journal = Journal(self.places.journal, run, Evidence.SIM, SETTINGS)
        started = RunStarted(run, "0.1.0", Mode.SIM, Evidence.SIM, "hash", 1)
        self.journal.append([started], Instant(now_ns, now_ns))
        self.board = BoardWriter.create(self.places.board, run)
        self.board.heartbeat(now_ns)

    def drop_engine(self) -> None:
        self.journal.close()
        self.board.close()
        self.lock.release()

    def alerts(self) -> list[tuple[Severity, str]]:
        assert self.sender.drain(5)
        return self.told

    def events(self) -> list[str]:
        assert self.log.flush()
        lines = (self.places.state_dir / "keeper.jsonl").read_text().splitlines()
        return [json.loads(line)["evt"] for line in lines]

    def up(self) -> bool:
        return b"dailyarb_up 1.0" in generate_latest(self.metrics.registry)


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    places = Places("main")
    places.make()
    stage = Stage(places)
    yield stage
    stage.keeper.close()
    stage.sender.close()
    stage.log.close()


def test_an_engine_with_a_heartbeat_is_alive_and_shown(stage: Stage) -> None:
    assert stage.keeper.step(1 * S)
    assert stage.keeper.life is EngineLife.AWAITED
    stage.raise_engine("r1", 1 * S)
    stage.board.write_view(msgspec.msgpack.encode(running()))
    assert stage.keeper.step(2 * S)
    assert stage.keeper.life is EngineLife.ALIVE
    assert stage.up()
    assert b"dailyarb_exposure_dollars" in generate_latest(stage.metrics.registry)
    assert stage.alerts() == []
    stage.drop_engine()


def test_an_engine_that_ends_by_itself_takes_its_keeper_along(stage: Stage) -> None:
    stage.raise_engine("r1", 1 * S)
    assert stage.keeper.step(2 * S)
    stage.journal.append([RunEnded("r1", 0, "asked")], Instant(2 * S, 2 * S))
    stage.drop_engine()
    assert not stage.keeper.step(3 * S)
    assert stage.alerts() == []
    assert "keeper.ended" in stage.events()


def test_an_engine_that_dies_is_told_at_once_and_missed_for_a_while(stage: Stage) -> None:
    stage.raise_engine("r1", 1 * S)
    stage.keeper.step(2 * S)
    stage.drop_engine()
    assert stage.keeper.step(3 * S)
    assert stage.keeper.life is EngineLife.GONE
    assert not stage.up()
    ((severity, text),) = stage.alerts()
    assert severity is Severity.CRITICAL
    assert "the engine died: last heartbeat 2 s ago" in text
    assert stage.keeper.step(602 * S)
    assert not stage.keeper.step(604 * S)


def test_an_engine_that_died_before_the_first_look_is_told_too(stage: Stage) -> None:
    stage.raise_engine("r1", 1 * S)
    stage.drop_engine()
    stage.keeper.step(2 * S)
    assert [severity for severity, _ in stage.alerts()] == [Severity.CRITICAL]


def test_an_engine_without_a_heartbeat_hangs_until_it_is_back(stage: Stage) -> None:
    stage.raise_engine("r1", 1 * S)
    stage.keeper.step(6 * S)
    assert stage.keeper.life is EngineLife.ALIVE
    stage.keeper.step(7 * S)
    assert stage.keeper.life is EngineLife.HUNG
    stage.board.heartbeat(8 * S)
    stage.keeper.step(9 * S)
    assert stage.keeper.life is EngineLife.ALIVE
    texts = [text for _, text in stage.alerts()]
    assert "hangs" in texts[0]
    assert texts[1] == "the engine is back"
    assert stage.events().count("engine.lost") == 1
    assert "engine.back" in stage.events()
    stage.drop_engine()


def test_a_new_engine_is_watched_by_the_same_keeper(stage: Stage) -> None:
    stage.raise_engine("r1", 1 * S)
    stage.keeper.step(2 * S)
    stage.drop_engine()
    stage.keeper.step(3 * S)
    stage.raise_engine("r2", 50 * S)
    stage.keeper.step(51 * S)
    assert stage.keeper.life is EngineLife.ALIVE
    stage.drop_engine()


def test_an_engine_that_never_lays_a_board_hangs(stage: Stage) -> None:
    with InstanceLock(stage.places):
        stage.keeper.step(1 * S)
        stage.keeper.step(31 * S)
        assert stage.keeper.life is EngineLife.AWAITED
        stage.keeper.step(32 * S)
        assert stage.keeper.life is EngineLife.HUNG


def test_alerts_of_the_journal_are_sent_once(stage: Stage) -> None:
    stage.raise_engine("r1", 1 * S)
    now = Instant(1 * S, 1 * S)
    stage.journal.append([AlertRaised(Severity.WARNING, "feed.pm", "feed down")], now)
    stage.keeper.step(2 * S)
    stage.journal.append([AlertRaised(Severity.CRITICAL, "halt", "halted")], now)
    stage.keeper.step(3 * S)
    stage.keeper.step(4 * S)
    expected = [(Severity.WARNING, "feed down"), (Severity.CRITICAL, "halted")]
    assert stage.alerts() == expected
    again = Keeper(stage.places, stage.log, stage.metrics, stage.sender)
    again.step(10**6 * S)
    again.close()
    assert stage.alerts()[2:] == [] or stage.alerts()[2][1].startswith("the engine")
    stage.drop_engine()


def test_a_missing_journal_is_a_trouble_told_once(stage: Stage) -> None:
    stage.keeper.step(1 * S)
    stage.keeper.step(2 * S)
    assert stage.events().count("keeper.troubled") == 1


def test_the_command_names_instance_core_and_port() -> None:
    assert keeper_argv("main", 3)[-6:] == ["--instance", "main", "--core", "3", "--port", "9464"]
    assert "-1" in keeper_argv("main", None)

"""The keeper tells life, hanging and death of an engine from outside."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace
from prometheus_client import generate_latest

from dailyarb.core.domain.clock import Instant, ManualClock
from dailyarb.core.domain.ids import Severity
from dailyarb.core.domain.records import (
    AlertRaised,
    BreakerMoved,
    RunEnded,
    RungSet,
    RunStarted,
)
from dailyarb.core.domain.rung import Evidence, Mode, Rung
from dailyarb.core.domain.settings import JournalSettings, LogSettings
from dailyarb.runtime.alert import Channel, Dispatcher, Route
from dailyarb.runtime.board import BoardWriter
from dailyarb.runtime.charge import Charge, Restarts
from dailyarb.runtime.journal import Journal
from dailyarb.runtime.keeper import EngineLife, Keeper
from dailyarb.runtime.logs import setup
from dailyarb.runtime.outbox import Pace
from dailyarb.runtime.paths import InstanceLock, Places
from dailyarb.runtime.watchdog import Watchdog
from dailyarb.tui.fixtures import running

S = 1_000_000_000
SETTINGS = JournalSettings(sync_ms=5, ballast_mib=0)


class Stage:
    """Is an instance with an engine that can be raised, stilled and killed, and its keeper."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.told: list[tuple[Severity, str]] = []
        self.clock = ManualClock(1 * S, 1 * S)
        route = Route("phone", Severity.INFO, pace=Pace(per_minute=10_000))
        self.channel = Channel(route, self.send, "main", self.clock)
        self.alerts_out = Dispatcher([self.channel], 300.0, self.clock)
        self.log = setup(LogSettings(), "keeper", "main", places.state_dir / "keeper.jsonl")
        self.keeper = self.new_keeper()

    def new_keeper(self, restarts: Restarts = Restarts()) -> Keeper:  # noqa: B008 - frozen
        charge = Charge("main", restarts=restarts)
        return Keeper(self.places, charge, self.log, self.alerts_out, self.clock)

    def step(self, at_ns: int) -> bool:
        self.clock.set(Instant(at_ns, at_ns))
        return self.keeper.step()

    def send(self, severity: Severity, title: str, text: str) -> str:
        for line in text.splitlines():
            name, _, rest = line.partition(": ")
            own = name in Severity.__members__  # one of several in a message
            self.told.append((Severity[name], rest) if own else (severity, line))
        return ""

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
        assert self.alerts_out.drain(5)
        return self.told

    def events(self) -> list[str]:
        assert self.log.flush()
        lines = (self.places.state_dir / "keeper.jsonl").read_text().splitlines()
        return [json.loads(line)["evt"] for line in lines]

    def up(self) -> bool:
        return b"dailyarb_up 1.0" in generate_latest(self.keeper.metrics.registry)


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    places = Places("main")
    places.make()
    stage = Stage(places)
    yield stage
    stage.keeper.close()
    stage.alerts_out.close()
    stage.log.close()


def test_an_engine_with_a_heartbeat_is_alive_and_shown(stage: Stage) -> None:
    assert stage.step(1 * S)
    assert stage.keeper.life is EngineLife.AWAITED
    stage.raise_engine("r1", 1 * S)
    stage.board.write_view(msgspec.msgpack.encode(running()))
    assert stage.step(2 * S)
    assert stage.keeper.life is EngineLife.ALIVE
    assert stage.up()
    assert b"dailyarb_exposure_dollars" in generate_latest(stage.keeper.metrics.registry)
    assert all(severity is Severity.INFO for severity, _ in stage.alerts())
    stage.drop_engine()


def test_an_engine_that_ends_by_itself_takes_its_keeper_along(stage: Stage) -> None:
    stage.raise_engine("r1", 1 * S)
    assert stage.step(2 * S)
    stage.journal.append([RunEnded("r1", 0, "asked")], Instant(2 * S, 2 * S))
    stage.drop_engine()
    assert not stage.step(3 * S)
    assert stage.alerts() == []
    assert "keeper.ended" in stage.events()


def test_an_engine_that_dies_is_told_at_once_and_missed_for_a_while(stage: Stage) -> None:
    stage.raise_engine("r1", 1 * S)
    stage.step(2 * S)
    stage.drop_engine()
    assert stage.step(3 * S)
    assert stage.keeper.life is EngineLife.GONE
    assert not stage.up()
    ((severity, text),) = stage.alerts()
    assert severity is Severity.CRITICAL
    assert "the engine died: last heartbeat 2 s ago" in text
    assert stage.step(602 * S)
    assert not stage.step(604 * S)


def test_an_engine_that_died_before_the_first_look_is_told_too(stage: Stage) -> None:
    stage.raise_engine("r1", 1 * S)
    stage.drop_engine()
    stage.step(2 * S)
    assert [severity for severity, _ in stage.alerts()] == [Severity.CRITICAL]


def test_an_engine_without_a_heartbeat_hangs_until_it_is_back(stage: Stage) -> None:
    stage.raise_engine("r1", 1 * S)
    stage.step(6 * S)
    assert stage.keeper.life is EngineLife.ALIVE
    stage.step(7 * S)
    assert stage.keeper.life is EngineLife.HUNG
    stage.board.heartbeat(8 * S)
    stage.step(9 * S)
    assert stage.keeper.life is EngineLife.ALIVE
    texts = [text for _, text in stage.alerts()]
    assert "hangs" in texts[0]
    assert texts[1] == "the engine is back"
    assert stage.events().count("engine.lost") == 1
    assert "engine.back" in stage.events()
    stage.drop_engine()


def test_a_new_engine_is_watched_by_the_same_keeper(stage: Stage) -> None:
    stage.raise_engine("r1", 1 * S)
    stage.step(2 * S)
    stage.drop_engine()
    stage.step(3 * S)
    stage.raise_engine("r2", 50 * S)
    stage.step(51 * S)
    assert stage.keeper.life is EngineLife.ALIVE
    stage.drop_engine()


def test_an_engine_that_never_lays_a_board_hangs(stage: Stage) -> None:
    with InstanceLock(stage.places):
        stage.step(1 * S)
        stage.step(31 * S)
        assert stage.keeper.life is EngineLife.AWAITED
        stage.step(32 * S)
        assert stage.keeper.life is EngineLife.HUNG


def test_alerts_of_the_journal_are_sent_once(stage: Stage) -> None:
    stage.raise_engine("r1", 1 * S)
    now = Instant(1 * S, 1 * S)
    stage.journal.append([AlertRaised(Severity.WARNING, "feed.pm", "feed down")], now)
    stage.step(2 * S)
    stage.journal.append([AlertRaised(Severity.CRITICAL, "halt", "halted")], now)
    stage.step(3 * S)
    stage.step(4 * S)
    expected = [(Severity.WARNING, "feed down"), (Severity.CRITICAL, "halted")]
    assert sorted(stage.alerts(), key=lambda told: told[1]) == expected
    stage.clock.advance(10**6 * S)
    stage.board.heartbeat(stage.clock.now().mono_ns)
    stage.keeper.close()
    stage.keeper = stage.new_keeper()  # another keeper goes on where this one was
    assert stage.keeper.step()
    assert sorted(stage.alerts(), key=lambda told: told[1]) == expected
    stage.drop_engine()


def test_a_missing_journal_is_a_trouble_told_once(stage: Stage) -> None:
    stage.step(1 * S)
    stage.step(2 * S)
    assert stage.events().count("keeper.troubled") == 1


def test_more_of_the_journal_is_told(stage: Stage) -> None:
    stage.raise_engine("r1", 1 * S)
    stage.journal.append(
        [
            BreakerMoved("loss.day", True, -50.0, -50.0, Rung.HALTED, "engine"),
            BreakerMoved("loss.day", False, 0.0, -50.0, Rung.HALTED, "ann", "reviewed"),
            RungSet(Rung.REDUCED, "ann", "careful"),
            RunEnded("r1", 5, "a breaker"),
        ],
        Instant(1 * S, 1 * S),
    )
    stage.step(2 * S)
    assert sorted(stage.alerts(), key=lambda told: told[1]) == [
        (Severity.INFO, "loss.day was reset by ann: reviewed"),
        (Severity.CRITICAL, "the engine stopped with code 5: a breaker"),
        (Severity.INFO, "the operator's rung is REDUCED, set by ann: careful"),
    ]
    stage.drop_engine()


def test_a_view_that_is_ill_is_told(stage: Stage) -> None:
    stage.raise_engine("r1", 1 * S)
    broken = replace(running(), books=replace(running().books, residual_e6=7), mono_ns=1 * S)
    stage.board.write_view(msgspec.msgpack.encode(broken))
    stage.step(2 * S)
    assert any("books do not add up" in text for _, text in stage.alerts())
    stage.drop_engine()


def test_channels_are_told_to_the_engine_and_to_scrapers(stage: Stage) -> None:
    stage.raise_engine("r1", 1 * S)
    heard: list[bytes] = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(stage.places.socket))
        listener.listen()
        stage.step(2 * S)
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(5)
            heard += connection.recv(65_536).splitlines()
    hello, told = (json.loads(line) for line in heard[:2])
    assert hello["hello"] == "keeper"
    assert (told["alert"]["channel"], told["alert"]["ok"]) == ("phone", True)
    scraped = generate_latest(stage.keeper.metrics.registry)
    assert b'dailyarb_alert_channel_up{channel="phone"} 1.0' in scraped
    stage.drop_engine()


def test_a_view_of_another_version_is_a_trouble_told_once(stage: Stage) -> None:
    stage.raise_engine("r1", 1 * S)
    stage.board.write_view(msgspec.msgpack.encode({"frame": "odd"}))
    stage.step(2 * S)
    stage.step(3 * S)
    assert stage.keeper.life is EngineLife.ALIVE
    assert stage.events().count("keeper.troubled") == 1
    assert stage.keeper.metrics.readiness() == (False, {"engine": "alive", "ready": False})
    stage.drop_engine()


def test_a_watchdog_is_fed_while_the_engine_lives_and_shown_among_the_channels(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    fed: list[int] = []
    dog = Watchdog("http://127.0.0.1:9/", 60.0, stage.clock)
    monkeypatch.setattr(dog, "alive", lambda: fed.append(stage.clock.now().mono_ns // S))
    stage.keeper.close()
    stage.keeper = Keeper(
        stage.places, Charge("main"), stage.log, stage.alerts_out, stage.clock, dog
    )
    stage.raise_engine("r1", 1 * S)
    stage.step(2 * S)
    stage.step(9 * S)  # hangs by now
    assert fed == [2]
    scraped = generate_latest(stage.keeper.metrics.registry)
    assert b'dailyarb_alert_channel_up{channel="watchdog"} 1.0' in scraped
    stage.drop_engine()


STARTER = "import pathlib, sys; path = pathlib.Path(sys.argv[1]); path.open('a').write('x')"


def test_a_dead_engine_is_started_again_ever_more_slowly_and_then_given_up(
    stage: Stage, tmp_path: Path
) -> None:
    proof = tmp_path / "started"
    argv = (sys.executable, "-c", STARTER, str(proof))
    stage.keeper.close()
    stage.keeper = stage.new_keeper(Restarts(argv, most=2, after_s=10.0))
    stage.raise_engine("r1", 1 * S)
    stage.step(2 * S)
    stage.drop_engine()
    starts = {}
    for second in range(3, 100):
        assert stage.step(second * S)
        reap(stage.keeper)
        size = proof.stat().st_size if proof.exists() else 0
        starts.setdefault(size, second)
    assert starts == {0: 3, 1: 13, 2: 34}
    texts = [text for _, text in stage.alerts()]
    assert sum("1 of 2 this hour" in text for text in texts) == 1
    assert sum("2 of 2 this hour" in text for text in texts) == 1
    assert sum("not started any more" in text for text in texts) == 1
    assert not stage.step(700 * S)


def reap(keeper: Keeper) -> None:
    """Waits for what the keeper has just started: it only leaves a mark."""
    process = keeper._reviver._process
    if process is not None:
        process.wait(10)


def test_an_engine_that_comes_back_has_all_its_restarts_left_an_hour_later(
    stage: Stage, tmp_path: Path
) -> None:
    proof = tmp_path / "started"
    argv = (sys.executable, "-c", STARTER, str(proof))
    stage.keeper.close()
    stage.keeper = stage.new_keeper(Restarts(argv, most=1, after_s=1.0))
    for round_, start in enumerate((0, 4000), 1):
        stage.raise_engine(f"r{round_}", (start + 1) * S)
        stage.step((start + 2) * S)
        assert stage.keeper.life is EngineLife.ALIVE
        stage.drop_engine()
        stage.step((start + 3) * S)
        stage.step((start + 4) * S)
        reap(stage.keeper)
        assert proof.stat().st_size == round_


def test_a_program_that_cannot_be_started_is_told(stage: Stage, tmp_path: Path) -> None:
    stage.keeper.close()
    stage.keeper = stage.new_keeper(Restarts((str(tmp_path / "nothing"),), most=1, after_s=1.0))
    stage.raise_engine("r1", 1 * S)
    stage.step(2 * S)
    stage.drop_engine()
    for second in range(3, 8):
        stage.step(second * S)
    assert "engine.restarted" in stage.events()
    lines = (stage.places.state_dir / "keeper.jsonl").read_text()
    assert '"outcome":"failed"' in lines
    assert any("not started any more" in text for _, text in stage.alerts())

"""Parity (I14): a recorded run, lived again from its tape, gives the recorded commands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dailyarb import cli
from dailyarb._fast.ring import Ring
from dailyarb.analytics.diff import CHANCE, CODE, MISSED, Tally, _steps, diff
from dailyarb.config import load
from dailyarb.core.domain import commands as cmd
from dailyarb.core.domain import events as ev
from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.records import FillBooked, OrderSigned
from dailyarb.core.domain.rung import Evidence, Mode
from dailyarb.core.domain.settings import Recording, Settings
from dailyarb.core.engine.engine import Engine
from dailyarb.core.engine.state import Birth
from dailyarb.runtime import tape
from dailyarb.runtime.record import (
    Channel,
    RecordedFrame,
    Recorder,
    RecordingError,
    RecordingReader,
    segments_of,
)
from dailyarb.runtime.tape import Life, Retraced, Tape, TapedEngine, retrace
from tests.processes import ROOT, Machine, machine, write_config


def settings() -> Settings:
    return load(ROOT / "config.toml").settings


def born() -> Birth:
    return Birth("r1", "v", Mode.SIM, Evidence.SIM, "", 0)


@pytest.fixture(scope="module")
def lived() -> Iterator[tuple[Machine, str]]:
    """Gives a machine on which one run traded until it had signed orders, and the run's id."""
    with machine() as desk:
        config = write_config(desk.folder / "config.toml", core="-2")
        engine = desk.start("--duration", "12s", config=config)
        assert engine.wait(60) == 0
        rows = desk.rows()
        yield desk, rows[-1].run


@pytest.mark.slow
def test_a_recorded_run_gives_the_recorded_commands(lived: tuple[Machine, str]) -> None:
    desk, run = lived
    again = retrace(desk.places.recordings, desk.places.journal, run)
    rows = [row for row in desk.rows() if row.run == run]
    assert again.differences == ()
    assert again.same and again.missed == 0
    assert again.records == len(rows)
    assert any(isinstance(row.record, OrderSigned) for row in rows), "nothing was decided"
    assert again.events > 500 and again.frames > 500 and again.commands > 20


@pytest.mark.slow
def test_an_engine_that_decides_otherwise_is_found_out(
    lived: tuple[Machine, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, run = lived
    was = Engine.on_event
    seen = 0

    def deaf(self: Engine, event: ev.Event, now: Instant) -> list[cmd.Command]:
        nonlocal seen
        seen += isinstance(event, ev.Signed)
        silent = isinstance(event, ev.Signed) and seen == 1
        return [] if silent else was(self, event, now)

    monkeypatch.setattr(Engine, "on_event", deaf)
    again = retrace(desk.places.recordings, desk.places.journal, run)
    assert not again.same
    assert "then" in again.differences[0] and "now" in again.differences[0]


@pytest.mark.slow
def test_the_settling_feed_is_recorded_and_no_secret_is(lived: tuple[Machine, str]) -> None:
    desk, run = lived
    frames = list(RecordingReader(segments_of(desk.places.recordings, run)))
    settling = [frame for frame in frames if frame.channel is Channel.SETTLEMENT]
    assert any(b'"payload"' in frame.payload for frame in settling)
    assert {frame.source for frame in frames if frame.channel is Channel.POLYMARKET} == {0, 1}
    assert all(b"secret" not in frame.payload.lower() for frame in settling)


def test_a_run_that_recorded_nothing_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="recorded nothing"):
        retrace(tmp_path, tmp_path / "journal.db", "r1")


def test_a_tape_whose_beginning_is_gone_is_named(tmp_path: Path) -> None:
    ring = Ring(1 << 16)
    recorder = Recorder(ring, tmp_path, Recording(), "r1")
    recorder.start()
    Tape(ring).told(Instant(1, 1), "Tick", ev.Tick())
    recorder.stop()
    with pytest.raises(RecordingError, match="beginning"):
        retrace(tmp_path, tmp_path / "journal.db", "r1")
    assert segments_of(tmp_path, "r2") == []


def test_a_value_beyond_64_bits_goes_through_the_tape(tmp_path: Path) -> None:
    ring = Ring(1 << 16)
    price = ev.SettlementPrice("btc", 66_000 * 10**18, 1_000, 2, 60)
    engine = TapedEngine(Tape(ring), Life(settings(), born(), 0), (), Instant(1, 1))
    engine.on_event(price, Instant(2, 2))
    told = [
        tape._event(tape._told(RecordedFrame(stamp, stamp, Channel.EVENT, payload)))
        for stamp, payload in ring.drain(9)[1:]
    ]
    assert told == [price]


@pytest.mark.slow
def test_the_gap_to_a_backtest_is_attributed_to_the_cent(lived: tuple[Machine, str]) -> None:
    desk, run = lived
    seen: list[float] = []
    places = desk.places
    found = diff(places.recordings, places.journal, run, lambda done, total: seen.append(done))
    assert found.retraced.same
    assert [step.cause for step in found.steps] == ["latency", "queue", "fees", CHANCE]
    assert sum(step.usd for step in found.steps) == pytest.approx(found.gap_usd)
    first, *_, last = found.tallies
    assert found.gap_usd == pytest.approx(last.net_usd - first.net_usd)
    booked = [row.record for row in desk.rows() if row.run == run]
    assert last.fills == sum(isinstance(record, FillBooked) for record in booked)
    assert first.orders > 0, "the backtest decided nothing"
    assert seen == sorted(seen) and seen[-1] >= 3
    told = desk.run("diff", run)
    assert told.returncode == 0, told.stderr
    assert "the same engine does the same today" in " ".join(told.stdout.split())
    assert json.loads(desk.run("diff", "--json").stdout)["run"] == run


def tally(net_usd: float, maker_shares: float = 0.0) -> Tally:
    return Tally("t", 1, 1, maker_shares, 10.0, 0.0, net_usd)


def lived_again(**said: Any) -> Retraced:
    return Retraced("r1", 10, 10, 10, 10, **{"missed": 0, **said})


@pytest.mark.parametrize(
    ("again", "cause"),
    [
        (lived_again(), CHANCE),
        (lived_again(missed=3), MISSED),
        (lived_again(missed=3, differences=("row 1",)), CODE),
    ],
)
def test_what_is_left_belongs_to_one_cause(again: Retraced, cause: str) -> None:
    played = [tally(1.0), tally(0.5), tally(2.5, maker_shares=9.0)]
    steps = list(_steps(played, tally(3.0, maker_shares=8.0), again, 0.25, True))
    assert [(step.cause, step.usd) for step in steps] == [
        ("latency", -0.5), ("queue", 2.0), ("fees", -0.25), (cause, 0.75),
    ]  # fmt: skip
    behind = list(_steps(played, tally(3.0, maker_shares=1.0), again, 0.0, False))
    assert behind[1].usd == 0.0 and "behind" in behind[1].why
    assert "too few" in behind[0].why


def test_a_run_nobody_recorded_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert cli.main(["diff"]) == 2
    assert "no run of this instance was recorded" in capsys.readouterr().err
    assert cli.main(["diff", "abcdef"]) == 1
    assert "recorded nothing" in capsys.readouterr().err

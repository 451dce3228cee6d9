"""What a run recorded is played back to another engine, over the same sockets."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from dailyarb.core.domain.rung import Evidence
from dailyarb.runtime.record import Channel, RecordingReader, list_segments
from dailyarb.sim.replay_markets import DOUBT_SETTLING
from tests.processes import Machine, machine, write_config


@pytest.fixture
def desk() -> Iterator[Machine]:
    with machine() as found:
        yield found


@pytest.mark.slow
def test_a_recorded_session_replays_in_sync_to_its_end(desk: Machine) -> None:
    config = write_config(desk.folder / "config.toml", core="-2")
    first = desk.start("--duration", "6s", config=config)
    assert first.wait() == 0
    recorded = json.loads(desk.said().splitlines()[-1])
    folder = desk.places.recordings
    assert len(list_segments(folder)) == 1
    frames = list(RecordingReader(folder))
    counts = {channel: sum(f.channel is channel for f in frames) for channel in Channel}
    assert counts[Channel.POLYMARKET] >= recorded["frames"]["polymarket"] * 0.95
    slugs = {row["slug"] for row in json.loads((folder / "markets.json").read_bytes())}
    assert slugs == set(recorded["books"])

    second = desk.start("--venues", f"replay:{folder}", "--instance", "again", config=config)
    assert second.wait(60) == 0
    played = json.loads(desk.said().splitlines()[-1])
    assert (played["mode"], played["evidence"]) == ("REPLAY", Evidence.REPLAY.value)
    assert DOUBT_SETTLING in played["meaningless"]
    assert played["faults"] == {"decode": 0, "desyncs": 0}
    assert played["frames"]["polymarket"] > 100 and played["frames"]["binance"] > 100
    assert played["gates"].get("no_settlement", 0) < sum(played["gates"].values()) / 2
    running = {slug for slug, state in played["books"].items() if state != "EMPTY"}
    assert running and running <= slugs

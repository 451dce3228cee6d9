"""Import and record: what was foreign plays like our own, and nobody trades while recording."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dailyarb.config import load
from dailyarb.core.domain.market import Outcome, SettlementKind
from dailyarb.core.domain.records import OrderSigned
from dailyarb.runtime.importing import bring
from dailyarb.runtime.record import Channel, RecordingReader
from dailyarb.runtime.replay_worlds import Variant, World, perform, script_of, worlds_of
from dailyarb.sim.foreign.base import DOUBT_NO_REFERENCE, DOUBT_TOKEN
from dailyarb.sim.recordings import RecordingError
from tests.processes import Machine, machine, write_config
from tests.unit.test_foreign import ADRIEN, SLUG, START, written

ROOT = Path(__file__).resolve().parent.parent.parent
DATA = ROOT / "tests" / "data"
WINDOW = DATA / "btc-updown-5m-1776255900.book_frames.jsonl.zst"


def told(_: int) -> None:
    """Hears of progress."""


def test_an_imported_window_plays_exactly_as_the_foreign_one(tmp_path: Path) -> None:
    found = bring(WINDOW, tmp_path / "ours", told)
    assert (found.frames, found.windows) == (2_554, 1)
    assert found.doubts == (DOUBT_TOKEN, DOUBT_NO_REFERENCE)
    settings = load(ROOT / "config.toml").settings
    variant = Variant(strategies=("S2",))
    (world,) = worlds_of(str(tmp_path / "ours"))
    ours, theirs = perform(world, settings, variant), perform(World(str(WINDOW)), settings, variant)
    assert ours.outcomes.fills > 0
    assert ours.outcomes.digest == theirs.outcomes.digest
    assert ours.outcomes.meaningless == theirs.outcomes.meaningless


def test_strike_settlement_and_outcome_come_along_and_stay_withheld(tmp_path: Path) -> None:
    rows = [{**ADRIEN, "ts_ms": START * 1000 + at} for at in (0, 1_000)]
    rows.append({**ADRIEN, "ts_ms": START * 1000 + 300_000, "kind": "resolved_down"})
    table = written(tmp_path / "a.parquet", rows)
    bring(table, tmp_path / "ours", told)
    script = script_of(World(str(tmp_path / "ours")))
    (spec,) = script.specs
    assert (spec.slug, spec.settlement.kind) == (SLUG, SettlementKind.BINANCE_CANDLE)
    assert spec.strike_e18 == 600_005 * 10**17
    assert dict(script.winners) == {spec.market_id: Outcome.DOWN}
    assert not script.stand_in
    direct = script_of(World(f"{table}#{SLUG}"))
    assert direct.specs == script.specs
    assert [f[:3] for f in direct.frames()] == [f[:3] for f in script.frames()]


def test_files_of_one_folder_are_merged_by_their_stamps(tmp_path: Path, say: Any) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name, at in (("a", 0), ("b", 500)):
        rows = [{**ADRIEN, "ts_ms": START * 1000 + at + step * 1_000} for step in range(3)]
        written(source / f"{name}.parquet", rows)
    (source / "notes.txt").write_text("who knows")
    code, out, err = say("import", source, "--output", tmp_path / "ours")
    assert code == 0
    assert "1 windows, 6 BN, 6 PM" in out
    assert out.count("the source cannot say") == 4
    assert err == "notes.txt: of no known format, left out\n"
    frames = list(RecordingReader(tmp_path / "ours"))
    stamps = [frame.wall_ns for frame in frames]
    assert stamps == sorted(stamps) and len(frames) == 12
    assert stat.S_IMODE((tmp_path / "ours").stat().st_mode) == 0o700
    statement = json.loads((tmp_path / "ours" / "source.json").read_bytes())
    assert statement["files"] == ["a.parquet", "b.parquet"]


def test_what_cannot_be_imported_is_named(tmp_path: Path, say: Any) -> None:
    bring(WINDOW, tmp_path / "ours", told)
    code, _, err = say("import", WINDOW, "--output", tmp_path / "ours")
    assert code == 1 and "is there already" in err
    with pytest.raises(RecordingError, match="ours already"):
        bring(tmp_path / "ours", tmp_path / "twice", told)
    code, _, err = say("import", tmp_path / "gone")
    assert code == 1 and "does not exist" in err


def test_a_damaged_statement_is_named(tmp_path: Path) -> None:
    bring(WINDOW, tmp_path / "ours", told)
    (tmp_path / "ours" / "source.json").write_text("[]")
    with pytest.raises(RecordingError, match="statement of a source"):
        script_of(World(str(tmp_path / "ours")))


@pytest.fixture
def desk() -> Iterator[Machine]:
    with machine() as found:
        yield found


@pytest.mark.slow
def test_record_captures_every_feed_and_trades_nothing(desk: Machine) -> None:
    config = write_config(desk.folder / "config.toml", core="-2")
    words = ("--config", str(config), "--instance", "main", "record", "--duration", "5s")
    done = desk.run(*words)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary["orders"]["sent"] == 0 and summary["frames"]["polymarket"] > 50
    frames = list(RecordingReader(desk.places.recordings))
    seen = {frame.channel for frame in frames}
    assert {Channel.POLYMARKET, Channel.BINANCE, Channel.SETTLEMENT} <= seen
    assert not any(isinstance(row.record, OrderSigned) for row in desk.rows())
    assert desk.run("record", "--strategies", "S1").returncode == 2

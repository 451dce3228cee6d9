"""A recording through the engine in memory: the line from frame to settled position, repeatable."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from dailyarb.config import load
from dailyarb.core.domain.records import FillBooked
from dailyarb.runtime.replay import Outcomes, Outlay, Rehearsal, read_script
from dailyarb.sim.fills_types import FillSettings, LatencyLaw
from dailyarb.sim.replay_markets import DOUBT_DAYS, DOUBT_NO_REFERENCE, DOUBT_SETTLING, DOUBT_TOKEN

ROOT = Path(__file__).resolve().parent.parent.parent
DATA = ROOT / "tests" / "data"
WINDOW = DATA / "btc-updown-5m-1776255900.book_frames.jsonl.zst"
SPOT = DATA / "btcusdt_20240808.60s.txt.zst"
DAYS = f"{WINDOW}+{SPOT}"


def settings() -> Any:
    return load(ROOT / "config.toml").settings


@lru_cache(maxsize=1)
def played() -> tuple[Rehearsal, Outcomes]:
    """Returns one replay of two days side by side, and what came of it."""
    rehearsal = Rehearsal(settings(), read_script(DAYS))
    return rehearsal, rehearsal.run()


def test_every_frame_is_decoded_and_the_book_stays_in_sync_to_the_end() -> None:
    rehearsal, outcome = played()
    assert outcome.frames == 2_554 + 7_341
    assert outcome.faults == {}
    counters = rehearsal.engine.books.router.counters
    assert (counters["desyncs"], counters["broken_mirrors"], counters["late"]) == (0, 0, 0)
    assert rehearsal.engine.books.by_market[rehearsal.script.specs[0].market_id].ladder.synced
    assert 300 < outcome.seconds < 320


def test_the_whole_line_runs_from_frame_to_settled_cash() -> None:
    rehearsal, outcome = played()
    assert outcome.commands["Submit"] > 0
    assert outcome.fills == outcome.events["Fill"] == outcome.events["FillConfirmed"] > 0
    assert outcome.events["Resolved"] == 1
    ledger = rehearsal.engine.state.ledger
    assert outcome.cash_e6 == ledger.accounts.cash  # the venue and we agree to the micro-dollar
    assert outcome.cash_e6 == 1_000_000_000 + ledger.pnl.total.net_e6
    assert rehearsal.orders.positions == {}


def test_every_fill_is_evidence_of_a_replay_and_says_what_it_is_worth() -> None:
    rehearsal, outcome = played()
    assert outcome.summary["evidence"] == "REPLAY"
    assert {row.evidence.value for row in rehearsal.engine.state.fills} == {"REPLAY"}
    assert outcome.meaningless == (DOUBT_TOKEN, DOUBT_DAYS, DOUBT_SETTLING)
    assert read_script(str(WINDOW)).meaningless == (DOUBT_TOKEN, DOUBT_NO_REFERENCE)


def test_no_fill_is_better_than_its_limit_nor_larger_than_its_order() -> None:
    rehearsal, _ = played()
    filled: dict[str, int] = {}
    for market in rehearsal.engine.state.ledger.markets.values():
        for fill in market.fills.values():
            assert isinstance(fill, FillBooked)
            order = rehearsal.engine.state.orders.by_id[fill.order_id]
            filled[fill.order_id] = filled.get(fill.order_id, 0) + fill.size_e6
            assert fill.price_e4 <= order.price_e4 or fill.side.value == "SELL"
            assert filled[fill.order_id] <= order.size_e6
            assert fill.maker == (fill.fee_e6 == 0)


def test_the_same_recording_and_seed_give_the_same_commands() -> None:
    _, outcome = played()
    assert Rehearsal(settings(), read_script(DAYS)).run().digest == outcome.digest


def test_the_seed_and_the_latency_matter() -> None:
    _, outcome = played()
    slow = Outlay(fills=FillSettings(latency=LatencyLaw(400.0, 100.0, 500.0)))
    assert Rehearsal(settings(), read_script(DAYS), slow).run().digest != outcome.digest


@pytest.mark.slow
def test_text_hashing_does_not_matter() -> None:
    code = (
        "import sys; from pathlib import Path; from dailyarb.config import load;"
        "from dailyarb.runtime.replay import Rehearsal, read_script;"
        "settings = load(Path(sys.argv[1])).settings;"
        "print(Rehearsal(settings, read_script(sys.argv[2])).run().digest)"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code, str(ROOT / "config.toml"), DAYS],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
        for seed in ("1", "2")
    }
    assert digests == {played()[1].digest + "\n"}


def test_strategies_may_be_chosen() -> None:
    outcome = Rehearsal(settings(), read_script(DAYS), Outlay(strategies=("S1",))).run()
    assert list(outcome.summary["signals"]) == ["S1"]  # type: ignore[call-overload]


def test_the_full_rate_capture_goes_through_the_engine(shared_data: Path) -> None:
    script = read_script(str(shared_data / "ws/polymarket/alihakanvesca"))
    rehearsal = Rehearsal(settings(), script)
    outcome = rehearsal.run()
    assert (outcome.frames, outcome.faults) == (3_696, {})
    assert outcome.events["Traded"] == 43
    assert outcome.meaningless == (DOUBT_NO_REFERENCE,)
    counters = rehearsal.engine.books.router.counters
    assert (counters["desyncs"], counters["mismatches"], counters["agreements"]) == (0, 4, 6_936)

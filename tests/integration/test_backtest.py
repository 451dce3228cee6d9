"""Backtests: recordings through the engine, no look-ahead, the same on any number of cores."""

from __future__ import annotations

import csv
import json
import os
import random
import struct
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dailyarb.analytics import backtest
from dailyarb.analytics.backtest import Choice, Plan, run, variants
from dailyarb.analytics.deals import Deals
from dailyarb.analytics.latency import one_way_ms
from dailyarb.config import load
from dailyarb.core.domain.errors import DailyarbError
from dailyarb.core.domain.ids import StrategyId
from dailyarb.core.domain.intents import IntentKind
from dailyarb.core.domain.market import FeeSchedule, Outcome, SettlementKind, Side
from dailyarb.core.domain.orders import TIF, FillState, OrderState
from dailyarb.core.domain.records import (
    FillBooked,
    FillMarked,
    MarketSeen,
    OrderMoved,
    OrderSigned,
    PayoutBooked,
    Record,
)
from dailyarb.core.domain.rung import Evidence
from dailyarb.core.domain.settings import S2Settings, Strategies
from dailyarb.core.domain.units import SECOND
from dailyarb.runtime.replay import RESOLVE_NS, Outlay, Rehearsal, Script
from dailyarb.runtime.replay_rules import HOLD_50_NS, TODAY, rules_at
from dailyarb.runtime.replay_worlds import (
    Variant,
    World,
    perform,
    script_of,
    spoilt,
    worlds_of,
)
from dailyarb.sim.fills import FillModel
from dailyarb.sim.fills_types import FillEvent, FillSettings, LatencyLaw, NewOrder
from dailyarb.sim.foreign.base import DOUBT_NO_PRINTS, DOUBT_NO_REFERENCE, DOUBT_TOKEN, DOUBT_TOUCH
from dailyarb.sim.replay_markets import DOUBT_SETTLING
from tests.processes import until

ROOT = Path(__file__).resolve().parent.parent.parent
WINDOW = ROOT / "tests" / "data" / "btc-updown-5m-1776255900.book_frames.jsonl.zst"
Rows = list[tuple[int, Record]]


def settings() -> Any:
    return load(ROOT / "config.toml").settings


def rows_of(script: Script) -> Rows:
    """Returns every record of a play with its time."""
    rows: Rows = []
    Rehearsal(
        settings(), script, Outlay(strategies=("S2",)), lambda r, at: rows.append((at, r))
    ).run()
    return rows


@lru_cache(maxsize=1)
def whole() -> tuple[Script, Rows]:
    """Returns a window's script and what the engine made of it."""
    script = script_of(World(str(WINDOW)))
    return script, rows_of(script)


def before(rows: Rows, end_ns: int) -> list[bytes]:
    return [msgspec.msgpack.encode(record) for at, record in rows if at < end_ns]


@pytest.mark.parametrize("share", [0.3, 0.7])
def test_what_comes_later_changes_nothing_before(share: float) -> None:
    script, rows = whole()
    frames = list(script.frames())
    cut_ns = frames[int(len(frames) * share)].at_ns
    head = [frame for frame in frames if frame.at_ns < cut_ns]
    shorter = rows_of(script._replace(frames=lambda: head))
    assert len(before(rows, cut_ns)) > 10
    assert before(shorter, cut_ns) == before(rows, cut_ns)


def test_a_recorded_outcome_is_withheld_until_its_time() -> None:
    script, _ = whole()
    spec = script.specs[0]
    told = spec.end_ns + RESOLVE_NS
    up, down = (rows_of(script._replace(winners={spec.market_id: outcome})) for outcome in Outcome)
    assert before(up, told) == before(down, told)
    paid = [
        (at, record.up_price_e4)
        for rows in (up, down)
        for at, record in rows
        if isinstance(record, PayoutBooked)
    ]
    assert paid == [(told, 10_000), (told, 0)]


def test_every_fill_is_marked_at_thirty_seconds_or_by_the_payout() -> None:
    _, rows = whole()
    filled = {r.trade_id: at for at, r in rows if isinstance(r, FillBooked)}
    marked = {r.trade_id: at for at, r in rows if isinstance(r, FillMarked)}
    assert filled
    assert filled.keys() == marked.keys()
    assert all(30 * SECOND <= marked[i] - at <= 31 * SECOND for i, at in filled.items())


def test_a_recording_is_judged_by_the_rules_of_its_date() -> None:
    april = rules_at(1_776_255_900 * SECOND)
    assert (april.rate_e6, april.hold_ms) == (72_000, 250)
    assert april.settlement.kind is SettlementKind.SPOT
    assert rules_at(HOLD_50_NS) == TODAY
    spec = whole()[0].specs[0]
    assert (spec.fees.rate_e6, spec.taker_hold_ms) == (72_000, 250)
    today = script_of(World(str(WINDOW)), today=True).specs[0]
    assert (today.fees.rate_e6, today.taker_hold_ms) == (70_000, 50)


def test_what_is_unknown_about_the_reference_spoils_those_who_need_it() -> None:
    doubts = whole()[0].meaningless
    assert doubts == (DOUBT_TOKEN, DOUBT_NO_REFERENCE, DOUBT_NO_PRINTS)
    assert DOUBT_TOKEN in spoilt("S1", doubts)
    assert spoilt("S2", doubts) == ""
    assert spoilt("S2", (DOUBT_TOUCH,)) == DOUBT_TOUCH


def test_the_number_of_cores_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dailyarb.runtime.replay_script.CHUNK", 500)
    plan = Plan(
        (World(str(WINDOW)),),
        variants((20.0, 300.0), ("adverse",), Variant(strategies=("S2",))),
        (Choice((), settings()),),
    )
    seen: list[tuple[float, int]] = []
    here = run(plan, 1, lambda done, total: seen.append((done, total)))
    there = run(plan, 2, lambda done, total: None)
    assert here == there
    assert seen == sorted(seen) and seen[-1] == (2, 2)
    assert any(0 < done < 1 for done, _ in seen)  # a long world shows how far it is
    assert len(set(here.digests)) == 2  # latency matters


def test_standing_in_front_of_the_queue_fills_at_least_as_much() -> None:
    behind, front = (
        perform(
            World(str(WINDOW)), settings(), Variant(300.0, adverse=adverse, strategies=("S2",))
        ).outcomes.fills
        for adverse in (True, False)
    )
    assert front >= behind


CONFIG = ("--config", str(ROOT / "config.toml"))
RECORD = struct.Struct("<qqBI")


def own_segment(folder: Path, settling: bool) -> str:
    """Writes a recording as our recorder does: two windows' books, trades in microseconds."""
    begin_s = 1_776_255_930
    market = {"slug": "btc-updown-5m-1776255900", "conditionId": "0x1", "upTokenId": "11",
              "downTokenId": "22", "tickSize": "0.01"}  # fmt: skip
    rows: list[tuple[int, int, dict[str, Any]]] = []
    for step in range(60):
        at_ms = (begin_s + step) * 1_000
        mid = 70_000 + step
        trade = {"e": "trade", "E": at_ms * 1_000, "s": "BTCUSDT", "t": step + 1, "p": str(mid),
                 "q": "0.5", "T": at_ms * 1_000, "m": False}  # fmt: skip
        touch = {"u": step + 1, "s": "BTCUSDT", "b": f"{mid}.0", "B": "1", "a": f"{mid}.1",
                 "A": "1"}  # fmt: skip
        rows.append((at_ms, 2, {"stream": "btcusdt@trade", "data": trade}))
        rows.append((at_ms, 2, {"stream": "btcusdt@bookTicker", "data": touch}))
        book = {"event_type": "book", "market": "0x1", "asset_id": "11", "timestamp": str(at_ms),
                "hash": f"{step:x}", "bids": [{"price": "0.49", "size": "300"}],
                "asks": [{"price": "0.50", "size": "300"}]}  # fmt: skip
        rows.append((at_ms, 1, book))
        if settling and step == 5:
            rows.append((at_ms, 3, {"channel": "price.twap", "payload": {"symbol": "btcusd"}}))
        if settling:
            said = {"symbol": "btcusd", "timestamp": at_ms - 2_000,
                    "full_accuracy_value": f"{mid}.25"}  # fmt: skip
            rows.append((at_ms, 3, {"channel": "price.twap", "seq": step, "payload": said}))
    head = {"format": "darec", "channels": {"1": "PM", "2": "BN", "3": "ST"}}
    body = json.dumps(head).encode() + b"\n"
    for at_ms, channel, frame in rows:
        payload = json.dumps(frame, separators=(",", ":")).encode()
        body += RECORD.pack(0, at_ms * 1_000_000, channel, len(payload)) + payload
    (folder / "own.darec").write_bytes(body)
    (folder / "markets.json").write_text(json.dumps([market]))
    return str(folder / "own.darec")


@pytest.mark.parametrize("settling", [True, False])
def test_our_own_segments_bring_their_settling_feed_and_their_stamps(
    tmp_path: Path, settling: bool
) -> None:
    script = script_of(World(own_segment(tmp_path, settling)))
    outcomes = Rehearsal(settings(), script).run()
    assert outcomes.faults == ({"missing": 1} if settling else {})  # one frame is damaged
    assert script.micros
    assert outcomes.events["ReferenceMoved"] == 60
    assert (DOUBT_SETTLING in script.meaningless) is not settling
    if settling:
        assert outcomes.events["SettlementPrice"] == 60  # as recorded, each second once
    else:
        assert outcomes.events["SettlementPrice"] > 120  # the stand-in tells its past too


QUICK = ("--latency", "20", "--queue", "adverse", "--rivals", "0", "--jobs", "1", *CONFIG)


def test_the_answer_stands_in_the_first_lines(say: Any, tmp_path: Path) -> None:
    page = tmp_path / "out.html"
    code, out, err = say("backtest", str(WINDOW), "--strategy", "S2", "--report", str(page), *QUICK)
    assert code == 0
    assert err == f"written: {page}\n"
    first = " ".join(" ".join(out.splitlines()[:24]).split())  # a screenful
    for words in ("Evidence REPLAY", "USD net on", "not enough evidence", "rules of the recording"):
        assert words in first
    assert page.read_text().startswith("<!doctype html>")


def test_json_has_every_number_and_the_rule(say: Any) -> None:
    code, out, _ = say("backtest", str(WINDOW), "--strategy", "S2", "--json", *QUICK)
    told = json.loads(out)
    assert code == 0
    assert told["evidence"] == "REPLAY"
    assert told["worlds"] == 1
    assert told["frames"] == 2_554
    score = told["cells"][0]["scores"][0]
    assert score["net_usd"] == pytest.approx(score["gross_usd"] - score["fees_usd"])
    assert 0 < score["fill_rate"] <= 1
    assert score["interval_cents_share"] is None
    assert "fewer than 20 blocks" in told["rule"]


def test_a_strategy_without_a_reference_is_called_meaningless(say: Any) -> None:
    _, out, _ = say("backtest", str(WINDOW), "--strategy", "S1", *QUICK)
    assert "S1 stale_odds [REPLAY]: meaningless here" in out


def test_set_makes_a_grid(say: Any) -> None:
    code, out, _ = say(
        "backtest", str(WINDOW), "--strategy", "S2", "--set", "S2.max_pair_cost_cents=95,97",
        "--json", *QUICK,
    )  # fmt: skip
    told = json.loads(out)
    assert code == 0
    assert [cell["choice"] for cell in told["cells"]] == [
        "strategies.S2.max_pair_cost_cents=95", "strategies.S2.max_pair_cost_cents=97",
    ]  # fmt: skip
    assert told["cells"][0]["scores"] != told["cells"][1]["scores"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--strategy", "S99"), "known are"),
        (("--set", "nonsense"), "write key=value"),
        (("--set", "strategies.S2.sise_shares=3"), "size_shares"),
        (("--latency", "-5"), "milliseconds"),
        (("--queue", "lucky"), "adverse"),
    ],
)
def test_a_wrong_word_is_named(say: Any, words: tuple[str, ...], said: str) -> None:
    code, _, err = say("backtest", str(WINDOW), *words)
    assert code == 2
    assert said in err


def test_a_path_that_is_not_there_is_named(say: Any, tmp_path: Path) -> None:
    code, _, err = say("backtest", str(tmp_path / "gone"))
    assert code == 1
    assert "does not exist" in err


def test_a_folder_of_foreign_windows_is_a_world_each(shared_data: Path) -> None:
    folder = shared_data / "ws/polymarket/cronosvirus00"
    spot = shared_data / "ws/binance/hftbacktest/btcusdt_20240808.gz"
    worlds = worlds_of(f"{folder}+{spot}")
    assert len(worlds) == len(worlds_of(str(folder))) == 16
    assert all(world.path.endswith(f"+{spot}") for world in worlds)


def test_depth_tables_are_played_where_they_cover_their_window(shared_data: Path) -> None:
    pytest.importorskip("pyarrow")
    worlds = worlds_of(str(shared_data / "recordings/cronos-5m-depth"))
    assert len(worlds) == 89
    kinds = Strategies(S2=S2Settings(resting=True))  # not the seldom file's
    eager = msgspec.structs.replace(settings(), strategies=kinds)
    outcomes = perform(worlds[0], eager, Variant(strategies=("S2",))).outcomes
    assert outcomes.faults == {}
    assert outcomes.frames > 1_000
    assert outcomes.fills > 0


def test_mids_beside_a_reference_let_stale_odds_speak(shared_data: Path) -> None:
    pytest.importorskip("pyarrow")
    worlds = worlds_of(str(shared_data / "recordings/adrien-5m-1hz"))
    assert len(worlds) == 13
    performed = perform(worlds[0], settings(), Variant(strategies=("S1",)))
    assert performed.outcomes.summary["signals"] != {"S1": 0}
    paid = [r for _, r in performed.rows if isinstance(r, PayoutBooked)]
    assert [record.up_price_e4 for record in paid] == [10_000]  # as the recording says


def ladder(*rows: tuple[int, int]) -> Any:
    """Returns a book with these asks of Up and one bid below them."""

    class Book:
        synced = True

        def levels(self, outcome: int, side: int, n: int) -> list[tuple[int, int]]:
            assert outcome == 0
            return list(rows)[:n] if side else [(rows[0][0] - 100, 5_000_000)]

    return Book()


def test_rivals_leave_a_taker_their_share_of_nothing() -> None:
    filled = {}
    fees = FeeSchedule(rate_e6=70_000)
    for share in (0.0, 0.5, 0.75):
        book = ladder((5_000, 20_000_000), (5_100, 20_000_000))
        settings_ = FillSettings(LatencyLaw(1.0, 0.0), 0, rivals=share)
        model = FillModel(lambda _, b=book: b, lambda _: fees, settings_, random.Random(1))
        order = NewOrder("o", "m", Outcome.UP, Side.BUY, 5_100, 30_000_000, TIF.FAK)
        model.submit(order, 0)
        news = model.advance(10**9)
        filled[share] = [n.size_e6 for n in news if isinstance(n, FillEvent)]
    assert filled == {0.0: [20_000_000, 10_000_000], 0.5: [10_000_000, 10_000_000],
                      0.75: [5_000_000, 5_000_000]}  # fmt: skip


def test_measured_latencies_are_drawn_between_their_quantiles() -> None:
    law = LatencyLaw(quantiles_ms=(10.0, 20.0, 100.0))
    rng = random.Random(3)
    drawn = sorted(law.draw_ns(rng) / 1e6 for _ in range(2_000))
    assert 10.0 <= drawn[0] < 11.0 and 95.0 < drawn[-1] <= 100.0
    assert 19.0 < drawn[1_000] < 24.0  # the median is the middle quantile


def test_latencies_come_from_resting_orders_alone() -> None:
    signed = dict(enumerate(range(0, 3_000, 100)))
    rows: list[tuple[int, Any]] = []
    for number, at_ms in signed.items():
        order = OrderSigned(
            str(number), 1, StrategyId.S2, IntentKind.ENTRY, "m", Outcome.UP, Side.BUY, 5_000,
            5_000_000, TIF.GTC, True, 1, 1, 0, b"",
        )  # fmt: skip
        rows.append((at_ms * 10**6, order))
        rows.append(((at_ms + 1) * 10**6, OrderMoved(str(number), OrderState.SENT)))
        state = OrderState.OPEN if number % 6 else OrderState.FILLED
        took = 40 + number % 5 if number % 6 else 900  # a taker's hold is no latency
        rows.append(((at_ms + took) * 10**6, OrderMoved(str(number), state)))
    found = one_way_ms(rows)
    assert (found[0], found[-1], len(found)) == (20.0, 22.0, 21)
    assert list(found) == sorted(found)
    assert one_way_ms(rows[:30]) == ()


def test_a_walk_shows_only_what_was_not_used_to_choose() -> None:
    deals = [made_deals(nets) for nets in ((5, 5, -9, -9, -9, 1), (1, 1, 1, 1, 1, 1))]
    folds = backtest._folds(("bold", "meek"), deals, ("S2",))
    assert [fold.choice for fold in folds] == ["bold", "bold", "meek", "meek"]
    assert [fold.windows for fold in folds] == [1, 1, 1, 2]
    assert [fold.score.net_usd for fold in folds if fold.score] == [5.0, -9.0, 1.0, 2.0]
    trials = backtest._trials(("bold", "meek"), deals, ("S2",))
    assert [trial.chosen for trial in trials] == [False, True]
    assert [trial.second.net_usd for trial in trials if trial.second] == [-17.0, 3.0]


def made_deals(nets: tuple[int, ...]) -> Deals:
    """Returns windows that end one after the other, each with one fill worth so many dollars."""
    deals = Deals(Evidence.REPLAY)
    for number, usd in enumerate(nets):
        spec = msgspec.structs.replace(whole()[0].specs[0], market_id=f"m{number}",
                                       end_ns=(number + 1) * SECOND)  # fmt: skip
        deals.take("r", spec.end_ns, MarketSeen(spec))
        cost_e6 = 50_000_000 - usd * 1_000_000
        deals.take("r", spec.end_ns, FillBooked(
            f"t{number}", "o", StrategyId.S2, spec.market_id, Outcome.UP, Side.BUY, 5_000,
            50_000_000, -cost_e6, 0, True, FillState.CONFIRMED, spec.end_ns - 1,
        ))  # fmt: skip
        deals.take("r", spec.end_ns, PayoutBooked(spec.market_id, 10_000, 0))
    return deals


@pytest.mark.slow
def test_a_sweep_on_ray_gives_the_same_numbers() -> None:
    pytest.importorskip("ray")
    plan = Plan(
        (World(str(WINDOW)),),
        variants((20.0, 300.0), ("adverse",), Variant(strategies=("S2",))),
        (Choice((), settings()),),
    )
    seen: list[float] = []
    there = run(plan, 2, lambda done, total: seen.append(done), ray="auto")
    assert there == run(plan, 1, lambda done, total: None)
    assert seen[-1] == 2


def test_without_a_cluster_at_the_address_it_says_so() -> None:
    pytest.importorskip("ray")
    plan = Plan((World(str(WINDOW)),), (Variant(strategies=("S2",)),), (Choice((), settings()),))
    with pytest.raises(DailyarbError, match="--ray"):
        run(plan, 1, lambda done, total: None, ray="127.0.0.1:1")


def test_every_table_is_written_as_csv_and_parquet(say: Any, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    folder = tmp_path / "tables"
    words = ("backtest", str(WINDOW), "--strategy", "S2", "--tables", str(folder), *QUICK)
    code, _, err = say(*words)
    assert code == 0
    assert f"written: {folder / 'scores.csv'}" in err
    for name in ("scores", "slices", "funnel"):
        rows = list(csv.DictReader((folder / f"{name}.csv").open()))
        same = parquet.read_table(folder / f"{name}.parquet").to_pylist()
        assert len(rows) == len(same) > 0
        assert rows[0]["queue"] == same[0]["queue"] == "adverse"
    scores = parquet.read_table(folder / "scores.parquet").to_pylist()
    assert scores[0]["net_usd"] == pytest.approx(scores[0]["gross_usd"] - scores[0]["fees_usd"])


ORPHAN = """
import multiprocessing, time
from concurrent.futures import ProcessPoolExecutor
from dailyarb.analytics.spread import _leave_with_parent

if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(1, mp_context=context, initializer=_leave_with_parent)
    pool.submit(time.sleep, 0).result()
    print(*pool._processes, flush=True)
    time.sleep(60)
"""


def test_a_killed_sweep_leaves_no_worker_behind(tmp_path: Path) -> None:
    program = tmp_path / "sweep.py"
    program.write_text(ORPHAN)
    words = [sys.executable, str(program)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(words, stdout=subprocess.PIPE, env=environment) as sweep:
        assert sweep.stdout is not None
        worker = int(sweep.stdout.readline())
        sweep.kill()
    until(lambda: not Path(f"/proc/{worker}").exists() or ended(worker), "the worker leaves")


def ended(pid: int) -> bool:
    return ") Z " in Path(f"/proc/{pid}/stat").read_text()

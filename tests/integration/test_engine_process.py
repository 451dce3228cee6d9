"""The real program as a process: stopped, frozen, without readers, twice, on a full disk."""

from __future__ import annotations

import json
import os
import resource
import signal
from collections.abc import Iterator
from fractions import Fraction

import pytest

from dailyarb.core.domain.operator import OperatorVerb
from dailyarb.core.domain.records import IntentTaken, OrderSigned, RunEnded
from dailyarb.core.domain.rung import Rung
from dailyarb.runtime.clock import boot_ns
from dailyarb.runtime.control import ControlClient
from tests.processes import Machine, last_states, machine, our_shares, theirs, until

DISK, BUSY, UNVERIFIED = 3, 4, 6


@pytest.fixture
def desk() -> Iterator[Machine]:
    with machine() as found:
        found.start_venues()
        yield found


def test_a_signal_ends_entries_cancels_verifies_and_sums_up(desk: Machine) -> None:
    engine = desk.start().trading()
    assert engine.terminate() == 0
    assert desk.state()["open_orders"] == [], "the venue itself shows nothing of ours"
    rows = desk.rows()
    ended = rows[-1].record
    assert isinstance(ended, RunEnded) and ended.code == 0
    summary = json.loads(desk.said().splitlines()[-1])
    assert (summary["evt"], summary["evidence"]) == ("run.summary", "SIM")
    assert summary["orders_open"] == 0
    assert summary["orders"]["sent"] == len(last_states(rows)) > 0
    assert all(state.value not in ("UNKNOWN", "SENT") for state in last_states(rows).values())
    told = [json.loads(line)["evt"] for line in desk.places.log.read_text().splitlines()]
    assert told.index("feed.connected") < told.index("run.ready") < told.index("order.signed")
    assert told.count("run.ready") == 1, "it turned once"


def test_the_second_signal_leaves_at_once_and_says_what_is_unverified(desk: Machine) -> None:
    engine = desk.start().trading()
    assert desk.venues is not None
    os.kill(desk.venues.pid, signal.SIGSTOP)  # cancels stay without an answer
    engine.signal(signal.SIGTERM)
    until(lambda: '"run.stopping"' in desk.said(), "the first signal is heard")
    began = boot_ns()
    engine.signal(signal.SIGTERM)
    assert engine.wait() == UNVERIFIED
    assert boot_ns() - began < 8e9, "the ten seconds of an orderly stop are not waited for"
    ended = desk.rows()[-1].record
    assert isinstance(ended, RunEnded) and "unverified" in ended.why
    os.kill(desk.venues.pid, signal.SIGCONT)


def test_a_second_instance_is_refused_and_told_who_is_there(desk: Machine) -> None:
    engine = desk.start().ready()
    second = desk.run("--no-ui", "--config", str(desk.config()))
    assert second.returncode == BUSY
    assert f"pid {engine.pid}" in second.stderr
    assert engine.process.poll() is None


@pytest.mark.slow
def test_on_waking_nothing_is_believed_before_the_first_decision(desk: Machine) -> None:
    engine = desk.start().reconciled()
    engine.signal(signal.SIGSTOP)
    slept = boot_ns()
    until(lambda: boot_ns() - slept > 5e9, "five seconds pass")
    woke = boot_ns()
    engine.signal(signal.SIGCONT)
    until(lambda: any("stood still" in row.text for row in engine.view().events), "it noticed")
    until(lambda: engine.view().mono_ns > woke + 1e9, "a second passes")
    taken = [
        row
        for row in desk.rows()
        if isinstance(row.record, IntentTaken) and woke < row.mono_ns < woke + int(1e9)
    ]
    assert [row for row in taken if row.record.intent.value == "ENTRY"] == []  # type: ignore[union-attr]
    capped = (Rung.HALTED, Rung.HEDGE_ONLY)
    until(lambda: engine.view().rung not in capped, "it may open positions again", 30)


@pytest.mark.slow
def test_a_reader_that_leaves_or_sleeps_costs_the_engine_nothing(desk: Machine) -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as pipe:
        engine = desk.start("--log-level", "debug", stdout=pipe).ready()
    os.close(reading)
    before = engine.view().frame
    until(lambda: engine.view().frame > before + 10, "views go on")
    assert engine.terminate() == 0


@pytest.mark.slow
def test_without_any_stream_it_runs_and_its_files_are_its_own(desk: Machine) -> None:
    engine = desk.start(
        preexec_fn=lambda: os.closerange(0, 3), stdin=None, stdout=None, stderr=None
    ).reconciled()
    assert engine.terminate() == 0
    assert desk.run("verify").returncode == 0


@pytest.mark.slow
def test_a_full_disk_ends_it_with_everything_cancelled(desk: Machine) -> None:
    engine = desk.start().trading()
    size = max(file.stat().st_size for file in desk.places.state_dir.glob("journal*"))
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.prlimit(engine.pid, resource.RLIMIT_FSIZE, (size // 2, hard))
    assert engine.wait() == DISK
    until(lambda: desk.state()["open_orders"] == [], "all is cancelled")
    checked = desk.run("verify", "--json")
    assert json.loads(checked.stdout)["ok"], checked.stdout


def test_a_killed_engine_finds_its_money_again(desk: Machine) -> None:
    for _ in range(2):
        desk.start().trading().kill()
    before = desk.rows()
    assert not isinstance(before[-1].record, RunEnded)
    second = desk.start().reconciled()
    with ControlClient(desk.places.socket) as control:
        assert control.send(OperatorVerb.HALT, reason="count").ok
    assert second.terminate() == 0
    rows = desk.rows()
    ledger, ours = our_shares(rows)
    truth = desk.state()
    assert truth["open_orders"] == []
    assert ours == theirs(truth)
    assert abs(ledger.accounts.cash - round(Fraction(truth["cash"]) * 10**6)) < 10_000
    known = {row.record.order_id for row in before if isinstance(row.record, OrderSigned)}
    assert known <= set(last_states(rows))
    assert json.loads(desk.run("verify", "--json").stdout)["ok"]


def test_what_does_not_fit_is_refused_before_anything_is_touched(desk: Machine) -> None:
    config = desk.config(greeting_file='"/nowhere/venues.json"')
    refused = desk.run("--no-ui", "--config", str(config))
    assert refused.returncode == 2
    assert "venues.greeting_file" in refused.stderr
    assert not desk.places.journal.exists()


def test_a_hangup_reads_the_file_again_and_a_fault_leaves_the_limits_alone(desk: Machine) -> None:
    config = desk.config(max_day_loss_usd="50.0")
    engine = desk.start(config=config).reconciled()
    day = next(row for row in engine.view().limits if "day" in row.name)
    assert abs(day.limit or 0.0) == 50.0
    desk.config(max_day_loss_usd="-1.0")
    engine.signal(signal.SIGHUP)
    until(lambda: "cmd.refused" in desk.places.log.read_text(), "the fault is logged")
    desk.config(max_day_loss_usd="20.0")
    done = desk.run("ctl", "reload", "--yes")
    assert done.stdout.startswith("in force: risk.max_day_loss_usd")
    until(
        lambda: any(abs(row.limit or 0.0) == 20.0 for row in engine.view().limits),
        "the limit is shown",
    )
    assert desk.run("ctl", "lease").stdout.strip() == "nobody holds the lease"
    assert "checking 0 payouts" in desk.run("ctl", "claim").stdout
    listed = {row["breaker"]: row for row in json.loads(listing(desk))}
    assert (listed["loss.day"]["limit"], listed["loss.day"]["reset"]) == (-20.0, "manual")
    assert listed["circuit.orders.pm"]["state"] == "CLOSED"
    view = engine.view()
    assert len(listed) == len(view.breakers) + len(view.circuits)
    assert engine.terminate() == 0


def listing(desk: Machine) -> str:
    """Returns breakers and circuits as `ctl` lists them."""
    return desk.run("ctl", "breaker", "list", "--json").stdout

"""Real processes for tests: venues that survive, engines that are stopped, killed and frozen.

Everything lives in a folder of its own, named by the XDG variables; processes are ended by the
pids this file has started.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dailyarb.core.domain.events import FeedStatus
from dailyarb.core.domain.intents import IntentKind
from dailyarb.core.domain.market import Outcome
from dailyarb.core.domain.operator import OperatorVerb
from dailyarb.core.domain.orders import TERMINAL, FillState, OrderState
from dailyarb.core.domain.records import (
    FillBooked,
    FillProven,
    MarketSeen,
    OrderMoved,
    OrderSigned,
    RungSet,
    RunStarted,
)
from dailyarb.core.domain.rung import Rung
from dailyarb.core.domain.view import View
from dailyarb.core.ledger.ledger import Ledger
from dailyarb.runtime.board import BoardReader
from dailyarb.runtime.control import ControlClient
from dailyarb.runtime.journal_read import Row, decode, walk
from dailyarb.runtime.launch import stop_process, wait_ready
from dailyarb.runtime.paths import Places, holder_of

CENT_E6 = 10_000
READY_S = 60.0  # to the first view, on a machine that is busy with other things
ROOT = Path(__file__).resolve().parent.parent
PROGRAM = [sys.executable, "-m", "dailyarb"]
# What any run on a machine beside others wants.
SMALL = {"port": "0", "quota_mib": "64", "ballast_mib": "1"}
# What a test cannot wait for: a minute until absence is believed, seconds for a leg to rest.
# Windows are traded almost to their end, at whatever minute a test runs.
QUICKER = {
    "min_time_left_s": "5.0",
    "stop_entry_s": "3.0",
    "cancel_before_end_s": "2.0",
    "late_arrival_ms": "3000",
    "ask_after_ms": "300",
    "max_leg_delay_ms": "1500",
    "cooldown_ms": "500",
    **SMALL,
}
_decode_view = msgspec.msgpack.Decoder(View).decode


def until(condition: Callable[[], object], what: str, seconds: float = 20.0) -> None:
    """Waits for a condition, not for a time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what}: did not come true"
        time.sleep(0.01)


def write_config(path: Path, base: dict[str, str] = QUICKER, **changes: str) -> Path:
    """Writes the packaged configuration with other values; each key must be there."""
    lines = (ROOT / "config.toml").read_text().splitlines()
    for key, value in {**base, **changes}.items():
        found = [i for i, line in enumerate(lines) if line.startswith(f"{key} = ")]
        assert found, key
        for i in found:
            lines[i] = f"{key} = {value}"
    path.write_text("\n".join(lines) + "\n")
    return path


class Engine:
    """Is one engine process of a machine."""

    def __init__(self, machine: Machine, process: subprocess.Popen[bytes]) -> None:
        self.machine = machine
        self.process = process

    @property
    def pid(self) -> int:
        return self.process.pid

    def ready(self) -> Engine:
        wait_ready(self.machine.places, self.process, READY_S)
        return self

    def view(self) -> View:
        board = BoardReader.open(self.machine.places.board)
        try:
            blob = board.read_view()
        finally:
            board.close()
        assert blob is not None
        return _decode_view(blob)

    def reconciled(self) -> Engine:
        """Waits until the account was compared and books are there: it may trade."""
        self.ready()
        until(lambda: self.view().rung is not Rung.HALTED, "reconciled")
        return self

    def trading(self, orders: int = 1) -> Engine:
        """Waits until it has orders at the venue."""
        self.reconciled()
        until(lambda: len(self.machine.state()["open_orders"]) >= orders, "orders rest", 60)
        return self

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def wait(self, seconds: float = 30.0) -> int:
        return self.process.wait(seconds)

    def terminate(self) -> int:
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.process.wait()

    def feeds(self) -> dict[str, FeedStatus]:
        return {feed.feed.value: feed.status for feed in self.view().feeds}


class Machine:
    """Is a folder with venues that outlive engines, and the engines of one instance."""

    def __init__(self, folder: Path, base: dict[str, str]) -> None:
        self.folder = folder
        self.base = base
        self.places = Places("main")
        self.greeting = folder / "venues.json"
        self.output = folder / "engine.out"
        self.venues: subprocess.Popen[bytes] | None = None
        self.started: list[subprocess.Popen[bytes]] = []
        self.control = ""

    def config(self, **changes: str) -> Path:
        name = f'"{self.greeting}"' if self.venues is not None else '""'
        chosen = {"greeting_file": name, "core": "-2", **changes}
        return write_config(self.folder / "config.toml", self.base, **chosen)

    def start_venues(self, seed: int = 1, **changes: str) -> None:
        """Starts venues of their own; engines join them from now on."""
        config = write_config(self.folder / "venues.toml", self.base, **changes)
        words = ["--config", str(config), "venues", "--seed", str(seed)]
        self.venues = self._popen([*words, "--greeting-file", str(self.greeting)])
        until(self.greeting.exists, "venues greet")
        self.control = json.loads(self.greeting.read_text())["endpoints"]["control_http"]

    def start(self, *words: str, config: Path | None = None, **popen: Any) -> Engine:
        """Starts an engine in the foreground of a process of its own."""
        argv = ["--no-ui", "--config", str(config or self.config()), *words]
        return Engine(self, self._popen(argv, **popen))

    def _popen(self, words: list[str], **given: Any) -> subprocess.Popen[bytes]:
        with open(self.output, "ab") as output:
            options = {"stdout": output, "stderr": output, "stdin": subprocess.DEVNULL, **given}
            process = subprocess.Popen([*PROGRAM, *words], **options)
        self.started.append(process)
        return process

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*PROGRAM, *words], capture_output=True, text=True, check=False, timeout=60
        )

    def control_do(self, op: str, **body: Any) -> dict[str, Any]:
        data = json.dumps({"op": op, **body}).encode()
        request = urllib.request.Request(f"{self.control}/control", data, method="POST")
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=10) as answer:
            found: dict[str, Any] = json.loads(answer.read())
        return found

    def state(self) -> dict[str, Any]:
        """Returns the venue's own truth."""
        return self.control_do("state")

    def rows(self) -> list[Row]:
        path = self.places.journal
        return [decode(path, raw) for _, raw in walk(path)]

    def said(self) -> str:
        return self.output.read_text(errors="replace")

    def close(self) -> None:
        for process in self.started:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGCONT)
                stop_process(process, 3.0)
        for lock in self.places.state_dir.parent.glob("*/keeper.lock"):
            pid = (holder_of(lock) or {}).get("pid")
            if isinstance(pid, int):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
                until(partial(_free, lock), "keeper ends")


def _free(lock: Path) -> bool:
    return holder_of(lock) is None


@contextmanager
def machine(base: dict[str, str] = QUICKER) -> Iterator[Machine]:
    """Gives a machine with these changes to the packaged configuration; ends what it started."""
    with tempfile.TemporaryDirectory(prefix="da-") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", f"{folder}/run")
        patch.setenv("XDG_STATE_HOME", f"{folder}/state")
        found = Machine(Path(folder), base)
        try:
            yield found
        finally:
            found.close()


def unproven(rows: list[Row]) -> set[tuple[str, str]]:
    """Returns the fills of a journal that are neither final nor voided."""
    found: set[tuple[str, str]] = set()
    for row in rows:
        record = row.record
        if isinstance(record, FillBooked) and record.state is FillState.PROVISIONAL:
            found.add((record.trade_id, record.order_id))
        elif isinstance(record, FillProven):
            found.discard((record.trade_id, record.order_id))
    return found


def settled_down(desk: Machine) -> None:
    """Waits until a halted engine has nothing at the venue and nothing unproven."""
    until(lambda: desk.state()["open_orders"] == [], "all cancelled")
    until(lambda: not unproven(desk.rows()), "every fill is final", 60)


def at_rest(desk: Machine, code: int = 0, **config: str) -> list[Row]:
    """Starts an engine, halts it, waits for rest, and returns the journal once it agrees.

    Money and shares are the venue's, no fill is booked twice, nothing was signed while halted,
    every order came to a proven end, and the journal verifies. `code` is how it has to leave.
    """
    engine = desk.start(config=desk.config(**config)).ready()
    with ControlClient(desk.places.socket) as control:
        assert control.send(OperatorVerb.HALT, reason="count").ok
    until(lambda: "reconciled" in {row.text[:10] for row in engine.view().events}, "reconciled", 90)
    settled_down(desk)
    assert engine.terminate() == code
    rows, truth = desk.rows(), desk.state()
    ledger, ours = our_shares(rows)
    assert ours == theirs(truth), "shares agree with the venue's"
    assert abs(ledger.accounts.cash - Fraction(truth["cash"]) * 10**6) < CENT_E6
    booked = [row.record for row in rows if isinstance(row.record, FillBooked)]
    assert len(booked) == len({(fill.trade_id, fill.order_id) for fill in booked})
    assert orders_while_halted(rows) == []
    assert set(last_states(rows).values()) <= TERMINAL, "every order came to a proven end"
    report = json.loads(desk.run("verify", "--json").stdout)
    assert report["ok"], report["problems"]
    return rows


def our_shares(rows: list[Row]) -> tuple[Ledger, dict[str, int]]:
    """Folds a journal; returns the ledger and shares by token of markets that have not paid."""
    ledger = Ledger()
    tokens: dict[tuple[str, Outcome], str] = {}
    for row in rows:
        ledger.apply(row.record, row.wall_ns)
        if isinstance(row.record, MarketSeen):
            spec = row.record.spec
            for outcome in Outcome:
                tokens[spec.market_id, outcome] = spec.token(outcome)
    shares: dict[str, int] = {}
    for market_id in ledger.open_markets():
        for outcome in Outcome:
            size_e6 = ledger.size_e6(market_id, outcome)
            if size_e6:
                shares[tokens[market_id, outcome]] = size_e6
    return ledger, shares


def orders_while_halted(rows: list[Row]) -> list[str]:
    """Returns orders that were signed on the operator's rung HALTED, flattens apart."""
    rung, found = Rung.FULL, []
    for row in rows:
        if isinstance(row.record, RungSet):
            rung = row.record.rung
            continue
        forbidden = rung is Rung.HALTED and isinstance(row.record, OrderSigned)
        if forbidden and row.record.intent is not IntentKind.FLATTEN:
            found.append(row.record.order_id)
    return found


def theirs(truth: dict[str, Any]) -> dict[str, int]:
    """Returns the venue's own count of shares by token, in micro-shares."""
    sizes = {token: Fraction(text) for token, text in truth["shares"].items()}
    return {token: round(size * 10**6) for token, size in sizes.items() if size}


def runs(rows: list[Row]) -> int:
    return sum(isinstance(row.record, RunStarted) for row in rows)


def last_states(rows: list[Row]) -> dict[str, OrderState]:
    """Returns where each signed order stood at the end."""
    found: dict[str, OrderState] = {}
    for row in rows:
        if isinstance(row.record, OrderSigned):
            found[row.record.order_id] = OrderState.JOURNALLED
        elif isinstance(row.record, OrderMoved):
            found[row.record.order_id] = row.record.state
    return found

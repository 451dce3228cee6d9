"""The engine beside its onlookers: a halt gets through, a console that freezes costs nothing."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dailyarb.core.domain.operator import OperatorVerb
from dailyarb.core.domain.rung import Rung
from dailyarb.runtime.control import ControlClient, halt_fast
from dailyarb.runtime.cores import allowed, engine_core
from tests.processes import PROGRAM, Engine, Machine, machine, orders_while_halted, until

SPIN = "import os, sys; os.sched_setaffinity(0, {int(sys.argv[1])})\nwhile True: pass"


@pytest.fixture
def desk() -> Iterator[Machine]:
    with machine() as found:
        found.start_venues()
        yield found


@contextmanager
def every_other_core_busy(core: int | None) -> Iterator[None]:
    """Spins on each core but the engine's own."""
    spinning = [
        subprocess.Popen([sys.executable, "-c", SPIN, str(number)])
        for number in sorted(allowed() - {core})
    ]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()


@pytest.mark.skipif(len(allowed()) < 2, reason="needs a core for the engine alone")
def test_a_halt_is_answered_with_every_other_core_busy(desk: Machine) -> None:
    engine = desk.start(config=desk.config(core="-1")).trading()
    took = []
    with every_other_core_busy(engine_core(-1, allowed())):
        with ControlClient(desk.places.socket) as control:
            for _ in range(5):
                began = time.monotonic()
                assert control.send(OperatorVerb.HALT, reason="F9").ok
                took.append(time.monotonic() - began)
        assert halt_fast(desk.places.socket)
    # The budget is 100 ms on a core of its own; the runner's cores may be shared with others.
    assert min(took) < 0.1
    assert max(took) < 2.0
    until(lambda: engine.view().operator_rung is Rung.HALTED, "halted")
    until(lambda: desk.state()["open_orders"] == [], "all cancelled")
    assert engine.terminate() == 0
    assert orders_while_halted(desk.rows()) == []


def console(desk: Machine) -> tuple[int, int]:
    """Starts a console on a terminal of its own; returns its pid and the terminal."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm-256color", COLUMNS="120", LINES="40")
        words = [*PROGRAM, "attach", "--config", str(desk.folder / "config.toml")]
        os.execv(words[0], words)
    return pid, terminal


def views_go_on(engine: Engine) -> None:
    frame = engine.view().frame
    until(lambda: engine.view().frame > frame + 5, "views go on")


@pytest.mark.slow
def test_a_console_frozen_or_killed_costs_the_engine_nothing(desk: Machine) -> None:
    engine = desk.start().ready()
    pid, terminal = console(desk)
    try:
        shown = b""
        end = time.monotonic() + 20
        while b"SIM" not in shown:
            assert time.monotonic() < end, shown[-400:]
            shown += os.read(terminal, 65_536)
        os.kill(pid, signal.SIGSTOP)  # its terminal is not read any more either
        views_go_on(engine)
        journal = len(desk.rows())
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        views_go_on(engine)
    finally:
        os.close(terminal)
    assert engine.process.poll() is None
    assert engine.terminate() == 0
    assert len(desk.rows()) >= journal

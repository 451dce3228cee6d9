"""Starting and finding real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dailyarb.runtime.cores import allowed
from dailyarb.runtime.launch import (
    LaunchError,
    find,
    start_detached,
    start_venues,
    stop_process,
    tail,
    wait_ready,
)
from dailyarb.runtime.paths import Places

# Does what an engine does to be found: locks, lays a board, listens.
ENGINE = """
import asyncio, signal, time
from dailyarb.core.domain.clock import ManualClock
from dailyarb.runtime.board import BoardWriter
from dailyarb.runtime.control import ControlServer
from dailyarb.runtime.paths import InstanceLock, Places
async def main():
    places = Places("main")
    lock = InstanceLock(places, run="7f3c")
    board = BoardWriter.create(places.board, "7f3c")
    board.heartbeat(time.monotonic_ns())
    server = ControlServer(places.socket, lambda command: None, ManualClock(), "7f3c")
    await server.start()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    await server.stop()
asyncio.run(main())
"""
VENUES = """
import argparse, os, sys, time
words = argparse.ArgumentParser()
words.add_argument("--say", default="")
words.add_argument("--code", type=int, default=-1)
words.add_argument("--ready-fd", type=int)
words.add_argument("--parent-pid", type=int)
given = words.parse_args()
sys.stderr.write("these are my last words\\n" * 3)
if given.say:
    os.write(given.ready_fd, given.say.encode() + b"\\n")
if given.code >= 0:
    sys.exit(given.code)
while os.getppid() == given.parent_pid:
    time.sleep(0.05)
"""


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch) -> Iterator[Places]:
    with tempfile.TemporaryDirectory() as folder:  # short: a socket's path is bounded
        monkeypatch.setenv("XDG_RUNTIME_DIR", f"{folder}/run")
        monkeypatch.setenv("XDG_STATE_HOME", f"{folder}/state")
        places = Places("main")
        places.make()
        yield places


def test_an_engine_is_started_found_and_stopped(places: Places) -> None:
    assert find(places) is None
    process = start_detached([sys.executable, "-c", ENGINE], places.engine_output)
    try:
        running = wait_ready(places, process)
        assert (running.pid, running.run, running.answering) == (process.pid, "7f3c", True)
        assert running.heartbeat_ns > 0
        assert find(places) == running
        assert os.getsid(process.pid) == process.pid != os.getsid(0)
    finally:
        code = stop_process(process)
    assert code == 0
    assert find(places) is None


def test_a_killed_engine_is_not_found_though_its_files_are_there(places: Places) -> None:
    process = start_detached([sys.executable, "-c", ENGINE], places.engine_output)
    wait_ready(places, process)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert places.board.exists()
    assert places.socket.exists()
    assert find(places) is None


def test_an_engine_that_ends_early_tells_its_code_and_last_words(places: Places) -> None:
    code = "import sys; sys.stderr.write('no max_day_loss_usd'); sys.exit(2)"
    process = start_detached([sys.executable, "-c", code], places.engine_output)
    with pytest.raises(LaunchError, match="no max_day_loss_usd") as caught:
        wait_ready(places, process)
    assert caught.value.code == 2


def test_an_engine_that_is_too_slow_is_named(places: Places) -> None:
    process = start_detached(
        [sys.executable, "-c", "import time; time.sleep(60)"], places.engine_output
    )
    try:
        with pytest.raises(LaunchError, match=str(process.pid)):
            wait_ready(places, process, 0.1)
    finally:
        process.kill()
        process.wait()


def test_a_program_that_is_not_there(places: Places) -> None:
    with pytest.raises(LaunchError, match="no-such-program"):
        start_detached(["no-such-program"], places.engine_output)
    with pytest.raises(LaunchError) as caught:
        start_detached([sys.executable], places.state_dir / "none" / "out")
    assert caught.value.code == 3
    with pytest.raises(LaunchError):
        start_venues(["no-such-program"])


@pytest.mark.skipif(len(allowed()) < 2, reason="needs two cores and an affinity call")
def test_an_engine_gets_the_cores_its_starter_left(places: Places) -> None:
    code = "import os; print(sorted(os.sched_getaffinity(0)))"
    before = allowed()
    one = frozenset({max(before)})
    process = start_detached([sys.executable, "-c", code], places.engine_output, one)
    assert process.wait(10) == 0
    assert tail(places.engine_output) == str(sorted(one))
    assert allowed() == before


def venues(*words: str) -> list[str]:
    return [sys.executable, "-c", VENUES, *words]


def test_venues_greet_and_end_when_told() -> None:
    started = start_venues(venues("--say", '{"clob_http": "http://127.0.0.1:1"}'))
    assert started.greeting == {"clob_http": "http://127.0.0.1:1"}
    assert started.ended is None
    assert started.stop() == -signal.SIGTERM
    assert started.ended == -signal.SIGTERM


@pytest.mark.parametrize("say", ["", "no json", "[1]"])
def test_venues_that_end_or_talk_nonsense_are_an_error(say: str) -> None:
    with pytest.raises(LaunchError, match="these are my last words") as caught:
        start_venues(venues("--say", say, "--code", "3"))
    assert caught.value.code == 3


def test_venues_that_say_nothing_are_ended() -> None:
    with pytest.raises(LaunchError):
        start_venues(venues(), 0.5)


def test_a_process_that_does_not_want_to_end_is_killed() -> None:
    code = (
        "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "print('deaf', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"deaf\n"
    assert stop_process(process, 0.1) == -signal.SIGKILL
    process.stdout.close()


def test_the_tail_of_nothing_is_nothing(tmp_path: Path) -> None:
    assert tail(tmp_path / "none") == ""
    (tmp_path / "long").write_text("x" * 9000 + "end\n")
    assert tail(tmp_path / "long", 10) == "xxxxxxend"

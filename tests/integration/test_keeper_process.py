"""A real keeper speaks when a real engine has been killed."""

from __future__ import annotations

import http.server
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dailyarb.runtime.keeper import URLS_ENV, keeper_argv
from dailyarb.runtime.launch import start_detached, stop_process, wait_ready
from dailyarb.runtime.paths import Places, holder_of
from tests.integration.test_launch import ENGINE

Told = queue.Queue[dict[str, Any]]


def until(condition: Callable[[], object], seconds: float = 15.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "condition did not come true"
        time.sleep(0.02)


@pytest.fixture
def channel() -> Iterator[tuple[str, Told]]:
    told: Told = queue.Queue()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers["Content-Length"])
            told.put(json.loads(self.rfile.read(size)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Says nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"json://127.0.0.1:{server.server_port}/canary-5d1f0c3b", told
    server.shutdown()
    server.server_close()


def test_a_killed_engine_is_told_by_its_keeper(
    channel: tuple[str, Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, told = channel
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", f"{folder}/run")
        monkeypatch.setenv("XDG_STATE_HOME", f"{folder}/state")
        monkeypatch.setenv(URLS_ENV, url)
        places = Places("main")
        places.make()
        engine = start_detached([sys.executable, "-c", ENGINE], places.engine_output)
        wait_ready(places, engine)
        keeper = subprocess.Popen(keeper_argv("main", None, port=0), stderr=subprocess.PIPE)
        try:
            until(lambda: holder_of(places.state_dir / "keeper.lock") is not None)
            second = subprocess.run(keeper_argv("main", None, port=0), check=False, timeout=20)
            os.kill(engine.pid, signal.SIGKILL)
            engine.wait()
            alert = told.get(timeout=20)
        finally:
            code = stop_process(keeper)
        assert (second.returncode, code) == (0, 0)
        assert alert["title"] == "dailyarb main: CRITICAL"
        assert "the engine" in alert["message"]
        said = (places.state_dir / "keeper.jsonl").read_text()
        assert "canary" not in said
        assert keeper.stderr is not None
        assert keeper.stderr.read() == b""
        keeper.stderr.close()
        assert Path(places.state_dir / "keeper.lock").exists()

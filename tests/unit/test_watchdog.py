"""The dead-man's switch is fed while the engine lives, and says when nobody takes it."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import pytest

from dailyarb.core.domain.clock import ManualClock
from dailyarb.runtime.watchdog import Watchdog

S = 1_000_000_000


class Far:
    """Is what stands behind the URL."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.status = 200
        far = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                far.paths.append(self.path)
                self.send_response(far.status)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Says nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/ping/canary-5d1f0c3b"


@pytest.fixture
def far() -> Iterator[Far]:
    made = Far()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_it_is_fed_as_often_as_asked(far: Far) -> None:
    clock = ManualClock(S, S)
    dog = Watchdog(far.url, 60.0, clock)
    assert (dog.state().ok, dog.state().told_s) == (True, None)
    for pause in (0, 30, 29, 1, 60):
        clock.advance(pause * S)
        dog.alive()
        dog.join(5)
    assert far.paths == ["/ping/canary-5d1f0c3b"] * 3
    clock.advance(2 * S)
    assert (dog.state().channel, dog.state().told_s) == ("watchdog", 2.0)


def test_one_that_is_not_taken_is_told_without_its_address(far: Far) -> None:
    clock = ManualClock(S, S)
    dog = Watchdog(far.url, 1.0, clock)
    far.status = 404
    dog.alive()
    dog.join(5)
    assert (dog.state().ok, dog.state().detail) == (False, "refused with status 404")
    far.server.shutdown()
    far.server.server_close()
    clock.advance(S)
    dog.alive()
    dog.join(5)
    assert (dog.state().ok, dog.state().detail) == (False, "could not be reached")


def test_an_address_that_is_no_url_is_refused_without_its_text() -> None:
    with pytest.raises(ValueError, match="neither http nor https") as caught:
        Watchdog("file:///etc/canary-5d1f0c3b", 60.0, ManualClock(S, S))
    assert "canary" not in str(caught.value)


def test_nothing_is_fetched_while_an_answer_is_still_awaited(far: Far) -> None:
    clock = ManualClock(S, S)
    dog = Watchdog(far.url, 1.0, clock)
    dog._fetching.set()
    dog.alive()
    assert dog._asked_ns is None

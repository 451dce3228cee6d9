"""The keeper's endpoint: three paths, on the loopback, bounded."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from dailyarb.runtime.metrics import KeeperFacts, Metrics
from dailyarb.runtime.metrics_http import CLIENTS_MAX, MetricsServer
from dailyarb.tui.fixtures import running


@pytest.fixture
def server() -> Iterator[MetricsServer]:
    made = MetricsServer(Metrics(), "127.0.0.1", 0)
    yield made
    made.stop()


def get(server: MetricsServer, path: str) -> tuple[int, str, bytes]:
    url = f"http://127.0.0.1:{server.port}{path}"
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read()


def test_metrics_are_in_the_form_prometheus_reads(server: MetricsServer) -> None:
    server.metrics.update(running(), KeeperFacts(up=True))
    status, kind, body = get(server, "/metrics?name=x")
    assert (status, kind.split(";")[0]) == (200, "text/plain")
    assert b"\ndailyarb_up 1.0\n" in body
    assert b"\n# TYPE dailyarb_latency_seconds histogram\n" in body


def test_health_and_readiness_are_codes_with_reasons(server: MetricsServer) -> None:
    for path in ("/health", "/ready"):
        status, kind, body = get(server, path)
        assert (status, kind) == (503, "application/json")
        assert json.loads(body)["engine"] == "awaited"
    server.metrics.update(running(), KeeperFacts(up=True, life="alive"))
    for path in ("/health", "/ready"):
        status, _, body = get(server, path)
        assert status == 200
        assert json.loads(body)["engine"] == "alive"


def test_nothing_else_is_there(server: MetricsServer) -> None:
    assert get(server, "/")[0] == 404
    assert get(server, "/metrics/x")[0] == 404


def test_clients_that_say_nothing_do_not_keep_others_out_for_ever(server: MetricsServer) -> None:
    silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(CLIENTS_MAX)]
    late = socket.create_connection(("127.0.0.1", server.port))
    late.settimeout(5)
    assert late.recv(1) == b""  # no room: closed at once
    for client in (*silent, late):
        client.close()
    for _ in range(500):
        try:
            assert get(server, "/health")[0] == 503
        except (urllib.error.URLError, ConnectionError):
            continue
        return
    pytest.fail("no place was given back")


def test_a_port_in_use_is_an_error(server: MetricsServer) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="in use"):
            MetricsServer(Metrics(), "127.0.0.1", taken.getsockname()[1])

"""The keeper's endpoint: `/metrics` for Prometheus, `/health` and `/ready` for supervisors.

Bound to the loopback unless the settings say otherwise; it answers GET, takes no body, and cuts
off who is slow. It runs in the keeper: no scraper can cost the engine anything.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from dailyarb.runtime.metrics import Metrics

TIMEOUT_S = 5.0
CLIENTS_MAX = 16
POLL_S = 0.1


class _Handler(BaseHTTPRequestHandler):
    """Answers one client."""

    timeout = TIMEOUT_S
    server: MetricsServer

    def do_GET(self) -> None:
        """Answers the three paths; anything else is not there."""
        metrics = self.server.metrics
        path = self.path.partition("?")[0]
        if path == "/metrics":
            self._say(200, CONTENT_TYPE_PLAIN_0_0_4, generate_latest(metrics.registry))
        elif path in ("/health", "/ready"):
            good, facts = metrics.health() if path == "/health" else metrics.readiness()
            body = json.dumps(facts).encode() + b"\n"
            self._say(200 if good else 503, "application/json", body)
        else:
            self._say(404, "text/plain", b"/metrics, /health or /ready\n")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Says nothing: a scrape is no event."""

    def _say(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class MetricsServer(ThreadingHTTPServer):
    """Serves one `Metrics`.

    Args:
        metrics: what is told.
        address: where to listen, as in the settings.
        port: 0 takes a free one.

    Raises:
        OSError: the port is taken, or the address is not ours.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, metrics: Metrics, address: str, port: int) -> None:
        super().__init__((address, port), _Handler)
        self.metrics = metrics
        self._places = threading.BoundedSemaphore(CLIENTS_MAX)
        self._thread = threading.Thread(
            target=self.serve_forever, args=(POLL_S,), name="metrics", daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        """Returns the port it listens on."""
        return int(self.server_address[1])

    def stop(self) -> None:
        """Ends it and closes its socket."""
        self.shutdown()
        self.server_close()
        self._thread.join()

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Says whether there is room for one more client."""
        return self._places.acquire(blocking=False)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serves a client on its thread, then gives its place back."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing: a client that left in the middle is no event."""

"""Far ends of alert channels on the loopback: HTTP and SMTP, taking what real ones take."""

from __future__ import annotations

import email
import email.policy
import http.server
import json
import queue
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from typing import Any

Told = queue.Queue[dict[str, Any]]
Mails = queue.Queue[EmailMessage]


class HttpSink:
    """Is a service that takes JSON posts; `status` is what it answers."""

    def __init__(self, port: int) -> None:
        self.told: Told = queue.Queue()
        self.status = 200
        self.url = f"json://127.0.0.1:{port}/canary-5d1f0c3b"


@contextmanager
def http_sink() -> Iterator[HttpSink]:
    """Gives a service that takes JSON posts."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if sink.status == 200:
                sink.told.put(json.loads(body))
            self.send_response(sink.status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Says nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        sink = HttpSink(server.server_port)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield sink
        server.shutdown()


@contextmanager
def smtp_sink() -> Iterator[tuple[str, Mails]]:
    """Gives the Apprise address of a mail server, and the mails it has taken."""
    mails: Mails = queue.Queue()

    class Handler(socketserver.StreamRequestHandler):
        timeout = 10.0

        def handle(self) -> None:
            self.say(b"220 sink")
            for line in iter(self.rfile.readline, b""):
                word = line.strip().upper()[:4]
                if word == b"DATA":
                    self.say(b"354 go on")
                    mails.put(self.read())
                self.say(b"221 bye" if word == b"QUIT" else b"250 ok")
                if word == b"QUIT":
                    return

        def say(self, words: bytes) -> None:
            self.wfile.write(words + b"\r\n")

        def read(self) -> EmailMessage:
            lines = iter(self.rfile.readline, b".\r\n")
            text = b"".join(line[line.startswith(b"..") :] for line in lines)
            return email.message_from_bytes(text, policy=email.policy.default)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        port = server.server_address[1]
        query = "smtp=127.0.0.1&mode=insecure&from=desk@example.org&to=ann@example.org"
        yield f"mailto://example.org:{port}?{query}", mails
        server.shutdown()

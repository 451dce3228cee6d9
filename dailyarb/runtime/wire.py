"""One warm HTTP/1.1 connection for orders: written in the same run, answered by callback.

No retry, no redirect, no queue: what happened to the bytes is always known to the caller.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from urllib.parse import urlsplit

import aiofastnet
import msgspec

from dailyarb.runtime.clock import boot_ns

HEAD_BYTES_MAX = 65_536
BODY_BYTES_MAX = 8_388_608


class Exchange(msgspec.Struct, frozen=True, gc=False):
    """Is the end of one request.

    status is 0 without a complete, readable answer; then `failure` says why. sent says whether
    any byte may have left. sent_ns and answered_ns are boot clock, 0 where it did not happen.
    """

    status: int
    headers: dict[str, str]
    body: bytes
    failure: str
    sent: bool
    sent_ns: int = 0
    answered_ns: int = 0


class AnswerError(ValueError):
    """The bytes are not an HTTP/1.1 answer within our bounds."""


class AnswerParser:
    """Reads one HTTP/1.1 answer from bytes as they come. Sans-IO."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._in_body = False
        self._left: int | None = None  # None: until the connection closes
        self._chunked = False
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = bytearray()
        self.keep_alive = True
        self.done = False

    def feed(self, data: bytes) -> bytes:
        """Takes bytes; returns those behind the end of the answer.

        Raises:
            AnswerError: not an answer, or beyond its bounds.
        """
        self._buffer += data
        while not self._in_body:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self._buffer) > HEAD_BYTES_MAX:
                    raise AnswerError("the head is too long")
                return b""
            head = bytes(self._buffer[:end])
            del self._buffer[: end + 4]
            self._read_head(head)
        if self._chunked:
            self._read_chunks()
        else:
            self._read_plain()
        if len(self.body) > BODY_BYTES_MAX:
            raise AnswerError("the body is too long")
        return bytes(self._buffer) if self.done else b""

    def closed(self) -> bool:
        """Says whether the answer is complete when the connection ends now."""
        if self._in_body and not self._chunked and self._left is None:
            self.done = True
        return self.done

    def _read_head(self, head: bytes) -> None:
        lines = head.decode("latin-1").split("\r\n")
        parts = lines[0].split(" ", 2)
        if len(parts) < 2 or not parts[0].startswith("HTTP/1.") or not parts[1].isdecimal():
            raise AnswerError("not a status line")
        status = int(parts[1])
        headers: dict[str, str] = {}
        for line in lines[1:]:
            name, colon, text = line.partition(":")
            if not colon:
                raise AnswerError("not a header line")
            headers[name.strip().lower()] = text.strip()
        if 100 <= status < 200:
            return
        self.status, self.headers, self._in_body = status, headers, True
        word = headers.get("connection", "").lower()
        self.keep_alive = word != "close" and (parts[0] == "HTTP/1.1" or word == "keep-alive")
        self._chunked = "chunked" in headers.get("transfer-encoding", "").lower()
        length = headers.get("content-length")
        if status in (204, 304):
            self._left = 0
        elif length is not None and not self._chunked:
            if not length.isdecimal() or int(length) > BODY_BYTES_MAX:
                raise AnswerError("the length is not a length")
            self._left = int(length)
        elif not self._chunked:
            self.keep_alive = False

    def _read_plain(self) -> None:
        if self._left is None:
            self.body += self._buffer
            self._buffer.clear()
            return
        part = self._buffer[: self._left]
        self.body += part
        del self._buffer[: len(part)]
        self._left -= len(part)
        self.done = self._left == 0

    def _read_chunks(self) -> None:
        while not self.done:
            end = self._buffer.find(b"\r\n")
            if end < 0:
                if len(self._buffer) > HEAD_BYTES_MAX:
                    raise AnswerError("a chunk head is too long")
                return
            text = bytes(self._buffer[:end]).partition(b";")[0].strip()
            try:
                size = int(text, 16)
            except ValueError:
                raise AnswerError("not a chunk length") from None
            if size < 0 or size + len(self.body) > BODY_BYTES_MAX:
                raise AnswerError("a chunk is too long")
            if size == 0:
                tail = self._buffer.find(b"\r\n\r\n", end)
                if self._buffer[end : end + 4] == b"\r\n\r\n":
                    tail = end
                if tail < 0:
                    return
                del self._buffer[: tail + 4]
                self.done = True
                return
            if len(self._buffer) < end + 2 + size + 2:
                return
            self.body += self._buffer[end + 2 : end + 2 + size]
            del self._buffer[: end + 4 + size]


class Target(msgspec.Struct, frozen=True, gc=False):
    """Is where a connection goes."""

    host: str
    port: int
    tls: bool
    authority: bytes

    @staticmethod
    def of(url: str) -> Target:
        """Returns the target of an http or https address."""
        parts = urlsplit(url)
        tls = parts.scheme == "https"
        host = parts.hostname or ""
        port = parts.port or (443 if tls else 80)
        return Target(host, port, tls, parts.netloc.encode("ascii"))


class Connection(asyncio.Protocol):
    """Is one keep-alive connection with at most one request on it.

    Args:
        on_change: called with the connection whenever it became idle or was lost.
    """

    def __init__(self, on_change: Callable[[Connection], None]) -> None:
        self._on_change = on_change
        self._transport: asyncio.Transport | None = None
        self._parser: AnswerParser | None = None
        self._done: Callable[[Exchange], None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._sent_ns = 0
        self.used_ns = 0
        self.served = 0

    @property
    def idle(self) -> bool:
        """Says whether a request can be written at this moment."""
        transport = self._transport
        return transport is not None and self._done is None and not transport.is_closing()

    @property
    def alive(self) -> bool:
        """Says whether the connection is open, idle or not."""
        return self._transport is not None and not self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Takes the open transport."""
        self._transport = transport  # type: ignore[assignment]
        self.used_ns = boot_ns()
        self._on_change(self)

    def send(self, request: bytes, timeout_s: float, done: Callable[[Exchange], None]) -> int:
        """Writes a request at once; returns the boot clock after the write.

        `done` is called exactly once, never inside this call. Only an idle connection may send.
        """
        transport = self._transport
        assert transport is not None and self._done is None
        self._done = done
        self._parser = AnswerParser()
        transport.write(request)
        self._sent_ns = self.used_ns = boot_ns()
        self._timer = asyncio.get_running_loop().call_later(timeout_s, self._expire)
        return self._sent_ns

    def data_received(self, data: bytes) -> None:
        """Reads the answer; bytes nobody asked for end the connection."""
        parser = self._parser
        if parser is None:
            self.abort()
            return
        try:
            rest = parser.feed(data)
        except AnswerError as error:
            self._finish(str(error))
            self.abort()
            return
        if parser.done:
            keep = parser.keep_alive and not rest
            self._finish("")
            if keep:
                self._on_change(self)
            else:
                self.abort()

    def eof_received(self) -> bool:
        """Lets the transport close."""
        return False

    def connection_lost(self, _exc: Exception | None) -> None:
        """Ends a request that was on the wire: its outcome is what was read so far."""
        self._transport = None
        parser = self._parser
        if parser is not None:
            self._finish("" if parser.closed() else "the connection was lost before the answer")
        self._on_change(self)

    def abort(self) -> None:
        """Drops the connection without a farewell."""
        if self._transport is not None:
            self._transport.abort()

    def _expire(self) -> None:
        self._finish("no answer in time")
        self.abort()

    def _finish(self, failure: str) -> None:
        done, parser = self._done, self._parser
        if done is None or parser is None:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._done = self._parser = self._timer = None
        self.used_ns = boot_ns()
        self.served += 1
        readable = not failure
        done(
            Exchange(
                status=parser.status if readable else 0,
                headers=parser.headers if readable else {},
                body=bytes(parser.body) if readable else b"",
                failure=failure,
                sent=True,
                sent_ns=self._sent_ns,
                answered_ns=self.used_ns if readable else 0,
            )
        )


async def connect(
    target: Target,
    on_change: Callable[[Connection], None],
    tls: ssl.SSLContext | None,
    timeout_s: float,
) -> Connection:
    """Opens one connection.

    Raises:
        OSError: no route, refused, or the handshake failed (TimeoutError is one of these).
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(timeout_s):
        _, protocol = await aiofastnet.create_connection(
            loop,
            lambda: Connection(on_change),
            target.host,
            target.port,
            ssl=tls if target.tls else None,
            server_hostname=target.host if target.tls else None,
        )
    assert isinstance(protocol, Connection)
    return protocol

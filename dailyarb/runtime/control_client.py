"""Clients of the control socket: blocking for the command line, async for the console."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from dailyarb.core.domain.operator import OperatorVerb
from dailyarb.core.domain.rung import Rung
from dailyarb.runtime.control_protocol import (
    LINE_BYTES_MAX,
    Ack,
    ControlError,
    Greeting,
    Line,
    Reply,
    Role,
    check_path,
)

TIMEOUT_S = 3.0
_encode = msgspec.json.Encoder().encode
_read_reply = msgspec.json.Decoder(Reply).decode


def whoami() -> str:
    """Returns the operator's name and terminal, as the audit shows it."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    try:
        return f"{user}@{os.ttyname(0).removeprefix('/dev/')}"
    except OSError:
        return f"{user}@{os.getpid()}"


def command_line(request_id: int, verb: OperatorVerb, fields: dict[str, Any]) -> bytes:
    """Returns one command as its JSON line; a `Rung` goes by its name."""
    if isinstance(fields.get("rung"), Rung):
        fields = {**fields, "rung": fields["rung"].name}
    return _encode(Line(id=request_id, verb=verb, **fields)) + b"\n"


def hello_line(role: Role, who: str) -> bytes:
    """Returns the greeting as its JSON line."""
    return _encode(Line(hello=role, who=who)) + b"\n"


def halt_fast(path: Path, who: str = "", reason: str = "F9", timeout_s: float = 0.5) -> bool:
    """Writes a halt to the engine's socket and leaves; needs no loop, may run in any thread.

    Returns:
        Whether the kernel has taken the line; False where no engine listens.
    """
    line = command_line(1, OperatorVerb.HALT, {"reason": reason})
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout_s)
            connection.connect(str(path))
            connection.sendall(hello_line(Role.ONCE, who or whoami()) + line)
    except OSError:
        return False
    return True


class ControlClient:
    """Sends commands and waits for each answer; safe to use from several threads.

    Args:
        path: the engine's socket.
        role: what this connection may do.
        who: name for the audit; user and terminal by default.

    Raises:
        ControlError: no engine listens there.
    """

    def __init__(self, path: Path, role: Role = Role.ONCE, who: str = "") -> None:
        check_path(path)
        self._lock = threading.Lock()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._buffer = b""
        self._next_id = 0
        self.lease = False
        self.holder = ""
        self.run = ""
        try:
            self._socket.settimeout(TIMEOUT_S)
            self._socket.connect(str(path))
            self._socket.sendall(hello_line(role, who or whoami()))
            self._greeted(self._next(lambda reply: reply.hello is not None).hello)
        except OSError as error:
            self._socket.close()
            raise ControlError(f"{path}: no engine answers ({error})") from None

    def send(self, verb: OperatorVerb, timeout_s: float = TIMEOUT_S, **fields: Any) -> Ack:
        """Sends one command and waits for its answer.

        Args:
            verb: what to do.
            timeout_s: how long to wait.
            fields: target, rung, mode, reason, frame, confirmed as in `OperatorCommand`.

        Raises:
            ControlError: the engine has gone or did not answer; the command may have been done.
        """
        with self._lock:
            self._next_id += 1
            request_id = self._next_id
            try:
                self._socket.settimeout(timeout_s)
                self._socket.sendall(command_line(request_id, verb, fields))
                reply = self._next(lambda reply: reply.id == request_id)
            except OSError as error:
                raise ControlError(f"{verb.value}: no answer ({error})") from None
        return Ack(reply.ok, reply.text)

    def close(self) -> None:
        """Closes the connection."""
        self._socket.close()

    def __enter__(self) -> ControlClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _greeted(self, greeting: Greeting | None) -> None:
        assert greeting is not None
        self.run, self.lease, self.holder = greeting.run, greeting.lease, greeting.holder

    def _next(self, wanted: Callable[[Reply], bool]) -> Reply:
        while True:
            head, found, rest = self._buffer.partition(b"\n")
            if not found:
                piece = self._socket.recv(65_536)
                if not piece:
                    raise ConnectionResetError("the engine closed the connection")
                self._buffer += piece
                continue
            self._buffer = rest
            reply = _decoded(head)
            if reply.lease is not None:
                self.lease, self.holder = reply.lease, reply.holder
            if wanted(reply):
                return reply


class AsyncControlClient:
    """Sends commands from a loop, several at a time; the console's connection.

    Args:
        path: the engine's socket.
        role: what this connection may do.
        who: name for the audit; user and terminal by default.
        on_lease: called with (held, holder) when the lease moves.
    """

    def __init__(
        self,
        path: Path,
        role: Role = Role.OPERATOR,
        who: str = "",
        on_lease: Callable[[bool, str], None] | None = None,
    ) -> None:
        check_path(path)
        self.lease = False
        self.holder = ""
        self.run = ""
        self._path = path
        self._role = role
        self._who = who or whoami()
        self._on_lease = on_lease
        self._writer: asyncio.StreamWriter | None = None
        self._waiting: dict[int, asyncio.Future[Ack]] = {}
        self._next_id = 0
        self._reading: asyncio.Task[None] | None = None

    @property
    def connected(self) -> bool:
        """Returns whether the connection stands."""
        return self._reading is not None and not self._reading.done()

    async def connect(self, timeout_s: float = TIMEOUT_S) -> None:
        """Connects and greets.

        Raises:
            ControlError: no engine answers there.
        """
        with contextlib.ExitStack() as unless_greeted:
            try:
                async with asyncio.timeout(timeout_s):
                    reader, writer = await asyncio.open_unix_connection(
                        str(self._path), limit=4 * LINE_BYTES_MAX
                    )
                    # One given up half-way would hold the lease with nobody behind it.
                    unless_greeted.callback(writer.close)
                    writer.write(hello_line(self._role, self._who))
                    greeting = _decoded(await reader.readline()).hello
            except (OSError, TimeoutError) as error:
                raise ControlError(f"{self._path}: no engine answers ({error})") from None
            if greeting is None:
                raise ControlError(f"{self._path}: the engine closed the connection")
            unless_greeted.pop_all()
        self.run, self.lease, self.holder = greeting.run, greeting.lease, greeting.holder
        self._writer = writer
        self._reading = asyncio.create_task(self._read(reader), name="control-client")

    async def send(self, verb: OperatorVerb, timeout_s: float = TIMEOUT_S, **fields: Any) -> Ack:
        """Sends one command and waits for its answer; arguments as in `ControlClient.send`.

        Raises:
            ControlError: the engine has gone or did not answer; the command may have been done.
        """
        if self._writer is None or not self.connected:
            raise ControlError(f"{verb.value}: not connected")
        self._next_id += 1
        request_id = self._next_id
        answer: asyncio.Future[Ack] = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = answer
        self._writer.write(command_line(request_id, verb, fields))
        try:
            async with asyncio.timeout(timeout_s):
                return await answer
        except TimeoutError:
            raise ControlError(f"{verb.value}: no answer within {timeout_s:g} s") from None
        finally:
            self._waiting.pop(request_id, None)

    async def close(self) -> None:
        """Closes the connection; a lease held passes on."""
        if self._writer is not None:
            self._writer.close()
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while line := await reader.readline():
                self._take(_decoded(line))
        except (OSError, ValueError, ControlError):
            pass  # the connection is of no use any more: what waits is told below
        finally:
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(ControlError("the engine closed the connection"))

    def _take(self, reply: Reply) -> None:
        if reply.lease is not None:
            self.lease, self.holder = reply.lease, reply.holder
            if self._on_lease is not None:
                self._on_lease(self.lease, self.holder)
        answer = self._waiting.get(reply.id) if reply.id is not None else None
        if answer is not None and not answer.done():
            answer.set_result(Ack(reply.ok, reply.text))


def _decoded(line: bytes) -> Reply:
    try:
        return _read_reply(line) if line.strip() else Reply()
    except msgspec.DecodeError as error:
        raise ControlError(f"unreadable answer: {error}") from None

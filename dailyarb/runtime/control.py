"""The control socket: commands to the engine and their answers, as JSON lines.

A unix socket, mode 0600 in a 0700 directory: the file system is the authentication. One line a
message, both ways:

    -> {"hello": "operator", "who": "ann@tty1"}
    <- {"hello": {"run": "7f3c", "lease": true, "holder": "ann@tty1"}}
    -> {"id": 3, "verb": "risk", "rung": "FULL", "frame": 812, "confirmed": true}
    <- {"id": 3, "ok": true, "text": "rung FULL"}
    <- {"lease": false, "holder": "bob@tty2"}

Roles: `operator` is a console, and the first one holds the lease; `once` is `dailyarb ctl`;
`observer` only looks; `keeper` tells how alert channels are and gets no answer. What raises risk
needs the lease, or comes from `once` confirmed; what lowers it is never refused. Who floods is
refused and counted; a halt has an allowance of its own.
"""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import cast

import msgspec

from dailyarb.core.domain.clock import Clock
from dailyarb.core.domain.errors import InstanceBusy
from dailyarb.core.domain.events import AlertState, OperatorCommand
from dailyarb.core.domain.operator import RAISING, OperatorVerb
from dailyarb.core.domain.rung import Rung
from dailyarb.runtime.control_client import AsyncControlClient, ControlClient, halt_fast, whoami
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

__all__ = [
    "Ack",
    "AsyncControlClient",
    "ControlClient",
    "ControlError",
    "ControlServer",
    "Role",
    "halt_fast",
    "whoami",
]

CONNECTIONS_MAX = 64
COMMANDS_PER_S = 20
BURST = 40
HALTS_PER_S = 10
LEASE_IDLE_S = 900.0
RELEASE = "release"  # target of the verb LEASE that frees it
_BACKLOG_BYTES_MAX = 1 << 20
_SECOND_NS = 1_000_000_000
_ONLOOKERS = {Role.OBSERVER: "an observer only looks", Role.KEEPER: "a keeper only reports"}


_read_line = msgspec.json.Decoder(Line).decode
_encode = msgspec.json.Encoder().encode


class Bucket:
    """Allows `rate` events a second after a burst; time is handed in."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._left = burst
        self._at_ns = 0

    def take(self, now_ns: int) -> bool:
        """Returns whether one more event is allowed now."""
        grown = self._left + (now_ns - self._at_ns) / _SECOND_NS * self._rate
        self._left = min(self._burst, grown)
        self._at_ns = now_ns
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Lease:
    """Says which console may raise risk. Idle time counts from its last command."""

    def __init__(self) -> None:
        self.holder: Peer | None = None
        self._used_ns = 0

    def offer(self, peer: Peer, now_ns: int) -> bool:
        """Gives the lease to a console if nobody holds it; returns whether it now holds it."""
        if self.holder is None and peer.role is Role.OPERATOR:
            self.holder, self._used_ns = peer, now_ns
        return self.holder is peer

    def use(self, peer: Peer, now_ns: int) -> None:
        """Notes that the holder did something."""
        if self.holder is peer:
            self._used_ns = now_ns

    def idle_s(self, now_ns: int) -> float:
        """Returns for how long the holder has done nothing."""
        return (now_ns - self._used_ns) / _SECOND_NS

    def ask(self, peer: Peer, confirmed: bool, now_ns: int) -> str:
        """Gives the lease to who asks: free, idle 15 min, or taken over on confirmation.

        Returns:
            Why it was refused, or "".
        """
        if peer.role is not Role.OPERATOR:
            return "only a console can hold the lease"
        held = self.holder is not None and self.holder is not peer
        if held and not confirmed and self.idle_s(now_ns) < LEASE_IDLE_S:
            return f"{self.story(now_ns)}; confirm to take it"
        self.holder, self._used_ns = peer, now_ns
        return ""

    def story(self, now_ns: int) -> str:
        """Returns who holds the lease and since when nothing was done with it, in words."""
        if self.holder is None:
            return "nobody holds the lease"
        return f"{self.holder.who} holds the lease, idle {self.idle_s(now_ns):.0f} s"

    def drop(self, peer: Peer | None) -> bool:
        """Frees the lease if this console held it; returns whether it did."""
        if peer is None or self.holder is not peer:
            return False
        self.holder = None
        return True


class Peer(asyncio.Protocol):
    """Is one connection. A command is acted on inside the call that receives it."""

    def __init__(self, server: ControlServer) -> None:
        self.role = Role.ONCE
        self.who = "unnamed"
        self.commands = Bucket(COMMANDS_PER_S, BURST)
        self.halts = Bucket(HALTS_PER_S, HALTS_PER_S)
        self._server = server
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Registers the connection, or closes it when there are too many."""
        self._transport = cast("asyncio.Transport", transport)
        if not self._server.admit(self):
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets the connection and frees its lease; why it ended does not matter."""
        del exc
        self._transport = None
        self._server.forget(self)

    def data_received(self, data: bytes) -> None:
        """Cuts lines and hands each to the server."""
        self._buffer += data
        while (end := self._buffer.find(b"\n")) >= 0:
            line = bytes(self._buffer[:end])
            del self._buffer[: end + 1]
            self._server.receive(self, line)
        if len(self._buffer) > LINE_BYTES_MAX:
            self.close()

    def send(self, reply: Reply) -> None:
        """Writes one line; a client that does not read is cut off."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if transport.get_write_buffer_size() > _BACKLOG_BYTES_MAX:
            transport.abort()
            return
        transport.write(_encode(reply) + b"\n")

    def close(self) -> None:
        """Closes the connection."""
        if self._transport is not None:
            self._transport.close()


class ControlServer:
    """Listens in the engine process and turns lines into `OperatorCommand`s.

    Args:
        path: where the socket lies; its directory is private already.
        on_command: called for each admitted command, at once, on the loop's thread. It must be
            answered through `answer` with the command's request_id.
        clock: for idle times and floods.
        run: this run's id, told in greetings.
        operator_rung: gives the operator's rung, to know whether a `risk` command raises it.
            Without it only a command to FULL counts as raising.
        on_alert: called for each word of a keeper.
    """

    def __init__(
        self,
        path: Path,
        on_command: Callable[[OperatorCommand], None],
        clock: Clock,
        run: str = "",
        operator_rung: Callable[[], Rung] | None = None,
        on_alert: Callable[[AlertState], None] | None = None,
    ) -> None:
        self.refused = 0
        self.peers: list[Peer] = []
        self._path = path
        self._on_command = on_command
        self._clock = clock
        self._run = run
        self._operator_rung = operator_rung
        self._on_alert = on_alert
        self._lease = Lease()
        self._next_id = 0
        self._waiting: dict[int, tuple[Peer, int]] = {}
        self._server: asyncio.Server | None = None
        self._inode = 0

    async def start(self) -> None:
        """Lays the socket and listens.

        Raises:
            InstanceBusy: somebody else listens there.
            ControlError: the path is too long or the directory cannot be written.
        """
        listener = bind_private(self._path)
        self._inode = self._path.stat().st_ino
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(lambda: Peer(self), sock=listener)

    async def ensure(self) -> bool:
        """Lays the socket anew if it vanished (a log-out may wipe the run directory).

        Returns:
            Whether it had to.
        """
        try:
            if self._path.stat().st_ino == self._inode:
                return False
        except FileNotFoundError:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._server is not None:
            self._server.close()
        await self.start()
        return True

    async def stop(self) -> None:
        """Closes all connections and removes the socket."""
        for peer in list(self.peers):
            peer.close()
        if self._server is not None:
            self._server.close()
            self._server = None
        try:
            if self._path.stat().st_ino == self._inode:
                self._path.unlink()
        except FileNotFoundError:
            pass
        await asyncio.sleep(0)  # lets the closed transports finish

    def answer(self, request_id: int, ok: bool, text: str) -> None:
        """Sends the answer to who asked; unknown ids (the asker has left) are ignored."""
        found = self._waiting.pop(request_id, None)
        if found is not None:
            found[0].send(Reply(id=found[1], ok=ok, text=text))

    @property
    def holder(self) -> str:
        """Returns who holds the lease, or ""."""
        return self._lease.holder.who if self._lease.holder is not None else ""

    def admit(self, peer: Peer) -> bool:
        """Registers a connection; False where there are too many."""
        if len(self.peers) >= CONNECTIONS_MAX:
            self.refused += 1
            return False
        self.peers.append(peer)
        return True

    def forget(self, peer: Peer) -> None:
        """Drops a connection, what it waits for, and its lease."""
        if peer in self.peers:
            self.peers.remove(peer)
        for request_id in [key for key, entry in self._waiting.items() if entry[0] is peer]:
            del self._waiting[request_id]
        if self._lease.drop(peer):
            self._tell_lease()

    def receive(self, peer: Peer, raw: bytes) -> None:
        """Acts on one line of a client."""
        now_ns = self._clock.now().mono_ns
        try:
            line = _read_line(raw) if len(raw) <= LINE_BYTES_MAX else None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            line = None
        if line is None:
            self._refuse(peer, 0, "not understood")
            return
        if line.hello is not None:
            peer.role, peer.who = line.hello, line.who[:64] or "unnamed"
            held = self._lease.offer(peer, now_ns)
            peer.send(Reply(hello=Greeting(self._run, held, self.holder)))
            return
        if line.alert is not None and peer.role is Role.KEEPER:
            if self._on_alert is not None and peer.commands.take(now_ns):
                self._on_alert(line.alert)
            return
        command = line.command(peer.who, self._next_id + 1)
        if command is None:
            self._refuse(peer, line.id, "no such command")
            return
        if command.verb is OperatorVerb.LEASE and not command.target and peer.role is Role.ONCE:
            peer.send(Reply(id=line.id, ok=True, text=self._lease.story(now_ns)))
            return
        why = self._why_not(peer, command, now_ns)
        if why:
            self._refuse(peer, line.id, why)
            return
        self._next_id += 1
        self._lease.use(peer, now_ns)
        self._waiting[self._next_id] = (peer, line.id)
        if command.verb is OperatorVerb.LEASE:
            self._tell_lease()
        self._on_command(command)

    def _why_not(self, peer: Peer, command: OperatorCommand, now_ns: int) -> str:
        """Returns why a command is refused, or ""."""
        if peer.role in _ONLOOKERS:
            return _ONLOOKERS[peer.role]
        bucket = peer.halts if command.verb is OperatorVerb.HALT else peer.commands
        if not bucket.take(now_ns):
            return f"too many commands; {self.refused + 1} refused so far"
        if command.verb is OperatorVerb.LEASE and command.target == RELEASE:
            if peer.role is Role.ONCE and not command.confirmed:
                return f"{self._lease.story(now_ns)}; confirm to free it"
            held = peer if peer.role is Role.OPERATOR else self._lease.holder
            return "" if self._lease.drop(held) else "nothing to release"
        if command.verb is OperatorVerb.LEASE:
            return self._lease.ask(peer, command.confirmed, now_ns)
        if not self._raises(command):
            return ""
        if peer.role is Role.ONCE:
            return "" if command.confirmed else "this raises risk; confirm it with --yes"
        if self._lease.offer(peer, now_ns):
            return ""
        return f"{self.holder} holds the lease; ask for it first"

    def _raises(self, command: OperatorCommand) -> bool:
        if command.verb is not OperatorVerb.RUNG:
            return command.verb in RAISING
        rung = command.rung
        if rung is None:
            return False
        now = self._operator_rung() if self._operator_rung is not None else Rung.REDUCED
        return now < rung

    def _refuse(self, peer: Peer, line_id: int, why: str) -> None:
        self.refused += 1
        peer.send(Reply(id=line_id, ok=False, text=why))

    def _tell_lease(self) -> None:
        for peer in self.peers:
            if peer.role is not Role.ONCE:
                held = self._lease.holder is peer
                peer.send(Reply(lease=held, holder=self.holder))


def bind_private(path: Path) -> socket.socket:
    """Returns a listening unix socket at `path`, mode 0600, in place of a dead one.

    Raises:
        InstanceBusy: a living process listens there.
        ControlError: the path is too long or cannot be bound.
    """
    check_path(path)
    if path.exists() and stat.S_ISSOCK(path.stat().st_mode):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(0.5)
            try:
                probe.connect(str(path))
            except OSError:
                path.unlink()
            else:
                raise InstanceBusy(f"{path}: another engine listens there")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
        os.chmod(path, 0o600)  # before listen: nobody can have connected
        listener.listen(CONNECTIONS_MAX)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise ControlError(f"{path}: {error}") from None
    return listener

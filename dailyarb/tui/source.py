"""Where views come from: the board of an engine, here or in another process, or a fixture.

The console asks a `ViewSource` for the newest frame whenever it paints, and hands it what the
operator wants. It never waits for one: a source answers from memory.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Mapping
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.errors import BoardError, DailyarbError
from dailyarb.core.domain.events import OperatorCommand
from dailyarb.core.domain.view import View

if TYPE_CHECKING:
    from dailyarb.runtime.board import BoardReader
    from dailyarb.runtime.control_client import AsyncControlClient

NO_FRAME_NS = 1_000_000_000  # older than this, nothing on screen may look alive
LOST_NS = 5_000_000_000  # a heartbeat older than this is a dead engine
RETRY_NS = 250_000_000  # between two looks for a board that is not there
Levels = list[tuple[int, int]]


class LinkState(Enum):
    """Is what the console knows about the engine behind its source."""

    CONNECTING = "CONNECTING"
    SYNCING = "SYNCING"
    RUNNING = "RUNNING"
    NO_FRAME = "NO FRAME"
    LOST = "ENGINE LOST"
    RESTARTED = "RESTARTED"


class Role(Enum):
    """Is what this console may ask for."""

    OPERATOR = "operator"
    NO_LEASE = "no lease"  # may look, and may lower risk
    OBSERVER = "observer"


class Ack(msgspec.Struct, frozen=True):
    """Is the engine's answer to a command."""

    ok: bool
    text: str


class Frame(msgspec.Struct, frozen=True):
    """Is one view and when this console first saw it (its own boot clock)."""

    view: View
    recv_ns: int


class BookLike(Protocol):
    """Is a book's depth as the board holds it: best first, (price_e4, size_e6), of UP."""

    @property
    def bids(self) -> Levels:
        """Returns the bids, best first."""
        ...

    @property
    def asks(self) -> Levels:
        """Returns the asks, best first."""
        ...


class Depth(msgspec.Struct, frozen=True):
    """Is a book's depth without anything else."""

    bids: Levels
    asks: Levels


class ViewSource(Protocol):
    """Gives the console its frames and carries its commands."""

    role: Role
    holder: str  # who holds the lease, "" where nobody does or none is known

    @property
    def state(self) -> LinkState:
        """Returns the state of the link at the last `latest`."""
        ...

    @property
    def place(self) -> str:
        """Returns what the console is attached to, for the splash."""
        ...

    def now(self) -> Instant:
        """Returns the present moment on the clocks the views are stamped with."""
        ...

    def latest(self) -> Frame | None:
        """Returns the newest frame, or None before the first."""
        ...

    def book(self, slot: int) -> BookLike | None:
        """Returns the depth in a slot of the board, or None where there is none."""
        ...

    def send(self, command: OperatorCommand) -> Awaitable[Ack]:
        """Sends a command; the answer says what came of it, failures included."""
        ...

    async def greet(self) -> None:
        """Makes sure that commands can travel; called once a second."""
        ...

    def halt(self) -> bool:
        """Sends HALT at once, from any thread, and says whether it was handed over."""
        ...

    def close(self) -> None:
        """Lets go of board and socket; the engine goes on."""
        ...


class SystemClock:
    """Reads the clocks of this machine: boot clock where there is one, and UTC."""

    _BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

    def now(self) -> Instant:
        """Returns the present moment."""
        return Instant(time.clock_gettime_ns(self._BOOT), time.time_ns())


class LinkWatch:
    """Decides the link's state from frames, heartbeats and run ids."""

    def __init__(self) -> None:
        self.frame: Frame | None = None
        self._run = ""
        self._restarted_ns = 0

    def saw(self, view: View, now_ns: int) -> Frame:
        """Takes a view, new or seen before, and returns its frame."""
        last = self.frame
        if last is not None and last.view.frame == view.frame and last.view.run == view.run:
            return last
        if self._run and view.run != self._run:
            self._restarted_ns = now_ns
        self._run = view.run
        self.frame = Frame(view, now_ns)
        return self.frame

    def state(self, now_ns: int, heartbeat_ns: int) -> LinkState:
        """Returns the state at `now_ns`; the engine's last heartbeat is given on its clock."""
        if self.frame is None:
            return LinkState.CONNECTING
        if now_ns - heartbeat_ns > LOST_NS:
            return LinkState.LOST
        if now_ns - self.frame.recv_ns > NO_FRAME_NS:
            return LinkState.NO_FRAME
        if any(not step.done for step in self.frame.view.booting):
            return LinkState.SYNCING
        if self._restarted_ns and now_ns - self._restarted_ns < LOST_NS:
            return LinkState.RESTARTED
        return LinkState.RUNNING


class BoardSource:
    """Reads the board of a running engine and talks to its control socket.

    Opening is tried again until the board is there, and again when a new run lays a new one.
    """

    def __init__(self, board: Path, socket: Path, *, who: str, observe: bool = False) -> None:
        self.role = Role.OBSERVER if observe else Role.OPERATOR
        self._board_path, self._socket = board, socket
        self._who = who
        self._reader: BoardReader | None = None
        self._client: AsyncControlClient | None = None
        self._connecting = asyncio.Lock()
        self.holder = ""
        self._clock = SystemClock()
        self._watch = LinkWatch()
        self._state = LinkState.CONNECTING
        self._blob = b""
        self._tried_ns = 0
        self.fault = ""
        self._decode = msgspec.msgpack.Decoder(View).decode

    @property
    def state(self) -> LinkState:
        """Returns the state of the link at the last `latest`."""
        return self._state

    @property
    def place(self) -> str:
        """Returns the path of the board, and why it cannot be read if so."""
        return self.fault or str(self._board_path)

    def now(self) -> Instant:
        """Returns the present moment on this machine's clocks."""
        return self._clock.now()

    def latest(self) -> Frame | None:
        """Reads the newest view; the last one stays readable after the engine died."""
        now_ns = self.now().mono_ns
        reader = self._open(now_ns)
        if reader is not None:
            self._read_view(reader, now_ns)
        heartbeat = reader.heartbeat_ns if reader is not None else 0
        self._state = self._watch.state(now_ns, heartbeat)
        return self._watch.frame

    def book(self, slot: int) -> BookLike | None:
        """Reads one book of the board; a torn or missing one is no book."""
        if self._reader is None or slot < 0:
            return None
        try:
            return self._reader.read_book(slot)
        except BoardError:
            return None

    async def send(self, command: OperatorCommand) -> Ack:
        """Sends one command over the control socket and returns its acknowledgement."""
        if self.role is Role.OBSERVER:
            return Ack(False, "observers send nothing")
        try:
            client = await self._connected()
            answer = await client.send(command.verb, **_fields(command))
        except (OSError, DailyarbError) as error:
            return Ack(False, f"not delivered: {error}")
        return Ack(answer.ok, answer.text)

    async def greet(self) -> None:
        """Connects to the control socket, so that the lease is asked for and kept."""
        if self.role is Role.OBSERVER:
            return
        try:
            await self._connected()
        except (OSError, DailyarbError):
            return  # tried again; the state of the link tells what is wrong

    def halt(self) -> bool:
        """Writes HALT to the control socket from the calling thread."""
        from dailyarb.runtime.control_client import halt_fast

        if self.role is Role.OBSERVER:
            return False
        try:
            return halt_fast(self._socket, self._who)
        except DailyarbError:
            return False

    async def _connected(self) -> AsyncControlClient:
        from dailyarb.runtime.control_client import AsyncControlClient

        async with self._connecting:  # a second connection would keep the first one's lease
            if self._client is not None and not self._client.connected:
                await self._client.close()
                self._client = None
            if self._client is None:
                client = AsyncControlClient(self._socket, who=self._who, on_lease=self._on_lease)
                await client.connect()
                self._client = client
                self._on_lease(client.lease, client.holder)
            return self._client

    def _on_lease(self, held: bool, holder: str) -> None:
        self.role = Role.OPERATOR if held else Role.NO_LEASE
        self.holder = holder

    def close(self) -> None:
        """Lets go of the board."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _read_view(self, reader: BoardReader, now_ns: int) -> None:
        try:
            blob = reader.read_view()
            if blob is None or blob == self._blob:
                return
            self._blob = blob
            self._watch.saw(self._decode(blob), now_ns)
        except BoardError:
            return  # torn: the next look is 0.1 s away, and age tells if it stays so
        except msgspec.DecodeError as error:
            self.fault = f"this console does not understand the engine's view: {error}"

    def _open(self, now_ns: int) -> BoardReader | None:
        from dailyarb.runtime.board import BoardReader

        if now_ns - self._tried_ns < RETRY_NS:
            return self._reader
        self._tried_ns = now_ns
        if self._reader is not None and not self._reader.replaced():
            return self._reader
        try:
            fresh = BoardReader.open(self._board_path)
        except (BoardError, OSError):
            return self._reader  # the last state stays readable after the engine died
        self.close()
        self._reader = fresh
        return fresh


def _fields(command: OperatorCommand) -> dict[str, Any]:
    """Returns the fields of a command that say something, as the control client takes them."""
    known = {
        "target": command.target,
        "rung": command.rung,
        "mode": command.mode,
        "reason": command.reason,
        "frame": command.frame,
        "confirmed": command.confirmed,
    }
    return {name: field for name, field in known.items() if field}


class FixtureSource:
    """Shows canned views on a clock that stands still: tests and screenshots."""

    place = "fixture"
    holder = "ann@tty2"

    def __init__(
        self,
        view: View | None,
        books: Mapping[int, BookLike] | None = None,
        *,
        state: LinkState = LinkState.RUNNING,
        role: Role = Role.OPERATOR,
        age_ms: int = 0,
    ) -> None:
        self.role = role
        self.state = state
        self.sent: list[OperatorCommand] = []
        self.halts = 0
        self.answer = Ack(True, "done")
        self._books = dict(books or {})
        self._now = Instant(0, 0)
        self._frame: Frame | None = None
        self.show(view, age_ms)

    def show(self, view: View | None, age_ms: int = 0) -> None:
        """Puts another view on the screen, received `age_ms` ago."""
        if view is None:
            self._frame = None
            return
        passed = age_ms * 1_000_000
        self._frame = Frame(view, view.mono_ns)
        self._now = Instant(view.mono_ns + passed, view.wall_ns + passed)

    def now(self) -> Instant:
        """Returns the fixed moment."""
        return self._now

    def latest(self) -> Frame | None:
        """Returns the canned frame."""
        return self._frame

    def book(self, slot: int) -> BookLike | None:
        """Returns the canned book."""
        return self._books.get(slot)

    async def send(self, command: OperatorCommand) -> Ack:
        """Notes the command and gives the canned answer."""
        self.sent.append(command)
        return self.answer

    async def greet(self) -> None:
        """Has nothing to connect."""

    def halt(self) -> bool:
        """Counts the halt."""
        self.halts += 1
        return True

    def close(self) -> None:
        """Has nothing to let go of."""

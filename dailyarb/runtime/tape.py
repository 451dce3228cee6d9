"""The tape: all that an engine is told and all that it asks, among the frames it saw.

The engine is a function of its settings, its history, the frames its books took and the events it
was told at their instants. The recorder's ring takes all of these in the order in which they
happened, on the one thread where they happen; so `retrace` gives the same engine the same life and
compares every command (I14).

A record of the event channel is empty where the books' clocks were looked at, else msgpack of
(number, frames the ring had dropped, mono_ns, wall_ns, name, body). The first of a run is `Life`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, get_args

import msgspec

from dailyarb._fast.ring import Ring
from dailyarb.core.domain import commands as cmd
from dailyarb.core.domain import events as ev
from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.errors import InvariantBroken
from dailyarb.core.domain.records import Checkpointed, Record
from dailyarb.core.domain.settings import Settings
from dailyarb.core.engine.engine import Engine
from dailyarb.core.engine.state import Birth
from dailyarb.runtime.journal_read import Row, decode, walk
from dailyarb.runtime.record import (
    Channel,
    RecordedFrame,
    RecordingError,
    RecordingReader,
    segments_of,
    tag,
)

DIFFERENCES_MAX = 20
SHOWN = 160  # characters of each command or record in a difference
# Told elsewhere: records in the journal, words to people in the log.
_UNTAPED = (cmd.Journal, cmd.Note, cmd.Answer, cmd.Alert)
_EVENTS: dict[str, type[Any]] = {kind.__name__: kind for kind in get_args(ev.Event)}
_START = "start"
_encode = msgspec.msgpack.Encoder().encode
_head: msgspec.msgpack.Decoder[tuple[int, int, int, int, str, msgspec.Raw]] = (
    msgspec.msgpack.Decoder(tuple[int, int, int, int, str, msgspec.Raw])
)


class Life(msgspec.Struct, frozen=True):
    """Is what an engine is born with; last_seq is the newest row of the history it read."""

    settings: Settings
    birth: Birth
    last_seq: int


class _Price(msgspec.Struct, frozen=True):
    """Is a `SettlementPrice` whose value passes the 64 bits of the encoding."""

    asset: str
    price_digits: str
    stamp_ms: int
    recv_ns: int
    window_s: int


class Tape:
    """Writes into the recorder's ring; a full ring costs the tape, never the engine.

    Args:
        ring: the recorder's.
    """

    def __init__(self, ring: Ring) -> None:
        self._ring = ring
        self._number = 0
        self._event_tag = tag(Channel.EVENT)
        self._sent_tag = tag(Channel.SENT)

    def told(self, now: Instant, name: str, body: object) -> None:
        """Takes what the engine is about to be told."""
        self._number += 1
        head = (self._number, self._ring.dropped, now.mono_ns, now.wall_ns, name, body)
        self._ring.push(_encode(head), now.mono_ns, self._event_tag)

    def asked(self, now: Instant, commands: Iterable[cmd.Command]) -> None:
        """Takes what the engine answered."""
        for command in commands:
            if not isinstance(command, _UNTAPED):
                self._ring.push(_deed(command), now.mono_ns, self._sent_tag)


class TapedEngine(Engine):
    """Is an engine whose every fact and command goes onto a tape.

    Args:
        tape: takes them.
        life: settings, birth and where the history ends.
        history: as of `Engine`.
        now: the moment of birth.
    """

    def __init__(
        self, tape: Tape, life: Life, history: Iterable[tuple[Record, int]], now: Instant
    ) -> None:
        self._tape = tape
        tape.told(now, Life.__name__, life)
        super().__init__(life.settings, life.birth, history, now)

    def start(self, now: Instant) -> list[cmd.Command]:
        """Returns the first commands of a run."""
        self._tape.told(now, _START, None)
        commands = super().start(now)
        self._tape.asked(now, commands)
        return commands

    def on_event(self, event: ev.Event, now: Instant) -> list[cmd.Command]:
        """Takes one fact and returns what is to be done, in order."""
        self._tape.told(now, type(event).__name__, _body(event))
        commands = super().on_event(event, now)
        self._tape.asked(now, commands)
        return commands


class Retraced(msgspec.Struct, frozen=True):
    """Is what came of living a run again.

    differences are the first of them in words, none where every command and record was the same;
    missed counts what the recorder had no room for.
    """

    run: str
    events: int
    frames: int
    commands: int
    records: int
    missed: int
    differences: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Says whether the engine did what it did then."""
        return not self.differences


class _Commands:
    """Compares what an engine does now with what the tape and the journal say it did."""

    def __init__(self, rows: Iterator[Row]) -> None:
        self.commands = 0
        self.records = 0
        self.differences: list[str] = []
        self._rows = rows
        self._due: deque[bytes] = deque()

    def did(self, commands: list[cmd.Command]) -> None:
        """Takes what the engine does now."""
        self.idle()
        for command in commands:
            if isinstance(command, cmd.Journal):
                self._record(command.record)
            elif not isinstance(command, _UNTAPED):
                self._due.append(_deed(command))

    def was(self, payload: bytes) -> None:
        """Takes what it did then."""
        self.commands += 1
        now = self._due.popleft() if self._due else b""
        if now != payload:
            self._differ(f"command {self.commands}: then {_shown(payload)}, now {_shown(now)}")

    def idle(self) -> None:
        """Says that nothing more was done then."""
        while self._due:
            self._differ(f"after command {self.commands}: now also {_shown(self._due.popleft())}")

    def _record(self, record: Record) -> None:
        row = next(self._rows, None)
        if row is None:
            return  # it died before this reached the journal
        self.records += 1
        if row.record != record:
            then, now = str(row.record)[:SHOWN], str(record)[:SHOWN]
            self._differ(f"row {row.seq}: then {then}, now {now}")

    def _differ(self, words: str) -> None:
        if len(self.differences) < DIFFERENCES_MAX:
            self.differences.append(words)


def retrace(folder: Path, journal: Path, run: str) -> Retraced:
    """Lives a recorded run again and says where it went another way.

    Args:
        folder: the instance's recordings.
        journal: the instance's journal.
        run: which run.

    Raises:
        RecordingError: the run was not recorded, or its beginning is gone.
        JournalError: the journal cannot be read.
    """
    segments = segments_of(folder, run)
    if not segments:
        raise RecordingError(f"{folder}: run {run} recorded nothing")
    frames = iter(RecordingReader(segments))
    first = _first(frames, run)
    life = msgspec.msgpack.decode(first.body, type=Life)
    history, rows = _history(journal, life.last_seq, run)
    engine = Engine(life.settings, life.birth, history, first.now)
    seen, compared = _Seen(), _Commands(rows)
    for frame in frames:
        if frame.channel is Channel.POLYMARKET:
            seen.frames += 1
            engine.books.router.on_frame(frame.payload, frame.stamp_ns, frame.source)
        elif frame.channel is Channel.SENT:
            compared.was(frame.payload)
        elif frame.channel is Channel.EVENT and not frame.payload:
            engine.books.router.expire(frame.stamp_ns)
        elif frame.channel is Channel.EVENT:
            told = seen.next(frame)
            if not _again(engine, told, compared):
                break
    compared.idle()
    return Retraced(
        run, seen.events, seen.frames, compared.commands, compared.records, seen.missed,
        tuple(compared.differences),
    )  # fmt: skip


def life_of(folder: Path, run: str) -> Life:
    """Returns what a recorded run was born with.

    Raises:
        RecordingError: the run was not recorded, or its beginning is gone.
    """
    segments = segments_of(folder, run)
    if not segments:
        raise RecordingError(f"{folder}: run {run} recorded nothing")
    first = _first(iter(RecordingReader(segments)), run)
    life: Life = msgspec.msgpack.decode(first.body, type=Life)
    return life


class _Told(NamedTuple):
    """Is one record of the event channel."""

    number: int
    dropped: int
    now: Instant
    name: str
    body: msgspec.Raw


class _Seen:
    """Counts what a tape holds and what it lacks."""

    def __init__(self) -> None:
        self.frames = 0
        self.events = 0
        self.missed = 0
        self._number = 1

    def next(self, frame: RecordedFrame) -> _Told:
        """Returns the next thing told."""
        told = _told(frame)
        self.events += 1
        self.missed = max(self.missed, told.dropped, told.number - self._number - 1)
        self._number += 1
        return told


def _again(engine: Engine, told: _Told, compared: _Commands) -> bool:
    """Tells an engine what it was told; False where it could not bear it this time."""
    try:
        if told.name == _START:
            compared.did(engine.start(told.now))
        else:
            compared.did(engine.on_event(_event(told), told.now))
    except InvariantBroken as error:
        compared.differences.append(f"event {told.number} {told.name}: now {error}")
        return False
    router = engine.books.router
    router.drain(), router.take_trades(), router.take_ticks(), router.take_rare()
    return True


def _first(frames: Iterator[RecordedFrame], run: str) -> _Told:
    for frame in frames:
        if frame.channel is Channel.EVENT and frame.payload:
            told = _told(frame)
            if told.name == Life.__name__:
                return told
            break
    raise RecordingError(f"run {run}: the beginning of its recording is gone")


def _told(frame: RecordedFrame) -> _Told:
    try:
        number, dropped, mono_ns, wall_ns, name, body = _head.decode(frame.payload)
    except msgspec.DecodeError as error:
        raise RecordingError(f"the tape cannot be read: {error}") from None
    return _Told(number, dropped, Instant(mono_ns, wall_ns), name, body)


def _event(told: _Told) -> ev.Event:
    kind = _EVENTS.get(told.name)
    if kind is None:
        raise RecordingError(f"the tape tells of {told.name}, which nobody knows")
    if kind is not ev.SettlementPrice:
        event: ev.Event = msgspec.msgpack.decode(told.body, type=kind)
        return event
    price = msgspec.msgpack.decode(told.body, type=_Price)
    return ev.SettlementPrice(
        price.asset, int(price.price_digits), price.stamp_ms, price.recv_ns, price.window_s
    )


def _body(event: ev.Event) -> object:
    if not isinstance(event, ev.SettlementPrice):
        return event
    return _Price(event.asset, str(event.price_e18), event.stamp_ms, event.recv_ns, event.window_s)


def _deed(command: cmd.Command) -> bytes:
    return _encode((type(command).__name__, command))


def _shown(payload: bytes) -> str:
    return str(msgspec.msgpack.decode(payload))[:SHOWN] if payload else "nothing"


def _history(
    journal: Path, last_seq: int, run: str
) -> tuple[list[tuple[Record, int]], Iterator[Row]]:
    """Returns what the run read when it began, and the rows it wrote."""
    rows = (decode(journal, raw) for _, raw in walk(journal))
    history: list[tuple[Record, int]] = []
    for row in rows:
        if row.seq > last_seq:
            rows = chain((row,), rows)  # type: ignore[assignment]
            break
        if isinstance(row.record, Checkpointed):
            history.clear()
        history.append((row.record, row.wall_ns))
    return history, (row for row in rows if row.run == run)


__all__ = ["Life", "Retraced", "Tape", "TapedEngine", "life_of", "retrace"]

"""The live shell: sockets and timers in, commands out. It decides nothing.

One loop thread owns engine, books and journal writes. A fact is handled to its end before the
next; an answer given inside the run (`Signed`) waits its turn and never nests. Records wait for
the next command that leaves the process, so neighbours share one commit and nothing reaches the
wire before what it rests on is in the journal.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from dailyarb._fast.histogram import LatencyHistogram
from dailyarb.core.domain import commands as cmd
from dailyarb.core.domain.clock import Clock, Instant
from dailyarb.core.domain.errors import InvariantBroken, JournalError
from dailyarb.core.domain.events import Event, Signed, Tick, Woke
from dailyarb.core.domain.records import Record
from dailyarb.core.engine.engine import Engine
from dailyarb.runtime.clock import boot_ns
from dailyarb.runtime.journal import JournalSink
from dailyarb.runtime.narrate import LineOut, narrate
from dailyarb.runtime.turns import Turns

EXIT_JOURNAL, EXIT_BUG = 3, 70
ASLEEP_NS = 1_000_000_000


class OrderPort(Protocol):
    """Is where orders go: the venue, a paper model, or nowhere."""

    def submit(self, command: cmd.Submit) -> None:
        """Sends signed orders in one request."""

    def cancel(self, command: cmd.Cancel) -> None:
        """Cancels orders by id."""

    def cancel_all(self, command: cmd.CancelAll) -> None:
        """Cancels everything, or one market's orders."""

    def heartbeat(self, command: cmd.Heartbeat) -> None:
        """Refreshes the dead-man switch."""


class Questions(Protocol):
    """Is who answers what the engine asks."""

    def order(self, command: cmd.QueryOrder) -> None:
        """Asks for one order and its trades."""

    def account(self, command: cmd.QueryAccount) -> None:
        """Asks for one snapshot of the account."""

    def book(self, command: cmd.QueryBook) -> None:
        """Asks REST for one book."""


class Markets(Protocol):
    """Is who follows markets: feeds and discovery."""

    def want(self, command: cmd.Subscribe) -> None:
        """Follows exactly these markets."""

    def resync(self, command: cmd.Resync) -> None:
        """Fetches a snapshot of one market."""


class Signs(Protocol):
    """Signs drafts."""

    def sign(self, draft: cmd.OrderDraft) -> Signed:
        """Signs one draft."""
        ...


class Voice(Protocol):
    """Is who hears: the log and the operator."""

    def note(self, level: str, evt: str, fields: dict[str, Any]) -> None:
        """Writes one log line."""

    def answer(self, request_id: int, ok: bool, text: str) -> None:
        """Answers an operator."""

    def set_mode(self, command: cmd.SetMode) -> None:
        """Lets orders end elsewhere from now on."""


class Ports(msgspec.Struct, frozen=True):
    """Is everything the shell hands commands to."""

    orders: OrderPort
    questions: Questions
    markets: Markets
    signer: Signs
    voice: Voice


class Shell:
    """Feeds the engine and runs its commands.

    Args:
        engine: the sans-IO engine.
        clock: the present moment.
        journal: where records go before anything that rests on them.
        ports: who runs which command.
        ended: called once with exit code and reason.
    """

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        journal: JournalSink,
        ports: Ports,
        ended: Callable[[int, str], None],
    ) -> None:
        self.engine = engine
        self.ports = ports
        self.sign = LatencyHistogram()
        self.decided = LatencyHistogram()
        self.on_event = LatencyHistogram()
        self._clock = clock
        self._journal = journal
        self._ended = ended
        self._inbox: deque[Event] = deque()
        self._pending: list[Record] = []
        self._untold: list[Record | LineOut] = []
        self._turns = Turns(engine.state).tellers
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ns = 0
        self._decided_ns = 0
        self._over = False
        self._heard_ns = 0
        self._act: dict[type[cmd.Deed], Callable[[Any], None]] = {
            cmd.Journal: self._keep,
            cmd.Sign: self._sign,
            cmd.Submit: self._submit,
            cmd.Cancel: lambda c: self._wire(ports.orders.cancel, c),
            cmd.CancelAll: lambda c: self._wire(ports.orders.cancel_all, c),
            cmd.Heartbeat: lambda c: self._wire(ports.orders.heartbeat, c),
            cmd.QueryOrder: lambda c: self._wire(ports.questions.order, c),
            cmd.QueryAccount: lambda c: self._wire(ports.questions.account, c),
            cmd.QueryBook: lambda c: self._wire(ports.questions.book, c),
            cmd.Subscribe: lambda c: self._wire(ports.markets.want, c),
            cmd.Resync: lambda c: self._wire(ports.markets.resync, c),
            cmd.Claim: self._claim,
            cmd.SetMode: lambda c: self._wire(ports.voice.set_mode, c),
            cmd.Alert: self._alert,
            cmd.Answer: self._answer,
            cmd.Note: lambda c: ports.voice.note(c.level, c.evt, c.fields),
            cmd.Exit: self._exit,
        }

    def start(self) -> None:
        """Writes the run's first record and asks the first questions."""
        self._run(self.engine.start(self._clock.now()))
        self._flush()
        self._tell()
        self._arm()

    def feed(self, event: Event) -> None:
        """Takes one fact; called by sockets, tasks and the one timer."""
        self._inbox.append(event)
        if len(self._inbox) > 1 or self._over:
            return  # an answer given inside the run waits its turn, never nests
        began, whole = boot_ns(), False
        if self._heard_ns and began - self._heard_ns > ASLEEP_NS:
            # Ticks come ten times a second: we were stopped, and what queued up is old.
            self._inbox.appendleft(Woke((began - self._heard_ns) // 1_000_000))
        try:
            while self._inbox and not self._over:
                heard = self._inbox[0]
                self._run(self.engine.on_event(heard, self._clock.now()))
                turned = self._turns.get(type(heard))
                if turned is not None:
                    self._untold += turned(heard)
                self._inbox.popleft()
            self._flush()
            self._tell()
            whole = True
        except JournalError as error:
            self._stop(EXIT_JOURNAL, f"journal: {error}")
        except InvariantBroken as error:
            self._stop(EXIT_BUG, f"invariant: {error}")
        finally:
            if not whole:
                # Any other error is our bug too: a half-handled fact must not leave us deaf.
                fact = type(self._inbox[0]).__name__ if self._inbox else "flush"
                self._stop(EXIT_BUG, f"{fact}: {sys.exception()!r}")
        self._heard_ns = boot_ns()
        self.on_event.record(self._heard_ns - began)
        self._arm()

    def broken(self, error: BaseException) -> None:
        """Takes a fault of our own found outside the run: cancel everything, then leave."""
        self._stop(EXIT_BUG, f"{type(error).__name__}: {error}")

    def close(self) -> None:
        """Stops the timer."""
        self._over = True
        if self._timer is not None:
            self._timer.cancel()

    def _run(self, commands: list[cmd.Command]) -> None:
        for command in commands:
            self._act[type(command)](command)

    def _keep(self, command: cmd.Journal) -> None:
        self._pending.append(command.record)

    def _flush(self) -> None:
        if self._pending:
            records, self._pending = self._pending, []
            self._journal.append(records, self._clock.now())
            self._untold += records

    def _tell(self) -> None:
        """Writes the log lines of what was journalled or has turned, after all that it led to."""
        if self._untold:
            untold, self._untold = self._untold, []
            for told in untold:
                line = told if isinstance(told, LineOut) else narrate(told)
                if line is not None:
                    self.ports.voice.note(line.level, line.evt, line.fields)

    def _wire(self, send: Callable[[Any], None], command: cmd.Deed) -> None:
        self._flush()
        send(command)

    def _sign(self, command: cmd.Sign) -> None:
        self._decided_ns = self._decided_ns or boot_ns()
        signed = self.ports.signer.sign(command.draft)
        self.sign.record(signed.sign_ns)
        self._inbox.append(signed)

    def _submit(self, command: cmd.Submit) -> None:
        self._flush()
        decided, self._decided_ns = self._decided_ns or command.decided_ns, 0
        if command.trigger_ns:
            self.decided.record(decided - command.trigger_ns)
        self.ports.orders.submit(msgspec.structs.replace(command, decided_ns=decided))

    def _claim(self, command: cmd.Claim) -> None:
        # Payouts of the venue's auto-redeem are verified by reconciliation; nothing to send.
        self.ports.voice.note("info", "claim.skipped", {"mkt": command.market_id})

    def _alert(self, command: cmd.Alert) -> None:
        level = "critical" if command.severity.value == "CRITICAL" else "warn"
        self.ports.voice.note(
            level, "alert.raised", {"alert": command.key, "text": command.text}
        )

    def _answer(self, command: cmd.Answer) -> None:
        self._flush()
        self.ports.voice.answer(command.request_id, command.ok, command.text)

    def _exit(self, command: cmd.Exit) -> None:
        self._flush()
        self._leave(command.code, command.why)

    def _stop(self, code: int, why: str) -> None:
        """Leaves without trusting the engine any more: cancel everything first."""
        if self._over:
            return
        self._inbox.clear()
        self.ports.orders.cancel_all(cmd.CancelAll(boot_ns()))
        self.ports.voice.note("critical", "engine.failed", {"code": code, "why": why})
        self._leave(code, why)

    def _leave(self, code: int, why: str) -> None:
        if not self._over:
            self.close()
            self._ended(code, why)

    def _arm(self) -> None:
        """Sets the engine's only timer; one that fires early finds nothing due."""
        due = None if self._over else self.engine.next_deadline()
        if due is None:
            return
        if self._timer is not None and self._timer_ns <= due and not self._timer.cancelled():
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_ns = due
        wait_s = max(0.0, (due - boot_ns()) / 1e9)
        self._timer = asyncio.get_running_loop().call_later(wait_s, self._fire)

    def _fire(self) -> None:
        self._timer = None
        self.feed(Tick())

    def instant(self) -> Instant:
        """Returns the present moment."""
        return self._clock.now()

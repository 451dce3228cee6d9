"""The engine: facts in, commands out. No I/O, no clock, no randomness, no key.

Live, replay and simulation run this same object. Rows of books reach `books.router` before the
event that tells of them; everything else arrives here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from dailyarb.core.book.book import Books
from dailyarb.core.domain import events as ev
from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.commands import Command
from dailyarb.core.domain.errors import InvariantBroken
from dailyarb.core.domain.events import Event
from dailyarb.core.domain.records import Record, RunStarted
from dailyarb.core.domain.settings import Settings
from dailyarb.core.domain.view import View
from dailyarb.core.engine import (
    account,
    channels,
    checkpoint,
    housekeeping,
    market_data,
    operator,
    tuning,
)
from dailyarb.core.engine.recovery import recover
from dailyarb.core.engine.state import Birth, State, touch_mark_e6
from dailyarb.core.engine.summary import run_summary
from dailyarb.core.engine.viewer import build_view

Handler = Callable[[State, Any, Instant, list[Command]], None]

MARKETS_MAX = 64
# Facts that cannot lift a gate but by the news they are; after any other all desks look again.
QUIET = {
    ev.Tick, ev.TopChanged, ev.ReferenceMoved, ev.Traded, ev.SettlementPrice, ev.FeedState,
    ev.ClockOffset, ev.LoopLag, ev.LatencyReport, ev.DiskState, ev.AlertState, ev.Signed,
}  # fmt: skip
# Facts that move no number of a breaker, but through the price of shares that are held, and no
# deadline, but through what they make us do.
CALM = {ev.TopChanged, ev.ReferenceMoved, ev.Traded, ev.SettlementPrice, ev.AlertState}


def _tick(state: State, event: ev.Tick, now: Instant, out: list[Command]) -> None:
    del event
    housekeeping.on_tick(state, now, out)


def _clock(state: State, event: ev.ClockOffset, now: Instant, out: list[Command]) -> None:
    del now, out
    state.seen.clock_offset_ms = event.offset_ms
    state.seen.clock_error_ms = event.error_ms


def _latency(state: State, event: ev.LatencyReport, now: Instant, out: list[Command]) -> None:
    del now, out
    state.seen.latency, state.seen.buckets = event.stages, event.buckets


HANDLERS: dict[type[ev.Fact], Handler] = {
    ev.Tick: _tick,
    ev.TopChanged: market_data.on_top,
    ev.BookDesynced: market_data.on_desynced,
    ev.BookWitness: market_data.on_witness,
    ev.Traded: market_data.on_traded,
    ev.ReferenceMoved: market_data.on_reference,
    ev.SettlementPrice: market_data.on_settlement,
    ev.FeedState: market_data.on_feed,
    ev.MarketListed: market_data.on_listed,
    ev.TickSizeChanged: market_data.on_tick_size,
    ev.Resolved: market_data.on_resolved,
    ev.Signed: account.signed,
    ev.SubmitResult: account.on_submit,
    ev.OrderReport: account.on_report,
    ev.Fill: account.on_fill,
    ev.FillConfirmed: account.on_confirmed,
    ev.FillVoided: account.on_voided,
    ev.CancelResult: account.on_cancelled,
    ev.HeartbeatResult: account.on_heartbeat,
    ev.AccountReport: account.on_account,
    ev.ClaimReport: account.on_claim,
    ev.VenueMode: account.on_mode,
    ev.ClockOffset: _clock,
    ev.LoopLag: housekeeping.on_lag,
    ev.Woke: housekeeping.on_woke,
    ev.LatencyReport: _latency,
    ev.OperatorCommand: operator.on_operator,
    ev.StopRequested: operator.on_stop,
    ev.ParametersChosen: tuning.on_parameters,
    ev.AlertState: channels.on_alert_state,
    ev.TaskDied: housekeeping.on_task_died,
    ev.DiskState: housekeeping.on_disk,
    ev.CheckpointDue: checkpoint.on_due,
}


class Engine:
    """Wires books, strategies, risk, execution and ledger behind two methods.

    Args:
        settings: limits and parameters; nothing reloads by itself.
        birth: what this run is: identity, mode, evidence.
        history: (record, wall_ns) of the instance's journal, oldest first; start-up and crash
            recovery are this one path.
        now: the moment of birth.
    """

    def __init__(
        self,
        settings: Settings,
        birth: Birth,
        history: Iterable[tuple[Record, int]],
        now: Instant,
    ) -> None:
        feeds = settings.feeds
        mark_e6 = touch_mark_e6(settings)
        self.books = Books(MARKETS_MAX, feeds.settle_ms, feeds.max_frame_bytes, mark_e6)
        self.state = State(settings, birth, self.books)
        self.state.started = now
        self._due_ns: int | None = None
        self._due_known = False
        recover(self.state, history, now)
        tuning.resume(self.state, now)

    def start(self, now: Instant) -> list[Command]:
        """Returns the first commands of a run: its record, and the first questions."""
        birth, out = self.state.birth, list[Command]()
        self.state.record(
            RunStarted(
                birth.run,
                birth.version,
                birth.mode,
                birth.evidence,
                birth.config_hash,
                birth.salt_base,
                birth.world,
            ),
            now,
            out,
        )
        if self.state.desks:
            market_data.subscribe(self.state, out)
        account.ask_account(self.state, now, out)
        return out

    def on_event(self, event: Event, now: Instant) -> list[Command]:
        """Takes one fact and returns what is to be done, in order."""
        handler = HANDLERS.get(type(event))
        if handler is None:
            raise InvariantBroken(f"no handler for {type(event).__name__}")
        out: list[Command] = []
        kind = type(event)
        handler(self.state, event, now, out)
        if out or kind not in CALM:
            self._due_known = False
            self.state.stirred = self.state.stirred or kind is not ev.Tick
        if kind not in QUIET:
            for desk in self.state.desks.values():
                desk.stir()
        return out

    def next_deadline(self) -> int | None:
        """Returns the mono_ns at which `Tick` is wanted, None once the engine has ended."""
        if not self._due_known:
            self._due_ns, self._due_known = housekeeping.next_deadline(self.state), True
        return self._due_ns

    def view(self, now: Instant) -> View:
        """Returns what a console shows at this moment."""
        return build_view(self.state, now)

    def summary(self, now: Instant) -> dict[str, object]:
        """Returns the run summary as plain numbers (the form of `run.summary`)."""
        return run_summary(self.state, now)

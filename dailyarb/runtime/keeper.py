"""The keeper: watches the engine from outside, exports metrics, sends alerts.

A process of its own, because Python in a thread beside the engine would hold its interpreter
lock. It reads the lock, the board and the journal; the only thing it tells the engine is how its
alert channels are. It speaks when the engine cannot: an engine that holds its lock but gives no
heartbeat hangs, one without its lock has gone, and is started anew where the settings ask for it.

Its process is `keeper_run`.
"""

from __future__ import annotations

from enum import Enum

import msgspec

from dailyarb.core.domain.clock import Clock
from dailyarb.core.domain.errors import BoardError
from dailyarb.core.domain.ids import Severity
from dailyarb.core.domain.view import View
from dailyarb.runtime.alert import Dispatcher
from dailyarb.runtime.alert_rules import Watch
from dailyarb.runtime.board import BoardReader
from dailyarb.runtime.charge import Charge
from dailyarb.runtime.journal_alerts import JournalAlerts
from dailyarb.runtime.logs import Log
from dailyarb.runtime.metrics import KeeperFacts, Metrics
from dailyarb.runtime.paths import Places, holder_of
from dailyarb.runtime.reporter import Reporter
from dailyarb.runtime.revive import Outcome, Reviver
from dailyarb.runtime.sd_notify import Notifier
from dailyarb.runtime.watchdog import Watchdog

HEARTBEAT_MAX_NS = 5_000_000_000
START_MAX_NS = 30_000_000_000
_SECOND_NS = 1_000_000_000
_decode_view = msgspec.msgpack.Decoder(View).decode


class EngineLife(Enum):
    """Is what the keeper knows of the engine."""

    AWAITED = "awaited"
    ALIVE = "alive"
    HUNG = "hung"
    GONE = "gone"


class Keeper:
    """Watches one instance; `step` is called once a second.

    Args:
        places: the instance's files.
        charge: what it was given.
        log: the keeper's own log.
        metrics: filled from the view.
        alerts: takes alerts.
        clock: when it is.
        watchdog: fetches its URL while the engine lives; None has none.
    """

    def __init__(
        self,
        places: Places,
        charge: Charge,
        log: Log,
        alerts: Dispatcher,
        clock: Clock,
        watchdog: Watchdog | None = None,
    ) -> None:
        self.life = EngineLife.AWAITED
        self.metrics = Metrics()
        self._places = places
        self._log = log
        self._alerts = alerts
        self._clock = clock
        self._watchdog = watchdog
        self._linger_ns = int(charge.linger_s * _SECOND_NS)
        self._board: BoardReader | None = None
        self._journal = JournalAlerts(places, self._complain)
        self._rules = Watch(charge.alerts.rules)
        self._reviver = Reviver(places, charge.restarts, frozenset(charge.cores))
        self._reporter = Reporter(places.socket)
        self._notifier = Notifier()
        self._changed_ns = 0
        self._starting: tuple[object, int] = (None, 0)
        self._complaint = ""

    def step(self) -> bool:
        """Looks once at everything; False when there is nothing left to watch."""
        now_ns = self._clock.now().mono_ns
        self._changed_ns = self._changed_ns or now_ns
        self._reopen_board()
        for severity, key, text in self._journal.news():
            self._alert(severity, key, text)
        life = self._look(now_ns)
        if life is not self.life:
            self._turn(life, now_ns)
        self._alerts.step()
        self._show(now_ns)
        if self.life in (EngineLife.ALIVE, EngineLife.HUNG):
            self._reviver.alive()
            return True
        if self.life is EngineLife.GONE:
            if self._journal.ended():
                self._log.event("info", "keeper.ended", why="the engine ended by itself")
                return False
            self._revive(now_ns)
        return self._reviver.waits or now_ns - self._changed_ns < self._linger_ns

    def close(self) -> None:
        """Closes what it reads."""
        self._reporter.close()
        self._journal.close()
        if self._board is not None:
            self._board.close()

    def _look(self, now_ns: int) -> EngineLife:
        holder = holder_of(self._places.lock)
        if holder is None:
            # A board without an engine: it died before our first look.
            awaited = self.life is EngineLife.AWAITED and self._board is None
            return EngineLife.AWAITED if awaited else EngineLife.GONE
        board = self._board
        if board is None or board.pid != holder.get("pid") or not board.heartbeat_ns:
            # It has its lock and no board yet: it is starting, which may take a while.
            if holder.get("pid") != self._starting[0]:
                self._starting = (holder.get("pid"), now_ns)
            late = now_ns - self._starting[1] > START_MAX_NS
            return EngineLife.HUNG if late else self.life
        late = now_ns - board.heartbeat_ns > HEARTBEAT_MAX_NS
        return EngineLife.HUNG if late else EngineLife.ALIVE

    def _turn(self, life: EngineLife, now_ns: int) -> None:
        was, self.life, self._changed_ns = self.life, life, now_ns
        if life is EngineLife.ALIVE:
            if was is not EngineLife.AWAITED:
                self._log.event("info", "engine.back", was=was.value)
                self._alert(Severity.WARNING, "engine.back", "the engine is back")
            return
        if life is EngineLife.GONE and self._journal.ended():
            return
        age_s = self._heartbeat_age_s(now_ns)
        what = "hangs" if life is EngineLife.HUNG else "died"
        self._log.event("critical", "engine.lost", how=life.value, heartbeat_age_s=age_s)
        text = f"the engine {what}: last heartbeat {age_s:.0f} s ago; orders may rest at the venue"
        self._alert(Severity.CRITICAL, f"engine.{life.value}", text)

    def _revive(self, now_ns: int) -> None:
        outcome = self._reviver.step(now_ns)
        if outcome is Outcome.NOTHING:
            return
        told = {"outcome": outcome.value, "attempt": self._reviver.attempt}
        self._log.event("warn", "engine.restarted", **told)
        if outcome is Outcome.GIVEN_UP:
            text = "the engine died again and is not started any more; dailyarb starts it"
            self._alert(Severity.CRITICAL, "engine.given_up", text)
        else:
            text = f"the engine is started anew, {self._reviver.attempt} this hour; never armed"
            self._alert(Severity.WARNING, f"engine.restart.{self._reviver.attempt}", text)

    def _show(self, now_ns: int) -> None:
        view = self._view()
        up = self.life is EngineLife.ALIVE
        if up and view is not None:
            for severity, key, text in self._rules.look(view):
                self._alert(severity, key, text)
        self._notifier.tell(view, up)
        states = self._alerts.states()
        if self._watchdog is not None:
            if up:
                self._watchdog.alive()
            states.append(self._watchdog.state())
        if up:
            self._reporter.tell(states, now_ns)
        channels = self._alerts.channels
        facts = KeeperFacts(
            up=up,
            age_s=(now_ns - view.mono_ns) / _SECOND_NS if view is not None else 0.0,
            life=self.life.value,
            channels=tuple(states),
            raised=dict(self._alerts.raised),
            sent={channel.name: channel.sent for channel in channels},
            failed={channel.name: channel.failed for channel in channels},
            dropped={channel.name: channel.dropped for channel in channels},
            held=self._alerts.held,
            restarts=self._reviver.started,
        )
        self.metrics.update(view, facts)

    def _view(self) -> View | None:
        if self._board is None:
            return None
        try:
            blob = self._board.read_view()
            return _decode_view(blob) if blob else None
        except (BoardError, msgspec.DecodeError) as error:
            self._complain(str(error))
            return None

    def _reopen_board(self) -> None:
        if self._board is not None and not self._board.replaced():
            return
        try:
            fresh = BoardReader.open(self._places.board)
        except BoardError:
            return  # the last state of the old one stays of use
        if self._board is not None:
            self._board.close()
        self._board = fresh

    def _alert(self, severity: Severity, key: str, text: str) -> None:
        if self._alerts.put(severity, key, text):
            self._log.event("info", "alert.raised", alert=key, severity=severity.value)

    def _heartbeat_age_s(self, now_ns: int) -> float:
        if self._board is None or not self._board.heartbeat_ns:
            return 0.0
        return (now_ns - self._board.heartbeat_ns) / _SECOND_NS

    def _complain(self, text: str) -> None:
        if text != self._complaint:
            self._complaint = text
            self._log.event("warn", "keeper.troubled", what=text)

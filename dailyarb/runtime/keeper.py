"""The keeper: watches the engine from outside, exports metrics, sends alerts.

A process of its own, because Python in a thread beside the engine would hold its interpreter
lock. It only reads: the lock, the board, the journal. It speaks when the engine cannot: an
engine that holds its lock but gives no heartbeat hangs, one without its lock has gone.

Started as `python -m dailyarb.runtime.keeper --instance NAME`. Alert channels come in the
environment, never as words of the command, which any user of the machine could read.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
from enum import Enum

import msgspec

from dailyarb.core.domain.errors import BoardError, InstanceBusy, JournalError
from dailyarb.core.domain.ids import Severity
from dailyarb.core.domain.records import AlertRaised
from dailyarb.core.domain.settings import LogSettings
from dailyarb.core.domain.view import View
from dailyarb.runtime.alert import AlertSender, apprise_send
from dailyarb.runtime.board import BoardReader
from dailyarb.runtime.cores import stay_off
from dailyarb.runtime.journal_read import JournalReader
from dailyarb.runtime.logs import Log, setup
from dailyarb.runtime.metrics import PORT, Metrics
from dailyarb.runtime.paths import Places, holder_of, take_lock

URLS_ENV = "DAILYARB_ALERT_URLS"
HEARTBEAT_MAX_NS = 5_000_000_000
START_MAX_NS = 30_000_000_000
STEP_S = 1.0
LINGER_S = 600.0
_SECOND_NS = 1_000_000_000
_BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_decode_view = msgspec.msgpack.Decoder(View).decode


class EngineLife(Enum):
    """Is what the keeper knows of the engine."""

    AWAITED = "awaited"
    ALIVE = "alive"
    HUNG = "hung"
    GONE = "gone"


class Keeper:
    """Watches one instance; `step` is called once a second with the boot clock.

    Args:
        places: the instance's files.
        log: the keeper's own log.
        metrics: filled from the view.
        sender: takes alerts; None sends nowhere.
        linger_s: how long it waits for an engine that is lost or has not come.
    """

    def __init__(
        self,
        places: Places,
        log: Log,
        metrics: Metrics,
        sender: AlertSender | None = None,
        linger_s: float = LINGER_S,
    ) -> None:
        self.life = EngineLife.AWAITED
        self._places = places
        self._log = log
        self._metrics = metrics
        self._sender = sender
        self._linger_ns = int(linger_s * _SECOND_NS)
        self._board: BoardReader | None = None
        self._journal: JournalReader | None = None
        self._seq = self._saved_seq()
        self._changed_ns = 0
        self._starting: tuple[object, int] = (None, 0)
        self._complaint = ""

    def step(self, now_ns: int) -> bool:
        """Looks once at everything; False when there is nothing left to watch."""
        self._changed_ns = self._changed_ns or now_ns
        self._reopen_board()
        self._follow_journal(now_ns)
        life = self._look(now_ns)
        if life is not self.life:
            self._turn(life, now_ns)
        self._show(now_ns)
        if self.life is EngineLife.ALIVE or self.life is EngineLife.HUNG:
            return True
        if self.life is EngineLife.GONE and self._ended():
            self._log.event("info", "keeper.ended", why="the engine ended by itself")
            return False
        return now_ns - self._changed_ns < self._linger_ns

    def close(self) -> None:
        """Closes what it reads."""
        if self._board is not None:
            self._board.close()
        if self._journal is not None:
            self._journal.close()

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
                self._alert(Severity.WARNING, "engine.back", "the engine is back", now_ns)
            return
        if life is EngineLife.GONE and self._ended():
            return
        age_s = self._heartbeat_age_s(now_ns)
        what = "hangs" if life is EngineLife.HUNG else "died"
        self._log.event("critical", "engine.lost", how=life.value, heartbeat_age_s=age_s)
        text = f"the engine {what}: last heartbeat {age_s:.0f} s ago; orders may rest at the venue"
        self._alert(Severity.CRITICAL, f"engine.{life.value}", text, now_ns)

    def _show(self, now_ns: int) -> None:
        view: View | None = None
        if self._board is not None:
            try:
                blob = self._board.read_view()
                view = _decode_view(blob) if blob else None
            except (BoardError, msgspec.DecodeError) as error:
                self._complain(str(error))
        age_s = (now_ns - view.mono_ns) / _SECOND_NS if view is not None else 0.0
        undelivered = self._sender.undelivered if self._sender is not None else 0
        self._metrics.update(view, self.life is EngineLife.ALIVE, age_s, undelivered)

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

    def _follow_journal(self, now_ns: int) -> None:
        try:
            if self._journal is None:
                self._journal = JournalReader(self._places.journal)
                spans = self._journal.runs()
                # Alerts of earlier runs were told, or are of no use any more.
                self._seq = max(self._seq, spans[-1].first_seq - 1 if spans else 0)
            while rows := self._journal.since(self._seq, 500):
                for row in rows:
                    if isinstance(row.record, AlertRaised):
                        told = row.record
                        self._alert(told.severity, told.key, told.text, now_ns)
                self._seq = rows[-1].seq
                self._save_seq()
        except JournalError as error:
            self._complain(str(error))

    def _ended(self) -> bool:
        """Returns whether the newest run ended by itself."""
        if self._journal is None:
            return False
        try:
            spans = self._journal.runs()
        except JournalError:
            return False
        return bool(spans) and spans[-1].ended

    def _alert(self, severity: Severity, key: str, text: str, now_ns: int) -> None:
        if self._sender is not None and self._sender.put(severity, key, text, now_ns):
            self._log.event("info", "alert.raised", alert=key, severity=severity.value)

    def _heartbeat_age_s(self, now_ns: int) -> float:
        if self._board is None or not self._board.heartbeat_ns:
            return 0.0
        return (now_ns - self._board.heartbeat_ns) / _SECOND_NS

    def _complain(self, text: str) -> None:
        if text != self._complaint:
            self._complaint = text
            self._log.event("warn", "keeper.troubled", what=text)

    def _saved_seq(self) -> int:
        try:
            return int((self._places.state_dir / "keeper.seq").read_text())
        except (OSError, ValueError):
            return 0

    def _save_seq(self) -> None:
        path = self._places.state_dir / "keeper.seq"
        try:
            path.write_text(f"{self._seq}\n")
        except OSError as error:
            self._complain(f"{path.name}: {error.strerror}")


def keeper_argv(instance: str, core: int | None, port: int = PORT) -> list[str]:
    """Returns the command that starts a keeper; 0 for `port` exports no metrics."""
    words = [sys.executable, "-m", "dailyarb.runtime.keeper", "--instance", instance]
    return [*words, "--core", str(-1 if core is None else core), "--port", str(port)]


def main(argv: list[str] | None = None) -> int:
    """Runs a keeper until its engine ends or a signal comes; returns the exit code."""
    words = argparse.ArgumentParser(prog="dailyarb-keeper")
    words.add_argument("--instance", default="main")
    words.add_argument("--core", type=int, default=-1, help="the engine's core, to stay off")
    words.add_argument("--port", type=int, default=PORT, help="metrics; 0 for none")
    words.add_argument("--linger", type=float, default=LINGER_S, help="seconds without an engine")
    given = words.parse_args(argv)
    stay_off(given.core if given.core >= 0 else None)
    places = Places(given.instance)
    places.make()
    try:
        told = json.dumps({"pid": os.getpid(), "instance": given.instance})
        lock = take_lock(f"keeper of {given.instance}", places.state_dir / "keeper.lock", told)
    except InstanceBusy:
        return 0  # another keeper watches already, and will see a new engine come
    log = setup(LogSettings(), "keeper", given.instance, places.state_dir / "keeper.jsonl")
    urls = [url for url in os.environ.pop(URLS_ENV, "").split("\n") if url]
    for url in urls:
        log.redactor.register(url)
    try:
        sender = AlertSender(apprise_send(urls), given.instance) if urls else None
    except ValueError as error:
        log.event("error", "alert.failed", what=str(error))
        sender = None
    metrics = Metrics()
    if given.port:
        try:
            log.event("info", "keeper.started", port=metrics.serve(given.port))
        except OSError as error:
            log.event("warn", "keeper.started", port=0, why=error.strerror)
    _watch(Keeper(places, log, metrics, sender, given.linger))
    if sender is not None:
        sender.close(10.0)
    log.close()
    os.close(lock)
    return 0


def _watch(keeper: Keeper) -> None:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    while keeper.step(time.clock_gettime_ns(_BOOT)) and not stop.wait(STEP_S):
        pass
    keeper.close()


if __name__ == "__main__":
    sys.exit(main())

"""The soak on loopback: the real program against real sockets, under random faults, for an hour.

    python -m tests.soak_live --minutes 60 --seed 1

Everything is as the packaged configuration has it, but for limits on losses: the embedded market's
crowd is honest, and an hour may cost more than an operator who tries the program would let it.

Prints one JSON object. Availability is the share of the time in which the engine could open
positions (its rung allows entries, its view is fresh) among that in which the venue could be
traded: no fault of the venue or of the network was on. What the engine needs to come back after a
fault, be it a restart of its own process or a breaker's hysteresis, counts against it.

    measured         every lost second counts
    outside_limits   less the time in which a limit the operator set was reached, named beside
    every_two_hours  the same with faults as rare as in the simulated days, out of what each cost
                     here; what is lost long after any fault keeps its share. This has the target.

Sizes are judged after a warm-up of two fifths, by the low end of their slopes (`growth.py`).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple

from dailyarb.core.domain.errors import DailyarbError
from dailyarb.core.domain.operator import OperatorVerb
from dailyarb.core.domain.records import FillBooked
from dailyarb.core.domain.rung import Rung
from dailyarb.core.domain.view import View
from dailyarb.runtime.control import ControlClient
from tests.growth import sizes
from tests.processes import (
    SMALL,
    Engine,
    Machine,
    machine,
    orders_while_halted,
    our_shares,
    runs,
    settled_down,
    theirs,
    until,
)

STEP_S = 0.1
FRESH_NS = 500_000_000
DOWN_S = 1.5  # how long a killed engine stays away, as a supervisor that starts it again
TARGET = 0.999
PAUSE_S = 7_200.0  # between faults, that the target is about: as in the simulated days
AFTER_S = 60.0  # what is lost so long after a fault is its doing
WARM_SHARE = 0.4
BLOCK_S = 60.0
# An hour: what no leak is. The reference's rings hold 67 minutes and fill by 4 MB an hour.
ALLOWED = {"rss_mb": 6.0, "open_files": 2.0, "threads": 1.0, "tasks": 2.0}
ROOM = {"max_day_loss_usd": "1000.0", "max_drawdown_usd": "1000.0", "loss_streak": "1000"}
LIMITS = ("loss.day", "loss.drawdown", "loss.streak", "near.limit")
CENT_E6 = 10_000


class Fault(NamedTuple):
    """Is one kind of fault: how it begins and ends, and whether the venue can be traded in it."""

    name: str
    weight: int
    seconds: tuple[float, float]
    begin: Callable[[Soak], None]
    end: Callable[[Soak], None]
    venue_down: bool


@dataclass
class Tally:
    """Is what the looks say; times in seconds."""

    looks: int = 0
    venue_up_s: float = 0.0
    could_s: float = 0.0
    limited_s: float = 0.0
    provoked_s: float = 0.0  # lost while a fault was on, or soon after
    lost_s: Counter[str] = field(default_factory=Counter)
    recovery_s: dict[str, list[float]] = field(default_factory=dict)
    sizes: list[tuple[float, float, int, int, int]] = field(default_factory=list)


def _nothing(soak: Soak) -> None:
    del soak


def _control(op: str, **body: Any) -> Callable[[Soak], None]:
    return lambda soak: _done(soak.desk.control_do(op, **body))


def _done(answer: dict[str, Any]) -> None:
    assert "error" not in answer, answer


def _silence(venue: str, on: bool) -> Callable[[Soak], None]:
    return _control("silence", venue=venue, on=on)


def _kill(soak: Soak) -> None:
    soak.kill()


def _freeze(soak: Soak) -> None:
    soak.engine.signal(signal.SIGSTOP)


def _thaw(soak: Soak) -> None:
    soak.engine.signal(signal.SIGCONT)


FAULTS = (
    Fault("cut_market_socket", 3, (0, 0), _control("cut", venue="clob", count=1), _nothing, False),
    Fault("cut_reference_socket", 3, (0, 0), _control("cut", venue="binance", count=1),
          _nothing, False),
    Fault("cut_all_polymarket", 1, (0, 0), _control("cut", venue="clob"), _nothing, False),
    Fault("reference_silent", 2, (2, 6), _silence("binance", True), _silence("binance", False),
          True),
    Fault("market_silent", 2, (4, 8), _silence("clob", True), _silence("clob", False), True),
    Fault("settlement_silent", 1, (5, 9), _silence("settlement", True),
          _silence("settlement", False), True),
    Fault("user_stream_silent", 2, (3, 20), _silence("user", True), _silence("user", False), False),
    Fault("venue_restart", 1, (5, 15), _control("mode", mode="restart"),
          _control("mode", mode=""), True),
    Fault("venue_post_only", 1, (5, 15), _control("mode", mode="post_only"),
          _control("mode", mode=""), True),
    Fault("venue_cancel_only", 1, (5, 10), _control("mode", mode="cancel_only"),
          _control("mode", mode=""), True),
    Fault("engine_frozen", 1, (1, 3), _freeze, _thaw, False),
)  # fmt: skip
KILL = Fault("engine_killed", 0, (DOWN_S, DOWN_S), _kill, lambda soak: soak.begin(), False)


class Soak:
    """Is one soak: an engine, its venues, the faults and what is seen of them.

    Args:
        desk: the machine it runs on.
        seed: names the faults and their moments.
        minutes: how long.
        pause_s: mean time between two faults.
        kills: how many times the engine is killed, in the first third: sizes need a long life.
        loop_lag_ms: how late the engine's loop may wake; more than usual on a shared machine.
    """

    def __init__(
        self,
        desk: Machine,
        seed: int,
        minutes: float,
        pause_s: float,
        kills: int,
        loop_lag_ms: int,
    ) -> None:
        self.desk = desk
        self.config = {**ROOM, "max_loop_lag_ms": str(loop_lag_ms)}
        self.rng = random.Random(seed)
        self.seconds = minutes * 60.0
        self.pause_s = pause_s
        self.tally = Tally()
        self.counts: Counter[str] = Counter()
        self.killed = 0
        self.engine: Engine
        self._kill_at = sorted(self.rng.uniform(60.0, self.seconds / 3) for _ in range(kills))
        self._fault: Fault | None = None
        self._ends = 0.0
        self._last = ""
        self._hurt_at = self._ended_at = 0.0
        self._looked_at = 0.0
        self._gone = ""  # the run that was killed: its last view is still on the board

    def begin(self) -> None:
        """Starts an engine; it is waited for by looking only."""
        self.engine = self.desk.start(config=self.desk.config(**self.config))

    def kill(self) -> None:
        """Kills the engine, wherever it is."""
        self.killed += 1
        view = self._view()
        self._gone = view.run if view is not None else ""
        self.engine.kill()

    def run(self) -> None:
        """Lives through the faults."""
        self.begin()
        self.engine.reconciled()
        began = now = time.monotonic()
        self._looked_at = began
        due = began + self._wait_s()
        while now - began < self.seconds:
            if self._fault is not None and now >= self._ends:
                self._fault.end(self)
                self._ended_at = now
                if not self._hurt_at:
                    self._last, self._hurt_at = self._fault.name, now
                self._fault = None
            elif self._fault is None and self._kill_at and now - began >= self._kill_at[0]:
                del self._kill_at[0]
                self._strike(KILL, now)
            elif self._fault is None and now >= due:
                weights = [fault.weight for fault in FAULTS]
                self._strike(self.rng.choices(FAULTS, weights)[0], now)
                due = now + self._wait_s()
            self._look(now, now - began)
            until(lambda end=now + STEP_S: time.monotonic() >= end, "the next look")
            now = time.monotonic()
        if self._fault is not None:
            self._fault.end(self)

    def _wait_s(self) -> float:
        return self.rng.expovariate(1.0 / self.pause_s)

    def _strike(self, fault: Fault, now: float) -> None:
        self.counts[fault.name] += 1
        fault.begin(self)
        self._fault, self._ends = fault, now + self.rng.uniform(*fault.seconds)

    def _look(self, now: float, at: float) -> None:
        tally, view = self.tally, self._view()
        why = _why_not(view)
        tally.looks += 1
        self._count(why, now - self._looked_at, now)
        self._looked_at = now
        if not why and self._fault is None and self._hurt_at:
            tally.recovery_s.setdefault(self._last, []).append(now - self._hurt_at)
            self._hurt_at = 0.0
        if view is not None and tally.looks % 100 == 0:
            seen = view.process
            threads = len(os.listdir(f"/proc/{self.engine.pid}/task"))
            tally.sizes.append((at, seen.rss_mb, seen.open_files, threads, seen.tasks))

    def _count(self, why: str, seconds: float, now: float) -> None:
        """Counts the time since the last look, when the venue could be traded."""
        if self._fault is not None and self._fault.venue_down:
            return
        tally = self.tally
        tally.venue_up_s += seconds
        if not why:
            tally.could_s += seconds
            return
        soon = self._hurt_at or (self._ended_at and now - self._ended_at < AFTER_S)
        during = self._fault.name if self._fault is not None else self._last if soon else ""
        tally.lost_s[f"{during or 'no fault'}: {why}"] += seconds
        if _limited(why):
            tally.limited_s += seconds
        elif during:
            tally.provoked_s += seconds

    def _view(self) -> View | None:
        if self.engine.process.poll() is not None:
            return None
        with contextlib.suppress(DailyarbError, OSError, AssertionError):
            view = self.engine.view()
            return view if view.run != self._gone else None
        return None


def _why_not(view: View | None) -> str:
    """Returns what keeps a view's engine from opening positions, "" where nothing does."""
    if view is None:
        return "no engine"
    if time.clock_gettime_ns(time.CLOCK_BOOTTIME) - view.mono_ns > FRESH_NS:
        return "no fresh view"
    if view.rung in (Rung.FULL, Rung.REDUCED):
        return ""
    causes = [row.cause for row in view.breakers if row.name == view.rung_detail and row.cause]
    return " ".join([view.rung_cause.value, view.rung_detail, *causes])


def _limited(why: str) -> bool:
    """Says whether a limit that the operator set keeps it from opening positions."""
    return why.partition(" ")[2].startswith(LIMITS)


def judge(soak: Soak) -> list[str]:
    """Halts, lets everything come to rest, and returns what is wrong; nothing is right."""
    desk, engine = soak.desk, soak.engine.ready()
    until(lambda: _limited(why := _why_not(soak._view())) or not why, "it trades again", 60)
    with ControlClient(desk.places.socket) as control:
        assert control.send(OperatorVerb.HALT, reason="soak over").ok
    settled_down(desk)
    code = engine.terminate()
    rows, truth = desk.rows(), desk.state()
    ledger, ours = our_shares(rows)
    booked = [row.record for row in rows if isinstance(row.record, FillBooked)]
    keys = {(fill.trade_id, fill.order_id) for fill in booked}
    report = json.loads(desk.run("verify", "--json").stdout)
    gap = abs(ledger.accounts.cash - Fraction(truth["cash"]) * 10**6)
    checks = {
        f"exit code {code}": code == 0,
        "shares differ from the venue's": ours == theirs(truth),
        f"cash differs by {float(gap) / 1e6:.6f}": gap < CENT_E6,
        "a fill is booked twice": len(keys) == len(booked),
        "nothing was traded": bool(booked),
        "an order was signed while halted": not orders_while_halted(rows),
        f"{runs(rows)} runs of {soak.killed + 1}": runs(rows) == soak.killed + 1,
        f"verify: {report['problems'][:3]}": bool(report["ok"]),
    }
    soak.counts["fills"] = len(booked)
    return [what for what, holds in checks.items() if not holds]


def availability(soak: Soak) -> dict[str, float]:
    """Returns the three figures (see the head of this file) and what they rest on."""
    tally, faults = soak.tally, sum(soak.counts[fault.name] for fault in (*FAULTS, KILL))
    up_s = max(STEP_S, tally.venue_up_s)
    free_s = max(STEP_S, up_s - tally.limited_s)
    unprovoked_s = free_s - tally.could_s - tally.provoked_s
    each_s = tally.provoked_s / max(1, faults)
    found = {
        "measured": tally.could_s / up_s,
        "outside_limits": tally.could_s / free_s,
        "every_two_hours": 1.0 - unprovoked_s / free_s - each_s / PAUSE_S,
        "target": TARGET,
        "venue_up_s": tally.venue_up_s,
        "limited_s": tally.limited_s,
        "lost_to_faults_s": tally.provoked_s,
        "lost_otherwise_s": unprovoked_s,
        "lost_per_fault_s": each_s,
    }
    return {name: round(number, 6) for name, number in found.items()}


def told(soak: Soak, problems: list[str]) -> dict[str, Any]:
    """Returns what the soak found, to print; adds to the problems what the figures say."""
    tally = soak.tally
    settled = [row for row in tally.sizes if row[0] > WARM_SHARE * soak.seconds]
    grown = {
        name: sizes([(row[0], float(row[column])) for row in settled], BLOCK_S, allowed)
        for column, (name, allowed) in enumerate(ALLOWED.items(), 1)
        if settled
    }
    recovery = {
        name: {"count": len(times), "max_s": round(max(times), 1),
               "mean_s": round(sum(times) / len(times), 1)}
        for name, times in sorted(tally.recovery_s.items())
    }  # fmt: skip
    found = availability(soak)
    problems += [f"{name} grows: {row}" for name, row in grown.items() if row["grows"]]
    if found["every_two_hours"] < TARGET:
        problems.append(f"availability {found['every_two_hours']} of {TARGET}")
    return {
        "seconds": round(soak.seconds),
        "faults": dict(sorted(soak.counts.items())),
        "looks": tally.looks,
        "availability": found,
        "lost_s": {why: round(seconds, 1) for why, seconds in tally.lost_s.most_common()},
        "recovery": recovery,
        "sizes_after_warm_up": grown,
        "problems": problems,
    }


def main(arguments: list[str]) -> int:
    """Runs the soak and prints what it found; 1 where something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak_live", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pause-s", type=float, default=240.0, help="mean time between faults")
    parser.add_argument("--kills", type=int, default=2)
    parser.add_argument("--loop-lag-ms", type=int, default=50, help="more on a shared machine")
    chosen = parser.parse_args(arguments)
    with machine(SMALL) as desk:
        desk.start_venues(chosen.seed)
        limits = (chosen.pause_s, chosen.kills, chosen.loop_lag_ms)
        soak = Soak(desk, chosen.seed, chosen.minutes, *limits)
        try:
            soak.run()
            problems = judge(soak)
        except (AssertionError, DailyarbError, OSError) as error:
            problems = [f"{type(error).__name__}: {error}", desk.said()[-2_000:]]
        found = told(soak, problems)
    sys.stdout.write(json.dumps(found, indent=2) + "\n")
    return 1 if found["problems"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""When faults strike: the windows and moments a world draws from its seed before it begins."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dailyarb.core.domain import events as ev
from dailyarb.core.domain.ids import FeedId
from dailyarb.core.domain.operator import OperatorVerb
from dailyarb.core.domain.rung import Rung
from dailyarb.core.domain.units import MS, SECOND
from dailyarb.sim.world_setup import FAULTS_S, MONO_NS, WALL_S

if TYPE_CHECKING:
    from dailyarb.sim.world import World

FIRST_S = 2.5  # before it the engine reconciles and warms up
KILL_COMMANDS_MAX = 14


class Plan:
    """Schedules the faults that are moments or windows, not chances.

    Args:
        world: where they strike.
        rng: the plan's own randomness.
    """

    def __init__(self, world: World, rng: random.Random) -> None:
        self.world = world
        self.rng = rng
        self._back: list[Callable[[], None]] = []
        self._disk_hangs = False

    def begin(self) -> None:
        """Draws and schedules everything."""
        self.strike()
        self._end_of_market()
        self.world.after(SECOND, self.each_second)

    def strike(self) -> None:
        """Draws and schedules what happens while faults are on, from now."""
        self._back.clear()
        self._modes()
        self._market_data()
        self._process()

    def calm(self) -> None:
        """Ends every fault: what was broken works, what was stuck is decided."""
        world = self.world
        for undo in self._back:
            undo()
        world.venue.overfill_ppm = 0
        world.feeds.muted.clear()
        for match in list(world.venue.matches.values()):
            if match.status == "MATCHED":
                wait = self.rng.randrange(100, 3_000) * MS
                world.after(wait, self._decide, match)
        if world.knobs.operator:
            self._operate(OperatorVerb.RELEASE)
            self._operate(OperatorVerb.RUNG, rung=Rung.FULL)
        world.after(2 * SECOND, self._resume)

    def _resume(self) -> None:
        if self.world.knobs.operator:
            self._operate(OperatorVerb.RELEASE)
            self._operate(OperatorVerb.RUNG, rung=Rung.FULL)

    def _decide(self, match: Any) -> None:
        wire = self.world.wire
        if match.status == "MATCHED":
            self.world.venue.settle(match, True)
            wire.tell_settled(match)

    def rest_ns(self) -> int:
        """Returns how long a dead process stays dead."""
        return self.rng.randrange(50, 1_500) * MS

    # windows

    def _moment(self) -> int:
        """Returns a moment while faults are on, after the engine has warmed up."""
        return round(self.rng.uniform(FIRST_S, FAULTS_S - 2.0) * SECOND)

    def _window(self, seconds: float, on: Callable[[], None], off: Callable[[], None]) -> None:
        if seconds <= 0:
            return
        start = self._moment()
        length = round(seconds * self.rng.uniform(0.5, 1.0) * SECOND)
        self.world.after(start, self._strike, on)
        self.world.after(start + length, off)
        self._back.append(off)

    def _strike(self, on: Callable[..., None], *args: Any) -> None:
        if self.world.faults_on:
            on(*args)

    def _modes(self) -> None:
        wire, knobs = self.world.wire, self.world.knobs

        def mode(kind: ev.VenueModeKind) -> Callable[[], None]:
            return lambda: setattr(wire, "mode", kind)

        def normal() -> None:
            if wire.mode is not ev.VenueModeKind.NORMAL:
                wire.mode = ev.VenueModeKind.NORMAL
                self.world.after(SECOND, self.world.tell, ev.VenueMode(ev.VenueModeKind.NORMAL))

        self._window(knobs.restart_s, mode(ev.VenueModeKind.RESTARTING), normal)
        self._window(knobs.post_only_s, mode(ev.VenueModeKind.POST_ONLY), normal)
        self._window(knobs.cancel_only_s, mode(ev.VenueModeKind.CANCEL_ONLY), normal)
        for name, seconds in (
            ("disabled", knobs.disabled_s),
            ("blocked", knobs.blocked_s),
            ("path_down", knobs.path_down_s),
        ):
            self._flag(name, seconds)
        self._flag("closed_only", knobs.closed_only_s, self._normal_again)
        if self.rng.random() < knobs.auth_expired:
            self._flag("auth_bad", 4.0)
        if knobs.dead_man_s:
            for _ in range(3):
                self.world.after(self._moment(), self._strike, self._cancelled_by_venue)
        self._flag("stream_down", knobs.stream_cut_s, self._reconnected)

    def _flag(self, name: str, seconds: float, after: Callable[[], None] | None = None) -> None:
        wire = self.world.wire

        def off() -> None:
            if getattr(wire, name):
                setattr(wire, name, False)
                if after is not None:
                    after()

        self._window(seconds, lambda: setattr(wire, name, True), off)

    def _normal_again(self) -> None:
        self.world.after(SECOND, self.world.tell, ev.VenueMode(ev.VenueModeKind.NORMAL))

    def _reconnected(self) -> None:
        world = self.world
        down = ev.FeedState(FeedId.USER, ev.FeedStatus.DOWN, 0, 1, 0, 0.0)
        up = ev.FeedState(FeedId.USER, ev.FeedStatus.FRESH, 1, 1, 0, 1.0, reconnects=world.steps)
        world.tell(down)
        world.tell(up)

    def _cancelled_by_venue(self) -> None:
        for order in self.world.venue.open_orders():
            self.world.venue.cancel(order.order_id)
            self.world.wire.tell_order(order)

    def _market_data(self) -> None:
        world, knobs, feeds = self.world, self.world.knobs, self.world.feeds
        for feed, seconds in (
            (FeedId.POLYMARKET, knobs.silence_s),
            (FeedId.BINANCE, knobs.reference_silent_s),
            (FeedId.SETTLEMENT, knobs.settle_silent_s),
        ):
            self._window(seconds, _adder(feeds.silent, feed), _dropper(feeds.silent, feed))
        if knobs.silence_one_s:
            market = self.rng.choice(list(feeds.specs))
            start = self._moment()
            until = MONO_NS + start + round(knobs.silence_one_s * SECOND)
            world.after(start, self._strike, feeds.muted.__setitem__, market, until)
        side = self.rng.choice(("bids", "asks"))
        self._window(
            knobs.one_sided_s,
            lambda: setattr(feeds, "one_sided", side),
            lambda: setattr(feeds, "one_sided", ""),
        )
        for _ in range(3):
            if self.rng.random() < knobs.tick_changes:
                market = self.rng.choice(list(feeds.specs))
                world.after(self._moment(), self._strike, feeds.retick, market)

    # process and clocks

    def _process(self) -> None:
        world, knobs, rng = self.world, self.world.knobs, self.rng
        for _ in range(int(knobs.kills)):
            at = round(rng.uniform(0.0, FAULTS_S - 1.0) * SECOND)
            world.after(at, self._strike, self._kill, rng.randrange(KILL_COMMANDS_MAX))
        for _ in range(int(knobs.stops)):
            world.after(self._moment(), self._strike, self._stop)
        if knobs.frozen_s:
            world.after(self._moment(), self._strike, self._freeze, knobs.frozen_s)
        if rng.random() < knobs.task_dies:
            died = ev.TaskDied("feed", True, "boom")
            world.after(self._moment(), self._strike, world.tell, died)
        if rng.random() < knobs.disk_slow:
            self._window(
                3.0,
                lambda: setattr(self, "_disk_hangs", True),
                lambda: setattr(self, "_disk_hangs", False),
            )
        if knobs.clock_step_s:
            world.after(self._moment(), self._strike, self._step, knobs.clock_step_s)
            self._back.append(lambda: self._step(0.0))
        for _ in range(int(knobs.operator)):
            self._operator_acts()
        if rng.random() < knobs.overfill:
            world.venue.overfill_ppm = 10_000

    def _kill(self, commands: int) -> None:
        self.world.process.kill_at = commands

    def _stop(self) -> None:
        self.world.tell(ev.StopRequested("SIGTERM", at_once=self.rng.random() < 0.3))

    def _freeze(self, seconds: float) -> None:
        length = round(seconds * SECOND)
        self.world.frozen_until = self.world.now_ns + length
        self.world.after(length, self.world.wake, length)

    def _step(self, seconds: float) -> None:
        world = self.world
        sign = self.rng.choice((-1, 1))
        world.skew_ns = sign * round(seconds * SECOND)
        world.after(self.rng.randrange(100, 2_000) * MS, self._measured, world.skew_ns)

    def _measured(self, skew_ns: int) -> None:
        world = self.world
        if world.skew_ns == skew_ns:
            world.skew_ns = 0
        world.tell(ev.ClockOffset(-skew_ns / MS, 1.0))

    def _operator_acts(self) -> None:
        world, rng = self.world, self.rng
        at = self._moment()
        verb = rng.choice((OperatorVerb.HALT, OperatorVerb.FLATTEN, OperatorVerb.RUNG))
        if verb is OperatorVerb.RUNG:
            rung = rng.choice((Rung.REDUCED, Rung.HEDGE_ONLY))
            world.after(at, lambda: self._operate(OperatorVerb.RUNG, rung=rung))
        elif verb is OperatorVerb.FLATTEN:
            target = rng.choice(["", *world.feeds.specs])
            world.after(at, lambda: self._operate(OperatorVerb.FLATTEN, target))
        else:
            world.after(at, lambda: self._operate(OperatorVerb.HALT))
        later = at + rng.randrange(500, 4_000) * MS
        world.after(later, lambda: self._operate(OperatorVerb.RELEASE))
        world.after(later + MS, lambda: self._operate(OperatorVerb.RUNG, rung=Rung.FULL))

    def _operate(self, verb: OperatorVerb, target: str = "", rung: Rung | None = None) -> None:
        command = ev.OperatorCommand(verb, "op", target=target, rung=rung, confirmed=True)
        self.world.tell(command)

    def each_second(self) -> None:
        """Tells what the process measures of itself, every second."""
        world, wire = self.world, self.world.wire
        world.after(SECOND, self.each_second)
        lag = 400.0 if wire.chance(world.knobs.lag) else 2.0
        world.tell(ev.LoopLag(lag, lag))
        world.tell(ev.DiskState(2_500 if self._disk_hangs else 20, 1_000))
        if wire.chance(world.knobs.half_open):
            world.feeds.half_open()

    # the end of a window

    def _end_of_market(self) -> None:
        world, knobs = self.world, self.world.knobs
        if not knobs.end_s:
            return
        market = list(world.feeds.specs)[1]
        price = self.rng.choice((0, 10_000))
        if self.rng.random() < knobs.split:
            price = 5_000
        at = world.venue.listings[market].end_ns - WALL_S * SECOND
        world.after(at + round(knobs.resolve_s * SECOND), self._resolve, market, price)

    def _resolve(self, market: str, price_e4: int) -> None:
        world = self.world
        pending = [m for m in world.venue.matches.values()
                   if m.market == market and m.status == "MATCHED"]  # fmt: skip
        world.venue.resolve(market, price_e4)
        for match in pending:
            world.wire.tell_settled(match)
        delay = self.rng.randrange(10, 2_000) * MS
        world.after(delay, world.tell, ev.Resolved(market, price_e4))


def _adder(found: set[FeedId], feed: FeedId) -> Callable[[], None]:
    return lambda: found.add(feed)


def _dropper(found: set[FeedId], feed: FeedId) -> Callable[[], None]:
    return lambda: found.discard(feed)

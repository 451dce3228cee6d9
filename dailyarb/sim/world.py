"""The fault world: one engine, one strict venue, virtual time, everything drawn from one seed.

A world has two phases: faults on, then off. Safety is judged at every step; after the faults the
engine has `CONVERGE_S` to know the fate of every order, to agree with the venue to the cent, and
to be able to trade again. Equal times break by insertion number, each part draws from a generator
of its own, and nothing reads a clock: one seed is one run.
"""

from __future__ import annotations

import hashlib
import heapq
import random
from collections import deque
from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any, NamedTuple

import msgspec

from dailyarb.core.domain import commands as cmd
from dailyarb.core.domain import events as ev
from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.errors import InvariantBroken
from dailyarb.core.domain.records import Record
from dailyarb.core.domain.units import MS, SECOND
from dailyarb.core.engine.engine import Engine
from dailyarb.sim.faults import Profile, draw
from dailyarb.sim.world_bugs import Bug
from dailyarb.sim.world_end import problems, unlike_recovered
from dailyarb.sim.world_feeds import Feeds
from dailyarb.sim.world_oracle import Oracle, Violation
from dailyarb.sim.world_plan import Plan
from dailyarb.sim.world_process import Process
from dailyarb.sim.world_setup import (
    CASH,
    CONVERGE_S,
    FAULTS_S,
    MONO_NS,
    WALL_S,
    Willing,
    birth,
    settings,
    spec,
)
from dailyarb.sim.world_venue import LeanVenue, Listing
from dailyarb.sim.world_wire import Wire

STEPS_MAX = 30_000
CHECK_NS = 500 * MS
SYNC_NS = 50 * MS  # between two syncs of the journal
BUG_CONVERGE_S = 25.0  # a defect that keeps a world from converging need not be waited for
TRACE_KEPT = 50
SETTINGS = settings()
STRICT = settings(max_reject_percent=30.0)
_ENCODE = msgspec.json.Encoder(enc_hook=str).encode


class Outcome(NamedTuple):
    """Is how one seed ended; violation is "" when every invariant held."""

    seed: int
    violation: str
    profiles: tuple[str, ...]
    steps: int
    entries: int
    fills: int
    kills: int
    digest: str
    trace: tuple[str, ...]


class World:
    """Is one seed's world. It is its own clock, network heap, and witness of what was heard."""

    def __init__(
        self, seed: int, profile: str = "", bug: Bug | None = None, kill_at: int = -1
    ) -> None:
        """Draws everything from the seed.

        Args:
            seed: names the world.
            profile: a fault that must be among the drawn; several joined by "+".
            bug: a defect to plant.
            kill_at: kills the first life before this command, counted from its birth.
        """
        rng = random.Random(seed)
        self.seed = seed
        self.profiles, self.knobs = draw(rng, profile)
        self.bug = bug
        self.now_ns = MONO_NS
        self.skew_ns = 0  # what the process's wall clock is off by
        self.faults_on = True
        self.steps = 0
        self.kills = 0
        self.journal: list[tuple[Record, int]] = []
        self.kept_ns: list[int] = []  # when each of its rows was written
        self.power_lost = False
        self.life = 0
        self.snapshot_ns = 0
        self.book_ns: dict[str, int] = {}
        self.stamp_ns: dict[str, int] = {}
        self.ticks: dict[str, int] = {}
        self.reference_ns = self.settle_ns = 0
        self.frozen_until = 0
        self.digest = hashlib.blake2b(digest_size=8)
        self.trace: deque[tuple[int, str, object]] = deque(maxlen=TRACE_KEPT)
        self.on_line: Callable[[str], None] | None = None
        self._heap: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self._count = 0
        self._backlog: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        self.eager = rng.random() < 0.6
        self.settings = STRICT if rng.random() < 0.06 and bug is None else SETTINGS
        self.venue = LeanVenue(_own(rng), CASH)
        self.venue.fee_scale = Fraction(round(self.knobs.fee_scale * 100), 100)
        self.venue.joint = self.knobs.joint
        specs = [spec(0, 400.0), spec(1, self.knobs.end_s or 500.0)]
        for one in specs:
            tokens = (one.up_token, one.down_token)
            rate = Fraction(one.fees.rate_e6, 1_000_000)
            listing = Listing(one.market_id, tokens, one.grid.tick_e4, 5_000_000, rate, one.end_ns)
            self.venue.list_market(listing)
            self.ticks[one.market_id] = one.grid.tick_e4
        self.wire = Wire(self, self.venue, self.knobs, _own(rng), self.tell)
        self.feeds = Feeds(self, self.venue, self.wire, self.knobs, _own(rng), specs)
        self.plan = Plan(self, _own(rng))
        self.oracle = Oracle(self, self.venue, self.knobs)
        self.process = self._born()
        self.process.kill_at = kill_at

    # the process

    def _born(self) -> Process:
        self.life += 1
        self.snapshot_ns = 0
        self.wire.life = self.life
        born = birth(self.life, self.power_lost)
        engine = Engine(self.settings, born, self.journal, self.instant())
        if self.eager:
            kinds = [strategy.id for strategy in engine.state.strategies]
            engine.state.strategies[kinds.index(Willing.id)] = Willing(self.settings)
        if self.bug is not None:
            self.bug.plant(engine, self.life)
        flush_first = self.bug is None or not self.bug.sends_first
        return Process(engine, self.instant, Outlet(self), flush_first)

    def restart(self) -> None:
        """Starts the process again from its journal."""
        if not self.process.dead:
            return
        self._backlog.clear()
        self.oracle.reborn(self.journal)
        self.book_ns.clear()
        self.reference_ns = self.settle_ns = 0
        self.process = self._born()
        self.process.start()
        self._buried()
        if not self.process.dead:
            self.feeds.introduce()

    def _buried(self) -> None:
        """Notices a death and plans the restart; with the power go the rows not yet synced."""
        if self.process.dead and self.wire.life == self.life:
            self.wire.life = 0
            self.kills += 1
            # What an outage took stays in doubt until a life has reconciled it.
            waiting = self.power_lost and self.process.engine.state.rungs.booting
            self.power_lost = waiting or self.wire.chance(self.knobs.power)
            while self.power_lost and self.kept_ns and self.kept_ns[-1] > self.now_ns - SYNC_NS:
                self.kept_ns.pop()
                self.journal.pop()
            self.after(self.plan.rest_ns(), self.restart)

    def engine(self) -> Engine:
        """Returns the engine of the present life."""
        return self.process.engine

    # time

    def instant(self) -> Instant:
        """Returns the present moment on the process's clocks."""
        return Instant(self.now_ns, self.venue_ns() + self.skew_ns)

    def venue_ns(self) -> int:
        """Returns true venue time."""
        return WALL_S * SECOND + self.now_ns - MONO_NS

    def after(self, delay_ns: int, act: Callable[..., None], *args: Any) -> None:
        """Runs something later in virtual time."""
        self._count += 1
        heapq.heappush(self._heap, (self.now_ns + max(0, delay_ns), self._count, act, args))

    def reach(self, act: Callable[..., None], *args: Any) -> None:
        """Runs something at the process: now, or when a frozen one wakes; never at a dead one."""
        if self.process.dead:
            return
        if self.now_ns < self.frozen_until:
            self._backlog.append((act, args))
        else:
            act(*args)

    def wake(self, gap_ns: int) -> None:
        """Lets a frozen process notice how long it slept, then read what has queued up."""
        backlog, self._backlog = self._backlog, []
        self.tell(ev.Woke(gap_ns // MS))
        for act, args in backlog:
            self.reach(act, *args)

    def tell(self, event: ev.Event) -> None:
        """Hands an event to the living process, when it is awake."""
        self.reach(self._tell, event)

    def _tell(self, event: ev.Event) -> None:
        if isinstance(event, ev.AccountReport) and event.complete and not self.snapshot_ns:
            self.snapshot_ns = self.now_ns
        self.note("fact", event)
        if self.bug is not None:
            event = self.bug.bend(self.engine(), event, self.now_ns)
        self.process.feed(event)
        self._buried()

    # what is on its way

    def travelling(self, order_id: str) -> bool:
        """Says whether a request with this order has left and not arrived."""
        return order_id in self.wire.travelling

    def underway(self) -> Iterable[cmd.SignedOrder]:
        """Returns orders that have left and not arrived."""
        return [order for order, _ in self.wire.travelling.values()]

    def note(self, kind: str, what: object) -> None:
        """Remembers a line of the trace."""
        self.trace.append((self.now_ns, kind, what))
        if self.on_line is not None:
            self.on_line(_line(self.now_ns, kind, what))

    # the run

    def run(self) -> Outcome:
        """Lives from birth to convergence and returns the verdict."""
        violation = ""
        try:
            self.process.start()
            self._buried()
            self.feeds.introduce()
            self.feeds.begin()
            self.plan.begin()
            calm_ns = MONO_NS + round(FAULTS_S * SECOND)
            self._until(calm_ns)
            self.faults_on = False
            self.plan.calm()
            limit_s = CONVERGE_S if self.bug is None else BUG_CONVERGE_S
            self._converge(calm_ns + round(limit_s * SECOND))
        except Violation as broken:
            violation = str(broken)
        except InvariantBroken as broken:
            violation = f"engine: {broken}"
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            # The live shell would die of it.
            violation = f"engine raises {type(error).__name__}: {error}"
        return Outcome(
            self.seed, violation, tuple(p.id for p in self.profiles), self.steps,
            self.oracle.entries, len(self.venue.matches), self.kills, self.digest.hexdigest(),
            tuple(_line(*row) for row in self.trace) if violation else (),
        )  # fmt: skip

    def _converge(self, limit_ns: int) -> None:
        while True:
            self._until(self.now_ns + CHECK_NS)
            found = problems(self)
            if not found:
                self.process.engine.view(self.instant())
                self._recovers()
                return
            if self.now_ns >= limit_ns:
                raise Violation("; ".join(found[:3]))

    def _recovers(self) -> None:
        """Judges that a restart at this point would know what the living engine knows."""
        fresh = Engine(self.settings, birth(self.life + 1), self.journal, self.instant())
        found = unlike_recovered(self, fresh) if self.bug is None else []
        if found:
            raise Violation(found[0])

    def _until(self, end_ns: int) -> None:
        """Runs everything due before a moment."""
        heap = self._heap
        while True:
            due = None
            if not self.process.dead and self.now_ns >= self.frozen_until:
                due = self.process.due()
            at = heap[0][0]
            if due is not None and due < at:
                if due >= end_ns:
                    break
                self.now_ns = max(self.now_ns, due)
                self.process.tick()
                self._buried()
            elif at >= end_ns:
                break
            else:
                self.now_ns, _, act, args = heapq.heappop(heap)
                act(*args)
            self.steps += 1
            if self.steps > STEPS_MAX:
                raise Violation(f"I13 more than {STEPS_MAX} steps")
            if self.venue.self_matches:
                raise Violation("I1 an order of ours came that would match another of ours")
        self.now_ns = end_ns
        self.digest.update(b"%d" % end_ns)


class Outlet:
    """Is everything beyond one process: the wire, the journal, and the oracle that watches both.

    Args:
        world: whose process it is.
    """

    def __init__(self, world: World) -> None:
        self._world = world

    def wire(self, command: cmd.Command) -> None:
        """Takes a command that leaves the process."""
        world = self._world
        world.note("wire", command)
        world.digest.update(_ENCODE(command))
        world.oracle.wire(command)
        if world.wire.send(command):
            return
        if isinstance(command, cmd.QueryBook):
            world.feeds.witness(command.market_id, command.asked_ns)
        elif isinstance(command, cmd.Resync):
            world.feeds.resync(command.market_id)

    def told(self, record: Record) -> None:
        """Hears a record the engine wrote, flushed or not."""
        self._world.note("told", record)
        self._world.oracle.told(record)

    def kept(self, records: list[Record]) -> None:
        """Takes records into the journal."""
        world = self._world
        wall = world.instant().wall_ns
        for record in records:
            world.digest.update(_ENCODE(record))
            world.journal.append((record, wall))
            world.kept_ns.append(world.now_ns)
        world.oracle.flushed(records)

    def ended(self, command: cmd.Exit) -> None:
        """Hears that the process left by itself."""
        self._world.note("exit", command)


def _own(rng: random.Random) -> random.Random:
    return random.Random(rng.getrandbits(64))


def _line(now_ns: int, kind: str, what: object) -> str:
    return f"{(now_ns - MONO_NS) / SECOND:9.3f} {kind:5s} {what}"


def run_seed(seed: int, profile: str = "", bug: Bug | None = None, kill_at: int = -1) -> Outcome:
    """Runs one seed's world to its end."""
    return World(seed, profile, bug, kill_at).run()


def commands_of(seed: int, profile: str = "") -> int:
    """Returns how many commands the first life of a world runs: the places to kill it at."""
    world = World(seed, profile)
    first = world.process
    world.run()
    return first.commands


__all__ = ["Outcome", "Profile", "World", "commands_of", "run_seed"]

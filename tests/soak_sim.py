"""The soak in virtual time: one engine and its restarts through simulated days of mild faults.

    python -m tests.soak_sim --days 7 --seed 1

The parts are those of the fault world: the strict venue, the oracle that judges every record and
request, the catalogue of faults. Here markets follow one another, an episode of faults comes every
couple of hours, engines start from checkpoints, and after each episode everything must converge.
What is decided and judged is put away, so that the world, too, stays small.

Availability is the share of moments in which the engine could open positions (its rung allows
entries, the process lives and is awake) among those in which the venue could be traded: outside
episodes, and in those that hurt only our own process. Sizes are judged once everything bounded is
full, by the low end of their slopes (`growth.py`). Prints one JSON object.
"""

from __future__ import annotations

import argparse
import copy
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from msgspec.structs import replace

from dailyarb.config import load
from dailyarb.core.domain import events as ev
from dailyarb.core.domain.intents import Intent
from dailyarb.core.domain.market import Outcome
from dailyarb.core.domain.orders import FillState
from dailyarb.core.domain.records import Checkpointed
from dailyarb.core.domain.rung import Rung
from dailyarb.core.domain.settings import Settings
from dailyarb.core.domain.units import MS, SECOND
from dailyarb.core.strategies.base import Scene, Verdict
from dailyarb.sim.faults import CATALOGUE, Knobs, Profile
from dailyarb.sim.world import SETTINGS, World
from dailyarb.sim.world_end import problems
from dailyarb.sim.world_oracle import Folded, Oracle, Violation
from dailyarb.sim.world_process import Process
from dailyarb.sim.world_setup import CONVERGE_S, FAULTS_S, MONO_NS, WALL_S, Willing, spec
from dailyarb.sim.world_venue import Listing
from tests.growth import sizes
from tests.processes import ROOT
from tests.soak_live import TARGET

# What only a person ends: a latched breaker, a halt. Nobody is there in a soak.
PERSONS = {"F39", "F51", "F59", "F65", "F67", "F76", "F84"}
OURS = {"F68", "F69", "F71", "F74", "F75", "F80", "F81"}  # faults of our own process and clock
PROFILES = tuple(p for p in CATALOGUE if p.id not in PERSONS)
LOOK_NS = 250 * MS
CHECKPOINT_NS = 30 * SECOND
TIDY_NS = 600 * SECOND
WINDOW_S = (300, 900)  # length of the windows of each kind, as `spec` alternates them
PUT_AWAY_NS = 2_400 * SECOND  # after a market's end: later than the engine shuts its books
PACE_NS = 20 * SECOND
SIZE_E6 = 8_000_000
ROOMY = 1e6
STEP_NS = 60 * SECOND
TOLD_NS = 6 * 3_600 * SECOND  # how often the long run says how it goes
WARM_S = 2.5 * 86_400.0  # until everything bounded is full
BLOCK_S = 6 * 3_600.0
# An hour; a count of anything that is kept for each market would rise by sixteen.
ALLOWED = {"checkpoint_bytes": 200.0, "rss_kb": 50.0}


def roomy() -> Settings:
    """Returns the world's settings, pairs alone, with limits on losses that days do not reach.

    How long a fault is remembered and held against a venue is as the packaged configuration has
    it, not quick as in the world: that is what availability is about.
    """
    real = load(ROOT / "config.toml").settings
    risk = replace(
        SETTINGS.risk,
        max_day_loss_usd=ROOMY,
        late_arrival_ms=real.risk.late_arrival_ms,
        ask_after_ms=real.risk.ask_after_ms,
        max_unknown_orders=real.risk.max_unknown_orders,
    )
    breakers = replace(
        SETTINGS.breakers,
        max_drawdown_usd=ROOMY,
        max_reject_percent=real.breakers.max_reject_percent,
        lift_after_s=real.breakers.lift_after_s,
        remember_s=real.breakers.remember_s,
    )
    strategies = replace(SETTINGS.strategies, S1=replace(SETTINGS.strategies.S1, enabled=False))
    return replace(
        SETTINGS, risk=risk, breakers=breakers, circuits=real.circuits, strategies=strategies
    )


class Paced(Willing):
    """Opens a pair now and then, so that days of them fit into memory."""

    def evaluate(self, scene: Scene) -> Verdict:
        """Returns what `Willing` wants, but new pairs at its own pace."""
        found = super().evaluate(scene)
        since = scene.since_trade_ns
        if not isinstance(found, list) or not all(isinstance(one, Intent) for one in found):
            return found
        if since is not None and since < PACE_NS:
            return []
        return [_small(one) for one in found if isinstance(one, Intent)]


def _small(intent: Intent) -> Intent:
    """Returns an intent of a size whose lone leg trips no breaker."""
    legs = tuple(replace(leg, size_e6=SIZE_E6) for leg in intent.legs)
    return replace(intent, legs=legs)


class TidyOracle(Oracle):
    """Judges like any oracle, but refolds a journal from its last trimming only."""

    base: Folded | None = None

    def reborn(self, journal: list[Any]) -> None:
        """Forgets what was told and never written."""
        self.folded = copy.deepcopy(self.base) if self.base is not None else Folded()
        for record, _ in journal:
            self.folded.take(record, self.heard.now_ns)
        self.folded.reborn()


class Days(World):
    """Is a world without end.

    Args:
        seed: names everything drawn.
        pause_s: mean time between two episodes of faults.
    """

    def __init__(self, seed: int, pause_s: float) -> None:
        super().__init__(seed)
        self.rng = random.Random(seed)
        self.pause_s = pause_s
        self.settings = roomy()
        self.venue.cash = self.venue.start_cash = Fraction(1_000_000)
        self.venue.fee_scale, self.venue.joint = Fraction(1), 0.0
        self._turn(Knobs())
        self.faults_on = False
        self.oracle = TidyOracle(self, self.venue, self.knobs)
        self.life = 0
        self.process = self._born()
        self.profile_ids: tuple[str, ...] = ()
        self.counts: Counter[str] = Counter()
        self.lost: Counter[str] = Counter()
        self.recovery_s: list[float] = []
        self.sizes: list[tuple[float, dict[str, int]]] = []
        self.looks = self.up = self.could = self.fills = self.total_steps = 0
        self.checkpoint_bytes_max = 0
        self.tell_day: Callable[[], None] | None = None
        self._opened = 2
        self._over: list[str] = []
        self._hurt_ns = 0
        self._last = "start"

    def _born(self) -> Process:
        process = super()._born()
        strategies = process.engine.state.strategies
        for at, one in enumerate(strategies):
            if one.id is Willing.id:
                strategies[at] = Paced(self.settings)
        return process

    def _turn(self, knobs: Knobs) -> None:
        self.knobs = self.wire.knobs = self.feeds.knobs = knobs

    # markets

    def _open_market(self, kind: int) -> None:
        """Opens the next window of one length, and plans its end and its successor."""
        index = self._opened + (self._opened % 2 != kind)
        self._opened = index + 1
        lasts = WINDOW_S[kind] * SECOND
        one = spec(index, (self.venue_ns() + lasts) / SECOND - WALL_S)
        one = replace(
            one, up_token=f"1{index:039d}", down_token=f"2{index:039d}",
            start_ns=self.venue_ns() - SECOND,
        )  # fmt: skip
        rate = Fraction(one.fees.rate_e6, 1_000_000)
        pair = (one.up_token, one.down_token)
        self.venue.list_market(
            Listing(one.market_id, pair, one.grid.tick_e4, 5_000_000, rate, one.end_ns)
        )
        self.ticks[one.market_id] = one.grid.tick_e4
        self.feeds.specs[one.market_id] = one
        self.feeds.offer(one)
        self._plan_end(one.market_id, lasts)
        self.after(lasts, self._open_market, kind)

    def _plan_end(self, market: str, lasts_ns: int) -> None:
        price = self.rng.choice((0, 10_000))
        self.after(lasts_ns + 2 * SECOND, self._decide, market, price)
        self.after(lasts_ns + PUT_AWAY_NS, self._over.append, market)

    def _decide(self, market: str, price_e4: int) -> None:
        pending = [m for m in self.venue.matches.values()
                   if m.market == market and m.status == "MATCHED"]  # fmt: skip
        self.venue.resolve(market, price_e4)
        for match in pending:
            self.wire.tell_settled(match)
        self._tell_decided(market, price_e4)

    def _tell_decided(self, market: str, price_e4: int) -> None:
        """Tells it until the engine knows: discovery polls a window until it is decided."""
        books = self.engine().state.ledger.markets.get(market)
        self.tell(ev.Resolved(market, price_e4))
        if books is not None and not books.settled:
            self.after(5 * SECOND, self._tell_decided, market, price_e4)

    def _put_away(self, market: str) -> None:
        """Drops a market that is over and judged; its money goes into one sum."""
        folded, venue = self.oracle.folded, self.venue
        payout = folded.payouts.pop(market, None)
        up_e4 = payout.up_price_e4 if payout is not None else 0
        for price_e4, outcome in ((up_e4, Outcome.UP), (10_000 - up_e4, Outcome.DOWN)):
            folded.other_cash += price_e4 * folded.bought_e6(market, outcome) // 10_000
        for key in [k for k, one in folded.fills.items() if one.fill.market_id == market]:
            one = folded.fills.pop(key)
            if one.state is not FillState.VOIDED:
                folded.other_cash += one.fill.cash_e6 - one.fill.fee_e6
        self._drop_orders(market)
        for trade in [k for k, m in venue.matches.items() if m.market == market]:
            del venue.matches[trade]
        for token in venue.listings.pop(market).tokens:
            del venue.tokens[token], venue.shares[token], venue.settled[token]
        for held in (self.feeds.specs, self.ticks, self.book_ns, self.stamp_ns, self.feeds.muted):
            held.pop(market, None)
        self.counts["markets"] += 1

    def _drop_orders(self, market: str) -> None:
        folded, venue, oracle = self.oracle.folded, self.venue, self.oracle
        for order_id in [i for i, one in folded.signed.items() if one.market_id == market]:
            signed = folded.signed.pop(order_id)
            folded.legs.pop(signed.intent_id, None)
            folded.sent.pop(signed.intent_id, None)
            for held in (folded.states, folded.unknown_ns, oracle.kept, oracle.asked):
                held.pop(order_id, None)
        for order_id in [i for i, one in venue.orders.items() if one.market == market]:
            del venue.orders[order_id]
        for pair_id in [i for i, where in folded.pairs.items() if where == market]:
            del folded.pairs[pair_id]
            folded.naked_ns.pop(pair_id, None)

    # faults

    def _episode(self) -> None:
        """Draws a few faults and lets them happen; the world's own plan strikes."""
        drawn = self.rng.sample(PROFILES, self.rng.randint(1, 3))
        self.profile_ids = tuple(sorted(p.id for p in drawn))
        self.counts["episodes"] += 1
        self.counts.update(self.profile_ids)
        self._turn(_knobs(drawn, self.rng))
        self.oracle.steps = self.knobs.clock_step_s > 0
        self.faults_on = True
        self.plan.strike()
        self.after(round(FAULTS_S * SECOND), self._calm)

    def _calm(self) -> None:
        self.faults_on = False
        self.plan.calm()
        self._turn(Knobs())
        self._hurt_ns, self._last = self.now_ns, "+".join(self.profile_ids)
        self.after(SECOND, self._converging)
        self.after(round(self._pause_s() * SECOND), self._episode)

    def _pause_s(self) -> float:
        return CONVERGE_S + 10.0 + self.rng.expovariate(1.0 / self.pause_s)

    def _converging(self) -> None:
        found = problems(self)
        if not found:
            self._recovers()
            self.recovery_s.append((self.now_ns - self._hurt_ns) / SECOND)
            self._hurt_ns = 0
            self.oracle.steps = False
        elif self.now_ns - self._hurt_ns > CONVERGE_S * SECOND:
            raise Violation(f"after {self._last}: {'; '.join(found[:3])}")
        else:
            self.after(SECOND, self._converging)

    # by the clock

    def _look(self) -> None:
        self.looks += 1
        excused = self.faults_on and not set(self.profile_ids) <= OURS
        if not excused:
            self.up += 1
            why = self._why_not()
            self.could += not why
            if why:
                self.lost[f"{self._last}: {why}"] += 1
        self.after(LOOK_NS, self._look)

    def _why_not(self) -> str:
        if self.process.dead:
            return "process down"
        if self.now_ns < self.frozen_until:
            return "process frozen"
        rung, cause, detail = self.engine().state.rungs.overall()
        return "" if rung in (Rung.FULL, Rung.REDUCED) else f"{cause.value} {detail}"

    def _checkpoint(self) -> None:
        self.tell(ev.CheckpointDue())
        self.after(CHECKPOINT_NS, self._checkpoint)

    def _tidy(self) -> None:
        """Trims the journal to its last checkpoint, as a start would read it, and takes sizes."""
        self.after(TIDY_NS, self._tidy)
        last = [i for i, (r, _) in enumerate(self.journal) if isinstance(r, Checkpointed)][-1:]
        if not last or self.faults_on or self._hurt_ns or self.process.dead:
            return
        record = self.journal[last[0]][0]
        assert isinstance(record, Checkpointed)
        self.checkpoint_bytes_max = max(self.checkpoint_bytes_max, len(record.state))
        tail = self.journal[last[0] + 1 :]
        if tail:
            return  # the oracle's own fold must stand where the journal is cut
        del self.journal[: last[0]], self.kept_ns[: last[0]]
        state = self.engine().state
        shut = [m for m in self._over if m not in state.ledger.markets]
        for market in shut:
            self._over.remove(market)
            self._put_away(market)
        self.oracle.base = copy.deepcopy(self.oracle.folded)
        sizes = {
            "ledger.markets": len(state.ledger.markets),
            "ledger.labels": len(state.ledger.labels),
            "ledger.closed": len(state.ledger.closed),
            "ledger.pnl.hours": len(state.ledger.pnl.hours),
            "orders.by_id": len(state.orders.by_id),
            "pairs.done": len(state.pairs.done),
            "desks": len(state.desks),
            "specs": len(state.specs),
            "alerts": len(state.alerts),
            "checkpoint_bytes": len(record.state),
            "rss_kb": _rss_kb(),
        }
        self.sizes.append(((self.now_ns - MONO_NS) / SECOND, sizes))

    # the run

    def live(self, days: float) -> str:
        """Lives so long; returns the first broken invariant, "" where there is none."""
        try:
            self.process.start()
            self.feeds.introduce()
            self.feeds.begin()
            self.after(SECOND, self.plan.each_second)
            for market, listing in list(self.venue.listings.items()):
                self._plan_end(market, listing.end_ns - self.venue_ns())
            self.after(SECOND, self._open_market, 0)
            self.after(CHECKPOINT_NS, self._checkpoint)
            self.after(TIDY_NS, self._tidy)
            self.after(10 * SECOND, self._look)
            self.after(round(self._pause_s() * SECOND), self._episode)
            end_ns = MONO_NS + round(days * 86_400 * SECOND)
            while self.now_ns < end_ns:
                self._until(self.now_ns + STEP_NS)
                self.total_steps, self.steps = self.total_steps + self.steps, 0
                if self.tell_day is not None and (self.now_ns - MONO_NS) % TOLD_NS == 0:
                    self.tell_day()
        except Violation as broken:
            return str(broken)
        return ""


def _knobs(profiles: list[Profile], rng: random.Random) -> Knobs:
    """Returns the strengths of some faults; the end of a market is the soak's own."""
    drawn: dict[str, float] = {}
    for profile in profiles:
        drawn.update(profile.drawn(rng))
    drawn.pop("end_s", None)
    return Knobs(**drawn)


def _rss_kb() -> int:
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[1]) * 4


def told(days: Days, lasted_s: float, violation: str) -> dict[str, Any]:
    """Returns what the days were like, to print."""
    simulated = (days.now_ns - MONO_NS) / SECOND
    times = sorted(days.recovery_s)
    late = [row for row in days.sizes if row[0] > WARM_S]
    grown = {
        name: sizes([(at, float(row[name])) for at, row in late], BLOCK_S, ALLOWED.get(name, 1.0))
        for name in (late[0][1] if late else ())
    }
    availability = round(days.could / max(1, days.up), 6)
    problems = [violation] if violation else []
    problems += [f"{name} grows: {row}" for name, row in grown.items() if row["grows"]]
    if availability < TARGET:
        problems.append(f"availability {availability} of {TARGET}")
    return {
        "seed": days.seed,
        "simulated_days": round(simulated / 86_400, 3),
        "seconds": round(lasted_s),
        "steps": days.total_steps,
        "problems": problems,
        "availability": availability,
        "target": TARGET,
        "venue_up_s": days.up * LOOK_NS / SECOND,
        "lost_s": {w: n * LOOK_NS / SECOND for w, n in days.lost.most_common(25)},
        "episodes": days.counts["episodes"],
        "faults": {k: n for k, n in sorted(days.counts.items()) if k.startswith("F")},
        "restarts": days.kills,
        "markets": days.counts["markets"],
        "entries": days.oracle.entries,
        "trades": days.venue._trades,
        "converged_s_p50": times[len(times) // 2] if times else None,
        "converged_s_max": times[-1] if times else None,
        "checkpoint_bytes_max": days.checkpoint_bytes_max,
        "sizes_after_warm_up": grown,
    }


def main(arguments: list[str]) -> int:
    """Runs the soak and prints what it found; 1 where something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak_sim", description=__doc__)
    parser.add_argument("--days", type=float, default=7.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pause-s", type=float, default=7_200.0, help="mean, between episodes")
    chosen = parser.parse_args(arguments)
    began = time.perf_counter()
    days = Days(chosen.seed, chosen.pause_s)

    def tell() -> None:
        found = told(days, time.perf_counter() - began, "")
        sys.stderr.write(json.dumps(found) + "\n")

    days.tell_day = tell
    violation = days.live(chosen.days)
    found = told(days, time.perf_counter() - began, violation)
    sys.stdout.write(json.dumps(found, indent=2) + "\n")
    return 1 if found["problems"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

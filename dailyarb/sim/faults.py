"""The catalogue of faults as data: what each turns on in the world, and what must hold beside.

A world draws a random subset of profiles (swarm testing: a mix of few faults reaches states that
all of them together never do) and, from each, the strength of its knobs. Names of knobs are the
fields of `Knobs`; what they do is in `world.py` and `world_wire.py`.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

ALWAYS = ("I1", "I2", "I3", "I4", "I5", "I6", "I9", "I13", "I14")


@dataclass(frozen=True, slots=True)
class Knobs:
    """Is the strength of every fault: chances, unless the name says ms, s or count.

    A window (`*_s`) begins at a random moment while faults are on, and ends with them at latest.
    """

    # carriage
    delay_ms: float = 30.0
    slow: float = 0.0
    slow_ms: float = 0.0
    request_lost: float = 0.0
    answer_lost: float = 0.0
    unsent: float = 0.0
    late: float = 0.0
    late_ms: float = 0.0
    status_500: float = 0.0
    event_dropped: float = 0.0
    event_twice: float = 0.0
    event_slow: float = 0.0
    stream_cut_s: float = 0.0
    # orders
    leg_refused: float = 0.0
    shuffled: float = 0.0
    delayed: float = 0.0
    thin: float = 0.0
    joint: float = 0.0
    one_sided_s: float = 0.0
    cancel_lost: float = 0.0
    cancel_race: float = 0.0
    overfill: float = 0.0
    phantom_lock: float = 0.0
    # settlement
    fails: float = 0.0
    stuck: float = 0.0
    chatter: float = 0.0
    confirm_ms: float = 600.0
    balance_lag_s: float = 0.0
    truncated: float = 0.0
    foreign: float = 0.0
    fee_scale: float = 1.0
    end_s: float = 0.0
    resolve_s: float = 2.0
    split: float = 0.0
    # venue mode
    restart_s: float = 0.0
    post_only_s: float = 0.0
    cancel_only_s: float = 0.0
    disabled_s: float = 0.0
    throttled: float = 0.0
    blocked_s: float = 0.0
    closed_only_s: float = 0.0
    path_down_s: float = 0.0
    dead_man_s: float = 0.0
    auth_expired: float = 0.0
    # market data
    silence_s: float = 0.0
    silence_one_s: float = 0.0
    no_snapshot: float = 0.0
    half_open: float = 0.0
    garbage: float = 0.0
    stale_book: float = 0.0
    burst: float = 0.0  # frames at once
    tick_changes: float = 0.0
    reference_silent_s: float = 0.0
    settle_silent_s: float = 0.0
    spike: float = 0.0
    # process and time
    kills: float = 0.0  # count
    power: float = 0.0  # chance that a kill is a power loss
    stops: float = 0.0  # count
    frozen_s: float = 0.0
    lag: float = 0.0
    task_dies: float = 0.0
    disk_slow: float = 0.0
    clock_step_s: float = 0.0
    operator: float = 0.0


class Knob(NamedTuple):
    """Is one strength to draw, uniformly between low and high."""

    name: str
    low: float
    high: float


class Profile(NamedTuple):
    """Is one fault: its number in the catalogue, its knobs, and what it is checked by."""

    id: str
    title: str
    knobs: tuple[Knob, ...]
    holds: tuple[str, ...]
    must: str

    def drawn(self, rng: random.Random) -> dict[str, float]:
        """Returns the strength of each knob, drawn from the seed."""
        return {k.name: rng.uniform(k.low, k.high) for k in self.knobs}


def _p(number: str, title: str, holds: str, must: str, **knobs: tuple[float, float]) -> Profile:
    ranges = tuple(Knob(name, low, high) for name, (low, high) in knobs.items())
    return Profile(number, title, ranges, tuple(holds.split()), must)


CATALOGUE: tuple[Profile, ...] = (
    # A. market data
    _p("F01", "socket open, no data", "I10 I12", "no entry on a silent book; trading resumes",
       silence_s=(3, 8)),
    _p("F02", "one market frozen while others flow", "I10", "freshness is per market",
       silence_one_s=(3, 10)),
    _p("F03", "no snapshot after a subscription", "I10 I12", "the book stays EMPTY",
       no_snapshot=(0.3, 0.8), half_open=(0.02, 0.06)),
    _p("F05", "half-open socket", "I10", "every book is lost in one event",
       half_open=(0.02, 0.06)),
    _p("F07", "snapshot older than what was applied", "I10", "an older book does not win",
       stale_book=(0.05, 0.3)),
    _p("F08", "one side of the book empty", "I7 I10", "no entry without both sides",
       one_sided_s=(2, 6)),
    _p("F09", "burst of frames, some read late", "I10", "one evaluation a burst, none of old ones",
       burst=(10, 40)),
    _p("F11", "garbage frames", "I10 I11", "a fault, never a wrong row",
       garbage=(0.05, 0.3)),
    _p("F13", "tick size changes", "I10 I11", "orders keep to the tick in force",
       tick_changes=(0.3, 1)),
    # B. reference
    _p("F16", "silent reference", "I10", "no entry of S1 on an old price",
       reference_silent_s=(2, 8)),
    _p("F19", "one-print spike of the reference", "I6", "bounded by limits all the same",
       spike=(0.02, 0.1)),
    _p("F20", "holes in the settling feed", "I10", "no entry of S1 on an old settlement",
       settle_silent_s=(5, 12)),
    # C. own stream
    _p("F21", "the user stream is cut and replays nothing", "I3 I18", "fills come by snapshot",
       stream_cut_s=(1, 6)),
    _p("F22", "trade events missing", "I3 I12", "fills come by question",
       event_dropped=(0.1, 0.6)),
    _p("F23", "trade before the submit's answer", "I9", "the answer undoes nothing",
       slow=(0.3, 0.8), slow_ms=(200, 900)),
    _p("F25", "several of our orders in one trade", "I3", "keyed by (trade id, order id)",
       joint=(0.5, 1), event_twice=(0.2, 0.6)),
    # D. orders
    _p("F26", "accepted, answer lost", "I8 I20", "no second order of an intent",
       answer_lost=(0.1, 0.5), delay_ms=(10, 300)),
    _p("F27", "arrives after we gave up", "I6 I20", "absence proves nothing before late_arrival_ms",
       late=(0.1, 0.5), late_ms=(500, 3500)),
    _p("F28", "connection fails before or in the write", "I8", "unsent is proven, cut is unknown",
       unsent=(0.1, 0.4), request_lost=(0.05, 0.3)),
    _p("F29", "5xx or unreadable, though accepted", "I8 I20", "unknown, never failed",
       status_500=(0.1, 0.5)),
    _p("F30", "questions unanswered", "I20", "the count of questions proves nothing",
       answer_lost=(0.2, 0.6), request_lost=(0.1, 0.4)),
    _p("F31", "one leg refused, answers shuffled", "I7", "matched by order id",
       leg_refused=(0.1, 0.5), shuffled=(0.5, 1)),
    _p("F32", "delayed, then matched", "I6", "DELAYED holds its exposure",
       delayed=(0.2, 0.7)),
    _p("F33", "one leg fills, the other in part or not", "I7", "completed or unwound",
       thin=(0.3, 0.9)),
    _p("F34", "unwind into an empty book", "I7 I11", "held and told, never at any price",
       one_sided_s=(2, 8), thin=(0.2, 0.7)),
    _p("F35", "remainder below the minimum", "I6 I11", "dust is carried and counted",
       thin=(0.7, 0.95)),
    _p("F36", "cancel races a fill", "I3 I6 I9", "exposed until its fills are told",
       cancel_lost=(0.1, 0.5), cancel_race=(0.2, 0.8), event_slow=(0.2, 0.6)),
    _p("F37", "an order outlives cancel-all", "I12 I20", "verified only by evidence",
       late=(0.2, 0.5), late_ms=(500, 3500), operator=(1, 3)),
    _p("F38", "rounding moves the implied price", "I11", "the signed integers are the limit",
       tick_changes=(0.2, 0.5)),
    _p("F39", "filled more than ordered", "I1 I6", "the venue's trade is the truth",
       overfill=(0.1, 0.5)),
    _p("F40", "not enough balance, although there is", "I13", "no hot retry",
       phantom_lock=(0.1, 0.5), balance_lag_s=(1, 5)),
    # E. fills, settlement, payout
    _p("F43", "MATCHED, then FAILED", "I1 I2 I7", "the booking is reversed",
       fails=(0.1, 0.5), confirm_ms=(300, 4000)),
    _p("F44", "MATCHED for ever", "I6 I12", "both outcomes stay in the worst case",
       stuck=(0.2, 0.7)),
    _p("F45", "statuses repeated and out of order", "I9", "a terminal status is never left",
       chatter=(0.3, 0.9), event_slow=(0.3, 0.8)),
    _p("F46", "some fills of one order fail", "I2", "judged per fill",
       fails=(0.2, 0.6), thin=(0.2, 0.6)),
    _p("F47", "the same fill twice and by two ways", "I3 I9", "keyed once",
       event_twice=(0.3, 0.9)),
    _p("F48", "a position before its fill", "I3", "no fill is inferred",
       event_dropped=(0.2, 0.6), event_slow=(0.2, 0.6)),
    _p("F49", "truncated page", "I18 I20", "the whole snapshot is void",
       truncated=(0.2, 0.7)),
    _p("F50", "balances lag the match", "I2", "tolerated and shown, never traded on",
       balance_lag_s=(1, 8)),
    _p("F51", "somebody else trades the wallet", "I1", "recorded as foreign, told",
       foreign=(0.02, 0.08)),
    _p("F52", "resolution late or 50/50", "I1 I12", "settled on evidence, an integer price",
       end_s=(7, 12), resolve_s=(1, 8), split=(0, 1)),
    _p("F53", "the end with orders open", "I6 I7 I17", "nothing is sent past the end",
       end_s=(7, 11), one_sided_s=(2, 6), late=(0, 0.3), late_ms=(500, 2000)),
    # F. economics
    _p("F59", "a fee unlike the one quoted", "I1", "entries stop when charges differ",
       fee_scale=(1.2, 2.0)),
    # G. venue modes and network
    _p("F60", "engine restart at the venue", "I5 I12", "hedging only, then trading again",
       restart_s=(1, 6)),
    _p("F61", "post-only, cancel-only, disabled", "I5 I7", "unwinds wait or rest; told",
       restart_s=(0.5, 3), post_only_s=(1, 5), cancel_only_s=(0, 4), disabled_s=(0, 3)),
    _p("F62", "throttled or blocked", "I13", "no hammering",
       throttled=(0.1, 0.6), blocked_s=(0, 4)),
    _p("F63", "slow answers and a 5xx storm", "I6", "no entries beside unknown orders",
       slow=(0.2, 0.8), slow_ms=(500, 2500), status_500=(0.05, 0.3)),
    _p("F64", "dead-man switch of the venue", "I12", "unsolicited cancels are normal",
       dead_man_s=(2, 7), answer_lost=(0.05, 0.3)),
    _p("F65", "credentials refused", "I5", "HALTED after one answer",
       auth_expired=(0.3, 1)),
    _p("F66", "no route to the order venue", "I12", "HALTED while none works, then trading again",
       unsent=(0.2, 0.8), path_down_s=(5, 9)),
    _p("F67", "our account may sell, not buy", "I5 I7", "hedging only; what is naked is sold",
       closed_only_s=(2, 6)),
    # H. process
    _p("F68", "SIGKILL between any two instructions", "I3 I4 I18", "restart equals recovery",
       kills=(1, 3.99)),
    _p("F69", "power loss: the last 50 ms of the journal are gone", "I2 I18",
       "what the venue has of ours is adopted", kills=(2, 3.99), power=(1, 1)),
    _p("F71", "the journal's sync hangs", "I16", "entries stop", disk_slow=(0.5, 1)),
    _p("F74", "SIGSTOP, suspend", "I10 I17", "everything is stale on waking",
       frozen_s=(3, 10)),
    _p("F75", "loop stall", "I10", "entries stop while the loop lags", lag=(0.02, 0.1)),
    _p("F76", "a task dies", "I12", "a critical one halts", task_dies=(0.3, 1)),
    _p("F80", "SIGTERM between legs", "I7", "entries stop, orders verified, restart recovers",
       stops=(1, 2.99)),
    # I. time
    _p("F81", "the wall clock steps", "I17", "ages do not notice", clock_step_s=(5, 3600)),
    # J. operator
    _p("F84", "halts, releases and flattens at any moment", "I5 I12", "rung first, then cancels",
       operator=(1, 4)),
)  # fmt: skip

BY_ID = {profile.id: profile for profile in CATALOGUE}


def knobs_of(profiles: list[Profile], rng: random.Random) -> Knobs:
    """Returns the strengths of a mix: of two draws of one knob, the one farther from calm."""
    calm = Knobs()
    drawn: dict[str, float] = {}
    for profile in profiles:
        for name, value in profile.drawn(rng).items():
            drawn[name] = max(drawn.get(name, value), value)
    return replace(calm, **drawn)


def draw(rng: random.Random, only: str = "") -> tuple[list[Profile], Knobs]:
    """Returns the profiles of a world and their strengths.

    Args:
        rng: the seed's own generator.
        only: a profile's number, or several joined by "+": these are there, half the time alone.

    Raises:
        KeyError: there is no such profile in the catalogue.
    """
    count = rng.choice((0, 1, 1, 2, 2, 3, 4, 6))
    if only:
        count = rng.choice((0, 0, 1, 2))
    chosen = rng.sample(CATALOGUE, count)
    if only:
        asked = [BY_ID[number] for number in only.split("+")]
        chosen = [*asked, *(p for p in chosen if p not in asked)]
    return chosen, knobs_of(chosen, rng)


KNOB_NAMES = tuple(field.name for field in fields(Knobs))

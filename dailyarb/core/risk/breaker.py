"""Trading breakers: each has a number, a limit, an effect on the rung and a rule of reset.

`auto` breakers lift by themselves after their number has been good for a while; `manual` ones are
latched: only the operator resets them, and they survive a restart.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import msgspec

from dailyarb.core.domain.rung import Rung, RungCause


class BreakerRule(msgspec.Struct, frozen=True, gc=False):
    """Defines one breaker; the runbook is generated from these.

    A tripped one is good again once its number is `margin` better than the limit.
    """

    name: str
    unit: str
    limit: float
    effect: Rung
    manual: bool
    below: bool  # trips below the limit instead of above
    what: str
    remedy: str
    margin: float = 0.0
    cause: RungCause = RungCause.BREAKER


@dataclass(slots=True)
class Breaker:
    """Is one breaker's state."""

    rule: BreakerRule
    now: float | None = None
    tripped: bool = False
    since_wall_ns: int | None = None
    good_since_ns: int | None = None
    trips: int = 0
    cause: str = ""

    def beyond(self, number: float) -> bool:
        """Says whether the number is past the limit; a number that is none is."""
        if math.isnan(number):
            return True
        margin = self.rule.margin if self.tripped else 0.0
        if self.rule.below:
            return number <= self.rule.limit + margin
        return number > self.rule.limit - margin

    def near(self) -> bool:
        """Says whether the number has used four fifths of its limit."""
        return self.share() >= 0.8

    def share(self) -> float:
        """Returns how much of the limit is used: 1 is at the limit, 0 without a number."""
        rule = self.rule
        if self.now is None or not rule.limit:
            return 0.0
        if rule.below and rule.limit > 0:  # a score: the limit is its floor
            return rule.limit / self.now if self.now > 0 else math.inf
        return self.now / rule.limit


class Change(msgspec.Struct, frozen=True, gc=False):
    """Is a trip or a reset that has just happened."""

    name: str
    tripped: bool
    now: float
    limit: float
    effect: Rung
    reason: str


@dataclass(slots=True)
class Breakers:
    """Holds all breakers; `observe` feeds numbers, `cap` is the rung they allow."""

    lift_after_ns: int
    by_name: dict[str, Breaker] = field(default_factory=dict)

    def define(self, rule: BreakerRule) -> None:
        """Adds a breaker."""
        self.by_name[rule.name] = Breaker(rule)

    def observe(
        self, name: str, number: float, now_ns: int, wall_ns: int, cause: str = ""
    ) -> Change | None:
        """Takes a breaker's number; returns the trip or automatic reset it caused."""
        breaker = self.by_name[name]
        breaker.now = number
        if breaker.beyond(number):
            breaker.good_since_ns = None
            return None if breaker.tripped else self._trip(breaker, wall_ns, cause)
        if not breaker.tripped or breaker.rule.manual:
            return None
        if breaker.good_since_ns is None:
            breaker.good_since_ns = now_ns
        if now_ns - breaker.good_since_ns < self.lift_after_ns:
            return None
        return self._reset(breaker, f"good for {self.lift_after_ns / 1e9:g} s")

    def restore(self, name: str, now: float, wall_ns: int, cause: str) -> None:
        """Trips a latched breaker again after a restart."""
        breaker = self.by_name.get(name)
        if breaker is not None:
            breaker.now, breaker.tripped = now, True
            breaker.since_wall_ns, breaker.cause = wall_ns, cause

    def reset(self, name: str, reason: str) -> Change | None:
        """Resets a breaker by the operator's word; None when there is nothing to reset.

        A latched one that is near its limit may be reset too: its number starts anew, and what
        its nearness capped is free again.
        """
        breaker = self.by_name.get(name)
        if breaker is None or not (breaker.tripped or (breaker.rule.manual and breaker.near())):
            return None
        return self._reset(breaker, reason)

    def still_beyond(self, name: str) -> bool:
        """Says whether a breaker's last number is past its limit."""
        breaker = self.by_name[name]
        return breaker.now is not None and breaker.beyond(breaker.now)

    def cap(self) -> tuple[Rung, str]:
        """Returns the lowest rung of all tripped breakers and the name of the one that sets it."""
        lowest, name = Rung.FULL, ""
        for breaker in self.by_name.values():
            if breaker.tripped and breaker.rule.effect < lowest:
                lowest, name = breaker.rule.effect, breaker.rule.name
        return lowest, name

    def cause(self, name: str) -> RungCause:
        """Returns what kind of cap a breaker sets: its own, or degradation."""
        return self.by_name[name].rule.cause if name in self.by_name else RungCause.BREAKER

    def tripped(self) -> int:
        """Returns how many are tripped."""
        return sum(breaker.tripped for breaker in self.by_name.values())

    def _trip(self, breaker: Breaker, wall_ns: int, cause: str) -> Change:
        breaker.tripped, breaker.since_wall_ns, breaker.cause = True, wall_ns, cause
        breaker.trips += 1
        return self._change(breaker, True, cause)

    def _reset(self, breaker: Breaker, reason: str) -> Change:
        breaker.tripped, breaker.since_wall_ns, breaker.good_since_ns = False, None, None
        breaker.cause = ""
        return self._change(breaker, False, reason)

    @staticmethod
    def _change(breaker: Breaker, tripped: bool, reason: str) -> Change:
        rule = breaker.rule
        return Change(rule.name, tripped, breaker.now or 0.0, rule.limit, rule.effect, reason)

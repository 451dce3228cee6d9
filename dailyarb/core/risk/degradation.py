"""Degradation: how much is done while a venue is ill, answers are slow, or a limit is near.

Its caps are breakers like the others, so they fall at once, lift by themselves with hysteresis
(`degradation.lift_margin` better than the threshold for `breakers.lift_after_s`), and are
journalled, shown and told with their cause. They differ in what they look at: not one number past
a limit of its own, but how well everything is.
"""

from __future__ import annotations

from msgspec.structs import replace

from dailyarb.core.domain.rung import Rung, RungCause
from dailyarb.core.domain.settings import Settings
from dailyarb.core.risk.breaker import BreakerRule, Breakers
from dailyarb.core.risk.health import Health

_NEAR = ("loss.day", "loss.drawdown")  # besides the worst case over all markets


def _rule(name: str, unit: str, effect: Rung, what: str, remedy: str) -> BreakerRule:
    below = effect is Rung.HALTED
    return BreakerRule(
        name, unit, 0.0, effect, False, below, what, remedy, cause=RungCause.DEGRADED
    )


# fmt: off
RULES: tuple[BreakerRule, ...] = (
    _rule("health.pm", "", Rung.HALTED,
          "Polymarket's health: age of content, gaps, unanswered requests, latency",
          "see the Feeds view; lifts by itself once the venue is well"),
    _rule("health.binance", "", Rung.HALTED,
          "Binance's health: age of content, gaps, latency",
          "see the Feeds view; lifts by itself once the venue is well"),
    _rule("slow", "ms", Rung.REDUCED,
          "p99 of the answer time of orders, well below what stops entries",
          "lifts by itself once answers are quick again"),
    _rule("near.limit", "%", Rung.HEDGE_ONLY,
          "share used of the total worst case, the day's loss or the drawdown, the largest",
          "lower what is at risk; reset the loss breaker to begin anew; or another UTC day"),
)
# fmt: on


def limits(settings: Settings) -> dict[str, float]:
    """Returns the threshold of each rule in its own unit."""
    own = settings.degradation
    return {
        "health.pm": own.min_health,
        "health.binance": own.min_health,
        "slow": float(own.reduce_latency_ms),
        "near.limit": 100.0 * own.near_limit,
    }


def with_margin(rule: BreakerRule, settings: Settings) -> BreakerRule:
    """Returns a rule that lifts only when its number is better than its limit by the margin.

    A score's margin is a part of one, every other number's a part of its limit.
    """
    if rule.cause is not RungCause.DEGRADED:
        return rule
    share = settings.degradation.lift_margin
    return replace(rule, margin=share if rule.below else share * rule.limit)


def measures(
    breakers: Breakers, healths: tuple[Health, ...], p99_ms: float, worst_share: float
) -> dict[str, tuple[float, str]]:
    """Returns each rule's number and what stands behind it.

    Args:
        breakers: those of losses say how near their limits are.
        healths: of every venue that has reported; others have no number.
        p99_ms: of the order path's answers.
        worst_share: worst case over all markets as a share of its limit.
    """
    shares = {"worst case total": worst_share}
    shares.update({name: breakers.by_name[name].share() for name in _NEAR})
    nearest = max(shares, key=lambda name: shares[name])
    found = {f"health.{h.venue}": (h.score, h.worst) for h in healths}
    found["slow"] = (p99_ms, "")
    found["near.limit"] = (100.0 * shares[nearest], nearest)
    return found

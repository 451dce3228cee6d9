"""The list of breakers: one place where every trip is defined. The runbook is generated from it."""

from __future__ import annotations

from msgspec.structs import replace

from dailyarb.core.domain.ids import FeedId
from dailyarb.core.domain.rung import Rung
from dailyarb.core.domain.settings import Settings
from dailyarb.core.risk import degradation
from dailyarb.core.risk.breaker import BreakerRule, Breakers
from dailyarb.core.risk.circuit import CircuitLimits

FEED_BREAKERS: dict[FeedId, str] = {
    FeedId.POLYMARKET: "feed.pm",
    FeedId.BINANCE: "feed.binance",
    FeedId.SETTLEMENT: "feed.settle",
    FeedId.USER: "feed.user",
}
_SELF, _FLOWS = "lifts by itself", "lifts by itself once content flows again; see the Feeds view"
_AUTO, _LATCHED, _ABOVE, _BELOW = False, True, False, True


# fmt: off
# name, unit, effect, latched, trips below, what, remedy
_ROWS: tuple[tuple[str, str, Rung, bool, bool, str, str], ...] = (
    ("feed.pm", "ms", Rung.HALTED, _AUTO, _ABOVE,
     "every Polymarket connection is down or silent", _FLOWS),
    ("feed.binance", "ms", Rung.HALTED, _AUTO, _ABOVE,
     "every Binance connection is down or silent", _FLOWS),
    ("feed.settle", "ms", Rung.HEDGE_ONLY, _AUTO, _ABOVE,
     "the settling feed is down or silent", _FLOWS),
    ("feed.user", "ms", Rung.HALTED, _AUTO, _ABOVE,
     "our own fills cannot be heard", _FLOWS),
    ("loss.day", "$", Rung.HALTED, _LATCHED, _BELOW,
     "net result of the UTC day", "review, then `dailyarb ctl breaker reset loss.day`"),
    ("loss.drawdown", "$", Rung.HALTED, _LATCHED, _ABOVE,
     "fall of equity from its peak of this run", "review, then reset by hand"),
    ("loss.streak", "n", Rung.HEDGE_ONLY, _LATCHED, _ABOVE,
     "losing positions in a row", "review the signals, then reset by hand"),
    ("naked", "$", Rung.HEDGE_ONLY, _AUTO, _ABOVE,
     "unmatched leg of a pair", "lifts when the pair is completed or unwound"),
    ("fee.gap", "1e-5$", Rung.HEDGE_ONLY, _LATCHED, _ABOVE,
     "charged fee differs from the market's schedule", "check the fee schedule, then reset"),
    ("order.unknown", "n", Rung.HEDGE_ONLY, _AUTO, _ABOVE,
     "orders whose outcome is not proven", "lifts when the venue has answered for each"),
    ("order.reject", "%", Rung.HEDGE_ONLY, _AUTO, _ABOVE,
     "share of refused orders of the last 50", "lifts when orders are accepted again"),
    ("order.balance", "n", Rung.HEDGE_ONLY, _AUTO, _ABOVE,
     "orders lately refused for want of balance",
     "lifts by itself; else compare cash and allowance with the venue"),
    ("order.latency", "ms", Rung.HEDGE_ONLY, _AUTO, _ABOVE,
     "p99 of the answer time of orders", _SELF),
    ("slippage", "¢", Rung.REDUCED, _AUTO, _ABOVE,
     "mean slippage of the last 20 taker fills against the decision", _SELF),
    ("clock", "ms", Rung.HEDGE_ONLY, _AUTO, _ABOVE,
     "wall clock against venue time", "check time synchronisation; lifts by itself"),
    ("loop.lag", "ms", Rung.HEDGE_ONLY, _AUTO, _ABOVE,
     "lateness of the engine's loop", "free the machine; lifts by itself"),
    ("book.gap", "n", Rung.HEDGE_ONLY, _AUTO, _ABOVE,
     "times within a minute that a book of ours differed from the venue's",
     "see the Feeds view; lifts once the books agree again"),
    ("journal", "ms", Rung.HEDGE_ONLY, _AUTO, _ABOVE,
     "age of the journal's last sync", "check the disk; lifts by itself"),
    ("journal.stuck", "ms", Rung.HALTED, _AUTO, _ABOVE,
     "age of the journal's last sync, five times what caps entries",
     "check the disk; lifts by itself"),
    ("task", "n", Rung.HALTED, _LATCHED, _ABOVE,
     "critical tasks that died", "read the log, restart the engine"),
    ("venue.mode", "n", Rung.HEDGE_ONLY, _AUTO, _ABOVE,
     "the venue restarts or restricts orders", "lifts when the venue is normal again"),
    ("auth", "n", Rung.HALTED, _LATCHED, _ABOVE,
     "credentials or signature refused", "check keys and wallet type, then reset"),
    ("wallet", "n", Rung.HEDGE_ONLY, _LATCHED, _ABOVE,
     "orders and fills of our wallet that this engine did not make",
     "find who trades the wallet, move its keys, then reset"),
    ("alerts", "s", Rung.REDUCED, _AUTO, _ABOVE,
     "age of a critical alert that reached nobody", "mend the channels; see `dailyarb doctor`"),
)
# fmt: on
RULES: tuple[BreakerRule, ...] = (
    tuple(
        BreakerRule(name, unit, 0.0, effect, latched, below, what, remedy)
        for name, unit, effect, latched, below, what, remedy in _ROWS
    )
    + degradation.RULES
)


# Which setting each limit comes from; "" where it is fixed.
LIMIT_KEYS: dict[str, str] = {
    "feed.pm": "feeds.silent_feed_ms",
    "feed.binance": "feeds.silent_feed_ms",
    "feed.settle": "feeds.silent_feed_ms",
    "feed.user": "feeds.silent_feed_ms",
    "loss.day": "risk.max_day_loss_usd",
    "loss.drawdown": "breakers.max_drawdown_usd",
    "loss.streak": "breakers.loss_streak",
    "naked": "risk.max_partial_exposure_usd",
    "fee.gap": "breakers.max_fee_gap_e5",
    "order.unknown": "risk.max_unknown_orders",
    "order.reject": "breakers.max_reject_percent",
    "order.balance": "",
    "order.latency": "breakers.max_latency_p99_ms",
    "slippage": "breakers.max_slippage_cents",
    "clock": "engine.max_wall_offset_ms",
    "loop.lag": "engine.max_loop_lag_ms",
    "book.gap": "breakers.max_book_gaps",
    "journal": "journal.max_sync_age_ms",
    "journal.stuck": "journal.max_sync_age_ms",
    "task": "",
    "venue.mode": "",
    "auth": "",
    "wallet": "",
    "alerts": "alerts.lower_rung_after_s",
    "health.pm": "degradation.min_health",
    "health.binance": "degradation.min_health",
    "slow": "degradation.reduce_latency_ms",
    "near.limit": "degradation.near_limit",
}


def limits(settings: Settings) -> dict[str, float]:
    """Returns each breaker's limit in its own unit; one that counts trips above the limit."""
    risk, rules, feeds = settings.risk, settings.breakers, settings.feeds
    silent = float(feeds.silent_feed_ms)
    return {
        "feed.pm": silent,
        "feed.binance": silent,
        "feed.settle": 3 * silent,
        "feed.user": 10 * silent,
        "loss.day": -risk.max_day_loss_usd,
        "loss.drawdown": rules.max_drawdown_usd,
        "loss.streak": rules.loss_streak - 1.0,
        "naked": risk.max_partial_exposure_usd,
        "fee.gap": float(rules.max_fee_gap_e5),
        "order.unknown": risk.max_unknown_orders - 1.0,
        "order.reject": rules.max_reject_percent,
        "order.balance": 2.0,
        "order.latency": float(rules.max_latency_p99_ms),
        "slippage": rules.max_slippage_cents,
        "clock": float(settings.engine.max_wall_offset_ms),
        "loop.lag": float(settings.engine.max_loop_lag_ms),
        "book.gap": float(rules.max_book_gaps),
        "journal": float(settings.journal.max_sync_age_ms),
        "journal.stuck": 5.0 * settings.journal.max_sync_age_ms,
        "task": 0.0,
        "venue.mode": 0.0,
        "auth": 0.0,
        "wallet": 0.0,
        "alerts": settings.alerts.lower_rung_after_s,
        **degradation.limits(settings),
    }


def build_breakers(settings: Settings) -> Breakers:
    """Returns all breakers of an engine with these settings."""
    breakers = Breakers(0)
    for rule in RULES:
        breakers.define(rule)
    set_limits(breakers, settings)
    return breakers


def set_limits(breakers: Breakers, settings: Settings) -> None:
    """Gives every breaker the limit of these settings; what is tripped stays so."""
    breakers.lift_after_ns = round(settings.breakers.lift_after_s * 1e9)
    for name, limit in limits(settings).items():
        breaker = breakers.by_name[name]
        rule = replace(breaker.rule, limit=limit)
        breaker.rule = degradation.with_margin(rule, settings)


def circuit_limits(settings: Settings) -> CircuitLimits:
    """Returns when circuits open and close."""
    own = settings.circuits
    return CircuitLimits(own.failures, round(own.open_s * 1e9), own.successes)

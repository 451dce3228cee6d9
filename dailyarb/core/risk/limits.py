"""The list of breakers, made from settings: one place where every trip is defined."""

from __future__ import annotations

from dailyarb.core.domain.ids import FeedId
from dailyarb.core.domain.rung import Rung
from dailyarb.core.domain.settings import Settings
from dailyarb.core.risk.breaker import BreakerRule, Breakers

FEED_BREAKERS: dict[FeedId, str] = {
    FeedId.POLYMARKET: "feed.pm",
    FeedId.BINANCE: "feed.binance",
    FeedId.SETTLEMENT: "feed.settle",
    FeedId.USER: "feed.user",
}


def build_breakers(settings: Settings) -> Breakers:
    """Returns all breakers of an engine with these settings."""
    breakers = Breakers(round(settings.breakers.lift_after_s * 1e9))
    for rule in [*_feed_rules(settings), *_money_rules(settings), *_health_rules(settings)]:
        breakers.define(rule)
    return breakers


def _feed_rules(settings: Settings) -> list[BreakerRule]:
    feeds = settings.feeds
    silent = float(feeds.silent_feed_ms)
    limits = {
        FeedId.POLYMARKET: (silent, "every Polymarket connection is down or silent"),
        FeedId.BINANCE: (silent, "every Binance connection is down or silent"),
        FeedId.SETTLEMENT: (3 * silent, "the settling feed is down or silent"),
        FeedId.USER: (10 * silent, "our own fills cannot be heard"),
    }
    effects = {FeedId.SETTLEMENT: Rung.HEDGE_ONLY}
    return [
        BreakerRule(
            FEED_BREAKERS[feed],
            "ms",
            limit,
            effects.get(feed, Rung.HALTED),
            False,
            False,
            what,
            "lifts by itself once content flows again; see the Feeds view",
        )
        for feed, (limit, what) in limits.items()
    ]


def _money_rules(settings: Settings) -> list[BreakerRule]:
    risk, rules = settings.risk, settings.breakers
    return [
        BreakerRule(
            "loss.day",
            "$",
            -risk.max_day_loss_usd,
            Rung.HALTED,
            True,
            True,
            "net result of the UTC day",
            "review, then `dailyarb ctl breaker reset loss.day`",
        ),
        BreakerRule(
            "loss.drawdown",
            "$",
            rules.max_drawdown_usd,
            Rung.HALTED,
            True,
            False,
            "fall of equity from its peak of this run",
            "review, then reset by hand",
        ),
        BreakerRule(
            "loss.streak",
            "n",
            rules.loss_streak - 1,
            Rung.HEDGE_ONLY,
            True,
            False,
            "losing positions in a row",
            "review the signals, then reset by hand",
        ),
        BreakerRule(
            "naked",
            "$",
            risk.max_partial_exposure_usd,
            Rung.HEDGE_ONLY,
            False,
            False,
            "unmatched leg of a pair",
            "lifts when the pair is completed or unwound",
        ),
        BreakerRule(
            "fee.gap",
            "1e-5$",
            rules.max_fee_gap_e5,
            Rung.HEDGE_ONLY,
            True,
            False,
            "charged fee differs from the market's schedule",
            "check the fee schedule, then reset",
        ),
    ]


def _health_rules(settings: Settings) -> list[BreakerRule]:
    risk, engine, rules = settings.risk, settings.engine, settings.breakers
    return [
        BreakerRule(
            "order.unknown",
            "n",
            risk.max_unknown_orders - 1,
            Rung.HEDGE_ONLY,
            False,
            False,
            "orders whose outcome is not proven",
            "lifts when the venue has answered for each",
        ),
        BreakerRule(
            "order.reject",
            "%",
            rules.max_reject_percent,
            Rung.HEDGE_ONLY,
            False,
            False,
            "share of refused orders of the last 50",
            "lifts when orders are accepted again",
        ),
        BreakerRule(
            "order.latency",
            "ms",
            float(rules.max_latency_p99_ms),
            Rung.REDUCED,
            False,
            False,
            "p99 of the answer time of orders",
            "lifts by itself",
        ),
        BreakerRule(
            "order.path",
            "n",
            2.0,
            Rung.HALTED,
            False,
            False,
            "order requests in a row without a readable answer",
            "lifts after a good answer",
        ),
        BreakerRule(
            "slippage",
            "¢",
            rules.max_slippage_cents,
            Rung.REDUCED,
            False,
            False,
            "mean slippage of the last 20 taker fills against the decision",
            "lifts by itself",
        ),
        BreakerRule(
            "clock",
            "ms",
            float(engine.max_wall_offset_ms),
            Rung.HEDGE_ONLY,
            False,
            False,
            "wall clock against venue time",
            "check time synchronisation; lifts by itself",
        ),
        BreakerRule(
            "loop.lag",
            "ms",
            float(engine.max_loop_lag_ms),
            Rung.HEDGE_ONLY,
            False,
            False,
            "lateness of the engine's loop",
            "free the machine; lifts by itself",
        ),
        BreakerRule(
            "journal",
            "ms",
            float(settings.journal.max_sync_age_ms),
            Rung.HEDGE_ONLY,
            False,
            False,
            "age of the journal's last sync",
            "check the disk; lifts by itself",
        ),
        BreakerRule(
            "task",
            "n",
            0.0,
            Rung.HALTED,
            True,
            False,
            "critical tasks that died",
            "read the log, restart the engine",
        ),
        BreakerRule(
            "venue.mode",
            "n",
            0.0,
            Rung.HEDGE_ONLY,
            False,
            False,
            "the venue restarts or restricts orders",
            "lifts when the venue is normal again",
        ),
        BreakerRule(
            "auth",
            "n",
            0.0,
            Rung.HALTED,
            True,
            False,
            "credentials or signature refused",
            "check keys and wallet type, then reset",
        ),
    ]

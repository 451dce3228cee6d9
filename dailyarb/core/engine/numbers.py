"""The numbers breakers and degradation look at, each with what stands behind it."""

from __future__ import annotations

from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.events import FeedState, FeedStatus, VenueModeKind
from dailyarb.core.domain.ids import FeedId
from dailyarb.core.domain.settings import usd_e6
from dailyarb.core.domain.units import SECOND
from dailyarb.core.engine.state import State
from dailyarb.core.engine.trading import active_markets, day_net, market_outlook, unrealised_e6
from dailyarb.core.risk.degradation import measures
from dailyarb.core.risk.health import MINUTE_NS, Health, Reading, error_percent, health
from dailyarb.core.risk.limits import FEED_BREAKERS

REJECTS_MIN = 10  # outcomes before a share of rejects means anything
Numbers = dict[str, tuple[float, str]]


def trading_numbers(state: State, now: Instant) -> Numbers:
    """Returns the number and the cause of every breaker that is looked at by the clock."""
    t, seen = state.tallies, state.seen
    net = day_net(state, now).net_e6 + unrealised_e6(state)
    equity = equity_now_e6(state)
    state.peak_e6 = equity if state.peak_e6 is None else max(state.peak_e6, equity)
    remember_ns = round(state.settings.breakers.remember_s * SECOND)
    t.forget(now.mono_ns - remember_ns)
    while t.no_balance and now.mono_ns - t.no_balance[0] >= remember_ns:
        t.no_balance.popleft()
    while t.book_gaps and now.mono_ns - t.book_gaps[0] >= MINUTE_NS:
        t.book_gaps.popleft()
    rejects = 0.0
    if len(t.outcomes) >= REJECTS_MIN:
        rejects = 100.0 * sum(refused for _, refused in t.outcomes) / len(t.outcomes)
    slip = sum(e4 for _, e4 in t.slips_e4) / len(t.slips_e4) / 100 if t.slips_e4 else 0.0
    normal = seen.venue_mode is VenueModeKind.NORMAL or now.mono_ns > seen.venue_mode_ns > 0
    numbers: Numbers = {
        "loss.day": (net / 1e6, ""),
        "loss.drawdown": ((state.peak_e6 - equity) / 1e6, ""),
        "loss.streak": (float(state.ledger.pnl.streak), ""),
        "naked": (state.pairs.naked_e6() / 1e6, ""),
        "order.unknown": (float(len(state.orders.unknown())), ""),
        "order.reject": (rejects, _top_reason(state)),
        "order.balance": (float(len(t.no_balance)), ""),
        "order.latency": (t.answer_p99_ms(), ""),
        "slippage": (slip, ""),
        "fee.gap": (float(t.fee_gap_e5), ""),
        "venue.mode": (0.0 if normal else 1.0, seen.venue_mode.value),
        "auth": (float(seen.venue_mode is VenueModeKind.AUTH_FAILED), ""),
        "clock": (abs(seen.clock_offset_ms or 0.0), ""),
        "loop.lag": (seen.process.p99_ms, ""),
        "book.gap": (float(len(t.book_gaps)), ""),
        "wallet": (float(t.foreign), ""),
    }
    for feed, name in FEED_BREAKERS.items():
        report = seen.feeds.get(feed)
        if report is not None:
            numbers[name] = (feed_number(state, feed), report.detail)
    return numbers


def degraded_numbers(state: State, now: Instant) -> Numbers:
    """Returns the number and the cause of every rule of degradation."""
    limit_e6 = usd_e6(state.settings.risk.max_worst_case_total_usd)
    worst = sum(market_outlook(state, m).worst_e6 for m in active_markets(state))
    p99_ms = state.tallies.answer_p99_ms()
    return measures(state.breakers, healths(state, now), p99_ms, max(0, -worst) / limit_e6)


def healths(state: State, now: Instant) -> tuple[Health, ...]:
    """Returns the health of each venue that has reported."""
    feeds, own = state.seen.feeds, state.settings.degradation
    slow_ms = float(own.max_venue_latency_ms)
    found = []
    market, spot = feeds.get(FeedId.POLYMARKET), feeds.get(FeedId.BINANCE)
    if market is not None:
        answers = Reading("order answers p99 ms", state.tallies.answer_p99_ms(), slow_ms)
        failed = error_percent(state.tallies.requests)
        errors = Reading("unanswered requests %", failed, own.max_error_percent)
        found.append(health("pm", *_readings(state, market, now), answers, errors))
    if spot is not None:
        found.append(health("binance", *_readings(state, spot, now)))
    return tuple(found)


def _readings(state: State, report: FeedState, now: Instant) -> tuple[Reading, Reading, Reading]:
    own, feed = state.settings.degradation, report.feed
    gaps = state.trouble[feed].per_minute(now.mono_ns)
    silent_ms = state.breakers.by_name[FEED_BREAKERS[feed]].rule.limit
    return (
        Reading("age ms", feed_number(state, feed), silent_ms),
        Reading("gaps a minute", gaps, own.max_gaps_per_minute),
        Reading("frames late p99 ms", report.lag_p99_ms, own.max_venue_latency_ms),
    )


def feed_number(state: State, feed: FeedId) -> float:
    """Returns the age in ms by which a feed is judged, past its breaker's limit when it is down."""
    report = state.seen.feeds[feed]
    limit = state.breakers.by_name[FEED_BREAKERS[feed]].rule.limit
    if report.status is FeedStatus.DOWN:
        return max(float(report.age_ms), limit + 1.0)
    if report.status is FeedStatus.CONNECTING or feed is FeedId.USER:
        return 0.0
    return float(report.age_ms)


def equity_now_e6(state: State) -> int:
    """Returns what the account began with and everything won and lost since, open shares at mid."""
    pnl = state.ledger.pnl.total
    return -state.ledger.accounts.opening + pnl.net_e6 + unrealised_e6(state)


def _top_reason(state: State) -> str:
    common = state.tallies.reasons.most_common(1)
    return common[0][0] if common else ""

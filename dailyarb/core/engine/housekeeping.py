"""What happens by the clock: breakers, questions, pairs, time-outs, heartbeats, the end.

Runs at most ten times a second and whenever a pair or a question is due.
"""

from __future__ import annotations

from msgspec.structs import replace

from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.commands import Command, Exit, Heartbeat, Journal
from dailyarb.core.domain.events import (
    DiskState,
    FeedStatus,
    LoopLag,
    TaskDied,
    VenueModeKind,
    Woke,
)
from dailyarb.core.domain.ids import FeedId, Severity
from dailyarb.core.domain.intents import IntentKind
from dailyarb.core.domain.market import MarketState, Outcome, Side
from dailyarb.core.domain.records import BreakerMoved, FillMarked, RunEnded
from dailyarb.core.domain.rung import Mode, Rung
from dailyarb.core.domain.units import MS, SECOND
from dailyarb.core.domain.view import FillRow
from dailyarb.core.engine.account import QUERY_TIMEOUT_NS, ask_account, tell_unknown
from dailyarb.core.engine.market_data import roll
from dailyarb.core.engine.pairing import step_pairs
from dailyarb.core.engine.state import State
from dailyarb.core.engine.trading import (
    RECANCEL_NS,
    cancel,
    cancel_all,
    day_net,
    evaluate,
    mark_e4,
    unrealised_e6,
)
from dailyarb.core.risk.breaker import Change
from dailyarb.core.risk.limits import FEED_BREAKERS

TICK_NS = 100 * MS
BEAT_NS = 5 * SECOND
RECONCILE_NS = 10 * SECOND
REJECTS_MIN = 10  # outcomes before a share of rejects means anything
REMEMBER_NS = 120 * SECOND  # refusals and slippages older than this cap nothing
EXIT_CLEAN, EXIT_BREAKER, EXIT_UNVERIFIED = 0, 5, 6


def on_tick(state: State, now: Instant, out: list[Command]) -> None:
    """Does everything that is due."""
    if state.exited:
        return
    for order in state.proofs.silent(now.mono_ns, out):
        tell_unknown(state, order, "no answer", now, out)
    state.proofs.asks(now.mono_ns, out)
    step_pairs(state, now, out)
    if now.mono_ns < state.next_tick_ns:
        return
    state.next_tick_ns = now.mono_ns + TICK_NS
    roll(state, now, out)
    _expire_orders(state, now, out)
    _reconcile(state, now, out)
    observe(state, now, out)
    _beat(state, now, out)
    _markouts(state, now, out)
    _equity(state, now)
    _verify_halt(state, now)
    _unproven(state, now, out)
    for desk in list(state.desks.values()):
        if desk.state is MarketState.TRADABLE:
            state.trigger_ns = 0
            evaluate(state, desk, now, out)
    if state.rungs.stopping:
        _stop(state, now, out)


def next_deadline(state: State) -> int | None:
    """Returns when `on_tick` has something to do."""
    if state.exited:
        return None
    dues = [
        due
        for due in (state.proofs.next_ask_ns(), state.pairs.next_deadline_ns())
        if due is not None
    ]
    return min([state.next_tick_ns, *dues])


def _expire_orders(state: State, now: Instant, out: list[Command]) -> None:
    before_end = round(state.settings.risk.cancel_before_end_s * SECOND)
    # Nothing rests while we are halted; orders of an earlier run come to light after the start.
    halted = not state.rungs.booting and state.rungs.overall()[0] is Rung.HALTED
    late = []
    for order in state.orders.live():
        if order.takes or not order.order_id:
            continue
        if order.cancel_ns and now.mono_ns - order.cancel_ns < RECANCEL_NS:
            continue
        desk = state.desks.get(order.market_id)
        ending = desk is not None and desk.spec.end_ns - now.wall_ns <= before_end
        old = order.ttl_ns and now.mono_ns - order.sent_ns > 2 * order.ttl_ns
        if order.cancel_ns or ending or old or halted:
            late.append(order)
    cancel(late, "halted, window ends, or order too old", now, out)


def _reconcile(state: State, now: Instant, out: list[Command]) -> None:
    account = state.account
    waiting = account.asked_ns > account.reported_ns
    step = QUERY_TIMEOUT_NS if waiting else RECONCILE_NS
    if state.rungs.booting and not waiting:
        step = SECOND
    if not account.asked_ns or now.mono_ns - account.asked_ns >= step:
        ask_account(state, now, out)


def observe(state: State, now: Instant, out: list[Command]) -> None:
    """Feeds every breaker its number and applies what they allow."""
    wall = now.wall_ns
    for name, (number, cause) in _numbers(state, now).items():
        change = state.breakers.observe(name, number, now.mono_ns, wall, cause)
        if change is not None:
            announce(state, change, now, out)
    apply_cap(state, now, out)


def apply_cap(state: State, now: Instant, out: list[Command]) -> None:
    """Takes over the rung that breakers allow; a fall withdraws what it forbids."""
    cap, name = state.breakers.cap()
    fell = cap < state.rungs.breaker
    state.rungs.breaker, state.rungs.breaker_name = cap, name
    if fell and cap is Rung.HALTED:
        cancel_all(state, now, out)
    elif fell:
        entries = [
            o
            for o in state.orders.live()
            if o.intent is IntentKind.ENTRY and not o.takes and not o.cancel_ns
        ]
        cancel(entries, f"breaker {name}", now, out)


def _numbers(state: State, now: Instant) -> dict[str, tuple[float, str]]:
    t, seen = state.tallies, state.seen
    net = day_net(state, now).net_e6 + unrealised_e6(state)
    equity = _equity_now(state)
    state.peak_e6 = equity if state.peak_e6 is None else max(state.peak_e6, equity)
    rejects = 0.0
    t.forget(now.mono_ns - REMEMBER_NS)
    if len(t.outcomes) >= REJECTS_MIN:
        rejects = 100.0 * sum(refused for _, refused in t.outcomes) / len(t.outcomes)
    slip = sum(e4 for _, e4 in t.slips_e4) / len(t.slips_e4) / 100 if t.slips_e4 else 0.0
    normal = seen.venue_mode is VenueModeKind.NORMAL or now.mono_ns > seen.venue_mode_ns > 0
    numbers: dict[str, tuple[float, str]] = {
        "loss.day": (net / 1e6, ""),
        "loss.drawdown": ((state.peak_e6 - equity) / 1e6, ""),
        "loss.streak": (float(state.ledger.pnl.streak), ""),
        "naked": (state.pairs.naked_e6() / 1e6, ""),
        "order.unknown": (float(len(state.orders.unknown())), ""),
        "order.reject": (rejects, _top_reason(state)),
        "order.latency": (t.answer_p99_ms(), ""),
        "order.path": (float(t.unread_answers), ""),
        "slippage": (slip, ""),
        "fee.gap": (float(t.fee_gap_e5), ""),
        "venue.mode": (0.0 if normal else 1.0, seen.venue_mode.value),
        "auth": (float(seen.venue_mode is VenueModeKind.AUTH_FAILED), ""),
        "clock": (abs(seen.clock_offset_ms or 0.0), ""),
        "loop.lag": (seen.process.p99_ms, ""),
    }
    for feed, name in FEED_BREAKERS.items():
        report = seen.feeds.get(feed)
        if report is not None:
            numbers[name] = (_feed_number(state, feed), report.detail)
    return numbers


def _feed_number(state: State, feed: FeedId) -> float:
    report = state.seen.feeds[feed]
    limit = state.breakers.by_name[FEED_BREAKERS[feed]].rule.limit
    if report.status is FeedStatus.DOWN:
        return max(float(report.age_ms), limit + 1.0)
    if report.status is FeedStatus.CONNECTING or feed is FeedId.USER:
        return 0.0
    return float(report.age_ms)


def _top_reason(state: State) -> str:
    common = state.tallies.reasons.most_common(1)
    return common[0][0] if common else ""


def announce(state: State, change: Change, now: Instant, out: list[Command]) -> None:
    """Journals and tells a breaker's trip or reset."""
    out.append(
        Journal(
            BreakerMoved(
                change.name, change.tripped, change.now, change.limit, change.effect, "engine",
                change.reason,
            )
        )
    )  # fmt: skip
    if change.tripped:
        state.tallies.breakers += 1
        text = f"{change.name} TRIP {change.now:g} (limit {change.limit:g}) {change.reason}".strip()
        state.tell("BRK", text, now, Severity.WARNING)
        severity = Severity.CRITICAL if change.effect is Rung.HALTED else Severity.WARNING
        state.alert(severity, f"breaker.{change.name}", text, now, out)
    else:
        state.tell("BRK", f"{change.name} reset ({change.reason})", now)


def trip(
    state: State, name: str, number: float, cause: str, now: Instant, out: list[Command]
) -> None:
    """Feeds one breaker outside the regular round."""
    change = state.breakers.observe(name, number, now.mono_ns, now.wall_ns, cause)
    if change is not None:
        announce(state, change, now, out)
        apply_cap(state, now, out)


def on_woke(state: State, event: Woke, now: Instant, out: list[Command]) -> None:
    """Believes nothing for a while after the process stood still, before any decision (F74).

    What queued up meanwhile is read late and looks as if it were new, the reference's quotes above
    all: they carry no stamp of the venue's. The cap lifts once the loop has kept time again.
    """
    cause = f"the process stood still for {event.gap_ms / 1e3:.1f} s"
    for desk in state.desks.values():
        desk.book.refresh(now, state.settings.feeds.max_book_age_ms)
    trip(state, "loop.lag", float(event.gap_ms), cause, now, out)


def on_task_died(state: State, event: TaskDied, now: Instant, out: list[Command]) -> None:
    """A task of the shell ended: a critical one halts."""
    state.alert(
        Severity.CRITICAL if event.critical else Severity.WARNING,
        f"task.{event.task}",
        f"task {event.task} died: {event.error}",
        now,
        out,
    )
    if event.critical:
        trip(state, "task", 1.0, event.task, now, out)


def on_disk(state: State, event: DiskState, now: Instant, out: list[Command]) -> None:
    """The journal's disk: an old sync caps the rung."""
    trip(state, "journal", float(event.sync_age_ms), event.error, now, out)


def on_lag(state: State, event: LoopLag, now: Instant, out: list[Command]) -> None:
    """The shell measured itself."""
    del now, out
    state.seen.process = event


def _beat(state: State, now: Instant, out: list[Command]) -> None:
    sends = state.birth.mode in (Mode.SIM, Mode.LIVE)
    if sends and state.orders.live() and now.mono_ns >= state.next_beat_ns:
        state.next_beat_ns = now.mono_ns + BEAT_NS
        out.append(Heartbeat(now.mono_ns))


def _markouts(state: State, now: Instant, out: list[Command]) -> None:
    for i, row in enumerate(state.fills):
        if row.markout_30s_e4 is not None:
            continue
        desk = state.desks.get(row.market_id)
        if desk is None:
            continue
        age = now.wall_ns - row.wall_ns
        up = mark_e4(desk)
        mark = up if row.outcome is Outcome.UP else 10_000 - up
        edge = (mark - row.price_e4) * (1 if row.side is Side.BUY else -1)
        state.fills[i] = marked = _marked(row, age, edge)
        if marked.markout_30s_e4 is not None:
            # All three are due by then; the journal keeps what the reports compare.
            state.record(
                FillMarked(
                    row.trade_id,
                    row.order_id,
                    marked.markout_1s_e4 or 0,
                    marked.markout_5s_e4 or 0,
                    marked.markout_30s_e4,
                ),
                now,
                out,
            )


def _marked(row: FillRow, age_ns: int, edge_e4: int) -> FillRow:
    changes: dict[str, int] = {}
    if age_ns >= SECOND and row.markout_1s_e4 is None:
        changes["markout_1s_e4"] = edge_e4
    if age_ns >= 5 * SECOND and row.markout_5s_e4 is None:
        changes["markout_5s_e4"] = edge_e4
    if age_ns >= 30 * SECOND and row.markout_30s_e4 is None:
        changes["markout_30s_e4"] = edge_e4
    return replace(row, **changes) if changes else row


def _equity_now(state: State) -> int:
    pnl = state.ledger.pnl.total
    return -state.ledger.accounts.opening + pnl.net_e6 + unrealised_e6(state)


def _equity(state: State, now: Instant) -> None:
    minute = now.wall_ns // (60 * SECOND)
    if state.account.opened and minute != state.equity_minute:
        state.equity_minute = minute
        state.equity.append(_equity_now(state))


def _unproven(state: State, now: Instant, out: list[Command]) -> None:
    """Alerts about fills that stay matched and unproven for too long (F44)."""
    limit_s = state.settings.risk.provisional_alert_s
    for market_id in state.ledger.open_markets():
        for fill in state.ledger.provisional(market_id):
            if now.wall_ns - fill.match_ns >= limit_s * SECOND:
                state.alert(
                    Severity.WARNING,
                    f"fill.unproven.{fill.trade_id}",
                    f"a fill of {fill.size_e6 / 1e6:g} shares is unproven for over {limit_s:g} s",
                    now,
                    out,
                )


def _verify_halt(state: State, now: Instant) -> None:
    story = state.halting
    if not story.started_ns or story.verified_ns:
        return
    live = state.orders.live()
    took = (now.mono_ns - story.started_ns) / SECOND
    if not live:
        story.verified_ns = now.mono_ns
        story.note = f"HALTED {story.orders}/{story.orders} cancelled, verified {took:.1f} s"
        state.tell("MODE", story.note, now)
        return
    unknown = len(state.orders.unknown())
    gone = max(0, story.orders - len(live))
    tail = f", {unknown} UNKNOWN!" if unknown else ""
    story.note = f"HALTING {gone}/{story.orders} cancelled{tail}"


def _stop(state: State, now: Instant, out: list[Command]) -> None:
    live = state.orders.live()
    naked = sum(p.naked_since_ns > 0 for p in state.pairs.open.values())
    # Halted by a person or not armed, a lone leg may not be unwound: nothing to wait for.
    waits = naked and state.rungs.operator is not Rung.HALTED and state.rungs.armed
    clear = not live and not waits
    if not clear and now.mono_ns < state.stop_deadline_ns:
        return
    if live:
        cancel_all(state, now, out)
    state.exited = True
    state.stop_clean = not live
    # A breaker that lifts by itself, as a silent feed's, did not end the run; a latched one did.
    tripped = any(
        b.tripped and b.rule.manual and b.rule.effect is Rung.HALTED
        for b in state.breakers.by_name.values()
    )
    code = EXIT_UNVERIFIED if live else EXIT_BREAKER if tripped else EXIT_CLEAN
    why = f"{state.stop_why}; {len(live)} orders unverified" if live else state.stop_why
    if naked:
        why = f"{why}; {naked} pairs one-sided"
        state.alert(Severity.CRITICAL, "stop.naked", f"stopped with {why}", now, out)
    state.record(RunEnded(state.birth.run, code, why), now, out)
    out.append(Exit(code, why))

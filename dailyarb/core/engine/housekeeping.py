"""What happens by the clock: breakers, questions, pairs, time-outs, heartbeats, the end.

Runs at most ten times a second and whenever a pair or a question is due.
"""

from __future__ import annotations

from msgspec.structs import replace

from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.commands import Command, Exit, Heartbeat
from dailyarb.core.domain.events import (
    DiskState,
    LoopLag,
    TaskDied,
    Woke,
)
from dailyarb.core.domain.ids import Severity
from dailyarb.core.domain.intents import TIME
from dailyarb.core.domain.market import MarketState, Outcome, Side
from dailyarb.core.domain.records import FillMarked, RunEnded
from dailyarb.core.domain.rung import Mode, Rung
from dailyarb.core.domain.units import MS, SECOND
from dailyarb.core.domain.view import FillRow
from dailyarb.core.engine.account import QUERY_TIMEOUT_NS, ask_account, tell_unknown
from dailyarb.core.engine.caps import announce, apply_cap, heard, pass_time
from dailyarb.core.engine.market_data import roll
from dailyarb.core.engine.numbers import (
    degraded_numbers,
    equity_now_e6,
    feed_number,
    trading_numbers,
)
from dailyarb.core.engine.pairing import step_pairs
from dailyarb.core.engine.state import State
from dailyarb.core.engine.trading import (
    LOOK_NS,
    RECANCEL_NS,
    cancel,
    cancel_all,
    evaluate,
    mark_e4,
)
from dailyarb.core.risk.circuit import DISK, ORDERS, Told
from dailyarb.core.risk.limits import FEED_BREAKERS

TICK_NS = 100 * MS
BEAT_NS = 5 * SECOND
MARKED_NS = 30 * SECOND
RECONCILE_NS = 10 * SECOND
EXIT_CLEAN, EXIT_BREAKER, EXIT_UNVERIFIED = 0, 5, 6


def on_tick(state: State, now: Instant, out: list[Command]) -> None:
    """Does everything that is due."""
    if state.exited:
        return
    for order in state.proofs.silent(now.mono_ns, out):
        state.stirred = True
        tell_unknown(state, order, "no answer", now, out)
    state.proofs.asks(now.mono_ns, out)
    step_pairs(state, now, out)
    if now.mono_ns < state.next_tick_ns:
        return
    state.next_tick_ns = now.mono_ns + TICK_NS
    roll(state, now, out)
    _expire_orders(state, now, out)
    _reconcile(state, now, out)
    if _stirs(state, now):
        state.stirred, state.next_look_ns = False, now.mono_ns + LOOK_NS
        observe(state, now, out)
    _beat(state, now, out)
    _markouts(state, now, out)
    _equity(state, now)
    _verify_halt(state, now)
    _unproven(state, now, out)
    for desk in list(state.desks.values()):
        if desk.state is MarketState.TRADABLE:
            state.trigger_ns = 0
            evaluate(state, desk, now, out, TIME)
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
    for order in state.orders.working():
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


def _stirs(state: State, now: Instant) -> bool:
    """Says whether a number of a breaker may have moved since it was looked at.

    Facts move them, and the price of what is held; what time alone moves only falls, so a second
    is soon enough, unless a cap waits for it.
    """
    waits = state.rungs.breaker is not Rung.FULL or state.ledger.open_markets()
    return bool(state.stirred or waits or now.mono_ns >= state.next_look_ns)


def observe(state: State, now: Instant, out: list[Command]) -> None:
    """Feeds circuits and breakers what is known by now and applies what they allow."""
    _feeds_heard(state, now, out)
    pass_time(state, now, out)
    for numbers in (trading_numbers, degraded_numbers):  # the second looks at the first's
        for name, (number, cause) in numbers(state, now).items():
            change = state.breakers.observe(name, number, now.mono_ns, now.wall_ns, cause)
            if change is not None:
                announce(state, change, now, out)
    apply_cap(state, now, out)


def _feeds_heard(state: State, now: Instant, out: list[Command]) -> None:
    """Takes each new report of a feed as one answer of what it guards."""
    for feed, report in state.seen.feeds.items():
        if state.trouble[feed].take(report, now.mono_ns):
            name = FEED_BREAKERS[feed]
            ok = not state.breakers.by_name[name].beyond(feed_number(state, feed))
            heard(state, name, Told(ok, now.mono_ns, report.detail), now, out)


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
    """The journal's disk: an old sync caps the rung, a very old one halts (F71)."""
    for name in ("journal", "journal.stuck"):
        trip(state, name, float(event.sync_age_ms), event.error, now, out)
    well = event.sync_age_ms <= state.settings.journal.max_sync_age_ms and not event.error
    heard(state, DISK, Told(well, now.mono_ns, event.error or "late syncs"), now, out)


def on_lag(state: State, event: LoopLag, now: Instant, out: list[Command]) -> None:
    """The shell measured itself."""
    del now, out
    state.seen.process = event


def _beat(state: State, now: Instant, out: list[Command]) -> None:
    """Sends a heartbeat: the dead-man switch of live orders, and the probe of the order path.

    One is out at a time: the shell drops a second, so its answer would never come.
    """
    path = state.circuits.by_name[ORDERS]
    if state.beat_ns and now.mono_ns - state.beat_ns < QUERY_TIMEOUT_NS:
        return
    sends = state.birth.mode in (Mode.SIM, Mode.LIVE)
    due = sends and state.orders.live() and now.mono_ns >= state.next_beat_ns
    if not due and not path.wants_probe():
        return
    state.next_beat_ns, state.beat_ns = now.mono_ns + BEAT_NS, now.mono_ns
    if path.wants_probe():
        path.probe_ns = now.mono_ns
    out.append(Heartbeat(now.mono_ns))


def _markouts(state: State, now: Instant, out: list[Command]) -> None:
    if not state.marking:
        return
    for i, row in enumerate(state.fills):
        since_ns = state.marking.get((row.trade_id, row.order_id))
        desk = state.desks.get(row.market_id)
        if since_ns is None or desk is None:
            continue
        age = now.mono_ns - since_ns
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
    for key in [k for k, since_ns in state.marking.items() if now.mono_ns - since_ns >= MARKED_NS]:
        del state.marking[key]


def _marked(row: FillRow, age_ns: int, edge_e4: int) -> FillRow:
    changes: dict[str, int] = {}
    if age_ns >= SECOND and row.markout_1s_e4 is None:
        changes["markout_1s_e4"] = edge_e4
    if age_ns >= 5 * SECOND and row.markout_5s_e4 is None:
        changes["markout_5s_e4"] = edge_e4
    if age_ns >= 30 * SECOND and row.markout_30s_e4 is None:
        changes["markout_30s_e4"] = edge_e4
    return replace(row, **changes) if changes else row


def _equity(state: State, now: Instant) -> None:
    minute = now.wall_ns // (60 * SECOND)
    if state.account.opened and minute != state.equity_minute:
        state.equity_minute = minute
        state.equity.append(equity_now_e6(state))


def _unproven(state: State, now: Instant, out: list[Command]) -> None:
    """Quarantines markets with fills that stay matched and unproven, and tells of them (F44)."""
    limit_s = state.settings.risk.provisional_alert_s
    state.unproven.clear()
    for market_id in state.ledger.open_markets():
        for fill in state.ledger.provisional(market_id):
            if now.wall_ns - fill.match_ns >= limit_s * SECOND:
                state.unproven.add(market_id)
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
    live = state.orders.working()
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
    live = state.orders.working()
    if live:
        cancel_all(state, now, out)
    state.exited = True
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

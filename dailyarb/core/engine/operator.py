"""Handlers of operator commands: down is free, up is asked, everything is journalled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.commands import Answer, Command, Journal, SetMode
from dailyarb.core.domain.events import OperatorCommand, StopRequested, VenueModeKind
from dailyarb.core.domain.ids import Severity, StrategyId
from dailyarb.core.domain.intents import Intent, IntentKind, Leg
from dailyarb.core.domain.market import Outcome, Side
from dailyarb.core.domain.operator import CLI_TWINS, OperatorVerb
from dailyarb.core.domain.orders import TIF
from dailyarb.core.domain.preflight import failed
from dailyarb.core.domain.records import BreakerMoved, ModeSet, OperatorDid, RungSet
from dailyarb.core.domain.rung import MODE_EVIDENCE, STAND_INS, Mode, Rung
from dailyarb.core.domain.units import SECOND
from dailyarb.core.engine.account import ask_account
from dailyarb.core.engine.caps import apply_cap
from dailyarb.core.engine.reload import take_settings
from dailyarb.core.engine.state import Desk, Halting, State
from dailyarb.core.engine.trading import cancel, cancel_all, open_intent
from dailyarb.core.engine.viewer import build_view

FRAME_AGE_MAX = 100  # frames: a decision that raises risk must rest on the last ten seconds
FLATTEN_FLOOR_E4 = 300  # a flatten sells at most this far below the bid
STOP_WAIT_NS = 10 * SECOND

Result = tuple[bool, str]


def on_operator(state: State, event: OperatorCommand, now: Instant, out: list[Command]) -> None:
    """Does what was asked, answers, and writes down who asked."""
    ok, text = _VERBS[event.verb](state, event, now, out)
    twin = CLI_TWINS[event.verb].format(
        rung=event.rung.name.lower() if event.rung else "",
        target=event.target or "--all",
        mode=event.mode.value.lower() if event.mode else "",
        reason=repr(event.reason),
    )
    out.append(Journal(OperatorDid(event.who, event.verb.value, event.target, ok, text, twin)))
    state.tell("CMD", f"{event.who}: {event.verb.value} {event.target} - {text}", now)
    if event.request_id:
        out.append(Answer(event.request_id, ok, text))


def set_rung(state: State, rung: Rung, who: str, reason: str, now: Instant) -> RungSet:
    """Sets the operator's rung and returns its record."""
    state.rungs.operator, state.rungs.operator_reason = rung, reason
    if rung is not Rung.HALTED:
        state.halting = Halting()
    state.tell("MODE", f"rung {rung.name} by {who}", now)
    return RungSet(rung, who, reason)


def halt(state: State, who: str, reason: str, now: Instant, out: list[Command]) -> int:
    """Halts: rung first and journalled, then cancels, which housekeeping verifies."""
    out.append(Journal(set_rung(state, Rung.HALTED, who, reason, now)))
    count = cancel_all(state, now, out)
    story = state.halting
    story.started_ns, story.orders, story.verified_ns = now.mono_ns, count, 0
    story.note = f"HALTING {count} orders" if count else "HALTED, no orders were live"
    return count


def _halt(state: State, event: OperatorCommand, now: Instant, out: list[Command]) -> Result:
    count = halt(state, event.who, event.reason or "operator", now, out)
    return True, f"halted; cancelling {count} orders"


def _rung(state: State, event: OperatorCommand, now: Instant, out: list[Command]) -> Result:
    rung = event.rung
    if rung is None:
        return False, "which rung? full, reduced, hedge or halted"
    old = state.rungs.operator
    if rung is Rung.HALTED:
        return _halt(state, event, now, out)
    if old < rung:
        refused = _raise_refused(state, event)
        if refused:
            return False, refused
    out.append(Journal(set_rung(state, rung, event.who, event.reason or "operator", now)))
    if rung < old:
        _drop_openings(state, rung, now, out)
    return True, f"rung {old.name} -> {rung.name}"


def _drop_openings(state: State, rung: Rung, now: Instant, out: list[Command]) -> None:
    reduced = state.settings.risk.reduced_strategies
    orders = [
        o
        for o in state.orders.live()
        if o.intent is IntentKind.ENTRY and (rung < Rung.REDUCED or o.strategy.value not in reduced)
    ]
    cancel(orders, f"rung {rung.name}", now, out)


def _raise_refused(state: State, event: OperatorCommand) -> str:
    if not event.confirmed:
        return "what raises risk must be confirmed"
    if event.frame and state.frame - event.frame > FRAME_AGE_MAX:
        return "the screen it rested on is too old; look again"
    return ""


def _release(state: State, event: OperatorCommand, now: Instant, out: list[Command]) -> Result:
    if state.rungs.operator is not Rung.HALTED:
        return False, "not halted by the operator"
    refused = _raise_refused(state, event)
    if refused:
        return False, refused
    out.append(Journal(set_rung(state, Rung.REDUCED, event.who, "released", now)))
    return True, "released to REDUCED"


def _flatten(state: State, event: OperatorCommand, now: Instant, out: list[Command]) -> Result:
    if not event.confirmed:
        return False, "flatten must be confirmed"
    every = not event.target
    desks = list(state.desks.values()) if every else _desks(state, event.target)
    if not desks:
        return False, f"no market {event.target}"
    if every:
        halt(state, event.who, "flatten", now, out)
    else:
        cancel(state.orders.live(desks[0].spec.market_id), "flatten", now, out)
    sold, held = 0, []
    for desk in desks:
        for outcome in Outcome:
            size = state.ledger.confirmed_e6(desk.spec.market_id, outcome)
            if state.ledger.size_e6(desk.spec.market_id, outcome) > size:
                held.append(f"{desk.spec.label} {outcome.value} not yet confirmed")
            if size <= 0:
                continue
            why = _sell(state, desk, outcome, size, now, out)
            sold += not why
            if why:
                held.append(f"{desk.spec.label} {outcome.value} {why}")
    tail = f"; stays: {', '.join(held)}" if held else ""
    return True, f"selling {sold} positions{tail}"


def _desks(state: State, target: str) -> list[Desk]:
    return [d for d in state.desks.values() if target in (d.spec.market_id, d.spec.slug)]


def _sell(
    state: State, desk: Desk, outcome: Outcome, size_e6: int, now: Instant, out: list[Command]
) -> str:
    top = desk.book.top(outcome)
    if not top.bid_e6:
        return "no bid"
    tick = desk.spec.grid.tick_e4
    floor = max(tick, (top.bid_e4 - FLATTEN_FLOOR_E4) // tick * tick)
    leg = Leg(outcome, Side.SELL, floor, size_e6, TIF.FAK)
    intent = Intent(
        StrategyId.OPERATOR, desk.spec.market_id, IntentKind.FLATTEN, (leg,), 0, note="flatten"
    )
    denied = open_intent(state, desk, intent, now, out)
    return denied.gate.value if denied else ""


def _cancel(state: State, event: OperatorCommand, now: Instant, out: list[Command]) -> Result:
    if not event.target:
        return True, f"cancelling {cancel_all(state, now, out)} orders"
    order = state.orders.by_id.get(event.target)
    if order is None or not order.live:
        return False, f"no live order {event.target[:12]}"
    cancel([order], "operator", now, out)
    return True, "cancelling 1 order"


def _mode(state: State, event: OperatorCommand, now: Instant, out: list[Command]) -> Result:
    mode, wanted = state.birth.mode, event.mode
    if mode in (Mode.SIM, Mode.REPLAY):
        return False, f"{mode.value} is fixed by --venues at start"
    if wanted not in STAND_INS or mode is Mode.LIVE:
        return False, "LIVE is begun and left at start: --live, or --mode dry and --mode paper"
    if wanted is mode:
        return True, f"the mode is {mode.value} already"
    orders = len(state.orders.exposed())
    held = len(state.ledger.open_markets())
    if orders or held:
        return False, f"only while flat: {orders} open orders, {held} markets with shares"
    evidence = MODE_EVIDENCE[wanted]
    state.birth = replace(state.birth, mode=wanted, evidence=evidence)
    out += [Journal(ModeSet(wanted, evidence, event.who)), SetMode(wanted)]
    state.tell("MODE", f"{mode.value} -> {wanted.value} by {event.who}", now)
    return True, f"{mode.value} -> {wanted.value}"


def _arm(state: State, event: OperatorCommand, now: Instant, out: list[Command]) -> Result:
    if state.birth.mode is not Mode.LIVE:
        return False, f"only a LIVE engine can be armed; this one is {state.birth.mode.value}"
    if event.target != state.settings.instance:
        return False, "the name typed is not this instance's"
    if state.rungs.armed:
        return True, "armed already"
    amiss = failed(build_view(state, now))
    if amiss:
        return False, f"preflight failed: {'; '.join(amiss)}"
    state.rungs.armed = True
    out.append(Journal(set_rung(state, Rung.REDUCED, event.who, "armed", now)))
    return True, "armed at REDUCED"


def _disarm(state: State, event: OperatorCommand, now: Instant, out: list[Command]) -> Result:
    halt(state, event.who, "disarmed", now, out)
    state.rungs.armed = state.birth.mode is not Mode.LIVE
    return True, "disarmed and halted"


def _reset(state: State, event: OperatorCommand, now: Instant, out: list[Command]) -> Result:
    if event.target not in state.breakers.by_name:
        names = ", ".join(sorted(state.breakers.by_name))
        return False, f"no breaker {event.target}; there are {names}"
    if not event.reason:
        return False, "a reset needs a reason"
    if event.target == "loss.day" and state.breakers.still_beyond(event.target):
        return False, "the day's loss is still past its limit: another UTC day, or another limit"
    change = state.breakers.reset(event.target, event.reason)
    if change is None:
        return False, f"{event.target} is not tripped"
    _forgive(state, event.target)
    out.append(
        Journal(
            BreakerMoved(
                change.name, False, change.now, change.limit, change.effect, event.who, event.reason
            )
        )
    )
    apply_cap(state, now, out)
    state.tell("BRK", f"{event.target} reset by {event.who}: {event.reason}", now)
    return True, f"{event.target} reset"


def _forgive(state: State, name: str) -> None:
    """Starts a reset breaker's number anew, or it would trip again at once."""
    if name == "loss.streak":
        state.ledger.pnl.streak = 0
    elif name == "loss.drawdown":
        state.peak_e6 = None
    elif name == "fee.gap":
        state.tallies.fee_gap_e5 = 0
    elif name == "wallet":
        state.tallies.foreign = 0
    elif name == "auth":
        state.seen.venue_mode = VenueModeKind.NORMAL


def _strategy(state: State, event: OperatorCommand, now: Instant, out: list[Command]) -> Result:
    try:
        strategy = StrategyId(event.target)
    except ValueError:
        return False, f"no strategy {event.target}"
    if event.verb is OperatorVerb.STRATEGY_PAUSE:
        state.rungs.paused.add(strategy)
        orders = [
            o
            for o in state.orders.live()
            if o.strategy is strategy and o.intent is IntentKind.ENTRY
        ]
        cancel(orders, "strategy paused", now, out)
        return True, f"{strategy.value} paused"
    state.rungs.paused.discard(strategy)
    return True, f"{strategy.value} resumed"


def _reconcile(state: State, event: OperatorCommand, now: Instant, out: list[Command]) -> Result:
    del event
    ask_account(state, now, out)
    return True, "asked for a snapshot of the account"


def _claim(state: State, event: OperatorCommand, now: Instant, out: list[Command]) -> Result:
    """Checks that what decided markets paid has come: the venue redeems winners by itself."""
    del event
    paid = [books.paid_e6 for books in state.ledger.markets.values() if books.paid_e6]
    ask_account(state, now, out)
    total = sum(paid) / 1e6
    return True, f"the venue redeems by itself; checking {len(paid)} payouts, {total:,.2f} in all"


def _reload(state: State, event: OperatorCommand, now: Instant, out: list[Command]) -> Result:
    if event.settings is not None:
        refused = _raise_refused(state, event)
        if refused:
            return False, refused
    return take_settings(state, event, now, out)


def _lease(state: State, event: OperatorCommand, now: Instant, out: list[Command]) -> Result:
    """Writes down who took or freed the lease; the control socket has decided it already."""
    del state, now, out
    return True, "the lease is free" if event.target else f"{event.who} holds the lease"


def _ack(state: State, event: OperatorCommand, now: Instant, out: list[Command]) -> Result:
    del now, out
    count = 0
    for key, row in list(state.alerts.items()):
        if not row.acked and event.target in ("", key):
            state.alerts[key] = row.__class__(
                row.key, row.wall_ns, row.severity, row.text, row.count, True
            )
            count += 1
    return True, f"{count} alerts acknowledged"


def _stop(state: State, event: OperatorCommand, now: Instant, out: list[Command]) -> Result:
    if not event.confirmed:
        return False, "stopping the engine must be confirmed"
    on_stop(state, StopRequested(f"asked by {event.who}"), now, out)
    return True, "stopping: entries end, orders are cancelled and verified"


def on_stop(state: State, event: StopRequested, now: Instant, out: list[Command]) -> None:
    """Ends entries, cancels opening orders; housekeeping exits once all is verified."""
    first = not state.rungs.stopping
    state.rungs.stopping = True
    if first:
        state.stop_why = event.why
        state.stop_deadline_ns = now.mono_ns + STOP_WAIT_NS
        state.tell("MODE", f"stopping: {event.why}", now, Severity.WARNING)
        cancel_all(state, now, out)
    if event.at_once:
        state.stop_deadline_ns = now.mono_ns
    state.next_tick_ns = now.mono_ns


_VERBS: dict[OperatorVerb, Callable[[State, OperatorCommand, Instant, list[Command]], Result]] = {
    OperatorVerb.HALT: _halt,
    OperatorVerb.RUNG: _rung,
    OperatorVerb.RELEASE: _release,
    OperatorVerb.FLATTEN: _flatten,
    OperatorVerb.CANCEL: _cancel,
    OperatorVerb.MODE: _mode,
    OperatorVerb.ARM: _arm,
    OperatorVerb.DISARM: _disarm,
    OperatorVerb.BREAKER_RESET: _reset,
    OperatorVerb.STRATEGY_PAUSE: _strategy,
    OperatorVerb.STRATEGY_RESUME: _strategy,
    OperatorVerb.RECONCILE: _reconcile,
    OperatorVerb.CLAIM: _claim,
    OperatorVerb.RELOAD: _reload,
    OperatorVerb.LEASE: _lease,
    OperatorVerb.ACK: _ack,
    OperatorVerb.STOP: _stop,
}

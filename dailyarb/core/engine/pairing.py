"""Pairs at work: what each sees of its market, and its next step as orders, cancels and records."""

from __future__ import annotations

from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.commands import Command
from dailyarb.core.domain.events import VenueModeKind
from dailyarb.core.domain.ids import Severity
from dailyarb.core.domain.market import MarketState, Outcome, Side
from dailyarb.core.domain.orders import OrderState
from dailyarb.core.engine.state import Desk, State
from dailyarb.core.engine.trading import cancel, open_intent
from dailyarb.core.execution.pairs import Pair, PairStep, PairView


def step_pairs(state: State, now: Instant, out: list[Command]) -> None:
    """Lets every open pair take its next step."""
    for pair in list(state.pairs.open.values()):
        desk = state.desks.get(pair.market_id)
        pair.due_ns = 0
        signing = [o for o in state.orders.exposed(pair.market_id) if not o.live]
        if desk is not None and not signing:
            step = state.pairs.step(pair, _view(state, desk, pair, now), now.mono_ns)
            _take(state, desk, pair, step, now, out)


def _view(state: State, desk: Desk, pair: Pair, now: Instant) -> PairView:
    live = [o for o in state.orders.live(pair.market_id) if o.pair_id == pair.pair_id]
    ledger, seen = state.ledger, state.seen
    mode = seen.venue_mode if now.mono_ns <= seen.venue_mode_ns else VenueModeKind.NORMAL
    return PairView(
        desk.spec,
        desk.book,
        ledger.proven_e6(pair.market_id, pair.strategy, Outcome.UP),
        ledger.proven_e6(pair.market_id, pair.strategy, Outcome.DOWN),
        tuple(o.order_id for o in live),
        desk.state in (MarketState.RESOLVED, MarketState.SETTLED),
        tuple(o.order_id for o in live if not o.takes or o.state is OrderState.UNKNOWN),
        tuple(o.outcome for o in live if o.side is Side.BUY and not o.takes),
        mode is VenueModeKind.POST_ONLY,
        mode is VenueModeKind.CLOSED_ONLY,
    )


def _take(
    state: State, desk: Desk, pair: Pair, step: PairStep, now: Instant, out: list[Command]
) -> None:
    if step.cancel:
        orders = [state.orders.by_id[i] for i in step.cancel]
        cancel([o for o in orders if not o.cancel_ns], "pair deadline", now, out)
    if step.closed is not None:
        state.record(step.closed, now, out)
        story = step.closed
        if story.result != "unfilled":
            text = f"{desk.spec.label} pair {story.result} {story.captured_e6 / 1e6:+.2f}"
            state.tell("ORDER", text, now)
    denied = open_intent(state, desk, step.intent, now, out) if step.intent else None
    if step.stuck or denied is not None:
        why = denied.gate.value if denied else "no exit within max_unwind_loss_usd"
        state.alert(
            Severity.CRITICAL,
            f"pair.naked.{pair.pair_id}",
            f"{desk.spec.label}: one leg of a pair stays open ({why})",
            now,
            out,
        )


def locked_e6(state: State) -> int:
    """Returns the cash in completed pairs: a dollar for two shares, until merged or settled."""
    total = 0
    for market_id in state.ledger.open_markets():
        held = [state.ledger.confirmed_e6(market_id, outcome) for outcome in Outcome]
        total += max(0, min(held))
    return total

"""From a scene to an order: evaluate, gate, draft, sign, submit.

Every evaluation ends in an intent or in one named gate. From frame to Submit this is one
synchronous run: the answers to `Sign` come back inside it.
"""

from __future__ import annotations

import msgspec

from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.commands import Cancel, CancelAll, Command, Sign, SignedOrder, Submit
from dailyarb.core.domain.events import Signed
from dailyarb.core.domain.ids import Gate
from dailyarb.core.domain.intents import (
    ANYTHING,
    TIME,
    TOUCH,
    Blocked,
    CancelIntent,
    Intent,
    IntentKind,
    Leg,
)
from dailyarb.core.domain.market import MarketState, Outcome, Side
from dailyarb.core.domain.orders import OrderState
from dailyarb.core.domain.records import IntentTaken
from dailyarb.core.domain.rung import Rung
from dailyarb.core.domain.settings import usd_e6
from dailyarb.core.domain.units import MS, PRICE_ONE_E4, SECOND, SIZE_ONE_E6, notional_up
from dailyarb.core.domain.view import DecisionRow
from dailyarb.core.engine.context import fill
from dailyarb.core.engine.scenes import build_scene, own_part, value
from dailyarb.core.engine.state import Desk, GateCount, State, Verdicts
from dailyarb.core.execution.orders import Order
from dailyarb.core.ledger.pnl import Tally
from dailyarb.core.risk.exposure import (
    Item,
    Outlook,
    Standing,
    fill_item,
    order_item,
    outlook,
    unmatched_e6,
)
from dailyarb.core.risk.gate import Denied, Situation, strategy_needs
from dailyarb.core.strategies.base import Strategy, fee_per_share_e4
from dailyarb.core.strategies.combine import Budget, combine

LOOK_NS = SECOND  # a strategy looks at everything at least so often
RECANCEL_NS = 2 * SECOND  # before a cancel without effect is asked for again


def evaluate(state: State, desk: Desk, now: Instant, out: list[Command], news: int) -> None:
    """Runs the strategies that this news can move on one market, and acts on what they want."""
    waits, rests = desk.waits, desk.rests
    asked = [
        s
        for s in state.strategies
        if news & waits.get(s.id, ANYTHING) or (news & TIME and now.mono_ns >= rests.get(s.id, 0))
    ]
    if not asked:
        return
    if news & ~TOUCH or any(strategy.values for strategy in asked):
        desk.valued = value(desk, state.assets[desk.spec.asset], now)
    scene = desk.scene = build_scene(state, desk, now)
    wanted: list[tuple[Strategy, Intent]] = []
    for strategy in asked:
        own_part(state, desk, strategy, scene)
        if state.watch is not None:
            fill(state, desk, strategy.id, scene, now)
        state.tallies.evaluated += 1
        verdict = strategy.evaluate(scene)
        if isinstance(verdict, Blocked):
            note_blocked(state, desk, strategy, verdict, now)
            # Whoever holds shares may want to leave: that looks at everything.
            free = not any(scene.held.values())
            waits[strategy.id] = verdict.waits if free else ANYTHING
            rests[strategy.id] = min(verdict.until_ns, now.mono_ns + LOOK_NS) if free else 0
            continue
        waits[strategy.id], rests[strategy.id] = ANYTHING, 0
        for wish in verdict:
            if isinstance(wish, CancelIntent):
                orders = [
                    o
                    for o in state.orders.live(desk.spec.market_id)
                    if o.strategy is wish.strategy and not o.cancel_ns
                ]
                cancel(orders, wish.reason, now, out)
            else:
                wanted.append((strategy, wish))
    if len(wanted) > 1:
        wanted = _agreed(state, desk, wanted, now)
    for strategy, wish in wanted:
        denied = open_intent(state, desk, wish, now, out)
        if denied is not None:
            note_blocked(state, desk, strategy, denied, now)
        else:
            note_acted(state, desk, strategy, wish, now)


def _agreed(
    state: State, desk: Desk, wanted: list[tuple[Strategy, Intent]], now: Instant
) -> list[tuple[Strategy, Intent]]:
    """Nets what several strategies want at once and shares what may still be lost among them."""
    risk, market_id = state.settings.risk, desk.spec.market_id
    others = sum(market_outlook(state, m).worst_e6 for m in active_markets(state) if m != market_id)
    worst = market_outlook(state, market_id).worst_e6
    budget = Budget(
        usd_e6(risk.max_worst_case_market_usd) + worst,
        usd_e6(risk.max_worst_case_total_usd) + worst + others,
    )
    combined = combine([wish for _, wish in wanted], desk.spec, budget)
    by_id = {strategy.id: strategy for strategy, _ in wanted}
    for wish, blocked in combined.dropped:
        note_blocked(state, desk, by_id[wish.strategy], blocked, now)
    return [(by_id[wish.strategy], wish) for wish in combined.kept]


def note_blocked(
    state: State, desk: Desk, strategy: Strategy, blocked: Blocked, now: Instant
) -> None:
    """Counts the gate and remembers it as the reason why this market does not trade."""
    second = now.mono_ns // SECOND
    state.tallies.gates.setdefault(blocked.gate, GateCount()).hit(second, blocked)
    last = desk.verdicts.setdefault(strategy.id, Verdicts())
    if last.blocked is None or last.blocked.gate is not blocked.gate:
        last.since_wall_ns = now.wall_ns
        state.decisions.append(_decision(desk, strategy, blocked, None, now))
    last.blocked = blocked


def note_acted(state: State, desk: Desk, strategy: Strategy, intent: Intent, now: Instant) -> None:
    """Counts a signal that became an order."""
    state.tallies.acted += 1
    state.tallies.signals[strategy.id.value] += 1
    last = desk.verdicts.setdefault(strategy.id, Verdicts())
    last.blocked, last.acted_ns, last.since_wall_ns = None, now.mono_ns, now.wall_ns
    state.decisions.append(_decision(desk, strategy, None, intent, now))


def _decision(
    desk: Desk, strategy: Strategy, blocked: Blocked | None, intent: Intent | None, now: Instant
) -> DecisionRow:
    leg = intent.legs[0] if intent else None
    fee = 0
    if leg is not None and not leg.post_only:
        fee = round(fee_per_share_e4(leg.price_e4, desk.spec.fees.rate_e6))
    net = intent.edge_e4 if intent else 0
    return DecisionRow(
        wall_ns=now.wall_ns,
        market_id=desk.spec.market_id,
        label=desk.spec.label,
        strategy=strategy.id,
        acted=intent is not None,
        gate=blocked.gate if blocked else None,
        outcome=leg.outcome if leg else None,
        side=leg.side if leg else None,
        price_e4=leg.price_e4 if leg else 0,
        size_e6=leg.size_e6 if leg else 0,
        edge_e4=net + fee,
        fee_e4=fee,
        net_e4=net,
        note=intent.note if intent else "",
        now=blocked.now if blocked else 0.0,
        limit=blocked.limit if blocked else 0.0,
    )


def standing_of(state: State, market_id: str) -> tuple[Standing, list[Item]]:
    """Returns what is certain in a market and every item that may or may not happen."""
    books = state.ledger.markets.get(market_id)
    standing = Standing()
    items: list[Item] = []
    if books is not None and not books.settled:
        waiting = state.ledger.provisional(market_id)
        flow = books.flow_e6 - sum(f.cash_e6 - f.fee_e6 for f in waiting)
        standing = Standing(
            flow, books.confirmed.size_e6(Outcome.UP), books.confirmed.size_e6(Outcome.DOWN)
        )
        items += [fill_item(f) for f in waiting]
    desk = state.desks.get(market_id)
    rate = desk.spec.fees.rate_e6 if desk else 0
    for order in state.orders.exposed(market_id):
        if order.left_e6:
            items.append(
                order_item(
                    order.outcome, order.side, order.price_e4, order.left_e6, rate, order.post_only
                )
            )
    return standing, items


def matched_of(state: State, market_id: str) -> Standing:
    """Returns a market's standing with provisional fills counted as done."""
    books = state.ledger.markets.get(market_id)
    if books is None or books.settled:
        return Standing()
    up, down = (books.positions.size_e6(o) for o in (Outcome.UP, Outcome.DOWN))
    return Standing(books.flow_e6, up, down)


def market_outlook(state: State, market_id: str) -> Outlook:
    """Returns the worst and best result of a market at settlement (I6)."""
    return outlook(*standing_of(state, market_id))


def active_markets(state: State) -> list[str]:
    """Returns markets with shares, live orders, or orders being signed."""
    ids = dict.fromkeys(state.ledger.open_markets())
    ids.update(dict.fromkeys(order.market_id for order in state.orders.exposed()))
    return list(ids)


def situation(state: State, desk: Desk, intent: Intent, now: Instant) -> Situation:
    """Returns everything the risk gate looks at."""
    market_id = desk.spec.market_id
    standing, items = standing_of(state, market_id)
    active = active_markets(state)
    others = sum(market_outlook(state, m).worst_e6 for m in active if m != market_id)
    waiting = state.orders.exposed(market_id)
    held = {o: state.ledger.confirmed_e6(market_id, o) for o in Outcome}
    for order in waiting:
        if order.side is Side.SELL:
            held[order.outcome] -= order.left_e6
    for sale in state.ledger.provisional(market_id):
        if sale.side is Side.SELL:  # though not yet for good: the venue has them no more
            held[sale.outcome] -= sale.size_e6
    own = [
        Leg(o.outcome, o.side, o.price_e4, o.left_e6, o.tif, o.post_only)
        for o in waiting
        if not o.withdrawn
    ]
    rung = state.rungs.overall()[0] if _operator(intent) else state.rungs.of(intent.strategy)
    return Situation(
        rung=rung,
        standing=standing,
        items=items,
        worst_others_e6=others,
        day_net_e6=day_net(state, now).net_e6 + unrealised_e6(state),
        open_markets=len(active),
        market_open=market_id in active,
        unknown_orders=len(state.orders.unknown()),
        free_cash_e6=free_cash_e6(state),
        naked_e6=state.pairs.naked_e6() + state.pairs.dust_e6(active),
        naked_possible_e6=naked_possible_e6(state),
        overdue_ms=state.pairs.overdue_ms(now.mono_ns),
        held=held,
        waiting=own,
        matched=matched_of(state, market_id),
        recovering=state.rungs.booting,
        stopping=state.rungs.stopping,
    )


def naked_possible_e6(state: State) -> int:
    """Returns what all open pairs may yet leave unmatched, at the price of their dearest leg (I7).

    Any of them may fill on one side only, all at once; so their sum is what a new pair adds to.
    """
    total = 0
    for pair in state.pairs.open.values():
        market_id = pair.market_id
        waiting = state.orders.exposed(market_id)
        buys = [o for o in waiting if o.pair_id == pair.pair_id and o.side is Side.BUY]
        left = {side: sum(o.left_e6 for o in buys if o.outcome is side) for side in Outcome}
        shares = unmatched_e6(pair.excess_e6, left[Outcome.UP], left[Outcome.DOWN])
        paid = [-(-pair.leg(o).cost_e6(SIZE_ONE_E6) // 100) for o in Outcome]
        total += notional_up(max([*paid, *(o.price_e4 for o in buys)]), shares)
    return total


def _operator(intent: Intent) -> bool:
    return intent.kind is IntentKind.FLATTEN


def day_net(state: State, now: Instant) -> Tally:
    """Returns the tally of the present UTC day."""
    return state.ledger.pnl.day(now.wall_ns)


def unrealised_e6(state: State) -> int:
    """Returns open confirmed positions at mid less their cost; one-sided books mark at the bid."""
    total = 0
    for market_id in state.ledger.open_markets():
        desk = state.desks.get(market_id)
        books = state.ledger.markets[market_id]
        if desk is None:
            continue
        price = mark_e4(desk)
        total += sum(books.confirmed.unrealised_e6(s, price) for s in books.confirmed.owners())
    return total


def mark_e4(desk: Desk) -> int:
    """Returns the UP price at which open shares are marked: mid, or the side that is left."""
    if desk.resolved_e4 is not None:
        return desk.resolved_e4
    top = desk.book.top(Outcome.UP)
    if top.two_sided:
        return top.mid_e4
    if top.bid_e6:
        return top.bid_e4
    return top.ask_e4 if top.ask_e6 else 5_000


def free_cash_e6(state: State) -> int:
    """Returns cash not reserved by buys that are working or being signed."""
    reserved = sum(
        notional_up(o.price_e4, o.left_e6) for o in state.orders.exposed() if o.side is Side.BUY
    )
    return state.ledger.accounts.cash - reserved


def open_intent(
    state: State, desk: Desk, intent: Intent, now: Instant, out: list[Command]
) -> Blocked | None:
    """Puts an intent through the gate and drafts its orders; returns the gate that stopped it."""
    if desk.state is not MarketState.TRADABLE and intent.kind is IntentKind.ENTRY:
        return Blocked(Gate.NOT_TRADABLE)
    if now.wall_ns >= desk.spec.end_ns:
        return Blocked(Gate.TIME_TO_CLOSE, (desk.spec.end_ns - now.wall_ns) / SECOND)
    wait_ns = state.balance_waits.left_ns(intent.market_id, now.mono_ns)
    if wait_ns and intent.kind in (IntentKind.ENTRY, IntentKind.EXIT):
        return Blocked(Gate.BALANCE_WAIT, wait_ns / SECOND)
    verdict = state.gate.admit(intent, desk.spec, situation(state, desk, intent, now), now.mono_ns)
    if isinstance(verdict, Denied):
        return verdict.blocked
    taken = verdict.intent
    intent_id = state.number()
    if taken.pair_id < 0:
        taken = msgspec.structs.replace(taken, pair_id=state.number())
        state.pairs.start(
            taken.pair_id,
            taken.market_id,
            taken.strategy,
            taken.edge_e4,
            state.settings.risk.max_leg_delay_ms * MS,
            now.mono_ns,
        )
    state.gate.count_orders(now.mono_ns, len(taken.legs))
    top = desk.book.top(Outcome.UP)
    state.record(
        IntentTaken(
            intent_id, taken.strategy, taken.market_id, taken.kind, taken.edge_e4, taken.fair_e4,
            top.bid_e4, top.ask_e4, taken.pair_id, len(taken.legs), taken.note,
        ),
        now,
        out,
    )  # fmt: skip
    out.extend(
        Sign(state.orders.draft(taken, leg, intent_id, desk.spec, now)) for leg in taken.legs
    )
    desk.last_trade_ns[taken.strategy] = now.mono_ns
    return None


def on_signed(state: State, event: Signed, now: Instant, out: list[Command]) -> None:
    """Journals a signed order; sends the batch once all legs of the intent are journalled."""
    order = state.orders.signed(event, out)
    if order is None:
        return
    batch = state.orders.siblings(order)
    if batch is None:
        return
    refused = _last_gate(state, batch)
    if refused:
        for leg in batch:
            state.orders.move(leg, OrderState.CANCELLED, refused, out)
        return
    for leg in batch:
        leg.trigger_ns = state.trigger_ns
        leg.decided_ns = now.mono_ns
        if not leg.takes:
            leg.queue_e6 = _queue_ahead(state, leg)
    state.tallies.sent += len(batch)
    for leg in batch:
        state.orders.sent(leg, now)
    _note_sent(state, batch)
    out.append(
        Submit(
            tuple(SignedOrder(o.order_id, o.order_json, o.tif, o.post_only) for o in batch),
            now.mono_ns,
            state.trigger_ns,
            now.mono_ns,
        )
    )


def _note_sent(state: State, batch: list[Order]) -> None:
    """Notes the edge a pair has by the touch as its legs leave: rests cost what they bid."""
    first = batch[0]
    if first.pair_id <= 0 or first.intent is not IntentKind.ENTRY:
        return
    desk = state.desks[first.market_id]
    cost = 0.0
    for leg in batch:
        ask = desk.book.top(leg.outcome).ask_e4
        cost += ask + fee_per_share_e4(ask, desk.spec.fees.rate_e6) if leg.takes else leg.price_e4
    state.pairs.sent(first.pair_id, round(PRICE_ONE_E4 - cost))


def _last_gate(state: State, batch: list[Order]) -> str:
    """Checks the rung once more, at the last place before the wire (I5)."""
    kind = batch[0].intent
    rung = state.rungs.of(batch[0].strategy)
    if rung is Rung.HALTED and kind is not IntentKind.FLATTEN:
        return "halted"
    if kind is IntentKind.ENTRY:
        needed = strategy_needs(batch[0].strategy, state.settings.risk.reduced_strategies)
        if rung < needed:
            return f"rung {rung.name}"
    desk = state.desks.get(batch[0].market_id)
    if desk is None or not all(desk.spec.grid.on_tick(o.price_e4) for o in batch):
        return "off the grid in force"
    return ""


def _queue_ahead(state: State, order: Order) -> int:
    book = state.desks[order.market_id].book
    for price, size in book.levels(order.outcome, order.side, 50):
        if price == order.price_e4:
            return size
    return 0


def cancel(orders: list[Order], reason: str, now: Instant, out: list[Command]) -> None:
    """Asks for orders to be cancelled; a cancel is a request, not a state."""
    asked = [o for o in orders if o.order_id and o.live and not o.withdrawn]
    if not asked:
        return
    for order in asked:
        _wanted_gone(order, now)
        order.reason = order.reason or reason
    out.append(Cancel(tuple(o.order_id for o in asked), now.mono_ns))


def cancel_all(state: State, now: Instant, out: list[Command]) -> int:
    """Asks for everything to be cancelled; returns how many were live."""
    working = state.orders.working()
    for order in working:
        _wanted_gone(order, now)
    out.append(CancelAll(now.mono_ns))
    return len(working)


def _wanted_gone(order: Order, now: Instant) -> None:
    if not order.cancel_ns:
        # Asking again to cancel must not put off the question what became of it.
        order.asks, order.asked_ns = 0, now.mono_ns
    order.cancel_ns = now.mono_ns

"""Handlers of our own orders, fills and account."""

from __future__ import annotations

from msgspec.structs import replace

from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.commands import Command, Journal, QueryAccount
from dailyarb.core.domain.events import (
    AccountReport,
    CancelResult,
    ClaimReport,
    Fill,
    FillConfirmed,
    FillVoided,
    HeartbeatResult,
    LegOutcome,
    LegResult,
    OrderReport,
    Signed,
    SubmitResult,
    VenueMode,
    VenueModeKind,
)
from dailyarb.core.domain.ids import Severity, StrategyId
from dailyarb.core.domain.intents import IntentKind
from dailyarb.core.domain.market import Outcome, Side, taker_fee_e6
from dailyarb.core.domain.orders import FillState, OrderState
from dailyarb.core.domain.records import (
    Adjusted,
    FillBooked,
    FillProven,
    OrderMoved,
)
from dailyarb.core.domain.units import FEE_STEP_E6, MS, SECOND, notional_down, notional_up
from dailyarb.core.domain.view import FillRow
from dailyarb.core.engine.adoption import adopt, all_arrived
from dailyarb.core.engine.caps import heard_path
from dailyarb.core.engine.state import State
from dailyarb.core.engine.trading import RECANCEL_NS, mark_e4, on_signed
from dailyarb.core.execution.orders import Order
from dailyarb.core.execution.pairs import Moved
from dailyarb.core.risk.circuit import Told

CASH_SLACK_E6 = 10_000  # one cent
SHARE_SLACK_E6 = 10_000  # a hundredth of a share
SHARE_LAG_NS = 60 * SECOND
PAYOUT_LAG_NS = 60 * SECOND
QUERY_TIMEOUT_NS = 10 * SECOND
INCOMPLETE_NS = SECOND  # before a snapshot that came incomplete is asked for again
CANCEL_PAUSE_NS = 500 * MS  # before an unanswered cancel is sent again
MODE_HOLD_S = 30.0  # how long a restriction is believed when the venue does not say


def signed(state: State, event: Signed, now: Instant, out: list[Command]) -> None:
    """A draft was signed."""
    on_signed(state, event, now, out)


def on_submit(state: State, event: SubmitResult, now: Instant, out: list[Command]) -> None:
    """The answer to a submit, order by order."""
    tallies = state.tallies
    unread = (LegOutcome.UNKNOWN, LegOutcome.UNSENT)
    readable = any(found.outcome not in unread for found in event.results)
    for found in event.results:
        order = state.proofs.result(found, now, out)
        if order is not None:
            _count_result(state, order, found, now, out)
            state.pairs.heard(order.pair_id, now.mono_ns)
    causes = "; ".join(dict.fromkeys(found.reason for found in event.results if found.reason))
    heard_path(state, Told(readable, event.asked_ns, causes), now, out)
    if event.sent_ns and event.answered_ns:
        tallies.answers_ms.append((now.mono_ns, (event.answered_ns - event.sent_ns) / MS))


def _count_result(
    state: State, order: Order, found: LegResult, now: Instant, out: list[Command]
) -> None:
    tallies = state.tallies
    outcome = found.outcome
    refused = outcome in (LegOutcome.REFUSED, LegOutcome.UNSENT)
    if outcome is LegOutcome.UNKNOWN:
        tell_unknown(state, order, found.reason, now, out)
        return
    tallies.outcomes.append((now.mono_ns, refused))
    if refused:
        tallies.rejected += 1
        tallies.reasons[_short(found.reason)] += 1
        if found.no_balance:
            tallies.no_balance.append(now.mono_ns)
        if found.no_balance or order.intent is IntentKind.EXIT:  # wanted again at the next frame
            state.balance_waits.refused(order.market_id, now.mono_ns)
        state.tell("REJECT", f"{_words(state, order)}: {found.reason}", now, Severity.WARNING)
        return
    tallies.acked += 1
    state.balance_waits.accepted(order.market_id, now.mono_ns)
    if outcome is LegOutcome.KILLED:
        tallies.killed += 1
        state.tell("CANCEL", f"{_words(state, order)} killed: no match", now)
    else:
        state.tell("ORDER", _words(state, order), now)


def tell_unknown(state: State, order: Order, reason: str, now: Instant, out: list[Command]) -> None:
    """Counts and tells an order whose outcome is not proven."""
    state.tallies.unknown += 1
    state.alert(
        Severity.WARNING,
        f"order.unknown.{order.market_id}",
        f"outcome of an order in {_label(state, order.market_id)} is unknown: {reason}",
        now,
        out,
    )


def _short(reason: str) -> str:
    return reason.split(":", maxsplit=1)[0][:40] or "no reason given"


def _label(state: State, market_id: str) -> str:
    desk = state.desks.get(market_id)
    return desk.spec.label if desk else market_id[:10]


def _words(state: State, order: Order) -> str:
    side = "BUY" if order.side is Side.BUY else "SELL"
    label = _label(state, order.market_id)
    size, price = order.size_e6 / 1e6, order.price_e4 / 100
    return f"{label} {side} {order.outcome.value} {size:g}@{price:g}"


def _tell_cancelled(state: State, order: Order, now: Instant) -> None:
    state.tallies.cancelled += 1
    why = f": {order.reason}" if order.reason else ""
    state.tell("CANCEL", _words(state, order) + why, now)


def on_report(state: State, event: OrderReport, now: Instant, out: list[Command]) -> None:
    """The venue's word on one order."""
    order = state.orders.by_id.get(event.order_id)
    was, told = (order.state, order.withdrawn) if order else (None, False)
    state.proofs.report(event, out, now.mono_ns)
    if order is None or order.state is was:
        return
    state.pairs.heard(order.pair_id, now.mono_ns)
    if order.state is OrderState.CANCELLED and not told:
        _tell_cancelled(state, order, now)
    if order.owed_e6 and not order.live:
        text = f"{_words(state, order)}: {order.owed_e6 / 1e6:g} matched shares never arrived"
        state.alert(Severity.CRITICAL, f"order.owed.{order.order_id[:12]}", text, now, out)


def on_cancelled(state: State, event: CancelResult, now: Instant, out: list[Command]) -> None:
    """The answer to a cancel: proven ones are over, the others are asked about."""
    for order_id in event.cancelled:
        order = state.orders.by_id.get(order_id)
        if order is None or not state.proofs.cancelled(order, now.mono_ns, out):
            continue
        state.pairs.heard(order.pair_id, now.mono_ns)
        _tell_cancelled(state, order, now)
    for order_id, reason in event.not_cancelled:
        order = state.orders.by_id.get(order_id)
        if order is not None and order.live:
            # "already canceled or matched": ask which, at once (nautilus_trader#3797).
            order.reason = reason
            order.asked_ns, order.asks = 0, 0
    readable = event.proven or event.refused != ""
    heard_path(state, Told(readable, event.asked_ns, "cancel unanswered"), now, out)
    if not event.proven:
        for order in state.orders.working():
            if order.cancel_ns:
                # Still wanted gone: housekeeping asks again soon, not at once (F62).
                order.cancel_ns = max(1, now.mono_ns - RECANCEL_NS + CANCEL_PAUSE_NS)


def on_fill(state: State, event: Fill, now: Instant, out: list[Command]) -> None:
    """Our part of a trade: booked once per (trade_id, order_id), whoever tells it first."""
    old = state.ledger.fill(event.trade_id, event.order_id)
    if old is not None:
        _compare(state, old, event, now, out)
        _prove(state, event, now, out)
        return
    if event.state is FillState.VOIDED:
        return
    if event.market_id in state.ledger.closed:
        # Its books were shut long after the last news of it: this fill was counted then.
        text = f"news of fill {event.trade_id} of a market whose books are shut"
        state.alert(Severity.WARNING, f"fill.shut.{event.market_id}", text, now, out)
        return
    order = state.orders.by_id.get(event.order_id)
    if order is None and state.birth.rebooted and state.rungs.booting:
        return  # perhaps of an order that is lost: the next snapshot tells of both
    desk = state.desks.get(event.market_id)
    buy = event.side is Side.BUY
    cash = (
        -notional_up(event.price_e4, event.size_e6)
        if buy
        else notional_down(event.price_e4, event.size_e6)
    )
    fee = _fee(state, event)
    mid = mark_e4(desk) if desk else 0
    booked = FillBooked(
        event.trade_id, event.order_id, order.strategy if order else StrategyId.OPERATOR,
        event.market_id, event.outcome, event.side, event.price_e4, event.size_e6, cash, fee,
        event.maker, event.state, event.match_ns, order.fair_e4 if order else 0, mid,
    )  # fmt: skip
    state.record(booked, now, out)
    if order is None:
        _foreign(state, booked, now, out)
        return
    state.tallies.filled += order.filled_e6 == 0
    state.proofs.fill(event, now.mono_ns, out)
    _pair(state, order, moved_of(booked, order), now)
    if not event.maker:
        state.tallies.slips_e4.append((now.mono_ns, _slip(order, event)))
    state.fills.append(fill_row(state, booked, order, now))
    state.marking[booked.trade_id, booked.order_id] = now.mono_ns
    part = f"{event.size_e6 / 1e6:g}@{event.price_e4 / 100:g}"
    kind = "maker" if event.maker else "taker"
    side = "BUY" if buy else "SELL"
    text = f"{_label(state, event.market_id)} {side} {event.outcome.value} {part} {kind}"
    state.tell("FILL", text, now)


def moved_of(fill: FillBooked, order: Order) -> Moved:
    """Returns a fill as its pair counts it."""
    way_out = order.intent in (IntentKind.COMPLETE, IntentKind.UNWIND)
    return Moved(fill.outcome, fill.side, fill.size_e6, fill.cash_e6, fill.fee_e6, way_out)


def _pair(state: State, order: Order, moved: Moved, now: Instant) -> None:
    if order.pair_id > 0:
        state.pairs.fill(order.pair_id, moved, now.mono_ns)
    elif order.intent is IntentKind.FLATTEN:
        # The operator sold a pair's shares: it must not buy their partners any more.
        state.pairs.sold_elsewhere(order.market_id, moved, now.mono_ns)


def _slip(order: Order, fill: Fill) -> int:
    worse = fill.price_e4 - order.price_e4
    return worse if order.side is Side.BUY else -worse


def _fee(state: State, event: Fill) -> int:
    """Returns the fee charged, or the expected one; a difference feeds its breaker (F59)."""
    desk = state.desks.get(event.market_id)
    if desk is None:
        return max(0, event.fee_e6)
    rate = 0 if event.maker else desk.spec.fees.rate_e6
    expected = taker_fee_e6(event.price_e4, event.size_e6, rate)
    if event.fee_e6 < 0:
        return expected
    gap_e5 = abs(event.fee_e6 - expected) // FEE_STEP_E6
    state.tallies.fee_gap_e5 = max(state.tallies.fee_gap_e5, gap_e5)
    return event.fee_e6


def _compare(state: State, old: FillBooked, event: Fill, now: Instant, out: list[Command]) -> None:
    if (old.price_e4, old.size_e6, old.side) != (event.price_e4, event.size_e6, event.side):
        state.alert(
            Severity.CRITICAL,
            f"fill.differs.{event.trade_id}",
            f"a second copy of fill {event.trade_id} differs in money; the first is kept",
            now,
            out,
        )


def _prove(state: State, event: Fill, now: Instant, out: list[Command]) -> None:
    if event.state is FillState.CONFIRMED:
        on_confirmed(state, FillConfirmed(event.trade_id, event.order_id), now, out)
    elif event.state is FillState.VOIDED:
        on_voided(state, FillVoided(event.trade_id, event.order_id), now, out)


def _foreign(state: State, fill: FillBooked, now: Instant, out: list[Command]) -> None:
    state.tallies.foreign += 1
    state.alert(
        Severity.CRITICAL,
        f"fill.foreign.{fill.order_id[:12]}",
        f"a fill of an order this engine never signed: {fill.order_id[:12]}",
        now,
        out,
    )


def fill_row(state: State, fill: FillBooked, order: Order, now: Instant) -> FillRow:
    """Returns the row of a new fill; markouts follow with time."""
    return FillRow(
        wall_ns=now.wall_ns,
        trade_id=fill.trade_id,
        order_id=fill.order_id,
        market_id=fill.market_id,
        label=_label(state, fill.market_id),
        strategy=fill.strategy,
        outcome=fill.outcome,
        side=fill.side,
        price_e4=fill.price_e4,
        size_e6=fill.size_e6,
        fee_e6=fill.fee_e6,
        maker=fill.maker,
        chain="CONFIRM" if fill.state is FillState.CONFIRMED else "MATCHED",
        slip_e4=(fill.price_e4 - order.price_e4) * (1 if fill.side is Side.BUY else -1),
        markout_1s_e4=None,
        markout_5s_e4=None,
        markout_30s_e4=None,
        evidence=state.birth.evidence,
    )


def on_confirmed(state: State, event: FillConfirmed, now: Instant, out: list[Command]) -> None:
    """A fill is final; a repeated or late status changes nothing."""
    fill = state.ledger.fill(event.trade_id, event.order_id)
    if fill is None or fill.state is not FillState.PROVISIONAL:
        return
    state.record(FillProven(event.trade_id, event.order_id, FillState.CONFIRMED), now, out)
    _rechain(state, event.trade_id, event.order_id, "CONFIRM")


def on_voided(state: State, event: FillVoided, now: Instant, out: list[Command]) -> None:
    """A fill failed to settle: its booking is reversed, and a pair is one-sided again (F43)."""
    fill = state.ledger.fill(event.trade_id, event.order_id)
    if fill is None or fill.state is not FillState.PROVISIONAL:
        return
    proof = FillProven(event.trade_id, event.order_id, FillState.VOIDED, event.reason)
    state.record(proof, now, out)
    state.proofs.unfill(event.order_id, fill.size_e6, out)
    order = state.orders.by_id.get(event.order_id)
    if order is not None and order.pair_id > 0:
        state.pairs.fill(order.pair_id, moved_of(fill, order).undone(), now.mono_ns)
    _rechain(state, event.trade_id, event.order_id, "FAILED!")
    state.alert(
        Severity.CRITICAL,
        f"fill.voided.{event.trade_id}",
        f"a matched fill failed to settle: {_label(state, fill.market_id)} {event.reason}",
        now,
        out,
    )


def _rechain(state: State, trade_id: str, order_id: str, chain: str) -> None:
    for i, row in enumerate(state.fills):
        if row.trade_id == trade_id and row.order_id == order_id:
            state.fills[i] = replace(row, chain=chain)


def on_heartbeat(state: State, event: HeartbeatResult, now: Instant, out: list[Command]) -> None:
    """The dead-man switch was refreshed, or its answer was lost: retry soon."""
    state.beat_ns = 0
    readable = event.ok or event.refused != ""
    heard_path(state, Told(readable, event.asked_ns, "heartbeat unanswered"), now, out)
    if not event.ok:
        state.next_beat_ns = min(state.next_beat_ns, now.mono_ns + SECOND)
        what = f"refused: {event.refused}" if event.refused else "not answered"
        text = f"the venue's dead-man heartbeat was {what}"
        state.alert(Severity.WARNING, "heartbeat", text, now, out)


def on_mode(state: State, event: VenueMode, now: Instant, out: list[Command]) -> None:
    """The order venue restricts or restores what it accepts."""
    if event.kind is not state.seen.venue_mode:
        state.tell("MODE", f"venue {event.kind.value} {event.detail}".strip(), now)
    state.seen.venue_mode = event.kind
    wait_s = event.retry_after_s or MODE_HOLD_S
    state.seen.venue_mode_ns = now.mono_ns + round(wait_s * SECOND)
    if event.kind in (VenueModeKind.AUTH_FAILED, VenueModeKind.BLOCKED):
        state.alert(
            Severity.CRITICAL, "venue.auth", f"the venue refuses us: {event.detail}", now, out
        )


def on_claim(state: State, event: ClaimReport, now: Instant, out: list[Command]) -> None:
    """A claim was paid or failed; the money itself is booked by resolution."""
    if not event.ok:
        state.alert(
            Severity.WARNING,
            f"claim.{event.market_id}",
            f"claim of {_label(state, event.market_id)} failed: {event.detail}",
            now,
            out,
        )


def ask_account(state: State, now: Instant, out: list[Command]) -> None:
    """Asks for one complete snapshot of the account."""
    state.account.asked_ns = now.mono_ns
    tokens = tuple(
        (desk.spec.market_id, desk.spec.token(outcome))
        for desk in state.desks.values()
        for outcome in Outcome
        if state.ledger.size_e6(desk.spec.market_id, outcome)
    )
    out.append(QueryAccount(now.mono_ns, state.account.since_s, tokens))


def on_account(state: State, event: AccountReport, now: Instant, out: list[Command]) -> None:
    """One snapshot of the account: adopt what we lack, list what differs, never patch silently."""
    account = state.account
    if not event.complete:
        account.detail = "the venue's answer was incomplete; asking again"
        account.asked_ns = now.mono_ns - QUERY_TIMEOUT_NS + INCOMPLETE_NS
        return
    account.reported_ns = now.mono_ns
    if state.birth.rebooted and state.rungs.booting:
        adopt(state, event, now, out)
    for fill in event.fills:
        on_fill(state, fill, now, out)
    if not account.opened and not _settling(state) and _lists_all(state, event):
        # A balance may lag a match, and an answer may be older than a fill heard meanwhile.
        account.opened = True
        if not state.ledger.accounts.opening:
            opening = event.cash_e6 - state.ledger.accounts.cash
            state.record(Adjusted("opening", opening, reason="first snapshot"), now, out)
    _orders_agree(state, event, now, out)
    _shares_agree(state, event, now, out)
    _cash_agrees(state, event, now, out)
    if state.rungs.booting and not state.orders.unknown() and all_arrived(state, event):
        state.rungs.booting = False
        account.reconciled = True
        state.tell("MODE", f"reconciled: {account.detail}", now)
    account.since_s = max(account.since_s, now.wall_ns // SECOND - 300)


def _settling(state: State) -> bool:
    return any(state.ledger.provisional(m) for m in state.ledger.open_markets())


def _lists_all(state: State, event: AccountReport) -> bool:
    listed = {(fill.trade_id, fill.order_id) for fill in event.fills}
    return all(key in listed for books in state.ledger.markets.values() for key in books.fills)


def _orders_agree(state: State, event: AccountReport, now: Instant, out: list[Command]) -> None:
    listed = {o.order_id for o in event.open_orders}
    strangers = [o for o in event.open_orders if o.order_id not in state.orders.by_id]
    if strangers:
        for new in [o for o in strangers if o.order_id not in state.account.strangers]:
            out.append(Journal(OrderMoved(new.order_id, OrderState.OPEN, "foreign")))
            state.tallies.foreign += 1
        state.alert(
            Severity.CRITICAL,
            "orders.foreign",
            f"{len(strangers)} open orders were not signed by this engine",
            now,
            out,
        )
    state.account.strangers = {o.order_id for o in strangers}
    for order in state.orders.live():
        if order.order_id in listed:
            state.proofs.listed(order, now.mono_ns, out)
        elif not order.takes:
            state.proofs.unlisted(order, event.asked_ns)


def _shares_agree(state: State, event: AccountReport, now: Instant, out: list[Command]) -> None:
    """Compares shares a token with the ledger (I2); the venue may lag a match for a while (F50)."""
    account = state.account
    tokens = {d.spec.token(o): (d, o) for d in state.desks.values() for o in Outcome}
    gap = ""
    for token, size in event.positions:
        desk, outcome = tokens.get(token, (None, Outcome.UP))
        if desk is None or state.ledger.provisional(desk.spec.market_id):
            continue
        differs = size - state.ledger.confirmed_e6(desk.spec.market_id, outcome)
        if abs(differs) > SHARE_SLACK_E6 and desk.resolved_e4 is None:
            gap = gap or f"{desk.spec.label} {outcome.value} {differs / 1e6:+g} shares at the venue"
    if not gap:
        account.share_gap, account.share_gap_ns = "", 0
        return
    account.share_gap = gap
    account.share_gap_ns = account.share_gap_ns or now.mono_ns
    if now.mono_ns - account.share_gap_ns >= SHARE_LAG_NS:
        state.alert(Severity.CRITICAL, "positions.differ", gap, now, out)


def _cash_agrees(state: State, event: AccountReport, now: Instant, out: list[Command]) -> None:
    account = state.account
    paid_ns = now.wall_ns - PAYOUT_LAG_NS  # what is decided is redeemed a little later
    busy = _settling(state) or any(b.paid_ns > paid_ns for b in state.ledger.markets.values())
    gap = event.cash_e6 - state.ledger.accounts.cash
    account.cash_gap_e6 = gap
    moved = any(
        o.sent_ns >= event.asked_ns or o.acked_ns >= event.asked_ns for o in state.orders.live()
    )
    if abs(gap) <= CASH_SLACK_E6:
        account.detail = "0 differences"
    elif busy or moved:
        account.detail = f"cash differs by {gap / 1e6:+.2f} while fills settle"
    else:
        account.detail = f"cash differs by {gap / 1e6:+.2f}"
        state.alert(
            Severity.WARNING,
            "cash.differs",
            f"venue cash differs from the ledger by {gap / 1e6:+.2f}",
            now,
            out,
        )

"""Handlers of market data: books, reference, settling feed, listings, resolution."""

from __future__ import annotations

from msgspec.structs import replace

from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.commands import Command, QueryBook, Resync, Subscribe
from dailyarb.core.domain.errors import InvariantBroken
from dailyarb.core.domain.events import (
    BookDesynced,
    BookWitness,
    FeedState,
    FeedStatus,
    MarketListed,
    ReferenceMoved,
    Resolved,
    SettlementPrice,
    TickSizeChanged,
    TopChanged,
    Traded,
)
from dailyarb.core.domain.ids import FeedId, Severity
from dailyarb.core.domain.intents import BURST, REFERENCE, SIZES, TOUCH, IntentKind
from dailyarb.core.domain.market import MARKET_MOVES, MarketSpec, MarketState, Outcome
from dailyarb.core.domain.orders import BookState
from dailyarb.core.domain.records import MarketSeen, PayoutBooked
from dailyarb.core.domain.units import SECOND
from dailyarb.core.engine.context import sample_windows
from dailyarb.core.engine.scenes import strike_of
from dailyarb.core.engine.state import Asset, Desk, State
from dailyarb.core.engine.trading import cancel, evaluate

WITNESS_EVERY_NS = 5 * SECOND
RESYNC_NS, RESYNC_MAX_NS = SECOND, 30 * SECOND  # between two snapshots asked for; doubled
TICK_TRUSTED_NS = 60 * SECOND  # how long an event's tick stands against metadata
FORGET_AFTER_NS = 120 * SECOND
# Reasons for which a book of ours was unlike the venue's; others only ended its connection.
SILENT = "silent feed"
DIVERGED = ("frames disagree with the book", SILENT)


def move_market(desk: Desk, new: MarketState) -> None:
    """Moves a market along its table."""
    if new is desk.state:
        return
    if new not in MARKET_MOVES[desk.state]:
        raise InvariantBroken(f"market {desk.spec.slug}: {desk.state.value} -> {new.value}")
    desk.state = new


def on_top(state: State, event: TopChanged, now: Instant, out: list[Command]) -> None:
    """A book changed in this burst: refresh its state, measure the lag, evaluate once."""
    desk = state.desks.get(event.market_id)
    if desk is None:
        return
    book = desk.book
    book.frames += 1
    book.refresh(now, state.settings.feeds.max_book_age_ms)
    top = book.top(Outcome.UP)
    old = desk.top
    moved = top.bid_e4 != old.bid_e4 or top.ask_e4 != old.ask_e4
    changed = moved or top != old
    if top.two_sided and top.mid_e4 != old.mid_e4:
        desk.mids.push(now.mono_ns, top.mid_e4)
        if desk.lag.waiting:
            desk.lag.observe(now.mono_ns, top.mid_e4)
            state.assets[desk.spec.asset].lag_ns = round(desk.lag.lag_ns)
    desk.top = top
    if changed and desk.state is MarketState.TRADABLE:
        state.trigger_ns = event.recv_ns
        evaluate(state, desk, now, out, TOUCH if moved else SIZES)


def on_desynced(state: State, event: BookDesynced, now: Instant, out: list[Command]) -> None:
    """Continuity of a book is lost: believe nothing until a snapshot of a new epoch."""
    desk = state.desks.get(event.market_id)
    if desk is None:
        return
    desk.book.desync(event.reason)
    if event.reason in DIVERGED:
        _count_gap(state, event.reason, now)
    state.tell("BRK", f"{desk.spec.label} book GAP: {event.reason}", now, Severity.WARNING)
    _resync(desk, event.reason, now, out)
    quotes = [o for o in state.orders.live(event.market_id) if o.post_only and not o.cancel_ns]
    cancel(quotes, "book desynced", now, out)


def _count_gap(state: State, reason: str, now: Instant) -> None:
    """Counts a book unlike the venue's; a silent feed is one fault, however many its markets."""
    tallies = state.tallies
    if reason == SILENT:
        if tallies.silent_ns and now.mono_ns - tallies.silent_ns < WITNESS_EVERY_NS:
            return
        tallies.silent_ns = now.mono_ns
    tallies.book_gaps.append(now.mono_ns)


def _resync(desk: Desk, reason: str, now: Instant, out: list[Command]) -> None:
    """Asks for a snapshot, at a pace: one that does not help must not become a storm (I13)."""
    if desk.resync_ns and now.mono_ns - desk.resync_ns < desk.resync_wait_ns:
        return
    wait = min(RESYNC_MAX_NS, 2 * desk.resync_wait_ns)
    desk.resync_ns, desk.resync_wait_ns = now.mono_ns, max(RESYNC_NS, wait)
    out.append(Resync(desk.spec.market_id, reason))


def on_witness(state: State, event: BookWitness, now: Instant, out: list[Command]) -> None:
    """REST's view of a silent book: the same top means quiet, another means we are blind (F01)."""
    desk = state.desks.get(event.market_id)
    if desk is None or desk.book.state is not BookState.STALE:
        return
    top = desk.book.top(Outcome.UP)
    if (event.bid_e4, event.ask_e4) != (top.bid_e4, top.ask_e4):
        on_desynced(state, BookDesynced(event.market_id, SILENT), now, out)


def on_traded(state: State, event: Traded, now: Instant, out: list[Command]) -> None:
    """A print on the tape."""
    del out
    desk = state.desks.get(event.market_id)
    if desk is not None:
        desk.prints += 1
        if state.watch is not None:
            state.watch.traded(event, now.mono_ns)


def on_reference(state: State, event: ReferenceMoved, now: Instant, out: list[Command]) -> None:
    """Binance moved: update volatility and burst, evaluate the asset's running windows."""
    asset = state.assets.get(event.asset)
    if asset is None:
        return
    changed = asset.ref.moved(event, now.wall_ns)
    asset.vol.push(event.recv_ns, asset.ref.mid_e8, now.wall_ns // SECOND)
    watch = state.watch
    if watch is not None and watch.reference(event, asset.ref.mid_e8):
        sample_windows(state, watch)
    if not changed:
        return
    began = _burst(state, asset, now)
    state.trigger_ns = event.recv_ns
    news = REFERENCE | BURST if asset.burst_ns else REFERENCE
    # A leader's move is news for its followers too.
    every = watch is not None and watch.leader == event.asset and asset.burst_ns != 0
    for desk in state.desks.values():
        own = every or desk.spec.asset == event.asset
        if own and desk.state is MarketState.TRADABLE:
            evaluate(state, desk, now, out, news)
            if began and desk.spec.asset == event.asset:
                _ask_lag(desk)


def _burst(state: State, asset: Asset, now: Instant) -> bool:
    """Notes since when the reference moves beyond S1's threshold; says whether it just began."""
    move = asset.ref.move_bp(now.mono_ns)
    if move is None or abs(move) < state.settings.strategies.S1.min_move_bps:
        asset.burst_ns = 0
        return False
    if asset.burst_ns and asset.burst_up == (move > 0):
        return False
    asset.burst_ns, asset.burst_up = now.mono_ns, move > 0
    return True


def _ask_lag(desk: Desk) -> None:
    """Opens the question how long the book takes to follow, with what it should follow to."""
    scene = desk.scene
    if scene is None or not scene.up.two_sided:
        return
    fair, then = scene.fair_e4, scene.fair_then_e4
    if fair is not None and then is not None:
        desk.lag.ask(scene.now_ns, scene.up.mid_e4, fair - then)


def on_settlement(state: State, event: SettlementPrice, now: Instant, out: list[Command]) -> None:
    """A value of the settling feed: basis, and the strike of windows that start with it."""
    asset = state.assets.get(event.asset)
    if asset is None:
        return
    asset.ref.settled(event)
    for desk in state.desks.values():
        spec = desk.spec
        if spec.asset == event.asset and not desk.strike_e18 and strike_of(desk, asset):
            strike = desk.strike_e18 / 1e18
            state.tell("ROLL", f"{spec.label} strike {strike:,.2f}", now)
    del out


def on_listed(state: State, event: MarketListed, now: Instant, out: list[Command]) -> None:
    """A window was discovered, or its facts changed."""
    spec = event.spec
    if spec.asset not in state.assets or spec.end_ns <= now.wall_ns:
        return
    desk = state.desks.get(spec.market_id)
    if desk is not None:
        _update(state, desk, spec, now, out)
        return
    if state.add_desk(spec) is None:
        state.alert(
            Severity.WARNING, "markets.full", f"no room for {spec.slug}: too many markets", now, out
        )
        return
    state.record(MarketSeen(spec), now, out)
    subscribe(state, out)


def _update(state: State, desk: Desk, spec: MarketSpec, now: Instant, out: list[Command]) -> None:
    if desk.tick_e4 and now.mono_ns - desk.tick_ns < TICK_TRUSTED_NS:
        # Metadata may be older than the event that changed the tick (F13).
        spec = with_tick(spec, desk.tick_e4)
    if spec == desk.spec:
        return
    if spec.grid.tick_e4 != desk.spec.grid.tick_e4:
        # The event was missed: the book stood on the old grid.
        desk.book.ladder.set_tick(spec.grid.tick_e4)
        on_desynced(state, BookDesynced(spec.market_id, "tick changed"), now, out)
    desk.spec = desk.book.spec = spec
    if desk.state is MarketState.SEEN and not spec.refusal:
        move_market(desk, MarketState.LISTED)
    desk.strike_e18 = desk.strike_e18 or spec.strike_e18
    state.record(MarketSeen(spec), now, out)


def subscribe(state: State, out: list[Command]) -> None:
    """Asks the feeds for exactly the markets that have not ended, and those we hold."""
    wanted = [
        desk.spec
        for desk in state.desks.values()
        if desk.state not in (MarketState.RESOLVED, MarketState.SETTLED)
    ]
    out.append(Subscribe(tuple(wanted)))


def on_tick_size(state: State, event: TickSizeChanged, now: Instant, out: list[Command]) -> None:
    """The tick changed: a new epoch; resting orders off the new grid are cancelled (F13)."""
    desk = state.desks.get(event.market_id)
    if desk is None or event.stamp_ms < desk.tick_stamp_ms:
        return
    desk.tick_e4, desk.tick_stamp_ms, desk.tick_ns = event.tick_e4, event.stamp_ms, now.mono_ns
    if desk.spec.grid.tick_e4 == event.tick_e4:
        return
    desk.spec = with_tick(desk.spec, event.tick_e4)
    desk.book.spec = desk.spec
    off = [
        o
        for o in state.orders.live(event.market_id)
        if o.price_e4 % event.tick_e4 and not o.cancel_ns
    ]
    cancel(off, "off the new grid", now, out)
    state.record(MarketSeen(desk.spec), now, out)


def with_tick(spec: MarketSpec, tick_e4: int) -> MarketSpec:
    """Returns the spec with another tick."""
    return replace(spec, grid=replace(spec.grid, tick_e4=tick_e4))


def on_resolved(state: State, event: Resolved, now: Instant, out: list[Command]) -> None:
    """The venue decided a market: shares become cash, once."""
    desk = state.desks.get(event.market_id)
    if _again(state, event, now, out):
        return
    if desk is not None:
        if desk.state is not MarketState.CLOSING:
            move_market(desk, MarketState.CLOSING)
        desk.resolved_e4 = event.up_price_e4
        move_market(desk, MarketState.RESOLVED)
    for order in state.orders.live(event.market_id):
        order.cancel_ns = order.cancel_ns or now.mono_ns
    # A market where an order of ours was ever sent is paid even when nothing filled: a fill that
    # comes late is then paid when it comes.
    traded = event.market_id in state.ledger.markets
    if traded or any(o.market_id == event.market_id for o in state.orders.by_id.values()):
        _pay(state, event, now, out)
    if desk is not None:
        move_market(desk, MarketState.SETTLED)
        subscribe(state, out)


def _again(state: State, event: Resolved, now: Instant, out: list[Command]) -> bool:
    """Says whether a market was decided before; another decision is a matter for people."""
    desk, books = state.desks.get(event.market_id), state.ledger.markets.get(event.market_id)
    old = desk.resolved_e4 if desk is not None else None
    if old is None and books is not None:
        old = books.up_price_e4
    if old is not None and old != event.up_price_e4:
        text = f"{event.market_id[:10]} was decided twice: UP paid {old / 100:g}¢, "
        text += f"now {event.up_price_e4 / 100:g}¢; the first is kept"
        state.alert(Severity.CRITICAL, f"resolved.twice.{event.market_id}", text, now, out)
    return old is not None


def _pay(state: State, event: Resolved, now: Instant, out: list[Command]) -> None:
    up = event.up_price_e4
    books = state.ledger.market(event.market_id)
    held = any(state.ledger.size_e6(event.market_id, o) for o in Outcome)
    state.record(PayoutBooked(event.market_id, up, books.due_e6(up)), now, out)
    if not held:
        return
    desk = state.desks.get(event.market_id)
    label = desk.spec.label if desk else event.market_id[:10]
    winner = "UP" if up == 10_000 else "DOWN" if up == 0 else f"{up / 100:g}¢"
    state.tell("SETTL", f"{label} {winner} {books.flow_e6 / 1e6:+.2f}", now)


def on_feed(state: State, event: FeedState, now: Instant, out: list[Command]) -> None:
    """A feed reported its health: breakers follow, by the age of content."""
    old = state.seen.feeds.get(event.feed)
    state.seen.feeds[event.feed] = event
    if old is not None and old.status is not event.status:
        word = event.status.value
        quiet = event.status is FeedStatus.FRESH
        severity = Severity.INFO if quiet else Severity.WARNING
        state.tell("BRK", f"feed {event.feed.value} {word} {event.detail}".strip(), now, severity)
    if event.feed is FeedId.USER and old is not None and event.reconnects > old.reconnects:
        # The user stream does not replay what was missed (F21).
        state.account.asked_ns = 0
    del out


def roll(state: State, now: Instant, out: list[Command]) -> None:
    """Moves every market along with time, asks witnesses for silence, forgets settled ones."""
    stop_ns = round(state.settings.risk.stop_entry_s * SECOND)
    for desk in list(state.desks.values()):
        was = desk.book.state
        if desk.book.refresh(now, state.settings.feeds.max_book_age_ms) is not was:
            desk.stir()
        left = desk.spec.end_ns - now.wall_ns
        if desk.state in (MarketState.LISTED, MarketState.TRADABLE, MarketState.QUARANTINED):
            _advance(state, desk, left, stop_ns, now)
            if desk.state is not MarketState.TRADABLE:
                _withdraw(state, desk, now, out)
        elif desk.state is MarketState.SEEN and left <= 0:
            move_market(desk, MarketState.CLOSING)
        if desk.book.state is BookState.STALE and left > 0:
            _witness(desk, now, out)
        if desk.book.state is BookState.DESYNCED and left > 0:
            _resync(desk, desk.book.reason, now, out)
        elif desk.book.state is BookState.SYNCED and now.mono_ns - desk.resync_ns > RESYNC_NS:
            desk.resync_wait_ns = 0
        if left < -FORGET_AFTER_NS and _done(state, desk):
            del state.desks[desk.spec.market_id]
            state.books.remove(desk.spec.market_id)
            if state.watch is not None:
                state.watch.forget(desk.spec.market_id)
            subscribe(state, out)


def _advance(state: State, desk: Desk, left_ns: int, stop_ns: int, now: Instant) -> None:
    market_id = desk.spec.market_id
    doubt = market_id in state.unproven or any(
        o.market_id == market_id for o in state.orders.unknown()
    )
    if left_ns <= stop_ns:
        move_market(desk, MarketState.CLOSING)
    elif doubt and desk.state is not MarketState.QUARANTINED:
        move_market(desk, MarketState.QUARANTINED)
    elif not doubt and desk.spec.accepting and now.wall_ns >= desk.spec.start_ns:
        move_market(desk, MarketState.TRADABLE)


def _withdraw(state: State, desk: Desk, now: Instant, out: list[Command]) -> None:
    """Cancels opening orders of a market that strategies no longer look at."""
    quotes = [
        o
        for o in state.orders.live(desk.spec.market_id)
        if o.intent is IntentKind.ENTRY and not o.takes and not o.cancel_ns
    ]
    cancel(quotes, f"market {desk.state.value}", now, out)


def _witness(desk: Desk, now: Instant, out: list[Command]) -> None:
    if now.mono_ns - desk.witness_ns >= WITNESS_EVERY_NS:
        desk.witness_ns = now.mono_ns
        out.append(QueryBook(desk.spec.market_id, desk.spec.up_token, now.mono_ns))


def _done(state: State, desk: Desk) -> bool:
    market_id = desk.spec.market_id
    held = any(state.ledger.size_e6(market_id, o) for o in Outcome)
    settled = desk.state is MarketState.SETTLED
    return settled or (not held and not state.orders.live(market_id))

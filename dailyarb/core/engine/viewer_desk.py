"""The Desk row: one open window as the console shows it."""

from __future__ import annotations

import math

from dailyarb.core.book.book import Top
from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.ids import Gate
from dailyarb.core.domain.market import MarketState, Outcome
from dailyarb.core.domain.orders import BookState
from dailyarb.core.domain.units import SECOND, SETTLE_ONE_E18
from dailyarb.core.domain.view import Desk as DeskRow
from dailyarb.core.domain.view import GateHit, Touch
from dailyarb.core.engine.scenes import strike_of
from dailyarb.core.engine.state import Desk, State
from dailyarb.core.engine.trading import mark_e4
from dailyarb.core.risk.exposure import Outlook

TOOK_NS = 2 * SECOND
# The gate shown for a market is the most telling of its strategies' gates.
_SHOW_LAST = (Gate.STRATEGY_OFF, Gate.SUM_ABOVE_LIMIT, Gate.ORDER_WORKING)


def desk_row(state: State, desk: Desk, outlooks: dict[str, Outlook], now: Instant) -> DeskRow:
    """Returns the row of one market."""
    spec, book = desk.spec, desk.book
    asset = state.assets[spec.asset]
    up, down = book.top(Outcome.UP), book.top(Outcome.DOWN)
    strike = strike_of(desk, asset)
    dist = None
    if strike and asset.ref.settle_e18:
        dist = math.log(asset.ref.settle_e18 / strike) * 1e4
    fair = desk.scene.fair_e4 if desk.scene else None
    edge, outcome = _edge(fair, up, down)
    pos = {o: state.ledger.size_e6(spec.market_id, o) for o in Outcome}
    look = outlooks.get(spec.market_id, Outlook(0, 0))
    ref = asset.ref
    word, why = _word(state, desk, now)
    return DeskRow(
        market_id=spec.market_id,
        label=spec.label,
        asset=spec.asset,
        window=spec.window,
        start_ns=spec.start_ns,
        end_ns=spec.end_ns,
        book_slot=book.slot,
        state=desk.state,
        book=book.state,
        book_age_ms=book.age_ms(now),
        up=_touch(up),
        down=_touch(down),
        tick_e4=spec.grid.tick_e4,
        strike=strike / SETTLE_ONE_E18 if strike else None,
        settle=ref.settle_e18 / SETTLE_ONE_E18 if ref.settle_e18 else None,
        spot=ref.spot,
        dist_bp=dist,
        basis_bp=ref.basis.log * 1e4 if ref.basis.samples else None,
        fair_e4=fair,
        edge_e4=edge,
        edge_outcome=outcome,
        pos_up_e6=pos[Outcome.UP],
        pos_down_e6=pos[Outcome.DOWN],
        avg_e4=_average(state, desk, pos),
        upnl_e6=_open_result(state, desk) if any(pos.values()) else None,
        worst_e6=look.worst_e6,
        best_e6=look.best_e6,
        word=word,
        why=why,
        rung=state.rungs.overall()[0],
        refusal=spec.refusal,
        trades=desk.prints,
        frames=book.frames,
    )


def _touch(top: Top) -> Touch:
    return Touch(
        top.bid_e4 if top.bid_e6 else None,
        top.ask_e4 if top.ask_e6 else None,
        top.bid_e6,
        top.ask_e6,
    )


def _edge(fair_e4: int | None, up: Top, down: Top) -> tuple[int | None, Outcome | None]:
    if fair_e4 is None:
        return None, None
    edges = []
    if up.ask_e6:
        edges.append((fair_e4 - up.ask_e4, Outcome.UP))
    if down.ask_e6:
        edges.append((10_000 - fair_e4 - down.ask_e4, Outcome.DOWN))
    if not edges:
        return None, None
    return max(edges, key=lambda e: e[0])


def _average(state: State, desk: Desk, pos: dict[Outcome, int]) -> int | None:
    books = state.ledger.markets.get(desk.spec.market_id)
    outcome = Outcome.UP if pos[Outcome.UP] >= pos[Outcome.DOWN] else Outcome.DOWN
    if books is None or pos[outcome] <= 0:
        return None
    return books.positions.cost_e6(outcome) * 10_000 // pos[outcome]


def _open_result(state: State, desk: Desk) -> int:
    books = state.ledger.markets[desk.spec.market_id]
    price = mark_e4(desk)
    lots = books.positions
    return sum(lots.unrealised_e6(s, price) for s in lots.owners())


def _word(state: State, desk: Desk, now: Instant) -> tuple[str, GateHit | None]:
    simple = {
        MarketState.RESOLVED: "SETTLING",
        MarketState.SETTLED: "CLOSED",
        MarketState.SEEN: "WATCH",
    }
    if desk.state is MarketState.SEEN:
        return "WATCH", GateHit(Gate.NOT_LISTED)
    if desk.state in simple:
        return simple[desk.state], None
    if now.wall_ns >= desk.spec.end_ns:
        return "SETTLING", None
    if now.wall_ns < desk.spec.start_ns:
        return "ROLL", GateHit(Gate.BEFORE_START, (desk.spec.start_ns - now.wall_ns) / SECOND, 0.0)
    return _running_word(state, desk, now)


def _running_word(state: State, desk: Desk, now: Instant) -> tuple[str, GateHit | None]:
    why = _why(desk)
    if desk.book.state is not BookState.SYNCED:
        return "STALE!", why
    live = state.orders.live(desk.spec.market_id)
    if any(o.cancel_ns == 0 and o.post_only for o in live):
        return "QUOTE", why
    acted = max((v.acted_ns for v in desk.verdicts.values()), default=0)
    if live or (acted and now.mono_ns - acted < TOOK_NS):
        return "TAKE", why
    pos = [state.ledger.size_e6(desk.spec.market_id, o) for o in Outcome]
    if any(p.naked_since_ns for p in state.pairs.open.values() if _here(p.market_id, desk)):
        return "HEDGE", why
    if any(pos):
        return "HOLD", why
    return "WATCH", why


def _here(market_id: str, desk: Desk) -> bool:
    return market_id == desk.spec.market_id


def _why(desk: Desk) -> GateHit | None:
    hits = [
        GateHit(v.blocked.gate, v.blocked.now, v.blocked.limit, strategy, v.since_wall_ns)
        for strategy, v in desk.verdicts.items()
        if v.blocked is not None
    ]
    if not hits:
        return None
    return min(hits, key=lambda h: _SHOW_LAST.index(h.gate) if h.gate in _SHOW_LAST else -1)

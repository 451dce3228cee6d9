"""Signal rows of the View: the numbers behind each verdict, and what each was found to be.

A number is judged only if the evaluation got as far as its gate: it stops at the first gate that
fails, so a strategy's numbers stand here in the order in which it asks for them.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.ids import GATE_FACTS, Gate
from dailyarb.core.domain.market import Outcome
from dailyarb.core.domain.units import MS, PRICE_ONE_E4
from dailyarb.core.domain.view import SignalRow
from dailyarb.core.engine.state import Desk, State
from dailyarb.core.strategies.base import Scene, Strategy
from dailyarb.core.strategies.maker import Maker
from dailyarb.core.strategies.pair import PairBelowDollar, asks_limit_e4
from dailyarb.core.strategies.stale_odds import StaleOdds, moved_to, net_edge_e4
from dailyarb.core.strategies.taker import Taker

Meets = Callable[[float, float], bool]
at_least: Meets = operator.ge
at_most: Meets = operator.le


def beyond(number: float, limit: float) -> bool:
    """Says whether a number is at least its limit away from zero, on either side."""
    return abs(number) >= limit


class Signal(NamedTuple):
    """Is a number of a strategy, the gate that judges it, and how; None judges nothing."""

    name: str
    value: float | None
    unit: str
    limit: float | None
    gate: Gate | None
    meets: Meets = at_least
    off: bool = False  # this form of the strategy is not in use


# What is asked once a strategy wants something: by the others, by the account, by the risk room.
LAST = frozenset(
    {
        Gate.NETTED, Gate.BUDGET, Gate.BALANCE_WAIT, Gate.RUNG, Gate.WORST_CASE_MARKET,
        Gate.WORST_CASE_TOTAL, Gate.DAY_LOSS, Gate.OPEN_POSITIONS, Gate.ORDERS_PER_MINUTE,
        Gate.NOTIONAL_PER_TRADE, Gate.NAKED_EXPOSURE, Gate.SIZE_BELOW_MIN, Gate.KELLY_ZERO,
        Gate.OFF_GRID, Gate.SELF_MATCH, Gate.CASH, Gate.UNKNOWN_ORDERS, Gate.RECOVERING,
        Gate.STOPPING,
    }
)  # fmt: skip
_FAIR = (Gate.NO_SETTLEMENT, Gate.SETTLEMENT_STALE, Gate.NO_STRIKE, Gate.NO_VOLATILITY,
         Gate.INSIDE_BASIS)  # fmt: skip
_MAY_ENTER = (Gate.ORDER_WORKING, Gate.TIME_TO_CLOSE, Gate.SPREAD_ABOVE_MAX, Gate.COOLDOWN)
_S1_END = (Gate.POSITION_HELD, Gate.BOOK_ANSWERED, Gate.EDGE_BELOW_MIN, Gate.DEPTH_THIN)
_S1 = (Gate.MOVE_BELOW_MIN, *_FAIR, *_MAY_ENTER, *_S1_END)
_S1_HOLDING = (*_FAIR, *_MAY_ENTER, Gate.MOVE_BELOW_MIN, *_S1_END)  # it may want to leave first
_S2 = (Gate.MIRROR_BROKEN, Gate.SPREAD_ABOVE_MAX, Gate.ORDER_WORKING, Gate.COOLDOWN,
       Gate.POSITION_HELD, Gate.SUM_ABOVE_LIMIT, Gate.DEPTH_THIN)  # fmt: skip
_MAKER_END = (Gate.ORDER_WORKING, Gate.COOLDOWN, Gate.POSITION_HELD)
_TAKER_END = (Gate.POSITION_HELD, Gate.EDGE_BELOW_MIN, Gate.DEPTH_THIN)


def order_of(state: State, desk: Desk, strategy: Strategy) -> tuple[Gate, ...]:
    """Returns a strategy's gates in the order it asks them, from that of its first number on."""
    if isinstance(strategy, Maker):
        return (*(rule.gate for rule in strategy.rules), *_MAKER_END)
    if isinstance(strategy, Taker):
        return (*(rule.gate for rule in strategy.rules), *_TAKER_END)
    if isinstance(strategy, PairBelowDollar):
        return _S2
    return _S1_HOLDING if any(state.held(desk, strategy.id).values()) else _S1


def signals_of(state: State, strategy: Strategy, scene: Scene) -> list[Signal]:
    """Returns the numbers on which a strategy's verdict rests, in the order it asks for them."""
    if isinstance(strategy, Maker | Taker):
        return [
            Signal(r.name, r.number(scene), GATE_FACTS[r.gate][1].value, r.limit, r.gate)
            for r in strategy.rules
        ]
    if isinstance(strategy, PairBelowDollar):
        return _pair(state, scene)
    return _stale_odds(state, scene) if isinstance(strategy, StaleOdds) else []


def _stale_odds(state: State, scene: Scene) -> list[Signal]:
    s1 = state.settings.strategies.S1
    sigma = None if scene.sigma is None else scene.sigma * 1e4
    edge = None
    if scene.fair is not None and scene.up.two_sided:
        edge = net_edge_e4(scene, moved_to(scene), s1) / 100
    noise = scene.basis_noise_bp
    return [
        Signal("move", scene.move_bp, "bp", s1.min_move_bps, Gate.MOVE_BELOW_MIN, beyond),
        Signal("sigma", sigma, "bp/√s", None, Gate.NO_VOLATILITY),
        Signal("dist", scene.dist_bp, "bp", noise, Gate.INSIDE_BASIS, beyond),
        Signal("decay", scene.decay, "", None, None),
        Signal("edge net", edge, "¢", s1.min_edge_cents, Gate.EDGE_BELOW_MIN),
    ]


def _pair(state: State, scene: Scene) -> list[Signal]:
    s2, up, down = state.settings.strategies.S2, scene.up, scene.down
    if not up.two_sided:
        return []
    views = scene.book.top(Outcome.UP).bid_e4 + scene.book.top(Outcome.DOWN).ask_e4
    asks, limit = (up.ask_e4 + down.ask_e4) / 100, asks_limit_e4(scene, s2) / 100
    bids, rest = (up.bid_e4 + down.bid_e4) / 100, s2.max_pair_cost_cents
    return [
        Signal("mirror", views / 100, "¢", PRICE_ONE_E4 / 100, Gate.MIRROR_BROKEN, operator.eq),
        Signal("ask+ask", asks, "¢", limit, Gate.SUM_ABOVE_LIMIT, at_most, not s2.taker),
        # Resting bids are lowered from the touch to the limit: above it nothing fails.
        Signal("bid+bid", bids, "¢", rest, None, at_most, not s2.resting),
    ]


def judged(
    signals: Iterable[Signal], order: tuple[Gate, ...], blocked: Gate | None
) -> Iterator[tuple[Signal, str]]:
    """Yields each number with its word: PASS, fail, off, or `-` where nothing judged it.

    Args:
        order: the strategy's gates as it asks them.
        blocked: the gate at which its last evaluation stopped; None let it act.
    """
    end = len(order)
    stop = end if blocked is None or blocked in LAST else -1
    if stop < 0 and blocked in order:
        stop = order.index(blocked)
    for signal in signals:
        at = order.index(signal.gate) if signal.gate in order else end + 1
        if signal.off:
            yield signal, "off"
        elif at > stop:
            yield signal, "-"
        elif _met(signal, at == stop):
            yield signal, "PASS"
        else:
            yield signal, "fail"
            stop = min(stop, at - 1)  # what shares this gate was asked after it


def _met(signal: Signal, stopped_here: bool) -> bool:
    if signal.value is None or signal.limit is None:
        return not stopped_here
    return signal.meets(signal.value, signal.limit)


def signal_rows(state: State, now: Instant) -> tuple[SignalRow, ...]:
    """Returns the numbers behind the verdicts of every running market."""
    rows: list[SignalRow] = []
    for desk in state.desks.values():
        scene, spec = desk.scene, desk.spec
        if scene is None or not spec.start_ns <= now.wall_ns <= spec.end_ns:
            continue
        age = max(0, (now.mono_ns - scene.now_ns) // MS)
        for strategy in state.strategies:
            verdict = desk.verdicts.get(strategy.id)
            if verdict is None:
                continue
            gate = verdict.blocked.gate if verdict.blocked else None
            order = order_of(state, desk, strategy)
            rows += [
                SignalRow(spec.market_id, strategy.id, s.name, s.value, s.unit, s.limit, age, word)
                for s, word in judged(signals_of(state, strategy, scene), order, gate)
                if s.value is not None
            ]
    return tuple(rows)

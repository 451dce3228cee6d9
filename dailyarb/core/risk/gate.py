"""The last gate before an order: every limit, every time, one named reason.

The gate knows numbers, not objects: the engine hands it what is certain and what may happen, and
it answers with sizes that fit or with the gate that stopped it and its figures.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import msgspec

from dailyarb.core.domain.grid import fit_size_e6
from dailyarb.core.domain.ids import Gate, StrategyId
from dailyarb.core.domain.intents import Blocked, Intent, IntentKind, Leg
from dailyarb.core.domain.market import MarketSpec, Outcome, Side, taker_fee_e6
from dailyarb.core.domain.orders import TIF
from dailyarb.core.domain.rung import Rung
from dailyarb.core.domain.settings import Risk, Sizing, usd_e6
from dailyarb.core.domain.units import SECOND, notional_up
from dailyarb.core.risk.exposure import Item, Standing, order_item, outlook
from dailyarb.core.risk.sizing import Calibration, kelly_size_e6, stake

MINUTE_NS = 60 * SECOND


class Admitted(msgspec.Struct, frozen=True, gc=False):
    """Is an intent that passed, with the sizes it may have."""

    intent: Intent


class Denied(msgspec.Struct, frozen=True, gc=False):
    """Is an intent that did not pass, and why."""

    blocked: Blocked


@dataclass(slots=True)
class Situation:
    """Is everything the gate looks at besides its limits, at one instant.

    `worst_others_e6` is the worst case of all other markets together (a loss is negative);
    `waiting` are our own orders in this market that may still match; `held` our confirmed shares.
    """

    rung: Rung
    standing: Standing
    items: list[Item]
    worst_others_e6: int
    day_net_e6: int
    open_markets: int
    market_open: bool
    unknown_orders: int
    free_cash_e6: int
    naked_e6: int
    held: dict[Outcome, int]
    waiting: list[Leg]
    matched: Standing  # with provisional fills counted as done
    naked_possible_e6: int = 0  # what all open pairs can leave unmatched, at what it costs
    overdue_ms: int = 0  # how long a one-sided pair has been past its deadline
    recovering: bool = False
    stopping: bool = False


@dataclass(slots=True)
class RiskGate:
    """Admits or denies intents against `[risk]`; remembers the orders of the last minute."""

    settings: Risk
    calibration: Calibration = field(default_factory=Calibration)
    _sent_ns: deque[int] = field(default_factory=deque)

    def orders_last_minute(self, now_ns: int) -> int:
        """Returns the orders admitted within the last 60 s."""
        while self._sent_ns and now_ns - self._sent_ns[0] >= MINUTE_NS:
            self._sent_ns.popleft()
        return len(self._sent_ns)

    def count_orders(self, now_ns: int, orders: int) -> None:
        """Counts orders that are being sent."""
        self._sent_ns.extend([now_ns] * orders)

    def admit(
        self, intent: Intent, spec: MarketSpec, seen: Situation, now_ns: int
    ) -> Admitted | Denied:
        """Returns the intent with sizes that fit every limit, or the gate that stopped it."""
        blocked = self._allowed(intent, seen, now_ns)
        if blocked:
            return Denied(blocked)
        sized = self._size(intent, spec, seen)
        if isinstance(sized, Blocked):
            return Denied(sized)
        blocked = self._grid(sized, spec) or self._self_match(sized, seen)
        blocked = blocked or self._cash(sized, spec, seen)
        if blocked is None and intent.kind is IntentKind.ENTRY:
            blocked = self._worst_case(sized, spec, seen)
        elif blocked is None and seen.rung is Rung.HEDGE_ONLY and not _asked(intent):
            blocked = self._lowers(sized, spec, seen)
        return Denied(blocked) if blocked else Admitted(sized)

    def _allowed(self, intent: Intent, seen: Situation, now_ns: int) -> Blocked | None:
        entry = intent.kind is IntentKind.ENTRY
        flatten = intent.kind is IntentKind.FLATTEN
        if seen.recovering:
            return Blocked(Gate.RECOVERING)
        if seen.stopping and entry:
            return Blocked(Gate.STOPPING)
        if seen.rung is Rung.HALTED and not flatten:
            return Blocked(Gate.RUNG, seen.rung.value, Rung.HEDGE_ONLY.value)
        if entry:
            return self._entry_allowed(intent, seen, now_ns)
        return None

    def _entry_allowed(self, intent: Intent, seen: Situation, now_ns: int) -> Blocked | None:
        limits = self.settings
        needed = strategy_needs(intent.strategy, limits.reduced_strategies)
        if seen.rung < needed:
            return Blocked(Gate.RUNG, seen.rung.value, needed.value)
        if seen.unknown_orders >= limits.max_unknown_orders:
            return Blocked(Gate.UNKNOWN_ORDERS, seen.unknown_orders, limits.max_unknown_orders)
        if seen.day_net_e6 <= -usd_e6(limits.max_day_loss_usd):
            return Blocked(Gate.DAY_LOSS, seen.day_net_e6 / 1e6, -limits.max_day_loss_usd)
        if not seen.market_open and seen.open_markets >= limits.max_open_positions:
            return Blocked(Gate.OPEN_POSITIONS, seen.open_markets, limits.max_open_positions)
        if seen.naked_e6 > usd_e6(limits.max_partial_exposure_usd):
            return Blocked(
                Gate.NAKED_EXPOSURE, seen.naked_e6 / 1e6, limits.max_partial_exposure_usd
            )
        if seen.overdue_ms > limits.max_naked_ms:
            return Blocked(Gate.NAKED_EXPOSURE, seen.overdue_ms / 1e3, limits.max_naked_ms / 1e3)
        sent = self.orders_last_minute(now_ns)
        if sent + len(intent.legs) > limits.max_orders_per_minute:
            return Blocked(Gate.ORDERS_PER_MINUTE, sent, limits.max_orders_per_minute)
        return None

    def _size(self, intent: Intent, spec: MarketSpec, seen: Situation) -> Intent | Blocked:
        limits = self.settings
        if intent.kind is not IntentKind.ENTRY:
            return self._fit(intent, spec, min(leg.size_e6 for leg in intent.legs))
        scale = limits.reduced_scale if seen.rung is Rung.REDUCED else 1.0
        size = min(leg.size_e6 for leg in intent.legs)
        if limits.sizing is Sizing.KELLY and len(intent.legs) == 1 and not intent.pair_id:
            bet = stake(intent, spec.fees.rate_e6, self.calibration, limits)
            size = min(size, kelly_size_e6(bet, seen.free_cash_e6, limits.kelly_fraction))
            if size <= 0:
                return Blocked(Gate.KELLY_ZERO, bet.q * 100, bet.cost * 100)
        size = round(size * scale)
        cap = usd_e6(limits.max_notional_per_trade_usd)
        notional = sum(notional_up(leg.price_e4, size) for leg in intent.legs)
        if notional > cap:
            size = size * cap // notional
        if len(intent.legs) > 1 or intent.pair_id:
            dearest = max(leg.price_e4 for leg in intent.legs)
            room = usd_e6(limits.max_partial_exposure_usd) - seen.naked_possible_e6
            if room <= 0:
                return Blocked(
                    Gate.NAKED_EXPOSURE,
                    seen.naked_possible_e6 / 1e6,
                    limits.max_partial_exposure_usd,
                )
            size = min(size, room * 10_000 // dearest)
        return self._fit(intent, spec, size)

    def _fit(self, intent: Intent, spec: MarketSpec, size_e6: int) -> Intent | Blocked:
        # Legs of a pair are equal in shares, not in dollars: lower until every leg takes the size.
        size, before = size_e6, -1
        while size != before:
            before = size
            for leg in intent.legs:
                size = fit_size_e6(spec.grid, leg.side, leg.price_e4, size, _takes(leg))
        if size <= 0:
            return Blocked(Gate.SIZE_BELOW_MIN, size_e6 / 1e6, spec.grid.min_size_e6 / 1e6)
        legs = tuple(msgspec.structs.replace(leg, size_e6=size) for leg in intent.legs)
        return msgspec.structs.replace(intent, legs=legs)

    @staticmethod
    def _grid(intent: Intent, spec: MarketSpec) -> Blocked | None:
        for leg in intent.legs:
            if not spec.grid.on_tick(leg.price_e4):
                return Blocked(Gate.OFF_GRID, leg.price_e4 / 100, spec.grid.tick_e4 / 100)
        return None

    @staticmethod
    def _self_match(intent: Intent, seen: Situation) -> Blocked | None:
        # BUY UP at p and BUY DOWN at q match when p + q >= 1; BUY and SELL of one token when
        # the bid reaches the ask. Either would trade with ourselves, if one of them rests (F42).
        legs = list(intent.legs)
        for i, leg in enumerate(legs):
            for other in [*seen.waiting, *legs[:i]]:
                same = leg.outcome is other.outcome
                takers = _takes(leg) and _takes(other)
                if takers or same == (leg.side is other.side):
                    continue
                mine = leg.price_e4
                theirs = other.price_e4 if same else 10_000 - other.price_e4
                crosses = mine >= theirs if leg.side is Side.BUY else mine <= theirs
                if crosses:
                    return Blocked(Gate.SELF_MATCH, mine / 100, theirs / 100)
        return None

    @staticmethod
    def _cash(intent: Intent, spec: MarketSpec, seen: Situation) -> Blocked | None:
        need = 0
        selling: dict[Outcome, int] = {}
        for leg in intent.legs:
            if leg.side is Side.BUY:
                fee = (
                    0
                    if leg.post_only
                    else taker_fee_e6(leg.price_e4, leg.size_e6, spec.fees.rate_e6)
                )
                need += notional_up(leg.price_e4, leg.size_e6) + fee
            else:
                selling[leg.outcome] = selling.get(leg.outcome, 0) + leg.size_e6
        if need > seen.free_cash_e6:
            return Blocked(Gate.CASH, need / 1e6, seen.free_cash_e6 / 1e6)
        for outcome, size in selling.items():
            held = seen.held.get(outcome, 0)
            if size > held:
                return Blocked(Gate.POSITION_HELD, size / 1e6, held / 1e6)
        return None

    def _worst_case(self, intent: Intent, spec: MarketSpec, seen: Situation) -> Blocked | None:
        limits = self.settings
        worst = outlook(seen.standing, [*seen.items, *_items(intent, spec)]).worst_e6
        if worst < -usd_e6(limits.max_worst_case_market_usd):
            return Blocked(Gate.WORST_CASE_MARKET, worst / 1e6, -limits.max_worst_case_market_usd)
        total = worst + seen.worst_others_e6
        if total < -usd_e6(limits.max_worst_case_total_usd):
            return Blocked(Gate.WORST_CASE_TOTAL, total / 1e6, -limits.max_worst_case_total_usd)
        return None

    @staticmethod
    def _lowers(intent: Intent, spec: MarketSpec, seen: Situation) -> Blocked | None:
        # Hedge on matched: a leg that has matched is an exposure to close, whatever the chain says
        # later; so what is matched counts as done here, and so does the order itself.
        before = outlook(seen.matched, [])
        after = outlook(_done(seen.matched, intent, spec), [])
        if after.worst_e6 < before.worst_e6:
            return Blocked(Gate.RUNG, after.worst_e6 / 1e6, before.worst_e6 / 1e6)
        return None


def _asked(intent: Intent) -> bool:
    # What a person asks to be sold is sold, also one half of a balanced pair.
    return intent.kind is IntentKind.FLATTEN


def _takes(leg: Leg) -> bool:
    return leg.tif in (TIF.FOK, TIF.FAK)


def _items(intent: Intent, spec: MarketSpec) -> list[Item]:
    return [
        order_item(
            leg.outcome, leg.side, leg.price_e4, leg.size_e6, spec.fees.rate_e6, leg.post_only
        )
        for leg in intent.legs
    ]


def _done(standing: Standing, intent: Intent, spec: MarketSpec) -> Standing:
    flow, shares = standing.flow_e6, {Outcome.UP: standing.up_e6, Outcome.DOWN: standing.down_e6}
    for leg, item in zip(intent.legs, _items(intent, spec), strict=True):
        sign = 1 if leg.side is Side.BUY else -1
        shares[leg.outcome] += sign * leg.size_e6
        flow -= sign * notional_up(leg.price_e4, leg.size_e6) + item.fee_e6
    return Standing(flow, shares[Outcome.UP], shares[Outcome.DOWN])


def strategy_needs(strategy: StrategyId, reduced: tuple[str, ...]) -> Rung:
    """Returns the lowest rung at which a strategy may open."""
    return Rung.REDUCED if strategy.value in reduced else Rung.FULL

"""Pairs: two legs, equal shares, one deadline.

A pair is working, one-sided, or closed. When one leg has filled and the other has not by its
deadline, what is left of the other is cancelled, and only once that is proven the excess is
either completed (buy the missing leg) or unwound (sell the filled one), whichever loses less net
of fees, within `max_unwind_loss_usd`. Completing needs only cash; selling needs confirmed shares
(F33, F43). What can be neither is carried to settlement and said so.

A leg that is left alone before anything filled (its partner was refused, cancelled or voided) is
cancelled at once. A fill after the end reopens the pair (F36), and so does a voided one (F43).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from dailyarb.core.book.book import Top
from dailyarb.core.domain.grid import fit_size_e6
from dailyarb.core.domain.ids import StrategyId
from dailyarb.core.domain.intents import Intent, IntentKind, Leg
from dailyarb.core.domain.market import MarketSpec, Outcome, Side, taker_fee_e6
from dailyarb.core.domain.orders import TIF
from dailyarb.core.domain.records import PairClosed
from dailyarb.core.domain.units import MS, PRICE_ONE_E4, notional_down, notional_up

RETRY_NS = 500 * MS
DONE_KEPT = 200  # closed pairs that a late or voided fill may still reopen


@dataclass(slots=True)
class PairLeg:
    """Is what one outcome of a pair bought and sold; cash is net of fees, negative if paid."""

    bought_e6: int = 0
    sold_e6: int = 0
    cash_e6: int = 0
    paid_e6: int = 0  # for all shares bought, fees included

    @property
    def net_e6(self) -> int:
        """Returns shares still held."""
        return self.bought_e6 - self.sold_e6

    def cost_e6(self, size_e6: int) -> int:
        """Returns what so many of its shares cost on average."""
        return self.paid_e6 * size_e6 // self.bought_e6 if self.bought_e6 > 0 else 0

    def count(self, moved: Moved) -> None:
        """Counts one fill."""
        cash = moved.cash_e6 - moved.fee_e6
        if moved.side is Side.BUY:
            self.bought_e6 += moved.size_e6
            self.paid_e6 -= cash
        else:
            self.sold_e6 += moved.size_e6
        self.cash_e6 += cash


class Moved(NamedTuple):
    """Is one fill as a pair counts it; all three numbers negated undo a voided one."""

    outcome: Outcome
    side: Side
    size_e6: int
    cash_e6: int
    fee_e6: int

    def undone(self) -> Moved:
        """Returns the fill that takes this one back."""
        return self._replace(size_e6=-self.size_e6, cash_e6=-self.cash_e6, fee_e6=-self.fee_e6)


@dataclass(slots=True)
class Pair:
    """Is the story of one pair."""

    pair_id: int
    market_id: str
    strategy: StrategyId
    intended_edge_e4: int
    wait_ns: int
    opened_ns: int
    up: PairLeg
    down: PairLeg
    naked_since_ns: int = 0
    naked_ns: int = 0
    next_try_ns: int = 0
    exit_e6: int = 0
    tries: int = 0
    result: str = ""  # how it ended, "" while open
    counted: bool = False  # its end is in this run's counts

    def leg(self, outcome: Outcome) -> PairLeg:
        """Returns one leg."""
        return self.up if outcome is Outcome.UP else self.down

    @property
    def excess_e6(self) -> int:
        """Returns UP shares less DOWN shares."""
        return self.up.net_e6 - self.down.net_e6


class PairView(NamedTuple):
    """Is what the market looks like to a pair that must act.

    confirmed_* are its strategy's own shares; resting_orders those of live_orders that rest.
    """

    spec: MarketSpec
    up: Top
    down: Top
    confirmed_up_e6: int
    confirmed_down_e6: int
    live_orders: tuple[str, ...]
    ended: bool
    resting_orders: tuple[str, ...] = ()

    def top(self, outcome: Outcome) -> Top:
        """Returns the touch of an outcome."""
        return self.up if outcome is Outcome.UP else self.down


class PairStep(NamedTuple):
    """Is what a pair wants now: cancel, an intent, or its end."""

    cancel: tuple[str, ...] = ()
    intent: Intent | None = None
    closed: PairClosed | None = None
    stuck: bool = False


class Pairs:
    """Holds open pairs and decides their next step."""

    def __init__(self, max_unwind_loss_e6: int) -> None:
        self.open: dict[int, Pair] = {}
        self.max_unwind_loss_e6 = max_unwind_loss_e6
        self.done: dict[int, Pair] = {}  # the last that ended: news may reopen them
        self.opened = 0
        self.completed = 0
        self.unwound = 0
        self.carried = 0
        self.one_sided = 0
        self.naked_ms_max = 0

    def start(
        self,
        pair_id: int,
        market_id: str,
        strategy: StrategyId,
        edge_e4: int,
        wait_ns: int,
        now_ns: int,
    ) -> Pair:
        """Opens the story of a pair."""
        pair = Pair(pair_id, market_id, strategy, edge_e4, wait_ns, now_ns, PairLeg(), PairLeg())
        self.open[pair_id] = pair
        self.opened += 1
        return pair

    def fill(self, pair_id: int, moved: Moved, now_ns: int) -> None:
        """Counts one fill of a pair, also after its end."""
        pair = self.open.get(pair_id) or self._reopen(pair_id)
        if pair is None:
            return
        pair.leg(moved.outcome).count(moved)
        if moved.side is Side.SELL:
            pair.exit_e6 += moved.cash_e6 - moved.fee_e6
        self._clock(pair, now_ns)

    def sold_elsewhere(self, market_id: str, sale: Moved, now_ns: int) -> None:
        """Takes shares the operator sold out of the pairs that held them."""
        left, cash, fee = sale.size_e6, sale.cash_e6, sale.fee_e6
        for pair in self.open.values():
            held = pair.leg(sale.outcome).net_e6 if pair.market_id == market_id else 0
            part = min(left, held)
            if part <= 0:
                continue
            share = sale._replace(
                size_e6=part, cash_e6=cash * part // left, fee_e6=fee * part // left
            )
            self.fill(pair.pair_id, share, now_ns)
            left, cash, fee = left - part, cash - share.cash_e6, fee - share.fee_e6

    def restore(
        self, pair_id: int, market_id: str, strategy: StrategyId, edge_e4: int, now_ns: int
    ) -> None:
        """Opens a pair of an earlier run again; its legs have waited."""
        pair = Pair(pair_id, market_id, strategy, edge_e4, 0, now_ns, PairLeg(), PairLeg())
        self.open[pair_id] = pair

    def restore_closed(self, pair_id: int, result: str) -> None:
        """Takes the end of a pair of an earlier run; its counts are that run's."""
        pair = self.open.pop(pair_id, None)
        if pair is not None:
            pair.result = result
            self._keep(pair)

    def _keep(self, pair: Pair) -> None:
        self.done[pair.pair_id] = pair
        if len(self.done) > DONE_KEPT:
            del self.done[next(iter(self.done))]

    def _reopen(self, pair_id: int) -> Pair | None:
        pair = self.done.pop(pair_id, None)
        if pair is not None:
            if pair.counted:
                self._count(pair, -1)
            pair.result, pair.counted, pair.naked_since_ns = "", False, 0
            self.open[pair_id] = pair
        return pair

    def _count(self, pair: Pair, sign: int) -> None:
        both = pair.up.bought_e6 > 0 and pair.down.bought_e6 > 0
        self.one_sided += sign * (pair.result != "unfilled" and not both)
        self.completed += sign * (pair.result == "completed")
        self.unwound += sign * (pair.result == "unwound")
        self.carried += sign * (pair.result == "carried")

    @staticmethod
    def _clock(pair: Pair, now_ns: int) -> None:
        if pair.excess_e6 and not pair.naked_since_ns:
            pair.naked_since_ns = now_ns
        elif not pair.excess_e6 and pair.naked_since_ns:
            pair.naked_ns += now_ns - pair.naked_since_ns
            pair.naked_since_ns = 0

    def naked_e6(self, spec_price_e4: int = PRICE_ONE_E4) -> int:
        """Returns unmatched shares of all pairs at the worst price, in micro-dollars."""
        return sum(notional_up(spec_price_e4, abs(p.excess_e6)) for p in self.open.values())

    def overdue_ms(self, now_ns: int) -> int:
        """Returns how long the oldest one-sided pair has been past its deadline."""
        late = [
            now_ns - pair.naked_since_ns - pair.wait_ns
            for pair in self.open.values()
            if pair.naked_since_ns
        ]
        return max(0, max(late, default=0)) // MS

    def next_deadline_ns(self) -> int | None:
        """Returns when a one-sided pair must act."""
        dues = [
            max(pair.naked_since_ns + pair.wait_ns, pair.next_try_ns)
            for pair in self.open.values()
            if pair.naked_since_ns
        ]
        return min(dues, default=None)

    def step(self, pair: Pair, seen: PairView, now_ns: int) -> PairStep:
        """Returns a pair's next step; nothing while its legs are working in time."""
        excess = pair.excess_e6
        if seen.ended or (not excess and not seen.live_orders):
            return PairStep(closed=self._close(pair, now_ns))
        if not excess:
            lone = len(seen.live_orders) == 1
            return PairStep(cancel=seen.resting_orders if lone else ())
        if now_ns < pair.naked_since_ns + pair.wait_ns or now_ns < pair.next_try_ns:
            return PairStep()
        pair.next_try_ns = now_ns + RETRY_NS
        if seen.live_orders:
            return PairStep(cancel=seen.live_orders)
        pair.tries += 1
        if abs(excess) < seen.spec.grid.min_size_e6:
            return PairStep(closed=self._close(pair, now_ns))
        intent = self._exit(pair, seen)
        return PairStep(intent=intent, stuck=intent is None)

    def _exit(self, pair: Pair, seen: PairView) -> Intent | None:
        choices = [c for c in (_complete(pair, seen), _unwind(pair, seen)) if c is not None]
        within = [c for c in choices if c.result_e6 >= -self.max_unwind_loss_e6]
        if not within:
            return None
        # Compare a share with a share: the parts may differ in size.
        best = min(within, key=lambda c: c.loss_e6 * 1_000_000 // c.leg.size_e6)
        return Intent(
            pair.strategy,
            pair.market_id,
            best.kind,
            (best.leg,),
            edge_e4=round(best.result_e6 * 10_000 / best.leg.size_e6),
            pair_id=pair.pair_id,
            note=f"excess {abs(pair.excess_e6) / 1e6:g} {_long(pair).value}",
        )

    def _close(self, pair: Pair, now_ns: int) -> PairClosed:
        if pair.naked_since_ns:
            pair.naked_ns += now_ns - pair.naked_since_ns
        matched = min(pair.up.net_e6, pair.down.net_e6)
        any_fill = pair.up.bought_e6 > 0 or pair.down.bought_e6 > 0
        sold = pair.up.sold_e6 + pair.down.sold_e6
        if not any_fill:
            result = "unfilled"
        elif pair.excess_e6:
            result = "carried"
        else:
            result = "unwound" if sold else "completed"
        naked_ms = pair.naked_ns // MS
        self.naked_ms_max = max(self.naked_ms_max, naked_ms)
        del self.open[pair.pair_id]
        pair.result, pair.counted = result, True
        self._count(pair, 1)
        self._keep(pair)
        captured = pair.up.cash_e6 + pair.down.cash_e6 + matched
        return PairClosed(
            pair.pair_id,
            pair.market_id,
            pair.strategy,
            pair.intended_edge_e4,
            pair.up.net_e6,
            pair.down.net_e6,
            -(pair.up.cash_e6 + pair.down.cash_e6),
            pair.exit_e6,
            captured,
            naked_ms,
            result,
        )


class _Exit(NamedTuple):
    """Is one way out: what it loses against the dollar or the sale, and the pair's whole result.

    In the result, shares that stay unmatched count at what they cost.
    """

    kind: IntentKind
    leg: Leg
    loss_e6: int
    result_e6: int


def _long(pair: Pair) -> Outcome:
    return Outcome.UP if pair.excess_e6 > 0 else Outcome.DOWN


def _complete(pair: Pair, seen: PairView) -> _Exit | None:
    """Buys the missing leg: turns excess into dollars."""
    long, spec = _long(pair), seen.spec
    ask = seen.top(long.other)
    part = min(abs(pair.excess_e6), ask.ask_e6)
    size = fit_size_e6(spec.grid, Side.BUY, ask.ask_e4, part, True) if part else 0
    if not size:
        return None
    cost = notional_up(ask.ask_e4, size) + taker_fee_e6(ask.ask_e4, size, spec.fees.rate_e6)
    leg = Leg(long.other, Side.BUY, ask.ask_e4, size, TIF.FAK)
    loss = cost - size  # a matched pair pays a dollar a share
    return _Exit(IntentKind.COMPLETE, leg, loss, _result(pair, size) - loss)


def _unwind(pair: Pair, seen: PairView) -> _Exit | None:
    """Sells the excess, as far as it is confirmed."""
    long, spec = _long(pair), seen.spec
    bid = seen.top(long)
    confirmed = seen.confirmed_up_e6 if long is Outcome.UP else seen.confirmed_down_e6
    part = min(abs(pair.excess_e6), bid.bid_e6, confirmed)
    size = fit_size_e6(spec.grid, Side.SELL, bid.bid_e4, part, True) if part > 0 else 0
    if not size:
        return None
    fee = taker_fee_e6(bid.bid_e4, size, spec.fees.rate_e6)
    loss = fee - notional_down(bid.bid_e4, size)
    leg = Leg(long, Side.SELL, bid.bid_e4, size, TIF.FAK)
    return _Exit(IntentKind.UNWIND, leg, loss, _result(pair, size) - loss)


def _result(pair: Pair, size_e6: int) -> int:
    """Returns the pair's result if so much of its excess were given away for nothing."""
    matched = min(pair.up.net_e6, pair.down.net_e6)
    rest = pair.leg(_long(pair)).cost_e6(abs(pair.excess_e6) - size_e6)
    return pair.up.cash_e6 + pair.down.cash_e6 + matched + rest

"""Pairs: two legs, equal shares, one deadline.

A pair is working, one-sided, or closed. When one leg has filled and the other has not by its
deadline, what is left of the other is cancelled, and only once that is proven the excess is
either completed or unwound (`unwind.py`), within `max_unwind_loss_usd`. Where nothing of a pair
works any more there is nothing to wait for. What can be neither completed nor unwound is carried
to settlement and said so; less than the venue trades is dust, which counts against the cap on
unmatched shares until its market is settled.

A leg that is left alone before anything filled (its partner was refused, cancelled or voided) is
cancelled at once. A fill after the end reopens the pair (F36), and so does a voided one (F43).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from dailyarb.core.domain.ids import StrategyId
from dailyarb.core.domain.intents import Intent, Leg
from dailyarb.core.domain.market import MarketSpec, Outcome, Side
from dailyarb.core.domain.records import PairClosed
from dailyarb.core.domain.units import MS, PRICE_ONE_E4, SECOND, SIZE_ONE_E6, notional_up
from dailyarb.core.execution.unwind import Depth, Need, Way, best_way

RETRY_NS, RETRY_MAX_NS = 50 * MS, 2 * SECOND  # between two tries to get out; doubled
REST_NS = SECOND  # least time a resting way out keeps its place
DONE_KEPT = 1_000  # closed pairs that a late or voided fill may still reopen


@dataclass(slots=True)
class PairLeg:
    """Is what one outcome of a pair bought and sold; cash is net of fees, negative if paid."""

    bought_e6: int = 0
    sold_e6: int = 0
    cash_e6: int = 0
    paid_e6: int = 0  # for all shares bought, fees included
    late_e6: int = 0  # of those bought, by completing
    late_paid_e6: int = 0

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
            self.late_e6 += moved.size_e6 if moved.way_out else 0
            self.late_paid_e6 -= cash if moved.way_out else 0
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
    way_out: bool = False  # of an order that completes or unwinds

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
    wait_ns: int  # 0: its legs have waited, in an earlier run
    opened_ns: int
    up: PairLeg
    down: PairLeg
    sent_edge_e4: int | None = None  # by the touch as the legs left
    dust_e6: int = 0  # less than this cannot be traded; known from its first step
    first_ns: int = 0  # first proven fill
    whole_ns: int = 0  # when both legs became equal, 0 while they are not
    naked_since_ns: int = 0
    naked_ns: int = 0
    due_ns: int = 0  # when its next step is wanted, 0: when something is heard of it
    next_try_ns: int = 0
    tries: int = 0
    rests: Leg | None = None  # the way out that waits as a maker
    exit_e6: int = 0
    result: str = ""  # how it ended, "" while open
    counted: bool = False  # its end is in this run's counts

    def leg(self, outcome: Outcome) -> PairLeg:
        """Returns one leg."""
        return self.up if outcome is Outcome.UP else self.down

    @property
    def excess_e6(self) -> int:
        """Returns UP shares less DOWN shares."""
        return self.up.net_e6 - self.down.net_e6

    @property
    def matched_e6(self) -> int:
        """Returns the shares of each outcome that pay a dollar together."""
        return min(self.up.net_e6, self.down.net_e6)


class PairView(NamedTuple):
    """Is what the market looks like to a pair that must act.

    confirmed_* are its strategy's own shares; resting_orders those of live_orders that do not end
    by themselves, working the outcomes they buy. maker_only: the venue takes no crossing order;
    sells_only: it takes no buys.
    """

    spec: MarketSpec
    book: Depth
    confirmed_up_e6: int
    confirmed_down_e6: int
    live_orders: tuple[str, ...]
    ended: bool
    resting_orders: tuple[str, ...] = ()
    working: tuple[Outcome, ...] = ()
    maker_only: bool = False
    sells_only: bool = False


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
        self._dust_e6: dict[str, int] | None = None  # of `done` by market, when it is known
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
        pair.due_ns = now_ns
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
        pair.first_ns = pair.first_ns or now_ns
        pair.tries = 0
        self._clock(pair, now_ns)

    def sent(self, pair_id: int, edge_e4: int) -> None:
        """Takes the edge a share by the touch at the moment the legs leave."""
        pair = self.open.get(pair_id)
        if pair is not None:
            pair.sent_edge_e4 = edge_e4

    def heard(self, pair_id: int, now_ns: int) -> None:
        """Takes that something was heard of a pair's orders: its next step is wanted now."""
        pair = self.open.get(pair_id)
        if pair is not None:
            pair.due_ns = now_ns

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
        self._dust_e6 = None
        if len(self.done) > DONE_KEPT:
            del self.done[next(iter(self.done))]

    def _reopen(self, pair_id: int) -> Pair | None:
        pair = self.done.pop(pair_id, None)
        if pair is not None:
            self._dust_e6 = None
            if pair.counted:
                self._count(pair, -1)
            pair.result, pair.counted, pair.naked_since_ns, pair.rests = "", False, 0, None
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
        excess = abs(pair.excess_e6)
        if excess and excess >= pair.dust_e6:
            pair.naked_since_ns = pair.naked_since_ns or now_ns
        elif pair.naked_since_ns:
            pair.naked_ns += now_ns - pair.naked_since_ns
            pair.naked_since_ns = 0
        pair.whole_ns = now_ns if excess < SIZE_ONE_E6 else 0
        pair.due_ns = max(now_ns, pair.naked_since_ns + pair.wait_ns)

    def naked_e6(self, spec_price_e4: int = PRICE_ONE_E4) -> int:
        """Returns unmatched shares of all pairs at the worst price, in micro-dollars."""
        return sum(notional_up(spec_price_e4, abs(p.excess_e6)) for p in self.open.values())

    def dust_e6(self, markets: Iterable[str]) -> int:
        """Returns what closed pairs carry unmatched in these markets, at the worst price."""
        if self._dust_e6 is None:
            found = self._dust_e6 = {}
            for pair in self.done.values():
                dust = notional_up(PRICE_ONE_E4, abs(pair.excess_e6))
                found[pair.market_id] = found.get(pair.market_id, 0) + dust
        return sum(self._dust_e6.get(market, 0) for market in markets)

    def overdue_ms(self, now_ns: int) -> int:
        """Returns how long the oldest one-sided pair has been past its deadline."""
        late = [
            now_ns - pair.naked_since_ns - pair.wait_ns
            for pair in self.open.values()
            if pair.naked_since_ns
        ]
        return max(0, max(late, default=0)) // MS

    def next_deadline_ns(self) -> int | None:
        """Returns when a pair must act."""
        return min((pair.due_ns for pair in self.open.values() if pair.due_ns), default=None)

    def step(self, pair: Pair, seen: PairView, now_ns: int) -> PairStep:
        """Returns a pair's next step; nothing while its legs are working in time."""
        excess, pair.due_ns = pair.excess_e6, 0
        pair.dust_e6 = seen.spec.grid.min_size_e6
        if seen.ended or (not excess and not seen.live_orders):
            return PairStep(closed=self._close(pair, now_ns))
        if not excess:
            lone = len(seen.live_orders) == 1
            return PairStep(cancel=seen.resting_orders if lone else ())
        if seen.live_orders:
            return self._wait(pair, seen, now_ns)
        if abs(excess) < pair.dust_e6:
            return PairStep(closed=self._close(pair, now_ns))
        if now_ns < pair.next_try_ns:
            pair.due_ns = pair.next_try_ns
            return PairStep()
        return self._try(pair, seen, now_ns)

    def _wait(self, pair: Pair, seen: PairView, now_ns: int) -> PairStep:
        """Gives what works its time, then cancels it: what takes ends by itself."""
        if abs(pair.excess_e6) < pair.dust_e6 and _long(pair).other in seen.working:
            return PairStep()  # nothing else could bring what is missing
        if pair.rests is not None:
            if now_ns < pair.next_try_ns and seen.maker_only:
                return PairStep()
            way = self._way(pair, seen)
            if seen.maker_only and way is not None and _same_place(way.leg, pair.rests):
                return PairStep()
        elif now_ns < pair.naked_since_ns + pair.wait_ns:
            pair.due_ns = pair.naked_since_ns + pair.wait_ns
            return PairStep()
        return PairStep(cancel=seen.resting_orders)

    def _try(self, pair: Pair, seen: PairView, now_ns: int) -> PairStep:
        way = self._way(pair, seen)
        wait = REST_NS if seen.maker_only else RETRY_NS << min(pair.tries, 5)
        pair.tries += 1
        pair.next_try_ns = pair.due_ns = now_ns + min(wait, RETRY_MAX_NS)
        if way is None:
            return PairStep(stuck=True)
        pair.rests = way.leg if way.leg.post_only else None
        intent = Intent(
            pair.strategy,
            pair.market_id,
            way.kind,
            (way.leg,),
            edge_e4=-round(way.loss_e6 * 10_000 / way.leg.size_e6),
            pair_id=pair.pair_id,
            note=f"excess {abs(pair.excess_e6) / 1e6:g} {_long(pair).value}",
        )
        return PairStep(intent=intent)

    def _way(self, pair: Pair, seen: PairView) -> Way | None:
        long, excess = _long(pair), abs(pair.excess_e6)
        up = long is Outcome.UP
        cost = pair.leg(long).cost_e6(excess)
        so_far = pair.up.cash_e6 + pair.down.cash_e6 + pair.matched_e6 + cost
        need = Need(
            seen.spec,
            seen.book,
            long,
            excess,
            seen.confirmed_up_e6 if up else seen.confirmed_down_e6,
            cost,
            self.max_unwind_loss_e6 + so_far,
        )
        return best_way(need, seen.maker_only, seen.sells_only)

    def _close(self, pair: Pair, now_ns: int) -> PairClosed:
        if pair.naked_since_ns:
            pair.naked_ns += now_ns - pair.naked_since_ns
        naked_ms = pair.naked_ns // MS
        self.naked_ms_max = max(self.naked_ms_max, naked_ms)
        del self.open[pair.pair_id]
        pair.result, pair.counted = _result(pair), True
        self._count(pair, 1)
        self._keep(pair)
        up, down = pair.up, pair.down
        return PairClosed(
            pair.pair_id,
            pair.market_id,
            pair.strategy,
            pair.intended_edge_e4,
            up.net_e6,
            down.net_e6,
            -(up.cash_e6 + down.cash_e6),
            pair.exit_e6,
            up.cash_e6 + down.cash_e6 + pair.matched_e6,
            naked_ms,
            pair.result,
            pair.sent_edge_e4,
            (up.bought_e6, up.paid_e6),
            (down.bought_e6, down.paid_e6),
            (pair.whole_ns - pair.first_ns) // MS if pair.whole_ns and pair.wait_ns else None,
            _exit_cost_e6(pair),
            max(0, pair.matched_e6),
        )


def _long(pair: Pair) -> Outcome:
    return Outcome.UP if pair.excess_e6 > 0 else Outcome.DOWN


def _same_place(one: Leg, other: Leg) -> bool:
    return (one.outcome, one.side, one.price_e4) == (other.outcome, other.side, other.price_e4)


def _result(pair: Pair) -> str:
    if not pair.up.bought_e6 and not pair.down.bought_e6:
        return "unfilled"
    sold = pair.up.sold_e6 + pair.down.sold_e6
    # Crossing orders come in whole cents: what they leave of a share is their rounding.
    if abs(pair.excess_e6) >= SIZE_ONE_E6 or not (pair.matched_e6 or sold):
        return "carried"
    return "unwound" if sold else "completed"


def _exit_cost_e6(pair: Pair) -> int:
    """Returns what completing and unwinding lost: against the dollar, and against the cost."""
    up, down = pair.up, pair.down
    sold = up.cost_e6(up.sold_e6) + down.cost_e6(down.sold_e6) - pair.exit_e6
    late = up.late_paid_e6 + down.cost_e6(up.late_e6) - up.late_e6
    late += down.late_paid_e6 + up.cost_e6(down.late_e6) - down.late_e6
    return sold + late

"""Pairs: two legs, equal shares, one deadline.

A pair is working, one-sided, or closed. When one leg has filled and the other has not by its
deadline, what is left of the other is cancelled, and only once that is proven the excess is
either completed (buy the missing leg) or unwound (sell the filled one), whichever loses less net
of fees, within `max_unwind_loss_usd`. Completing needs only cash; selling needs confirmed shares
(F33, F43). What can be neither is carried to settlement and said so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from dailyarb.core.book.book import Top
from dailyarb.core.domain.ids import StrategyId
from dailyarb.core.domain.intents import Intent, IntentKind, Leg
from dailyarb.core.domain.market import MarketSpec, Outcome, Side, taker_fee_e6
from dailyarb.core.domain.orders import TIF
from dailyarb.core.domain.records import PairClosed
from dailyarb.core.domain.units import MS, PRICE_ONE_E4, notional_up

RETRY_NS = 500 * MS


@dataclass(slots=True)
class PairLeg:
    """Is what one outcome of a pair bought and sold; cash is net of fees, negative if paid."""

    bought_e6: int = 0
    sold_e6: int = 0
    cash_e6: int = 0

    @property
    def net_e6(self) -> int:
        """Returns shares still held."""
        return self.bought_e6 - self.sold_e6


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
    closed: bool = False

    def leg(self, outcome: Outcome) -> PairLeg:
        """Returns one leg."""
        return self.up if outcome is Outcome.UP else self.down

    @property
    def excess_e6(self) -> int:
        """Returns UP shares less DOWN shares."""
        return self.up.net_e6 - self.down.net_e6


class PairView(NamedTuple):
    """Is what the market looks like to a pair that must act."""

    spec: MarketSpec
    up: Top
    down: Top
    confirmed_up_e6: int
    confirmed_down_e6: int
    live_orders: tuple[str, ...]
    ended: bool

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
        self._max_unwind_loss_e6 = max_unwind_loss_e6
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

    def fill(
        self,
        pair_id: int,
        outcome: Outcome,
        side: Side,
        size_e6: int,
        cash_e6: int,
        fee_e6: int,
        now_ns: int,
    ) -> None:
        """Counts one fill of a pair (negative size and cash undo a voided one)."""
        pair = self.open.get(pair_id)
        if pair is None:
            return
        leg = pair.leg(outcome)
        if side is Side.BUY:
            leg.bought_e6 += size_e6
        else:
            leg.sold_e6 += size_e6
            pair.exit_e6 += cash_e6 - fee_e6
        leg.cash_e6 += cash_e6 - fee_e6
        self._clock(pair, now_ns)

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
        if not excess or now_ns < pair.naked_since_ns + pair.wait_ns or now_ns < pair.next_try_ns:
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
        long = Outcome.UP if pair.excess_e6 > 0 else Outcome.DOWN
        size = abs(pair.excess_e6)
        rate = seen.spec.fees.rate_e6
        choices: list[tuple[int, IntentKind, Leg]] = []
        ask = seen.top(long.other)
        if ask.ask_e6 > 0:
            part = min(size, ask.ask_e6)
            fee = taker_fee_e6(ask.ask_e4, part, rate)
            # Buying the missing leg turns the excess into dollars: what it costs beyond them.
            loss = notional_up(ask.ask_e4, part) + fee - notional_up(PRICE_ONE_E4, part)
            leg = Leg(long.other, Side.BUY, ask.ask_e4, part, TIF.FAK)
            choices.append((loss, IntentKind.COMPLETE, leg))
        bid = seen.top(long)
        confirmed = seen.confirmed_up_e6 if long is Outcome.UP else seen.confirmed_down_e6
        if bid.bid_e6 > 0 and confirmed >= seen.spec.grid.min_size_e6:
            part = min(size, bid.bid_e6, confirmed)
            fee = taker_fee_e6(bid.bid_e4, part, rate)
            loss = fee - notional_up(bid.bid_e4, part)
            choices.append(
                (loss, IntentKind.UNWIND, Leg(long, Side.SELL, bid.bid_e4, part, TIF.FAK))
            )
        paid = self._paid_e6(pair, long)
        within = [
            choice
            for choice in choices
            if choice[0] + paid * choice[2].size_e6 // size <= self._max_unwind_loss_e6
        ]
        if not within:
            return None
        # Compare a share with a share: the parts may differ in size.
        loss, kind, leg = min(within, key=lambda c: c[0] * 1_000_000 // c[2].size_e6)
        return Intent(
            pair.strategy,
            pair.market_id,
            kind,
            (leg,),
            edge_e4=-round(loss * 10_000 / leg.size_e6),
            pair_id=pair.pair_id,
            note=f"excess {size / 1e6:g} {long.value}",
        )

    @staticmethod
    def _paid_e6(pair: Pair, outcome: Outcome) -> int:
        """Returns what the excess shares cost, at the leg's average price."""
        leg = pair.leg(outcome)
        if leg.bought_e6 <= 0:
            return 0
        return -leg.cash_e6 * abs(pair.excess_e6) // leg.bought_e6

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
        self.one_sided += any_fill and not (pair.up.bought_e6 and pair.down.bought_e6)
        self.completed += result == "completed"
        self.unwound += result == "unwound"
        self.carried += result == "carried"
        naked_ms = pair.naked_ns // MS
        self.naked_ms_max = max(self.naked_ms_max, naked_ms)
        pair.closed = True
        del self.open[pair.pair_id]
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

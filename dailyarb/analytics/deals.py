"""What a journal tells about trading: signals, orders, fills and what they came to.

A fold of records, one result per evidence class; the classes are never added. A fill is valued at
what its shares finally paid: signed by side, less what was paid and the fee. Summed over a window
that is its net profit to the micro-dollar, and yet each fill can be looked at on its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from dailyarb.core.domain.ids import StrategyId
from dailyarb.core.domain.intents import IntentKind
from dailyarb.core.domain.market import MarketSpec, Outcome, Side
from dailyarb.core.domain.orders import FillState, OrderState
from dailyarb.core.domain.records import (
    FillBooked,
    FillMarked,
    FillProven,
    IntentTaken,
    MarketSeen,
    OrderMoved,
    OrderSigned,
    PairClosed,
    PayoutBooked,
    Record,
    RunStarted,
)
from dailyarb.core.domain.rung import Evidence
from dailyarb.core.domain.units import PRICE_ONE_E4, SECOND, notional_down

Mark = tuple[int, int, int]


@dataclass(slots=True)
class Signal:
    """Is one intent that passed every gate: what a strategy wanted, and what it expected."""

    taken: IntentTaken
    wall_ns: int
    orders: list[Deal] = field(default_factory=list)

    @property
    def strategy(self) -> StrategyId:
        """Returns whose it was."""
        return self.taken.strategy


@dataclass(slots=True)
class Deal:
    """Is one order with the signal behind it, the states it reached and its fills."""

    signed: OrderSigned
    signal: Signal | None
    wall_ns: int
    states: list[OrderState] = field(default_factory=list)
    reason: str = ""
    filled_e6: int = 0

    @property
    def fate(self) -> str:
        """Returns how it ended, as the funnel names it."""
        if self.filled_e6 >= self.signed.size_e6:
            return "filled"
        last = self.states[-1] if self.states else None
        word = last.value.lower() if last else "sent"
        return f"part filled, {word}" if self.filled_e6 else word


@dataclass(slots=True)
class Trade:
    """Is one fill in its surroundings."""

    booked: FillBooked
    wall_ns: int
    deal: Deal | None
    mark: Mark | None = None

    @property
    def sign(self) -> int:
        """Returns 1 for a purchase, -1 for a sale."""
        return 1 if self.booked.side is Side.BUY else -1

    def gross_e6(self, up_price_e4: int) -> int:
        """Returns what the fill came to before fees when UP finally paid this."""
        fill = self.booked
        up = fill.outcome is Outcome.UP
        price = up_price_e4 if up else PRICE_ONE_E4 - up_price_e4
        return self.sign * notional_down(price, fill.size_e6) + fill.cash_e6

    def slippage_e6(self) -> int:
        """Returns what the fill cost against the touch its decision saw; 0 for resting orders."""
        taken = self.deal.signal.taken if self.deal and self.deal.signal else None
        if taken is None or self.booked.maker or not taken.ask_e4:
            return 0
        fill, buys = self.booked, self.sign > 0
        if fill.outcome is Outcome.UP:
            touch = taken.ask_e4 if buys else taken.bid_e4
        else:
            touch = PRICE_ONE_E4 - (taken.bid_e4 if buys else taken.ask_e4)
        return self.sign * (fill.price_e4 - touch) * fill.size_e6 // PRICE_ONE_E4

    @property
    def kind(self) -> IntentKind | None:
        """Returns why the order behind it was sent."""
        return self.deal.signed.intent if self.deal else None


@dataclass(slots=True)
class Deals:
    """Is everything one evidence class has to tell."""

    evidence: Evidence
    specs: dict[str, MarketSpec] = field(default_factory=dict)
    signals: list[Signal] = field(default_factory=list)
    orders: dict[str, Deal] = field(default_factory=dict)
    trades: dict[tuple[str, str], Trade] = field(default_factory=dict)
    pairs: list[tuple[PairClosed, int]] = field(default_factory=list)
    paid_e4: dict[str, int] = field(default_factory=dict)  # market id to what UP paid
    spans: dict[str, tuple[int, int]] = field(default_factory=dict)  # run to first and last ns
    gates: Counter[str] = field(default_factory=Counter)
    windows: dict[str, int] = field(default_factory=dict)  # market id to its block
    _open: dict[tuple[str, int], Signal] = field(default_factory=dict)

    def take(self, run: str, wall_ns: int, record: Record) -> None:
        """Folds one record in."""
        first, _ = self.spans.get(run, (wall_ns, wall_ns))
        self.spans[run] = (min(first, wall_ns), wall_ns)
        if isinstance(record, MarketSeen):
            self.specs[record.spec.market_id] = record.spec
            self.windows[record.spec.market_id] = record.spec.end_ns // SECOND
        elif isinstance(record, IntentTaken):
            signal = Signal(record, wall_ns)
            self._open[run, record.intent_id] = signal
            self.signals.append(signal)
        elif isinstance(record, PairClosed):
            self.pairs.append((record, wall_ns))
        elif isinstance(record, PayoutBooked):
            self.paid_e4[record.market_id] = record.up_price_e4
        else:
            self._order(run, wall_ns, record)

    def _order(self, run: str, wall_ns: int, record: Record) -> None:
        if isinstance(record, OrderSigned):
            signal = self._open.get((run, record.intent_id))
            deal = self.orders[record.order_id] = Deal(record, signal, wall_ns)
            if signal is not None:
                signal.orders.append(deal)
        elif isinstance(record, OrderMoved):
            moved = self.orders.get(record.order_id)
            if moved is not None:
                moved.states.append(record.state)
                moved.reason = record.reason or moved.reason
        else:
            self._fill(wall_ns, record)

    def _fill(self, wall_ns: int, record: Record) -> None:
        if not isinstance(record, FillBooked | FillProven | FillMarked):
            return
        key = (record.trade_id, record.order_id)
        if isinstance(record, FillBooked):
            deal = self.orders.get(record.order_id)
            self.trades[key] = Trade(record, wall_ns, deal)
            if deal is not None:
                deal.filled_e6 += record.size_e6
            return
        trade = self.trades.get(key)
        if trade is None:
            return
        if isinstance(record, FillMarked):
            trade.mark = (record.markout_1s_e4, record.markout_5s_e4, record.markout_30s_e4)
        elif record.state is FillState.VOIDED:
            # It never happened, and neither does it in a report.
            del self.trades[key]
            if trade.deal is not None:
                trade.deal.filled_e6 -= trade.booked.size_e6

    def only(self, markets: Collection[str], within: tuple[int, int] | None = None) -> Deals:
        """Returns what belongs to some windows alone; spans are cut to `within`, if given."""
        spans = self.spans
        if within is not None:
            begin_ns, end_ns = within
            spans = {
                run: (max(first, begin_ns), min(last, end_ns))
                for run, (first, last) in spans.items()
                if first <= end_ns and last >= begin_ns
            }
        ours = frozenset(markets)
        return Deals(
            self.evidence,
            specs={name: spec for name, spec in self.specs.items() if name in ours},
            signals=[s for s in self.signals if s.taken.market_id in ours],
            orders={i: d for i, d in self.orders.items() if d.signed.market_id in ours},
            trades={k: t for k, t in self.trades.items() if t.booked.market_id in ours},
            pairs=[(pair, at) for pair, at in self.pairs if pair.market_id in ours],
            paid_e4={name: paid for name, paid in self.paid_e4.items() if name in ours},
            spans=spans,
            windows={name: block for name, block in self.windows.items() if name in ours},
        )

    def block(self, market_id: str) -> int:
        """Returns the block a window belongs to: windows that end together move together."""
        return self.windows.get(market_id, 0)

    def ended(self) -> list[str]:
        """Returns the windows that were seen to their end."""
        last_ns = max((last for _, last in self.spans.values()), default=0)
        return [name for name, spec in self.specs.items() if spec.end_ns <= last_ns]

    def result_e6(self, trade: Trade) -> int | None:
        """Returns a fill's result before fees; None while its window has not paid."""
        paid = self.paid_e4.get(trade.booked.market_id)
        return None if paid is None else trade.gross_e6(paid)

    def strategies(self) -> list[StrategyId]:
        """Returns the strategies that wanted or did anything, in order of name."""
        found = {signal.strategy for signal in self.signals}
        found |= {trade.booked.strategy for trade in self.trades.values()}
        return sorted(found, key=lambda strategy: strategy.value)


def collect(rows: Iterable[tuple[Evidence, str, int, Record]]) -> dict[Evidence, Deals]:
    """Folds journal rows (evidence, run, wall_ns, record), oldest first, class by class."""
    found: dict[Evidence, Deals] = {}
    for evidence, run, wall_ns, record in rows:
        deals = found.get(evidence)
        if deals is None:
            deals = found[evidence] = Deals(evidence)
        if isinstance(record, RunStarted):
            deals.spans[run] = (wall_ns, wall_ns)
        deals.take(run, wall_ns, record)
    return found

"""The ledger: a pure fold of journal records of one evidence class.

Two folds run side by side. `positions` counts every fill that was not voided: risk needs the
provisional ones. `pnl` counts confirmed fills only: a match is not money until the chain says so.
A market pays once; what is learnt of it afterwards (a late fill, a fill voided) pays its part then.
Every money record is a set of postings that sums to zero (I1); `residual_e6` proves it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dailyarb.core.domain.errors import InvariantBroken
from dailyarb.core.domain.ids import StrategyId
from dailyarb.core.domain.market import Outcome
from dailyarb.core.domain.orders import FILL_MOVES, FillState
from dailyarb.core.domain.records import (
    Adjusted,
    FillBooked,
    FillProven,
    MarketSeen,
    Merged,
    PayoutBooked,
    Record,
)
from dailyarb.core.domain.units import PRICE_ONE_E4, notional_down
from dailyarb.core.ledger.lots import Lots
from dailyarb.core.ledger.pnl import Pnl

FillKey = tuple[str, str]

LABELS_KEPT = 512
CLOSED_KEPT = 256


@dataclass(slots=True)
class MarketBooks:
    """Is what the ledger knows of one market.

    flow_e6 is cash in less cash out (fees included) of all fills not voided; payout included.
    up_price_e4 is what UP paid, None before resolution; paid_e6 what its shares paid so far.
    """

    positions: Lots = field(default_factory=Lots)
    confirmed: Lots = field(default_factory=Lots)
    flow_e6: int = 0
    fills: dict[FillKey, FillBooked] = field(default_factory=dict)
    waiting: dict[FillKey, FillBooked] = field(default_factory=dict)  # the provisional ones
    up_price_e4: int | None = None
    paid_e6: int = 0
    merged_e6: int = 0
    paid_ns: int = 0  # wall clock of its resolution

    @property
    def settled(self) -> bool:
        """Says whether the market has paid."""
        return self.up_price_e4 is not None

    def due_e6(self, up_price_e4: int) -> int:
        """Returns what the shares held pay at this UP price."""
        down = PRICE_ONE_E4 - up_price_e4
        return notional_down(up_price_e4, self.positions.size_e6(Outcome.UP)) + notional_down(
            down, self.positions.size_e6(Outcome.DOWN)
        )


@dataclass(slots=True)
class Accounts:
    """Is the double entry: the sum over all fields is always zero."""

    cash: int = 0
    opening: int = 0
    external: int = 0
    trades: int = 0
    fees: int = 0
    payouts: int = 0

    @property
    def residual_e6(self) -> int:
        """Returns the sum of all accounts: anything but zero is our bug."""
        return self.cash + self.opening + self.external + self.trades + self.fees + self.payouts


class Ledger:
    """Folds records into cash, positions and P&L. Feed it every record, in order, once."""

    def __init__(self) -> None:
        self.accounts = Accounts()
        self.markets: dict[str, MarketBooks] = {}
        self.pnl = Pnl()
        self.labels: dict[str, str] = {}
        self.closed: dict[str, None] = {}  # markets whose books were shut, oldest first
        self._where: dict[FillKey, str] = {}
        self._unsettled: dict[str, MarketBooks] = {}

    def apply(self, record: Record, wall_ns: int) -> None:
        """Applies one record; records without money are passed over.

        Raises:
            InvariantBroken: a fill twice, a proof without a fill, or postings that do not balance.
        """
        if isinstance(record, FillBooked):
            self._book(record, wall_ns)
        elif isinstance(record, FillProven):
            self._prove(record, wall_ns)
        elif isinstance(record, PayoutBooked):
            self._pay(record, wall_ns)
        elif isinstance(record, Merged):
            self._merge(record, wall_ns)
        elif isinstance(record, Adjusted):
            self._adjust(record)
        elif isinstance(record, MarketSeen):
            self.labels.pop(record.spec.market_id, None)  # what was seen last stands last
            self.labels[record.spec.market_id] = record.spec.label
        else:
            return
        if self.accounts.residual_e6:
            raise InvariantBroken(f"I1: postings leave {self.accounts.residual_e6} micro-dollars")

    def market(self, market_id: str) -> MarketBooks:
        """Returns the books of a market, made on first use."""
        books = self.markets.get(market_id)
        if books is None:
            books = self.markets[market_id] = self._unsettled[market_id] = MarketBooks()
        return books

    def size_e6(self, market_id: str, outcome: Outcome) -> int:
        """Returns shares held, provisional ones included; none of a market that has paid."""
        books = self._unsettled.get(market_id)
        return books.positions.size_e6(outcome) if books else 0

    def confirmed_e6(self, market_id: str, outcome: Outcome) -> int:
        """Returns shares held by confirmed fills only."""
        books = self._unsettled.get(market_id)
        return books.confirmed.size_e6(outcome) if books else 0

    def held_e6(self, market_id: str, strategy: StrategyId, outcome: Outcome) -> int:
        """Returns shares one strategy holds, provisional ones included."""
        books = self._unsettled.get(market_id)
        return books.positions.held(strategy, outcome) if books else 0

    def proven_e6(self, market_id: str, strategy: StrategyId, outcome: Outcome) -> int:
        """Returns shares one strategy holds by confirmed fills only."""
        books = self._unsettled.get(market_id)
        return books.confirmed.held(strategy, outcome) if books else 0

    def fill(self, trade_id: str, order_id: str) -> FillBooked | None:
        """Returns the booked fill of this key, voided ones included, or None."""
        key = (trade_id, order_id)
        market_id = self._where.get(key)
        return None if market_id is None else self.markets[market_id].fills[key]

    def provisional(self, market_id: str) -> list[FillBooked]:
        """Returns the fills of a market that are neither final nor voided."""
        books = self.markets.get(market_id)
        return [] if books is None else list(books.waiting.values())

    def open_markets(self) -> list[str]:
        """Returns the undecided markets in which shares are held, or were by fills unproven."""
        return [
            market_id
            for market_id, books in self._unsettled.items()
            if books.waiting or any(books.positions.size_e6(o) for o in Outcome)
        ]

    def adopt(self, market_id: str, label: str, books: MarketBooks) -> None:
        """Takes over the books of a market that were kept."""
        self.markets[market_id], self.labels[market_id] = books, label
        self._where.update(dict.fromkeys(books.fills, market_id))
        if not books.settled:
            self._unsettled[market_id] = books

    def forget(self, before_ns: int) -> None:
        """Shuts the books of markets that paid, and had their last fill, before this wall clock.

        What they did to cash and P&L stays. A fill the venue tells of one of them has been
        counted: `closed` names them.
        """
        for market_id, books in list(self.markets.items()):
            last_ns = max([books.paid_ns, *(fill.match_ns for fill in books.fills.values())])
            if books.settled and not books.waiting and last_ns < before_ns:
                for key in books.fills:
                    del self._where[key]
                del self.markets[market_id]
                self.closed[market_id] = None
        for old in list(self.closed)[: max(0, len(self.closed) - CLOSED_KEPT)]:
            del self.closed[old]
        for unseen in list(self.labels)[: max(0, len(self.labels) - LABELS_KEPT)]:
            del self.labels[unseen]
        self.pnl.forget(before_ns)

    def _book(self, fill: FillBooked, wall_ns: int) -> None:
        key = (fill.trade_id, fill.order_id)
        if key in self._where:
            raise InvariantBroken(f"I3: fill {key} booked twice")
        if fill.size_e6 <= 0 or fill.fee_e6 < 0 or fill.state is FillState.VOIDED:
            raise InvariantBroken(f"fill {key}: size {fill.size_e6}, fee {fill.fee_e6}")
        books = self.market(fill.market_id)
        books.fills[key], self._where[key] = fill, fill.market_id
        self._post_fill(books, fill, 1)
        books.positions.apply(fill)
        if fill.state is FillState.CONFIRMED:
            self._count(books, fill)
        else:
            books.waiting[key] = fill
        self._pay_late(fill.market_id, books, wall_ns)

    def _post_fill(self, books: MarketBooks, fill: FillBooked, sign: int) -> None:
        self.accounts.cash += sign * (fill.cash_e6 - fill.fee_e6)
        self.accounts.trades -= sign * fill.cash_e6
        self.accounts.fees += sign * fill.fee_e6
        books.flow_e6 += sign * (fill.cash_e6 - fill.fee_e6)

    def _prove(self, proof: FillProven, wall_ns: int) -> None:
        key = (proof.trade_id, proof.order_id)
        fill = self.fill(*key)
        if fill is None:
            raise InvariantBroken(f"proof of a fill that was never booked: {key}")
        if proof.state not in FILL_MOVES[fill.state]:
            raise InvariantBroken(f"fill {key}: {fill.state.value} -> {proof.state.value}")
        books = self.markets[fill.market_id]
        changed = _with_state(fill, proof.state)
        books.fills[key] = changed
        del books.waiting[key]
        if proof.state is FillState.CONFIRMED:
            self._count(books, changed)
        else:
            self._post_fill(books, fill, -1)
            books.positions = _refold(books)
        self._pay_late(fill.market_id, books, wall_ns)

    def _count(self, books: MarketBooks, fill: FillBooked) -> None:
        results = books.confirmed.apply(fill)
        self.pnl.fill(fill, results, self.labels.get(fill.market_id, fill.market_id))

    def _pay(self, payout: PayoutBooked, wall_ns: int) -> None:
        books = self.market(payout.market_id)
        if books.settled:
            raise InvariantBroken(f"market {payout.market_id} paid twice")
        due = books.due_e6(payout.up_price_e4)
        if payout.cash_e6 != due:
            raise InvariantBroken(f"payout {payout.cash_e6} of {payout.market_id}, due {due}")
        books.up_price_e4, books.paid_ns = payout.up_price_e4, wall_ns
        del self._unsettled[payout.market_id]
        self._pay_late(payout.market_id, books, wall_ns)

    def _pay_late(self, market_id: str, books: MarketBooks, wall_ns: int) -> None:
        """Brings what a settled market has paid up to what its fills are worth by now."""
        if books.up_price_e4 is None:
            return
        more = books.due_e6(books.up_price_e4) - books.paid_e6
        books.paid_e6 += more
        books.flow_e6 += more
        self.accounts.cash += more
        self.accounts.payouts -= more
        label = self.labels.get(market_id, market_id)
        self.pnl.close(label, books.confirmed.settle(books.up_price_e4), wall_ns)

    def _merge(self, merged: Merged, wall_ns: int) -> None:
        books = self.market(merged.market_id)
        books.flow_e6 += merged.cash_e6
        self.accounts.cash += merged.cash_e6
        self.accounts.payouts -= merged.cash_e6
        books.positions.merge(merged.size_e6)
        books.merged_e6 += merged.size_e6
        label = self.labels.get(merged.market_id, merged.market_id)
        self.pnl.close(label, books.confirmed.merge(merged.size_e6), wall_ns)

    def _adjust(self, adjusted: Adjusted) -> None:
        self.accounts.cash += adjusted.cash_e6
        if adjusted.what == "opening":
            self.accounts.opening -= adjusted.cash_e6
        else:
            self.accounts.external -= adjusted.cash_e6


def _with_state(fill: FillBooked, state: FillState) -> FillBooked:
    fields = {name: getattr(fill, name) for name in fill.__struct_fields__}
    return FillBooked(**{**fields, "state": state})


def _refold(books: MarketBooks) -> Lots:
    lots = Lots()
    for fill in books.fills.values():
        if fill.state is not FillState.VOIDED:
            lots.apply(fill)
    if books.merged_e6:
        lots.merge(books.merged_e6)
    return lots

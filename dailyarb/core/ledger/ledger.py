"""The ledger: a pure fold of journal records of one evidence class.

Two folds run side by side. `positions` counts every fill that was not voided: risk needs the
provisional ones. `pnl` counts confirmed fills only: a match is not money until the chain says so.
Every money record is a set of postings that sums to zero (I1); `residual_e6` proves it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dailyarb.core.domain.errors import InvariantBroken
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
from dailyarb.core.domain.units import notional_down
from dailyarb.core.ledger.lots import Lots
from dailyarb.core.ledger.pnl import Pnl

FillKey = tuple[str, str]


@dataclass(slots=True)
class MarketBooks:
    """Is what the ledger knows of one market.

    flow_e6 is cash in less cash out (fees included) of all fills not voided; payout included.
    """

    positions: Lots = field(default_factory=Lots)
    confirmed: Lots = field(default_factory=Lots)
    flow_e6: int = 0
    fills: dict[FillKey, FillBooked] = field(default_factory=dict)
    settled: bool = False


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
        self._labels: dict[str, str] = {}

    def apply(self, record: Record, wall_ns: int) -> None:
        """Applies one record; records without money are passed over.

        Raises:
            InvariantBroken: a fill twice, a proof without a fill, or postings that do not balance.
        """
        if isinstance(record, FillBooked):
            self._book(record)
        elif isinstance(record, FillProven):
            self._prove(record)
        elif isinstance(record, PayoutBooked):
            self._pay(record, wall_ns)
        elif isinstance(record, Merged):
            self._merge(record, wall_ns)
        elif isinstance(record, Adjusted):
            self._adjust(record)
        elif isinstance(record, MarketSeen):
            self._labels[record.spec.market_id] = record.spec.label
        else:
            return
        if self.accounts.residual_e6:
            raise InvariantBroken(f"I1: postings leave {self.accounts.residual_e6} micro-dollars")

    def market(self, market_id: str) -> MarketBooks:
        """Returns the books of a market, made on first use."""
        return self.markets.setdefault(market_id, MarketBooks())

    def size_e6(self, market_id: str, outcome: Outcome) -> int:
        """Returns shares held, provisional ones included."""
        books = self.markets.get(market_id)
        return books.positions.size_e6(outcome) if books else 0

    def confirmed_e6(self, market_id: str, outcome: Outcome) -> int:
        """Returns shares held by confirmed fills only."""
        books = self.markets.get(market_id)
        return books.confirmed.size_e6(outcome) if books else 0

    def has_fill(self, key: FillKey, market_id: str) -> bool:
        """Says whether this (trade_id, order_id) was booked, voided ones included."""
        books = self.markets.get(market_id)
        return books is not None and key in books.fills

    def provisional(self, market_id: str) -> list[FillBooked]:
        """Returns the fills of a market that are neither final nor voided."""
        books = self.markets.get(market_id)
        if books is None:
            return []
        return [f for f in books.fills.values() if f.state is FillState.PROVISIONAL]

    def open_markets(self) -> list[str]:
        """Returns the markets in which shares are held."""
        return [
            market_id
            for market_id, books in self.markets.items()
            if not books.settled and any(books.positions.size_e6(o) for o in Outcome)
        ]

    def _book(self, fill: FillBooked) -> None:
        books = self.market(fill.market_id)
        key = (fill.trade_id, fill.order_id)
        if key in books.fills:
            raise InvariantBroken(f"I3: fill {key} booked twice")
        if fill.size_e6 <= 0 or fill.fee_e6 < 0:
            raise InvariantBroken(f"fill {key}: size {fill.size_e6}, fee {fill.fee_e6}")
        books.fills[key] = fill
        self._post_fill(books, fill, 1)
        books.positions.apply(fill)
        if fill.state is FillState.CONFIRMED:
            self._count(books, fill)

    def _post_fill(self, books: MarketBooks, fill: FillBooked, sign: int) -> None:
        self.accounts.cash += sign * (fill.cash_e6 - fill.fee_e6)
        self.accounts.trades -= sign * fill.cash_e6
        self.accounts.fees += sign * fill.fee_e6
        books.flow_e6 += sign * (fill.cash_e6 - fill.fee_e6)

    def _prove(self, proof: FillProven) -> None:
        key = (proof.trade_id, proof.order_id)
        books = next((b for b in self.markets.values() if key in b.fills), None)
        if books is None:
            raise InvariantBroken(f"proof of a fill that was never booked: {key}")
        fill = books.fills[key]
        if proof.state not in FILL_MOVES[fill.state]:
            raise InvariantBroken(f"fill {key}: {fill.state.value} -> {proof.state.value}")
        changed = _with_state(fill, proof.state)
        books.fills[key] = changed
        if proof.state is FillState.CONFIRMED:
            self._count(books, changed)
        else:
            self._post_fill(books, fill, -1)
            books.positions = _refold(books)

    def _count(self, books: MarketBooks, fill: FillBooked) -> None:
        results = books.confirmed.apply(fill)
        self.pnl.fill(fill, results, self._labels.get(fill.market_id, fill.market_id))

    def _pay(self, payout: PayoutBooked, wall_ns: int) -> None:
        books = self.market(payout.market_id)
        if books.settled:
            raise InvariantBroken(f"market {payout.market_id} paid twice")
        due = sum(
            notional_down(
                payout.up_price_e4 if o is Outcome.UP else 10_000 - payout.up_price_e4,
                books.positions.size_e6(o),
            )
            for o in Outcome
        )
        if payout.cash_e6 != due:
            raise InvariantBroken(f"payout {payout.cash_e6} of {payout.market_id}, due {due}")
        books.settled = True
        books.flow_e6 += payout.cash_e6
        self.accounts.cash += payout.cash_e6
        self.accounts.payouts -= payout.cash_e6
        books.positions.settle(payout.up_price_e4)
        label = self._labels.get(payout.market_id, payout.market_id)
        self.pnl.close(label, books.confirmed.settle(payout.up_price_e4), wall_ns)

    def _merge(self, merged: Merged, wall_ns: int) -> None:
        books = self.market(merged.market_id)
        books.flow_e6 += merged.cash_e6
        self.accounts.cash += merged.cash_e6
        self.accounts.payouts -= merged.cash_e6
        books.positions.merge(merged.size_e6)
        label = self._labels.get(merged.market_id, merged.market_id)
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
    return lots

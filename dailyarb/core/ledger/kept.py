"""The ledger as a checkpoint keeps it: what a fold knows, without the records it came from."""

from __future__ import annotations

from dataclasses import replace

import msgspec
from msgspec.structs import astuple

from dailyarb.core.domain.ids import StrategyId
from dailyarb.core.domain.market import Outcome, Side
from dailyarb.core.domain.orders import FillState
from dailyarb.core.domain.records import FillBooked
from dailyarb.core.ledger.ledger import Accounts, Ledger, MarketBooks
from dailyarb.core.ledger.lots import Lot, Lots
from dailyarb.core.ledger.pnl import Pnl

KeptLot = tuple[StrategyId, Outcome, Lot]
# The fields of a FillBooked in their order: names would double it.
KeptFill = tuple[
    str, str, StrategyId, str, Outcome, Side, int, int, int, int, bool, FillState, int, int, int
]  # fmt: skip


class KeptMarket(msgspec.Struct, frozen=True, array_like=True):
    """Is the books of one market; fills in the order they were booked."""

    market_id: str
    label: str
    positions: tuple[KeptLot, ...]
    confirmed: tuple[KeptLot, ...]
    flow_e6: int
    fills: tuple[KeptFill, ...]
    up_price_e4: int | None
    paid_e6: int
    merged_e6: int
    paid_ns: int


class KeptLedger(msgspec.Struct, frozen=True, array_like=True):
    """Is a whole ledger; closed names markets whose books were shut, oldest first."""

    accounts: Accounts
    markets: tuple[KeptMarket, ...]
    closed: tuple[str, ...]
    pnl: Pnl


def keep_ledger(ledger: Ledger) -> KeptLedger:
    """Returns what `restore_ledger` needs to make an equal ledger; shares tallies, to encode."""
    markets = tuple(
        KeptMarket(
            market_id,
            ledger.labels.get(market_id, ""),
            _keep_lots(books.positions),
            _keep_lots(books.confirmed),
            books.flow_e6,
            tuple(astuple(fill) for fill in books.fills.values()),
            books.up_price_e4,
            books.paid_e6,
            books.merged_e6,
            books.paid_ns,
        )
        for market_id, books in ledger.markets.items()
    )
    return KeptLedger(ledger.accounts, markets, tuple(ledger.closed), ledger.pnl)


def restore_ledger(kept: KeptLedger) -> Ledger:
    """Returns the ledger that was kept; takes over its accounts and tallies."""
    ledger = Ledger()
    ledger.accounts, ledger.pnl = kept.accounts, kept.pnl
    ledger.closed = dict.fromkeys(kept.closed)
    for one in kept.markets:
        booked = (FillBooked(*fill) for fill in one.fills)
        fills = {(fill.trade_id, fill.order_id): fill for fill in booked}
        waiting = {k: fill for k, fill in fills.items() if fill.state is FillState.PROVISIONAL}
        books = MarketBooks(
            _lots(one.positions), _lots(one.confirmed), one.flow_e6, fills, waiting,
            one.up_price_e4, one.paid_e6, one.merged_e6, one.paid_ns,
        )  # fmt: skip
        ledger.adopt(one.market_id, one.label, books)
    return ledger


def _keep_lots(lots: Lots) -> tuple[KeptLot, ...]:
    return tuple((owner, outcome, replace(lot)) for (owner, outcome), lot in lots.items())


def _lots(kept: tuple[KeptLot, ...]) -> Lots:
    lots = Lots()
    for owner, outcome, lot in kept:
        lots.adopt(owner, outcome, lot)
    return lots

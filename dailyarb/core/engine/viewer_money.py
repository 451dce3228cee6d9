"""Money rows of the View: P&L by strategy, market and hour, and the line that adds up."""

from __future__ import annotations

from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.ids import StrategyId
from dailyarb.core.domain.units import notional_up
from dailyarb.core.domain.view import Books, HourRow, PnlRow
from dailyarb.core.engine.pairing import locked_e6
from dailyarb.core.engine.state import State
from dailyarb.core.engine.trading import free_cash_e6, mark_e4
from dailyarb.core.ledger.pnl import Tally


def books_row(state: State, open_e6: int) -> Books:
    """Returns the reconcile line: parts, equity and residual."""
    accounts, total = state.ledger.accounts, state.ledger.pnl.total
    opening = -accounts.opening
    waiting = [f for m in state.ledger.open_markets() for f in state.ledger.provisional(m)]
    return Books(
        opening_e6=opening,
        realised_e6=total.realised_e6,
        fees_e6=total.fees_e6,
        payouts_e6=-accounts.payouts,
        unrealised_e6=open_e6,
        equity_e6=opening + total.net_e6 + open_e6,
        residual_e6=accounts.residual_e6,
        cash_e6=accounts.cash,
        free_e6=free_cash_e6(state),
        provisional_e6=sum(notional_up(f.price_e4, f.size_e6) for f in waiting),
        locked_e6=locked_e6(state),
    )


def _row(state: State, key: str, tally: Tally, open_e6: int) -> PnlRow:
    marks = [
        row.markout_5s_e4
        for row in state.fills
        if row.strategy.value == key and row.markout_5s_e4 is not None
    ]
    return PnlRow(
        key=key,
        evidence=state.birth.evidence,
        net_e6=tally.net_e6 + open_e6,
        realised_e6=tally.realised_e6,
        fees_e6=tally.fees_e6,
        unrealised_e6=open_e6,
        fills=tally.fills,
        wins=tally.wins,
        losses=tally.losses,
        volume_e6=tally.volume_e6,
        max_drawdown_e6=tally.drawdown_e6,
        markout_5s_e4=sum(marks) / len(marks) if marks else None,
    )


def _open_by_strategy(state: State) -> dict[StrategyId, int]:
    result: dict[StrategyId, int] = {}
    for market_id in state.ledger.open_markets():
        desk = state.desks.get(market_id)
        if desk is None:
            continue
        lots = state.ledger.markets[market_id].confirmed
        for owner in lots.owners():
            result[owner] = result.get(owner, 0) + lots.unrealised_e6(owner, mark_e4(desk))
    return result


def strategy_rows(state: State) -> tuple[PnlRow, ...]:
    """Returns one row for each configured strategy and each that has results."""
    opens = _open_by_strategy(state)
    tallies = state.ledger.pnl.strategies
    ids = [s for s in StrategyId if s in tallies or any(x.id is s for x in state.strategies)]
    return tuple(_row(state, s.value, tallies.get(s, Tally()), opens.get(s, 0)) for s in ids)


def market_rows(state: State) -> tuple[PnlRow, ...]:
    """Returns one row for each asset and window that has results."""
    opens: dict[str, int] = {}
    for market_id in state.ledger.open_markets():
        desk = state.desks.get(market_id)
        if desk is not None:
            lots = state.ledger.markets[market_id].confirmed
            mark = mark_e4(desk)
            gain = sum(lots.unrealised_e6(s, mark) for s in lots.owners())
            opens[desk.spec.label] = opens.get(desk.spec.label, 0) + gain
    tallies = state.ledger.pnl.markets
    keys = list(dict.fromkeys([*tallies, *opens]))
    return tuple(_row(state, k, tallies.get(k, Tally()), opens.get(k, 0)) for k in keys)


def hour_rows(state: State, now: Instant) -> tuple[HourRow, ...]:
    """Returns realised net by UTC hour for each strategy, and their total first."""
    pnl = state.ledger.pnl
    rows: list[HourRow] = []
    totals: list[int | None] = [None] * 24
    for strategy in [s for s in StrategyId if s in pnl.strategies]:
        cells: list[int | None] = []
        for hour in range(24):
            tally = pnl.hour(strategy, now.wall_ns, hour)
            cells.append(tally.net_e6 if tally else None)
            if tally:
                totals[hour] = (totals[hour] or 0) + tally.net_e6
        rows.append(HourRow(strategy.value, state.birth.evidence, tuple(cells)))
    return (HourRow("all", state.birth.evidence, tuple(totals)), *rows)

"""Scores: what a strategy did, what it earned, and how sure one may be of it.

Money is in dollars and edges in cents a share, as people read them; the sums are taken in
micro-dollars before. Net = gross - fees, where gross values each fill at what its shares finally
paid; slippage is the part of gross that was lost against the touch of the decision. A window is won
or lost by the strategy's net result in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

import msgspec

from dailyarb.analytics.deals import Deals, Trade
from dailyarb.analytics.stats import (
    Interval,
    Sharpe,
    brier,
    drawdown,
    enough,
    redraw,
    sharpe,
)
from dailyarb.core.domain.ids import StrategyId
from dailyarb.core.domain.intents import IntentKind
from dailyarb.core.domain.market import Outcome
from dailyarb.core.domain.orders import OrderState
from dailyarb.core.domain.units import PRICE_ONE_E4, SECOND

HOUR_NS = 3_600 * SECOND
DAY_NS = 24 * HOUR_NS
DAYS_MIN = 30
RATE_SPAN_NS = 240 * SECOND  # a rate a day wants most of a window at least
STANDING_NS = 60 * SECOND  # signals nearer than this, on one side of one market, are one find
_TAUS_S = (15, 30, 60, 120, 300, 900)
_ANSWERED = frozenset(OrderState) - {
    OrderState.DRAFT, OrderState.SIGNED, OrderState.JOURNALLED, OrderState.SENT,
    OrderState.UNKNOWN, OrderState.QUARANTINED,
}  # fmt: skip


class Stage(msgspec.Struct, frozen=True):
    """Is one line of the funnel."""

    name: str
    count: int
    loss: bool = False


class Slice(msgspec.Struct, frozen=True):
    """Is one part of the result: an hour, a window length, an asset, a bucket."""

    by: str
    key: str
    fills: int
    shares: float
    net_usd: float
    net_cents_share: float


class Calibration(msgspec.Struct, frozen=True):
    """Is one band of our own P(up) against what came."""

    band: str
    n: int
    said: float
    came: float


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """Is the score of one strategy in one evidence class; None stands for nothing to say."""

    strategy: str
    evidence: str
    signals: int
    signals_traded: int  # that led to a fill
    orders: int
    orders_filled: int
    fills: int
    maker_fills: int
    shares: float
    unsettled: int  # fills whose window has not paid: in no sum of money
    gross_usd: float
    fees_usd: float
    slippage_usd: float
    net_usd: float
    net_cents_share: float | None
    expected_cents_share: float | None
    captured_cents_share: float | None
    markout_1s_cents: float | None
    markout_5s_cents: float | None
    markout_30s_cents: float | None
    marked: int
    windows: int  # seen to their end
    windows_won: int
    windows_lost: int
    blocks: int  # that hold fills
    interval_usd: Interval | None
    interval_cents_share: Interval | None
    sharpe: Sharpe | None
    max_drawdown_usd: float
    pairs_opened: int
    pairs_completed: int
    pairs_unwound: int
    pairs_carried: int
    pair_captured_usd: float
    lone_legs: int  # pairs of which one leg alone filled by itself, in windows that have paid
    lone_lost: int  # of these, where that outcome lost
    signals_per_day: float | None
    opportunities: int  # runs of signals on one side of one market: what stood, not how often asked
    meaningless: str = ""
    funnel: tuple[Stage, ...] = ()
    slices: tuple[Slice, ...] = ()
    calibration: tuple[Calibration, ...] = ()
    brier: float | None = None

    @property
    def fill_rate(self) -> float | None:
        """Returns the share of orders that filled at least in part."""
        return self.orders_filled / self.orders if self.orders else None

    @property
    def opportunities_per_day(self) -> float | None:
        """Returns opportunities a day of the time that was watched."""
        rate = self.signals_per_day
        return rate * self.opportunities / self.signals if rate and self.signals else rate

    @property
    def completion(self) -> float | None:
        """Returns the share of pairs with a fill that were completed."""
        begun = self.pairs_completed + self.pairs_unwound + self.pairs_carried
        return self.pairs_completed / begun if begun else None


class _Book:
    """Is one strategy's part of the deals, summed once."""

    def __init__(self, deals: Deals, strategy: StrategyId) -> None:
        self.deals = deals
        self.signals = [
            s
            for s in deals.signals
            if s.strategy is strategy and s.taken.intent is IntentKind.ENTRY
        ]
        self.orders = [d for d in deals.orders.values() if d.signed.strategy is strategy]
        self.trades = [t for t in deals.trades.values() if t.booked.strategy is strategy]
        self.pairs = [pair for pair, _ in deals.pairs if pair.strategy is strategy]
        self.paid = [(t, r) for t in self.trades if (r := deals.result_e6(t)) is not None]

    def nets_by(self, key: Callable[[Trade], int]) -> dict[int, int]:
        """Returns net micro-dollars of the paid fills by a key of theirs."""
        sums: dict[int, int] = {}
        for trade, gross in self.paid:
            at = key(trade)
            sums[at] = sums.get(at, 0) + gross - trade.booked.fee_e6
        return sums


def score(deals: Deals, strategy: StrategyId, seed: int = 1) -> Score:
    """Returns the score of one strategy.

    Args:
        deals: of one evidence class.
        strategy: whose.
        seed: of the bootstrap.
    """
    book = _Book(deals, strategy)
    gross = sum(result for _, result in book.paid)
    fees = sum(trade.booked.fee_e6 for trade, _ in book.paid)
    shares = sum(trade.booked.size_e6 for trade, _ in book.paid)
    windows = _window_nets(book)
    blocks = _blocks(book)
    held = sum(1 for _, weight in blocks if weight)
    marks = [(t.mark, t.booked.size_e6) for t in book.trades if t.mark is not None]
    sure = enough(held, len(book.paid))
    nets = [net / 1e6 for net, _ in blocks]
    results = Counter(pair.result for pair in book.pairs)
    lone, lone_lost = _lone(book)
    cents = None if not shares else (gross - fees) / shares * 100
    return Score(
        strategy=strategy.value,
        evidence=deals.evidence.value,
        signals=len(book.signals),
        signals_traded=_traded(book),
        orders=len(book.orders),
        orders_filled=sum(1 for order in book.orders if order.filled_e6),
        fills=len(book.trades),
        maker_fills=sum(trade.booked.maker for trade in book.trades),
        shares=shares / 1e6,
        unsettled=len(book.trades) - len(book.paid),
        gross_usd=gross / 1e6,
        fees_usd=fees / 1e6,
        slippage_usd=sum(trade.slippage_e6() for trade, _ in book.paid) / 1e6,
        net_usd=(gross - fees) / 1e6,
        net_cents_share=cents,
        expected_cents_share=_expected(book),
        captured_cents_share=_captured(book),
        markout_1s_cents=_marked(marks, 0),
        markout_5s_cents=_marked(marks, 1),
        markout_30s_cents=_marked(marks, 2),
        marked=len(marks),
        windows=len(deals.ended()),
        windows_won=sum(1 for net in windows.values() if net > 0),
        windows_lost=sum(1 for net in windows.values() if net < 0),
        blocks=held,
        interval_usd=redraw(nets, seed=seed) if sure else None,
        interval_cents_share=(
            redraw([net * 100 for net in nets], [weight / 1e6 for _, weight in blocks], seed)
            if sure
            else None
        ),
        sharpe=_sharpe(book),
        max_drawdown_usd=drawdown([net / 1e6 for net in _in_time(book)]),
        pairs_opened=len(book.pairs),
        pairs_completed=results["completed"],
        pairs_unwound=results["unwound"],
        pairs_carried=results["carried"],
        pair_captured_usd=sum(pair.captured_e6 for pair in book.pairs) / 1e6,
        lone_legs=lone,
        lone_lost=lone_lost,
        signals_per_day=_per_day(book),
        opportunities=_opportunities(book),
        funnel=tuple(_funnel(book)),
        slices=tuple(_slices(book)),
        calibration=tuple(_calibration(book)),
        brier=brier(_said(book)),
    )


def scores(deals: Deals, seed: int = 1) -> list[Score]:
    """Returns the scores of every strategy that wanted or did anything."""
    return [score(deals, strategy, seed) for strategy in deals.strategies()]


def _window_nets(book: _Book) -> dict[str, int]:
    sums: dict[str, int] = {}
    for trade, gross in book.paid:
        market = trade.booked.market_id
        sums[market] = sums.get(market, 0) + gross - trade.booked.fee_e6
    return sums


def _blocks(book: _Book) -> list[tuple[int, int]]:
    """Returns (net, shares) of every block that was seen to its end, in order of time."""
    deals = book.deals
    found = {deals.block(market): [0, 0] for market in deals.ended()}
    for trade, gross in book.paid:
        row = found.setdefault(deals.block(trade.booked.market_id), [0, 0])
        row[0] += gross - trade.booked.fee_e6
        row[1] += trade.booked.size_e6
    return [(found[block][0], found[block][1]) for block in sorted(found)]


def _in_time(book: _Book) -> list[int]:
    """Returns net results by the moment of each fill, oldest first."""
    nets = book.nets_by(lambda trade: trade.booked.match_ns or trade.wall_ns)
    return [nets[at] for at in sorted(nets)]


def _sharpe(book: _Book) -> Sharpe | None:
    """Returns the ratio of daily results, of hourly ones while there are under 30 days."""
    for period, length in (("day", DAY_NS), ("hour", HOUR_NS)):
        spans = book.deals.spans.values()
        covered = {at for first, last in spans for at in range(first // length, last // length + 1)}
        if period == "day" and len(covered) < DAYS_MIN:
            continue
        nets: dict[int, int] = {}
        for trade, gross in book.paid:
            at = trade.wall_ns // length
            nets[at] = nets.get(at, 0) + gross - trade.booked.fee_e6
        return sharpe([nets.get(at, 0) / 1e6 for at in sorted(covered)], period)
    return None


def _lone(book: _Book) -> tuple[int, int]:
    """Counts pairs of which one leg alone filled, and how many of them held the loser.

    What was bought later to complete or sold to leave is another matter: the question is which side
    fills alone (FINDINGS.md, 9).
    """
    sides: dict[tuple[str, int], set[Outcome]] = {}
    for trade, _ in book.paid:
        deal = trade.deal
        if deal and deal.signed.pair_id and trade.kind is IntentKind.ENTRY:
            key = (trade.booked.market_id, deal.signed.pair_id)
            sides.setdefault(key, set()).add(trade.booked.outcome)
    lone = [(market, next(iter(side))) for (market, _), side in sides.items() if len(side) == 1]
    paid = book.deals.paid_e4
    lost = sum((side is Outcome.UP) != (paid[m] >= PRICE_ONE_E4 // 2) for m, side in lone)
    return len(lone), lost


def _per_day(book: _Book) -> float | None:
    """Returns signals a day of the time that was watched, runs that overlap counted once."""
    total, until = 0, 0
    for first, last in sorted(book.deals.spans.values()):
        total += max(0, last - max(first, until))
        until = max(until, last)
    return len(book.signals) * DAY_NS / total if total >= RATE_SPAN_NS else None


def _opportunities(book: _Book) -> int:
    """Counts signals before which their market and side were silent for STANDING_NS."""
    last: dict[tuple[str, tuple[str, ...]], int] = {}
    count = 0
    for signal in sorted(book.signals, key=lambda signal: signal.wall_ns):
        sides = tuple(sorted({order.signed.outcome.value for order in signal.orders}))
        key = (signal.taken.market_id, sides)
        count += signal.wall_ns - last.get(key, -STANDING_NS) >= STANDING_NS
        last[key] = signal.wall_ns
    return count


def _expected(book: _Book) -> float | None:
    """Returns the edge the decisions promised, cents a filled share, net of fee and margins."""
    weighed, shares = 0.0, 0
    for trade in book.trades:
        deal = trade.deal
        if deal is None or deal.signal is None or deal.signed.intent is not IntentKind.ENTRY:
            continue
        # A pair's edge is that of both legs together: half of it belongs to each share.
        legs = 2 if deal.signed.pair_id else 1
        weighed += deal.signal.taken.edge_e4 * trade.booked.size_e6 / legs
        shares += trade.booked.size_e6
    return weighed / shares / 100 if shares else None


def _captured(book: _Book) -> float | None:
    """Returns net cents a share bought by entries, everything that followed included."""
    net = sum(gross - trade.booked.fee_e6 for trade, gross in book.paid)
    shares = sum(t.booked.size_e6 for t, _ in book.paid if t.kind is IntentKind.ENTRY)
    return net / shares * 100 if shares else None


def _marked(marks: Sequence[tuple[tuple[int, int, int], int]], at: int) -> float | None:
    """Returns the mean markout, weighed by shares, in cents."""
    shares = sum(size for _, size in marks)
    return sum(mark[at] * size for mark, size in marks) / shares / 100 if shares else None


def _traded(book: _Book) -> int:
    return sum(any(order.filled_e6 for order in signal.orders) for signal in book.signals)


def _funnel(book: _Book) -> list[Stage]:
    answered = [order for order in book.orders if _ANSWERED & set(order.states)]
    stages = [
        Stage("signals", len(book.signals)),
        Stage("signals that led to a fill", _traded(book)),
        Stage("orders", len(book.orders)),
        Stage("answered", len(answered)),
        Stage("filled, at least in part", sum(1 for order in book.orders if order.filled_e6)),
    ]
    lost = Counter(
        f"{order.fate}: {order.reason}" if order.reason else order.fate
        for order in book.orders
        if not order.filled_e6
    )
    return stages + [Stage(name, count, loss=True) for name, count in lost.most_common(12)]


def _slices(book: _Book) -> Iterable[Slice]:
    """Gives every way to cut the result; each way adds up to the whole."""
    specs = book.deals.specs
    ways: list[tuple[str, Callable[[Trade], str]]] = [
        ("hour", lambda t: f"{(t.booked.match_ns or t.wall_ns) // HOUR_NS % 24:02d}"),
        ("window", lambda t: s.window.value if (s := specs.get(t.booked.market_id)) else "?"),
        ("asset", lambda t: s.asset if (s := specs.get(t.booked.market_id)) else "?"),
        ("tau", lambda t: _tau(book.deals, t)),
        ("price", lambda t: _price(t.booked.price_e4)),
        ("liquidity", lambda t: "maker" if t.booked.maker else "taker"),
        ("intent", lambda t: t.kind.value.lower() if t.kind else "?"),
    ]
    for by, key in ways:
        rows: dict[str, list[int]] = {}
        for trade, gross in book.paid:
            row = rows.setdefault(key(trade), [0, 0, 0])
            row[0] += 1
            row[1] += trade.booked.size_e6
            row[2] += gross - trade.booked.fee_e6
        for name in sorted(rows):
            fills, shares, net = rows[name]
            yield Slice(by, name, fills, shares / 1e6, net / 1e6, net / shares * 100)


def _tau(deals: Deals, trade: Trade) -> str:
    spec = deals.specs.get(trade.booked.market_id)
    if spec is None:
        return "?"
    left_s = (spec.end_ns - (trade.booked.match_ns or trade.wall_ns)) / SECOND
    low = 0
    for high in _TAUS_S:
        if left_s < high:
            return f"{low:04d}-{high:04d} s"
        low = high
    return f"{low:04d} s and more"


def _price(price_e4: int) -> str:
    low = min(price_e4 // 1_000, 9) * 10
    return f"{low:02d}-{low + 10:02d} c"


def _said(book: _Book) -> list[tuple[float, float]]:
    """Returns our P(up) at each signal beside what UP paid."""
    paid = book.deals.paid_e4
    return [
        (signal.taken.fair_e4 / 10_000, paid[signal.taken.market_id] / 10_000)
        for signal in book.signals
        if signal.taken.fair_e4 and signal.taken.market_id in paid
    ]


def _calibration(book: _Book) -> Iterable[Calibration]:
    bands: dict[int, list[tuple[float, float]]] = {}
    for said, came in _said(book):
        bands.setdefault(min(int(said * 5), 4), []).append((said, came))
    for band, rows in sorted(bands.items()):
        yield Calibration(
            f"{band * 20}-{band * 20 + 20} %",
            len(rows),
            sum(said for said, _ in rows) / len(rows),
            sum(came for _, came in rows) / len(rows),
        )


def hours(item: Score) -> list[float | None]:
    """Returns net dollars in each hour of the UTC day; None where nothing happened."""
    found = {row.key: row.net_usd for row in item.slices if row.by == "hour"}
    return [found.get(f"{hour:02d}") for hour in range(24)]


def day_of(wall_ns: int) -> str:
    """Returns the UTC day of an instant as 2026-04-13."""
    return datetime.fromtimestamp(wall_ns / SECOND, tz=UTC).date().isoformat()


__all__ = [
    "Calibration", "Score", "Slice", "Stage", "day_of", "hours", "score", "scores",
]  # fmt: skip

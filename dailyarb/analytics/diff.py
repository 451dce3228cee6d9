"""Why a run came to something else than a backtest of its own recording.

Two questions, in this order. Did the engine do then what the same engine does now on the same facts
(code)? And what is between a backtest's result and the run's, step by step: the run's own latency
in place of the assumed one, the queue that comes nearest to its fills, the fees that were really
charged. What is left belongs to code where commands differ, to missed frames where some are
missing, and else to chance: other people's orders.

A fill is valued at what its shares paid; where that is not known yet, at the mark thirty seconds
on, else at the middle when it was booked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

import msgspec

from dailyarb.analytics.deals import Deals, Trade
from dailyarb.analytics.latency import one_way_ms
from dailyarb.analytics.paper import Bars, Grid, Heading, Part, Words
from dailyarb.analytics.tables import usd
from dailyarb.core.domain.errors import DailyarbError
from dailyarb.core.domain.market import Outcome, taker_fee_e6
from dailyarb.core.domain.records import PayoutBooked, Record
from dailyarb.core.domain.rung import Evidence
from dailyarb.core.domain.units import PRICE_ONE_E4, notional_down
from dailyarb.runtime.journal_read import decode, walk
from dailyarb.runtime.record import segments_of
from dailyarb.runtime.replay_worlds import Variant, rehearse, script_of_run
from dailyarb.runtime.tape import Retraced, life_of, retrace

CODE, MISSED, CHANCE = "code", "missed frames", "chance: other people's orders"
Tell = Callable[[float, int], None]
STEPS = 4


class Tally(msgspec.Struct, frozen=True):
    """Is what one telling of the run came to, in dollars and shares."""

    name: str
    orders: int
    fills: int
    maker_shares: float
    shares: float
    fees_usd: float
    net_usd: float


class Step(msgspec.Struct, frozen=True):
    """Is one cause and what it made of the result."""

    cause: str
    usd: float
    why: str


class Diff(msgspec.Struct, frozen=True):
    """Is a run beside a backtest of its own recording; the steps add up to gap_usd."""

    run: str
    evidence: str
    retraced: Retraced
    tallies: tuple[Tally, ...]
    steps: tuple[Step, ...]
    gap_usd: float


def diff(folder: Path, journal: Path, run: str, tell: Tell) -> Diff:
    """Returns what made a run differ from a backtest of its own recording.

    Args:
        folder: the instance's recordings.
        journal: the instance's journal.
        run: which run.
        tell: told how many steps are done, the running one in part, and of how many.

    Raises:
        RecordingError: the run was not recorded, or its beginning is gone.
        JournalError: the journal cannot be read.
        DailyarbError: the journal knows no such run.
    """
    again = retrace(folder, journal, run)
    tell(1, STEPS)
    life = life_of(folder, run)
    rows, payouts = _rows(journal, run)
    if not rows:
        raise DailyarbError(f"{journal}: no run {run}")
    deals = _folded(life.birth.evidence, run, rows, payouts)
    lived = _tally("the run", deals)
    measured = one_way_ms(rows)
    base = Variant(strategies=life.birth.strategies)
    own = msgspec.structs.replace(base, measured_ms=measured)
    front = msgspec.structs.replace(own, adverse=False)
    script = script_of_run(segments_of(folder, run))
    found = []
    for number, (name, variant) in enumerate(
        (("a backtest", base), ("with its latency", own), ("in front of the queue", front)), 1
    ):
        played = rehearse(
            run, script, life.settings, variant,
            partial(_part, tell, number),
        )  # fmt: skip
        replayed = _folded(Evidence.REPLAY, run, played.rows, payouts)
        found.append(_tally(name, replayed))
    return Diff(
        run,
        life.birth.evidence.value,
        again,
        (*found, lived),
        tuple(_steps(found, lived, again, _fee_gap(deals), bool(measured))),
        lived.net_usd - found[0].net_usd,
    )


def _part(tell: Tell, number: int, share: float) -> None:
    tell(number + share, STEPS)


def _steps(
    played: Sequence[Tally], lived: Tally, again: Retraced, fee_gap_usd: float, measured: bool
) -> Iterable[Step]:
    """Gives the causes in order; the last takes what is left."""
    backtest, own, front = played
    nearest = min((own, front), key=lambda t: abs(t.maker_shares - lived.maker_shares))
    latency = own.net_usd - backtest.net_usd
    queue = nearest.net_usd - own.net_usd
    yield Step(
        "latency", latency,
        "as its own resting orders took" if measured else "too few orders rested to measure it",
    )  # fmt: skip
    place = "behind all that was shown" if nearest is own else "in front of it"
    yield Step("queue", queue, f"its fills are nearest to those of standing {place}")
    yield Step("fees", -fee_gap_usd, "charged, against the schedule of its markets")
    left = lived.net_usd - backtest.net_usd - latency - queue + fee_gap_usd
    if not again.same:
        yield Step(CODE, left, f"{len(again.differences)} commands or records differ")
    elif again.missed:
        yield Step(MISSED, left, f"{again.missed:,} were not recorded")
    else:
        yield Step(CHANCE, left, "every command is the same, and nothing is missing")


def _rows(journal: Path, run: str) -> tuple[list[tuple[int, Record]], list[PayoutBooked]]:
    """Returns what a run wrote, and what any run was paid."""
    rows: list[tuple[int, Record]] = []
    payouts: list[PayoutBooked] = []
    for _, raw in walk(journal):
        row = decode(journal, raw)
        if isinstance(row.record, PayoutBooked):
            payouts.append(row.record)
        if row.run == run:
            rows.append((row.wall_ns, row.record))
    return rows, payouts


def _folded(
    evidence: Evidence,
    run: str,
    rows: Iterable[tuple[int, Record]],
    payouts: Iterable[PayoutBooked],
) -> Deals:
    deals = Deals(evidence)
    for wall_ns, record in rows:
        deals.take(run, wall_ns, record)
    for payout in payouts:  # the venue's word counts for the replays too
        deals.paid_e4[payout.market_id] = payout.up_price_e4
    return deals


def _tally(name: str, deals: Deals) -> Tally:
    trades = list(deals.trades.values())
    fees = sum(trade.booked.fee_e6 for trade in trades)
    gross = sum(_valued(deals, trade) for trade in trades)
    return Tally(
        name,
        len(deals.orders),
        len(trades),
        sum(trade.booked.size_e6 for trade in trades if trade.booked.maker) / 1e6,
        sum(trade.booked.size_e6 for trade in trades) / 1e6,
        fees / 1e6,
        (gross - fees) / 1e6,
    )


def _valued(deals: Deals, trade: Trade) -> int:
    """Returns what a fill came to before its fee, in micro-dollars."""
    paid = deals.result_e6(trade)
    if paid is not None:
        return paid
    fill = trade.booked
    if trade.mark is not None:
        return notional_down(abs(trade.mark[2]), fill.size_e6) * (1 if trade.mark[2] > 0 else -1)
    mid_e4 = fill.mid_e4 if fill.outcome is Outcome.UP else PRICE_ONE_E4 - fill.mid_e4
    return trade.sign * notional_down(mid_e4, fill.size_e6) + fill.cash_e6


def _fee_gap(deals: Deals) -> float:
    """Returns dollars of fee charged beyond the schedule of each fill's market."""
    gap = 0
    for trade in deals.trades.values():
        fill, spec = trade.booked, deals.specs.get(trade.booked.market_id)
        if spec is not None:
            free = fill.maker and spec.fees.taker_only
            due = 0 if free else taker_fee_e6(fill.price_e4, fill.size_e6, spec.fees.rate_e6)
            gap += fill.fee_e6 - due
    return gap / 1e6


def report(found: Diff) -> list[Part]:
    """Returns the parts of a comparison: the answer, the steps, what each telling came to."""
    again = found.retraced
    same = (
        "the same engine does the same today"
        if again.same
        else f"today it would act otherwise, {len(again.differences)} differences listed below"
    )
    largest = max(found.steps, key=lambda step: abs(step.usd))
    lead = (
        f"{found.run} [{found.evidence}]: {found.gap_usd:+,.2f} USD against a backtest of its own "
        f"recording, most of it {largest.cause} ({largest.usd:+,.2f} USD); {same}."
    )
    parts: list[Part] = [
        Heading(f"Run {found.run} and a backtest of it", 1),
        Words(lead, "lead"),
        Words(
            f"{again.events:,} facts and {again.frames:,} frames lived again: {again.commands:,} "
            f"commands and {again.records:,} records compared, {again.missed:,} not recorded."
        ),
        Grid(
            "From the backtest to the run",
            ("cause", "USD", "because"),
            (
                *((step.cause, usd(step.usd), step.why) for step in found.steps),
                ("together", usd(found.gap_usd), ""),
            ),
        ),
        Bars("Causes", "USD", tuple((step.cause, step.usd) for step in found.steps)),
        Grid(
            "What each telling came to",
            ("telling", "orders", "fills", "shares", "of them resting", "fees USD", "net USD"),
            tuple(
                (t.name, f"{t.orders:,}", f"{t.fills:,}", f"{t.shares:,.1f}",
                 f"{t.maker_shares:,.1f}", f"{t.fees_usd:,.3f}", usd(t.net_usd))
                for t in found.tallies
            ),
        ),
    ]  # fmt: skip
    parts += [Words(words, "note") for words in again.differences]
    return [*parts, Words("Fills not paid yet are valued at the mark 30 s on, else at the middle.",
                          "note")]  # fmt: skip


__all__ = ["CHANCE", "CODE", "MISSED", "Diff", "Step", "Tally", "diff", "report"]

"""What the journal tells: newest rows first, as many as asked for and no more."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

from dailyarb.core.domain.market import MarketSpec
from dailyarb.core.domain.records import (
    AlertRaised,
    FillBooked,
    FillProven,
    MarketSeen,
    RunEnded,
)
from dailyarb.runtime.journal_read import JournalReader, Row
from dailyarb.verbs import facts

BATCH = 2_000
LAST_WORDS = 16  # how a run ended stands in its very last rows
ROWS_MAX = 500_000  # a question about the recent past never reads a year


def backwards(journal: Path) -> Iterator[Row]:
    """Gives the rows of a journal, newest first; none where there is no journal.

    Raises:
        JournalCorrupt: a row cannot be read.
    """
    if not journal.exists():
        return
    with JournalReader(journal) as reader:
        end = reader.last_seq()
        oldest = max(0, end - ROWS_MAX)
        while end > oldest:
            begin = max(oldest, end - BATCH)
            yield from reversed(reader.since(begin, end - begin))
            end = begin


def ending(journal: Path, run: str) -> RunEnded | None:
    """Returns how a run ended by itself, or None if it goes on or was lost."""
    for row in itertools.islice(backwards(journal), LAST_WORDS):
        if row.run == run and isinstance(row.record, RunEnded):
            return row.record
    return None


def fills(journal: Path, last: int) -> list[facts.Row]:
    """Returns the newest fills, oldest of them first, in the state they have reached."""
    proven: dict[tuple[str, str], str] = {}
    labels: dict[str, str] = {}
    found: list[tuple[Row, FillBooked]] = []
    for row in backwards(journal):
        record = row.record
        if isinstance(record, FillProven):
            proven.setdefault((record.trade_id, record.order_id), record.state.value)
        elif isinstance(record, MarketSeen):
            labels[record.spec.market_id] = record.spec.label
        elif isinstance(record, FillBooked) and len(found) < last:
            found.append((row, record))
        # A fill's market was seen before it, so reading goes on until each has its name.
        if len(found) >= last and all(fill.market_id in labels for _, fill in found):
            break
    return [
        _fill(row, fill, labels, proven.get((fill.trade_id, fill.order_id), fill.state.value))
        for row, fill in reversed(found)
    ]


def _fill(row: Row, fill: FillBooked, labels: dict[str, str], state: str) -> facts.Row:
    return {
        "time": facts.instant(fill.match_ns or row.wall_ns),
        "run": row.run,
        "trade_id": fill.trade_id,
        "order_id": fill.order_id,
        "market_id": fill.market_id,
        "market": labels.get(fill.market_id, fill.market_id[:10]),
        "strategy": fill.strategy.value,
        "outcome": fill.outcome.value,
        "side": fill.side.value,
        "price_cents": facts.cents(fill.price_e4),
        "shares": facts.shares(fill.size_e6),
        "fee_usd": facts.dollars(fill.fee_e6),
        "maker": fill.maker,
        "state": state,
        "evidence": row.evidence.value,
    }


def alerts(journal: Path, last: int = 100) -> list[facts.Row]:
    """Returns the newest alerts, oldest of them first, each key once with its count."""
    merged: dict[str, facts.Row] = {}
    for row in backwards(journal):
        record = row.record
        if not isinstance(record, AlertRaised):
            continue
        if record.key in merged:
            merged[record.key]["count"] += 1
        elif len(merged) < last:
            merged[record.key] = {
                "time": facts.instant(row.wall_ns),
                "severity": record.severity.value,
                "key": record.key,
                "count": 1,
                "acked": False,
                "text": record.text,
            }
    return list(reversed(merged.values()))


def markets(journal: Path, run: str, wanted: set[str]) -> dict[str, MarketSpec]:
    """Returns the newest facts of each market that a run has seen.

    Args:
        journal: the instance's journal.
        run: facts of other runs may be out of date and are left out.
        wanted: ids of which all are needed; reading goes back until each is found.
    """
    specs: dict[str, MarketSpec] = {}
    for row in backwards(journal):
        if row.run != run or wanted <= specs.keys():
            break
        if isinstance(row.record, MarketSeen):
            specs.setdefault(row.record.spec.market_id, row.record.spec)
    return specs


def rules(spec: MarketSpec) -> facts.Row:
    """Returns what the venue says about a window."""
    source = spec.settlement.kind.value
    if spec.settlement.lookback_s:
        source += f" {spec.settlement.lookback_s}s"
    return {
        "market": spec.label,
        "market_id": spec.market_id,
        "slug": spec.slug,
        "start": facts.instant(spec.start_ns),
        "end": facts.instant(spec.end_ns),
        "strike_source": source,
        "tick_cents": facts.cents(spec.grid.tick_e4),
        "fee_percent": spec.fees.rate_e6 / 1e4,
        "min_shares": facts.shares(spec.grid.min_size_e6),
        "min_marketable_usd": facts.dollars(spec.grid.min_marketable_e6),
        "refusal": spec.refusal,
    }

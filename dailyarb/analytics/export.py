"""Scores as flat tables: CSV always, Parquet where pyarrow is installed.

| table | one row is |
| --- | --- |
| scores | a strategy in an evidence class (and, of a backtest, under one assumption) |
| slices | a part of its result: hour, window, asset, tau, price, liquidity, intent |
| funnel | a stage or a reason |
| calibration | a band of our own P(up) against what came |
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from dailyarb.analytics.scores import Score
from dailyarb.core.domain.errors import DailyarbError

Row = dict[str, Any]
Told = Sequence[tuple[Mapping[str, Any], Score]]
_PARTS = ("slices", "funnel", "calibration")


def tables(told: Told) -> dict[str, list[Row]]:
    """Returns the rows of each table.

    Args:
        told: what else is known of a score (an assumption, a day), and the score.
    """
    found: dict[str, list[Row]] = {"scores": [], **{name: [] for name in _PARTS}}
    for known, item in told:
        who = {**known, "strategy": item.strategy, "evidence": item.evidence}
        found["scores"].append({**known, **flat(item)})
        for name in _PARTS:
            found[name] += [{**who, **msgspec.to_builtins(part)} for part in getattr(item, name)]
    return found


def flat(item: Score) -> Row:
    """Returns a score as one row of plain values; intervals as two columns each."""
    row = {
        name: value
        for name, value in msgspec.to_builtins(item).items()
        if name not in (*_PARTS, "interval_usd", "interval_cents_share", "sharpe")
    }
    row |= {"fill_rate": item.fill_rate, "completion": item.completion}
    for name, interval in (("usd", item.interval_usd), ("cents_share", item.interval_cents_share)):
        row[f"low_{name}"] = interval.low if interval else None
        row[f"high_{name}"] = interval.high if interval else None
    ratio = item.sharpe
    row |= {
        "sharpe_ratio": ratio.ratio if ratio else None,
        "sharpe_low": ratio.low if ratio else None,
        "sharpe_high": ratio.high if ratio else None,
        "sharpe_periods": ratio.n if ratio else None,
    }
    return row


def as_csv(rows: Sequence[Row]) -> str:
    """Returns rows as CSV; what is not known is empty."""
    target = io.StringIO()
    if rows:
        writer = csv.DictWriter(target, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return target.getvalue()


def write(folder: Path, told: Told) -> list[Path]:
    """Writes every table that has rows and returns the files.

    Raises:
        DailyarbError: the folder cannot be written.
    """
    written: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, rows in tables(told).items():
            if rows:
                path = folder / f"{name}.csv"
                path.write_text(as_csv(rows), encoding="utf-8")
                written += [path, *_parquet(folder / f"{name}.parquet", rows)]
    except OSError as error:
        raise DailyarbError(f"{folder}: {error.strerror}") from None
    return written


def _parquet(path: Path, rows: Sequence[Row]) -> list[Path]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        return []
    parquet.write_table(pyarrow.Table.from_pylist(list(rows)), path, compression="zstd")
    return [path]

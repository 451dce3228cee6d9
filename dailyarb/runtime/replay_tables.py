"""Foreign tables as scripts: Parquet files whose rows become the venue's own frames, in memory.

| columns | one row is | what the source cannot say |
| --- | --- | --- |
| `bid1 .. asz5`, `recv_ms` | five levels a side of one token | which token, prints, reference |
| `up_mid`, `binance_micro`, `strike` | Up mid or Binance microprice | the touch around the mid |

Nothing else is made up: where a touch is, it is one tick or one half tick around the mid, with the
median sizes of the depth recordings (FINDINGS.md, 2), and the script says so.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from dailyarb.core.domain.market import (
    FeeSchedule,
    Grid,
    MarketSpec,
    Outcome,
    Settlement,
    SettlementKind,
    Window,
)
from dailyarb.core.domain.units import MS, SECOND, SETTLE_ONE_E18
from dailyarb.runtime.replay_script import FEE_RATE_E6, Script
from dailyarb.sim.recordings import Channel, RecordingError
from dailyarb.sim.replay_markets import DOUBT_NO_REFERENCE, DOUBT_TOKEN
from dailyarb.sim.replay_time import Played

DEPTH_COLUMNS = frozenset({"recv_ms", "exch_ms", "slug", "asset12", "bid1", "asz5", "start"})
MID_COLUMNS = frozenset({"ts_ms", "kind", "slug", "strike", "up_mid", "binance_micro"})
DOUBT_NO_PRINTS = "no prints were recorded: resting orders fill on trade-through only"
DOUBT_TOUCH = "the touch is made up: one or two cents around the recorded mid, median sizes"
DOUBT_SECOND = (
    "book and reference are samples of about one second, so a quote that looks stale may only be "
    "an old sample"
)
DOUBT_REFERENCE_SETTLES = "strike and outcome are those of Binance, not of the settling feed"

COVER_S = 250  # of a window of 300 s: shorter ones cannot be judged
_QUICKEST_MS = 5
_LEVELS = (218, 340, 404, 438, 478)
_LABELS = {300: "5m", 900: "15m"}


def table_windows(path: Path) -> list[str] | None:
    """Returns the slugs of the windows of a table that can be played; None for no known table.

    Raises:
        RecordingError: the file is damaged, or pyarrow is not installed.
    """
    if path.suffix != ".parquet":
        return None
    names = frozenset(_parquet(path).read_schema(path).names)
    if names >= DEPTH_COLUMNS:
        rows = _columns(path, ["slug", "recv_ms"])
        spans: dict[str, list[int]] = {}
        for slug, at in zip(rows["slug"], rows["recv_ms"], strict=True):
            spans.setdefault(slug, []).append(at)
        return sorted(slug for slug, at in spans.items() if _cover_s(slug, at) >= COVER_S)
    if names >= MID_COLUMNS:
        rows = _columns(path, ["slug", "ts_ms"])
        return sorted(set(rows["slug"]))
    return None


def table_script(path: Path, slug: str) -> Script:
    """Returns the script of one window of a table.

    Raises:
        RecordingError: the table holds no row of the window, or cannot be read.
    """
    parquet = _parquet(path)
    rows = parquet.read_table(path, filters=[("slug", "==", slug)]).to_pylist()
    if not rows:
        raise RecordingError(path, f"holds no row of {slug}")
    return _depth(path, slug, rows) if "bid1" in rows[0] else _mids(path, slug, rows)


def _parquet(path: Path) -> Any:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise RecordingError(path, "needs pyarrow: pip install 'dailyarb[record]'") from error
    return parquet


def _columns(path: Path, names: list[str]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = _parquet(path).read_table(path, columns=names).to_pydict()
    return found


def _bounds_s(slug: str) -> tuple[int, int]:
    length = {"5m": 300, "15m": 900}[slug.split("-")[2]]
    start = int(slug.rsplit("-", 1)[1])
    return start, start + length


def _cover_s(slug: str, recv_ms: Iterable[int]) -> float:
    start, end = _bounds_s(slug)
    inside = [at for at in recv_ms if start * 1000 <= at <= end * 1000]
    return (max(inside) - min(inside)) / 1000 if inside else 0.0


def _spec(slug: str, tick_e4: int, settlement: Settlement, strike_digits: str = "") -> MarketSpec:
    start, end = _bounds_s(slug)
    return MarketSpec(
        market_id="0x" + hashlib.sha256(slug.encode()).hexdigest(),
        slug=slug,
        asset=slug.partition("-")[0],
        window=Window(_LABELS[end - start]),
        start_ns=start * SECOND,
        end_ns=end * SECOND,
        up_token=_token(slug, "up"),
        down_token=_token(slug, "down"),
        grid=Grid(tick_e4=tick_e4),
        fees=FeeSchedule(rate_e6=FEE_RATE_E6),
        settlement=settlement,
        strike_digits=strike_digits,
    )


def _token(slug: str, outcome: str) -> str:
    return str(int.from_bytes(hashlib.sha256(f"{slug}/{outcome}".encode()).digest(), "big"))


# ---- five levels a side


def _depth(path: Path, slug: str, rows: list[dict[str, Any]]) -> Script:
    token = Counter(row["asset12"] for row in rows).most_common(1)[0][0]
    start, end = _bounds_s(slug)
    kept = [
        row
        for row in rows
        if row["asset12"] == token and start - 60 <= row["recv_ms"] / 1000 <= end + 30
    ]
    kept.sort(key=lambda row: int(row["recv_ms"]))
    spec = _spec(slug, 100, Settlement(SettlementKind.TWAP, 60))
    doubts = (DOUBT_TOKEN, DOUBT_NO_REFERENCE, DOUBT_NO_PRINTS)
    frames = partial(_depth_frames, spec, kept)
    begin_ns = int(kept[0]["recv_ms"]) * MS
    return Script(begin_ns, [spec], frames, path.name, doubts, stand_in=False)


def _depth_frames(spec: MarketSpec, rows: list[dict[str, Any]]) -> Iterator[Played]:
    """Yields a book frame a row; the tick turns fine with the first price that needs it."""
    skew_ms = min(int(row["recv_ms"]) - int(row["exch_ms"]) for row in rows) - _QUICKEST_MS
    tick = "0.01"
    for number, row in enumerate(rows):
        bids, asks = (
            [
                (round(row[f"{side}{level}"], 4), row[f"{size}{level}"])
                for level in range(5, 0, -1)
                if row[f"{side}{level}"] is not None
            ]
            for side, size in (("bid", "bsz"), ("ask", "asz"))
        )
        if any(round(price * 10_000) % 100 for price, _ in (*bids, *asks)):
            tick = "0.001"
        stamp_ms = int(row["exch_ms"]) + skew_ms
        payload = _book(spec, (bids, asks), (stamp_ms, f"{number:040x}"), tick)
        yield Played(int(row["recv_ms"]) * MS, Channel.POLYMARKET, payload, 0)


Levels = list[tuple[float, float]]


def _book(
    spec: MarketSpec, sides: tuple[Levels, Levels], stamp: tuple[int, str], tick: str
) -> bytes:
    bids, asks = (
        [{"price": f"{price:.4f}", "size": f"{size:.2f}"} for price, size in side]
        for side in sides
    )
    frame = {
        "event_type": "book",
        "market": spec.market_id,
        "asset_id": spec.up_token,
        "timestamp": str(stamp[0]),
        "hash": stamp[1],
        "bids": bids,
        "asks": asks,
        "tick_size": tick,
    }
    return json.dumps(frame, separators=(",", ":")).encode()


# ---- mids beside a reference


def _mids(path: Path, slug: str, rows: list[dict[str, Any]]) -> Script:
    rows.sort(key=lambda row: int(row["ts_ms"]))
    strike = next(row["strike"] for row in rows if row["strike"] is not None)
    kind = Settlement(SettlementKind.BINANCE_CANDLE)
    spec = _spec(slug, 100, kind, str(round(strike * 100) * (SETTLE_ONE_E18 // 100)))
    said = {row["kind"] for row in rows}
    winners: Mapping[str, Outcome] = {}
    for word, outcome in (("resolved_up", Outcome.UP), ("resolved_down", Outcome.DOWN)):
        if word in said:
            winners = {spec.market_id: outcome}
    return Script(
        int(rows[0]["ts_ms"]) * MS,
        [spec],
        partial(_mid_frames, spec, rows),
        path.name,
        (DOUBT_TOUCH, DOUBT_SECOND, DOUBT_REFERENCE_SETTLES, DOUBT_NO_PRINTS),
        winners,
        stand_in=False,
    )


def _mid_frames(spec: MarketSpec, rows: list[dict[str, Any]]) -> Iterator[Played]:
    for number, row in enumerate(rows, start=1):
        at_ns = int(row["ts_ms"]) * MS
        if row["binance_micro"] is not None:
            micro = row["binance_micro"]
            quote = {
                "u": number,
                "s": f"{spec.asset.upper()}USDT",
                "b": f"{micro - 0.005:.4f}",
                "B": "1",
                "a": f"{micro + 0.005:.4f}",
                "A": "1",
            }
            body = {"stream": f"{spec.asset}usdt@bookTicker", "data": quote}
            payload = json.dumps(body, separators=(",", ":")).encode()
            yield Played(at_ns, Channel.BINANCE, payload, 0)
        if row["up_mid"] is not None:
            stamp = (int(row["ts_ms"]) - _QUICKEST_MS, f"{number:040x}")
            yield Played(
                at_ns, Channel.POLYMARKET, _book(spec, _around(row["up_mid"]), stamp, "0.01"), 0
            )


def _around(mid: float) -> tuple[Levels, Levels]:
    """Returns levels whose mid is the one given: one cent apart, or two where it needs them."""
    mid_e4 = round(mid * 10_000)
    half = 50 if mid_e4 % 100 else 100
    bid, ask = (mid_e4 - half) // 100, -(-(mid_e4 + half) // 100)
    bids = [((bid - step) / 100, float(size)) for step, size in enumerate(_LEVELS)]
    asks = [((ask + step) / 100, float(size)) for step, size in enumerate(_LEVELS)]
    inside = [level for level in reversed(bids) if level[0] >= 0.01]
    return inside, [level for level in reversed(asks) if level[0] <= 0.99]

"""What the adapters of foreign recordings share: samples in, the venues' own frames out.

A `Sample` is what one row says and nothing more. What a row leaves open is filled in one place, and
named: a touch around a mid, sizes from the depth recordings (FINDINGS.md, 2).
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from dailyarb.core.domain.units import MS, SECOND, SETTLE_ONE_E18
from dailyarb.sim.replay_frames import Channel, RawFrame, RecordingError

Row = dict[str, Any]
Levels = list[tuple[float, float]]  # (price, shares), best first
Sides = tuple[Levels, Levels]  # bids, asks

DOUBT_TOKEN = "which token was recorded is not known: it is played as Up"
DOUBT_NO_REFERENCE = "no reference price was recorded"
DOUBT_NO_PRINTS = "no prints were recorded: resting orders fill on trade-through only"
DOUBT_TOUCH = "the touch is made up: one or two cents around the recorded mid, median sizes"
DOUBT_SIZES = "sizes at the touch are not in the source: they are medians of other recordings"
DOUBT_NEAR = "the size at the touch includes near levels"
DOUBT_SKEW = "the two books were asked for one after the other, up to a second apart"
DOUBT_SECOND = (
    "book and reference are samples of about one second, so a quote that looks stale may only be "
    "an old sample"
)
DOUBT_SELDOM = "samples are seconds to a minute apart: between them nothing is known"
DOUBT_SECONDS = "stamps are whole seconds: the order within a second is that of the file"
DOUBT_REFERENCE_SETTLES = "strike and outcome are those of Binance, not of the settling feed"
DOUBT_NO_BOOK = "no book was recorded: nothing can be traded"
DOUBT_ONE_TRADER = "prints are those of one trader; who was the taker is not said"
DOUBT_BURSTS = "sockets were read in bursts, so frames are up to ten seconds late"
DOUBT_NO_WINDOW = "which window the books belong to is not said"

SECONDS = {"5m": 300, "15m": 900, "1h": 3_600, "4h": 14_400}
SIZES = (218.0, 340.0, 404.0, 438.0, 478.0)
SPOT_HALF = 0.005
LOADED_BYTES_MAX = 64 << 20
# Of our own making: the venue has had no feed of single values to settle on since it averages.
SPOT_CHANNEL = b'"price.crypto.spot"'
TWAP, SPOT, CANDLE = "twap", "spot", "binance_candle"


class Facts(NamedTuple):
    """Is what a source says of one window; "" where it does not.

    strike is x 1e18 as text; settlement one of TWAP, SPOT and CANDLE, else that of its date; winner
    UP or DOWN.
    """

    slug: str
    asset: str
    label: str
    start_s: int
    market_id: str
    up_token: str
    down_token: str
    strike: str = ""
    settlement: str = ""
    winner: str = ""


class Print(NamedTuple):
    """Is one trade of an outcome's token: 0 is Up; bought says what the taker did."""

    outcome: int
    price: float
    size: float
    bought: bool = True


class Sample(NamedTuple):
    """Is one row. slug says whose books; settle is the settling feed's (stamp_ms, dollars)."""

    at_ms: int
    slug: str = ""
    up: Sides | None = None
    down: Sides | None = None
    spot: tuple[float, float] | None = None  # bid and ask
    settle: tuple[int, float] | None = None
    trade: Print | None = None
    stamp_ms: int = 0  # the venue's, 0 where nobody said
    asset: str = "btc"


class Adapter(NamedTuple):
    """Is one foreign format.

    fits says whether a file is of it; windows gives the names of the windows that can be played on
    their own; facts and frames tell of one of them, or of all with "".
    """

    name: str
    doubts: tuple[str, ...]
    fits: Callable[[Path], bool]
    windows: Callable[[Path], list[str]]
    facts: Callable[[Path, str], list[Facts]]
    frames: Callable[[Path, str], Iterator[RawFrame]]


def facts_of(slug: str, asset: str, label: str, start_s: int, **said: str) -> Facts:
    """Returns the facts of a window whose ids nobody recorded: made from its slug."""
    ids = [hashlib.sha256(f"{slug}{part}".encode()).hexdigest() for part in ("", "/up", "/down")]
    tokens = [str(int(digest, 16)) for digest in ids[1:]]
    return Facts(slug, asset, label, start_s, f"0x{ids[0]}", tokens[0], tokens[1], **said)


def facts_of_slug(slug: str, **said: str) -> Facts:
    """Returns the facts of a window named as `btc-updown-5m-1776255900`."""
    asset, _, label, start = slug.split("-")
    return facts_of(slug, asset, label, int(start), **said)


def dollars(price: float) -> str:
    """Returns a strike in dollars as its digits x 1e18."""
    return str(round(price * 10_000) * (SETTLE_ONE_E18 // 10_000))


def seconds_of(text: str) -> float:
    """Returns the instant of an ISO text, UTC unless it says otherwise."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def touch(bid: float | None, ask: float | None, sizes: tuple[float, float]) -> Sides:
    """Returns a book of one level a side; a side that is None or 0 is empty."""
    return [(bid, sizes[0])] if bid else [], [(ask, sizes[1])] if ask else []


def around(mid: float) -> Sides:
    """Returns levels whose mid is the one given: one cent apart, or two where it needs them."""
    mid_e4 = round(mid * 10_000)
    half = 50 if mid_e4 % 100 else 100
    bid, ask = (mid_e4 - half) // 100, -(-(mid_e4 + half) // 100)
    bids = [((bid - step) / 100, size) for step, size in enumerate(SIZES) if bid - step >= 1]
    asks = [((ask + step) / 100, size) for step, size in enumerate(SIZES) if ask + step <= 99]
    return bids, asks


def written(samples: Iterable[Sample], facts: Iterable[Facts]) -> Iterator[RawFrame]:
    """Yields the venues' frames for samples in order of time.

    A tick turns fine with the first price that needs it. The receive clock gives the time.
    """
    known = {item.slug: item for item in facts}
    ticks: dict[str, str] = {}
    for number, sample in enumerate(samples, start=1):
        at_ns = sample.at_ms * MS
        stamp_ms = sample.stamp_ms or sample.at_ms
        if sample.spot is not None:
            yield RawFrame(at_ns, Channel.BINANCE, _quote(sample, number))
        if sample.settle is not None:
            yield RawFrame(at_ns, Channel.SETTLEMENT, settled(sample.asset, *sample.settle))
        item = known.get(sample.slug)
        if item is None:
            continue
        for token, sides in ((item.up_token, sample.up), (item.down_token, sample.down)):
            if sides is not None:
                tick = ticks.get(item.slug, "0.01")
                if tick == "0.01" and _fine(sides):
                    tick = ticks[item.slug] = "0.001"
                stamp = (stamp_ms, f"{number:039x}{int(token == item.up_token)}")
                yield RawFrame(at_ns, Channel.POLYMARKET, _book(item, token, sides, stamp, tick))
        if sample.trade is not None:
            yield RawFrame(at_ns, Channel.POLYMARKET, _print(item, sample.trade, stamp_ms, number))


def _fine(sides: Sides) -> bool:
    return any(round(price * 10_000) % 100 for side in sides for price, _ in side)


def _compact(body: Row) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()


def _book(item: Facts, token: str, sides: Sides, stamp: tuple[int, str], tick: str) -> bytes:
    # Worst first, as the venue sends them; written by hand, for there are millions.
    bids, asks = (
        ",".join(
            [f'{{"price":"{price:.4f}","size":"{size:.2f}"}}' for price, size in reversed(side)]
        )
        for side in sides
    )
    return (
        f'{{"event_type":"book","market":"{item.market_id}","asset_id":"{token}",'
        f'"timestamp":"{stamp[0]}","hash":"{stamp[1]}","bids":[{bids}],"asks":[{asks}],'
        f'"tick_size":"{tick}"}}'
    ).encode()


def _print(item: Facts, trade: Print, stamp_ms: int, number: int) -> bytes:
    return _compact(
        {
            "event_type": "last_trade_price", "market": item.market_id,
            "asset_id": item.down_token if trade.outcome else item.up_token,
            "price": f"{trade.price:.4f}", "size": f"{trade.size:.6f}",
            "side": "BUY" if trade.bought else "SELL", "fee_rate_bps": "0",
            "timestamp": str(stamp_ms), "transaction_hash": f"0x{number:064x}",
        }
    )  # fmt: skip


def _quote(sample: Sample, number: int) -> bytes:
    bid, ask = sample.spot or (0.0, 0.0)
    quote = {
        "u": number, "s": f"{sample.asset.upper()}USDT", "b": f"{bid:.4f}", "B": "1",
        "a": f"{ask:.4f}", "A": "1",
    }  # fmt: skip
    return _compact({"stream": f"{sample.asset}usdt@bookTicker", "data": quote})


def settled(asset: str, stamp_ms: int, price: float) -> bytes:
    """Returns one value of a settling feed that does not average."""
    said = {
        "symbol": f"{asset}usd", "timestamp": stamp_ms, "full_accuracy_value": f"{price:.8f}",
    }  # fmt: skip
    return _compact({"channel": SPOT_CHANNEL[1:-1].decode(), "payload": said})


def mid_spot(price: float | None) -> tuple[float, float] | None:
    """Returns the touch around one price of Binance: a cent wide, as it nearly always is."""
    return (price - SPOT_HALF, price + SPOT_HALF) if price else None


# ---- files


def columns(path: Path) -> frozenset[str]:
    """Returns the columns of a Parquet file; none of a file that is no such thing.

    Raises:
        RecordingError: pyarrow is not installed.
    """
    if path.suffix != ".parquet":
        return frozenset()
    return frozenset(_parquet(path).read_schema(path).names)


def has(*names: str) -> Callable[[Path], bool]:
    """Returns what tells a table by its columns."""
    wanted = frozenset(names)
    return lambda path: columns(path) >= wanted


def table(path: Path, key: str = "", window: str = "") -> list[Row]:
    """Returns the rows of a Parquet file, of one window where `window` names it."""
    if window:
        return _window(path, key, window)
    rows: list[Row] = _parquet(path).read_table(path).to_pylist()
    return rows


@lru_cache(maxsize=2)
def _window(path: Path, key: str, window: str) -> list[Row]:
    """Returns one window's rows, kept for a moment: a replay looks at each file three times."""
    if path.stat().st_size > LOADED_BYTES_MAX:
        rows: list[Row] = _parquet(path).read_table(path, filters=[(key, "==", window)]).to_pylist()
        return rows
    from pyarrow import compute

    whole = _loaded(path)
    found: list[Row] = whole.filter(compute.equal(whole[key], window)).to_pylist()
    return found


@lru_cache(maxsize=1)
def _loaded(path: Path) -> Any:
    """Returns a small file's columns, for the many windows that are asked of it."""
    return _parquet(path).read_table(path)


def keys(path: Path, key: str, *more: str) -> list[tuple[Any, ...]]:
    """Returns some columns of a Parquet file, row by row."""
    found = _parquet(path).read_table(path, columns=[key, *more]).to_pydict()
    return list(zip(*(found[name] for name in (key, *more)), strict=True))


@lru_cache(maxsize=4)
def texts(path: Path) -> tuple[str, ...]:
    """Returns the lines of a text file, plain or gzip."""
    raw = path.read_bytes()
    return tuple((gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode().splitlines())


def head(path: Path) -> str:
    """Returns the first line of a text file, "" of anything else."""
    try:
        with path.open("rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            stream = io.BufferedReader(gzip.GzipFile(fileobj=raw)) if zipped else raw
            return stream.readline(1 << 20).decode()
    except (OSError, EOFError, UnicodeDecodeError):
        return ""


def csv_rows(path: Path) -> list[Row]:
    """Returns the rows of a CSV file with a header."""
    return list(csv.DictReader(texts(path)))


def json_rows(path: Path) -> list[Row]:
    """Returns the objects of a file of JSON lines.

    Raises:
        RecordingError: a line is no JSON object.
    """
    try:
        return [json.loads(line) for line in texts(path)]
    except ValueError as error:
        raise RecordingError(path, f"no JSON lines: {error}") from error


def json_head(path: Path) -> Row:
    """Returns the object on the first line of a file, {} where there is none."""
    line = head(path)
    if not line.startswith("{"):
        return {}
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _parquet(path: Path) -> Any:
    try:
        from pyarrow import lib, parquet
    except ImportError as error:
        raise RecordingError(path, "needs pyarrow: pip install 'dailyarb[record]'") from error
    try:
        parquet.read_schema(path)
    except (OSError, lib.ArrowInvalid) as error:
        raise RecordingError(path, f"no Parquet: {error}") from error
    return parquet


def end_s(item: Facts) -> int:
    """Returns the second at which a window ends."""
    return item.start_s + SECONDS[item.label]


def merged(
    windows: Iterable[tuple[int, Callable[[], Iterator[RawFrame]]]],
) -> Iterator[RawFrame]:
    """Yields the frames of many windows in order of time, opening each only when it begins.

    Args:
        windows: (a second before its first frame, what yields its frames), sorted.
    """
    running: list[tuple[RawFrame, Iterator[RawFrame]]] = []
    waiting = list(windows)
    while running or waiting:
        earliest = min((frame.at_ns for frame, _ in running), default=None)
        if waiting and (earliest is None or waiting[0][0] * SECOND <= earliest):
            frames = waiting.pop(0)[1]()
            first = next(frames, None)
            if first is not None:
                running.append((first, frames))
            continue
        at = min(range(len(running)), key=lambda n: running[n][0].at_ns)
        frame, frames = running[at]
        yield frame
        following = next(frames, None)
        if following is None:
            del running[at]
        else:
            running[at] = (following, frames)

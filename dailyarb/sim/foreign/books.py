"""Foreign recordings of books: depth, touches and mids of windows, one row a sample."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from dailyarb.sim.foreign import base
from dailyarb.sim.foreign.base import Adapter, Facts, Levels, Row, Sample, Sides
from dailyarb.sim.replay_frames import RawFrame

BEFORE_S, AFTER_S = 60, 30  # around a window: what a table holds of it
COVER_S = 250  # of a window of 300 s: shorter ones cannot be judged
TYPICAL = (base.SIZES[0], base.SIZES[0])

Samples = Callable[[list[Row]], Iterator[Sample]]
About = Callable[[list[Row]], Facts]


def _windowed(
    name: str,
    doubts: tuple[str, ...],
    fits: Callable[[Path], bool],
    key: str,
    reads: tuple[About, Samples],
    windows: Callable[[Path], list[str]] | None = None,
) -> Adapter:
    """Returns the adapter of a table whose column `key` names the window of each row."""
    about, samples = reads

    def names(path: Path) -> list[str]:
        return windows(path) if windows else sorted({str(row[0]) for row in base.keys(path, key)})

    def facts(path: Path, window: str) -> list[Facts]:
        chosen = [window] if window else names(path)
        return [about(base.table(path, key, name)) for name in chosen]

    def one(path: Path, window: str) -> Iterator[RawFrame]:
        rows = base.table(path, key, window)
        return base.written(samples(rows), [about(rows)])

    def frames(path: Path, window: str) -> Iterator[RawFrame]:
        if window:
            return one(path, window)
        begins = [(item.start_s - BEFORE_S, name) for item, name in
                  zip(facts(path, ""), names(path), strict=True)]  # fmt: skip
        return base.merged([(at, partial(one, path, name)) for at, name in sorted(begins)])

    return Adapter(name, doubts, fits, names, facts, frames)


# ---- cronos: five levels a side of one token


def _covered(path: Path) -> list[str]:
    spans: dict[str, list[int]] = {}
    for slug, at_ms in base.keys(path, "slug", "recv_ms"):
        spans.setdefault(slug, []).append(at_ms)
    return sorted(slug for slug, stamps in spans.items() if _cover_s(slug, stamps) >= COVER_S)


def _cover_s(slug: str, recv_ms: Iterable[int]) -> float:
    item = base.facts_of_slug(slug)
    inside = [at for at in recv_ms if item.start_s * 1000 <= at <= base.end_s(item) * 1000]
    return (max(inside) - min(inside)) / 1000 if inside else 0.0


def _depth(rows: list[Row]) -> Iterator[Sample]:
    token = Counter(row["asset12"] for row in rows).most_common(1)[0][0]
    item = base.facts_of_slug(rows[0]["slug"])
    low_ms, high_ms = (item.start_s - BEFORE_S) * 1000, (base.end_s(item) + AFTER_S) * 1000
    for row in sorted(rows, key=lambda row: int(row["recv_ms"])):
        if row["asset12"] == token and low_ms <= row["recv_ms"] <= high_ms:
            sides = _levels(row, "bid", "bsz"), _levels(row, "ask", "asz")
            yield Sample(row["recv_ms"], item.slug, sides, stamp_ms=row["exch_ms"])


def _levels(row: Row, side: str, size: str) -> Levels:
    return [
        (round(row[f"{side}{level}"], 4), row[f"{size}{level}"])
        for level in range(1, 6)
        if row[f"{side}{level}"] is not None
    ]


DEPTH = _windowed(
    "cronos depth",
    (base.DOUBT_TOKEN, base.DOUBT_NO_REFERENCE, base.DOUBT_NO_PRINTS),
    base.has("recv_ms", "exch_ms", "slug", "asset12", "bid1", "asz5"),
    "slug",
    (lambda rows: base.facts_of_slug(rows[0]["slug"]), _depth),
    _covered,
)


# ---- adrien and matt1374: mids beside Binance


def _adrien_about(rows: list[Row]) -> Facts:
    said = {row["kind"] for row in rows}
    winner = "UP" if "resolved_up" in said else "DOWN" if "resolved_down" in said else ""
    strike = next(row["strike"] for row in rows if row["strike"] is not None)
    return base.facts_of_slug(
        rows[0]["slug"],
        strike=base.dollars(strike),
        settlement=base.CANDLE,
        winner=winner,
    )


def _adrien(rows: list[Row]) -> Iterator[Sample]:
    for row in sorted(rows, key=lambda row: int(row["ts_ms"])):
        up = None if row["up_mid"] is None else base.around(row["up_mid"])
        spot = base.mid_spot(row["binance_micro"])
        if up or spot:
            yield Sample(row["ts_ms"], row["slug"], up, spot=spot)


ADRIEN = _windowed(
    "adrien mids",
    (base.DOUBT_TOUCH, base.DOUBT_SECOND, base.DOUBT_REFERENCE_SETTLES, base.DOUBT_NO_PRINTS),
    base.has("ts_ms", "kind", "slug", "strike", "up_mid", "binance_micro"),
    "slug",
    (_adrien_about, _adrien),
)


def _matt_about(rows: list[Row]) -> Facts:
    strikes = [row["strike_price"] for row in rows if row["strike_price"]]
    return base.facts_of(
        str(rows[0]["market"]).partition("_")[2],
        "btc",
        "1h",
        int(rows[len(rows) // 2]["timestamp"]) // 3600 * 3600,
        strike=base.dollars(strikes[-1]) if strikes else "",
        settlement=base.CANDLE,
    )


def _matt(rows: list[Row]) -> Iterator[Sample]:
    slug = str(rows[0]["market"]).partition("_")[2]
    for row in sorted(rows, key=lambda row: float(row["timestamp"])):
        mid = row["poly_yes_price"]
        up = base.around(mid) if mid is not None and 0.0 < mid < 1.0 else None
        spot = base.mid_spot(row["btc_price"])
        yield Sample(round(row["timestamp"] * 1000), slug, up, spot=spot)


MATT = _windowed(
    "matt1374 mids",
    (base.DOUBT_TOUCH, base.DOUBT_SECOND, base.DOUBT_NO_PRINTS),
    base.has("timestamp", "market", "btc_price", "strike_price", "poly_yes_price"),
    "market",
    (_matt_about, _matt),
)


# ---- both touches, asked for by REST


def _borisz_about(rows: list[Row]) -> Facts:
    return base.facts_of_slug(_slug15(rows[0]["TargetTime"]))


def _slug15(start: str) -> str:
    return f"btc-updown-15m-{int(base.seconds_of(start))}"


def _borisz(rows: list[Row]) -> Iterator[Sample]:
    slug = _slug15(rows[0]["TargetTime"])
    for row in sorted(rows, key=lambda row: str(row["Timestamp"])):
        up, down = (
            base.touch(
                row[f"{name}Bid"],
                row[f"{name}Ask"],
                (row[f"{name}BidLiquidity"], row[f"{name}AskLiquidity"]),
            )
            for name in ("Up", "Down")
        )
        yield Sample(int(base.seconds_of(row["Timestamp"])) * 1000, slug, up, down)


BORISZ = _windowed(
    "borisz42 touches",
    (base.DOUBT_SKEW, base.DOUBT_NEAR, base.DOUBT_SECOND, base.DOUBT_NO_REFERENCE,
     base.DOUBT_NO_PRINTS),
    base.has("Timestamp", "TargetTime", "UpBid", "DownAskLiquidity"),
    "TargetTime",
    (_borisz_about, _borisz),
)  # fmt: skip


def _leafuryk_about(rows: list[Row]) -> Facts:
    first = rows[0]
    return base.facts_of_slug(
        first["slug"],
        strike=base.dollars(first["btc_open"]),
        settlement=base.CANDLE,
        winner=str(first["winner"]).upper(),
    )


def _leafuryk(rows: list[Row]) -> Iterator[Sample]:
    for row in sorted(rows, key=lambda row: float(row["timestamp"])):
        up = base.touch(row["up_best_bid"], row["up_best_ask"], TYPICAL)
        down = base.touch(row["down_best_bid"], row["down_best_ask"], TYPICAL)
        spot = base.mid_spot(row["btc_price"])
        yield Sample(round(row["timestamp"] * 1000), row["slug"], up, down, spot)


LEAFURYK = _windowed(
    "leafuryk touches",
    (base.DOUBT_SKEW, base.DOUBT_SIZES, base.DOUBT_SELDOM, base.DOUBT_REFERENCE_SETTLES,
     base.DOUBT_NO_PRINTS),
    base.has("slug", "timestamp", "up_best_bid", "down_best_ask", "btc_price", "winner"),
    "slug",
    (_leafuryk_about, _leafuryk),
)  # fmt: skip


def _upcow_about(rows: list[Row]) -> Facts:
    return base.facts_of_slug(rows[0]["cycle_slug"], strike=base.dollars(rows[0]["strike"]))


def _upcow(rows: list[Row]) -> Iterator[Sample]:
    told = 0.0
    for row in sorted(rows, key=lambda row: int(row["row"])):
        up, down = row["up_ask"], row["down_ask"]
        # Up and Down are one book: its bid is what the other outcome's ask leaves of a dollar.
        bid = round(1.0 - down, 4) if down and down < 1.0 else None
        ask = up if up and up < 1.0 else None
        moved, told = row["btc"] != told, row["btc"]
        settle = (row["ts_s"] * 1000, row["btc"]) if moved and row["btc"] else None
        sides = base.touch(bid, ask, TYPICAL)
        yield Sample(row["ts_s"] * 1000, row["cycle_slug"], sides, settle=settle)


UPCOW = _windowed(
    "upcow events",
    (base.DOUBT_SIZES, base.DOUBT_SECONDS, base.DOUBT_NO_REFERENCE, base.DOUBT_NO_PRINTS),
    base.has("row", "ts_s", "up_ask", "down_ask", "cycle_slug"),
    "cycle_slug",
    (_upcow_about, _upcow),
)


def _yannick_about(rows: list[Row]) -> Facts:
    first = rows[0]
    won = str(first["outcome"] or "")
    return base.facts_of(
        str(first["market_name"]),
        str(first["asset"]).lower(),
        "1h",
        int(base.seconds_of(rows[len(rows) // 2]["timestamp"])) // 3600 * 3600,
        settlement=base.CANDLE,
        winner=won if won in ("UP", "DOWN") else "",
    )


def _yannick(rows: list[Row]) -> Iterator[Sample]:
    for row in sorted(rows, key=lambda row: str(row["timestamp"])):
        ask = row["best_ask"] if row["best_ask"] is not None and row["best_ask"] <= 1.0 else None
        yield Sample(
            int(base.seconds_of(row["timestamp"])) * 1000,
            str(row["market_name"]),
            base.touch(row["best_bid"], ask, TYPICAL),
            spot=base.mid_spot(row["spot"]),
            asset=str(row["asset"]).lower(),
        )


YANNICK = _windowed(
    "yannick hours",
    (base.DOUBT_SIZES, base.DOUBT_SELDOM, base.DOUBT_NO_PRINTS),
    base.has("timestamp", "asset", "market_name", "token_id", "best_bid", "spot"),
    "market_name",
    (_yannick_about, _yannick),
)


# ---- houssem98: both books at fixed times before the close, one window a line


def _ladder_facts(row: Row) -> Facts:
    return base.facts_of_slug(
        row["slug"],
        strike=base.dollars(row["open_px"]),
        settlement=base.CANDLE,
        winner=str(row["winner"]),
    )


def _ladder_samples(row: Row) -> Iterator[Sample]:
    end_ms = (int(row["window_ts"]) + 300) * 1000
    for sample in row["samples"]:
        up, down = (_bought(sample[name]) for name in ("up", "down"))
        at_ms = end_ms + round(sample["t"] * 1000)
        yield Sample(at_ms, row["slug"], up, down, base.mid_spot(sample["spot"]))


def _bought(side: Row) -> Sides:
    """Returns a touch with the shares that average prices say are there: 5, 20 or 50."""
    sizes = [size for size in (5, 20, 50) if side.get(f"vwap{size}") == side["ask"]]
    return base.touch(side["bid"], side["ask"], (base.SIZES[0], float(max(sizes, default=5))))


def _lines(path: Path, window: str) -> list[Row]:
    return [row for row in base.json_rows(path) if window in ("", row["slug"])]


def _ladder_frames(path: Path, window: str) -> Iterator[RawFrame]:
    for row in sorted(_lines(path, window), key=lambda row: int(row["window_ts"])):
        yield from base.written(_ladder_samples(row), [_ladder_facts(row)])


LADDER = Adapter(
    "houssem98 ladder",
    (base.DOUBT_SKEW, base.DOUBT_SIZES, base.DOUBT_SELDOM, base.DOUBT_REFERENCE_SETTLES,
     base.DOUBT_NO_PRINTS),
    lambda path: "samples" in base.json_head(path) and "open_px" in base.json_head(path),
    lambda path: [row["slug"] for row in base.json_rows(path)],
    lambda path, window: [_ladder_facts(row) for row in _lines(path, window)],
    _ladder_frames,
)  # fmt: skip


# ---- xinghuan18: the touch of one hourly token, event by event


_HOUR_SLUG = "xinghuan18-hour"


def _l1_facts(path: Path, window: str) -> list[Facts]:
    del window
    first = int(base.csv_rows(path)[0]["local_ts_ms"]) // 3_600_000 * 3_600
    return [base.facts_of(_HOUR_SLUG, "btc", "1h", first, settlement=base.CANDLE)]


def _l1_samples(path: Path) -> Iterator[Sample]:
    for row in base.csv_rows(path):
        at_ms, stamp_ms = int(row["local_ts_ms"]), int(row["msg_ts_ms"])
        if row["event_type"] == "last_trade_price":
            bought = row["trade_side"] == "BUY"
            trade = base.Print(0, float(row["trade_price"]), float(row["trade_size"]), bought)
            yield Sample(at_ms, _HOUR_SLUG, trade=trade, stamp_ms=stamp_ms)
            continue
        sides = base.touch(
            float(row["bid_price"] or 0), float(row["ask_price"] or 0),
            (float(row["bid_qty"] or 0), float(row["ask_qty"] or 0)),
        )  # fmt: skip
        yield Sample(at_ms, _HOUR_SLUG, sides, stamp_ms=stamp_ms)


EVENTS = Adapter(
    "xinghuan18 touch",
    (base.DOUBT_NO_REFERENCE,),
    lambda path: base.head(path).startswith("local_ts_ms,recv_iso_utc,msg_ts_ms,event_type"),
    lambda _: [_HOUR_SLUG],
    _l1_facts,
    lambda path, _: base.written(_l1_samples(path), _l1_facts(path, "")),
)


def _both_facts(path: Path, window: str) -> list[Facts]:
    del window
    row = base.csv_rows(path)[0]
    start_s = int(row["local_ts_ms"]) // 3_600_000 * 3_600
    made = base.facts_of(
        row["market_slug"],
        "btc",
        "1h",
        start_s,
        strike=base.dollars(float(row["target_price"])),
        settlement=base.CANDLE,
    )
    return [made._replace(market_id=row["condition_id"])]


def _both_samples(path: Path) -> Iterator[Sample]:
    for row in base.csv_rows(path):
        up, down = (
            base.touch(
                float(row[f"poly_{name}_bid"] or 0), float(row[f"poly_{name}_ask"] or 0), TYPICAL
            )
            for name in ("up", "down")
        )
        spot = (float(row["binance_bid"]), float(row["binance_ask"]))
        yield Sample(int(row["local_ts_ms"]), row["market_slug"], up, down, spot)


TICKS = Adapter(
    "xinghuan18 ticks",
    (base.DOUBT_SIZES, base.DOUBT_NO_PRINTS),
    lambda path: base.head(path).startswith("local_ts_ms,iso_utc,event_type,event_source"),
    lambda path: [base.csv_rows(path)[0]["market_slug"]],
    _both_facts,
    lambda path, _: base.written(_both_samples(path), _both_facts(path, "")),
)

ALL = (DEPTH, ADRIEN, MATT, BORISZ, LEAFURYK, UPCOW, YANNICK, LADDER, EVENTS, TICKS)

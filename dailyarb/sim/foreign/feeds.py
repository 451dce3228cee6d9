"""Foreign recordings of prices, prints and outcomes: what stands beside a book, or without one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

from dailyarb.core.domain.units import MS
from dailyarb.sim.foreign import base
from dailyarb.sim.foreign.base import Adapter, Facts, Row, Sample
from dailyarb.sim.replay_frames import Channel, RawFrame, RecordingError

FROZEN_USD = 100.0  # apart: one of the two feeds stood still


def _whole(
    name: str,
    doubts: tuple[str, ...],
    fits: Callable[[Path], bool],
    facts: Callable[[Path], list[Facts]],
    samples: Callable[[Path], Iterator[Sample]],
) -> Adapter:
    """Returns the adapter of a source that is one stream, whatever windows it speaks of."""
    return Adapter(
        name,
        doubts,
        fits,
        lambda _: [""],
        lambda path, _: facts(path),
        lambda path, _: base.written(samples(path), facts(path)),
    )


def _none(path: Path, window: str = "") -> list[Facts]:
    del path, window
    return []


# ---- the settling feed, with the markets of its day beside it


def _chainlink_facts(path: Path) -> list[Facts]:
    found: list[Facts] = []
    for file in sorted(path.parent.glob("*markets*.jsonl.gz")):
        found += [_market(row) for row in base.json_rows(file)]
    return found


def _market(row: Row) -> Facts:
    paid = row.get("outcome_prices") or []
    winner = {"1": "UP", "0": "DOWN"}.get(str(paid[0])) if paid and row.get("resolved") else None
    made = base.facts_of_slug(
        row["slug"], strike=str(row.get("strike_value") or ""), winner=winner or ""
    )
    up, down = row["token_ids"]
    return made._replace(market_id=row["condition_id"], up_token=up, down_token=down)


def _chainlink(path: Path) -> Iterator[Sample]:
    for row in sorted(base.table(path), key=lambda row: int(row["recv_ms"])):
        yield Sample(row["recv_ms"], settle=(row["feed_ts_ms"], row["value"]))


CHAINLINK = _whole(
    "ligengxin settling feed",
    (base.DOUBT_NO_BOOK, base.DOUBT_NO_REFERENCE),
    base.has("feed_ts_ms", "value", "server_ts_ms", "recv_ms"),
    _chainlink_facts,
    _chainlink,
)


def _feeds(path: Path) -> Iterator[Sample]:
    """Yields each change of Binance and of the settling feed."""
    spot = settle = 0.0
    for row in base.table(path):
        price, stamp_ms = row["rtds_chainlink_price"], row["rtds_chainlink_ts"]
        fresh_spot = row["binance_direct_price"] != spot
        fresh_settle = bool(price) and stamp_ms != settle
        spot = row["binance_direct_price"]
        settle = stamp_ms if fresh_settle else settle
        if fresh_spot or fresh_settle:
            yield Sample(
                row["timestamp_ms"],
                spot=base.mid_spot(spot) if fresh_spot else None,
                settle=(int(stamp_ms), price) if fresh_settle else None,
            )


FEEDS = _whole(
    "mxtown feeds",
    (base.DOUBT_NO_BOOK,),
    base.has("timestamp_ms", "binance_direct_price", "rtds_chainlink_price"),
    _none,
    _feeds,
)


# ---- one row a window


def _ends(path: Path) -> list[Row]:
    rows = [
        row
        for row in base.table(path)
        if abs(row["binance_vs_oracle_usd"] or 0.0) <= FROZEN_USD and row["price_to_beat"]
    ]
    return sorted(rows, key=lambda row: str(row["timestamp"]))


def _ends_facts(path: Path) -> list[Facts]:
    """Returns the windows; the next one's strike says where each ended (FINDINGS.md, 7)."""
    strikes: dict[tuple[str, int], float] = {}
    rows = _ends(path)
    for row in rows:
        item = base.facts_of_slug(row["market_slug"])
        strikes[item.label, item.start_s] = row["price_to_beat"]
    found = []
    for row in rows:
        item = base.facts_of_slug(row["market_slug"])
        strike, after = row["price_to_beat"], strikes.get((item.label, base.end_s(item)))
        winner = "" if after is None else "UP" if after >= strike else "DOWN"
        found.append(item._replace(strike=base.dollars(strike), winner=winner))
    return found


def _ends_samples(path: Path) -> Iterator[Sample]:
    for row in _ends(path):
        at_ms = round(base.seconds_of(row["timestamp"]) * 1000)
        mid = row["poly_up_price"]
        up = base.around(mid) if mid and 0.0 < mid < 1.0 else None
        yield Sample(
            at_ms,
            row["market_slug"],
            up,
            spot=base.mid_spot(row["binance_price"]),
            settle=(at_ms // 1000 * 1000, row["chainlink_price"]),
        )


ENDS = _whole(
    "rogersialves window ends",
    (base.DOUBT_TOUCH, base.DOUBT_SELDOM, base.DOUBT_NO_PRINTS),
    base.has("market_slug", "poly_up_price", "price_to_beat", "chainlink_price"),
    _ends_facts,
    _ends_samples,
)


def _touched_facts(path: Path) -> list[Facts]:
    return [base.facts_of_slug(slug) for (slug,) in base.keys(path, "slug")]


def _touched(path: Path) -> Iterator[Sample]:
    found = []
    for row in base.table(path):
        for name, is_down in (("yes", False), ("no", True)):
            at, ask = row[f"{name}FirstTouchAt"], row[f"{name}_actual_ask"]
            if at and ask:
                sides = base.touch(None, ask, (0.0, base.SIZES[0]))
                pair = (None, sides) if is_down else (sides, None)
                found.append(Sample(round(base.seconds_of(at) * 1000), row["slug"], *pair))
    found.sort(key=lambda sample: sample.at_ms)
    yield from found


TOUCHED = _whole(
    "smallyunet touches",
    (base.DOUBT_SIZES, base.DOUBT_SELDOM, base.DOUBT_NO_REFERENCE, base.DOUBT_NO_PRINTS),
    base.has("slug", "yesFirstTouchAt", "noFirstTouchAt", "yes_actual_ask"),
    _touched_facts,
    _touched,
)


@lru_cache(maxsize=1)
def _outcomes(path: Path) -> list[Row]:
    return sorted(base.csv_rows(path), key=lambda row: int(row["timestamp"]))


def _outcome_facts(path: Path) -> list[Facts]:
    return [
        base.facts_of_slug(f"btc-updown-5m-{row['timestamp']}", winner=str(row["outcome"]).upper())
        for row in _outcomes(path)
    ]


def _outcome_samples(path: Path) -> Iterator[Sample]:
    for row in _outcomes(path):
        start_ms = int(row["timestamp"]) * 1000
        yield Sample(start_ms, spot=base.mid_spot(float(row["btc_open"])))
        yield Sample(start_ms + 299_999, spot=base.mid_spot(float(row["btc_close"])))


OUTCOMES = _whole(
    "felixdoteth outcomes",
    (base.DOUBT_NO_BOOK, base.DOUBT_SELDOM),
    lambda path: base.head(path).startswith("timestamp,date,hour_utc,minute,outcome"),
    _outcome_facts,
    _outcome_samples,
)


def _history_facts(path: Path) -> list[Facts]:
    return [
        base.facts_of_slug(f"btc-updown-5m-{row['ts']}", winner=str(row["winner"]))
        for row in base.json_rows(path)
    ]


def _history(path: Path) -> Iterator[Sample]:
    for row in sorted(base.json_rows(path), key=lambda row: int(row["ts"])):
        at_ms = (int(row["ts"]) + 300 - int(row["up_lag"] or 0)) * 1000
        if row["up_mid"] and 0.0 < row["up_mid"] < 1.0:
            yield Sample(at_ms, f"btc-updown-5m-{row['ts']}", base.around(row["up_mid"]))


HISTORY = _whole(
    "houssem98 history",
    (base.DOUBT_TOUCH, base.DOUBT_SELDOM, base.DOUBT_NO_REFERENCE, base.DOUBT_NO_PRINTS),
    lambda path: {"ts", "up_mid", "up_settle", "winner"} <= base.json_head(path).keys(),
    _history_facts,
    _history,
)


def _last_facts(path: Path) -> list[Facts]:
    found = []
    for row in base.json_rows(path):
        made = base.facts_of_slug(
            row["slug"],
            strike=base.dollars(row["binance_open"]),
            settlement=base.CANDLE,
            winner=str(row["winner"] or ""),
        )
        found.append(made._replace(up_token=row["up_token"], down_token=row["down_token"]))
    return found


def _last(path: Path) -> Iterator[Sample]:
    for row in sorted(base.json_rows(path), key=lambda row: int(row["sampled_at"])):
        up, down = (
            base.touch(row[name]["best_bid"], row[name]["best_ask"], (base.SIZES[0],) * 2)
            for name in ("up", "down")
        )
        spot = base.mid_spot(row["binance_last"])
        yield Sample(int(row["sampled_at"]) * 1000, row["slug"], up, down, spot)


LAST = _whole(
    "houssem98 last books",
    (base.DOUBT_SKEW, base.DOUBT_SIZES, base.DOUBT_SELDOM, base.DOUBT_REFERENCE_SETTLES,
     base.DOUBT_NO_PRINTS),
    lambda path: {"sampled_at", "binance_open", "up_token"} <= base.json_head(path).keys(),
    _last_facts,
    _last,
)  # fmt: skip


# ---- what one trader bought


def _fills(name: str, fits: Callable[[Path], bool], read: Callable[[Row], Sample]) -> Adapter:
    def samples(path: Path) -> Iterator[Sample]:
        return iter(sorted(map(read, base.table(path)), key=lambda sample: sample.at_ms))

    def facts(path: Path) -> list[Facts]:
        return [base.facts_of_slug(slug) for slug in sorted({s.slug for s in samples(path)})]

    doubts = (base.DOUBT_ONE_TRADER, base.DOUBT_SECONDS, base.DOUBT_NO_BOOK)
    return _whole(name, doubts, fits, facts, samples)


def _borisz_fill(row: Row) -> Sample:
    slug = f"btc-updown-15m-{int(base.seconds_of(row['TargetTime']))}"
    trade = base.Print(int(row["trade_side"] == "Down"), row["price"], row["quantity"])
    return Sample(int(base.seconds_of(row["timestamp"])) * 1000, slug, trade=trade)


def _upcow_fill(row: Row) -> Sample:
    trade = base.Print(int(row["outcome_index"]), row["price"], row["qty"])
    return Sample(int(row["ts_s"]) * 1000, row["market"], trade=trade)


BORISZ_FILLS = _fills(
    "borisz42 fills",
    base.has("timestamp", "trade_side", "quantity", "price", "TargetTime"),
    _borisz_fill,
)
UPCOW_FILLS = _fills("upcow fills", base.has("ts_s", "side", "qty", "outcome_index"), _upcow_fill)


# ---- frames as they came, in somebody's envelope


_ENVELOPED = {"source", "recv_wall_ts", "ingest_seq", "payload"}
_DROPPED = frozenset({"coinbase", "pyth_proxy"})  # feeds that nothing here settles on
_CRYPTOFEED = re.compile(r"(\d+\.\d+): (\{.+\})\s*\Z", re.S)


def _enveloped(path: Path, window: str) -> Iterator[RawFrame]:
    del window
    newest_ns = 0
    for row in base.json_rows(path):
        newest_ns = max(newest_ns, int(row["recv_wall_ts"]) * MS)
        for channel, payload in _unpacked(row["source"], row["payload"]):
            yield RawFrame(newest_ns, channel, payload)


def _unpacked(source: str, text: str) -> Iterator[tuple[Channel, bytes]]:
    """Yields the frames in one line: REST books become book frames, old feeds the present one."""
    if source in _DROPPED:
        return
    if source == "binance":
        yield Channel.BINANCE, text.encode()
        return
    body = json.loads(text)
    if source != "polymarket_rtds_chainlink":
        for item in body if isinstance(body, list) else [body]:
            kind = {"event_type": "book"} if "bids" in item else {}
            yield Channel.POLYMARKET, json.dumps({**kind, **item}, separators=(",", ":")).encode()
        return
    said = body.get("payload") or {}
    asset = str(said.get("symbol", "btc/usd")).partition("/")[0]
    if body.get("topic") == "crypto_prices_chainlink" and "value" in said:
        yield Channel.SETTLEMENT, base.settled(asset, said["timestamp"], float(said["value"]))


ENVELOPED = Adapter(
    "jonahgrigoryan messages",
    (base.DOUBT_BURSTS, base.DOUBT_NO_WINDOW),
    lambda path: base.json_head(path).keys() >= _ENVELOPED,
    lambda _: [""],
    _none,
    _enveloped,
)


def _cryptofeed(path: Path, window: str) -> Iterator[RawFrame]:
    del window
    newest_ns = 0
    for number, line in enumerate(base.texts(path), start=1):
        if not line or line.startswith("wss://"):
            continue  # a new connection
        found = _CRYPTOFEED.match(line)
        if found is None:
            raise RecordingError(path, "not a line of a cryptofeed file", number)
        newest_ns = max(newest_ns, round(float(found.group(1)) * 1000) * MS)
        yield RawFrame(newest_ns, Channel.BINANCE, found.group(2).encode())


CRYPTOFEED = Adapter(
    "cryptofeed",
    (base.DOUBT_NO_BOOK,),
    lambda path: base.head(path).startswith("wss://stream.binance"),
    lambda _: [""],
    _none,
    _cryptofeed,
)

ALL = (
    CHAINLINK, FEEDS, ENDS, TOUCHED, OUTCOMES, HISTORY, LAST, BORISZ_FILLS, UPCOW_FILLS, ENVELOPED,
    CRYPTOFEED,
)  # fmt: skip

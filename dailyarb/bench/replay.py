"""Replay of raw frames in memory: through the router alone, and through the engine.

The mix is that of the full-rate capture (94.0 % price_change, 2.4 % book of about 100 levels, 2.4 %
best_bid_ask, 1.2 % trades, 560 frames a second), drawn anew from a seed, so it needs no file;
`frames_of` reads a recording instead. The engine is told once per millisecond of frames; in a row
of its own it also sees a reference that quotes 81 times a second, as it does live. In the same run
nautilus_trader and hftbacktest replay the same changes of the same book, where they are installed.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from dailyarb._fast.router import BookRouter
from dailyarb.bench.decode import DOWN, UP, DictBooks, Event, decoders
from dailyarb.config import load
from dailyarb.core.domain.market import (
    FeeSchedule,
    Grid,
    MarketSpec,
    Settlement,
    SettlementKind,
    Window,
)
from dailyarb.core.domain.settings import Settings
from dailyarb.core.domain.units import MS, SECOND
from dailyarb.resources import default_config_path
from dailyarb.runtime.replay import Rehearsal, Script, read_script
from dailyarb.sim import wire
from dailyarb.sim.recordings import Channel
from dailyarb.sim.replay_time import Played

FRAMES = 67_200  # two minutes: S2 rests its bids once in as long
REHEARSALS = 3
_RATE_HZ = 560.0
_QUOTES_HZ = 81.0
_BEGIN_NS = 1_776_808_414 * SECOND
_MARKET = "0x" + "12" * 32
_UP, _DOWN = UP, DOWN
_BOOK_KINDS = ("book", "price_change")
_SHARES = 1_000_000
_PEERS_S = 300.0


class Mix(NamedTuple):
    """Is a stretch of frames in memory, with the market they speak of."""

    spec: MarketSpec
    frames: list[Played]


class _Book:
    """Is the crowd's book that the drawn frames describe, as UP levels."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.sides: tuple[dict[int, int], dict[int, int]] = ({}, {})
        for step in range(86):
            self.sides[0][8_600 - 100 * step] = self.size()
        for step in range(13):
            self.sides[1][8_700 + 100 * step] = self.size()

    def size(self) -> int:
        """Returns the size of a level, shares x 1e6 with two decimals."""
        return max(1, int(self.rng.lognormvariate(5.6, 1.2) * 100)) * (_SHARES // 100)

    def touch(self) -> tuple[int, int]:
        """Returns best bid and ask."""
        return max(self.sides[0]), min(self.sides[1])

    def change(self) -> tuple[int, int, int]:
        """Changes one level, mostly near the touch; returns side, price and new size."""
        side = self.rng.randrange(2)
        levels = sorted(self.sides[side], reverse=side == 0)
        price = levels[min(int(self.rng.expovariate(0.35)), len(levels) - 1)]
        size = self.size()
        self.sides[side][price] = size
        return side, price, size

    def levels(self, outcome: int) -> tuple[str, str]:
        """Returns the JSON of a token's bids and asks, worst first."""
        sides = self.sides
        if outcome == wire.DOWN:
            sides = (
                {10_000 - price: size for price, size in self.sides[1].items()},
                {10_000 - price: size for price, size in self.sides[0].items()},
            )
        rows = []
        for side, levels in enumerate(sides):
            parts = [
                f'{{"price":"{wire.PRICE[price]}","size":"{wire.size_text(levels[price])}"}}'
                for price in sorted(levels, reverse=side == 1)
            ]
            rows.append("[" + ",".join(parts) + "]")
        return rows[0], rows[1]


def draw(count: int = FRAMES, seed: int = 1) -> Mix:
    """Returns `count` frames of the full-rate mix; the same seed draws the same."""
    rng = random.Random(seed)
    book = _Book(rng)
    tokens = (_UP, _DOWN)
    at_ns = _BEGIN_NS
    frames = [_played(at_ns, _book_frame(book, rng, outcome, at_ns)) for outcome in (0, 1)]
    while len(frames) < count:
        at_ns += int(rng.expovariate(_RATE_HZ) * SECOND)
        stamp_ms = at_ns // MS
        kind = rng.random()
        outcome = rng.randrange(2)
        if kind < 0.940:
            level = book.change()
            hashes = (f"{rng.getrandbits(160):040x}", f"{rng.getrandbits(160):040x}")
            ids = (_MARKET, _UP, _DOWN)
            payload = wire.price_change(ids, level, hashes, book.touch(), stamp_ms)
        elif kind < 0.964:
            payload = _book_frame(book, rng, outcome, at_ns)
        elif kind < 0.988:
            bid, ask = book.touch()
            seen = (bid, ask) if outcome == wire.UP else (10_000 - ask, 10_000 - bid)
            payload = wire.best_bid_ask(_MARKET, tokens[outcome], seen, stamp_ms)
        else:
            price = book.touch()[1] if outcome == wire.UP else 10_000 - book.touch()[0]
            transaction = f"0x{rng.getrandbits(256):064x}"
            trade = (0, price, book.size())
            payload = wire.last_trade(_MARKET, tokens[outcome], trade, stamp_ms, transaction)
        frames.append(_played(at_ns, payload))
    return Mix(_spec(at_ns), frames)


def frames_of(path: str) -> Mix:
    """Returns a recording's first market and the order-book frames that speak of it.

    Raises:
        RecordingError: it cannot be read.
    """
    script = read_script(path)
    spec = script.specs[0]
    name = spec.market_id.encode()
    frames = [
        f for f in script.frames() if f.channel is Channel.POLYMARKET and name in f.payload
    ]
    return Mix(spec, frames)


def run(rounds: int = 7, count: int = FRAMES) -> list[dict[str, Any]]:
    """Returns the rows of the benchmark: ns a frame, ours beside the peers in one run."""
    mix = draw(count)
    settings = load(default_config_path()).settings
    live = sorted([*mix.frames, *_quotes(mix)], key=lambda played: played.at_ns)
    return [
        route(mix, rounds),
        _row("replay.engine.frame", rehearse(mix, mix.frames, settings), others(mix, REHEARSALS)),
        _row("replay.engine.live", rehearse(mix, live, settings), {}),
    ]


def route(mix: Mix, rounds: int) -> dict[str, Any]:
    """Measures bytes to ladder to flags, called from Python frame by frame."""
    ours: list[float] = []
    theirs: dict[str, list[float]] = {}
    payloads = [(played.payload, played.at_ns) for played in mix.frames]
    for _ in range(rounds):
        ours.append(_time(partial(_feed, mix.spec, payloads)) / len(payloads))
        for name, work in _peers(mix.spec).items():
            spent = _time(partial(_each, work, payloads))
            theirs.setdefault(name, []).append(spent / len(payloads))
    return _row("replay.router.frame", ours, theirs)


def _peers(spec: MarketSpec) -> dict[str, Callable[[bytes], object]]:
    """Returns who else can keep the book: a decoder and books on dicts, fresh for each round."""

    def keeper(decode: Callable[[bytes], Any]) -> Callable[[bytes], object]:
        books = _Books(spec)

        def work(frame: bytes) -> object:
            event = decode(frame)
            return books.apply(event) if event["event_type"] in _BOOK_KINDS else event

        return work

    typed = msgspec.json.Decoder(Event)
    books = _Books(spec)

    def work_typed(frame: bytes) -> object:
        event = typed.decode(frame)
        return books.apply_typed(event) if event.event_type in _BOOK_KINDS else event

    found = {f"{name} + dict": keeper(decode) for name, decode in decoders().items()}
    return {**found, "msgspec typed + dict": work_typed}


class _Books(DictBooks):
    """Is the peers' books, of any market's tokens."""

    def __init__(self, spec: MarketSpec) -> None:
        super().__init__()
        self.books = {spec.up_token: ({}, {}), spec.down_token: ({}, {})}

    def apply(self, event: dict[str, Any]) -> object:
        """Applies a decoded event of dicts and reads the touch of both tokens."""
        if event["event_type"] == "book":
            return super().apply(event)
        for entry in event["price_changes"]:
            self.change(entry["asset_id"], entry["side"], entry["price"], entry["size"])
        return [self.touch(token) for token in self.books]

    def apply_typed(self, event: Event) -> object:
        """Applies a decoded event of structs and reads the touch of both tokens."""
        if event.event_type == "book":
            return super().apply_typed(event)
        for entry in event.price_changes:
            self.change(entry.asset_id, entry.side, entry.price, entry.size)
        return [self.touch(token) for token in self.books]


def rehearse(mix: Mix, frames: list[Played], settings: Settings) -> list[float]:
    """Measures frames through the whole engine: ns a frame, of several runs."""
    script = Script(mix.frames[0].at_ns, [mix.spec], lambda: frames, "drawn")
    runs = [Rehearsal(settings, script).run for _ in range(REHEARSALS)]
    return [_time(run) / len(frames) for run in runs]


def others(mix: Mix, rounds: int) -> dict[str, list[float]]:
    """Returns what nautilus_trader and hftbacktest need for the same changes of the same book.

    They run in the interpreter that DAILYARB_PEERS names, else in this one's; where neither is
    installed there is nothing to compare with, and this is empty.
    """
    python = os.environ.get("DAILYARB_PEERS", sys.executable)
    program = Path(__file__).with_name("replay_peers.py")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "changes.json"
        file.write_text(json.dumps(changes(mix)), encoding="utf-8")
        done = subprocess.run(
            [python, str(program), str(file), str(rounds)],
            capture_output=True, text=True, check=False, timeout=_PEERS_S, cwd=folder,
        )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{program.name}: {done.stderr.strip()[-400:]}")
    found: dict[str, list[float]] = json.loads(done.stdout.splitlines()[-1])
    return found


def changes(mix: Mix) -> list[tuple[int, list[tuple[int, int, int]], bool]]:
    """Returns what each frame of the Up token changes: (side, price_e4, size_e6), and if whole."""
    found = []
    for frame in mix.frames:
        said = json.loads(frame.payload)
        rows = [(c["side"] == "SELL", c) for c in said.get("price_changes", ())
                if c["asset_id"] == _UP]  # fmt: skip
        whole = said["event_type"] == "book" and said["asset_id"] == _UP
        if whole:
            rows = [(name == "asks", c) for name in ("bids", "asks") for c in said[name]]
        levels = [
            (int(asks), round(float(c["price"]) * 10_000), round(float(c["size"]) * _SHARES))
            for asks, c in rows
        ]
        if levels:
            found.append((frame.at_ns, levels, whole))
    return found


def _feed(spec: MarketSpec, payloads: list[tuple[bytes, int]]) -> None:
    router = BookRouter()
    router.add_market(0, spec.up_token, spec.down_token, spec.grid.tick_e4)
    on_frame = router.on_frame
    for payload, at_ns in payloads:
        on_frame(payload, at_ns)


def _each(work: Callable[[bytes], object], payloads: list[tuple[bytes, int]]) -> None:
    for payload, _ in payloads:
        work(payload)


def _time(job: Callable[[], object]) -> float:
    """Returns the CPU nanoseconds of a job on this thread."""
    begun = time.thread_time_ns()
    job()
    return float(time.thread_time_ns() - begun)


def _row(name: str, ours: list[float], theirs: dict[str, list[float]]) -> dict[str, Any]:
    peers = {peer: round(statistics.median(times), 1) for peer, times in theirs.items()}
    best = min(peers, key=peers.__getitem__, default=None)
    median = statistics.median(ours)
    ratio = None
    if best is not None:
        pairs = zip(ours, theirs[best], strict=True)
        ratio = round(statistics.median(mine / other for mine, other in pairs), 4)
    return {
        "name": name,
        "unit": "ns",
        "ours": round(median, 1),
        "frames_per_s": round(1e9 / median),
        "peers": peers,
        "ratio_to_best_peer": ratio,
    }


def _quotes(mix: Mix) -> list[Played]:
    """Returns a reference that wanders by hundredths of a dollar."""
    rng = random.Random(len(mix.frames))
    at_ns, last_ns = mix.frames[0].at_ns, mix.frames[-1].at_ns
    cents, update, found = 6_150_000, 1, []
    while (at_ns := at_ns + int(rng.expovariate(_QUOTES_HZ) * SECOND)) < last_ns:
        cents += rng.randrange(-40, 41)
        update += rng.randrange(1, 30)
        quote = (
            f'{{"stream":"btcusdt@bookTicker","data":{{"u":{update},"s":"BTCUSDT",'
            f'"b":"{cents / 100:.2f}","B":"1.5","a":"{(cents + 1) / 100:.2f}","A":"2.5"}}}}'
        )
        found.append(Played(at_ns, Channel.BINANCE, quote.encode(), 1))
    return found


def _played(at_ns: int, payload: bytes) -> Played:
    return Played(at_ns, Channel.POLYMARKET, payload, 0)


def _book_frame(book: _Book, rng: random.Random, outcome: int, at_ns: int) -> bytes:
    stamp = (at_ns // MS, f"{rng.getrandbits(160):040x}")
    token = (_UP, _DOWN)[outcome]
    return wire.book_frame(_MARKET, token, book.levels(outcome), stamp).encode()


def _spec(last_ns: int) -> MarketSpec:
    """Returns the market of a drawn mix: running all the while."""
    return MarketSpec(
        market_id=_MARKET,
        slug="btc-updown-15m-1776808200",
        asset="btc",
        window=Window.M15,
        start_ns=_BEGIN_NS - SECOND,
        end_ns=last_ns + 900 * SECOND,
        up_token=_UP,
        down_token=_DOWN,
        grid=Grid(),
        fees=FeeSchedule(rate_e6=70_000),
        settlement=Settlement(SettlementKind.TWAP, 60),
    )

"""Decode and apply, ours beside the peers, in one run.

Rounds are interleaved in a fresh random order, timed on the thread's CPU clock; a figure is the
median of its rounds, a ratio the median of the rounds' own ratios. Peers that are not installed
are left out. Every contender does the whole job: bytes in, book updated, best bid and ask read,
numbers as integers (ours) or floats (theirs). Frames are new in every round, their stamps and
hashes rising: ours would drop a copy unread, and that is not what is measured.
"""

from __future__ import annotations

import importlib
import json
import random
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from dailyarb._fast.router import BookRouter
from dailyarb._fast.spot import SpotRouter

UP = "45936375922793925919605092352922707796689801895417366600539442410775071099958"
DOWN = "86520121088881862182423437128238697252500151785248183602134095101149900014256"
MARKET = "0x125149c5918fc5f8c6d34682f700a898a1a19ea4f4e2ae68ff4c5794ba657074"
OURS = "ours"
STAMP_MS = 1_776_808_414_710
Work = Callable[[bytes], object]
Make = Callable[[random.Random, int], bytes]  # a random source and the frame's rising number


class Case(NamedTuple):
    """Is one measured job: how its frames are made, calls per round, a contender by name."""

    name: str
    make: Make
    calls: int
    contenders: dict[str, Work]


class Level(msgspec.Struct):
    """Is one level as msgspec reads it."""

    price: str
    size: str


class Change(msgspec.Struct):
    """Is one entry of a price_change as msgspec reads it."""

    asset_id: str
    price: str
    size: str
    side: str
    best_bid: str
    best_ask: str


class Event(msgspec.Struct):
    """Is a market-channel event as msgspec reads it."""

    event_type: str
    timestamp: str
    asset_id: str = ""
    price_changes: list[Change] = []
    bids: list[Level] = []
    asks: list[Level] = []


class Ticker(msgspec.Struct):
    """Is a bookTicker as msgspec reads it, prices straight to floats."""

    u: int
    s: str
    b: float
    B: float
    a: float
    A: float


class DictBooks:
    """Keeps both tokens' books in dicts, as most bots do."""

    def __init__(self) -> None:
        self.books: dict[str, tuple[dict[float, float], dict[float, float]]] = {
            UP: ({}, {}),
            DOWN: ({}, {}),
        }

    def change(self, token: str, side: str, price: str, size: str) -> None:
        """Sets or deletes one level."""
        levels = self.books[token][side == "SELL"]
        shares = float(size)
        if shares:
            levels[float(price)] = shares
        else:
            levels.pop(float(price), None)

    def touch(self, token: str) -> tuple[float, float]:
        """Returns best bid and ask."""
        bids, asks = self.books[token]
        return max(bids, default=0.0), min(asks, default=1.0)

    def apply(self, event: dict[str, Any]) -> object:
        """Applies a decoded event of dicts and reads the touch."""
        if event["event_type"] == "book":
            token = event["asset_id"]
            self.books[token] = (
                {float(level["price"]): float(level["size"]) for level in event["bids"]},
                {float(level["price"]): float(level["size"]) for level in event["asks"]},
            )
            return self.touch(token)
        for entry in event["price_changes"]:
            self.change(entry["asset_id"], entry["side"], entry["price"], entry["size"])
        return self.touch(UP), self.touch(DOWN)

    def apply_typed(self, event: Event) -> object:
        """Applies a decoded event of structs and reads the touch."""
        if event.event_type == "book":
            self.books[event.asset_id] = (
                {float(level.price): float(level.size) for level in event.bids},
                {float(level.price): float(level.size) for level in event.asks},
            )
            return self.touch(event.asset_id)
        for entry in event.price_changes:
            self.change(entry.asset_id, entry.side, entry.price, entry.size)
        return self.touch(UP), self.touch(DOWN)


def decoders() -> dict[str, Callable[[bytes], Any]]:
    """Returns bytes-to-dict decoders by the name of their package, those that are installed."""
    found: dict[str, Callable[[bytes], Any]] = {"json": json.loads}
    for package in ("orjson", "simdjson"):
        try:
            found[package] = importlib.import_module(package).loads
        except ImportError:
            continue
    return found


def market_contenders() -> dict[str, Work]:
    """Returns everyone who can keep a Polymarket book, each with a book of its own."""
    router = BookRouter()
    ladder = router.add_market(0, UP, DOWN, 100)
    router.on_frame(book_frame(random.Random(1), 0), 1)

    def ours(frame: bytes) -> object:
        router.on_frame(frame, 1)
        return ladder.top(0)

    typed = msgspec.json.Decoder(Event)
    books = DictBooks()
    found: dict[str, Work] = {
        OURS: ours,
        "msgspec typed + dict": lambda frame: books.apply_typed(typed.decode(frame)),
    }
    for name, decode in decoders().items():
        found[f"{name} + dict"] = _with_dict(decode, DictBooks())
    return found


def _with_dict(decode: Callable[[bytes], Any], books: DictBooks) -> Work:
    return lambda frame: books.apply(decode(frame))


def spot_contenders() -> dict[str, Work]:
    """Returns everyone who can read a bookTicker."""
    router = SpotRouter()
    router.add_symbol("BTCUSDT")
    typed = msgspec.json.Decoder(Ticker, strict=False)
    found: dict[str, Work] = {
        OURS: lambda frame: router.on_frame(frame, 1),
        "msgspec typed": typed.decode,
    }
    for name, decode in decoders().items():
        found[name] = _with_floats(decode)
    return found


def _with_floats(decode: Callable[[bytes], Any]) -> Work:
    def work(frame: bytes) -> object:
        said = decode(frame)
        return float(said["b"]), float(said["B"]), float(said["a"]), float(said["A"])

    return work


def change_frame(rng: random.Random, number: int) -> bytes:
    """Returns a price_change of two mirrored entries under a standing touch of 0.49 / 0.50."""
    price, shares = rng.randrange(40, 50), f"{rng.randrange(1, 10**6) / 100:.2f}"
    return (
        f'{{"market":"{MARKET}","price_changes":[{{"asset_id":"{UP}","price":"0.{price}",'
        f'"size":"{shares}","side":"BUY","hash":"{number:040x}","best_bid":"0.49",'
        f'"best_ask":"0.5"}},{{"asset_id":"{DOWN}","price":"0.{100 - price}",'
        f'"size":"{shares}","side":"SELL","hash":"{number:040x}","best_bid":"0.5",'
        f'"best_ask":"0.51"}}],"timestamp":"{STAMP_MS + number}","event_type":"price_change"}}'
    ).encode()


def book_frame(rng: random.Random, number: int) -> bytes:
    """Returns a book of 49 bids and 50 asks, worst first as the venue writes them."""
    bids, asks = _levels(range(1, 50), rng), _levels(range(99, 49, -1), rng)
    return (
        f'{{"market":"{MARKET}","asset_id":"{UP}","timestamp":"{STAMP_MS + number}",'
        f'"hash":"{number:040x}","bids":[{bids}],"asks":[{asks}],"event_type":"book"}}'
    ).encode()


def _levels(prices: range, rng: random.Random) -> str:
    return ",".join(
        f'{{"price":"0.{price:02}","size":"{rng.randrange(1, 10**6) / 100:.2f}"}}'
        for price in prices
    )


def ticker_frame(rng: random.Random, number: int) -> bytes:
    """Returns a raw bookTicker."""
    bid = 6_183_763 + rng.randrange(100)
    sizes = rng.randrange(1, 10**9), rng.randrange(1, 10**9)
    return (
        f'{{"u":{50_093_239_212 + number},"s":"BTCUSDT","b":"{bid / 100:.8f}",'
        f'"B":"{sizes[0] / 1e8:.8f}","a":"{bid / 100 + 0.01:.8f}","A":"{sizes[1] / 1e8:.8f}"}}'
    ).encode()


def cases() -> list[Case]:
    """Returns the measured jobs."""
    return [
        Case("binance bookTicker", ticker_frame, 2_000, spot_contenders()),
        Case("price_change, 2 entries, to touch", change_frame, 2_000, market_contenders()),
        Case("book, 99 levels, to touch", book_frame, 200, market_contenders()),
    ]


def run(rounds: int = 7) -> list[dict[str, Any]]:
    """Returns one row per case: ns per call of ours and of each peer, and ours over the best.

    Args:
        rounds: interleaved rounds, >= 1.
    """
    rng = random.Random(2)
    return [_measure(case, rounds, rng) for case in cases()]


def _measure(case: Case, rounds: int, rng: random.Random) -> dict[str, Any]:
    order = list(case.contenders)
    spent: dict[str, list[float]] = {name: [] for name in order}
    for turn in range(rounds + 1):
        begin = turn * case.calls + 1
        frames = [case.make(rng, begin + number) for number in range(case.calls)]
        rng.shuffle(order)
        for name in order:
            spent[name].append(_time(case.contenders[name], frames))
    warm = {name: times[1:] for name, times in spent.items()}  # the first round only warms up
    medians = {name: statistics.median(times) for name, times in warm.items()}
    ours = medians.pop(OURS)
    best = min(medians, key=lambda name: medians[name])
    ratios = [mine / theirs for mine, theirs in zip(warm[OURS], warm[best], strict=True)]
    return {
        "name": case.name,
        "unit": "ns",
        "ours": ours,
        "peers": medians,
        "best_peer": best,
        "ratio_to_best_peer": statistics.median(ratios),
    }


def _time(work: Work, frames: list[bytes]) -> float:
    """Returns CPU nanoseconds per call."""
    start = time.thread_time_ns()
    for frame in frames:
        work(frame)
    return (time.thread_time_ns() - start) / len(frames)

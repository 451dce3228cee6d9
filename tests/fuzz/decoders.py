"""Differential fuzz of both decoders against the stdlib json.

    python -m tests.fuzz.decoders --minutes 30 --seed 1

Rule: equal rows wherever the stdlib accepts the frame and each needed key comes once; otherwise
rows or FrameFault; never a crash. The hand scanner and simdjson must agree always.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from dailyarb._fast.binance import BinanceDecoder
from dailyarb._fast.polymarket import Decoder, Rows, TokenTable
from dailyarb.core.domain.errors import FrameFault
from tests.oracles import binance as binance_oracle
from tests.oracles.frames import TOKENS, every_event
from tests.oracles.json_frames import OracleFault, Unreadable
from tests.oracles.polymarket import Oracle, Tokens

GOLDEN = Path(__file__).parent.parent / "golden"
CRONOS = "74436509359779120753638975653952932329484785376951187432212748629901390676507"
POLYMARKET_TOKENS: Tokens = {**TOKENS, CRONOS: (2, 5, 0)}
PIECES = [
    b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"null", b"NaN", b"-Infinity", b"1e400", b"-1",
    b'"NaN"', b'""', b"true", b"0.50001", b'"0.50001"', b'"-0.5"', b"01", b"\\u0030", b"\\ud800",
    b"\x00", b"\xff", b"\xc3\xa9", b" ", b"\n", b'"price":"0.5",', b'"size":"1",', b'"bids":[],',
    b'"asset_id":"1",', b'"timestamp":"1",', b'"event_type":"book",', b"9" * 25, b"0" * 25, b"[[[[",
    b'"b":[],', b'"u":1,', b'"m":1,', b'"e":"trade",', b'"data":', b"\xef\xbb\xbf",
]  # fmt: skip
Verdict = tuple[str, object]


def polymarket_seeds() -> list[bytes]:
    """Returns frames to start from: made ones of every type and captured books."""
    captured = (GOLDEN / "polymarket_books.jsonl").read_bytes().splitlines()
    return every_event() + captured[:2]


def binance_seeds() -> list[bytes]:
    """Returns frames to start from: captured ones, raw and combined, and the documented rest."""
    captured = (GOLDEN / "binance_spot.jsonl").read_bytes().splitlines()
    raw = [frame[frame.index(b'"data":') + 7 : -1] for frame in captured]
    return (
        captured
        + raw
        + [
            b'{"e":"aggTrade","E":1,"s":"X","a":5,"p":"1.5","q":"2","f":1,"l":5,"T":1,"m":true,"M":true}',
            b'{"result":null,"id":1}',
            b'{"code":2,"msg":"Invalid request","id":"x"}',
            b'{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1770123456789}}',
            b'{"e":"kline","E":1,"s":"BTCUSDT","k":{"t":1,"o":"1","b":[1]}}',
            b'{"lastUpdateId":160,"bids":[["1","2"]],"asks":[]}',
        ]
    )


def mutate(frame: bytes, rng: random.Random) -> bytes:
    """Returns the frame with a few random wounds."""
    wounded = bytearray(frame)
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3, 5))):
        at = rng.randrange(len(wounded) + 1)
        kind = rng.randrange(7)
        if kind == 0:
            wounded[at:at] = rng.choice(PIECES)
        elif kind == 1:
            piece = rng.choice(PIECES)
            wounded[at : at + len(piece)] = piece
        elif kind == 2 and at < len(wounded):
            wounded[at] = rng.randrange(256)
        elif kind == 3:
            del wounded[at : at + rng.randrange(1, 40)]
        elif kind == 4:
            wounded[at:at] = wounded[at : at + rng.randrange(1, 200)]
        elif kind == 5:
            del wounded[at:]
        else:
            swap_values(wounded, rng)
    return bytes(wounded)


def swap_values(wounded: bytearray, rng: random.Random) -> None:
    """Puts one of our pieces in place of a whole value, so that the frame often stays JSON."""
    ends = [at for at, byte in enumerate(wounded[:-1]) if byte == ord(":")]
    start = rng.choice(ends or [0]) + 1
    stop = start
    while stop < len(wounded) and wounded[stop] not in b",}]":
        stop += 1
    wounded[start:stop] = rng.choice(PIECES)


def verdict(decode: Callable[[], object]) -> Verdict:
    """Returns what a decoder or an oracle says of a frame."""
    try:
        return "rows", decode()
    except (FrameFault, OracleFault):
        return "fault", None
    except Unreadable:
        return "unreadable", None


class Differ:
    """Holds the decoders of both venues and judges frame after frame."""

    def __init__(self) -> None:
        tokens = TokenTable()
        for token, (_, market, outcome) in POLYMARKET_TOKENS.items():
            tokens.add(token, market, outcome)
        self.tokens = tokens
        self.rows = Rows()
        self.oracle = Oracle(POLYMARKET_TOKENS)
        self.polymarket_decoders = [Decoder(tokens, scan=scan) for scan in (True, False)]
        self.binance_decoders = {
            micros: [BinanceDecoder(micros, scan=scan) for scan in (True, False)]
            for micros in (False, True)
        }
        self.readable = 0

    def _rows(self, decoder: Decoder, frame: bytes) -> Sequence[tuple[int, ...]]:
        decoder.decode(frame, self.rows)
        return self.rows.to_list()

    def polymarket(self, frame: bytes) -> None:
        """Judges one market-channel frame; AssertionError names what differs."""
        scan, plain = (
            verdict(partial(self._rows, decoder, frame)) for decoder in self.polymarket_decoders
        )
        self._judge(frame, scan, plain, verdict(lambda: self.oracle.decode(frame)))

    def binance(self, frame: bytes, micros: bool) -> None:
        """Judges one Binance frame."""
        scan, plain = (
            verdict(partial(decoder.decode, frame)) for decoder in self.binance_decoders[micros]
        )
        self._judge(frame, scan, plain, verdict(lambda: binance_oracle.decode(frame, micros)))

    def _judge(self, frame: bytes, scan: Verdict, plain: Verdict, want: Verdict) -> None:
        assert scan == plain, f"scanner {scan}, simdjson {plain}: {frame!r}"
        if want[0] == "unreadable":
            return
        self.readable += 1
        assert plain == want, f"kernel {plain}, stdlib {want}: {frame!r}"


def run(seed: int, rounds: int | None, minutes: float) -> tuple[int, int]:
    """Fuzzes for a number of rounds or minutes; returns frames tried and readable ones."""
    rng = random.Random(seed)
    differ = Differ()
    polymarket, binance = polymarket_seeds(), binance_seeds()
    until = time.monotonic() + minutes * 60
    tried = 0
    while tried < rounds if rounds is not None else time.monotonic() < until:
        differ.polymarket(mutate(rng.choice(polymarket), rng))
        differ.binance(mutate(rng.choice(binance), rng), rng.random() < 0.5)
        tried += 1
    return tried, differ.readable


def main(argv: list[str] | None = None) -> Any:
    """Runs the long command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(argv)
    tried, readable = run(options.seed, None, options.minutes)
    sys.stdout.write(f"{tried} frames of each venue, {readable} readable, no difference\n")


if __name__ == "__main__":
    main()

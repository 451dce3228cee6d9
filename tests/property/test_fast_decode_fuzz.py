"""Decoders against the stdlib: hypothesis picks the seed, the fuzzer wounds real frames."""

from __future__ import annotations

import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dailyarb._fast.binance import BinanceDecoder
from dailyarb._fast.polymarket import Decoder, Rows, TokenTable
from dailyarb.core.domain.errors import FrameFault
from tests.fuzz.decoders import Differ, binance_seeds, mutate, polymarket_seeds, run
from tests.oracles import frames as made

POLYMARKET, BINANCE = polymarket_seeds(), binance_seeds()
DIFFER = Differ()


def test_whole_frames_agree_before_any_wound() -> None:
    for frame in POLYMARKET:
        DIFFER.polymarket(frame)
    for frame in BINANCE:
        for micros in (False, True):
            DIFFER.binance(frame, micros)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32))
def test_wounded_frames_agree_with_the_stdlib(seed: int) -> None:
    rng = random.Random(seed)
    DIFFER.polymarket(mutate(rng.choice(POLYMARKET), rng))
    DIFFER.binance(mutate(rng.choice(BINANCE), rng), rng.random() < 0.5)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
@example(b"[" * 100)
@example(b'{"event_type":')
def test_any_bytes_give_rows_or_a_fault(frame: bytes) -> None:
    DIFFER.polymarket(frame)
    DIFFER.binance(frame, False)


def test_the_long_command_judges_many_readable_frames() -> None:
    tried, readable = run(seed=7, rounds=2_000, minutes=0)
    assert tried == 2_000
    assert readable > 800


@pytest.mark.parametrize("scan", [True, False])
def test_every_prefix_of_a_frame_is_a_fault(scan: bool) -> None:
    tokens = TokenTable()
    tokens.add(made.UP, 0, 0)
    tokens.add(made.DOWN, 0, 1)
    decoder, rows = Decoder(tokens, scan=scan), Rows()
    frame = made.pack(made.price_change("BUY", 8600, 1, (8600, 8700)))
    for size in range(len(frame)):
        with pytest.raises(FrameFault):
            decoder.decode(frame[:size], rows)
    spot = BinanceDecoder(scan=scan)
    for size in range(len(BINANCE[2])):
        with pytest.raises(FrameFault):
            spot.decode(BINANCE[2][:size])


plain = st.decimals(0, 1, places=4, allow_nan=False, allow_infinity=False)


@settings(max_examples=200, deadline=None)
@given(
    price=plain,
    size=st.decimals(0, 10**9, places=6, allow_nan=False, allow_infinity=False),
    zeros=st.integers(0, 12),
)
def test_decimals_survive_exactly(price: object, size: object, zeros: int) -> None:
    tokens = TokenTable()
    tokens.add(made.UP, 0, 0)
    event = made.trade(1, 1, transaction_hash="")
    event["price"], event["size"] = f"{price:f}" + "0" * zeros, f"{size:f}"
    rows = Rows()
    Decoder(tokens).decode(made.pack(event), rows)
    (row,) = rows.to_list()
    assert row[5] == int(price * 10_000)  # type: ignore[operator]
    assert row[6] == int(size * 1_000_000)  # type: ignore[operator]

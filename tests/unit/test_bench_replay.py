"""The replay benchmark: the mix of the capture, frames that decode, rows of the common form."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from dailyarb._fast.router import BookRouter
from dailyarb.bench.replay import changes, draw, others, run


def test_the_drawn_mix_has_the_proportions_and_the_rate_of_the_full_rate_capture() -> None:
    mix = draw(8_000)
    kinds = Counter(json.loads(frame.payload)["event_type"] for frame in mix.frames)
    shares = {kind: count / len(mix.frames) for kind, count in kinds.items()}
    assert abs(shares["price_change"] - 0.940) < 0.01
    assert abs(shares["book"] - 0.024) < 0.006
    assert abs(shares["best_bid_ask"] - 0.024) < 0.006
    assert abs(shares["last_trade_price"] - 0.012) < 0.004
    seconds = (mix.frames[-1].at_ns - mix.frames[0].at_ns) / 1e9
    assert 500 < len(mix.frames) / seconds < 620
    assert draw(500) == draw(500)


def test_every_drawn_frame_decodes_and_agrees_with_its_own_touch() -> None:
    mix = draw(3_000)
    router = BookRouter()
    router.add_market(0, mix.spec.up_token, mix.spec.down_token, 100)
    for frame in mix.frames:
        router.on_frame(frame.payload, frame.at_ns)
    counters = router.counters
    assert router.faults == {}
    assert (counters["mismatches"], counters["desyncs"], counters["duplicates"]) == (0, 0, 0)
    assert counters["agreements"] > 5_000


def test_the_rows_have_the_form_that_all_benchmarks_share() -> None:
    routed, engine, live = run(1, 600)
    assert (routed["name"], routed["unit"]) == ("replay.router.frame", "ns")
    assert 0 < routed["ratio_to_best_peer"] < 1
    assert routed["ours"] > 0
    assert "json + dict" in routed["peers"]
    assert engine["name"] == "replay.engine.frame"
    assert engine["frames_per_s"] > 0
    assert (live["name"], live["peers"]) == ("replay.engine.live", {})
    assert live["frames_per_s"] > 0
    names = {name.split()[0] for name in engine["peers"]}
    assert names <= {"nautilus_trader", "hftbacktest"}  # whoever is installed


def test_the_peers_are_given_the_same_changes_of_the_same_book() -> None:
    mix = draw(2_000)
    book: dict[tuple[int, int], int] = {}
    for _, levels, whole in changes(mix):
        if whole:
            book.clear()
        for side, price_e4, size_e6 in levels:
            book[side, price_e4] = size_e6
    router = BookRouter()
    ladder = router.add_market(0, mix.spec.up_token, mix.spec.down_token, 100)
    for frame in mix.frames:
        router.on_frame(frame.payload, frame.at_ns)
    for side in (0, 1):
        ours = dict(ladder.levels(0, side, 200))
        assert {price: size for (at, price), size in book.items() if at == side and size} == ours


def test_a_peer_that_breaks_is_not_taken_for_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAILYARB_PEERS", "/bin/false")
    with pytest.raises(RuntimeError, match="replay_peers"):
        others(draw(100), 1)

"""The replay benchmark: the mix of the capture, frames that decode, rows of the common form."""

from __future__ import annotations

import json
from collections import Counter

from dailyarb._fast.router import BookRouter
from dailyarb.bench.replay import draw, rehearse, route
from dailyarb.config import load
from dailyarb.resources import default_config_path


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
    mix = draw(600)
    routed = route(mix, 1)
    engine = rehearse(mix, 1, load(default_config_path()).settings)
    assert (routed["name"], routed["unit"]) == ("replay.router.frame", "ns")
    assert 0 < routed["ratio_to_best_peer"] < 1
    assert routed["ours"] > 0
    assert "json + dict" in routed["peers"]
    assert (engine["name"], engine["peers"]) == ("replay.engine.frame", {})
    assert engine["frames_per_s"] > 0

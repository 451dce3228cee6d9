"""The clock's offset, the endpoints, and the frames written to Polymarket's sockets."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dailyarb.core.domain.errors import ConfigError
from dailyarb.runtime.clock import BootClock, Sample, best_offset, boot_ns
from dailyarb.venues import endpoints
from dailyarb.venues.polymarket import stream

MS = 1_000_000


@given(
    st.integers(-5_000, 5_000),
    st.lists(
        st.tuples(st.integers(0, 10_000), st.integers(0, 200), st.integers(0, 200), st.booleans()),
        min_size=1,
        max_size=12,
    ),
)
def test_the_true_offset_lies_within_the_stated_error(
    offset_ms: int, readings: list[tuple[int, int, int, bool]]
) -> None:
    """Whatever the delays each way and the servers' resolutions."""
    samples = []
    for sent_ms, out_ms, back_ms, coarse in readings:
        server_ms = sent_ms + 1_000_000 + out_ms + offset_ms
        step_s = 1.0 if coarse else 0.001
        server_s = server_ms // 1000 if coarse else server_ms / 1000
        sent_ns = (sent_ms + 1_000_000) * MS
        got_ns = sent_ns + (out_ms + back_ms) * MS
        samples.append(Sample(sent_ns, got_ns, float(server_s), step_s))
    found = best_offset(samples)
    assert found is not None
    assert abs(found.offset_ms - offset_ms) <= found.error_ms + 1
    assert found.error_ms <= min(sample.error_ns for sample in samples) / MS + 1e-6


def test_without_readings_there_is_no_offset() -> None:
    assert best_offset([]) is None


def test_a_reading_that_contradicts_the_surest_is_left_out() -> None:
    sure = Sample(0, 2 * MS, 0.001, 0.0)
    wild = Sample(0, 100 * MS, 9.0, 0.0)
    found = best_offset([wild, sure])
    assert found is not None and abs(found.offset_ms) <= 1


def test_the_boot_clock_goes_forward_and_wall_time_carries_the_offset() -> None:
    clock = BootClock()
    before = clock.now()
    clock.offset_ns = 3_600 * 10**9
    after = clock.now()
    assert after.mono_ns >= before.mono_ns and boot_ns() >= after.mono_ns
    assert after.wall_ns - before.wall_ns >= 3_600 * 10**9


ANNOUNCED = {
    "clob_http": "http://127.0.0.1:1/",
    "clob_ws": "ws://127.0.0.1:2",
    "gamma_http": "http://127.0.0.1:3",
    "settle_ws": "ws://127.0.0.1:4",
    "binance_ws": "ws://127.0.0.1:5",
    "binance_http": "http://127.0.0.1:6",
    "control_http": "http://127.0.0.1:7",
}


def test_announced_endpoints() -> None:
    complete = {**ANNOUNCED, "settle_ws": "ws://127.0.0.1:4/ws"}
    for body in (ANNOUNCED, complete, {"ready": True, "endpoints": ANNOUNCED}):
        text = json.dumps(body)
        found = endpoints.parse(text)
        assert found.clob_http == "http://127.0.0.1:1" and not found.tls
        assert found.market_ws == "ws://127.0.0.1:2/ws/market"
        assert found.user_ws == "ws://127.0.0.1:2/ws/user"
        assert found.settle_ws == "ws://127.0.0.1:4/ws"
        assert found.stream_urls(("a@b", "c@d"), micros=True) == (
            "ws://127.0.0.1:5/stream?streams=a@b/c@d&timeUnit=MICROSECOND",
        )


@pytest.mark.parametrize(
    "text",
    ["{", "7", "{}", json.dumps({**ANNOUNCED, "binance_ws": []}),
     json.dumps({**ANNOUNCED, "clob_http": "nowhere"})],
)  # fmt: skip
def test_damaged_announcements_are_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        endpoints.parse(text)


def test_the_live_addresses_are_all_encrypted() -> None:
    live = endpoints.LIVE
    assert live.tls
    assert all(url.startswith("wss://") for url in (live.market_ws, live.settle_ws))
    assert len(live.stream_urls(("btcusdt@trade",), micros=False)) == 3


def test_the_first_subscription_has_its_own_form_and_is_never_repeated() -> None:
    found = stream.MarketSubscription()
    assert found.want([]) == [] and not found.greeted
    (first,) = found.want(["1", "2"])
    assert first == b'{"type":"market","assets_ids":["1","2"],"custom_feature_enabled":true}'
    assert found.want(["1", "2"]) == []
    leave, join = (json.loads(frame) for frame in found.want(["2", "3"]))
    assert leave == {"operation": "unsubscribe", "assets_ids": ["1"]}
    assert join == {"operation": "subscribe", "assets_ids": ["3"], "custom_feature_enabled": True}
    assert [json.loads(frame)["operation"] for frame in found.renew(["2", "9"])] == [
        "unsubscribe",
        "subscribe",
    ]


@given(st.integers(0, 450))
def test_long_subscriptions_travel_in_frames_of_a_hundred(count: int) -> None:
    tokens = [str(number) for number in range(count)]
    frames = [json.loads(frame) for frame in stream.MarketSubscription().want(tokens)]
    assert [token for frame in frames for token in frame["assets_ids"]] == tokens
    assert all(len(frame["assets_ids"]) <= 100 for frame in frames)
    assert ["type" in frame for frame in frames] == [True, *[False] * 9][: len(frames)]


def test_the_settling_feeds_subscription_is_compact() -> None:
    assert stream.bolt_subscribe("s1", ["btcusd"], 60) == (
        '{"op":"subscribe","rid":"s1","subscriptions":[{"channel":"price.crypto.twap",'
        '"filter":{"symbol":"btcusd","window_seconds":60}}]}'
    )

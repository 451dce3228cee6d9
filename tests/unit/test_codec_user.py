"""The user channel: whose fill it is, what it proves, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dailyarb.core.domain.errors import FrameFault
from dailyarb.core.domain.events import Fill, FillConfirmed, FillVoided, OrderReport
from dailyarb.core.domain.market import Outcome, Side
from dailyarb.core.domain.orders import FillState, OrderState
from dailyarb.venues.polymarket import codec
from dailyarb.venues.polymarket.codec import Ours, stamp_ns, user_events

ME, OTHER = "me", "somebody"
UP, DOWN = "71", "72"
ROLES = {UP: Outcome.UP, DOWN: Outcome.DOWN}
TAKER_ID, MAKER_ID = "0xtaker", "0xmaker"


def trade(**changes: object) -> dict[str, object]:
    found: dict[str, object] = {
        "event_type": "trade",
        "type": "TRADE",
        "id": "t1",
        "status": "MATCHED",
        "taker_order_id": TAKER_ID,
        "market": "0xm",
        "asset_id": UP,
        "outcome": "Up",
        "side": "BUY",
        "price": "0.52",
        "size": "5",
        "trader_side": "TAKER",
        "match_time": "1725958681",
        "owner": ME,
        "trade_owner": ME,
        "maker_orders": [],
    }
    return {**found, **changes}


def maker(token: str, price: str, owner: str = ME, **changes: object) -> dict[str, object]:
    label = "Up" if token == UP else "Down"
    return {
        "order_id": MAKER_ID,
        "owner": owner,
        "matched_amount": "3.25",
        "price": price,
        "asset_id": token,
        "outcome": label,
        **changes,
    }


def events(frame: object, ours: tuple[str, ...] = ()) -> list[codec.UserEvent]:
    return user_events(json.dumps(frame).encode(), Ours(ME, ROLES, ours), 9)


def test_as_taker_the_fill_is_the_trade_itself() -> None:
    (fill,) = events(trade(maker_orders=[maker(UP, "0.52", OTHER)]))
    assert fill == Fill(
        trade_id="t1",
        order_id=TAKER_ID,
        market_id="0xm",
        outcome=Outcome.UP,
        side=Side.BUY,
        price_e4=5_200,
        size_e6=5_000_000,
        maker=False,
        state=FillState.PROVISIONAL,
        match_ns=1_725_958_681_000_000_000,
        recv_ns=9,
    )


# Taker buys or sells UP; our resting order is on the same token or on the mirrored one.
MAKER_CASES = [
    ("BUY", UP, "0.52", Outcome.UP, Side.SELL, 5_200),
    ("SELL", UP, "0.52", Outcome.UP, Side.BUY, 5_200),
    ("BUY", DOWN, "0.48", Outcome.DOWN, Side.BUY, 4_800),
    ("SELL", DOWN, "0.48", Outcome.DOWN, Side.SELL, 4_800),
]


@pytest.mark.parametrize(("taker", "token", "price", "outcome", "side", "price_e4"), MAKER_CASES)
@pytest.mark.parametrize("spoken", [True, False])
def test_as_maker_the_fill_is_our_own_entry(
    taker: str, token: str, price: str, outcome: Outcome, side: Side, price_e4: int, spoken: bool
) -> None:
    """The entry's side is used where the venue sends one, and derived where it does not."""
    entry = maker(token, price, **({"side": side.value} if spoken else {}))
    frame = trade(
        side=taker,
        trader_side="MAKER",
        owner=OTHER,
        trade_owner=OTHER,
        maker_orders=[maker(UP, "0.52", OTHER), entry],
    )
    (fill,) = events(frame)
    assert isinstance(fill, Fill)
    assert (fill.order_id, fill.maker) == (MAKER_ID, True)
    assert (fill.outcome, fill.side, fill.price_e4) == (outcome, side, price_e4)
    assert fill.size_e6 == 3_250_000


def test_one_trade_may_hold_several_of_our_orders() -> None:
    entries = [maker(UP, "0.4", order_id="0x1"), maker(UP, "0.3", order_id="0x2")]
    frame = trade(trader_side="MAKER", side="SELL", owner=OTHER, maker_orders=entries)
    found = [event for event in events(frame) if isinstance(event, Fill)]
    assert [(f.order_id, f.price_e4, f.side) for f in found] == [
        ("0x1", 4_000, Side.BUY),
        ("0x2", 3_000, Side.BUY),
    ]


def test_an_order_of_ours_is_known_by_its_id_too() -> None:
    frame = trade(trader_side="MAKER", owner=OTHER, maker_orders=[maker(UP, "0.5", OTHER)])
    assert events(frame) == []
    assert len(events(frame, ours=(MAKER_ID,))) == 1


@pytest.mark.parametrize(
    ("status", "kinds"),
    [
        ("MATCHED", [Fill]),
        ("TRADE_STATUS_MATCHED_NOT_BROADCASTED", [Fill]),
        ("MINED", [Fill]),
        ("RETRYING", [Fill]),
        ("TRADE_STATUS_CONFIRMED", [Fill, FillConfirmed]),
        ("FAILED", [FillVoided]),
    ],
)
def test_what_a_status_proves(status: str, kinds: list[type]) -> None:
    assert [type(event) for event in events(trade(status=status))] == kinds


ORDER = {
    "event_type": "order",
    "type": "PLACEMENT",
    "id": "0x1",
    "status": "LIVE",
    "market": "0xm",
    "asset_id": UP,
    "side": "BUY",
    "price": "0.5",
    "original_size": "12",
    "size_matched": "",
    "outcome": "",
}


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("CANCELED", ""),
        ("ORDER_STATUS_CANCELED", ""),
        ("CANCELED_MARKET_RESOLVED", "MARKET_RESOLVED"),
        ("CANCELED_order couldn't be fully filled.", "order couldn't be fully filled."),
        ("INVALID", "INVALID"),
    ],
)
def test_a_reason_does_not_say_again_that_the_order_ended(status: str, reason: str) -> None:
    (report,) = events({**ORDER, "status": status})
    assert isinstance(report, OrderReport)
    assert report.reason == reason


@pytest.mark.parametrize(
    ("changes", "state", "matched_e6"),
    [
        ({}, OrderState.OPEN, 0),
        ({"type": "UPDATE", "size_matched": "4.5"}, OrderState.OPEN, 4_500_000),
        ({"type": "UPDATE", "status": "MATCHED", "size_matched": "12"}, OrderState.FILLED, 12e6),
        ({"status": "DELAYED"}, OrderState.DELAYED, 0),
        ({"type": "CANCELLATION", "status": "CANCELED"}, OrderState.CANCELLED, 0),
        ({"type": "CANCELLATION", "status": "INVALID"}, OrderState.CANCELLED, 0),
        ({"status": "CANCELED_MARKET_RESOLVED"}, OrderState.CANCELLED, 0),
        ({"status": "CANCELED_EXPIRED_ORDER"}, OrderState.EXPIRED, 0),
        (
            {
                "status": "CANCELED_order couldn't be fully filled. FOK orders are fully filled "
                "or killed."
            },
            OrderState.EXPIRED,
            0,
        ),
        ({"status": "UNMATCHED", "type": "CANCELLATION"}, OrderState.CANCELLED, 0),
    ],
)
def test_what_an_order_event_proves(
    changes: dict[str, str], state: OrderState, matched_e6: int
) -> None:
    (report,) = events({**ORDER, **changes})
    assert isinstance(report, OrderReport)
    assert (report.order_id, report.known, report.asked_ns) == ("0x1", True, 9)
    assert (report.state, report.matched_e6) == (state, matched_e6)


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        (trade(status="BURNT"), "type"),
        (trade(side="HOLD"), "type"),
        (trade(price="0.52001"), "number"),
        (trade(price="1.01"), "range"),
        (trade(size="-1"), "range"),
        (trade(size="NaN"), "number"),
        (trade(asset_id="99", outcome="Maybe"), "type"),
        ({key: text for key, text in trade().items() if key != "price"}, "missing"),
        ({**ORDER, "status": "ASLEEP"}, "type"),
        ([ORDER, 7], "type"),
    ],
)
def test_what_is_not_understood_is_refused(frame: object, kind: str) -> None:
    with pytest.raises(FrameFault) as caught:
        events(frame)
    assert caught.value.kind == kind


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b"{", "syntax"),
        (b"\xff", "syntax"),
        (b"", "syntax"),
        (b'{"a":NaN}', "number"),
        (b'{"id":"1","id":"2"}', "duplicate"),
        (b"[" * 100_000, "depth"),
    ],
)
def test_damaged_bytes_are_frame_faults(raw: bytes, kind: str) -> None:
    with pytest.raises(FrameFault) as caught:
        user_events(raw, Ours(ME, ROLES, ()), 0)
    assert caught.value.kind == kind


def test_control_words_and_unknown_types_give_nothing() -> None:
    assert user_events(b"PONG", Ours(ME, ROLES, ()), 0) == []
    assert events({"event_type": "weather"}) == []


@given(st.binary(max_size=200))
def test_any_bytes_give_events_or_a_frame_fault(raw: bytes) -> None:
    try:
        user_events(raw, Ours(ME, ROLES, ()), 0)
    except FrameFault:
        return


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)


@given(st.sampled_from([*trade(), "maker_orders"]), _json, st.booleans())
def test_any_shape_of_a_field_gives_events_or_a_frame_fault(
    field: str, found: object, order: bool
) -> None:
    frame = {**(ORDER if order else trade()), field: found}
    try:
        events(frame)
    except FrameFault:
        return


@pytest.mark.parametrize(
    "text",
    ["1725958681", "1725958681000", "1725958681000000", "1725958681000000000",
     "2024-09-10T08:58:01Z", "2024-09-10T10:58:01.000+02:00", 1725958681],
)  # fmt: skip
def test_the_same_moment_in_every_unit_seen(text: str | int) -> None:
    assert stamp_ns(text) == 1_725_958_681_000_000_000


def test_stored_user_frames_decode(shared_data: Path) -> None:
    folder = shared_data / "ws" / "polymarket" / "nautilus"
    found = 0
    for path in sorted([*folder.glob("*user*"), *folder.glob("captured_order*")]):
        raw = path.read_bytes()
        frame = json.loads(raw)
        owners = {frame.get("owner", ""), *(m["owner"] for m in frame.get("maker_orders", []))}
        for owner in owners:
            user_events(raw, Ours(owner, {}, ()), 0)
            found += 1
    assert found >= 12


def test_the_captured_maker_fill_is_ours_at_our_own_price(shared_data: Path) -> None:
    raw = (shared_data / "ws/polymarket/nautilus/captured_user_trade1.json").read_bytes()
    (fill,) = user_events(raw, Ours("3e2c94ca-8124-c4c1-c7ea-be1ea21b71fe", {}, ()), 0)
    assert isinstance(fill, Fill)
    assert (fill.maker, fill.side, fill.outcome) == (True, Side.SELL, Outcome.UP)
    assert (fill.price_e4, fill.size_e6) == (5_180, 5_000_000)
    (mirrored,) = user_events(raw, Ours("78132bc3-22af-6aa2-79ae-11929f821cae", {}, ()), 0)
    assert isinstance(mirrored, Fill)
    assert (mirrored.side, mirrored.outcome, mirrored.price_e4) == (Side.BUY, Outcome.DOWN, 4_820)

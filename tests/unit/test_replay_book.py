"""The recorded book: stamps decide, not arrival; DOWN is UP mirrored; and it agrees with ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dailyarb._fast.router import BookRouter
from dailyarb.core.domain.errors import UnitError
from dailyarb.sim.recordings import Channel, open_path
from dailyarb.sim.replay_book import Print, RecordedBook
from dailyarb.sim.replay_markets import made_up_token
from dailyarb.sim.replay_time import Play

DATA = Path(__file__).resolve().parent.parent / "data"
WINDOW = DATA / "btc-updown-5m-1776255900.book_frames.jsonl.zst"
SHARE = 1_000_000


def rows(levels: dict[str, str]) -> list[dict[str, str]]:
    return [{"price": price, "size": size} for price, size in levels.items()]


def snapshot(
    stamp: int, bids: dict[str, str], asks: dict[str, str], token: str = "up", **more: Any
) -> dict[str, Any]:
    return {
        "event_type": "book",
        "asset_id": token,
        "timestamp": str(stamp),
        "bids": rows(bids),
        "asks": rows(asks),
        **more,
    }


def change(stamp: int, price: str, size: str, side: str = "BUY", **more: str) -> dict[str, Any]:
    entry = {"asset_id": "up", "price": price, "size": size, "side": side, **more}
    return {"event_type": "price_change", "timestamp": str(stamp), "price_changes": [entry]}


def opened() -> RecordedBook:
    book = RecordedBook("up", "down", 100)
    assert not book.synced
    book.apply(snapshot(100, {"0.40": "10", "0.41": "5"}, {"0.45": "8", "0.44": "7.5"}))
    return book


def test_a_book_gives_the_touch_and_the_levels_of_both_views() -> None:
    book = opened()
    assert book.synced
    assert (book.bid_e4, book.ask_e4, book.mid_e4()) == (4_100, 4_400, 4_250)
    assert book.levels(0, 0, 9) == [(4_100, 5 * SHARE), (4_000, 10 * SHARE)]
    assert book.levels(1, 0, 1) == [(5_600, 7_500_000)]
    assert book.levels(1, 1, 9) == [(5_900, 5 * SHARE), (6_000, 10 * SHARE)]


def test_the_newer_stamp_wins_whatever_arrives_last() -> None:
    book = opened()
    book.apply(change(120, "0.41", "9"))
    book.apply(change(110, "0.41", "3"))
    assert book.levels(0, 0, 1) == [(4_100, 9 * SHARE)]
    book.apply(change(130, "0.41", "0"))
    book.apply(change(125, "0.41", "4"))  # a late add to what was deleted is late
    assert book.levels(0, 0, 1) == [(4_000, 10 * SHARE)]


def test_a_late_book_is_a_checkpoint_as_of_its_own_stamp() -> None:
    book = opened()
    book.apply(change(130, "0.42", "1"))
    book.apply(snapshot(120, {"0.41": "6"}, {"0.44": "7"}))
    assert book.levels(0, 0, 9) == [(4_200, SHARE), (4_100, 6 * SHARE)]
    assert book.levels(0, 1, 9) == [(4_400, 7 * SHARE)]


def test_the_down_token_speaks_of_the_same_book() -> None:
    book = opened()
    book.apply(snapshot(110, {"0.56": "3"}, {"0.58": "2"}, token="down"))
    assert (book.levels(0, 0, 9), book.levels(0, 1, 9)) == (
        [(4_200, 2 * SHARE)],
        [(4_400, 3 * SHARE)],
    )


def test_the_touch_that_the_venue_states_ends_a_crossed_instant() -> None:
    book = opened()
    book.apply(change(110, "0.44", "4", best_bid="0.44", best_ask="0.45"))
    assert (book.bid_e4, book.ask_e4) == (4_400, 4_500)


def test_trades_and_ticks_are_told() -> None:
    book = opened()
    trade = {"event_type": "last_trade_price", "asset_id": "down", "price": "0.56"}
    assert book.apply({**trade, "size": "2.5", "side": "SELL"}) == Print(1, 1, 5_600, 2_500_000)
    book.apply(snapshot(140, {}, {"0.001": "1"}, tick_size="0.001", last_trade_price="0.42"))
    assert (book.tick_e4, book.last_trade, book.bid_e4) == (10, "0.42", 0)


def test_what_cannot_be_read_is_an_error() -> None:
    with pytest.raises(UnitError):
        opened().apply(change(110, "0.44449", "4"))
    with pytest.raises(UnitError):
        opened().apply(change(110, "1.2", "4"))
    with pytest.raises(KeyError):
        opened().apply({"event_type": "book"})


def agree(play: Play, tokens: tuple[str, str], market: str) -> int:
    """Plays every frame through both readers; returns how often all levels were compared."""
    router = BookRouter()
    ladder = router.add_market(0, *tokens, 100)
    book = RecordedBook(*tokens, 100)
    compared = 0
    for frame in play.frames():
        if frame.channel is not Channel.POLYMARKET:
            continue
        event = json.loads(frame.payload)
        if event["market"] != market:
            continue
        book.apply(event)
        if book.tick_e4 != ladder.tick_e4:
            ladder.set_tick(book.tick_e4)
        router.on_frame(frame.payload, frame.at_ns)
        if ladder.synced and not ladder.crossed:
            compared += 1
            assert ladder.levels(0, 0, 300) == book.levels(0, 0, 300)
            assert ladder.levels(1, 0, 300) == book.levels(1, 0, 300)
    assert router.faults == {}
    return compared


def test_two_readers_that_share_no_code_agree_on_every_frame_of_a_window() -> None:
    play = Play(open_path(str(WINDOW)), 1_790_000_000 * 10**9)
    first = json.loads(next(play.frames()).payload)
    tokens = (first["asset_id"], made_up_token(first["market"]))
    assert agree(play, tokens, first["market"]) > 2_500


def test_they_agree_on_the_full_rate_capture_too(shared_data: Path) -> None:
    folder = shared_data / "ws/polymarket/alihakanvesca"
    facts = json.loads((folder / "markets.json").read_text())["current"]
    play = Play(open_path(str(folder)), 1_790_000_000 * 10**9)
    assert agree(play, (facts["upTokenId"], facts["downTokenId"]), facts["conditionId"]) > 3_600

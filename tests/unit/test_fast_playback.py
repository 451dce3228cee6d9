"""Playback: whole slices through both routers, stopping only where somebody must hear of it."""

from __future__ import annotations

from typing import Any

import pytest

from dailyarb._fast.playback import Player
from dailyarb._fast.router import BookRouter
from dailyarb._fast.spot import SpotRouter
from tests.oracles import frames as made
from tests.oracles.frames import DOWN, UP, pack

SHARE = 10**6
BOOKS, SPOT, OTHER = object(), object(), object()
Frame = tuple[int, object, bytes]


class Desk:
    """Is a player over one market and one symbol, in slices of ten."""

    def __init__(self) -> None:
        self.router, self.spot = BookRouter(), SpotRouter()
        self.router.add_market(0, UP, DOWN, 100)
        self.router.set_mark(0, 100 * SHARE)
        self.spot.add_symbol("BTCUSDT")
        self.player = Player(self.router, self.spot, BOOKS, SPOT, 10)


def book(at_ns: int, bid: int, shares: int) -> Frame:
    levels = {bid: shares * SHARE}
    event = made.book(levels, {6_000: 500 * SHARE}, stamp=at_ns + 1, hash_=f"h{at_ns}")
    return at_ns, BOOKS, pack(event)


def quote(at_ns: int, cents: int) -> Frame:
    text = f'{{"u":{at_ns + 1},"s":"BTCUSDT","b":"{cents}","B":"1","a":"{cents + 1}","A":"1"}}'
    return at_ns, SPOT, f'{{"stream":"btcusdt@bookTicker","data":{text}}}'.encode()


def test_a_slice_is_played_whole_and_told_once() -> None:
    desk = Desk()
    frames = [book(20, 5_000, 300), book(24, 5_100, 300), quote(29, 100), book(30, 5_200, 300)]
    assert desk.player.run(frames, 0, 1_000) == 3
    assert (desk.player.market_news, desk.player.spot_news) == (True, True)
    assert (desk.player.market_ns, desk.player.spot_ns, desk.player.last_ns) == (24, 29, 29)
    assert desk.player.slices == 1


def test_what_changes_nothing_is_passed_over() -> None:
    desk = Desk()
    desk.player.run([book(0, 5_000, 300)], 0, 1_000)
    desk.router.drain()
    quiet = [book(10 * at, 5_000, 300 + at) for at in range(1, 50)]
    assert desk.player.run([*quiet, book(600, 5_000, 40)], 0, 10_000) == 50
    assert desk.player.market_news
    assert desk.player.slices == 51
    assert desk.router.frames == 51


def test_a_slice_begins_before_what_is_due_or_not_at_all() -> None:
    desk = Desk()
    frames = [book(20, 5_000, 300), book(27, 5_100, 300), book(40, 5_200, 300)]
    assert desk.player.run(frames, 0, 20) == 0
    assert desk.player.slices == 0
    assert desk.player.run(frames, 0, 21) == 2
    assert desk.player.run(frames, 2, 1_000) == 3


def test_frames_of_another_channel_are_handed_back() -> None:
    desk = Desk()
    other: Frame = (25, OTHER, b"{}")
    assert desk.player.run([other, book(50, 5_000, 300)], 0, 1_000) == 1
    assert desk.player.others == [other]
    assert not desk.player.market_news
    desk.player.run([book(50, 5_000, 300)], 0, 1_000)
    assert desk.player.others == []


def test_a_damaged_frame_is_counted_and_no_news() -> None:
    desk = Desk()
    assert desk.player.run([(5, BOOKS, b"{"), (15, SPOT, b"[")], 0, 100) == 2
    assert not desk.player.market_news
    assert sum(desk.router.faults.values()) == sum(desk.spot.faults.values()) == 1


@pytest.mark.parametrize("frame", [(1, BOOKS), [1, BOOKS, b""], (1, BOOKS, "text"), None])
def test_what_is_no_frame_is_refused(frame: Any) -> None:
    with pytest.raises(TypeError):
        Desk().player.run([frame], 0, 100)


def test_a_slice_has_a_length() -> None:
    with pytest.raises(ValueError, match="slice_ns"):
        Player(BookRouter(), SpotRouter(), BOOKS, SPOT, 0)

"""The small parts of the order path: HTTP answers byte by byte, and the venue's mode."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dailyarb.core.domain.events import VenueMode, VenueModeKind
from dailyarb.runtime.modes import ModeKeeper
from dailyarb.runtime.wire import BODY_BYTES_MAX, AnswerError, AnswerParser, Target

S = 1_000_000_000
BODY = b'{"success":true}'
PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nX-A: b\r\n\r\n%b" % (len(BODY), BODY)
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"4\r\n" + BODY[:4] + b"\r\n%x;x=y\r\n" % (len(BODY) - 4) + BODY[4:] + b"\r\n0\r\n\r\n"
)


@given(st.sampled_from([PLAIN, CHUNKED]), st.lists(st.integers(0, 120), max_size=6), st.booleans())
def test_an_answer_is_read_however_it_is_cut(whole: bytes, cuts: list[int], more: bool) -> None:
    data = whole + (b"rest" if more else b"")
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    parser = AnswerParser()
    rest = b""
    for begin, end in itertools.pairwise(places):
        if parser.done:
            rest += data[begin:end]
        else:
            rest = parser.feed(data[begin:end])
    assert parser.done and parser.keep_alive
    assert (parser.status, bytes(parser.body), rest) == (200, BODY, b"rest" if more else b"")


@given(st.binary(max_size=300))
def test_any_bytes_give_an_answer_or_an_error(data: bytes) -> None:
    for head in (
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    ):
        parser = AnswerParser()
        try:
            parser.feed(head + data)
        except AnswerError:
            continue


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (BODY_BYTES_MAX + 1),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-4\r\n",
        b"x" * 70_000,
    ],
)
def test_what_is_no_answer(data: bytes) -> None:
    with pytest.raises(AnswerError):
        AnswerParser().feed(data)


def test_connection_close_is_obeyed_and_204_has_no_body() -> None:
    parser = AnswerParser()
    parser.feed(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
    assert parser.done and not parser.keep_alive


def test_targets() -> None:
    assert Target.of("https://clob.polymarket.com") == Target(
        "clob.polymarket.com", 443, True, b"clob.polymarket.com"
    )
    assert Target.of("http://127.0.0.1:81") == Target("127.0.0.1", 81, False, b"127.0.0.1:81")


def mode(kind: VenueModeKind, wait_s: float = 0.0) -> VenueMode:
    return VenueMode(kind, wait_s, json.dumps(kind.value))


def test_a_mode_is_reported_once_and_ends_by_itself() -> None:
    keeper = ModeKeeper()
    restart = mode(VenueModeKind.RESTARTING)
    assert keeper.restricted(restart, 0) is restart
    assert keeper.restricted(restart, 1) is None
    assert keeper.step(15 * S) is None, "twice in a row: believed for longer"
    ended = keeper.step(25 * S)
    assert ended is not None and ended.kind is VenueModeKind.NORMAL
    assert keeper.step(26 * S) is None


def test_the_venues_own_time_is_honoured() -> None:
    keeper = ModeKeeper()
    keeper.restricted(mode(VenueModeKind.POST_ONLY, 79.0), 0)
    assert keeper.step(78 * S) is None
    assert keeper.step(79 * S) is not None


def test_an_accepted_order_ends_any_mode() -> None:
    keeper = ModeKeeper()
    assert keeper.accepted() is None
    for kind in (VenueModeKind.BLOCKED, VenueModeKind.AUTH_FAILED, VenueModeKind.CANCEL_ONLY):
        keeper.restricted(mode(kind), 0)
        ended = keeper.accepted()
        assert ended is not None and ended.kind is VenueModeKind.NORMAL


@pytest.mark.parametrize("kind", [VenueModeKind.BLOCKED, VenueModeKind.AUTH_FAILED])
def test_blocked_and_refused_credentials_do_not_end_by_waiting(kind: VenueModeKind) -> None:
    keeper = ModeKeeper()
    keeper.restricted(mode(kind), 0)
    assert keeper.step(1 << 60) is None

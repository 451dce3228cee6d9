"""One window of one asset at the venue: its identity, its book, and what the world hears of it.

Frames leave the venue slightly out of stamp order, as the real ones do (polymarket.md, section
3.5): about one price_change in five is stamped earlier than one already sent, and a book arrives
2-35 ms after the change that caused it. Changes of the touch keep their place.
"""

from __future__ import annotations

import hashlib
import heapq
import random
from collections.abc import Callable
from typing import NamedTuple

from dailyarb.sim import wire
from dailyarb.sim.orderbook import ASK, BID, ONE_E4, Match, OrderBook
from dailyarb.sim.types import NS_PER_MS, NS_PER_S

_LATE_MEAN_NS = 2.5 * NS_PER_MS
_LATE_MAX_NS = 60 * NS_PER_MS
_TAIL_P = 0.005
_LONG_NAMES = {"btc": "Bitcoin", "eth": "Ethereum", "sol": "Solana"}


class Identity(NamedTuple):
    """Is what names a window: everything follows from the seed and the slug."""

    number: int
    slug: str
    asset: str
    label: str  # "5m" or "15m"
    start_s: int
    end_s: int
    listed_s: int
    market: str  # condition id
    up_token: str
    down_token: str

    @property
    def tokens(self) -> tuple[str, str]:
        """Returns the token ids, Up first."""
        return self.up_token, self.down_token

    @property
    def long_name(self) -> str:
        """Returns the asset's long name."""
        return _LONG_NAMES.get(self.asset, self.asset.upper())


def identify(seed: int, asset: str, label: str, start_s: int, listed_s: int) -> Identity:
    """Returns the identity of the window that starts at a whole second on its grid."""
    length = {"5m": 300, "15m": 900}[label]
    slug = f"{asset}-updown-{label}-{start_s}"
    roots = [hashlib.sha256(f"{seed}/{slug}/{part}".encode()).digest() for part in range(3)]
    number = 4_000_000 + int.from_bytes(roots[0][:4], "big") % 5_000_000
    tokens = [str(int.from_bytes(root, "big") >> 1) for root in roots[1:]]
    return Identity(
        number, slug, asset, label, start_s, start_s + length, listed_s,
        "0x" + roots[0].hex(), tokens[0], tokens[1],
    )  # fmt: skip


class Listener:
    """Is one connection's interest in a market; `since` is the first frame it may see."""

    __slots__ = ("custom", "since", "wants")

    def __init__(self, since: int) -> None:
        self.wants = [False, False]
        self.custom = False
        self.since = since


class Outgoing(NamedTuple):
    """Is a frame on its way out; `token` is -1 when both tokens' listeners get it."""

    emit_ns: int
    number: int
    payload: bytes
    token: int
    custom: bool


TradeHook = Callable[["SimMarket", int, list[Match], int], None]


class SimMarket:
    """Is the market: the floor its crowd works on and the source of its frames."""

    def __init__(self, identity: Identity, rng: random.Random, on_maker: TradeHook) -> None:
        """Opens an empty book.

        Args:
            identity: who it is.
            rng: decides hashes and the disorder of frames; never the market itself.
            on_maker: called (market, side of the book, matches, now) when account orders were
                taken by the crowd.
        """
        self.identity = identity
        self.book = OrderBook()
        self.tick_e4 = 100
        self.listeners: dict[str, Listener] = {}
        self.outbox: list[Outgoing] = []
        self.last_trade = ""
        self.volume_e6 = 0
        self.accepting = True
        self.winner = -1
        self.strike_e18 = 0
        self.final_e18 = 0
        self.silent = False
        self._rng = rng
        self._on_maker = on_maker
        self._ids = (identity.market, identity.up_token, identity.down_token)
        self._hashes = (_hash(rng), _hash(rng))
        self._number = 0
        self._emit_max = 0
        self._barrier = 0
        self._stamp_ms = 0
        self._book_ms = 0
        self._book_emit = [0, 0]
        self._level_at: dict[int, tuple[int, int]] = {}

    @property
    def stamp_ms(self) -> int:
        """Returns the stamp of the newest change."""
        return self._stamp_ms

    def set_crowd(self, side: int, price_e4: int, size_e6: int, now_ns: int) -> None:
        """Sets the crowd's size at a level and tells the world."""
        bid, ask = self.book.bid_e4, self.book.ask_e4
        self.book.set_crowd(side, price_e4, size_e6)
        self.changed(side, price_e4, (bid, ask), now_ns)

    def crowd_takes(self, side: int, limit_e4: int, size_e6: int, now_ns: int) -> int:
        """Lets the crowd take from a side; account orders in the way are filled."""
        matches = self.sweep(side, limit_e4, size_e6, now_ns)
        if any(match.order_id for match in matches):
            self._on_maker(self, side, matches, now_ns)
        return sum(match.size_e6 for match in matches)

    def sweep(self, side: int, limit_e4: int, size_e6: int, now_ns: int) -> list[Match]:
        """Matches a taker against a side, level by level, and tells the world."""
        left = size_e6
        every: list[Match] = []
        while left > 0:
            price = self.book.best(side)
            if price in (0, ONE_E4) or (price > limit_e4 if side == ASK else price < limit_e4):
                break
            touch = (self.book.bid_e4, self.book.ask_e4)
            matches = self.book.take(side, price, left)
            part = sum(match.size_e6 for match in matches)
            left -= part
            every += matches
            self.changed(side, price, touch, now_ns)
            self._traded(side, price, part, now_ns)
        return every

    def refine_tick(self, now_ns: int) -> None:
        """Makes the tick 0.001 and says so; a fresh book follows."""
        old, self.tick_e4 = self.tick_e4, 10
        if not self.listeners:
            return
        stamp = self._next_stamp(now_ns)
        for token in (wire.UP, wire.DOWN):
            text = wire.tick_size_change(
                self._ids[0], self._ids[1 + token], (old, self.tick_e4), stamp
            )
            self._emit(text, token, self._fence(now_ns))
        for token in (wire.UP, wire.DOWN):
            book = self.snapshot(token)
            self._emit(book.encode(), token, self._fence(now_ns))
        self._book_ms = stamp

    def changed(self, side: int, price_e4: int, before: tuple[int, int], now_ns: int) -> None:
        """Tells the world that a level changed; `before` is the touch before the change."""
        stamp = self._next_stamp(now_ns)
        if not self.listeners:
            return
        book = self.book
        touch = (book.bid_e4, book.ask_e4)
        self._hashes = (_hash(self._rng), _hash(self._rng))
        level = (side, price_e4, book.total_e6(side, price_e4))
        payload = wire.price_change(self._ids, level, self._hashes, touch, stamp)
        moved = touch != before
        if moved:
            emit_ns = self._fence(now_ns)
        elif self._rng.random() < _TAIL_P:  # the long tail keeps nobody waiting
            emit_ns = max(self._barrier, now_ns + int(self._rng.random() * _LATE_MAX_NS))
        else:
            emit_ns = max(self._barrier, now_ns + self._late_ns())
            self._emit_max = max(self._emit_max, emit_ns)
        last = self._level_at.get(price_e4)
        if last is not None and last[0] == stamp:
            emit_ns = max(emit_ns, last[1])
        self._level_at[price_e4] = (stamp, emit_ns)
        self._emit(payload, -1, emit_ns)
        if not moved:
            return
        for token in (wire.UP, wire.DOWN):
            seen = touch if token == wire.UP else (ONE_E4 - touch[1], ONE_E4 - touch[0])
            text = wire.best_bid_ask(self._ids[0], self._ids[1 + token], seen, stamp)
            self._emit(text, token, emit_ns, True)

    def snapshot(self, outcome: int) -> str:
        """Returns the book of one token as a subscriber or REST sees it first."""
        levels = wire.book_levels(self.book, outcome)
        tail = wire.snapshot_tail(self.tick_e4, self.last_trade)
        stamp = (self._stamp_ms, self._hashes[outcome])
        return wire.book_frame(self._ids[0], self._ids[1 + outcome], levels, stamp, tail)

    def listen(self, conn_id: str) -> Listener:
        """Returns a connection's interest, made on first use."""
        listener = self.listeners.get(conn_id)
        if listener is None:
            listener = self.listeners[conn_id] = Listener(self._number + 1)
        return listener

    def broadcast(self, payload: bytes, custom: bool, now_ns: int) -> None:
        """Sends a frame to every listener, in its place."""
        self._emit(payload, -1, self._fence(now_ns), custom)

    def due(self, now_ns: int) -> list[Outgoing]:
        """Returns the frames that leave by now."""
        out: list[Outgoing] = []
        while self.outbox and self.outbox[0].emit_ns <= now_ns:
            out.append(heapq.heappop(self.outbox))
        return out

    def _traded(self, side: int, price_e4: int, size_e6: int, now_ns: int) -> None:
        """Announces a match of one level: the trade, then both books, late."""
        self.last_trade = wire.PRICE[price_e4]
        self.volume_e6 += size_e6
        if not self.listeners:
            return
        rng = self._rng
        stamp = self._stamp_ms
        token = wire.UP if rng.random() < 0.5 else wire.DOWN
        taker = wire.UP if side == ASK else wire.DOWN  # an ask taken is Up bought
        shown = (taker, price_e4) if token == wire.UP else (1 - taker, ONE_E4 - price_e4)
        text = wire.last_trade(
            self._ids[0], self._ids[1 + token], (shown[0], shown[1], size_e6), stamp,
            f"0x{rng.getrandbits(256):064x}",
        )  # fmt: skip
        self._emit(text, token, now_ns + self._late_ns())
        for outcome in (wire.UP, wire.DOWN):
            levels = wire.book_levels(self.book, outcome)
            frame = wire.book_frame(
                self._ids[0], self._ids[1 + outcome], levels, (stamp, self._hashes[outcome])
            )
            late = int((2.0 + 33.0 * rng.random() ** 2) * NS_PER_MS)
            # Books of one token never overtake each other (0 of 56,137 recorded).
            self._book_emit[outcome] = max(self._book_emit[outcome] + 1, now_ns + late)
            self._emit(frame.encode(), outcome, self._book_emit[outcome])
        self._book_ms = stamp

    def _next_stamp(self, now_ns: int) -> int:
        """Returns the stamp of a change: never that of a book already made."""
        self._stamp_ms = max(now_ns // NS_PER_MS, self._stamp_ms, self._book_ms + 1)
        return self._stamp_ms

    def _late_ns(self) -> int:
        return min(int(self._rng.expovariate(1.0) * _LATE_MEAN_NS), 4 * int(_LATE_MEAN_NS))

    def _fence(self, now_ns: int) -> int:
        """Returns an instant after the changes already on their way, before those to come."""
        self._barrier = max(self._emit_max, now_ns)
        return self._barrier

    def _emit(self, payload: bytes, token: int, emit_ns: int, custom: bool = False) -> None:
        if self.silent:
            return
        self._number += 1
        heapq.heappush(self.outbox, Outgoing(emit_ns, self._number, payload, token, custom))


def _hash(rng: random.Random) -> str:
    return f"{rng.getrandbits(160):040x}"


def crossing(book: OrderBook, side: int, price_e4: int) -> bool:
    """Says whether an order on a side of the book would trade at once."""
    return price_e4 >= book.ask_e4 if side == BID else price_e4 <= book.bid_e4


def started(identity: Identity, now_ns: int) -> bool:
    """Says whether a window has begun."""
    return now_ns >= identity.start_s * NS_PER_S

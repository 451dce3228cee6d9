"""The recorded windows as the venue's hall: the same rooms as the embedded venue, other frames.

Discovery, sockets, REST and the account are the embedded venue's own code. What differs is where
frames come from (the recording, byte for byte but for the stamps) and who fills orders
(`replay_desk`). Three things are derived because the recording lacks them, and counted apart:
the mirrored book of a token that was not recorded, the event that the tick changed when a book says
so, and the resolution, which follows from where the last book stood.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from typing import Any, NamedTuple, cast

from dailyarb.core.domain.errors import UnitError
from dailyarb.sim import wire
from dailyarb.sim.hall import Hall
from dailyarb.sim.market import Identity, SimMarket
from dailyarb.sim.replay_book import Print, RecordedBook
from dailyarb.sim.replay_markets import ReplayMarket
from dailyarb.sim.schedule import Schedule
from dailyarb.sim.types import NS_PER_S

_LISTED_BEFORE_S = 86_400
_DECIDED_E4 = 9_000  # a last mid at or beyond this, from either end, tells the winner
_UNREADABLE = (KeyError, TypeError, ValueError, UnitError)

PrintHook = Callable[[str, Print, int], None]


class Counts:
    """Counts what was played; `derived` frames were not recorded."""

    def __init__(self) -> None:
        self.frames = 0
        self.derived = 0
        self.unknown = 0  # of markets that nobody described
        self.unreadable = 0

    def to_dict(self) -> dict[str, int]:
        """Returns the counts by name."""
        return dict(self.__dict__)


class RecordedMarket(SimMarket):
    """Is one recorded window; `one_token` says that only its first token was recorded."""

    def __init__(self, facts: ReplayMarket, one_token: bool) -> None:
        """Opens the window with an empty book."""
        super().__init__(_identity(facts), random.Random(facts.market_id), _nobody)
        self.facts = facts
        self.recorded = RecordedBook(facts.up_token, facts.down_token, facts.tick_e4)
        self.book = self.recorded
        self.tick_e4 = facts.tick_e4
        self._one_token = one_token
        self._revision = 0  # stands for the state hashes, which the recording has for its own only

    def play(
        self, event: dict[str, Any], payload: bytes, now_ns: int, counts: Counts
    ) -> Print | None:
        """Applies one recorded event and sends it on; returns the print of a trade.

        Raises:
            KeyError, TypeError, ValueError: the event cannot be read; nothing was sent.
        """
        print_ = self.recorded.apply(event)
        self._revision += 1
        self._stamp_ms = max(self._stamp_ms, self.recorded.newest_ms)
        self.last_trade = self.recorded.last_trade
        kind = event["event_type"]
        if self.recorded.tick_e4 != self.tick_e4:
            if kind != "tick_size_change":
                self._derive_tick(now_ns, counts)
            self.tick_e4 = self.recorded.tick_e4
        token = -1
        if "asset_id" in event:
            token = self.identity.tokens.index(event["asset_id"])
        self._emit(payload, token, now_ns, kind == "best_bid_ask")
        if self._one_token and kind == "book" and self.listeners:
            mirror = self.snapshot(wire.DOWN).encode()
            self._emit(mirror, wire.DOWN, now_ns)
            counts.derived += 1
        return print_

    def snapshot(self, outcome: int) -> str:
        """Returns the book of one token, stamped with the newest recorded change."""
        self._hashes = (_hash(self._revision, 0), _hash(self._revision, 1))
        return super().snapshot(outcome)

    def winner_now(self) -> int:
        """Returns the outcome that the book speaks for (0 Up, 1 Down), or -1 when it is open."""
        mid_e4 = self.recorded.mid_e4()
        if not self.recorded.synced or 10_000 - _DECIDED_E4 < mid_e4 < _DECIDED_E4:
            return -1
        return wire.UP if mid_e4 >= _DECIDED_E4 else wire.DOWN

    def _derive_tick(self, now_ns: int, counts: Counts) -> None:
        """Says what the venue must have said when the recorded books changed their tick."""
        ids = (self.identity.market, *self.identity.tokens)
        for token in (wire.UP, wire.DOWN):
            ticks = (self.tick_e4, self.recorded.tick_e4)
            frame = wire.tick_size_change(ids[0], ids[1 + token], ticks, self._stamp_ms)
            self._emit(frame, token, now_ns)
            counts.derived += 1


class RecordedEntry(NamedTuple):
    """Is a market in the hall; the embedded hall's entries also hold a crowd."""

    market: RecordedMarket


class RecordedHall:
    """Is the set of recorded windows, with the same face as the embedded venue's hall."""

    def __init__(self, markets: list[tuple[ReplayMarket, bool]]) -> None:
        """Lists the windows; each comes with whether only one token was recorded."""
        self.schedule = Schedule()
        self.counts = Counts()
        self.by_id: dict[str, RecordedEntry] = {}
        self.by_slug: dict[str, RecordedEntry] = {}
        self.by_token: dict[str, tuple[RecordedEntry, int]] = {}
        for facts, one_token in markets:
            entry = RecordedEntry(RecordedMarket(facts, one_token))
            self.by_id[facts.market_id] = entry
            self.by_slug[facts.slug] = entry
            for outcome, token in enumerate(facts.tokens):
                self.by_token[token] = (entry, outcome)

    def entries(self) -> list[RecordedEntry]:
        """Returns every window, in the order of the recordings."""
        return list(self.by_id.values())

    def as_hall(self) -> Hall:
        """Returns itself to the rooms that were written for the embedded hall."""
        return cast("Hall", self)

    def play(self, payload: bytes, events: object, now_ns: int, on_print: PrintHook) -> list[str]:
        """Plays one parsed frame; returns the ids of the markets it touched."""
        rows = events if isinstance(events, list) else [events]
        touched: list[str] = []
        for event in rows:
            if not isinstance(event, dict):
                self.counts.unreadable += 1
                continue
            entry = self.by_id.get(str(event.get("market")))
            if entry is None:
                self.counts.unknown += 1
                continue
            own = payload if rows is not events else wire.compact(event)
            try:
                print_ = entry.market.play(event, own, now_ns, self.counts)
            except _UNREADABLE:
                self.counts.unreadable += 1
                continue
            self.counts.frames += 1
            touched.append(entry.market.facts.market_id)
            if print_ is not None:
                on_print(entry.market.facts.market_id, print_, now_ns)
        return touched


def _identity(facts: ReplayMarket) -> Identity:
    digest = hashlib.sha256(facts.slug.encode()).digest()
    start_s = round(facts.start_ns / NS_PER_S)
    return Identity(
        number=4_000_000 + int.from_bytes(digest[:4], "big") % 5_000_000,
        slug=facts.slug,
        asset=facts.asset,
        label=facts.label,
        start_s=start_s,
        end_s=round(facts.end_ns / NS_PER_S),
        listed_s=start_s - _LISTED_BEFORE_S,
        market=facts.market_id,
        up_token=facts.up_token,
        down_token=facts.down_token,
    )


def _hash(revision: int, token: int) -> str:
    return hashlib.sha256(f"{revision}/{token}".encode()).hexdigest()[:40]


def _nobody(market: SimMarket, side: int, matches: list[Any], now_ns: int) -> None:
    """Hears of matches with a crowd: there is none on a recording."""

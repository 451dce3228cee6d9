"""Keeps the way of an order warm while no order is due.

An engine that trades seldom finds its code, tables and branch history gone from the caches when it
counts: 30 ms without an order make the same work four times as slow (measured: 82 us warm, 218 us
after spinning, 426 us after sleeping). So a second engine, the understudy, plays the same line a
few hundred times a second on a stage of its own: a quote's bytes, decoder, books, S1, gate,
journal rows, signature, request, answer. Nothing of it touches the real engine, journal, board,
socket or key, and nothing of it is shown.
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec

from dailyarb._fast.spot import SpotRouter
from dailyarb.core.domain import commands as cmd
from dailyarb.core.domain import events as ev
from dailyarb.core.domain.clock import Instant, ManualClock
from dailyarb.core.domain.ids import FeedId
from dailyarb.core.domain.market import (
    FeeSchedule,
    Grid,
    MarketSpec,
    Settlement,
    SettlementKind,
    Window,
)
from dailyarb.core.domain.records import Record
from dailyarb.core.domain.rung import Evidence, Mode
from dailyarb.core.domain.settings import (
    AssetSettings,
    Breakers,
    Feeds,
    Pricing,
    Risk,
    S1Settings,
    S2Settings,
    Settings,
    Strategies,
)
from dailyarb.core.domain.units import MS, SECOND, SETTLE_ONE_E18
from dailyarb.core.engine.engine import Engine
from dailyarb.core.engine.state import Birth
from dailyarb.runtime.bursts import MarketBursts, SpotBursts
from dailyarb.runtime.journal import MemoryJournal
from dailyarb.runtime.journal_read import GENESIS, link
from dailyarb.runtime.live import Ports, Shell
from dailyarb.runtime.submit import OrderPath, PathSettings
from dailyarb.runtime.wire import Connection
from dailyarb.venues.polymarket.auth import Credentials, RequestAuth
from dailyarb.venues.polymarket.signer import Signer

STAGE = "stage"
_UP, _DOWN = "1" * 77, "2" * 77
_MARKET = "0x" + "5e" * 32
_STRIKE = 100_000
_STEP = 400  # dollars to each side of the strike
_WARM_S = 70  # seconds of reference before the first fair value
_ACT_NS = 10 * MS
_REFRESH_EVERY = 200  # acts between two values of the settling feed and two books
_WINDOW_NS = 3_650 * 86_400 * SECOND  # of stage time, which runs slower than ours
_ROWS_KEPT = 1_000
_ANSWER = (
    b'{"errorMsg":"no orders found to match with FAK order. FAK orders are partially filled or '
    b'killed if no match is found.","orderID":"","status":"unmatched","success":false}'
)
_KILLED = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(_ANSWER), _ANSWER)


def stage_settings() -> Settings:
    """Returns limits and parameters under which every step of the reference makes an order."""
    most = 1e6
    return Settings(
        schema_version=1,
        instance=STAGE,
        risk=Risk(
            max_worst_case_market_usd=most,
            max_worst_case_total_usd=most,
            max_day_loss_usd=most,
            max_notional_per_trade_usd=most,
            max_partial_exposure_usd=most,
            max_unwind_loss_usd=most,
            max_open_positions=8,
            max_orders_per_minute=10_000,
        ),
        breakers=Breakers(max_drawdown_usd=most),
        assets={
            STAGE: AssetSettings(
                binance_symbol="stageusdt", settlement_symbol="stageusd", slug=STAGE
            )
        },
        feeds=Feeds(max_book_age_ms=600_000, max_reference_gap_bps=1_000.0),
        pricing=Pricing(vol_floor_bps=0.01, vol_cap_bps=0.02, min_samples=2, basis_sigmas=0.0),
        strategies=Strategies(
            S1=S1Settings(
                move_window_ms=10,
                min_move_bps=1.0,
                max_answer=1.0,
                min_edge_cents=0.1,
                margin_cents=0.0,
                cooldown_ms=1,
                max_position_shares=10_000.0,
            ),
            S2=S2Settings(enabled=False),
        ),
    )


class ScratchJournal(MemoryJournal):
    """Encodes, chains and commits rows like the journal, in memory, and forgets them."""

    def __init__(self) -> None:
        super().__init__(STAGE, Evidence.SIM)
        self._encode = msgspec.msgpack.Encoder().encode
        self._chain: bytes = GENESIS
        self._seq = 0
        self.table = sqlite3.connect(":memory:", isolation_level=None)
        self.table.execute(
            "CREATE TABLE journal(seq INTEGER PRIMARY KEY, run, mono_ns, wall_ns, kind, evidence, "
            "body, chain)"
        )

    def append(self, records: Sequence[Record], now: Instant) -> int:
        """Commits records; keeps the newest thousand."""
        rows = []
        for record in records:
            self._seq += 1
            body, kind = self._encode(record), type(record).__name__
            stamp = (self._seq, now.mono_ns, now.wall_ns)
            self._chain = link(self._chain, stamp, (STAGE, kind, "SIM"), body)
            rows.append((*stamp[:1], STAGE, *stamp[1:], kind, "SIM", body, self._chain))
        self.table.execute("BEGIN IMMEDIATE")
        self.table.executemany("INSERT INTO journal VALUES (?,?,?,?,?,?,?,?)", rows)
        self.table.execute("COMMIT")
        if self._seq % _ROWS_KEPT < len(rows):
            self.table.execute("DELETE FROM journal WHERE seq <= ?", (self._seq - _ROWS_KEPT,))
        return self._seq

    def close(self) -> None:
        """Frees the memory."""
        self.table.close()


class _Unheard:
    """Takes what the stage has nobody for: questions, subscriptions, log lines, answers."""

    def order(self, command: cmd.QueryOrder) -> None:
        """Asks nobody."""

    def account(self, command: cmd.QueryAccount) -> None:
        """Asks nobody."""

    def book(self, command: cmd.QueryBook) -> None:
        """Asks nobody."""

    def want(self, command: cmd.Subscribe) -> None:
        """Follows nothing."""

    def resync(self, command: cmd.Resync) -> None:
        """Fetches nothing."""

    def note(self, level: str, evt: str, fields: dict[str, Any]) -> None:
        """Writes nothing."""

    def answer(self, request_id: int, ok: bool, text: str) -> None:
        """Answers nobody."""

    def set_mode(self, command: cmd.SetMode) -> None:
        """Stays where it is."""


class _Nowhere(asyncio.Transport):
    """Is a transport that leads nowhere."""

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """Drops the bytes."""

    def is_closing(self) -> bool:
        """Stays open."""
        return False

    def abort(self) -> None:
        """Has nothing to drop."""


class _StageEngine(Engine):
    """Is an engine whose time stands still between two acts: it wants no timer."""

    def next_deadline(self) -> int | None:
        """Looks for the next deadline as ever, and lets it pass."""
        super().next_deadline()
        return None


class Understudy:
    """Plays quote, decision, order and answer again and again. Runs on the engine's own loop.

    Raises:
        SecretError: never in practice; the key is made here, of random bytes, and thrown away.
    """

    def __init__(self) -> None:
        self.orders = 0
        self.failed = ""
        self._clock = ManualClock(10**12, 1_800_000_000 * SECOND)
        settings = stage_settings()
        birth = Birth(STAGE, "0", Mode.SIM, Evidence.SIM, STAGE, 1)
        engine = self.engine = _StageEngine(settings, birth, [], self._clock.now())
        signer = Signer(os.urandom(32))
        credentials = Credentials(STAGE, "c3RhZ2U=", STAGE)
        self._path = OrderPath(
            "http://stage.invalid",
            RequestAuth(signer.address, credentials),
            STAGE,
            self._clock,
            self._emit,
            PathSettings(connections=1, reserved=0, orders_burst=1_000_000),
        )
        self.journal = ScratchJournal()
        unheard = _Unheard()
        ports = Ports(self._path, unheard, unheard, signer, unheard)
        self._shell = Shell(engine, self._clock, self.journal, ports, self._ended)
        self._router = SpotRouter(True)
        symbols = {name: a.binance_symbol for name, a in settings.assets.items()}
        self._spot = SpotBursts(self._router, symbols, self._emit)
        self._books = MarketBursts(engine.books, self._emit, lambda _: None)
        self._connection: Connection | None = None
        self._acts = 0
        self._quotes = 0
        self._up = False

    async def run(self, every_ms: int) -> None:
        """Opens the stage and plays until it is cancelled or the stage fails."""
        self.open()
        try:
            await self.play(every_ms)
        finally:
            self.journal.close()

    async def play(self, every_ms: int) -> None:
        """Plays an act each so many milliseconds until the stage fails."""
        while not self.failed:
            await asyncio.sleep(every_ms / 1e3)
            self.act()

    def open(self) -> None:
        """Lays out the stage: market, feeds, account, a minute of reference, a book."""
        self._shell.start()
        now = self._clock.now()
        self._emit(ev.MarketListed(_market(now)))
        for feed in FeedId:
            self._emit(ev.FeedState(feed, ev.FeedStatus.FRESH, 2, 2, 0, 10.0))
        self._emit(ev.AccountReport(now.mono_ns, True, 10**12))
        for second in range(_WARM_S):
            self._quote(_STRIKE + second % 2)
            self._clock.advance(SECOND)
            self._refresh()
            self._emit(ev.Tick())
        self._connection = self._path.adopt(_Nowhere())

    def act(self) -> None:
        """Plays one act: a step of the reference, the order that it makes, its answer."""
        self._clock.advance(_ACT_NS)
        self._acts += 1
        if self._acts % _REFRESH_EVERY == 0:
            self._refresh()
        self._up = not self._up
        self._quote(_STRIKE + (_STEP if self._up else -_STEP))
        connection = self._connection
        if connection is not None and not connection.idle:
            self.orders += 1
            connection.data_received(_KILLED)

    def _refresh(self) -> None:
        now = self._clock.now()
        price_e18 = _STRIKE * SETTLE_ONE_E18
        stamp_ms = now.wall_ns // MS
        self._emit(ev.SettlementPrice(STAGE, price_e18, stamp_ms, now.mono_ns, 60))
        self.engine.books.router.on_frame(_book(stamp_ms), now.mono_ns)
        self._books.on_burst(now.mono_ns)

    def _quote(self, mid: int) -> None:
        self._quotes += 1
        frame = (
            f'{{"stream":"stageusdt@bookTicker","data":{{"u":{self._quotes},"s":"STAGEUSDT",'
            f'"b":"{mid - 1}.99","B":"1.0","a":"{mid}.01","A":"1.0"}}}}'
        )
        now = self._clock.now()
        self._router.on_frame(frame.encode(), now.mono_ns)
        self._spot.on_burst(now.mono_ns)

    def _emit(self, event: ev.Event) -> None:
        self._shell.feed(event)

    def _ended(self, code: int, why: str) -> None:
        self.failed = f"{code}: {why}"


def _market(now: Instant) -> MarketSpec:
    begin_ns = now.wall_ns
    return MarketSpec(
        market_id=_MARKET,
        slug="stage",
        asset=STAGE,
        window=Window.H4,
        start_ns=begin_ns,
        end_ns=begin_ns + _WINDOW_NS,
        up_token=_UP,
        down_token=_DOWN,
        grid=Grid(),
        fees=FeeSchedule(70_000),
        settlement=Settlement(SettlementKind.TWAP, 60),
        strike_digits=str(_STRIKE * SETTLE_ONE_E18),
    )


def _book(stamp_ms: int) -> bytes:
    books = []
    for token, flip in ((_UP, False), (_DOWN, True)):
        bids = [{"price": f"0.{(49 if flip else 50) - i}", "size": "500"} for i in range(3)]
        asks = [{"price": f"0.{(50 if flip else 51) + i}", "size": "500"} for i in range(3)]
        books.append(
            {
                "event_type": "book",
                "market": _MARKET,
                "asset_id": token,
                "timestamp": str(stamp_ms),
                "hash": token[:40],
                "bids": bids[::-1],
                "asks": asks[::-1],
            }
        )
    return json.dumps(books).encode()

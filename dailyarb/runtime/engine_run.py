"""The engine process: everything that `live.Shell` needs, put together and taken apart.

Order of birth: places and locks, log, venues, journal, engine, board, sockets. Order of death: the
engine says `Exit`, sockets close, the journal is synced, the venues end, the locks are released.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import random
import signal
import sys
from collections.abc import Callable
from typing import Any

import aiohttp
import msgspec

from dailyarb import __version__
from dailyarb._fast.histogram import LatencyHistogram
from dailyarb._fast.ring import Ring
from dailyarb._fast.spot import SpotRouter
from dailyarb.config import Loaded
from dailyarb.core.domain import commands as cmd
from dailyarb.core.domain.events import DiskState, Event, OperatorCommand, StopRequested, TaskDied
from dailyarb.core.domain.market import MarketSpec
from dailyarb.core.domain.rung import MODE_EVIDENCE, Mode
from dailyarb.core.domain.settings import ConfigMode, VenueKind
from dailyarb.core.domain.units import to_decimal_text
from dailyarb.core.engine.engine import MARKETS_MAX, Engine
from dailyarb.core.engine.state import Birth
from dailyarb.runtime.asks import Asks
from dailyarb.runtime.board import BoardWriter
from dailyarb.runtime.bursts import MarketBursts, SpotBursts
from dailyarb.runtime.clock import BootClock, boot_ns, measure
from dailyarb.runtime.control import ControlServer
from dailyarb.runtime.cores import stay_off
from dailyarb.runtime.discovery import Discovery
from dailyarb.runtime.gauges import Gauges
from dailyarb.runtime.identity import Identity, identify
from dailyarb.runtime.journal import Journal
from dailyarb.runtime.launch import Venues, start_venues
from dailyarb.runtime.live import Ports, Shell
from dailyarb.runtime.logs import Log
from dailyarb.runtime.options import RunOptions
from dailyarb.runtime.paths import Places
from dailyarb.runtime.pooled import FeedContext, PooledFeed
from dailyarb.runtime.ports import check_mode, order_path
from dailyarb.runtime.private import SettlementFeed, UserFeed
from dailyarb.runtime.record import CHANNEL_CODES, Channel, Recorder
from dailyarb.runtime.recover import load
from dailyarb.runtime.replay_watch import recording_ended
from dailyarb.runtime.streams import MarketFeed, SpotFeed
from dailyarb.runtime.supervisor import Supervisor
from dailyarb.runtime.venue_process import Greeting, read_greeting, venue_argv
from dailyarb.venues.binance.http import Binance
from dailyarb.venues.endpoints import LIVE, Endpoints
from dailyarb.venues.polymarket.http import Clob, Gamma

RUN_ID_BYTES = 3
CLOCK_EVERY_S = 30.0
STEP_S = 0.02  # feeds and order path look after themselves this often
SALT_BASE_BITS = 32
_encode = msgspec.msgpack.Encoder().encode


class EngineRun:
    """Is one life of the engine process.

    Args:
        loaded: settings in force, with their hash.
        options: what the command asked.
        places: where the instance keeps its files.
        log: log of this process.
        run: id of this run.
        core: the engine's own core, which its helper threads leave to it; None pins nothing.
    """

    def __init__(  # noqa: PLR0913 - the shell is where everything meets
        self,
        loaded: Loaded,
        options: RunOptions,
        places: Places,
        log: Log,
        run: str,
        core: int | None,
    ) -> None:
        self.loaded = loaded
        self.settings = loaded.settings
        self.options = options
        self.places = places
        self.log = log
        self.run_id = run
        self.clock = BootClock()
        self.core = core
        self._venues: Venues | None = None
        self._greeting: Greeting | None = None
        self._ended: asyncio.Future[tuple[int, str]] | None = None
        self._noted: dict[str, int] = {}
        self._opened = False
        self._catalogue: dict[str, dict[str, str]] = {}

    # birth

    def open(self, venue: list[str] | None = None) -> None:
        """Starts the venues, reads the journal, makes the engine. Blocks; before the loop.

        Args:
            venue: the program that is the venues, instead of the configured ones.
        """
        settings = self.settings
        if settings.venues.kind is not VenueKind.LIVE:
            self._venues = start_venues(venue or venue_argv(settings))
            self._greeting = read_greeting(self._venues.greeting, settings)
        self.identity = identify(settings, self._greeting, self.log.redactor)
        mode = self._mode()
        check_mode(mode)
        recovered = load(self.places.journal)
        birth = Birth(
            run=self.run_id,
            version=__version__,
            mode=mode,
            evidence=MODE_EVIDENCE[mode],
            config_hash=self.loaded.hash,
            salt_base=int.from_bytes(os.urandom(4), "big") >> (32 - SALT_BASE_BITS),
            source=self._greeting.source if self._greeting else "live venues",
            meaningless=self._greeting.meaningless if self._greeting else "",
            world=self._greeting.world if self._greeting else "",
            strategies=self.options.strategies,
        )
        history = ((row.record, row.wall_ns) for row in recovered.rows)
        self.engine = Engine(settings, birth, history, self.clock.now())
        self.journal = Journal(
            self.places.journal, self.run_id, birth.evidence, settings.journal
        )
        self.board = BoardWriter.create(self.places.board, self.run_id, MARKETS_MAX)
        self.ring = Ring(settings.recording.ring_mib << 20)
        self._opened = True
        self.log.event(
            "info",
            "run.started",
            mode=mode.value,
            version=__version__,
            cfg=self.loaded.hash,
            source=birth.source,
        )

    def _mode(self) -> Mode:
        kind = self.settings.venues.kind
        if kind is VenueKind.EMBEDDED:
            return Mode.SIM
        if kind is VenueKind.REPLAY:
            return Mode.REPLAY
        live = self.settings.mode is ConfigMode.LIVE and self.options.live
        return Mode.LIVE if live else Mode[self.settings.mode.value.upper()]

    def _endpoints(self) -> Endpoints:
        return self._greeting.endpoints if self._greeting else LIVE

    # life

    async def run(self, ready: Callable[[], None] | None = None) -> int:
        """Runs until the engine exits; returns the exit code."""
        loop = asyncio.get_running_loop()
        self._ended = loop.create_future()
        self._assemble()
        supervisor = self.supervisor = Supervisor(self._died, self.shell.broken)
        await self.orders.start()
        await self.control.start()
        self._recorder_start()
        self.shell.start()
        for feed in self.feeds:
            feed.start()
        supervisor.start("discovery", self.discovery.run())
        supervisor.start("clock", self._measure_clock())
        supervisor.start("view", self._views())
        supervisor.start("chores", self._chores())
        supervisor.start("gauges", self._gauges())
        if self.options.duration_s is not None:
            loop.call_later(self.options.duration_s, self.stop, "duration is over")
        if ready is not None:
            ready()
        gc.collect()
        gc.freeze()
        gc.disable()
        try:
            code, why = await self._ended
        finally:
            gc.enable()
            await self._close()
        self.log.event("info", "run.ended", code=code, why=why)
        return code

    def _assemble(self) -> None:
        settings, engine = self.settings, self.engine
        at = self._endpoints()
        gamma = Gamma(at.gamma_http)
        self.discovery = Discovery(gamma, self.clock, settings.assets, self._emit)
        if self._greeting is not None and self._greeting.windows:
            self.discovery.play(self._greeting.windows)
        identity: Identity = self.identity
        clob = Clob(at.clob_http, self.clock, identity.auth, identity.signature_type)
        self._readers = [gamma.reader]
        self._session = aiohttp.ClientSession()
        self.asks = Asks(
            clob, identity.owner, self.discovery.roles, self._emit, self._venue_failed, self.clock
        )
        self.orders = order_path(at, identity, self.clock, self._emit)
        self.binance = Binance(at.binance_http)
        self._readers.append(self.binance.reader)
        self._clob = clob
        self.shell = Shell(
            engine,
            self.clock,
            self.journal,
            Ports(self.orders, self.asks, self, identity.signer, self),
            self._exit,
        )
        self.control = ControlServer(
            self.places.socket,
            self._operator,
            self.clock,
            self.run_id,
            lambda: engine.state.rungs.operator,
        )
        self._assemble_feeds(at)
        self.gauges = Gauges(self, self.places.state_dir)

    def _assemble_feeds(self, at: Endpoints) -> None:
        settings, books = self.settings, self.engine.books
        ring = self.ring if settings.recording.enabled else None
        context = FeedContext(
            clock=self.clock,
            emit=self._emit,
            failed=self.shell.broken,
            rng=random.Random(self.run_id),
            ring=ring,
            market_tag=CHANNEL_CODES[Channel.POLYMARKET],
            spot_tag=CHANNEL_CODES[Channel.BINANCE],
        )
        bursts = MarketBursts(books, self._emit, self._rare, self.board.write_ladder)
        self.market = MarketFeed(
            context, at.market_ws, books, settings.feeds, bursts.on_burst, self.asks.witness
        )
        self.spot_router = SpotRouter(True)
        symbols = {name: a.binance_symbol for name, a in settings.assets.items()}
        spot = SpotBursts(self.spot_router, symbols, self._emit)
        streams = tuple(f"{s}@{kind}" for s in symbols.values() for kind in ("bookTicker", "trade"))
        urls = at.stream_urls(streams, True)
        self.spot = SpotFeed(context, urls, self.spot_router, settings.feeds, spot.on_burst)
        self.feeds: list[PooledFeed] = [self.market, self.spot]
        if self.identity.channel_auth is not None:
            auth = self.identity.channel_auth
            feed_assets = {a.settlement_symbol: name for name, a in settings.assets.items()}
            self.feeds.append(
                SettlementFeed(context, at.settle_ws, auth, settings.feeds, feed_assets)
            )
            self.feeds.append(
                UserFeed(context, at.user_ws, auth, settings.feeds, self.discovery.roles)
            )

    # what the shell hands over (Markets, Voice)

    def want(self, command: cmd.Subscribe) -> None:
        """Follows exactly these markets on the market channel, and names them to the recording."""
        self.market.want(command.markets)
        self._catalogue.update({spec.slug: _entry(spec) for spec in command.markets})
        if self.settings.recording.enabled:
            # Frames name tokens only: without this list a recording cannot be replayed.
            path = self.places.recordings / "markets.json"
            path.write_bytes(msgspec.json.encode(list(self._catalogue.values())))

    def resync(self, command: cmd.Resync) -> None:
        """Fetches a snapshot of one market."""
        self.market.resync(command.market_id)

    def note(self, level: str, evt: str, fields: dict[str, Any]) -> None:
        """Writes one log line."""
        self.log.event(level, evt, **fields)

    def answer(self, request_id: int, ok: bool, text: str) -> None:
        """Answers an operator."""
        self.log.event("info", "cmd.applied" if ok else "cmd.refused", text=text)
        self.control.answer(request_id, ok, text)

    # what comes in

    def _emit(self, event: Any) -> None:
        self.shell.feed(event)

    def _operator(self, command: OperatorCommand) -> None:
        self.shell.feed(command)

    def _rare(self, frame: bytes) -> None:
        self.discovery.rare([frame])

    def _died(self, event: TaskDied) -> None:
        self.log.event("error", "task.died", task=event.task, error=event.error)
        self._emit(event)

    def _venue_failed(self, words: str) -> None:
        count = self._noted[words] = self._noted.get(words, 0) + 1
        if count & (count - 1) == 0:  # the 1st, 2nd, 4th, 8th time: a log rate has a bound
            self.log.event("warn", "venue.failed", detail=words, count=count)
        if len(self._noted) > 200:
            self._noted.clear()

    def stop(self, why: str, at_once: bool = False) -> None:
        """Asks the engine to stop; the second time at once."""
        again = self.engine.state.rungs.stopping
        self.log.event("info", "run.stopping", why=why)
        self._emit(StopRequested(why, at_once or again))

    def _exit(self, code: int, why: str) -> None:
        if self._ended is not None and not self._ended.done():
            self._ended.set_result((code, why))

    # by the clock

    async def _views(self) -> None:
        pause = 1.0 / self.settings.engine.view_hz
        while True:
            now = self.clock.now()
            self.board.heartbeat(now.mono_ns)
            began = boot_ns()
            self.board.write_view(_encode(self.engine.view(now)))
            self.gauges.view.record(boot_ns() - began)
            await asyncio.sleep(pause)

    async def _chores(self) -> None:
        while True:
            await asyncio.sleep(STEP_S)
            self.orders.step()

    async def _gauges(self) -> None:
        self.gauges.start()
        while True:
            await asyncio.sleep(1.0)
            for feed in self.feeds:
                feed.second()
            self.gauges.second()
            self.gauges.collect()
            if self.board.ensure():
                self.log.event("warn", "board.laid")
            await self.control.ensure()
            if self._venues is not None and self._venues.ended is not None:
                self._venues_gone()
            elif self._replaying and await recording_ended(self._session, self.control_url):
                self.stop("the recording has ended", True)

    @property
    def _replaying(self) -> bool:
        return self.settings.venues.kind is VenueKind.REPLAY

    def _venues_gone(self) -> None:
        self._venues = None
        self.stop("the venues have ended", True)

    async def _measure_clock(self) -> None:
        live = self.settings.venues.kind is VenueKind.LIVE
        sources = [(self._clob.server_time, 1.0), (self.binance.server_time, 0.001)]
        while True:
            found = await measure(sources)
            if found is not None:
                self.clock.offset_ns = round(found.offset_ms * 1e6) if live else 0
                self._emit(found)
            await asyncio.sleep(CLOCK_EVERY_S)

    # death

    def signals(self, loop: asyncio.AbstractEventLoop) -> None:
        """SIGTERM and SIGINT stop; the second one at once."""
        for name in (signal.SIGTERM, signal.SIGINT):
            with contextlib.suppress(NotImplementedError, ValueError):
                loop.add_signal_handler(name, self.stop, name.name)

    @property
    def control_url(self) -> str:
        """Returns the venues' control endpoint, "" for real ones."""
        return self._greeting.control if self._greeting else ""

    def _leave_core(self) -> None:
        stay_off(self.core)

    def _recorder_start(self) -> None:
        self.recorder: Recorder | None = None
        if self.settings.recording.enabled:
            self.recorder = Recorder(
                self.ring,
                self.places.recordings,
                self.settings.recording,
                self.run_id,
                self._leave_core,
            )
            self.recorder.start()

    async def _close(self) -> None:
        self.gauges.close()
        await self.supervisor.stop()
        self.shell.close()
        now = self.clock.now()
        self.board.heartbeat(now.mono_ns)
        self.board.write_view(_encode(self.engine.view(now)))
        for feed in self.feeds:
            await feed.close()
        await self.asks.close()
        await self.orders.close()
        for reader in self._readers:
            await reader.close()
        await self._session.close()
        await self.control.stop()
        if self.recorder is not None:
            self.recorder.stop()

    def release(self) -> None:
        """Closes journal, board and venues; after the loop."""
        if self._opened:
            self.journal.close()
            self.board.close()
        if self._venues is not None:
            self._venues.stop()

    def summary(self) -> dict[str, Any]:
        """Returns the run summary, frames and faults included."""
        found = self.engine.summary(self.clock.now())
        counters = self.engine.books.router.counters
        found["frames"] = {
            "polymarket": self.engine.books.router.frames,
            "binance": self.spot_router.frames,
        }
        found["faults"] = {
            "decode": sum(self.engine.books.router.faults.values())
            + sum(self.spot_router.faults.values()),
            "desyncs": counters.get("desyncs", 0),
        }
        found["router"] = counters
        found["books"] = {
            book.spec.slug: book.state.value for book in self.engine.books.by_market.values()
        }
        return found

    # what the gauges read

    def stages(self) -> dict[str, LatencyHistogram]:
        """Returns the latency histograms by stage."""
        return {
            "decode": self.market.decode_latency(),
            "tick_to_decision": self.shell.decided,
            "sign": self.shell.sign,
            "decision_to_order": self.orders.written,
            "tick_to_order": self.orders.tick_to_order,
            "send_to_ack": self.orders.answered,
            "event": self.shell.on_event,
        }

    def disk(self) -> DiskState:
        """Returns the state of the journal's disk."""
        return self.journal.disk_state()

    def journal_mb(self) -> float:
        """Returns the size of the journal."""
        return self.journal.size_mb()

    def tell(self, event: Event) -> None:
        """Gives the engine a report."""
        self._emit(event)

    def say_summary(self) -> None:
        """Writes the summary as the last line of standard output."""
        line = msgspec.json.encode(self.summary())
        sys.stdout.flush()
        with contextlib.suppress(OSError):
            os.write(sys.stdout.fileno(), line + b"\n")


def _entry(spec: MarketSpec) -> dict[str, str]:
    return {
        "slug": spec.slug,
        "conditionId": spec.market_id,
        "upTokenId": spec.up_token,
        "downTokenId": spec.down_token,
        "tickSize": to_decimal_text(spec.grid.tick_e4, 4),
    }

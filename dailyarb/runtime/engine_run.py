"""The engine process: everything that `live.Shell` needs, put together and taken apart.

Order of birth: places and locks, log, venues, journal, engine, board, sockets. Order of death: the
engine says `Exit`, sockets close, the journal is synced, the venues end, the locks are released.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import signal
from collections.abc import Callable, Coroutine
from typing import Any

import aiohttp
import msgspec

from dailyarb import __version__
from dailyarb._fast.ladder import Ladder
from dailyarb._fast.ring import Ring
from dailyarb._fast.spot import SpotRouter
from dailyarb.config import Loaded
from dailyarb.core.domain import commands as cmd
from dailyarb.core.domain.events import Event, OperatorCommand, StopRequested, TaskDied
from dailyarb.core.domain.operator import OperatorVerb
from dailyarb.core.domain.orders import BookState
from dailyarb.core.domain.rung import MODE_EVIDENCE, Mode
from dailyarb.core.domain.settings import VenueKind
from dailyarb.core.engine.engine import MARKETS_MAX, Engine
from dailyarb.core.engine.state import Birth
from dailyarb.runtime.arming import arm_when_ready, check_arm
from dailyarb.runtime.asides import start_asides
from dailyarb.runtime.asks import Asks
from dailyarb.runtime.board import BoardWriter
from dailyarb.runtime.bursts import MarketBursts, SpotBursts
from dailyarb.runtime.checkpoints import Checkpoints
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
from dailyarb.runtime.narrate import ID_CHARS
from dailyarb.runtime.options import RunOptions
from dailyarb.runtime.paths import Places
from dailyarb.runtime.pooled import FeedContext, PooledFeed, dial_budget
from dailyarb.runtime.ports import (
    MixedQuestions,
    StandIn,
    WatchedSigner,
    may_read,
    mode_of,
    no_settling_feed,
    order_path,
    show_only,
    stand_in,
)
from dailyarb.runtime.private import SettlementFeed, UserFeed
from dailyarb.runtime.readings import Readings, run_totals
from dailyarb.runtime.record import Recorder
from dailyarb.runtime.record_watch import watch_recorder
from dailyarb.runtime.recorded_markets import RecordedMarkets
from dailyarb.runtime.recover import load
from dailyarb.runtime.reload import AT_HANGUP, read_again
from dailyarb.runtime.replay_watch import recording_ended
from dailyarb.runtime.run_dir import RunDir
from dailyarb.runtime.streams import MarketFeed, SpotFeed
from dailyarb.runtime.supervisor import Supervisor
from dailyarb.runtime.tape import Life, Tape, TapedEngine
from dailyarb.runtime.venue_process import (
    Greeting,
    joined_greeting,
    read_greeting,
    venue_argv,
)
from dailyarb.venues.binance.http import Binance
from dailyarb.venues.endpoints import LIVE, Endpoints
from dailyarb.venues.polymarket.codec import Ours
from dailyarb.venues.polymarket.http import Clob, Gamma

RUN_ID_BYTES = 3
EXIT_PREFLIGHT = 7
CLOCK_EVERY_S = 30.0
STEP_S = 0.02  # feeds and order path look after themselves this often
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

    def __init__(
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
        self.guard: Callable[[], Coroutine[Any, Any, object]] | None = None  # of the keeper
        self._noted: dict[str, int] = {}
        self._opened = False
        self._code = 0  # instead of 0, when the shell itself gave up
        self._stand_in: StandIn | None = None
        self._recorded: RecordedMarkets | None = None

    # birth

    def open(self, venue: list[str] | None = None, live: Endpoints = LIVE) -> None:
        """Starts or joins the venues, reads the journal, makes the engine. Blocks; before the loop.

        Args:
            venue: the program that is the venues, instead of the configured ones.
            live: where live venues are.
        """
        settings = self.settings
        self._at = live
        if settings.venues.kind is not VenueKind.LIVE:
            body = joined_greeting(settings)
            if body is None:
                self._venues = start_venues(venue or venue_argv(settings))
                body = self._venues.greeting
            self._greeting = read_greeting(body, settings)
            self._at = self._greeting.endpoints
        self.identity = identify(settings, self._greeting, self.log.redactor)
        mode = self.mode = mode_of(settings, self.options.live)
        world = self._greeting.world if self._greeting else self.identity.world(mode)
        recovered = load(self.places.journal, MODE_EVIDENCE[mode], world)
        if self.options.arm:
            check_arm(self.options.arm, settings.instance, mode, recovered.clean)
        birth = Birth(
            run=self.run_id,
            version=__version__,
            mode=mode,
            evidence=MODE_EVIDENCE[mode],
            config_hash=self.loaded.hash,
            salt_base=int.from_bytes(os.urandom(4), "big") >> 4,
            source=self._greeting.source if self._greeting else "live venues",
            meaningless=self._greeting.meaningless if self._greeting else "",
            world=world,
            strategies=self.options.strategies,
            rebooted=recovered.rebooted(self.clock.now().mono_ns),
        )
        history = ((row.record, row.wall_ns) for row in recovered.rows)
        self.ring = Ring(settings.recording.ring_mib << 20)
        if settings.recording.enabled:
            life = Life(settings, birth, recovered.last_seq)
            self.engine: Engine = TapedEngine(Tape(self.ring), life, history, self.clock.now())
        else:
            self.engine = Engine(settings, birth, history, self.clock.now())
        self.journal = Journal(self.places.journal, self.run_id, birth.evidence, settings.journal)
        self.board = BoardWriter.create(self.places.board, self.run_id, MARKETS_MAX)
        if settings.recording.enabled:
            self._recorded = RecordedMarkets(self.places.recordings)
        self._opened = True
        told = {"mode": mode.value, "version": __version__, "cfg": self.loaded.hash}
        self.log.event("info", "run.started", **told, source=birth.source)

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
        if not self._settling:
            self._emit(no_settling_feed())
        for feed in self.feeds:
            feed.start()
        supervisor.start("discovery", self.discovery.run())
        supervisor.start("clock", self._measure_clock())
        supervisor.start("view", self._views())
        supervisor.start("chores", self._chores())
        supervisor.start("gauges", self._gauges())
        if self.guard is not None:
            supervisor.start("keeper", self.guard(), critical=False)
        start_asides(supervisor, self.engine, self.clock, self._emit)
        if self.options.arm:
            supervisor.start("arming", self._arm(), may_end=True)
        if self.options.duration_s is not None:
            loop.call_later(self.options.duration_s, self.stop, "duration is over")
        if ready is not None:
            ready()
        if self.settings.engine.busy:
            _spin(loop)
        gc.collect()
        gc.freeze()
        gc.disable()
        try:
            code, why = await self._ended
        finally:
            gc.enable()
            await self._close()
        code = code or self._code
        self.log.event("info", "run.ended", code=code, why=why)
        return code

    def _assemble(self) -> None:
        settings, engine = self.settings, self.engine
        at = self._at
        self.dials = dial_budget()  # one for all connections of the process
        gamma = Gamma(at.gamma_http)
        self.binance = Binance(at.binance_http)
        candle = self.binance.candle
        self.discovery = Discovery(gamma, self.clock, settings.assets, self._found, candle)
        for desk in engine.state.desks.values():
            self.discovery.follow(desk.spec)
        if self._greeting is not None and self._greeting.windows:
            self.discovery.play(self._greeting.windows)
        identity: Identity = self.identity
        clob = Clob(at.clob_http, self.clock, identity.auth, identity.signature_type)
        self._readers = [gamma.reader, self.binance.reader]
        self._session = aiohttp.ClientSession()
        self._ours = Ours(identity.owner, self.discovery.roles, engine.state.orders.by_id)
        self.asks = Asks(clob, self._ours, self._emit, self._venue_failed, self.clock)
        own = self._stand_in = stand_in(self.mode, engine, self.clock, self._emit)
        self.orders = own or order_path(at, identity, self.clock, self._emit, self.dials)
        signer = WatchedSigner(identity.signer, own.signed) if own else identity.signer
        questions = MixedQuestions(own, self.asks) if own else self.asks
        self._clob = clob
        self.shell = Shell(
            engine,
            self.clock,
            self.journal,
            Ports(self.orders, questions, self, signer, self),
            self._exit,
        )
        self.checkpoints = Checkpoints(settings.journal.checkpoint_s, self.journal, self._emit)
        self.control = ControlServer(
            self.places.socket,
            self._operator,
            self.clock,
            self.run_id,
            lambda: engine.state.rungs.operator,
            self._emit,
        )
        self._assemble_feeds(at)
        self.readings = Readings(self.shell, self.orders, self.market, self.journal)
        self.gauges = Gauges(self.readings, self.places.state_dir)

    def _assemble_feeds(self, at: Endpoints) -> None:
        settings, books = self.settings, self.engine.books
        ring = self.ring if settings.recording.enabled else None
        context = FeedContext(
            clock=self.clock,
            emit=self._emit,
            failed=self.shell.broken,
            rng=random.Random(self.run_id),
            ring=ring,
            dials=self.dials,
        )
        bursts = MarketBursts(books, self._emit, self._rare, self._lay)
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
        auth = self.identity.channel_auth
        self._settling, ours = may_read(self.mode, auth)
        if auth is not None:
            feed_assets = {a.settlement_symbol: name for name, a in settings.assets.items()}
            self.feeds.append(
                SettlementFeed(context, at.settle_ws, auth, settings.feeds, feed_assets)
            )
        if auth is not None and ours:
            self.feeds.append(UserFeed(context, at.user_ws, auth, settings.feeds, self._ours))

    # what the shell hands over (Markets, Voice)

    def want(self, command: cmd.Subscribe) -> None:
        """Follows exactly these markets on the market channel, and names them to the recording."""
        self.market.want(command.markets)
        for spec in command.markets:
            self.discovery.follow(spec)  # a window of an earlier run is polled until decided
        if self._recorded is not None:
            self._recorded.learn(command.markets)

    def resync(self, command: cmd.Resync) -> None:
        """Fetches a snapshot of one market."""
        market = command.market_id[:ID_CHARS]
        self.log.event("warn", "book.desynced", mkt=market, why=command.reason)
        self.market.resync(command.market_id)

    def note(self, level: str, evt: str, fields: dict[str, Any]) -> None:
        """Writes one log line."""
        self.log.event(level, evt, **fields)

    def answer(self, request_id: int, ok: bool, text: str) -> None:
        """Answers an operator."""
        self.control.answer(request_id, ok, text)

    def set_mode(self, command: cmd.SetMode) -> None:
        """Lets orders meet the fill model, or end with the signature."""
        if self._stand_in is not None:
            self._stand_in.fills = command.mode is Mode.PAPER

    # what comes in

    def _emit(self, event: Event) -> None:
        if self._stand_in is not None:
            self._stand_in.heard(event)
        self.shell.feed(event)

    def _found(self, event: Event) -> None:
        self._emit(event if self._settling else show_only(event))

    def _lay(self, slot: int, ladder: Ladder, state: BookState, recv_ns: int) -> None:
        self.board.write_ladder(slot, ladder, state, recv_ns)
        book = self.engine.books.at(slot) if self._stand_in is not None else None
        if book is not None and self._stand_in is not None:
            self._stand_in.laid(book.spec.market_id)

    def _operator(self, command: OperatorCommand) -> None:
        if command.verb is OperatorVerb.RELOAD:
            command = read_again(self.loaded, command)
        self.shell.feed(command)

    async def _arm(self) -> None:
        amiss = await arm_when_ready(lambda: self.engine.view(self.clock.now()), self._operator)
        if amiss:
            self._code = EXIT_PREFLIGHT
            self.stop(f"preflight failed: {amiss}")

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
            self.checkpoints.step(self.shell.on_event.count)

    async def _gauges(self) -> None:
        self.gauges.start()
        place = RunDir(self.board, self.control, self.log)
        while True:
            await asyncio.sleep(1.0)
            for feed in self.feeds:
                feed.second()
            self.gauges.second()
            self.gauges.collect()
            await place.ensure()
            if self._venues is not None and self._venues.ended is not None:
                self._venues_gone()
            elif self._replaying and await recording_ended(self._session, self.control_url):
                # Cancels get a second to be answered; the next look leaves at once.
                self.stop("the recording has ended")

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
        """SIGTERM and SIGINT stop, the second one at once; SIGHUP reads the file again."""
        loop.add_signal_handler(signal.SIGHUP, self._operator, AT_HANGUP)
        for name in (signal.SIGTERM, signal.SIGINT):
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
            watch = watch_recorder(self.recorder, self.log)
            self.supervisor.start("recorder", watch, critical=False)

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
        return run_totals(self.engine, self.spot_router, self.clock.now())


def _spin(loop: asyncio.AbstractEventLoop) -> None:
    """Keeps the loop from ever sleeping: quicker to wake, at the price of the core."""
    loop.call_soon(_spin, loop)

"""A recording through the engine in memory: the same object, the same decoders, virtual time.

Frames go through the routers the live listeners use, bursts become the events the live feed makes,
and commands meet the fill model. Nothing sleeps, nothing opens a socket; both clocks of the engine
read the recorded time. The same recording, settings and seed give the same commands (I14).
"""

from __future__ import annotations

import hashlib
import heapq
import random
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from dailyarb._fast.playback import Player
from dailyarb._fast.spot import SpotRouter
from dailyarb.core.domain import commands as cmd
from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.errors import FrameFault, InvariantBroken
from dailyarb.core.domain.events import (
    ClockOffset,
    Event,
    FeedState,
    FeedStatus,
    MarketListed,
    ReferenceMoved,
    Resolved,
    SettlementPrice,
    Tick,
    TopChanged,
    Traded,
)
from dailyarb.core.domain.ids import FeedId
from dailyarb.core.domain.market import (
    Outcome,
    Side,
)
from dailyarb.core.domain.records import Record
from dailyarb.core.domain.rung import Evidence, Mode
from dailyarb.core.domain.settings import Settings, usd_e6
from dailyarb.core.domain.units import MS, SECOND
from dailyarb.core.engine.engine import Engine
from dailyarb.core.engine.state import Birth
from dailyarb.runtime.bursts import MarketBursts, SpotBursts
from dailyarb.runtime.replay_orders import ReplayOrders
from dailyarb.runtime.replay_rules import LOOKBACK_S
from dailyarb.runtime.replay_script import Script, read_script, whole_slices
from dailyarb.sim.fills_types import FillSettings, QueueMode
from dailyarb.sim.foreign.base import SPOT_CHANNEL
from dailyarb.sim.recordings import Channel
from dailyarb.sim.replay_spot import StandIn
from dailyarb.sim.replay_time import Played
from dailyarb.venues.polymarket.codec import BoltPrices, bolt_message, rare_event
from dailyarb.venues.polymarket.signer import Signer

LIST_NS = 600 * SECOND  # before its start, a window is listed
RESOLVE_NS = 5 * SECOND
TAIL_NS = 30 * SECOND  # of virtual time behind that, so that the last fill is marked
SILENT_NS = 60 * SECOND
# Without an order or a share nothing is due by the clock alone: touch and reference decide.
IDLE_TICK_NS = SECOND
_LATE_NS = 1_300 * MS  # how far the settling feed runs behind
_HISTORY_S = 120
_IDLE_TICKS_MAX = 1_000
_DECIDED_E4 = 9_000
_KEY = hashlib.sha256(b"dailyarb replay").digest()


class Outlay(msgspec.Struct, frozen=True):
    """Is what may be chosen about a replay in memory.

    burst_ns groups frames whose play times fall into the same slice, as one read of a socket would.
    """

    seed: int = 1
    fills: FillSettings = FillSettings()
    strategies: tuple[str, ...] = ()
    burst_ns: int = MS


class Outcomes(msgspec.Struct, frozen=True):
    """Is what came of a replay. digest is over every command; evidence is REPLAY."""

    frames: int
    bursts: int
    seconds: float
    faults: dict[str, int]
    events: dict[str, int]
    commands: dict[str, int]
    fills: int
    cash_e6: int
    digest: str
    meaningless: tuple[str, ...]
    summary: dict[str, object]


__all__ = ["Outcomes", "Outlay", "Rehearsal", "Script", "Witness", "read_script"]

Witness = Callable[[Record, int], None]


class Rehearsal:
    """Drives one engine over one script.

    Args:
        settings: limits and parameters.
        script: what is played.
        outlay: seed, fill model, strategies; None takes the defaults.
        witness: told of each record the engine journals, with its wall time; or None.
    """

    def __init__(
        self,
        settings: Settings,
        script: Script,
        outlay: Outlay | None = None,
        witness: Witness | None = None,
    ) -> None:
        outlay = outlay or Outlay()
        self._witness = witness
        self.script = script
        self.now_ns = script.begin_ns
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0
        self._events: Counter[str] = Counter()
        self._commands: Counter[str] = Counter()
        self._hash = hashlib.blake2b(digest_size=16)
        self._frames = 0
        self._faults: Counter[str] = Counter()
        self._over = False
        self._open = {spec.market_id for spec in script.specs}  # not yet decided
        self._stand_in: dict[str, StandIn] = {}
        self._symbols = {a.settlement_symbol: name for name, a in settings.assets.items()}
        self._settled_ms: dict[str, int] = {}
        self._silent = (0, 0)
        self._ticked_ns = 0
        self.engine = Engine(settings, self._birth(outlay), (), self._now())
        # While an order of ours is about, its queue moves with every share at the touch.
        self._queues = outlay.fills.queue is not QueueMode.PRINTS
        self._mark_e6 = self.engine.books.mark_e6
        self.orders = ReplayOrders(
            self._book,
            outlay.fills,
            random.Random(outlay.seed),
            usd_e6(settings.venues.start_cash_usd),
            self._later,
        )
        self._signer = Signer(_KEY)
        assets = {name: asset.binance_symbol for name, asset in settings.assets.items()}
        self.spot = SpotRouter(script.micros)
        self._player = Player(
            self.engine.books.router,
            self.spot,
            Channel.POLYMARKET,
            Channel.BINANCE,
            max(1, outlay.burst_ns),
        )
        self._market_bursts = MarketBursts(self.engine.books, self._emit, self._rare)
        self._spot_bursts = SpotBursts(self.spot, assets, self._emit)
        self._act: dict[type[cmd.Deed], Callable[[Any], None]] = {
            cmd.Sign: self._sign,
            cmd.Submit: lambda c: self.orders.submit(c, self.now_ns),
            cmd.Cancel: lambda c: self.orders.cancel(c.order_ids, self.now_ns),
            cmd.CancelAll: lambda c: self.orders.cancel_all(c, self.now_ns),
            cmd.QueryOrder: lambda c: self.orders.ask_order(c, self.now_ns),
            cmd.QueryAccount: lambda c: self.orders.ask_account(c, self.now_ns),
            cmd.QueryBook: lambda c: self.orders.ask_book(c, self.now_ns),
            cmd.Exit: self._exit,
        }

    def run(self, tell: Callable[[float], None] | None = None) -> Outcomes:
        """Plays every frame and returns what came of it.

        Args:
            tell: told now and then which share of the time is played.

        Raises:
            RecordingError: a recording is damaged.
        """
        begin_ns = self.now_ns
        ends = [spec.end_ns for spec in self.script.specs]
        length_ns = max(1, max(ends, default=0) - begin_ns)
        self.begin()
        for frames in whole_slices(self.script.frames(), self._player.slice_ns):
            if self._over:
                break
            self.play(frames)
            if tell is not None:
                tell(min(1.0, (self.now_ns - begin_ns) / length_ns))
        self._until(self.now_ns + RESOLVE_NS + SECOND)
        seconds = (self.now_ns - begin_ns) / SECOND
        self._until(self.now_ns + TAIL_NS)
        faults = self._faults
        faults.update(self.engine.books.router.faults)
        faults.update(self.spot.faults)
        return Outcomes(
            frames=self._frames,
            bursts=self._player.slices,
            seconds=seconds,
            faults=dict(faults),
            events=dict(self._events),
            commands=dict(self._commands),
            fills=self.orders.fills,
            cash_e6=self.orders.cash_e6,
            digest=self._hash.hexdigest(),
            meaningless=self.script.meaningless,
            summary=self.engine.summary(self._now()),
        )

    def begin(self) -> None:
        """Starts the engine and lists the recorded windows."""
        self._obey(self.engine.start(self._now()))
        self._feed(ClockOffset(0.0, 1.0))
        for spec in self.script.specs:
            self.orders.list_market(spec)
            if spec.start_ns - LIST_NS <= self.now_ns:
                self._feed(MarketListed(spec))
            else:
                self._later(spec.start_ns - LIST_NS, MarketListed(spec))
            self._plan(spec.end_ns + RESOLVE_NS, partial(self._resolve, spec.market_id))
        self._second()

    def play(self, frames: list[Played]) -> None:
        """Plays frames in order of time; the engine hears of a slice only if it is news.

        Args:
            frames: ends where a slice ends.
        """
        player, at = self._player, 0
        while at < len(frames) and not self._over:
            self._listen()
            due_ns = self._until(frames[at].at_ns, frames[-1].at_ns + 1)
            slices = player.slices
            at = player.run(frames, at, due_ns)
            if player.slices == slices and not self._over:
                raise InvariantBroken("what was due was not done")
            self.now_ns = max(self.now_ns, player.last_ns)
            for other in player.others:
                if other.channel is Channel.SETTLEMENT:
                    self._settled(other)
            if player.market_news:
                self._market_bursts.on_burst(self.now_ns)
            if player.spot_news:
                self._spot_bursts.on_burst(self.now_ns)
        self._frames += len(frames)

    def _listen(self) -> None:
        """Hears of every size at the touch while a queue depends on it, else of what matters."""
        mark_e6 = 0 if self._queues and self.orders.model.watching else self._mark_e6
        if mark_e6 != self.engine.books.mark_e6:
            self.engine.books.mark(mark_e6)

    # ---- time

    def _now(self) -> Instant:
        return Instant(self.now_ns, self.now_ns)

    def _plan(self, at_ns: int, action: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._heap, (at_ns, self._count, action))

    def _later(self, at_ns: int, event: Event) -> None:
        self._plan(at_ns, partial(self._feed, event))

    def _until(self, until_ns: int, latest_ns: int = 0) -> int:
        """Lets pass what is due by an instant: planned events, the engine's deadlines, fills.

        Returns:
            What is due next, at most `latest_ns` or just behind the instant.
        """
        idle, latest_ns = 0, max(latest_ns, until_ns + 1)
        due_ns = latest_ns
        self._silence(until_ns)
        while not self._over:
            due_ns = self._due_ns(latest_ns)
            if due_ns > until_ns:
                break
            idle = idle + 1 if due_ns <= self.now_ns else 0
            if idle > _IDLE_TICKS_MAX:
                raise InvariantBroken("the engine asks for one instant again and again")
            self.now_ns = max(self.now_ns, due_ns)
            if self.orders.model.next_due_ns() == due_ns:
                self.orders.advance(self.now_ns)
            elif self._heap and self._heap[0][0] == due_ns:
                heapq.heappop(self._heap)[2]()
            else:
                self._ticked_ns = self.now_ns
                self._feed(Tick())
        self.now_ns = max(self.now_ns, until_ns)
        return due_ns

    def _silence(self, until_ns: int) -> None:
        """Finds what may be passed over: hours in which nothing was recorded and nothing is open.

        Its first and last minute are lived, so that feeds turn stale and fresh as they did.
        """
        if until_ns - self.now_ns > 3 * SILENT_NS and not self.orders.model.working():
            self._silent = (self.now_ns + SILENT_NS, until_ns - SILENT_NS)

    def _due_ns(self, latest_ns: int) -> int:
        """Returns when something is due next: fills, planned events, the engine's deadline."""
        due_ns = latest_ns
        if self._heap and self._heap[0][0] < due_ns:
            due_ns = self._heap[0][0]
        deadline = self.engine.next_deadline()
        if deadline is not None:
            if not self.orders.busy:
                deadline = max(deadline, self._ticked_ns + IDLE_TICK_NS)
            begin_ns, end_ns = self._silent
            due_ns = min(due_ns, end_ns if begin_ns < deadline < end_ns else deadline)
        filling = self.orders.model.next_due_ns()
        return filling if filling is not None and filling < due_ns else due_ns

    def _second(self) -> None:
        """Reports the feeds' health and the settling feed, once a second."""
        now_ns = self.now_ns
        player = self._player
        for feed, seen_ns in (
            (FeedId.POLYMARKET, player.market_ns),
            (FeedId.BINANCE, player.spot_ns),
        ):
            age_ms = (now_ns - seen_ns) // MS if seen_ns else 0
            status = FeedStatus.FRESH if seen_ns else FeedStatus.CONNECTING
            self._feed(FeedState(feed, status, 1, 1, age_ms, 0.0))
        for asset in self._stand_in:
            self._feed(self._price(asset, (now_ns - _LATE_NS) // SECOND))
        begin_ns, end_ns = self._silent
        self._plan(end_ns if begin_ns < now_ns < end_ns else now_ns + SECOND, self._second)

    def _settled(self, played: Played) -> None:
        """Tells the engine of recorded settling values, each second once."""
        try:
            window_s = 1 if SPOT_CHANNEL in played.payload else LOOKBACK_S
            message = bolt_message(played.payload, self._symbols, window_s, played.at_ns)
        except FrameFault as fault:
            self._faults[fault.kind] += 1
            return
        if isinstance(message, BoltPrices):
            for price in message.prices:
                if price.stamp_ms > self._settled_ms.get(price.asset, 0):
                    self._settled_ms[price.asset] = price.stamp_ms
                    self._plan(played.at_ns, partial(self._feed, price))

    def _price(self, asset: str, second: int) -> SettlementPrice:
        value_e18 = self._stand_in[asset].twap_e18(second)
        return SettlementPrice(asset, value_e18, second * 1_000, self.now_ns, 60)

    def _resolve(self, market_id: str) -> None:
        """Resolves a window as recorded, or by where its book stood, if that tells."""
        winner = self.script.winners.get(market_id) or self._leading(market_id)
        if winner is not None:
            self._decide(Resolved(market_id, 10_000 if winner is Outcome.UP else 0))

    def _rare(self, frame: bytes) -> None:
        """Takes a recorded resolution, where the book alone did not tell."""
        try:
            event = rare_event(frame)
        except FrameFault as fault:
            self._faults[fault.kind] += 1
            return
        if isinstance(event, Resolved):
            self._decide(event)

    def _decide(self, event: Resolved) -> None:
        if event.market_id not in self._open:
            return
        self._open.discard(event.market_id)
        winner = Outcome.UP if event.up_price_e4 else Outcome.DOWN
        self.orders.settle(self.orders.specs[event.market_id], winner, self.now_ns)
        self._feed(event)

    def _leading(self, market_id: str) -> Outcome | None:
        """Returns the outcome that a window's last book decided for, or None."""
        book = self.engine.books.by_market.get(market_id)
        if book is None or not book.ladder.synced:
            return None
        bid_e4, _, ask_e4, _ = book.ladder.top(0)
        mid_e4 = (bid_e4 + ask_e4) // 2
        if 10_000 - _DECIDED_E4 < mid_e4 < _DECIDED_E4:
            return None
        return Outcome.UP if mid_e4 >= _DECIDED_E4 else Outcome.DOWN

    # ---- events and commands

    def _emit(self, event: Event) -> None:
        """Takes an event of a burst: the world's orders see it before the engine does."""
        if isinstance(event, TopChanged):
            self.orders.model.on_book(event.market_id, self.now_ns)
            self.orders.advance(self.now_ns)
        elif isinstance(event, Traded):
            outcome = 0 if event.outcome is Outcome.UP else 1
            side = 0 if event.side is Side.BUY else 1
            self.orders.model.on_trade(
                event.market_id, outcome, side, event.price_e4, event.size_e6, self.now_ns
            )
            self.orders.advance(self.now_ns)
        self._feed(event)

    def _feed(self, event: Event) -> None:
        self._events[type(event).__name__] += 1
        if self.script.stand_in and isinstance(event, ReferenceMoved):
            self._observe(event)
        self._obey(self.engine.on_event(event, self._now()))

    def _observe(self, event: ReferenceMoved) -> None:
        """Keeps the stand-in of the settling feed on the recorded middle.

        A new one tells its last two minutes at once, as the venue's feed does on subscription.
        """
        mid_e8 = (event.bid_e8 + event.ask_e8) // 2
        if event.asset not in self._stand_in:
            self._stand_in[event.asset] = StandIn(self.script.begin_ns, mid_e8)
            last = (self.now_ns - _LATE_NS) // SECOND
            for second in range(last - _HISTORY_S, last):
                self._later(self.now_ns, self._price(event.asset, second))
        self._stand_in[event.asset].observe(mid_e8, self.now_ns)

    def _obey(self, commands: list[cmd.Command]) -> None:
        for command in commands:
            self._commands[type(command).__name__] += 1
            if not isinstance(command, cmd.Note):
                self._hash.update(msgspec.msgpack.encode(command))
            if self._witness is not None and isinstance(command, cmd.Journal):
                self._witness(command.record, self.now_ns)
            act = self._act.get(type(command))
            if act is not None:
                act(command)

    def _sign(self, command: cmd.Sign) -> None:
        signed = self._signer.sign(command.draft)
        self.orders.signed(signed.order_id, command.draft)
        self._feed(msgspec.structs.replace(signed, sign_ns=0))

    def _exit(self, command: cmd.Exit) -> None:
        del command
        self._over = True

    def _book(self, market_id: str) -> Any:
        book = self.engine.books.by_market.get(market_id)
        return book.ladder if book is not None else None

    def _birth(self, outlay: Outlay) -> Birth:
        return Birth(
            run=f"replay-{outlay.seed}",
            version="replay",
            mode=Mode.REPLAY,
            evidence=Evidence.REPLAY,
            config_hash="",
            salt_base=outlay.seed,
            source=self.script.source,
            meaningless="; ".join(self.script.meaningless),
            strategies=outlay.strategies,
        )

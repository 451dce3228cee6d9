"""Everything the engine knows, in one place; the handlers beside this file change it.

A Desk is one market's runtime, an Asset one reference's. Nothing here does I/O or reads a clock.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from dailyarb._fast.stats import RollingMove
from dailyarb.core.book.book import Book, Books, Top
from dailyarb.core.book.reference import Reference
from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.commands import Alert, Command, Journal
from dailyarb.core.domain.events import (
    AlertState,
    FeedState,
    LoopLag,
    StageBuckets,
    StageLatency,
    VenueModeKind,
)
from dailyarb.core.domain.ids import FeedId, Gate, Severity, StrategyId
from dailyarb.core.domain.intents import Blocked
from dailyarb.core.domain.market import MarketSpec, MarketState, Outcome
from dailyarb.core.domain.records import AlertRaised, Record
from dailyarb.core.domain.rung import Evidence, Mode
from dailyarb.core.domain.settings import Settings, shares_e6, usd_e6
from dailyarb.core.domain.units import MS, SECOND
from dailyarb.core.domain.view import AlertRow, DecisionRow, EventRow, FillRow
from dailyarb.core.engine.watch import build_watch
from dailyarb.core.execution.orders import Orders
from dailyarb.core.execution.pairs import Pairs
from dailyarb.core.execution.proofs import Proofs
from dailyarb.core.ledger.ledger import Ledger
from dailyarb.core.pricing.fair import Fair
from dailyarb.core.pricing.lead import LagMeter
from dailyarb.core.pricing.volatility import Volatility
from dailyarb.core.risk.backoff import Backoff
from dailyarb.core.risk.circuit import Circuits
from dailyarb.core.risk.gate import RiskGate
from dailyarb.core.risk.health import FeedTrouble
from dailyarb.core.risk.limits import build_breakers, circuit_limits
from dailyarb.core.risk.rungs import Rungs
from dailyarb.core.strategies.base import Scene, Strategy
from dailyarb.core.strategies.cross_asset import CrossAsset
from dailyarb.core.strategies.cross_window import CrossWindow
from dailyarb.core.strategies.flow import OrderFlow
from dailyarb.core.strategies.maker import Maker
from dailyarb.core.strategies.pair import PairBelowDollar
from dailyarb.core.strategies.stale_odds import StaleOdds
from dailyarb.core.strategies.vol_value import VolValue

EVENTS_KEPT = 200
DECISIONS_KEPT = 100
FILLS_KEPT = 120
MINUTE_S = 60
BALANCE_WAIT_NS, BALANCE_WAIT_MAX_NS = 5 * SECOND, 60 * SECOND  # after a refusal for balance (F40)


@dataclass(slots=True)
class Verdicts:
    """Is the last verdict of one strategy in one market."""

    blocked: Blocked | None = None
    since_wall_ns: int = 0
    acted_ns: int = 0


class Valued(NamedTuple):
    """Is what a market was worth by the reference at one instant."""

    sigma: float | None = None
    fair: Fair | None = None
    fair_then_e4: int | None = None  # before the move that was under way, if one was
    dist_bp: float | None = None  # of the reference to the strike


class Desk:
    """Is one market while the engine follows it."""

    def __init__(self, spec: MarketSpec, book: Book, window_ms: int, lag_ns: int) -> None:
        self.spec = spec
        self.book = book
        self.state = MarketState.SEEN if spec.refusal else MarketState.LISTED
        self.strike_e18 = spec.strike_e18
        self.verdicts: dict[StrategyId, Verdicts] = {}
        self.scene: Scene | None = None
        self.valued = Valued()
        self.waits: dict[StrategyId, int] = {}  # the news that each strategy waits for; else any
        self.rests: dict[StrategyId, int] = {}  # until when time alone is no news to each; else 0
        self.mids = RollingMove(window_ms * MS)
        self.lag = LagMeter(lag_ns)
        self.top = Top(0, 0, 10_000, 0)
        self.last_trade_ns: dict[StrategyId, int] = {}
        self.prints = 0
        self.witness_ns = 0
        self.resync_ns = 0
        self.resync_wait_ns = 0  # least time to the next snapshot asked for; 0 once in sync
        self.resolved_e4: int | None = None
        self.tick_e4 = 0  # by an event of the venue, 0 while only metadata has said
        self.tick_stamp_ms = 0
        self.tick_ns = 0

    def stir(self) -> None:
        """Lets every strategy look again, whatever it waits for."""
        self.waits.clear()
        self.rests.clear()


class Asset:
    """Is one asset's reference with what is measured on it."""

    def __init__(self, name: str, settings: Settings) -> None:
        s1 = settings.strategies.S1
        self.ref = Reference(name, s1.move_window_ms, settings.pricing.basis_half_life_s)
        pricing = settings.pricing
        ratio = settings.assets[name].vol_ratio
        self.vol = Volatility(pricing, ratio * pricing.vol_base_bps * 1e-4)
        self.tail_log_sd = pricing.tail_log_sd
        self.burst_ns = 0  # since when the reference has been moving beyond S1's threshold
        self.burst_up = False
        self.lag_ns = s1.lag_half_life_ms * MS
        self.changed = False


@dataclass(slots=True)
class GateCount:
    """Counts one gate: the last minute by second, and the run."""

    run: int = 0
    now: float = 0.0
    limit: float = 0.0
    seconds: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=MINUTE_S))

    def hit(self, second: int, blocked: Blocked) -> None:
        """Counts one stop."""
        self.run += 1
        self.now, self.limit = blocked.now, blocked.limit
        if self.seconds and self.seconds[-1][0] == second:
            self.seconds[-1] = (second, self.seconds[-1][1] + 1)
        else:
            self.seconds.append((second, 1))

    def last_minute(self, second: int) -> int:
        """Returns the stops of the last 60 s."""
        return sum(count for at, count in self.seconds if at > second - MINUTE_S)


@dataclass(slots=True)
class Tallies:
    """Counts what the run summary reports."""

    signals: Counter[str] = field(default_factory=Counter)
    gates: dict[Gate, GateCount] = field(default_factory=dict)
    evaluated: int = 0
    acted: int = 0
    sent: int = 0
    acked: int = 0
    filled: int = 0
    rejected: int = 0
    unknown: int = 0
    killed: int = 0
    cancelled: int = 0
    breakers: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    # (mono_ns, refused?) and (mono_ns, 1e-4 dollars a share): what is old is forgotten, or a cap
    # that stops trading could never lift.
    outcomes: deque[tuple[int, bool]] = field(default_factory=lambda: deque(maxlen=50))
    slips_e4: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=20))
    # (mono_ns, ms) from the last byte of a submit to its answer.
    answers_ms: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=100))
    # (mono_ns, without a readable answer?) of requests to the order path.
    requests: deque[tuple[int, bool]] = field(default_factory=lambda: deque(maxlen=50))
    no_balance: deque[int] = field(default_factory=lambda: deque(maxlen=50))  # mono_ns
    book_gaps: deque[int] = field(default_factory=lambda: deque(maxlen=10_000))  # mono_ns
    silent_ns: int = 0  # when a silent feed was last counted among them
    foreign: int = 0  # orders and fills of our wallet that are not ours, since the last reset
    fee_gap_e5: int = 0  # worst difference of a charged fee since the last reset

    def forget(self, before_ns: int) -> None:
        """Drops outcomes, slippages, answers and requests from before this moment."""
        for rows in (self.outcomes, self.slips_e4, self.answers_ms, self.requests):
            while rows and rows[0][0] < before_ns:
                rows.popleft()

    def answer_p99_ms(self) -> float:
        """Returns the 99th percentile of the answers remembered, 0 without any."""
        found = sorted(ms for _, ms in self.answers_ms)
        return found[(len(found) - 1) * 99 // 100] if found else 0.0


@dataclass(slots=True)
class Seen:
    """Is what the shell last reported about itself and its surroundings."""

    feeds: dict[FeedId, FeedState] = field(default_factory=dict)
    latency: tuple[StageLatency, ...] = ()
    buckets: tuple[StageBuckets, ...] = ()
    channels: dict[str, tuple[AlertState, int]] = field(default_factory=dict)  # and mono_ns
    process: LoopLag = field(default_factory=lambda: LoopLag(0.0, 0.0))
    clock_offset_ms: float | None = None
    clock_error_ms: float | None = None
    venue_mode: VenueModeKind = VenueModeKind.NORMAL
    venue_mode_ns: int = 0


@dataclass(slots=True)
class Halting:
    """Is the story of the last halt: what was live, what is proven gone."""

    started_ns: int = 0
    orders: int = 0
    verified_ns: int = 0
    note: str = ""


@dataclass(slots=True)
class Account:
    """Is where reconciliation stands."""

    asked_ns: int = 0
    reported_ns: int = 0
    opened: bool = False
    reconciled: bool = False
    cash_gap_e6: int = 0
    share_gap: str = ""  # first position that differs, and since when
    share_gap_ns: int = 0
    detail: str = "not yet asked"
    since_s: int = 0
    strangers: set[str] = field(default_factory=set)  # open orders of the wallet, not ours


@dataclass(frozen=True, slots=True)
class Birth:
    """Is what an engine is told once about itself."""

    run: str
    version: str
    mode: Mode
    evidence: Evidence
    config_hash: str
    salt_base: int
    source: str = ""
    meaningless: str = ""
    world: str = ""
    strategies: tuple[str, ...] = ()  # empty: as configured
    rebooted: bool = False  # the machine started anew since the last run: its last rows may be lost


class State:
    """Holds the engine's rooms; `record` is the only way money and orders are written down."""

    def __init__(self, settings: Settings, birth: Birth, books: Books) -> None:
        self.settings = settings
        self.birth = birth
        self.books = books
        self.ledger = Ledger()
        self.orders = Orders(birth.salt_base)
        self.proofs = Proofs(self.orders, settings.risk)
        self.pairs = Pairs(usd_e6(settings.risk.max_unwind_loss_usd))
        self.gate = RiskGate(settings.risk)
        self.breakers = build_breakers(settings)
        self.circuits = Circuits(circuit_limits(settings))
        self.balance_waits = Backoff(BALANCE_WAIT_NS, BALANCE_WAIT_MAX_NS)
        self.trouble = {feed: FeedTrouble() for feed in FeedId}
        self.rungs = Rungs(settings.first_rung())
        self.desks: dict[str, Desk] = {}
        self.specs: dict[str, MarketSpec] = {}  # of markets that need them, desk or none
        self.parameters: dict[str, dict[str, float]] = {}  # in force, by strategy
        self.assets = {name: Asset(name, settings) for name in settings.assets}
        self.strategies: list[Strategy] = build_strategies(settings, birth.strategies)
        self.watch = build_watch(settings, [strategy.id for strategy in self.strategies])
        self.tallies = Tallies()
        self.seen = Seen()
        self.halting = Halting()
        self.account = Account()
        self.events: deque[EventRow] = deque(maxlen=EVENTS_KEPT)
        self.decisions: deque[DecisionRow] = deque(maxlen=DECISIONS_KEPT)
        self.fills: deque[FillRow] = deque(maxlen=FILLS_KEPT)
        self.marking: dict[tuple[str, str], int] = {}  # fills not marked to the end, since when
        self.alerts: dict[str, AlertRow] = {}
        self._told_ns: dict[str, int] = {}  # when each alert was last sent
        self.equity: deque[int] = deque(maxlen=24 * 60)
        self.equity_minute = 0
        self.peak_e6: int | None = None
        self.rungs.armed = birth.mode is not Mode.LIVE
        self.started = Instant(0, 0)
        self.frame = 0
        self.next_id = 0
        self.next_tick_ns = 0
        self.next_look_ns = 0
        self.stirred = True  # a fact came that may move a breaker's number
        self.next_beat_ns = 0
        self.beat_ns = 0  # when the heartbeat left that is not answered, 0 without one
        self.unproven: set[str] = set()  # markets with a fill unproven for too long (F44)
        self.trigger_ns = 0  # receipt of the frame being handled
        self.stop_why = ""
        self.stop_deadline_ns = 0
        self.exited = False
        self.event_seq = 0

    def add_desk(self, spec: MarketSpec) -> Desk | None:
        """Opens a market's desk; None when no slot of the router is free."""
        book = self.books.add(spec)
        if book is None:
            return None
        window_ms = self.settings.strategies.S1.move_window_ms
        desk = Desk(spec, book, window_ms, self.assets[spec.asset].lag_ns)
        self.desks[spec.market_id] = desk
        return desk

    def number(self) -> int:
        """Returns the next intent or pair number."""
        self.next_id += 1
        return self.next_id

    def record(self, record: Record, now: Instant, out: list[Command]) -> None:
        """Applies a record to the ledger and asks for it to be journalled."""
        self.ledger.apply(record, now.wall_ns)
        self.gate.calibration.apply(record)
        out.append(Journal(record))

    def tell(self, kind: str, text: str, now: Instant, severity: Severity = Severity.INFO) -> None:
        """Adds a line to the event list."""
        self.event_seq += 1
        self.events.append(EventRow(self.event_seq, now.wall_ns, kind, text, severity))

    def alert(
        self, severity: Severity, key: str, text: str, now: Instant, out: list[Command]
    ) -> None:
        """Raises an alert; the same key counts up and is sent at most once a minute."""
        old = self.alerts.get(key)
        count = old.count + 1 if old else 1
        told_ns = self._told_ns.get(key, now.mono_ns)
        fresh = old is None or old.acked or now.mono_ns - told_ns >= MINUTE_S * SECOND
        wall = now.wall_ns if fresh or old is None else old.wall_ns
        self.alerts[key] = AlertRow(key, wall, severity, text, count, False)
        if len(self.alerts) > EVENTS_KEPT:
            first = next(iter(self.alerts))
            del self.alerts[first], self._told_ns[first]
        if fresh:
            self._told_ns[key] = now.mono_ns
            self.tell("ALERT", text, now, severity)
            out.append(Journal(AlertRaised(severity, key, text)))
            out.append(Alert(severity, key, text))

    def held(self, desk: Desk, strategy: StrategyId) -> dict[Outcome, int]:
        """Returns what a strategy holds in a market, provisional fills included."""
        market_id = desk.spec.market_id
        if market_id not in self.ledger.markets:
            return {}
        return {o: self.ledger.held_e6(market_id, strategy, o) for o in Outcome}


_KINDS: dict[str, Callable[..., Strategy]] = {
    "S1": StaleOdds, "S2": PairBelowDollar, "S3": Maker, "S4": CrossWindow, "S5": VolValue,
    "S6": OrderFlow, "X1": CrossAsset,
}  # fmt: skip


def build_strategies(settings: Settings, only: tuple[str, ...]) -> list[Strategy]:
    """Returns the strategies that are enabled, in order of name; `only` restricts them."""
    own, feeds = settings.strategies, settings.feeds
    return [
        kind(getattr(own, name), feeds)
        for name, kind in _KINDS.items()
        if getattr(own, name).enabled and (not only or name in only)
    ]


# Strategies that ask a touch for shares up to their sizes and read nothing else from it.
_TAKES = ("size_shares", "min_depth_shares", "max_position_shares")
_TOUCH_ONLY = {"S1": _TAKES, "S2": _TAKES[:2], "S4": _TAKES, "S5": _TAKES, "X1": _TAKES}


def touch_mark_e6(settings: Settings) -> int:
    """Returns the most that any strategy asks of a touch, 0 where one of them reads all of it."""
    most = 0.0
    for name in settings.strategies.__struct_fields__:
        own = getattr(settings.strategies, name)
        if not own.enabled:
            continue
        if name not in _TOUCH_ONLY:
            return 0
        most = max(most, *(getattr(own, field) for field in _TOUCH_ONLY[name]))
    return shares_e6(most)

"""Facts that reach the engine. Past tense; every answer repeats when it was asked.

mono_ns stamps are boot clock, stamp_ms the venue's. Rows of books do not travel as events: the
feed applies them to the engine's own books and reports the outcome once per market and burst.
"""

from __future__ import annotations

from enum import Enum

import msgspec

from dailyarb.core.domain.ids import FeedId
from dailyarb.core.domain.market import MarketSpec, Outcome, Side
from dailyarb.core.domain.operator import OperatorVerb
from dailyarb.core.domain.orders import FillState, OrderState
from dailyarb.core.domain.rung import Mode, Rung
from dailyarb.core.domain.settings import Settings


class Fact(msgspec.Struct, frozen=True, gc=False):
    """Is the base of all events."""


class Tick(Fact, frozen=True, gc=False):
    """A deadline the engine asked for has come."""


class TopChanged(Fact, frozen=True, gc=False):
    """A market's book changed in this burst; flags are those of `_fast.router`."""

    market_id: str
    flags: int
    recv_ns: int


class BookDesynced(Fact, frozen=True, gc=False):
    """Continuity of a book is lost; it is believed again after a snapshot of a new epoch."""

    market_id: str
    reason: str


class BookWitness(Fact, frozen=True, gc=False):
    """REST's view of one UP book: a witness for silence, never a source for an entry."""

    market_id: str
    asked_ns: int
    bid_e4: int
    ask_e4: int


class Traded(Fact, frozen=True, gc=False):
    """A print on the venue's tape; side is the taker's."""

    market_id: str
    outcome: Outcome
    side: Side
    price_e4: int
    size_e6: int
    stamp_ms: int


class ReferenceMoved(Fact, frozen=True, gc=False):
    """Binance quote after a burst, with the trades of that burst summed by aggressor."""

    asset: str
    bid_e8: int
    ask_e8: int
    recv_ns: int
    buy_e8: int = 0
    sell_e8: int = 0
    trades: int = 0
    last_e8: int = 0
    event_ns: int = 0  # venue time of the newest trade, 0 without one
    buys: int = 0  # of the trades, those in which a buyer was the aggressor


class SettlementPrice(Fact, frozen=True, gc=False):
    """One value of the settling feed; stamp_ms is the second it belongs to."""

    asset: str
    price_e18: int
    stamp_ms: int
    recv_ns: int
    window_s: int


class FeedStatus(Enum):
    """Is a feed's state by the age of its content, never by its socket."""

    CONNECTING = "CONNECTING"
    FRESH = "FRESH"
    STALE = "STALE"
    DOWN = "DOWN"


class FeedState(Fact, frozen=True, gc=False):
    """A feed's connections and health, on change and once a second."""

    feed: FeedId
    status: FeedStatus
    connections: int
    wanted: int
    age_ms: int
    rate_hz: float
    bytes_hz: float = 0.0
    lag_p50_ms: float = 0.0
    lag_p99_ms: float = 0.0
    gaps: int = 0
    resyncs: int = 0
    reconnects: int = 0
    faults: int = 0
    frames: int = 0
    detail: str = ""


class MarketListed(Fact, frozen=True, gc=False):
    """A window was discovered, or something about it changed (strike, accepting)."""

    spec: MarketSpec


class TickSizeChanged(Fact, frozen=True, gc=False):
    """The venue changed a market's tick: a new epoch."""

    market_id: str
    tick_e4: int
    stamp_ms: int


class Signed(Fact, frozen=True, gc=False):
    """A draft was signed. order_json is the order object as the venue wants it, without owner."""

    draft_id: int
    order_id: str
    order_json: bytes
    sign_ns: int = 0


class LegOutcome(Enum):
    """Is what is proven about one order of a submit."""

    RESTING = "RESTING"
    MATCHED = "MATCHED"
    DELAYED = "DELAYED"
    KILLED = "KILLED"  # FOK/FAK found no match
    REFUSED = "REFUSED"  # proven not accepted
    UNSENT = "UNSENT"  # proven never written to the wire
    UNKNOWN = "UNKNOWN"


class LegResult(msgspec.Struct, frozen=True, gc=False):
    """Is the venue's answer for one order, matched by order id.

    matched_e6 is how many shares the answer says matched at once, -1 where it does not say;
    no_balance says that it was refused for want of cash, allowance or shares (F40).
    """

    order_id: str
    outcome: LegOutcome
    reason: str = ""
    matched_e6: int = -1
    no_balance: bool = False


class SubmitResult(Fact, frozen=True, gc=False):
    """Answers one Submit. restricted names a venue mode that caused the refusal, or is ""."""

    asked_ns: int
    results: tuple[LegResult, ...]
    sent_ns: int = 0  # last byte handed to the kernel
    answered_ns: int = 0
    restricted: str = ""


class OrderReport(Fact, frozen=True, gc=False):
    """The venue's word on one order, by stream (asked_ns = receipt) or by question."""

    order_id: str
    asked_ns: int
    known: bool
    state: OrderState = OrderState.OPEN
    matched_e6: int = 0
    reason: str = ""


class Fill(Fact, frozen=True, gc=False):
    """Our part of one trade. fee_e6 is -1 where the venue does not say."""

    trade_id: str
    order_id: str
    market_id: str
    outcome: Outcome
    side: Side
    price_e4: int
    size_e6: int
    maker: bool
    state: FillState
    match_ns: int  # venue time
    fee_e6: int = -1
    recv_ns: int = 0


class FillConfirmed(Fact, frozen=True, gc=False):
    """A fill is final."""

    trade_id: str
    order_id: str


class FillVoided(Fact, frozen=True, gc=False):
    """A fill failed to settle: it never happened."""

    trade_id: str
    order_id: str
    reason: str = ""


class CancelResult(Fact, frozen=True, gc=False):
    """Answers a cancel: a request, not a state.

    proven=False means that nothing is known of the orders; refused then names the venue mode in
    which it takes no cancels, or is "" where no answer could be read.
    """

    asked_ns: int
    cancelled: tuple[str, ...]
    not_cancelled: tuple[tuple[str, str], ...] = ()
    proven: bool = True
    all_orders: bool = False
    refused: str = ""


class HeartbeatResult(Fact, frozen=True, gc=False):
    """Answers a heartbeat; not ok means "may be cancelled", not "is".

    refused names the venue mode in which it takes none, or is "" where no answer could be read.
    """

    asked_ns: int
    ok: bool
    refused: str = ""


class OpenOrder(msgspec.Struct, frozen=True, gc=False):
    """Is one row of the venue's open-order list."""

    order_id: str
    market_id: str
    outcome: Outcome
    side: Side
    price_e4: int
    size_e6: int
    matched_e6: int


class AccountReport(Fact, frozen=True, gc=False):
    """One snapshot of the account. Incomplete ones prove nothing (F49)."""

    asked_ns: int
    complete: bool
    cash_e6: int = 0
    open_orders: tuple[OpenOrder, ...] = ()
    fills: tuple[Fill, ...] = ()
    positions: tuple[tuple[str, int], ...] = ()  # (token, size_e6)


class ClaimReport(Fact, frozen=True, gc=False):
    """A payout reached the account, or a claim failed."""

    market_id: str
    ok: bool
    cash_e6: int = 0
    detail: str = ""


class Resolved(Fact, frozen=True, gc=False):
    """The venue decided a market; up_price_e4 is 10,000, 0, or 5,000 on a split."""

    market_id: str
    up_price_e4: int


class VenueModeKind(Enum):
    """Is what the order venue accepts."""

    NORMAL = "NORMAL"
    RESTARTING = "RESTARTING"
    POST_ONLY = "POST_ONLY"
    CANCEL_ONLY = "CANCEL_ONLY"
    CLOSED_ONLY = "CLOSED_ONLY"  # our account or region may sell, not buy
    BLOCKED = "BLOCKED"
    AUTH_FAILED = "AUTH_FAILED"


class VenueMode(Fact, frozen=True, gc=False):
    """The order venue changed what it accepts."""

    kind: VenueModeKind
    retry_after_s: float = 0.0
    detail: str = ""


class ClockOffset(Fact, frozen=True, gc=False):
    """Venue time minus wall clock, with its uncertainty."""

    offset_ms: float
    error_ms: float


class LoopLag(Fact, frozen=True, gc=False):
    """Worst lateness of the engine's loop in the last second, and the process's own costs."""

    p99_ms: float
    max_ms: float
    cpu_percent: float = 0.0
    rss_mb: float = 0.0
    gc_ms: float = 0.0
    open_files: int = 0
    disk_free_gb: float = 0.0
    journal_mb: float = 0.0
    tasks: int = 0


class Woke(Fact, frozen=True, gc=False):
    """The process stood still: stopped, suspended, or starved for this long."""

    gap_ms: int


class StageLatency(msgspec.Struct, frozen=True, gc=False):
    """Is one row of the latency table, microseconds."""

    stage: str
    count: int
    p50_us: float
    p99_us: float
    p999_us: float
    max_us: float


# Upper bounds of the latency buckets, nanoseconds; a last bucket without a bound follows.
LATENCY_BOUNDS_NS: tuple[int, ...] = tuple(
    step * 10**power for power in range(2, 10) for step in (1, 2, 5)
)


class StageBuckets(msgspec.Struct, frozen=True, gc=False):
    """Is the histogram of one stage since the run began.

    counts[i] is how many times were at most LATENCY_BOUNDS_NS[i]; the last one is all of them.
    """

    stage: str
    counts: tuple[int, ...]
    sum_s: float


class LatencyReport(Fact, frozen=True, gc=False):
    """Latencies measured by the shell, once a second."""

    stages: tuple[StageLatency, ...]
    buckets: tuple[StageBuckets, ...] = ()


class OperatorCommand(Fact, frozen=True, gc=False):
    """An operator asked for something; journalled like any event. request_id is answered."""

    verb: OperatorVerb
    who: str
    request_id: int = 0
    target: str = ""  # market id, order id, breaker, strategy, instance name, by verb
    rung: Rung | None = None
    mode: Mode | None = None
    reason: str = ""
    frame: int = 0  # number of the View the decision rested on, 0 without one
    confirmed: bool = False
    settings: Settings | None = None  # of RELOAD: what the file says now, once it passed its checks
    config_hash: str = ""


class ParametersChosen(Fact, frozen=True, gc=False):
    """A tuner's draw arrives as a fact."""

    strategy: str
    values: tuple[tuple[str, float], ...]


class AlertState(Fact, frozen=True, gc=False):
    """Health of one alert channel, from the keeper; ages in seconds at the time of the report."""

    channel: str
    ok: bool
    undelivered: int = 0
    detail: str = ""
    told_s: float | None = None  # since the channel last took something
    critical_s: float = 0.0  # since the oldest critical alert waits that reached no channel


class TaskDied(Fact, frozen=True, gc=False):
    """A task of the shell ended unexpectedly."""

    task: str
    critical: bool
    error: str


class DiskState(Fact, frozen=True, gc=False):
    """State of the journal's disk: age of the last sync, and the first error."""

    sync_age_ms: int
    free_mb: int
    error: str = ""


class CheckpointDue(Fact, frozen=True, gc=False):
    """A quiet moment to write down what is known."""


class StopRequested(Fact, frozen=True, gc=False):
    """SIGTERM, the end of --duration, or a stop by the operator."""

    why: str
    at_once: bool = False


Event = (
    Tick
    | TopChanged
    | BookDesynced
    | BookWitness
    | Traded
    | ReferenceMoved
    | SettlementPrice
    | FeedState
    | MarketListed
    | TickSizeChanged
    | Signed
    | SubmitResult
    | OrderReport
    | Fill
    | FillConfirmed
    | FillVoided
    | CancelResult
    | HeartbeatResult
    | AccountReport
    | ClaimReport
    | Resolved
    | VenueMode
    | ClockOffset
    | LoopLag
    | Woke
    | LatencyReport
    | OperatorCommand
    | ParametersChosen
    | AlertState
    | TaskDied
    | DiskState
    | CheckpointDue
    | StopRequested
)

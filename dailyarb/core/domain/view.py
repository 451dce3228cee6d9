"""The View: everything a console shows, laid on the board ten times a second.

Immutable, built by the engine, read by anybody. Ages are those at `mono_ns`; a reader adds the
time since. Optional numbers are None when there is nothing to say, never zero. Depth of books is
not here: it lies on the board beside the View, at `MarketRow.book_slot`.
"""

from __future__ import annotations

import msgspec

from dailyarb.core.domain.events import (
    FeedState,
    LoopLag,
    StageBuckets,
    StageLatency,
    VenueModeKind,
)
from dailyarb.core.domain.ids import Gate, Severity, StrategyId
from dailyarb.core.domain.market import MarketState, Outcome, Side, Window
from dailyarb.core.domain.orders import BookState, OrderState
from dailyarb.core.domain.rung import Evidence, Mode, Rung, RungCause


class Pane(msgspec.Struct, frozen=True, gc=False):
    """Is the base of all parts of the View."""


class GateHit(Pane, frozen=True, gc=False):
    """Is the gate that stopped something, its number and its limit."""

    gate: Gate
    now: float = 0.0
    limit: float = 0.0
    strategy: StrategyId | None = None
    since_ns: int = 0  # venue time


class Touch(Pane, frozen=True, gc=False):
    """Is the best bid and ask of one outcome; None where a side is empty."""

    bid_e4: int | None
    ask_e4: int | None
    bid_e6: int = 0
    ask_e6: int = 0


class Desk(Pane, frozen=True, gc=False):
    """Is one row of the desk: one open window."""

    market_id: str
    label: str
    asset: str
    window: Window
    start_ns: int
    end_ns: int
    book_slot: int
    state: MarketState
    book: BookState
    book_age_ms: int | None
    up: Touch
    down: Touch
    tick_e4: int
    strike: float | None  # settling value at the open
    settle: float | None  # newest settling value
    spot: float | None  # Binance mid
    dist_bp: float | None  # settling price against strike
    basis_bp: float | None
    fair_e4: int | None  # model P(UP)
    edge_e4: int | None  # best edge at the touch over both sides, before fee
    edge_outcome: Outcome | None
    pos_up_e6: int
    pos_down_e6: int
    avg_e4: int | None  # average cost of the net side, fees included
    upnl_e6: int | None  # at mid; None without a mid
    worst_e6: int  # worst outcome at settlement, resting orders assumed filled; <= 0 is a loss
    best_e6: int
    word: str  # QUOTE, TAKE, HEDGE, EXIT, HOLD, WATCH, STALE!, ROLL, CLOSED, SETTLING
    why: GateHit | None
    rung: Rung
    refusal: str = ""
    trades: int = 0  # prints on the tape since listed
    frames: int = 0


class SignalRow(Pane, frozen=True, gc=False):
    """Is one signal of one market: a number with its unit, age and verdict."""

    market_id: str
    strategy: StrategyId
    name: str
    value: float
    unit: str
    limit: float | None
    age_ms: int
    verdict: str  # PASS, fail, off, - where an earlier gate kept it from being asked


class GateRow(Pane, frozen=True, gc=False):
    """Counts how often a gate stopped evaluations."""

    gate: Gate
    now: float
    limit: float
    markets: int  # blocked at the moment
    last_60s: int
    run: int


class DecisionRow(Pane, frozen=True, gc=False):
    """Is one evaluation that changed its verdict: an act or the gate that stopped it."""

    wall_ns: int
    market_id: str
    label: str
    strategy: StrategyId
    acted: bool
    gate: Gate | None
    outcome: Outcome | None
    side: Side | None
    price_e4: int
    size_e6: int
    edge_e4: int
    fee_e4: int
    net_e4: int
    note: str = ""
    now: float = 0.0  # the gate's number and its limit, in the gate's unit
    limit: float = 0.0


class OrderRow(Pane, frozen=True, gc=False):
    """Is one order, open or recent."""

    order_id: str
    market_id: str
    label: str
    strategy: StrategyId
    outcome: Outcome
    side: Side
    price_e4: int
    size_e6: int
    filled_e6: int
    queue_e6: int | None  # shares ahead of us, an estimate
    state: OrderState
    sent_wall_ns: int
    age_ms: int
    ttl_ms: int | None
    ack_ms: float | None
    edge_e4: int
    reason: str = ""


class FillRow(Pane, frozen=True, gc=False):
    """Is one fill with its slippage and markouts (cents x 100 per share, None until due)."""

    wall_ns: int
    trade_id: str
    order_id: str
    market_id: str
    label: str
    strategy: StrategyId
    outcome: Outcome
    side: Side
    price_e4: int
    size_e6: int
    fee_e6: int
    maker: bool
    chain: str  # MATCHED, CONFIRM, FAILED!
    slip_e4: int
    markout_1s_e4: int | None
    markout_5s_e4: int | None
    markout_30s_e4: int | None
    evidence: Evidence


class PnlRow(Pane, frozen=True, gc=False):
    """Is profit and loss of one strategy, market, window or the whole, one evidence class."""

    key: str
    evidence: Evidence
    net_e6: int  # realised + open at mid - fees
    realised_e6: int  # before fees
    fees_e6: int
    unrealised_e6: int
    fills: int
    wins: int
    losses: int
    volume_e6: int
    markout_5s_e4: float | None = None
    max_drawdown_e6: int = 0


class HourRow(Pane, frozen=True, gc=False):
    """Is a strategy's net P&L in each UTC hour of the day; None where nothing happened."""

    key: str
    evidence: Evidence
    net_e6: tuple[int | None, ...]  # 24


class Books(Pane, frozen=True, gc=False):
    """Is the reconcile line: what the parts add up to, and the residual, which must be zero."""

    opening_e6: int
    realised_e6: int
    fees_e6: int
    payouts_e6: int
    unrealised_e6: int
    equity_e6: int
    residual_e6: int
    cash_e6: int
    free_e6: int
    provisional_e6: int  # matched, not confirmed
    locked_e6: int = 0  # in completed pairs, until they are merged or their window is settled


class LimitRow(Pane, frozen=True, gc=False):
    """Is one limit: now against maximum."""

    name: str
    now: float
    limit: float
    unit: str
    scope: str = "total"


class BreakerRow(Pane, frozen=True, gc=False):
    """Is one trading breaker, or one rule of degradation."""

    name: str
    now: float | None
    limit: float
    unit: str
    state: str  # ok, warn, TRIPPED, latched
    effect: Rung
    reset: str  # auto, manual
    since_ns: int | None
    trips: int
    cause: str = ""


class CircuitRow(Pane, frozen=True, gc=False):
    """Is the circuit of one dependency; the effect holds while it is not CLOSED."""

    name: str
    state: str  # CLOSED, OPEN, HALF_OPEN
    count: int  # failures in a row while CLOSED, successes in a row while HALF_OPEN
    limit: int  # at which it opens, or closes
    effect: Rung
    since_ns: int | None  # venue time of the last change of state
    opened: int
    cause: str = ""


class RungRow(Pane, frozen=True, gc=False):
    """Is one rung in force and why."""

    scope: str  # global, operator, S1, market label
    rung: Rung
    cause: RungCause
    detail: str


class AuditRow(Pane, frozen=True, gc=False):
    """Is one line of reconciliation: what was compared, when, and the difference."""

    name: str
    age_ms: int | None
    ok: bool
    detail: str


class EventRow(Pane, frozen=True, gc=False):
    """Is one line of the event list.

    kind is FILL, ORDER, CANCEL, REJECT, BRK, ALERT, SETTL, ROLL, CMD or MODE.
    """

    seq: int
    wall_ns: int
    kind: str
    text: str
    severity: Severity = Severity.INFO


class AlertRow(Pane, frozen=True, gc=False):
    """Is one alert; the same key counts up instead of repeating."""

    key: str
    wall_ns: int
    severity: Severity
    text: str
    count: int
    acked: bool


class ChannelRow(Pane, frozen=True, gc=False):
    """Is one channel that alerts leave by, as the keeper last reported it."""

    channel: str
    ok: bool
    undelivered: int
    told_ms: int | None  # since it last took something; None: never
    detail: str = ""


class FunnelRow(Pane, frozen=True, gc=False):
    """Is one stage of the order funnel or one reason for not filling."""

    name: str
    count: int
    loss: bool = False


class SeriesPoint(Pane, frozen=True, gc=False):
    """Is one second of the reference chart of an asset."""

    wall_s: int
    spot: float | None
    settle: float | None


class AssetRow(Pane, frozen=True, gc=False):
    """Is the reference of one asset."""

    asset: str
    spot: float | None
    spot_age_ms: int | None
    settle: float | None
    settle_age_ms: int | None
    basis_bp: float | None
    basis_sd_bp: float | None
    vol_60s: float | None  # per root second
    vol_ewma: float | None
    move_bp: float | None  # within S1's window
    flow_5s: float | None  # -1 .. 1
    lag_ms: float | None  # measured lag of the book behind the reference
    series: tuple[SeriesPoint, ...]


class BootStep(Pane, frozen=True, gc=False):
    """Is one line of the start-up checklist."""

    name: str
    done: bool
    detail: str = ""


class View(Pane, frozen=True, gc=False):
    """Is one frame of the console."""

    frame: int
    run: str
    instance: str
    mode: Mode
    evidence: Evidence
    armed: bool
    source: str  # what stands behind the numbers, e.g. "embedded seed 1", "replay cronos"
    meaningless: str  # why signals mean nothing here, or ""
    mono_ns: int
    wall_ns: int
    started_ns: int
    config_hash: str
    # status rows
    rung: Rung
    rung_cause: RungCause
    rung_detail: str
    operator_rung: Rung
    day_net_e6: int
    unrealised_e6: int
    fees_e6: int
    equity_e6: int
    free_e6: int
    worst_e6: int
    worst_limit_e6: int
    exposure_e6: int
    open_orders: int
    unknown_orders: int
    breakers_tripped: int
    alerts_open: int
    clock_offset_ms: float | None
    clock_error_ms: float | None
    venue_mode: VenueModeKind
    halt_note: str  # "HALTING 2 orders", "HALTED 2/2 cancelled, verified 0.4 s", ""
    booting: tuple[BootStep, ...]
    # panes
    markets: tuple[Desk, ...]
    assets: tuple[AssetRow, ...]
    signals: tuple[SignalRow, ...]
    gates: tuple[GateRow, ...]
    decisions: tuple[DecisionRow, ...]
    orders: tuple[OrderRow, ...]
    fills: tuple[FillRow, ...]
    funnel: tuple[FunnelRow, ...]
    pnl: tuple[PnlRow, ...]  # by strategy
    pnl_markets: tuple[PnlRow, ...]
    hours: tuple[HourRow, ...]
    equity_curve: tuple[int, ...]  # cash_e6, one a minute, newest last
    books: Books
    limits: tuple[LimitRow, ...]
    breakers: tuple[BreakerRow, ...]
    rungs: tuple[RungRow, ...]
    audits: tuple[AuditRow, ...]
    feeds: tuple[FeedState, ...]
    latency: tuple[StageLatency, ...]
    process: LoopLag
    events: tuple[EventRow, ...]  # newest last
    alerts: tuple[AlertRow, ...]
    pairs_open: int = 0
    naked_e6: int = 0
    channels: tuple[ChannelRow, ...] = ()
    buckets: tuple[StageBuckets, ...] = ()
    pairs: tuple[FunnelRow, ...] = ()  # of this run, by how they ended
    circuits: tuple[CircuitRow, ...] = ()

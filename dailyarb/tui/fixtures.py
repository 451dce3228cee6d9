"""Canned views on a fixed clock: what tests and screenshots show.

Every function is deterministic. The numbers are examples; they are marked SIM or whatever their
evidence says, like real ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from dailyarb.core.domain.events import (
    LATENCY_BOUNDS_NS,
    FeedState,
    FeedStatus,
    LoopLag,
    StageBuckets,
    StageLatency,
    VenueModeKind,
)
from dailyarb.core.domain.ids import FeedId, Gate, Severity
from dailyarb.core.domain.market import Outcome, Side
from dailyarb.core.domain.orders import OrderState
from dailyarb.core.domain.rung import MODE_EVIDENCE, Evidence, Mode, Rung, RungCause
from dailyarb.core.domain.view import (
    AlertRow,
    AssetRow,
    AuditRow,
    Books,
    BootStep,
    BreakerRow,
    ChannelRow,
    DecisionRow,
    EventRow,
    FillRow,
    FunnelRow,
    GateHit,
    GateRow,
    HourRow,
    LimitRow,
    OrderRow,
    PnlRow,
    RungRow,
    SeriesPoint,
    SignalRow,
    Touch,
    View,
)
from dailyarb.tui.fixture_markets import NOW_NS, S1, S2, SECOND, books, desk, ladder
from dailyarb.tui.source import BookLike, Depth

__all__ = ["NOW_NS", "books", "desk", "ladder"]

MONO_NS = 90_000 * SECOND


def _orders() -> tuple[OrderRow, ...]:
    rows = (
        (0, S1, Outcome.UP, Side.BUY, 5600, 120, 40, 640, OrderState.OPEN, 6.1, 84.0, 110, ""),
        (7, S1, Outcome.UP, Side.SELL, 6400, 200, 0, 1900, OrderState.OPEN, 47.0, 79.0, 360, ""),
        (2, S2, Outcome.DOWN, Side.BUY, 4800, 80, 80, None, OrderState.FILLED, 23.0, 91.0, 40, ""),
        (1, S1, Outcome.UP, Side.BUY, 5100, 60, 0, None, OrderState.EXPIRED, 129.0, 82.0, 130,
         "no match"),
        (3, S2, Outcome.DOWN, Side.BUY, 4900, 40, 0, None, OrderState.REFUSED, 156.0, 90.0, 50,
         "not enough balance"),
        (5, S1, Outcome.UP, Side.BUY, 4300, 20, 0, None, OrderState.CANCELLED, 190.0, 88.0, 80, ""),
    )  # fmt: skip
    return tuple(
        OrderRow(
            order_id=f"0x8f{index:02d}21", market_id=f"0xm{market:02d}", label=desk(market).label,
            strategy=strategy, outcome=outcome, side=side, price_e4=price, size_e6=size * 1_000_000,
            filled_e6=done * 1_000_000, queue_e6=queue * 1_000_000 if queue else None, state=state,
            sent_wall_ns=NOW_NS - int(age * SECOND), age_ms=int(age * 1000),
            ttl_ms=9_000 if state is OrderState.OPEN else None, ack_ms=ack, edge_e4=edge,
            reason=reason,
        )
        for index, (market, strategy, outcome, side, price, size, done, queue, state, age, ack,
                    edge, reason) in enumerate(rows)
    )  # fmt: skip


def _fills(evidence: Evidence) -> tuple[FillRow, ...]:
    rows = (
        (0, S1, Outcome.UP, 5600, 40, 2, True, "MATCHED", 0, 12, None, None),
        (2, S2, Outcome.DOWN, 4800, 80, 23, True, "MATCHED", 0, 5, 8, None),
        (1, S1, Outcome.UP, 5100, 60, 125, False, "CONFIRM", -10, 20, 31, 44),
        (3, S2, Outcome.DOWN, 4900, 40, 156, True, "CONFIRM", 0, -4, 2, 10),
        (7, S1, Outcome.UP, 6220, 200, 1502, False, "CONFIRM", -20, 10, 42, -18),
        (5, S1, Outcome.UP, 4100, 20, 1733, False, "FAILED!", 0, None, None, None),
    )
    return tuple(
        FillRow(
            wall_ns=NOW_NS - ago * SECOND, trade_id=f"t{index}", order_id=f"0x8f{index:02d}21",
            market_id=f"0xm{market:02d}", label=desk(market).label, strategy=strategy,
            outcome=outcome, side=Side.BUY, price_e4=price, size_e6=size * 1_000_000,
            fee_e6=0 if maker else 91_300, maker=maker, chain=chain, slip_e4=slip, markout_1s_e4=m1,
            markout_5s_e4=m5, markout_30s_e4=m30, evidence=evidence,
        )
        for index, (market, strategy, outcome, price, size, ago, maker, chain, slip, m1, m5,
                    m30) in enumerate(rows)
    )  # fmt: skip


def _signals() -> tuple[SignalRow, ...]:
    names = (
        (S1, "move", 3.1, "bp", 2.0, 41, "PASS"),
        (S1, "sigma", 0.9, "bp/√s", None, 41, "PASS"),
        (S1, "dist", 12.4, "bp", 1.1, 41, "PASS"),
        (S1, "decay", 0.94, "", None, 41, "-"),
        (S1, "edge net", 0.7, "¢", 1.0, 41, "fail"),
        (S2, "mirror", 100.0, "¢", 100.0, 12, "-"),
        (S2, "ask+ask", 101.0, "¢", 96.0, 12, "-"),
        (S2, "bid+bid", 99.0, "¢", 98.0, 12, "off"),
    )
    return tuple(
        SignalRow(f"0xm{market:02d}", strategy, name, value, unit, limit, age, word)
        for market in range(10)
        for strategy, name, value, unit, limit, age, word in names
    )


def _gates() -> tuple[GateRow, ...]:
    rows = (
        (Gate.EDGE_BELOW_MIN, -0.7, 1.0, 2, 812, 31_204),
        (Gate.MOVE_BELOW_MIN, 0.4, 2.0, 1, 644, 80_112),
        (Gate.SPREAD_ABOVE_MAX, 3.0, 2.0, 1, 201, 9_871),
        (Gate.BOOK_STALE, 2400, 2000, 1, 120, 733),
        (Gate.COOLDOWN, 1400, 3000, 1, 68, 4_102),
        (Gate.SUM_ABOVE_LIMIT, 101.0, 99.5, 9, 1_204, 140_310),
        (Gate.DEPTH_THIN, 8, 20, 1, 31, 902),
        (Gate.TIME_TO_CLOSE, 18, 20, 0, 4, 211),
        (Gate.RUNG, 0, 0, 0, 0, 12),
    )
    return tuple(GateRow(*row) for row in rows)


def _decisions() -> tuple[DecisionRow, ...]:
    def decision(ago: int, market: int, acted: bool, gate: Gate | None, edge: int) -> DecisionRow:
        return DecisionRow(
            NOW_NS - ago * SECOND,
            f"0xm{market:02d}",
            desk(market).label,
            S2 if market == 2 else S1,
            acted,
            gate,
            Outcome.UP,
            Side.BUY,
            desk(market).up.ask_e4 or 0,
            20_000_000,
            edge,
            160,
            edge - 160,
            "" if gate else "sent",
            edge / 100,
            1.1,
        )

    return (
        decision(2, 0, True, None, 340),
        decision(3, 1, False, Gate.EDGE_BELOW_MIN, -70),
        decision(9, 4, False, Gate.BOOK_STALE, 80),
        decision(12, 3, False, Gate.MOVE_BELOW_MIN, -90),
        decision(23, 2, True, None, 250),
        decision(33, 6, False, Gate.DEPTH_THIN, -100),
        decision(41, 1, False, Gate.BOOK_ANSWERED, 120),
        decision(68, 5, False, Gate.SPREAD_ABOVE_MAX, 50),
    )


def _events() -> tuple[EventRow, ...]:
    rows = (
        (127, "ROLL", "BTC 5m 14:30-14:35 strike 112,582.4", Severity.INFO),
        (72, "CMD", "you: risk REDUCED -> FULL confirmed", Severity.INFO),
        (55, "SETTL", "BTC 5m 14:25 UP +4.20 claim pending", Severity.INFO),
        (27, "BRK", "feed.pm.sol TRIP age 2.1s > 2.0s", Severity.WARNING),
        (24, "CANCEL", "SOL 5m BUY U 20@43 expired", Severity.INFO),
        (15, "BRK", "feed.pm.sol reset (auto 12 s)", Severity.INFO),
        (9, "ALERT", "SOL 15m book stale 2.4s", Severity.WARNING),
        (6, "ORDER", "BTC 15m BUY U 120@56", Severity.INFO),
        (2, "FILL", "BTC 15m BUY U 40@56 maker edge +1.1¢", Severity.INFO),
    )
    return tuple(
        EventRow(188_000 + index, NOW_NS - ago * SECOND, kind, text, severity)
        for index, (ago, kind, text, severity) in enumerate(rows)
    )


def _pnl(evidence: Evidence) -> tuple[PnlRow, ...]:
    return (
        PnlRow("S1", evidence, 118_200_000, 123_360_000, 4_400_000, -760_000, 29, 18, 11,
               1_410_000_000, 42.0, -9_800_000),
        PnlRow("S2", evidence, 10_240_000, 11_860_000, 1_620_000, 0, 12, 11, 1, 402_000_000, 5.0,
               -1_100_000),
    )  # fmt: skip


def _pnl_markets(evidence: Evidence) -> tuple[PnlRow, ...]:
    return tuple(
        PnlRow(desk(index).label, evidence, net * 10_000, net * 10_000 + 200_000, 120_000, -80_000,
               fills, wins, fills - wins, fills * 24_000_000, 1.0 * net / 100, -net * 900)
        for index, (net, fills, wins) in enumerate(
            ((6_120, 14, 10), (2_204, 6, 4), (1_010, 8, 7), (410, 4, 3), (-220, 2, 0), (0, 0, 0))
        )
    )  # fmt: skip


def _hours(evidence: Evidence) -> tuple[HourRow, ...]:
    day = (2, 4, 4, -8, 6, 9, 12, 6, 4, 31, 2, 4, 9, 13, 29)
    side = (0, 1, 1, 0, 1, 2, 0, 1, 0, 3, 0, 1, 0, 0, 0)
    rest: tuple[int | None, ...] = (None,) * 9
    return (
        HourRow("S1", evidence, (*(net * 1_000_000 for net in day), *rest)),
        HourRow("S2", evidence, (*(net * 1_000_000 or None for net in side), *rest)),
    )


def _limits() -> tuple[LimitRow, ...]:
    return (
        LimitRow("max loss", 275.16, 1500, "$"),
        LimitRow("day loss", 0, 250, "$"),
        LimitRow("open positions", 3, 8, ""),
        LimitRow("orders/min", 4, 60, ""),
        LimitRow("unknown orders", 0, 1, ""),
        LimitRow("naked pair", 0, 60, "$"),
        LimitRow("market loss", 124.4, 200, "$", "BTC 1h"),
        LimitRow("notional/trade", 67.2, 120, "$", "S1"),
    )


def _breakers(stale: bool) -> tuple[BreakerRow, ...]:
    def breaker(
        name: str, now: float | None, limit: float, unit: str, trips: int = 0
    ) -> BreakerRow:
        return BreakerRow(name, now, limit, unit, "ok", Rung.HEDGE_ONLY, "auto", None, trips)

    feed = breaker("feed.pm", 0.1, 2.0, "s", 1)
    if stale:
        feed = BreakerRow("feed.pm", 4.2, 2.0, "s", "TRIPPED", Rung.HEDGE_ONLY, "auto",
                          NOW_NS - 4 * SECOND, 2, "no content on any connection")  # fmt: skip
    return (
        feed,
        breaker("feed.binance", 0.0, 0.5, "s"),
        breaker("feed.settle", 0.8, 4.0, "s"),
        breaker("feed.user", 0.2, 15.0, "s"),
        breaker("order.latency", 84, 2000, "ms"),
        breaker("order.reject", 1.2, 30, "%"),
        breaker("order.unknown", 0, 1, ""),
        BreakerRow("loss.day", 0.0, 250, "$", "ok", Rung.HALTED, "manual", None, 0),
        breaker("clock.offset", 3, 500, "ms"),
    )


def _feeds(stale: bool) -> tuple[FeedState, ...]:
    fresh = FeedStatus.FRESH
    return (
        FeedState(
            FeedId.POLYMARKET,
            FeedStatus.STALE if stale else fresh,
            2,
            2,
            4200 if stale else 100,
            0.0 if stale else 212.0,
            88_000.0,
            61.0,
            140.0,
            1,
            2,
            1,
            0,
            1_204_113,
            "2 of 2 connections",
        ),
        FeedState(
            FeedId.BINANCE, fresh, 2, 2, 20, 940.0, 171_000.0, 4.1, 22.0, 0, 0, 0, 0, 6_120_448
        ),
        FeedState(
            FeedId.SETTLEMENT, fresh, 1, 1, 800, 3.0, 900.0, 310.0, 702.0, 0, 0, 0, 0, 34_120
        ),
        FeedState(FeedId.USER, fresh, 1, 1, 200, 0.4, 210.0, 40.0, 71.0, 0, 0, 0, 0, 4_021),
    )


def _buckets(row: StageLatency) -> StageBuckets:
    """Returns a histogram that has the percentiles of a row."""
    steps = ((row.max_us, 1.0), (row.p999_us, 0.999), (row.p99_us, 0.99), (row.p50_us, 0.5))
    counts = []
    for bound in LATENCY_BOUNDS_NS:
        part = next((part for us, part in steps if bound >= us * 1000), 0.0)
        counts.append(round(row.count * part))
    return StageBuckets(row.stage, (*counts, row.count), row.count * row.p50_us / 1e6)


def _latency() -> tuple[StageLatency, ...]:
    rows = (
        ("decode", 7_358_000, 0.31, 0.92, 4.1, 88),
        ("tick_to_decision", 1_204_000, 9.2, 31, 120, 900),
        ("sign", 131, 24, 38, 51, 70),
        ("decision_to_order", 131, 48, 92, 160, 410),
        ("tick_to_order", 131, 60, 140, 260, 520),
        ("send_to_ack", 131, 84_000, 210_000, 390_000, 402_000),
        ("match_to_confirm", 92, 2_100_000, 4_900_000, 6_100_000, 6_300_000),
    )
    return tuple(StageLatency(*row) for row in rows)


def _assets() -> tuple[AssetRow, ...]:
    def asset(name: str, spot: float, salt: float) -> AssetRow:
        series = tuple(
            SeriesPoint(
                NOW_NS // SECOND - 180 + second,
                spot * (1 + 0.0006 * math.sin((second + salt) / 29) + 0.000004 * second - 0.00072),
                spot * (1 + 0.0005 * math.sin((second - 6 + salt) / 29) - 0.0004),
            )
            for second in range(181)
        )
        return AssetRow(name, spot, 20, spot * 0.99988, 800, 1.2, 0.8, 0.00009, 0.00008, 3.1, 0.31,
                        900.0, series)  # fmt: skip

    return (asset("BTC", 112_561.0, 0), asset("ETH", 4_312.1, 40), asset("SOL", 221.01, 80),
            asset("XRP", 3.1154, 120))  # fmt: skip


def _funnel() -> tuple[FunnelRow, ...]:
    return (
        FunnelRow("passed gates", 102), FunnelRow("sent", 96), FunnelRow("acknowledged", 95),
        FunnelRow("filled any", 41), FunnelRow("confirmed", 40),
        FunnelRow("FAK found no match", 31, True), FunnelRow("we cancelled", 17, True),
        FunnelRow("post-only would cross", 4, True), FunnelRow("still resting", 2, True),
        FunnelRow("REJECTED balance", 1, True), FunnelRow("unknown", 0, True),
    )  # fmt: skip


def running(markets: int = 10, mode: Mode = Mode.SIM, *, stale: bool = False) -> View:
    """Returns a busy view: positions, orders, fills, one stale book."""
    evidence = MODE_EVIDENCE[mode]
    opening, realised, fees = 2_000_000_000, 135_220_000, 6_020_000
    day = realised - fees - 760_000
    return View(
        frame=41_207, run="7f3c", instance="main", mode=mode, evidence=evidence, armed=False,
        source="embedded seed 1" if mode is Mode.SIM else mode.value.lower(), meaningless="",
        mono_ns=MONO_NS, wall_ns=NOW_NS, started_ns=NOW_NS - 11_520 * SECOND, config_hash="a91e",
        rung=Rung.FULL, rung_cause=RungCause.NONE, rung_detail="", operator_rung=Rung.FULL,
        day_net_e6=day, unrealised_e6=-760_000, fees_e6=fees, equity_e6=opening + day,
        free_e6=1_853_000_000, worst_e6=-275_160_000, worst_limit_e6=1_500_000_000,
        exposure_e6=275_160_000, open_orders=2, unknown_orders=0, breakers_tripped=int(stale),
        alerts_open=1, clock_offset_ms=3.0, clock_error_ms=1.0, venue_mode=VenueModeKind.NORMAL,
        halt_note="", booting=(), markets=tuple(desk(index) for index in range(markets)),
        assets=_assets(), signals=_signals(), gates=_gates(), decisions=_decisions(),
        orders=_orders(), fills=_fills(evidence), funnel=_funnel(), pnl=_pnl(evidence),
        pnl_markets=_pnl_markets(evidence), hours=_hours(evidence),
        equity_curve=tuple(
            opening + round(day * step / 191 + 9e6 * math.sin(step / 9)) for step in range(192)
        ),
        books=Books(opening, realised, fees, 4_200_000, -760_000, opening + day, 0, 1_980_000_000,
                    1_853_000_000, 38_400_000),
        limits=_limits(), breakers=_breakers(stale),
        rungs=(
            RungRow("operator", Rung.FULL, RungCause.OPERATOR, "you 14:30:55"),
            RungRow("S1", Rung.FULL, RungCause.NONE, ""),
            RungRow("S2", Rung.HEDGE_ONLY, RungCause.STRATEGY, "paused"),
            RungRow("SOL 15m", Rung.HEDGE_ONLY, RungCause.MARKET, "book stale"),
        ),
        audits=(
            AuditRow("orders", 2_000, True, "2 here, 2 there"),
            AuditRow("fills", 2_000, True, "41 here, 41 there"),
            AuditRow("positions", 5_000, True, "3 here, 3 there"),
            AuditRow("balance", 5_000, True, "difference 0.00"),
            AuditRow("own book", 900, True, "touch equal in 6,933 of 6,937 readings"),
        ),
        feeds=_feeds(stale), latency=_latency(),
        process=LoopLag(0.4, 2.1, 31.0, 112.0, 0.8, 41, 41.2, 18.4), events=_events(),
        alerts=(
            AlertRow("book.stale.sol", NOW_NS - 9 * SECOND, Severity.WARNING,
                     "SOL 15m book stale 2.4s > 2.0s; not quoting; auto-clears", 3, False),
            AlertRow("breaker.feed.pm.sol", NOW_NS - 27 * SECOND, Severity.WARNING,
                     "feed.pm.sol tripped", 1, True),
        ),
        pairs_open=1, naked_e6=0,
        channels=(
            ChannelRow("slack", True, 0, 12_000),
            ChannelRow("phone", False, 2, None, "refused with status 401 (3 times)"),
        ),
        buckets=tuple(_buckets(row) for row in _latency()),
        pairs=(
            FunnelRow("opened", 12), FunnelRow("completed", 11),
            FunnelRow("unwound", 1, True), FunnelRow("carried", 0, True),
        ),
    )  # fmt: skip


def halted() -> View:
    """Returns a view after a HALT by the operator: orders cancelled and verified."""
    return msgspec.structs.replace(
        running(),
        rung=Rung.HALTED,
        operator_rung=Rung.HALTED,
        rung_cause=RungCause.OPERATOR,
        rung_detail="F9 by you 14:32:05",
        halt_note="HALTED 2/2 cancelled, verified 0.4 s",
        open_orders=0,
    )


def reduced() -> View:
    """Returns a view on the rung REDUCED."""
    return msgspec.structs.replace(
        running(), rung=Rung.REDUCED, operator_rung=Rung.REDUCED, rung_cause=RungCause.OPERATOR
    )


def hedge_only() -> View:
    """Returns a view that a stale feed holds at HEDGE_ONLY."""
    return msgspec.structs.replace(
        running(stale=True),
        rung=Rung.HEDGE_ONLY,
        rung_cause=RungCause.BREAKER,
        rung_detail="feed.pm 4.2s > 2.0s",
    )


def empty() -> View:
    """Returns a view of an engine that has found no window yet."""
    return msgspec.structs.replace(
        running(0),
        assets=(), signals=(), gates=(), decisions=(), orders=(), fills=(), funnel=(), pnl=(),
        pnl_markets=(), hours=(), equity_curve=(), events=(), alerts=(), rungs=(), audits=(),
        breakers=(), limits=(), feeds=(), latency=(), open_orders=0, alerts_open=0, day_net_e6=0,
        unrealised_e6=0, worst_e6=0, fees_e6=0, exposure_e6=0,
    )  # fmt: skip


def booting() -> View:
    """Returns a view of an engine that is still reconciling."""
    steps = ("config", "clock", "feeds", "orders", "fills", "positions", "claims", "journal")
    return msgspec.structs.replace(
        empty(),
        rung=Rung.HALTED,
        rung_cause=RungCause.BOOTING,
        booting=tuple(
            BootStep(name, done < 3, "0 of 2 asked" if done == 3 else "")
            for done, name in enumerate(steps)
        ),
    )


def one_sided() -> tuple[View, dict[int, BookLike]]:
    """Returns a view whose first market has no asks, and its book."""
    view = running()
    first = msgspec.structs.replace(
        view.markets[0],
        up=Touch(9900, None, 5_000_000_000),
        down=Touch(None, 100, 0, 5_000_000_000),
        fair_e4=None,
        edge_e4=None,
        upnl_e6=None,
        word="WATCH",
        why=GateHit(Gate.ONE_SIDED, since_ns=NOW_NS - 5 * SECOND),
    )
    shown = msgspec.structs.replace(view, markets=(first, *view.markets[1:]))
    return shown, {0: Depth(ladder(9900, 10_000).bids, [])}


def scenes() -> Sequence[tuple[str, View]]:
    """Returns every canned view by name."""
    return (
        ("running", running()), ("paper", running(mode=Mode.PAPER)),
        ("live", running(mode=Mode.LIVE)), ("replay", running(mode=Mode.REPLAY)),
        ("dry", running(mode=Mode.DRY)), ("stale", running(stale=True)), ("halted", halted()),
        ("reduced", reduced()), ("hedge", hedge_only()), ("empty", empty()),
        ("booting", booting()), ("one_sided", one_sided()[0]), ("many", running(30)),
    )  # fmt: skip

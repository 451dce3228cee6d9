"""Canned markets and books: the rows that other fixtures hang on."""

from __future__ import annotations

from dailyarb.core.domain.ids import Gate, StrategyId
from dailyarb.core.domain.market import MarketState, Outcome, Window
from dailyarb.core.domain.orders import BookState
from dailyarb.core.domain.rung import Rung
from dailyarb.core.domain.view import Desk, GateHit, Touch
from dailyarb.tui.source import BookLike, Depth

SECOND = 1_000_000_000
NOW_NS = 1_786_545_127 * SECOND  # 2026-08-12 14:32:07 UTC
S1, S2 = StrategyId.S1, StrategyId.S2

# label, window, spot, dist_bp, up bid, up ask, fair, edge, word, gate with now and limit
_ROWS: tuple[tuple[str, Window, float, float, int, int, int, int, str, GateHit | None], ...] = (
    ("BTC", Window.M15, 112_561.0, 12.4, 5700, 5800, 5910, 110, "QUOTE", None),
    ("BTC", Window.M5, 112_561.0, -3.1, 4400, 4600, 4470, -70, "WATCH",
     GateHit(Gate.EDGE_BELOW_MIN, -0.7, 1.0, S1, NOW_NS - 41 * SECOND)),
    ("ETH", Window.M15, 4_312.10, 4.0, 5200, 5400, 5260, -60, "HEDGE", None),
    ("ETH", Window.M5, 4_312.10, 0.6, 5000, 5200, 5090, -90, "WATCH",
     GateHit(Gate.MOVE_BELOW_MIN, 0.4, 2.0, S1, NOW_NS - 12 * SECOND)),
    ("SOL", Window.M15, 221.010, -21.7, 3100, 3300, 3020, 80, "STALE!",
     GateHit(Gate.BOOK_STALE, 2400, 2000, S1, NOW_NS - 9 * SECOND)),
    ("SOL", Window.M5, 221.010, -6.8, 4000, 4300, 3950, 50, "WATCH",
     GateHit(Gate.SPREAD_ABOVE_MAX, 3.0, 2.0, S2, NOW_NS - 68 * SECOND)),
    ("XRP", Window.M15, 3.1154, 1.0, 5000, 5300, 5100, -100, "WATCH",
     GateHit(Gate.DEPTH_THIN, 8, 20, S1, NOW_NS - 33 * SECOND)),
    ("BTC", Window.H1, 112_561.0, 18.9, 6100, 6200, 6040, 60, "EXIT", None),
    ("ETH", Window.H1, 4_312.10, 13.6, 5800, 6000, 5880, -80, "WATCH",
     GateHit(Gate.COOLDOWN, 1400, 3000, S1, NOW_NS - 2 * SECOND)),
    ("BTC", Window.H4, 112_561.0, 49.8, 7000, 7200, 7110, -90, "WATCH",
     GateHit(Gate.EDGE_BELOW_MIN, -0.9, 1.0, S1, NOW_NS - 90 * SECOND)),
)  # fmt: skip
# position up, position down, average, unrealised, worst, best
_HELD = {
    0: (120_000_000, 0, 5630, 1_440_000, -112_360_000, 52_400_000),
    2: (0, 80_000_000, 4800, -800_000, -38_400_000, 41_600_000),
    7: (200_000_000, 0, 6220, -1_400_000, -124_400_000, 75_600_000),
}


def desk(index: int) -> Desk:
    """Returns the row of one market; beyond the tenth they repeat under other ids."""
    asset, window, spot, dist, bid, ask, fair, edge, word, why = _ROWS[index % len(_ROWS)]
    length = window.seconds
    start = NOW_NS // SECOND // length * length
    strike = spot * (1 - dist / 10_000)
    up, down, average, upnl, worst, best = _HELD.get(index, (0, 0, 0, 0, 0, 0))
    stale = word == "STALE!"
    return Desk(
        market_id=f"0xm{index:02d}", label=f"{asset} {window.value}", asset=asset, window=window,
        start_ns=start * SECOND, end_ns=(start + length) * SECOND, book_slot=index,
        state=MarketState.TRADABLE, book=BookState.STALE if stale else BookState.SYNCED,
        book_age_ms=2400 if stale else 120, up=Touch(bid, ask, 1_240_000_000, 410_000_000),
        down=Touch(10_000 - ask, 10_000 - bid, 410_000_000, 1_240_000_000), tick_e4=100,
        strike=strike, settle=spot * 0.99988, spot=spot, dist_bp=dist, basis_bp=1.2, fair_e4=fair,
        edge_e4=edge, edge_outcome=Outcome.UP if edge > 0 else Outcome.DOWN, pos_up_e6=up,
        pos_down_e6=down, avg_e4=average or None, upnl_e6=upnl if up or down else None,
        worst_e6=worst, best_e6=best, word=word, why=why, rung=Rung.FULL, trades=40 + index,
        frames=9_000 + 731 * index,
    )  # fmt: skip


def books(markets: int = 10) -> dict[int, BookLike]:
    """Returns the depth of the first `markets` books, twenty levels a side."""
    return {index: ladder(_ROWS[index % len(_ROWS)][4], _ROWS[index % len(_ROWS)][5], index)
            for index in range(markets)}  # fmt: skip


def ladder(bid_e4: int, ask_e4: int, salt: int = 0) -> Depth:
    """Returns a book around a touch; sizes follow a fixed pattern."""
    sizes = (1240, 880, 2300, 1100, 640, 3000, 410, 900, 150, 75)
    asks = (410, 1150, 900, 2000, 300, 750, 120, 4100, 60, 25)
    return Depth(
        [(bid_e4 - 100 * step, sizes[(step + salt) % 10] * 1_000_000)
         for step in range(20) if bid_e4 - 100 * step > 0],
        [(ask_e4 + 100 * step, asks[(step + salt) % 10] * 1_000_000)
         for step in range(20) if ask_e4 + 100 * step < 10_000],
    )  # fmt: skip

"""Ladders of both outcomes, and the reference in braille."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from dailyarb.core.domain.market import Outcome, Side
from dailyarb.core.domain.orders import BOOK_WORDS, LIVE, BookState
from dailyarb.tui import format as f
from dailyarb.tui.lines import Line, LineBuilder, line, pairs
from dailyarb.tui.widgets.chart import braille
from dailyarb.tui.widgets.pane import LinePane

if TYPE_CHECKING:
    from dailyarb.core.domain.view import AssetRow, Desk, View
    from dailyarb.tui.scene import Scene
    from dailyarb.tui.source import BookLike, Levels

ONE_E4 = 10_000


def mirrored(levels: Levels) -> Levels:
    """Returns levels of UP as levels of DOWN on the other side, best first."""
    return [(ONE_E4 - price_e4, size_e6) for price_e4, size_e6 in levels]


class Ladder(LinePane):
    """One outcome's book: sizes, running totals, own orders, bars of depth."""

    rate_hz: ClassVar[float] = 10.0

    def __init__(self, outcome: Outcome, *, element: str | None = None, classes: str = "") -> None:
        super().__init__(element=element, classes=classes, title=f"book {outcome.value}")
        self._outcome = outcome

    def titles(self, scene: Scene) -> tuple[str, str]:
        """Returns market, outcome and the book's state word."""
        desk = scene.market
        if desk is None:
            return f"book {self._outcome.value}", ""
        age = f.age((desk.book_age_ms or 0) + scene.since_ms)
        word = BOOK_WORDS[desk.book]
        state = word if desk.book is not BookState.STALE else f"{word} {age}"
        return f"{scene.name(desk)} {self._outcome.value}: {state}", ""

    def draw(self, scene: Scene, width: int, height: int) -> list[Line]:
        """Returns the ladder, and under it what the sizes add up to."""
        desk, view = scene.market, scene.view
        if desk is None or view is None:
            return [line("No market selected: none is open.", width, "old")]
        found = scene.depth(desk)
        if found is None:
            return [line("No book yet: waiting for a snapshot.", width, "old")]
        bids, asks = self._sides(found)
        own = own_orders(view, desk, self._outcome)
        foot = self._foot(desk, bids, asks, own, width)
        foot = foot[: max(0, min(len(foot), (height - 1) // 3))]
        rows = ladder_lines(bids, asks, own, desk.tick_e4, (width, height - len(foot)))
        if desk.book is not BookState.SYNCED:
            rows = [Line(row.text, ((0, width, "old"),)) for row in rows]
        rows += [Line(" " * width)] * (height - len(foot) - len(rows))
        return rows + foot

    def _sides(self, found: BookLike) -> tuple[Levels, Levels]:
        if self._outcome is Outcome.UP:
            return found.bids, found.asks
        return mirrored(found.asks), mirrored(found.bids)

    def _foot(
        self, desk: Desk, bids: Levels, asks: Levels, own: dict[tuple[Side, int], int], width: int
    ) -> list[Line]:
        bid, ask = (bids[0] if bids else None), (asks[0] if asks else None)
        tick = desk.tick_e4
        spread = f.cents(ask[0] - bid[0], tick) + "¢" if bid and ask else "-"
        top = bid[1] + ask[1] if bid and ask else 0
        lean = f.signed((bid[1] - ask[1]) / top, 2) if bid and ask and top else "-"
        micro = "-"
        if bid and ask and top:
            micro = f.cents1((bid[0] * ask[1] + ask[0] * bid[1]) / top) + "¢"
        mine = ", ".join(f"{f.shares(size)}@{f.cents(price, tick)}"
                         for (_, price), size in sorted(own.items(), key=str)) or "-"  # fmt: skip
        near_bid, near_ask = (_near(levels) for levels in (bids, asks))
        both = _sum_of_asks(desk)
        return [
            pairs(width, f" spread {spread}", f"imbalance {lean}", f"micro {micro}"),
            pairs(width, f" 1¢ depth: bid {near_bid}", f"ask {near_ask} sh"),
            pairs(width, (f" own {mine}", "own" if own else ""), f"UP+DOWN ask {both}"),
        ]


def _near(levels: Levels) -> str:
    if not levels:
        return "-"
    best = levels[0][0]
    return f.shares(sum(size for price, size in levels if abs(price - best) <= 100))


def _sum_of_asks(desk: Desk) -> str:
    if desk.up.ask_e4 is None or desk.down.ask_e4 is None:
        return "-"
    return f.cents(desk.up.ask_e4 + desk.down.ask_e4, desk.tick_e4) + "¢"


def own_orders(view: View, desk: Desk, outcome: Outcome) -> dict[tuple[Side, int], int]:
    """Returns our open shares by (side, price_e4) as they stand in one outcome's book."""
    own: dict[tuple[Side, int], int] = {}
    for order in view.orders:
        if order.market_id != desk.market_id or order.state not in LIVE:
            continue
        side, price = order.side, order.price_e4
        if order.outcome is not outcome:
            side, price = side.opposite, ONE_E4 - price
        own[side, price] = own.get((side, price), 0) + order.size_e6 - order.filled_e6
    return own


def ladder_lines(
    bids: Levels,
    asks: Levels,
    own: dict[tuple[Side, int], int],
    tick_e4: int,
    size: tuple[int, int],
) -> list[Line]:
    """Returns header and one row per level, bids left and asks right of the middle.

    Args:
        bids: best first, (price_e4, size_e6).
        asks: best first.
        own: our open shares by side and price.
        tick_e4: for the decimals of prices.
        size: cells and rows there are.
    """
    width, height = size
    half = (width - 3) // 2
    rows = [_ladder_head(half, width)]
    bid_total = ask_total = 0
    shown = max(1, height - 1)
    most = max([size for _, size in bids[:shown] + asks[:shown]], default=1)
    for level in range(min(shown, max(len(bids), len(asks)))):
        builder = LineBuilder()
        bid = bids[level] if level < len(bids) else None
        ask = asks[level] if level < len(asks) else None
        bid_total += bid[1] if bid else 0
        ask_total += ask[1] if ask else 0
        mine = own.get((Side.BUY, bid[0]), 0) if bid else 0
        _half(builder, _level(bid, bid_total, mine, tick_e4), half, most, left=True)
        builder.add(" │ ")
        mine = own.get((Side.SELL, ask[0]), 0) if ask else 0
        _half(builder, _level(ask, ask_total, mine, tick_e4), half, most, left=False)
        rows.append(builder.build(width))
    if len(rows) == 1:
        rows.append(line(" both sides are empty", width, "old"))
    return rows


_Level = tuple[str, str, str, str, int, bool]


def _level(found: tuple[int, int] | None, total: int, mine: int, tick_e4: int) -> _Level | None:
    if found is None:
        return None
    price, size = found
    own = f.shares(mine) if mine else "-"
    return f.shares(size), f.shares(total), own, f.cents(price, tick_e4), size, mine > 0


def _widths(half: int) -> tuple[int, int, int, int, int]:
    """Returns the widths of size, total, own, price and bar for one half."""
    price, size = 5, 7
    total = 7 if half >= price + 2 * size + 2 else 0
    own = 6 if half >= price + size + 7 + 6 + 3 else 0
    used = price + size + total + own + sum(1 for part in (size, total, own) if part)
    return size, total, own, price, max(0, half - used - 1 if half - used > 3 else 0)


def _ladder_head(half: int, width: int) -> Line:
    size, total, own, price, rest = _widths(half)
    left = [f"{'BID sh':>{size}}"] + ([f"{'cum':>{total}}"] if total else [])
    left += ([f"{'own':>{own}}"] if own else []) + [f"{'¢':>{price}}"]
    right = [f"{'¢':<{price}}"] + ([f"{'own':<{own}}"] if own else [])
    right += [f"{'ASK sh':>{size}}"] + ([f"{'cum':>{total}}"] if total else [])
    lead = " " * (rest + 1) if rest else ""
    first = (lead + " ".join(left)).rjust(half)
    return line(f"{first} │ {' '.join(right)}", width, "head")


def _half(builder: LineBuilder, level: _Level | None, half: int, most: int, *, left: bool) -> None:
    if level is None:
        builder.add(" " * half)
        return
    size_w, total_w, own_w, price_w, bar_w = _widths(half)
    size, total, own, price, shares_e6, mine = level
    side = "bid" if left else "ask"
    parts: list[tuple[str, str]] = []
    if left:
        parts.append((f"{size:>{size_w}}", "bid"))
        parts += [(f"{total:>{total_w}}", "")] if total_w else []
        parts += [(f"{own:>{own_w}}", "own" if mine else "old")] if own_w else []
        parts.append((f"{'◆' if mine else ''}{price}".rjust(price_w), "own" if mine else "strong"))
    else:
        parts.append((f"{price}{'◆' if mine else ''}".ljust(price_w), "own" if mine else "strong"))
        parts += [(f"{own:<{own_w}}", "own" if mine else "old")] if own_w else []
        parts.append((f"{size:>{size_w}}", "ask"))
        parts += [(f"{total:>{total_w}}", "")] if total_w else []
    filled = min(bar_w, -(-bar_w * shares_e6 // most)) if bar_w and most > 0 else 0
    text_w = sum(len(text) for text, _ in parts) + len(parts) - 1
    pad = half - text_w - (bar_w + 1 if bar_w else 0)
    if left:
        builder.add(" " * max(0, pad))
        if bar_w:
            builder.add(" " * (bar_w - filled)).add("█" * filled, side).add(" ")
    for index, (text, style) in enumerate(parts):
        builder.add(" " if index else "").add(text, style)
    if not left and bar_w:
        builder.add(" ").add("█" * filled, side).add(" " * (bar_w - filled))


class Reference(LinePane):
    """Binance, the settling feed and the strike of the selected market's asset."""

    rate_hz: ClassVar[float] = 4.0

    def titles(self, scene: Scene) -> tuple[str, str]:
        """Returns the asset's name and the legend."""
        desk = scene.market
        name = desk.asset.upper() if desk is not None else "-"
        return f"{name} ● Binance ○ settle", ""

    def draw(self, scene: Scene, width: int, height: int) -> list[Line]:
        """Returns the chart and the facts under it."""
        asset = asset_of(scene)
        desk = scene.market
        if asset is None or desk is None:
            return [line("No reference price yet.", width, "old")]
        facts = _facts(asset, desk, scene, width)[: max(1, height // 3)]
        rows = height - len(facts)
        if rows < 4 or len(asset.series) < 2:
            return facts
        spot = [point.spot for point in asset.series]
        settle = [point.settle for point in asset.series]
        left, right = asset.series[0].wall_s, asset.series[-1].wall_s
        span = (f.clock(left * 10**9, scene.local_time), f.clock(right * 10**9, scene.local_time))
        return braille((spot, settle), desk.strike, span, (width, rows)) + facts


def asset_of(scene: Scene) -> AssetRow | None:
    """Returns the reference of the selected market's asset."""
    if scene.view is None or scene.market is None:
        return None
    wanted = scene.market.asset.upper()
    return next((row for row in scene.view.assets if row.asset.upper() == wanted), None)


def _facts(asset: AssetRow, desk: Desk, scene: Scene, width: int) -> list[Line]:
    since = scene.since_ms

    def aged(ms: int | None) -> str:
        return f.age(ms + since) if ms is not None else "-"

    vol = f.plain(asset.vol_60s * 10_000, 2) if asset.vol_60s is not None else f.NOTHING
    up, ask = desk.up.bid_e4, desk.up.ask_e4
    middle = f.cents1((up + ask) / 2) if up is not None and ask is not None else "-"
    noise = f" ±{f.plain(asset.basis_sd_bp)} bp" if asset.basis_sd_bp is not None else " bp"
    texts: Sequence[tuple[str, ...]] = (
        (f" Binance {f.price(asset.spot)} ({aged(asset.spot_age_ms)})",
         f"settle {f.price(asset.settle)} ({aged(asset.settle_age_ms)})"),
        (f" basis {f.with_unit(f.signed(asset.basis_bp), noise)}",
         f"move {f.with_unit(f.signed(asset.move_bp), ' bp')}",
         f"flow 5s {f.signed(asset.flow_5s, 2)}"),
        (f" vol 60s {f.with_unit(vol, ' bp/√s')}", f"book lag {f.age(asset.lag_ms)}",
         f"strike {f.price(desk.strike) if desk.strike is not None else '?'}"),
        (f" P(UP) model {f.with_unit(f.cents1(desk.fair_e4), '%')}",
         f"market {f.with_unit(middle, '%')}",
         f"dist {f.with_unit(f.signed(desk.dist_bp), ' bp')}"),
    )  # fmt: skip
    return [pairs(width, *parts) for parts in texts]

"""Profit and loss by strategy, market and hour, and the line that must add up to nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from dailyarb.core.domain.ids import STRATEGY_TITLES, StrategyId
from dailyarb.tui import format as f
from dailyarb.tui.lines import Cell, Column, Line, LineBuilder, line, pairs
from dailyarb.tui.widgets.chart import braille, columns
from dailyarb.tui.widgets.markets import hour_totals
from dailyarb.tui.widgets.pane import LinePane
from dailyarb.tui.widgets.table import Record, TablePane

if TYPE_CHECKING:
    from dailyarb.core.domain.view import PnlRow, View
    from dailyarb.tui.scene import Scene

_TITLES = {strategy.value: title for strategy, title in STRATEGY_TITLES.items()}
_COLUMNS = (
    Column("net", "NET $", 9, ">", 0),
    Column("gross", "GROSS $", 9, ">", 6),
    Column("fees", "FEES", 7, ">", 2),
    Column("open", "OPEN $", 8, ">", 5),
    Column("fills", "FILLS", 5, ">", 1),
    Column("win", "WIN%", 4, ">", 3),
    Column("markout", "MO5s ¢", 6, ">", 4),
    Column("drawdown", "MAXDD $", 8, ">", 7),
    Column("volume", "VOLUME $", 9, ">", 8),
    Column("evidence", "FROM", 6, "<", 0, word=True),
)


class ByStrategy(TablePane):
    """One row per strategy and evidence class; classes are never added together."""

    rate_hz: ClassVar[float] = 1.0
    empty: ClassVar[str] = "No result yet: a strategy appears here with its first fill."
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("key", "STRATEGY", 14, "<", 0, grow=True, word=True),
        *_COLUMNS,
    )

    def records(self, scene: Scene) -> list[Record]:
        """Returns one row per strategy."""
        if scene.view is None:
            return []
        known = {strategy.value for strategy in StrategyId}
        return [
            _pnl(row, f"{row.key} {_TITLES[row.key]}" if row.key in known else row.key)
            for row in scene.view.pnl
        ]


class ByMarket(TablePane):
    """The same columns by market."""

    rate_hz: ClassVar[float] = 1.0
    empty: ClassVar[str] = "No market with a result yet."
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("key", "MARKET", 10, "<", 0, grow=True, word=True),
        *_COLUMNS,
    )

    def records(self, scene: Scene) -> list[Record]:
        """Returns one row per market."""
        if scene.view is None:
            return []
        return [_pnl(row, row.key) for row in scene.view.pnl_markets]


def _pnl(row: PnlRow, name: str) -> Record:
    decided = row.wins + row.losses
    cells: dict[str, Cell] = {
        "key": name,
        "net": (f.signed_money(row.net_e6), _trend(row.net_e6)),
        "gross": f.signed_money(row.realised_e6),
        "fees": f.signed_money(-row.fees_e6),
        "open": f.signed_money(row.unrealised_e6),
        "fills": f.count(row.fills),
        "win": f.percent(row.wins, decided).rstrip("%") if decided else "-",
        "markout": f.signed_cents(row.markout_5s_e4, 2),
        "drawdown": f.signed_money(-abs(row.max_drawdown_e6)),
        "volume": f.money(row.volume_e6, 0),
        "evidence": row.evidence.value,
    }
    return Record(f"{row.key}.{row.evidence.value}", cells, row, {"net": float(row.net_e6)})


def _trend(number: float) -> str:
    return "up" if number > 0 else "down" if number < 0 else ""


class PnlSummary(LinePane):
    """Compact P&L: strategies on the left, hours and drawdown on the right."""

    rate_hz: ClassVar[float] = 1.0

    def titles(self, scene: Scene) -> tuple[str, str]:
        """Returns what the numbers are, and what they rest on."""
        source = scene.view.evidence.value if scene.view is not None else ""
        return f"P&L {source}: net of fees, settled + open at mid", ""

    def draw(self, scene: Scene, width: int, height: int) -> list[Line]:
        """Returns a row per strategy, with the hours beside or below."""
        view = scene.view
        if view is None or not view.pnl:
            return [
                line("No result yet: a strategy appears here with its first fill.", width, "old")
            ]
        left_w = min(62, width)
        rows = [_short_head(left_w)] + [_short_row(row, left_w) for row in view.pnl]
        facts = _hour_facts(view)
        if width - left_w >= 44:
            facts += [""] * (height - len(facts))
            blank = Line(" " * left_w)
            rows += [blank] * (height - len(rows))
            return [
                LineBuilder()
                .add(row.text, "head" if at == 0 else "")
                .add("  ")
                .add(fact)
                .build(width)
                for at, (row, fact) in enumerate(zip(rows, facts, strict=False))
            ]
        chart = hour_table(view, width, max(1, height - len(rows) - 3))
        return rows + chart + [line(fact, width) for fact in facts]


def _short_head(width: int) -> Line:
    return line(
        f"{'STRATEGY':<14}{'DAY $':>10}{'FEES':>8}{'FILLS':>7}{'WIN%':>6}{'MO5s ¢':>8}",
        width,
        "head",
    )


def _short_row(row: PnlRow, width: int) -> Line:
    name = f.fit(f"{row.key} {_TITLES.get(row.key, '')}", 14)
    win = f.percent(row.wins, row.wins + row.losses).rstrip("%")
    return line(
        f"{name}{f.signed_money(row.net_e6):>10}{f.signed_money(-row.fees_e6):>8}"
        f"{f.count(row.fills):>7}{win:>6}{f.signed_cents(row.markout_5s_e4, 2):>8}",
        width,
    )  # fmt: skip


def _hour_facts(view: View) -> list[str]:
    totals = hour_totals(view)
    known = [(net, hour) for hour, net in enumerate(totals) if net is not None]
    facts = []
    if known:
        best, worst = max(known), min(known)
        chart = f.spark([float(net) for net, _ in known], 24)
        facts.append(
            f"BY HOUR {known[0][1]:02d}{chart}{known[-1][1]:02d}  best {best[1]:02d}h "
            f"{f.money_in(best[0], 4)} low {worst[1]:02d}h {f.money_in(worst[0], 4)}"
        )
    low, now = drawdown(view.equity_curve)
    facts.append(f"DRAWDOWN now {f.signed_money(-now)}  max {f.signed_money(-low)}")
    facts.append(f"EQUITY {f.money(view.equity_e6)}  residual {f.money(view.books.residual_e6)}")
    return facts


def drawdown(curve: tuple[int, ...]) -> tuple[int, int]:
    """Returns the deepest fall below an earlier peak and the present one, both >= 0."""
    peak, deepest, now = None, 0, 0
    for cash in curve:
        peak = cash if peak is None else max(peak, cash)
        now = peak - cash
        deepest = max(deepest, now)
    return deepest, now


class Hours(LinePane):
    """Net of each UTC hour: bars, and a row of numbers per strategy."""

    rate_hz: ClassVar[float] = 1.0

    def draw(self, scene: Scene, width: int, height: int) -> list[Line]:
        """Returns bars over the hours, and numbers as far as there are rows."""
        if scene.view is None or not any(net is not None for net in hour_totals(scene.view)):
            return [line("No hour with a result yet; hours are UTC, as markets are.", width, "old")]
        return hour_table(scene.view, width, height)


def hour_table(view: View, width: int, height: int) -> list[Line]:
    """Returns 24 columns: bars, hour numbers, and the net of each strategy in whole dollars."""
    totals = hour_totals(view)
    lead = 12 if width >= 12 + 24 * 4 else 6
    cell = max(1, min(6, (width - lead) // 24))
    if cell < 2:
        return _narrow_hours(totals, width, height)
    now = view.wall_ns // 3_600_000_000_000 % 24
    names = [row for row in view.hours if row.evidence is view.evidence]
    bars_h = max(1, height - 2 - (1 + len(names) if cell >= 4 else 0))
    rows = _bar_rows(totals, bars_h, (lead, cell), width)
    head = "".join(
        f"{'▸' if hour == now and cell > 2 else ''}{hour:02d}".rjust(cell) for hour in range(24)
    )
    rows.append(line(f"{'UTC':<{lead}}{head}", width, "head"))
    if cell >= 4:
        rows.append(_number_row("net $", totals, (lead, cell), width))
        if len(names) > 1:
            rows += [_number_row(row.key, list(row.net_e6), (lead, cell), width) for row in names]
    else:
        rows.append(_sign_row(totals, (lead, cell), width))
    return rows[:height]


def _narrow_hours(totals: list[int | None], width: int, height: int) -> list[Line]:
    grid = (6, 1)
    rows = _bar_rows(totals, max(1, height - 2), grid, width)
    rows += [line(f"{'UTC':<6}00    06    12    18", width, "head"), _sign_row(totals, grid, width)]
    return rows[:height]


def _sign_row(totals: list[int | None], grid: tuple[int, int], width: int) -> Line:
    """Returns the sign of each hour, so that a loss is not told by colour alone."""
    lead, cell = grid
    builder = LineBuilder().add("sign".ljust(lead))
    for net in totals[:24]:
        sign = " " if net is None else "-" if net < 0 else "+" if net > 0 else "0"
        builder.add(sign.rjust(cell), _trend(net or 0))
    return builder.build(width)


def _bar_rows(
    totals: list[int | None], height: int, grid: tuple[int, int], width: int
) -> list[Line]:
    lead, cell = grid
    values = [None if net is None else float(net) for net in totals]
    rows = []
    for text in columns(values, height):
        builder = LineBuilder().add(" " * lead)
        for hour, char in enumerate(text):
            net = totals[hour]
            style = "down" if net is not None and net < 0 else "up"
            pad = " " * (cell - min(cell, 2)) if cell > 1 else ""
            builder.add(pad).add(char * min(cell, 2), style if char != " " else "")
        rows.append(builder.build(width))
    return rows


def _number_row(name: str, totals: list[int | None], grid: tuple[int, int], width: int) -> Line:
    lead, cell = grid
    builder = LineBuilder().add(f.fit(f.clean(name), lead))
    for net in totals[:24]:
        text = "-" if net is None else f.signed_money(net, 0)
        builder.add(f.number_fit(text, cell - 1).rjust(cell), _trend(net or 0))
    return builder.build(width)


class Curve(LinePane):
    """Equity, one value a minute."""

    rate_hz: ClassVar[float] = 1.0

    def draw(self, scene: Scene, width: int, height: int) -> list[Line]:
        """Returns the curve in braille with its drawdown."""
        view = scene.view
        if view is None or len(view.equity_curve) < 2:
            return [line("The curve starts after two minutes.", width, "old")]
        deepest, now = drawdown(view.equity_curve)
        dollars = [cash / 1e6 for cash in view.equity_curve]
        minutes = len(dollars) - 1
        facts = pairs(
            width,
            f" equity {f.money(view.equity_e6)}",
            f"drawdown now {f.signed_money(-now)}",
            f"max {f.signed_money(-deepest)}",
            view.evidence.value,
        )
        span = (f"{minutes} min ago", "now")
        return [*braille((dollars,), None, span, (width, height - 1)), facts]


class Reconcile(LinePane):
    """Opening + realised - fees + payouts + unrealised = equity; the rest must be 0.00."""

    rate_hz: ClassVar[float] = 1.0

    def draw(self, scene: Scene, width: int, height: int) -> list[Line]:
        """Returns the sum, and the residual in the open."""
        view = scene.view
        if view is None:
            return [line("No books yet.", width, "old")]
        books = view.books
        residual = f.money(books.residual_e6)
        sums = pairs(
            width,
            f"opening {f.money(books.opening_e6)}",
            f"realised {f.signed_money(books.realised_e6)}",
            f"fees {f.signed_money(-books.fees_e6)}",
            f"unrealised {f.signed_money(books.unrealised_e6)}",
            f"= equity {f.money(books.equity_e6)}",
            f"payouts {f.signed_money(books.payouts_e6)}",
        )
        style = "critical" if books.residual_e6 else "ok"
        rest = pairs(
            width,
            (f"residual {residual}", style),
            f"cash {f.money(books.cash_e6)}",
            f"free {f.money(books.free_e6)}",
            *([f"locked {f.money(books.locked_e6)}"] if books.locked_e6 else []),
            f"provisional {f.money(books.provisional_e6)}",
            f"evidence {view.evidence.value}: {_worth(view)}",
        )
        return [sums, rest]


def _worth(view: View) -> str:
    return {"SIM": "proves the machine, never an edge", "REPLAY": "a fill model's word",
            "PAPER": "a fill model's word", "LIVE": "money"}[view.evidence.value]  # fmt: skip

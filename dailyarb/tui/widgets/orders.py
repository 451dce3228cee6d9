"""Orders and fills, and the funnel that tells where they get lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from dailyarb.core.domain.ids import STRATEGY_TITLES
from dailyarb.core.domain.orders import LIVE, ORDER_WORDS, OrderState
from dailyarb.tui import format as f
from dailyarb.tui.lines import Cell, Column, Line, LineBuilder, line, pairs
from dailyarb.tui.widgets.pane import LinePane
from dailyarb.tui.widgets.table import Record, TablePane

if TYPE_CHECKING:
    from dailyarb.core.domain.view import FillRow, FunnelRow, OrderRow
    from dailyarb.tui.scene import Scene

_STATUS_STYLES = {"UNKNOWN!": "critical", "REJECTED": "warn", "RESTING": "own", "PARTIAL": "own",
                  "FILLED": "ok", "CANCELLED": "old", "KILLED": "old"}  # fmt: skip

REASON_MIN = 12  # cells of a reason, below which it says nothing and is left out


class Orders(TablePane):
    """Open orders first, then the recent ones."""

    rate_hz: ClassVar[float] = 10.0
    empty: ClassVar[str] = (
        "No order yet: the first one appears here when a signal passes all gates."
    )
    foot_rows: ClassVar[int] = 1
    open_only: ClassVar[bool] = False
    news: ClassVar[frozenset[str]] = frozenset({"filled", "status"})
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("time", "TIME", 8, "<", 3),
        Column("market", "MARKET", 8, "<", 0, word=True),
        Column("side", "SIDE", 6, "<", 0, word=True),
        Column("price", "¢", 5, ">", 0),
        Column("size", "SIZE", 6, ">", 0),
        Column("filled", "FILLED", 6, ">", 1),
        Column("queue", "QUEUE~", 6, ">", 4),
        Column("status", "STATUS", 10, "<", 0, word=True, grow=True),
        Column("age", "AGE", 6, ">", 2),
        Column("ttl", "TTL", 6, ">", 8),
        Column("strategy", "STRATEGY", 12, "<", 6, word=True),
        Column("ack", "ACK ms", 6, ">", 7),
        Column("edge", "EDGE ¢", 6, ">", 5),
    )

    def records(self, scene: Scene) -> list[Record]:
        """Returns the orders, open ones on top, newest first."""
        if scene.view is None:
            return []
        rows = sorted(scene.view.orders, key=lambda row: (row.state not in LIVE, row.age_ms))
        if self.open_only:
            rows = [row for row in rows if row.state in LIVE]
        columns = self.columns(scene, self.content_size.width)
        room = next(column.width for column in columns if column.key == "status")
        return [_order(row, scene, room) for row in rows]

    def foot(self, scene: Scene, width: int) -> list[Line]:
        """Returns what the day's fills add up to."""
        if scene.view is None or not scene.view.fills:
            return [line("no fill yet", width, "old")]
        fills = scene.view.fills
        makers = sum(1 for row in fills if row.maker)
        loose = scene.view.books.provisional_e6
        return [
            pairs(
                width,
                f"fills shown {len(fills)}",
                f"maker {f.percent(makers, len(fills))}",
                (f"matched-not-confirmed ${f.money(loose)}", "warn" if loose else ""),
                f"fees ${f.money(scene.view.fees_e6)}",
                f"evidence {scene.view.evidence.value}",
            )
        ]


def _order(row: OrderRow, scene: Scene, room: int) -> Record:
    status = order_word(row)
    age = row.age_ms + (scene.since_ms if row.state in LIVE else 0)
    left = room - len(status) - 1
    detail = f" {row.reason}" if left >= min(len(row.reason), REASON_MIN) else ""
    cells: dict[str, Cell] = {
        "time": f.clock(row.sent_wall_ns, scene.local_time),
        "market": row.label,
        "side": f"{row.side.value[:3]} {row.outcome.value[0]}",
        "price": f.cents(row.price_e4),
        "size": f.shares(row.size_e6),
        "filled": f.shares(row.filled_e6),
        "queue": f.shares(row.queue_e6),
        "status": (status + detail, _STATUS_STYLES.get(status, "")),
        "age": f.age(age),
        "ttl": f.age(max(0.0, row.ttl_ms - scene.since_ms)) if row.ttl_ms is not None else "-",
        "strategy": STRATEGY_TITLES[row.strategy],
        "ack": f.plain(row.ack_ms, 0) if row.ack_ms is None or row.ack_ms >= 10
        else f.plain(row.ack_ms, 1),
        "edge": f.signed_cents(row.edge_e4),
    }  # fmt: skip
    return Record(row.order_id, cells, row, {"time": float(row.sent_wall_ns)})


def order_word(row: OrderRow) -> str:
    """Returns the status word; an order that rests half filled is PARTIAL."""
    if row.state is OrderState.OPEN and 0 < row.filled_e6 < row.size_e6:
        return "PARTIAL"
    return ORDER_WORDS[row.state]


class Fills(TablePane):
    """Fills with slippage and what the market did afterwards."""

    rate_hz: ClassVar[float] = 4.0
    empty: ClassVar[str] = "No fill yet: what the venue matches for us appears here at once."
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("time", "TIME", 8, "<", 2),
        Column("market", "MARKET", 8, "<", 0, word=True),
        Column("side", "SIDE", 6, "<", 0, word=True),
        Column("price", "¢", 5, ">", 0),
        Column("size", "sh", 6, ">", 0),
        Column("liq", "LIQ", 5, "<", 4, word=True),
        Column("fee", "FEE $", 7, ">", 3),
        Column("slip", "SLIP ¢", 6, ">", 5),
        Column("mo1", "MO1s ¢", 6, ">", 8),
        Column("mo5", "MO5s ¢", 6, ">", 6),
        Column("mo30", "MO30s ¢", 7, ">", 9),
        Column("chain", "CHAIN", 7, "<", 0, word=True),
        Column("evidence", "FROM", 6, "<", 7, word=True),
        Column("strategy", "STRATEGY", 12, "<", 10, word=True),
        Column("order", "ORDER", 10, "<", 11, word=True, grow=True),
    )

    def records(self, scene: Scene) -> list[Record]:
        """Returns the fills, newest first."""
        if scene.view is None:
            return []
        rows = sorted(scene.view.fills, key=lambda row: -row.wall_ns)
        return [_fill(row, scene.local_time) for row in rows]


def _fill(row: FillRow, local: bool) -> Record:
    chain = {"MATCHED": "warn", "FAILED!": "critical"}.get(row.chain, "ok")
    cells: dict[str, Cell] = {
        "time": f.clock(row.wall_ns, local),
        "market": row.label,
        "side": f"{row.side.value[:3]} {row.outcome.value[0]}",
        "price": f.cents(row.price_e4),
        "size": f.shares(row.size_e6),
        "liq": "maker" if row.maker else "taker",
        "fee": f.money(row.fee_e6, 3),
        "slip": f.signed_cents(row.slip_e4),
        "mo1": f.signed_cents(row.markout_1s_e4, 2),
        "mo5": f.signed_cents(row.markout_5s_e4, 2),
        "mo30": f.signed_cents(row.markout_30s_e4, 2),
        "chain": (row.chain, chain),
        "evidence": row.evidence.value,
        "strategy": STRATEGY_TITLES[row.strategy],
        "order": row.order_id,
    }
    return Record(f"{row.trade_id}.{row.order_id}", cells, row, {"time": float(row.wall_ns)})


class Funnel(LinePane):
    """From passed gates to confirmed fills, and why the others did not fill."""

    rate_hz: ClassVar[float] = 1.0

    def draw(self, scene: Scene, width: int, height: int) -> list[Line]:
        """Returns one column of counts, or two side by side where rows are short."""
        view = scene.view
        if view is None or not view.funnel:
            return [line("No order has passed the gates yet.", width, "old")]
        stages = [row for row in view.funnel if not row.loss]
        losses = [row for row in view.funnel if row.loss]
        sent = next((row.count for row in stages if row.name == "sent"), 0)
        left = [("ORDER FUNNEL", "n", "sent")] + [_share(row, sent) for row in stages]
        right = [("NOT FILLED", "n", "sent")] + [_share(row, sent) for row in losses]
        if height >= len(left) + len(right) + 1 or width < 60:
            return [_funnel_line(part, width) for part in (*left, ("", "", ""), *right)]
        half = (width - 2) // 2
        blank = ("", "", "")
        rows = max(len(left), len(right))
        left, right = left + [blank] * (rows - len(left)), right + [blank] * (rows - len(right))
        return [
            _beside(_funnel_line(one, half), _funnel_line(other, half), width)
            for one, other in zip(left, right, strict=True)
        ]


def _share(row: FunnelRow, sent: int) -> tuple[str, str, str]:
    """Returns a row with its share of the orders sent; evaluations before that have none."""
    share = f.percent(row.count, sent) if row.name not in {"evaluated", "passed gates"} else ""
    return row.name, f.count(row.count), share


def _funnel_line(part: tuple[str, str, str], width: int) -> Line:
    name, number, share = part
    room = max(4, width - 12)
    text = f"{f.fit(f.clean(name), room)} {number:>6} {share:>4}"
    return line(text, width, "head" if number == "n" else "")


def _beside(left: Line, right: Line, width: int) -> Line:
    builder = LineBuilder()
    builder.add(left.text, left.spans[0][2] if left.spans else "").add("  ")
    builder.add(right.text, right.spans[0][2] if right.spans else "")
    return builder.build(width)

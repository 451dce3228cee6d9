"""Feeds, latencies and what the engine's process costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from dailyarb.core.domain.events import FeedStatus
from dailyarb.core.domain.ids import FeedId
from dailyarb.tui import format as f
from dailyarb.tui.lines import Cell, Column, Line, line, pairs
from dailyarb.tui.widgets.pane import LinePane
from dailyarb.tui.widgets.table import Record, TablePane

if TYPE_CHECKING:
    from dailyarb.core.domain.events import FeedState
    from dailyarb.tui.scene import Scene

_STATUS = {FeedStatus.FRESH: "ok", FeedStatus.STALE: "stale", FeedStatus.DOWN: "critical",
           FeedStatus.CONNECTING: "warn"}  # fmt: skip
_NAMES = {"PM": "Polymarket", "BN": "Binance", "ST": "settlement", "USER": "user"}


class Feeds(TablePane):
    """One row per feed; its state is the age of content, never of a PONG."""

    empty: ClassVar[str] = "No feed connected yet."
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("feed", "FEED", 10, "<", 0, word=True),
        Column("state", "STATE", 10, "<", 0, word=True),
        Column("age", "AGE", 6, ">", 0),
        Column("conns", "CONN", 5, ">", 2),
        Column("rate", "MSG/s", 7, ">", 1),
        Column("bytes", "kB/s", 7, ">", 7),
        Column("p50", "LAG50", 6, ">", 5),
        Column("p99", "LAG99", 6, ">", 3),
        Column("frames", "FRAMES", 9, ">", 8),
        Column("faults", "FAULT", 5, ">", 2),
        Column("gaps", "GAPS", 4, ">", 4),
        Column("resyncs", "RESYNC", 6, ">", 6),
        Column("reconnects", "RECONN", 6, ">", 6),
        Column("detail", "DETAIL", 10, "<", 9, grow=True, word=True),
    )

    def records(self, scene: Scene) -> list[Record]:
        """Returns one row per feed."""
        if scene.view is None:
            return []
        return [_feed(row, scene.since_ms) for row in in_order(scene.view.feeds)]


def in_order(feeds: tuple[FeedState, ...]) -> list[FeedState]:
    """Returns the feeds in the order of their names' table, wherever the engine puts them."""
    order = list(FeedId)
    return sorted(feeds, key=lambda feed: order.index(feed.feed))


def _feed(row: FeedState, since_ms: float) -> Record:
    late = row.status in {FeedStatus.STALE, FeedStatus.DOWN}
    short = row.connections < row.wanted
    cells: dict[str, Cell] = {
        "feed": _NAMES[row.feed.value],
        "state": (row.status.value + ("!" if late else ""), _STATUS[row.status]),
        "age": f.age(row.age_ms + since_ms),
        "conns": (f"{row.connections}/{row.wanted}", "warn" if short else ""),
        "rate": f.plain(row.rate_hz, 1 if row.rate_hz < 100 else 0),
        "bytes": f.plain(row.bytes_hz / 1000, 1),
        "p50": f.latency(row.lag_p50_ms * 1000) if row.lag_p50_ms else "-",
        "p99": f.latency(row.lag_p99_ms * 1000) if row.lag_p99_ms else "-",
        "frames": f.count(row.frames),
        "faults": (f.count(row.faults), "critical" if row.faults else ""),
        "gaps": (f.count(row.gaps), "warn" if row.gaps else ""),
        "resyncs": f.count(row.resyncs),
        "reconnects": f.count(row.reconnects),
        "detail": row.detail or "-",
    }
    return Record(row.feed.value, cells, row)


class Latency(TablePane):
    """The stages from frame to order, measured on every message."""

    rate_hz: ClassVar[float] = 1.0
    empty: ClassVar[str] = "Nothing measured yet."
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("stage", "STAGE", 18, "<", 0, grow=True, word=True),
        Column("count", "COUNT", 9, ">", 2),
        Column("p50", "p50", 7, ">", 0),
        Column("p99", "p99", 7, ">", 0),
        Column("p999", "p99.9", 7, ">", 1),
        Column("max", "max", 7, ">", 0),
    )

    def records(self, scene: Scene) -> list[Record]:
        """Returns one row per stage."""
        if scene.view is None:
            return []
        return [
            Record(
                row.stage,
                {
                    "stage": row.stage.replace("_", " "), "count": f.count(row.count),
                    "p50": f.latency(row.p50_us), "p99": f.latency(row.p99_us),
                    "p999": f.latency(row.p999_us), "max": f.latency(row.max_us),
                },
                row,
            )
            for row in scene.view.latency
        ]  # fmt: skip


class Process(LinePane):
    """The engine's process, its clock, and where it keeps things."""

    rate_hz: ClassVar[float] = 1.0

    def draw(self, scene: Scene, width: int, height: int) -> list[Line]:
        """Returns one fact per line, several where rows are short."""
        view = scene.view
        if view is None:
            return [line("Nothing is known yet.", width, "old")]
        lag = view.process
        error = f" ±{f.plain(view.clock_error_ms)}" if view.clock_error_ms is not None else ""
        offset = f.with_unit(f.signed(view.clock_offset_ms), f" ms{error}")
        facts = (
            ("CPU, memory", f"{f.plain(lag.cpu_percent)} %, {f.plain(lag.rss_mb)} MB"),
            ("lag p99, max", f"{f.plain(lag.p99_ms, 2)}, {f.plain(lag.max_ms, 2)} ms"),
            ("GC pause", f"{f.plain(lag.gc_ms, 2)} ms"), ("open files", f.count(lag.open_files)),
            ("disk free", f"{f.plain(lag.disk_free_gb)} GB"),
            ("journal", f"{f.plain(lag.journal_mb)} MB"), ("clock offset", offset),
            ("venue mode", view.venue_mode.value), ("source", f.clean(view.source)),
            ("frame", f"{f.count(view.frame)}, {scene.frames_hz}/s here"),
        )  # fmt: skip
        if height >= len(facts):
            return [line(f"{name:<14}{fact}", width) for name, fact in facts]
        per_row = max(1, min(width // 30, 4))
        cell = width // per_row
        rows = [facts[at : at + per_row] for at in range(0, len(facts), per_row)]
        return [
            pairs(width, *(f.fit(f"{name:<13} {fact}", cell - 1) for name, fact in part), gap=" ")
            for part in rows
        ]

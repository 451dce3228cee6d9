"""What must be true before LIVE is armed: one list, for the engine that refuses and for the dialog.

It reads a view, so that the operator sees exactly what the engine judges by.
"""

from __future__ import annotations

from typing import NamedTuple

from dailyarb.core.domain.alerts import WATCHDOG
from dailyarb.core.domain.events import FeedStatus, VenueModeKind
from dailyarb.core.domain.ids import FeedId
from dailyarb.core.domain.view import View


class Check(NamedTuple):
    """Is one row of the preflight."""

    name: str
    ok: bool
    detail: str


def preflight(view: View) -> tuple[Check, ...]:
    """Returns every row; arming needs all of them."""
    return (
        _clock(view),
        *_feeds(view),
        Check("start-up", not view.booting, "reconciling" if view.booting else "reconciled"),
        *(Check(row.name, row.ok and row.age_ms is not None, row.detail) for row in view.audits),
        Check("unknown orders", view.unknown_orders == 0, f"{view.unknown_orders}"),
        Check("breakers", view.breakers_tripped == 0, f"{view.breakers_tripped} tripped"),
        Check("free cash", view.free_e6 > 0, f"{view.free_e6 / 1e6:,.2f}"),
        Check("venue", view.venue_mode is VenueModeKind.NORMAL, view.venue_mode.value),
        _alerts(view),
    )


def failed(view: View) -> tuple[str, ...]:
    """Returns what stands in the way of arming, in words; nothing if all is well."""
    return tuple(f"{row.name}: {row.detail}" for row in preflight(view) if not row.ok)


def _clock(view: View) -> Check:
    if view.clock_offset_ms is None:
        return Check("clock", False, "not measured yet")
    error = f" ±{view.clock_error_ms:.0f}" if view.clock_error_ms is not None else ""
    return Check("clock", True, f"{view.clock_offset_ms:+.0f} ms{error}")


def _alerts(view: View) -> Check:
    """Returns the row of the alert channels: none may be wished for, but not that all are dead."""
    rows = [row for row in view.channels if row.channel != WATCHDOG]
    words = [row.channel if row.ok else f"{row.channel} DOWN" for row in rows]
    good = not rows or any(row.ok for row in rows)
    return Check("alerts", good, ", ".join(words) or "none: log and console")


def _feeds(view: View) -> list[Check]:
    """Returns a row for each stream: real orders need all of them, our own fills above all."""
    reports = {report.feed: report for report in view.feeds}
    rows = []
    for feed in FeedId:
        report = reports.get(feed)
        fresh = report is not None and report.status is FeedStatus.FRESH
        word = report.status.value if report is not None else "not connected"
        rows.append(Check(f"feed {feed.value}", fresh, word))
    return rows

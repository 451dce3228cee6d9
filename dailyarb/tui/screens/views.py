"""The eight views: which panes, in which rows. What shows at which size is in `STYLES`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, ClassVar

from textual.containers import Container, Horizontal, Vertical

from dailyarb.core.domain.market import Outcome
from dailyarb.core.domain.rung import Mode
from dailyarb.tui.source import LinkState
from dailyarb.tui.widgets.book import Ladder, Reference
from dailyarb.tui.widgets.feeds import Feeds, Latency, Process
from dailyarb.tui.widgets.keybar import Banner, KeyBar
from dailyarb.tui.widgets.logs import Audit, Log
from dailyarb.tui.widgets.markets import Alerts, Events, HourLine, Markets
from dailyarb.tui.widgets.orders import Fills, Funnel, Orders
from dailyarb.tui.widgets.pane import LinePane, StyleBearer
from dailyarb.tui.widgets.pnl import (
    ByMarket,
    ByStrategy,
    Curve,
    Hours,
    PnlSummary,
    Reconcile,
)
from dailyarb.tui.widgets.risk import Breakers, Limits, RiskSummary, Rungs, Scenario
from dailyarb.tui.widgets.signals import Decisions, Gates, Signals
from dailyarb.tui.widgets.status import StatusRows, WhyLine
from dailyarb.tui.widgets.table import TablePane

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.widget import Widget

    from dailyarb.tui.scene import Scene

_MODE_CLASSES = {mode: f"mode-{mode.value.lower()}" for mode in Mode}


class ViewScreen(StyleBearer):
    """One view: status rows, panes, WHY line, key row."""

    AUTO_FOCUS: ClassVar[str | None] = None
    title_: ClassVar[str] = ""

    def __init__(self) -> None:
        super().__init__()
        self._panes: list[LinePane] = []

    def body(self) -> Iterator[Widget]:
        """Yields the rows between status and WHY line."""
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        """Puts status above and WHY line and keys below the body."""
        yield StatusRows()
        yield Banner(element="banner")
        with Vertical(id="body"):
            yield from self.body()
        yield WhyLine()
        yield KeyBar()

    def on_mount(self) -> None:
        """Remembers the panes and focuses the first table."""
        self._panes = list(self.query(LinePane))
        first = next((pane for pane in self._panes if isinstance(pane, TablePane)), None)
        if first is not None:
            first.focus()

    def paint(self, live: Scene, shown: Scene, *, force: bool = False) -> int:
        """Paints the panes: status, WHY line and keys live, the others as shown.

        Returns:
            How many rows were drawn anew.
        """
        self._mark(live)
        dirty = 0
        for pane in self._panes:
            fixed = isinstance(pane, StatusRows | WhyLine | KeyBar | Banner)
            dirty += pane.paint(live if fixed else shown, force=force)
        return dirty

    def _mark(self, scene: Scene) -> None:
        self.set_class(scene.state in {LinkState.CONNECTING, LinkState.SYNCING}, "-splash")
        self.set_class(scene.state in {LinkState.LOST, LinkState.RESTARTED}, "-alarm")
        self.set_class(bool(getattr(self.app, "ascii_only", False)), "-ascii")
        for mode, name in _MODE_CLASSES.items():
            self.set_class(scene.mode is mode, name)

    def table(self) -> TablePane | None:
        """Returns the focused table, else the first on screen."""
        if isinstance(self.focused, TablePane):
            return self.focused
        return next((pane for pane in self._panes
                     if isinstance(pane, TablePane) and pane.is_on_screen), None)  # fmt: skip

    def first(self, kind: type[TablePane]) -> TablePane | None:
        """Returns the first visible table of a kind."""
        return next((pane for pane in self._panes
                     if isinstance(pane, kind) and pane.is_on_screen), None)  # fmt: skip


class DeskScreen(ViewScreen):
    """1: markets, and by size book, signals, risk, orders, events, P&L, log."""

    title_ = "Desk"

    def body(self) -> Iterator[Widget]:
        """Yields five rows; the smaller the screen, the fewer are shown."""
        yield Horizontal(
            Markets(element="markets", title="1 Desk: markets"),
            Breakers(element="d-breakers", classes="wide-only high-only"),
            id="row1",
        )
        yield Horizontal(
            Ladder(Outcome.UP, element="d-up"),
            Ladder(Outcome.DOWN, element="d-down", classes="wide-only"),
            Reference(element="d-reference", classes="wide-only"),
            Signals(element="d-signals", title="signals", classes="not-narrow"),
            RiskSummary(element="d-risk", title="risk", classes="normal-only"),
            Funnel(element="d-funnel", title="funnel", classes="wide-only"),
            Events(element="d-events-top", title="events", classes="narrow-only"),
            id="row2",
        )
        yield Horizontal(
            Orders(element="d-orders", title="orders & fills"),
            Events(element="d-events", title="events", classes="not-narrow"),
            PnlSummary(element="d-pnl-wide", title="P&L", classes="wide-only"),
            Alerts(element="d-alerts", title="alerts", classes="wide-only"),
            id="row3",
        )
        yield PnlSummary(element="d-pnl", title="P&L")
        yield Horizontal(
            Log(element="d-log", title="log"),
            Audit(element="d-audit", title="operator audit"),
            id="row5",
        )
        yield HourLine(element="d-hours")


class BookScreen(ViewScreen):
    """2: both ladders of the selected market, and its reference."""

    title_ = "Book"

    def body(self) -> Iterator[Widget]:
        """Yields the ladders above, the reference and own orders below."""
        yield Horizontal(
            Ladder(Outcome.UP, element="b-up"), Ladder(Outcome.DOWN, element="b-down"), id="b1"
        )
        yield Horizontal(
            Reference(element="b-reference"),
            Markets(element="b-markets", title="markets", classes="wide-only"),
            id="b2",
        )


class SignalsScreen(ViewScreen):
    """3: signals of the market, gates, decisions."""

    title_ = "Signals"

    def body(self) -> Iterator[Widget]:
        """Yields signals beside gates, decisions below."""
        yield Horizontal(
            Signals(element="s-signals", title="signals"),
            Gates(element="s-gates", title="gates"),
            id="s1",
        )
        yield Decisions(element="s-decisions", title="decisions")


class OrdersScreen(ViewScreen):
    """4: orders, fills, funnel."""

    title_ = "Orders"

    def body(self) -> Iterator[Widget]:
        """Yields orders, fills, and the funnel beside or below them."""
        with_funnel = Vertical(
            Orders(element="o-orders", title="orders"),
            Fills(element="o-fills", title="fills"),
            id="o1",
        )
        yield Container(with_funnel, Funnel(element="o-funnel", title="funnel"), id="o-all")


class PnlScreen(ViewScreen):
    """5: by strategy, by market, by hour, the curve, the reconcile line."""

    title_ = "PnL"

    def body(self) -> Iterator[Widget]:
        """Yields tables, hours and curve."""
        yield ByStrategy(element="p-strategy", title="P&L by strategy")
        yield Horizontal(
            Hours(element="p-hours", title="net by hour UTC"),
            Curve(element="p-curve", title="equity"),
            id="p2",
        )
        yield ByMarket(element="p-market", title="P&L by market")
        yield Reconcile(element="p-reconcile", title="reconcile")


class RiskScreen(ViewScreen):
    """6: limits, breakers, rungs, scenario."""

    title_ = "Risk"

    def body(self) -> Iterator[Widget]:
        """Yields limits and breakers above rungs and scenario."""
        yield Horizontal(Limits(element="r-limits", title="limits"),
                         Breakers(element="r-breakers", title="breakers"), id="r1")  # fmt: skip
        yield Horizontal(
            Rungs(element="r-rungs", title="rungs and reconciliation"),
            Scenario(element="r-scenario", title="at settlement"),
            id="r2",
        )


class FeedsScreen(ViewScreen):
    """7: feeds, latency, process."""

    title_ = "Feeds"

    def body(self) -> Iterator[Widget]:
        """Yields feeds above latency and process."""
        yield Feeds(element="f-feeds", title="feeds")
        yield Horizontal(Latency(element="f-latency", title="latency"),
                         Process(element="f-process", title="engine process"), id="f2")  # fmt: skip


class LogScreen(ViewScreen):
    """8: log and audit."""

    title_ = "Log"

    def body(self) -> Iterator[Widget]:
        """Yields the log above the audit."""
        yield Log(element="l-log", title="log")
        yield Audit(
            element="l-audit", title="operator audit: every action and its command-line twin"
        )


SCREENS: dict[str, Callable[[], ViewScreen]] = {
    "desk": DeskScreen, "book": BookScreen, "signals": SignalsScreen, "orders": OrdersScreen,
    "pnl": PnlScreen, "risk": RiskScreen, "feeds": FeedsScreen, "log": LogScreen,
}  # fmt: skip

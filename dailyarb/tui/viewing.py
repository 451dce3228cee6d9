"""What the operator looks at: selection, freeze, filter, expanded pane. It sends nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import Binding
from textual.screen import ModalScreen
from textual.widgets import Input

from dailyarb.core.domain.view import AlertRow, Desk, FillRow, OrderRow
from dailyarb.tui import previews
from dailyarb.tui.dialogs import Page, Preview
from dailyarb.tui.widgets.table import TablePane

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from dailyarb.tui.app import Console
    from dailyarb.tui.scene import Scene


class FilterBar(ModalScreen[None]):
    """One line at the bottom: what is typed filters the table at once."""

    BINDINGS: ClassVar[list[Any]] = [Binding("escape", "clear", "clear", priority=True)]
    DEFAULT_CSS = """
    FilterBar { align: left bottom; background: transparent; }
    FilterBar Input { height: 1; border: none; width: 100%; }
    """

    def __init__(self, table: TablePane) -> None:
        super().__init__()
        self._table = table

    def compose(self) -> ComposeResult:
        """Puts the input at the bottom."""
        yield Input(value=self._table.needle, placeholder="/ filter the table", max_length=40)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filters as one types."""
        self._table.filter(event.value.strip())

    def on_input_submitted(self, _: Input.Submitted) -> None:
        """Keeps the filter."""
        self.dismiss(None)

    def action_clear(self) -> None:
        """Takes the filter away."""
        self._table.filter("")
        self.dismiss(None)


class Viewing:
    """Holds what this console shows, apart from what the engine says."""

    def __init__(self, app: Console, local_time: bool) -> None:
        self._app = app
        self.selected = ""
        self.local_time = local_time
        self._frozen: Scene | None = None

    def dressed(self, scene: Scene) -> Scene:
        """Returns the scene with the operator's selection, and how long it is frozen."""
        held = None
        if self._frozen is not None:
            held = (scene.now_ns - self._frozen.now_ns) / 1e9
        return replace(scene, selected=self.selected, local_time=self.local_time, frozen_s=held)

    def shown(self, live: Scene) -> Scene:
        """Returns what the panes show: the live scene, or the frozen one."""
        if self._frozen is None:
            return live
        return replace(self._frozen, selected=self.selected, local_time=self.local_time)

    def reads_files(self) -> bool:
        """Says whether log or audit are on screen."""
        size = self._app.size
        return self._app.current_mode == "log" or (size.width >= 60 and size.height >= 52)

    def table(self) -> TablePane | None:
        """Returns the table that keys act upon."""
        screen = self._app.view_screen
        return screen.table() if screen is not None else None

    def move(self, where: str) -> None:
        """Moves the cursor; in the markets table it selects."""
        table = self.table()
        if table is None:
            return
        if table.follows_selection and self._app.scene.market is not None:
            table.cursor_key = self._app.scene.market.market_id
        key = table.move(where)
        if table.follows_selection and key:
            self._app.select(key)

    def act(self, what: str) -> None:
        """Does something to the display by its name."""
        getattr(self, f"_{what}")()

    def _open(self) -> None:
        table = self.table()
        record = table.current if table is not None else None
        if record is None:
            return
        if isinstance(record.item, Desk):
            self._app.action_view("book")
            return
        item = record.item
        title = type(item).__name__
        if isinstance(item, OrderRow | FillRow):
            title = f"{title} {item.order_id}"
        elif isinstance(item, AlertRow):
            title = f"ALERT {item.key}"
        preview = Preview(lambda scene: previews.as_json(item))
        self._app.push_screen(Page(title, preview, self._app.scene))

    def _back(self) -> None:
        screen = self._app.view_screen
        if screen is None:
            return
        table = self.table()
        if screen.maximized is not None:
            screen.minimize()
        elif table is not None and table.needle:
            table.filter("")
        elif self._frozen is not None:
            self._freeze()
        elif self._app.current_mode != "desk":
            self._app.action_view("desk")

    def _expand(self) -> None:
        screen = self._app.view_screen
        if screen is None:
            return
        if screen.maximized is not None:
            screen.minimize()
        elif screen.focused is not None:
            screen.maximize(screen.focused, container=False)
        self._app.call_after_refresh(self._app.refresh_now)

    def _freeze(self) -> None:
        self._frozen = self._app.scene if self._frozen is None else None
        self._app.refresh_now()

    def _filter(self) -> None:
        table = self.table()
        if table is not None:
            self._app.push_screen(FilterBar(table))

    def _sort(self) -> None:
        table = self.table()
        if table is not None:
            table.cycle_sort()

    def _why(self) -> None:
        desk = self._app.scene.market
        title = f"WHY {self._app.scene.name(desk)}" if desk is not None else "WHY"
        self._app.push_screen(Page(title, Preview(previews.why), self._app.scene))

    def _units(self) -> None:
        self.local_time = not self.local_time
        self._app.refresh_now()

    def _copy(self) -> None:
        table = self.table()
        record = table.current if table is not None else None
        if record is not None:
            self._app.copy_to_clipboard("\n".join(previews.as_json(record.item)))
            self._app.notify("the row is on the clipboard as JSON", markup=False)

    def _hint(self) -> None:
        self._app.notify("q leaves; the engine keeps running. F9 halts trading.", markup=False)

"""The console: composition only. It draws what a source gives and sends what an operator asks."""

from __future__ import annotations

import gc
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from textual import work
from textual.app import App
from textual.driver import Driver
from textual.events import AppBlur, AppFocus
from textual.screen import Screen

from dailyarb.core.domain.settings import Ui
from dailyarb.tui import previews, themes
from dailyarb.tui.dialogs import Dialog, Page, Preview
from dailyarb.tui.driver import HaltKeys, halting
from dailyarb.tui.keys import (
    KEYS,
    VIEWS,
    bindings,
    checked_keymap,
    halt_keys,
    normal_keys,
    shown,
    shown_first,
)
from dailyarb.tui.operate import Operations, allowed
from dailyarb.tui.palette import ConsoleCommands
from dailyarb.tui.scene import Scene
from dailyarb.tui.screens.styles import CSS
from dailyarb.tui.screens.views import SCREENS, ViewScreen
from dailyarb.tui.source import LinkState, ViewSource
from dailyarb.tui.tail import AuditTrail, LogTail
from dailyarb.tui.viewing import Viewing

HZ = 10
SLOWEST_HZ = 2
BLURRED_HZ = 1
Watch = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class ConsoleOptions:
    """Is how a console is set up: looks, keys, files to read, and what to do besides."""

    ui: Ui = field(default_factory=Ui)
    keys: dict[str, str] = field(default_factory=dict)
    who: str = "console"
    log_path: Path | None = None
    journal_path: Path | None = None
    inline_engine: bool = False
    watch: Watch | None = None  # starts and watches the engine, as a background task
    view: str = "desk"


class Console(App[int], inherit_bindings=False):
    """Shows the engine behind a source in eight views, and takes the operator's keys."""

    CSS = CSS
    TITLE = "dailyarb"
    BINDINGS: ClassVar[list[Any]] = bindings()
    COMMANDS = {ConsoleCommands}
    MODES = dict(SCREENS)
    DEFAULT_MODE = "desk"
    ALLOW_SELECT = False
    HORIZONTAL_BREAKPOINTS = [(0, "-slim"), (60, "-narrow"), (110, "-normal"), (170, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-flat"), (16, "-short"), (34, "-tall"), (52, "-high")]

    def __init__(self, source: ViewSource, options: ConsoleOptions | None = None) -> None:
        self.options = options or ConsoleOptions()
        self.source = source
        self.halt_keys = HaltKeys(halt_keys(self.options.keys), source.halt)
        self.ascii_only = self.options.ui.charset == "ascii"
        self.highlight_changes = self.options.ui.highlight_changes
        super().__init__()
        self.animation_level = "none"
        self.who = self.options.who
        self.inline_engine = self.options.inline_engine
        self.viewing = Viewing(self, self.options.ui.local_time)
        self.operations = Operations(self)
        self.scene = self._empty_scene()
        self._tail = LogTail(self.options.log_path) if self.options.log_path else None
        self._audit = AuditTrail(self.options.journal_path) if self.options.journal_path else None
        self._hz, self._blurred = HZ, False
        self._painted_ns = self._polled_ns = 0
        self._size_seen = (0, 0)
        self._palettes: dict[str, themes.Palette] = {}
        self._key_words = {key.id: shown_first(self.options.keys.get(key.id, key.keys))
                           for key in KEYS}  # fmt: skip
        self._load_themes()
        self.set_keymap(checked_keymap(self.options.keys))

    def get_driver_class(self) -> type[Driver]:
        """Returns the platform's driver, made to halt from its input thread."""
        return halting(super().get_driver_class(), self.halt_keys)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Gives every `$da-` variable a value, so that Textual's own themes work too."""
        return dict(themes.default_variables())

    def on_mount(self) -> None:
        """Starts the one timer, and the task that starts and watches the engine."""
        if self.options.view != self.DEFAULT_MODE:
            self.switch_mode(self.options.view)
        self.set_interval(1 / HZ, self._tick)
        self.set_interval(1.0, self._greet)
        self.call_after_refresh(self._tick)
        self._greet()
        if self.options.watch is not None:
            self._watch_engine(self.options.watch)
        gc.freeze()  # what start-up built stays; later collections look at little

    @work(exclusive=True, group="engine")
    async def _watch_engine(self, watch: Watch) -> None:
        await watch()

    @work(exclusive=True, group="link")
    async def _greet(self) -> None:
        await self.source.greet()

    def _fatal_error(self) -> None:
        """Ends with a traceback; Textual's own shows values of variables, keys among them (F91)."""
        from rich.traceback import Traceback

        self.panic(Traceback())

    # painting

    def _empty_scene(self) -> Scene:
        now = self.source.now()
        return Scene(
            None, LinkState.CONNECTING, self.source.role, now.mono_ns, now.wall_ns, 0.0,
            self.source.book,
        )  # fmt: skip

    def _tick(self) -> None:
        """Takes the newest frame and paints what differs; slows down if painting is slow."""
        started = time.perf_counter_ns()
        hz = BLURRED_HZ if self._blurred else self._hz
        if started - self._painted_ns < 0.9e9 / hz:
            return
        self._painted_ns = started
        self.refresh_now(force=False)
        spent = time.perf_counter_ns() - started
        if spent > 0.5e9 / self._hz:
            self._hz = max(SLOWEST_HZ, self._hz // 2)
        elif spent < 0.15e9 / self._hz:
            self._hz = min(HZ, self._hz * 2)

    def refresh_now(self, *, force: bool = True) -> None:
        """Paints the newest frame at once."""
        screen = self.view_screen
        if screen is None:
            return
        scene = self._new_scene()
        if scene.state is not self.scene.state or _alarm(scene) != _alarm(self.scene):
            force = True
        self.scene = scene
        seen = (self.size.width, self.size.height)
        force, self._size_seen = force or seen != self._size_seen, seen
        with self.batch_update():
            screen.paint(scene, self.viewing.shown(scene), force=force)
            if isinstance(self.screen, Dialog):
                self.screen.show(scene)

    def _new_scene(self) -> Scene:
        frame = self.source.latest()
        now = self.source.now()
        view = frame.view if frame is not None else None
        wall_ns = view.wall_ns + now.mono_ns - view.mono_ns if view is not None else now.wall_ns
        age_ms = (now.mono_ns - frame.recv_ns) / 1e6 if frame is not None else 0.0
        scene = Scene(
            view, self.source.state, self.source.role, now.mono_ns, wall_ns, age_ms,
            self.source.book, place=self.source.place, keys=self._key_words, frames_hz=self._hz,
            log=self.scene.log, log_note=self.scene.log_note, audit=self.scene.audit,
        )  # fmt: skip
        return self.viewing.dressed(self._with_files(scene))

    def _with_files(self, scene: Scene) -> Scene:
        """Looks at log and journal, five times a second and only where they are shown."""
        if scene.now_ns - self._polled_ns < 200_000_000 or not self.viewing.reads_files():
            return scene
        self._polled_ns = scene.now_ns
        log = self._tail.poll() if self._tail is not None else scene.log
        audit = self._audit.poll() if self._audit is not None else scene.audit
        note = self._tail.note if self._tail is not None else ""
        return replace(scene, log=log, log_note=note, audit=audit)

    @property
    def view_screen(self) -> ViewScreen | None:
        """Returns the view below whatever dialog is open."""
        stack: list[Screen[Any]] = self._screen_stacks.get(self.current_mode, [])
        return next((screen for screen in stack if isinstance(screen, ViewScreen)), None)

    def on_app_blur(self, _: AppBlur) -> None:
        """Slows down while nobody looks."""
        self._blurred = True

    def on_app_focus(self, _: AppFocus) -> None:
        """Looks again."""
        self._blurred = False

    # themes

    def _load_themes(self) -> None:
        self._palettes, faults = themes.load_all(themes.theme_folders(self.options.ui.theme_dir))
        for palette in self._palettes.values():
            self.register_theme(themes.as_textual(palette))
        wanted = self.options.ui.theme
        self.theme = wanted if wanted in self.available_themes else themes.DEFAULT
        texts = [str(fault) for fault in faults]
        if wanted not in self.available_themes:
            texts.append(f"no theme is called {wanted!r}; using {themes.DEFAULT}")
        self._theme_faults = texts

    def on_ready(self) -> None:
        """Tells what is wrong with themes, once there is a screen to tell it on."""
        for text in self._theme_faults:
            self.notify(text, title="theme", severity="warning", markup=False)

    def theme_names(self) -> list[str]:
        """Returns the themes that can be used."""
        return sorted(self._palettes)

    def use_theme(self, name: str) -> None:
        """Switches the theme, live."""
        self.theme = name
        self.refresh_now()

    # actions

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Greys what role and state do not allow, so that key row and help are true."""
        if action == "operate" and parameters:
            what = str(parameters[0])
            if what == "reset" and self.current_mode != "risk":
                return False
            return allowed(what, self.scene)
        return True

    def action_state(self, action: str) -> bool | None:
        """Returns whether an action of the key table may run now."""
        name, _, rest = action.partition("(")
        parameters = (rest.strip("')"),) if rest else ()
        return self.check_action(name, parameters)

    def act(self, action: str) -> None:
        """Runs an action of the key table, as if its key were pressed."""
        self.call_later(self.run_action, action)

    def action_operate(self, what: str) -> None:
        """Does what an operator may do; see `Operations`."""
        self._operate(what)

    @work(group="operate")
    async def _operate(self, what: str) -> None:
        await self.operations.run(what)

    def action_view(self, name: str) -> None:
        """Switches the view."""
        if name in VIEWS:
            self.switch_mode(name)
            self.call_after_refresh(self.refresh_now)

    def action_market(self, step: int) -> None:
        """Selects the next or previous market."""
        names = [market_id for market_id, _ in self.market_names()]
        if names:
            market = self.scene.market
            at = names.index(market.market_id) if market is not None else 0
            self.select(names[(at + step) % len(names)])

    def select(self, market_id: str) -> None:
        """Selects a market in every view."""
        self.viewing.selected = market_id
        self.refresh_now()

    def market_names(self) -> list[tuple[str, str]]:
        """Returns id and label of the open windows."""
        view = self.scene.view
        desks = view.markets if view is not None else ()
        return [(desk.market_id, self.scene.name(desk)) for desk in desks]

    def action_move(self, where: str) -> None:
        """Moves the cursor of the table."""
        self.viewing.move(where)

    def action_pane(self, what: str) -> None:
        """Does something to the pane or the display; see `Viewing`."""
        self.viewing.act(what)

    def action_help(self) -> None:
        """Shows the keys that work now."""
        live = dict(self._live_keys())
        preview = Preview(lambda scene: previews.help_lines(scene, live))
        self.push_screen(Page("KEYS", preview, self.scene))

    def _live_keys(self) -> Iterator[tuple[str, tuple[str, bool]]]:
        found: dict[str, tuple[list[str], bool]] = {}
        by_key = {name: key.id for key in KEYS for name in normal_keys(key.keys)}
        for name, active in self.screen.active_bindings.items():
            key_id = active.binding.id or by_key.get(name, "")
            keys, _ = found.setdefault(key_id, ([], active.enabled))
            keys.append(shown(self.get_key_display(active.binding) if "+" not in name else name))
        for key_id, (keys, enabled) in found.items():
            yield key_id, (" ".join(dict.fromkeys(keys)), enabled)


def _alarm(scene: Scene) -> object:
    """Returns what must be painted at once when it changes: mode, rung, breakers, halt."""
    view = scene.view
    if view is None:
        return None
    return view.mode, view.rung, view.breakers_tripped, view.halt_note, view.alerts_open


def run(source: ViewSource, options: ConsoleOptions | None = None) -> int:
    """Runs the console until the operator leaves, and returns the exit code."""
    console = Console(source, options)
    try:
        result = console.run()
    finally:
        source.close()
    return int(result or console.return_code or 0)

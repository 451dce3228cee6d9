"""Dialogs: they arm late, lapse by themselves, default to the safe side, and stay up to date.

Keys are deaf for the first 300 ms, so a key already in the queue cannot confirm. What is previewed
is drawn from fresh frames; when it changes materially, the dialog arms anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from rich.text import Text
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from dailyarb.tui.format import ASCII, clean

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from dailyarb.tui.scene import Scene

ARM_S = 0.3
LAPSE_S = 20.0
Body = Callable[["Scene"], Sequence[str]]


class Preview(NamedTuple):
    """Is what a dialog shows: its lines, and what must not change unseen."""

    body: Body
    fingerprint: Callable[[Scene], object] = lambda scene: None


class Dialog(ModalScreen[Any]):
    """Is the base: title, body from the newest scene, a foot with keys and the time left."""

    arm_s: ClassVar[float] = ARM_S
    lapses: ClassVar[bool] = True
    danger: ClassVar[bool] = False

    def __init__(self, title: str, preview: Preview, scene: Scene) -> None:
        super().__init__()
        self._title, self._preview, self._scene = title, preview, scene
        self._opened = time.monotonic()
        self._armed_from = self._opened + self.arm_s
        self._print = preview.fingerprint(scene)

    def compose(self) -> ComposeResult:
        """Puts the body above the foot."""
        with Vertical(id="box") as box:
            box.border_title = self._title
            yield Static(id="text", markup=False)
            yield from self.fields()
            yield Static(id="foot", markup=False)

    def fields(self) -> ComposeResult:
        """Yields input fields, if any."""
        yield from ()

    def on_mount(self) -> None:
        """Draws and starts the countdown."""
        self.set_class(self.danger, "-danger")
        self.set_class(self._ascii, "-ascii-dialog")
        self.show(self._scene)
        self.set_interval(0.25, self._beat)

    @property
    def armed(self) -> bool:
        """Says whether a confirming key would be taken now."""
        return time.monotonic() >= self._armed_from

    @property
    def _ascii(self) -> bool:
        return bool(getattr(self.app, "ascii_only", False))

    def show(self, scene: Scene) -> None:
        """Draws the body anew from a scene; a material change arms anew."""
        self._scene = scene
        seen = self._preview.fingerprint(scene)
        if seen != self._print:
            self._print = seen
            self._armed_from = time.monotonic() + self.arm_s
        self._set("#text", "\n".join(clean(part) for part in self._preview.body(scene)))
        self._set("#foot", self._foot())

    def _set(self, selector: str, text: str) -> None:
        if self._ascii:
            text = text.translate(ASCII)
        for widget in self.query(selector).results(Static):
            if getattr(widget, "last_text", None) != text:
                widget.last_text = text  # type: ignore[attr-defined]
                widget.update(Text(text, no_wrap=False))

    def foot(self) -> str:
        """Returns the keys of this dialog."""
        return "Esc leaves everything as it is"

    def _foot(self) -> str:
        if not self.lapses:
            return self.foot()
        left = max(0, round(LAPSE_S - (time.monotonic() - self._opened)))
        wait = "" if self.armed else "  (one moment)"
        return f"{self.foot()}{wait}   {left} s"

    def _beat(self) -> None:
        if self.lapses and time.monotonic() - self._opened > LAPSE_S:
            self.dismiss(self.safe())
            return
        self._set("#foot", self._foot())

    def safe(self) -> Any:
        """Returns the answer that changes nothing."""
        return None

    def action_cancel(self) -> None:
        """Leaves everything as it is."""
        self.dismiss(self.safe())


class Confirm(Dialog):
    """Asks for one key: Enter."""

    BINDINGS: ClassVar[list[Any]] = [
        Binding("enter", "confirm", "confirm"),
        Binding("escape", "cancel", "leave"),
    ]
    prompt: ClassVar[str] = "Enter confirms.  Esc leaves everything as it is."

    def foot(self) -> str:
        """Returns the prompt."""
        return self.prompt

    def safe(self) -> bool:
        """Returns no."""
        return False

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Greys the confirming key until the dialog is armed."""
        return None if action == "confirm" and not self.armed else True

    def action_confirm(self) -> None:
        """Says yes, once armed."""
        if self.armed:
            self.dismiss(True)


class ConfirmDanger(Confirm):
    """The same in the colour of danger."""

    danger = True


class ConfirmFlattenAll(Confirm):
    """Asks for the same key again: X, not before half a second."""

    BINDINGS: ClassVar[list[Any]] = [
        Binding("X", "confirm", "flatten ALL"),
        Binding("escape", "cancel", "leave"),
        Binding("enter", "ignore", "nothing", show=False),
    ]
    arm_s = 0.5
    danger = True
    prompt = "Press X again to flatten ALL.  Esc leaves everything as it is."

    def action_ignore(self) -> None:
        """Takes Enter without doing anything."""


class Choice(NamedTuple):
    """Is one entry of a menu."""

    id: str
    text: str
    enabled: bool = True


class Pick(Dialog):
    """Offers choices; the first is the safe one and stands under the cursor."""

    BINDINGS: ClassVar[list[Any]] = [
        Binding("enter", "choose", "choose"),
        Binding("escape", "cancel", "leave"),
        Binding("j,down", "step(1)", "next"),
        Binding("k,up", "step(-1)", "previous"),
    ]

    def __init__(
        self, title: str, preview: Preview, scene: Scene, choices: Callable[[Scene], list[Choice]]
    ) -> None:
        self._choices = choices
        self._at = 0
        super().__init__(title, Preview(self._lines, preview.fingerprint), scene)
        self._above = preview.body

    def _lines(self, scene: Scene) -> list[str]:
        rows = [*self._above(scene), ""]
        for index, choice in enumerate(self._choices(scene)):
            mark = ">" if index == self._at else " "
            rows.append(f"{mark} {choice.text}" + ("" if choice.enabled else "  (not now)"))
        return rows

    def foot(self) -> str:
        """Returns the keys."""
        return "Enter takes the marked line.  j k moves.  Esc leaves."

    def action_step(self, step: int) -> None:
        """Moves the cursor."""
        self._at = (self._at + step) % len(self._choices(self._scene))
        self.show(self._scene)

    def action_choose(self) -> None:
        """Takes the marked line, once armed."""
        choice = self._choices(self._scene)[self._at]
        if self.armed and choice.enabled:
            self.dismiss(choice.id)


class Ask(Dialog):
    """Asks for typed text; `wanted`, if given, must be typed exactly.

    While `blocked` says so of the newest scene, no text is taken.
    """

    BINDINGS: ClassVar[list[Any]] = [Binding("escape", "cancel", "leave", priority=True)]
    danger = True

    def __init__(
        self, title: str, preview: Preview, scene: Scene, *, prompt: str, wanted: str = "",
        blocked: Callable[[Scene], bool] = lambda scene: False,
    ) -> None:  # fmt: skip
        super().__init__(title, preview, scene)
        self._prompt, self._wanted, self._blocked = prompt, wanted, blocked

    def fields(self) -> ComposeResult:
        """Yields the input."""
        yield Input(placeholder=self._prompt, max_length=80)

    def foot(self) -> str:
        """Returns the prompt."""
        if self._blocked(self._scene):
            return "A row says FAIL: nothing can be confirmed.  Esc leaves."
        return f"{self._prompt}, then Enter.  Esc leaves."

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Takes the text once armed and, where one is wanted, equal to it."""
        text = event.value.strip()
        right = text and (not self._wanted or text == self._wanted)
        if self.armed and right and not self._blocked(self._scene):
            self.dismiss(text)
        else:
            self.app.bell()


class Page(Dialog):
    """Shows text that may be longer than the screen; any of Esc, q, Enter closes it."""

    BINDINGS: ClassVar[list[Any]] = [
        Binding("escape,q,enter,question_mark", "cancel", "close"),
        Binding("j,down", "roll(1)", "down"),
        Binding("k,up", "roll(-1)", "up"),
        Binding("g", "roll(-9999)", "top"),
        Binding("G", "roll(9999)", "bottom"),
    ]
    lapses = False

    def compose(self) -> ComposeResult:
        """Puts the text into a scrolling box."""
        with Vertical(id="box") as box:
            box.border_title = self._title
            with VerticalScroll(id="scroll"):
                yield Static(id="text", markup=False)
            yield Static(id="foot", markup=False)

    def foot(self) -> str:
        """Returns the keys."""
        return "j k scroll.  Esc closes."

    def action_roll(self, rows: int) -> None:
        """Scrolls."""
        self.query_one("#scroll").scroll_relative(y=rows, animate=False)

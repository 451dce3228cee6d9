"""The pane: a bordered block of lines that repaints only the rows that differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget

from dailyarb.tui.format import ASCII, clean
from dailyarb.tui.lines import NEWS, STYLES, Line, faded, filled

if TYPE_CHECKING:
    from textual.events import Resize

    from dailyarb.tui.scene import Scene


class StyleBearer(Screen[None]):
    """Is a screen that resolves the styles lines name, once for all its panes."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"da--{name}" for name in STYLES}

    def __init__(self) -> None:
        super().__init__()
        self._line_styles: dict[str, Style] = {}

    def line_style(self, name: str) -> Style:
        """Returns a style by the name a line gives it; `NEWS` behind a name makes it bold."""
        style = self._line_styles.get(name)
        if style is None:
            plain = name.removesuffix(NEWS)
            style = Style(bold=True) if plain != name else Style.null()
            if plain:
                style = self.get_component_rich_style(f"da--{plain}", partial=True) + style
            self._line_styles[name] = style
        return style

    def notify_style_update(self) -> None:
        """Forgets resolved styles when the theme changed."""
        self._line_styles = {}
        super().notify_style_update()


class LinePane(Widget):
    """Draws itself as lines; a subclass only says which lines a scene makes.

    rate_hz is how often it looks at a new frame; what it drew last is kept, and only rows that
    differ are refreshed.
    """

    rate_hz: ClassVar[float] = 4.0
    fades: ClassVar[bool] = True
    bordered: ClassVar[bool] = True

    def __init__(self, *, element: str | None = None, classes: str = "", title: str = "") -> None:
        frame = "pane " if self.bordered else ""
        super().__init__(id=element, classes=f"{frame}{classes}".strip() or None)
        self._lines: list[Line] = []
        self._scene: Scene | None = None
        self._painted_ns = 0
        self.border_title = title

    def draw(self, scene: Scene, width: int, height: int) -> list[Line]:
        """Returns the lines of a scene; any number of them, each `width` cells."""
        raise NotImplementedError

    def titles(self, scene: Scene) -> tuple[str, str]:
        """Returns the titles in the upper and the lower border."""
        return str(self.border_title or ""), ""

    @property
    def ascii_only(self) -> bool:
        """Says whether the terminal is to get ASCII only."""
        return bool(getattr(self.app, "ascii_only", False))

    def paint(self, scene: Scene, *, force: bool = False) -> int:
        """Draws a scene if it is time to, and returns how many rows changed."""
        self._scene = scene
        width, height = self.content_size
        if width < 1 or height < 1 or not self.is_on_screen:
            return 0
        due = scene.now_ns - self._painted_ns >= 0.9e9 / self.rate_hz
        if not (due or force or len(self._lines) != height):
            return 0
        self._painted_ns = scene.now_ns
        rows = filled(self.draw(scene, width, height), width, height)
        self._set_titles(scene)
        if scene.old and self.fades:
            rows = [faded(row) for row in rows]
        if self.ascii_only:
            rows = [Line(row.text.translate(ASCII), row.spans) for row in rows]
        return self._take(rows, width)

    def _set_titles(self, scene: Scene) -> None:
        above, below = (_title(text) for text in self.titles(scene))
        if self.ascii_only:
            above, below = above.translate(ASCII), below.translate(ASCII)
        if self.border_title != above:
            self.border_title = above
        if self.border_subtitle != below:
            self.border_subtitle = below

    def _take(self, rows: list[Line], width: int) -> int:
        last = self._lines
        if len(last) != len(rows) or (last and len(last[0].text) != width):
            self._lines = rows
            self.refresh()
            return len(rows)
        dirty = [y for y, (old, new) in enumerate(zip(last, rows, strict=True)) if old != new]
        self._lines = rows
        if dirty:
            self.refresh(*(Region(0, y, width, 1) for y in dirty))
        return len(dirty)

    def render_line(self, y: int) -> Strip:
        """Returns one row as a strip."""
        width = self.content_size.width
        base = self.rich_style
        if y >= len(self._lines):
            return Strip.blank(width, base)
        text, spans = self._lines[y]
        segments, at = [], 0
        styles = self._named_style
        for start, end, name in spans:
            if start > at:
                segments.append(Segment(text[at:start], base))
            segments.append(Segment(text[start:end], base + styles(name)))
            at = end
        if at < len(text):
            segments.append(Segment(text[at:], base))
        return Strip(segments, len(text)).adjust_cell_length(width, base)

    def _named_style(self, name: str) -> Style:
        screen = self.screen
        return screen.line_style(name) if isinstance(screen, StyleBearer) else Style.null()

    def on_resize(self, event: Resize) -> None:
        """Draws anew in the new size."""
        if self._scene is not None:
            self._lines = []
            self.paint(self._scene, force=True)

    @property
    def shown(self) -> list[str]:
        """Returns the text of the rows as last drawn."""
        return [row.text for row in self._lines]


_BRACKETS = str.maketrans("[]", "()")


def _title(text: str) -> str:
    """Returns a title without wide characters, and without what would be read as markup."""
    return clean(text).translate(_BRACKETS)

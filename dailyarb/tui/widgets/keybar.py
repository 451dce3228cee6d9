"""The key row and the banner: what can be done now, and what is wrong with the link."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from dailyarb.tui import format as f
from dailyarb.tui.keys import BY_ID, shown
from dailyarb.tui.lines import Line, LineBuilder, line, wrapped
from dailyarb.tui.source import LinkState
from dailyarb.tui.widgets.pane import LinePane

if TYPE_CHECKING:
    from dailyarb.tui.scene import Scene

_VIEW_RANK = 6


class KeyBar(LinePane):
    """Lists the keys that mean something now, risk first; greyed where not allowed."""

    bordered: ClassVar[bool] = False
    fades: ClassVar[bool] = False
    rate_hz: ClassVar[float] = 2.0

    def draw(self, scene: Scene, width: int, height: int) -> list[Line]:
        """Returns as many keys as fit, by rank."""
        builder = LineBuilder()
        for _, key, says, enabled in self.entries():
            lead = " " if not builder.width else "  "
            if builder.width + len(lead) + len(key) + 1 + len(says) > width:
                continue
            hot = says == "HALT"
            builder.add(lead).add(key, "critical" if hot else "key" if enabled else "old")
            builder.add(" ").add(says, "strong" if hot else "" if enabled else "old")
        return [builder.build(width)]

    def entries(self) -> list[tuple[int, str, str, bool]]:
        """Returns rank, key, wording and whether it is allowed, one per action."""
        found: dict[str, tuple[int, str, str, bool]] = {"view": (_VIEW_RANK, "1-8", "view", True)}
        for name, active in self.screen.active_bindings.items():
            binding = active.binding
            known = BY_ID.get(binding.id or "")
            if known is not None and known.rank and known.id not in found:
                key = shown(self.app.get_key_display(binding) if len(name) > 1 and "+" not in name
                            and name not in {"f9", "f1"} else name)  # fmt: skip
                found[known.id] = (known.rank, key, known.short or known.says, active.enabled)
        return sorted(found.values())


class Banner(LinePane):
    """Speaks when the link is not as it should be: splash, checklist, ENGINE LOST."""

    fades: ClassVar[bool] = False

    def titles(self, scene: Scene) -> tuple[str, str]:
        """Returns the state of the link."""
        return scene.state.value, ""

    def draw(self, scene: Scene, width: int, height: int) -> list[Line]:
        """Returns what is known, and what can be done."""
        match scene.state:
            case LinkState.CONNECTING:
                texts = [
                    ("waiting for the engine's board", "strong"),
                    (scene.place, ""),
                    ("It is looked for four times a second.  q leaves.", ""),
                ]
            case LinkState.SYNCING:
                texts = _checklist(scene)
            case LinkState.LOST:
                texts = _lost(scene)
            case LinkState.RESTARTED:
                texts = [("The engine was restarted: a new run, rung as persisted, LIVE disarmed.",
                          "warn")]  # fmt: skip
            case _:
                texts = []
        return [line(part, width, style) for text, style in texts for part in wrapped(text, width)]


def _checklist(scene: Scene) -> list[tuple[str, str]]:
    rows = [("Trading is not possible until every line says ok.", "strong")]
    for step in scene.view.booting if scene.view is not None else ():
        word, style = ("ok  ", "ok") if step.done else ("wait", "warn")
        rows.append((f"{word} {step.name}  {step.detail}".rstrip(), style))
    return rows


def _lost(scene: Scene) -> list[tuple[str, str]]:
    view = scene.view
    if view is None:
        return [("The engine is gone.", "critical")]
    held = [
        f"{desk.label} {f.shares(abs(desk.pos_up_e6 - desk.pos_down_e6))}"
        for desk in view.markets
        if desk.pos_up_e6 != desk.pos_down_e6
    ]
    return [
        (f"No sign of life for {f.age(scene.frame_age_ms)}. What is below is the last known state.",
         "critical"),
        (f"Open orders at last sight: {view.open_orders}. Positions: {', '.join(held) or 'none'}.",
         ""),
        ("The venue cancels resting orders by itself once heartbeats stop.", ""),
        ("The keeper starts the engine again when asked to.  8 log  q leave", ""),
    ]  # fmt: skip

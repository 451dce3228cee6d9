"""The two status rows, the WHY line, the key row: always on screen, at every size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from dailyarb.core.domain.events import FeedState, FeedStatus, VenueModeKind
from dailyarb.core.domain.ids import GATE_FACTS
from dailyarb.core.domain.rung import Mode, Rung, RungCause
from dailyarb.tui import format as f
from dailyarb.tui.lines import Line, LineBuilder, faded, line
from dailyarb.tui.source import LinkState, Role
from dailyarb.tui.widgets.feeds import in_order
from dailyarb.tui.widgets.pane import LinePane

if TYPE_CHECKING:
    from dailyarb.core.domain.view import View
    from dailyarb.tui.scene import Scene

MODE_BADGES: dict[Mode, tuple[str, str]] = {
    Mode.LIVE: ("[$ LIVE]", "live"),
    Mode.PAPER: ("[P PAPER]", "paper"),
    Mode.SIM: ("[S SIM]", "sim"),
    Mode.DRY: ("[D DRY]", "dry"),
    Mode.REPLAY: ("[R REPLAY]", "replay"),
}
RUNG_BADGES: dict[Rung, tuple[str, str]] = {
    Rung.FULL: ("[>> FULL]", "full"),
    Rung.REDUCED: ("[> REDUCED]", "reduced"),
    Rung.HEDGE_ONLY: ("[~ HEDGE]", "hedge"),
    Rung.HALTED: ("[X HALTED]", "halted"),
}


@dataclass(slots=True)
class Field:
    """Is one field of a status row: its wordings, longest first; rank says who shrinks first."""

    wordings: tuple[str, ...]
    style: str = ""
    rank: int = 0
    at: int = 0

    @property
    def text(self) -> str:
        """Returns the wording in use, empty once dropped."""
        return self.wordings[self.at] if self.at < len(self.wordings) else ""


def laid_out(left: list[Field], right: list[Field], width: int, gap: int = 2) -> Line:
    """Returns a row of fields, the least important shortened or dropped until all fit.

    Shortening comes three ranks before dropping; what has rank 0 is never dropped.
    """
    fields = left + right
    while 2 + gap + _width(left, gap) + _width(right, gap) > width:
        shrinkable = [field for field in fields if _urgency(field) > 0]
        if not shrinkable:
            break
        max(shrinkable, key=lambda field: (_urgency(field), len(field.text))).at += 1
    builder = LineBuilder().add(" ")
    _put(builder, left, gap)
    used = _width(right, gap)
    if used:
        builder.add(" " * max(1, width - builder.width - used - 1))
        _put(builder, right, gap)
    return builder.build(width)


def _urgency(field: Field) -> int:
    """Returns how soon a field gives way; 0 when it cannot."""
    if field.at < len(field.wordings) - 1:
        return field.rank + 3
    return field.rank if field.text else 0


def _width(fields: list[Field], gap: int) -> int:
    texts = [field.text for field in fields if field.text]
    return sum(map(len, texts)) + gap * max(0, len(texts) - 1)


def _put(builder: LineBuilder, fields: list[Field], gap: int) -> None:
    first = True
    for field in fields:
        if field.text:
            builder.add("" if first else " " * gap).add(field.text, field.style)
            first = False


def rung_badge(view: View) -> tuple[str, ...]:
    """Returns the rung's badge with its cause, longest first."""
    badge, _ = RUNG_BADGES[view.rung]
    if view.rung is Rung.FULL or view.rung_cause is RungCause.NONE:
        return (badge,)
    cause = view.rung_cause.value
    detail = f.clean(view.rung_detail)[:40]
    body = badge[:-1]
    long = f"{body} {cause}: {detail}]" if detail not in {"", cause} else f"{body} {cause}]"
    return (long, f"{body} {cause}]", badge)


class StatusRows(LinePane):
    """Answers the seven questions of an operator in two rows."""

    DEFAULT_CSS = "StatusRows { height: 2; }"
    bordered: ClassVar[bool] = False
    rate_hz: ClassVar[float] = 4.0
    fades: ClassVar[bool] = False

    def draw(self, scene: Scene, width: int, height: int) -> list[Line]:
        """Returns both rows; their numbers fade when old, the engine's pulse never does."""
        if scene.view is None:
            first = laid_out(
                [Field(("[? UNKNOWN]",), "warn"), Field((f"{scene.state.value} {scene.place}",))],
                [Field((f.clock(scene.wall_ns) + "Z",))],
                width,
            )
            return [first, line(" no frame yet: nothing is known about the engine", width, "warn")]
        first = self._first(scene, scene.view, width)
        second = self._second(scene, scene.view, width)
        return [first, second]

    def _first(self, scene: Scene, view: View, width: int) -> Line:
        badge, style = MODE_BADGES[view.mode]
        badges = [Field((badge,), style), Field(rung_badge(view), RUNG_BADGES[view.rung][1])]
        badges += _flags(scene, view)
        left = [
            *badges,
            Field((f"instance {view.instance}", view.instance), rank=4),
            Field((f"run {f.clean(view.run)[:8]}",), rank=8),
            Field((f.clean(view.source)[:32],), rank=7),
            Field((f"config {view.config_hash[:6]}",), rank=9),
            Field((f"up {f.age((scene.wall_ns - view.started_ns) / 1e6)}",), rank=9),
        ]
        right = [_feed_field(feed, scene.since_ms) for feed in in_order(view.feeds)]
        zone = "" if scene.local_time else "Z"
        time_of_day = f.clock(scene.wall_ns, scene.local_time) + zone
        right += [_clock_field(view), Field((time_of_day,), rank=1)]
        drawn = laid_out(left, right, width)
        if not scene.old:
            return drawn
        kept = len(badge) + 2
        old = faded(drawn)
        return Line(drawn.text[:kept] + old.text[kept:], ((0, width, "old"),))

    def _second(self, scene: Scene, view: View, width: int) -> Line:
        left = _money_fields(view) + _risk_fields(view)
        pulse = f.age(scene.frame_age_ms)
        late = scene.state in {LinkState.NO_FRAME, LinkState.LOST}
        mark = " !" if late else ""
        engine = Field((f"engine {pulse}{mark}", f"eng {pulse}{mark}"), "critical" if late else "")
        drawn = laid_out(left, [engine], width)
        if not late:
            return drawn
        cut = drawn.text.rindex(engine.text)
        old = faded(Line(drawn.text[:cut]))
        return Line(
            old.text + drawn.text[cut:],
            ((0, cut, "old"), (cut, cut + len(engine.text), "critical")),
        )


def _flags(scene: Scene, view: View) -> list[Field]:
    flags: list[Field] = []
    if view.mode is Mode.LIVE and not view.armed:
        flags.append(Field(("[NOT ARMED]",), "warn", 3))
    if scene.state not in {LinkState.RUNNING, LinkState.CONNECTING}:
        flags.append(Field((f"[{scene.state.value}]",), "critical"))
    if scene.role is Role.OBSERVER:
        flags.append(Field(("[OBSERVE]",), "warn"))
    elif scene.role is Role.NO_LEASE:
        flags.append(Field(("[NO LEASE]",), "warn"))
    if scene.frozen_s is not None:
        flags.append(Field((f"[FROZEN {scene.frozen_s:.0f}s]",), "warn"))
    if view.venue_mode is not VenueModeKind.NORMAL:
        flags.append(Field((f"[VENUE {view.venue_mode.value}]",), "warn", 2))
    if scene.frames_hz < 10:
        flags.append(Field((f"{scene.frames_hz} fps",), "warn", 6))
    return flags


def _feed_field(feed: FeedState, since_ms: float) -> Field:
    late = feed.status in {FeedStatus.STALE, FeedStatus.DOWN}
    age = f.age(feed.age_ms + since_ms)
    name, mark = feed.feed.value, "!" if late else ""
    if feed.status is FeedStatus.CONNECTING:
        age = "..."
    short = f"{name} {feed.status.value if feed.status is FeedStatus.DOWN else age}{mark}"
    long = f"{name} {age}{mark} {f.count(feed.rate_hz)}/s"
    return Field((long, short), "stale" if late else "", 5 if name == "USER" else 2)


def _clock_field(view: View) -> Field:
    if view.clock_offset_ms is None:
        return Field(("CLK ?",), "warn", 2)
    short = f"CLK {view.clock_offset_ms:+.0f}ms"
    if view.clock_error_ms is None:
        return Field((short,), rank=2)
    return Field((f"{short} ±{view.clock_error_ms:.0f}", short), rank=2)


def _money_fields(view: View) -> list[Field]:
    def trend(value: int) -> str:
        return "up" if value > 0 else "down" if value < 0 else ""

    day = f.signed_money(view.day_net_e6) + f.mark(view.day_net_e6).strip()
    open_ = f.signed_money(view.unrealised_e6) + f.mark(view.unrealised_e6).strip()
    return [
        Field((f"Day {day}",), trend(view.day_net_e6)),
        Field((f"uP&L {open_}",), trend(view.unrealised_e6), 1),
        Field((f"fees {f.signed_money(-view.fees_e6)}",), rank=6),
        Field((f"equity {f.money(view.equity_e6, 0)}",), rank=8),
        Field((f"free {f.money(view.free_e6, 0)}",), rank=8),
    ]


def _risk_fields(view: View) -> list[Field]:
    worst, limit = f.whole(view.worst_e6), f.whole(-abs(view.worst_limit_e6))
    share = f.percent(abs(view.worst_e6), abs(view.worst_limit_e6))
    near = abs(view.worst_e6) > 0.8 * abs(view.worst_limit_e6) > 0
    tripped, alerts, unknown = view.breakers_tripped, view.alerts_open, view.unknown_orders
    total = len(view.breakers) + len(view.circuits)
    return [
        Field(
            (f"Max loss {worst} / {limit} ({share})", f"MaxL {worst}/{limit}", f"MaxL {worst}"),
            "warn" if near else "", 1,
        ),
        Field((f"Exposure {f.whole(view.exposure_e6)}",), rank=9),
        Field((f"Orders {view.open_orders}", f"Ord {view.open_orders}"), rank=1),
        Field((f"Unknown {unknown}{'!' if unknown else ''}",), "critical" if unknown else "",
              1 if unknown else 7),
        Field((f"Breakers {tripped}/{total}", f"BRK {tripped}/{total}"),
              "critical" if tripped else "", 2),
        Field((f"Alerts {alerts}{'!' if alerts else ''}", f"ALR {alerts}{'!' if alerts else ''}"),
              "warn" if alerts else "", 2),
    ]  # fmt: skip


class WhyLine(LinePane):
    """Says in one sentence what stops trading: the halt first, then the gate of a market."""

    DEFAULT_CSS = "WhyLine { height: 1; }"
    bordered: ClassVar[bool] = False

    def draw(self, scene: Scene, width: int, height: int) -> list[Line]:
        """Returns the sentence, as much of it as fits."""
        words, style = why_words(scene)
        builder = LineBuilder().add(" WHY ", "strong")
        if builder.width + len(words[0]) > width:
            words[0] = words[0].replace("not trading - ", "", 1)
        for index, part in enumerate(words):
            gap = "  " if index else ""
            if index and builder.width + len(gap) + len(part) > width:
                break
            builder.add(gap).add(part, style if index == 0 else "")
        return [builder.build(width)]


def why_words(scene: Scene) -> tuple[list[str], str]:
    """Returns the WHY sentence in parts, the most important first, and the style of the first."""
    if scene.notice:
        return [scene.notice], "warn"
    view = scene.view
    if view is None:
        return [f"waiting for the board at {scene.place}"], "warn"
    if scene.state is LinkState.LOST:
        return ["the engine is gone; last known state is shown", "8 log  q leave"], "critical"
    if scene.state is LinkState.NO_FRAME:
        return ["no frame from the engine; values are old", "F9 is still sent"], "critical"
    if view.booting:
        waiting = [step.name for step in view.booting if not step.done]
        if waiting:
            return [f"trading not possible yet: waiting for {', '.join(waiting)}"], "warn"
    if view.rung is Rung.HALTED:
        cause = f.clean(view.rung_detail) or view.rung_cause.value
        note = f.clean(view.halt_note)
        first = note if note.startswith("HALT") else f"HALTED: {note or cause}"
        return [first, cause, f"{_key(scene, 'risk.up', '+')} releases"], "critical"
    return _gate_words(scene, view)


def _gate_words(scene: Scene, view: View) -> tuple[list[str], str]:
    found = scene.blocked
    if found is None:
        rest = f"signals mean nothing here: {view.meaningless}" if view.meaningless else ""
        said = "no market is blocked" if view.markets else "no open window yet; discovery goes on"
        return [said, rest] if rest else [said], ""
    market, hit = found
    text = GATE_FACTS[hit.gate][0]
    numbers = f.gate_numbers(hit.gate, hit.now, hit.limit)
    who = f" {hit.strategy.value}" if hit.strategy is not None else ""
    tail = f" ({numbers})" if numbers else ""
    parts = [f"{scene.name(market)}{who}: not trading - {text}{tail}"]
    parts.append(f"[gate {hit.gate.value}]")
    if view.meaningless:
        parts.append(f"signals mean nothing here: {f.clean(view.meaningless)}")
    if hit.since_ns:
        parts.append(f"since {f.clock(hit.since_ns, scene.local_time)}")
    parts.append(f"{_key(scene, 'why', 'w')} details")
    return parts, ""


def _key(scene: Scene, key_id: str, fallback: str) -> str:
    return scene.keys.get(key_id, fallback)

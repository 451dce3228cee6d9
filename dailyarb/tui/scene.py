"""Is what a paint rests on: one frame, the moment, and what the operator is looking at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from dailyarb.core.domain.rung import Mode, Rung
from dailyarb.core.domain.view import Desk, GateHit, View
from dailyarb.tui.format import minute
from dailyarb.tui.source import BookLike, LinkState, Role

MS = 1_000_000


@dataclass(frozen=True, slots=True)
class LogLine:
    """Is one line of the engine's log, as the console shows it."""

    clock: str
    level: str
    event: str
    market: str
    text: str
    raw: str = ""


@dataclass(frozen=True, slots=True)
class AuditLine:
    """Is one operator action: who, what, what came of it, and its command-line twin."""

    seq: int
    wall_ns: int
    who: str
    action: str
    result: str
    twin: str


@dataclass(frozen=True, slots=True)
class Scene:
    """Is everything a pane may read while it draws; it never changes.

    now_ns is the present on the engine's boot clock, wall_ns venue time; frame_age_ms is how long
    ago this console saw a new frame.
    """

    view: View | None
    state: LinkState
    role: Role
    now_ns: int
    wall_ns: int
    frame_age_ms: float
    book: Callable[[int], BookLike | None]
    selected: str = ""
    local_time: bool = False
    frozen_s: float | None = None
    frames_hz: int = 10
    place: str = ""
    log: tuple[LogLine, ...] = ()
    log_note: str = ""
    audit: tuple[AuditLine, ...] = ()
    notice: str = ""
    keys: dict[str, str] = field(default_factory=dict)  # key id to the key as shown

    @property
    def old(self) -> bool:
        """Says whether values on screen must look old."""
        return self.state in {LinkState.NO_FRAME, LinkState.LOST}

    @property
    def since_ms(self) -> float:
        """Returns how much older the view's ages are now."""
        return max(0.0, (self.now_ns - self.view.mono_ns) / MS) if self.view is not None else 0.0

    @property
    def market(self) -> Desk | None:
        """Returns the selected market, else the first that is open, else the first."""
        if self.view is None or not self.view.markets:
            return None
        for desk in self.view.markets:
            if desk.market_id == self.selected:
                return desk
        running = (d for d in self.view.markets if d.start_ns <= self.wall_ns < d.end_ns)
        return next(running, self.view.markets[0])

    @property
    def blocked(self) -> tuple[Desk, GateHit] | None:
        """Returns the market the WHY line speaks of: the selected if blocked, else the first."""
        chosen = self.market
        if chosen is None or self.view is None:
            return None
        if chosen.why is not None:
            return chosen, chosen.why
        for desk in self.view.markets:
            if desk.why is not None:
                return desk, desk.why
        return None

    @property
    def rung(self) -> Rung:
        """Returns the rung in force, HALTED as long as nothing is known."""
        return self.view.rung if self.view is not None else Rung.HALTED

    @property
    def mode(self) -> Mode | None:
        """Returns the run mode, None as long as nothing is known."""
        return self.view.mode if self.view is not None else None

    def name(self, desk: Desk) -> str:
        """Returns a market's name; a coming window has its start behind it, `BTC 5m 14:35`."""
        if self.wall_ns >= desk.start_ns:
            return desk.label
        return f"{desk.label} {minute(desk.start_ns, self.local_time)}"

    def depth(self, desk: Desk | None) -> BookLike | None:
        """Returns the depth of a market's UP book."""
        return self.book(desk.book_slot) if desk is not None and desk.book_slot >= 0 else None

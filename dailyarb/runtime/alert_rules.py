"""The keeper's own rules: what it tells of a View that the engine did not raise as an alert.

Each rule reads one View and gives what holds now; the watch lets it hold for a while before it
speaks, once, and says when it is over. Trips of breakers, unknown orders, wrong fees and the like
are raised by the engine itself and only pass through here by way of the journal.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence

import msgspec

from dailyarb.core.domain.events import LATENCY_BOUNDS_NS
from dailyarb.core.domain.ids import Severity
from dailyarb.core.domain.settings import AlertRules
from dailyarb.core.domain.view import View

UNKNOWN_S = 60.0
WINDOW_NS = 60_000_000_000
LATENCY_STAGE = "tick_to_order"
SAMPLES_MIN = 20  # of a minute before its p99 means anything
_SECOND_NS = 1_000_000_000
_USD = 1_000_000
_INFO, _WARNING, _CRITICAL = Severity.INFO, Severity.WARNING, Severity.CRITICAL


class Trouble(msgspec.Struct, frozen=True):
    """Is something that holds now; `ends` says whether its end is worth a word too."""

    key: str
    severity: Severity
    text: str
    for_s: float = 0.0
    ends: bool = True


class Look(msgspec.Struct, frozen=True):
    """Is what a rule reads: the newest view, the settings, and the p99 of the last minute."""

    view: View
    rules: AlertRules
    p99_ms: float | None


def near_breakers(look: Look) -> Iterator[Trouble]:
    """A breaker has used four fifths of its limit: day loss, drawdown, latency, rejects, ..."""
    for row in look.view.breakers:
        if row.state == "warn" and row.now is not None:
            text = f"{row.name} is near its limit: {row.now:g} of {row.limit:g} {row.unit}"
            yield Trouble(f"breaker.{row.name}.near", _WARNING, text, look.rules.for_s)


def result_steps(look: Look) -> Iterator[Trouble]:
    """The day's result has reached another multiple of `pnl_step_usd`, up or down."""
    step = int(look.view.day_net_e6 / _USD / look.rules.pnl_step_usd)
    if step:
        text = f"the day stands at {look.view.day_net_e6 / _USD:+,.2f} $ after fees"
        evidence = look.view.evidence.value
        yield Trouble(f"pnl.step.{step:+d}", _INFO, f"{text} ({evidence})", ends=False)


def residuals(look: Look) -> Iterator[Trouble]:
    """The parts of the books do not add up to the whole."""
    residual_e6 = look.view.books.residual_e6
    if residual_e6:
        text = f"the books do not add up: {residual_e6 / _USD:+,.6f} $ are unexplained"
        yield Trouble("books.residual", _CRITICAL, text)


def slow_orders(look: Look) -> Iterator[Trouble]:
    """From frame to order took too long, at the 99th percentile of the last minute."""
    limit = look.rules.tick_to_order_p99_ms
    if look.p99_ms is not None and look.p99_ms > limit:
        text = f"tick to order p99 {look.p99_ms:g} ms over the last minute, limit {limit:g} ms"
        yield Trouble(f"latency.{LATENCY_STAGE}", _WARNING, text, look.rules.for_s)


def lost_connections(look: Look) -> Iterator[Trouble]:
    """A feed has fewer connections than it shall have, or none."""
    for row in look.view.feeds:
        if row.connections < row.wanted:
            severity = _WARNING if row.connections else _CRITICAL
            text = f"feed {row.feed.value}: {row.connections} of {row.wanted} connections stand"
            yield Trouble(f"feed.{row.feed.value}", severity, text, look.rules.for_s)


def old_unknowns(look: Look) -> Iterator[Trouble]:
    """An order's outcome has stayed unproven."""
    if look.view.unknown_orders:
        text = f"{look.view.unknown_orders} orders of unknown outcome for over {UNKNOWN_S:g} s"
        yield Trouble("order.unproven", _CRITICAL, text, UNKNOWN_S)


def little_disk(look: Look) -> Iterator[Trouble]:
    """The disk of the journal fills up."""
    free_gb, least = look.view.process.disk_free_gb, look.rules.min_disk_gb
    if 0 < free_gb < least:
        severity = _CRITICAL if free_gb < least / 4 else _WARNING
        yield Trouble("disk.free", severity, f"{free_gb:.2f} GB of disk left, {least:g} wanted")


def dead_channels(look: Look) -> Iterator[Trouble]:
    """An alert channel does not deliver; the others are told."""
    for row in look.view.channels:
        if not row.ok:
            text = f"alert channel {row.channel} does not deliver: {row.detail}"
            yield Trouble(f"channel.{row.channel}", _WARNING, text, look.rules.for_s)


RULES: tuple[Callable[[Look], Iterator[Trouble]], ...] = (
    near_breakers,
    result_steps,
    residuals,
    slow_orders,
    lost_connections,
    old_unknowns,
    little_disk,
    dead_channels,
)


class Watch:
    """Turns views into alerts: a trouble is told once it has held, and once when it is over."""

    def __init__(self, rules: AlertRules) -> None:
        self._rules = rules
        self._run = ""
        self._counts: deque[tuple[int, Sequence[int]]] = deque()
        self._since: dict[str, int] = {}
        self._told: dict[str, Trouble] = {}

    def look(self, view: View) -> list[tuple[Severity, str, str]]:
        """Returns what is to be told after one more view: (severity, key, text) each."""
        look = Look(view, self._rules, self._p99_ms(view))
        holds = {trouble.key: trouble for rule in RULES for trouble in rule(look)}
        return [*self._begun(holds, view.mono_ns), *self._over(holds)]

    def _p99_ms(self, view: View) -> float | None:
        """Returns the 99th percentile of the stage over the last minute of this run."""
        if view.run != self._run:
            self._run = view.run
            self._counts.clear()
        counts = next((row.counts for row in view.buckets if row.stage == LATENCY_STAGE), ())
        if not counts:
            return None
        self._counts.append((view.mono_ns, counts))
        while view.mono_ns - self._counts[0][0] > WINDOW_NS:
            self._counts.popleft()
        return p99_ms([n - o for n, o in zip(counts, self._counts[0][1], strict=True)])

    def _begun(self, holds: dict[str, Trouble], now_ns: int) -> Iterator[tuple[Severity, str, str]]:
        self._since = {key: self._since.get(key, now_ns) for key in holds}
        for key, trouble in holds.items():
            told = self._told.get(key)
            if told is not None and told.severity is trouble.severity:
                continue
            if now_ns - self._since[key] >= trouble.for_s * _SECOND_NS:
                self._told[key] = trouble
                yield trouble.severity, key, trouble.text

    def _over(self, holds: dict[str, Trouble]) -> Iterator[tuple[Severity, str, str]]:
        for key in [key for key in self._told if key not in holds]:
            trouble = self._told.pop(key)
            if trouble.ends:
                yield _INFO, f"{key}.over", f"over: {trouble.text}"


def p99_ms(counts: Sequence[int]) -> float | None:
    """Returns the upper bound of the bucket with the 99th percentile, in milliseconds.

    Args:
        counts: how many times were within each of LATENCY_BOUNDS_NS, and last how many there are.

    Returns:
        None where too few were measured to say.
    """
    if counts[-1] < SAMPLES_MIN:
        return None
    rank = 0.99 * counts[-1]
    at = next((i for i, count in enumerate(counts[:-1]) if count >= rank), -1)
    return LATENCY_BOUNDS_NS[at] / 1e6

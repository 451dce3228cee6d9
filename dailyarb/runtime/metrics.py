"""Prometheus metrics, built from the engine's `View`: nothing is counted twice.

Names are those of the status rows and log fields. Labels are bounded: strategies, evidence,
feeds, stages, breakers, limits and channels are finite, and markets are no label at all.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from dailyarb.core.domain.events import LATENCY_BOUNDS_NS, AlertState
from dailyarb.core.domain.ids import Severity
from dailyarb.core.domain.rung import Rung
from dailyarb.core.domain.view import View

_USD = 1_000_000
_ROWS_MAX = 64  # of any list whose rows become labels
VIEW_AGE_MAX_S = 5.0
CIRCUIT_STATES = ("CLOSED", "OPEN", "HALF_OPEN")

Sample = tuple[Sequence[str], float]


class KeeperFacts(msgspec.Struct, frozen=True):
    """Is what the keeper itself has to tell beside the engine's view.

    Attributes:
        up: whether the engine gives signs of life.
        age_s: age of its newest view.
        life: what the keeper knows of it, in one word.
        channels: how each alert channel is.
        raised: alerts since the keeper began, by severity.
        sent: alerts delivered, by channel; failed: those given up; dropped: no room for them.
        held: alerts held back because they had just been told.
        restarts: engines it has started anew.
    """

    up: bool = False
    age_s: float = 0.0
    life: str = "awaited"
    channels: tuple[AlertState, ...] = ()
    raised: dict[Severity, int] = {}
    sent: dict[str, int] = {}
    failed: dict[str, int] = {}
    dropped: dict[str, int] = {}
    held: int = 0
    restarts: int = 0


class Metrics:
    """Holds the newest view and gives its numbers to scrapers."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(self)
        self._lock = threading.Lock()
        self._view: View | None = None
        self._facts = KeeperFacts()

    def update(self, view: View | None, facts: KeeperFacts) -> None:
        """Takes the newest view and what the keeper knows."""
        with self._lock:
            self._view, self._facts = view, facts

    def health(self) -> tuple[bool, dict[str, Any]]:
        """Returns whether the engine lives, with the facts that say so."""
        _, facts = self._newest()
        return facts.up, {"engine": facts.life, "view_age_s": round(facts.age_s, 3)}

    def readiness(self) -> tuple[bool, dict[str, Any]]:
        """Returns whether the engine lives, has reconciled and shows it; and its rung."""
        view, facts = self._newest()
        if view is None:
            return False, {"engine": facts.life, "ready": False}
        good = facts.up and facts.age_s <= VIEW_AGE_MAX_S and not view.booting
        return good, {
            "engine": facts.life,
            "ready": good,
            "booting": [step.name for step in view.booting if not step.done],
            "mode": view.mode.value,
            "rung": view.rung.name,
            "rung_cause": view.rung_cause.value,
            "armed": view.armed,
        }

    def collect(self) -> Iterable[Metric]:
        """Yields all families; without a view only what the keeper itself knows."""
        view, facts = self._newest()
        yield from _keeper(facts)
        if view is not None:
            yield from _money(view)
            yield from _orders(view)
            yield from _risk(view)
            yield from _feeds(view)
            yield from _process(view)

    def _newest(self) -> tuple[View | None, KeeperFacts]:
        with self._lock:
            return self._view, self._facts


def _gauge(name: str, what: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, what, value=float(value))


def _gauges(
    name: str, what: str, labels: Sequence[str], samples: Iterable[Sample]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, what, labels=list(labels))
    for values, number in samples:
        family.add_metric(list(values), float(number))
    return family


def _counter(name: str, what: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(name, what, value=float(value))


def _counters(
    name: str, what: str, labels: Sequence[str], samples: Iterable[Sample]
) -> CounterMetricFamily:
    family = CounterMetricFamily(name, what, labels=list(labels))
    sums: dict[tuple[str, ...], float] = {}
    for values, number in samples:  # rows of one name are one series
        sums[tuple(values)] = sums.get(tuple(values), 0.0) + number
    for each, number in sums.items():
        family.add_metric(list(each), number)
    return family


def _keeper(facts: KeeperFacts) -> Iterable[Metric]:
    yield _gauge("dailyarb_up", "Whether the engine gives signs of life.", facts.up)
    yield _gauge("dailyarb_view_age_seconds", "Age of the newest view.", facts.age_s)
    yield _counter("dailyarb_engine_restarts", "Engines the keeper started anew.", facts.restarts)
    yield _counters(
        "dailyarb_alerts", "Alerts raised, told or not.", ("severity",),
        [((severity.value,), facts.raised.get(severity, 0)) for severity in Severity],
    )  # fmt: skip
    yield _counter("dailyarb_alerts_held", "Alerts not told again so soon.", facts.held)
    channel = ("channel",)
    for name, what, counts in (
        ("dailyarb_alerts_sent", "Alerts delivered.", facts.sent),
        ("dailyarb_alerts_failed", "Alerts given up.", facts.failed),
        ("dailyarb_alerts_dropped", "Alerts there was no room for.", facts.dropped),
    ):
        yield _counters(name, what, channel, [((key,), n) for key, n in counts.items()])
    yield _gauges(
        "dailyarb_alert_channel_up", "Whether an alert channel delivers.", channel,
        [((state.channel,), state.ok) for state in facts.channels],
    )  # fmt: skip
    undelivered = sum(state.undelivered for state in facts.channels)
    yield _gauge("dailyarb_alerts_undelivered", "Alerts not delivered.", undelivered)
    waits_s = max((state.critical_s for state in facts.channels), default=0.0)
    yield _gauge("dailyarb_alert_critical_wait_seconds", "A critical one's wait.", waits_s)


def _money(view: View) -> Iterable[Metric]:
    yield _gauges(
        "dailyarb_info", "What runs.", ("name", "mode", "evidence", "config"),
        [((view.instance, view.mode.value, view.evidence.value, view.config_hash), 1)],
    )  # fmt: skip
    strategy = ("strategy", "evidence")
    rows = [((row.key, row.evidence.value), row) for row in view.pnl]
    yield _gauges(
        "dailyarb_pnl_dollars", "Net profit and loss of the day, by strategy.", strategy,
        [(labels, row.net_e6 / _USD) for labels, row in rows],
    )  # fmt: skip
    yield _gauges(
        "dailyarb_fees_dollars", "Fees of the day, by strategy.", strategy,
        [(labels, row.fees_e6 / _USD) for labels, row in rows],
    )  # fmt: skip
    yield _counters(
        "dailyarb_fills", "Fills booked, by strategy.", strategy,
        [(labels, row.fills) for labels, row in rows],
    )  # fmt: skip
    evidence = ("evidence",)
    own = (view.evidence.value,)
    for name, what, cash_e6 in (
        ("dailyarb_exposure_dollars", "Notional at risk.", view.exposure_e6),
        ("dailyarb_max_loss_usd", "Worst outcome at settlement, all markets.", view.worst_e6),
        ("dailyarb_max_loss_limit_usd", "Limit of the worst outcome.", view.worst_limit_e6),
        ("dailyarb_equity_dollars", "Cash and positions at mid.", view.equity_e6),
        ("dailyarb_free_dollars", "Cash not reserved.", view.free_e6),
        ("dailyarb_unrealised_dollars", "Open positions at mid.", view.unrealised_e6),
        ("dailyarb_day_net_dollars", "Net profit and loss of the day.", view.day_net_e6),
        ("dailyarb_books_residual_dollars", "Must be zero.", view.books.residual_e6),
        ("dailyarb_naked_dollars", "Unmatched legs of pairs.", view.naked_e6),
    ):
        yield _gauges(name, what, evidence, [(own, cash_e6 / _USD)])


def _orders(view: View) -> Iterable[Metric]:
    stages = [row for row in view.funnel[:_ROWS_MAX] if not row.loss]
    losses = [row for row in view.funnel[:_ROWS_MAX] if row.loss]
    yield _counters(
        "dailyarb_orders", "Orders of this run that reached a stage.", ("stage",),
        [((row.name,), row.count) for row in stages],
    )  # fmt: skip
    yield _counters(
        "dailyarb_rejects", "Orders of this run that did not fill, by reason.", ("reason",),
        [((row.name,), row.count) for row in losses],
    )  # fmt: skip
    yield _counters(
        "dailyarb_gates", "Evaluations of this run that a gate stopped.", ("gate",),
        [((row.gate.value,), row.run) for row in view.gates],
    )  # fmt: skip
    yield _gauge("dailyarb_open_orders", "Orders open at the venue.", view.open_orders)
    yield _gauge("dailyarb_unknown_orders", "Orders of unknown outcome.", view.unknown_orders)
    yield _gauge("dailyarb_pairs_open", "Pairs not yet complete.", view.pairs_open)
    yield _counters(
        "dailyarb_pairs", "Pairs of this run, by how they ended.", ("result",),
        [((row.name,), row.count) for row in view.pairs],
    )  # fmt: skip


def _risk(view: View) -> Iterable[Metric]:
    yield _gauges(
        "dailyarb_rung", "Which rung is in force.", ("rung",),
        [((rung.name,), view.rung is rung) for rung in Rung],
    )  # fmt: skip
    yield _gauges(
        "dailyarb_breaker_tripped", "Whether a breaker is tripped.", ("breaker",),
        [((row.name,), row.state in ("TRIPPED", "latched")) for row in view.breakers],
    )  # fmt: skip
    yield _counters(
        "dailyarb_breaker_trips", "Trips of this run.", ("breaker",),
        [((row.name,), row.trips) for row in view.breakers],
    )  # fmt: skip
    for name, what, part in (
        ("dailyarb_breaker_value", "A breaker's number, in its own unit.", "now"),
        ("dailyarb_breaker_limit", "Where a breaker trips, in its own unit.", "limit"),
    ):
        numbers = [((row.name,), getattr(row, part)) for row in view.breakers]
        known = [(labels, number) for labels, number in numbers if number is not None]
        yield _gauges(name, what, ("breaker",), known)
    yield _gauges(
        "dailyarb_circuit", "Which state a dependency's circuit is in.", ("circuit", "state"),
        [
            ((row.name, state), row.state == state)
            for row in view.circuits[:_ROWS_MAX]
            for state in CIRCUIT_STATES
        ],
    )  # fmt: skip
    limits = ("limit", "scope", "unit")
    for name, what, which in (
        ("dailyarb_limit_now", "What a limit bounds, now.", "now"),
        ("dailyarb_limit_max", "The limit itself.", "limit"),
    ):
        rows = {(row.name, row.scope, row.unit): getattr(row, which) for row in view.limits}
        yield _gauges(name, what, limits, list(rows.items()))
    yield _gauge("dailyarb_alerts_open", "Alerts not acknowledged.", view.alerts_open)
    yield _gauge("dailyarb_armed", "Whether live trading is armed.", view.armed)


def _feeds(view: View) -> Iterable[Metric]:
    label = ("feed",)
    for name, what, which, scale in (
        ("dailyarb_feed_age_seconds", "Age of a feed's content.", "age_ms", 1000),
        ("dailyarb_feed_connections", "Connections that stand.", "connections", 1),
        ("dailyarb_feed_connections_wanted", "Connections that shall stand.", "wanted", 1),
        ("dailyarb_feed_frames_per_second", "Frames a second.", "rate_hz", 1),
        ("dailyarb_feed_lag_p99_seconds", "Receipt after the venue's stamp.", "lag_p99_ms", 1000),
    ):
        rows = [((row.feed.value,), getattr(row, which) / scale) for row in view.feeds]
        yield _gauges(name, what, label, rows)
    for name, what, which in (
        ("dailyarb_feed_frames", "Frames of this run.", "frames"),
        ("dailyarb_feed_faults", "Frames that gave no rows.", "faults"),
        ("dailyarb_feed_gaps", "Gaps in a book.", "gaps"),
        ("dailyarb_feed_resyncs", "Snapshots asked for.", "resyncs"),
        ("dailyarb_feed_reconnects", "Connections replaced.", "reconnects"),
    ):
        yield _counters(
            name, what, label, [((row.feed.value,), getattr(row, which)) for row in view.feeds]
        )


def _process(view: View) -> Iterable[Metric]:
    histogram = HistogramMetricFamily(
        "dailyarb_latency_seconds", "Latency of a stage of this run.", labels=["stage"]
    )
    bounds = [f"{ns / 1e9:.9f}".rstrip("0").rstrip(".") for ns in LATENCY_BOUNDS_NS]
    for row in view.buckets[:_ROWS_MAX]:
        pairs = zip((*bounds, "+Inf"), row.counts, strict=True)
        histogram.add_metric([row.stage], [(b, float(n)) for b, n in pairs], row.sum_s)
    yield histogram
    yield _gauges(
        "dailyarb_latency_max_seconds", "Longest of this run.", ("stage",),
        [((row.stage,), row.max_us / 1e6) for row in view.latency[:_ROWS_MAX]],
    )  # fmt: skip
    if view.clock_offset_ms is not None:
        offset_s = view.clock_offset_ms / 1e3
        yield _gauge("dailyarb_clock_offset_seconds", "Venue time minus ours.", offset_s)
    process = view.process
    for name, what, number in (
        ("dailyarb_loop_lag_p99_seconds", "Lateness of the engine's loop.", process.p99_ms / 1e3),
        ("dailyarb_cpu_ratio", "Share of a core.", process.cpu_percent / 100),
        ("dailyarb_resident_bytes", "Resident memory.", process.rss_mb * 1e6),
        ("dailyarb_open_files", "Open files.", process.open_files),
        ("dailyarb_disk_free_bytes", "Free disk space.", process.disk_free_gb * 1e9),
        ("dailyarb_journal_bytes", "Size of the journal.", process.journal_mb * 1e6),
    ):
        yield _gauge(name, what, number)

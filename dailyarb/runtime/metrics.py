"""Prometheus metrics, built from the engine's `View`: nothing is counted twice.

Names are those of the status rows and log fields. Labels are bounded: strategies, evidence,
feeds, stages, breakers and limits are finite, and markets are no label at all.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from dailyarb.core.domain.rung import Rung
from dailyarb.core.domain.view import View

ADDRESS = "127.0.0.1"
PORT = 9464
_USD = 1_000_000
_REASONS_MAX = 64

Sample = tuple[Sequence[str], float]


class Metrics:
    """Holds the newest view and gives its numbers to scrapers."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(self)
        self._lock = threading.Lock()
        self._view: View | None = None
        self._up = False
        self._age_s = 0.0
        self._undelivered = 0

    def update(self, view: View | None, up: bool, age_s: float, undelivered: int = 0) -> None:
        """Takes the newest view; `up` says whether the engine lives, age_s how old it is."""
        with self._lock:
            self._view, self._up, self._age_s = view, up, age_s
            self._undelivered = undelivered

    def serve(self, port: int = PORT, address: str = ADDRESS) -> int:
        """Listens for scrapers on its own thread and returns the port.

        Raises:
            OSError: the port is taken.
        """
        server, _ = start_http_server(port, address, self.registry)
        return int(server.server_port)

    def collect(self) -> Iterable[Metric]:
        """Yields all families; without a view only whether the engine lives."""
        with self._lock:
            view, up, age_s, undelivered = self._view, self._up, self._age_s, self._undelivered
        yield _gauge("dailyarb_up", "Whether the engine gives signs of life.", up)
        yield _gauge("dailyarb_view_age_seconds", "Age of the newest view.", age_s)
        yield _gauge("dailyarb_alerts_undelivered", "Alerts not delivered.", undelivered)
        if view is not None:
            yield from _money(view)
            yield from _orders(view)
            yield from _risk(view)
            yield from _feeds(view)
            yield from _process(view)


def _gauge(name: str, what: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, what, value=float(value))


def _gauges(
    name: str, what: str, labels: Sequence[str], samples: Iterable[Sample]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, what, labels=list(labels))
    for values, number in samples:
        family.add_metric(list(values), float(number))
    return family


def _counters(
    name: str, what: str, labels: Sequence[str], samples: Iterable[Sample]
) -> CounterMetricFamily:
    family = CounterMetricFamily(name, what, labels=list(labels))
    for values, number in samples:
        family.add_metric(list(values), float(number))
    return family


def _money(view: View) -> Iterable[Metric]:
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
    stages = [row for row in view.funnel[:_REASONS_MAX] if not row.loss]
    losses = [row for row in view.funnel[:_REASONS_MAX] if row.loss]
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
    quantiles = (("0.5", "p50_us"), ("0.99", "p99_us"), ("0.999", "p999_us"), ("1", "max_us"))
    yield _gauges(
        "dailyarb_latency_seconds", "Latency of a stage, by quantile.", ("stage", "quantile"),
        [
            ((row.stage, quantile), getattr(row, which) / 1e6)
            for row in view.latency
            for quantile, which in quantiles
        ],
    )  # fmt: skip
    yield _counters(
        "dailyarb_latency_samples", "Measurements of a stage.", ("stage",),
        [((row.stage,), row.count) for row in view.latency],
    )  # fmt: skip
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

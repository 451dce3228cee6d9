"""Settings: what `config.toml` may say. Strict: unknown keys are refused, money has no default.

Units are in the key names. Bounds are in `Meta`; the loader turns a violation into file, line,
key, allowed range and the nearest valid name.
"""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import msgspec
from msgspec import Meta

from dailyarb.core.domain.alerts import AlertTag
from dailyarb.core.domain.ids import Severity
from dailyarb.core.domain.rung import Rung

Usd = Annotated[float, Meta(gt=0, le=10_000_000)]
Fraction = Annotated[float, Meta(ge=0, le=1)]
Millis = Annotated[int, Meta(ge=1, le=3_600_000)]
Seconds = Annotated[float, Meta(ge=0, le=86_400)]
Cents = Annotated[float, Meta(ge=0, le=100)]
Bp = Annotated[float, Meta(ge=0, le=10_000)]
Shares = Annotated[float, Meta(gt=0, le=1_000_000)]
Factor = Annotated[float, Meta(gt=0, le=20)]


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Is the base of every table of the file."""


class ConfigMode(Enum):
    """Is the run mode a file may ask for."""

    SIM = "sim"
    DRY = "dry"
    PAPER = "paper"
    LIVE = "live"


class VenueKind(Enum):
    """Is where the engine trades."""

    EMBEDDED = "embedded"
    LIVE = "live"
    REPLAY = "replay"


class Sizing(Enum):
    """Is how an entry's size is found."""

    FIXED = "fixed"
    KELLY = "kelly"


class Venues(Section, frozen=True, kw_only=True):
    """Where the engine connects. `seed` and `rate_scale` shape the embedded market."""

    kind: VenueKind = VenueKind.EMBEDDED
    replay_path: str = ""
    replay_speed: Annotated[float, Meta(gt=0, le=1000)] = 1.0
    seed: Annotated[int, Meta(ge=0, le=2**53)] = 1
    rate_scale: Annotated[float, Meta(gt=0, le=10)] = 0.1
    start_cash_usd: Usd = 1000.0  # play money of the embedded venue, and of paper
    greeting_file: str = ""  # of running venues, joined instead of starting some


class Credentials(Section, frozen=True, kw_only=True):
    """References to secrets: `env:NAME`, `file:/path` or `keyring:service/name`; never values."""

    private_key: str = ""
    api_key: str = ""
    api_secret: str = ""
    api_passphrase: str = ""
    wallet: str = ""
    signature_type: Annotated[int, Meta(ge=0, le=3)] = 3


class EngineSettings(Section, frozen=True, kw_only=True):
    """The engine process. core = -1 picks one, -2 pins nothing."""

    core: Annotated[int, Meta(ge=-2, le=1023)] = -1
    busy: bool = False
    rehearse_ms: Annotated[int, Meta(ge=0, le=1_000)] = 2
    view_hz: Annotated[int, Meta(ge=1, le=20)] = 10
    max_loop_lag_ms: Millis = 50
    max_restarts: Annotated[int, Meta(ge=0, le=20)] = 0  # an hour, by the keeper
    restart_after_s: Annotated[float, Meta(ge=1, le=600)] = 5.0
    max_wall_offset_ms: Millis = 500


class Feeds(Section, frozen=True, kw_only=True):
    """Market data: connections, and how old content may be."""

    connections: Annotated[int, Meta(ge=1, le=8)] = 2
    max_book_age_ms: Millis = 2_000
    max_reference_age_ms: Millis = 500
    max_settlement_age_ms: Millis = 4_000
    silent_feed_ms: Millis = 3_000
    settle_ms: Millis = 250
    max_reference_gap_bps: Bp = 20.0
    max_frame_bytes: Annotated[int, Meta(ge=65_536, le=67_108_864)] = 4_194_304


class AssetSettings(Section, frozen=True, kw_only=True):
    """One asset: a config entry, not code."""

    binance_symbol: str
    settlement_symbol: str
    slug: str
    windows: tuple[str, ...] = ("5m", "15m")
    long_name: str = ""  # in the addresses of hourly windows
    correlation: Annotated[float, Meta(ge=-1, le=1)] = 0.8  # prior, with the leader of X1
    vol_ratio: Factor = 1.0  # prior, over the leader's volatility


class Risk(Section, frozen=True, kw_only=True):
    """Limits. Money limits have no default: the file states them."""

    max_worst_case_market_usd: Usd
    max_worst_case_total_usd: Usd
    max_day_loss_usd: Usd
    max_notional_per_trade_usd: Usd
    max_partial_exposure_usd: Usd
    max_unwind_loss_usd: Usd
    max_open_positions: Annotated[int, Meta(ge=1, le=1_000)]
    max_orders_per_minute: Annotated[int, Meta(ge=1, le=10_000)]
    max_unknown_orders: Annotated[int, Meta(ge=1, le=100)] = 1
    max_naked_ms: Millis = 2_000
    max_leg_delay_ms: Millis = 50
    stop_entry_s: Seconds = 20.0
    cancel_before_end_s: Seconds = 10.0
    late_arrival_ms: Millis = 60_000
    ask_after_ms: Millis = 1_000
    provisional_alert_s: Seconds = 60.0
    reduced_scale: Fraction = 0.25
    reduced_strategies: tuple[str, ...] = ("S2",)
    sizing: Sizing = Sizing.FIXED
    kelly_fraction: Annotated[float, Meta(gt=0, le=1)] = 0.25
    kelly_samples: Annotated[int, Meta(ge=10, le=1_000_000)] = 400
    kelly_sigmas: Annotated[float, Meta(ge=0, le=5)] = 1.645


class S1Settings(Section, frozen=True, kw_only=True):
    """S1 stale odds: the reference moved, the book has not answered."""

    enabled: bool = True
    move_window_ms: Millis = 1_000
    min_move_bps: Bp = 2.0
    max_answer: Fraction = 0.5  # share of the expected move the book may already show
    min_edge_cents: Cents = 1.0
    margin_cents: Cents = 0.5
    max_spread_cents: Cents = 4.0
    lag_half_life_ms: Millis = 450
    size_shares: Shares = 20.0
    min_depth_shares: Shares = 20.0
    cooldown_ms: Millis = 3_000
    min_time_left_s: Seconds = 30.0
    max_position_shares: Shares = 100.0
    exit_edge_cents: Cents = 0.0


class S2Settings(Section, frozen=True, kw_only=True):
    """S2 two outcomes below a dollar: taken at once, or rested for."""

    enabled: bool = True
    taker: bool = True
    resting: bool = False  # loses on the recordings (docs/evidence.md)
    min_profit_cents: Cents = 0.5  # per pair, after fees
    max_pair_cost_cents: Cents = 98.0  # of the two resting bids together
    max_spread_cents: Cents = 4.0
    size_shares: Shares = 20.0
    min_depth_shares: Shares = 20.0
    quote_ttl_ms: Millis = 15_000
    reprice_cents: Cents = 1.0
    min_time_left_s: Seconds = 90.0
    cooldown_ms: Millis = 2_000


class S3Settings(Section, frozen=True, kw_only=True):
    """S3 maker: quotes both sides around fair value."""

    enabled: bool = False
    half_spread_cents: Annotated[float, Meta(gt=0, le=50)] = 2.0
    skew_cents: Cents = 2.0  # by which a full position moves both quotes
    rebate_share: Fraction = 0.5  # of the rebate pool's rate that we count on
    pull_move_bps: Bp = 1.0
    min_fair_cents: Annotated[float, Meta(gt=0, le=50)] = 15.0
    max_gap_cents: Cents = 4.0
    max_lean: Fraction = 0.8  # imbalance of the touch against a quote
    max_spread_cents: Cents = 6.0
    size_shares: Shares = 10.0
    max_position_shares: Shares = 30.0
    quote_ttl_ms: Millis = 20_000
    reprice_cents: Cents = 1.0
    cooldown_ms: Millis = 2_000
    min_time_left_s: Seconds = 90.0
    exit_edge_cents: Cents = 0.0


class TakerSettings(Section, frozen=True, kw_only=True):
    """What every strategy that takes one side of a book has in common."""

    enabled: bool = False
    min_edge_cents: Cents = 1.0  # per share, after fee, half the spread and the margin
    margin_cents: Cents = 0.5
    max_spread_cents: Cents = 4.0
    size_shares: Shares = 10.0
    min_depth_shares: Shares = 10.0
    max_position_shares: Shares = 40.0
    cooldown_ms: Millis = 5_000
    min_time_left_s: Seconds = 30.0
    exit_edge_cents: Cents = 0.0
    max_hold_s: Seconds = 0.0  # 0 holds to the end


class S4Settings(TakerSettings, frozen=True, kw_only=True):
    """S4 windows that disagree: one path, two prices."""

    min_divergence_bps: Bp = 1.5
    min_correlation: Fraction = 0.3
    trust: Fraction = 0.5  # how far the shorter window's view is taken over
    half_life_s: Annotated[float, Meta(gt=0, le=86_400)] = 120.0


class S5Settings(TakerSettings, frozen=True, kw_only=True):
    """S5 volatility value: realised against implied."""

    min_vol_gap: Annotated[float, Meta(gt=0, le=10)] = 0.3
    min_lean_cents: Annotated[float, Meta(ge=1, le=49)] = 10.0
    min_end_cents: Annotated[float, Meta(ge=0, le=49)] = 5.0
    trust: Fraction = 0.5
    cooldown_ms: Millis = 20_000


class S6Settings(TakerSettings, frozen=True, kw_only=True):
    """S6 order flow: aggressors on one side predict the next seconds."""

    min_imbalance: Fraction = 0.6
    min_trades: Annotated[int, Meta(ge=1, le=100_000)] = 30
    impact_bps: Bp = 0.3
    half_life_ms: Millis = 1_500
    max_lean: Fraction = 0.5
    max_hold_s: Seconds = 30.0


class X1Settings(TakerSettings, frozen=True, kw_only=True):
    """X1 cross-asset: the leader moved, the followers' windows have not."""

    leader: str = "btc"
    min_move_bps: Bp = 3.0
    min_correlation: Fraction = 0.5
    max_answer: Fraction = 0.5
    lag_half_life_ms: Millis = 450
    half_life_s: Annotated[float, Meta(gt=0, le=86_400)] = 600.0
    prior_s: Annotated[float, Meta(ge=1, le=86_400)] = 300.0


class Strategies(Section, frozen=True, kw_only=True):
    """Parameters by strategy."""

    S1: S1Settings = S1Settings()
    S2: S2Settings = S2Settings()
    S3: S3Settings = S3Settings()
    S4: S4Settings = S4Settings()
    S5: S5Settings = S5Settings()
    S6: S6Settings = S6Settings()
    X1: X1Settings = X1Settings()


class TuningRegion(Section, frozen=True, kw_only=True):
    """One set of values of a strategy that may be tried: names and values in the same order."""

    strategy: str
    names: tuple[str, ...]
    values: tuple[float, ...]


class Tuning(Section, frozen=True, kw_only=True):
    """Thompson sampling over regions of parameters."""

    enabled: bool = False
    every_s: Annotated[float, Meta(ge=10, le=86_400)] = 900.0
    kept: Annotated[float, Meta(gt=0, le=1)] = 0.98
    seed: Annotated[int, Meta(ge=0, le=2**53)] = 1
    regions: dict[str, TuningRegion] = {}


# Absolute 5m moves by UTC hour over their mean: 13,952 windows, 2025-12-18 to 2026-02-20
# (FINDINGS 7); the two halves of that time agree with correlation 0.88.
HOUR_FACTORS = (
    0.97, 0.93, 0.95, 0.84, 0.74, 0.76, 0.72, 0.73, 0.90, 0.80, 0.70, 0.72,
    0.79, 1.09, 1.67, 1.80, 1.56, 1.40, 1.11, 1.12, 0.98, 0.83, 0.99, 0.86,
)  # fmt: skip


class Pricing(Section, frozen=True, kw_only=True):
    """Fair value and volatility."""

    vol_window_s: Annotated[int, Meta(ge=10, le=3_600)] = 60
    vol_half_life_s: Annotated[float, Meta(gt=0, le=86_400)] = 600.0
    vol_sample_s: Annotated[float, Meta(ge=1, le=600)] = 15.0
    vol_prior_s: Annotated[float, Meta(gt=0, le=86_400)] = 300.0
    vol_base_bps: Annotated[float, Meta(gt=0, le=10_000)] = 0.6  # per root second
    vol_base_half_life_s: Annotated[float, Meta(gt=0, le=604_800)] = 7_200.0
    vol_revert_half_life_s: Annotated[float, Meta(gt=0, le=86_400)] = 900.0
    hour_factors: Annotated[tuple[Factor, ...], Meta(min_length=24, max_length=24)] = HOUR_FACTORS
    tail_log_sd: Annotated[float, Meta(ge=0, le=1)] = 0.2
    vol_floor_bps: Bp = 0.3  # per root second
    vol_cap_bps: Bp = 20.0
    min_samples: Annotated[int, Meta(ge=2, le=100_000)] = 20
    basis_half_life_s: Annotated[float, Meta(gt=0, le=86_400)] = 60.0
    basis_sigmas: Annotated[float, Meta(ge=0, le=10)] = 1.0


class Breakers(Section, frozen=True, kw_only=True):
    """Trading breakers. Money limits are under [risk]."""

    loss_streak: Annotated[int, Meta(ge=1, le=1_000)] = 8
    max_drawdown_usd: Usd
    max_reject_percent: Annotated[float, Meta(gt=0, le=100)] = 30.0
    max_latency_p99_ms: Millis = 2_000
    max_slippage_cents: Cents = 2.0
    max_fee_gap_e5: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    max_book_gaps: Annotated[int, Meta(ge=1, le=10_000)] = 20
    lift_after_s: Seconds = 5.0
    remember_s: Annotated[float, Meta(ge=1, le=86_400)] = 120.0


class Circuits(Section, frozen=True, kw_only=True):
    """Circuit breakers of what we depend on: order path, feeds, disk, alert channels."""

    failures: Annotated[int, Meta(ge=1, le=1_000)] = 5
    open_s: Annotated[float, Meta(gt=0, le=3_600)] = 30.0
    successes: Annotated[int, Meta(ge=1, le=1_000)] = 3


class Degradation(Section, frozen=True, kw_only=True):
    """How much is done while a venue is ill, answers are slow, or a limit is near."""

    min_health: Fraction = 0.5
    max_gaps_per_minute: Annotated[int, Meta(ge=1, le=10_000)] = 20
    max_error_percent: Annotated[float, Meta(gt=0, le=100)] = 50.0
    max_venue_latency_ms: Millis = 5_000
    reduce_latency_ms: Millis = 1_000
    near_limit: Annotated[float, Meta(gt=0, le=1)] = 0.9
    lift_margin: Annotated[float, Meta(ge=0, le=0.4)] = 0.1


class JournalSettings(Section, frozen=True, kw_only=True):
    """The journal and its bounds."""

    sync_ms: Millis = 50
    max_sync_age_ms: Millis = 1_000
    wal_mib_max: Annotated[int, Meta(ge=1, le=4_096)] = 64
    ballast_mib: Annotated[int, Meta(ge=0, le=4_096)] = 64
    checkpoint_s: Seconds = 30.0


class Recording(Section, frozen=True, kw_only=True):
    """The recorder: raw frames with stamps, lossy by choice and counted."""

    enabled: bool = True
    quota_mib: Annotated[int, Meta(ge=1, le=1_048_576)] = 512
    ring_mib: Annotated[int, Meta(ge=1, le=1_024)] = 8
    segment_mib: Annotated[int, Meta(ge=1, le=1_024)] = 32


class LogSettings(Section, frozen=True, kw_only=True):
    """Log lines as JSON, rotated by size."""

    level: str = "info"
    file: str = ""
    rotate_mib: Annotated[int, Meta(ge=1, le=1_024)] = 16
    keep: Annotated[int, Meta(ge=1, le=100)] = 4


class MetricsSettings(Section, frozen=True, kw_only=True):
    """Prometheus metrics of the keeper; port 0 exports none."""

    port: Annotated[int, Meta(ge=0, le=65_535)] = 9464
    address: str = "127.0.0.1"


class AlertRoute(Section, frozen=True, kw_only=True):
    """One channel: a reference (`env:NAME`, `file:/path`) to an Apprise URL, and what it gets."""

    url: str = ""
    severity: Severity = Severity.WARNING  # the lowest it gets
    tags: tuple[AlertTag, ...] = ()  # empty: all


class AlertRules(Section, frozen=True, kw_only=True):
    """When the keeper speaks of numbers that no breaker has stopped yet."""

    pnl_step_usd: Usd = 25.0
    tick_to_order_p99_ms: Millis = 5
    min_disk_gb: Annotated[float, Meta(ge=0, le=100_000)] = 2.0
    for_s: Seconds = 10.0


class Alerts(Section, frozen=True, kw_only=True):
    """How the keeper alerts people: channels by name, and how little it may bother them."""

    repeat_s: Seconds = 300.0
    digest_s: Seconds = 30.0
    per_minute: Annotated[int, Meta(ge=2, le=600)] = 10
    quiet_hours: str = ""
    lower_rung_after_s: Seconds = 0.0
    watchdog_url: str = ""
    watchdog_s: Annotated[float, Meta(ge=1, le=86_400)] = 60.0
    rules: AlertRules = AlertRules()
    routes: dict[str, AlertRoute] = {}


class Ui(Section, frozen=True, kw_only=True):
    """The console."""

    theme: str = "desk-dark"
    theme_dir: str = ""
    charset: str = "unicode"  # or ascii
    local_time: bool = False
    highlight_changes: bool = True


class Settings(Section, frozen=True, kw_only=True):
    """Is the whole file."""

    schema_version: Annotated[int, Meta(ge=1, le=1)]
    instance: Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9_-]{0,31}$")] = "main"
    mode: ConfigMode = ConfigMode.SIM
    risk: Risk
    breakers: Breakers
    assets: dict[str, AssetSettings]
    venues: Venues = Venues()
    credentials: Credentials = Credentials()
    engine: EngineSettings = EngineSettings()
    feeds: Feeds = Feeds()
    strategies: Strategies = Strategies()
    tuning: Tuning = Tuning()
    pricing: Pricing = Pricing()
    circuits: Circuits = Circuits()
    degradation: Degradation = Degradation()
    journal: JournalSettings = JournalSettings()
    recording: Recording = Recording()
    log: LogSettings = LogSettings()
    metrics: MetricsSettings = MetricsSettings()
    alerts: Alerts = Alerts()
    ui: Ui = Ui()
    keys: dict[str, str] = {}
    start_rung: str = "FULL"  # of a fresh instance; a restart never raises it

    def first_rung(self) -> Rung:
        """Returns the operator's rung of an instance that has no journal yet."""
        return Rung[self.start_rung]


def usd_e6(usd: float) -> int:
    """Returns dollars of a settings file as micro-dollars, rounded to the nearest."""
    return round(usd * 1_000_000)


def cents_e4(cents: float) -> int:
    """Returns cents of a settings file as 1e-4 dollars, rounded to the nearest."""
    return round(cents * 100)


def shares_e6(shares: float) -> int:
    """Returns shares of a settings file as micro-shares, rounded to the nearest."""
    return round(shares * 1_000_000)

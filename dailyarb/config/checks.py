"""Rules between settings: what no single range can say."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from dailyarb.config import words
from dailyarb.core.domain.alerts import WATCHDOG
from dailyarb.core.domain.market import Window
from dailyarb.core.domain.rung import Rung
from dailyarb.core.domain.settings import ConfigMode, Strategies, VenueKind

# (dotted key, what is wrong, hint)
Fault = tuple[str, str, str]
# Dotted key to value, for all that could be read.
Values = Mapping[str, object]
LEVELS = ("debug", "info", "warn", "error", "critical")
# Text settings that admit some words only.
WORDS: dict[str, tuple[str, ...]] = {
    "log.level": LEVELS,
    "ui.charset": ("unicode", "ascii"),
    "start_rung": tuple(rung.name for rung in Rung),
}
STRATEGIES: tuple[str, ...] = Strategies.__struct_fields__
WINDOWS = tuple(window.value for window in Window)
MODES = {
    VenueKind.EMBEDDED: (ConfigMode.SIM,),
    VenueKind.REPLAY: (ConfigMode.SIM,),
    VenueKind.LIVE: (ConfigMode.DRY, ConfigMode.PAPER, ConfigMode.LIVE),
}
_ASSET = re.compile(r"[a-z0-9]{2,12}")
_ASSET_WORDS = "2 to 12 small letters and digits"
ROUTES_MAX = 16
_CLOCK = r"([01]\d|2[0-3]):[0-5]\d"
_HOURS = re.compile(f"{_CLOCK}-{_CLOCK}")
_NAME = re.compile(r"[a-z0-9_-]{1,16}")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_REFERENCE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:/.+|keyring:[^/\s]+/\S+")
# Each key must not be above the other: the smaller limit would otherwise never act.
_ORDERED = (
    ("risk.max_notional_per_trade_usd", "risk.max_worst_case_total_usd"),
    ("risk.max_worst_case_market_usd", "risk.max_worst_case_total_usd"),
    ("risk.max_partial_exposure_usd", "risk.max_worst_case_total_usd"),
    ("risk.max_unwind_loss_usd", "risk.max_day_loss_usd"),
    ("risk.cancel_before_end_s", "risk.stop_entry_s"),
    ("risk.ask_after_ms", "risk.late_arrival_ms"),
    ("risk.max_leg_delay_ms", "risk.max_naked_ms"),
    ("journal.sync_ms", "journal.max_sync_age_ms"),
    ("recording.segment_mib", "recording.quota_mib"),
    ("pricing.vol_floor_bps", "pricing.vol_cap_bps"),
    *(
        (f"strategies.{name}.size_shares", f"strategies.{name}.max_position_shares")
        for name in ("S1", "S3", "S4", "S5", "S6", "X1")
    ),
)


def _word(key: str, value: object, known: tuple[str, ...]) -> Iterator[Fault]:
    """Gives a fault if a text setting is none of the known words."""
    if isinstance(value, str) and value not in known:
        near = words.nearest(value, known)
        tail = f'; did you mean "{near}"?' if near else ""
        yield key, f"is {words.shown(value)}", f"allowed: {', '.join(known)}{tail}"


def _list(values: Values, key: str) -> tuple[str, ...]:
    """Returns a list of texts, empty if it is faulty."""
    found = values.get(key)
    return found if isinstance(found, tuple) else ()


def _texts(values: Values) -> Iterator[Fault]:
    for key, known in WORDS.items():
        yield from _word(key, values.get(key), known)
    for name in _list(values, "risk.reduced_strategies"):
        yield from _word("risk.reduced_strategies", name, STRATEGIES)
    for name in _list(values, "tuning.regions"):
        key = f"tuning.regions.{name}.strategy"
        yield from _word(key, values.get(key), STRATEGIES)


def _assets(values: Values) -> Iterator[Fault]:
    names = _list(values, "assets")
    if not names:
        yield "assets", "no asset", "state at least one table [assets.NAME]"
    owners: dict[object, str] = {}
    for name in names:
        key = f"assets.{name}"
        if not _ASSET.fullmatch(name):
            yield key, "is no asset name", f"allowed: {_ASSET_WORDS}"
        for field in ("binance_symbol", "settlement_symbol", "slug"):
            text = values.get(f"{key}.{field}")
            if isinstance(text, str) and not _ASSET.fullmatch(text):
                yield f"{key}.{field}", f"is {words.shown(text)}", f"allowed: {_ASSET_WORDS}"
        symbol = values.get(f"{key}.binance_symbol", name)
        if owners.setdefault(symbol, name) != name:
            what = f"is that of assets.{owners[symbol]} too"
            yield f"{key}.binance_symbol", what, "one asset, one symbol"
        if f"{key}.windows" in values:
            yield from _windows(f"{key}.windows", _list(values, f"{key}.windows"))


def _windows(key: str, windows: tuple[str, ...]) -> Iterator[Fault]:
    if not windows:
        yield key, "is empty", f"allowed: some of {', '.join(WINDOWS)}"
    if len(set(windows)) < len(windows):
        yield key, "names a window twice", "state each window once"
    for window in windows:
        yield from _word(key, window, WINDOWS)


def _leader(values: Values) -> Iterator[Fault]:
    if values.get("strategies.X1.enabled"):
        key = "strategies.X1.leader"
        yield from _word(key, values.get(key), _list(values, "assets"))


def _orders(values: Values) -> Iterator[Fault]:
    for low, high in _ORDERED:
        below, above = values.get(low), values.get(high)
        if isinstance(below, int | float) and isinstance(above, int | float) and below > above:
            yield low, f"is {below:,g}, above {high} = {above:,g}", f"allowed: at most {high}"


def _venues(values: Values) -> Iterator[Fault]:
    kind, path = values.get("venues.kind"), values.get("venues.replay_path")
    if kind is VenueKind.REPLAY and isinstance(path, str):
        parts = [part for part in path.split("+") if part]
        if not parts:
            yield "venues.replay_path", "missing", "a replay needs the path of a recording"
        for part in parts:
            if not Path(part).expanduser().exists():
                yield "venues.replay_path", f"{words.shown(part)} is not there", "give a path"
    mode = values.get("mode")
    if isinstance(kind, VenueKind) and isinstance(mode, ConfigMode) and mode not in MODES[kind]:
        names = ", ".join(f'"{known.value}"' for known in MODES[kind])
        what = f'is "{mode.value}", which {kind.value} venues do not have'
        yield "mode", what, f"allowed with {kind.value} venues: {names}"


def _credentials(values: Values) -> Iterator[Fault]:
    hint = "allowed: env:NAME, file:/path or keyring:service/name; never the secret itself"
    yield from _channels(values, hint)
    for name in ("private_key", "api_key", "api_secret", "api_passphrase"):
        text = values.get(f"credentials.{name}")
        if isinstance(text, str) and text and not _REFERENCE.fullmatch(text):
            yield f"credentials.{name}", "is no reference to a secret", hint
    wallet = values.get("credentials.wallet")
    if isinstance(wallet, str) and wallet and not _ADDRESS.fullmatch(wallet):
        # Not shown: it may be a key in the wrong place.
        yield "credentials.wallet", "is no address", "give 0x and 40 hex digits: it is public"
    if values.get("mode") is ConfigMode.LIVE and not values.get("credentials.private_key", "?"):
        yield "credentials.private_key", "missing, and mode is live", hint


def _channels(values: Values, hint: str) -> Iterator[Fault]:
    names = _list(values, "alerts.routes")
    if len(names) > ROUTES_MAX:
        yield "alerts.routes", f"are {len(names)}", f"allowed: at most {ROUTES_MAX}"
    for name in names:
        if not _NAME.fullmatch(name) or name == WATCHDOG:
            what = f"allowed: 1 to 16 of a-z, 0-9, _ and -, but not {WATCHDOG}"
            yield f"alerts.routes.{name}", "is no name", what
    hours = values.get("alerts.quiet_hours")
    if isinstance(hours, str) and hours and not _HOURS.fullmatch(hours):
        yield "alerts.quiet_hours", "are no hours of the day", 'allowed: "" or HH:MM-HH:MM, UTC'
    for key in ("alerts.watchdog_url", *(f"alerts.routes.{name}.url" for name in names)):
        text = values.get(key)
        if isinstance(text, str) and text and not _REFERENCE.fullmatch(text):
            yield key, "is no reference to a secret", hint


_RULES: tuple[Callable[[Values], Iterator[Fault]], ...] = (
    _texts,
    _assets,
    _leader,
    _orders,
    _venues,
    _credentials,
)


def cross_faults(values: Values) -> list[Fault]:
    """Returns every rule between settings that does not hold.

    Args:
        values: what could be read, by dotted key; a rule about a faulty value is not asked.
    """
    return [fault for rule in _RULES for fault in rule(values)]


def live_faults(values: Values, *, live: bool, packaged: bool) -> list[Fault]:
    """Returns why live trading may not be asked for like this.

    Live needs `mode = "live"` in a file of the operator's own, `--live` on the command, and
    arming later on. The packaged file states limits for play money only.

    Args:
        values: what could be read, by dotted key.
        live: whether the command said `--live`.
        packaged: whether the file is the packaged one, or a copy without a change.
    """
    faults: list[Fault] = []
    if live and packaged:
        what = "the packaged file states limits for play money and is refused with --live"
        faults.append(("mode", what, "copy it, set your own limits, and pass --config FILE"))
    mode = values.get("mode")
    if not isinstance(mode, ConfigMode):
        return faults
    if live and mode is not ConfigMode.LIVE:
        what = f'is "{mode.value}", and the command says --live'
        faults.append(("mode", what, 'live needs mode = "live" in your own file as well'))
    if mode is ConfigMode.LIVE and not live:
        what = 'is "live", and the command does not say --live'
        faults.append(("mode", what, "add --live, or choose --mode paper"))
    return faults

"""Rules between settings: what no single range can say."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from dailyarb.config import words
from dailyarb.core.domain.market import Window
from dailyarb.core.domain.rung import Rung
from dailyarb.core.domain.settings import ConfigMode, Settings, Strategies, VenueKind

# (dotted key, what is wrong, hint)
Fault = tuple[str, str, str]
LEVELS = ("debug", "info", "warn", "error", "critical")
# Text settings that admit some words only.
WORDS: dict[str, tuple[str, ...]] = {
    "log.level": LEVELS,
    "ui.charset": ("unicode", "ascii"),
    "risk.sizing": ("fixed", "kelly"),
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
    ("strategies.S1.size_shares", "strategies.S1.max_position_shares"),
)


def _value(settings: Settings, key: str) -> object:
    """Returns the value at a dotted key."""
    here: object = settings
    for part in key.split("."):
        here = getattr(here, part)
    return here


def _word(key: str, value: str, known: tuple[str, ...]) -> Iterator[Fault]:
    """Gives a fault if a text setting is none of the known words."""
    if value not in known:
        near = words.nearest(value, known)
        tail = f'; did you mean "{near}"?' if near else ""
        yield key, f"is {words.shown(value)}", f"allowed: {', '.join(known)}{tail}"


def _texts(settings: Settings) -> Iterator[Fault]:
    for key, known in WORDS.items():
        yield from _word(key, str(_value(settings, key)), known)
    for name in settings.risk.reduced_strategies:
        yield from _word("risk.reduced_strategies", name, STRATEGIES)


def _assets(settings: Settings) -> Iterator[Fault]:
    if not settings.assets:
        yield "assets", "no asset", "state at least one table [assets.NAME]"
    owners: dict[str, str] = {}
    for name, asset in settings.assets.items():
        key = f"assets.{name}"
        if not _ASSET.fullmatch(name):
            yield key, "is no asset name", "allowed: 2 to 12 small letters and digits"
        for field in ("binance_symbol", "settlement_symbol", "slug"):
            value = getattr(asset, field)
            if not _ASSET.fullmatch(value):
                yield (
                    f"{key}.{field}",
                    f"is {words.shown(value)}",
                    "allowed: 2 to 12 small letters and digits",
                )
        if owners.setdefault(asset.binance_symbol, name) != name:
            other = owners[asset.binance_symbol]
            yield f"{key}.binance_symbol", f"is that of assets.{other} too", "one asset, one symbol"
        if not asset.windows:
            yield f"{key}.windows", "is empty", f"allowed: some of {', '.join(WINDOWS)}"
        if len(set(asset.windows)) < len(asset.windows):
            yield f"{key}.windows", "names a window twice", "state each window once"
        for window in asset.windows:
            yield from _word(f"{key}.windows", window, WINDOWS)


def _orders(settings: Settings) -> Iterator[Fault]:
    for low, high in _ORDERED:
        below, above = _value(settings, low), _value(settings, high)
        if isinstance(below, int | float) and isinstance(above, int | float) and below > above:
            yield low, f"is {below:,g}, above {high} = {above:,g}", f"allowed: at most {high}"


def _venues(settings: Settings) -> Iterator[Fault]:
    venues = settings.venues
    if venues.kind is VenueKind.REPLAY:
        paths = [part for part in venues.replay_path.split("+") if part]
        if not paths:
            yield "venues.replay_path", "missing", "a replay needs the path of a recording"
        for part in paths:
            if not Path(part).expanduser().exists():
                yield "venues.replay_path", f"{words.shown(part)} is not there", "give a path"
    modes = MODES[venues.kind]
    if settings.mode not in modes:
        names = ", ".join(f'"{mode.value}"' for mode in modes)
        what = f'is "{settings.mode.value}", which {venues.kind.value} venues do not have'
        yield "mode", what, f"allowed with {venues.kind.value} venues: {names}"


def _credentials(settings: Settings) -> Iterator[Fault]:
    hint = "allowed: env:NAME, file:/path or keyring:service/name; never the secret itself"
    for name in ("private_key", "api_key", "api_secret", "api_passphrase", "wallet"):
        value = getattr(settings.credentials, name)
        if name == "wallet" and re.fullmatch(r"0x[0-9a-fA-F]{40}", value):
            continue  # an address is public
        if value and not _REFERENCE.fullmatch(value):
            yield f"credentials.{name}", "is no reference to a secret", hint
    if settings.mode is ConfigMode.LIVE and not settings.credentials.private_key:
        yield "credentials.private_key", "missing, and mode is live", hint


_RULES: tuple[Callable[[Settings], Iterator[Fault]], ...] = (
    _texts,
    _assets,
    _orders,
    _venues,
    _credentials,
)


def cross_faults(settings: Settings) -> list[Fault]:
    """Returns every rule between settings that does not hold."""
    return [fault for rule in _RULES for fault in rule(settings)]


def live_faults(settings: Settings, *, live: bool, packaged: bool) -> list[Fault]:
    """Returns why live trading may not be asked for like this.

    Live needs `mode = "live"` in a file of the operator's own, `--live` on the command, and
    arming later on. The packaged file states limits for play money only.

    Args:
        settings: the settings in force.
        live: whether the command said `--live`.
        packaged: whether the file is the packaged one, or a copy without a change.
    """
    faults: list[Fault] = []
    if live and packaged:
        what = "the packaged file states limits for play money and is refused with --live"
        faults.append(("mode", what, "copy it, set your own limits, and pass --config FILE"))
    if live and settings.mode is not ConfigMode.LIVE:
        what = f'is "{settings.mode.value}", and the command says --live'
        faults.append(("mode", what, 'live needs mode = "live" in your own file as well'))
    if settings.mode is ConfigMode.LIVE and not live:
        what = 'is "live", and the command does not say --live'
        faults.append(("mode", what, "add --live, or choose --mode paper"))
    return faults

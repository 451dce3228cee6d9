"""The venues' process as the engine sees it: what to start, and what its greeting says."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from dailyarb.core.domain.errors import ConfigError, Problem
from dailyarb.core.domain.settings import Settings, VenueKind
from dailyarb.sim.reference import ASSETS
from dailyarb.venues import endpoints
from dailyarb.venues.endpoints import Endpoints
from dailyarb.venues.polymarket.catalog import Wanted

EMBEDDED, REPLAY = "dailyarb.sim.embedded", "dailyarb.sim.replay"
WINDOWS = ("5m", "15m")  # which the embedded venues list


class Keys(msgspec.Struct, frozen=True):
    """Is a throw-away identity that a venues process announced; never logged."""

    private_key: str
    address: str
    deposit_wallet: str
    api_key: str
    secret: str
    passphrase: str

    def __repr__(self) -> str:
        return "Keys(***)"


class Greeting(msgspec.Struct, frozen=True):
    """Is what a venues process said when it was ready.

    source names what stands behind the numbers; meaningless says why signals mean nothing there,
    or ""; world names this life of the process; control is its control endpoint.
    """

    endpoints: Endpoints
    keys: Keys
    source: str
    meaningless: str
    world: str
    control: str
    windows: tuple[Wanted, ...] = ()


def venue_argv(settings: Settings) -> list[str]:
    """Returns the program and words that start the configured venues.

    Raises:
        ConfigError: the embedded venues have no such asset or window.
    """
    venues = settings.venues
    common = [
        "--seed", str(venues.seed),
        "--start-cash-usd", str(round(venues.start_cash_usd)),
    ]  # fmt: skip
    if venues.kind is VenueKind.REPLAY:
        what = ["--path", venues.replay_path, "--speed", str(venues.replay_speed)]
        return [sys.executable, "-m", REPLAY, *common, *what]
    _check_listed(settings)
    labels = dict.fromkeys(w for asset in settings.assets.values() for w in asset.windows)
    what = [
        "--assets", ",".join(settings.assets),
        "--windows", ",".join(labels),
        "--rate-scale", str(venues.rate_scale),
    ]  # fmt: skip
    return [sys.executable, "-m", EMBEDDED, *common, *what]


def _check_listed(settings: Settings) -> None:
    """Refuses what the embedded venues do not list, all of it at once."""
    problems = []
    for name, asset in settings.assets.items():
        if name not in ASSETS:
            what = "is no asset of the embedded venues"
            problems.append(Problem("config", 0, f"assets.{name}", what, _allowed(ASSETS)))
        for window in asset.windows:
            if window not in WINDOWS:
                what = f"{window} is no window of the embedded venues"
                key = f"assets.{name}.windows"
                problems.append(Problem("config", 0, key, what, _allowed(WINDOWS)))
    if problems:
        raise ConfigError(problems)


def _allowed(names: Iterable[str]) -> str:
    return f"allowed there: {', '.join(names)}; live venues have the others"


def joined_greeting(settings: Settings) -> dict[str, Any] | None:
    """Returns the greeting of the running venues that the settings name, None where they name none.

    Raises:
        ConfigError: the file cannot be read, or its process has ended.
    """
    name = settings.venues.greeting_file
    if not name or settings.venues.kind is VenueKind.LIVE:
        return None
    try:
        body = json.loads(Path(name).expanduser().read_bytes())
        os.kill(int(body["pid"]), 0)
    except PermissionError:
        raise _no_venues(f"{name}: may not be read, or its process is another user's") from None
    except OSError as error:
        what = f"{name}: {error.strerror or error}"
        raise _no_venues(what) from None
    except (ValueError, KeyError, TypeError):
        raise _no_venues(f"{name}: is no greeting of a venues process") from None
    return body if isinstance(body, dict) else None


def _no_venues(what: str) -> ConfigError:
    hint = "start them with: dailyarb venues --greeting-file FILE"
    return ConfigError([Problem("config", 0, "venues.greeting_file", what, hint)])


def read_greeting(body: dict[str, Any], settings: Settings) -> Greeting:
    """Returns a venues process's greeting, checked.

    Raises:
        ConfigError: an address is missing.
        msgspec.ValidationError: the credentials are malformed.
    """
    where = body["endpoints"]
    replay = body.get("replay", {})
    venues, seed = settings.venues, body.get("seed", settings.venues.seed)
    return Greeting(
        endpoints=endpoints.parse(json.dumps(where)),
        keys=msgspec.convert(body["credentials"], Keys),
        source=replay.get("describe") or f"embedded venues, seed {seed}",
        meaningless="; ".join(replay.get("meaningless", ())),
        world=f"{venues.kind.value}:{body['pid']}:{seed}:{body.get('born_ns', 0)}",
        control=where.get("control_http", ""),
        windows=tuple(msgspec.convert(row, Wanted) for row in replay.get("windows", ())),
    )

"""What the embedded venues list is asked of them; anything else is a fault of the configuration."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from dailyarb import config, resources
from dailyarb.core.domain.errors import ConfigError
from dailyarb.core.domain.settings import AssetSettings
from dailyarb.runtime.venue_process import WINDOWS, venue_argv
from dailyarb.sim.embedded import EmbeddedVenues, Profile, parser

SETTINGS = config.load(resources.default_config_path()).settings


def test_the_packaged_file_asks_for_what_is_listed() -> None:
    words = venue_argv(SETTINGS)
    given = parser().parse_args(words[3:])
    assert (given.assets, given.windows) == ("btc,eth,sol", "5m,15m")


def test_all_that_is_not_listed_is_told_at_once() -> None:
    btc = replace(SETTINGS.assets["btc"], windows=("5m", "1h", "4h"))
    doge = AssetSettings(binance_symbol="dogeusdt", settlement_symbol="dogeusd", slug="doge")
    with pytest.raises(ConfigError) as caught:
        venue_argv(replace(SETTINGS, assets={"btc": btc, "doge": doge}))
    assert [(p.key, p.what) for p in caught.value.problems] == [
        ("assets.btc.windows", "1h is no window of the embedded venues"),
        ("assets.btc.windows", "4h is no window of the embedded venues"),
        ("assets.doge", "is no asset of the embedded venues"),
    ]
    assert caught.value.problems[0].hint.startswith("allowed there: 5m, 15m")


def test_the_embedded_venues_list_every_window_that_is_allowed() -> None:
    venues = EmbeddedVenues(Profile(labels=WINDOWS), 1_800_000_000 * 10**9)
    listed = {entry.market.identity.label for entry in venues.polymarket.hall.entries()}
    assert listed == set(WINDOWS)

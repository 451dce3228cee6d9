"""The list of markets beside a recording: frames name tokens only, and a replay needs the rest."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from dailyarb.core.domain.market import MarketSpec
from dailyarb.core.domain.units import SECOND, to_decimal_text

KEPT = 2_000  # newest windows; far more than the recorder's quota holds frames of
FILE = "markets.json"
Entry = dict[str, str]


class RecordedMarkets:
    """Keeps `markets.json` of a folder of recordings, through all runs.

    A list that cannot be written costs the replay, never the run (I16): `error` says so.

    Args:
        folder: where the segments are.
    """

    def __init__(self, folder: Path) -> None:
        self.error = ""
        self._path = folder / FILE
        self._known: dict[str, Entry] = {row["slug"]: row for row in _read(self._path)}

    def learn(self, specs: Iterable[MarketSpec]) -> None:
        """Adds markets; the file is written only when something is new."""
        fresh = {spec.slug: entry_of(spec) for spec in specs}
        if all(self._known.get(slug) == entry for slug, entry in fresh.items()):
            return
        self._known.update(fresh)
        for slug in list(self._known)[: max(0, len(self._known) - KEPT)]:
            del self._known[slug]
        new = self._path.with_suffix(".new")
        try:
            new.write_bytes(msgspec.json.encode(list(self._known.values())))
            new.replace(self._path)
        except OSError as error:
            self.error = str(error)


def entry_of(spec: MarketSpec) -> Entry:
    """Returns a market in the form a replay reads."""
    known = {
        "slug": spec.slug,
        "conditionId": spec.market_id,
        "upTokenId": spec.up_token,
        "downTokenId": spec.down_token,
        "tickSize": to_decimal_text(spec.grid.tick_e4, 4),
        "asset": spec.asset,
        "window": spec.window.value,
        "startTs": str(spec.start_ns // SECOND),
        "settlement": spec.settlement.kind.value,
        "feeRate": to_decimal_text(spec.fees.rate_e6, 6),
        "takerHoldMs": str(spec.taker_hold_ms),
    }
    return {**known, "strike": spec.strike_digits} if spec.strike_digits else known


def _read(path: Path) -> list[Entry]:
    """Returns what an earlier run wrote; a file that is damaged is begun anew."""
    try:
        rows = msgspec.json.decode(path.read_bytes(), type=list[Entry])
    except (OSError, msgspec.DecodeError):
        return []
    return [row for row in rows if "slug" in row]

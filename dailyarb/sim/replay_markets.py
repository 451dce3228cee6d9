"""What a recording says about its markets, and what it leaves open.

Book-frame files (CronosVirus00) name the slug in the file name and hold one token per market; which
of the two it is, nobody says. The replay calls it Up and makes up a Down token, so that orders can
meet the fill model. By chance half of those windows are upside down: every signal from them is
meaningless, and `doubts` says so. Captures and our own segments need a `markets.json` beside them,
an object or list of objects with slug, conditionId, upTokenId, downTokenId and tickSize, and where
it is known asset, window, startTs, strike (x 1e18), settlement, feeRate, takerHoldMs and winner. A
`source.json` beside imported segments names the source and what it cannot say.
"""

from __future__ import annotations

import hashlib
import json
import re
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from dailyarb.core.domain.errors import UnitError
from dailyarb.core.domain.units import parse_scaled
from dailyarb.sim import foreign
from dailyarb.sim.foreign.base import DOUBT_NO_REFERENCE, DOUBT_TOKEN, SECONDS, Facts
from dailyarb.sim.recordings import Recording, RecordingError, Source
from dailyarb.sim.replay_time import Clock
from dailyarb.sim.types import NS_PER_S

_SLUG = re.compile(r"([a-z]+)-updown-(5m|15m|4h)-(\d{10})")
_KEYS = ("slug", "conditionId", "upTokenId", "downTokenId")

SOURCE_FILE = "source.json"
_SPOT = (Source.COMBINED, Source.SEGMENT)
DOUBT_DAYS = "recordings of different days are played side by side"
DOUBT_SETTLING = "the settling feed, and each strike taken from it, is a stand-in made from Binance"


class ReplayMarket(NamedTuple):
    """Is one recorded window, carried to the play: start_ns and end_ns are wall time there."""

    market_id: str
    slug: str
    asset: str
    label: str
    start_ns: int
    end_ns: int
    up_token: str
    down_token: str
    tick_e4: int
    file: int
    strike: str = ""  # x 1e18
    settlement: str = ""  # twap, spot or binance_candle; else that of its date
    winner: str = ""  # UP or DOWN, where it was recorded
    fee_rate_e6: int | None = None  # else that of its date
    hold_ms: int | None = None

    @property
    def tokens(self) -> tuple[str, str]:
        """Returns the Up and the Down token."""
        return self.up_token, self.down_token


def read_markets(recording: Recording, number: int, clock: Clock) -> list[ReplayMarket]:
    """Returns the markets of one recording; none for a Binance file.

    Raises:
        RecordingError: slug, tokens or tick cannot be found.
    """
    if recording.source is Source.COMBINED:
        return []
    if recording.source is Source.FOREIGN:
        found = foreign.of(recording.path).facts(recording.path, recording.window)
        return [_from_facts(item, number, clock) for item in found]
    if recording.source is Source.BOOK_FRAMES:
        return [_from_frames(recording, number, clock)]
    return [_market(recording.path, facts, number, clock) for facts in _beside(recording.path)]


def _from_frames(recording: Recording, number: int, clock: Clock) -> ReplayMarket:
    first = next(islice(recording.frames(), 1))
    try:
        frame = json.loads(first.payload)
        facts = {
            "slug": recording.slug,
            "conditionId": frame["market"],
            "upTokenId": frame["asset_id"],
            "downTokenId": made_up_token(frame["market"]),
            "tickSize": frame.get("tick_size") or "0.01",
        }
    except (ValueError, KeyError, TypeError) as error:
        raise RecordingError(recording.path, f"no book frame: {error}", 1) from error
    return _market(recording.path, facts, number, clock)


def made_up_token(market_id: str) -> str:
    """Returns a token id for the side that was not recorded: decimal, 256 bits, repeatable."""
    return str(int.from_bytes(hashlib.sha256(f"{market_id}/down".encode()).digest(), "big"))


def _beside(path: Path) -> list[dict[str, Any]]:
    file = path.parent / "markets.json"
    try:
        found = json.loads(file.read_bytes())
    except OSError as error:
        raise RecordingError(path, f"needs {file.name} beside it: {error.strerror}") from error
    except ValueError as error:
        raise RecordingError(file, f"not JSON: {error}") from error
    rows = list(found.values()) if isinstance(found, dict) else found
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise RecordingError(file, "not an object or list of objects")
    return rows


def _from_facts(item: Facts, number: int, clock: Clock) -> ReplayMarket:
    end_s = item.start_s + SECONDS[item.label]
    return ReplayMarket(
        item.market_id, item.slug, item.asset, item.label,
        clock.play_ns(item.start_s * NS_PER_S), clock.play_ns(end_s * NS_PER_S),
        item.up_token, item.down_token, 100, number,
        item.strike, item.settlement, item.winner,
    )  # fmt: skip


def _market(path: Path, facts: dict[str, Any], number: int, clock: Clock) -> ReplayMarket:
    missing = [key for key in _KEYS if not facts.get(key)]
    if missing:
        raise RecordingError(path, f"a market without {', '.join(missing)}")
    asset, label, start_s = _window(path, facts)
    try:
        tick_e4 = parse_scaled("tickSize", str(facts.get("tickSize", "0.01")), 4)
        rate_e6 = parse_scaled("feeRate", str(facts["feeRate"]), 6) if "feeRate" in facts else None
    except UnitError as error:
        raise RecordingError(path, str(error)) from error
    return ReplayMarket(
        market_id=str(facts["conditionId"]),
        slug=str(facts["slug"]),
        asset=asset,
        label=label,
        start_ns=clock.play_ns(start_s * NS_PER_S),
        end_ns=clock.play_ns((start_s + SECONDS[label]) * NS_PER_S),
        up_token=str(facts["upTokenId"]),
        down_token=str(facts["downTokenId"]),
        tick_e4=tick_e4,
        file=number,
        strike=str(facts.get("strike", "")),
        settlement=str(facts.get("settlement", "")),
        winner=str(facts.get("winner", "")),
        fee_rate_e6=rate_e6,
        hold_ms=int(facts["takerHoldMs"]) if "takerHoldMs" in facts else None,
    )


def _window(path: Path, facts: dict[str, Any]) -> tuple[str, str, int]:
    """Returns asset, label and start: as stated, else as the slug says."""
    if facts.get("window") in SECONDS and facts.get("asset"):
        return str(facts["asset"]), str(facts["window"]), int(facts["startTs"])
    parts = _SLUG.fullmatch(str(facts["slug"]))
    if parts is None:
        raise RecordingError(path, f"{facts['slug']!r} is not the slug of a window")
    return parts[1], parts[2], int(parts[3])


def told_doubts(path: Path) -> list[str]:
    """Returns what an import's source could not say, as stated beside its segments.

    Raises:
        RecordingError: the statement is damaged.
    """
    file = path.parent / SOURCE_FILE
    try:
        return [str(word) for word in json.loads(file.read_bytes())["doubts"]]
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError) as error:
        raise RecordingError(file, f"not the statement of a source: {error}") from error


def doubts(recordings: list[Recording], clocks: list[Clock], stand_in: bool) -> list[str]:
    """Returns why what is measured on these recordings means nothing; empty when it does."""
    found: list[str] = []
    for recording in recordings:
        if recording.source is Source.FOREIGN:
            found += foreign.of(recording.path).doubts
        elif recording.source is Source.SEGMENT:
            found += told_doubts(recording.path)
        elif recording.source is Source.BOOK_FRAMES:
            found.append(DOUBT_TOKEN)
    days = {clock.first_ns // (86_400 * NS_PER_S) for clock in clocks}
    if len(days) > 1:
        found.append(DOUBT_DAYS)
    if stand_in:
        found.append(DOUBT_SETTLING)
    if all(recording.source in (Source.BOOK_FRAMES, Source.CAPTURE) for recording in recordings):
        found.append(DOUBT_NO_REFERENCE)
    elif len(recordings) > 1 and any(recording.source in _SPOT for recording in recordings):
        found = [doubt for doubt in found if doubt != DOUBT_NO_REFERENCE]
    return list(dict.fromkeys(found))

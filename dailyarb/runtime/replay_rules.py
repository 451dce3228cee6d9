"""The venue's rules at the time of a recording, which a backtest applies by default.

| since (UTC) | what | source |
| --- | --- | --- |
| 2026-03-30 | rate 0.072 in the present form of the fee | `new_market` frames of April 2026 |
| 2026-07-01 | rate 0.07; the day itself is not known | metadata and docs from July on |
| 2026-08-07 | both ends are averages of the settling feed | the venue's notice |
| 2026-08-17 11:00 | crossing orders are held 50 ms, 250 ms before | the venue's change log |

Windows before 2026-03-30 had another fee curve; they are charged the first rate of the present one.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from msgspec.structs import replace

from dailyarb.core.domain.market import FeeSchedule, MarketSpec, Settlement, SettlementKind
from dailyarb.core.domain.units import SECOND


def _ns(year: int, month: int, day: int, hour: int = 0) -> int:
    return int(datetime(year, month, day, hour, tzinfo=UTC).timestamp()) * SECOND


RATE_0070_NS = _ns(2026, 7, 1)
AVERAGES_NS = _ns(2026, 8, 7)
HOLD_50_NS = _ns(2026, 8, 17, 11)
LOOKBACK_S = 60


class Rules(NamedTuple):
    """Is what the venue charged and how long it held a crossing order."""

    rate_e6: int
    hold_ms: int
    settlement: Settlement


TODAY = Rules(70_000, 50, Settlement(SettlementKind.TWAP, LOOKBACK_S))


def rules_at(wall_ns: int) -> Rules:
    """Returns the rules of an instant of the recording."""
    settlement = TODAY.settlement
    if wall_ns < AVERAGES_NS:
        settlement = Settlement(SettlementKind.SPOT)
    return Rules(
        TODAY.rate_e6 if wall_ns >= RATE_0070_NS else 72_000,
        TODAY.hold_ms if wall_ns >= HOLD_50_NS else 250,
        settlement,
    )


def charged(spec: MarketSpec, rules: Rules) -> MarketSpec:
    """Returns a window under the fee rate and the hold of these rules."""
    fees = FeeSchedule(rate_e6=rules.rate_e6)
    return replace(spec, fees=fees, taker_hold_ms=rules.hold_ms)

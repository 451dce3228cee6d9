"""Pairs on the embedded venue: how many end complete, and how long a lone leg stands.

Resting pairs of both outcomes at two cents below a dollar together, twenty shares a leg, opened
wherever the book allows: by far more than a strategy would, since what is measured is execution.
Of an honest book nothing else pairs: both asks cost a dollar and the spread (FINDINGS, section 1).
A pair counts once any leg of it has filled; it is complete when both legs are equal, but for what
whole cents leave of a share. Naked is the time from the fill that made a tradable excess to the
fill that ended it, as the engine heard them.
"""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

from dailyarb.bench.line import Line
from dailyarb.core.domain.records import IntentTaken, PairClosed, Record
from dailyarb.core.domain.settings import (
    AssetSettings,
    Breakers,
    Risk,
    S1Settings,
    S2Settings,
    Settings,
    Strategies,
)
from dailyarb.core.domain.units import SECOND
from dailyarb.sim.embedded import BUSY, CALM, Profile

WINDOW_S = 300
LAST_S = 120  # the last two minutes
CASH_USD = 1_000_000
Z95 = 1.96
REGIMES = (("calm", CALM), ("busy", BUSY))


class Told(NamedTuple):
    """Is one pair that had a fill, and how much of its window was left when it was opened."""

    story: PairClosed
    left_s: float


def run(rounds: int) -> list[dict[str, object]]:
    """Measures so many five-minute windows of each regime; takes about ten seconds for one.

    Args:
        rounds: windows lived through, each regime.
    """
    rows = []
    for name, rate in REGIMES:
        pairs = told(rate, rounds * WINDOW_S, seed=1)
        early = [pair for pair in pairs if pair.left_s >= LAST_S]
        late = [pair for pair in pairs if pair.left_s < LAST_S]
        rows += [row(name, early), row(f"{name}, last two minutes", late)]
    return rows


def settings() -> Settings:
    """Returns a configuration that opens pairs all the time and stops for no loss."""
    return Settings(
        schema_version=1,
        risk=Risk(
            max_worst_case_market_usd=100_000.0,
            max_worst_case_total_usd=100_000.0,
            max_day_loss_usd=100_000.0,
            max_notional_per_trade_usd=100.0,
            max_partial_exposure_usd=40.0,
            max_unwind_loss_usd=5.0,
            max_open_positions=20,
            max_orders_per_minute=10_000,
        ),
        breakers=Breakers(
            max_drawdown_usd=100_000.0,
            loss_streak=1_000,
            max_reject_percent=100.0,
            max_slippage_cents=100.0,
        ),
        assets={
            "btc": AssetSettings(
                binance_symbol="btcusdt",
                settlement_symbol="btcusd",
                slug="btc",
                windows=("5m", "15m"),
            )
        },
        strategies=Strategies(
            S1=S1Settings(enabled=False),
            S2=S2Settings(
                resting=True,
                size_shares=20.0,
                max_pair_cost_cents=98.0,
                cooldown_ms=500,
                min_time_left_s=20.0,
            ),
        ),
    )


def told(rate: float, seconds: float, seed: int) -> list[Told]:
    """Returns the pairs with a fill of one run.

    Args:
        rate: share of the recorded message rates.
        seconds: of virtual time.
        seed: of the market.
    """
    opened: dict[int, tuple[str, int]] = {}
    closed: dict[int, PairClosed] = {}

    def kept(record: Record, wall_ns: int) -> None:
        if isinstance(record, IntentTaken):
            opened.setdefault(record.pair_id, (record.market_id, wall_ns))
        elif isinstance(record, PairClosed):
            closed[record.pair_id] = record  # a pair that a late fill reopened ends again

    profile = Profile(seed=seed, assets=("btc",), rate_scale=rate, start_cash_usd=CASH_USD)
    line = Line(settings(), profile, kept)
    line.run(seconds)
    ends = {spec.market_id: spec.end_ns for spec in line.listed()}
    return [
        Told(story, (ends[opened[pair_id][0]] - opened[pair_id][1]) / SECOND)
        for pair_id, story in closed.items()
        if story.result != "unfilled"
    ]


def row(name: str, pairs: list[Told]) -> dict[str, object]:
    """Returns a regime's figures: share complete with its 95 % interval, naked times, money."""
    stories = [pair.story for pair in pairs]
    complete = sum(story.result == "completed" for story in stories)
    low, high = wilson(complete, len(stories))
    naked = sorted(story.naked_ms for story in stories)
    count = max(1, len(stories))
    return {
        "name": f"pairs complete, {name}",
        "ours": round(100 * complete / count, 2),
        "unit": "%",
        "pairs": len(stories),
        "low": round(100 * low, 2),
        "high": round(100 * high, 2),
        "unwound": sum(story.result == "unwound" for story in stories),
        "carried": sum(story.result == "carried" for story in stories),
        "naked_ms_p50": percentile(naked, 50),
        "naked_ms_p99": percentile(naked, 99),
        "naked_ms_max": naked[-1] if naked else 0,
        "intended_cents": _cents(sum(s.intended_edge_e4 for s in stories) / 100, count),
        "captured_usd": round(sum(s.captured_e6 for s in stories) / 1e6 / count, 4),
        "exit_cost_usd": round(sum(s.exit_cost_e6 for s in stories) / 1e6 / count, 4),
    }


def _cents(total: float, count: int) -> float:
    return round(total / count, 2)


def percentile(ordered: list[int], percent: int) -> int:
    """Returns a percentile of sorted numbers by the nearest rank, 0 of none."""
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)] if ordered else 0


def wilson(hits: int, of: int) -> tuple[float, float]:
    """Returns the 95 % score interval of a share; 0 to 1 where nothing was seen."""
    if not of:
        return 0.0, 1.0
    share, scale = hits / of, 1 + Z95**2 / of
    middle = share + Z95**2 / (2 * of)
    half = Z95 * sqrt(share * (1 - share) / of + Z95**2 / (4 * of**2))
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)

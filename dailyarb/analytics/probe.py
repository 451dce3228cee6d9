"""Probes of two resting bids, somebody's recorded ones beside our own played on recorded books.

The check on the fill model that no hypothesis needs: how often both bids fill, how often one alone,
and whether that one is the loser (FINDINGS.md, 9).
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from dailyarb.core.domain.market import Outcome
from dailyarb.core.domain.units import SECOND
from dailyarb.runtime.replay_probe import Leg, Probe


class Tally(msgspec.Struct, frozen=True):
    """Is many probes together; net_usd is a window's mean."""

    windows: int
    both: int
    lone: int
    lone_lost: int
    none: int
    first: int
    first_lost: int
    net_usd: float


def tally(probes: Sequence[Probe]) -> Tally:
    """Returns the counts of some probes.

    Raises:
        ValueError: there is none.
    """
    if not probes:
        raise ValueError("no probe")
    lone = [(probe.lone, probe.winner) for probe in probes if probe.lone is not None]
    first = [(probe.first, probe.winner) for probe in probes if probe.first is not None]
    return Tally(
        len(probes),
        sum(len(probe.legs) == 2 for probe in probes),
        len(lone),
        _lost(lone),
        sum(not probe.legs for probe in probes),
        len(first),
        _lost(first),
        sum(leg.net_usd for probe in probes for leg in probe.legs) / len(probes),
    )


def _lost(legs: Iterable[tuple[Leg | None, Outcome]]) -> int:
    return sum(leg is not None and leg.outcome is not winner for leg, winner in legs)


def recorded(file: Path) -> list[Probe]:
    """Returns the probes of houssem98's file; whether a bid filled is its author's inference."""
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [
        Probe(
            row["quote_at"],
            Outcome(row["winner"]),
            tuple(
                # Its pnl is a share's, as the rebate beside it.
                Leg(Outcome(name), round(side["fill_t"] * SECOND), side["pnl"] * row["shares"])
                for name, side in row["sides"].items()
                if side["filled"]
            ),
        )
        for row in rows
    ]

"""Rung, run mode and evidence: how much the engine may do, and what its numbers rest on.

The effective rung of an order is the lowest of the operator's, its strategy's, its market's, and
the cap of each tripped breaker and of degradation. Down is free, up is asked.
"""

from __future__ import annotations

from enum import Enum


class Rung(Enum):
    """Is how much the engine may do; a lower number does less."""

    # Members are few and unique: by identity a look-up costs no Python call.
    __hash__ = object.__hash__

    HALTED = 0
    HEDGE_ONLY = 1
    REDUCED = 2
    FULL = 3

    def __lt__(self, other: Rung) -> bool:
        return self.value < other.value

    @property
    def down(self) -> Rung:
        """Returns the next lower rung, or HALTED."""
        return Rung(max(0, self.value - 1))

    @property
    def up(self) -> Rung:
        """Returns the next higher rung, or FULL."""
        return Rung(min(3, self.value + 1))


class Mode(Enum):
    """Is what happens to an order the strategy wants."""

    SIM = "SIM"
    REPLAY = "REPLAY"
    DRY = "DRY"
    PAPER = "PAPER"
    LIVE = "LIVE"


# Modes on live venues in which nothing is sent: a fill model or nothing stands in for the venue.
STAND_INS = (Mode.DRY, Mode.PAPER)


class Evidence(Enum):
    """Is what a number rests on; classes are never added together."""

    SIM = "SIM"
    REPLAY = "REPLAY"
    PAPER = "PAPER"
    LIVE = "LIVE"


MODE_EVIDENCE: dict[Mode, Evidence] = {
    Mode.SIM: Evidence.SIM,
    Mode.REPLAY: Evidence.REPLAY,
    Mode.DRY: Evidence.PAPER,
    Mode.PAPER: Evidence.PAPER,
    Mode.LIVE: Evidence.LIVE,
}


class RungCause(Enum):
    """Is who lowered the rung."""

    NONE = "none"
    OPERATOR = "operator"
    BOOTING = "booting"  # until reconciliation completes
    BREAKER = "breaker"
    CIRCUIT = "circuit"
    DEGRADED = "degraded"
    STRATEGY = "strategy"
    MARKET = "market"
    STOPPING = "stopping"

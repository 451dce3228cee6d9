"""The effective rung: the lowest of arming, operator, booting, stopping, breakers and strategy."""

from __future__ import annotations

from dataclasses import dataclass, field

from dailyarb.core.domain.ids import StrategyId
from dailyarb.core.domain.rung import Rung, RungCause


@dataclass(slots=True)
class Rungs:
    """Holds every rung in force. Only the operator raises the operator's."""

    operator: Rung
    operator_reason: str = "start"
    booting: bool = True
    stopping: bool = False
    armed: bool = True  # only a LIVE engine is ever without
    breaker: Rung = Rung.FULL
    breaker_name: str = ""
    breaker_cause: RungCause = RungCause.BREAKER  # a trading breaker, a circuit, or degradation
    paused: set[StrategyId] = field(default_factory=set)

    def overall(self) -> tuple[Rung, RungCause, str]:
        """Returns the rung that holds for all, its cause and the detail shown."""
        if self.booting:
            return Rung.HALTED, RungCause.BOOTING, "reconciling"
        if not self.armed:
            return Rung.HALTED, RungCause.OPERATOR, "not armed"
        lowest, cause, detail = self.operator, RungCause.NONE, ""
        if lowest is not Rung.FULL:
            cause, detail = RungCause.OPERATOR, self.operator_reason
        if self.breaker < lowest:
            lowest, cause, detail = self.breaker, self.breaker_cause, self.breaker_name
        if self.stopping and lowest > Rung.HEDGE_ONLY:
            lowest, cause, detail = Rung.HEDGE_ONLY, RungCause.STOPPING, "stopping"
        return lowest, cause, detail

    def of(self, strategy: StrategyId) -> Rung:
        """Returns the rung in force for one strategy."""
        overall = self.overall()[0]
        if strategy in self.paused and overall > Rung.HEDGE_ONLY:
            return Rung.HEDGE_ONLY
        return overall

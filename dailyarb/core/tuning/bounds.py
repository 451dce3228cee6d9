"""What a tuner may change, and within which bounds: those of the settings file.

Sizes, positions and switches are the operator's. So are lengths of windows, which measures are
built with: changing them would mix what was measured before with what comes after.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from dailyarb.core.domain.settings import Section
from dailyarb.core.tuning.thompson import Values

TUNABLE = frozenset(
    {
        "cooldown_ms", "exit_edge_cents", "half_life_ms", "half_spread_cents", "impact_bps",
        "margin_cents", "max_answer", "max_gap_cents", "max_hold_s", "max_lean",
        "max_pair_cost_cents", "max_spread_cents", "min_correlation", "min_divergence_bps",
        "min_edge_cents", "min_fair_cents", "min_move_bps", "min_profit_cents", "min_time_left_s",
        "min_trades", "min_vol_gap", "pull_move_bps", "quote_ttl_ms", "reprice_cents", "skew_cents",
        "trust",
    }
)  # fmt: skip
S = TypeVar("S", bound=Section)


def tuned(settings: S, values: Values) -> S:
    """Returns a strategy's settings with other values, all of them or none.

    Raises:
        ValueError: a name that is not tunable, or a number outside its bounds.
    """
    fields = msgspec.structs.asdict(settings)
    for name, number in values:
        if name not in TUNABLE or name not in fields:
            raise ValueError(f"{name} is not tunable")
        whole = isinstance(fields[name], int) and float(number).is_integer()
        fields[name] = int(number) if whole else number
    try:
        return msgspec.convert(fields, type(settings))
    except msgspec.ValidationError as fault:
        raise ValueError(str(fault)) from None

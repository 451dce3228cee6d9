"""Nothing in the engine grows with the windows it has traded (F77): every map has a bound."""

from __future__ import annotations

from collections import deque
from dataclasses import fields, is_dataclass
from typing import Any

import pytest

from dailyarb.core.domain.events import (
    AccountReport,
    CheckpointDue,
    LegOutcome,
    MarketListed,
    Resolved,
    Tick,
)
from dailyarb.core.domain.settings import S1Settings, S2Settings, Strategies
from dailyarb.core.domain.units import SECOND
from dailyarb.core.ledger import ledger
from tests.rig import START_S, Rig, settings, spec

S2_ONLY = Strategies(S1=S1Settings(enabled=False), S2=S2Settings(enabled=True, resting=True))
WIDE = [(48, 500), (47, 500)], [(52, 500), (53, 500)]
WINDOW_S, REST_S = 300, 200


def entries(found: Any, depth: int = 0, seen: set[int] | None = None) -> int:
    """Counts what all containers reachable from an object of ours hold."""
    seen = set() if seen is None else seen
    if id(found) in seen or depth > 6:
        return 0
    seen.add(id(found))
    if isinstance(found, dict):
        inner = list(found.values())
    elif isinstance(found, list | set | frozenset | tuple | deque):
        inner = list(found)
    else:
        inner = parts(found)
        return sum(entries(part, depth + 1, seen) for part in inner)
    return len(inner) + sum(entries(part, depth + 1, seen) for part in inner)


def parts(found: Any) -> list[Any]:
    """Returns the attributes of an object of ours, none of anything else."""
    if not type(found).__module__.startswith("dailyarb.core"):
        return []
    if is_dataclass(found):
        return [getattr(found, each.name) for each in fields(found)]
    return list(vars(found).values()) if hasattr(found, "__dict__") else []


def trade(rig: Rig, number: int) -> None:
    """Lives through one window: a pair is bought, the market decided and forgotten."""
    start = START_S + number * (WINDOW_S + REST_S)
    market_id = f"0xm{number}"
    rig.market = spec(
        market_id=market_id, slug=f"btc-updown-5m-{start}",
        start_ns=start * SECOND, end_ns=(start + WINDOW_S) * SECOND,
    )  # fmt: skip
    until(rig, (start - 5) * SECOND)
    rig.feed(MarketListed(rig.market))
    until(rig, rig.market.start_ns + SECOND)
    before = len(rig.submits)
    rig.book(*WIDE)
    for submit in rig.submits[before:]:
        rig.answer(submit, LegOutcome.RESTING)
        for index, order in enumerate(submit.orders):
            rig.fill(order.order_id, 20, trade=f"{number}/{index}", maker=True)
    rig.advance(0.3)
    until(rig, rig.market.end_ns + SECOND)
    rig.feed(Resolved(market_id, 10_000))
    rig.feed(CheckpointDue())
    until(rig, rig.market.end_ns + (REST_S - 5) * SECOND)
    cash = rig.state.ledger.accounts.cash
    rig.feed(AccountReport(rig.clock.now().mono_ns, True, cash))


def until(rig: Rig, wall_ns: int) -> None:
    """Lets time pass to a moment in ten ticks."""
    step = max(1, (wall_ns - rig.clock.now().wall_ns) // 10)
    for _ in range(10):
        rig.clock.advance(step)
        rig.feed(Tick())


def test_the_engine_is_as_large_after_many_windows_as_after_some(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What remembers has a bound, reached sooner here; tallies by the hour live for days."""
    monkeypatch.setattr(ledger, "LABELS_KEPT", 50)
    monkeypatch.setattr(ledger, "CLOSED_KEPT", 50)
    rig = Rig(settings(S2_ONLY, max_day_loss_usd=10_000.0), lead_s=5.0).ready()
    sizes: list[int] = []
    for number in range(1, 261):
        trade(rig, number)
        rig.commands = rig.submits[-1:]
        sizes.append(entries(rig.state))

    assert rig.state.pairs.completed == 260, "each window was traded"
    hours = 60 * (WINDOW_S + REST_S) / 3_600
    assert sizes[-1] - sizes[-61] <= 2 * hours, sizes[-80:]

"""Every gate at 80 columns: its words, its number and its limit are whole."""

from __future__ import annotations

import re

import msgspec

from dailyarb.core.domain.ids import GATE_FACTS, Gate, GateFact, StrategyId
from dailyarb.core.domain.rung import Rung
from dailyarb.core.domain.view import DecisionRow, GateHit, GateRow, View
from dailyarb.core.engine.viewer_risk import rung_rows
from dailyarb.tui import fixtures
from dailyarb.tui import format as f
from dailyarb.tui.widgets.markets import state_cell
from tests.rig import Rig
from tests.tui.helpers import console, rows_of, settle, source_of

# The widest number of each unit that a run shows, on an account of a few thousand dollars.
WIDEST = {
    GateFact.NONE: 0.0, GateFact.MS: 725_000.0, GateFact.S: -3_599.0, GateFact.BP: -999.9,
    GateFact.CENTS: -100.0, GateFact.USD: -9_999.0, GateFact.SHARES: -10_000.0,
    GateFact.COUNT: 10_000.0, GateFact.PERCENT: -100.0,
}  # fmt: skip
LABEL = "DOGE 15m"


def stopped_by(gate: Gate) -> tuple[View, str]:
    """Returns a view of one market whose only word is this gate's, and its numbers."""
    view, number = fixtures.running(), WIDEST[GATE_FACTS[gate][1]]
    hit = GateHit(gate, number, number, StrategyId.S1)
    desk = msgspec.structs.replace(view.markets[0], label=LABEL, word="WATCH", why=hit)
    decision = DecisionRow(
        view.wall_ns, desk.market_id, LABEL, StrategyId.S1, False, gate, None, None,
        0, 0, 0, 0, 0, now=number, limit=number,
    )  # fmt: skip
    row = GateRow(gate, number, number, 1, 12, 12)
    shown = msgspec.structs.replace(view, markets=(desk,), decisions=(decision,), gates=(row,))
    return shown, f.gate_numbers(gate, number, number)


async def test_every_gate_is_whole_at_80_columns() -> None:
    source = source_of()
    async with console(source, (80, 24), view="signals") as (app, pilot):
        for gate in Gate:
            view, numbers = stopped_by(gate)
            source.show(view)
            await settle(app, pilot)
            rows = rows_of(app)
            [why] = [row for row in rows if row.startswith(" WHY ")]
            [decided] = [row for row in rows if re.match(f"│ ..:..:.. {LABEL}", row)]
            assert GATE_FACTS[gate][0] in why
            assert numbers in why
            short = numbers.replace(", limit ", "/").replace(" sh/", "/")
            assert f"{gate.value} {short}".rstrip() in decided
            assert any(f"S1 blocked: {gate.value}" in row for row in rows)
            assert any(f" {numbers} " in row for row in rows)
            assert not any("…" in row for row in rows), rows


async def test_every_breaker_that_caps_the_rung_is_whole_on_risk_at_80_columns() -> None:
    rig = Rig().ready()
    source = source_of()
    names = [*rig.state.breakers.by_name, *rig.state.circuits.by_name]
    async with console(source, (80, 24), view="risk") as (app, pilot):
        for name in names:
            rig.state.rungs.breaker, rig.state.rungs.breaker_name = Rung.HALTED, name
            source.show(
                msgspec.structs.replace(fixtures.running(), rungs=rung_rows(rig.state), audits=())
            )
            await settle(app, pilot)
            [row] = [row for row in rows_of(app) if row.startswith("│breakers ")]
            assert f"HALTED     {name} " in row
        rig.state.rungs.booting = True
        last = rung_rows(rig.state)[-1:]
        source.show(msgspec.structs.replace(fixtures.running(), rungs=last))
        await settle(app, pilot)
        assert any(re.match("│booting  HALTED     reconciling ", row) for row in rows_of(app))


def test_a_row_names_a_rung_only_where_it_is_lower_than_the_badge() -> None:
    hit = GateHit(Gate.COOLDOWN, 1_000.0, 3_000.0)
    desk = msgspec.structs.replace(
        fixtures.running().markets[0], word="WATCH", why=hit, rung=Rung.HEDGE_ONLY
    )
    assert state_cell(desk, 40, Rung.HEDGE_ONLY)[0] == "WATCH cooldown 1.0s"
    assert state_cell(desk, 40, Rung.FULL)[0] == "WATCH HEDGE_ONLY cooldown 1.0s"

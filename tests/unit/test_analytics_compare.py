"""Strategies side by side: classes stay apart, the best comes first, cuts add up to the whole."""

from __future__ import annotations

import csv
import io

import msgspec
import pytest

from dailyarb.analytics import export
from dailyarb.analytics.compare import CUTS, compare, kept
from dailyarb.analytics.deals import Deals
from dailyarb.analytics.paper import Bars, Grid, Line, as_html, as_markdown, as_text
from dailyarb.analytics.scores import score, scores
from dailyarb.core.domain.ids import StrategyId
from dailyarb.core.domain.intents import IntentKind
from dailyarb.core.domain.market import (
    FeeSchedule,
    MarketSpec,
    Outcome,
    Settlement,
    SettlementKind,
    Side,
    Window,
)
from dailyarb.core.domain.market import (
    Grid as Prices,
)
from dailyarb.core.domain.orders import TIF, FillState
from dailyarb.core.domain.records import (
    FillBooked,
    IntentTaken,
    MarketSeen,
    OrderSigned,
    PayoutBooked,
)
from dailyarb.core.domain.rung import Evidence
from dailyarb.core.domain.units import SECOND

HOUR_S = 3_600


def deals(evidence: Evidence, *fills: tuple[StrategyId, Outcome, int, int]) -> Deals:
    """Returns one window that paid UP, and fills of (strategy, outcome, price_e4, pair)."""
    made = Deals(evidence)
    spec = MarketSpec(
        "m", "btc-updown-5m-0", "btc", Window.M5, 0, 300 * SECOND, "1", "2", Prices(),
        FeeSchedule(70_000), Settlement(SettlementKind.SPOT),
    )  # fmt: skip
    made.take("r", 1, MarketSeen(spec))
    for number, (strategy, outcome, price_e4, pair) in enumerate(fills):
        at_ns = (number + 1) * 10 * SECOND
        intent = IntentTaken(
            number, strategy, "m", IntentKind.ENTRY, 300, 5_000, 4_900, 5_000, pair, 1
        )
        made.take("r", at_ns, intent)
        order = OrderSigned(
            f"o{number}", number, strategy, IntentKind.ENTRY, "m", outcome, Side.BUY, price_e4,
            10_000_000, TIF.GTC, True, 1, 1, pair, b"",
        )  # fmt: skip
        made.take("r", at_ns, order)
        made.take("r", at_ns, FillBooked(
            f"t{number}", f"o{number}", strategy, "m", outcome, Side.BUY, price_e4, 10_000_000,
            -price_e4 * 1_000, 50_000, True, FillState.CONFIRMED, at_ns,
        ))  # fmt: skip
    made.take("r", 301 * SECOND, PayoutBooked("m", 10_000, 0))
    return made


S1, S2 = StrategyId.S1, StrategyId.S2
UP, DOWN = Outcome.UP, Outcome.DOWN


def test_the_best_comes_first_and_classes_are_never_added() -> None:
    found = {
        Evidence.PAPER: deals(Evidence.PAPER, (S1, DOWN, 4_000, 0), (S2, UP, 4_000, 0)),
        Evidence.LIVE: deals(Evidence.LIVE, (S2, UP, 9_000, 0)),
    }
    parts = compare(found, "desk")
    tables = {part.title: part for part in parts if isinstance(part, Grid)}
    ranking = tables["Strategies"]  # the last class's; the first is checked below
    first = next(p for p in parts if isinstance(p, Grid) and p.title == "Strategies")
    assert [row[0] for row in first.rows] == ["S2 pair", "S1 stale_odds"]
    assert [row[4] for row in first.rows] == ["+5.95", "-4.05"]
    assert [row[0] for row in ranking.rows] == ["S2 pair"]
    classes = tables["Net c/share by evidence class"]
    assert classes.columns == ("strategy", "PAPER (fills)", "LIVE (fills)")
    assert classes.rows == (
        ("S1 stale_odds", "-40.50 (1)", "-"),
        ("S2 pair", "+59.50 (1)", "+9.50 (1)"),
    )
    assert any(isinstance(part, Bars) for part in parts)
    assert sum(isinstance(part, Line) for part in parts) == 3


def test_every_cut_adds_up_to_the_whole() -> None:
    found = {Evidence.SIM: deals(Evidence.SIM, (S1, UP, 4_000, 0), (S1, DOWN, 3_000, 0))}
    whole = score(found[Evidence.SIM], S1).net_usd
    grids = {part.title: part for part in compare(found, "desk") if isinstance(part, Grid)}
    for _, words in CUTS:
        cut = grids[f"Net USD (fills) by {words}"]
        total = sum(float(row[1].split()[0].replace(",", "")) for row in cut.rows)
        assert total == pytest.approx(whole), words


def test_every_form_is_written_from_the_same_parts() -> None:
    parts = compare({Evidence.SIM: deals(Evidence.SIM, (S1, UP, 4_000, 0))}, "desk")
    assert "S1 stale_odds [SIM]: +5.95 USD net" in " ".join(as_text(parts).splitlines()[:9])
    assert as_markdown(parts).startswith("# desk\n")
    page = as_html(parts)
    assert "<svg" in page and "http" not in page.replace("http-equiv", "")
    nothing = as_text(compare({}, "desk"))
    assert "nothing to compare" in nothing


def test_what_was_kept_of_the_edge_needs_both_sides() -> None:
    item = score(deals(Evidence.SIM, (S1, UP, 4_000, 0)), S1)
    assert item.expected_cents_share == pytest.approx(3.0)
    assert kept(item) == pytest.approx(59.5 / 3.0)
    assert kept(msgspec.structs.replace(item, expected_cents_share=None)) is None
    assert kept(msgspec.structs.replace(item, captured_cents_share=None)) is None


def test_a_lone_leg_is_one_whose_other_never_filled_by_itself() -> None:
    both = ((S2, UP, 4_800, 7), (S2, DOWN, 4_900, 7))
    found = score(deals(Evidence.SIM, *both, (S2, DOWN, 4_000, 8), (S2, UP, 4_000, 9)), S2)
    assert (found.lone_legs, found.lone_lost) == (2, 1)
    assert found.signals_traded == 4


def test_tables_hold_each_score_once_with_what_is_known_of_it() -> None:
    item = scores(deals(Evidence.SIM, (S1, UP, 4_000, 0)))[0]
    tables = export.tables([({"queue": "adverse"}, item)])
    (row,) = tables["scores"]
    assert (row["queue"], row["strategy"], row["low_usd"]) == ("adverse", "S1", None)
    assert row["net_usd"] == pytest.approx(5.95)
    assert {part["by"] for part in tables["slices"]} >= {by for by, _ in CUTS}
    again = list(csv.DictReader(io.StringIO(export.as_csv(tables["slices"]))))
    assert [part["key"] for part in again] == [part["key"] for part in tables["slices"]]
    assert export.as_csv([]) == ""

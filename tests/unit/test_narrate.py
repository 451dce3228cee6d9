"""Log lines follow from records, and only from the catalogue."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest

from dailyarb.core.domain import records as rec
from dailyarb.core.domain.ids import StrategyId
from dailyarb.core.domain.intents import IntentKind
from dailyarb.core.domain.market import Outcome, Side
from dailyarb.core.domain.orders import TIF, FillState, OrderState
from dailyarb.core.domain.rung import Evidence, Mode, Rung
from dailyarb.runtime.log_events import EVENTS
from dailyarb.runtime.narrate import narrate
from tests.rig import spec

SIGNED = rec.OrderSigned(
    "0xorder", 1, StrategyId.S1, IntentKind.ENTRY, "0xm", Outcome.UP, Side.BUY, 5_100, 20_000_000,
    TIF.FAK, False, 1, 2, 0, b"SIGNED-BYTES",
)  # fmt: skip
FILLED = rec.FillBooked(
    "t", "0xorder", StrategyId.S1, "0xm", Outcome.UP, Side.BUY, 5_100, 20_000_000, -10_200_000,
    349_860, False, FillState.PROVISIONAL, 3,
)  # fmt: skip
SAMPLES: list[Any] = [
    rec.MarketSeen(spec()),
    rec.MarketSeen(spec(refusal="unknown rule")),
    rec.IntentTaken(1, StrategyId.S1, "0xm", IntentKind.ENTRY, 120, 5_500, 5_000, 5_100, 0, 1),
    SIGNED,
    rec.OrderAdopted("0xlost", "0xm", Outcome.UP, Side.BUY, 4_000, 5_000_000),
    FILLED,
    rec.FillProven("t", "0xorder", FillState.CONFIRMED),
    rec.FillProven("t", "0xorder", FillState.VOIDED, "failed"),
    rec.PairClosed(1, "0xm", StrategyId.S2, 200, 0, 0, 0, 0, 0, 0, "completed"),
    rec.PairClosed(1, "0xm", StrategyId.S2, 200, 0, 0, 0, 0, 0, 0, "carried"),
    rec.PayoutBooked("0xm", 10_000, 20_000_000),
    rec.RungSet(Rung.HALTED, "you", "test"),
    rec.OperatorDid("you", "halt", "", True, "halted", "dailyarb ctl halt"),
    rec.OperatorDid("you", "arm", "main", False, "preflight failed", "dailyarb ctl arm main"),
    rec.ModeSet(Mode.DRY, Evidence.PAPER, "you"),
    rec.SettingsTaken("c1", ("risk.max_day_loss_usd",), "you"),
    rec.BreakerMoved("loss.day", True, -51.0, -50.0, Rung.HALTED, "engine"),
    rec.BreakerMoved("loss.day", False, -51.0, -50.0, Rung.HALTED, "you", "reviewed"),
    rec.Adjusted("opening", 10**9),
    rec.Adjusted("external", 5),
    *[rec.OrderMoved("0xorder", state, "why") for state in OrderState],
]


@pytest.mark.parametrize("record", SAMPLES, ids=lambda r: type(r).__name__)
def test_every_line_is_of_the_catalogue_and_plain(record: rec.Record) -> None:
    line = narrate(record)
    if line is None:
        assert isinstance(record, rec.OrderMoved)
        return
    assert line.evt in EVENTS
    assert line.level in ("info", "warn", "critical")
    assert msgspec.json.decode(msgspec.json.encode(line.fields)) == line.fields


def test_signed_bytes_never_reach_a_line() -> None:
    assert "SIGNED-BYTES" not in repr(narrate(SIGNED))


def test_a_fill_says_price_size_fee_and_how_far_it_is_proven() -> None:
    line = narrate(FILLED)
    assert line is not None
    assert line.evt == "order.filled"
    fields = line.fields
    assert (fields["px_c"], fields["sz"], fields["fee_usd"]) == (51.0, 20.0, 0.34986)
    assert (fields["liq"], fields["chain"]) == ("taker", "matched")


def test_records_without_news_of_their_own_are_silent() -> None:
    told = {type(sample) for sample in SAMPLES}
    silent = {kind for kind in get_args(rec.Record) if kind not in told}
    assert {kind.__name__ for kind in silent} == {
        "RunStarted",
        "RunEnded",
        "AlertRaised",
        "Checkpointed",
        "Merged",
        "FillMarked",
    }

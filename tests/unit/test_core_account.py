"""Our orders, fills and account: told once, compared always, patched never."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from dailyarb.core.domain import commands as cmd
from dailyarb.core.domain.events import (
    AccountReport,
    CancelResult,
    ClaimReport,
    Fill,
    FillConfirmed,
    FillVoided,
    HeartbeatResult,
    LegOutcome,
    LegResult,
    MarketListed,
    OpenOrder,
    OperatorCommand,
    OrderReport,
    Resolved,
    SubmitResult,
    VenueMode,
    VenueModeKind,
)
from dailyarb.core.domain.ids import Severity
from dailyarb.core.domain.market import Outcome, Side
from dailyarb.core.domain.operator import OperatorVerb
from dailyarb.core.domain.orders import FillState, OrderState
from dailyarb.core.domain.records import FillBooked, OrderAdopted, OrderMoved
from dailyarb.core.domain.rung import Rung, RungCause
from dailyarb.core.domain.settings import S1Settings, S2Settings, Strategies
from dailyarb.core.domain.units import SECOND
from dailyarb.core.engine.viewer import build_view
from tests.rig import UP, Rig, birth, settings

S1_ONLY = Strategies(S2=S2Settings(enabled=False))
S2_ONLY = Strategies(S1=S1Settings(enabled=False), S2=S2Settings(resting=True))
WIDE = [(50, 500), (49, 500)], [(51, 500), (52, 500)]
SHARE = 1_000_000


@pytest.fixture
def quotes() -> Rig:
    """Gives a running engine with two unanswered quotes of S2."""
    rig = Rig(settings(S2_ONLY)).ready()
    rig.book(*WIDE)
    return rig


@pytest.fixture
def taker() -> tuple[Rig, str]:
    """Gives a running engine with one unanswered order of S1, and its id."""
    rig = Rig(settings(S1_ONLY)).ready()
    rig.book(*WIDE)
    rig.advance(0.5)
    rig.book(*WIDE)
    rig.spot(100_100)
    return rig, rig.submits[0].orders[0].order_id


def alerts(rig: Rig) -> set[str]:
    """Returns the keys of all alerts."""
    return set(rig.state.alerts)


def told(rig: Rig, kind: str) -> list[str]:
    """Returns the event lines of a kind."""
    return [e.text for e in rig.state.events if e.kind == kind]


def test_a_repeated_answer_is_counted_once(quotes: Rig) -> None:
    for _ in range(2):
        quotes.answer(quotes.submits[0], LegOutcome.RESTING)
    assert quotes.state.tallies.acked == 2
    quotes.feed(SubmitResult(0, (LegResult("0xnone", LegOutcome.RESTING),)))
    assert quotes.state.tallies.acked == 2


def test_a_kill_and_a_refusal_are_told_with_their_words(taker: tuple[Rig, str]) -> None:
    rig, _ = taker
    rig.answer(rig.submits[0], LegOutcome.KILLED)
    assert rig.state.tallies.killed == 1
    assert "killed: no match" in told(rig, "CANCEL")[0]
    rig = Rig(settings(S2_ONLY)).ready()
    rig.book(*WIDE)
    rig.answer(rig.submits[0], LegOutcome.REFUSED, "")
    assert rig.state.tallies.reasons["no reason given"] == 2


def test_silence_counts_as_unknown_and_is_told_once(taker: tuple[Rig, str]) -> None:
    rig, _ = taker
    rig.advance(1.5)
    rig.answer(rig.submits[0], LegOutcome.UNKNOWN, "timeout")
    assert rig.state.tallies.unknown == 1
    assert "order.unknown.0xm" in alerts(rig)


def test_answers_nobody_can_read_open_the_circuit_of_the_order_path(
    taker: tuple[Rig, str],
) -> None:
    rig, _ = taker
    path = rig.state.circuits.by_name["orders.pm"]
    rig.answer(rig.submits[0], LegOutcome.UNKNOWN, "timeout")
    rig.feed(CancelResult(0, (), proven=False))
    assert path.count == 2
    rig.feed(CancelResult(0, ()))
    assert path.count == 0, "a success forgets old failures"
    rig.feed(HeartbeatResult(0, ok=False))
    for _ in range(4):
        rig.answer(rig.submits[0], LegOutcome.UNSENT, "no route")
    assert rig.state.rungs.overall() == (Rung.HALTED, RungCause.CIRCUIT, "orders.pm")
    assert path.cause == "no route"
    assert rig.state.alerts["circuit.orders.pm"].severity is Severity.CRITICAL


def test_a_report_that_ends_an_order_is_told(quotes: Rig) -> None:
    quotes.answer(quotes.submits[0], LegOutcome.RESTING)
    one, two = (o.order_id for o in quotes.submits[0].orders)
    now = quotes.clock.now().mono_ns
    quotes.feed(OrderReport(one, now, True, OrderState.CANCELLED, reason="by the venue"))
    assert quotes.state.tallies.cancelled == 1
    assert told(quotes, "CANCEL")[0].endswith(": by the venue")
    quotes.feed(OrderReport(two, now, True, OrderState.CANCELLED, 5 * SHARE))
    late = OrderReport(two, now + 61 * 10**9, True, OrderState.CANCELLED, 5 * SHARE)
    quotes.feed(late)
    assert any(key.startswith("order.owed.") for key in alerts(quotes))
    quotes.feed(OrderReport("0xnone", now, False))


def test_an_answer_to_a_cancel_is_evidence_of_each_order_it_names(quotes: Rig) -> None:
    quotes.answer(quotes.submits[0], LegOutcome.RESTING)
    one, two = (o.order_id for o in quotes.submits[0].orders)
    quotes.feed(CancelResult(0, (one, one, "0xnone"), ((two, "matched"), ("0xnone", ""))))
    assert quotes.state.tallies.cancelled == 1
    [words] = told(quotes, "CANCEL")
    assert "cancel" not in words.lower(), "the kind of the event says it already"
    assert ":" not in words, "nobody gave a reason"
    quotes.state.orders.by_id[two].cancel_ns = quotes.clock.now().mono_ns
    quotes.advance(0.1)
    assert quotes.all(cmd.QueryOrder)[-1].order_id == two, "matched or gone? it is asked"
    quotes.feed(CancelResult(0, (), proven=False))


def test_a_cancel_that_overtakes_the_answer_stands(quotes: Rig) -> None:
    one = quotes.submits[0].orders[0].order_id
    quotes.feed(CancelResult(0, (one,)))
    quotes.answer(quotes.submits[0], LegOutcome.RESTING)
    quotes.cancelled(one)
    assert quotes.state.orders.by_id[one].state is OrderState.CANCELLED


def test_a_second_copy_that_differs_in_money_is_an_alarm(taker: tuple[Rig, str]) -> None:
    rig, order_id = taker
    rig.fill(order_id, 20)
    rig.fill(order_id, 19)
    assert "fill.differs.t1" in alerts(rig)
    assert rig.held(Outcome.UP) == 20


def test_a_trade_first_heard_of_as_failed_never_happened(taker: tuple[Rig, str]) -> None:
    rig, order_id = taker
    rig.fill(order_id, 20, state=FillState.VOIDED)
    assert not rig.records(FillBooked)


def test_proofs_of_nothing_and_second_proofs_change_nothing(taker: tuple[Rig, str]) -> None:
    rig, order_id = taker
    rig.feed(FillConfirmed("t1", order_id))
    rig.feed(FillVoided("t1", order_id))
    rig.fill(order_id, 20, state=FillState.PROVISIONAL)
    rig.feed(FillConfirmed("t1", order_id))
    rig.feed(FillVoided("t1", order_id))
    assert rig.held(Outcome.UP) == 20


def test_a_fill_of_nobody_is_booked_and_alarms(taker: tuple[Rig, str]) -> None:
    rig, _ = taker
    fill = Fill(
        "t9", "0xforeign", "0xm", Outcome.UP, Side.BUY, 5_000, 5 * SHARE, False,
        FillState.PROVISIONAL, rig.clock.now().wall_ns,
    )  # fmt: skip
    rig.feed(fill)
    assert "fill.foreign.0xforeign" in alerts(rig)
    rig.feed(FillVoided("t9", "0xforeign"))
    assert rig.held(Outcome.UP) == 0
    rig.feed(replace(fill, trade_id="t10", market_id="0xelsewhere", fee_e6=-1))
    assert rig.records(FillBooked)[-1].fee_e6 == 0


def test_a_charged_fee_is_compared_with_the_markets_own(taker: tuple[Rig, str]) -> None:
    rig, order_id = taker
    order = rig.state.orders.by_id[order_id]
    fill = Fill(
        "t1", order_id, "0xm", order.outcome, order.side, 5_100, 10 * SHARE, False,
        FillState.CONFIRMED, rig.clock.now().wall_ns, 174_930,
    )  # fmt: skip
    rig.feed(fill)
    rig.advance(0.2)
    assert not rig.state.breakers.by_name["fee.gap"].tripped
    rig.feed(replace(fill, trade_id="t2", fee_e6=174_960))
    rig.advance(0.2)
    assert rig.state.breakers.by_name["fee.gap"].tripped
    assert rig.records(FillBooked)[-1].fee_e6 == 174_960, "what was charged is booked"


def test_a_voided_leg_makes_its_pair_one_sided_again(quotes: Rig) -> None:
    quotes.answer(quotes.submits[0], LegOutcome.RESTING)
    for i, order in enumerate(quotes.submits[0].orders):
        quotes.fill(order.order_id, 20, trade=f"t{i}", maker=True, state=FillState.PROVISIONAL)
    quotes.advance(0.2)
    assert quotes.state.pairs.completed == 1
    quotes.feed(FillVoided("t0", quotes.submits[0].orders[0].order_id, "reverted"))
    assert quotes.state.pairs.naked_e6() == 20 * SHARE
    assert "fill.voided.t0" in alerts(quotes)
    assert quotes.state.fills[0].chain == "FAILED!"


@pytest.mark.parametrize(("up", "pays"), [(10_000, 20), (0, 0), (5_000, 10)])
def test_a_fill_that_comes_after_resolution_is_paid_then(
    taker: tuple[Rig, str], up: int, pays: int
) -> None:
    rig, order_id = taker
    rig.feed(Resolved("0xm", up))
    rig.fill(order_id, 20, state=FillState.PROVISIONAL)
    fee = rig.records(FillBooked)[0].fee_e6
    assert rig.state.ledger.accounts.cash == 1_000 * SHARE - 20 * 510_000 - fee + pays * SHARE
    rig.feed(FillVoided("t1", order_id))
    assert rig.state.ledger.accounts.cash == 1_000 * SHARE
    assert rig.state.ledger.accounts.residual_e6 == 0


def test_matched_shares_are_paid_and_a_later_void_takes_the_payout_back(
    taker: tuple[Rig, str],
) -> None:
    rig, order_id = taker
    rig.fill(order_id, 12, state=FillState.PROVISIONAL)
    rig.fill(order_id, 8, trade="t2", state=FillState.PROVISIONAL)
    rig.feed(Resolved("0xm", 10_000))
    rig.feed(FillConfirmed("t1", order_id))
    rig.feed(FillVoided("t2", order_id))
    ledger = rig.state.ledger
    fee = rig.records(FillBooked)[0].fee_e6
    assert ledger.accounts.cash == 1_000 * SHARE + 12 * 490_000 - fee
    assert ledger.pnl.total.net_e6 == 12 * 490_000 - fee
    assert rig.engine.view(rig.clock.now()).books.residual_e6 == 0


def test_a_lost_heartbeat_is_repeated_soon(quotes: Rig) -> None:
    quotes.advance(0.2)
    beats = len(quotes.all(cmd.Heartbeat))
    assert beats
    quotes.feed(HeartbeatResult(0, True))
    quotes.feed(HeartbeatResult(0, False))
    assert "heartbeat" in alerts(quotes)
    quotes.advance(1.2)
    assert len(quotes.all(cmd.Heartbeat)) == beats + 1


def test_a_restriction_caps_the_rung_while_it_is_believed(quotes: Rig) -> None:
    quotes.feed(VenueMode(VenueModeKind.RESTARTING, 0.0, "425"))
    quotes.advance(8.0)
    assert quotes.state.breakers.by_name["venue.mode"].tripped, "the venue named no time"
    quotes.feed(VenueMode(VenueModeKind.RESTARTING, 2.0))
    quotes.advance(8.0)
    assert not quotes.state.breakers.by_name["venue.mode"].tripped
    quotes.feed(VenueMode(VenueModeKind.BLOCKED, 0.0, "html"))
    assert "venue.auth" in alerts(quotes)


def test_a_claim_that_failed_is_told(quotes: Rig) -> None:
    quotes.feed(ClaimReport("0xm", True, 5))
    quotes.feed(ClaimReport("0xm", False, 0, "reverted"))
    assert alerts(quotes) == {"claim.0xm"}


def test_an_incomplete_snapshot_proves_nothing(quotes: Rig) -> None:
    asked = len(quotes.all(cmd.QueryAccount))
    quotes.feed(AccountReport(0, False))
    quotes.advance(0.8)
    assert len(quotes.all(cmd.QueryAccount)) == asked, (
        "not at once: a venue that fails is not hammered"
    )
    quotes.advance(0.4)
    assert len(quotes.all(cmd.QueryAccount)) == asked + 1
    assert "incomplete" in quotes.state.account.detail


def test_strange_orders_alarm_once_in_the_journal(quotes: Rig) -> None:
    stranger = OpenOrder("0xforeign", "0xm", Outcome.UP, Side.BUY, 4_000, 5 * SHARE, 0)
    for _ in range(2):
        quotes.feed(AccountReport(0, True, 10**9, (stranger,)))
    assert quotes.state.alerts["orders.foreign"].count == 2
    assert len([r for r in quotes.records(OrderMoved) if r.order_id == "0xforeign"]) == 1


def test_listed_orders_are_proven_and_unlisted_ones_asked_about(quotes: Rig) -> None:
    quotes.answer(quotes.submits[0], LegOutcome.UNKNOWN)
    one, two = (o.order_id for o in quotes.submits[0].orders)
    row = OpenOrder(one, "0xm", Outcome.UP, Side.BUY, 4_900, 20 * SHARE, 0)
    quotes.feed(AccountReport(quotes.clock.now().mono_ns, True, 10**9, (row,)))
    assert quotes.state.orders.by_id[one].state is OrderState.OPEN
    quotes.advance(0.1)
    assert quotes.all(cmd.QueryOrder)[-1].order_id == two


def test_cash_that_differs_is_said_and_never_patched(taker: tuple[Rig, str]) -> None:
    rig, order_id = taker
    rig.account(990)
    assert "while fills settle" in rig.state.account.detail, "an order is on its way"
    rig.fill(order_id, 20, state=FillState.PROVISIONAL)
    rig.account(900)
    assert "while fills settle" in rig.state.account.detail
    rig.fill(order_id, 20)
    cash = rig.state.ledger.accounts.cash
    rig.account(900)
    assert "cash.differs" in alerts(rig)
    assert rig.state.ledger.accounts.cash == cash


def test_shares_that_differ_for_long_are_an_alarm(taker: tuple[Rig, str]) -> None:
    rig, order_id = taker
    rig.fill(order_id, 20)

    def report(shares: float) -> None:
        cash = rig.state.ledger.accounts.cash
        tokens = ((UP, round(shares * SHARE)), ("unknown", 5))
        rig.feed(AccountReport(rig.clock.now().mono_ns, True, cash, positions=tokens))

    def audit() -> bool:
        rows = rig.engine.view(rig.clock.now()).audits
        return next(row.ok for row in rows if row.name == "positions")

    report(20)
    assert audit()
    report(12)
    assert not audit()
    rig.clock.advance(59 * 10**9)
    report(12)
    assert "positions.differ" not in alerts(rig), "the venue may lag a match (F50)"
    rig.clock.advance(10**9)
    report(12)
    assert "positions.differ" in alerts(rig)
    report(20)
    assert audit()


LOST = OpenOrder("0xlost", "0xm", Outcome.UP, Side.BUY, 4_000, 20 * SHARE, 5 * SHARE)


def lost_fill(order_id: str, trade: str, shares: int) -> Fill:
    """Returns a fill of an order that no record tells of."""
    return Fill(
        trade, order_id, "0xm", Outcome.UP, Side.BUY, 4_000, shares * SHARE, True,
        FillState.CONFIRMED, 1,
    )  # fmt: skip


@pytest.fixture
def powerless() -> Rig:
    """Gives an engine that starts on a machine that lost its power."""
    rig = Rig(settings(S1_ONLY, late_arrival_ms=5_000), who=birth(rebooted=True))
    rig.feed(MarketListed(rig.market))
    return rig


def snapshot(rig: Rig, *fills: Fill, orders: tuple[OpenOrder, ...] = ()) -> None:
    """Reports the account as asked for now."""
    rig.feed(AccountReport(rig.clock.now().mono_ns, True, 10**9, orders, fills))


def test_after_a_power_loss_what_the_venue_lists_of_ours_is_adopted(powerless: Rig) -> None:
    """F69: the last rows of the journal are gone, the orders they told of are not."""
    snapshot(
        powerless, lost_fill("0xlost", "t1", 5), lost_fill("0xgone", "t2", 3),
        lost_fill("0xgone", "t3", 4), orders=(LOST,),
    )  # fmt: skip

    snapshot(powerless, lost_fill("0xgone", "t2", 3), orders=(LOST,))
    adopted = {r.order_id: r.size_e6 for r in powerless.records(OrderAdopted)}
    assert adopted == {"0xlost": 20 * SHARE, "0xgone": 7 * SHARE}
    assert len(powerless.records(OrderAdopted)) == 2, "once each"
    by_id = powerless.state.orders.by_id
    assert (by_id["0xlost"].state, by_id["0xlost"].left_e6) == (OrderState.OPEN, 15 * SHARE)
    assert by_id["0xgone"].state is OrderState.FILLED
    assert ("0xlost",) in [c.order_ids for c in powerless.all(cmd.Cancel)]
    assert powerless.held(Outcome.UP) == 12
    assert "orders.adopted" in alerts(powerless)
    assert powerless.state.tallies.foreign == 0


def test_after_a_power_loss_nothing_opens_before_the_latest_arrival(powerless: Rig) -> None:
    snapshot(powerless)
    assert powerless.state.rungs.booting
    powerless.feed(lost_fill("0xlate", "t1", 5))
    assert powerless.held(Outcome.UP) == 0, "the snapshot tells of it, with its order"
    powerless.clock.advance(5 * SECOND)
    snapshot(powerless, lost_fill("0xlate", "t1", 5))
    assert powerless.held(Outcome.UP) == 5
    assert not powerless.state.rungs.booting
    powerless.feed(lost_fill("0xother", "t2", 5))
    assert "fill.foreign.0xother" in alerts(powerless), "from now on strangers are strangers"


def test_what_was_adopted_is_known_after_the_next_start(powerless: Rig) -> None:
    snapshot(powerless, lost_fill("0xlost", "t1", 5), orders=(LOST,))
    rows = [(c.record, 1) for c in powerless.all(cmd.Journal)]
    again = Rig(settings(S1_ONLY), history=rows, who=birth(salt_base=2))
    assert again.state.orders.by_id["0xlost"].left_e6 == 15 * SHARE
    assert again.held(Outcome.UP) == 5


def test_a_payout_that_is_not_yet_redeemed_is_no_difference(quotes: Rig) -> None:
    quotes.answer(quotes.submits[0], LegOutcome.RESTING)
    for index, order in enumerate(quotes.submits[0].orders):
        quotes.fill(order.order_id, 20, trade=f"t{index}", maker=True)
    before = quotes.state.ledger.accounts.cash
    quotes.advance(0.2)
    assert build_view(quotes.state, quotes.clock.now()).books.locked_e6 == 20 * SHARE
    quotes.feed(Resolved("0xm", 10_000))
    quotes.account(before / 1e6)
    assert "cash.differs" not in alerts(quotes)
    assert build_view(quotes.state, quotes.clock.now()).books.locked_e6 == 0
    quotes.clock.advance(61 * SECOND)
    quotes.account(before / 1e6)
    assert "cash.differs" in alerts(quotes), "a minute is enough"


def test_a_foreign_order_after_a_reset_trips_the_wallet_again() -> None:
    rig = Rig(settings(S1_ONLY)).ready()
    breaker = rig.state.breakers.by_name["wallet"]

    def report(*ids: str) -> None:
        rows = tuple(OpenOrder(i, "0xm", Outcome.UP, Side.BUY, 4_000, 5_000_000, 0) for i in ids)
        rig.clock.advance(SECOND)
        rig.feed(AccountReport(rig.clock.now().mono_ns, True, 1_000_000_000, rows))
        rig.advance(0.3)

    report("0xaa")
    assert breaker.tripped
    rig.feed(OperatorCommand(OperatorVerb.BREAKER_RESET, "ann", target="wallet", reason="moved"))
    report()
    assert not breaker.tripped
    report("0xbb")
    assert breaker.tripped

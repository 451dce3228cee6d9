"""A checkpoint stands for all rows before it: money, orders, pairs, rung, and what no row tells."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from dailyarb.core.domain import commands as cmd
from dailyarb.core.domain.events import (
    AccountReport,
    CheckpointDue,
    Fill,
    OperatorCommand,
    ParametersChosen,
    Resolved,
)
from dailyarb.core.domain.ids import StrategyId
from dailyarb.core.domain.market import Outcome, Side
from dailyarb.core.domain.operator import OperatorVerb
from dailyarb.core.domain.orders import FillState, OrderState
from dailyarb.core.domain.records import Checkpointed, FillBooked, OrderSigned, PairClosed, Record
from dailyarb.core.domain.rung import Evidence, Mode, Rung
from dailyarb.core.domain.settings import Strategies
from dailyarb.core.domain.units import SECOND
from dailyarb.core.engine import checkpoint
from tests.rig import Rig, birth, settings
from tests.unit.test_core_recovery import S1_ONLY, S2_ONLY, bought, quoted


def taken(rig: Rig) -> Checkpointed:
    """Returns a checkpoint written now."""
    rig.feed(CheckpointDue())
    return rig.records(Checkpointed)[-1]


def reborn(rig: Rig, *records: Record, strategies: Strategies = S1_ONLY, **changes: object) -> Rig:
    """Starts another run on these records alone, at the moment the old one stopped."""
    wall = rig.clock.now().wall_ns
    rows: list[tuple[Record, int]] = [(record, wall) for record in records]
    lead = (rig.market.start_ns - wall) / SECOND
    return Rig(
        settings(strategies), rig.market, birth(run="r2", salt_base=2, **changes), rows, lead
    )


def test_money_and_shares_come_back_without_the_rows_that_made_them() -> None:
    old = bought()
    new = reborn(old, taken(old))
    assert new.held(Outcome.UP) == 20
    assert new.state.ledger.accounts == old.state.ledger.accounts
    assert new.state.ledger.pnl == old.state.ledger.pnl
    assert new.state.ledger.fill("t1", old.submits[0].orders[0].order_id) is not None
    assert [s.markets for s in new.all(cmd.Subscribe)] == [(old.market,)], "it is followed again"
    new.account(old.state.ledger.accounts.cash / 1e6)
    assert not new.state.rungs.booting
    new.feed(Resolved("0xm", 10_000))
    assert new.state.ledger.accounts.cash == old.state.ledger.accounts.cash + 20_000_000


def test_a_live_order_is_unknown_until_proven_and_its_salt_is_not_used_again() -> None:
    old = quoted()
    new = reborn(old, taken(old), strategies=S2_ONLY)
    assert {o.state for o in new.state.orders.live()} == {OrderState.UNKNOWN}
    assert all(o.accepted for o in new.state.orders.live()), "the venue had answered"
    assert new.state.next_id == old.state.next_id
    for order_id, order in new.state.orders.by_id.items():
        was = old.state.orders.by_id[order_id]
        assert (order.price_e4, order.size_e6, order.stamp_ms) == (
            was.price_e4, was.size_e6, was.stamp_ms,
        )  # fmt: skip


def test_a_one_sided_pair_is_one_sided_again_and_a_closed_one_may_reopen() -> None:
    old = quoted()
    legs = {old.state.orders.by_id[o.order_id].outcome: o.order_id for o in old.submits[0].orders}
    old.fill(legs[Outcome.UP], 20, maker=True, state=FillState.PROVISIONAL)
    [pair] = reborn(old, taken(old), strategies=S2_ONLY).state.pairs.open.values()
    assert (pair.excess_e6, pair.up.cash_e6) == (20_000_000, -pair.up.paid_e6)
    assert pair.naked_since_ns, "its clock runs"
    old.fill(legs[Outcome.DOWN], 20, trade="t2", maker=True)
    old.advance(0.3)
    assert old.records(PairClosed)
    new = reborn(old, taken(old), strategies=S2_ONLY)
    assert not new.state.pairs.open
    new.fill(legs[Outcome.UP], 20, maker=True, state=FillState.VOIDED)
    assert [p.excess_e6 for p in new.state.pairs.open.values()] == [-20_000_000]


def test_stamps_go_on_from_the_newest_though_its_order_is_forgotten() -> None:
    old = quoted()
    old.state.orders.stamp_ms += 3_600_000  # the clock was an hour ahead then
    new = reborn(old, taken(old), strategies=S2_ONLY)
    assert new.state.orders.stamp_ms == old.state.orders.stamp_ms


def test_rows_behind_the_checkpoint_are_folded_onto_it() -> None:
    old = quoted()
    record = taken(old)
    order_id = old.submits[0].orders[0].order_id
    old.cancelled(order_id)
    moved = [c.record for c in old.all(cmd.Journal)][-1]
    new = reborn(old, record, moved, strategies=S2_ONLY)
    assert new.state.orders.by_id[order_id].state is OrderState.CANCELLED


def test_rung_pauses_and_latched_breakers_come_back_and_nothing_is_armed() -> None:
    old = bought()
    old.feed(OperatorCommand(OperatorVerb.RUNG, "you", rung=Rung.HEDGE_ONLY, reason="lunch"))
    old.feed(OperatorCommand(OperatorVerb.STRATEGY_PAUSE, "you", target="S1"))
    old.state.tallies.fee_gap_e5 = 9
    old.advance(0.3)
    for changes in ({}, {"world": "another"}, {"evidence": Evidence.LIVE, "mode": Mode.LIVE}):
        new = reborn(old, taken(old), **changes)
        assert new.state.rungs.operator is Rung.HEDGE_ONLY, "a restart never raises the rung"
        assert new.state.rungs.operator_reason == "lunch"
        assert new.state.rungs.paused == {StrategyId.S1}
        assert new.state.breakers.by_name["fee.gap"].tripped
        assert new.state.rungs.booting
        assert new.state.rungs.armed is (new.who.mode is not Mode.LIVE), "never by itself"


@pytest.mark.parametrize("changes", [{"world": "another"}, {"evidence": Evidence.PAPER}])
def test_money_of_another_world_or_class_is_not_taken_over(changes: dict[str, object]) -> None:
    old = bought()
    new = reborn(old, taken(old), **changes)
    assert new.held(Outcome.UP) == 0
    assert new.state.ledger.accounts.cash == 0


def test_what_no_row_tells_comes_back_too() -> None:
    old = bought()
    old.account(old.state.ledger.accounts.cash / 1e6)
    old.feed(ParametersChosen("S1", (("margin_cents", 0.7),)))
    old.advance(61)
    assert old.state.account.opened and old.state.equity
    new = reborn(old, taken(old))
    assert new.state.peak_e6 == old.state.peak_e6, "a drawdown goes on"
    assert list(new.state.equity) == list(old.state.equity)
    assert new.state.parameters == {"S1": {"margin_cents": 0.7}}
    assert new.state.account.opened
    [asked] = new.all(cmd.QueryAccount)
    assert asked.since_s == old.state.account.since_s - checkpoint.OVERLAP_S > 0


def test_an_account_never_compared_is_asked_for_everything() -> None:
    old = Rig(settings(S1_ONLY))
    new = reborn(old, taken(old))
    assert not new.state.account.opened
    assert [asked.since_s for asked in new.all(cmd.QueryAccount)] == [0]


def test_a_whole_journal_takes_from_its_checkpoints_only_what_no_row_tells() -> None:
    old = bought()
    old.feed(ParametersChosen("S1", (("margin_cents", 0.7),)))
    record = taken(old)
    rows = [c.record for c in old.all(cmd.Journal)]
    new = reborn(old, *rows)
    assert rows[-1] == record
    assert new.state.parameters == {"S1": {"margin_cents": 0.7}}
    assert new.state.ledger.accounts == old.state.ledger.accounts
    assert new.held(Outcome.UP) == 20


def test_a_checkpoint_of_others_in_between_changes_nothing_of_ours() -> None:
    old, other = bought(), Rig(settings(S1_ONLY), who=birth(world="another"))
    other.feed(ParametersChosen("S1", (("margin_cents", 9.9),)))
    ours = [c.record for c in old.all(cmd.Journal)]
    theirs = [c.record for c in other.all(cmd.Journal)]
    new = reborn(old, *ours, *theirs, taken(other))
    assert new.state.parameters == {}
    assert new.held(Outcome.UP) == 20


def test_a_checkpoint_of_another_version_is_passed_over() -> None:
    old = bought()
    tomorrow = replace(taken(old), state=b"who knows", version=checkpoint.VERSION + 1)
    assert checkpoint.read(tomorrow) is None
    rows = [c.record for c in old.all(cmd.Journal) if not isinstance(c.record, Checkpointed)]
    assert reborn(old, *rows, tomorrow).held(Outcome.UP) == 20
    assert reborn(old, tomorrow).held(Outcome.UP) == 0


def test_one_beyond_its_bound_is_not_written_and_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = bought()
    size = len(taken(rig).state)
    assert size < 16_384
    monkeypatch.setattr(checkpoint, "BYTES_MAX", size - 1)
    rig.feed(CheckpointDue())
    assert len(rig.records(Checkpointed)) == 1
    assert "journal.checkpoint" in rig.state.alerts


def test_signed_bytes_stay_in_the_rows_that_signed_them() -> None:
    rig = quoted()
    kept = checkpoint.read(taken(rig))
    assert kept is not None
    assert {OrderSigned(*one.signed).order_json for one in kept.orders} == {b""}


def decided() -> Rig:
    """Returns a run whose market was decided long ago, its shares paid."""
    rig = bought()
    rig.advance(300)
    rig.feed(Resolved("0xm", 10_000))
    rig.clock.advance(checkpoint.FORGET_AFTER_NS + SECOND)
    return rig


def test_books_of_a_market_decided_long_ago_are_shut() -> None:
    rig = decided()
    cash, [order] = rig.state.ledger.accounts.cash, rig.submits[0].orders
    kept = checkpoint.read(taken(rig))
    assert kept is not None
    assert (kept.ledger.markets, kept.ledger.closed, kept.orders) == ((), ("0xm",), ())
    for new in (rig, reborn(rig, taken(rig))):
        assert not new.state.ledger.markets
        assert new.state.ledger.accounts.cash == cash
        assert new.state.ledger.pnl.total.fills == 1
        # The venue repeats what it said long ago: that fill was counted.
        again = Fill(
            "t1", order.order_id, "0xm", Outcome.UP, Side.BUY, 5_100, 20_000_000, False,
            FillState.CONFIRMED, 1,
        )  # fmt: skip
        booked = len(new.records(FillBooked))
        new.feed(again)
        assert len(new.records(FillBooked)) == booked
        assert new.state.ledger.accounts.cash == cash
        assert "fill.shut.0xm" in new.state.alerts


def test_books_stay_open_while_news_may_come() -> None:
    rig = bought()
    taken(rig)
    assert rig.state.ledger.markets, "undecided"
    rig.advance(300)
    rig.feed(Resolved("0xm", 10_000))
    taken(rig)
    assert rig.state.ledger.markets, "decided just now"


def test_pairs_of_shut_books_are_dropped() -> None:
    rig = quoted()
    for number, order in enumerate(rig.submits[0].orders):
        rig.fill(order.order_id, 20, trade=f"t{number}", maker=True)
    rig.advance(300)
    assert rig.state.pairs.done
    rig.feed(Resolved("0xm", 0))
    rig.clock.advance(checkpoint.FORGET_AFTER_NS + SECOND)
    taken(rig)
    assert not rig.state.pairs.done


def test_the_account_may_be_compared_from_a_checkpoint_on() -> None:
    """An answer that lists nothing older than its question still compares cash and orders."""
    old = bought()
    old.account(old.state.ledger.accounts.cash / 1e6)
    old.advance(61)
    new = reborn(old, taken(old))
    now = new.clock.now().mono_ns
    new.feed(AccountReport(now, True, old.state.ledger.accounts.cash))
    assert not new.state.rungs.booting
    assert new.state.account.detail == "0 differences"
    assert new.state.ledger.accounts.opening == old.state.ledger.accounts.opening


def test_what_is_no_checkpoint_is_refused() -> None:
    with pytest.raises(msgspec.DecodeError):
        checkpoint.read(Checkpointed(b"\xc1", checkpoint.VERSION))

"""A restart is recovery: money, orders, pairs, rung, breakers and pauses come back as they were."""

from __future__ import annotations

from dailyarb.core.domain import commands as cmd
from dailyarb.core.domain.events import (
    LegOutcome,
    OperatorCommand,
    OrderReport,
    Resolved,
)
from dailyarb.core.domain.ids import StrategyId
from dailyarb.core.domain.market import MarketState, Outcome
from dailyarb.core.domain.operator import OperatorVerb
from dailyarb.core.domain.orders import FillState, OrderState
from dailyarb.core.domain.records import (
    BreakerMoved,
    MarketSeen,
    OrderMoved,
    OrderSigned,
    PayoutBooked,
    Record,
    RunStarted,
)
from dailyarb.core.domain.rung import Evidence, Rung
from dailyarb.core.domain.settings import S1Settings, S2Settings, Strategies
from tests.rig import Rig, birth, settings, sides

S1_ONLY = Strategies(S2=S2Settings(enabled=False))
S2_ONLY = Strategies(S1=S1Settings(enabled=False), S2=S2Settings(resting=True))
WIDE = [(50, 500), (49, 500)], [(51, 500), (52, 500)]


def history(rig: Rig) -> list[tuple[Record, int]]:
    """Returns a run's journal."""
    wall = rig.clock.now().wall_ns
    return [(c.record, wall) for c in rig.all(cmd.Journal)]


def restart(old: Rig, strategies: Strategies = S2_ONLY, **changes: object) -> Rig:
    """Starts another run on the journal of the old one, at the moment the old one stopped."""
    lead = (old.market.start_ns - old.clock.now().wall_ns) / 1e9
    return Rig(
        settings(strategies), old.market, birth(run="r2", salt_base=2, **changes),
        history(old), lead,
    )  # fmt: skip


def bought(state: FillState = FillState.CONFIRMED) -> Rig:
    """Returns a run that holds 20 UP of S1."""
    rig = Rig(settings(S1_ONLY)).ready()
    rig.book(*WIDE)
    rig.advance(0.5)
    rig.book(*WIDE)
    rig.spot(100_100)
    rig.answer(rig.submits[0], LegOutcome.MATCHED, matched_e6=20_000_000)
    rig.fill(rig.submits[0].orders[0].order_id, 20, state=state)
    return rig


def quoted() -> Rig:
    """Returns a run with two resting bids."""
    rig = Rig(settings(S2_ONLY)).ready()
    rig.book(*WIDE)
    rig.answer(rig.submits[0], LegOutcome.RESTING)
    return rig


def test_cash_and_shares_come_back() -> None:
    old = bought()
    new = restart(old, S1_ONLY)
    assert new.held(Outcome.UP) == 20
    assert new.state.ledger.accounts == old.state.ledger.accounts
    new.account(old.state.ledger.accounts.cash / 1e6)
    assert not new.state.rungs.booting
    assert new.state.account.detail == "0 differences"


def test_a_market_we_hold_is_followed_again_even_after_its_end() -> None:
    old = bought()
    old.clock.advance(400 * 10**9)
    new = restart(old, S1_ONLY)
    assert [s.markets for s in new.all(cmd.Subscribe)] == [(old.market,)]
    new.advance(0.2)
    assert new.state.desks["0xm"].state is MarketState.CLOSING
    new.feed(Resolved("0xm", 10_000))
    assert [p.cash_e6 for p in new.records(PayoutBooked)] == [20_000_000]
    assert new.state.desks["0xm"].state is MarketState.SETTLED


def test_a_market_that_paid_is_not_followed_and_not_paid_again() -> None:
    old = bought()
    old.advance(300)
    old.feed(Resolved("0xm", 10_000))
    new = restart(old, S1_ONLY)
    assert not new.state.desks
    new.feed(Resolved("0xm", 10_000))
    assert not new.records(PayoutBooked)
    assert new.state.ledger.accounts == old.state.ledger.accounts


def test_money_of_another_world_or_evidence_is_not_carried() -> None:
    old = bought()
    for changes in ({"world": "another"}, {"evidence": Evidence.PAPER}):
        new = restart(old, S1_ONLY, **changes)
        assert new.held(Outcome.UP) == 0
        assert new.state.ledger.accounts.cash == 0


def test_an_order_without_an_answer_holds_up_trading_until_it_is_proven() -> None:
    new = restart(quoted())
    assert {o.state for o in new.state.orders.live()} == {OrderState.UNKNOWN}
    new.account(1_000)
    assert new.state.rungs.booting, "I18"
    new.advance(0.1)
    for order in new.state.orders.live():
        new.feed(OrderReport(order.order_id, new.clock.now().mono_ns, True, OrderState.CANCELLED))
    new.account(1_000)
    assert not new.state.rungs.booting


def test_a_one_sided_pair_is_finished_by_the_next_run() -> None:
    old = quoted()
    legs = {old.state.orders.by_id[o.order_id].outcome: o.order_id for o in old.submits[0].orders}
    old.fill(legs[Outcome.UP], 20, maker=True)
    new = restart(old)
    assert [p.excess_e6 for p in new.state.pairs.open.values()] == [20_000_000]
    new.cancelled(legs[Outcome.DOWN])
    new.ready(old.state.ledger.accounts.cash / 1e6)
    new.book(*WIDE)
    new.advance(1.0)
    assert new.submits, "the missing leg is bought or the excess sold"
    [(outcome, *_)] = sides(new.submits[0], new)
    assert outcome in Outcome
    assert new.state.next_id > max(new.state.pairs.open)


def test_what_was_voided_or_closed_before_is_so_after() -> None:
    old = quoted()
    legs = {old.state.orders.by_id[o.order_id].outcome: o.order_id for o in old.submits[0].orders}
    old.fill(legs[Outcome.UP], 20, maker=True, state=FillState.PROVISIONAL)
    old.fill(legs[Outcome.UP], 20, maker=True, state=FillState.VOIDED)
    new = restart(old)
    [pair] = new.state.pairs.open.values()
    assert (pair.excess_e6, pair.up.cash_e6) == (0, 0)
    assert new.state.orders.by_id[legs[Outcome.UP]].voided_e6 == 20_000_000
    old = quoted()
    for i, order in enumerate(old.submits[0].orders):
        old.fill(order.order_id, 20, trade=f"t{i}", maker=True)
    old.advance(0.2)
    assert old.state.pairs.completed == 1
    assert not restart(old).state.pairs.open


def test_a_pair_without_market_is_no_longer_anybodys_task() -> None:
    old = quoted()
    for order in old.submits[0].orders:
        old.cancelled(order.order_id)
    assert not restart(old).state.pairs.open


def test_shares_a_person_sold_are_not_bought_back_after_a_restart() -> None:
    old = quoted()
    legs = {old.state.orders.by_id[o.order_id].outcome: o.order_id for o in old.submits[0].orders}
    old.fill(legs[Outcome.UP], 20, maker=True)
    old.cancelled(legs[Outcome.DOWN])
    old.feed(OperatorCommand(OperatorVerb.FLATTEN, "you", confirmed=True))
    old.fill(old.submits[-1].orders[0].order_id, 20, trade="out", price_e4=4_900)
    assert [p.excess_e6 for p in old.state.pairs.open.values()] == [0]
    new = restart(old)
    assert new.held(Outcome.UP) == 0
    assert not any(p.excess_e6 for p in new.state.pairs.open.values())


def test_the_rung_breakers_and_pauses_survive() -> None:
    old = Rig(settings(S1_ONLY)).ready()
    old.feed(OperatorCommand(OperatorVerb.RUNG, "you", rung=Rung.HEDGE_ONLY, reason="lunch"))
    old.feed(OperatorCommand(OperatorVerb.STRATEGY_PAUSE, "you", target="S1"))
    old.feed(OperatorCommand(OperatorVerb.STRATEGY_PAUSE, "you", target="S2"))
    old.feed(OperatorCommand(OperatorVerb.STRATEGY_RESUME, "you", target="S2"))
    old.feed(OperatorCommand(OperatorVerb.STRATEGY_PAUSE, "you", target="nobody"))
    old.feed(OperatorCommand(OperatorVerb.ACK, "you", target="S1"))
    old.state.tallies.fee_gap_e5 = 9
    old.state.ledger.pnl.streak = 99
    old.state.seen.clock_offset_ms = 9_999.0
    old.advance(0.3)
    new = restart(old, S1_ONLY)
    assert (new.state.rungs.operator, new.state.rungs.operator_reason) == (Rung.HEDGE_ONLY, "lunch")
    assert new.state.rungs.paused == {StrategyId.S1}
    assert new.state.breakers.by_name["fee.gap"].tripped
    assert not new.state.breakers.by_name["clock"].tripped, "it lifts by itself"
    for name in ("fee.gap", "loss.streak"):
        old.feed(
            OperatorCommand(OperatorVerb.BREAKER_RESET, "you", target=name, reason="looked")
        )
    newer = restart(old, S1_ONLY)
    assert not newer.state.breakers.by_name["fee.gap"].tripped
    assert not newer.state.breakers.by_name["loss.streak"].tripped


def test_what_the_journal_names_and_nobody_knows_is_passed_over() -> None:
    who = birth()
    rows: list[tuple[Record, int]] = [
        (RunStarted("r0", "0", who.mode, who.evidence, "c", 0, ""), 1),
        (BreakerMoved("gone", True, 1.0, 0.0, Rung.HALTED, "engine"), 2),
    ]
    assert Rig(settings(S1_ONLY), history=rows).state.rungs.breaker is Rung.FULL
    hidden = (OrderSigned, OrderMoved, MarketSeen)
    old = bought(FillState.PROVISIONAL)
    old.fill(old.submits[0].orders[0].order_id, 20, state=FillState.VOIDED)
    old.fill(old.submits[0].orders[0].order_id, 20, trade="t2")
    rows = [row for row in history(old) if not isinstance(row[0], hidden)]
    new = Rig(settings(S1_ONLY), old.market, birth(run="r2"), rows)
    assert new.held(Outcome.UP) == 20
    assert not new.state.desks

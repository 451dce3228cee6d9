"""A person's word: down is free, up is asked, each command is answered and written down."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from dailyarb.core.domain import commands as cmd
from dailyarb.core.domain.events import (
    CancelResult,
    ClockOffset,
    FeedState,
    FeedStatus,
    LegOutcome,
    OperatorCommand,
    ParametersChosen,
    Resolved,
    StopRequested,
    VenueMode,
    VenueModeKind,
)
from dailyarb.core.domain.ids import FeedId, StrategyId
from dailyarb.core.domain.market import Outcome, Side
from dailyarb.core.domain.operator import OperatorVerb
from dailyarb.core.domain.orders import FillState
from dailyarb.core.domain.records import ModeSet, OperatorDid, RungSet, SettingsTaken
from dailyarb.core.domain.rung import Evidence, Mode, Rung, RungCause
from dailyarb.core.domain.settings import S1Settings, S2Settings, Strategies
from tests.rig import Rig, birth, settings, sides

S1_ONLY = Strategies(S2=S2Settings(enabled=False))
S2_ONLY = Strategies(S1=S1Settings(enabled=False), S2=S2Settings(resting=True))
WIDE = [(50, 500), (49, 500)], [(51, 500), (52, 500)]
V = OperatorVerb


@pytest.fixture
def rig() -> Rig:
    """Gives a running engine with resting quotes of S2."""
    rig = Rig(settings(S2_ONLY)).ready()
    rig.book(*WIDE)
    rig.answer(rig.submits[0], LegOutcome.RESTING)
    return rig


def ask(rig: Rig, verb: OperatorVerb, target: str = "", **more: object) -> cmd.Answer:
    """Gives one command and returns its answer."""
    event = OperatorCommand(verb, "you", 7, target, **more)  # type: ignore[arg-type]
    [answer] = [c for c in rig.feed(event) if isinstance(c, cmd.Answer)]
    assert rig.records(OperatorDid)[-1].text == answer.text
    return answer


def fill_both(rig: Rig, state: FillState = FillState.CONFIRMED) -> None:
    """Fills both quotes."""
    for i, order in enumerate(rig.submits[0].orders):
        rig.fill(order.order_id, 20, trade=f"t{i}", maker=True, state=state)
    rig.advance(0.2)


def test_every_verb_is_answered_and_has_its_line_for_the_shell(rig: Rig) -> None:
    for verb in V:
        answer = ask(rig, verb, reason="why", confirmed=False)
        assert answer.text
        assert rig.records(OperatorDid)[-1].twin.startswith("dailyarb ctl ")
    assert ask(rig, V.RELOAD).text == "no file was read"


def test_a_halt_is_journalled_before_its_cancels_and_verified_after(rig: Rig) -> None:
    before = len(rig.commands)
    ask(rig, V.HALT)
    kinds = [type(c) for c in rig.commands[before:]]
    assert kinds.index(cmd.Journal) < kinds.index(cmd.CancelAll)
    assert rig.state.halting.note == "HALTING 2 orders"
    rig.advance(0.2)
    assert rig.state.halting.note == "HALTING 0/2 cancelled"
    ids = tuple(rig.state.orders.by_id)
    rig.feed(CancelResult(0, ids, all_orders=True))
    rig.advance(0.2)
    assert rig.state.halting.note.startswith("HALTED 2/2 cancelled, verified")
    assert ask(rig, V.RELEASE).text == "what raises risk must be confirmed"
    assert ask(rig, V.RELEASE, confirmed=True).ok
    assert (rig.state.rungs.operator, rig.state.halting.note) == (Rung.REDUCED, "")
    assert not ask(rig, V.RELEASE, confirmed=True).ok


def test_a_halt_that_got_no_answer_is_asked_again_until_it_has(rig: Rig) -> None:
    ask(rig, V.HALT)
    rig.feed(CancelResult(0, (), proven=False, all_orders=True))
    assert not rig.all(cmd.Cancel)
    rig.advance(1.0)
    assert len(rig.all(cmd.Cancel)) == 1, "half a second later, not at once"
    rig.advance(4.0)
    assert len(rig.all(cmd.Cancel)) == 3, "and every two seconds when nothing comes back"
    assert rig.all(cmd.QueryOrder), "asking to cancel does not put off the question"


def test_the_rung_falls_freely_and_takes_openings_with_it(rig: Rig) -> None:
    assert not ask(rig, V.RUNG).ok
    ask(rig, V.RUNG, rung=Rung.REDUCED)
    assert not rig.all(cmd.Cancel), "S2 may quote at REDUCED"
    ask(rig, V.RUNG, rung=Rung.HEDGE_ONLY)
    assert len(rig.all(cmd.Cancel)[0].order_ids) == 2
    assert ask(rig, V.RUNG, rung=Rung.HALTED).text == "halted; cancelling 2 orders"
    assert [r.rung for r in rig.records(RungSet)] == [Rung.REDUCED, Rung.HEDGE_ONLY, Rung.HALTED]


def test_raising_rests_on_a_screen_that_is_not_old(rig: Rig) -> None:
    ask(rig, V.RUNG, rung=Rung.REDUCED)
    rig.state.frame = 500
    old = ask(rig, V.RUNG, rung=Rung.FULL, confirmed=True, frame=100)
    assert "too old" in old.text
    assert ask(rig, V.RUNG, rung=Rung.FULL, confirmed=True, frame=450).ok


def test_flatten_sells_everything_that_is_confirmed(rig: Rig) -> None:
    assert not ask(rig, V.FLATTEN).ok
    fill_both(rig)
    answer = ask(rig, V.FLATTEN, confirmed=True)
    assert answer.text == "selling 2 positions"
    sold = [sides(s, rig)[0] for s in rig.submits[1:]]
    assert {(o, side) for o, side, *_ in sold} == {(o, Side.SELL) for o in Outcome}
    again = ask(rig, V.FLATTEN, confirmed=True)
    assert "position_held" in again.text, "shares on their way out are not sold twice"


def test_flatten_of_one_market_does_not_halt_and_no_rung_refuses_it(rig: Rig) -> None:
    fill_both(rig)
    ask(rig, V.RUNG, rung=Rung.HEDGE_ONLY)
    assert ask(rig, V.FLATTEN, "nowhere", confirmed=True).text == "no market nowhere"
    answer = ask(rig, V.FLATTEN, rig.market.slug, confirmed=True)
    assert answer.text == "selling 2 positions", "half a balanced pair is sold, too, when asked"
    assert rig.state.rungs.operator is Rung.HEDGE_ONLY


def test_flatten_says_what_stays(rig: Rig) -> None:
    fill_both(rig, FillState.PROVISIONAL)
    assert "not yet confirmed" in ask(rig, V.FLATTEN, confirmed=True).text
    rig = Rig(settings(S2_ONLY)).ready()
    rig.book(*WIDE)
    fill_both(rig)
    rig.clock.advance(10**9)
    rig.book([], [(51, 500)])
    assert "BTC 5m UP no bid" in ask(rig, V.FLATTEN, confirmed=True).text


def test_cancel_takes_one_order_or_all(rig: Rig) -> None:
    order_id = rig.submits[0].orders[0].order_id
    assert not ask(rig, V.CANCEL, "0xabc").ok
    assert ask(rig, V.CANCEL, order_id).ok
    assert rig.all(cmd.Cancel)[-1].order_ids == (order_id,)
    assert ask(rig, V.CANCEL).text == "cancelling 2 orders"


PAPER = birth(mode=Mode.PAPER, evidence=Evidence.PAPER)


def test_sim_and_replay_are_fixed_and_live_is_begun_and_left_at_start(rig: Rig) -> None:
    assert "fixed by --venues" in ask(rig, V.MODE, mode=Mode.PAPER).text
    live = Rig(settings(S1_ONLY), who=birth(mode=Mode.LIVE))
    assert "begun and left at start" in ask(live, V.MODE, mode=Mode.PAPER).text
    paper = Rig(settings(S1_ONLY), who=PAPER)
    assert "begun and left at start" in ask(paper, V.MODE, mode=Mode.LIVE).text
    assert "begun and left at start" in ask(paper, V.MODE).text
    assert not any(r.all(cmd.SetMode) for r in (rig, live, paper))


def test_dry_and_paper_change_places_while_flat() -> None:
    rig = Rig(settings(S2_ONLY), who=PAPER).ready()
    assert ask(rig, V.MODE, mode=Mode.PAPER).text == "the mode is PAPER already"
    answer = ask(rig, V.MODE, mode=Mode.DRY)
    assert (answer.ok, answer.text) == (True, "PAPER -> DRY")
    assert rig.all(cmd.SetMode) == [cmd.SetMode(Mode.DRY)]
    assert rig.records(ModeSet) == [ModeSet(Mode.DRY, Evidence.PAPER, "you")]
    view = rig.engine.view(rig.clock.now())
    assert (view.mode, view.evidence) == (Mode.DRY, Evidence.PAPER)
    kinds = [type(c.record) if isinstance(c, cmd.Journal) else type(c) for c in rig.commands[-4:]]
    assert kinds[:2] == [ModeSet, cmd.SetMode], "journalled first, then done"


def test_the_mode_stays_while_an_order_or_a_share_is_open() -> None:
    rig = Rig(settings(S2_ONLY), who=PAPER).ready()
    rig.book(*WIDE)
    rig.answer(rig.submits[0], LegOutcome.RESTING)
    resting = ask(rig, V.MODE, mode=Mode.DRY)
    assert resting.text == "only while flat: 2 open orders, 0 markets with shares"
    fill_both(rig)
    assert "1 markets with shares" in ask(rig, V.MODE, mode=Mode.DRY).text
    assert not rig.all(cmd.SetMode)


def live_rig(strategies: Strategies = S1_ONLY) -> Rig:
    """Gives a LIVE engine, reconciled, with every feed fresh; not armed."""
    live = Rig(settings(strategies), who=birth(mode=Mode.LIVE, evidence=Evidence.LIVE)).ready()
    live.feed(ClockOffset(3.0, 1.0))
    live.book(*WIDE)
    live.advance(0.5)
    live.book(*WIDE)
    return live


def test_live_is_halted_until_it_is_armed_by_its_own_name(rig: Rig) -> None:
    assert "only a LIVE engine" in ask(rig, V.ARM, "main").text
    live = live_rig()
    assert live.state.rungs.overall() == (Rung.HALTED, RungCause.OPERATOR, "not armed")
    live.spot(100_100)
    assert not live.all(cmd.Sign), "an engine that is not armed does not even sign"
    live.spot(100_000)
    live.advance(30)
    assert "not this instance" in ask(live, V.ARM, "other").text
    assert ask(live, V.ARM, "main").text == "armed at REDUCED"
    assert live.state.rungs.overall()[0] is live.state.rungs.operator is Rung.REDUCED
    assert ask(live, V.ARM, "main").text == "armed already"
    ask(live, V.DISARM)
    assert (live.state.rungs.armed, live.state.rungs.operator) == (False, Rung.HALTED)


def test_arming_names_every_row_of_the_preflight_that_fails() -> None:
    live = Rig(settings(S1_ONLY), who=birth(mode=Mode.LIVE))
    said = ask(live, V.ARM, "main").text
    assert said.startswith("preflight failed: clock: not measured yet; feed PM: not connected")
    assert "start-up: reconciling" in said and "free cash: 0.00" in said
    live = live_rig()
    live.feed(FeedState(FeedId.USER, FeedStatus.DOWN, 0, 2, 0, 0.0))
    assert "feed USER: DOWN" in ask(live, V.ARM, "main").text
    assert not live.state.rungs.armed


def test_an_engine_that_is_not_armed_still_sells_and_cancels() -> None:
    live = live_rig(S2_ONLY)
    assert ask(live, V.ARM, "main").ok
    live.advance(0.2)
    live.answer(live.submits[0], LegOutcome.RESTING)
    up, down = live.submits[0].orders
    live.fill(up.order_id, 5, maker=True)
    live.state.rungs.armed = False  # as a restart leaves it: shares held, an order resting
    live.advance(0.2)
    assert down.order_id in live.all(cmd.Cancel)[0].order_ids, "nothing rests while halted"
    live.feed(CancelResult(0, (up.order_id, down.order_id)))
    assert ask(live, V.FLATTEN, confirmed=True).text == "selling 1 positions"
    assert sides(live.submits[-1], live)[0][:2] == (Outcome.UP, Side.SELL)


def test_limits_are_read_anew_and_all_else_waits_for_a_restart(rig: Rig) -> None:
    old = rig.state.settings
    risk = replace(old.risk, max_day_loss_usd=20.0, max_unwind_loss_usd=1.0, ask_after_ms=500)
    fresh = replace(old, risk=risk, breakers=replace(old.breakers, loss_streak=3))
    told: dict[str, Any] = {"settings": fresh, "config_hash": "c1", "confirmed": True}
    assert "must be confirmed" in ask(rig, V.RELOAD, settings=fresh).text
    assert ask(rig, V.RELOAD, reason="line 3: no such key").text == "line 3: no such key"
    other = replace(fresh, feeds=replace(old.feeds, connections=3))
    assert "only [risk] and" in ask(rig, V.RELOAD, settings=other, confirmed=True).text
    assert rig.state.settings is old
    rig.feed(ParametersChosen("S1", (("min_edge_cents", 1.25),)))  # a tuner may have drawn
    answer = ask(rig, V.RELOAD, reason="ui.theme waits", **told)
    assert answer.text == (
        "in force: risk.max_day_loss_usd, risk.max_unwind_loss_usd, risk.ask_after_ms, "
        "breakers.loss_streak; ui.theme waits"
    )
    state = rig.state
    assert state.gate.settings is state.proofs.risk is risk
    assert state.pairs.max_unwind_loss_e6 == 1_000_000
    assert state.breakers.by_name["loss.day"].rule.limit == -20.0
    assert state.breakers.by_name["loss.streak"].rule.limit == 2.0
    assert rig.engine.view(rig.clock.now()).config_hash == "c1"
    [taken] = rig.records(SettingsTaken)
    assert (taken.config_hash, len(taken.changed), taken.who) == ("c1", 4, "you")
    assert ask(rig, V.RELOAD, **told).text == "no limit has changed"


def test_a_claim_asks_the_account_whether_the_payouts_have_come(rig: Rig) -> None:
    fill_both(rig)
    before = len(rig.all(cmd.QueryAccount))
    assert "checking 0 payouts" in ask(rig, V.CLAIM).text
    rig.feed(Resolved("0xm", 10_000))
    assert "checking 1 payouts, 20.00 in all" in ask(rig, V.CLAIM).text
    assert len(rig.all(cmd.QueryAccount)) == before + 2


def test_taking_the_lease_is_written_down(rig: Rig) -> None:
    assert ask(rig, V.LEASE).text == "you holds the lease"
    assert ask(rig, V.LEASE, "release").text == "the lease is free"


def test_a_breaker_is_reset_with_a_reason_and_starts_anew(rig: Rig) -> None:
    state = rig.state
    assert "there are" in ask(rig, V.BREAKER_RESET, "nothing").text
    assert "reason" in ask(rig, V.BREAKER_RESET, "loss.streak").text
    assert "not tripped" in ask(rig, V.BREAKER_RESET, "loss.streak", reason="r").text
    state.ledger.pnl.streak, state.tallies.fee_gap_e5 = 99, 5
    state.peak_e6 = 10**12
    rig.feed(VenueMode(VenueModeKind.AUTH_FAILED))
    rig.advance(0.2)
    names = ("loss.streak", "loss.drawdown", "fee.gap", "auth")
    assert all(state.breakers.by_name[n].tripped for n in names)
    for name in names:
        assert ask(rig, V.BREAKER_RESET, name, reason="looked").ok
    rig.advance(0.3)
    assert not any(state.breakers.by_name[n].tripped for n in names), "or a reset is no reset"


def test_a_days_loss_is_not_talked_away(rig: Rig) -> None:
    rig.state.breakers.observe("loss.day", -60.0, 0, 0)
    assert "still past its limit" in ask(rig, V.BREAKER_RESET, "loss.day", reason="r").text
    rig.state.breakers.observe("loss.day", 0.0, 0, 0)
    assert ask(rig, V.BREAKER_RESET, "loss.day", reason="a new day").ok


def test_a_paused_strategy_withdraws_and_opens_nothing(rig: Rig) -> None:
    assert "no strategy" in ask(rig, V.STRATEGY_PAUSE, "S9").text
    ask(rig, V.STRATEGY_PAUSE, "S2")
    assert len(rig.all(cmd.Cancel)[0].order_ids) == 2
    assert rig.state.rungs.of(StrategyId.S2) is Rung.HEDGE_ONLY
    assert ask(rig, V.STRATEGY_RESUME, "S2").ok
    assert rig.state.rungs.of(StrategyId.S2) is Rung.FULL


def test_alerts_are_acknowledged_by_name_or_all(rig: Rig) -> None:
    from dailyarb.core.domain.ids import Severity

    for key in ("a", "b"):
        rig.state.alert(Severity.INFO, key, key, rig.clock.now(), [])
    assert ask(rig, V.ACK, "a").text == "1 alerts acknowledged"
    assert ask(rig, V.ACK).text == "1 alerts acknowledged"


def test_reconcile_asks_the_account(rig: Rig) -> None:
    before = len(rig.all(cmd.QueryAccount))
    assert ask(rig, V.RECONCILE).ok
    assert len(rig.all(cmd.QueryAccount)) == before + 1


def test_stopping_is_confirmed_and_a_second_time_is_at_once(rig: Rig) -> None:
    assert not ask(rig, V.STOP).ok
    assert ask(rig, V.STOP, confirmed=True).ok
    assert rig.state.rungs.stopping
    rig.feed(StopRequested("again", at_once=True))
    rig.advance(0.1)
    assert [e.code for e in rig.all(cmd.Exit)] == [6]
    assert rig.state.stop_why == "asked by you"


def test_stopping_waits_for_a_one_sided_pair_and_says_what_stays(rig: Rig) -> None:
    up, down = rig.submits[0].orders
    rig.fill(up.order_id, 20, maker=True)
    rig.feed(StopRequested("test"))
    rig.feed(CancelResult(0, (down.order_id,)))
    rig.advance(9.0)
    assert not rig.all(cmd.Exit)
    rig.advance(1.5)
    [left] = rig.all(cmd.Exit)
    assert "1 pairs one-sided" in left.why
    assert "stop.naked" in rig.state.alerts


def test_an_operators_sale_is_taken_out_of_the_pair(rig: Rig) -> None:
    up, down = rig.submits[0].orders
    rig.fill(up.order_id, 20, maker=True)
    ask(rig, V.FLATTEN, confirmed=True)
    rig.feed(CancelResult(0, (down.order_id,)))
    rig.fill(rig.submits[-1].orders[0].order_id, 20, trade="out", price_e4=4_900)
    ask(rig, V.RUNG, rung=Rung.FULL, confirmed=True)
    rig.advance(6)
    rig.book(*WIDE)
    kinds = [rig.state.orders.by_id[o.order_id].intent.value for s in rig.submits for o in s.orders]
    assert "COMPLETE" not in kinds, "nothing is left to complete"

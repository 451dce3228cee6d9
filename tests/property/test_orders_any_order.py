"""Whatever order reports come in, and however often, the ledger ends the same (I3, I9)."""

from __future__ import annotations

from functools import lru_cache

from hypothesis import given, settings
from hypothesis import strategies as st

from dailyarb.core.domain.events import (
    CancelResult,
    Event,
    Fill,
    FillConfirmed,
    FillVoided,
    LegOutcome,
    LegResult,
    OrderReport,
    SubmitResult,
)
from dailyarb.core.domain.market import Outcome, Side
from dailyarb.core.domain.orders import TERMINAL, FillState, OrderState
from dailyarb.core.domain.records import FillBooked
from dailyarb.core.domain.settings import S1Settings, S2Settings, Strategies
from dailyarb.core.domain.units import MS
from tests.rig import Rig
from tests.rig import settings as config

S1_ONLY = Strategies(S2=S2Settings(enabled=False))
S2_ONLY = Strategies(S1=S1Settings(enabled=False), S2=S2Settings(resting=True))
WIDE = [(50, 500), (49, 500)], [(51, 500), (52, 500)]
SHARE = 1_000_000


def resting_pair() -> tuple[Rig, list[str], int]:
    """Returns an engine with two resting bids sent and unanswered, and when they were sent."""
    rig = Rig(config(S2_ONLY), lead_s=25.0).ready()
    rig.book(*WIDE)
    [submit] = rig.submits
    return rig, [o.order_id for o in submit.orders], submit.asked_ns


def fill_of(rig: Rig, order_id: str, trade: str, shares: int, state: FillState) -> Fill:
    """Returns one copy of a trade's report."""
    order = rig.state.orders.by_id[order_id]
    return Fill(
        trade, order_id, "0xm", order.outcome, order.side, order.price_e4, shares * SHARE, True,
        state, rig.market.start_ns, 0,
    )  # fmt: skip


def story(rig: Rig, ids: list[str], asked_ns: int) -> list[Event]:
    """Returns what the venue says: UP fills in two trades, DOWN in part, its rest is cancelled.

    Every report is dated as a venue would date it: the absence was asked before anything else.
    """
    up, down = ids
    soon = asked_ns + 10
    return [
        OrderReport(up, asked_ns + 1, False),
        SubmitResult(
            asked_ns,
            (LegResult(up, LegOutcome.RESTING), LegResult(down, LegOutcome.RESTING)),
        ),
        fill_of(rig, up, "t1", 8, FillState.PROVISIONAL),
        fill_of(rig, up, "t2", 12, FillState.PROVISIONAL),
        FillConfirmed("t1", up),
        fill_of(rig, up, "t2", 12, FillState.CONFIRMED),
        fill_of(rig, down, "t1", 6, FillState.PROVISIONAL),
        FillVoided("t3", down),
        fill_of(rig, down, "t4", 4, FillState.PROVISIONAL),
        OrderReport(up, soon, True, OrderState.FILLED, 20 * SHARE),
        OrderReport(down, soon, True, OrderState.OPEN, 10 * SHARE),
        CancelResult(soon, (down,)),
    ]


def close(rig: Rig, ids: list[str]) -> None:
    """Lets the last word on each trade be heard, as the account's list repeats it.

    And the answer to the question that a cancel raises: how much had matched before.
    """
    rig.clock.advance(MS)
    rig.feed(OrderReport(ids[1], rig.clock.now().mono_ns, False))
    for trade, order_id in (("t1", ids[0]), ("t2", ids[0]), ("t1", ids[1]), ("t4", ids[1])):
        rig.feed(FillConfirmed(trade, order_id))


def outcome_of(rig: Rig) -> tuple[object, ...]:
    """Returns everything money: cash, shares, results, and each fill booked."""
    ledger = rig.state.ledger
    booked = sorted((f.trade_id, f.order_id) for f in rig.records(FillBooked))
    return (
        ledger.accounts.cash,
        ledger.accounts.residual_e6,
        [ledger.size_e6("0xm", o) for o in Outcome],
        [ledger.confirmed_e6("0xm", o) for o in Outcome],
        ledger.pnl.total,
        booked,
    )


@lru_cache(maxsize=1)
def expected() -> tuple[object, ...]:
    """Returns how the story ends when it is told in order."""
    rig, ids, asked_ns = resting_pair()
    for event in story(rig, ids, asked_ns):
        rig.feed(event)
    close(rig, ids)
    return outcome_of(rig)


STORY_LENGTH = 12


@settings(max_examples=40, deadline=None)
@given(
    order=st.permutations(range(STORY_LENGTH)),
    again=st.lists(st.integers(0, STORY_LENGTH - 1), max_size=8),
)
def test_any_permutation_and_duplication_ends_in_the_same_ledger(
    order: list[int], again: list[int]
) -> None:
    rig, ids, asked_ns = resting_pair()
    events = story(rig, ids, asked_ns)
    assert len(events) == STORY_LENGTH
    for i in [*order, *again]:
        rig.feed(events[i])
    close(rig, ids)
    assert outcome_of(rig) == expected()
    keys = [(f.trade_id, f.order_id) for f in rig.records(FillBooked)]
    assert len(keys) == len(set(keys)), "I3: once each"
    states = [rig.state.orders.by_id[i].state for i in ids]
    assert states[0] is OrderState.FILLED
    assert states[1] in TERMINAL


@settings(max_examples=40, deadline=None)
@given(
    order=st.permutations(range(4)),
    matched=st.integers(1, 20),
    voided=st.booleans(),
)
def test_every_taker_order_becomes_terminal(
    order: list[int], matched: int, voided: bool
) -> None:
    rig = Rig(config(S1_ONLY), lead_s=25.0).ready()
    rig.book(*WIDE)
    rig.advance(0.5)
    rig.book(*WIDE)
    rig.spot(100_100)
    submit = next(s for s in rig.submits if len(s.orders) == 1)
    order_id = submit.orders[0].order_id
    fill = fill_of(rig, order_id, "t", matched, FillState.PROVISIONAL)
    proof: Event = FillVoided("t", order_id) if voided else FillConfirmed("t", order_id)
    answer = SubmitResult(
        submit.asked_ns, (LegResult(order_id, LegOutcome.MATCHED, "", matched * SHARE),)
    )
    events: list[Event] = [
        answer, fill, proof, OrderReport(order_id, submit.asked_ns + 1, False),
    ]  # fmt: skip
    for i in order:
        rig.feed(events[i])
    rig.feed(proof)  # the chain's word is repeated by the account's list
    assert rig.state.orders.by_id[order_id].state in TERMINAL
    held = 0 if voided else matched
    assert rig.held(Outcome.UP) == held
    assert rig.state.ledger.accounts.residual_e6 == 0
    assert all(f.side is Side.BUY for f in rig.records(FillBooked))

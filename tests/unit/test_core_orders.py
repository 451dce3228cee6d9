"""Orders: ids chosen before signing, states moved by evidence alone, questions with a bound."""

from __future__ import annotations

import pytest

from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.commands import Command, Journal, QueryOrder
from dailyarb.core.domain.errors import InvariantBroken
from dailyarb.core.domain.events import Fill, LegOutcome, LegResult, OrderReport, Signed
from dailyarb.core.domain.ids import StrategyId
from dailyarb.core.domain.intents import Intent, IntentKind, Leg
from dailyarb.core.domain.market import Outcome, Side
from dailyarb.core.domain.orders import TIF, FillState, OrderState, move
from dailyarb.core.domain.records import OrderMoved, OrderSigned
from dailyarb.core.domain.units import MS, SECOND
from dailyarb.core.execution import orders as module
from dailyarb.core.execution.orders import Order, Orders
from dailyarb.core.execution.proofs import ASK_AGAIN_MAX_NS, Proofs
from tests.rig import risk, spec

SHARE = 1_000_000


class Bench:
    """Drives one order machine by hand; time is in milliseconds."""

    def __init__(self) -> None:
        self.orders = Orders(3)
        self.proofs = Proofs(self.orders, risk())
        self.out: list[Command] = []
        self.ms = 1_000

    @property
    def now(self) -> Instant:
        """Gives the present moment."""
        return Instant(self.ms * MS, 1_700_000_000_000 * MS + self.ms * MS)

    def send(self, tif: TIF = TIF.FAK, shares: int = 20, legs: int = 1) -> list[Order]:
        """Drafts, signs and sends one intent of so many legs."""
        leg = Leg(Outcome.UP, Side.BUY, 5_000, shares * SHARE, tif, tif is TIF.GTC)
        intent = Intent(StrategyId.S1, "0xm", IntentKind.ENTRY, (leg,) * legs, 100)
        drafts = [self.orders.draft(intent, leg, 1, spec(), self.now) for _ in range(legs)]
        signed = [
            self.orders.signed(Signed(d.draft_id, f"o{d.draft_id}", b"{}"), self.out)
            for d in drafts
        ]
        found = [o for o in signed if o is not None]
        for order in found:
            self.orders.sent(order, self.now)
        return found

    def answer(self, order: Order, outcome: LegOutcome, matched: int = -1) -> Order | None:
        """Answers the submit of one order."""
        size = matched * SHARE if matched >= 0 else -1
        found = LegResult(order.order_id, outcome, "why", size)
        return self.proofs.result(found, self.now, self.out)

    def fill(self, order: Order, shares: int) -> None:
        """Fills part of an order."""
        event = Fill(
            "t", order.order_id, "0xm", order.outcome, order.side, 5_000, shares * SHARE, False,
            FillState.CONFIRMED, 0,
        )  # fmt: skip
        self.proofs.fill(event, self.now.mono_ns, self.out)

    def report(
        self, order: Order, state: OrderState | None, matched: int = 0, asked: int | None = None
    ) -> None:
        """Reports an order; None: the venue does not know it."""
        asked_ns = (self.ms if asked is None else asked) * MS
        known = state is not None
        event = OrderReport(
            order.order_id, asked_ns, known, state or OrderState.OPEN, matched * SHARE
        )
        self.proofs.report(event, self.out)

    def asked(self) -> list[str]:
        """Returns the orders asked about at this moment."""
        found: list[Command] = []
        self.proofs.asks(self.now.mono_ns, found)
        return [c.order_id for c in found if isinstance(c, QueryOrder)]


@pytest.fixture
def bench() -> Bench:
    """Gives an empty order machine."""
    return Bench()


def test_salts_and_stamps_never_repeat(bench: Bench) -> None:
    sent = [bench.send()[0] for _ in range(5)]
    assert len({o.salt for o in sent}) == 5
    stamps = [o.stamp_ms for o in sent]
    assert stamps == sorted(set(stamps))
    assert all(o.salt < 2**53 for o in sent)


def test_a_run_has_only_so_many_salts(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SALT_SPAN", 3)
    bench.send(legs=2)
    with pytest.raises(InvariantBroken, match="salts"):
        bench.send()


def test_signed_bytes_are_journalled_and_a_signature_counts_once(bench: Bench) -> None:
    [order] = bench.send()
    [record] = [c.record for c in bench.out if isinstance(c, Journal)]
    assert isinstance(record, OrderSigned)
    assert record.order_json == b"{}"
    assert bench.orders.signed(Signed(order.draft_id, "again", b""), bench.out) is None


def test_a_batch_is_whole_when_its_last_leg_is_signed(bench: Bench) -> None:
    leg = Leg(Outcome.UP, Side.BUY, 5_000, SHARE, TIF.GTC)
    intent = Intent(StrategyId.S2, "0xm", IntentKind.ENTRY, (leg, leg), 0)
    first, second = (bench.orders.draft(intent, leg, 7, spec(), bench.now) for _ in range(2))
    one = bench.orders.signed(Signed(first.draft_id, "a", b""), bench.out)
    assert one is not None
    assert bench.orders.siblings(one) is None
    states = [o.state for o in bench.orders.exposed("0xm")]
    assert states == [OrderState.JOURNALLED, OrderState.DRAFT]
    two = bench.orders.signed(Signed(second.draft_id, "b", b""), bench.out)
    assert two is not None
    assert bench.orders.siblings(two) == [one, two]


def test_a_step_that_is_not_in_the_table_is_our_bug() -> None:
    with pytest.raises(InvariantBroken, match="not in the table"):
        move("o", OrderState.FILLED, OrderState.OPEN)


@pytest.mark.parametrize(
    ("outcome", "matched", "state"),
    [
        (LegOutcome.RESTING, -1, OrderState.OPEN),
        (LegOutcome.MATCHED, -1, OrderState.OPEN),
        (LegOutcome.MATCHED, 0, OrderState.EXPIRED),
        (LegOutcome.MATCHED, 8, OrderState.OPEN),
        (LegOutcome.DELAYED, -1, OrderState.DELAYED),
        (LegOutcome.KILLED, -1, OrderState.EXPIRED),
        (LegOutcome.REFUSED, -1, OrderState.REFUSED),
        (LegOutcome.UNSENT, -1, OrderState.REFUSED),
        (LegOutcome.UNKNOWN, -1, OrderState.UNKNOWN),
    ],
)
def test_an_answer_moves_a_taker_order(
    bench: Bench, outcome: LegOutcome, matched: int, state: OrderState
) -> None:
    [order] = bench.send()
    assert bench.answer(order, outcome, matched) is order
    assert order.state is state


def test_an_answer_again_or_to_a_stranger_says_nothing_new(bench: Bench) -> None:
    [order] = bench.send()
    bench.answer(order, LegOutcome.MATCHED, 8)
    assert bench.answer(order, LegOutcome.MATCHED, 8) is None
    assert bench.proofs.result(LegResult("?", LegOutcome.RESTING), bench.now, []) is None


def test_what_was_seen_is_not_undone_by_an_answer(bench: Bench) -> None:
    [order] = bench.send()
    bench.fill(order, 8)
    for outcome in (LegOutcome.UNKNOWN, LegOutcome.REFUSED):
        assert bench.answer(order, outcome) is None
    assert order.state is OrderState.OPEN
    assert bench.answer(order, LegOutcome.DELAYED) is order
    assert order.state is OrderState.OPEN


def test_an_answer_after_the_fill_still_ends_a_partial_match(bench: Bench) -> None:
    [order] = bench.send()
    bench.fill(order, 8)
    bench.answer(order, LegOutcome.MATCHED, 8)
    assert order.state is OrderState.EXPIRED


def test_an_answer_to_a_finished_order_only_dates_it(bench: Bench) -> None:
    [order] = bench.send()
    bench.fill(order, 20)
    assert bench.answer(order, LegOutcome.MATCHED, 20) is order
    assert (order.state, order.acked_ns) == (OrderState.FILLED, bench.now.mono_ns)
    [killed] = bench.send()
    bench.report(killed, OrderState.EXPIRED)
    assert bench.answer(killed, LegOutcome.MATCHED, 0) is killed
    [other] = bench.send()
    bench.ms += 61_000
    bench.report(other, None)
    assert bench.answer(other, LegOutcome.REFUSED) is other
    assert other.state is OrderState.CANCELLED


def test_fills_prove_an_order_in_every_doubt(bench: Bench) -> None:
    [order] = bench.send(TIF.GTC)
    bench.answer(order, LegOutcome.UNKNOWN)
    bench.fill(order, 5)
    assert order.state is OrderState.OPEN
    bench.fill(order, 15)
    assert order.state is OrderState.FILLED
    bench.fill(order, 1)  # more than ordered: the venue is the truth (F39)
    assert order.left_e6 == 0


def test_a_cancelled_order_stays_fillable(bench: Bench) -> None:
    [order] = bench.send(TIF.GTC)
    bench.report(order, OrderState.CANCELLED)
    bench.fill(order, 20)
    assert order.state is OrderState.FILLED


def test_a_proven_cancel_waits_for_what_matched_before_it(bench: Bench) -> None:
    [order] = bench.send(TIF.GTC)
    bench.answer(order, LegOutcome.RESTING)
    assert bench.proofs.cancelled(order, bench.now.mono_ns, bench.out)
    assert order.live, "shares that matched before may be on their way (I6)"
    assert not bench.orders.working()
    assert bench.asked() == [order.order_id], "asked at once"
    bench.report(order, None, asked=bench.ms - 1)
    assert order.live, "an answer to a question asked before the cancel says nothing"
    bench.fill(order, 6)
    bench.ms += 5
    bench.report(order, None)
    assert order.state is OrderState.CANCELLED
    assert not bench.proofs.cancelled(order, bench.now.mono_ns, bench.out), "no news twice"


def test_a_cancel_proves_an_order_that_was_in_doubt(bench: Bench) -> None:
    [order] = bench.send(TIF.GTC)
    bench.answer(order, LegOutcome.UNKNOWN)
    bench.proofs.cancelled(order, bench.now.mono_ns, bench.out)
    bench.ms += 5
    bench.report(order, OrderState.CANCELLED, matched=6)
    assert order.state is OrderState.OPEN, "six shares are owed"
    bench.fill(order, 6)
    assert order.state is OrderState.CANCELLED


def test_a_cancel_that_took_every_share_was_a_fill(bench: Bench) -> None:
    [order] = bench.send(TIF.GTC)
    bench.proofs.cancelled(order, bench.now.mono_ns, bench.out)
    bench.fill(order, 20)
    assert order.state is OrderState.FILLED


def test_an_order_that_rests_on_after_its_cancel_works_again(bench: Bench) -> None:
    [order] = bench.send(TIF.GTC)
    bench.proofs.cancelled(order, bench.now.mono_ns, bench.out)
    bench.report(order, OrderState.OPEN, asked=bench.ms - 1)
    assert not bench.orders.working(), "read before the cancel"
    bench.ms += 5
    bench.report(order, OrderState.OPEN)
    assert bench.orders.working() == [order], "and is cancelled again"


def test_a_fill_of_an_order_that_is_not_ours_moves_nothing(bench: Bench) -> None:
    event = Fill(
        "t", "?", "0xm", Outcome.UP, Side.BUY, 5_000, 1, False, FillState.CONFIRMED, 0
    )
    assert bench.proofs.fill(event, 0, bench.out) is None
    bench.proofs.unfill("?", 1, bench.out)
    bench.proofs.report(OrderReport("?", 0, False), bench.out)
    assert not bench.out


@pytest.mark.parametrize("end", [OrderState.FILLED, OrderState.CANCELLED, OrderState.EXPIRED])
def test_an_end_waits_for_the_fills_it_names(bench: Bench, end: OrderState) -> None:
    [order] = bench.send(TIF.GTC)
    bench.report(order, end, matched=20)
    assert order.live, "its exposure is kept until the fills are booked"
    bench.ms += 1_000
    assert bench.asked() == [order.order_id]
    bench.fill(order, 20)
    assert order.state is OrderState.FILLED


def test_a_voided_trade_counts_as_arrived(bench: Bench) -> None:
    [order] = bench.send(TIF.GTC)
    bench.fill(order, 8)
    bench.report(order, OrderState.CANCELLED, matched=12)
    assert order.live
    bench.fill(order, 4)
    assert order.state is OrderState.CANCELLED
    [second] = bench.send(TIF.GTC)
    bench.fill(second, 8)
    bench.proofs.unfill(second.order_id, 8 * SHARE, bench.out)
    bench.report(second, OrderState.CANCELLED, matched=8)
    assert second.state is OrderState.CANCELLED


def test_fills_that_never_come_do_not_hold_an_order_for_ever(bench: Bench) -> None:
    [order] = bench.send(TIF.GTC)
    bench.report(order, OrderState.CANCELLED, matched=12)
    bench.ms += 59_000
    bench.report(order, OrderState.CANCELLED, matched=12)
    assert order.live
    bench.ms += 1_000
    bench.report(order, OrderState.CANCELLED, matched=12)
    assert order.state is OrderState.CANCELLED
    assert "never arrived" in order.reason


def test_a_refusal_after_acceptance_ends_what_is_left(bench: Bench) -> None:
    [order] = bench.send(TIF.GTC)
    bench.answer(order, LegOutcome.RESTING)
    bench.report(order, OrderState.REFUSED)
    assert order.state is OrderState.CANCELLED


def test_absence_of_an_accepted_order_is_its_end_if_asked_later(bench: Bench) -> None:
    [order] = bench.send(TIF.GTC)
    bench.ms = 2_000
    bench.fill(order, 5)
    bench.report(order, None, asked=1_500)
    assert order.state is OrderState.OPEN, "asked before the fill proved it"
    bench.report(order, None, asked=2_001)
    assert order.state is OrderState.CANCELLED
    [taker] = bench.send(TIF.FAK)
    bench.answer(taker, LegOutcome.MATCHED)
    bench.ms += 1
    bench.report(taker, None)
    assert taker.state is OrderState.EXPIRED


def test_absence_of_an_unproven_order_needs_late_arrival(bench: Bench) -> None:
    [order] = bench.send()
    bench.report(order, None, asked=60_999)
    assert order.live
    bench.report(order, None, asked=61_000)
    assert order.state is OrderState.CANCELLED
    bench.report(order, OrderState.OPEN)
    assert order.state is OrderState.CANCELLED, "a terminal state is never left by a report"


def test_a_report_proves_an_order_open(bench: Bench) -> None:
    [order] = bench.send(TIF.GTC)
    bench.proofs.silent(3_000 * MS, bench.out)
    assert order.state is OrderState.UNKNOWN
    bench.report(order, OrderState.OPEN, matched=5)
    assert order.state is OrderState.OPEN
    assert order.owed_e6 == 5 * SHARE


def test_silence_makes_an_order_unknown_once(bench: Bench) -> None:
    [order] = bench.send()
    assert bench.proofs.silent(1_999 * MS, bench.out) == []
    assert bench.proofs.silent(2_000 * MS, bench.out) == [order]
    assert bench.proofs.silent(2_000 * MS, bench.out) == []
    assert bench.orders.unknown() == [order]


def test_what_nobody_proves_in_time_is_quarantined_and_asked_about_on(bench: Bench) -> None:
    [order] = bench.send()
    bench.proofs.silent(2_000 * MS, bench.out)
    late = (1_000 + 60_000) * MS
    bench.proofs.silent(late - 1, bench.out)
    assert order.state is OrderState.UNKNOWN
    bench.proofs.silent(late, bench.out)
    assert order.state is OrderState.QUARANTINED
    assert bench.orders.unknown() == [order], "its exposure and its market stay as they are"
    assert bench.proofs.next_ask_ns() is not None
    bench.answer(order, LegOutcome.DELAYED)
    assert order.state is OrderState.QUARANTINED
    bench.proofs.report(OrderReport(order.order_id, late + 1, True), bench.out)
    assert order.state is OrderState.OPEN


def test_questions_come_at_growing_distances_up_to_a_bound(bench: Bench) -> None:
    [order] = bench.send()
    gaps = []
    for _ in range(8):
        due = bench.proofs.next_ask_ns()
        assert due is not None
        gaps.append(due - order.asked_ns)
        bench.ms = due // MS
        assert bench.asked() == [order.order_id]
        assert bench.asked() == []
    assert gaps == [s * SECOND for s in (1, 2, 4, 8)] + [ASK_AGAIN_MAX_NS] * 4


def test_a_resting_order_is_asked_about_only_in_doubt(bench: Bench) -> None:
    [order] = bench.send(TIF.GTC)
    bench.answer(order, LegOutcome.RESTING)
    assert bench.proofs.next_ask_ns() is None
    order.cancel_ns = bench.now.mono_ns
    assert bench.proofs.next_ask_ns() is not None


def test_an_order_the_account_does_not_list_is_asked_about_by_name(bench: Bench) -> None:
    [order] = bench.send(TIF.GTC)
    bench.answer(order, LegOutcome.RESTING)
    bench.proofs.unlisted(order, bench.now.mono_ns)
    assert bench.asked() == [], "the list is not newer than the answer"
    bench.ms += 1
    bench.proofs.unlisted(order, bench.now.mono_ns)
    bench.proofs.unlisted(order, bench.now.mono_ns)
    bench.ms += 5_000
    assert bench.asked() == [order.order_id]
    bench.proofs.listed(order, bench.now.mono_ns, bench.out)
    assert bench.asked() == []


def test_a_list_settles_an_unknown_order(bench: Bench) -> None:
    [order] = bench.send(TIF.GTC)
    bench.answer(order, LegOutcome.UNKNOWN)
    bench.proofs.unlisted(order, bench.now.mono_ns)
    assert order.missing
    bench.proofs.listed(order, bench.now.mono_ns, bench.out)
    assert order.state is OrderState.OPEN
    [sent] = bench.send(TIF.GTC)
    bench.proofs.unlisted(sent, bench.now.mono_ns)
    assert not sent.missing, "not yet answered: it may be on its way"


def test_an_order_of_an_earlier_run_is_unproven_until_the_venue_speaks(bench: Bench) -> None:
    [order] = bench.send(TIF.GTC)
    record = next(c.record for c in bench.out if isinstance(c, Journal))
    assert isinstance(record, OrderSigned)
    later = Bench()
    old = later.orders.restore(record, later.now)
    assert old.state is OrderState.UNKNOWN
    assert later.orders.live("0xm") == [old]
    later.orders.restore_move(old.order_id, OrderState.OPEN)
    assert (old.state, old.accepted) == (OrderState.UNKNOWN, True)
    later.orders.restore_move(old.order_id, OrderState.CANCELLED)
    assert later.orders.live() == []
    later.orders.restore_move("?", OrderState.CANCELLED)
    assert later.send()[0].stamp_ms > order.stamp_ms


def test_finished_orders_are_forgotten_in_the_end(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEPT_DONE", 3)
    [resting] = bench.send(TIF.GTC)
    for _ in range(9):
        bench.answer(bench.send()[0], LegOutcome.KILLED)
    assert resting.order_id in bench.orders.by_id
    assert len(bench.orders.by_id) <= 3 + 2  # as many more as are live, at most


def test_the_same_state_again_is_no_record(bench: Bench) -> None:
    [order] = bench.send(TIF.GTC)
    bench.answer(order, LegOutcome.RESTING)
    before = len(bench.out)
    bench.report(order, OrderState.OPEN)
    assert len(bench.out) == before
    moves = [
        c.record.state
        for c in bench.out
        if isinstance(c, Journal) and isinstance(c.record, OrderMoved)
    ]
    assert moves == [OrderState.OPEN]

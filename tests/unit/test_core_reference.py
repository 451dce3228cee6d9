"""Books, references and measures: how far each may be believed, and when it says nothing."""

from __future__ import annotations

import math

import pytest

from dailyarb.core.book.book import Books
from dailyarb.core.book.reference import SETTLE_KEPT, Reference
from dailyarb.core.domain.clock import Instant, ManualClock
from dailyarb.core.domain.errors import InvariantBroken, UnitError
from dailyarb.core.domain.events import ReferenceMoved, SettlementPrice
from dailyarb.core.domain.market import Outcome, Side
from dailyarb.core.domain.orders import BookState
from dailyarb.core.domain.settings import Pricing
from dailyarb.core.domain.units import (
    MS,
    SECOND,
    parse_scaled,
    to_decimal_text,
)
from dailyarb.core.pricing.fair import Fair, sensitivity_per_bp
from dailyarb.core.pricing.lead import QUESTION_MAX_NS, LagMeter
from dailyarb.core.pricing.volatility import Volatility
from tests.rig import book_frame, spec


class Stage:
    """One book fed with frames by hand."""

    def __init__(self) -> None:
        self.books = Books(2, 250, 1 << 20)
        book = self.books.add(spec())
        assert book is not None
        self.book = book
        self.clock = ManualClock(10**12, 1_800_000_000 * SECOND)

    def frame(self, bid: int = 50, ask: int = 51) -> None:
        """Gives a snapshot."""
        now = self.clock.now()
        raw = book_frame([(bid, 10)], [(ask, 20)], now.wall_ns // MS)
        self.books.router.on_frame(raw, now.mono_ns)
        self.books.router.drain()

    def refresh(self) -> BookState:
        """Returns the book's state by now."""
        return self.book.refresh(self.clock.now(), 2_000)


def test_a_book_is_believed_after_a_snapshot_and_while_fresh() -> None:
    stage = Stage()
    assert stage.book.age_ms(stage.clock.now()) is None
    assert stage.refresh() is BookState.EMPTY
    stage.frame()
    assert stage.refresh() is BookState.SYNCED
    stage.clock.advance(2_001 * MS)
    assert stage.refresh() is BookState.STALE
    assert stage.refresh() is BookState.STALE
    stage.frame(49)
    assert stage.refresh() is BookState.SYNCED


def test_a_backlog_read_late_is_old() -> None:
    stage = Stage()
    stage.frame()
    now = stage.clock.now()
    assert stage.book.age_ms(Instant(now.mono_ns, now.wall_ns + 3_000 * MS)) == 3_000
    late = Stage()
    late.frame()
    late.clock.advance(5_000 * MS)
    assert late.refresh() is BookState.STALE, "from EMPTY through SYNCED"


def test_a_lost_book_comes_back_by_a_snapshot_only() -> None:
    stage = Stage()
    stage.frame()
    stage.refresh()
    stage.book.desync("gap")
    stage.book.desync("again")
    assert (stage.book.state, stage.book.reason) == (BookState.DESYNCED, "again")
    assert stage.refresh() is BookState.DESYNCED
    stage.clock.advance(MS)
    stage.frame()
    assert stage.refresh() is BookState.SYNCED
    stage.books.router.resync(stage.book.slot)
    assert stage.refresh() is BookState.EMPTY


def test_up_and_down_are_two_views_of_one_book() -> None:
    stage = Stage()
    stage.frame(48, 51)
    assert stage.book.mirror_ok()
    up, down = stage.book.top(Outcome.UP), stage.book.top(Outcome.DOWN)
    assert (up.bid_e4, down.ask_e4) == (4_800, 5_200)
    assert (up.mid_e4, up.spread_e4, up.two_sided) == (4_950, 300, True)
    assert stage.book.depth_e6(Outcome.UP, Side.BUY, 4_800) == 10_000_000
    assert stage.book.levels(Outcome.DOWN, Side.BUY, 3) == [(4_900, 20_000_000)]


def test_a_step_of_a_book_outside_its_table_is_our_bug() -> None:
    with pytest.raises(InvariantBroken, match="book"):
        Stage().book._move(BookState.STALE)


def test_slots_are_handed_out_once_and_given_back() -> None:
    stage = Stage()
    assert stage.books.add(spec(slug="other")) is stage.book
    assert stage.book.spec.slug == "other"
    second = stage.books.add(spec(market_id="0x2", up_token="a", down_token="b"))
    assert second is not None
    assert stage.books.add(spec(market_id="0x3", up_token="c", down_token="d")) is None
    stage.books.remove("0x2")
    stage.books.remove("0x2")
    third = stage.books.add(spec(market_id="0x3", up_token="c", down_token="d"))
    assert third is not None and third.slot == second.slot
    assert stage.books.at(third.slot) is third


def quote(mid: float, at_s: float, **trades: int) -> ReferenceMoved:
    """Returns a quote one dollar wide."""
    half, price = 50_000_000, round(mid * 1e8)
    return ReferenceMoved("btc", price - half, price + half, round(at_s * SECOND), **trades)


def test_a_reference_without_history_says_nothing() -> None:
    ref = Reference("btc", 1_000, 60.0)
    assert ref.spot is None and ref.move_bp(0) is None and ref.settle_spot() is None
    assert ref.age_ns(5) is None and ref.settle_age_ns(5) is None
    assert (ref.gap_bp(), ref.window_start_e8(0), ref.value_at(1)) == (0.0, 0, 0)
    assert ref.fixed_mean(100, 60, 90) is None
    assert ref.series(5) == []


def test_a_move_is_measured_over_its_window() -> None:
    ref = Reference("btc", 1_000, 60.0)
    assert ref.moved(quote(100_000, 1), SECOND)
    assert not ref.moved(quote(100_000, 1.2), SECOND)
    ref.moved(quote(100_100, 1.5), SECOND)
    assert ref.move_bp(1_600 * MS) == pytest.approx(10)
    assert ref.window_start_e8(1_600 * MS) == 100_000 * 10**8
    assert ref.move_bp(9 * SECOND) is None


def test_trades_give_flow_and_the_gap_to_the_quote() -> None:
    ref = Reference("btc", 1_000, 60.0)
    ref.moved(quote(100_000, 1, trades=2, buy_e8=3, sell_e8=1, last_e8=100_100 * 10**8), SECOND)
    assert ref.gap_bp() == pytest.approx(10)
    assert ref.flow.imbalance == pytest.approx(0.5)
    ref.moved(quote(100_000, 2, trades=1, last_e8=100_000 * 10**8), 2 * SECOND)
    assert ref.gap_bp() == 0


def settle(price: float, stamp_s: int) -> SettlementPrice:
    """Returns a value averaged over ten seconds."""
    return SettlementPrice("btc", round(price) * 10**18, stamp_s * 1_000, 0, 10)


def test_the_basis_carries_spot_to_the_settling_feed() -> None:
    ref = Reference("btc", 1_000, 60.0)
    ref.settled(settle(99_900, 3))
    assert ref.settle_spot() is None, "no spot in its seconds"
    for second in range(40):
        ref.moved(quote(100_000, second), second * SECOND)
    for stamp in range(20, 35):
        ref.settled(settle(99_900, stamp))
    assert ref.settle_spot() == pytest.approx(99_900, rel=1e-9)
    assert ref.basis.sd == pytest.approx(0, abs=1e-9)
    assert ref.settle_spot(200_000 * 10**8) == pytest.approx(199_800, rel=1e-9)
    newest = ref.settle_stamp_ms
    ref.settled(settle(1, 5))
    assert ref.settle_stamp_ms == newest, "an older value is history, not news"
    assert ref.value_at(5_000) == 10**18
    assert ref.fixed_mean(40, 10, 35) == pytest.approx(99_900, rel=1e-9)
    assert ref.fixed_mean(40, 10, 27) is None
    assert ref.series(2) == [(38, 100_000.0), (39, 100_000.0)]


def test_values_of_the_feed_are_kept_to_a_bound() -> None:
    ref = Reference("btc", 1_000, 60.0)
    for stamp in range(SETTLE_KEPT + 2):
        ref.settled(settle(1, stamp))
    assert (ref.value_at(0), ref.value_at(2_000)) == (0, 10**18)


def test_lag_is_learnt_from_questions_that_close() -> None:
    meter = LagMeter(450 * MS)
    meter.observe(1, 5_000)
    meter.ask(0, 5_000, 99)
    assert not meter.waiting, "less than a cent is no question"
    meter.ask(1, 5_000, -200)
    meter.ask(2, 9_999, -200)
    meter.observe(100 * MS, 4_950)
    assert meter.waiting
    meter.observe(250 * MS, 4_900)
    assert (meter.waiting, meter.samples) == (False, 1)
    assert meter.lag_ns == pytest.approx(450 * MS - 0.2 * 200 * MS, rel=1e-6)
    meter.ask(1, 5_000, 200)
    meter.observe(QUESTION_MAX_NS + 2, 5_000)
    assert (meter.waiting, meter.samples) == (False, 1)
    assert meter.decay(0) == 1.0
    assert meter.decay(round(meter.lag_ns)) == pytest.approx(0.5)


def test_volatility_waits_for_samples_and_keeps_its_bounds() -> None:
    measure = Volatility(Pricing(min_samples=5, vol_floor_bps=0.3, vol_cap_bps=2.0))
    assert measure.rolling() is None and measure.average() is None and measure.sigma() is None
    measure = Volatility(Pricing(min_samples=5, vol_floor_bps=0.7, vol_cap_bps=2.0))
    for second in range(10):
        measure.push(second * SECOND, 100_000 * 10**8)
        assert (measure.sigma() is None) == (second < 5)
    assert measure.sigma() == pytest.approx(0.7e-4)
    for second in range(10, 40):
        measure.push(second * SECOND, (100_000 + 500 * (second % 2)) * 10**8)
    assert measure.sigma() == pytest.approx(2e-4)
    assert measure.rolling() is not None and measure.average() is not None


def test_a_certain_outcome_has_no_sensitivity() -> None:
    assert sensitivity_per_bp(Fair(1.0, math.inf, 0.0)) == 0.0
    assert sensitivity_per_bp(Fair(0.5, 0.0, 0.001)) == pytest.approx(0.0399, rel=1e-2)


@pytest.mark.parametrize(
    ("text", "scaled"),
    [("0.51", 5_100), ("-1", -10_000), (".5", 5_000), ("1.23450000", 12_345), ("7", 70_000)],
)
def test_decimal_text_becomes_an_integer_exactly(text: str, scaled: int) -> None:
    assert parse_scaled("price", text, 4) == scaled
    assert parse_scaled("price", to_decimal_text(scaled, 4), 4) == scaled


@pytest.mark.parametrize("text", ["", "1e5", "NaN", "1.23456", "--1", "1.2.3", "١"])
def test_what_is_no_plain_decimal_is_refused(text: str) -> None:
    with pytest.raises(UnitError):
        parse_scaled("price", text, 4)


def test_each_side_has_its_opposite() -> None:
    assert (Side.BUY.opposite, Side.SELL.opposite) == (Side.SELL, Side.BUY)


def test_a_burst_of_a_tiny_coin_does_not_overflow_the_flow() -> None:
    ref = Reference("pepe", 1_000, 60.0)
    ref.moved(ReferenceMoved("pepe", 1_000, 1_001, 10, 2**60, 2**60, 2, 1_000), 0)
    assert ref.flow.imbalance == 0.0
    assert ref.flow.count == 2

"""The words of the screen: fixed units, exact widths, nothing that could mislead."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dailyarb.core.domain.ids import Gate
from dailyarb.tui import format as f
from dailyarb.tui.lines import Column, Line, choose, faded, line, row, wrapped
from dailyarb.tui.widgets.chart import braille, columns
from dailyarb.tui.widgets.pnl import drawdown
from dailyarb.tui.widgets.status import Field, laid_out

NUMBERS = st.one_of(st.none(), st.floats(), st.integers(-(10**30), 10**30))


def test_prices_have_the_decimals_of_their_tick() -> None:
    assert f.cents(5700) == "57"
    assert f.cents(5750, 10) == "57.5"
    assert f.cents(25, 25) == "0.25"
    assert f.cents(None) == "-"


def test_money_carries_its_sign_and_zero_none() -> None:
    assert f.signed_money(128_440_000) == "+128.44"
    assert f.signed_money(-760_000) == "-0.76"
    assert f.signed_money(0) == "0.00"
    assert f.signed_money(-1) == "0.00"
    assert f.money_in(-112_360_000, 7) == "-112.36"
    assert f.money_in(-1_112_360_000, 7) == "-1112.4" or len(f.money_in(-1_112_360_000, 7)) <= 7


@pytest.mark.parametrize(
    ("ms", "text"),
    [(0, "0.0s"), (2400, "2.4s"), (47_000, "47s"), (125_000, "2m05s"), (11_520_000, "3h12m"),
     (9 * 86_400_000, "9d00h"), (None, "-"), (math.nan, "-")],
)  # fmt: skip
def test_ages_fit_six_cells(ms: float | None, text: str) -> None:
    assert f.age(ms) == text
    assert len(text) <= 6


def test_units_give_way_before_digits_do() -> None:
    assert f.united_in(0.53, "bp per root second", 8) == "0.53"
    assert f.united_in(1234.5, "¢", 6) == "1,234¢"
    assert f.united_in(12.0, "bp", 7) == "12.00bp"


def test_time_left_warns_below_thirty_seconds() -> None:
    assert f.left(773 * 10**9) == "12:53"
    assert f.left(29 * 10**9) == "0:29!"
    assert f.left(-5) == "0:00!"


def test_a_number_too_long_for_its_cell_is_never_cut_into_another_number() -> None:
    assert f.number_fit("12345678", 5) == "#####"


def test_foreign_text_becomes_one_cell_per_character() -> None:
    assert f.clean("a\x1b[31mb\u4e2d\u0301\U0001f600") == "a?[31mb???"


def test_gates_state_number_and_limit_in_their_unit() -> None:
    assert f.gate_numbers(Gate.BOOK_STALE, 2400, 2000) == "2.4s, limit 2.0s"
    assert f.gate_numbers(Gate.RUNG, 0, 0) == ""


def test_every_glyph_has_an_ascii_stand_in_of_one_cell() -> None:
    for char, ascii_char in f.ASCII.items():
        assert len(ascii_char) == 1
        assert ascii_char.isascii(), chr(char)


@settings(max_examples=200, deadline=None)
@given(NUMBERS, st.integers(1, 12))
def test_no_number_raises_or_leaves_its_cell(number: float | None, width: int) -> None:
    whole = None if number is None or not math.isfinite(number) else int(number)
    for text in (f.count(number), f.money(number), f.signed_money(number), f.price(number),
                 f.age(number), f.latency(number), f.signed(number), f.plain(number),
                 f.united(number, "ms"), f.shares(whole), f.cents(whole), f.mark(number),
                 f.money_in(number, width)):  # fmt: skip
        assert len(f.number_fit(text, width)) == width
        assert "nan" not in text
        assert "inf" not in text


@settings(max_examples=100, deadline=None)
@given(st.text(), st.integers(0, 40))
def test_any_text_fits_any_width(text: str, width: int) -> None:
    assert len(line(text, width).text) == width
    assert all(len(part) <= max(width, 1) for part in wrapped(text, max(width, 1)))


def test_columns_of_least_value_are_dropped_and_none_is_cut() -> None:
    wide = (Column("a", "A", 5), Column("b", "B", 5, rank=2), Column("c", "C", 5, rank=1))
    assert [column.key for column in choose(wide, 17)] == ["a", "b", "c"]
    assert [column.key for column in choose(wide, 16)] == ["a", "c"]
    assert [column.key for column in choose(wide, 5)] == ["a"]
    drawn = row(choose(wide, 11), {"a": "1", "c": ("22", "up")}, 11)
    assert drawn == Line("    1    22", ((6, 11, "up"),))


def test_the_column_that_grows_takes_the_rest() -> None:
    grown = choose((Column("a", "A", 5), Column("b", "B", 5, grow=True)), 30)
    assert [column.width for column in grown] == [5, 24]


def test_old_lines_are_marked_without_changing_their_width() -> None:
    before = Line(">BTC 15m   12:53  +12.4 QUOTE", ())
    after = faded(before)
    assert after.text == ">BTC 15m  ~12:53 ~+12.4 QUOTE"
    assert after.spans == ((0, len(before.text), "old"),)


def test_status_fields_shrink_before_they_drop_and_rank_zero_stays() -> None:
    def fields() -> list[Field]:
        loss = Field(("Max loss 5", "MaxL 5"), rank=1)
        return [Field(("[LIVE]",)), loss, Field(("x" * 9,), rank=5)]

    assert laid_out(fields(), [], 40).text.split() == ["[LIVE]", "Max", "loss", "5", "x" * 9]
    assert laid_out(fields(), [], 22).text.split() == ["[LIVE]", "Max", "loss", "5"]
    assert laid_out(fields(), [], 18).text.split() == ["[LIVE]", "MaxL", "5"]
    assert laid_out(fields(), [], 10).text.split() == ["[LIVE]"]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.one_of(st.none(), st.floats()), max_size=50),
    st.one_of(st.none(), st.floats()),
    st.tuples(st.integers(1, 90), st.integers(1, 20)),
)
def test_charts_of_anything_keep_their_size(
    values: list[float | None], level: float | None, size: tuple[int, int]
) -> None:
    rows = braille((values,), level, ("00:00:00", "00:01:00"), size)
    assert all(len(drawn.text) == size[0] for drawn in rows)
    assert len(rows) <= max(1, size[1])


def test_bars_are_scaled_by_the_largest() -> None:
    assert columns([1.0, 2.0, None, -2.0], 1) == ["▄█ █"]


def test_drawdown_is_the_fall_below_an_earlier_peak() -> None:
    assert drawdown((10, 15, 9, 12)) == (6, 3)
    assert drawdown(()) == (0, 0)


@pytest.mark.parametrize(
    ("cash_e6", "text"),
    [(-350_000, "-0.35"), (-4_000, "0.00"), (0, "0"), (-275_400_000, "-275"),
     (-99_996_000, "-100"), (1_500_000_000, "1,500"), (None, "-")],
)  # fmt: skip
def test_whole_dollars_never_hide_a_small_sum(cash_e6: int | None, text: str) -> None:
    assert f.whole(cash_e6) == text


@pytest.mark.parametrize(("price_e4", "text"), [(5_910, "59.1"), (9_994, "99.9"), (9_996, "100")])
def test_a_fair_value_has_four_cells_up_to_the_whole_dollar(price_e4: int, text: str) -> None:
    assert f.cents1(price_e4) == text


def test_a_gate_without_a_limit_names_none() -> None:
    assert f.gate_numbers(Gate.BEFORE_START, 23.0, 0.0) == "23s"
    assert f.gate_numbers(Gate.NO_VOLATILITY, 0.0, 0.0) == ""
    assert f.gate_numbers(Gate.TIME_TO_CLOSE, 19.0, 90.0) == "19s, limit 90s"


def test_dollars_of_limits_and_gates_carry_sign_and_unit() -> None:
    assert f.united(-0.35, "$") == f.dollars(-0.35) == "-$0.35"
    assert f.united(1500.0, "$") == "$1,500"
    assert f.with_unit("-", " bp") == "-"
    assert f.with_unit("+0.4", " bp") == "+0.4 bp"

"""Reports as text, Markdown and one self-contained page."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from dailyarb.analytics.paper import (
    Bars,
    Grid,
    Heading,
    Line,
    Words,
    as_html,
    as_markdown,
    as_text,
)

PARTS = [
    Heading("Title", 1),
    Words("The answer <b> stands first.", "lead"),
    Grid("Money (USD)", ("what", "net"), (("a|b", "+1.00"), ("longer", "-12.50"))),
    Bars("By hour", "USD", (("00", 2.0), ("01", -1.0))),
    Line("Equity", "USD", (0.0, 1.0, -1.0, 3.0)),
    Line("Nothing", "USD", ()),
]


def test_text_aligns_numbers_to_the_right() -> None:
    lines = as_text(PARTS).splitlines()
    assert lines[:2] == ["Title", "====="]
    assert "a|b      +1.00" in lines
    assert "longer  -12.50" in lines


def test_text_draws_bars_and_lines_with_characters() -> None:
    text = as_text(PARTS)
    assert re.search(r"00 +\+2\.00  #{30}\n01 +-1\.00  -{15}\n", text)
    assert "low -1.00, high +3.00, last +3.00" in text
    assert "nothing yet" in text


def test_text_wraps_sentences() -> None:
    long = as_text([Words("word " * 100)], width=40)
    assert max(len(line) for line in long.splitlines()) <= 40


def test_markdown_has_tables_and_no_stray_pipes() -> None:
    text = as_markdown(PARTS)
    assert text.startswith("# Title\n\n**The answer <b> stands first.**\n")
    assert "| what | net |\n| --- | ---: |\n| a/b | +1.00 |\n" in text


class Balance(HTMLParser):
    """Fails on a tag that is closed out of order."""

    VOID = frozenset({"meta"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_html_is_one_page_that_asks_for_nothing() -> None:
    page = as_html(PARTS)
    reader = Balance()
    reader.feed(page)
    assert reader.open == []
    assert "<title>Title</title>" in page
    assert "The answer &lt;b&gt; stands first." in page
    assert not re.search(r"https?:|src=|<script|@import|url\(", page)
    assert "prefers-color-scheme" in page


def test_a_table_that_is_too_wide_lies_on_its_side() -> None:
    wide = Grid("t", tuple("abcdefgh"), (("S1", *["+1,000.00"] * 7),))
    assert as_text([wide], width=100).splitlines()[1].startswith("a ")
    turned = as_text([wide], width=40).splitlines()
    assert turned[1:4] == ["a         S1", "-  ---------", "b  +1,000.00"]

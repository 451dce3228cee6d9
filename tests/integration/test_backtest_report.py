"""The report of a journal: the same numbers as the backtest whose records it holds."""

from __future__ import annotations

import csv
import io
import json
import re
import tempfile
from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from dailyarb.analytics.backtest import deals_of
from dailyarb.analytics.daily import ALL, of_day
from dailyarb.analytics.scores import score
from dailyarb.config import load
from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.ids import StrategyId
from dailyarb.core.domain.records import RunStarted
from dailyarb.core.domain.rung import Evidence
from dailyarb.core.domain.settings import JournalSettings
from dailyarb.runtime.journal import Journal
from dailyarb.runtime.paths import Places
from dailyarb.runtime.replay_worlds import Performed, Variant, World, perform

ROOT = Path(__file__).resolve().parent.parent.parent
WINDOW = ROOT / "tests" / "data" / "btc-updown-5m-1776255900.book_frames.jsonl.zst"
DAY = "2026-04-15"


@lru_cache(maxsize=1)
def played() -> Performed:
    settings = load(ROOT / "config.toml").settings
    return perform(World(str(WINDOW)), settings, Variant(strategies=("S2",)))


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Gives the journal of an instance of its own that went through the window, as REPLAY."""
    for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.chdir(tmp_path)
    with tempfile.TemporaryDirectory() as short:
        monkeypatch.setenv("XDG_RUNTIME_DIR", short)
        path = Places("main").journal
        path.parent.mkdir(parents=True)
        told = Journal(path, "r1", Evidence.REPLAY, JournalSettings(ballast_mib=0))
        for at_ns, rows in groupby(played().rows, key=lambda row: row[0]):
            told.append([record for _, record in rows], Instant(at_ns, at_ns))
        told.close()
        yield path


def test_a_journal_and_a_backtest_of_the_same_records_agree(journal: Path, say: Any) -> None:
    code, out, _ = say("report", "--json")
    assert code == 0
    told = json.loads(out)
    ours = score(deals_of([played()]), StrategyId.S2)
    row = told["evidence"]["REPLAY"][0]
    for name in ("signals", "orders", "fills", "net_usd", "fees_usd", "markout_5s_cents",
                 "pairs_completed", "expected_cents_share", "captured_cents_share"):  # fmt: skip
        assert row[name] == pytest.approx(getattr(ours, name)), name
    assert list(told["evidence"]) == ["REPLAY"]


def test_the_newest_day_is_reported_and_its_answer_stands_first(journal: Path, say: Any) -> None:
    code, out, err = say("report")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == f"dailyarb main: {DAY}"
    first = "\n".join(lines[:12])
    assert f"REPLAY: {DAY}, 1 windows ended, 1 runs" in first
    assert re.search(r"S2 pair \[REPLAY\]: [-+]\d+\.\d\d USD net on \d+ fills", first)
    assert "not enough evidence" in first


def test_another_day_and_another_class_hold_nothing(journal: Path, say: Any) -> None:
    for words in (("--day", "2026-04-14"), ("--evidence", "live")):
        code, out, _ = say("report", *words)
        assert code == 1
        assert "nothing to judge" in out


def test_every_form_says_the_same_net(journal: Path, say: Any, tmp_path: Path) -> None:
    net = score(deals_of([played()]), StrategyId.S2).net_usd
    for form in ("text", "md", "html"):
        code, out, _ = say("report", "--format", form, "--day", ALL, "--detail")
        assert code == 0
        assert f"{net:+,.2f}" in out
        assert "from signal to fill" in out
    _, out, _ = say("report", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["strategy"] for row in rows] == ["S2"]
    assert float(rows[0]["net_usd"]) == pytest.approx(net)
    page = tmp_path / "page.html"
    assert say("report", "--format", "html", "--output", str(page))[0] == 0
    assert "<svg" in page.read_text()


@pytest.mark.parametrize("words", [("--day", "yesterday"), ("--evidence", "hope")])
def test_a_wrong_word_is_named(journal: Path, say: Any, words: tuple[str, str]) -> None:
    code, _, err = say("report", *words)
    assert code == 2
    assert words[1] in err


def test_no_journal_is_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, say: Any) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    code, out, _ = say("report", "--instance", "nobody")
    assert code == 1
    assert "nothing to judge" in out


def test_a_window_belongs_to_the_day_it_ends_on() -> None:
    deals = deals_of([played()])
    same = of_day(deals, DAY)
    assert score(same, StrategyId.S2).net_usd == score(deals, StrategyId.S2).net_usd
    assert of_day(deals, "2026-04-16").trades == {}


def test_runs_without_a_deal_are_still_watched_time() -> None:
    started = RunStarted("r", "v", played_mode(), Evidence.REPLAY, "", 0)
    deals = deals_of([played()])
    deals.take("r", 1, started)
    assert deals.spans["r"] == (1, 1)


def played_mode() -> Any:
    from dailyarb.core.domain.rung import Mode

    return Mode.REPLAY

"""The command line: what it accepts, what it answers, and with which exit code."""

from __future__ import annotations

import argparse
import io
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from dailyarb import __version__, cli, resources
from dailyarb.cli import Exit
from dailyarb.core.domain.ids import StrategyId
from dailyarb.core.domain.market import Outcome, Side
from dailyarb.core.domain.orders import FillState
from dailyarb.core.domain.records import (
    AlertRaised,
    FillBooked,
    FillProven,
    MarketSeen,
    RunEnded,
)
from dailyarb.core.domain.rung import Evidence
from dailyarb.core.domain.settings import VenueKind
from dailyarb.core.domain.view import View
from dailyarb.runtime.board import BoardWriter
from dailyarb.runtime.clock import boot_ns
from dailyarb.runtime.options import RunOptions, engine_argv, venues_word
from dailyarb.runtime.paths import Places
from dailyarb.tui import fixtures
from dailyarb.verbs import bench, past, run, tail
from dailyarb.verbs.output import Column, Output, count, money
from dailyarb.verbs.parser import build, duration, venues

PACKAGED = resources.default_config_path()
Say = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keeps every test away from the instances of this machine."""
    for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.chdir(tmp_path)
    with tempfile.TemporaryDirectory() as short:  # a socket's path has 103 bytes
        monkeypatch.setenv("XDG_RUNTIME_DIR", short)
        yield


def leaves(parser: argparse.ArgumentParser, path: tuple[str, ...] = ()) -> Iterator[tuple]:
    """Gives every verb that does something, with its parser."""
    subs = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    if not subs or not path:
        yield path, parser
    for sub in subs:
        for name, inner in sub.choices.items():
            yield from leaves(inner, (*path, name))


VERBS = {path: parser for path, parser in leaves(build()) if path}
CALLABLE = {path: parser for path, parser in VERBS.items() if parser.get_default("call")}


class TestGrammar:
    def test_every_verb_of_this_issue_is_there(self) -> None:
        names = {path[0] for path in VERBS}
        assert names >= {
            "attach", "status", "why", "orders", "fills", "pnl", "alerts", "tail", "ctl", "markets",
            "verify", "bench", "doctor", "venues", "config", "themes", "keys", "locate",
        }  # fmt: skip
        assert {path[1] for path in VERBS if path[0] == "ctl"} >= {
            "halt", "stop", "risk", "release", "flatten", "cancel", "mode", "arm", "disarm",
            "breaker", "strategy", "reconcile", "ack", "claim", "reload", "lease",
        }  # fmt: skip

    @pytest.mark.parametrize("path", CALLABLE, ids=" ".join)
    def test_every_verb_has_help_with_an_example_that_parses(self, path) -> None:
        parser = CALLABLE[path]
        text = parser.format_help()
        assert "example:\n" in text
        for line in text.partition("example:\n")[2].splitlines():
            words = line.split("#")[0].split(">")[0].strip()
            argv = _shell_words(words)
            assert argv[0] == "dailyarb"
            assert build().parse_args(argv[1:]).call == parser.get_default("call")

    @pytest.mark.parametrize("path", CALLABLE, ids=" ".join)
    def test_every_verb_leads_to_a_function(self, path) -> None:
        module, _, name = CALLABLE[path].get_default("call").partition(":")
        source = Path(cli.__file__).parent / "verbs" / f"{module}.py"
        assert re.search(rf"(?m)^def {name}\(", source.read_text())

    def test_options_may_stand_before_or_behind_the_verb(self) -> None:
        for argv in (["--instance", "b", "status"], ["status", "--instance", "b"]):
            assert build().parse_args(argv).instance == "b"

    def test_an_abbreviated_option_is_refused(self, say) -> None:
        assert say("--ver")[0] == Exit.USAGE

    @pytest.mark.parametrize(
        ("text", "seconds"), [("90s", 90), ("5m", 300), ("1.5h", 5400), ("7", 7), ("250ms", 0.25)]
    )
    def test_durations_have_units(self, text, seconds) -> None:
        assert duration(text) == seconds

    @pytest.mark.parametrize("text", ["", "0s", "-5s", "5x", "s", "1e9h", "nan"])
    def test_other_durations_are_refused(self, text) -> None:
        with pytest.raises(argparse.ArgumentTypeError):
            duration(text)

    def test_venues_are_one_of_three(self) -> None:
        assert venues("embedded") == ("embedded", "")
        assert venues("replay:a+b") == ("replay", "a+b")
        for wrong in ("replay", "replay:", "live:x", "paper"):
            with pytest.raises(argparse.ArgumentTypeError):
                venues(wrong)


def _shell_words(line: str) -> list[str]:
    import shlex

    return shlex.split(line)


class TestExitCodes:
    def test_version_and_help_are_clean(self, say) -> None:
        assert say("--version")[:2] == (0, f"dailyarb {__version__}\n")
        code, out, _ = say("--help")
        assert code == 0
        assert "exit codes" in out

    def test_an_unknown_verb_is_bad_usage(self, say) -> None:
        assert say("no-such-verb")[0] == Exit.USAGE

    def test_a_bad_file_is_bad_usage_with_every_fault(self, say, tmp_path) -> None:
        path = tmp_path / "bad.toml"
        path.write_text(PACKAGED.read_text().replace("connections = 2", "connections = 99"))
        code, _, err = say("--no-ui", "--config", str(path))
        assert code == Exit.USAGE
        assert "feeds.connections" in err
        assert "1 to 8" in err

    def test_no_engine_is_a_no_that_says_what_to_do(self, say) -> None:
        for verb in ("status", "why", "orders", "pnl", "markets"):
            code, out, err = say(verb, "--instance", "nobody")
            assert (code, out) == (Exit.NO, "")
            assert "no engine runs as 'nobody'" in err
            assert "dailyarb --instance nobody" in err

    def test_a_console_without_a_terminal_is_bad_usage(self, say) -> None:
        code, _, err = say()
        assert code == Exit.USAGE
        assert "--no-ui" in err

    @pytest.mark.parametrize(
        "argv",
        [
            ("--no-ui", "--arm", "main"),
            ("--duration", "5s"),
            ("--no-ui", "--inline"),
            ("--no-ui", "--strategies", "S9"),
            ("--no-ui", "--speed", "4"),
            ("--no-ui", "--live"),
            ("--no-ui", "--venues", "replay:/nowhere/at-all"),
            ("--no-ui", "--mode", "paper"),
        ],
    )
    def test_words_that_do_not_fit_together_are_bad_usage(self, say, argv) -> None:
        code, _, err = say(*argv)
        assert code == Exit.USAGE
        assert err

    def test_a_reader_that_leaves_is_no_error(self) -> None:
        ran = subprocess.run(
            f"{sys.executable} -m dailyarb config reference | head -1",
            shell=True, check=False, capture_output=True, text=True, timeout=30,
        )  # fmt: skip
        assert ran.stdout == "# Configuration\n"
        assert ran.stderr == ""


class TestOptionsOfARun:
    def prepared(self, *argv: str) -> tuple:
        return run.prepare(build().parse_args([*argv, "--config", str(PACKAGED)]))

    def test_the_defaults_are_embedded_and_simulated(self) -> None:
        loaded, options = self.prepared("--no-ui")
        assert loaded.settings.venues.kind is options.venues is VenueKind.EMBEDDED
        assert loaded.settings.mode.value == "sim"
        assert options.instance == "main"

    def test_the_command_wins_over_the_file(self) -> None:
        loaded, options = self.prepared(
            "--no-ui", "--seed", "9", "--strategies", "S2", "--duration", "90s",
            "--log-level", "debug", "--instance", "b",
        )  # fmt: skip
        assert loaded.settings.venues.seed == options.seed == 9
        assert not loaded.settings.strategies.S1.enabled
        assert loaded.settings.strategies.S2.enabled
        assert options.duration_s == 90
        assert loaded.settings.log.level == "debug"
        assert options.instance == loaded.settings.instance == "b"

    def test_live_venues_of_a_file_for_play_money_send_nothing(self) -> None:
        loaded, _ = self.prepared("--no-ui", "--venues", "live")
        assert loaded.settings.mode.value == "dry"

    def test_an_engine_of_its_own_is_given_the_same_words(self, tmp_path) -> None:
        (tmp_path / "recording").touch()
        argv = ["--venues", f"replay:{tmp_path / 'recording'}", "--speed", "4.0", "--seed", "3",
                "--strategies", "S1", "--log-level", "warn", "--instance", "c"]  # fmt: skip
        loaded, options = self.prepared(*argv)
        child = engine_argv(options, loaded.path)
        assert child[1:4] == ["-m", "dailyarb", "--no-ui"]
        again, repeated = run.prepare(build().parse_args(child[3:]))
        assert again.settings == loaded.settings
        assert repeated == msgspec.structs.replace(options, config=loaded.path)

    def test_live_is_passed_on_only_if_said(self) -> None:
        assert "--live" in engine_argv(RunOptions(live=True), PACKAGED)
        assert "--live" not in engine_argv(RunOptions(), PACKAGED)

    def test_venues_have_a_word(self) -> None:
        replay = RunOptions(venues=VenueKind.REPLAY, replay_path="x")
        assert venues_word(replay) == "replay:x"
        assert venues_word(RunOptions()) == "embedded"


class TestConfigVerbs:
    def test_check_tells_ok_and_hash(self, say) -> None:
        code, out, _ = say("config", "check", str(PACKAGED))
        assert code == 0
        assert "ok" in out
        answer = json.loads(say("config", "check", str(PACKAGED), "--json")[1])
        assert answer["ok"] is True

    def test_check_tells_every_fault(self, say, tmp_path) -> None:
        path = tmp_path / "bad.toml"
        path.write_text("schema_version = 1\n")
        code, out, _ = say("config", "check", str(path), "--json")
        answer = json.loads(out)
        assert code == Exit.USAGE
        assert {"risk.max_day_loss_usd", "breakers.max_drawdown_usd", "assets"} <= {
            problem["key"] for problem in answer["problems"]
        }

    def test_show_tells_where_each_value_comes_from(self, say) -> None:
        rows = json.loads(say("--config", str(PACKAGED), "config", "show", "--json")[1])
        by_key = {row["key"]: row for row in rows}
        assert by_key["feeds.connections"]["value"] == 2
        assert re.search(r"config\.toml:\d+$", by_key["feeds.connections"]["source"])

    def test_schema_and_reference_are_written(self, say) -> None:
        assert "$defs" in json.loads(say("config", "schema")[1])
        assert say("config", "reference")[1].startswith("# Configuration")

    def test_locate_names_every_place(self, say, tmp_path) -> None:
        rows = json.loads(say("locate", "--json")[1])
        found = {row["what"]: row["path"] for row in rows}
        assert found["journal"] == str(tmp_path / "xdg_state_home/dailyarb/main/journal.db")
        assert [row["used"] for row in rows].count(True) == 1

    def test_keys_and_themes_are_listed(self, say) -> None:
        assert "risk.halt" in say("keys")[1]
        assert "desk-dark" in say("themes", "list")[1]
        assert say("themes", "check", str(resources.themes_dir() / "desk-dark.toml"))[0] == 0
        code, _, err = say("themes", "show", "desk-drak")
        assert code == Exit.USAGE
        assert "desk-dark" in err


class TestCtl:
    def test_what_raises_risk_needs_yes_without_a_terminal(self, say, monkeypatch) -> None:
        monkeypatch.setattr(sys, "stdin", io.StringIO())
        for argv in (["release"], ["flatten", "--all"], ["arm", "main"], ["risk", "full"],
                     ["strategy", "S1", "resume"], ["stop"]):  # fmt: skip
            code, _, err = say("ctl", *argv)
            assert code == Exit.USAGE
            assert "--yes" in err

    def test_what_lowers_it_never_asks_and_says_if_nobody_heard(self, say) -> None:
        for argv in (["halt"], ["cancel", "--all"], ["risk", "halted"], ["disarm"]):
            code, _, err = say("ctl", *argv)
            assert code == Exit.NO
            assert "no engine answers" in err

    def test_a_halt_does_not_need_a_sound_configuration(self, say, tmp_path) -> None:
        path = tmp_path / "config.toml"
        path.write_text('instance = "z"\nbroken = 1\n')
        assert "/z/control.sock" in say("ctl", "halt")[2]

    def test_all_or_one_must_be_said(self, say) -> None:
        for argv in (["cancel"], ["cancel", "0x1", "--all"], ["breaker", "reset", "loss.day"]):
            assert say("ctl", *argv)[0] == Exit.USAGE


class TestLooking:
    @pytest.fixture
    def lay(self) -> Iterator[Callable[..., View]]:
        """Lays views on the board of `main`, as this process, alive unless told otherwise."""
        writers: list[BoardWriter] = []

        def laid(view: View, *, silent_s: float = 0.0) -> View:
            writer = BoardWriter.create(Places("main").board, view.run)
            writer.heartbeat(boot_ns() - int(silent_s * 1e9))
            writer.write_view(msgspec.msgpack.encode(view))
            writers.append(writer)
            return view

        yield laid
        for writer in writers:
            writer.close()

    @pytest.mark.parametrize("name", [name for name, _ in fixtures.scenes()])
    def test_every_verb_shows_every_state_of_an_engine(self, say, lay, name) -> None:
        lay(dict(fixtures.scenes())[name])
        for verb in (["status"], ["status", "--plain"], ["why"], ["orders"], ["orders", "--open"],
                     ["fills"], ["pnl"], ["pnl", "--by", "market"], ["pnl", "--by", "hour"],
                     ["alerts"], ["markets"], ["ctl", "breaker", "list"], ["doctor"]):  # fmt: skip
            code, out, err = say(*verb)
            assert (code, err) == (0, ""), verb
            assert out.strip()
            if verb != ["status", "--plain"]:
                assert json.loads(say(*verb, "--json")[1]) is not None

    def test_status_uses_the_names_of_log_and_metrics(self, say, lay) -> None:
        view = lay(fixtures.running())
        row = json.loads(say("status", "--json")[1])
        assert row["engine_alive"] is True
        assert row["max_loss_usd"] == view.worst_e6 / 1e6
        assert row["mode"] == "SIM"
        assert row["rung"] == view.rung.name
        assert {feed["feed"] for feed in row["feeds"]} == {f.feed.value for f in view.feeds}
        plain = dict(x.split(" ", 1) for x in say("status", "--plain")[1].splitlines())
        assert plain["max_loss_usd"] == str(row["max_loss_usd"])

    def test_status_fits_eighty_columns(self, say, lay) -> None:
        lay(fixtures.running())
        assert max(len(line) for line in say("status")[1].splitlines()) <= 80

    def test_a_silent_engine_is_lost_and_the_answer_is_no(self, say, lay) -> None:
        lay(fixtures.running(), silent_s=60)
        code, out, _ = say("status")
        assert code == Exit.NO
        assert "ENGINE LOST" in out
        code, out, err = say("orders", "--json")
        assert "ENGINE LOST, last heard of 60s ago; this is what it last showed" in err
        assert json.loads(out)

    def test_an_engine_that_ended_by_itself_is_not_called_lost(self, say, lay, monkeypatch) -> None:
        lay(fixtures.running(), silent_s=60)
        monkeypatch.setattr(past, "ending", lambda *_: RunEnded("r", 0, "duration is over"))
        code, out, _ = say("status")
        assert code == Exit.NO
        assert "ended 60s ago: duration is over" in out
        assert "LOST" not in out
        assert "ended cleanly" in say("doctor")[1]

    def test_why_names_the_gate_its_number_and_its_limit(self, say, lay) -> None:
        view = lay(fixtures.running())
        blocked = next(desk for desk in view.markets if desk.why is not None)
        rows = json.loads(say("why", blocked.label, "--json")[1])
        assert rows
        row = next(row for row in rows if row["market_id"] == blocked.market_id)
        assert blocked.why is not None
        assert (row["gate"], row["now"]) == (blocked.why.gate.value, blocked.why.now)
        assert row["meaning"]
        assert say("why", blocked.market_id)[0] == 0
        assert say("why", "DOGE 1h")[0] == Exit.NO

    def test_evidence_stands_in_every_row_of_profit_and_loss(self, say, lay) -> None:
        lay(fixtures.running())
        rows = json.loads(say("pnl", "--json")[1])
        assert {row["evidence"] for row in rows} == {"SIM"}

    def test_a_market_is_flattened_by_its_label(self, say, lay) -> None:
        view = lay(fixtures.running())
        labels = [desk.label for desk in view.markets]
        unique = next(label for label in labels if labels.count(label) == 1)
        assert "no engine answers" in say("ctl", "flatten", unique, "--yes")[2]
        assert say("ctl", "flatten", "DOGE 1h", "--yes")[0] == Exit.USAGE

    def test_going_down_a_rung_is_free_and_up_is_asked(self, say, lay, monkeypatch) -> None:
        monkeypatch.setattr(sys, "stdin", io.StringIO())
        lay(fixtures.running())
        assert "no engine answers" in say("ctl", "risk", "reduced")[2]
        lay(fixtures.halted())
        assert "--yes" in say("ctl", "risk", "reduced")[2]

    def test_a_view_of_another_version_is_told(self, say) -> None:
        writer = BoardWriter.create(Places("main").board, "r")
        writer.write_view(msgspec.msgpack.encode({"frame": "x"}))
        code, _, err = say("status")
        writer.close()
        assert code == Exit.NO
        assert "another version" in err


SPEC_LINE = {
    "ts": "2026-08-12T14:32:05.114203Z", "seq": 1, "run": "7f3c", "inst": "main", "lvl": "warn",
    "evt": "order.filled", "mkt": "btc-15m-1786545000", "px_c": 56,
}  # fmt: skip


class TestTail:
    def test_lines_are_readable_and_filtered(self, say) -> None:
        log = Places("main").log
        log.parent.mkdir(parents=True)
        other = {**SPEC_LINE, "evt": "feed.lost", "mkt": ""}
        log.write_text("\n".join(json.dumps(line) for line in (other, SPEC_LINE)) + "\n")
        assert say("tail", "--evt", "order.*")[1] == (
            "14:32:05.114 warn     order.filled mkt=btc-15m-1786545000 px_c=56\n"
        )
        assert "feed.lost" not in say("tail", "--mkt", "btc-15m")[1]
        assert json.loads(say("tail", "--json", "-n", "1")[1]) == SPEC_LINE
        assert len(say("tail")[1].splitlines()) == 2

    def test_no_log_is_a_no(self, say) -> None:
        assert say("tail")[0] == Exit.NO

    def test_a_rotation_loses_no_line_and_gives_none_twice(self, tmp_path) -> None:
        path = tmp_path / "log.jsonl"
        path.write_text("one\ntw")
        follower = tail.Follower(path)
        assert list(follower.lines()) == ["one"]
        with path.open("a") as file:
            file.write("o\nthree\n")
        path.rename(tmp_path / "log.jsonl.1")
        path.write_text("four\n")
        assert list(follower.lines()) == ["two", "three", "four"]
        assert list(follower.lines()) == []

    def test_a_foreign_line_is_shown_as_it_is(self) -> None:
        assert tail.render("not json", colour=False) == "not json"
        assert not tail.wanted("not json", "order.*", "")


class TestOutput:
    def shown(self, rows: list[dict], **how: bool) -> str:
        written: list[str] = []
        out = Output(written.append, written.append, **how)
        columns = [Column("name", "name"), money("usd", "usd"), count("n", "n", 1)]
        out.table(columns, rows, empty="nothing here")
        return "\n".join(written)

    def test_rows_are_a_table_or_json_or_a_sentence(self) -> None:
        rows = [{"name": "a", "usd": -1234.5, "n": None, "more": 1}]
        text = self.shown(rows)
        assert re.search(r"a +-1,234\.50 +-", text)
        assert "\x1b" not in text
        assert json.loads(self.shown(rows, json=True)) == rows
        assert self.shown([]) == "nothing here"
        assert self.shown([], json=True) == "[]"

    def test_markup_in_a_value_stays_text(self) -> None:
        assert "[bold]" in self.shown([{"name": "[bold]x", "usd": 0.0, "n": 1}])


class TestPast:
    FILL = FillBooked(
        trade_id="t1", order_id="o1", strategy=StrategyId.S1, market_id="0xm", outcome=Outcome.UP,
        side=Side.BUY, price_e4=5600, size_e6=20_000_000, cash_e6=-11_200_000, fee_e6=344_960,
        maker=False, state=FillState.PROVISIONAL, match_ns=1_786_545_000_000_000_000,
    )  # fmt: skip

    @pytest.fixture
    def rows(self, monkeypatch) -> Callable[[list], Path]:
        """Stands in for a journal: records, oldest first."""
        from dailyarb.runtime.journal_read import Row

        def lay(records: list) -> Path:
            made = [
                Row(n, "run1", 0, 1_786_545_000_000_000_000 + n, type(r).__name__, Evidence.SIM, r)
                for n, r in enumerate(records, start=1)
            ]
            monkeypatch.setattr(past, "backwards", lambda _: iter(reversed(made)))
            return Path("unused")

        return lay

    def test_fills_carry_their_newest_state_and_what_they_rest_on(self, rows) -> None:
        proven = FillProven("t1", "o1", FillState.CONFIRMED)
        found = past.fills(rows([self.FILL, proven]), last=10)
        assert [(row["state"], row["evidence"]) for row in found] == [("CONFIRMED", "SIM")]
        assert (found[0]["price_cents"], found[0]["shares"]) == (56.0, 20.0)
        assert found[0]["fee_usd"] == 0.34496

    def test_the_newest_are_kept_and_shown_oldest_first(self, rows) -> None:
        fills = [msgspec.structs.replace(self.FILL, trade_id=f"t{n}") for n in range(5)]
        assert [row["trade_id"] for row in past.fills(rows(fills), last=2)] == ["t3", "t4"]

    def test_alerts_of_one_key_are_counted(self, rows) -> None:
        from dailyarb.core.domain.ids import Severity

        alert = AlertRaised(next(iter(Severity)), "feed.pm", "down")
        found = past.alerts(rows([alert, alert]))
        assert [(row["key"], row["count"]) for row in found] == [("feed.pm", 2)]

    def test_markets_are_those_of_the_run(self, rows) -> None:
        spec = _spec()
        seen = rows([MarketSeen(spec)])
        assert past.markets(seen, "run1", {spec.market_id}) == {spec.market_id: spec}
        assert past.markets(rows([MarketSeen(spec)]), "another", {spec.market_id}) == {}
        assert past.rules(spec)["strike_source"] == "twap 60s"

    def test_a_run_ended_by_itself_if_the_journal_says_so(self, rows) -> None:
        ended = RunEnded("run1", 0, "stopped")
        assert past.ending(rows([self.FILL, ended]), "run1") == ended
        assert past.ending(rows([self.FILL]), "run1") is None
        assert past.ending(rows([ended]), "another") is None

    def test_no_journal_is_no_rows(self, tmp_path) -> None:
        assert list(past.backwards(tmp_path / "journal.db")) == []


def _spec():
    from dailyarb.core.domain import market

    return market.MarketSpec(
        market_id="0xm", slug="btc-updown-5m-1", asset="btc", window=market.Window.M5, start_ns=1,
        end_ns=2, up_token="1", down_token="2", grid=market.Grid(), fees=market.FeeSchedule(70_000),
        settlement=market.Settlement(market.SettlementKind.TWAP, 60),
    )  # fmt: skip


class TestBench:
    def test_results_have_nanoseconds_whatever_their_unit(self) -> None:
        result = {"name": "x", "unit": "us", "ours": 2.5, "peers": {}, "ratio_to_best_peer": 0.5}
        assert bench.shaped(result)["ns_p50"] == 2500.0
        rate = {"name": "y", "unit": "frames/s", "ours": 1e6, "peers": {}}
        assert "ns_p50" not in bench.shaped(rate)

    @pytest.mark.parametrize("name", ["post, p99", "server.p99, console", "inside.p99"])
    def test_a_tail_is_not_called_a_median(self, name) -> None:
        shown = bench.shaped({"name": name, "unit": "ns", "ours": 7.0})
        assert shown["ns_p99"] == 7.0
        assert "ns_p50" not in shown

    def test_every_row_has_peers_and_ratio_though_nobody_else_was_measured(self) -> None:
        shown = bench.shaped({"name": "pairs", "unit": "%", "ours": 99.0, "low": 98.0})
        assert shown["peers"] == {}
        assert shown["ratio_to_best_peer"] is None
        assert shown["low"] == 98.0

    def test_json_is_one_object_of_the_machine_and_the_chosen_rows(self, say) -> None:
        code, text, err = say("bench", "--only", "board", "--rounds", "1", "--json")
        assert code == 0
        answer = json.loads(text)
        assert set(answer) == {"machine", "benchmarks"}
        assert answer["machine"]["cores"] >= 1
        assert answer["benchmarks"]
        for row in answer["benchmarks"]:
            assert {"name", "ns_p50", "unit", "ours", "peers", "ratio_to_best_peer"} == set(row)
        assert err == "bench board ...\n"

    def test_people_see_a_table_with_units(self, say) -> None:
        code, text, _ = say("bench", "--only", "board", "--rounds", "1")
        assert code == 0
        machine, titles, *rows = text.splitlines()
        assert " cores, load " in machine
        assert re.split(r" {2,}", titles) == ["what", "ours", "peers", "ours / best peer"]
        assert all(re.search(r" \d[\d,]*\.\d  ns  ", row) for row in rows)

    def test_what_needs_a_package_that_is_absent_is_left_out_and_told(
        self, say, monkeypatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "trustme", None)
        code, text, err = say("bench", "--only", "tls", "--rounds", "1", "--json")
        assert code == 0
        assert json.loads(text)["benchmarks"] == []
        assert "trustme" in err
        assert "dailyarb[bench]" in err

    def test_an_unknown_module_is_bad_usage(self, say) -> None:
        code, _, err = say("bench", "--only", "no-such-module")
        assert code == Exit.USAGE
        assert "sign" in err


def test_help_answers_faster_than_a_person_notices() -> None:
    """Compares with the bare interpreter on the same machine: absolute time would be its load."""
    bare, ours = (
        min(_seconds([sys.executable, *argv]) for _ in range(3))
        for argv in (["-c", "import argparse, re, pathlib"], ["-m", "dailyarb", "--help"])
    )
    assert ours < 6 * bare


def _seconds(argv: list[str]) -> float:
    begin = time.perf_counter()
    subprocess.run(argv, check=True, capture_output=True, timeout=30)
    return time.perf_counter() - begin

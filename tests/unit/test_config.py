"""Configuration: what is accepted, and that every fault is told with its place and its cure."""

from __future__ import annotations

import math
import pickle
import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dailyarb import config, resources
from dailyarb.config import lines
from dailyarb.core.domain.errors import ConfigError, Problem
from dailyarb.core.domain.settings import ConfigMode, VenueKind

PACKAGED = resources.default_config_path().read_text(encoding="utf-8")


def with_line(key: str, new: str, text: str = PACKAGED) -> str:
    """Returns the file with the first line of a key replaced."""
    made, count = re.subn(rf"(?m)^{re.escape(key)} = .*$", lambda _: new, text, count=1)
    assert count == 1, key
    return made


@pytest.fixture
def write(tmp_path: Path):
    def make(text: str) -> Path:
        path = tmp_path / "config.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return make


def faults(path: Path, **options: object) -> list[Problem]:
    """Returns the faults of a file, which must have some."""
    with pytest.raises(ConfigError) as caught:
        config.load(path, **options)  # type: ignore[arg-type]
    return caught.value.problems


def only(problems: list[Problem]) -> Problem:
    assert len(problems) == 1, [str(problem) for problem in problems]
    return problems[0]


class TestThePackagedFile:
    def test_loads_and_trades_play_money_on_the_embedded_venues(self) -> None:
        loaded = config.load(resources.default_config_path())
        assert loaded.packaged
        assert loaded.settings.mode is ConfigMode.SIM
        assert loaded.settings.venues.kind is VenueKind.EMBEDDED
        assert list(loaded.settings.assets) == ["btc", "eth", "sol"]
        assert loaded.settings.assets["sol"].windows == ("5m", "15m")

    def test_states_every_key_so_that_it_can_teach(self) -> None:
        provenance = config.load(resources.default_config_path()).provenance
        unsaid = [key for key, source in provenance.items() if source == config.DEFAULT]
        assert unsaid == []

    def test_says_what_each_key_means(self) -> None:
        said = lines.comments(PACKAGED)
        keys = [key for key in lines.key_lines(PACKAGED) if key[:1] != ("assets",)]
        assert [".".join(key) for key in keys if key not in said] == []
        assert [".".join(key) for key in keys if not said[key] and len(key) > 1] == []

    def test_lets_no_single_loss_exceed_the_play_money(self) -> None:
        loaded = config.load(resources.default_config_path()).settings
        assert loaded.risk.max_worst_case_total_usd <= loaded.venues.start_cash_usd / 4

    def test_is_what_the_reference_page_says(self) -> None:
        page = resources.default_config_path().parent / "docs" / "config.md"
        assert page.read_text(encoding="utf-8") == config.reference()


def _only_required(text: str) -> str:
    """Returns the file without the tables that may be left out."""
    parts = re.split(r"(?m)^(?=\[)", text)
    return "".join(p for p in parts if re.match(r"\[(risk|breakers|assets)|[^\[]", p))


class TestEveryFaultAtOnce:
    def test_all_are_told_in_the_order_of_the_file(self, write) -> None:
        text = with_line("max_day_loss_usd", "max_day_loss = 50")
        text = with_line("connections", "connections = 99", text)
        text = with_line("level", 'level = "inof"', text)
        problems = faults(write(text))
        assert [problem.key for problem in problems if problem.line] == [
            "risk.max_day_loss_usd",  # missing: told at its table
            "risk.max_day_loss",
            "feeds.connections",
            "log.level",
        ]
        assert [problem.line for problem in problems] == sorted(p.line for p in problems)

    def test_a_fault_names_file_line_key_range_and_nearest_name(self, write) -> None:
        path = write(with_line("connections", "conections = 2"))
        problem = only(faults(path))
        number = path.read_text().splitlines().index("conections = 2") + 1
        assert problem.file == str(path)
        assert problem.line == number
        assert problem.key == "feeds.conections"
        assert "unknown key" in problem.what
        assert "did you mean connections?" in problem.hint
        assert f"{path}:{number}: feeds.conections" in str(problem)

    def test_a_number_outside_its_range_names_the_range(self, write) -> None:
        problem = only(faults(write(with_line("connections", "connections = 9"))))
        assert (problem.key, problem.what) == ("feeds.connections", "is 9")
        assert "whole number, 1 to 8" in problem.hint

    def test_each_missing_money_limit_is_named(self, write) -> None:
        text = re.sub(r"(?m)^max_\w+_usd = .*\n", "", PACKAGED)
        missing = {problem.key for problem in faults(write(text)) if problem.what == "missing"}
        assert missing == {
            "breakers.max_drawdown_usd",
            "risk.max_day_loss_usd",
            "risk.max_notional_per_trade_usd",
            "risk.max_partial_exposure_usd",
            "risk.max_unwind_loss_usd",
            "risk.max_worst_case_market_usd",
            "risk.max_worst_case_total_usd",
        }

    def test_a_missing_table_names_the_limits_it_would_hold(self, write) -> None:
        text = re.sub(r"(?ms)^\[breakers\].*?(?=^\[)", "", PACKAGED)
        problem = only(faults(write(text)))
        assert problem.key == "breakers.max_drawdown_usd"
        assert "no default" in problem.hint

    def test_an_empty_file_is_refused_with_all_it_lacks(self, write) -> None:
        keys = [problem.key for problem in faults(write(""))]
        assert "schema_version" in keys
        assert "risk.max_day_loss_usd" in keys


class TestUnits:
    def test_a_key_without_its_unit_is_told_the_unit(self, write) -> None:
        problems = faults(write(with_line("max_day_loss_usd", "max_day_loss = 50")))
        hint = next(p.hint for p in problems if p.key == "risk.max_day_loss")
        assert "max_day_loss_usd" in hint
        assert "dollars" in hint

    @pytest.mark.parametrize(
        ("right", "wrong"),
        [
            ("max_book_age_ms", "max_book_age_s"),
            ("min_move_bps", "min_move_cents"),
            ("stop_entry_s", "stop_entry_ms"),
            ("quota_mib", "quota_gb"),
            ("cancel_before_end_s", "cancel_before_end_seconds"),
        ],
    )
    def test_a_wrong_unit_in_the_name_is_told_the_right_one(self, write, right, wrong) -> None:
        problem = only(faults(write(with_line(right, f"{wrong} = 1"))))
        assert f"did you mean {right}?" in problem.hint

    def test_shares_and_dollars_are_not_mixed_up(self, write) -> None:
        problem = only(faults(write(with_line("size_shares", "size_usd = 20.0"))))
        assert "did you mean size_shares?" in problem.hint
        assert "shares" in problem.hint

    def test_a_key_in_the_wrong_table_is_told_its_table(self, write) -> None:
        problem = only(faults(write(PACKAGED.replace("[log]", "[log]\nview_hz = 10"))))
        assert "engine.view_hz" in problem.hint

    @pytest.mark.parametrize(
        "value", ['"2s"', "2.5", "true", "-1", "0", "nan", "inf", "[]", "{}", "9" * 30]
    )
    def test_a_value_that_is_no_such_number_is_refused(self, write, value) -> None:
        problem = only(faults(write(with_line("max_book_age_ms", f"max_book_age_ms = {value}"))))
        assert problem.key == "feeds.max_book_age_ms"
        assert "milliseconds" in problem.hint

    @pytest.mark.parametrize("value", ["nan", "inf", "-5.0", "0.0", "1e12", '"5"', "false"])
    def test_an_absurd_money_limit_is_refused(self, write, value) -> None:
        text = with_line("max_day_loss_usd", f"max_day_loss_usd = {value}")
        assert only(faults(write(text))).key == "risk.max_day_loss_usd"

    def test_a_whole_number_serves_as_dollars(self, write) -> None:
        path = write(with_line("max_day_loss_usd", "max_day_loss_usd = 50"))
        assert math.isclose(config.load(path).settings.risk.max_day_loss_usd, 50.0)


class TestRulesBetweenSettings:
    @pytest.mark.parametrize(
        ("key", "line", "at", "hint"),
        [
            ("level", 'level = "warning"', "log.level", '"warn"'),
            ("charset", 'charset = "utf8"', "ui.charset", "ascii"),
            ("start_rung", 'start_rung = "full"', "start_rung", '"FULL"'),
            ("windows", 'windows = ["5m", "30m"]', "assets.btc.windows", "15m"),
            ("windows", "windows = []", "assets.btc.windows", "5m"),
            ("windows", 'windows = ["5m", "5m"]', "assets.btc.windows", "once"),
            ("slug", 'slug = "BTC!"', "assets.btc.slug", "small letters"),
            ("reduced_strategies", 'reduced_strategies = ["S9"]', "risk.reduced_strategies", "S2"),
            ("binance_symbol", 'binance_symbol = "ethusdt"', "assets.eth.binance_symbol", "one"),
            ("cancel_before_end_s", "cancel_before_end_s = 30.0", "risk.cancel_before_end_s",
             "stop_entry_s"),
            ("max_worst_case_market_usd", "max_worst_case_market_usd = 900.0",
             "risk.max_worst_case_market_usd", "max_worst_case_total_usd"),
            ("vol_floor_bps", "vol_floor_bps = 30.0", "pricing.vol_floor_bps", "vol_cap_bps"),
            ("mode", 'mode = "papr"', "mode", '"paper"'),
            ("mode", 'mode = "paper"', "mode", '"sim"'),
            ("kind", 'kind = "replay"', "venues.replay_path", "path"),
        ],
    )  # fmt: skip
    def test_a_broken_rule_is_told_at_its_key(self, write, key, line, at, hint) -> None:
        problem = only(faults(write(with_line(key, line))))
        assert problem.key == at
        assert hint in problem.hint
        assert problem.line > 0

    def test_a_leader_is_one_of_the_assets(self, write) -> None:
        text = with_line("leader", 'leader = "bct"')
        assert config.load(write(text)).settings.strategies.X1.leader == "bct", "it is off"
        head, _, tail = text.partition("[strategies.X1]")
        problem = only(faults(write(f"{head}[strategies.X1]{tail.replace('false', 'true', 1)}")))
        assert (problem.key, "btc" in problem.hint) == ("strategies.X1.leader", True)

    def test_no_assets_is_a_fault(self, write) -> None:
        text = re.sub(r"(?ms)^\[assets\.\w+\].*?(?=^# |^\[)", "", PACKAGED)
        assert only(faults(write(text + "\n[assets]\n"))).key == "assets"

    def test_a_replay_of_files_that_are_there_is_accepted(self, write, tmp_path) -> None:
        for name in ("one", "two"):
            (tmp_path / name).touch()
        path = f"{tmp_path / 'one'}+{tmp_path / 'two'}"
        given = {"venues.kind": "replay", "venues.replay_path": path}
        assert config.load(write(PACKAGED), given).settings.venues.replay_path == path

    def test_a_replay_of_a_file_that_is_not_there_is_refused(self, write) -> None:
        given = {"venues.kind": "replay", "venues.replay_path": "/nowhere/at-all"}
        problem = only(faults(write(PACKAGED), overrides=given))
        assert "is not there" in problem.what
        assert problem.file == config.COMMAND_LINE


class TestLive:
    OWN = with_line("kind", 'kind = "live"', with_line("mode", 'mode = "live"')).replace(
        'private_key = ""', 'private_key = "env:KEY"'
    )

    def test_needs_the_word_in_the_file_and_on_the_command(self, write) -> None:
        assert config.load(write(self.OWN), live=True).settings.mode is ConfigMode.LIVE
        assert "--live" in only(faults(write(self.OWN))).what

    def test_needs_more_than_the_command(self, write) -> None:
        text = with_line("kind", 'kind = "live"', with_line("mode", 'mode = "paper"'))
        assert 'mode = "live"' in only(faults(write(text), live=True)).hint

    def test_refuses_the_packaged_file(self) -> None:
        problems = faults(resources.default_config_path(), live=True)
        assert any("packaged" in problem.what for problem in problems)

    def test_refuses_an_unchanged_copy_of_it(self, write) -> None:
        path = write(PACKAGED)
        assert config.packaged(path)
        assert any("packaged" in problem.what for problem in faults(path, live=True))

    def test_needs_a_key_to_sign_with(self, write) -> None:
        text = self.OWN.replace('private_key = "env:KEY"', 'private_key = ""')
        assert only(faults(write(text), live=True)).key == "credentials.private_key"


class TestSecrets:
    CANARY = "0x" + "c0ffee" * 10 + "abcd"

    def test_a_secret_in_the_file_is_refused_and_not_repeated(self, write) -> None:
        path = write(PACKAGED.replace('private_key = ""', f'private_key = "{self.CANARY}"'))
        problem = only(faults(path))
        assert problem.key == "credentials.private_key"
        assert self.CANARY not in str(problem)
        assert "env:NAME" in problem.hint

    @pytest.mark.parametrize("value", [f'["{CANARY}"]', "12345678901234567890", "true"])
    def test_one_of_the_wrong_type_is_not_repeated_either(self, write, value) -> None:
        path = write(PACKAGED.replace('api_secret = ""', f"api_secret = {value}"))
        assert value.strip('[]"') not in str(only(faults(path)))

    @pytest.mark.parametrize("value", ["env:KEY", "file:/etc/key", "keyring:dailyarb/key"])
    def test_a_reference_is_kept_and_not_resolved(self, write, value) -> None:
        path = write(PACKAGED.replace('private_key = ""', f'private_key = "{value}"'))
        assert config.load(path).settings.credentials.private_key == value

    @pytest.mark.parametrize("key", ["url", "watchdog_url"])
    def test_an_address_for_alerts_is_a_secret_too(self, write, key) -> None:
        path = write(with_line(key, f'{key} = "tgram://{self.CANARY}/1"'))
        problem = only(faults(path))
        assert problem.key == {"url": "alerts.routes.phone.url"}.get(key, f"alerts.{key}")
        assert self.CANARY not in str(problem)
        path = write(with_line(key, f'{key} = ["tgram://{self.CANARY}/1"]'))
        assert self.CANARY not in str(only(faults(path)))
        path = write(with_line(key, f'{key} = "env:ALERTS"'))
        alerts = config.load(path).settings.alerts
        assert "env:ALERTS" in (alerts.watchdog_url, alerts.routes["phone"].url)

    def test_a_wallet_address_is_public(self, write) -> None:
        path = write(PACKAGED.replace('wallet = ""', f'wallet = "0x{"a1" * 20}"'))
        assert config.load(path).settings.credentials.wallet.startswith("0x")

    @pytest.mark.parametrize("said", ["env:WALLET", "file:/run/wallet", f"0x{'a1' * 32}", "me"])
    def test_a_wallet_is_its_address_and_nothing_else(self, write, said) -> None:
        path = write(PACKAGED.replace('wallet = ""', f'wallet = "{said}"'))
        problem = only(faults(path))
        assert problem.file == str(path) and problem.key == "credentials.wallet"
        assert path.read_text().splitlines()[problem.line - 1].startswith("wallet")
        assert (problem.what, said in str(problem)) == ("is no address", False)
        assert "0x and 40 hex digits" in problem.hint


class TestAlerts:
    @pytest.mark.parametrize(
        ("key", "said", "hint"),
        [
            ("quiet_hours", '"22:00-24:00"', "HH:MM-HH:MM"),
            ("quiet_hours", '"22:00"', "HH:MM-HH:MM"),
            ("severity", '"LOUD"', "WARNING"),
            ("tags", '["monny"]', "money"),
            ("per_minute", "1", "2 to 600"),
        ],
    )
    def test_a_faulty_key_is_told_with_what_is_allowed(self, write, key, said, hint) -> None:
        problem = only(faults(write(with_line(key, f"{key} = {said}"))))
        assert problem.key.rpartition(".")[2] == key
        assert hint in problem.hint

    def test_routes_have_names_of_their_own(self, write) -> None:
        text = PACKAGED + '\n[alerts.routes.slack]\nurl = "env:SLACK"\ntags = ["money", "disk"]\n'
        routes = config.load(write(text)).settings.alerts.routes
        assert list(routes) == ["phone", "slack"]
        assert [tag.value for tag in routes["slack"].tags] == ["money", "disk"]
        for name in ("my phone", "watchdog"):
            path = write(PACKAGED + f'\n[alerts.routes."{name}"]\nurl = ""\n')
            assert only(faults(path)).key == f"alerts.routes.{name}"

    def test_their_number_is_bounded(self, write) -> None:
        many = "".join(f'\n[alerts.routes.r{n}]\nurl = ""\n' for n in range(16))
        assert "at most 16" in str(only(faults(write(PACKAGED + many))))

    def test_quiet_hours_are_hours_of_a_day(self, write) -> None:
        path = write(with_line("quiet_hours", 'quiet_hours = "22:00-06:30"'))
        assert config.load(path).settings.alerts.quiet_hours == "22:00-06:30"


class TestFiles:
    def test_the_one_given_is_read(self, write, tmp_path) -> None:
        assert config.find(write(PACKAGED)) == tmp_path / "config.toml"

    def test_else_the_folder_then_the_users_then_the_packaged(self, write, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
        assert config.find() == resources.default_config_path()
        users = tmp_path / "home" / "dailyarb" / "config.toml"
        users.parent.mkdir(parents=True)
        users.write_text(PACKAGED)
        assert config.find() == users
        write(PACKAGED)
        assert config.find() == Path("config.toml")

    def test_one_that_is_not_there_is_a_fault(self, tmp_path) -> None:
        assert "No such file" in only(faults(tmp_path / "absent.toml")).what

    def test_a_directory_is_a_fault(self, tmp_path) -> None:
        assert only(faults(tmp_path)).key == "file"

    @pytest.mark.parametrize(
        ("text", "line"), [("a = \n", 1), ("a = 1\na = 2\n", 2), ("[x\n", 1), ("\n\nb == 1", 3)]
    )
    def test_a_syntax_fault_has_its_line(self, write, text, line) -> None:
        problem = only(faults(write(text)))
        assert (problem.key, problem.line) == ("syntax", line)

    def test_bytes_that_are_no_text_are_a_fault_with_a_line(self, tmp_path) -> None:
        path = tmp_path / "config.toml"
        path.write_bytes(b"a = 1\nb = '\xff'\n")
        assert only(faults(path)).line == 2

    def test_a_file_without_end_is_refused_unread(self, tmp_path) -> None:
        path = tmp_path / "config.toml"
        path.write_bytes(b"#" * (config.FILE_BYTES_MAX + 1))
        assert "larger" in only(faults(path)).what

    def test_a_later_schema_is_refused(self, write) -> None:
        problems = faults(write(with_line("schema_version", "schema_version = 2")))
        assert any("newer dailyarb" in problem.hint for problem in problems)

    def test_the_top_is_readable_in_a_broken_file(self, write) -> None:
        path = write(with_line("connections", "connections = 99"))
        assert config.peek(path, "instance") == "main"
        assert config.peek(path, "connections") == ""
        assert config.peek(write("broken ="), "instance") == ""


class TestProvenance:
    def test_tells_file_and_line_default_and_command_line(self, write) -> None:
        path = write(_only_required(PACKAGED))
        loaded = config.load(path, {"venues.seed": 7})
        line = (
            path.read_text()
            .splitlines()
            .index(
                next(x for x in path.read_text().splitlines() if x.startswith("max_day_loss_usd"))
            )
        )
        assert loaded.provenance["risk.max_day_loss_usd"] == f"{path}:{line + 1}"
        assert loaded.provenance["feeds.connections"] == config.DEFAULT
        assert loaded.provenance["venues.seed"] == config.COMMAND_LINE
        assert loaded.settings.venues.seed == 7

    def test_names_every_value_in_force(self, write) -> None:
        loaded = config.load(write(PACKAGED))
        assert set(config.flat(loaded.settings)) <= set(loaded.provenance)

    def test_a_faulty_override_is_told_as_such(self, write) -> None:
        problem = only(faults(write(PACKAGED), overrides={"venues.seed": -1}))
        assert (problem.file, problem.line) == (config.COMMAND_LINE, 0)

    def test_equal_values_have_one_hash_and_others_another(self, write) -> None:
        one = config.load(write(PACKAGED))
        same = config.load(write("# a comment\n" + PACKAGED))
        other = config.load(write(PACKAGED), {"venues.seed": 2})
        assert one.hash == same.hash != other.hash
        assert re.fullmatch(r"[0-9a-f]{16}", one.hash)


class TestLines:
    def test_finds_keys_in_tables_dotted_quoted_and_after_long_values(self) -> None:
        text = (
            'a = """\n[no]\nb = 1\n"""\n[t."x y".z]  # here\nlist = [\n  "c = 1", # ]\n  2,\n]\n'
            "d.e = 1\nf = { g = 1 }\n\"q\" = '#'\nlast = 1\n"
        )
        found = lines.key_lines(text)
        table = ("t", "x y", "z")
        assert found == {
            ("a",): 1,
            table: 5,
            (*table, "list"): 6,
            (*table, "d", "e"): 10,
            (*table, "f"): 11,
            (*table, "q"): 12,
            (*table, "last"): 13,
        }
        assert lines.line_of(found, (*table, "f", "g")) == 11
        assert lines.line_of(found, ("nothing",)) == 0

    @settings(
        max_examples=100,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(noise=st.text(max_size=200), at=st.integers(0, len(PACKAGED)))
    def test_no_damage_gives_anything_but_settings_or_faults(self, tmp_path, noise, at) -> None:
        path = tmp_path / "config.toml"
        path.write_bytes((PACKAGED[:at] + noise + PACKAGED[at:]).encode("utf-8", "surrogatepass"))
        try:
            config.load(path)
        except ConfigError as error:
            assert error.problems
            assert all(problem.key and problem.what for problem in error.problems)


class TestSchema:
    def test_is_json_and_forbids_unknown_keys(self) -> None:
        schema = msgspec.json.decode(msgspec.json.encode(config.schema()))
        risk = schema["$defs"]["Risk"]
        assert risk["additionalProperties"] is False
        assert "max_day_loss_usd" in risk["required"]


def test_settings_do_not_change_and_travel_between_processes() -> None:
    loaded = config.load(resources.default_config_path())
    with pytest.raises(AttributeError):
        loaded.settings.risk.max_day_loss_usd = 1e9  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(loaded.settings)) == loaded.settings


class TestReadAgain:
    def test_limits_count_at_once_and_the_rest_waits_for_a_restart(self, write) -> None:
        path = write(with_line("max_day_loss_usd", "max_day_loss_usd = 50.0"))
        before = config.load(path, {"venues.seed": 7})
        text = with_line("max_day_loss_usd", "max_day_loss_usd = 20.0")
        path.write_text(with_line("connections", "connections = 3", text))
        after, waits = config.again(before)
        assert waits == ("feeds.connections",)
        assert after.settings.risk.max_day_loss_usd == 20.0
        assert after.settings.feeds == before.settings.feeds
        assert after.settings.venues.seed == 7, "the command line still wins"
        assert after.hash not in (before.hash, config.load(path, {"venues.seed": 7}).hash)

    def test_a_faulty_file_changes_nothing(self, write) -> None:
        path = write(PACKAGED)
        before = config.load(path)
        path.write_text(with_line("max_day_loss_usd", "max_day_los_usd = 20.0"))
        with pytest.raises(ConfigError):
            config.again(before)

    def test_an_unchanged_file_is_the_same_configuration(self, write) -> None:
        before = config.load(write(PACKAGED))
        assert config.again(before) == (before, ())

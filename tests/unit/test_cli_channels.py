"""Alert channels from the command line: what doctor says of them, and a test through each."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from dailyarb import cli, resources
from tests.endpoints import http_sink

PACKAGED = resources.default_config_path().read_text(encoding="utf-8")
Say = Callable[..., tuple[int, list[dict[str, str]]]]


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """Runs a command with these routes and gives its exit code and rows."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def ran(*words: str, **routes: str) -> tuple[int, list[dict[str, str]]]:
        text = re.sub(r"(?s)\[alerts\.routes\.phone\].*?\n\n", "", PACKAGED)
        for name, url in routes.items():
            text += f'\n[alerts.routes.{name}]\nurl = "{url}"\ntags = ["money", "disk"]\n'
        path = tmp_path / "config.toml"
        path.write_text(text, encoding="utf-8")
        code = cli.main([*words, "--config", str(path), "--json"])
        heard = capsys.readouterr()
        assert "canary" not in heard.out + heard.err
        return code, json.loads(heard.out)

    return ran


def test_a_test_goes_through_each_channel_and_says_which_failed(
    say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    with http_sink() as good, http_sink() as bad:
        bad.status = 401
        monkeypatch.setenv("GOOD", good.url)
        monkeypatch.setenv("BAD", bad.url)
        code, rows = say("alerts", "--test", slack="env:GOOD", phone="env:BAD", off="")
        told = good.told.get(timeout=5)
    assert code == 7
    assert rows == [
        {"channel": "slack", "state": "ok", "found": "delivered"},
        {"channel": "phone", "state": "bad", "found": "refused with status 401"},
    ]
    assert told["title"] == "dailyarb main: test"
    assert "nothing has happened" in told["message"]


def test_without_channels_there_is_nothing_to_test(say: Say) -> None:
    assert say("alerts", "--test") == (0, [])


def test_doctor_says_what_is_wrong_with_a_channel(
    say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOD", "json://127.0.0.1/canary-5d1f0c3b")
    monkeypatch.setenv("ODD", "nonsense:canary-5d1f0c3b")
    code, rows = say("doctor", slack="env:GOOD", odd="env:ODD", gone="env:NOT_THERE")
    found = {row["check"]: row for row in rows if row["check"].startswith("alert")}
    assert code == 7
    assert {name: row["state"] for name, row in found.items()} == {
        "alerts slack": "ok", "alerts odd": "bad", "alerts gone": "bad",
    }  # fmt: skip
    assert found["alerts slack"]["found"] == "WARNING and above, money, disk"
    assert "not understood" in found["alerts odd"]["found"]
    assert "NOT_THERE is not set" in found["alerts gone"]["found"]


def test_doctor_says_where_alerts_stay_without_a_channel(say: Say) -> None:
    _, rows = say("doctor")
    (row,) = (row for row in rows if row["check"] == "alerts")
    assert (row["state"], row["found"]) == ("ok", "no channel: they stay in log and console")

"""Log lines: form, order, bounds, rotation, and sinks that fail."""

from __future__ import annotations

import ast
import json
import os
import re
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from dailyarb import cli
from dailyarb.core.domain.settings import LogSettings
from dailyarb.runtime import logs
from dailyarb.runtime.log_events import CATALOGUE, EVENTS, document
from dailyarb.runtime.logs import (
    FIRST_KEYS,
    FileSink,
    Log,
    StreamSink,
    level_name,
    render_json,
    setup,
    text_renderer,
)


class Lines:
    """Is a sink that keeps lines, and can be held up or broken."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.open = threading.Event()
        self.open.set()
        self.broken = False

    def write(self, line: bytes) -> None:
        self.open.wait(10)
        if self.broken:
            raise BrokenPipeError
        self.lines.append(line)

    def close(self) -> None:
        self.open.set()

    def read(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]


def log_to(sink: Lines, level: str = "info", queue_max: int = 100) -> Log:
    return Log("7f3c", "main", level, ((sink, render_json),), queue_max=queue_max)


def test_a_line_has_its_six_keys_first_and_then_the_fields() -> None:
    sink = Lines()
    log = log_to(sink)
    log.event("info", "order.filled", px_c=56, liq="maker", fee=0.0, oid=None, ok=True)
    assert log.flush()
    line = sink.read()[0]
    assert tuple(line)[:6] == FIRST_KEYS
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", line["ts"])
    told = [line[key] for key in FIRST_KEYS[1:]]
    assert told == [1, "7f3c", "main", "info", "order.filled"]
    assert list(line.items())[6:] == [
        ("px_c", 56), ("liq", "maker"), ("fee", 0.0), ("oid", None), ("ok", True)
    ]  # fmt: skip
    log.close()


def test_a_field_cannot_take_the_place_of_the_first_keys() -> None:
    sink = Lines()
    log = log_to(sink)
    log.event("info", "run.ended", run="other", seq=9)
    log.close()
    assert (sink.read()[0]["run"], sink.read()[0]["seq"]) == ("7f3c", 1)


def test_levels_below_the_threshold_cost_nothing_and_write_nothing() -> None:
    sink = Lines()
    log = log_to(sink, "warning")
    log.event("info", "run.ended")
    log.event("warning", "run.ended")
    log.event("critical", "run.ended")
    assert (log.enabled("info"), log.enabled("error")) == (False, True)
    log.close()
    assert [line["lvl"] for line in sink.read()] == ["warn", "critical"]
    with pytest.raises(ValueError, match="loud"):
        level_name("loud")


def test_a_blocked_sink_costs_lines_and_says_how_many() -> None:
    sink = Lines()
    sink.open.clear()
    log = log_to(sink, queue_max=10)
    for number in range(50):
        log.event("info", "signal.blocked", n=number)
    assert log.dropped >= 39
    sink.open.set()
    log.close()
    dropped = [line for line in sink.read() if line["evt"] == "log.dropped"]
    assert sum(line["lines"] for line in dropped) == log.dropped
    written = [line for line in sink.read() if line["evt"] == "signal.blocked"]
    assert len(written) + log.dropped == 50


def test_a_closed_sink_is_left_out_and_the_others_go_on() -> None:
    good, bad = Lines(), Lines()
    bad.broken = True
    log = Log("r", "main", "info", ((bad, render_json), (good, render_json)))
    for _ in range(3):
        log.event("info", "run.ready")
    log.close()
    assert [line["evt"] for line in good.read()].count("run.ready") == 3
    assert log.dropped == 1
    assert "log.dropped" in [line["evt"] for line in good.read()]


def test_a_closed_pipe_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    log = Log("r", "main", "info", ((StreamSink(writer), render_json),))
    log.event("info", "run.ready")
    assert log.flush()
    log.event("info", "run.ready")
    log.close()
    os.close(writer)
    assert log.dropped == 1


def test_a_line_holds_at_most_4_kb_and_says_that_it_was_cut() -> None:
    head = dict.fromkeys(FIRST_KEYS, "x")
    line = render_json({**head, "n": 1, "long": "y" * 5000, "longer": "é" * 5000})
    assert len(line) <= 4096
    assert json.loads(line) == {**head, "n": 1, "cut": True}
    assert len(render_json({**head, "evt": "x" * 5000})) <= 4096


def test_files_are_private_and_rotate_by_size(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    sink = FileSink(path, 1, 2)
    line = b"x" * 1023 + b"\n"
    for _ in range(1024 * 4 + 1):
        sink.write(line)
    sink.close()
    assert sorted(f.name for f in tmp_path.iterdir()) == [
        "log.jsonl", "log.jsonl.1", "log.jsonl.2"
    ]  # fmt: skip
    assert path.stat().st_size == 1024
    assert (tmp_path / "log.jsonl.1").stat().st_size == 1 << 20
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = FileSink(path, 1, 2)
    again.write(line)
    again.close()
    assert path.stat().st_size == 2048


def test_people_get_text() -> None:
    told = ("2026-08-12T14:32:05.114203Z", 1, "r", "i", "warn", "a.b")
    fields = dict(zip(FIRST_KEYS, told, strict=True))
    text = text_renderer(colors=False)({**fields, "px_c": 56}).decode()
    assert "14:32:05.114" in text
    assert "a.b" in text
    assert "px_c=56" in text
    assert "\x1b" not in text
    assert "\x1b" in text_renderer(colors=True)({**fields, "px_c": 56}).decode()


def test_setup_writes_where_the_settings_say(tmp_path: Path) -> None:
    log = setup(LogSettings(level="debug"), "r", "main", tmp_path / "log.jsonl")
    log.event("debug", "run.started")
    log.close()
    assert json.loads((tmp_path / "log.jsonl").read_text())["evt"] == "run.started"
    other = setup(LogSettings(file=str(tmp_path / "other")), "r", "main", tmp_path / "log.jsonl")
    other.event("info", "run.started")
    other.close()
    assert (tmp_path / "other").exists()


def test_standard_output_gets_json_when_it_is_no_terminal(
    capfd: pytest.CaptureFixture[str],
) -> None:
    log = setup(LogSettings(), "r", "main", stream=True)
    log.event("info", "run.started")
    log.close()
    assert json.loads(capfd.readouterr().out)["evt"] == "run.started"


def test_the_catalogue_names_each_event_once_as_noun_and_verb() -> None:
    names = [evt for evt, _ in CATALOGUE]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z]+\.[a-z]+", evt) for evt in names)
    assert all(meaning and not meaning.endswith(".") for _, meaning in CATALOGUE)


def test_the_catalogue_is_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    page = Path(__file__).parents[2] / "docs" / "log.md"
    assert cli.main(["tail", "--table"]) == 0
    assert capsys.readouterr().out == document() == page.read_text(), "make docs"


def test_an_event_outside_the_catalogue_is_logged_and_marked() -> None:
    sink = Lines()
    log = log_to(sink)
    log.event("info", "moon.landed")
    log.close()
    assert sink.read()[0]["unlisted"] is True
    assert log.unlisted == {"moon.landed"}


def test_secrets_are_hidden_in_every_field() -> None:
    sink = Lines()
    log = log_to(sink)
    log.redactor.register("canary-5d1f0c3b")
    log.event("info", "run.ready", url="https://x/?k=canary-5d1f0c3b", signature="abc")
    log.close()
    line = sink.lines[0].decode()
    assert "canary" not in line
    assert sink.read()[0]["signature"] == "***"


def test_logging_after_the_end_is_dropped_not_an_error() -> None:
    log = log_to(Lines())
    log.close()
    log.event("info", "run.ready")
    assert log.dropped == 1


_NAME = re.compile(r"[a-z]+\.[a-z_]+")
_SPEAKERS = ("event", "note", "lineout")
# Modules whose tables name events apart from the call that says them.
_TABLES = ("narrate.py", "logs.py", "summary.py")


def named_events(source: str, tables: bool = False) -> set[str]:
    """Returns the event names that calls which say an event, or whole tables, state literally."""
    tree = ast.parse(source)
    spoken = [
        argument
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and getattr(call.func, "attr", getattr(call.func, "id", "")).strip("_").lower() in _SPEAKERS
        for argument in call.args
    ]
    return {
        node.value
        for part in ([tree] if tables else spoken)
        for node in ast.walk(part)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and _NAME.fullmatch(node.value)
    }


def test_every_event_said_is_in_the_catalogue_and_every_one_there_is_said() -> None:
    root = Path(logs.__file__).parent.parent
    said: set[str] = set()
    for path in root.rglob("*.py"):
        missing = named_events(path.read_text()) - EVENTS
        assert not missing, f"{path.relative_to(root)}: {sorted(missing)}"
        said |= named_events(path.read_text(), path.name in _TABLES)
    assert EVENTS - said == set(), "nothing says these"

"""`dailyarb sim`: seeds, one seed with its trace, planted defects, the table, and its errors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dailyarb import cli
from dailyarb.sim.world import run_seed

ROOT = Path(__file__).resolve().parents[2]


def test_seeds_are_summed_up_and_agree_with_any_number_of_processes(capsys) -> None:
    found = []
    for jobs in ("1", "2"):
        assert cli.main(["sim", "--seeds", "30", "--jobs", jobs, "--json"]) == 0
        found.append(json.loads(capsys.readouterr().out))

    one, two = found
    assert one["seeds"] == 30
    assert one["violations"] == 0
    assert one["digest"] == two["digest"]
    assert one["steps"] == two["steps"] > 1_000


def test_a_long_run_goes_on_where_it_was_interrupted(capsys, tmp_path: Path) -> None:
    state = tmp_path / "long.json"
    args = ["sim", "--jobs", "1", "--json", "--resume", str(state)]
    assert cli.main([*args, "--seeds", "12"]) == 0
    assert cli.main([*args, "--seeds", "20"]) == 0
    assert cli.main([*args, "--seeds", "20"]) == 0, "all seeds are done: nothing runs again"
    assert cli.main(["sim", "--seeds", "20", "--jobs", "2", "--json"]) == 0

    half, whole, again, at_once = map(json.loads, capsys.readouterr().out.splitlines())
    assert (half["seeds"], whole["seeds"]) == (12, 20)
    assert whole["digest"] == again["digest"] == at_once["digest"] != half["digest"]
    assert whole["steps"] == at_once["steps"]
    assert json.loads(state.read_text())["seeds"] == 20


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        (b"{", "resume"),
        (b'{"commit":"other","profile":"","first":0}', "begun with commit other"),
    ],
    ids=["damaged", "another program"],
)
def test_what_cannot_be_resumed_is_refused(kept: bytes, words: str, capsys, tmp_path: Path) -> None:
    state = tmp_path / "long.json"
    state.write_bytes(kept)
    assert cli.main(["sim", "--seeds", "3", "--resume", str(state)]) == 2
    assert words in capsys.readouterr().err


def test_text_says_how_much_no_violation_proves(capsys) -> None:
    assert cli.main(["sim", "--seeds", "6", "--jobs", "1"]) == 0

    text = capsys.readouterr().out
    assert "6 seeds" in text
    assert "at most one seed in 2 with 95 % confidence" in text


def test_one_seed_is_shown_step_by_step(capsys) -> None:
    assert cli.main(["sim", "--seed", "3", "--trace"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert any("wire  QueryAccount" in line for line in lines)
    assert lines[-1].endswith(run_seed(3).digest)


def test_a_broken_invariant_is_told_with_seed_commit_profile_and_trace(capsys) -> None:
    assert cli.main(["sim", "--seed", "0", "--profile", "F84", "--bug", "norung"]) == 1

    lines = capsys.readouterr().out.splitlines()
    verdict = next(line for line in lines if line.startswith("seed 0, commit "))
    assert "F84" in verdict
    assert ": I5 " in verdict
    assert 10 < lines.index(verdict) <= 50


def test_planted_defects_are_measured(capsys) -> None:
    args = ["sim", "--bug", "sendfirst", "--seeds", "3", "--jobs", "1", "--json"]
    assert cli.main(args) == 0

    (row,) = json.loads(capsys.readouterr().out)
    assert row["caught"] == row["seeds"] == 3
    assert row["by"] == "I4"


def test_a_defect_that_is_missed_is_a_no(capsys) -> None:
    args = ["sim", "--bug", "samesalts", "--profile", "F11", "--first", "3", "--seeds", "1"]
    assert cli.main([*args, "--jobs", "1"]) == 1


def test_the_table_is_the_page(capsys) -> None:
    assert cli.main(["sim", "--table"]) == 0
    assert capsys.readouterr().out == (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "words",
    [["--profile", "F99"], ["--bug", "none"], ["--seeds", "0"], ["--jobs", "-1"]],
)
def test_what_does_not_exist_is_refused(words: list[str], capsys) -> None:
    assert cli.main(["sim", *words]) == 2
    assert "known are" in (text := capsys.readouterr().err) or "allowed" in text

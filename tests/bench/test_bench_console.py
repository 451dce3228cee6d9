"""The row of the first paint measures a real console on a real terminal."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from dailyarb.bench import console
from dailyarb.runtime.paths import holder_of


def program(*lines: str) -> list[str]:
    """Returns a program that writes to its terminal."""
    return [sys.executable, "-c", "\n".join(("import sys, time", *lines))]


def test_the_row_is_the_time_of_a_real_console(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[list[str], float]] = []
    real = console.first_paint

    def watched(words: list[str], *rest: object) -> float:
        seen.append((words, real(words, *rest)))  # type: ignore[arg-type]
        return seen[-1][1]

    monkeypatch.setattr(console, "first_paint", watched)
    [row] = console.run(1)
    [(words, seconds)] = seen
    assert words[1:4] == ["-m", "dailyarb", "attach"]
    assert (row["unit"], row["peers"], row["ratio_to_best_peer"]) == ("ms", {}, None)
    assert row["ours"] == round(1e3 * seconds, 1)
    assert f"{console.BUDGET_MS:.0f} ms" in row["name"]


def test_the_time_runs_until_the_last_mark(tmp_path: Path) -> None:
    env = console.isolated(tmp_path)
    slow = program("print('top', flush=True)", "time.sleep(0.3)", "print('keys', flush=True)")
    assert console.first_paint(slow, env, ("top", "keys")) >= 0.3


def test_marks_are_found_behind_colours_and_moves(tmp_path: Path) -> None:
    env = console.isolated(tmp_path)
    styled = program(r"print('\x1b[1;1H\x1b[38;5;16m[S \x1b[1mSIM]\x1b[0m', flush=True)")
    assert console.first_paint(styled, env, ("[S SIM]",)) > 0


def test_a_console_that_shows_no_whole_screen_is_no_measurement(tmp_path: Path) -> None:
    env = console.isolated(tmp_path)
    with pytest.raises(TimeoutError, match="no whole screen"):
        console.first_paint(program("print('top', flush=True)"), env, ("top", "keys"))


def test_the_stand_in_holds_the_lock_of_an_engine_while_it_lives(tmp_path: Path) -> None:
    env = console.isolated(tmp_path)
    lock = tmp_path / "state" / "dailyarb" / console.INSTANCE / "lock"
    with console.standing_in(env):
        holder = holder_of(lock)
        assert holder is not None
        assert holder["pid"] == os.getpid()
    assert holder_of(lock) is None

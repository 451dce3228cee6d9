"""The bench of board and signer: rows of one form, ratios round by round."""

from __future__ import annotations

from multiprocessing.connection import Connection

import pytest

from dailyarb.bench import board, sign
from dailyarb.bench.rounds import compare, served


def test_a_row_names_the_best_peer_by_its_median() -> None:
    def slow() -> int:
        return sum(range(3000))

    row = compare(
        "a", lambda: sum(range(300)), {"slow": slow, "twice": lambda: (slow(), slow())}, 5, 20
    )
    assert (row["name"], row["unit"]) == ("a", "ns")
    assert set(row["peers"]) == {"slow", "twice"}  # type: ignore[call-overload]
    ratio = row["ratio_to_best_peer"]
    assert isinstance(ratio, float)
    assert 0.0 < ratio < 1.0


def test_operations_inside_a_call_are_counted_as_calls() -> None:
    calls: list[int] = []
    compare("a", lambda: calls.append(1), {}, rounds=2, calls=100, inner={"ours": 10})
    assert len(calls) == 1 + 2 * 10


def test_without_peers_there_is_no_ratio() -> None:
    assert compare("a", lambda: None, {}, 1, 1)["ratio_to_best_peer"] is None


@pytest.mark.parametrize("run", [board.run, sign.run])
def test_every_bench_gives_rows(run: object) -> None:
    assert callable(run)
    rows = run(1)
    assert rows
    for row in rows:
        assert set(row) == {"name", "unit", "ours", "peers", "ratio_to_best_peer"}
        assert row["ours"] > 0
        assert row["peers"]


def _ends(pipe: Connection) -> None:
    pipe.close()


def _echoes(pipe: Connection, word: str) -> None:
    pipe.send(word)
    pipe.send(pipe.recv())


def test_a_server_is_heard_and_answered_over_its_pipe() -> None:
    with served(_echoes, "ready") as (pipe, first):
        assert first == "ready"
        pipe.send(7)
        assert pipe.recv() == 7


def test_a_server_that_ends_at_once_is_an_error_and_no_wait() -> None:
    with pytest.raises(EOFError), served(_ends):
        pytest.fail("it said nothing")

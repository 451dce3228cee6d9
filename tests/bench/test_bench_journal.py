"""The journal's benchmark runs and tells rows of the common form."""

from __future__ import annotations

from dailyarb.bench.journal import run


def test_it_tells_one_and_four_beside_their_peers() -> None:
    rows = run(1)
    assert [row["name"] for row in rows] == ["journal.append.one", "journal.append.four"]
    for row in rows:
        assert set(row) == {"name", "unit", "ours", "peers", "ratio_to_best_peer"}
        assert len(row["peers"]) == 3  # type: ignore[arg-type]

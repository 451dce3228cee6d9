"""A start from a checkpoint does not depend on how long the journal is."""

from __future__ import annotations

from pathlib import Path

from dailyarb.core.engine.checkpoint import BYTES_MAX
from tests.bench.recovery import measure

ROWS = 12_000


def test_from_a_checkpoint_a_start_reads_two_rows_of_many(tmp_path: Path) -> None:
    found = measure(tmp_path / "journal.db", ROWS)
    assert found["from_checkpoint_s"] < found["from_first_row_s"] / 5
    assert found["checkpoint_bytes"] < BYTES_MAX / 4

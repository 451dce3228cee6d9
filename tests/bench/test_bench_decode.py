"""The decode benchmark's own checks: frames are what they claim, every contender does the work.

Run as `python -m tests.bench.test_bench_decode` for the table.
"""

from __future__ import annotations

import json
import random
import sys

from dailyarb._fast.router import DEPTH, FAULT, BookRouter
from dailyarb.bench import decode


def frames_of(case: decode.Case, count: int) -> list[bytes]:
    """Returns the first frames of a case."""
    rng = random.Random(1)
    return [case.make(rng, number) for number in range(1, count + 1)]


def main() -> None:
    """Writes the rows as JSON lines."""
    for row in decode.run():
        sys.stdout.write(json.dumps(row) + "\n")


def test_no_frame_of_ours_is_dropped_as_a_copy() -> None:
    for case in decode.cases()[1:]:
        router = BookRouter()
        router.add_market(0, decode.UP, decode.DOWN, 100)
        flags = [router.on_frame(frame, 1) for frame in frames_of(case, 50)]
        assert not any(flag & FAULT for flag in flags)
        assert sum(bool(flag & DEPTH) for flag in flags) >= 49
        assert router.counters["duplicates"] == router.counters["late"] == 0
        assert router.counters["mismatches"] == router.counters["desyncs"] == 0
        assert router.decoder.scanned == 50


def test_ours_and_the_peers_read_the_same_touch() -> None:
    _, changes, books = decode.cases()
    rng = random.Random(3)
    frames = [books.make(rng, 1), *frames_of(changes, 20)]
    ours = [changes.contenders[decode.OURS](frame) for frame in frames][-1]
    theirs = decode.DictBooks()
    for frame in frames:
        theirs.apply(json.loads(frame))
    assert isinstance(ours, tuple)
    assert (ours[0] / 1e4, ours[2] / 1e4) == theirs.touch(decode.UP)


def test_a_short_run_gives_every_row() -> None:
    rows = decode.run(rounds=1)
    assert [set(row) for row in rows] == [
        {"name", "unit", "ours", "peers", "best_peer", "ratio_to_best_peer"}
    ] * 3
    assert all(row["ours"] > 0 and "json" in " ".join(row["peers"]) for row in rows)


if __name__ == "__main__":
    main()

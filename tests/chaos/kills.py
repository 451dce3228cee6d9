"""SIGKILL at random instants of a real run; the venues live on (F68).

    python -m tests.chaos.kills --kills 200

After each kill the journal is verified, and the next engine recovers, from a checkpoint where one
was written, reconciles and trades on. In the end journal and venue agree: no fill lost or doubled,
nothing signed while halted, every order proven. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from dailyarb.core.domain.records import Checkpointed, FillBooked, OrderSigned, PairClosed
from dailyarb.runtime.clock import boot_ns
from dailyarb.runtime.verify import verify
from tests.processes import Machine, at_rest, machine, runs, until

# Checkpoints before every kill; neither a busy machine nor what the kills cost stops the trading.
HASTY = {
    "checkpoint_s": "0.3",
    "max_loop_lag_ms": "2000",
    "ask_after_ms": "1000",
    "max_day_loss_usd": "100000.0",
    "max_drawdown_usd": "100000.0",
    "loss_streak": "1000",
    "max_worst_case_total_usd": "100000.0",
    "max_open_positions": "64",
}


class Kills:
    """Kills engines of one machine and counts what they were at.

    Args:
        desk: with venues that run.
        seed: names the instants.
        patience_s: until a life has an order; one that finds nothing is killed where it stands.
    """

    def __init__(self, desk: Machine, seed: int, patience_s: float) -> None:
        self.desk = desk
        self.patience_s = patience_s
        self.draw = random.Random(seed)
        self.at: Counter[str] = Counter()
        self.kills = 0
        self.ready_ms: list[int] = []

    def once(self) -> None:
        """Runs an engine and kills it: while it starts, reconciles, or anywhere in its trading."""
        began = boot_ns()
        engine = self.desk.start(config=self.desk.config(**HASTY))
        at = self.draw.choices(("start", "boot", "trade"), (1, 2, 5))[0]
        self.at[at] += 1
        if at == "start":
            self._pass(2.0 * self.draw.random())
        elif at == "boot":
            engine.ready()
            self._pass(0.3 * self.draw.random())
        else:
            engine.reconciled()
            self.ready_ms.append((boot_ns() - began) // 1_000_000)
            self._pass(self.patience_s, lambda: engine.view().open_orders > 0)
            self.at["without an order"] += engine.view().open_orders == 0
            self._pass(self.draw.choice([0.0, 0.02, 0.1, 0.5, 1.5]) * self.draw.random())
        engine.kill()
        self.kills += 1
        if self.desk.places.journal.exists():
            found = verify(self.desk.places.journal)
            assert found.ok, found.problems[:3]

    @staticmethod
    def _pass(seconds: float, early: Callable[[], bool] = lambda: False) -> None:
        end = time.monotonic() + seconds
        until(lambda: time.monotonic() >= end or early(), "the instant of the kill", 60)

    def judge(self) -> dict[str, Any]:
        """Starts once more, halts, waits for rest, and compares journal and venue."""
        rows = at_rest(self.desk, **HASTY)
        ready = sorted(self.ready_ms)
        return {
            "kills": self.kills,
            "at": dict(self.at),
            "runs": runs(rows),
            "rows": len(rows),
            "orders": sum(isinstance(row.record, OrderSigned) for row in rows),
            "fills": sum(isinstance(row.record, FillBooked) for row in rows),
            "pairs": sum(isinstance(row.record, PairClosed) for row in rows),
            "checkpoints": sum(isinstance(row.record, Checkpointed) for row in rows),
            "ready_ms_p50": ready[len(ready) // 2] if ready else None,
            "ready_ms_max": ready[-1] if ready else None,
        }


def main(arguments: list[str]) -> int:
    """Kills so many engines and prints what became of the money."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=68)
    chosen = parser.parse_args(arguments)
    with machine() as desk:
        desk.start_venues(chosen.seed)
        kills = Kills(desk, chosen.seed, patience_s=20.0)
        for _ in range(chosen.kills):
            kills.once()
            sys.stderr.write(f"\r{kills.kills} of {chosen.kills} killed")
        sys.stderr.write("\n")
        found = kills.judge()
    assert found["fills"] and found["pairs"], "something was traded"
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

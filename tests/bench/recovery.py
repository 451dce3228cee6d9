"""How long a start takes on a long journal, from its first row and from a checkpoint.

python -m tests.bench.recovery --rows 1000000
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from dailyarb.core.domain import records as rec
from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.events import CheckpointDue
from dailyarb.core.domain.ids import StrategyId
from dailyarb.core.domain.intents import IntentKind
from dailyarb.core.domain.market import Outcome, Side
from dailyarb.core.domain.orders import TIF, FillState, OrderState
from dailyarb.core.domain.rung import Evidence, Mode
from dailyarb.core.domain.settings import JournalSettings
from dailyarb.core.domain.units import SECOND
from dailyarb.core.engine.engine import Engine
from dailyarb.runtime.journal import Journal
from dailyarb.runtime.recover import load
from tests.rig import birth, settings, spec

ORDERS = 40  # of one market
BATCH = 500
SETTINGS = JournalSettings(sync_ms=50, ballast_mib=0, checkpoint_s=3_600)


def market(number: int, first_order: int) -> Iterator[rec.Record]:
    """Yields what one window leaves in a journal: 40 orders bought, proven, and paid."""
    market_id = f"0x{number:064x}"
    start_ns = (1_700_000_000 + 300 * number) * SECOND
    yield rec.MarketSeen(
        spec(market_id=market_id, slug=f"btc-{number}", start_ns=start_ns,
             end_ns=start_ns + 300 * SECOND)
    )  # fmt: skip
    for at in range(ORDERS):
        serial = first_order + at + 1
        order_id = f"0x{serial:064x}"
        yield rec.IntentTaken(
            serial, StrategyId.S1, market_id, IntentKind.ENTRY, 100, 5_000, 4_900, 5_000, 0, 1
        )
        yield rec.OrderSigned(
            order_id, serial, StrategyId.S1, IntentKind.ENTRY, market_id, Outcome.UP, Side.BUY,
            5_000, 10_000_000, TIF.FAK, False, serial, serial, 0, b"x" * 600,
        )  # fmt: skip
        yield rec.OrderMoved(order_id, OrderState.OPEN)
        yield rec.FillBooked(
            f"0x{serial:060x}", order_id, StrategyId.S1, market_id, Outcome.UP, Side.BUY, 5_000,
            10_000_000, -5_000_000, 175_000, False, FillState.PROVISIONAL, start_ns + at * SECOND,
        )  # fmt: skip
        yield rec.FillProven(f"0x{serial:060x}", order_id, FillState.CONFIRMED)
        yield rec.OrderMoved(order_id, OrderState.FILLED)
    yield rec.PayoutBooked(market_id, 10_000, ORDERS * 10_000_000)


def history() -> Iterator[tuple[rec.Record, int]]:
    """Yields a run without end, each record with its wall clock."""
    who = birth()
    started = rec.RunStarted("r1", "0", Mode.SIM, Evidence.SIM, "c0", who.salt_base, who.world)
    yield started, 1_700_000_000 * SECOND
    yield rec.Adjusted("opening", 10**12), 1_700_000_000 * SECOND
    for number in itertools.count():
        wall_ns = (1_700_000_000 + 300 * (number + 1)) * SECOND
        for record in market(number, number * ORDERS):
            yield record, wall_ns


def write(path: Path, rows: int) -> int:
    """Writes a journal of so many rows and returns its last wall clock."""
    journal = Journal(path, "r1", Evidence.SIM, SETTINGS)
    source, wall_ns = itertools.islice(history(), rows), 0
    while batch := list(itertools.islice(source, BATCH)):
        wall_ns = batch[-1][1]
        journal.append([record for record, _ in batch], Instant(1, wall_ns))
    journal.close()
    return wall_ns


def start(path: Path, wall_ns: int) -> tuple[Engine, float]:
    """Starts an engine on a journal; returns it, and the seconds until it asks the venue."""
    began = time.perf_counter()
    found = load(path, Evidence.SIM)
    rows = ((row.record, row.wall_ns) for row in found.rows)
    engine = Engine(settings(), birth(run="r2", salt_base=2), rows, Instant(2, wall_ns))
    engine.start(Instant(2, wall_ns))
    return engine, time.perf_counter() - began


def measure(path: Path, rows: int) -> dict[str, float]:
    """Returns how long both ways of starting take, and how big the checkpoint is."""
    wall_ns = write(path, rows)
    engine, whole_s = start(path, wall_ns)
    [*_, command] = engine.on_event(CheckpointDue(), Instant(3, wall_ns))
    record = command.record  # type: ignore[union-attr]
    journal = Journal(path, "r2", Evidence.SIM, SETTINGS)
    journal.append([record], Instant(3, wall_ns))
    journal.close()
    again, from_checkpoint_s = start(path, wall_ns)
    assert again.state.ledger.accounts == engine.state.ledger.accounts
    return {
        "rows": rows,
        "from_first_row_s": round(whole_s, 3),
        "from_checkpoint_s": round(from_checkpoint_s, 4),
        "checkpoint_bytes": len(record.state),
        "journal_mb": round(sum(f.stat().st_size for f in path.parent.iterdir()) / 1e6, 1),
        "rss_max_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3, 1),
    }


def main(arguments: list[str]) -> int:
    """Measures and prints one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.recovery", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="da-") as folder:
        found = measure(Path(folder) / "journal.db", chosen.rows)
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

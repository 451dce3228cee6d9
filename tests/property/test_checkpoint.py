"""A checkpoint knows what the rows before it say, in worlds full of faults, at every checkpoint."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from dailyarb.core.domain.events import CheckpointDue
from dailyarb.core.domain.records import Checkpointed, Record
from dailyarb.core.domain.units import MS
from dailyarb.core.engine import checkpoint
from dailyarb.core.engine.checkpoint import Latched, Memories, Snapshot
from dailyarb.core.engine.engine import Engine
from dailyarb.sim.world import World
from dailyarb.sim.world_setup import birth

SEEDS = 40
EVERY_NS = 1_777 * MS
NOTHING = Memories(0, 0, None, (), 0, {})
History = list[tuple[Record, int]]


def lived(seed: int) -> World:
    """Runs a world whose engine is told to write a checkpoint every 1.8 s."""
    world = World(seed)

    def due() -> None:
        world.tell(CheckpointDue())
        world.after(EVERY_NS, due)

    world.after(EVERY_NS, due)
    assert world.run().violation == ""
    return world


def known(world: World, history: History) -> Snapshot:
    """Returns what an engine born from this history knows; of a breaker, that it is latched."""
    engine = Engine(world.settings, birth(99), history, world.instant())
    found = checkpoint.snapshot(engine.state, 0)
    latched = tuple(Latched(one.breaker, 0.0, 0, "") for one in found.latched)
    return replace(found, latched=tuple(sorted(latched, key=lambda one: one.breaker)))


def plain(value: Any) -> Any:
    """Returns a value as bytes would hold it: accounts and tallies compare by content."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(value), strict=False)


def marks(world: World) -> Iterator[tuple[int, Record]]:
    return ((i, r) for i, (r, _) in enumerate(world.journal) if isinstance(r, Checkpointed))


@pytest.mark.parametrize("seed", range(SEEDS))
def test_the_rows_before_a_checkpoint_fold_into_what_it_holds(seed: int) -> None:
    world = lived(seed)
    for at, record in marks(world):
        rows = [row for row in world.journal[:at] if not isinstance(row[0], Checkpointed)]
        folded = replace(known(world, rows), memories=NOTHING)
        taken = replace(known(world, [(record, 0)]), memories=NOTHING)
        for name in Snapshot.__struct_fields__:
            assert plain(getattr(taken, name)) == plain(getattr(folded, name)), (at, name)


@pytest.mark.parametrize("seed", range(0, SEEDS, 5))
def test_starting_from_any_checkpoint_or_from_the_first_row_is_one(seed: int) -> None:
    world = lived(seed)
    whole = known(world, world.journal)
    for at, _ in marks(world):
        assert plain(known(world, world.journal[at:])) == plain(whole), at


def test_worlds_write_checkpoints_and_something_happens_in_them() -> None:
    worlds = [lived(seed) for seed in range(5)]
    kept = [
        checkpoint.read(record)
        for world in worlds
        for _, record in marks(world)
        if isinstance(record, Checkpointed)
    ]
    assert len(kept) > 20
    assert any(one.ledger.markets for one in kept if one is not None)
    assert any(one.pairs for one in kept if one is not None)
    assert any(one.paused or one.latched or one.rung for one in kept if one is not None)

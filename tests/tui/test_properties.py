"""Random views never raise and never overflow: anything a struct can hold may arrive."""

from __future__ import annotations

import random
from typing import get_args

import msgspec

from dailyarb.core.domain.view import Desk, OrderRow, PnlRow, SignalRow, View
from dailyarb.tui import fixtures
from dailyarb.tui.keys import VIEWS
from dailyarb.tui.source import Depth
from tests.tui.helpers import console, rows_of, settle, source_of

NUMBERS = (0, 1, -1, 7, 10_000, -(10**15), 10**18, 10**12, 123_456_789)
FLOATS = (0.0, -0.0, float("nan"), float("inf"), float("-inf"), 1e300, -1e-300, 0.1, 112_547.5)
TEXTS = ("", "x" * 400, "中文 wide", "\x1b[31mred\n\t", "BTC 15m", "e\u0301\u200b", "[bold]x[/]")
DEPTHS = (
    Depth([], []),
    Depth([(9999, 10**15)] * 20, []),
    Depth([(5000, 1)], [(4000, 0)]),
    Depth([(0, 0), (-5, -7)], [(20_000, 10**18)]),
)
KEPT = {"label", "market_id", "key"}


def shaken(row: msgspec.Struct, rng: random.Random) -> msgspec.Struct:
    """Returns a row with some of its plain fields replaced by hostile values of the same kind."""
    changes: dict[str, object] = {}
    for field in msgspec.structs.fields(type(row)):
        value = getattr(row, field.name)
        if rng.random() < 0.4 or isinstance(value, bool):
            continue
        if isinstance(value, float):
            changes[field.name] = rng.choice(FLOATS)
        elif isinstance(value, int):
            changes[field.name] = rng.choice(NUMBERS)
        elif isinstance(value, str) and field.name not in KEPT:
            changes[field.name] = rng.choice(TEXTS)
        if type(None) in get_args(field.type) and rng.random() < 0.3:
            changes[field.name] = None
    return msgspec.structs.replace(row, **changes)


def random_view(rng: random.Random) -> View:
    """Returns a view in which every row has been shaken, and lists are empty or long."""
    view = fixtures.running(rng.choice((0, 1, 3, 30, 60)))
    changes: dict[str, object] = {}
    for field in msgspec.structs.fields(View):
        value = getattr(view, field.name)
        if isinstance(value, tuple) and value and isinstance(value[0], msgspec.Struct):
            rows = value if rng.random() < 0.8 else ()
            changes[field.name] = tuple(shaken(row, rng) for row in rows)
    shaken_top = shaken(view, rng)
    kept = ("mono_ns", "wall_ns", "frame", "run")
    changes |= {name: getattr(view, name) for name in kept}
    return msgspec.structs.replace(shaken_top, **changes)  # type: ignore[return-value]


async def test_random_views_never_raise_and_never_overflow() -> None:
    rng = random.Random(20_260_812)
    source = source_of()
    for size in ((80, 24), (200, 60)):
        async with console(source, size) as (app, pilot):
            for step in range(16):
                source.show(random_view(rng), age_ms=rng.choice((0, 3_000)))
                source._books.update({slot: rng.choice(DEPTHS) for slot in range(-1, 60)})
                await pilot.press(str(step % len(VIEWS) + 1))
                if step % 5 == 0:
                    await pilot.press("]", "s", "j")
                await settle(app, pilot)
                rows = rows_of(app)
                assert len(rows) == size[1]
                assert all(len(row) == size[0] for row in rows), step
                assert all(char.isprintable() for row in rows for char in row)


def test_shaking_reaches_the_rows_that_matter() -> None:
    rng = random.Random(1)
    view = random_view(rng)
    while not view.markets:
        view = random_view(rng)
    plain = fixtures.running()
    assert view.markets[0] != plain.markets[0]
    kinds = {type(row) for row in (*view.markets, *view.orders, *view.pnl, *view.signals)}
    assert kinds & {Desk, OrderRow, PnlRow, SignalRow}

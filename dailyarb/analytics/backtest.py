"""Backtests: worlds times variants over all cores, and what they say together.

Every (world, variant, parameters) is one task whose result depends on nothing else, so any number
of cores gives the same numbers in the same order. Evidence is REPLAY throughout.
"""

from __future__ import annotations

import itertools
import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed

import msgspec

from dailyarb.analytics.deals import Deals
from dailyarb.analytics.scores import Score, score
from dailyarb.analytics.stats import deflated, ratio_of
from dailyarb.core.domain.ids import StrategyId
from dailyarb.core.domain.rung import Evidence
from dailyarb.core.domain.settings import Settings
from dailyarb.runtime.replay_worlds import Performed, Variant, World, perform, spoilt

LATENCIES_MS = (20.0, 100.0, 300.0)
Tell = Callable[[int, int], None]


class Choice(msgspec.Struct, frozen=True):
    """Is one set of parameters: what was set, and the settings that follow."""

    sets: tuple[tuple[str, str], ...]
    settings: Settings

    @property
    def label(self) -> str:
        """Returns what was set, as a person writes it."""
        return ", ".join(f"{key}={value}" for key, value in self.sets) or "as configured"


class Plan(msgspec.Struct, frozen=True):
    """Is what a backtest plays. The first variant is the one the head table shows."""

    worlds: tuple[World, ...]
    variants: tuple[Variant, ...]
    choices: tuple[Choice, ...]


class Cell(msgspec.Struct, frozen=True):
    """Is one variant and choice over all worlds."""

    variant: Variant
    choice: str
    scores: tuple[Score, ...]


class Trial(msgspec.Struct, frozen=True):
    """Is one choice on both parts of the recordings: chosen by the first, shown on the second."""

    choice: str
    first: Score | None
    second: Score | None
    chosen: bool
    deflated: float | None = None


class Outcome(msgspec.Struct, frozen=True):
    """Is the whole result of a backtest."""

    evidence: str
    worlds: int
    frames: int
    seconds: float  # recorded time that was played, once
    faults: dict[str, int]
    doubts: tuple[str, ...]
    gates: dict[str, int]
    cells: tuple[Cell, ...]
    trials: tuple[Trial, ...]
    digests: tuple[str, ...]


def variants(
    latencies_ms: Sequence[float], queues: Sequence[str], base: Variant
) -> tuple[Variant, ...]:
    """Returns the grid of latencies and queues, `adverse` and the first latency first."""
    ordered = sorted(queues)  # adverse before optimistic
    return tuple(
        msgspec.structs.replace(base, latency_ms=latency_ms, adverse=queue == "adverse")
        for queue, latency_ms in itertools.product(ordered, latencies_ms)
    )


def run(plan: Plan, jobs: int, tell: Tell) -> Outcome:
    """Plays everything and returns what came of it.

    Args:
        plan: worlds, variants, choices.
        jobs: processes; 1 plays here.
        tell: told after each task how many are done, and of how many.

    Raises:
        RecordingError: a recording cannot be read.
    """
    tasks = [
        (world, choice.settings, variant)
        for choice in plan.choices
        for variant in plan.variants
        for world in plan.worlds
    ]
    done = list(_performed(tasks, jobs, tell))
    size = len(plan.worlds)
    groups = [done[at : at + size] for at in range(0, len(done), size)]
    head = groups[0]
    pairs = list(itertools.product(plan.choices, plan.variants))
    doubts = tuple(dict.fromkeys(d for p in head for d in p.outcomes.meaningless))
    cells = tuple(
        Cell(variant, choice.label, tuple(_scores(group, doubts)))
        for (choice, variant), group in zip(pairs, groups, strict=True)
    )
    heads = [groups[at * len(plan.variants)] for at in range(len(plan.choices))]
    return Outcome(
        evidence=Evidence.REPLAY.value,
        worlds=size,
        frames=sum(p.outcomes.frames for p in head),
        seconds=sum(p.outcomes.seconds for p in head),
        faults=_sum(p.outcomes.faults for p in head),
        doubts=doubts,
        gates=_sum(p.gates for p in head),
        cells=cells,
        trials=_trials(plan, heads, doubts),
        digests=tuple(p.outcomes.digest for p in done),
    )


def _performed(
    tasks: list[tuple[World, Settings, Variant]], jobs: int, tell: Tell
) -> Iterator[Performed]:
    if jobs <= 1 or len(tasks) == 1:
        for number, task in enumerate(tasks, start=1):
            yield perform(*task)
            tell(number, len(tasks))
        return
    # Spawned, not forked: a progress bar's thread may be holding a lock.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        futures: list[Future[Performed]] = [pool.submit(perform, *task) for task in tasks]
        for number, future in enumerate(as_completed(futures), start=1):
            if future.exception() is not None:
                pool.shutdown(wait=False, cancel_futures=True)
                break
            tell(number, len(tasks))
        for future in futures:
            yield future.result()


def deals_of(performed: Iterable[Performed]) -> Deals:
    """Folds the records of many worlds into one evidence class."""
    deals = Deals(Evidence.REPLAY)
    for world in performed:
        for wall_ns, record in world.rows:
            deals.take(world.name, wall_ns, record)
        deals.gates.update(world.gates)
    return deals


def _scores(group: Sequence[Performed], doubts: tuple[str, ...]) -> Iterator[Score]:
    deals = deals_of(group)
    names = [name for p in group[:1] for name in _evaluated(p)]
    for name in names:
        found = score(deals, StrategyId(name))
        yield msgspec.structs.replace(found, meaningless=spoilt(name, doubts))


def _evaluated(performed: Performed) -> list[str]:
    signals = performed.outcomes.summary.get("signals")
    return sorted(signals) if isinstance(signals, dict) else []


def _sum(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    return dict(total.most_common())


def _trials(
    plan: Plan, heads: list[list[Performed]], doubts: tuple[str, ...]
) -> tuple[Trial, ...]:
    """Splits the worlds in two by time: parameters are chosen on one half, shown on the other."""
    if len(plan.choices) < 2 or len(plan.worlds) < 2:
        return ()
    middle = len(plan.worlds) // 2
    rows = [(list(_total(h[:middle])), list(_total(h[middle:]))) for h in heads]
    best = max(range(len(rows)), key=lambda at: (sum(rows[at][0]), -at))
    ratios = [ratio_of(first) for first, _ in rows]
    names = {s.strategy for h in heads[:1] for s in _scores(h, doubts)}
    shown = sorted(names)[0] if len(names) == 1 else ""
    return tuple(
        Trial(
            choice.label,
            _one(heads[at][:middle], shown, doubts),
            _one(heads[at][middle:], shown, doubts),
            at == best,
            deflated(rows[at][0], ratios) if at == best else None,
        )
        for at, choice in enumerate(plan.choices)
    )


def _total(group: Sequence[Performed]) -> Iterator[float]:
    """Gives each world's net dollars over all strategies, paid fills only."""
    for performed in group:
        deals = deals_of([performed])
        yield sum(score(deals, strategy).net_usd for strategy in deals.strategies())


def _one(group: Sequence[Performed], name: str, doubts: tuple[str, ...]) -> Score | None:
    """Returns the score of the only strategy, or of the one with the most fills."""
    found = list(_scores(group, doubts))
    named = [item for item in found if item.strategy == name]
    return next(iter(named or sorted(found, key=lambda item: -item.fills)), None)

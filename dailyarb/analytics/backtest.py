"""Backtests: worlds times variants over all cores, and what they say together.

Every (world, variant, parameters) is one task whose result depends on nothing else, so any number
of cores, here or on a Ray cluster, gives the same numbers in the same order. Results are scored
group by group and let go, so memory does not grow with the grid. Evidence is REPLAY throughout.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from dailyarb.analytics.deals import Deals
from dailyarb.analytics.scores import Score, score
from dailyarb.analytics.spread import Tell, performed
from dailyarb.analytics.stats import deflated, ratio_of
from dailyarb.core.domain.ids import StrategyId
from dailyarb.core.domain.rung import Evidence
from dailyarb.core.domain.settings import Settings
from dailyarb.runtime.replay_worlds import Performed, Variant, World, spoilt

LATENCIES_MS = (20.0, 100.0, 300.0)
FOLDS = 4


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


class Fold(msgspec.Struct, frozen=True):
    """Is one step of a walk forward: what was best on all windows before, on the next ones."""

    number: int
    windows: int
    choice: str
    before_usd: float
    score: Score | None


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
    folds: tuple[Fold, ...]
    digests: tuple[str, ...]


def variants(
    latencies_ms: Sequence[float],
    queues: Sequence[str],
    base: Variant,
    rivals: Sequence[float] = (0.0,),
) -> tuple[Variant, ...]:
    """Returns the grid, with `adverse`, no rivals and the first latency first.

    A base whose latencies were measured gives them a row of their own, behind the others.
    """
    ordered = sorted(queues)  # adverse before optimistic
    laws = [(latency_ms, ()) for latency_ms in latencies_ms]
    if base.measured_ms:
        laws.append((base.latency_ms, base.measured_ms))  # type: ignore[arg-type]
    return tuple(
        msgspec.structs.replace(
            base,
            latency_ms=latency_ms,
            measured_ms=measured,
            adverse=queue == "adverse",
            rivals=share,
        )
        for share, queue, (latency_ms, measured) in itertools.product(sorted(rivals), ordered, laws)
    )


def run(plan: Plan, jobs: int, tell: Tell, ray: str = "") -> Outcome:
    """Plays everything and returns what came of it.

    Args:
        plan: worlds, variants, choices.
        jobs: processes; 1 plays here.
        tell: told how many tasks are done, the running one in part, and of how many.
        ray: address of a Ray cluster to play on, `auto` for this machine, "" for none.

    Raises:
        RecordingError: a recording cannot be read.
    """
    pairs = list(itertools.product(plan.choices, plan.variants))
    tasks = [
        (world, choice.settings, variant) for choice, variant in pairs for world in plan.worlds
    ]
    done = performed(tasks, jobs, tell, ray)
    cells: list[Cell] = []
    digests: list[str] = []
    first: list[Performed] = []
    heads: list[Deals] = []
    for number, (choice, variant) in enumerate(pairs):
        group = list(itertools.islice(done, len(plan.worlds)))
        deals = deals_of(group)
        first = first or group
        if number % len(plan.variants) == 0:
            heads.append(deals)
        cells.append(Cell(variant, choice.label, tuple(_scores(deals, first))))
        digests += [world.outcomes.digest for world in group]
    labels = [choice.label for choice in plan.choices]
    return Outcome(
        evidence=Evidence.REPLAY.value,
        worlds=len(plan.worlds),
        frames=sum(p.outcomes.frames for p in first),
        seconds=sum(p.outcomes.seconds for p in first),
        faults=_sum(p.outcomes.faults for p in first),
        doubts=_doubts(first),
        gates=_sum(p.gates for p in first),
        cells=tuple(cells),
        trials=_trials(labels, heads, _evaluated(first)),
        folds=_folds(labels, heads, _evaluated(first)),
        digests=tuple(digests),
    )


def deals_of(performed: Iterable[Performed]) -> Deals:
    """Folds the records of many worlds into one evidence class."""
    deals = Deals(Evidence.REPLAY)
    for world in performed:
        for wall_ns, record in world.rows:
            deals.take(world.name, wall_ns, record)
        deals.gates.update(world.gates)
    return deals


def _doubts(group: Sequence[Performed]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(d for p in group for d in p.outcomes.meaningless))


def _scores(deals: Deals, first: Sequence[Performed]) -> Iterator[Score]:
    doubts = _doubts(first)
    for name in _evaluated(first):
        found = score(deals, StrategyId(name))
        yield msgspec.structs.replace(found, meaningless=spoilt(name, doubts))


def _evaluated(group: Sequence[Performed]) -> list[str]:
    signals = group[0].outcomes.summary.get("signals")
    return sorted(signals) if isinstance(signals, dict) else []


def _sum(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    return dict(total.most_common())


def _trials(
    labels: Sequence[str], heads: Sequence[Deals], names: Sequence[str]
) -> tuple[Trial, ...]:
    """Splits the windows in two by time: chosen on one half, shown on the other."""
    windows = _windows(heads)
    if len(heads) < 2 or len(windows) < 2:
        return ()
    early, late = windows[: len(windows) // 2], windows[len(windows) // 2 :]
    nets = [_nets(deals, early) for deals in heads]
    best = _best(nets)
    ratios = [ratio_of(net) for net in nets]
    return tuple(
        Trial(
            label,
            _one(heads[at].only(early), names),
            _one(heads[at].only(late), names),
            at == best,
            deflated(nets[at], ratios) if at == best else None,
        )
        for at, label in enumerate(labels)
    )


def _folds(labels: Sequence[str], heads: Sequence[Deals], names: Sequence[str]) -> tuple[Fold, ...]:
    """Walks forward: each part is shown with what was best on all parts before it."""
    windows = _windows(heads)
    if len(heads) < 2 or len(windows) < FOLDS + 1:
        return ()
    edges = [len(windows) * part // (FOLDS + 1) for part in range(FOLDS + 2)]
    found = []
    for number in range(1, FOLDS + 1):
        before, now = windows[: edges[number]], windows[edges[number] : edges[number + 1]]
        nets = [_nets(deals, before) for deals in heads]
        best = _best(nets)
        shown = _one(heads[best].only(now), names)
        found.append(Fold(number, len(now), labels[best], sum(nets[best]), shown))
    return tuple(found)


def _best(nets: Sequence[Sequence[float]]) -> int:
    return max(range(len(nets)), key=lambda at: (sum(nets[at]), -at))


def _windows(heads: Sequence[Deals]) -> list[str]:
    """Returns the windows that any choice saw to their end, in order of time."""
    ends = {name: deals.block(name) for deals in heads for name in deals.ended()}
    return sorted(ends, key=lambda name: (ends[name], name))


def _nets(deals: Deals, windows: Sequence[str]) -> list[float]:
    """Returns each window's net dollars over all strategies, paid fills only."""
    sums = dict.fromkeys(windows, 0)
    for trade in deals.trades.values():
        gross = deals.result_e6(trade)
        if gross is not None and trade.booked.market_id in sums:
            sums[trade.booked.market_id] += gross - trade.booked.fee_e6
    return [net / 1e6 for net in sums.values()]


def _one(deals: Deals, names: Sequence[str]) -> Score | None:
    """Returns the score of the only strategy, or of the one with the most fills."""
    found = [score(deals, StrategyId(name)) for name in names]
    return next(iter(sorted(found, key=lambda item: -item.fills)), None)

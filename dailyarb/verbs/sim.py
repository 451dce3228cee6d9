"""`dailyarb sim`: the fault world over many seeds, one seed again, or the planted defects."""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
from argparse import Namespace
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

import dailyarb
from dailyarb.verbs.output import Column, Output, UsageError, count, number

if TYPE_CHECKING:
    from collections.abc import Callable

    from dailyarb.sim.world import Outcome

CHUNK = 20
FAILURES_SHOWN = 5
KEPT_EVERY = 500  # seeds between two notes of where a long run stands
NO = 1

Job = tuple[int, int, str, str]  # first seed, last seed + 1, profile, defect


def sim(arguments: Namespace, out: Output) -> int:
    """Runs worlds; 1 when an invariant was broken, or a planted defect was missed."""
    from dailyarb.sim.fault_table import table
    from dailyarb.sim.faults import BY_ID
    from dailyarb.sim.world_bugs import BUGS_BY_NAME

    if arguments.table:
        out.write(table().rstrip())
        return 0
    unknown = [p for p in arguments.profile.split("+") if p and p not in BY_ID]
    if unknown:
        raise UsageError(f"--profile {unknown[0]}: known are {', '.join(BY_ID)}")
    if arguments.bug not in ("", "all", *BUGS_BY_NAME):
        raise UsageError(f"--bug {arguments.bug}: known are all, {', '.join(BUGS_BY_NAME)}")
    if not 1 <= arguments.seeds <= 10_000_000 or not 0 <= arguments.jobs <= 256:
        raise UsageError("--seeds: allowed 1 to 10,000,000; --jobs: 0 (all cores) to 256")
    if arguments.kills:
        return _kills(arguments, out)
    if arguments.seed is not None:
        return _one(arguments, out)
    return _bugs(arguments, out) if arguments.bug else _many(arguments, out)


def _one(arguments: Namespace, out: Output) -> int:
    from dailyarb.sim.world import World
    from dailyarb.sim.world_bugs import BUGS_BY_NAME

    world = World(arguments.seed, arguments.profile, BUGS_BY_NAME.get(arguments.bug))
    if arguments.trace:
        world.on_line = out.write
    found = world.run()
    if out.json:
        out.value(_shaped(found))
    else:
        _tell(found, out, trace=not arguments.trace)
    return NO if found.violation else 0


def _kills(arguments: Namespace, out: Output) -> int:
    began = time.perf_counter()
    seeds = [arguments.seed] if arguments.seed is not None else list(range(arguments.seeds))
    broken: list[tuple[int, Outcome]] = []
    places = 0
    with _progress(len(seeds)) as advance:
        for seed in seeds:
            for at, found in kill_everywhere(seed, arguments.profile, arguments.jobs):
                places += 1
                if found.violation:
                    broken.append((at, found))
            advance(1)
    if out.json:
        out.value(
            {
                "seeds": len(seeds),
                "kills": places,
                "violations": len(broken),
                "failed": [{"kill_at": at, **_shaped(one)} for at, one in broken[:FAILURES_SHOWN]],
            }
        )
        return NO if broken else 0
    for at, found in broken[:FAILURES_SHOWN]:
        out.write(f"killed before command {at}:")
        _tell(found, out, trace=False)
    took = time.perf_counter() - began
    out.write(f"{len(seeds)} seeds, killed at each of {places:,} commands, {took:.1f} s")
    out.write(f"{len(broken)} violations")
    return NO if broken else 0


def kill_everywhere(seed: int, profile: str, jobs: int) -> Iterator[tuple[int, Outcome]]:
    """Runs a world once for every command of its first life, killed before it.

    Args:
        seed: the world.
        profile: a fault that is in it, or "".
        jobs: processes; 0 takes one for each core, 1 stays in this process.
    """
    from dailyarb.sim.world import commands_of

    count = commands_of(seed, profile)
    work = [(seed, profile, at) for at in range(count)]
    jobs = min(jobs or os.cpu_count() or 1, count)
    if jobs == 1:
        yield from enumerate(map(_killed, work))
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from enumerate(pool.map(_killed, work, chunksize=CHUNK))


def _killed(job: tuple[int, str, int]) -> Outcome:
    from dailyarb.sim.world import run_seed

    seed, profile, at = job
    return run_seed(seed, profile, kill_at=at)


class Sum(msgspec.Struct):
    """Is what many worlds added up to; `digest` chains theirs in order of the seed."""

    commit: str
    profile: str
    first: int
    seeds: int = 0
    steps: int = 0
    entries: int = 0
    fills: int = 0
    deaths: int = 0
    violations: int = 0
    seconds: float = 0.0
    digest: str = ""
    failed: list[dict[str, Any]] = msgspec.field(default_factory=list)

    def add(self, found: Outcome) -> None:
        """Adds one world."""
        self.seeds += 1
        self.steps, self.entries = self.steps + found.steps, self.entries + found.entries
        self.fills, self.deaths = self.fills + found.fills, self.deaths + found.kills
        link = f"{self.digest}{found.digest}".encode()
        self.digest = hashlib.blake2b(link, digest_size=8).hexdigest()
        if found.violation:
            self.violations += 1
            self.failed = [*self.failed, _shaped(found)][:FAILURES_SHOWN]


def _resumed(path: Path, fresh: Sum) -> Sum:
    """Returns where an interrupted run of the same program over the same seeds stands."""
    if not path.exists():
        return fresh
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=Sum)
    except (OSError, msgspec.DecodeError) as error:
        raise UsageError(f"--resume {path}: {error}") from None
    if (kept.commit, kept.profile, kept.first) != (fresh.commit, fresh.profile, fresh.first):
        begun = f"commit {kept.commit}, first seed {kept.first}, profile {kept.profile or 'any'}"
        raise UsageError(f"--resume {path}: it was begun with {begun}; remove it to begin anew")
    return kept


def _keep(path: Path, total: Sum) -> None:
    fresh = path.with_name(f"{path.name}.new")
    fresh.write_bytes(msgspec.json.encode(total))
    fresh.replace(path)


def _many(arguments: Namespace, out: Output) -> int:
    total = Sum(commit(), arguments.profile, arguments.first)
    path = Path(arguments.resume) if arguments.resume else None
    if path is not None:
        total = _resumed(path, total)
    before, began, done = total.seconds, time.perf_counter(), total.seeds
    with _progress(arguments.seeds) as advance:
        advance(min(done, arguments.seeds))
        left = max(0, arguments.seeds - done)
        found = run(arguments.first + done, left, arguments.profile, "", arguments.jobs)
        for one in found if left else ():
            total.add(one)
            advance(1)
            total.seconds = before + time.perf_counter() - began
            if path is not None and total.seeds % KEPT_EVERY == 0:
                _keep(path, total)
    if path is not None:
        _keep(path, total)
    rate = total.steps / max(0.001, total.seconds)
    if out.json:
        shown = msgspec.structs.asdict(total)
        out.value({**shown, "seconds": round(total.seconds, 1), "steps_per_s": round(rate)})
        return NO if total.violations else 0
    for index, row in enumerate(total.failed):
        _told(row, out, trace=index == 0)
    out.write(
        f"{total.seeds:,} seeds, {total.steps:,} steps, {total.seconds:.1f} s, "
        f"{rate:,.0f} steps/s, {total.entries:,} entries, {total.fills:,} fills, "
        f"{total.deaths:,} deaths, digest {total.digest}"
    )
    verdict = f"{total.violations:,} violations" if total.violations else "no violation"
    bound = f"; at most one seed in {total.seeds // 3:,} with 95 % confidence"
    out.write(f"{verdict}{'' if total.violations else bound}")
    return NO if total.violations else 0


def _bugs(arguments: Namespace, out: Output) -> int:
    from dailyarb.sim.world_bugs import BUGS_BY_NAME

    names = list(BUGS_BY_NAME) if arguments.bug == "all" else [arguments.bug]
    rows = []
    for name in names:
        bug = BUGS_BY_NAME[name]
        out.warn(f"defect {name} ...")
        profile = arguments.profile or bug.profile
        found = list(run(arguments.first, arguments.seeds, profile, name, arguments.jobs))
        caught = [one for one in found if one.violation]
        rows.append(
            {
                "defect": name,
                "what": bug.title,
                "profile": profile,
                "seeds": len(found),
                "caught": len(caught),
                "percent": 100 * len(caught) / len(found),
                "first_seed": caught[0].seed if caught else None,
                "by": caught[0].violation.split(" ")[0] if caught else "",
            }
        )
    columns = [
        Column("defect", "defect"),
        Column("what", "what"),
        Column("profile", "profile"),
        count("seeds", "seeds"),
        count("caught", "caught"),
        Column("percent", "%", number(2), right=True),
        Column("first_seed", "first seed"),
        Column("by", "broke"),
    ]
    out.table(columns, rows, empty="no defect")
    return 0 if all(row["caught"] for row in rows) else NO


def run(first: int, seeds: int, profile: str, bug: str, jobs: int) -> Iterator[Outcome]:
    """Runs worlds in processes of their own and yields their outcomes in order of the seed.

    Args:
        first: the first seed.
        seeds: how many.
        profile: a fault that is in every world, or "".
        bug: a planted defect, or "".
        jobs: processes; 0 takes one for each core, 1 stays in this process.
    """
    last = first + seeds
    work: list[Job] = [
        (start, min(start + CHUNK, last), profile, bug) for start in range(first, last, CHUNK)
    ]
    jobs = min(jobs or os.cpu_count() or 1, len(work))
    if jobs == 1:
        yield from _flat(map(_chunk, work))
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from _flat(pool.map(_chunk, work))


def run_each(profiles: Iterable[str], seeds: int) -> Iterator[tuple[str, Outcome]]:
    """Runs the first seeds of each profile, on two processes; yields profile and outcome."""
    work: list[Job] = [(0, seeds, profile, "") for profile in profiles]
    with ProcessPoolExecutor(2) as pool:
        for job, part in zip(work, pool.map(_chunk, work, chunksize=4), strict=True):
            for found in part:
                yield job[2], found


def _chunk(job: Job) -> list[Outcome]:
    from dailyarb.sim.world import run_seed
    from dailyarb.sim.world_bugs import BUGS_BY_NAME

    first, last, profile, bug = job
    return [run_seed(seed, profile, BUGS_BY_NAME.get(bug)) for seed in range(first, last)]


def _flat(parts: Iterable[list[Outcome]]) -> Iterator[Outcome]:
    for part in parts:
        yield from part


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """Shows a bar on stderr, if that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    quiet = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=quiet) as bar:
        task = bar.add_task("seeds", total=total)
        yield lambda step: bar.advance(task, step)


def _shaped(found: Outcome) -> dict[str, Any]:
    return {**found._asdict(), "commit": commit()}


def _tell(found: Outcome, out: Output, *, trace: bool) -> None:
    _told(_shaped(found), out, trace=trace)


def _told(row: dict[str, Any], out: Output, *, trace: bool) -> None:
    profiles = " ".join(row["profiles"]) or "none"
    if trace:
        for line in row["trace"]:
            out.write(line)
    verdict = row["violation"] or "every invariant held"
    out.write(f"seed {row['seed']}, commit {row['commit']}, profiles {profiles}: {verdict}")
    out.write(f"{row['steps']:,} steps, digest {row['digest']}")


def commit() -> str:
    """Returns the commit of the source tree, or the version where there is none."""
    try:
        ran = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"],
            cwd=Path(dailyarb.__file__).parent,
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except OSError:
        return dailyarb.__version__
    return ran.stdout.strip() or dailyarb.__version__

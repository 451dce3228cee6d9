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

import dailyarb
from dailyarb.verbs.output import Column, Output, UsageError, count, number

if TYPE_CHECKING:
    from collections.abc import Callable

    from dailyarb.sim.world import Outcome

CHUNK = 20
FAILURES_SHOWN = 5
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


def kill_everywhere(
    seed: int, profile: str, jobs: int
) -> Iterator[tuple[int, Outcome]]:
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


def _many(arguments: Namespace, out: Output) -> int:
    began = time.perf_counter()
    digest = hashlib.blake2b(digest_size=8)
    steps = entries = fills = kills = worlds = 0
    broken: list[Outcome] = []
    with _progress(arguments.seeds) as advance:
        for found in run(arguments.first, arguments.seeds, arguments.profile, "", arguments.jobs):
            worlds += 1
            steps, entries = steps + found.steps, entries + found.entries
            fills, kills = fills + found.fills, kills + found.kills
            digest.update(found.digest.encode())
            if found.violation:
                broken.append(found)
            advance(1)
    took = time.perf_counter() - began
    result: dict[str, Any] = {
        "seeds": worlds,
        "first": arguments.first,
        "violations": len(broken),
        "steps": steps,
        "steps_per_s": round(steps / took),
        "seconds": round(took, 1),
        "entries": entries,
        "fills": fills,
        "deaths": kills,
        "digest": digest.hexdigest(),
        "commit": commit(),
        "failed": [_shaped(found) for found in broken[:FAILURES_SHOWN]],
    }
    if out.json:
        out.value(result)
        return NO if broken else 0
    for index, found in enumerate(broken[:FAILURES_SHOWN]):
        _tell(found, out, trace=index == 0)
    out.write(
        f"{worlds:,} seeds, {steps:,} steps, {took:.1f} s, {steps / took:,.0f} steps/s, "
        f"{entries:,} entries, {fills:,} fills, {kills:,} deaths, digest {digest.hexdigest()}"
    )
    verdict = f"{len(broken):,} violations" if broken else "no violation"
    bound = "" if broken else f"; at most one seed in {worlds // 3:,} with 95 % confidence"
    out.write(f"{verdict}{bound}")
    return NO if broken else 0


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
    profiles = " ".join(found.profiles) or "none"
    if trace:
        for line in found.trace:
            out.write(line)
    verdict = found.violation or "every invariant held"
    out.write(f"seed {found.seed}, commit {commit()}, profiles {profiles}: {verdict}")
    out.write(f"{found.steps:,} steps, digest {found.digest}")


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

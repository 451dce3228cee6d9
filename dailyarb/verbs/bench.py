"""`dailyarb bench`: every budget on this machine, each beside its peers in one run."""

from __future__ import annotations

import importlib
import os
import pkgutil
import platform
import re
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dailyarb
from dailyarb import bench as room
from dailyarb.verbs.backtest import progress
from dailyarb.verbs.output import Column, Output, UsageError, number

Result = dict[str, Any]


def bench(arguments: Namespace, out: Output) -> int:
    """Runs the benchmarks; one table of all, or one JSON object."""
    if not 1 <= arguments.rounds <= 1000:
        raise UsageError("--rounds: allowed 1 to 1000")
    chosen = [name for name in modules() if arguments.only in name]
    if not chosen:
        raise UsageError(f"--only {arguments.only}: known are {', '.join(modules())}")
    results: list[Result] = []
    with progress("benchmarks") as tell:
        for done, name in enumerate(chosen):
            tell(done, len(chosen))
            out.warn(f"bench {name} ...")
            try:
                results += run_module(name, arguments.rounds)
            except ModuleNotFoundError as error:
                out.warn(f"bench {name}: left out, {error}; pip install 'dailyarb[bench]'")
        tell(len(chosen), len(chosen))
    if out.json:
        out.value({"machine": machine(), "benchmarks": results})
        return 0
    facts = machine()
    out.write(f"{facts['cpu']}, {facts['cores']} cores, load {facts['load']}, {facts['python']}")
    columns = [
        Column("name", "what"),
        Column("ours", "ours", number(1), right=True),
        Column("unit", ""),
        Column("peers", "peers", _peers),
        Column("ratio_to_best_peer", "ours / best peer", number(2), right=True),
    ]
    out.table(columns, results, empty="nothing was measured")
    return 0


def modules() -> list[str]:
    """Returns the names of the modules that measure something; the others are their tools."""
    names = sorted(found.name for found in pkgutil.iter_modules(room.__path__))
    return [name for name in names if hasattr(_load(name), "run")]


def run_module(name: str, rounds: int) -> list[Result]:
    """Returns the results of one module in the shape of the JSON."""
    return [shaped(result) for result in _load(name).run(rounds)]


def _load(name: str) -> Any:
    return importlib.import_module(f"dailyarb.bench.{name}")


def shaped(result: Result) -> Result:
    """Returns a result in the shape of the JSON: nanoseconds beside what the module said.

    They are under `ns_p50`, or the quantile that the name tells: `ns_p99`, `ns_p999`. What is no
    time, as a rate or a size, keeps `ours` and `unit` alone.
    """
    whole = {**result}
    whole.setdefault("peers", {})
    whole.setdefault("ratio_to_best_peer", None)
    scale = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9}.get(result["unit"])
    if scale is None:
        return whole
    quantile = re.search(r"\bp(50|99|999)\b", result["name"])
    key = f"ns_{quantile[0] if quantile else 'p50'}"
    return {"name": result["name"], key: round(result["ours"] * scale, 1), **whole}


def _peers(peers: dict[str, float] | None) -> str:
    return ", ".join(f"{name} {value:,.1f}" for name, value in (peers or {}).items()) or "-"


def machine() -> Result:
    """Returns what the numbers were measured on."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "dailyarb": dailyarb.__version__,
    }


def _cpu() -> str:
    return next(_models(), platform.machine())


def _models() -> Iterator[str]:
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                yield line.partition(":")[2].strip()

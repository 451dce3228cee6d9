"""Runs one engine against the measuring venue and prints its summary: configuration, seconds,
rate and jump. Used by `live`, in a process of its own."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from dailyarb import config
from dailyarb.bench.live import WARM_S, server_report
from dailyarb.core.domain.settings import VenueKind
from dailyarb.runtime import foreground
from dailyarb.runtime.engine_run import EngineRun
from dailyarb.runtime.options import RunOptions


def main() -> int:
    """Runs the engine; the last line of standard output is the summary."""
    path, seconds, rate, jump = Path(sys.argv[1]), *map(float, sys.argv[2:5])
    loaded = config.load(path, {})
    options = RunOptions(venues=VenueKind.EMBEDDED, duration_s=seconds, instance="bench")
    venue = [sys.executable, "-m", "dailyarb.bench.venue"]
    venue += ["--rate-hz", str(rate), "--jump-ms", str(jump)]
    found: dict[str, object] = {}

    async def live(life: EngineRun) -> int:
        def forget_warm_up() -> None:
            for histogram in life.readings.stages().values():
                histogram.clear()

        def look() -> None:
            view = life.engine.view(life.clock.now())
            found["process"] = {
                "cpu_percent": view.process.cpu_percent,
                "rss_mb": view.process.rss_mb,
            }
            found.update(life.summary())

        loop = asyncio.get_running_loop()
        loop.call_later(WARM_S, forget_warm_up)
        loop.call_later(seconds - 0.5, look)
        return await life.run()

    with foreground.Life(loaded, options, stream=False, venue=venue) as life:
        foreground.own_core(life)
        code = foreground.loop(lambda: live(life))
        found["server"] = server_report(life.control_url)
    sys.stdout.write(json.dumps(found) + "\n")
    return code


if __name__ == "__main__":
    raise SystemExit(main())

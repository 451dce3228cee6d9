"""What the command line asks of a run, once settings are in force."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from dailyarb.core.domain.settings import VenueKind


class RunOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Is what one `dailyarb` invocation asks, beside the settings.

    What has a key in `config.toml` is laid over the settings already (venues, mode, strategies,
    seed, speed, log); it is repeated here so that the engine process can be given the same words.

    Attributes:
        venues: where the engine trades.
        replay_path: recordings, several joined with `+`; "" unless venues are REPLAY.
        speed: pace of a replay against the recorded one; None as in the file.
        mode: `sim`, `dry` or `paper`; "" as in the file.
        live: whether `--live` was said.
        arm: the instance that a headless live run arms; "" arms nothing.
        strategies: names that shall be evaluated; () as in the file.
        seed: of the embedded market; None as in the file.
        duration_s: seconds after which a headless run ends by itself; None runs on.
        inline: whether the engine runs inside the console's process.
        observe: whether a console may only look.
        log_level: level of the log; "" as in the file.
        log_file: file of the log; "" as in the file.
        instance: name of the instance; "" as in the file.
        config: the configuration file as given; None looks in the usual places.
    """

    venues: VenueKind = VenueKind.EMBEDDED
    replay_path: str = ""
    speed: float | None = None
    mode: str = ""
    live: bool = False
    arm: str = ""
    strategies: tuple[str, ...] = ()
    seed: int | None = None
    duration_s: float | None = None
    inline: bool = False
    observe: bool = False
    log_level: str = ""
    log_file: str = ""
    instance: str = ""
    config: Path | None = None


def venues_word(options: RunOptions) -> str:
    """Returns the value of `--venues` that means the same."""
    if options.venues is VenueKind.REPLAY:
        return f"replay:{options.replay_path}"
    return str(options.venues.value)


def engine_argv(options: RunOptions, config: Path) -> list[str]:
    """Returns the command that starts the engine of these options in a process of its own.

    Args:
        options: what the console was asked.
        config: the file that was read; named, so that the engine reads the same one.
    """
    said = {
        "--config": str(config.resolve()),
        "--venues": venues_word(options),
        "--instance": options.instance,
        "--mode": options.mode,
        "--arm": options.arm,
        "--strategies": ",".join(options.strategies),
        "--seed": "" if options.seed is None else str(options.seed),
        "--speed": "" if options.speed is None else str(options.speed),
        "--duration": "" if options.duration_s is None else f"{options.duration_s:g}s",
        "--log-level": options.log_level,
        "--log-file": options.log_file,
    }
    argv = [sys.executable, "-m", "dailyarb", "--no-ui"]
    for flag, value in said.items():
        argv += [flag, value] if value else []
    return [*argv, "--live"] if options.live else argv

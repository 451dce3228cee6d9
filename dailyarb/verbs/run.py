"""The verbs that start an engine or a console."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import Any

from dailyarb import config
from dailyarb.config import checks, words
from dailyarb.core.domain.settings import ConfigMode, VenueKind
from dailyarb.runtime.options import RunOptions
from dailyarb.verbs.output import Output, UsageError


def run(arguments: Namespace, out: Output) -> int:
    """Starts the engine; with a console unless `--no-ui`."""
    if not arguments.no_ui:
        _need_terminal(out, "without one use --no-ui")
    if arguments.arm and not (arguments.live and arguments.no_ui):
        raise UsageError("--arm goes with --no-ui --live; in the console press L")
    if arguments.duration is not None and not arguments.no_ui:
        raise UsageError("--duration goes with --no-ui")
    if arguments.inline and arguments.no_ui:
        raise UsageError("--inline puts the engine into the console; --no-ui has none")
    loaded, options = prepare(arguments)
    from dailyarb.runtime import compose

    if arguments.no_ui:
        return compose.run_headless(loaded, options)
    return compose.run_console(loaded, options)


def attach(arguments: Namespace, out: Output) -> int:
    """Opens a console on a running engine."""
    _need_terminal(out, "without one use dailyarb status")
    loaded, options = prepare(arguments)
    from dailyarb.runtime import compose

    return compose.run_attach(loaded, options)


def _need_terminal(out: Output, instead: str) -> None:
    if not (out.terminal and sys.stdin.isatty()):
        raise UsageError(f"the console needs a terminal; {instead}")


def prepare(arguments: Namespace) -> tuple[config.Loaded, RunOptions]:
    """Returns the settings in force and the options of a run.

    Raises:
        ConfigError: the settings are faulty; it carries every fault.
        UsageError: the words of the command do not fit together.
    """
    loaded = config.load(arguments.config, overrides(arguments), live=arguments.live)
    settings = loaded.settings
    options = RunOptions(
        venues=settings.venues.kind,
        replay_path=settings.venues.replay_path,
        speed=arguments.speed,
        mode=arguments.mode,
        live=arguments.live,
        arm=arguments.arm,
        strategies=arguments.strategies,
        seed=arguments.seed,
        duration_s=arguments.duration,
        inline=arguments.inline,
        observe=getattr(arguments, "observe", False),
        log_level=arguments.log_level,
        log_file=arguments.log_file,
        instance=settings.instance,
        config=arguments.config,
    )
    return loaded, options


def overrides(arguments: Namespace) -> dict[str, Any]:
    """Returns the settings that a command lays over the file, by dotted key.

    Raises:
        UsageError: a strategy is unknown, or `--speed` stands without a replay.
    """
    said: dict[str, Any] = {
        "instance": arguments.instance,
        "mode": arguments.mode,
        "log.level": arguments.log_level,
        "log.file": arguments.log_file,
        "venues.seed": arguments.seed,
        "venues.replay_speed": arguments.speed,
    }
    given = {key: value for key, value in said.items() if value not in (None, "")}
    kind, replay_path = arguments.venues or ("", "")
    if arguments.speed is not None and kind != VenueKind.REPLAY.value:
        raise UsageError("--speed goes with --venues replay:PATH")
    if kind:
        given |= {"venues.kind": kind, "venues.replay_path": replay_path}
        given |= _mode_of(kind, arguments)
    for name in arguments.strategies:
        if name not in checks.STRATEGIES:
            near = words.nearest(name, checks.STRATEGIES)
            hint = f"; did you mean {near}?" if near else ""
            known = ", ".join(checks.STRATEGIES)
            raise UsageError(f"--strategies {name}: known are {known}{hint}")
    if arguments.strategies:
        for name in checks.STRATEGIES:
            given[f"strategies.{name}.enabled"] = name in arguments.strategies
    return given


def _mode_of(kind: str, arguments: Namespace) -> dict[str, str]:
    """Returns the first mode of the venues chosen here, if the file's is none of theirs."""
    if arguments.mode:
        return {}
    modes = [mode.value for mode in checks.MODES[VenueKind(kind)]]
    said = config.peek(arguments.config, "mode") or ConfigMode.SIM.value
    return {} if said in modes else {"mode": modes[0]}

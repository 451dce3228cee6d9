"""The strategies as a page: their own docstrings, gates and settings, and what prices them."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from inspect import getdoc
from types import ModuleType

import msgspec
from msgspec import inspect

from dailyarb import config, resources
from dailyarb.config import lines, words
from dailyarb.core.domain.ids import GATE_FACTS, STRATEGY_TITLES, StrategyId
from dailyarb.core.domain.settings import Section, Settings
from dailyarb.core.strategies.taker import Rule
from dailyarb.core.tuning.bounds import TUNABLE
from dailyarb.verbs.output import Output, UsageError

_HEAD = """\
# Strategies

Made by `dailyarb strategies` from the code and the packaged configuration; do not edit.
`dailyarb strategies S4` prints one. A strategy is a hypothesis: each says what would refute it and
what it rests on; [evidence.md](evidence.md) says which of them the recordings bear out. One that
loses after costs, or that nothing shows earning them, is off by default.

All see one scene of one market and are pure: they return intents, or the one gate that stopped
them with its number and limit (`dailyarb why`). Sizes are those of the settings, or smaller by
`risk.sizing`; every intent passes the risk gate. What several want of a market at once is made one
wish before that.
"""
_ROOMS = ("fair", "volatility", "flow", "lead")


def strategies(arguments: Namespace, out: Output) -> int:
    """Prints the whole page, or one strategy."""
    if not arguments.name:
        out.write(page().rstrip("\n"))
        return 0
    known = {one.value: one for one in STRATEGY_TITLES if one is not StrategyId.OPERATOR}
    found = known.get(arguments.name.upper())
    if found is None:
        raise UsageError(f"no strategy is called {arguments.name}; there are {', '.join(known)}")
    out.write("\n".join(_strategy(found, _packaged())).rstrip("\n"))
    return 0


def page() -> str:
    """Returns the page as Markdown."""
    settings = _packaged()
    known = [one for one in STRATEGY_TITLES if one is not StrategyId.OPERATOR]
    parts: list[str] = [_HEAD, _overview(known, settings)]
    for one in known:
        parts += _strategy(one, settings)
    parts += ["## Several at once\n", _prose(import_module("dailyarb.core.strategies.combine"))]
    parts.append("## Prices and measures\n")
    for room in _ROOMS:
        module = import_module(f"dailyarb.core.pricing.{room}")
        parts += [f"### {room.capitalize()}\n", _prose(module)]
    return "\n".join(parts)


def _packaged() -> Settings:
    return config.load(resources.default_config_path()).settings


def _prose(module: ModuleType) -> str:
    return f"{getdoc(module)}\n"


def _own(strategy: StrategyId, settings: Settings) -> Section:
    found: Section = getattr(settings.strategies, strategy.value)
    return found


def _overview(known: Sequence[StrategyId], settings: Settings) -> str:
    rows = ["| strategy | packaged file | where a file does not say |", "| --- | --- | --- |"]
    for one in known:
        own = _own(one, settings)
        states = ["on" if on else "off" for on in (_on(own), _on(type(own)()))]
        rows.append(f"| {one.value} {STRATEGY_TITLES[one]} | {states[0]} | {states[1]} |")
    return "\n".join(rows) + "\n"


def _on(own: Section) -> bool:
    return bool(msgspec.structs.asdict(own)["enabled"])


def _strategy(strategy: StrategyId, settings: Settings) -> Iterator[str]:
    """Gives the section of one strategy."""
    own = _own(strategy, settings)
    module, kind = _kind(strategy)
    title, _, rest = (getdoc(module) or "").partition("\n")
    yield f"## {title.rstrip('.')}\n"
    yield f"**{'On' if _on(own) else 'Off'}** in the packaged file.\n"
    yield rest.strip() + "\n"
    rules: tuple[Rule, ...] = getattr(kind(own, settings.feeds), "rules", ())
    if rules:
        yield "Gates of its own, beside those of market, book, reference and fair value:\n"
        yield "| gate | number | at least | unit | stops because |\n| --- | --- | --- | --- | --- |"
        for rule in rules:
            text, unit = GATE_FACTS[rule.gate]
            cells = (f"`{rule.gate.value}`", rule.name, f"{rule.limit:g}", unit.value, text)
            yield f"| {' | '.join(cells)} |"
        yield ""
    yield "| setting | allowed | packaged | tunable | meaning |\n| --- | --- | --- | --- | --- |"
    said = lines.comments(resources.default_config_path().read_text(encoding="utf-8"))
    for field in msgspec.structs.fields(type(own)):
        value = words.literal(getattr(own, field.name))
        cells = (
            f"`{field.name}`",
            words.allowed(inspect.type_info(field.type)),
            f"`{value}`",
            "yes" if field.name in TUNABLE else "",
            said.get(("strategies", strategy.value, field.name), ""),
        )
        yield f"| {' | '.join(cells)} |"
    yield ""


def _kind(strategy: StrategyId) -> tuple[ModuleType, Callable[..., object]]:
    """Returns the module of a strategy, named by its title, and the class in it."""
    module = import_module(f"dailyarb.core.strategies.{STRATEGY_TITLES[strategy]}")
    return module, next(
        found
        for found in vars(module).values()
        if isinstance(found, type) and getattr(found, "id", None) is strategy
    )

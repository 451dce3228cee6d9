"""The runbook: made from the definitions of breakers, circuits and gates, and from symptoms."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Iterator
from functools import cache
from textwrap import fill

from dailyarb import config, resources
from dailyarb.core.domain.ids import GATE_FACTS
from dailyarb.core.domain.rung import Rung, RungCause
from dailyarb.core.domain.settings import Settings
from dailyarb.core.risk.breaker import Breaker, BreakerRule
from dailyarb.core.risk.circuit import CIRCUIT_MOVES, CIRCUITS, CircuitRule, Needs
from dailyarb.core.risk.limits import LIMIT_KEYS, build_breakers
from dailyarb.verbs.output import Output, UsageError
from dailyarb.verbs.symptoms import EXITS, SYMPTOMS, Symptom

WIDTH = 100  # of the page's prose
_HEAD = """\
# Runbook

Made by `dailyarb runbook` from the definitions in code; do not edit. `dailyarb runbook NAME` prints
one breaker, circuit, gate or alert. Limits are those of the packaged configuration; yours are in
`dailyarb config show`.

First of all: F9, or `dailyarb ctl halt`, stops it. Then look: `dailyarb status`, `dailyarb why`,
`dailyarb ctl breaker list`, `dailyarb tail`.
"""
_RUNGS = {
    Rung.FULL: "everything that its limits allow",
    Rung.REDUCED: "entries of `risk.reduced_strategies` at `risk.reduced_scale` of their size; "
    "of the others as under HEDGE_ONLY",
    Rung.HEDGE_ONLY: "no entries; completing, unwinding and leaving positions",
    Rung.HALTED: "cancels, questions, heartbeats, and what a person asks to be flattened",
}
_RUNG_NOTE = """\
The lowest of all rungs in force counts: the operator's, each tripped breaker's, each open
circuit's, degradation's, the strategy's. Down is free, up is asked: the operator's own rung only
the operator raises. A latched breaker stays until a person resets it, also over a restart."""
_MARGIN_NOTE = """\
How much is done while a venue is ill, answers are slow, or a limit is near. A cap lifts by itself
once its number is `degradation.lift_margin` better than its threshold."""
_CIRCUIT_NOTE = """\
A circuit holds its effect while it is not CLOSED. Failures in a row open it
(`circuits.failures`), it stays open for `circuits.open_s`, then one probe at a time is let
through; successes in a row close it (`circuits.successes`). The order path trades again only once
the account has been reconciled."""


def runbook(arguments: Namespace, out: Output) -> int:
    """Prints the whole page, or what it says about one name."""
    if not arguments.name:
        out.write(page().rstrip("\n"))
        return 0
    lines = list(entry(arguments.name))
    if not lines:
        raise UsageError(f"nothing is called {arguments.name}; `dailyarb runbook` lists every name")
    out.write("\n".join(lines))
    return 0


def page() -> str:
    """Returns the runbook as Markdown."""
    settings = _packaged()
    breakers = build_breakers(settings).by_name.values()
    own = [b for b in breakers if b.rule.cause is RungCause.BREAKER]
    ill = [b for b in breakers if b.rule.cause is not RungCause.BREAKER]
    head = ("name", "what is looked at", "trips", "effect", "reset", "what to do")
    parts = [
        _HEAD,
        "## Symptoms\n",
        *(_symptom(found) for found in SYMPTOMS),
        "## Exit codes\n",
        _table(("code", "means", "what to do"), ((str(c), m, d) for c, m, d in EXITS)),
        "## Rungs\n",
        _RUNG_NOTE + "\n",
        _table(("rung", "what is sent"), ((r.name, text) for r, text in _RUNGS.items())),
        "## Breakers\n",
        _table(head, (_breaker(b) for b in own)),
        "## Degradation\n",
        _MARGIN_NOTE + "\n",
        _table(head, (_breaker(b) for b in ill)),
        "## Circuits\n",
        _CIRCUIT_NOTE + "\n",
        _table(("state", "hears", "how often in a row", "then"), _moves()),
        _table(
            ("name", "fails when", "effect", "probe", "what to do"),
            (_circuit(rule) for rule in CIRCUITS),
        ),
        "## Gates\n",
        "What stops one evaluation; `dailyarb why` shows it with its number and limit.\n",
        _table(("name", "means", "unit"), _gates()),
    ]
    return "\n".join(parts)


def entry(name: str) -> Iterator[str]:
    """Gives what the runbook says about one breaker, circuit, gate or alert."""
    for breaker in build_breakers(_packaged()).by_name.values():
        if breaker.rule.name == name:
            _, what, trips, effect, reset, do = _breaker(breaker)
            yield f"breaker {name}: {what}; {trips}; {effect}, {reset}\n  {do}"
    for rule in CIRCUITS:
        if _covers(rule.name, name) or f"circuit.{rule.name}" == name:
            _, fails, effect, probe, do = _circuit(rule)
            yield f"circuit {rule.name}: {fails}; {effect}; probe: {probe}\n  {do}"
    for gate, means, unit in _gates():
        if gate.strip("`") == name:
            yield f"gate {name}: {means} {unit}".rstrip()
    for found in SYMPTOMS:
        if name in found.names or any(_covers(key, name) for key in found.alerts):
            yield f"\n{found.sees}\n  {found.means}\n  {found.do}"


def _covers(key: str, name: str) -> bool:
    # An alert's last part names a market, an order or a fill; an alert channel's its own.
    return name == key or name.startswith(f"{key.removesuffix('.NAME')}.")


@cache
def _packaged() -> Settings:
    return config.load(resources.default_config_path()).settings


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [_row(head), _row(("---",) * len(head)), *(_row(row) for row in rows)]
    return "\n".join(lines) + "\n"


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _symptom(found: Symptom) -> str:
    seen = [f"`{name}`" for name in found.names]
    told = [f"`{key}`" for key in found.alerts]
    tail = [f"Behind it: {', '.join(seen)}."] if seen else []
    tail += [f"Alerts: {', '.join(told)}."] if told else []
    prose = [found.means, f"**Do:** {found.do}", *([" ".join(tail)] if tail else [])]
    parts = [f"### {found.sees}", *(fill(part, WIDTH, break_on_hyphens=False) for part in prose)]
    return "\n\n".join(parts) + "\n"


def _breaker(breaker: Breaker) -> tuple[str, ...]:
    rule = breaker.rule
    key = f" (`{LIMIT_KEYS[rule.name]}`)" if LIMIT_KEYS[rule.name] else ""
    word = "at or below" if rule.below else "above"
    trips = f"{word} {rule.limit:,g} {rule.unit}".rstrip() + key
    return f"`{rule.name}`", rule.what, trips, rule.effect.name, _reset(rule), rule.remedy


def _reset(rule: BreakerRule) -> str:
    return "latched: by a person" if rule.manual else "by itself"


def _circuit(rule: CircuitRule) -> tuple[str, ...]:
    effect = rule.effect.name if rule.effect < Rung.FULL else "none"
    return f"`{rule.name}`", rule.what, effect, rule.probe, rule.remedy


def _moves() -> Iterator[tuple[str, ...]]:
    often = {
        Needs.ONCE: "once",
        Needs.FAILURES: "`circuits.failures`",
        Needs.SUCCESSES: "`circuits.successes`",
        Needs.NEVER: "-",
    }
    for (state, heard), (needs, then) in CIRCUIT_MOVES.items():
        last = "forgets old failures" if needs is Needs.NEVER else then.value
        yield state.value, heard.value, often[needs], last


def _gates() -> Iterator[tuple[str, ...]]:
    for gate, (means, unit) in GATE_FACTS.items():
        yield f"`{gate.value}`", means, unit.value

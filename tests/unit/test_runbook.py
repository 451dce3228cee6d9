"""The runbook says what the code says: breakers, circuits, gates, alerts and exit codes."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from dailyarb import config, resources
from dailyarb.cli import Exit, main
from dailyarb.core.domain.ids import Gate
from dailyarb.core.risk.circuit import CIRCUITS
from dailyarb.core.risk.limits import LIMIT_KEYS, RULES, limits
from dailyarb.verbs.parser import build
from dailyarb.verbs.runbook import entry, page
from dailyarb.verbs.symptoms import EXITS, SYMPTOMS
from tests.rig import settings

ROOT = Path(__file__).resolve().parent.parent.parent
NAMES = {rule.name for rule in RULES} | {rule.name for rule in CIRCUITS} | {g.value for g in Gate}


def raised() -> set[str]:
    """Returns the fixed part of every alert key that the engine and its shell raise."""
    key = re.compile(
        r'(?:\.alert\(|Alert\()\s*(?:Severity\.\w+,|severity,|[^,"]*?,)\s*f?"([a-z][\w.]*)'
    )
    found: set[str] = set()
    for path in sorted((ROOT / "dailyarb" / "core").rglob("*.py")):
        found |= {k.rstrip(".") for k in key.findall(path.read_text(encoding="utf-8"))}
    return found


def test_the_page_is_made_from_the_code() -> None:
    assert (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8") == page()


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_breaker_circuit_and_gate_has_its_row(name: str) -> None:
    assert f"| `{name}` |" in page()
    assert list(entry(name))


def test_symptoms_name_what_exists_and_each_breaker_has_one() -> None:
    named = {name for found in SYMPTOMS for name in found.names}
    assert named <= NAMES
    assert {rule.name for rule in RULES} <= named
    assert {rule.name for rule in CIRCUITS} <= named


def test_every_alert_the_engine_raises_has_a_symptom() -> None:
    told = {key for found in SYMPTOMS for key in found.alerts}
    keys = raised() - {"breaker"}  # those are the breakers' own
    assert len(keys) > 15
    assert keys <= told
    assert {key for key in told if not key.startswith("circuit.")} <= keys


def test_every_exit_code_is_told() -> None:
    assert {code for code, _, _ in EXITS} == {int(code) for code in Exit}


def test_every_command_it_advises_can_be_typed() -> None:
    parser = build()
    typed = set(re.findall(r"`dailyarb ([^`]+)`", page()))
    assert len(typed) > 12
    for line in typed:
        words = line.replace("TEXT", "seen").replace("NAME", "loss.day").split()
        parser.parse_args(words)


@pytest.mark.parametrize("name", sorted(LIMIT_KEYS))
def test_the_setting_named_beside_a_limit_is_the_one_that_moves_it(name: str) -> None:
    before = settings()
    moved: set[str] = set()
    for section in ("risk", "breakers", "feeds", "engine", "journal", "alerts", "degradation"):
        table = getattr(before, section)
        for key, value in msgspec.structs.asdict(table).items():
            if isinstance(value, bool) or not isinstance(value, int | float):
                continue
            other = msgspec.structs.replace(table, **{key: value + 1})
            after = msgspec.structs.replace(before, **{section: other})
            if limits(after)[name] != limits(before)[name]:
                moved.add(f"{section}.{key}")
    assert moved == ({LIMIT_KEYS[name]} if LIMIT_KEYS[name] else set())


def test_limits_shown_are_those_of_the_packaged_file() -> None:
    loaded = config.load(resources.default_config_path()).settings
    row = next(line for line in page().splitlines() if line.startswith("| `loss.drawdown` |"))
    assert f"above {loaded.breakers.max_drawdown_usd:g} $ (`breakers.max_drawdown_usd`)" in row
    assert "| HALTED | latched: by a person |" in row


def test_one_name_prints_its_own_part(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runbook", "circuit.orders.pm"]) == 0
    told = capsys.readouterr().out
    assert "circuit orders.pm" in told and "heartbeat" in told
    assert main(["runbook", "fill.voided.0xabc"]) == 0
    assert "failed to settle" in capsys.readouterr().out
    assert main(["runbook", "kelly_zero"]) == 0
    assert capsys.readouterr().out.startswith("gate kelly_zero")
    assert main(["runbook", "nonsense"]) == 2
    assert "nothing is called nonsense" in capsys.readouterr().err

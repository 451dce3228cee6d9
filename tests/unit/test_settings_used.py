"""No setting is a promise nobody keeps: every key of the file is read by the program."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from dailyarb.core.domain import settings

ROOT = Path(__file__).resolve().parent.parent.parent / "dailyarb"
SOURCE = "\n".join(p.read_text(encoding="utf-8") for p in sorted(ROOT.rglob("*.py")))
KEYS = sorted(
    {
        field.name
        for kind in vars(settings).values()
        if isinstance(kind, type) and issubclass(kind, settings.Section)
        for field in msgspec.structs.fields(kind)
    }
)


@pytest.mark.parametrize("key", KEYS)
def test_a_key_is_read(key: str) -> None:
    assert re.search(rf'\.{key}\b|"{key}"', SOURCE), f"nothing reads {key}"

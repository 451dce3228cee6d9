"""Who we are is known to what signs and proves, and to nobody who prints or logs."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace
from rich.pretty import pretty_repr

from dailyarb.core.domain.settings import Credentials, Settings
from dailyarb.runtime.identity import EOA, identify
from dailyarb.runtime.redaction import MASK, Redactor
from tests.rig import settings

SECRETS = {
    "private_key": "0x" + "1f" * 32,
    "api_key": "0b1c2d3e-canary-key",
    "api_secret": "Y2FuYXJ5LXNlY3JldC01ZDFm",
    "api_passphrase": "canary-passphrase",
}


@pytest.fixture
def known(tmp_path: Path) -> Settings:
    references = {}
    for name, text in SECRETS.items():
        path = tmp_path / name
        path.write_text(text)
        path.chmod(0o600)
        references[name] = f"file:{path}"
    return replace(settings(), credentials=Credentials(**references, signature_type=EOA))


@pytest.mark.parametrize("name", SECRETS)
def test_no_part_of_the_identity_reaches_a_line(known: Settings, name: str) -> None:
    redactor = Redactor()
    identify(known, None, redactor)
    assert redactor.text(f"the venue says {SECRETS[name]}") == f"the venue says {MASK}"


def test_an_identity_prints_as_asterisks_to_whoever_asks(known: Settings) -> None:
    identity = identify(known, None, Redactor())
    assert identity.owner == SECRETS["api_key"]
    for shown in (repr(identity), str(identity), pretty_repr(identity)):
        assert "***" in shown
        assert not any(text in shown for text in SECRETS.values())

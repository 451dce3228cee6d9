"""One wallet, one engine, whatever the instances are called and however the wallet is known."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from dailyarb.config import Loaded
from dailyarb.core.domain.errors import InstanceBusy
from dailyarb.core.domain.settings import ConfigMode, Credentials, VenueKind
from dailyarb.runtime.foreground import Life
from dailyarb.runtime.identity import EOA, identify
from dailyarb.runtime.options import RunOptions
from dailyarb.runtime.redaction import Redactor
from tests.rig import settings

SECRETS = {
    "private_key": "0x" + "1f" * 32,
    "api_key": "0b1c2d3e-canary-key",
    "api_secret": "Y2FuYXJ5LXNlY3JldC01ZDFm",
    "api_passphrase": "canary-passphrase",
}


def life(instance: str, known: Credentials) -> Life:
    """Returns a LIVE engine that is not run, so nothing is connected; no keeper beside it."""
    base = settings()
    live = replace(
        base,
        instance=instance,
        mode=ConfigMode.LIVE,
        venues=replace(base.venues, kind=VenueKind.LIVE),
        engine=replace(base.engine, core=-2),
        journal=replace(base.journal, ballast_mib=0),
        credentials=known,
    )
    loaded = Loaded(live, {}, Path("own.toml"), "c0", False)
    return Life(loaded, RunOptions(venues=VenueKind.LIVE, live=True), stream=False, venue=["none"])


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Credentials:
    for name, folder in (("XDG_STATE_HOME", "state"), ("XDG_RUNTIME_DIR", "run")):
        (tmp_path / folder).mkdir(mode=0o700)
        monkeypatch.setenv(name, str(tmp_path / folder))
    references = {}
    for name, text in SECRETS.items():
        path = tmp_path / name
        path.write_text(text)
        path.chmod(0o600)
        references[name] = f"file:{path}"
    return Credentials(**references, signature_type=EOA)


@pytest.mark.parametrize("named", ["neither", "the first", "the second"])
def test_a_key_that_pays_by_itself_is_locked_too(known: Credentials, named: str) -> None:
    wallet = identify(replace(settings(), credentials=known), None, Redactor()).payer
    stated = replace(known, wallet=wallet)
    first = stated if named == "the first" else known
    second = stated if named == "the second" else known
    busy = pytest.raises(InstanceBusy, match=r"wallet 0x.* is in use by pid .* instance one")
    with life("one", first), busy, life("two", second):
        pytest.fail("two engines of one wallet")
    with life("two", second):
        pass  # the lock goes with the engine that held it

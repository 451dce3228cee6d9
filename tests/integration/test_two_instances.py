"""One wallet, one engine: also under two names (F73)."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from dailyarb.runtime.launch import wait_ready
from dailyarb.runtime.paths import InstanceLock, Places
from tests.processes import Machine, machine, write_config

BUSY = 4
WALLET = "0x" + "ab" * 20


@pytest.fixture
def desk() -> Iterator[Machine]:
    with machine() as found:
        yield found


def test_a_wallet_in_use_under_another_name_is_refused_before_any_connection(
    desk: Machine,
) -> None:
    other = Places("other")
    other.make()
    config = write_config(desk.folder / "config.toml", wallet=f'"{WALLET.upper()[:1]}{WALLET[1:]}"')
    with InstanceLock(other, WALLET, "aaaaaa"):
        words = ["--no-ui", "--config", str(config), "--venues", "live", "--mode", "dry"]
        refused = desk.run(*words)
    assert refused.returncode == BUSY
    assert f"wallet {WALLET}" in refused.stderr and f"pid {os.getpid()}" in refused.stderr
    assert not desk.places.journal.exists(), "nothing was begun"


@pytest.mark.slow
def test_two_names_run_side_by_side(desk: Machine) -> None:
    first = desk.start().ready()
    second = desk.start("--instance", "second")
    running = wait_ready(Places("second"), second.process)
    assert (running.pid, first.process.poll()) == (second.pid, None)
    assert Places("second").journal != desk.places.journal
    assert [second.terminate(), first.terminate()] == [0, 0]

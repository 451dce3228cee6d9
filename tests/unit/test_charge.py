"""What a keeper is given: whole, without a secret, and checked before the engine runs."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from dailyarb import config
from dailyarb.core.domain.alerts import AlertTag
from dailyarb.core.domain.errors import SecretError
from dailyarb.core.domain.ids import Severity
from dailyarb.core.domain.settings import AlertRoute, Alerts, EngineSettings, Settings
from dailyarb.runtime.charge import BYTES_MAX, Charge, charge_of, read_charge, watch_keeper
from dailyarb.runtime.foreground import Life
from dailyarb.runtime.options import RunOptions
from dailyarb.runtime.paths import Places, holder_of, take_lock
from tests.rig import settings

ROUTE = AlertRoute(url="env:CANARY_URL", severity=Severity.CRITICAL, tags=(AlertTag.MONEY,))


def with_alerts(alerts: Alerts, restarts: int = 0) -> Settings:
    return replace(settings(), alerts=alerts, engine=EngineSettings(max_restarts=restarts))


def test_a_charge_survives_the_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY_URL", "json://canary-5d1f0c3b")
    alerts = Alerts(routes={"phone": ROUTE}, watchdog_url="env:CANARY_URL")
    charge = charge_of(with_alerts(alerts, 3), 1, (0, 1), ("dailyarb", "--no-ui"))
    blob = msgspec.json.encode(charge)
    assert b"canary" not in blob
    assert len(blob) < BYTES_MAX
    again = read_charge(blob, "other")
    assert again == charge
    assert again.mark == charge.mark
    assert again.mark != replace(charge, core=2).mark
    assert (charge.restarts.most, charge.restarts.argv) == (3, ("dailyarb", "--no-ui"))


async def test_a_keeper_that_is_missing_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    places = Places("main")
    places.make()
    told: asyncio.Queue[str] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    locks: list[int] = []

    def start(charge: Charge) -> None:
        locks.append(take_lock("keeper", places.state_dir / "keeper.lock"))
        loop.call_soon_threadsafe(told.put_nowait, f"started {charge.instance}")

    def look(path: Path) -> dict[str, object] | None:
        found = holder_of(path)
        told.put_nowait("missing" if found is None else "there")
        return found

    monkeypatch.setattr("dailyarb.runtime.charge.start_keeper", start)
    monkeypatch.setattr("dailyarb.runtime.charge.holder_of", look)
    watch = asyncio.create_task(watch_keeper(Charge("main"), places, 0.001))
    async with asyncio.timeout(5):
        heard = [await told.get() for _ in range(5)]
        os.close(locks.pop())
        while heard[-1] != "started main" or len(heard) <= 5:
            heard.append(await told.get())
    watch.cancel()
    os.close(locks.pop())
    assert heard[:5] == ["missing", "started main", "there", "there", "there"]
    assert heard[-2:] == ["missing", "started main"]


def test_without_a_charge_a_keeper_is_a_plain_one() -> None:
    assert read_charge(b"\n", "main") == Charge("main")


@pytest.mark.parametrize(
    "alerts",
    [
        Alerts(routes={"phone": AlertRoute(url="env:NOT_THERE")}),
        Alerts(watchdog_url="file:/nowhere/at/all"),
    ],
)
def test_an_address_that_cannot_be_read_stops_the_engine(alerts: Alerts) -> None:
    with pytest.raises(SecretError, match=r"alerts\."):
        charge_of(with_alerts(alerts), None)


def test_a_route_without_an_address_is_off() -> None:
    charge_of(with_alerts(Alerts(routes={"phone": AlertRoute()})), None)


@pytest.mark.parametrize(
    ("options", "restarted"),
    [
        (RunOptions(live=True, arm="main", instance="main"), True),
        (RunOptions(duration_s=60.0), False),
        (RunOptions(inline=True), False),
    ],
)
def test_who_is_started_again_is_never_armed(
    options: RunOptions, restarted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    loaded = config.load(None, {"engine.max_restarts": 2})
    argv = Life(loaded, options, stream=False)._charge(frozenset({0})).restarts.argv
    assert bool(argv) is restarted
    assert "--arm" not in argv
    assert "--live" in argv or not restarted


def test_nothing_is_started_again_unless_asked() -> None:
    assert charge_of(with_alerts(Alerts()), None, (), ("dailyarb",)).restarts.argv == ()

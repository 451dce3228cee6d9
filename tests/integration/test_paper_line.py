"""PAPER and DRY on "live" venues: the embedded ones stand where the live hosts would."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dailyarb import config
from dailyarb.core.domain.events import OperatorCommand
from dailyarb.core.domain.ids import FeedId, Gate
from dailyarb.core.domain.operator import OperatorVerb
from dailyarb.core.domain.records import FillBooked, ModeSet, OrderMoved, OrderSigned
from dailyarb.core.domain.rung import Evidence, Mode
from dailyarb.core.domain.settings import ConfigMode, VenueKind
from dailyarb.runtime.dry import NOT_SENT
from dailyarb.runtime.engine_run import EngineRun
from dailyarb.runtime.logs import Log
from dailyarb.runtime.options import RunOptions
from dailyarb.runtime.ports import NO_SETTLING
from dailyarb.runtime.tape import retrace
from dailyarb.venues import endpoints
from tests.processes import Machine, machine, our_shares, write_config

KEYS = {
    "private_key": "private_key",
    "api_key": "api_key",
    "api_secret": "secret",
    "api_passphrase": "passphrase",
}


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    with machine() as found:
        found.start_venues()
        known = json.loads(found.greeting.read_text())["credentials"]
        for key, name in KEYS.items():
            monkeypatch.setenv(f"DA_{key.upper()}", known[name])
        yield found


def settings(desk: Machine, mode: ConfigMode, keys: bool = True) -> config.Loaded:
    """Returns settings of live venues, with the embedded account's keys or with none."""
    references = {key: f'"env:DA_{key.upper()}"' for key in KEYS} if keys else {}
    if keys:
        known = json.loads(desk.greeting.read_text())["credentials"]
        references["wallet"] = f'"{known["deposit_wallet"]}"'
    path = write_config(Path(desk.folder) / "live.toml", **references)
    given = {"venues.kind": VenueKind.LIVE.value, "mode": mode.value, "engine.core": -2}
    return config.load(path, given)


async def run(
    desk: Machine, loaded: config.Loaded, name: str, done: Callable[[EngineRun], bool]
) -> EngineRun:
    """Runs one engine until something is true of it, then stops it in order."""
    desk.places.make()
    log = Log(name, "main", "debug", ())
    life = EngineRun(loaded, RunOptions(), desk.places, log, name, None)
    where = endpoints.parse(desk.greeting.read_bytes())
    try:
        life.open(live=where)
        task = asyncio.get_running_loop().create_task(life.run())
        async with asyncio.timeout(60):
            while not task.done() and not done(life):  # noqa: ASYNC110 - a condition, bounded
                await asyncio.sleep(0.02)
        # Halted first: a lone leg of a pair is then nothing to wait for.
        life.shell.feed(OperatorCommand(OperatorVerb.HALT, "test"))
        life.stop("test")
        assert await asyncio.wait_for(task, 20) == 0
    finally:
        life.release()
        log.close()
    return life


def records(desk: Machine, kind: type) -> list[Any]:
    return [row.record for row in desk.rows() if isinstance(row.record, kind)]


async def test_paper_meets_live_books_and_carries_its_money_over_a_restart(desk: Machine) -> None:
    before = desk.state()
    loaded = settings(desk, ConfigMode.PAPER)

    def filled(life: EngineRun) -> bool:
        return bool(life.engine.state.fills)

    first = await run(desk, loaded, "aaaaaa", filled)
    view = first.engine.view(first.clock.now())
    assert (view.mode, view.evidence) == (Mode.PAPER, Evidence.PAPER)
    assert first.shell.sign.count > 0 and first.orders.tick_to_order.count > 0
    after = desk.state()
    assert (after["cash"], after["trades"]) == (before["cash"], before["trades"]), "nothing sent"
    assert after["open_orders"] == []
    fills = records(desk, FillBooked)
    assert all(fill.trade_id.startswith("paper-aaaaaa-") for fill in fills)
    assert {row.evidence for row in desk.rows()} == {Evidence.PAPER}
    ledger, shares = our_shares(desk.rows())

    second = await run(desk, loaded, "bbbbbb", lambda life: not life.engine.state.rungs.booting)
    account = second.engine.state.account
    assert account.reconciled and abs(account.cash_gap_e6) == 0
    assert second.engine.state.alerts.keys().isdisjoint({"cash.differs", "positions.differ"})
    assert second.engine.state.ledger.accounts.opening == ledger.accounts.opening
    assert desk.run("verify").returncode == 0
    assert shares or ledger.pnl.total.net_e6


@pytest.mark.slow
async def test_a_recorded_paper_run_gives_the_same_commands_again(desk: Machine) -> None:
    """Parity (I14): the tape alone, without venues, makes the engine do what it did."""
    loaded = settings(desk, ConfigMode.PAPER)
    life = await run(desk, loaded, "dddddd", lambda life: len(life.engine.state.fills) >= 2)
    assert life.engine.state.birth.evidence is Evidence.PAPER
    again = retrace(desk.places.recordings, desk.places.journal, "dddddd")
    assert again.differences == ()
    assert again.same and again.missed == 0
    assert again.records == len(desk.rows())
    assert again.commands > 20 and again.frames > 500
    signed, filled = records(desk, OrderSigned), records(desk, FillBooked)
    assert len(signed) >= 2 and len(filled) >= 2, "something was decided"
    told = await asyncio.to_thread(desk.run, "diff", "dddddd")
    assert told.returncode == 0, told.stderr
    words = " ".join(told.stdout.split())
    assert "dddddd [PAPER]" in words and "the same engine does the same today" in words


async def test_dry_becomes_paper_while_it_runs(desk: Machine) -> None:
    loaded = settings(desk, ConfigMode.DRY)
    asked: list[str] = []

    def filled(life: EngineRun) -> bool:
        state = life.engine.state
        if not asked and state.tallies.killed and not state.orders.live():
            asked.append(state.birth.mode.value)
            life.shell.feed(OperatorCommand(OperatorVerb.MODE, "test", mode=Mode.PAPER))
        return bool(state.fills)

    life = await run(desk, loaded, "eeeeee", filled)
    assert asked == ["DRY"]
    assert life.engine.state.birth.mode is Mode.PAPER
    [changed] = records(desk, ModeSet)
    assert (changed.mode, changed.evidence) == (Mode.PAPER, Evidence.PAPER)
    rows = [type(row.record) for row in desk.rows()]
    assert rows.index(ModeSet) < rows.index(FillBooked), "nothing was filled before"
    assert desk.run("verify").returncode == 0


async def test_without_credentials_windows_are_shown_and_not_traded(desk: Machine) -> None:
    loaded = settings(desk, ConfigMode.PAPER, keys=False)

    def synced(life: EngineRun) -> bool:
        view = life.engine.view(life.clock.now())
        booting = life.engine.state.rungs.booting
        return not booting and len(view.markets) > 0 and all(m.frames for m in view.markets)

    life = await run(desk, loaded, "cccccc", synced)
    view = life.engine.view(life.clock.now())
    assert {market.refusal for market in view.markets} == {NO_SETTLING}
    assert {market.why.gate for market in view.markets if market.why} == {Gate.NOT_LISTED}
    feed = next(feed for feed in view.feeds if feed.feed is FeedId.SETTLEMENT)
    assert (feed.connections, feed.detail) == (0, NO_SETTLING)
    assert FeedId.USER not in {feed.feed for feed in view.feeds}
    assert records(desk, OrderSigned) == []


async def test_dry_signs_and_sends_nothing(desk: Machine) -> None:
    before = desk.state()
    loaded = settings(desk, ConfigMode.DRY)
    life = await run(desk, loaded, "dddddd", lambda life: life.engine.state.tallies.killed >= 2)
    assert life.engine.state.birth.mode is Mode.DRY
    after = desk.state()
    assert (after["cash"], after["trades"]) == (before["cash"], before["trades"])
    moved = records(desk, OrderMoved)
    assert moved and {(m.state.value, m.reason) for m in moved} == {("EXPIRED", NOT_SENT)}
    assert b'"signature"' in records(desk, OrderSigned)[0].order_json
    assert records(desk, FillBooked) == []
    assert life.engine.state.orders.live() == []

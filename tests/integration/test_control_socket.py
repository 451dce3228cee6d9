"""The control socket over a real unix socket."""

from __future__ import annotations

import asyncio
import stat
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from dailyarb.core.domain.clock import ManualClock
from dailyarb.core.domain.errors import InstanceBusy
from dailyarb.core.domain.events import OperatorCommand
from dailyarb.core.domain.operator import OperatorVerb
from dailyarb.runtime.control import (
    Ack,
    AsyncControlClient,
    ControlClient,
    ControlError,
    ControlServer,
    Role,
    halt_fast,
)


class Engine:
    """Answers each command at once, as the engine's shell does."""

    def __init__(self, path: Path) -> None:
        self.commands: list[OperatorCommand] = []
        self.seen = asyncio.Event()
        self.silent = False
        self.server = ControlServer(path, self.take, ManualClock(), "r1")

    def take(self, command: OperatorCommand) -> None:
        self.commands.append(command)
        self.seen.set()
        if not self.silent:
            self.server.answer(command.request_id, True, f"did {command.verb.value}")


def mode_of(path: Path) -> int | None:
    return stat.S_IMODE(path.stat().st_mode) if path.exists() else None


def remove(path: Path) -> None:
    path.unlink()


@pytest.fixture
def path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:  # short: a socket's path is bounded
        yield Path(folder) / "control.sock"


@pytest.fixture
async def engine(path: Path) -> AsyncIterator[Engine]:
    engine = Engine(path)
    await engine.server.start()
    yield engine
    await engine.server.stop()


async def test_the_socket_is_private_and_goes_at_the_end(path: Path) -> None:
    engine = Engine(path)
    await engine.server.start()
    assert mode_of(path) == 0o600
    await engine.server.stop()
    assert mode_of(path) is None


async def test_round_trip_of_an_async_client(engine: Engine, path: Path) -> None:
    client = AsyncControlClient(path, who="ann")
    await client.connect()
    assert (client.run, client.lease, client.holder) == ("r1", True, "ann")
    halt, cancel = await asyncio.gather(
        client.send(OperatorVerb.HALT), client.send(OperatorVerb.CANCEL, target="0x1")
    )
    assert (halt, cancel) == (Ack(True, "did halt"), Ack(True, "did cancel"))
    await client.close()


async def test_round_trip_of_a_blocking_client(engine: Engine, path: Path) -> None:
    def work() -> list[Ack]:
        with ControlClient(path, who="cron") as client:
            return [
                client.send(OperatorVerb.RELEASE),
                client.send(OperatorVerb.RELEASE, confirmed=True),
            ]

    refused, done = await asyncio.to_thread(work)
    assert not refused.ok
    assert "--yes" in refused.text
    assert done == Ack(True, "did release")


async def test_a_fast_halt_arrives_though_its_sender_is_gone(engine: Engine, path: Path) -> None:
    assert halt_fast(path, "ann")  # blocking, from the loop's own thread: nobody reads meanwhile
    await asyncio.wait_for(engine.seen.wait(), 5)
    assert (engine.commands[0].verb, engine.commands[0].who) == (OperatorVerb.HALT, "ann")


def test_a_fast_halt_without_an_engine_says_so(path: Path) -> None:
    assert not halt_fast(path)


async def test_news_of_the_lease_reach_the_consoles(engine: Engine, path: Path) -> None:
    news: asyncio.Queue[tuple[bool, str]] = asyncio.Queue()
    ann = AsyncControlClient(path, who="ann")
    bob = AsyncControlClient(path, who="bob", on_lease=lambda *told: news.put_nowait(told))
    await ann.connect()
    await bob.connect()
    assert bob.holder == "ann"
    await ann.close()
    assert await asyncio.wait_for(news.get(), 5) == (False, "")
    assert (await bob.send(OperatorVerb.LEASE)).ok
    assert bob.lease
    await bob.close()


async def test_no_answer_in_time_is_an_error_not_a_wait(engine: Engine, path: Path) -> None:
    engine.silent = True
    client = AsyncControlClient(path)
    await client.connect()
    with pytest.raises(ControlError, match="no answer"):
        await client.send(OperatorVerb.HALT, timeout_s=0.05)
    with pytest.raises(ControlError, match="no answer"):
        await asyncio.to_thread(_blocking_halt, path)
    await client.close()


def _blocking_halt(path: Path) -> Ack:
    with ControlClient(path) as client:
        return client.send(OperatorVerb.HALT, timeout_s=0.05)


async def test_an_engine_that_goes_is_noticed(path: Path) -> None:
    engine = Engine(path)
    engine.silent = True
    await engine.server.start()
    client = AsyncControlClient(path)
    await client.connect()
    waiting = asyncio.create_task(client.send(OperatorVerb.HALT))
    await asyncio.wait_for(engine.seen.wait(), 5)
    await engine.server.stop()
    with pytest.raises(ControlError):
        await asyncio.wait_for(waiting, 5)
    with pytest.raises(ControlError):
        await client.send(OperatorVerb.HALT)
    await client.close()


async def test_a_second_engine_on_the_same_socket_is_refused(engine: Engine, path: Path) -> None:
    with pytest.raises(InstanceBusy):
        await Engine(path).server.start()


async def test_a_dead_socket_is_replaced(path: Path) -> None:
    import socket

    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(path))
    dead.close()
    engine = Engine(path)
    await engine.server.start()
    assert await asyncio.to_thread(halt_fast, path)
    await asyncio.wait_for(engine.seen.wait(), 5)
    await engine.server.stop()


async def test_a_wiped_run_directory_is_laid_anew(engine: Engine, path: Path) -> None:
    assert not await engine.server.ensure()
    remove(path)
    assert not halt_fast(path)
    assert await engine.server.ensure()
    assert await asyncio.to_thread(halt_fast, path)
    await asyncio.wait_for(engine.seen.wait(), 5)


async def test_a_client_that_never_reads_is_cut_off(engine: Engine, path: Path) -> None:
    _, writer = await asyncio.open_unix_connection(str(path))
    line = b'{"verb": "cancel", "id": 1, "target": "' + b"x" * 100 + b'"}\n'
    nonsense = b"?" * 60 + b"\n"
    lost = False
    for _ in range(3000):
        try:
            writer.write(line + nonsense * 20)
            await asyncio.wait_for(writer.drain(), 5)
        except (ConnectionError, TimeoutError):
            lost = True
            break
    assert lost
    assert len(engine.commands) <= 60
    assert halt_fast(path)
    writer.close()


async def test_a_connection_may_observe(engine: Engine, path: Path) -> None:
    client = AsyncControlClient(path, Role.OBSERVER)
    await client.connect()
    assert not (await client.send(OperatorVerb.HALT)).ok
    assert engine.commands == []
    await client.close()


async def test_a_greeting_given_up_leaves_no_connection(path: Path) -> None:
    greeted, left = asyncio.Event(), asyncio.Event()

    async def busy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Takes the greeting and does not answer, as an engine that hangs."""
        await reader.readline()
        greeted.set()
        await reader.read()
        left.set()
        writer.close()

    server = await asyncio.start_unix_server(busy, str(path))
    client = AsyncControlClient(path)
    connecting = asyncio.create_task(client.connect())
    await asyncio.wait_for(greeted.wait(), 5)
    connecting.cancel()
    await asyncio.gather(connecting, return_exceptions=True)
    await asyncio.wait_for(left.wait(), 5)
    assert not client.connected
    server.close()

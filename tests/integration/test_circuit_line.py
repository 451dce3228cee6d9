"""The circuit of the order path over a real socket: it opens, is probed, reconciles, trades."""

from __future__ import annotations

from dailyarb.core.domain import commands as cmd
from dailyarb.core.domain.events import Event
from dailyarb.core.domain.rung import Rung, RungCause
from dailyarb.core.domain.settings import S1Settings, S2Settings, Strategies
from dailyarb.core.risk.circuit import CircuitState
from dailyarb.runtime.submit import OrderPath
from tests.integration.test_order_path import Hostile, Write, opened, reply, until
from tests.rig import Rig, settings

QUIET = Strategies(S1=S1Settings(enabled=False), S2=S2Settings(enabled=False))
WELL = reply(200, {"heartbeat_id": "next", "canceled": [], "not_canceled": {}})
ILL = reply(500, {"error": "internal"})


class Line:
    """Carries an engine's requests over a path, and the answers back in its own time."""

    def __init__(self, rig: Rig, path: OrderPath, answers: list[Event]) -> None:
        self.rig, self.path, self.answers = rig, path, answers
        self._taken = len(rig.commands)

    async def carry(self) -> None:
        """Sends what the engine wants by now and gives it every answer."""
        wanted = self.rig.commands[self._taken :]
        self._taken = len(self.rig.commands)
        sent = 0
        for command in wanted:
            if isinstance(command, cmd.Heartbeat):
                self.path.heartbeat(command)
                sent += 1
            elif isinstance(command, cmd.CancelAll):
                self.path.cancel_all(command)
                sent += 1
        await until(lambda: len(self.answers) >= sent)
        for event in self.answers:
            self.rig.feed(event)
        self.answers.clear()

    async def live(self, seconds: float) -> None:
        """Lets the engine's time pass, a tenth of a second at once."""
        for _ in range(round(seconds * 10)):
            self.rig.advance(0.1)
            await self.carry()


async def test_the_order_path_fails_is_probed_and_trades_again_after_a_snapshot() -> None:
    answer: Write = WELL

    async def serve(writer, head: bytes, body: bytes) -> None:  # type: ignore[no-untyped-def]
        await answer(writer, head, body)

    events: list[Event] = []
    rig = Rig(settings(QUIET)).ready()
    circuit = rig.state.circuits.by_name["orders.pm"]
    async with Hostile(serve) as server, opened(server, events) as path:
        line = Line(rig, path, events)
        answer = ILL
        for _ in range(5):
            path.cancel_all(cmd.CancelAll(rig.clock.now().mono_ns))
            await until(lambda: bool(events))
            await line.carry()
        assert circuit.state is CircuitState.OPEN
        assert rig.state.rungs.overall() == (Rung.HALTED, RungCause.CIRCUIT, "orders.pm")
        await line.live(31)
        assert (circuit.state, circuit.opened) == (CircuitState.OPEN, 2), "the probe failed too"
        answer = WELL
        await line.live(31)
        assert circuit.state is CircuitState.CLOSED
        probes = [head for head, _ in server.requests if b"heartbeat" in head.lower()]
        assert len(probes) == 4, "one that failed, three that closed it"
        assert rig.state.rungs.overall()[0] is Rung.HALTED, "what became of our orders is asked"
        rig.account(1_000, asked_ns=rig.all(cmd.QueryAccount)[-1].asked_ns)
        await line.live(6)
        assert rig.state.rungs.overall()[0] is Rung.FULL

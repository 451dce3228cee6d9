"""Rules of the control socket that need no socket: floods, lease, lines."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from dailyarb.core.domain.clock import ManualClock
from dailyarb.core.domain.events import AlertState, OperatorCommand
from dailyarb.core.domain.operator import OperatorVerb
from dailyarb.core.domain.rung import Rung
from dailyarb.runtime.control import ControlError, ControlServer, Peer
from dailyarb.runtime.control_client import command_line, hello_line, whoami
from dailyarb.runtime.control_protocol import PATH_BYTES_MAX, Line, Reply, Role, check_path

SECOND = 1_000_000_000


class FakePeer(Peer):
    """Is a connection that keeps what it was sent."""

    def __init__(self, server: ControlServer) -> None:
        super().__init__(server)
        self.sent: list[Reply] = []
        assert server.admit(self)
        self.server = server

    def send(self, reply: Reply) -> None:
        self.sent.append(reply)

    def greet(self, role: Role, who: str) -> bool:
        self.data_received(hello_line(role, who))
        greeting = self.sent[-1].hello
        assert greeting is not None
        return greeting.lease

    def ask(self, verb: OperatorVerb, **fields: object) -> str:
        """Sends a command; returns why it was refused, or ""."""
        before = len(self.sent)
        self.data_received(command_line(1, verb, fields))
        answers = [r for r in self.sent[before:] if r.id is not None]
        return answers[0].text if answers else ""


class Desk:
    """Is a server with its clock and what reached the engine."""

    def __init__(self) -> None:
        self.clock = ManualClock(SECOND, SECOND)
        self.commands: list[OperatorCommand] = []
        self.rung = Rung.FULL
        self.alerts: list[AlertState] = []
        self.server = ControlServer(
            Path("unused"),
            self.commands.append,
            self.clock,
            "r1",
            lambda: self.rung,
            self.alerts.append,
        )

    def peer(self, role: Role, who: str = "ann") -> FakePeer:
        peer = FakePeer(self.server)
        peer.greet(role, who)
        return peer


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_the_first_console_holds_the_lease_and_the_second_does_not(desk: Desk) -> None:
    assert FakePeer(desk.server).greet(Role.OPERATOR, "ann")
    assert not FakePeer(desk.server).greet(Role.OPERATOR, "bob")
    assert desk.server.holder == "ann"


def test_a_command_carries_who_asked_and_all_fields(desk: Desk) -> None:
    ann = desk.peer(Role.OPERATOR)
    fields = {"target": "m1", "reason": "why", "frame": 7, "confirmed": True}
    assert ann.ask(OperatorVerb.FLATTEN, **fields) == ""
    assert desk.commands == [
        OperatorCommand(OperatorVerb.FLATTEN, "ann", 1, "m1", None, None, "why", 7, True)
    ]


def test_an_answer_goes_to_the_asker_with_its_own_number(desk: Desk) -> None:
    ann, bob = desk.peer(Role.OPERATOR), desk.peer(Role.OPERATOR, "bob")
    bob.data_received(command_line(41, OperatorVerb.HALT, {}))
    desk.server.answer(desk.commands[0].request_id, True, "halted")
    assert bob.sent[-1] == Reply(id=41, ok=True, text="halted")
    assert all(reply.id is None for reply in ann.sent)
    desk.server.answer(999, True, "nobody asked")


@pytest.mark.parametrize(
    ("verb", "fields"),
    [
        (OperatorVerb.HALT, {}),
        (OperatorVerb.RUNG, {"rung": Rung.REDUCED}),
        (OperatorVerb.RUNG, {"rung": Rung.FULL}),  # where it stands already
        (OperatorVerb.CANCEL, {}),
        (OperatorVerb.STRATEGY_PAUSE, {"target": "S1"}),
        (OperatorVerb.DISARM, {}),
    ],
)
@pytest.mark.parametrize("role", [Role.OPERATOR, Role.ONCE])
def test_lowering_risk_needs_no_lease(
    desk: Desk, role: Role, verb: OperatorVerb, fields: dict[str, object]
) -> None:
    desk.peer(Role.OPERATOR, "holder")
    assert desk.peer(role, "bob").ask(verb, **fields) == ""
    assert desk.commands[-1].verb is verb


@pytest.mark.parametrize(
    ("verb", "fields"),
    [
        (OperatorVerb.RELEASE, {}),
        (OperatorVerb.RUNG, {"rung": Rung.FULL}),
        (OperatorVerb.FLATTEN, {}),
        (OperatorVerb.ARM, {"target": "main"}),
        (OperatorVerb.BREAKER_RESET, {"target": "x"}),
        (OperatorVerb.STOP, {}),
    ],
)
def test_raising_risk_needs_the_lease_or_a_confirmed_one_shot(
    desk: Desk, verb: OperatorVerb, fields: dict[str, object]
) -> None:
    desk.rung = Rung.HALTED
    ann = desk.peer(Role.OPERATOR, "ann")
    assert "ann holds the lease" in desk.peer(Role.OPERATOR, "bob").ask(verb, **fields)
    once = desk.peer(Role.ONCE, "cron")
    assert "--yes" in once.ask(verb, **fields)
    assert desk.commands == []
    assert once.ask(verb, confirmed=True, **fields) == ""
    assert ann.ask(verb, **fields) == ""
    assert [command.who for command in desk.commands] == ["cron", "ann"]


def test_an_observer_sends_nothing(desk: Desk) -> None:
    eve = desk.peer(Role.OBSERVER, "eve")
    assert desk.server.holder == ""
    assert eve.ask(OperatorVerb.HALT) == "an observer only looks"
    assert desk.commands == []


def test_a_keeper_tells_how_its_channels_are_and_nothing_else(desk: Desk) -> None:
    keeper, ann = desk.peer(Role.KEEPER, "keeper"), desk.peer(Role.ONCE)
    down = AlertState("phone", False, 3, "refused", None, 61.0)
    line = msgspec.json.encode(Line(alert=down)) + b"\n"
    before = len(keeper.sent)
    for peer in (keeper, ann):
        peer.data_received(line)
    assert desk.alerts == [down]
    assert len(keeper.sent) == before
    assert ann.sent[-1].text == "no such command"
    assert keeper.ask(OperatorVerb.HALT) == "a keeper only reports"
    keeper.data_received(line * 100)
    assert len(desk.alerts) < 50  # a keeper that floods is not listened to
    assert desk.commands == []


def test_the_lease_passes_when_its_holder_leaves(desk: Desk) -> None:
    ann, bob = desk.peer(Role.OPERATOR, "ann"), desk.peer(Role.OPERATOR, "bob")
    ann.connection_lost(None)
    assert desk.server.holder == ""
    assert bob.sent[-1] == Reply(lease=False, holder="")
    assert bob.ask(OperatorVerb.RELEASE) == ""
    assert desk.server.holder == "bob"


def test_the_lease_passes_from_an_idle_holder_to_who_asks(desk: Desk) -> None:
    ann, bob = desk.peer(Role.OPERATOR, "ann"), desk.peer(Role.OPERATOR, "bob")
    assert "ann holds the lease, idle 0 s" in bob.ask(OperatorVerb.LEASE)
    desk.clock.advance(899 * SECOND)
    assert bob.ask(OperatorVerb.LEASE) != ""
    desk.clock.advance(SECOND)
    assert bob.ask(OperatorVerb.LEASE) == ""
    assert desk.server.holder == "bob"
    assert ann.sent[-1] == Reply(lease=False, holder="bob")
    assert desk.commands[-1].verb is OperatorVerb.LEASE


def test_the_lease_can_be_taken_on_confirmation(desk: Desk) -> None:
    desk.peer(Role.OPERATOR, "ann")
    bob = desk.peer(Role.OPERATOR, "bob")
    assert bob.ask(OperatorVerb.LEASE, confirmed=True) == ""
    assert desk.server.holder == "bob"
    assert desk.peer(Role.ONCE, "ctl").ask(OperatorVerb.LEASE, confirmed=True) != ""


def test_a_flood_is_refused_and_counted_and_does_not_close_the_way_to_a_halt(desk: Desk) -> None:
    ann = desk.peer(Role.OPERATOR)
    for _ in range(1000):
        ann.ask(OperatorVerb.CANCEL)
    assert len(desk.commands) == 40
    assert desk.server.refused == 960
    assert ann.ask(OperatorVerb.HALT) == ""
    for _ in range(1000):
        ann.ask(OperatorVerb.HALT)
    assert len(desk.commands) == 50
    desk.clock.advance(SECOND)
    assert ann.ask(OperatorVerb.CANCEL) == ""


def test_one_flooding_console_costs_another_nothing(desk: Desk) -> None:
    ann, bob = desk.peer(Role.OPERATOR), desk.peer(Role.OPERATOR, "bob")
    for _ in range(100):
        ann.ask(OperatorVerb.CANCEL)
    assert bob.ask(OperatorVerb.CANCEL) == ""


@pytest.mark.parametrize(
    "line",
    [
        b"\xff\xfe",
        b"{}",
        b'{"id": 1}',
        b'{"verb": "fly"}',
        b'{"verb": "risk", "rung": "MAX"}',
        b"[" * 5000,
        b'{"who": "' + b"x" * 20_000 + b'"}',
        b'{"verb": "halt", "id": 1e999}',
    ],
)
def test_nonsense_is_refused_and_nothing_else(desk: Desk, line: bytes) -> None:
    ann = desk.peer(Role.OPERATOR)
    ann.data_received(line + b"\n")
    assert ann.sent[-1].ok is False
    assert desk.commands == []
    assert ann.ask(OperatorVerb.HALT) == ""


def test_lines_may_arrive_in_pieces(desk: Desk) -> None:
    ann = desk.peer(Role.OPERATOR)
    for piece in command_line(1, OperatorVerb.HALT, {}):
        ann.data_received(bytes([piece]))
    assert len(desk.commands) == 1


def test_connections_are_bounded(desk: Desk) -> None:
    for _ in range(64):
        desk.peer(Role.OBSERVER)
    assert not desk.server.admit(Peer(desk.server))


def test_a_rung_goes_by_name() -> None:
    line = msgspec.json.decode(
        command_line(1, OperatorVerb.RUNG, {"rung": Rung.HEDGE_ONLY}), type=Line
    )
    assert line.rung == "HEDGE_ONLY"
    command = line.command("ann", 5)
    assert command is not None
    assert (command.rung, command.request_id) == (Rung.HEDGE_ONLY, 5)


def test_a_path_too_long_for_a_socket_is_refused_with_a_hint() -> None:
    check_path(Path("/" + "x" * (PATH_BYTES_MAX - 1)))
    with pytest.raises(ControlError, match="XDG_RUNTIME_DIR"):
        check_path(Path("/" + "x" * PATH_BYTES_MAX))


def test_the_command_line_asks_who_holds_the_lease_and_frees_it_when_confirmed(desk: Desk) -> None:
    once = desk.peer(Role.ONCE, "script")
    assert once.ask(OperatorVerb.LEASE) == "nobody holds the lease"
    assert once.sent[-1].ok
    ann = desk.peer(Role.OPERATOR, "ann")
    bob = desk.peer(Role.OPERATOR, "bob")
    desk.clock.advance(12 * SECOND)
    assert once.ask(OperatorVerb.LEASE) == "ann holds the lease, idle 12 s"
    assert desk.commands == [], "looking is no command"
    refused = once.ask(OperatorVerb.LEASE, target="release")
    assert refused == "ann holds the lease, idle 12 s; confirm to free it"
    assert once.ask(OperatorVerb.LEASE, target="release", confirmed=True) == ""
    assert (desk.server.holder, desk.commands[-1].target) == ("", "release")
    assert ann.sent[-1] == Reply(lease=False, holder="")
    assert bob.ask(OperatorVerb.RELEASE) == "", "who acts next holds it"
    assert desk.server.holder == "bob"


def test_a_console_frees_its_own_lease_and_nobody_elses(desk: Desk) -> None:
    ann, bob = desk.peer(Role.OPERATOR, "ann"), desk.peer(Role.OPERATOR, "bob")
    assert bob.ask(OperatorVerb.LEASE, target="release", confirmed=True) == "nothing to release"
    assert ann.ask(OperatorVerb.LEASE, target="release") == ""
    assert desk.server.holder == ""
    once = desk.peer(Role.ONCE, "script")
    free = once.ask(OperatorVerb.LEASE, target="release", confirmed=True)
    assert free == "nothing to release"


def test_an_operator_is_named_by_user_and_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "ann")
    monkeypatch.setattr(os, "ttyname", lambda _: "/dev/pts/3")
    assert whoami() == "ann@pts/3"


def test_an_operator_without_a_name_or_terminal_is_named_by_numbers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(*_: object) -> str:
        raise KeyError("getpwuid(): uid not found")

    def no_terminal(_: int) -> str:
        raise OSError(25, "Inappropriate ioctl for device")

    monkeypatch.setattr("getpass.getuser", missing)
    monkeypatch.setattr(os, "ttyname", no_terminal)
    assert whoami() == f"{os.getuid()}@{os.getpid()}"

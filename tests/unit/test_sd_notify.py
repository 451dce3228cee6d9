"""What systemd is told: ready after reconciliation, alive by the heartbeat."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from dailyarb.core.domain.view import BootStep
from dailyarb.runtime.sd_notify import Notifier
from dailyarb.tui.fixtures import halted, running

BOOTING = replace(running(), booting=(BootStep("account", False),))


@pytest.fixture
def manager() -> Iterator[tuple[socket.socket, str]]:
    with (
        tempfile.TemporaryDirectory() as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made,
    ):
        path = str(Path(folder) / "notify")
        made.bind(path)
        made.setblocking(False)
        yield made, path


def heard(manager: socket.socket) -> list[str]:
    try:
        return manager.recv(4096).decode().splitlines()
    except BlockingIOError:
        return []


def test_ready_is_said_once_a_run_after_reconciliation(manager: tuple[socket.socket, str]) -> None:
    made, path = manager
    notifier = Notifier({"NOTIFY_SOCKET": path})
    notifier.tell(BOOTING, True)
    assert heard(made) == ["WATCHDOG=1", "STATUS=SIM FULL"]
    notifier.tell(running(), True)
    assert heard(made) == ["READY=1", "WATCHDOG=1", "STATUS=SIM FULL"]
    notifier.tell(halted(), True)
    assert heard(made) == ["WATCHDOG=1", "STATUS=SIM HALTED"]
    notifier.tell(replace(running(), run="other"), True)
    assert heard(made)[0] == "READY=1"


def test_an_engine_that_hangs_feeds_no_watchdog(manager: tuple[socket.socket, str]) -> None:
    made, path = manager
    notifier = Notifier({"NOTIFY_SOCKET": path})
    notifier.tell(running(), False)
    notifier.tell(None, True)
    assert heard(made) == []


def test_a_name_without_a_file_is_understood() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.bind("")  # the kernel chooses a name
        made.setblocking(False)
        name = made.getsockname()
        Notifier({"NOTIFY_SOCKET": "@" + name[1:].decode()}).tell(running(), True)
        assert heard(made)[0] == "READY=1"


def test_without_a_manager_nothing_is_said_and_one_that_is_gone_costs_nothing() -> None:
    Notifier({}).tell(running(), True)
    notifier = Notifier({"NOTIFY_SOCKET": "/nowhere/notify"})
    notifier.tell(running(), True)
    assert notifier._ready_run == "", "it was not heard, so it is said again"

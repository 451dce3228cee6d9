"""Places and locks of an instance."""

from __future__ import annotations

import fcntl
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dailyarb.core.domain.errors import InstanceBusy
from dailyarb.runtime.paths import InstanceLock, PlaceError, Places, holder_of, make_private

WALLET = "0x00000000000000000000000000000000000000AA"


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    places = Places("main")
    places.make()
    return places


def test_places_follow_the_xdg_folders(places: Places, tmp_path: Path) -> None:
    assert places.board == tmp_path / "run/dailyarb/main/board"
    assert places.socket.parent == places.run_dir
    assert places.journal == tmp_path / "state/dailyarb/main/journal.db"
    assert places.log.parent == places.recordings.parent == places.state_dir
    assert places.wallets_dir == tmp_path / "state/dailyarb/wallets"


def test_without_a_runtime_folder_the_temporary_one_serves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    assert f"dailyarb-{os.getuid()}" in str(Places("x").run_dir)
    assert ".local/state/dailyarb/x" in str(Places("x").state_dir)


def test_directories_are_private_and_narrowed(places: Places) -> None:
    places.run_dir.chmod(0o755)
    places.make()
    for folder in (places.run_dir, places.state_dir, places.wallets_dir, places.recordings):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_link_or_a_file_in_place_of_a_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "file").write_text("")
    for name in ("link", "file"):
        with pytest.raises(PlaceError):
            make_private(tmp_path / name)


def test_a_second_instance_is_refused_and_told_who_holds_it(places: Places) -> None:
    with InstanceLock(places, run="7f3c"):
        with pytest.raises(InstanceBusy, match=f"instance main is in use by pid {os.getpid()}"):
            InstanceLock(places)
        assert holder_of(places.lock) == {"pid": os.getpid(), "run": "7f3c", "instance": "main"}
    assert holder_of(places.lock) is None
    InstanceLock(places).release()


def test_the_same_wallet_in_another_instance_is_refused(places: Places) -> None:
    other = Places("other")
    other.make()
    with InstanceLock(places, WALLET):
        with pytest.raises(InstanceBusy, match=r"wallet .* instance main"):
            InstanceLock(other, WALLET.lower())
        InstanceLock(other).release()  # the refused attempt kept nothing
        InstanceLock(other, WALLET.replace("A", "B")).release()


def test_a_lock_goes_with_its_process(places: Places) -> None:
    code = (
        "import os, sys; from dailyarb.runtime.paths import *; "
        "lock = InstanceLock(Places('main')); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        with pytest.raises(InstanceBusy, match=f"pid {child.pid}"):
            InstanceLock(places)
        child.kill()
        child.wait()
    InstanceLock(places).release()


def test_who_only_looks_does_not_keep_an_engine_out(places: Places) -> None:
    places.lock.touch()
    looking = os.open(places.lock, os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    gone = threading.Timer(0.02, os.close, (looking,))
    gone.start()
    InstanceLock(places).release()
    gone.join()


def test_an_unreadable_lock_file_is_named(places: Places) -> None:
    places.lock.mkdir()
    with pytest.raises(PlaceError, match="lock"):
        InstanceLock(places)
    assert holder_of(places.state_dir / "none") is None

"""Where an instance keeps its files, and the locks that make it the only one.

Run directory (tmpfs, private): board and socket, nothing that must last. State directory:
journal, ballast, recordings, logs. Locks are `flock`s: they go with their process, however it
ends, so none is ever stale.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import stat
import tempfile
import time
from pathlib import Path

from dailyarb.core.domain.errors import DailyarbError, InstanceBusy

_PRIVATE = 0o700
_RETRIES = 20
_RETRY_S = 0.01


class PlaceError(DailyarbError):
    """A directory of ours cannot be made, or is not ours alone."""


class Places:
    """Names the files of one instance; creates nothing until `make`.

    Args:
        instance: the instance's name, as the settings allow it.
    """

    def __init__(self, instance: str) -> None:
        self.instance = instance
        self.run_dir = _run_root() / instance
        self.state_dir = _state_root() / instance
        self.wallets_dir = _state_root() / "wallets"

    @property
    def board(self) -> Path:
        """Returns the board's file."""
        return self.run_dir / "board"

    @property
    def socket(self) -> Path:
        """Returns the control socket."""
        return self.run_dir / "control.sock"

    @property
    def journal(self) -> Path:
        """Returns the journal's first file."""
        return self.state_dir / "journal.db"

    @property
    def log(self) -> Path:
        """Returns the log file."""
        return self.state_dir / "log.jsonl"

    @property
    def recordings(self) -> Path:
        """Returns the folder of raw frames."""
        return self.state_dir / "recordings"

    @property
    def lock(self) -> Path:
        """Returns the file that the engine of this instance holds locked."""
        return self.state_dir / "lock"

    @property
    def engine_output(self) -> Path:
        """Returns where a detached engine's standard output and errors go."""
        return self.state_dir / "engine.out"

    def wallet_lock(self, wallet: str) -> Path:
        """Returns the lock file of a wallet; its name does not tell the address."""
        name = hashlib.blake2b(wallet.lower().encode(), digest_size=12).hexdigest()
        return self.wallets_dir / f"{name}.lock"

    def make(self) -> None:
        """Creates the directories, private to the user.

        Raises:
            PlaceError: one cannot be made, belongs to somebody else, or is open to others.
        """
        for folder in (self.run_dir, self.state_dir, self.wallets_dir, self.recordings):
            make_private(folder)


def make_private(folder: Path) -> None:
    """Creates a directory with mode 0700, or narrows one of ours to it.

    Raises:
        PlaceError: it cannot be made, is a link, or belongs to another user.
    """
    try:
        folder.parent.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
        folder.mkdir(mode=_PRIVATE, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise PlaceError(f"{folder}: {error.strerror or error}") from None
    if not stat.S_ISDIR(found.st_mode):
        raise PlaceError(f"{folder}: not a directory")
    if found.st_uid != os.getuid():
        raise PlaceError(f"{folder}: belongs to another user")
    if stat.S_IMODE(found.st_mode) != _PRIVATE:
        folder.chmod(_PRIVATE)


class InstanceLock:
    """Holds the locks of one instance, and of its wallet if it has one.

    Args:
        places: the instance's places, made already.
        wallet: address of the wallet it trades with, "" where there is none.
        run: this run's id, told to who is refused.

    Raises:
        InstanceBusy: another process holds one of them; the error says which and who.
        PlaceError: a lock file cannot be opened.
    """

    def __init__(self, places: Places, wallet: str = "", run: str = "") -> None:
        self._held: list[int] = []
        wanted = [(f"instance {places.instance}", places.lock)]
        if wallet:
            wanted.append((f"wallet {wallet}", places.wallet_lock(wallet)))
        text = json.dumps({"pid": os.getpid(), "run": run, "instance": places.instance})
        try:
            for what, path in wanted:
                self._held.append(take_lock(what, path, text))
        except DailyarbError:
            self.release()
            raise

    def release(self) -> None:
        """Gives the locks back; the files stay, an flock needs no clearing up."""
        for handle in self._held:
            os.close(handle)
        self._held.clear()

    def __enter__(self) -> InstanceLock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def holder_of(path: Path) -> dict[str, object] | None:
    """Returns pid, run and instance of the process that holds a lock file, or None if free."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read_holder(handle)
    else:
        return None
    finally:
        os.close(handle)


def take_lock(what: str, path: Path, text: str = "") -> int:
    """Locks a file and returns its handle; closing the handle gives the lock back.

    Args:
        what: what the file stands for, in the words of the refusal.
        path: the file, created with mode 0600.
        text: JSON object that tells others who holds it.

    Raises:
        InstanceBusy: another process holds it; the error says who.
        PlaceError: the file cannot be opened.
    """
    try:
        handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        raise PlaceError(f"{path}: {error.strerror or error}") from None
    if not _locked(handle):
        holder = _read_holder(handle)
        os.close(handle)
        who = ", ".join(f"{key} {told}" for key, told in holder.items()) or "an unknown process"
        raise InstanceBusy(f"{what} is in use by {who}")
    os.ftruncate(handle, 0)
    os.pwrite(handle, text.encode(), 0)
    return handle


def _locked(handle: int) -> bool:
    """Locks for good; a look by `holder_of` is over in a moment, an owner stays."""
    for pause_s in (*([_RETRY_S] * _RETRIES), None):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if pause_s is not None:
                time.sleep(pause_s)
        else:
            return True
    return False


def _read_holder(handle: int) -> dict[str, object]:
    with contextlib.suppress(ValueError):
        found = json.loads(os.pread(handle, 4096, 0))
        if isinstance(found, dict):
            return found
    return {}


def _run_root() -> Path:
    given = os.environ.get("XDG_RUNTIME_DIR")
    if given:
        return Path(given) / "dailyarb"
    return Path(tempfile.gettempdir()) / f"dailyarb-{os.getuid()}"


def _state_root() -> Path:
    given = os.environ.get("XDG_STATE_HOME")
    return Path(given) / "dailyarb" if given else Path.home() / ".local" / "state" / "dailyarb"

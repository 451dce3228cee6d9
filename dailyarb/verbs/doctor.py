"""`dailyarb doctor`: what is ok, what is not, and what to do about it."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import pkgutil
import resource
import shutil
import sys
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

import msgspec

from dailyarb import _fast, config
from dailyarb.core.domain.errors import BoardError, ConfigError, JournalError, SecretError
from dailyarb.core.domain.settings import Settings, VenueKind
from dailyarb.runtime import secrets
from dailyarb.runtime.paths import Places, holder_of
from dailyarb.verbs import channels, past
from dailyarb.verbs.engine import Window, instance_of, places
from dailyarb.verbs.output import Column, Output

PREFLIGHT_FAILED = 7
OPEN_FILES_MIN = 1024
_SECRETS = ("private_key", "api_key", "api_secret", "api_passphrase")
_MIB = 1 << 20


class Finding(msgspec.Struct, frozen=True):
    """Is one thing that was looked at: ok, warn (works, but), or bad (will not work)."""

    check: str
    state: str
    found: str
    todo: str = ""


def doctor(arguments: Namespace, out: Output) -> int:
    """Looks at everything an engine needs; exit 7 if something is bad."""
    instance = instance_of(arguments)
    found = [*_machine(), *_build(), *_files(places(instance))]
    try:
        given = {"instance": instance}
        loaded = config.load(arguments.config, given)
    except ConfigError as error:
        what = f"{len(error.problems)} faults, the first: {error.problems[0]}"
        found.append(Finding("config", "bad", what, "dailyarb config check names them all"))
    else:
        found.append(Finding("config", "ok", f"{loaded.path} {loaded.hash}"))
        found += _credentials(loaded.settings)
        found += _channels(loaded.settings)
        found += _disk(loaded.settings, places(instance))
    found += _engine(instance)
    columns = [
        Column("check", "check"),
        Column("state", "state"),
        Column("found", "found"),
        Column("todo", "what to do"),
    ]
    out.table(columns, msgspec.to_builtins(found), empty="nothing was looked at")
    return PREFLIGHT_FAILED if any(finding.state == "bad" for finding in found) else 0


def _machine() -> Iterator[Finding]:
    cores = os.cpu_count() or 1
    todo = "" if cores > 1 else "with a second core the engine owns one and its tail is shorter"
    yield Finding("cores", "warn" if todo else "ok", str(cores), todo)
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    todo = "" if soft >= OPEN_FILES_MIN else f"ulimit -n {OPEN_FILES_MIN}"
    yield Finding("open files", "warn" if todo else "ok", f"at most {soft}", todo)
    if sys.platform.startswith("linux"):
        yield _clock()


def _clock() -> Finding:
    """Says whether the kernel holds the wall clock to be synchronised (no network needed)."""
    import ctypes

    class Timex(ctypes.Structure):
        """Is the head of the kernel's `struct timex`, with room for its tail."""

        _fields_ = (
            ("modes", ctypes.c_uint),
            ("offset", ctypes.c_long),
            ("freq", ctypes.c_long),
            ("maxerror", ctypes.c_long),
            ("esterror", ctypes.c_long),
            ("status", ctypes.c_int),
            ("tail", ctypes.c_byte * 512),
        )

    time_error = 5
    state = ctypes.CDLL(None).adjtimex(ctypes.byref(asked := Timex()))
    if state in (-1, time_error):
        todo = "run an NTP service; the engine measures the offset to the venues either way"
        return Finding("clock", "warn", "not synchronised, says the kernel", todo)
    return Finding("clock", "ok", f"synchronised within {asked.maxerror / 1000:.0f} ms")


def _build() -> Iterator[Finding]:
    """Imports every compiled module: a build for another interpreter shows here."""
    names = sorted(found.name for found in pkgutil.iter_modules(_fast.__path__))
    broken = []
    for name in names:
        try:
            importlib.import_module(f"dailyarb._fast.{name}")
        except ImportError as error:
            broken.append(f"{name}: {error}")
    if broken or not names:
        yield Finding(
            "build",
            "bad",
            "; ".join(broken) or "no compiled modules",
            "make, or pip install dailyarb again",
        )
    else:
        yield Finding("build", "ok", f"{len(names)} compiled modules")
    if importlib.util.find_spec("uvloop") is None:
        todo = "pip install 'dailyarb[uvloop]' for shorter waits"
        yield Finding("event loop", "warn", "asyncio", todo)
    else:
        yield Finding("event loop", "ok", f"uvloop {importlib.metadata.version('uvloop')}")


def _files(place: Places) -> Iterator[Finding]:
    for what, folder in (("run directory", place.run_dir), ("state directory", place.state_dir)):
        standing = next(path for path in (folder, *folder.parents) if path.exists())
        if not os.access(standing, os.W_OK):
            yield Finding(what, "bad", f"{standing} may not be written", "change its owner or mode")
        elif folder.exists() and folder.stat().st_mode & 0o077:
            yield Finding(what, "bad", f"{folder} is open to others", f"chmod 700 {folder}")
        else:
            yield Finding(what, "ok", str(folder))


def _disk(settings: Settings, place: Places) -> Iterator[Finding]:
    need = settings.journal.ballast_mib + 2 * settings.journal.wal_mib_max
    need += settings.recording.quota_mib if settings.recording.enabled else 0
    folder = place.state_dir
    standing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(standing).free // _MIB
    what = f"{free:,} MiB free, {need:,} MiB wanted"
    todo = "" if free >= need else "make room, or lower recording.quota_mib"
    yield Finding("disk", "bad" if todo else "ok", what, todo)


def _channels(settings: Settings) -> Iterator[Finding]:
    rows = list(channels.check(settings.alerts))
    if not rows:
        live = settings.venues.kind is VenueKind.LIVE
        todo = "[alerts.routes] of the settings" if live else ""
        what = "no channel: they stay in log and console"
        yield Finding("alerts", "warn" if live else "ok", what, todo)
    for row in rows:
        good = row.state == "ok"
        todo = channels.TRY if good else "the reference, and its address"
        yield Finding(f"alerts {row.channel}", row.state, row.found, todo)


def _credentials(settings: Settings) -> Iterator[Finding]:
    """Resolves each reference and forgets it at once; only whether it could is told."""
    if settings.venues.kind is not VenueKind.LIVE:
        yield Finding("credentials", "ok", f"none needed on {settings.venues.kind.value} venues")
        return
    for name in _SECRETS:
        reference = getattr(settings.credentials, name)
        if not reference:
            todo = f"credentials.{name}: without it 5m, 15m and 4h windows are not traded"
            yield Finding(f"credential {name}", "warn", "none", todo)
            continue
        yield _resolved(name, reference)


def _resolved(name: str, reference: str) -> Finding:
    try:
        secrets.resolve(reference, name)
    except SecretError as error:
        return Finding(f"credential {name}", "bad", str(error), "the reference, its file and mode")
    return Finding(f"credential {name}", "ok", f"read from {reference.partition(':')[0]}")


def _engine(instance: str) -> Iterator[Finding]:
    """Looks at the running engine's feeds and journal, if there is one."""
    journal = places(instance).journal
    yield _journal(journal)
    try:
        with Window(instance) as window:
            seen = window.look()
    except BoardError:
        yield Finding("engine", "ok", f"none runs as {instance!r}")
        return
    ended = None if seen.alive else past.ending(journal, seen.view.run)
    if ended is not None and ended.code == 0:
        yield Finding("engine", "ok", f"none runs as {instance!r}; the last run ended cleanly")
        return
    if not seen.alive:
        what = f"pid {seen.pid} is gone or silent since {seen.age_s:.0f} s"
        yield Finding("engine", "warn", what, "dailyarb starts it again")
        return
    yield Finding("engine", "ok", f"pid {seen.pid}, {seen.view.mode.value}, {seen.view.rung.name}")
    keeper = holder_of(places(instance).state_dir / "keeper.lock")
    what = f"pid {keeper.get('pid')}" if keeper else "none watches"
    todo = "" if keeper else "its engine starts one; see keeper.jsonl beside the journal"
    yield Finding("keeper", "ok" if keeper else "warn", what, todo)
    for row in seen.view.channels:
        state = "ok" if row.ok else "warn"
        yield Finding(f"channel {row.channel}", state, row.detail or "delivers")
    for feed in seen.view.feeds:
        what = f"{feed.connections}/{feed.wanted} connections, {feed.age_ms} ms old"
        whole = feed.connections >= feed.wanted
        todo = "" if whole else feed.detail or "see dailyarb tail --evt 'feed.*'"
        yield Finding(f"feed {feed.feed.value}", "ok" if whole else "warn", what, todo)
    offset = seen.view.clock_offset_ms
    if offset is not None:
        yield Finding("venue clock", "ok", f"{offset:+.0f} ms to ours")


def _journal(path: Path) -> Finding:
    from dailyarb.runtime.journal_read import JournalReader

    if not path.exists():
        return Finding("journal", "ok", "none yet")
    try:
        with JournalReader(path) as reader:
            return Finding("journal", "ok", f"{reader.last_seq():,} rows in {path}")
    except JournalError as error:
        return Finding("journal", "bad", str(error), "dailyarb verify")

"""Recovery: what an engine reads before it does anything else.

Start-up and crash recovery are one path: the rows from the last checkpoint on, each checked
against its chain; `verify` proves those before. A journal that cannot be believed stops the start;
`set_aside` keeps it and makes room for a new one, which is then rebuilt from the venue.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from dailyarb.core.domain.clock import Instant
from dailyarb.core.domain.errors import JournalCorrupt, JournalError
from dailyarb.core.domain.records import Checkpointed, RunEnded, RungSet, RunStarted
from dailyarb.core.domain.rung import Evidence, Rung
from dailyarb.core.domain.settings import JournalSettings
from dailyarb.core.engine import checkpoint
from dailyarb.runtime.journal import Journal
from dailyarb.runtime.journal_read import (
    JournalReader,
    Row,
    check_head,
    decode,
    head_path,
    walk,
)

REBUILT = "rebuild"  # stands for a run in a journal begun anew


class Recovered(msgspec.Struct, frozen=True):
    """Is what the journal says of earlier runs.

    rows: from the last checkpoint of the class on (itself included), oldest first, all classes.
    checkpoint: its sequence number, 0 where the rows begin at the first.
    last_run: the newest run, "" in a fresh instance.
    clean: whether the newest run ended by itself with code 0, or there was none.
    """

    rows: tuple[Row, ...]
    checkpoint: int
    last_seq: int
    last_run: str
    clean: bool

    def rebooted(self, mono_ns: int) -> bool:
        """Says whether the machine has started anew since the last row: the boot clock fell back.

        Of such an outage the rows of the last sync may be missing (F69).
        """
        return bool(self.rows) and not self.clean and self.rows[-1].mono_ns > mono_ns


def load(path: Path, evidence: Evidence, world: str = "") -> Recovered:
    """Returns what a new run has to start from; an instance without a journal is fresh.

    Args:
        path: the journal's first file.
        evidence: class of the new run: a checkpoint of another one does not know its money.
        world: whose money the new run is about, as its `RunStarted` will say.

    Raises:
        JournalError: the files cannot be opened, or hold the live money of another wallet.
        JournalCorrupt: the first row that is missing, altered or unreadable.
    """
    if not path.exists():
        check_head(path, 0)
        return Recovered((), 0, 0, "", True)
    with JournalReader(path) as reader:
        begin = _begin(path, reader, evidence)
    rows = tuple(decode(path, raw) for _, raw in walk(path, max(0, begin - 1)))
    if not rows:
        return Recovered((), 0, 0, "", True)
    if evidence is Evidence.LIVE:
        _refuse_foreign(path, rows, world)
    last = rows[-1]
    codes = [r.record.code for r in rows if isinstance(r.record, RunEnded) and r.run == last.run]
    return Recovered(rows, begin, last.seq, last.run, bool(codes) and codes[-1] == 0)


def _refuse_foreign(path: Path, rows: Sequence[Row], world: str) -> None:
    """Raises JournalError where the newest live run was about other money."""
    known = ""
    for row in rows:
        record = row.record
        if isinstance(record, RunStarted) and record.evidence is Evidence.LIVE:
            known = record.world
        elif isinstance(record, Checkpointed) and row.evidence is Evidence.LIVE:
            kept = checkpoint.read(record)
            known = kept.world if kept is not None else known
    if known and known != world:
        what = f"its live money is of {known}, these settings trade {world or 'none'}"
        raise JournalError(f"{path}: foreign state: {what}; use another --instance")


def _begin(path: Path, reader: JournalReader, evidence: Evidence) -> int:
    """Returns the newest checkpoint that this version reads, 0 where there is none."""
    seq = reader.last_seq() + 1
    while seq := reader.last_of(Checkpointed.__name__, evidence, seq):
        [raw] = reader.raw_since(seq - 1, 1)
        record = decode(path, raw).record
        try:
            if isinstance(record, Checkpointed) and checkpoint.read(record) is not None:
                return seq
        except msgspec.DecodeError as error:
            raise JournalCorrupt(str(path), seq, f"unreadable checkpoint: {error}") from None
    return 0


def rebuild(path: Path, now: Instant, who: str) -> list[Path]:
    """Keeps a journal that cannot be believed aside and begins a new one, halted.

    Money, orders and positions come from the venue's snapshot when an engine starts on it. Nobody
    knows any more what the operator's rung was, so it is HALTED until a person raises it.

    Args:
        path: the journal's first file; no engine runs on it.
        now: both clocks.
        who: the operator, for the journal.

    Returns:
        The new names of the files kept.

    Raises:
        JournalError: a file cannot be renamed, or the new journal cannot be written.
    """
    evidence = _last_evidence(path)
    moved = set_aside(path, now.wall_ns)
    kept = moved[0].name if moved else "gone"
    why = f"journal rebuilt; the broken one is {kept}"
    journal = Journal(path, REBUILT, evidence, JournalSettings(ballast_mib=0))
    journal.append([RungSet(Rung.HALTED, who, why)], now)
    journal.close()
    return moved


def _last_evidence(path: Path) -> Evidence:
    """Returns the class of the last row that can be believed, SIM where there is none."""
    evidence = Evidence.SIM
    with contextlib.suppress(JournalError):
        for _, raw in walk(path):
            evidence = Evidence(raw[5])
    return evidence


def set_aside(path: Path, wall_ns: int) -> list[Path]:
    """Renames all files of a journal out of the way and returns their new names.

    Nothing is deleted: the broken journal may be all there is to say what happened.

    Raises:
        JournalError: a file cannot be renamed, or the journal is in use.
    """
    moved = []
    names = [path, *path.parent.glob(f"{path.stem}-[0-9]*{path.suffix}"), head_path(path)]
    companions = [file.with_name(file.name + end) for file in names for end in ("-wal", "-shm")]
    for file in [*names, *companions]:
        if not file.exists():
            continue
        target = file.with_name(f"broken-{wall_ns}-{file.name}")
        try:
            file.rename(target)
        except OSError as error:
            raise JournalError(f"{file}: {error.strerror}") from None
        moved.append(target)
    return moved

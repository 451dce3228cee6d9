"""Recovery: what an engine reads before it does anything else.

Start-up and crash recovery are one path: the rows from the last checkpoint on, each checked
against its chain. A journal that cannot be believed stops the start; `set_aside` keeps it and
makes room for a new one, which is then rebuilt from the venue.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from dailyarb.core.domain.errors import JournalError
from dailyarb.core.domain.records import Checkpointed, RunEnded
from dailyarb.runtime.journal_read import (
    JournalReader,
    Row,
    RunSpan,
    check_head,
    decode,
    head_path,
    walk,
)


class Recovered(msgspec.Struct, frozen=True):
    """Is what the journal says of earlier runs.

    rows: from the last `Checkpointed` on (itself included), oldest first, all evidence classes.
    last_run: the newest run, or None in a fresh instance.
    clean: whether the newest run ended by itself with code 0, or there was none.
    """

    rows: tuple[Row, ...]
    last_seq: int
    last_run: RunSpan | None
    clean: bool


def load(path: Path) -> Recovered:
    """Returns what a new run has to start from; an instance without a journal is fresh.

    Raises:
        JournalError: the files cannot be opened.
        JournalCorrupt: the first row that is missing, altered or unreadable.
    """
    if not path.exists():
        check_head(path, 0)
        return Recovered((), 0, None, True)
    with JournalReader(path) as reader:
        begin = reader.last_of(Checkpointed.__name__)
        spans = reader.runs()
    rows = tuple(decode(path, raw) for _, raw in walk(path, max(0, begin - 1)))
    last_run = max(spans, key=lambda span: span.last_seq) if spans else None
    codes = [
        row.record.code
        for row in rows
        if isinstance(row.record, RunEnded) and last_run and row.run == last_run.run
    ]
    clean = last_run is None or (bool(codes) and codes[-1] == 0)
    return Recovered(rows, rows[-1].seq if rows else 0, last_run, clean)


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

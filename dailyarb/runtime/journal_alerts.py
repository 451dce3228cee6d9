"""What the journal says that people may want to be told: read on from where the keeper was."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from dailyarb.core.domain.errors import JournalError
from dailyarb.core.domain.ids import Severity
from dailyarb.core.domain.records import AlertRaised, BreakerMoved, Record, RunEnded, RungSet
from dailyarb.runtime.journal_read import JournalReader
from dailyarb.runtime.paths import Places

ROWS = 500
PAGES_MAX = 20  # of one look: the rest comes with the next

Told = tuple[Severity, str, str]


class JournalAlerts:
    """Follows one instance's journal; its place survives the keeper.

    Args:
        places: of the instance.
        complain: is told what could not be read or kept.
    """

    def __init__(self, places: Places, complain: Callable[[str], None]) -> None:
        self._places = places
        self._complain = complain
        self._reader: JournalReader | None = None
        self._path = places.state_dir / "keeper.seq"
        self._seq = self._saved()

    def news(self) -> list[Told]:
        """Returns what came since the last call, oldest first: (severity, key, text) each."""
        found: list[Told] = []
        try:
            reader = self._open()
            for _ in range(PAGES_MAX):
                rows = reader.since(self._seq, ROWS)
                if not rows:
                    break
                for row in rows:
                    found += told_by(row.record)
                self._seq = rows[-1].seq
                self._save()
        except JournalError as error:
            self._complain(str(error))
        return found

    def ended(self) -> bool:
        """Returns whether the newest run ended by itself."""
        try:
            spans = self._open().runs()
        except JournalError:
            return False
        return bool(spans) and spans[-1].ended

    def close(self) -> None:
        """Closes the journal."""
        if self._reader is not None:
            self._reader.close()

    def _open(self) -> JournalReader:
        if self._reader is None:
            self._reader = JournalReader(self._places.journal)
            spans = self._reader.runs()
            # Alerts of earlier runs were told, or are of no use any more.
            self._seq = max(self._seq, spans[-1].first_seq - 1 if spans else 0)
        return self._reader

    def _saved(self) -> int:
        try:
            return int(self._path.read_text())
        except (OSError, ValueError):
            return 0

    def _save(self) -> None:
        try:
            self._path.write_text(f"{self._seq}\n")
        except OSError as error:
            self._complain(f"{self._path.name}: {error.strerror}")


def told_by(record: Record) -> Iterator[Told]:
    """Gives what one record is worth telling, mostly nothing."""
    if isinstance(record, AlertRaised):
        yield record.severity, record.key, record.text
    elif isinstance(record, BreakerMoved) and not record.tripped:
        text = f"{record.breaker} was reset by {record.who}: {record.reason}"
        yield Severity.INFO, f"breaker.{record.breaker}.reset", text
    elif isinstance(record, RungSet):
        text = f"the operator's rung is {record.rung.name}, set by {record.who}: {record.reason}"
        yield Severity.INFO, f"rung.{record.rung.name}", text
    elif isinstance(record, RunEnded) and record.code:
        text = f"the engine stopped with code {record.code}: {record.why}"
        yield Severity.CRITICAL, "engine.ended", text

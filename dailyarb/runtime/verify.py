"""Verifies a journal: sequence, chain, conservation of money, one order per intent.

Reads while an engine writes, too. The chain is checked row by row and the first bad row ends the
reading: nothing behind it can be believed. What the rows say is then folded, each evidence class
into a ledger of its own, and every row that breaks an invariant is named (I1, I3, I8).
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from dailyarb.core.domain.errors import InvariantBroken, JournalCorrupt
from dailyarb.core.domain.records import OrderSigned, RunStarted
from dailyarb.core.domain.rung import Evidence
from dailyarb.core.ledger.ledger import Ledger
from dailyarb.runtime.journal_read import Row, check_head, decode, walk

PROBLEMS_MAX = 100


class BadRow(msgspec.Struct, frozen=True):
    """Is one row that breaks a rule."""

    seq: int
    what: str


class Account(msgspec.Struct, frozen=True):
    """Is what one evidence class adds up to; residual_e6 must be zero."""

    evidence: Evidence
    rows: int
    cash_e6: int
    residual_e6: int
    fills: int


class VerifyReport(msgspec.Struct, frozen=True):
    """Is the outcome of verifying a journal, or one run of it."""

    path: str
    rows: int
    last_seq: int
    runs: tuple[str, ...]
    accounts: tuple[Account, ...]
    problems: tuple[BadRow, ...]

    @property
    def ok(self) -> bool:
        """Returns whether no row breaks a rule."""
        return not self.problems


class _Fold:
    """Folds rows and collects what they break."""

    def __init__(self) -> None:
        self.problems: list[BadRow] = []
        self.runs: dict[str, None] = {}
        self.rows = 0
        self._ledgers: dict[Evidence, Ledger] = {}
        self._worlds: dict[Evidence, str] = {}
        self._counts: dict[Evidence, int] = {}
        self._orders: dict[str, bytes] = {}
        self._salts: set[int] = set()
        self._stamp_ms = 0

    def take(self, row: Row, told: bool) -> None:
        """Folds one row; `told` says whether its faults belong into the report."""
        self._enter_world(row)
        ledger = self._ledgers.setdefault(row.evidence, Ledger())
        problems = self._order_faults(row)
        try:
            ledger.apply(row.record, row.wall_ns)
        except InvariantBroken as broken:
            problems.append(str(broken))
        if told:
            self.rows += 1
            self.runs[row.run] = None
            self._counts[row.evidence] = self._counts.get(row.evidence, 0) + 1
            self.problems += [BadRow(row.seq, what) for what in problems]

    def _enter_world(self, row: Row) -> None:
        """Starts a ledger anew where an embedded world has ended: its money went with it."""
        if not isinstance(row.record, RunStarted):
            return
        if self._worlds.get(row.evidence, row.record.world) != row.record.world:
            del self._ledgers[row.evidence]
        self._worlds[row.evidence] = row.record.world

    def accounts(self) -> tuple[Account, ...]:
        """Returns what each evidence class adds up to, an embedded one in its last world."""
        return tuple(
            Account(
                evidence,
                self._counts.get(evidence, 0),
                ledger.accounts.cash,
                ledger.accounts.residual_e6,
                sum(len(books.fills) for books in ledger.markets.values()),
            )
            for evidence, ledger in self._ledgers.items()
        )

    def _order_faults(self, row: Row) -> list[str]:
        order = row.record
        if not isinstance(order, OrderSigned):
            return []
        faults = []
        if order.order_id in self._orders:
            same = self._orders[order.order_id] == order.order_json
            what = "signed twice" if same else "signed twice with other bytes"
            faults.append(f"I8: order {order.order_id} {what}")
        if order.salt in self._salts:
            faults.append(f"I8: salt {order.salt} used twice")
        if order.stamp_ms <= self._stamp_ms:
            what = f"stamp {order.stamp_ms} after {self._stamp_ms}, must increase"
            faults.append(f"order {order.order_id}: {what}")
        self._orders[order.order_id] = order.order_json
        self._salts.add(order.salt)
        self._stamp_ms = max(self._stamp_ms, order.stamp_ms)
        return faults


def verify(path: Path, run: str | None = None) -> VerifyReport:
    """Verifies a journal from its first row.

    Args:
        path: the journal's first file.
        run: reports on this run only; the rows before it are folded all the same.

    Returns:
        What was found; `problems` begins with the first bad row.

    Raises:
        JournalError: there is no journal, or it cannot be opened.
    """
    fold = _Fold()
    last_seq = 0
    problems = fold.problems
    try:
        if not path.exists():
            check_head(path, 0)
        for _, raw in walk(path):
            row = decode(path, raw)
            fold.take(row, run is None or row.run == run)
            last_seq = row.seq
            if len(problems) >= PROBLEMS_MAX:
                break
    except JournalCorrupt as corrupt:
        problems.append(BadRow(corrupt.seq, str(corrupt)))
    if run is not None and run not in fold.runs and not problems:
        problems.append(BadRow(0, f"no run {run} in this journal"))
    return VerifyReport(
        str(path), fold.rows, last_seq, tuple(fold.runs), fold.accounts(), tuple(problems)
    )

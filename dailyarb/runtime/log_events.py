"""The catalogue of log events: every `evt` is a noun.verb from this table."""

from __future__ import annotations

# (evt, what it means). A tuple, not a dict: the test for uniqueness must see a repeated name.
CATALOGUE: tuple[tuple[str, str], ...] = (
    # run
    ("run.started", "a run began: version, mode, evidence, configuration hash"),
    ("run.ready", "reconciliation is complete; trading may begin"),
    ("run.stopping", "no more entries; orders are being cancelled and verified"),
    ("run.summary", "the run ended; the line holds its totals"),
    ("run.ended", "the process leaves with this code, and why"),
    ("config.loaded", "settings were read; hash and origin"),
    # engine
    ("mode.changed", "the run mode changed"),
    ("rung.changed", "the effective rung changed, with its cause"),
    ("breaker.tripped", "a breaker tripped: number, limit, effect"),
    ("breaker.reset", "a breaker was reset, by rule or by the operator"),
    ("cmd.applied", "an operator's command was carried out"),
    ("cmd.refused", "an operator's command was refused"),
    ("claim.skipped", "a payout was left to the venue's own redeeming"),
    ("engine.failed", "journal, disk or a bug of ours ended the engine: all is cancelled first"),
    ("reconcile.done", "the venue's account agrees with the ledger"),
    ("reconcile.differed", "a difference between venue and ledger was booked"),
    # market
    ("market.listed", "a window was discovered and is understood"),
    ("market.refused", "a window is shown, not traded: what is not understood"),
    ("market.settled", "a window's payout was booked"),
    # signals, orders, fills
    ("intent.taken", "an intent was admitted by the risk gate"),
    ("order.signed", "an order was signed and journalled"),
    ("order.adopted", "the venue listed an order of ours that a power loss took from the journal"),
    ("order.acked", "the venue accepted an order"),
    ("order.refused", "the venue proved that it did not accept an order"),
    ("order.unknown", "an order's outcome is not proven; its exposure is held"),
    ("order.filled", "our part of a trade was booked"),
    ("order.cancelled", "an order is proven cancelled"),
    ("order.killed", "an order ended by its own terms: no match, or its time is over"),
    ("fill.confirmed", "a fill is final"),
    ("fill.voided", "a fill failed to settle and was reversed"),
    ("pair.completed", "both legs of a pair are filled"),
    ("pair.unwound", "a one-sided pair was sold or completed by rule"),
    ("pair.carried", "a one-sided pair is kept to settlement"),
    ("heartbeat.failed", "the venue's dead-man switch was not refreshed"),
    ("heartbeat.back", "the dead-man switch is refreshed again"),
    # feeds and venues
    ("feed.connected", "a feed has a connection more"),
    ("feed.lost", "a feed has a connection less: it broke or was silent too long"),
    ("feed.changed", "a feed's state changed by the age of its content"),
    ("book.desynced", "continuity of a book was lost: a snapshot is asked for"),
    ("venue.changed", "the order venue changed what it accepts"),
    ("venue.failed", "a read from a venue failed"),
    # runtime
    ("journal.lagged", "rows wait longer than allowed for their sync, or it failed"),
    ("journal.back", "rows are synced in time again"),
    ("board.laid", "the board or the control socket was laid anew"),
    ("board.lost", "the run directory is gone and cannot be made: no console sees the engine"),
    ("task.died", "a task of the shell ended unexpectedly"),
    ("record.dropped", "frames were not recorded: the ring was full"),
    ("record.pruned", "old recordings were deleted to keep the quota"),
    ("log.dropped", "log lines were dropped since the last one of these"),
    # keeper
    ("keeper.started", "the keeper watches this instance"),
    ("keeper.ended", "the keeper leaves"),
    ("keeper.troubled", "the keeper could not read board or journal, or keep its place"),
    ("engine.lost", "the engine gives no sign of life"),
    ("engine.back", "the engine gives signs of life again"),
    ("engine.restarted", "the keeper started an engine anew, or gave up"),
    ("alert.raised", "an alert was raised"),
    ("alert.failed", "an alert could not be delivered"),
)

EVENTS = frozenset(evt for evt, _ in CATALOGUE)


_HEAD = """\
# Log events

Made by `dailyarb tail --table` from the catalogue in code; do not edit. Each line of the log has
one of these as its `evt`; `dailyarb tail --evt 'order.*'` shows lines of one kind. What comes
often, as a feed's health, is told when it turns.

| event | meaning |
| --- | --- |
"""


def document() -> str:
    """Returns the catalogue as a page of Markdown."""
    return _HEAD + "".join(f"| `{evt}` | {meaning} |\n" for evt, meaning in sorted(CATALOGUE))

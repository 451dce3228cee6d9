"""The catalogue of log events: every `evt` is a noun.verb from this table."""

from __future__ import annotations

# (evt, what it means). A tuple, not a dict: the test for uniqueness must see a repeated name.
CATALOGUE: tuple[tuple[str, str], ...] = (
    # run
    ("run.started", "a run began: version, mode, evidence, configuration hash"),
    ("run.recovered", "earlier rows of the journal were read and folded"),
    ("run.ready", "reconciliation is complete; trading may begin"),
    ("run.stopping", "no more entries; orders are being cancelled and verified"),
    ("run.summary", "the run ended; the line holds its totals"),
    ("run.ended", "the process leaves with this code, and why"),
    ("config.loaded", "settings were read; hash and origin"),
    ("config.refused", "new settings were refused; the old ones stay in force"),
    ("instance.locked", "locks on the instance and its wallet are held"),
    # engine
    ("mode.changed", "the run mode changed"),
    ("rung.changed", "the effective rung changed, with its cause"),
    ("breaker.tripped", "a breaker tripped: number, limit, effect"),
    ("breaker.reset", "a breaker was reset, by rule or by the operator"),
    ("cmd.applied", "an operator's command was carried out"),
    ("cmd.refused", "an operator's command was refused"),
    ("claim.skipped", "a payout was left to the venue's own redeeming"),
    ("engine.failed", "an error ended the engine: everything is cancelled first"),
    ("invariant.broken", "a bug of ours: everything is cancelled and the process ends with 70"),
    ("reconcile.started", "account, orders and fills were asked for"),
    ("reconcile.done", "the venue's account agrees with the ledger"),
    ("reconcile.differed", "a difference between venue and ledger was booked"),
    # market
    ("market.listed", "a window was discovered and is understood"),
    ("market.refused", "a window is shown, not traded: what is not understood"),
    ("market.opened", "a window began"),
    ("market.closing", "a window nears its end: no entries"),
    ("market.resolved", "the venue decided a window"),
    ("market.settled", "a window's payout was booked"),
    ("market.quarantined", "orders of unknown outcome keep a window out of trading"),
    ("strike.fixed", "the settling value at a window's start is known"),
    # signals, orders, fills
    ("signal.blocked", "an evaluation ended in a gate: number and limit"),
    ("intent.taken", "an intent was admitted by the risk gate"),
    ("intent.denied", "an intent was denied by the risk gate"),
    ("order.signed", "an order was signed and journalled"),
    ("order.adopted", "the venue listed an order of ours that a power loss took from the journal"),
    ("order.sent", "an order's last byte was handed to the kernel"),
    ("order.acked", "the venue accepted an order"),
    ("order.refused", "the venue proved that it did not accept an order"),
    ("order.unknown", "an order's outcome is not proven; its exposure is held"),
    ("order.filled", "our part of a trade was booked"),
    ("order.cancelled", "an order is proven cancelled"),
    ("order.expired", "an order is proven expired"),
    ("order.killed", "an immediate order found no match"),
    ("fill.confirmed", "a fill is final"),
    ("fill.voided", "a fill failed to settle and was reversed"),
    ("pair.opened", "both legs of a pair were sent"),
    ("pair.completed", "both legs of a pair are filled"),
    ("pair.unwound", "a one-sided pair was sold or completed by rule"),
    ("pair.carried", "a one-sided pair is kept to settlement"),
    ("cancel.sent", "cancels were sent"),
    ("cancel.verified", "the venue shows no open order of ours"),
    ("heartbeat.failed", "the venue's dead-man switch was not refreshed"),
    # feeds and venues
    ("feed.connected", "a connection stands and is subscribed"),
    ("feed.lost", "a connection was lost or was silent too long"),
    ("feed.changed", "a feed's state changed by the age of its content"),
    ("feed.faulted", "a frame gave no rows; a sample is kept"),
    ("book.synced", "a book has a snapshot of its current epoch"),
    ("book.desynced", "continuity of a book was lost"),
    ("venue.changed", "the order venue changed what it accepts"),
    ("venue.throttled", "a request was refused for its rate"),
    ("venue.failed", "a read from a venue failed"),
    ("clock.measured", "venue time against the wall clock"),
    ("loop.lagged", "the engine's loop was late"),
    # runtime
    ("journal.failed", "the journal could not be written: no further orders"),
    ("journal.lagged", "rows wait longer than allowed for their sync"),
    ("journal.segmented", "the journal goes on in a new segment file"),
    ("board.laid", "the board or the control socket was laid anew"),
    ("board.lost", "the run directory is gone and cannot be made: no console sees the engine"),
    ("task.died", "a task of the shell ended unexpectedly"),
    ("record.started", "raw frames are being recorded"),
    ("record.dropped", "frames were not recorded: the ring was full"),
    ("record.failed", "the recorder stopped: its disk failed"),
    ("record.pruned", "old recordings were deleted to keep the quota"),
    ("control.refused", "commands on the control socket were refused"),
    ("console.attached", "a console attached"),
    ("console.detached", "a console detached"),
    ("log.dropped", "log lines were dropped since the last one of these"),
    ("log.unlisted", "an event missing from this catalogue was logged"),
    # keeper
    ("keeper.started", "the keeper watches this instance"),
    ("keeper.ended", "the keeper leaves"),
    ("keeper.troubled", "the keeper could not read board or journal, or keep its place"),
    ("engine.lost", "the engine gives no sign of life"),
    ("engine.back", "the engine gives signs of life again"),
    ("engine.restarted", "the keeper started an engine anew, or gave up"),
    ("alert.raised", "an alert was raised"),
    ("alert.sent", "an alert was delivered"),
    ("alert.failed", "an alert could not be delivered"),
    ("alert.dropped", "alerts were dropped: the queue was full"),
)

EVENTS = frozenset(evt for evt, _ in CATALOGUE)


def document() -> str:
    """Returns the catalogue as a Markdown table."""
    rows = [f"| `{evt}` | {meaning} |" for evt, meaning in sorted(CATALOGUE)]
    return "\n".join(["| event | meaning |", "| --- | --- |", *rows]) + "\n"

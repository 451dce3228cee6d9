"""What the order venue accepts at the moment, and when to believe otherwise. Sans-IO."""

from __future__ import annotations

from dailyarb.core.domain.events import VenueMode, VenueModeKind

SECOND_NS = 1_000_000_000

# How long a mode is believed when the venue does not say; doubled each time it comes straight back.
_WAIT_S = {
    VenueModeKind.RESTARTING: 10.0,
    VenueModeKind.POST_ONLY: 30.0,
    VenueModeKind.CANCEL_ONLY: 60.0,
    VenueModeKind.CLOSED_ONLY: 600.0,
}
_WAIT_MAX_S = 120.0


class ModeKeeper:
    """Turns what answers prove into changes of the venue's mode.

    A restart, post-only, cancel-only and closed-only end by themselves: after the time the venue
    named (or ours, doubling) the mode is NORMAL again until an answer says otherwise. Blocked and
    refused credentials end only when an order is accepted.
    """

    def __init__(self) -> None:
        self.kind = VenueModeKind.NORMAL
        self._until_ns = 0
        self._wait_s = 0.0

    def restricted(self, mode: VenueMode, now_ns: int) -> VenueMode | None:
        """Takes a mode an answer proved; returns the event when it is a change."""
        changed = mode.kind is not self.kind
        wait = mode.retry_after_s or _WAIT_S.get(mode.kind, 0.0)
        self._wait_s = min(_WAIT_MAX_S, max(wait, 2 * self._wait_s))
        self.kind = mode.kind
        self._until_ns = now_ns + int(max(wait, self._wait_s) * SECOND_NS)
        return mode if changed else None

    def accepted(self) -> VenueMode | None:
        """Takes an accepted order; returns the event when the venue was restricted before.

        A sale is accepted where only sales are: that says nothing about buying.
        """
        if self.kind is VenueModeKind.CLOSED_ONLY:
            return None
        self._wait_s = 0.0
        return self._normal("an order was accepted")

    def step(self, now_ns: int) -> VenueMode | None:
        """Returns the event of a mode whose time is over."""
        if self.kind not in _WAIT_S or now_ns < self._until_ns:
            return None
        return self._normal("its time is over; trying again")

    def _normal(self, why: str) -> VenueMode | None:
        if self.kind is VenueModeKind.NORMAL:
            return None
        self.kind = VenueModeKind.NORMAL
        return VenueMode(VenueModeKind.NORMAL, 0.0, why)

# distutils: language = c++
"""Tick ladder: one book per market, UP and DOWN its two mirrored views.

A DOWN bid at p is an UP ask at 1 - p. Each level keeps its stamp: newer or equal wins. A `book`
is a checkpoint: it rewrites or deletes only levels stamped at or before its own stamp.
A level off the tick in force is counted, refused, and leaves the ladder desynced.
"""

from libc.stdint cimport int32_t, int64_t, uint64_t

cdef int64_t SIZE_MOST_E6 = 10**15
cdef int LEVELS_MOST = 10_001


cdef int checked(int outcome, int side) except -1:
    if not (0 <= outcome <= 1 and 0 <= side <= 1):
        raise ValueError(f"outcome {outcome}, side {side}: each is 0 or 1")
    return 0


cdef int checked_size(int64_t size_e6) except -1:
    if not 0 <= size_e6 <= SIZE_MOST_E6:
        raise ValueError(f"size_e6 is {size_e6}, allowed 0 to {SIZE_MOST_E6}")
    return 0


cdef class Ladder:
    """Keeps the book of one market.

    Args:
        tick_e4: 1000, 100, 50, 25, 10 or 1.

    Raises:
        ValueError: another tick.
    """

    def __cinit__(self, int tick_e4=100):
        if not LadderCore.tick_known(tick_e4):
            raise ValueError(f"tick_e4 is {tick_e4}, known are 1000, 100, 50, 25, 10, 1")
        self.core = new LadderCore(tick_e4)

    def __dealloc__(self):
        del self.core

    def apply_level(self, int outcome, int side, int price_e4, int64_t size_e6,
                    int64_t stamp_ms):
        """Writes one level (size 0 deletes) and says whether it was taken.

        Older than what the level holds, or off the grid: not taken, counted in `late` or
        `off_grid`.

        Raises:
            ValueError: outcome, side, size or stamp outside its range.
        """
        checked(outcome, side)
        checked_size(size_e6)
        if stamp_ms < 0:
            raise ValueError(f"stamp_ms is {stamp_ms}")
        cdef Applied applied = self.core.apply(outcome, side, price_e4, size_e6, stamp_ms)
        return applied == APPLIED_SAME or applied == APPLIED_CHANGED

    def begin_book(self, int outcome, int64_t stamp_ms):
        """Opens a checkpoint of one outcome's view as of `stamp_ms`."""
        checked(outcome, 0)
        if stamp_ms < 0:
            raise ValueError(f"stamp_ms is {stamp_ms}")
        self.book_outcome = outcome
        self.book_open = True
        self.core.begin_book(stamp_ms)

    def book_level(self, int side, int price_e4, int64_t size_e6):
        """Names one level of the open checkpoint; says whether it was taken."""
        checked(0, side)
        checked_size(size_e6)
        if not self.book_open:
            raise ValueError("no checkpoint is open")
        cdef Applied applied = self.core.book_level(self.book_outcome, side, price_e4, size_e6)
        return applied == APPLIED_SAME or applied == APPLIED_CHANGED

    def end_book(self):
        """Deletes what the checkpoint did not name, unless newer; says whether anything changed."""
        if not self.book_open:
            raise ValueError("no checkpoint is open")
        self.book_open = False
        return self.core.end_book()

    def top(self, int outcome):
        """Returns bid_e4, bid_size_e6, ask_e4, ask_size_e6; an absent side is 0 or 10,000."""
        checked(outcome, 0)
        cdef LadderTop top = self.core.top_of(outcome)
        return top.bid_e4, top.bid_size_e6, top.ask_e4, top.ask_size_e6

    def depth(self, int outcome, int side, int price_e4):
        """Returns the shares from the best of a side to `price_e4` inclusive."""
        checked(outcome, side)
        return self.core.depth(outcome, side, price_e4)

    def levels(self, int outcome, int side, int n):
        """Returns up to `n` levels (price_e4, size_e6), best first."""
        checked(outcome, side)
        cdef int32_t price[64]
        cdef int64_t size[64]
        cdef int count
        if 0 <= n <= 64:
            count = self.core.copy_levels(outcome, side, n, price, size)
            return [(price[i], size[i]) for i in range(count)]
        return self._all_levels(outcome, side, n)

    cdef list _all_levels(self, int outcome, int side, int n):
        if n < 0:
            raise ValueError(f"n is {n}")
        cdef int32_t[10_001] price
        cdef int64_t[10_001] size
        cdef int count = self.core.copy_levels(outcome, side, min(n, LEVELS_MOST), price, size)
        return [(price[i], size[i]) for i in range(count)]

    def sweep(self, int outcome, int side_taken, int64_t size_e6, int limit_e4):
        """Fills a taker against the opposite side, best first, up to its limit.

        Args:
            outcome: 0 UP, 1 DOWN.
            side_taken: the taker's side: 0 BUY walks the asks, 1 SELL the bids.
            size_e6: wanted shares.
            limit_e4: worst price, inclusive.

        Returns:
            filled_e6 and the exact sum of price_e4 x size_e6.
        """
        checked(outcome, side_taken)
        checked_size(size_e6)
        cdef uint64_t high = 0
        cdef uint64_t low = 0
        cdef int64_t filled = self.core.sweep_halves(
            outcome, side_taken, size_e6, limit_e4, high, low
        )
        return filled, ((<object>high) << 64) | low

    def set_tick(self, int tick_e4):
        """Lays a new grid: a new epoch, empty until a snapshot. ValueError for another tick."""
        if not LadderCore.tick_known(tick_e4):
            raise ValueError(f"tick_e4 is {tick_e4}, known are 1000, 100, 50, 25, 10, 1")
        self.book_open = False
        self.core.set_tick(tick_e4)

    def clear(self):
        """Opens a new epoch: empty until a snapshot."""
        self.book_open = False
        self.core.clear()

    def total(self, int outcome, int side):
        """Returns all shares of a side."""
        checked(outcome, side)
        return self.core.total(outcome, side)

    @property
    def tick_e4(self):
        """Gives the tick in force."""
        return self.core.tick_e4

    @property
    def epoch(self):
        """Gives the number of the epoch, rising."""
        return self.core.epoch

    @property
    def synced(self):
        """Says whether a snapshot of this epoch was applied and nothing contradicts the book."""
        return self.core.synced

    @property
    def desynced(self):
        """Says whether something contradicted the book in this epoch."""
        return self.core.desynced

    @property
    def crossed(self):
        """Says whether the best bid is at or above the best ask."""
        return self.core.crossed()

    @property
    def stamp_ms(self):
        """Gives the newest stamp of this epoch, 0 for none."""
        return self.core.newest_ms

    @property
    def levels_count(self):
        """Counts levels of both sides."""
        return self.core.levels_count()

    @property
    def off_grid(self):
        """Counts levels refused because they are off the tick in force."""
        return self.core.off_grid

    @property
    def late(self):
        """Counts levels dropped because a newer one was there."""
        return self.core.late

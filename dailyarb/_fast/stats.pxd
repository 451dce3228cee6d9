"""Rolling statistics over a window of time: O(1) amortised per event, memory fixed at birth.

Times are int64 nanoseconds of one clock, 0 to 2**62. A time before the newest one seen is taken
as the newest (and counted in `late`): a window never moves back. `advance` moves the window
without a new event; the C twins of push and advance need no GIL and return -1 out of range.
"""

from libc.stdint cimport int64_t, uint64_t
from libcpp.vector cimport vector


cdef class RollingMove:
    """Move and extremes of a value over a window; the value at the window's start counts."""

    cdef readonly int64_t window_ns
    cdef readonly uint64_t late        # events whose time was before the newest one
    cdef readonly uint64_t overrun     # events pushed out by capacity while still in the window
    cdef uint64_t mask, first, end     # absolute indices; slot = index & mask
    cdef int64_t newest_ns
    cdef uint64_t low_head, low_tail, high_head, high_tail
    cdef vector[int64_t] times, values
    cdef vector[uint64_t] lows, highs  # monotone queues of absolute indices

    cdef int push_c(self, int64_t t_ns, int64_t value) noexcept nogil
    cdef int advance_c(self, int64_t now_ns) noexcept nogil
    cdef int64_t delta_c(self) noexcept nogil
    cdef void _trim(self, int64_t now_ns) noexcept nogil
    cdef void _drop_heads(self) noexcept nogil


cdef class RollingVol:
    """Realised volatility per root second of log returns sampled on a fixed grid of time."""

    cdef readonly int64_t window_ns, sample_ns
    cdef readonly uint64_t late
    cdef readonly uint64_t resets      # silences longer than the window
    cdef uint64_t size, used, next_slot
    cdef int64_t newest_ns, grid_ns    # grid_ns: the next grid instant not yet sampled
    cdef double last, sampled          # newest value, and the value at the grid instant before
    cdef double total, correction      # compensated running sum of squares
    cdef vector[double] squares

    cdef int push_c(self, int64_t t_ns, double value) noexcept nogil
    cdef int advance_c(self, int64_t now_ns) noexcept nogil
    cdef double sigma_c(self) noexcept nogil
    cdef void _close_grid(self, int64_t now_ns) noexcept nogil
    cdef void _keep(self, double change) noexcept nogil
    cdef void _add(self, double number) noexcept nogil


cdef class EwmaVol:
    """Volatility per root second with weights that halve every `half_life_ns`."""

    cdef readonly int64_t half_life_ns, sample_ns
    cdef readonly uint64_t late, count
    cdef int64_t newest_ns
    cdef double last, squares, seconds, prior, prior_s
    cdef bint begun

    cdef int push_c(self, int64_t t_ns, double value) noexcept nogil
    cdef double sigma_c(self) noexcept nogil


cdef class FlowSum:
    """Bought and sold size over a window."""

    cdef readonly int64_t window_ns
    cdef readonly uint64_t late, overrun
    cdef readonly int64_t buy, sell
    cdef uint64_t mask, first, end
    cdef int64_t newest_ns, size_max
    cdef vector[int64_t] times, sizes

    cdef int push_c(self, int64_t t_ns, int64_t signed_size) noexcept nogil
    cdef int advance_c(self, int64_t now_ns) noexcept nogil
    cdef double imbalance_c(self) noexcept nogil
    cdef void _trim(self, int64_t now_ns) noexcept nogil
    cdef void _drop(self) noexcept nogil

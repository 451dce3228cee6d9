"""Order flow over several windows of time at once: O(1) amortised per event.

One ring of events serves every window; each keeps the index of its oldest event and its sums.
Times are int64 nanoseconds of one clock, 0 to 2**62; a time before the newest one seen is taken
as the newest.
"""

from libc.stdint cimport int64_t, uint64_t
from libcpp.vector cimport vector


cdef struct FlowEvent:
    int64_t t_ns, buy, sell, buys, sells


cdef struct FlowBand:
    int64_t window_ns
    uint64_t first                     # absolute index of the oldest event inside
    int64_t buy, sell, buys, sells


cdef class FlowWindows:
    """Bought and sold size and aggressor counts over up to eight windows."""

    cdef readonly uint64_t overrun     # events pushed out of a window by capacity
    cdef uint64_t mask, end            # absolute indices; slot = index & mask
    cdef int64_t newest_ns, size_max
    cdef vector[FlowEvent] events
    cdef vector[FlowBand] bands

    cdef void _trim(self, int64_t now_ns) noexcept nogil
    cdef void _drop(self, FlowBand* band) noexcept nogil

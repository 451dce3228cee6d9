"""Socket listeners that decode inside the callback.

`take` gets a borrowed buffer, valid only inside the call: `size` bytes of frame, `capacity`
readable bytes behind it. `apply` is what a venue's listener overrides: the frame's flags, FAULT
among them. Nothing raises into the socket library.
"""

from libc.stdint cimport int64_t, uint64_t

from picows.picows cimport WSFrame, WSListener, WSTransport

from dailyarb._fast.histogram cimport LatencyHistogram
from dailyarb._fast.ring cimport Ring
from dailyarb._fast.router cimport BookRouter
from dailyarb._fast.spot cimport SpotRouter


cdef class FeedListener(WSListener):
    cdef readonly WSTransport transport
    cdef readonly uint64_t frames, octets, faults, refusals, fragments, errors, bursts
    cdef readonly int64_t opened_ns, content_ns, pong_ns
    cdef public int64_t offset_ns
    cdef readonly LatencyHistogram decode, lag
    cdef object burst, opened, closed, failed, noticed
    cdef Ring ring
    cdef int tag, pending, notices
    cdef int64_t pending_ns, stamp_scale
    cdef size_t frame_bytes_max
    cdef bytes stamp_key
    cdef bytearray partial

    cdef int apply(self, const char* frame, size_t size, size_t capacity,
                   int64_t recv_ns) except -1
    cdef void take(self, const char* frame, size_t size, size_t capacity, int64_t recv_ns)
    cdef void _measure_lag(self, const char* frame, size_t size) noexcept
    cdef void _take_part(self, WSFrame frame, int64_t recv_ns)
    cdef void _burst(self)
    cdef void _fail(self, object error)


cdef class MarketListener(FeedListener):
    cdef BookRouter router
    cdef int source


cdef class SpotListener(FeedListener):
    cdef SpotRouter router

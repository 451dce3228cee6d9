"""Spot reference router; `feed` is what a listener calls with its borrowed buffer."""

from libc.stdint cimport int64_t, uint64_t

from dailyarb._fast.binance cimport BinanceDecoder


cdef class SpotRouter:
    cdef void* core
    cdef readonly BinanceDecoder decoder
    cdef readonly uint64_t frames
    cdef uint64_t fault_counts[16]
    cdef readonly int last_fault
    cdef bytes sample

    cdef int _index(self, int index) except -1

    # As BookRouter.feed: `size` bytes of frame, `capacity` readable bytes.
    cdef int feed(self, const char* frame, size_t size, size_t capacity,
                  int64_t recv_ns) except -1

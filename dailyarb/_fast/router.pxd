"""Frames to ladders to flags; `feed` is what a listener calls with its borrowed buffer."""

from libc.stdint cimport int64_t, uint64_t

from dailyarb._fast.polymarket cimport Decoder, Rows, TokenTable


cdef class BookRouter:
    cdef void* core
    cdef readonly Decoder decoder
    cdef TokenTable tokens
    cdef Rows rows
    cdef list ladders
    cdef list names
    cdef readonly int markets_max
    cdef readonly uint64_t frames
    cdef uint64_t fault_counts[16]
    cdef readonly int last_fault
    cdef bytes sample

    cdef int _index(self, int market) except -1

    # Returns the flags of the frame. `size` bytes of frame, `capacity` readable bytes; with 64
    # to spare nothing is copied. `source` tells redundant connections apart, 0 to 6, or -1.
    # FAULT: `last_fault` says which, no row was applied.
    cdef int feed(self, const char* frame, size_t size, size_t capacity, int64_t recv_ns,
                  int source=*) except -1

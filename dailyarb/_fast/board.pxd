"""Seqlock slots over memory handed in: one writer, any number of readers, in any process.

`Memory` borrows a buffer for its lifetime. `Slot` keeps the newest blob of at most
`payload_bytes`, two copies each (seqlock.hpp). `BookSlot` keeps a `BookImage`: the first DEPTH
levels a side of a book, in UP coordinates. The C twins need no GIL and allocate nothing.
"""

from cpython.buffer cimport Py_buffer
from libc.stdint cimport int32_t, int64_t, uint64_t
from libcpp.vector cimport vector

from dailyarb._fast.ladder cimport Ladder

cdef enum:
    DEPTH = 20

cdef struct BookImage:
    int32_t market, state
    int32_t tick_e4, flags
    int32_t bids, asks               # levels in use, at most DEPTH
    int64_t epoch
    int64_t recv_ns, stamp_ms
    int64_t bid_size_e6[DEPTH]       # best first
    int64_t ask_size_e6[DEPTH]
    int32_t bid_price_e4[DEPTH]
    int32_t ask_price_e4[DEPTH]


cdef class Memory:
    cdef Py_buffer view
    cdef char* base
    cdef readonly Py_ssize_t size
    cdef readonly bint writable

    cdef char* place(self, Py_ssize_t offset, Py_ssize_t length) except NULL


cdef class Word:
    cdef Memory memory
    cdef Py_ssize_t offset
    cdef char* at


cdef class Slot:
    cdef Memory memory
    cdef char* at
    cdef readonly Py_ssize_t offset
    cdef readonly Py_ssize_t payload_bytes
    cdef vector[char] scratch

    cdef int write_raw(self, const char* blob, size_t size) noexcept nogil
    cdef int64_t read_raw(self, char* into) noexcept nogil


cdef class BookSlot(Slot):
    cdef int write_image(self, const BookImage* image) noexcept nogil

"""SPSC ring of byte records: one producer, one consumer, threads or processes, nobody waits.

`push_raw` and `pop_raw` need no GIL, allocate nothing and never block. A record carries a stamp
(int64) and a tag (uint32) beside its bytes.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from dailyarb._fast.board cimport Memory

cdef extern from "ring.hpp" namespace "dailyarb" nogil:
    cppclass RingWord:
        uint64_t load()
    cppclass RingHead:
        RingWord tail, pushed, dropped, head, popped


cdef class Ring:
    cdef Memory memory
    cdef char* base
    cdef Py_ssize_t offset
    cdef readonly uint64_t capacity

    cdef RingHead* _head(self) except NULL
    cdef object _take(self, int64_t* stamp, uint32_t* tag)
    cdef bint push_raw(self, const char* record, size_t size, int64_t stamp) noexcept nogil
    cdef bint push_tagged(
        self, const char* record, size_t size, int64_t stamp, uint32_t tag
    ) noexcept nogil
    # Size copied into `into`, or -1 empty, -2 broken memory, -3 `room` too small (record kept).
    cdef int64_t pop_raw(
        self, char* into, size_t room, int64_t* stamp, uint32_t* tag
    ) noexcept nogil

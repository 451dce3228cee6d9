# cython: language_level=3
"""Loops in C over the kernels, so that a benchmark measures them and not the calls to them."""

from libc.stdint cimport int64_t, uint32_t

from dailyarb._fast.board cimport BookImage, BookSlot
from dailyarb._fast.histogram cimport LatencyHistogram
from dailyarb._fast.ladder cimport Ladder
from dailyarb._fast.ring cimport Ring


def ring_hand_over(Ring ring not None, bytes record not None, Py_ssize_t times) -> int:
    """Pushes and pops one record `times` times; returns how many came out."""
    cdef char into[4096]
    cdef int64_t stamp
    cdef uint32_t tag
    cdef Py_ssize_t out = 0, size = len(record), _
    cdef const char* blob = record
    with nogil:
        for _ in range(times):
            ring.push_raw(blob, size, 1)
            out += ring.pop_raw(into, sizeof(into), &stamp, &tag) == size
    return out


def book_write(BookSlot slot not None, Ladder ladder not None, Py_ssize_t times) -> None:
    """Lays a ladder's image `times` times."""
    for _ in range(times):
        slot.write_ladder(ladder, 0, 1, 1)


def book_read(BookSlot slot not None, Py_ssize_t times) -> int:
    """Reads the image `times` times; returns how many reads were whole."""
    cdef BookImage image
    cdef Py_ssize_t whole = 0, _
    with nogil:
        for _ in range(times):
            whole += slot.read_raw(<char*>&image) == sizeof(BookImage)
    return whole


def histogram_record(LatencyHistogram histogram not None, Py_ssize_t times) -> None:
    """Counts `times` times from 0 ns up in steps of 37."""
    cdef Py_ssize_t i
    with nogil:
        for i in range(times):
            histogram.record_c(37 * i)
